/* What of a policy are directory trees that may be read. */
#ifndef USHER_READS_TREES_H
#define USHER_READS_TREES_H

#include "plan.h"

#define READS_OPS (OP_BIT(OP_READ) | OP_BIT(OP_LIST))
#define READS_VIEW_OPS (READS_OPS | OP_BIT(OP_STAT))

/* Why something is not Landlock's, and what would make it so; NULL: nothing is known. */
struct reads_obstacle { const char *why, *help; };

/* A pattern that is allowed to be read. */
struct granted {
	const struct policy_rule *rule;
	const char *glob, *path;	/* .path: its literal part */
	const struct reads_obstacle *unfit;	/* why that is no tree for Landlock; NULL: it is */
	bool link;
};

/* Calls FN for each that is allowed for one of OPS, until it answers anything but 0. */
typedef int reads_granted_fn(const struct granted *granted, void *ctx);
int reads_each_granted(const struct plan *plan, uint32_t ops, reads_granted_fn *fn, void *ctx);
struct landlock_trees;
/* A policy that allows of OPS what TREES do, as .reads would have it, and nothing else. 0 or -errno. */
int reads_policy(const struct plan *plan, const struct landlock_trees *trees, uint32_t ops, struct policy **policy);
/* What Landlock calls OPS. */
uint64_t reads_access(uint32_t ops);

#endif
