#include "reads_trees.h"

#include <errno.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "err.h"
#include "fd.h"
#include "landlock.h"
#include "pattern.h"
#include "reads.h"
#include "verdict.h"

uint64_t reads_access(uint32_t ops)
{
	return (ops & OP_BIT(OP_READ) ? LANDLOCK_ACCESS_FS_READ_FILE : 0) | (ops & OP_BIT(OP_LIST) ? LANDLOCK_ACCESS_FS_READ_DIR : 0);
}

/* Might the program move PATH away, or a directory above it? */
static bool movable(const struct plan *plan, const char *path)
{
	static const uint32_t moves[] = { OP_BIT(OP_RENAME), OP_BIT(OP_DELETE) };

	for (size_t len = strlen(path); len > 1; len--) {
		if (path[len] && path[len] != '/')
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
			struct policy_decision decision = policy_decide_path(plan->policy, moves[i], path, len);
			if (policy_allows(&decision.enforced))
				return true;
		}
	}
	return false;
}

static const struct reads_obstacle pattern = {
	"a pattern, and no directory tree", "name directory trees: allow read DIR/",
}, missing = {
	"not there yet", "make it before the start",
}, single = {
	"no directory tree: files are replaced by others of their name",
	"allow the directory that it is in, or give --layers bpf,landlock, which leaves the file to Landlock as it is at the start",
}, ptmx = {
	"its terminals are looked for beside it, and beside a file that is a mount there is nothing",
	"allow the directory that it is in, too (allow ro /dev/;)",
}, procfs = {
	"in procfs, where nothing stays", NULL,
}, away = {
	"the program may move or delete the directory itself, which DIR/*/ would not let it",
	"allow changes of what is in it alone (allow ro DIR/; allow rw DIR/*/;)",
};

/* Why PATH is no tree for Landlock; NULL if it is. WHOLE: nothing comes behind it. ST: of it, NULL: it is not there. */
static const struct reads_obstacle *unfit(const struct plan *plan, const char *path, bool whole, const struct stat *st)
{
	struct statfs fs;
	bool forced = plan->layers == LAYERS_KERNEL;

	if (!whole)
		return &pattern;
	if (!st)
		return forced ? NULL : &missing;
	if (S_ISLNK(st->st_mode))	/* nothing is opened by its name */
		return NULL;
	if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(5, 2) && plan->reads == READS_VIEW)
		return &ptmx;
	/* A device is not made anew. */
	if (!S_ISDIR(st->st_mode) && !forced && !(plan->reads == READS_VIEW && S_ISCHR(st->st_mode)))
		return &single;
	if (statfs(path, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC)
		return &procfs;
	return movable(plan, path) ? &away : NULL;
}

/* The literal part of GLOB, malloc'ed; *WHOLE: it is a tree with or without its top, or one path. */
static char *literal(const char *glob, bool *whole)
{
	static const char *const tails[] = { "*/**", "*/", "**" };
	AUTO_FREE char *tree = strdup(glob);
	char *path = NULL;

	for (size_t i = 0; tree && i < ARRAY_SIZE(tails); i++) {
		size_t len = strlen(tree), tail = strlen(tails[i]);
		if (len > tail && tree[len - tail - 1] == '/' && !strcmp(tree + len - tail, tails[i]))
			tree[len - tail] = '\0';
	}
	if (tree)
		(void)pattern_prefix(tree, whole, &path);
	if (path && !*path) {
		free(path);
		path = strdup("/");
	}
	return path;
}

int reads_each_granted(const struct plan *plan, uint32_t ops, reads_granted_fn *fn, void *ctx)
{
	for (size_t i = 0; i < plan->policy->n_rules; i++) {
		const struct policy_rule *rule = &plan->policy->rules[i];

		for (size_t k = 0; rule_grants(rule, ops) && k < rule->n_patterns; k++) {
			const char *glob = rule->patterns[k].glob;
			bool whole = false;
			AUTO_FREE char *path = literal(glob, &whole);
			struct stat st;
			bool there = path && lstat(path, &st) == 0;
			struct granted granted = { .rule = rule, .glob = glob, .path = path, .link = there && S_ISLNK(st.st_mode) };
			int result;

			if (!path)
				return -ENOMEM;
			granted.unfit = unfit(plan, path, whole, there ? &st : NULL);
			result = fn(&granted, ctx);
			if (result)
				return result;
		}
	}
	return 0;
}

static int add_granted(const struct granted *granted, void *ctx)
{
	uint64_t access = reads_access(granted->rule->ops);

	if (granted->unfit || granted->link)
		return 0;
	return landlock_tree_add(ctx, granted->path, access & LANDLOCK_ACCESS_FS_READ_FILE ? access | LANDLOCK_ACCESS_FS_IOCTL_DEV : access);
}

int reads_trees(const struct plan *plan, struct landlock_trees *trees)
{
	return reads_each_granted(plan, READS_OPS, add_granted, trees);
}

static int add_granted_link(const struct granted *granted, void *ctx)
{
	return granted->link && !granted->unfit && granted->rule->ops & OP_BIT(OP_STAT) ? landlock_tree_add(ctx, granted->path, 0) : 0;
}

int reads_links(const struct plan *plan, struct landlock_trees *links)
{
	return reads_each_granted(plan, READS_OPS, add_granted_link, links);
}
