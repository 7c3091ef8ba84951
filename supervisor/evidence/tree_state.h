/* The inside of a tree. */
#ifndef USHER_TREE_STATE_H
#define USHER_TREE_STATE_H

#include "tree.h"

#define SIBLINGS 4	/* so many make a directory */

struct stats { unsigned files; uint64_t calls, runs; };

struct node {
	char *name;		/* a glob of one component */
	struct node **children;
	size_t n;
	bool pattern;
	uint32_t ops;		/* on what has this very name */
	uint32_t below;		/* on it and all below */
	unsigned width;		/* how many names it was */
	uint64_t seen_runs;	/* of it and all below */
	bool made, made_dir;	/* by the program; as a directory, if there is something in it */
	struct stats stats;	/* of .ops */
	struct stats inside;	/* of what .below took over */
	unsigned shapes;	/* names in it */
	char *example;		/* a path */
};

static inline void stats_add(struct stats *stats, const struct stats *more)
{
	stats->files += more->files;
	stats->calls += more->calls;
	stats->runs |= more->runs;
}

/* Names become patterns, below NODE, which is PATH ("" for the root). */
void tree_shape(struct node *node, const char *path, unsigned n_runs);

#endif
