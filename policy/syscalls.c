/*
 * The rules of a syscalls section, and what they decide.
 *
 * Per call the contest between rules is settled as far as it can be when the policy is compiled. Rules
 * without conditions match always, so the one that wins among them, named before group, is known: the base.
 * Rules with conditions are narrower than the base whenever they match; among themselves the smaller set of
 * arguments is the narrower, named before group where the sets are equal. Inclusion is decided exactly on
 * cubes; where the budget ends the proof the two count as overlapping, and the stricter wins.
 *
 * A condition that always holds is no condition, one that never holds is no rule.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "diag.h"
#include "err.h"
#include "syscall_rules.h"
#include "syscalls.h"
#include "verdict.h"

#define ARGS 6
#define ENTRIES_MAX 512			/* rules with conditions about one call */
#define ENTRIES_WORDS (ENTRIES_MAX / 64)
#define NO_RULE UINT32_MAX
#define INCLUSION_BUDGET 50000000UL	/* steps for all proofs of a policy */

/* One rule with conditions, as far as it is about one call. */
struct entry {
	uint32_t rule;			/* index in policy.rules */
	bool specific;
	uint8_t used;			/* bit N: sets[N] limits argument N */
	struct cubes sets[ARGS];
	uint64_t narrower[ENTRIES_WORDS];	/* the entries that beat this one when they match too */
};

struct call {
	uint32_t base[2];		/* enforced, would: index in policy.rules, or NO_RULE: the default */
	struct entry *entries;
	size_t n;
};

struct policy_syscalls {
	int max;
	struct call *calls;
};

/* Of two rules that tie: a total order that does not depend on where they stand. */
static bool rule_stricter(const struct policy_rule *a, const struct policy_rule *b)
{
	int order;

	if (a->action != b->action)
		return a->action > b->action;
	if (a->stage != b->stage)
		return stage_rank(a->stage) > stage_rank(b->stage);
	if (a->audit != b->audit)
		return audit_rank(a->audit) > audit_rank(b->audit);
	if (a->err != b->err)
		return a->err < b->err;
	order = strcmp(a->text != NULL ? a->text : "", b->text != NULL ? b->text : "");
	return order != 0 ? order < 0 : a->number < b->number;
}

/* ---- compiling ------------------------------------------------------------------------------ */

/* The kernel keeps 16 bits of a mode_t, so a rule must not look at more. Its constants were cut to 32
 * bits; a cube that asks for one of the bits between can then never hold. */
static void cubes_narrow_mode(struct cubes *set, const struct syscall_info *info, unsigned arg)
{
	static const char *const calls[] = {
		"open", "openat", "creat", "mkdir", "mkdirat", "mknod", "mknodat",
		"chmod", "fchmod", "fchmodat", "fchmodat2", "mq_open",
	};
	bool narrow = false;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		narrow |= strcmp(info->name, calls[i]) == 0;
	if (!narrow || info->params[arg].name == NULL || strcmp(info->params[arg].name, "mode") != 0)
		return;
	for (size_t i = 0; i < set->n; i++) {
		if (set->list[i].mask > UINT32_MAX)
			return;
	}
	for (size_t i = 0; i < set->n; i++) {
		if (set->list[i].value > UINT16_MAX)
			continue;
		set->list[n] = set->list[i];
		set->list[n++].mask &= UINT16_MAX;
	}
	set->n = n;
}

static void entry_free(struct entry *entry)
{
	for (unsigned arg = 0; arg < ARGS; arg++)
		cubes_free(&entry->sets[arg]);
}

static bool entry_limits(const struct entry *entry, unsigned arg)
{
	return (entry->used >> arg & 1) != 0;
}

/* Reads the conditions of RULE for one call. 1 if they can hold, 0 if they never do, or -errno. */
static int entry_init(struct entry *entry, const struct policy_rule *rule, const struct syscall_info *info,
		      unsigned long *budget)
{
	struct policy_mask anything = { 0 };
	const struct cubes all = { .list = &anything, .n = 1 };

	*entry = (struct entry){ 0 };
	for (size_t i = 0; i < rule->n_conds; i++) {
		const struct policy_cond *cond = &rule->conds[i];
		struct cubes given = { .list = cond->any, .n = cond->n_any }, met;
		int err;

		ASSERT(cond->arg < ARGS);
		err = cubes_meet(&met, entry_limits(entry, cond->arg) ? &entry->sets[cond->arg] : &all, &given);
		if (err < 0) {
			cubes_free(&met);
			return err;
		}
		cubes_narrow_mode(&met, info, cond->arg);
		cubes_free(&entry->sets[cond->arg]);
		entry->sets[cond->arg] = met;
		entry->used |= (uint8_t)(1U << cond->arg);
	}
	for (unsigned arg = 0; arg < ARGS; arg++) {
		if (!entry_limits(entry, arg))
			continue;
		if (entry->sets[arg].n == 0)
			return 0;
		if (cubes_within(&all, &entry->sets[arg], budget)) {
			cubes_free(&entry->sets[arg]);
			entry->used &= (uint8_t)~(1U << arg);
		}
	}
	return 1;
}

static bool entry_within(const struct entry *a, const struct entry *b, unsigned long *budget)
{
	/* A is a product of sets, none of them empty: it lies in B if each factor does. */
	for (unsigned arg = 0; arg < ARGS; arg++) {
		if (entry_limits(b, arg) &&
		    (!entry_limits(a, arg) || !cubes_within(&a->sets[arg], &b->sets[arg], budget)))
			return false;
	}
	return true;
}

static void call_settle(struct call *call, unsigned long *budget)
{
	for (size_t i = 0; i < call->n; i++) {
		for (size_t j = 0; j < i; j++) {
			struct entry *a = &call->entries[i], *b = &call->entries[j];
			bool a_in_b = entry_within(a, b, budget), b_in_a = entry_within(b, a, budget);

			if (a_in_b && (!b_in_a || (a->specific && !b->specific)))
				b->narrower[i / 64] |= UINT64_C(1) << i % 64;
			else if (b_in_a && (!a_in_b || (b->specific && !a->specific)))
				a->narrower[j / 64] |= UINT64_C(1) << j % 64;
		}
	}
}

/* Does RULE name the I-th of its calls itself, and not through a group? */
static bool rule_names(const struct policy_rule *rule, size_t i)
{
	return rule->call_specific != NULL && rule->call_specific[i] != 0;
}

static bool rule_names_call(const struct policy_rule *rule, int nr)
{
	for (size_t i = 0; i < rule->n_calls; i++) {
		if (rule->calls[i] == nr)
			return rule_names(rule, i);
	}
	return false;
}

/* Rule NUMBER, which has no condition, against what won the call NR among those before. */
static void base_contest(const struct policy *policy, struct call *call, uint32_t number, int nr)
{
	const struct policy_rule *rule = &policy->rules[number];

	for (int would = rule_at_log(rule) ? 1 : 0; would < 2; would++) {
		const struct policy_rule *held;
		bool wins;

		if (call->base[would] == NO_RULE) {
			call->base[would] = number;
			continue;
		}
		held = &policy->rules[call->base[would]];
		if ((held->action == ACTION_FORBID) != (rule->action == ACTION_FORBID))
			wins = rule->action == ACTION_FORBID;
		else if (rule_names_call(held, nr) != rule_names_call(rule, nr))
			wins = rule_names_call(rule, nr);
		else
			wins = rule_stricter(rule, held);
		if (wins)
			call->base[would] = number;
	}
}

static int rule_compile(struct policy *policy, uint32_t number, unsigned long *budget)
{
	const struct policy_rule *rule = &policy->rules[number];

	for (size_t i = 0; i < rule->n_calls; i++) {
		int nr = rule->calls[i];
		const struct syscall_info *info = syscall_by_nr(nr);
		struct call *call;
		struct entry entry, *grown;
		int possible;

		if (info == NULL)
			continue;
		call = &policy->syscalls->calls[nr];
		possible = entry_init(&entry, rule, info, budget);
		entry.rule = number;
		entry.specific = rule_names(rule, i);
		if (possible <= 0 || entry.used == 0) {
			entry_free(&entry);
			if (possible < 0)
				return possible;
			if (possible > 0)
				base_contest(policy, call, number, nr);
			continue;
		}
		grown = call->n < ENTRIES_MAX ? realloc(call->entries, (call->n + 1) * sizeof(*grown)) : NULL;
		if (grown == NULL) {
			entry_free(&entry);
			return call->n < ENTRIES_MAX ? -ENOMEM : -E2BIG;
		}
		call->entries = grown;
		call->entries[call->n++] = entry;
	}
	return 0;
}

int syscalls_compile(struct policy *policy, struct policy_diags *diags)
{
	size_t calls = (size_t)syscall_max() + 1, errors = diags->errors;
	unsigned long budget = INCLUSION_BUDGET;
	struct policy_syscalls *syscalls = calloc(1, sizeof(*syscalls));

	if (syscalls != NULL)
		syscalls->calls = calloc(calls, sizeof(*syscalls->calls));
	if (syscalls == NULL || syscalls->calls == NULL) {
		syscalls_free(syscalls);
		return -ENOMEM;
	}
	syscalls->max = syscall_max();
	for (size_t nr = 0; nr < calls; nr++)
		syscalls->calls[nr].base[0] = syscalls->calls[nr].base[1] = NO_RULE;
	syscalls_free(policy->syscalls);
	policy->syscalls = syscalls;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		int err = rule->section == SECTION_SYSCALLS ? rule_compile(policy, (uint32_t)i, &budget) : 0;

		if (err == -E2BIG)
			policy_diag_add(diags, DIAG_ERROR, rule->pos, "the conditions about this system call are too complex");
		else if (err < 0)
			return err;
	}
	for (size_t nr = 0; nr < calls; nr++)
		call_settle(&syscalls->calls[nr], &budget);
	return diags->errors != errors ? -EINVAL : 0;
}

void syscalls_free(struct policy_syscalls *syscalls)
{
	if (syscalls == NULL)
		return;
	for (int nr = 0; syscalls->calls != NULL && nr <= syscalls->max; nr++) {
		for (size_t i = 0; i < syscalls->calls[nr].n; i++)
			entry_free(&syscalls->calls[nr].entries[i]);
		free(syscalls->calls[nr].entries);
	}
	free(syscalls->calls);
	free(syscalls);
}

/* ---- deciding ------------------------------------------------------------------------------- */

static bool entry_holds(const struct entry *entry, const uint64_t args[6])
{
	for (unsigned arg = 0; arg < ARGS; arg++) {
		if (entry_limits(entry, arg) && !cubes_contain(&entry->sets[arg], args[arg]))
			return false;
	}
	return true;
}

static struct policy_verdict base_verdict(const struct policy *policy, const struct policy_rule *rule, bool would)
{
	return rule != NULL ? rule_verdict(rule) : default_verdict(&policy->defaults[SECTION_SYSCALLS], would);
}

static struct policy_verdict call_decide(const struct policy *policy, const struct call *call,
					 const uint64_t args[6], bool would)
{
	const struct policy_rule *base = NULL, *best = NULL;
	uint64_t matching[ENTRIES_WORDS] = { 0 }, forbidding[ENTRIES_WORDS] = { 0 };
	bool forbidden = false;

	if (call->base[would] != NO_RULE)
		base = &policy->rules[call->base[would]];
	if (call->n == 0)
		return base_verdict(policy, base, would);
	for (size_t i = 0; i < call->n; i++) {
		const struct policy_rule *rule = &policy->rules[call->entries[i].rule];

		if ((!would && rule_at_log(rule)) || !entry_holds(&call->entries[i], args))
			continue;
		matching[i / 64] |= UINT64_C(1) << i % 64;
		if (rule->action == ACTION_FORBID) {
			forbidding[i / 64] |= UINT64_C(1) << i % 64;
			forbidden = true;
		}
	}
	if (forbidden || (base != NULL && base->action == ACTION_FORBID))
		memcpy(matching, forbidding, sizeof(matching));
	for (size_t i = 0; i < call->n; i++) {
		const struct policy_rule *rule = &policy->rules[call->entries[i].rule];
		bool beaten = (matching[i / 64] >> i % 64 & 1) == 0;

		for (size_t word = 0; word < ENTRIES_WORDS && !beaten; word++)
			beaten = (call->entries[i].narrower[word] & matching[word]) != 0;
		if (!beaten && (best == NULL || rule_stricter(rule, best)))
			best = rule;
	}
	return base_verdict(policy, best != NULL ? best : base, would);
}

/* What a thread needs to return from a signal and to end: refusing it would only break the program in odd
 * ways. A rule may still kill a program for it, but must name it. */
bool syscall_vital(int nr)
{
	return nr == SYS_restart_syscall || nr == SYS_rt_sigreturn || nr == SYS_exit || nr == SYS_exit_group;
}

struct policy_verdict syscall_spare(struct policy_verdict verdict, int nr)
{
	if (!syscall_vital(nr) || (verdict.rule != NULL && policy_denies(&verdict) && verdict.stage == STAGE_KILL &&
				   rule_names_call(verdict.rule, nr)))
		return verdict;
	return (struct policy_verdict){ .action = ACTION_ALLOW, .audit = AUDIT_DENY };
}

struct policy_decision policy_decide_call(const struct policy *policy, int nr, const uint64_t args[6])
{
	struct policy_verdict verdicts[2];

	for (int would = 0; would < 2; would++) {
		if (policy->syscalls != NULL && nr >= 0 && nr <= policy->syscalls->max)
			verdicts[would] = call_decide(policy, &policy->syscalls->calls[nr], args, would);
		else
			verdicts[would] = default_verdict(&policy->defaults[SECTION_SYSCALLS], would);
		verdicts[would] = syscall_spare(verdicts[would], nr);
	}
	return (struct policy_decision){ .enforced = verdicts[0], .would = verdicts[1] };
}

const struct policy_rule *syscall_conditions(const struct policy *policy, int nr, size_t i,
					     const struct cubes *sets[6])
{
	const struct policy_syscalls *syscalls = policy->syscalls;

	if (syscalls == NULL || nr < 0 || nr > syscalls->max || i >= syscalls->calls[nr].n)
		return NULL;
	for (unsigned arg = 0; arg < ARGS; arg++) {
		const struct entry *entry = &syscalls->calls[nr].entries[i];

		sets[arg] = entry_limits(entry, arg) ? &entry->sets[arg] : NULL;
	}
	return &policy->rules[syscalls->calls[nr].entries[i].rule];
}

struct policy_verdict syscall_base_verdict(const struct policy *policy, int nr, bool would)
{
	const struct policy_syscalls *syscalls = policy->syscalls;
	uint32_t base = NO_RULE;

	if (syscalls != NULL && nr >= 0 && nr <= syscalls->max)
		base = syscalls->calls[nr].base[would];
	return base != NO_RULE ? rule_verdict(&policy->rules[base]) : default_verdict(&policy->defaults[SECTION_SYSCALLS], would);
}
