#include "child_limits.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "err.h"
#include "rate.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)

/* What servers that are started as root need to become somebody else, and what files demand of root. */
static const uint64_t kept = CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) | CAP(KILL) | CAP(SETGID) |
			     CAP(SETUID) | CAP(SETPCAP) | CAP(NET_BIND_SERVICE);

static const char *const capability_names[] = {
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
};

int limits_capability(const char *name)
{
	if (strncasecmp(name, "cap_", 4) == 0)
		name += 4;
	for (size_t i = 0; i < ARRAY_SIZE(capability_names); i++)
		if (strcasecmp(capability_names[i], name) == 0)
			return (int)i;
	return -1;
}

bool limits_native_mounts(const struct policy *policy)
{
	const struct policy_setting *setting = policy_setting(policy, "limits", "mounts");
	return setting && setting->n_words == 1 && strcmp(setting->words[0], "native") == 0;
}

static unsigned complain(struct policy_diags *diags, struct policy_pos pos, const char *what,
			 const char *detail, const char *help)
{
	policy_diag_refuse(diags, pos, help, "%s%s%s%s", what, detail ? " '" : "", detail ? detail : "", detail ? "'" : "");
	return 1;
}

static unsigned read_capabilities(struct limits *limits, const struct policy_setting *setting, struct policy_diags *diags)
{
	static const char help[] = "write 'capabilities keep chown, setuid;' or 'capabilities all;' or 'capabilities none;'";
	const char *first = setting->n_words ? setting->words[0] : "";
	unsigned errors = 0;
	uint64_t set = 0;
	if (setting->n_words == 1 && (strcmp(first, "all") == 0 || strcmp(first, "none") == 0)) {
		limits->capabilities = *first == 'a' ? LIMITS_CAPABILITIES_ALL : 0;
		return 0;
	}
	if (strcmp(first, "keep") != 0)
		return complain(diags, setting->pos, "capabilities takes 'keep' and a list", NULL, help);
	for (size_t i = 1; i < setting->n_words; i++) {
		const char *word = setting->words[i];
		int number = limits_capability(word);
		if (number >= 0)
			set |= UINT64_C(1) << number;
		else if (strcmp(word, ",") != 0)
			errors += complain(diags, setting->pos, "unknown capability", word, help);
	}
	limits->capabilities = set;
	return errors;
}

static unsigned read_number(uint64_t *value, uint64_t most, const struct policy_setting *setting, struct policy_diags *diags)
{
	static const char units[] = "kMG";
	char *end = NULL;
	const char *word = setting->n_words == 1 ? setting->words[0] : "";
	errno = 0;
	uint64_t number = strtoull(word, &end, 10);
	const char *unit = *end ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;
	for (const char *at = units; unit && at <= unit; at++)
		number = number > most ? UINT64_MAX : number * 1024;
	if (word[0] < '0' || word[0] > '9' || (unit ? end[1] : *end) || errno || !number || number > most)
		return complain(diags, setting->pos, "this limit takes one number above 0", NULL, NULL);
	*value = number;
	return 0;
}

static unsigned read_exit(struct limits *limits, const struct policy_setting *setting, struct policy_diags *diags)
{
	const char *word = setting->n_words == 1 ? setting->words[0] : "";
	limits->kill_on_exit = strcmp(word, "kill") == 0;
	if (limits->kill_on_exit || strcmp(word, "keep") == 0)
		return 0;
	return complain(diags, setting->pos, "supervisor-exit takes 'kill' or 'keep'", NULL,
			"with 'keep' the tree goes on when usher dies, and every brokered call then fails with ENOSYS");
}

unsigned limits_read(struct limits *limits, const struct policy *policy, struct policy_diags *diags)
{
	unsigned errors = 0;
	*limits = (struct limits){ .capabilities = kept, .kill_on_exit = true };
	for (size_t i = 0; i < policy->n_settings; i++) {
		const struct policy_setting *setting = &policy->settings[i];
		if (strcmp(setting->block, "limits") != 0)
			continue;
		if (strcmp(setting->name, "capabilities") == 0) {
			errors += read_capabilities(limits, setting, diags);
		} else if (strcmp(setting->name, "files") == 0) {
			errors += read_number(&limits->files, INT32_MAX, setting, diags);
		} else if (strcmp(setting->name, "processes") == 0) {
			errors += read_number(&limits->processes, INT32_MAX, setting, diags);
		} else if (strcmp(setting->name, "memory") == 0) {
			errors += read_number(&limits->memory, INT64_MAX / 1024, setting, diags);
		} else if (strcmp(setting->name, "supervisor-exit") == 0) {
			errors += read_exit(limits, setting, diags);
		} else if (strcmp(setting->name, "rate") == 0) {
			errors += rate_check(setting, diags);
		} else if (strcmp(setting->name, "mounts") == 0) {
			uint64_t unused;
			if (!limits_native_mounts(policy))
				errors += read_number(&unused, INT32_MAX, setting, diags);
		} else if (strcmp(setting->name, "resolve") != 0 && strcmp(setting->name, "mount-api") != 0) {
			errors += complain(diags, setting->pos,
					   "this version does not enforce the limit", setting->name,
					   "take it out of limits { }; capabilities, files, memory, mount-api, mounts, processes, rate, resolve and supervisor-exit are enforced");
		}
	}
	return errors;
}
