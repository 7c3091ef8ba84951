/* A world for policies that is all in memory: files, links, and the predicates that hold. */
#ifndef USHER_LANG_ENV_H
#define USHER_LANG_ENV_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "err.h"
#include "policy.h"

struct lang_file { const char *path, *text; };
struct lang_link { const char *from, *to; };

struct lang_world {
	struct lang_file files[16];	/* the first without a path ends them */
	struct lang_link links[8];
	const char *holds;		/* "what op value" of the one predicate that holds */
	const char *absent;		/* the one path that does not exist */
};

static inline int lang_read(void *ctx, const char *path, char **text, size_t *len)
{
	const struct lang_world *world = ctx;
	for (size_t i = 0; i < ARRAY_SIZE(world->files) && world->files[i].path; i++)
		if (strcmp(world->files[i].path, path) == 0) {
			*text = strdup(world->files[i].text);
			*len = strlen(world->files[i].text);
			return *text ? 0 : -ENOMEM;
		}
	return -ENOENT;
}

static inline int lang_list(void *ctx, const char *path, char ***names, size_t *n)
{
	const struct lang_world *world = ctx;
	size_t len = strlen(path);
	*n = 0;
	*names = calloc(ARRAY_SIZE(world->files), sizeof(**names));
	for (size_t i = 0; i < ARRAY_SIZE(world->files) && world->files[i].path; i++)
		if (strncmp(world->files[i].path, path, len) == 0 && world->files[i].path[len] == '/')
			(*names)[(*n)++] = strdup(world->files[i].path + len + 1);
	return 0;
}

/* The longest link that PATH begins with is followed, once. */
static inline int lang_resolve(void *ctx, const char *path, char **resolved)
{
	const struct lang_world *world = ctx;
	size_t best = 0;
	const char *to = "";
	for (size_t i = 0; i < ARRAY_SIZE(world->links) && world->links[i].from; i++) {
		size_t len = strlen(world->links[i].from);
		if (len > best && strncmp(path, world->links[i].from, len) == 0 && (path[len] == '/' || !path[len])) {
			best = len;
			to = world->links[i].to;
		}
	}
	return asprintf(resolved, "%s%s", to, path + best) < 0 ? -ENOMEM : 0;
}

static inline int lang_predicate(void *ctx, const char *what, const char *op, const char *value)
{
	const struct lang_world *world = ctx;
	char asked[200];
	(void)snprintf(asked, sizeof(asked), "%s%s%s %s", what, *op ? " " : "", op, value);
	return world->holds && strcmp(world->holds, asked) == 0;
}

static inline int lang_exists(void *ctx, const char *path)
{
	const struct lang_world *world = ctx;
	return !(world->absent && strcmp(world->absent, path) == 0);
}

static const char *const lang_dirs[] = {"/etc/usher", "/usr/share/usher", NULL};

static inline struct policy_env lang_env(struct lang_world *world)
{
	return (struct policy_env){.ctx = world, .read = lang_read, .list = lang_list, .resolve = lang_resolve,
				   .predicate = lang_predicate, .exists = lang_exists, .include_dirs = lang_dirs};
}

/* All messages as they are printed; free it. */
static inline char *lang_messages(const struct policy_diags *diags, const struct policy *policy)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	policy_diags_print(diags, policy, to, false);
	fclose(to);
	char *copy = strdup(text);	/* GCC takes what a memstream allocates for a local */
	free(text);
	return copy;
}

/* A policy that must be good. "syntax 1;" is put before TEXT. */
static inline struct policy *lang_good_env(const struct policy_env *env, const char *text)
{
	struct policy *policy = NULL;
	struct policy_diags diags = {0};
	char *whole = NULL;
	int len = asprintf(&whole, "syntax 1; %s", text);
	int err = policy_load_text(&policy, env, "t.policy", whole, (size_t)len, &diags);
	if (err) {
		policy_diags_print(&diags, policy, stderr, false);
		fail_msg("%s: %d", text, err);
	}
	policy_diags_free(&diags);
	free(whole);
	return policy;
}

static inline struct policy *lang_good(const char *text)
{
	static struct lang_world nothing;
	struct policy_env env = lang_env(&nothing);
	return lang_good_env(&env, text);
}

/* The messages about a policy that must be bad, or (LINT) about a good one. */
static inline char *lang_complaints(const struct policy_env *env, const char *name, const char *text, size_t len, bool lint)
{
	struct policy *policy = NULL;
	struct policy_diags diags = {0};
	int err = policy_load_text(&policy, env, name, text, len, &diags);
	if (!err && lint)
		policy_lint(policy, env, &diags);
	char *messages = lang_messages(&diags, policy);
	if (lint ? err : err != -EINVAL)
		fail_msg("%s: %d\n%s", text, err, messages);
	policy_diags_free(&diags);
	policy_free(policy);
	return messages;
}

/* The same for a text of which the first words of the message are wanted only. */
static inline void lang_bad(const struct policy_env *env, const char *text, const char *message)
{
	char *whole = NULL;
	int len = asprintf(&whole, "syntax 1; %s", text);
	char *messages = lang_complaints(env, "t.policy", whole, (size_t)len, false);
	if (!strstr(messages, message))
		fail_msg("%s\nwanted: %s\n   got: %s", text, message, messages);
	free(messages);
	free(whole);
}

#endif
