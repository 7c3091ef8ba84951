#include "expect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fd.h"
#include "text.h"

/* Operations that act on a name, and not on what a link of that name leads to. */
#define OPS_NAMES (OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE) | OP_BIT(OP_RENAME) | OP_BIT(OP_LINK) | OP_BIT(OP_MKNOD) | \
		   OP_BIT(OP_BIND))

/* PATH as the kernel would reach it. /proc/self is the program, not this process. */
static char *resolve(const struct policy_env *env, const char *path)
{
	char *to = NULL;
	if (strncmp(path, "/proc/", 6) == 0 || !env || !env->resolve || env->resolve(env->ctx, path, &to) || !to)
		return text_copy(path);
	return to;
}

static char *resolve_parent(const struct policy_env *env, const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash || slash == path)
		return text_copy(path);
	AUTO_FREE char *parent = text_dup(path, (size_t)(slash - path));
	AUTO_FREE char *to = resolve(env, parent);
	return text_printf("%s%s", strcmp(to, "/") ? to : "", slash);
}

static void strip_slash(char *path)
{
	size_t len = strlen(path);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
}

static bool fulfils(const struct policy_expect *expect, const struct policy_verdict *verdict)
{
	return expect->action == ACTION_DENY ? policy_denies(verdict) : verdict->action == expect->action;
}

static void judge_path(const struct policy *policy, const struct policy_env *env, const struct policy_expect *expect,
		       struct expect_result *result)
{
	uint32_t ops = OP_BIT(expect->op);
	AUTO_FREE char *target = text_copy(expect->target);
	strip_slash(target);
	AUTO_FREE char *link = resolve_parent(env, target);
	AUTO_FREE char *path = NULL;
	if (expect->resolving) {
		AUTO_FREE char *spelled = text_copy(expect->resolving);
		strip_slash(spelled);
		path = resolve(env, spelled);
	} else {
		path = ops & OPS_NAMES ? text_copy(link) : resolve(env, target);
	}

	struct policy_decision decision = policy_decide_path(policy, ops, path, strlen(path));
	const struct policy_rule *rule = NULL;
	result->verdict = decision.would;
	if (expect->resolving && !policy_denies(&decision.would) &&
	    policy_leads_out(policy, ops, link, strlen(link), path, strlen(path), &rule)) {
		result->leads_out = true;
		result->reason = "the link leads out of a tree that is allowed 'beneath'";
		result->verdict = (struct policy_verdict){.action = ACTION_DENY, .err = EACCES, .op = (enum policy_op)expect->op,
							  .rule = rule, .stage = rule ? rule->stage : STAGE_DENY};
		decision.enforced = rule && rule->stage == STAGE_LOG ? decision.enforced : result->verdict;
	}
	bool pass = fulfils(expect, &result->verdict);
	result->outcome = pass ? EXPECT_PASS : EXPECT_FAIL;
	result->at_log = result->verdict.stage == STAGE_LOG || pass != fulfils(expect, &decision.enforced);
}

static void judge_never(const struct policy *policy, const struct policy_expect *expect, struct expect_result *result)
{
	int found = policy_some_allowed(policy, (enum policy_op)expect->op, expect->target, result->witness);
	if (found == 0) {
		result->outcome = EXPECT_PASS;
		result->witness[0] = '\0';
		result->verdict = (struct policy_verdict){.action = ACTION_DENY, .op = (enum policy_op)expect->op};
		return;
	}
	result->outcome = EXPECT_FAIL;
	if (found < 0) {
		result->witness[0] = '\0';
		result->reason = "the proof is too long, so it does not count as given";
		return;
	}
	result->reason = "there is a path that is allowed";
	result->verdict = policy_decide_path(policy, OP_BIT(expect->op), result->witness, strlen(result->witness)).would;
}

static void judge_peer(const struct policy *policy, const struct policy_expect *expect, struct expect_result *result)
{
	struct policy_peer peer;
	char name[POLICY_NAME_MAX + 1];
	if (policy_peer_parse(expect->target, (enum policy_proto)expect->proto, &peer, name)) {
		result->outcome = EXPECT_FAIL;
		result->reason = "one address and one port can be judged";
		return;
	}
	struct policy_decision decision = policy_decide_peer(policy, OP_BIT(expect->op), &peer);
	result->verdict = decision.would;
	bool pass = fulfils(expect, &result->verdict);
	result->outcome = pass ? EXPECT_PASS : EXPECT_FAIL;
	result->at_log = result->verdict.stage == STAGE_LOG || pass != fulfils(expect, &decision.enforced);
}

static void judge_never_peer(const struct policy *policy, const struct policy_expect *expect, struct expect_result *result)
{
	int found = policy_some_peer_allowed(policy, (enum policy_op)expect->op, (enum policy_proto)expect->proto, expect->target,
					     result->witness);
	result->outcome = found == 0 ? EXPECT_PASS : EXPECT_FAIL;
	result->verdict = (struct policy_verdict){.action = found > 0 ? ACTION_ALLOW : ACTION_DENY, .op = (enum policy_op)expect->op};
	if (found <= 0)
		result->witness[0] = '\0';
	if (found)
		result->reason = found > 0 ? "there is an address that is allowed" : found == -EINVAL ? "that is no address"
				 : "the proof is too long, so it does not count as given";
}

/* Paths in options are taken as they are. */
static void judge_mount(const struct policy *policy, const struct policy_env *env, const struct policy_expect *expect,
			struct expect_result *result)
{
	AUTO_FREE struct policy_mount_option *options = calloc(POLICY_MOUNT_OPTIONS, sizeof(*options));
	AUTO_FREE char *text = text_copy(expect->options ? expect->options : "");
	AUTO_FREE char *on = resolve(env, expect->target);
	AUTO_FREE char *from = expect->from ? resolve(env, expect->from) : NULL;
	int n = options ? policy_mount_options(expect->fstype, text, options, POLICY_MOUNT_OPTIONS) : -ENOMEM;
	if (n < 0) {
		result->outcome = EXPECT_FAIL;
		result->reason = "these options cannot be read";
		return;
	}
	strip_slash(on);
	if (from)
		strip_slash(from);
	const struct policy_mount mount = {.fstype = expect->fstype, .from = from, .on = on, .flags = policy_mount_flags(expect->flags),
					   .options = options, .n_options = (size_t)n};
	struct policy_decision decision = policy_decide_mount(policy, &mount);
	result->verdict = decision.would;
	bool pass = fulfils(expect, &result->verdict);
	result->outcome = pass ? EXPECT_PASS : EXPECT_FAIL;
	result->at_log = result->verdict.stage == STAGE_LOG || pass != fulfils(expect, &decision.enforced);
}

static bool about_peer(const struct policy_expect *expect)
{
	return expect->proto >= 0 && (expect->proto != PROTO_UNIX || *expect->target == '@');
}

static const char *not_judged(const struct policy_expect *expect)
{
	if (expect->in && strcmp(expect->in, "main") != 0)
		return "domains are not judged by this version";
	if (expect->as)
		return "users are not judged by this version";
	return NULL;
}

int policy_test_run(const struct policy *policy, const struct policy_env *env, expect_fn *fn, void *ctx)
{
	AUTO_FREE struct expect_result *result = malloc(sizeof(*result));
	if (!result)
		return -ENOMEM;
	int failed = 0;
	for (size_t i = 0; i < policy->n_expects; i++) {
		const struct policy_expect *expect = &policy->expects[i];
		memset(result, 0, sizeof(*result));
		result->expect = expect;
		result->reason = not_judged(expect);
		if (result->reason)
			result->outcome = EXPECT_NOT_JUDGED;
		else if (expect->op == OP_MOUNT)
			judge_mount(policy, env, expect, result);
		else if (about_peer(expect) && expect->never)
			judge_never_peer(policy, expect, result);
		else if (about_peer(expect))
			judge_peer(policy, expect, result);
		else if (expect->never)
			judge_never(policy, expect, result);
		else
			judge_path(policy, env, expect, result);
		failed += result->outcome == EXPECT_FAIL;
		if (fn)
			fn(ctx, result);
	}
	return failed;
}
