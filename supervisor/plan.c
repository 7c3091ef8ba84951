/*
 * What a policy needs of each layer, and what of it cannot be had.
 *
 * Everything in a policy is either enforced by one of the layers, or named here as an error that keeps `usher run` from
 * starting, or concerns other verbs and is named in a note. Nothing falls through: an unknown setting is an error.
 */
#include "plan.h"

#include <errno.h>
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
#include "ports.h"
#include "reads.h"
#include "substitute.h"

static const struct {
	const char *block, *name;	/* NULL: the whole block */
} later[] = {
	{ "audit", "metrics" },
};

static void check_rule(const struct policy *policy, const struct policy_rule *rule, struct policy_diags *diags)
{
	if (rule->section == SECTION_FILES && (rule->action == ACTION_REDIRECT || rule->action == ACTION_ANSWER))
		substitute_check(policy, rule, diags);
	else if (rule->section == SECTION_NETWORK && rule->n_addrs && (rule->action == ACTION_REDIRECT || rule->action == ACTION_ANSWER))
		redirect_check(rule, diags);
	else if (rule->action == ACTION_REDIRECT || rule->action == ACTION_ANSWER || rule->action == ACTION_ASK)
		policy_diag_refuse(diags, rule->pos, "use allow or deny, or take the rule out",
				   "'%s' rules are not served by this version", policy_action_name(rule->action));
}

static void check_sections(const struct policy *policy, struct policy_diags *diags)
{
	const struct policy_setting *native = limits_native_mounts(policy) ? policy_setting(policy, "limits", "mounts") : NULL;
	if (native && (policy_mounts_some(policy) || policy->defaults[SECTION_MOUNTS].present))
		policy_diag_refuse(diags, native->pos, "leave out the one or the other",
				   "native mounts are not asked about, so no rule can speak of them");
	else if (native)
		policy_diag_add(diags, DIAG_NOTE, native->pos,
				"the program may change what paths mean: file rules then bind only who does not");
	const struct policy_setting *api = policy_setting(policy, "limits", "mount-api");
	if (api && (native || !policy_mounts_some(policy)))
		policy_diag_refuse(diags, api->pos, "add rules about mounts, or take it out",
				   "no rule allows a mount that could be brokered");
	if (policy->has_domains)
		policy_diag_refuse(diags, policy->domain, "take domains and '-> NAME' out",
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
			policy_diag_refuse(diags, setting->pos, "write 'log /path/to/file.jsonl;'", "log takes one absolute path");
	} else if (strcmp(setting->name, "level") == 0) {
		if (strcmp(word, "deny") != 0 && strcmp(word, "all") != 0)
			policy_diag_refuse(diags, setting->pos, NULL, "level is 'deny' or 'all'");
	} else if (strcmp(setting->name, "alert") == 0) {
		if (!alert_valid(setting))
			policy_diag_refuse(diags, setting->pos, "write command=/PROGRAM, socket=/PATH or syslog",
					   "nobody is named who is to be told");
	} else if (strcmp(setting->name, "rotate") != 0 && strcmp(setting->name, "fsync") != 0 && strcmp(setting->name, "footprint") != 0) {
		policy_diag_refuse(diags, setting->pos, "there are log, level, rotate, fsync, alert and footprint",
				   "unknown setting '%s' of audit", setting->name);
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
				policy_diag_add(diags, DIAG_NOTE, setting->pos,
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
	const char *lost, *since;
	struct policy_pos nowhere = { .file = POLICY_BUILTIN };
	if (!plan->landlock) {
		policy_diag_add(diags, DIAG_NOTE, nowhere,
				"without Landlock nothing stands behind the broker, and the program can signal and trace other "
				"processes of its user");
		return;
	}
	if (plan->kernel->landlock_abi == 0) {
		policy_diag_refuse(diags, nowhere, "boot with lsm=landlock,... or use --no-landlock, which gives up the second layer",
				   "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, Linux 5.13)");
		return;
	}
	for (int abi = plan->kernel->landlock_abi + 1; (lost = landlock_lost(abi, &since)); abi++)
		if (landlock_misses(plan, abi))
			policy_diag_add(diags, DIAG_NOTE, nowhere, "this kernel's Landlock is version %d; before %d (Linux %s) %s",
					plan->kernel->landlock_abi, abi, since, lost);
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
	plan->mount_api = plan->mounts && policy_setting(policy, "limits", "mount-api");
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
		policy_diag_refuse(diags, plan->reads_rule ? plan->reads_rule->pos : (struct policy_pos){ .file = POLICY_BUILTIN },
				   "leave --layers out, or ask for what Landlock can do", "reading needs the broker: %s", plan->reads_why);
	return diags->errors > errors ? -EOPNOTSUPP : 0;
}

void plan_record(struct plan *plan)
{
	if (plan->reads == READS_VIEW)	/* there is none, and Landlock stands behind the broker again */
		(void)landlock_rights(plan);
	plan->reads = READS_BROKERED;
	(void)snprintf(plan->reads_why, sizeof(plan->reads_why), "every access is recorded");
	plan->reads_rule = NULL;
	plan->recorded = (OPS_FILES & plan->policy->cover) | OPS_NETWORK;
	plan->files = plan->unix_paths = plan->exec = plan->peers = true;
	plan->ports = false;
	for (int proto = 0; proto < PROTO_COUNT; proto++)
		plan->peers_of[proto] |= OPS_NETWORK;
	plan->stat |= (plan->recorded & OP_BIT(OP_STAT)) != 0;
}

void plan_ports(struct plan *plan)
{
	const struct policy_rule *rule;

	plan->ports = !ports_obstacle(plan, &rule);
}
