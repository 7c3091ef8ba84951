/*
 * What was seen, as a tree of names, and how a policy is made of it: volatile names become patterns, names that differ between runs
 * become *, many siblings become their directory, and what is covered is dropped.
 */
#ifndef USHER_TREE_H
#define USHER_TREE_H

#include "access.h"
#include "text.h"

struct node;

enum tree_mood { TREE_TIGHT, TREE_BALANCED, TREE_LOOSE };

/* The root. */
struct node *tree_new(void);
void tree_free(struct node *tree);
/* One object: all that was done to it. RUNS: a bit for each run. MADE: the program made it. */
struct tree_seen {
	uint32_t ops, below;	/* on it; on it and everything in it */
	uint64_t calls, runs;
	bool made;
};
void tree_add(struct node *tree, struct bytes path, const struct tree_seen *seen);

void tree_generalise(struct node *tree, enum tree_mood mood, unsigned n_runs);

struct tree_rule {
	const char *glob;	/* with "/" at the end: a directory and all below */
	uint32_t ops;
	unsigned files, shapes;	/* how many objects it stands for, and names that were made of them */
	uint64_t calls, runs;
	const char *example;	/* one of those objects; NULL if it is the only one */
};
typedef void tree_rule_fn(void *ctx, const struct tree_rule *rule);
void tree_rules(const struct node *tree, tree_rule_fn *fn, void *ctx);

/* Directories of which nobody means the whole. */
bool tree_protected(const char *dir);
bool tree_credential(const char *path);

#endif
