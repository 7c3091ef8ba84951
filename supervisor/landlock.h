/* The child's Landlock domain: what is handled, and the few trees where it allows anything. */
#ifndef USHER_LANDLOCK_H
#define USHER_LANDLOCK_H

#include <limits.h>

#include "plan.h"

struct landlock_tree {
	char *path;
	uint64_t access;
};

struct landlock_trees {
	struct landlock_tree *list;
	size_t n;
	char last[PATH_MAX];	/* the interpreter that was looked up last: most files of a directory have the same */
};

/* The access rights that a domain for PLAN handles: .landlock_fs and .landlock_scoped. 0 or -ENOMEM. */
int landlock_rights(struct plan *plan);
/* Where it allows something. 0 or -ENOMEM. */
int landlock_trees(const struct plan *plan, struct landlock_trees *trees);
/* PATH may be reached with ACCESS, too. 0 or -ENOMEM. */
int landlock_tree_add(struct landlock_trees *trees, const char *path, uint64_t access);
/* Is PATH in TREE? */
bool landlock_tree_has(const struct landlock_tree *tree, const char *path);
bool landlock_trees_have(const struct landlock_trees *trees, const char *path);
void landlock_trees_free(struct landlock_trees *trees);
/* What goes without version ABI, and *SINCE which Linux it is there; NULL: nothing, there is no such version. In docs/security.md as well. */
const char *landlock_lost(int abi, const char **since);
/* PLAN would have something of version ABI behind the broker, which this kernel's has not. */
bool landlock_misses(const struct plan *plan, int abi);
/* "EXECUTE", ... of one right; NULL for none. */
const char *landlock_right_name(uint64_t right);

#endif
