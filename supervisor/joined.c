#include "joined.h"

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "agent.h"
#include "audit.h"
#include "denials.h"
#include "sandbox.h"

/* Of one that has died, what is cached of it tells; a number is not soon given away. */
static bool is_ours(struct sandbox *sandbox, pid_t pid)
{
	int descends = kin_descends(pid, sandbox->guardian);

	return descends < 0 ? targets_know(sandbox->targets, pid) : descends > 0;
}

/* Which rule it was can be told unless arguments decide. */
static bool is_certain(const struct policy *policy, int nr)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		for (size_t k = 0; rule->n_conds && k < rule->n_calls; k++)
			if (rule->calls[k] == nr)
				return false;
	}
	return true;
}

static void seccomp(void *ctx, const struct kernel_event *event)
{
	static const uint64_t args[6];
	struct sandbox *sandbox = ctx;
	char where[300];

	if (!is_ours(sandbox, event->pid))
		return;
	struct ruleset *rules = ruleset_take(&sandbox->rulesets);
	struct policy_decision decision = policy_decide_call(rules->policy, event->nr, args);
	bool let = event->action == SECCOMP_RET_LOG, certain = is_certain(rules->policy, event->nr);
	const struct policy_verdict *verdict = let ? &decision.would : &decision.enforced;
	/* audit all of what is allowed, or a rule that was put in force since. */
	bool denies = policy_denies(verdict) && (!let || !policy_denies(&decision.enforced));

	if (denies || !certain) {
		atomic_fetch_add_explicit(let ? &sandbox->would_deny : &sandbox->denied, 1, memory_order_relaxed);
		if (certain)
			ruleset_count(rules, &decision, SECTION_SYSCALLS);
		if (certain && verdict->rule)
			(void)policy_where(rules->policy, verdict->rule->pos, where, sizeof(where));
		else if (certain && rules->policy->defaults[SECTION_SYSCALLS].pos.line)
			(void)policy_where(rules->policy, rules->policy->defaults[SECTION_SYSCALLS].pos, where, sizeof(where));
		else
			certain = false;
		audit_kernel(sandbox->audit, rules->policy, event, certain ? where : NULL);
	}
	ruleset_put(rules);
}

static void landlock(void *ctx, const struct landlock_event *event)
{
	struct sandbox *sandbox = ctx;

	denials_take(&sandbox->denials, sandbox, event);
}

static void lost(void *ctx)
{
	struct sandbox *sandbox = ctx;

	audit_event(sandbox->audit, "gap", "records of the kernel were lost");
}

const struct kernel_log_to joined_to = { .seccomp = seccomp, .landlock = landlock, .lost = lost };

bool joined_wanted(const struct filter *filter)
{
	for (size_t i = 0; i < filter->len; i++)
		if (filter->insns[i].code == (BPF_RET | BPF_K) && (filter->insns[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_LOG)
			return true;
	return false;
}
