#include "ruleset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "err.h"
#include "fd.h"
#include "hosts.h"
#include "substitute.h"

/* ---- one ------------------------------------------------------------------------------------ */

static bool has_beneath(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].beneath)
			return true;
	return false;
}

/* Somebody has written down, and not only for the log, what may not be executed. */
static bool limits_exec(const struct policy *policy)
{
	const struct policy_default *fallback = &policy->defaults[SECTION_FILES];

	if (!(policy->cover & OP_BIT(OP_EXEC)))
		return false;
	if (fallback->present && fallback->action >= ACTION_DENY && fallback->stage != STAGE_LOG)
		return true;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->section == SECTION_FILES && (rule->ops & OP_BIT(OP_EXEC)) && rule->action >= ACTION_DENY &&
		    rule->stage != STAGE_LOG && rule->pos.file != POLICY_BUILTIN)
			return true;
	}
	return false;
}

static int own_add(struct ruleset *ruleset, const char *path, bool above)
{
	struct own_file *more = reallocarray(ruleset->own, ruleset->n_own + 1, sizeof(*more));
	struct stat st;

	if (!more)
		return -ENOMEM;
	ruleset->own = more;
	if (!stat(path, &st))
		more[ruleset->n_own++] = (struct own_file){ .dev = st.st_dev, .ino = st.st_ino, .above = above };
	return 0;
}

static int own_files(struct ruleset *ruleset)
{
	const char *path;
	int err = 0;

	for (size_t i = 0; !err && (path = policy_forbidden(ruleset->policy, i)); i++) {
		AUTO_FREE char *up = strdup(path);
		char *slash;

		err = up ? own_add(ruleset, path, false) : -ENOMEM;
		while (!err && (slash = strrchr(up, '/')) && slash > up) {
			*slash = '\0';
			err = own_add(ruleset, up, true);
		}
	}
	return err;
}

int ruleset_new(struct ruleset **ruleset, const struct plan *plan, struct policy *policy, struct audit *audit)
{
	struct ruleset *new = calloc(1, sizeof(*new));
	int err = 0;

	if (!new) {
		policy_free(policy);
		return -ENOMEM;
	}
	new->plan = *plan;
	new->policy = plan->policy;
	new->owned = policy;
	new->hits = calloc(new->policy->n_rules + SECTION_COUNT, sizeof(*new->hits));
	if (!new->hits)
		err = -ENOMEM;
	new->beneath = has_beneath(new->policy);
	new->strict_exec = limits_exec(new->policy);
	if (!err && !plan->topology_fixed)
		err = own_files(new);
	rates_init(&new->rates, new->policy);
	if (!err)
		err = hosts_start(&new->hosts, new->policy, audit);
	if (!err && substitute_any(new->policy))
		err = substitutes_new(&new->substitutes, new->policy);
	if (err) {
		ruleset_free(new);
		return err;
	}
	*ruleset = new;
	return 0;
}

static struct hit *hit_of(struct ruleset *ruleset, const struct policy_verdict *verdict, enum policy_section section)
{
	size_t n = ruleset->policy->n_rules;

	if (!verdict->rule)
		return &ruleset->hits[n + section];
	return verdict->rule->number < n ? &ruleset->hits[verdict->rule->number] : NULL;
}

void ruleset_count(struct ruleset *ruleset, const struct policy_decision *decision, enum policy_section section)
{
	struct hit *used = hit_of(ruleset, &decision->enforced, section), *would;

	if (used)
		atomic_fetch_add_explicit(&used->used, 1, memory_order_relaxed);
	if (!policy_denies(&decision->would) || policy_denies(&decision->enforced))
		return;
	would = hit_of(ruleset, &decision->would, section);
	if (would)
		atomic_fetch_add_explicit(&would->would, 1, memory_order_relaxed);
}

void ruleset_free(struct ruleset *ruleset)
{
	if (!ruleset)
		return;
	hosts_stop(ruleset->hosts);
	substitutes_free(ruleset->substitutes);
	free(ruleset->hits);
	free(ruleset->own);
	policy_free(ruleset->owned);
	free(ruleset);
}

/* ---- which one ------------------------------------------------------------------------------ */

#define SLOT_SHIFT 48
#define TAKEN_MASK ((UINT64_C(1) << SLOT_SHIFT) - 1)
#define IN_USE (INT64_C(1) << 62)	/* in .balance for as long as it may be taken: it is not zero by chance */

static void ruleset_gone(struct loop_op *op, int result)
{
	struct ruleset *ruleset = container_of(op, struct ruleset, gone);

	(void)result;
	if (ruleset->home->retired)
		ruleset->home->retired(ruleset->home->ctx, ruleset);
	ruleset->home->slots[ruleset->slot] = NULL;
	ruleset_free(ruleset);
}

static void rulesets_enter(struct rulesets *rulesets, struct ruleset *ruleset, unsigned slot)
{
	ruleset->home = rulesets;
	ruleset->slot = slot;
	ruleset->gone.done = ruleset_gone;
	atomic_store(&ruleset->balance, IN_USE);
	rulesets->slots[slot] = ruleset;
}

void rulesets_init(struct rulesets *rulesets, struct loop *loop, struct ruleset *first)
{
	*rulesets = (struct rulesets){ .loop = loop };
	rulesets_enter(rulesets, first, 0);
}

void rulesets_stop(struct rulesets *rulesets)
{
	for (unsigned i = 0; i < RULESETS_MAX; i++) {
		if (!rulesets->slots[i])
			continue;
		hosts_stop(rulesets->slots[i]->hosts);
		rulesets->slots[i]->hosts = NULL;
	}
}

void rulesets_free(struct rulesets *rulesets)
{
	for (unsigned i = 0; i < RULESETS_MAX; i++) {
		if (!rulesets->slots[i])
			continue;
		loop_unpost(rulesets->loop, &rulesets->slots[i]->gone);
		ruleset_free(rulesets->slots[i]);
		rulesets->slots[i] = NULL;
	}
}

struct ruleset *ruleset_take(struct rulesets *rulesets)
{
	uint64_t current = atomic_fetch_add(&rulesets->current, 1);

	return rulesets->slots[current >> SLOT_SHIFT];
}

/* By whoever made it zero. */
static void ruleset_over(struct ruleset *ruleset)
{
	loop_post(ruleset->home->loop, &ruleset->gone);
}

void ruleset_hold(struct ruleset *ruleset)
{
	atomic_fetch_add(&ruleset->balance, 1);
}

void ruleset_put(struct ruleset *ruleset)
{
	if (atomic_fetch_sub(&ruleset->balance, 1) == 1)
		ruleset_over(ruleset);
}

int rulesets_swap(struct rulesets *rulesets, struct ruleset *next)
{
	struct ruleset *old = rulesets_current(rulesets);
	unsigned slot = 0;
	int64_t taken;

	while (slot < RULESETS_MAX && rulesets->slots[slot])
		slot++;
	if (slot == RULESETS_MAX)
		return -EBUSY;
	rulesets_enter(rulesets, next, slot);
	taken = (int64_t)(atomic_exchange(&rulesets->current, (uint64_t)slot << SLOT_SHIFT) & TAKEN_MASK);
	/* Nobody takes it from here on. */
	if (atomic_fetch_add(&old->balance, taken - IN_USE) == IN_USE - taken)
		ruleset_over(old);
	return 0;
}

struct ruleset *rulesets_current(struct rulesets *rulesets)
{
	return rulesets->slots[atomic_load(&rulesets->current) >> SLOT_SHIFT];
}

unsigned rulesets_count(const struct rulesets *rulesets)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RULESETS_MAX; i++)
		n += rulesets->slots[i] != NULL;
	return n;
}
