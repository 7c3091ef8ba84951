/* From what is settled for a path to verdicts. */
#include "engine_state.h"

#include <errno.h>
#include <stdlib.h>

#include "err.h"

const struct policy_default *default_of_peers(const struct policy *policy)
{
	const struct policy_default *network = &policy->defaults[SECTION_NETWORK];

	return network->present ? network : NULL;
}

const struct policy_default *default_of_mounts(const struct policy *policy)
{
	static const struct policy_default none = { .present = true, .action = ACTION_DENY, .err = EPERM };

	return policy->defaults[SECTION_MOUNTS].present ? &policy->defaults[SECTION_MOUNTS] : &none;
}

/* The default that an operation on a path falls to, or NULL: allow. Without rules about them unix sockets are files. */
static const struct policy_default *default_of(const struct policy *policy, enum policy_op op)
{
	const struct policy_default *files = &policy->defaults[SECTION_FILES];

	if (OP_BIT(op) & OPS_MOUNTS)
		return default_of_mounts(policy);
	if (OP_BIT(op) & OPS_NETWORK && default_of_peers(policy))
		return default_of_peers(policy);
	return files->present ? files : NULL;
}

static bool is_covered(const struct policy *policy, enum policy_op op)
{
	return OP_BIT(op) & (OPS_NETWORK | OPS_MOUNTS | policy->cover);
}

struct policy_verdict verdict_of(const struct policy *policy, const struct settled *settled, enum policy_op op, bool would)
{
	if (!settled)
		return (struct policy_verdict){ .action = ACTION_DENY, .err = ENOMEM, .op = op };
	uint32_t winner = settled->winner[op][would];
	const struct policy_rule *rule = winner == NO_RULE ? NULL : policy->engine->rules[winner];
	/* usher's own files are safe whatever is covered, but nothing hides a name that is not brokered. */
	bool judged = is_covered(policy, op) || (rule && rule->pos.file == POLICY_BUILTIN && op != OP_STAT);
	struct policy_verdict verdict = !judged ? (struct policy_verdict){ .action = ACTION_ALLOW }
				       : rule ? rule_verdict(rule) : default_verdict(default_of(policy, op), would);
	verdict.op = op;
	return verdict;
}

int verdict_strictness(const struct policy_verdict *a)
{
	/* Two refusals: the first operation tells. Two permissions: the one that asks for more records. */
	return (int)a->action * 64 + (stage_rank(a->stage) + 1) * 8 + (policy_denies(a) ? 0 : audit_rank(a->audit));
}

static struct policy_verdict strictest(const struct policy *policy, const struct settled *settled, uint32_t ops, bool would)
{
	struct policy_verdict worst = { .action = ACTION_ALLOW };
	int most = -1;

	for (uint32_t left = ops & (OPS_PATH | OPS_MOUNTS); left; left &= left - 1) {
		enum policy_op op = (enum policy_op)__builtin_ctz(left);
		struct policy_verdict verdict = verdict_of(policy, settled, op, would);
		int strictness = verdict_strictness(&verdict);
		if (strictness > most) {
			worst = verdict;
			most = strictness;
		}
	}
	return worst;
}

/* Does what is only logged decide any of OPS? */
static bool logged_decides(const struct policy *policy, const struct settled *settled, uint32_t ops)
{
	for (uint32_t left = settled ? ops & (OPS_PATH | OPS_MOUNTS) : 0; left; left &= left - 1) {
		enum policy_op op = (enum policy_op)__builtin_ctz(left);
		const uint32_t *winner = settled->winner[op];
		const struct policy_default *def = winner[0] == NO_RULE ? default_of(policy, op) : NULL;

		if (winner[0] != winner[1] || (def && def->stage == STAGE_LOG))
			return true;
	}
	return false;
}

struct policy_decision policy_decide_path(const struct policy *policy, uint32_t ops, const char *path, size_t len)
{
	struct policy_engine *engine = policy->engine;
	const struct settled *settled = engine_find(engine, path, len);
	struct policy_decision decision = { .enforced = strictest(policy, settled, ops, false) };

	decision.would = logged_decides(policy, settled, ops) ? strictest(policy, settled, ops, true) : decision.enforced;
	engine_release(engine);
	return decision;
}

static bool is_among(const uint32_t *rules, size_t n, uint32_t rule)
{
	for (size_t i = 0; i < n; i++)
		if (rules[i] == rule)
			return true;
	return false;
}

bool policy_leads_out(const struct policy *policy, uint32_t ops, const char *link, size_t link_len,
		      const char *path, size_t len, const struct policy_rule **rule)
{
	struct policy_engine *engine = policy->engine;
	const struct policy_rule *found = NULL;

	if (rule)
		*rule = NULL;
	ops &= OPS_NETWORK | policy->cover;
	if (!(engine->beneath & ops))
		return false;
	engine_lock(engine);
	const struct settled *inside = engine_find_more(engine, link, link_len);
	size_t n = inside ? inside->n : 0;
	uint32_t *rules = malloc((n + 1) * sizeof(*rules));
	bool failed = !inside || !rules;
	for (size_t i = 0; i < n && !failed; i++)
		rules[i] = settled_rules(engine, inside)[i];
	const struct settled *reached = failed ? NULL : engine_find_more(engine, path, len);
	failed |= !reached;
	for (size_t i = 0; i < n && !failed; i++) {
		const struct policy_rule *r = engine->rules[rules[i]];
		if (!r->beneath || !(r->ops & ops) ||
		    is_among(settled_rules(engine, reached), reached->n, rules[i]))
			continue;
		/* One that is enforced tells before one at stage log. */
		bool before = !found || (found->stage == STAGE_LOG) > (r->stage == STAGE_LOG) ||
			      ((found->stage == STAGE_LOG) == (r->stage == STAGE_LOG) && rule_order(r, found) < 0);
		if (before)
			found = r;
	}
	engine_release(engine);
	free(rules);
	if (rule)
		*rule = found;
	return failed || found;
}

static bool default_holds(const struct policy_default *def, bool would, bool audits)
{
	return def->present && (would || def->stage != STAGE_LOG) &&
	       (def->action != ACTION_ALLOW || (audits && audits_allowed(def->audit)));
}

bool default_restricts(const struct policy_default *def, bool would)
{
	return default_holds(def, would, true);
}

/* AUDITS: what is only to be recorded counts as well. */
static uint32_t ops_held(const struct policy *policy, bool would, bool audits)
{
	const struct policy_default *defaults = policy->defaults;
	uint32_t ops = 0;

	if (default_holds(&defaults[SECTION_FILES], would, audits))
		ops |= OPS_FILES | (defaults[SECTION_NETWORK].present ? 0 : OPS_NETWORK);
	if (default_holds(&defaults[SECTION_NETWORK], would, audits))
		ops |= OPS_NETWORK;
	if (default_holds(&defaults[SECTION_MOUNTS], would, audits))
		ops |= OPS_MOUNTS;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		if (rule->section == SECTION_SYSCALLS || (!would && rule_at_log(rule)))
			continue;
		if (rule->action != ACTION_ALLOW || rule->beneath || (audits && audits_allowed(rule->audit)))
			ops |= rule->ops;
	}
	return ops & (~OPS_FILES | policy->cover);
}

uint32_t policy_confines(const struct policy *policy, bool would)
{
	return ops_held(policy, would, true);
}

uint32_t policy_withholds(const struct policy *policy)
{
	return ops_held(policy, true, false);
}

uint32_t policy_restricted(const struct policy *policy, bool would)
{
	uint32_t own = policy->engine ? policy->engine->forbidden : 0;

	return policy_confines(policy, would) | (own & (~OP_BIT(OP_STAT) | policy->cover));
}
