#include "calls/exact.h"

#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>

#include "calls/abstract.h"
#include "kernel.h"
#include "pattern.h"
#include "sandbox.h"

static bool about_unix(const struct policy_rule *rule, uint32_t ops)
{
	return rule->section == SECTION_NETWORK && rule->proto == PROTO_UNIX && rule->ops & ops;
}

static bool has_every_path(const struct policy_rule *rule)
{
	static const char *const all[] = { "/**" };
	bool found = false;

	for (size_t i = 0; i < rule->n_patterns; i++) {
		const char *glob = rule->patterns[i].glob;
		enum pattern_relation relation = pattern_compare(all, 1, &glob, 1);

		found |= relation == PATTERN_EQUAL || relation == PATTERN_NARROWER;
	}
	return found;
}

static bool has_every_name(const struct policy_rule *rule)
{
	bool found = false;

	for (size_t i = 0; i < rule->n_addrs; i++)
		found |= strcmp(rule->addrs[i].text, "*") == 0 || strcmp(rule->addrs[i].text, "@*") == 0;
	return found;
}

static bool allows(const struct policy_default *given)
{
	return !given->present || given->action == ACTION_ALLOW || given->stage == STAGE_LOG;
}

/* Is every path, and every abstract name, allowed for OP, with a rule or without? What only would be denied is. */
static bool all_allowed(const struct policy *policy, enum policy_op op)
{
	const struct policy_default *network = &policy->defaults[SECTION_NETWORK];
	bool names = allows(network), paths = network->present ? names : allows(&policy->defaults[SECTION_FILES]);

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (!about_unix(rule, OP_BIT(op)) || (rule->stage == STAGE_LOG && rule->action != ACTION_FORBID))
			continue;
		if (rule->action != ACTION_ALLOW)
			return false;
		paths |= has_every_path(rule);
		names |= has_every_name(rule);
	}
	return paths && names;
}

static const char *obstacle(const struct plan *plan, uint32_t ops)
{
	if (plan->peers_enforced)
		return "rules or the default of 'network' restrict other addresses, which the socket could be exchanged for";
	for (int op = OP_CONNECT; op <= OP_SENDTO; op++)
		if (ops & OP_BIT(op) && !all_allowed(plan->policy, (enum policy_op)op))
			return "not every path and every abstract name is allowed, and the address could be exchanged for another";
	if (plan->landlock && plan->kernel->landlock_abi < 6)
		return "this kernel's Landlock does not keep abstract names inside (Linux 6.12)";
	return NULL;
}

void exact_check(struct plan *plan, struct policy_diags *diags)
{
	plan->exact = 0;
	for (size_t i = 0; i < plan->policy->n_rules; i++) {
		const struct policy_rule *rule = &plan->policy->rules[i];
		const char *why = rule->exact ? obstacle(plan, rule->ops) : NULL;

		if (rule->exact && !why)
			plan->exact |= rule->ops & (OP_BIT(OP_CONNECT) | OP_BIT(OP_SENDTO));
		if (why)
			policy_diag_refuse(diags, rule->pos,
					   "take 'credentials exact' out: servers then are told usher's pid, with the program's uid and gid",
					   "credentials cannot be exact: %s", why);
	}
}

bool exact_wanted(const struct request *req, enum policy_op op, const struct address *address)
{
	const struct plan *plan = &req->rules->plan;

	if (!(plan->exact & OP_BIT(op)) || socket_call(req)->domain != AF_UNIX)
		return false;
	/* As it was at launch. */
	if (req->sandbox->launched->landlock && !(req->sandbox->launched->landlock_scoped & LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET))
		return false;
	return !address || abstract_inside(req->sandbox, socket_call(req)->fd, address);
}
