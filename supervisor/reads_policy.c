/*
 * What the kernel will let be read, written as a policy, to be compared with the one that is asked for.
 */
#include "reads_trees.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "diag.h"
#include "err.h"
#include "evidence/shape.h"
#include "fd.h"
#include "landlock.h"
#include "text.h"
#include "view.h"

static void ops_text(struct text *text, uint32_t ops)
{
	const char *comma = "";

	for (int op = 0; op < OP_COUNT; op++)
		if (ops & READS_VIEW_OPS & OP_BIT(op)) {
			text_addf(text, "%s%s", comma, policy_op_name((enum policy_op)op));
			comma = ",";
		}
}

static int no_file(void *ctx, const char *path, char **text, size_t *len)
{
	(void)ctx, (void)path, (void)text, (void)len;
	return -ENOENT;
}

static int no_names(void *ctx, const char *path, char ***names, size_t *n)
{
	(void)ctx, (void)path, (void)names, (void)n;
	return -ENOENT;
}

static int as_it_is(void *ctx, const char *path, char **resolved)
{
	(void)ctx;
	*resolved = strdup(path);
	return *resolved ? 0 : -ENOMEM;
}

static int no_predicate(void *ctx, const char *what, const char *op, const char *value)
{
	(void)ctx, (void)what, (void)op, (void)value;
	return -ENOENT;
}

static void path_text(struct text *text, const char *path, const char *end, uint32_t ops)
{
	struct text glob = { 0 };

	shape_literal(&glob, path, strlen(path));
	text_puts(&glob, end);
	text_puts(text, "allow ");
	ops_text(text, ops);
	text_puts(text, " ");
	shape_word(text, glob.s);
	text_puts(text, ";\n");
	free(text_take(&glob));
}

static void tree_text(struct text *text, const char *path, uint32_t ops)
{
	struct stat st;

	path_text(text, path, path[1] && (lstat(path, &st) < 0 || S_ISDIR(st.st_mode)) ? "/" : "", ops);
}

/* Of the directories on the way to TREES, which are there for all in a view, what the policy says itself. */
static void ways_text(struct text *text, const struct plan *plan, const struct landlock_trees *trees, uint32_t ops)
{
	for (size_t i = 0; i < trees->n; i++) {
		const char *path = trees->list[i].path;
		for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
			AUTO_FREE char *way = text_dup(path, (size_t)(slash - path));
			uint32_t allowed = 0;
			for (int op = 0; op < OP_COUNT; op++) {
				struct policy_decision decision = policy_decide_path(plan->policy, OP_BIT(op), way, strlen(way));
				if (ops & OP_BIT(op) && policy_allows(&decision.enforced))
					allowed |= OP_BIT(op);
			}
			if (allowed && view_leads(trees, way))
				path_text(text, way, "", allowed);
		}
	}
}

/* Links are no part of any domain, and no matter. */
static int link_text(const struct granted *granted, void *ctx)
{
	if (!granted->unfit && granted->link)
		tree_text(ctx, granted->path, granted->rule->ops);
	return 0;
}

/* usher's own files are not there either, where the policy says EACCES. In TREES they would be. */
static int forbid_own(const struct plan *plan, const struct landlock_trees *trees, struct policy *policy)
{
	const char *path;
	int err = 0;

	for (size_t i = 0; !err && (path = policy_forbidden(plan->policy, i)) != NULL; i++) {
		struct policy_decision decision = policy_decide_path(plan->policy, OP_BIT(OP_READ), path, strlen(path));
		const struct policy_rule *rule = decision.enforced.rule;
		if (rule && rule->pos.file == POLICY_BUILTIN && !landlock_trees_have(trees, path))
			err = policy_forbid(policy, path, true);
	}
	return err;
}

int reads_policy(const struct plan *plan, const struct landlock_trees *trees, uint32_t ops, struct policy **policy)
{
	const struct policy_env env = { .read = no_file, .list = no_names, .resolve = as_it_is, .predicate = no_predicate };
	struct policy_diags diags = { 0 };
	struct text text = { 0 };
	int err;

	text_puts(&text, "syntax 1;\npolicy trees;\nfiles {\ncover ");
	ops_text(&text, ops);
	text_addf(&text, ";\ndefault deny %s;\n", plan->reads == READS_VIEW ? "ENOENT" : "EACCES");
	for (size_t i = 0; i < trees->n; i++) {
		uint64_t access = trees->list[i].access;
		uint32_t has = (access & LANDLOCK_ACCESS_FS_READ_FILE ? OP_BIT(OP_READ) : 0) | (access & LANDLOCK_ACCESS_FS_READ_DIR ? OP_BIT(OP_LIST) : 0);
		if (plan->reads == READS_VIEW)
			has = ops;	/* there is no part of being there */
		if (has)
			tree_text(&text, trees->list[i].path, has);
	}
	if (plan->reads == READS_VIEW)
		ways_text(&text, plan, trees, ops);
	(void)reads_each_granted(plan, READS_OPS, link_text, &text);
	text_puts(&text, "}\n");
	err = policy_load_text(policy, &env, "trees", text.s, text.len, &diags);
	policy_diags_free(&diags);
	free(text_take(&text));
	return !err && plan->reads == READS_VIEW ? forbid_own(plan, trees, *policy) : err;
}
