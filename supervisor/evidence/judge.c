#include "judge.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/mounted.h"
#include "fd.h"
#include "syscalls.h"

static void deny(struct policy_decision *decision, const struct policy_rule *rule, int err, uint32_t ops)
{
	enum policy_op op = ops ? (enum policy_op)__builtin_ctz(ops) : OP_STAT;
	struct policy_verdict verdict = { .action = ACTION_DENY, .err = err, .op = op, .rule = rule };

	if (!policy_denies(&decision->would))
		decision->would = verdict;
	if (!(rule && rule->stage == STAGE_LOG) && !policy_denies(&decision->enforced))
		decision->enforced = verdict;
}

/* Rules with beneath. */
static void judge_links(const struct policy *policy, const struct access *a, struct policy_decision *decision)
{
	int otherwise = policy->defaults[SECTION_FILES].err;
	for (const char *link = a->via.s, *end = a->via.s + a->via.len; link < end;) {
		const char *nul = memchr(link, '\0', (size_t)(end - link));
		size_t len = nul ? (size_t)(nul - link) : (size_t)(end - link);
		const struct policy_rule *rule = NULL;
		if (policy_leads_out(policy, a->ops, link, len, a->object.s, a->object.len, &rule) && rule)
			deny(decision, rule, rule->err > 0 ? rule->err : otherwise > 0 ? otherwise : EACCES, a->ops & rule->ops);
		link += len + 1;
	}
}

/* The name that comes to be, and that renames and links gain no rights. */
static void judge_other(const struct policy *policy, const struct access *a, struct policy_decision *decision)
{
	struct policy_decision other = policy_decide_path(policy, a->to_ops, a->to.s, a->to.len);
	const struct policy_rule *rule = NULL;
	bool rename = a->ops & OP_BIT(OP_RENAME);

	if (!policy_denies(&decision->enforced) && policy_denies(&other.enforced))
		decision->enforced = other.enforced;
	if (!policy_denies(&decision->would) && policy_denies(&other.would))
		decision->would = other.would;
	if (a->error == EXDEV || policy_denies(&decision->enforced))
		return;
	if (policy_gains(policy, rename, a->tree, a->object.s, a->object.len, a->to.s, a->to.len, &rule))
		deny(decision, rule, EXDEV, a->ops);
}

static bool names_with_conditions(const struct policy *policy, int nr)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		for (size_t k = 0; policy->rules[i].n_conds && k < policy->rules[i].n_calls; k++)
			if (policy->rules[i].calls[k] == nr)
				return true;
	return false;
}

static enum judged judge_call(const struct policy *policy, const struct access *a, struct policy_decision *decision)
{
	const struct syscall_info *info = syscall_by_name(a->object.s, a->object.len);
	const uint64_t none[6] = { 0 };

	if (!info || names_with_conditions(policy, info->nr))
		return JUDGED_NOT;
	*decision = policy_decide_call(policy, info->nr, none);
	return JUDGED;
}

static enum judged judge_peer(const struct policy *policy, const struct access *a, struct policy_decision *decision)
{
	char name[POLICY_NAME_MAX + 1];
	struct policy_peer peer;
	AUTO_FREE char *text = strndup(a->object.s, a->object.len);

	if (!text || policy_peer_parse(text, (enum policy_proto)a->proto, &peer, name))
		return JUDGED_NOT;
	*decision = policy_decide_peer(policy, a->ops, &peer);
	return JUDGED;
}

static enum judged judge_mount(const struct policy *policy, const struct access *a, struct policy_decision *decision)
{
	struct mounted mounted;
	bool good = mounted_read(a, &mounted);

	if (good)
		*decision = policy_decide_mount(policy, &mounted.mount);
	mounted_free(&mounted);
	return good ? JUDGED : JUDGED_NOT;
}

/* What was mounted for it it may unmount, unless a rule says otherwise: as mount_decide(). */
static enum judged judge_umount(const struct policy *policy, const struct access *a, struct policy_decision *decision)
{
	if (a->ops != OP_BIT(OP_UMOUNT))
		return JUDGED_NOT;
	*decision = policy_decide_path(policy, a->ops, a->object.s, a->object.len);
	if (a->via.len && !decision->enforced.rule)
		decision->enforced = (struct policy_verdict){ .op = OP_UMOUNT };
	if (a->via.len && !decision->would.rule)
		decision->would = (struct policy_verdict){ .op = OP_UMOUNT };
	return JUDGED;
}

enum judged judge_access(const struct policy *policy, const struct access *access, struct policy_decision *decision)
{
	*decision = (struct policy_decision){ 0 };
	if (!access->ops)
		return judge_call(policy, access, decision);
	if (access->proto >= 0)
		return judge_peer(policy, access, decision);
	if (!access->object.len || access->object.s[0] != '/')
		return JUDGED_NOT;
	if (access->ops & OPS_MOUNTS)
		return access->ops & OP_BIT(OP_MOUNT) ? judge_mount(policy, access, decision) : judge_umount(policy, access, decision);
	*decision = policy_decide_path(policy, access->ops, access->object.s, access->object.len);
	if (access->via.len)
		judge_links(policy, access, decision);
	if (access->to.len)
		judge_other(policy, access, decision);
	return JUDGED;
}

enum change judge_change(const struct access *access, const struct policy_decision *decision)
{
	const struct policy_verdict *now = &decision->enforced;
	bool was = access->verdict == ACCESS_DENY;

	if (!was && policy_denies(now)) {
		bool same = access->error == now->err && now->stage != STAGE_TRAP && now->stage != STAGE_KILL;
		return same ? CHANGE_NONE : CHANGE_DENIED;
	}
	if (was)
		return policy_denies(now) ? CHANGE_NONE : CHANGE_ALLOWED;
	if (access->verdict == ACCESS_ALLOW && policy_denies(&decision->would) && decision->would.err != access->error)
		return CHANGE_WOULD_DENY;
	return CHANGE_NONE;
}
