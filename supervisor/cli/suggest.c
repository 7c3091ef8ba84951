/*
 * Suggestions are made by trying: the policy is loaded again with one rule more at the end of its main file
 * (the place means nothing), and decides again. A rule for a directory is only offered if what it opens was
 * closed by the default or by the very rule that denied: it must never undo another rule's denial on the way.
 */
#include "suggest.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compiled.h"
#include "env.h"
#include "err.h"
#include "evidence/shape.h"
#include "evidence/tree.h"
#include "fd.h"
#include "load.h"
#include "syscalls.h"
#include "text.h"

#define COUNT_MAX 10000
#define DEPTH_MAX 32

/* ---- a policy with one rule more ---- */

/* The place means nothing in the language: at the end of the main file. */
static struct policy *policy_with(const struct policy *policy, const struct policy_env *env, const char *rule)
{
	struct policy_diags diags = { 0 };
	struct policy *longer = NULL;
	struct env with = *(const struct env *)env->ctx;
	struct policy_env world = *env;
	with.added_to = policy->files[0].path;
	with.added = rule;
	world.ctx = &with;
	int error = load_file(with.added_to, NULL, &world, &longer, &diags);
	policy_diags_free(&diags);
	if (!error)
		return longer;
	policy_free(longer);
	return NULL;
}

/* ---- what a directory's rule would open ---- */

struct count {
	const struct policy *before, *after;
	const struct policy_rule *denier; /* the rule that may be undone; NULL: the default */
	uint32_t ops;
	size_t seen, opens;
	bool undoes; /* another rule's denial would be lifted */
};

static void count_path(struct count *count, const char *path)
{
	size_t len = strlen(path);
	for (int op = 0; op < OP_COUNT && !count->undoes; op++) {
		if (!(count->ops & OP_BIT(op)))
			continue;
		struct policy_decision before = policy_decide_path(count->before, OP_BIT(op), path, len);
		struct policy_decision after = policy_decide_path(count->after, OP_BIT(op), path, len);
		if (policy_denies(&before.would) && !policy_denies(&after.would) && before.would.rule &&
		    before.would.rule != count->denier)
			count->undoes = true;
		if (policy_denies(&before.enforced) && !policy_denies(&after.enforced)) {
			count->opens++;
			return;
		}
	}
}

static void count_tree(struct count *count, int dir, char *path, size_t len, unsigned depth)
{
	DIR *stream = fdopendir(dir);
	const struct dirent *entry;
	if (!stream) {
		(void)fd_close(dir);
		return;
	}
	while (!count->undoes && count->seen < COUNT_MAX && (entry = readdir(stream))) {
		size_t n = strlen(entry->d_name);
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    len + n + 2 > PATH_MAX)
			continue;
		path[len] = '/';
		memcpy(path + len + 1, entry->d_name, n + 1);
		count->seen++;
		count_path(count, path);
		/* O_NOFOLLOW|O_DIRECTORY opens nothing but real directories: no device wakes up. */
		int below = depth < DEPTH_MAX ? openat(dirfd(stream), entry->d_name,
						       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
					      : -1;
		if (below >= 0)
			count_tree(count, below, path, len + 1 + n, depth + 1);
		path[len] = 0;
	}
	closedir(stream);
}

/* ---- what is never suggested ---- */

/* What lies deeper in them may be meant. */
static bool directory_is_protected(const char *dir)
{
	return tree_protected(dir) || strncmp(dir, "/root/", 6) == 0;
}

/* ---- making them ---- */

/* PATH as a word of the language that matches it and nothing else. */
static void add_word(struct text *text, const char *path)
{
	struct text glob = { 0 };
	shape_literal(&glob, path, strlen(path));
	shape_word(text, glob.s);
	free(text_take(&glob));
}

static const char *group_of(enum policy_op op, uint32_t *ops)
{
	const char *group = OP_BIT(op) & policy_ops_named("ro", 2)     ? "ro"
			    : OP_BIT(op) & policy_ops_named("rw", 2)   ? "rw"
			    : OP_BIT(op) & policy_ops_named("attr", 4) ? "attr"
								       : policy_op_name(op);
	*ops = policy_ops_named(group, strlen(group));
	return group;
}

static bool allows(const struct policy *policy, const struct asked *asked)
{
	struct policy_decision decision =
		asked->call   ? policy_decide_call(policy, asked->nr, asked->args)
		: asked->mount ? policy_decide_mount(policy, asked->mount)
		: asked->peer ? policy_decide_peer(policy, OP_BIT(asked->op), asked->peer)
			      : policy_decide_path(policy, OP_BIT(asked->op), asked->path, strlen(asked->path));
	return !policy_denies(&decision.enforced) &&
	       !(asked->call && compiled_refusal(policy, asked->nr, asked->args));
}

static void try_one(const struct policy *policy, const struct policy_env *env, const struct asked *asked,
		    char *rule, struct suggestion *list, size_t *n)
{
	struct policy *longer = policy_with(policy, env, rule);
	if (longer && allows(longer, asked))
		list[(*n)++] = (struct suggestion){ .rule = rule };
	else
		free(rule);
	policy_free(longer);
}

static void try_directory(const struct policy *policy, const struct policy_env *env,
			  const struct asked *asked, const struct policy_rule *denier,
			  struct suggestion *list, size_t *n)
{
	char dir[PATH_MAX];
	struct text rule = { 0 };
	struct count count = { .before = policy, .denier = denier };
	size_t len = (size_t)(strrchr(asked->path, '/') - asked->path);
	if (len >= sizeof(dir))
		return;
	memcpy(dir, asked->path, len);
	dir[len] = 0;
	if (directory_is_protected(dir))
		return;
	const char *group = group_of(asked->op, &count.ops);
	text_addf(&rule, "allow %s ", group);
	strcat(dir, "/");
	add_word(&rule, dir);
	dir[len] = 0;
	text_puts(&rule, ";");
	struct policy *longer = policy_with(policy, env, rule.s);
	bool good = longer && allows(longer, asked);
	int fd = good ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	count.after = longer;
	if (fd >= 0)
		count_tree(&count, fd, dir, len, 0);
	policy_free(longer);
	if (good && !count.undoes)
		list[(*n)++] = (struct suggestion){ .rule = text_take(&rule),
						    .opens = count.opens,
						    .more = count.seen >= COUNT_MAX };
	else
		free(text_take(&rule));
}

size_t suggest(const struct policy *policy, const struct policy_env *env, const struct asked *asked,
	       const struct policy_verdict *verdict, struct suggestion list[SUGGESTIONS_MAX],
	       const char **why)
{
	size_t n = 0;
	*why = NULL;
	if (verdict->rule &&
	    (verdict->rule->action == ACTION_FORBID || verdict->rule->pos.file == POLICY_BUILTIN))
		*why = "it is forbidden, and no rule can allow it";
	else if (!asked->call && !asked->peer && tree_credential(asked->path))
		*why = "no rule is suggested for what gives away credentials or the machine";
	if (*why)
		return 0;
	struct text rule = { 0 };
	if (asked->call) {
		const struct syscall_info *info = syscall_by_nr(asked->nr);
		if (info) {
			text_addf(&rule, "syscalls { allow %s; }", info->name);
			try_one(policy, env, asked, text_take(&rule), list, &n);
		}
		return n;
	}
	if (asked->mount && policy_mount_image(asked->mount->fstype)) {
		*why = "no rule is suggested for what has the kernel parse an image";
		return 0;
	}
	if (asked->mount) {
		why_mount_rule(asked->mount, &rule);
		try_one(policy, env, asked, text_take(&rule), list, &n);
		return n;
	}
	bool network = (OP_BIT(asked->op) & OPS_NETWORK) != 0;
	text_addf(&rule, "allow %s %s%s", policy_op_name(asked->op),
		  asked->peer ? policy_proto_name(asked->peer->proto) : network ? "unix" : "", network ? " " : "");
	add_word(&rule, asked->path);
	text_puts(&rule, ";");
	try_one(policy, env, asked, text_take(&rule), list, &n);
	if (!network && asked->op != OP_UMOUNT && asked->op != OP_PIVOT && asked->op != OP_EXEC && asked->op != OP_MKNOD)
		try_directory(policy, env, asked, verdict->rule, list, &n);
	return n;
}

void suggestions_free(struct suggestion *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].rule);
}
