/* What rules and defaults decide where they win, and how strict they are, whatever they are about. Inline: they
 * are half of what a decision costs. */
#ifndef USHER_VERDICT_H
#define USHER_VERDICT_H

#include "policy.h"

/* Is RULE at stage log, so that it has no part in what is enforced? */
static inline bool rule_at_log(const struct policy_rule *rule)
{
	return rule->stage == STAGE_LOG && rule->action != ACTION_FORBID;
}

/* Does RULE, about files or sockets, let them be used for one of OPS, and not only on trial? */
static inline bool rule_grants(const struct policy_rule *rule, uint32_t ops)
{
	return rule->action == ACTION_ALLOW && rule->ops & ops && !rule_at_log(rule);
}

/* Does somebody want to hear of what is allowed? */
static inline bool audits_allowed(enum policy_audit audit)
{
	return audit == AUDIT_COUNT || audit == AUDIT_ALL || audit == AUDIT_ALERT;
}

/* Ascending strictness. */
static inline int stage_rank(enum policy_stage stage)
{
	return stage == STAGE_LOG ? -1 : (int)stage;
}

static inline int audit_rank(enum policy_audit audit)
{
	static const int rank[] = {
		[AUDIT_NONE] = 0, [AUDIT_COUNT] = 1, [AUDIT_DENY] = 2, [AUDIT_ALL] = 3, [AUDIT_ALERT] = 4,
	};
	return rank[audit];
}

static inline struct policy_verdict rule_verdict(const struct policy_rule *rule)
{
	return (struct policy_verdict){
		.action = rule->action, .err = rule->action >= ACTION_DENY ? rule->err : 0,
		.stage = rule->action == ACTION_FORBID && rule->stage == STAGE_LOG ? STAGE_DENY : rule->stage,
		.audit = rule->audit, .sealed = rule->sealed, .rule = rule,
	};
}

/* DEF: NULL and one that is not present allow. */
static inline struct policy_verdict default_verdict(const struct policy_default *def, bool would)
{
	if (!def || !def->present || (!would && def->stage == STAGE_LOG))
		return (struct policy_verdict){ .action = ACTION_ALLOW };
	return (struct policy_verdict){
		.action = def->action, .err = def->action == ACTION_ALLOW ? 0 : def->err,
		.stage = def->stage, .audit = def->audit, .sealed = def->sealed,
	};
}

#endif
