#include "ports.h"

#include <errno.h>
#include <string.h>

static const uint32_t reach = OP_BIT(OP_CONNECT) | OP_BIT(OP_SENDTO);

/* What it allows is counted or recorded, call by call. */
static bool told(const struct policy_rule *rule)
{
	return rule->audit == AUDIT_ALL || rule->audit == AUDIT_COUNT || rule->audit == AUDIT_ALERT;
}

/* ---- other protocols ------------------------------------------------------------------------ */

static bool about(const struct policy_rule *rule, enum policy_proto proto)
{
	return rule->section == SECTION_NETWORK && rule->proto == proto && (rule->n_addrs || rule->n_patterns);
}

static bool everywhere(const struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->n_addrs; i++)
		if (rule->addrs[i].kind == ADDR_ANY && rule->addrs[i].port_lo == 0 && rule->addrs[i].port_hi == UINT16_MAX)
			return true;
	return false;
}

bool ports_open(const struct plan *plan, enum policy_proto proto)
{
	bool found = false;

	if (proto != PROTO_UDP && proto != PROTO_ICMP)
		return false;
	for (size_t i = 0; i < plan->policy->n_rules; i++) {
		const struct policy_rule *rule = &plan->policy->rules[i];

		if (!about(rule, proto) || !(rule->ops & reach))
			continue;
		if (rule->action != ACTION_ALLOW || rule->stage == STAGE_LOG || told(rule))
			return false;
		found |= everywhere(rule);
	}
	return found;
}

/* ---- rules ---------------------------------------------------------------------------------- */

static const char *tcp_obstacle(const struct policy_rule *rule)
{
	if (!(rule->ops & OP_BIT(OP_CONNECT)))
		return NULL;
	for (size_t i = 0; i < rule->n_addrs; i++)
		if (rule->addrs[i].kind != ADDR_ANY)
			return "it speaks of addresses, and Landlock knows ports only";
	if (rule->action == ACTION_ALLOW)
		return told(rule) ? "what it allows is to be recorded" : NULL;
	if (rule->stage != STAGE_DENY || rule->err != EACCES)
		return "Landlock denies with EACCES and nothing else";
	return rule->sealed || rule->audit == AUDIT_NONE || rule->audit == AUDIT_COUNT ? NULL : "its denials are recorded; 'sealed' gives that up";
}

const char *ports_rule_obstacle(const struct plan *plan, const struct policy_rule *rule)
{
	if (rule->section != SECTION_NETWORK || !(rule->n_addrs || rule->n_patterns))
		return NULL;
	if (rule->stage == STAGE_LOG)
		return "it is at stage log";
	if (rule->action == ACTION_REDIRECT || rule->action == ACTION_ANSWER)
		return "only the broker redirects and answers";
	if (rule->proto == PROTO_TCP)
		return tcp_obstacle(rule);
	/* Refused when the socket is made. */
	if (rule->action != ACTION_ALLOW)
		return rule->stage != STAGE_DENY || rule->audit == AUDIT_ALERT ? "what it denies is more than refused" : NULL;
	if (rule->proto == PROTO_UNIX)
		return "it allows unix sockets, of which Landlock knows nothing";
	if (rule->proto == PROTO_NETLINK)
		return told(rule) ? "what it allows is to be recorded" : NULL;
	return ports_open(plan, rule->proto) ? NULL : "it allows sockets of which Landlock knows nothing, and not everything to them";
}

/* ---- ports ---------------------------------------------------------------------------------- */

bool ports_allow(const struct plan *plan, uint16_t port)
{
	struct policy_peer peer = { .proto = PROTO_TCP, .ip = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 }, .port = port };
	struct policy_decision decision = policy_decide_peer(plan->policy, OP_BIT(OP_CONNECT), &peer);

	return policy_allows(&decision.enforced);
}

/* The first port behind AT where a rule begins or has ended. */
static uint32_t next_edge(const struct policy *policy, uint32_t at)
{
	uint32_t next = UINT16_MAX + 1;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		for (size_t k = 0; about(rule, PROTO_TCP) && k < rule->n_addrs; k++) {
			uint32_t edges[] = { rule->addrs[k].port_lo, (uint32_t)rule->addrs[k].port_hi + 1 };

			for (size_t e = 0; e < 2; e++)
				if (edges[e] > at && edges[e] < next)
					next = edges[e];
		}
	}
	return next;
}

bool ports_range(const struct plan *plan, uint32_t *lo, uint32_t *hi)
{
	while (*lo <= UINT16_MAX && !ports_allow(plan, (uint16_t)*lo))
		*lo = next_edge(plan->policy, *lo);
	if (*lo > UINT16_MAX)
		return false;
	*hi = next_edge(plan->policy, *lo) - 1;
	return true;
}

/* ---- all together --------------------------------------------------------------------------- */

static const char *setting_obstacle(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_settings; i++) {
		const struct policy_setting *setting = &policy->settings[i];

		if (strcmp(setting->block, "limits") == 0 && strcmp(setting->name, "rate") == 0 && strcmp(setting->words[0], "bind") != 0)
			return "only the broker counts for limits { rate }";
	}
	return NULL;
}

const char ports_unsealed[] = "denials are recorded; 'default deny sealed' gives that up";

static const char *default_obstacle(const struct policy_default *given)
{
	if (!given->present || given->action == ACTION_ALLOW)
		return "the default of 'network' does not deny, and Landlock denies by default";
	if (given->stage != STAGE_DENY || given->err != EACCES)
		return given->stage == STAGE_LOG ? "the default of 'network' is at stage log" : "Landlock denies with EACCES and nothing else";
	return given->sealed ? NULL : ports_unsealed;
}

const char *ports_obstacle(const struct plan *plan, const struct policy_rule **rule)
{
	const struct policy *policy = plan->policy;
	const char *why = NULL;
	uint32_t n = 0;

	*rule = NULL;
	if (plan->layers == LAYERS_BROKER || plan->recorded || plan->peers_told)
		return "every access is to be seen";
	if (!plan->landlock)
		return "Landlock is not used";
	if (plan->kernel->landlock_abi < 4)
		return "this kernel's Landlock knows no ports (Linux 6.7)";
	why = default_obstacle(&policy->defaults[SECTION_NETWORK]);
	if (!why)
		why = setting_obstacle(policy);
	if (why)
		return why;
	for (size_t i = 0; i < policy->n_rules; i++) {
		why = ports_rule_obstacle(plan, &policy->rules[i]);
		*rule = &policy->rules[i];
		if (why)
			return why;
	}
	*rule = NULL;
	for (uint32_t lo = 0, hi; ports_range(plan, &lo, &hi); lo = hi + 1)
		n += hi - lo + 1;
	return n > PORTS_MAX ? "so many ports would make the start slow" : NULL;
}
