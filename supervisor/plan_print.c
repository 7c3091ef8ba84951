/* Which layer decides about each rule, why, and what that costs: check --plan. */
#include "plan.h"

#include <inttypes.h>
#include <jansson.h>
#include <linux/landlock.h>
#include <string.h>

#include "cli/json.h"
#include "cost.h"
#include "err.h"
#include "escape.h"
#include "fd.h"
#include "landlock.h"
#include "plan_place.h"
#include "ports.h"
#include "text.h"

#define RULE_WIDTH 100

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

static json_t *rule_json(const struct plan *plan, const struct policy_rule *rule)
{
	char where[300];
	struct plan_place place = plan_place(plan, rule);
	json_t *entry = json_pack("{s:o, s:o, s:s, s:s}", "where", json_text(policy_where(plan->policy, rule->pos, where, sizeof(where))), "rule",
				  json_text(rule->text ? rule->text : ""), "layer", place.layer, "why", place.why);
	if (place.alone)
		json_object_set_new(entry, "not_landlock", json_string(place.why));
	if (place.because)
		json_object_set_new(entry, "because_of", json_text(policy_where(plan->policy, place.because->pos, where, sizeof(where))));
	return entry;
}

static json_t *cost_json(const struct plan *plan, const struct cost_use *use)
{
	json_t *calls = json_array(), *cost = json_pack("{s:s, s:o}", "source", COST_SOURCE, "calls", calls);
	for (int kind = 0; kind < COST_KINDS; kind++) {
		struct cost one = cost_of(plan, (enum cost_kind)kind);
		json_t *entry = json_pack("{s:s, s:s, s:o}", "call", one.key, "layer", one.layer, "ratio",
					  one.ratio > 0 ? json_real(one.ratio) : json_null());
		if (use)
			json_object_set_new(entry, "recorded", json_integer((json_int_t)use->calls[kind]));
		json_array_append_new(calls, entry);
	}
	if (use)
		json_object_set_new(cost, "weighted", cost_mean(plan, use) > 0 ? json_real(cost_mean(plan, use)) : json_null());
	return cost;
}

/* What would make a cheaper layer possible, into TEXT; false when I is behind the last. */
static bool advice(const struct plan *plan, size_t i, struct text *text)
{
	const struct policy_rule *rule;
	char where[300];
	bool reads = *plan->reads_help;
	text->len = 0;
	if (i == 0 && reads) {
		if (plan->reads_rule)
			text_addf(text, "%s: ", policy_where(plan->policy, plan->reads_rule->pos, where, sizeof(where)));
		text_puts(text, plan->reads_help);
		text_addf(text, ", and %s", plan->policy->defaults[SECTION_FILES].view ? "what may not be read could be left out of a view" :
			  "Landlock could decide about opens that only read");
	} else if (i == reads && !plan->ports && plan->peers_of[PROTO_TCP] & OP_BIT(OP_CONNECT) && ports_obstacle(plan, &rule) == ports_unsealed) {
		text_puts(text, "write 'default deny sealed' in network, and Landlock could decide about TCP ports to connect to");
	}
	return text->len != 0;
}

static json_t *advice_json(const struct plan *plan)
{
	json_t *list = json_array();
	struct text text = { 0 };
	for (size_t i = 0; advice(plan, i, &text); i++)
		json_array_append_new(list, json_text(text.s));
	free(text_take(&text));
	return list;
}

static const char *reads_layer(const struct plan *plan)
{
	static const char *const names[] = { [READS_BROKERED] = "broker", [READS_FREE] = "kernel", [READS_TREES] = "Landlock", [READS_VIEW] = "view" };

	return names[plan->reads];
}

static void print_json(const struct plan *plan, const struct landlock_trees *trees, const struct plan_shown *shown, FILE *to)
{
	char where[256];
	json_t *allowed = json_array(), *rules = json_array();
	for (size_t i = 0; i < trees->n; i++)
		json_array_append_new(allowed, json_pack("{s:s, s:o}", "path", trees->list[i].path, "rights",
							 rights_json(trees->list[i].access)));
	for (size_t i = 0; i < plan->policy->n_rules; i++)
		json_array_append_new(rules, rule_json(plan, &plan->policy->rules[i]));
	json_t *all = json_pack(
		"{s:{s:b, s:b, s:b, s:b, s:b, s:o}, s:{s:b, s:i, s:o, s:b, s:b, s:o, s:b, s:b, s:s?, s:o}, s:{s:s, s:s, s:s?}, s:b, s:b, s:o, s:o, s:o}",
		"broker", "files", plan->files, "stat", plan->stat, "unix", plan->unix_paths, "addresses", plan->peers, "exec_gate", plan->exec,
		"restricted", ops_json(plan->restricted),
		"landlock", "used", plan->landlock, "abi", plan->kernel->landlock_abi, "handled", rights_json(plan->landlock_fs),
		"bind_tcp", (plan->landlock_net & LANDLOCK_ACCESS_NET_BIND_TCP) != 0,
		"connect_tcp", (plan->landlock_net & LANDLOCK_ACCESS_NET_CONNECT_TCP) != 0,
		"ports", ports_json(plan), "scope_signal", (plan->landlock_scoped & LANDLOCK_SCOPE_SIGNAL) != 0,
		"scope_abstract", (plan->landlock_scoped & LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET) != 0, "denials_unseen", shown->unseen, "allowed", allowed,
		"reads", "layer", reads_layer(plan), "why", plan->reads_why,
		"rule", plan->reads_rule ? policy_where(plan->policy, plan->reads_rule->pos, where, sizeof(where)) : NULL,
		"topology_fixed", plan->topology_fixed, "mounts", plan->mounts, "rules", rules, "cost", cost_json(plan, shown->use), "advice", advice_json(plan));
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

static void print_trees(const struct landlock_trees *trees, FILE *to)
{
	for (size_t i = 0; i < trees->n; i++) {
		size_t first = 0;
		while (trees->list[first].access != trees->list[i].access)
			first++;
		if (first < i)
			continue;
		fprintf(to, "          but for");
		print_rights(trees->list[i].access, to);
		fputc(':', to);
		for (size_t k = i; k < trees->n; k++)
			if (trees->list[k].access == trees->list[i].access) {
				AUTO_FREE char *path = escape_dup(trees->list[k].path, strlen(trees->list[k].path));
				fprintf(to, " %s", path);
			}
		fputc('\n', to);
	}
}

static void print_reads(const struct plan *plan, FILE *to)
{
	char where[256];
	if (plan->reads)
		fprintf(to, "          not brokered: %s\n", plan->reads == READS_FREE ? "opens that only read, of which none is denied" :
			plan->reads == READS_VIEW ? "opens that only read, and stat: what may not be read is not there" :
			"opens that only read, which Landlock decides as the policy does");
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

/* One rule in a line of a terminal. */
static void print_rule(const struct plan *plan, const struct policy_rule *rule, FILE *to)
{
	char where[300];
	AUTO_FREE char *text = escape_dup(rule->text ? rule->text : "", rule->text ? strlen(rule->text) : 0);
	size_t len = strlen(text), shown = len > RULE_WIDTH ? RULE_WIDTH - 3 : len;
	while (shown < len && shown && (text[shown] & 0xc0) == 0x80)
		shown--;
	fprintf(to, "  %-20s %.*s%s\n", policy_where(plan->policy, rule->pos, where, sizeof(where)), (int)shown, text, shown < len ? "..." : "");
}

static bool same_place(const struct plan_place *a, const struct plan_place *b)
{
	return strcmp(a->layer, b->layer) == 0 && strcmp(a->why, b->why) == 0 && a->because == b->because;
}

static void print_place(const struct plan *plan, const struct plan_place *place, FILE *to)
{
	char where[300] = "";
	if (place->because)
		(void)policy_where(plan->policy, place->because->pos, where, sizeof(where));
	fprintf(to, "\n%s: %s%s%s%s\n", place->layer,
		place->alone ? "not by Landlock alone: " : place->why == plan->reads_why ? "reading is brokered: " : "", where, *where ? ": " : "",
		place->why);
}

/* Those of one layer for one reason together. */
static void print_rules(const struct plan *plan, FILE *to)
{
	size_t n = plan->policy->n_rules;
	AUTO_FREE struct plan_place *places = mem_zero((n + 1) * sizeof(*places));
	for (size_t i = 0; i < n; i++)
		places[i] = plan_place(plan, &plan->policy->rules[i]);
	for (size_t i = 0; i < n; i++) {
		if (!places[i].layer)
			continue;
		struct plan_place place = places[i];
		print_place(plan, &place, to);
		for (size_t k = i; k < n; k++)
			if (places[k].layer && same_place(&places[k], &place)) {
				print_rule(plan, &plan->policy->rules[k], to);
				places[k].layer = NULL;
			}
	}
}

static void print_cost(const struct plan *plan, const struct cost_use *use, FILE *to)
{
	fprintf(to, "\nexpected cost, times the same call without usher (one machine's medians: " COST_SOURCE ")\n");
	for (int kind = 0; kind < COST_KINDS; kind++) {
		struct cost one = cost_of(plan, (enum cost_kind)kind);
		char ratio[20] = "not measured";
		if (one.ratio > 0)
			(void)snprintf(ratio, sizeof(ratio), "about %.*fx", one.ratio < 3, one.ratio);
		if (!use)
			fprintf(to, "  %-12s  %-17s  %s\n", ratio, one.layer, one.what);
		else if (use->calls[kind])
			fprintf(to, "  %-12s  %-17s  %s: %" PRIu64 " recorded\n", ratio, one.layer, one.what, use->calls[kind]);
	}
	if (use && cost_mean(plan, use) > 0)
		fprintf(to, "  about %.1fx on average, of what was recorded and measured\n", cost_mean(plan, use));
	else if (use)
		fprintf(to, "  nothing was recorded of which the cost is known\n");
}

static void print_advice(const struct plan *plan, FILE *to)
{
	struct text text = { 0 };
	for (size_t i = 0; advice(plan, i, &text); i++) {
		AUTO_FREE char *line = escape_dup(text.s, text.len);
		fprintf(to, "%s  - %s\n", i ? "" : "\nfor a cheaper layer (one thing in the way may hide another)\n", line);
	}
	free(text_take(&text));
}

static void print_text(const struct plan *plan, const struct landlock_trees *trees, const struct plan_shown *shown, FILE *to)
{
	fprintf(to, "broker    %s%s%s%s%s\n", plan->files ? "file paths" : "no file paths", plan->stat ? ", stat" : "",
		plan->unix_paths ? ", unix sockets" : "", plan->peers ? ", addresses" : "", plan->exec ? ", execve behind the exec gate" : "");
	if (plan->restricted) {
		fprintf(to, "          restricted:");
		print_ops(plan->restricted, to);
		fputc('\n', to);
	}
	if (plan->files && !plan->stat && plan->reads != READS_VIEW)
		fprintf(to, "          not brokered: stat\n");
	if (plan->peers_enforced)
		fprintf(to, "          refused: sockets that no rule can speak of (MPTCP, SCTP, UDP-Lite, SMC, ...), source routes\n");
	print_reads(plan, to);
	if (plan->native)
		fprintf(to, "          mounts, roots and namespaces are the program's own affair: it may change what paths mean\n");
	if (plan->mounts)
		fprintf(to, "          mounts are made for the program, in mount namespaces of its own; refused: %ssetns into them\n",
			policy_pivots(plan->policy) ? "" : "pivot_root, ");
	if (plan->mount_api)
		fprintf(to, "          by fsopen, open_tree, move_mount and their kin as well\n");
	if (plan->topology_fixed)
		fprintf(to, "          refused: chroot, mounts, setns, new user and mount namespaces\n");
	if (!plan->landlock) {
		fprintf(to, "Landlock  not used\n");
	} else if (!plan->landlock_fs) {
		fprintf(to, "Landlock  no file right, because %s\n", plan->reads == READS_VIEW ? "what it could refuse is not there" : "none is denied everywhere");
	} else {
		fprintf(to, "Landlock  refuses by itself:");
		print_rights(plan->landlock_fs, to);
		fputc('\n', to);
	}
	print_trees(trees, to);
	bool binds = plan->landlock_net & LANDLOCK_ACCESS_NET_BIND_TCP;
	bool connects = plan->landlock_net & LANDLOCK_ACCESS_NET_CONNECT_TCP && !plan->ports;
	if (binds || connects)
		fprintf(to, "          refuses by itself:%s%s of TCP ports: the broker makes them\n", binds ? " bind" : "", connects ? " connect" : "");
	if (plan->ports)
		print_ports(plan, to);
	if (plan->landlock)
		fprintf(to, "          what it denies is %s%s\n", shown->unseen ? "in no record: " : "recorded, as the kernel tells it", shown->unseen ? shown->unseen : "");
	if (plan->landlock_scoped)
		fprintf(to, "          stays inside: signals%s\n",
			plan->landlock_scoped & LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET ? ", abstract sockets" : "");
	print_rules(plan, to);
	print_cost(plan, shown->use, to);
	print_advice(plan, to);
}

void plan_print(const struct plan *plan, const struct plan_shown *shown, FILE *to, bool json)
{
	struct landlock_trees trees;
	if (landlock_trees(plan, &trees) < 0)
		return;
	if (json)
		print_json(plan, &trees, shown, to);
	else
		print_text(plan, &trees, shown, to);
	landlock_trees_free(&trees);
}
