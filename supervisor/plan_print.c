/* Which layer decides about each rule, and why: check --plan. */
#include "plan.h"

#include <jansson.h>
#include <linux/landlock.h>
#include <string.h>

#include "err.h"
#include "landlock.h"
#include "ports.h"

#define READS (OP_BIT(OP_READ) | OP_BIT(OP_LIST))

static bool net_right(const struct plan *plan, const struct policy_rule *rule)
{
	uint64_t rights = (rule->ops & OP_BIT(OP_CONNECT) ? LANDLOCK_ACCESS_NET_CONNECT_TCP : 0) |
			  (rule->ops & OP_BIT(OP_BIND) ? LANDLOCK_ACCESS_NET_BIND_TCP : 0);
	return rule->section == SECTION_NETWORK && rule->proto == PROTO_TCP && (plan->landlock_net & rights) == rights;
}

/* RULE is about what is not trapped, or also about that. */
static bool offloaded(const struct plan *plan, const struct policy_rule *rule)
{
	return plan->ports && rule->section == SECTION_NETWORK && rule->n_addrs &&
	       (rule->proto == PROTO_TCP ? rule->ops & OP_BIT(OP_CONNECT) : rule->ops & (OP_BIT(OP_CONNECT) | OP_BIT(OP_SENDTO)));
}

bool plan_moves(const struct plan *plan, const struct policy_rule *rule)
{
	if (offloaded(plan, rule) || (plan->reads && rule->section == SECTION_FILES && !(rule->ops & ~(READS | OP_BIT(OP_STAT)))))
		return false;
	return rule->section != SECTION_SYSCALLS || (rule->action == ACTION_ALLOW && rule->stage != STAGE_LOG) ||
	       (!rule->sealed && rule->audit != AUDIT_NONE && rule->audit != AUDIT_COUNT);
}

/* Why a rule about what Landlock could decide is the broker's; NULL: it is none, or is Landlock's. */
static const char *not_offloaded(const struct plan *plan, const struct policy_rule *rule, const struct policy_rule **because)
{
	const char *own = ports_rule_obstacle(plan, rule);

	*because = NULL;
	if (plan->ports || rule->section != SECTION_NETWORK || rule->proto != PROTO_TCP || !(rule->ops & OP_BIT(OP_CONNECT)))
		return NULL;
	return own ? own : ports_obstacle(plan, because);
}

static const char *layer_of(const struct plan *plan, const struct policy_rule *rule)
{
	if (rule->section == SECTION_SYSCALLS) {
		if (rule->action == ACTION_ALLOW && rule->stage != STAGE_LOG)
			return "filter";
		return plan_moves(plan, rule) ? "filter, broker" : "filter";
	}
	if (offloaded(plan, rule) && rule->proto == PROTO_TCP)
		return rule->ops & OP_BIT(OP_BIND) ? "Landlock, broker" : "Landlock";
	if (offloaded(plan, rule))
		return rule->ops & OP_BIT(OP_BIND) ? "filter, broker" : "filter";
	if (rule->exact && plan->exact & rule->ops)
		return "broker, kernel";
	if (net_right(plan, rule))
		return "broker, Landlock";
	if (plan->reads && rule->section == SECTION_FILES && rule->ops & READS && rule->action == ACTION_ALLOW) {
		const char *by = plan->reads == READS_FREE ? "kernel" : "Landlock";
		if (!(rule->ops & ~READS & plan->restricted))
			return by;
		return rule->ops & OP_BIT(OP_EXEC) && plan->exec ? "broker, exec gate, Landlock" : "broker, Landlock";
	}
	if (rule->section == SECTION_FILES && rule->ops & OP_BIT(OP_EXEC) && plan->exec)
		return plan->landlock_fs & LANDLOCK_ACCESS_FS_EXECUTE ? "broker, exec gate, Landlock" : "broker, exec gate";
	return "broker";
}

static json_t *ops_json(uint32_t ops)
{
	json_t *list = json_array();
	for (int op = 0; op < OP_COUNT; op++)
		if (ops & OP_BIT(op))
			json_array_append_new(list, json_string(policy_op_name((enum policy_op)op)));
	return list;
}

static json_t *rights_json(uint64_t access)
{
	json_t *list = json_array();
	for (int bit = 0; bit < 64; bit++)
		if (access >> bit & 1 && landlock_right_name(UINT64_C(1) << bit))
			json_array_append_new(list, json_string(landlock_right_name(UINT64_C(1) << bit)));
	return list;
}

static json_t *ports_json(const struct plan *plan)
{
	json_t *list = json_array();
	for (uint32_t lo = 0, hi; plan->ports && ports_range(plan, &lo, &hi); lo = hi + 1)
		json_array_append_new(list, json_pack("[i, i]", (int)lo, (int)hi));
	return list;
}

static void print_json(const struct plan *plan, const struct landlock_trees *trees, FILE *to)
{
	char where[256];
	json_t *allowed = json_array(), *rules = json_array();
	for (size_t i = 0; i < trees->n; i++)
		json_array_append_new(allowed, json_pack("{s:s, s:o}", "path", trees->list[i].path, "rights",
							 rights_json(trees->list[i].access)));
	for (size_t i = 0; i < plan->policy->n_rules; i++) {
		const struct policy_rule *rule = &plan->policy->rules[i];
		const struct policy_rule *because;
		const char *why = not_offloaded(plan, rule, &because);
		json_t *entry = json_pack("{s:s, s:s, s:s}", "where", policy_where(plan->policy, rule->pos, where, sizeof(where)), "rule",
					  rule->text ? rule->text : "", "layer", layer_of(plan, rule));
		if (why)
			json_object_set_new(entry, "not_landlock", json_string(why));
		if (why && because)
			json_object_set_new(entry, "because_of", json_string(policy_where(plan->policy, because->pos, where, sizeof(where))));
		json_array_append_new(rules, entry);
	}
	json_t *all = json_pack(
		"{s:{s:b, s:b, s:b, s:b, s:b, s:o}, s:{s:b, s:i, s:o, s:b, s:b, s:o, s:b, s:b, s:o}, s:{s:s, s:s, s:s?}, s:b, s:b, s:o}",
		"broker", "files", plan->files, "stat", plan->stat, "unix", plan->unix_paths, "addresses", plan->peers, "exec_gate", plan->exec,
		"restricted", ops_json(plan->restricted),
		"landlock", "used", plan->landlock, "abi", plan->kernel->landlock_abi, "handled", rights_json(plan->landlock_fs),
		"bind_tcp", (plan->landlock_net & LANDLOCK_ACCESS_NET_BIND_TCP) != 0,
		"connect_tcp", (plan->landlock_net & LANDLOCK_ACCESS_NET_CONNECT_TCP) != 0,
		"ports", ports_json(plan), "scope_signal", (plan->landlock_scoped & LANDLOCK_SCOPE_SIGNAL) != 0,
		"scope_abstract", (plan->landlock_scoped & LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET) != 0, "allowed", allowed,
		"reads", "layer", plan->reads == READS_FREE ? "kernel" : plan->reads ? "Landlock" : "broker", "why", plan->reads_why,
		"rule", plan->reads_rule ? policy_where(plan->policy, plan->reads_rule->pos, where, sizeof(where)) : NULL,
		"topology_fixed", plan->topology_fixed, "mounts", plan->mounts, "rules", rules);
	ASSERT(all);
	json_dumpf(all, to, JSON_INDENT(2));
	fputc('\n', to);
	json_decref(all);
}

static void print_ops(uint32_t ops, FILE *to)
{
	for (int op = 0; op < OP_COUNT; op++)
		if (ops & OP_BIT(op))
			fprintf(to, " %s", policy_op_name((enum policy_op)op));
}

static void print_rights(uint64_t access, FILE *to)
{
	for (int bit = 0; bit < 64; bit++)
		if (access >> bit & 1 && landlock_right_name(UINT64_C(1) << bit))
			fprintf(to, " %s", landlock_right_name(UINT64_C(1) << bit));
}

static void print_reads(const struct plan *plan, FILE *to)
{
	char where[256];
	if (plan->reads)
		fprintf(to, "          not brokered: opens that only read, %s\n", plan->reads == READS_FREE ? "of which none is denied" :
			"which Landlock decides as the policy does; what it denies is not recorded");
	else if (*plan->reads_why)
		fprintf(to, "          brokered: opens that only read, for%s%s %s\n", plan->reads_rule ? " " : "",
			plan->reads_rule ? policy_where(plan->policy, plan->reads_rule->pos, where, sizeof(where)) : "", plan->reads_why);
}

static void print_ports(const struct plan *plan, FILE *to)
{
	bool none = true;
	fprintf(to, "          decides connects of TCP sockets by itself, which usher does not see; allowed ports:");
	for (uint32_t lo = 0, hi; ports_range(plan, &lo, &hi); lo = hi + 1, none = false) {
		fprintf(to, lo == hi ? " %u" : " %u-%u", lo, hi);
	}
	fprintf(to, "%s\n          refused when it is made: every socket of which Landlock knows nothing and that is restricted, unix sockets too\n"
		"          (not for a program that is given a socket at its start)\n", none ? " none" : "");
}

static void print_text(const struct plan *plan, const struct landlock_trees *trees, FILE *to)
{
	char where[256];
	fprintf(to, "broker    %s%s%s%s%s\n", plan->files ? "file paths" : "no file paths", plan->stat ? ", stat" : "",
		plan->unix_paths ? ", unix sockets" : "", plan->peers ? ", addresses" : "", plan->exec ? ", execve behind the exec gate" : "");
	if (plan->restricted) {
		fprintf(to, "          restricted:");
		print_ops(plan->restricted, to);
		fputc('\n', to);
	}
	if (plan->files && !plan->stat)
		fprintf(to, "          not brokered: stat\n");
	if (plan->peers_enforced)
		fprintf(to, "          refused: sockets that no rule can speak of (MPTCP, SCTP, UDP-Lite, SMC, ...), source routes\n");
	print_reads(plan, to);
	if (plan->native)
		fprintf(to, "          mounts, roots and namespaces are the program's own affair: it may change what paths mean\n");
	if (plan->mounts)
		fprintf(to, "          mounts are made for the program, in mount namespaces of its own; refused: pivot_root, setns into them\n");
	if (plan->topology_fixed)
		fprintf(to, "          refused: chroot, mounts, setns, new user and mount namespaces\n");
	if (!plan->landlock) {
		fprintf(to, "Landlock  not used\n");
	} else if (!plan->landlock_fs) {
		fprintf(to, "Landlock  no file right, because none is denied everywhere\n");
	} else {
		fprintf(to, "Landlock  refuses by itself:");
		print_rights(plan->landlock_fs, to);
		fputc('\n', to);
	}
	for (size_t i = 0; i < trees->n; i++) {
		fprintf(to, "          but for %s:", trees->list[i].path);
		print_rights(trees->list[i].access, to);
		fputc('\n', to);
	}
	bool binds = plan->landlock_net & LANDLOCK_ACCESS_NET_BIND_TCP;
	bool connects = plan->landlock_net & LANDLOCK_ACCESS_NET_CONNECT_TCP && !plan->ports;
	if (binds || connects)
		fprintf(to, "          refuses by itself:%s%s of TCP ports: the broker makes them\n", binds ? " bind" : "", connects ? " connect" : "");
	if (plan->ports)
		print_ports(plan, to);
	if (plan->landlock_scoped)
		fprintf(to, "          stays inside: signals%s\n",
			plan->landlock_scoped & LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET ? ", abstract sockets" : "");
	for (size_t i = 0; i < plan->policy->n_rules; i++) {
		const struct policy_rule *rule = &plan->policy->rules[i];
		fprintf(to, "%-20s %-28s %s\n", policy_where(plan->policy, rule->pos, where, sizeof(where)),
			layer_of(plan, rule), rule->text ? rule->text : "");
		const struct policy_rule *because;
		const char *why = not_offloaded(plan, rule, &because);
		if (why)
			fprintf(to, "%-20s   not by Landlock alone: %s%s%s\n", "", because ? policy_where(plan->policy, because->pos, where, sizeof(where)) : "",
				because ? ": " : "", why);
	}
}

void plan_print(const struct plan *plan, FILE *to, bool json)
{
	struct landlock_trees trees;
	if (landlock_trees(plan, &trees) < 0)
		return;
	if (json)
		print_json(plan, &trees, to);
	else
		print_text(plan, &trees, to);
	landlock_trees_free(&trees);
}
