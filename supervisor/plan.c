/*
 * What a policy needs of each layer, and what of it cannot be had.
 *
 * Everything in a policy is either enforced by one of the layers, or named here as an error that keeps `usher run` from
 * starting, or concerns other verbs and is named in a note. Nothing falls through: an unknown setting is an error.
 */
#include "plan.h"

#include <errno.h>
#include <jansson.h>
#include <linux/landlock.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "alert.h"
#include "calls/exact.h"
#include "calls/redirect.h"
#include "cred.h"
#include "err.h"
#include "harden.h"
#include "landlock.h"
#include "child_limits.h"
#include "offload.h"
#include "reads.h"
#include "substitute.h"

static const struct {
	const char *block, *name;	/* NULL: the whole block */
} later[] = {
	{ "audit", "metrics" },
};

__attribute__((format(printf, 4, 5))) static void refuse(struct policy_diags *diags, struct policy_pos pos, const char *help,
							 const char *format, ...)
{
	char text[512];
	va_list list;
	va_start(list, format);
	(void)vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	struct policy_diag *diag = policy_diag_add(diags, DIAG_ERROR, pos, 1, "%s", text);
	if (diag && help)
		diag->help = strdup(help);
}

static void check_rule(const struct policy *policy, const struct policy_rule *rule, struct policy_diags *diags)
{
	if (rule->section == SECTION_FILES && (rule->action == ACTION_REDIRECT || rule->action == ACTION_ANSWER))
		substitute_check(policy, rule, diags);
	else if (rule->section == SECTION_NETWORK && rule->n_addrs && (rule->action == ACTION_REDIRECT || rule->action == ACTION_ANSWER))
		redirect_check(rule, diags);
	else if (rule->action == ACTION_REDIRECT || rule->action == ACTION_ANSWER || rule->action == ACTION_ASK)
		refuse(diags, rule->pos, "use allow or deny, or take the rule out",
		       "'%s' rules are not served by this version", policy_action_name(rule->action));
}

static void check_sections(const struct policy *policy, struct policy_diags *diags)
{
	const struct policy_setting *native = limits_native_mounts(policy) ? policy_setting(policy, "limits", "mounts") : NULL;
	if (native && (policy_mounts_some(policy) || policy->defaults[SECTION_MOUNTS].present))
		refuse(diags, native->pos, "leave out the one or the other", "native mounts are not asked about, so no rule can speak of them");
	else if (native)
		policy_diag_add(diags, DIAG_NOTE, native->pos, (uint32_t)strlen(native->name),
				"the program may change what paths mean: file rules then bind only who does not");
	if (policy->has_domains)
		refuse(diags, policy->domain, "take domains and '-> NAME' out",
		       "domains are not enforced by this version");
}

static bool for_later(const struct policy_setting *setting)
{
	for (size_t i = 0; i < ARRAY_SIZE(later); i++)
		if (strcmp(later[i].block, setting->block) == 0 &&
		    (!later[i].name || strcmp(later[i].name, setting->name) == 0))
			return true;
	return false;
}

static void check_audit(const struct policy_setting *setting, struct policy_diags *diags)
{
	const char *word = setting->n_words == 1 ? setting->words[0] : "";
	if (strcmp(setting->name, "log") == 0) {
		if (*word != '/')
			refuse(diags, setting->pos, "write 'log /path/to/file.jsonl;'", "log takes one absolute path");
	} else if (strcmp(setting->name, "level") == 0) {
		if (strcmp(word, "deny") != 0 && strcmp(word, "all") != 0)
			refuse(diags, setting->pos, NULL, "level is 'deny' or 'all'");
	} else if (strcmp(setting->name, "alert") == 0) {
		if (!alert_valid(setting))
			refuse(diags, setting->pos, "write command=/PROGRAM, socket=/PATH or syslog", "nobody is named who is to be told");
	} else if (strcmp(setting->name, "rotate") != 0 && strcmp(setting->name, "fsync") != 0 && strcmp(setting->name, "footprint") != 0) {
		refuse(diags, setting->pos, "there are log, level, rotate, fsync, alert and footprint", "unknown setting '%s' of audit",
		       setting->name);
	}
}

static void check_settings(const struct policy *policy, struct policy_diags *diags)
{
	const char *noted = NULL;
	for (size_t i = 0; i < policy->n_settings; i++) {
		const struct policy_setting *setting = &policy->settings[i];
		if (for_later(setting)) {
			const char *name = setting->name;
			if (!noted || strcmp(noted, name) != 0)
				policy_diag_add(diags, DIAG_NOTE, setting->pos, (uint32_t)strlen(setting->name),
						"'%s' has no effect in this version", name);
			noted = name;
		} else if (strcmp(setting->block, "audit") == 0) {
			check_audit(setting, diags);
		}
	}
}

/* What an older Landlock leaves open (docs/security.md). */
static void check_landlock(const struct plan *plan, struct policy_diags *diags)
{
	static const struct { int abi; const char *lost; } lost[] = {
		{ 2, "moving files between directories is refused even where the policy allows it natively" },
		{ 3, "truncation has no second layer" },
		{ 5, "device ioctls have no second layer" },
		{ 6, "signals and abstract sockets are not scoped: the program can signal other processes of its user" },
	};
	struct policy_pos nowhere = { .file = POLICY_BUILTIN };
	if (!plan->landlock) {
		policy_diag_add(diags, DIAG_NOTE, nowhere, 0,
				"without Landlock nothing stands behind the broker, and the program can signal and trace other "
				"processes of its user");
		return;
	}
	if (plan->kernel->landlock_abi == 0) {
		refuse(diags, nowhere, "boot with lsm=landlock,... or use --no-landlock, which gives up the second layer",
		       "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, Linux 5.13)");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(lost); i++)
		if (plan->kernel->landlock_abi < lost[i].abi)
			policy_diag_add(diags, DIAG_NOTE, nowhere, 0, "this kernel's Landlock (version %d) is old: %s",
					plan->kernel->landlock_abi, lost[i].lost);
}

int plan_make(struct plan *plan, const struct policy *policy, const struct kernel *kernel, bool no_landlock,
	      enum layers layers, struct policy_diags *diags)
{
	struct limits limits;
	size_t errors = diags->errors;
	uint32_t restricted = policy_restricted(policy, false) | policy_restricted(policy, true);
	uint32_t confined = policy_confines(policy, false) | policy_confines(policy, true);
	const struct policy_default *mounts = &policy->defaults[SECTION_MOUNTS];
	*plan = (struct plan){
		.policy = policy,
		.kernel = kernel,
		.restricted = restricted,
		.confined = confined,
		.files = (restricted & OPS_FILES) != 0,
		.stat = (restricted & OP_BIT(OP_STAT)) != 0 || substitute_any(policy),
		.exec = (confined & OP_BIT(OP_EXEC)) != 0,
		.unix_paths = (restricted & (OPS_FILES | OPS_NETWORK)) != 0,
		.creds_vary = !cred_constant(),
		.landlock = !no_landlock,
		.layers = layers,
	};
	for (int proto = 0; proto < PROTO_COUNT; proto++) {
		uint32_t enforced = policy_restricted_peers(policy, (enum policy_proto)proto, false);
		plan->peers_of[proto] = enforced | policy_restricted_peers(policy, (enum policy_proto)proto, true);
		plan->peers |= proto != PROTO_UNIX && plan->peers_of[proto];
		plan->peers_enforced |= proto != PROTO_UNIX && enforced;
	}
	plan->peers_ruled = plan->peers;
	const struct policy_setting *level = policy_setting(policy, "audit", "level");
	plan->peers_told = level && level->n_words == 1 && strcmp(level->words[0], "all") == 0;
	plan->redirects = redirect_any(policy);
	plan->native = limits_native_mounts(policy);
	plan->mounts = policy_mounts_some(policy) && !plan->native;
	plan->topology_fixed = !plan->mounts && !plan->native && ((policy_withholds(policy) & (OPS_FILES | OPS_NETWORK)) || (mounts->present && mounts->action == ACTION_DENY));
	plan->free = !plan->confined && !plan->topology_fixed && !plan->mounts && !harden_has_calls(policy);

	for (size_t i = 0; i < policy->n_rules; i++)
		plan->idmaps |= policy->rules[i].mount_idmap;
	for (size_t i = 0; i < policy->n_rules; i++)
		check_rule(policy, &policy->rules[i], diags);
	check_sections(policy, diags);
	check_settings(policy, diags);
	(void)limits_read(&limits, policy, diags);
	check_landlock(plan, diags);
	exact_check(plan, diags);
	int result = landlock_rights(plan);
	if (result == 0)
		result = reads_decide(plan);
	if (result < 0)
		return result;
	if (layers == LAYERS_KERNEL && !plan->reads && *plan->reads_why)
		refuse(diags, plan->reads_rule ? plan->reads_rule->pos : (struct policy_pos){ .file = POLICY_BUILTIN },
		       "leave --layers out, or ask for what Landlock can do", "reading needs the broker: %s", plan->reads_why);
	return diags->errors > errors ? -EOPNOTSUPP : 0;
}

void plan_record(struct plan *plan)
{
	plan->reads = READS_BROKERED;
	(void)snprintf(plan->reads_why, sizeof(plan->reads_why), "every access is recorded");
	plan->reads_rule = NULL;
	plan->recorded = (OPS_FILES & plan->policy->cover) | OPS_NETWORK;
	plan->files = plan->unix_paths = plan->exec = plan->peers = true;
	plan->offload = false;
	for (int proto = 0; proto < PROTO_COUNT; proto++)
		plan->peers_of[proto] |= OPS_NETWORK;
	plan->stat |= (plan->recorded & OP_BIT(OP_STAT)) != 0;
}

void plan_offload(struct plan *plan)
{
	const struct policy_rule *rule;

	plan->offload = !offload_obstacle(plan, &rule);
}

/* ---- printing ------------------------------------------------------------------------------- */

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
	return plan->offload && rule->section == SECTION_NETWORK && rule->n_addrs &&
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
	const char *own = offload_rule_obstacle(plan, rule);

	*because = NULL;
	if (plan->offload || rule->section != SECTION_NETWORK || rule->proto != PROTO_TCP || !(rule->ops & OP_BIT(OP_CONNECT)))
		return NULL;
	return own ? own : offload_obstacle(plan, because);
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
	for (uint32_t lo = 0, hi; plan->offload && offload_ports(plan, &lo, &hi); lo = hi + 1)
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
	for (uint32_t lo = 0, hi; offload_ports(plan, &lo, &hi); lo = hi + 1, none = false) {
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
	bool connects = plan->landlock_net & LANDLOCK_ACCESS_NET_CONNECT_TCP && !plan->offload;
	if (binds || connects)
		fprintf(to, "          refuses by itself:%s%s of TCP ports: the broker makes them\n", binds ? " bind" : "", connects ? " connect" : "");
	if (plan->offload)
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
