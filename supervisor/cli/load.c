/* Which file a policy's name means, and from that file to a policy that judges as `run` enforces. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert.h"
#include "audit_file.h"
#include "cli.h"
#include "control/socket.h"
#include "diag.h"
#include "env.h"
#include "err.h"
#include "evidence/footprint.h"
#include "fd.h"
#include "json.h"
#include "load.h"
#include "text.h"

static const struct policy_pos nowhere = { .file = POLICY_BUILTIN };

/* ---- finding ---- */

/* A name is one component that cannot be mistaken for anything else. */
static bool name_is_plain(const char *name)
{
	return *name && *name != '.' && strlen(name) <= NAME_MAX - strlen(".policy") && !strchr(name, '/');
}

static char *config_dir(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	if (config && config[0] == '/')
		return text_printf("%s/usher", config);
	if (!home || home[0] != '/') {
		const struct passwd *entry = getpwuid(geteuid());
		home = entry ? entry->pw_dir : NULL;
	}
	return home ? text_printf("%s/.config/usher", home) : NULL;
}

enum { DIR_CONFIG, DIR_SYSTEM, DIR_PROFILES, DIRS };

/* Where policies are looked for by name, first to last. Malloc'ed; NULL: nowhere. */
static char *policy_dir(int which)
{
	if (which == DIR_CONFIG)
		return config_dir();
	return text_printf("%s", which == DIR_SYSTEM ? "/etc/usher" : USHER_PROFILE_DIR);
}

/* *PATH, malloc'ed, of NAME.policy; -ENOENT if it is nowhere. */
static int search(const char *name, char **path)
{
	for (int i = 0; i < DIRS; i++) {
		AUTO_FREE char *dir = policy_dir(i);
		AUTO_FREE char *file = dir ? text_printf("%s/%s.policy", dir, name) : NULL;
		/* Where the answer is "you may not know", nothing farther down is taken instead. */
		if (file && (faccessat(AT_FDCWD, file, F_OK, AT_EACCESS) == 0 || (errno != ENOENT && errno != ENOTDIR))) {
			*path = file;
			file = NULL;
			return 0;
		}
	}
	return -ENOENT;
}

/* *PATH of policy NAME, or -ENOENT and why in DIAGS. */
static int find(const char *name, char **path, struct policy_diags *diags)
{
	static const char *const endings[] = { "", ".policy" };
	if (strchr(name, '/')) {
		*path = text_printf("%s", name);
		return 0;
	}
	if (!name_is_plain(name)) {
		policy_diag_add(diags, DIAG_ERROR, nowhere, "'%s' cannot be the name of a policy", name);
		return -ENOENT;
	}
	if (search(name, path) == 0)
		return 0;
	AUTO_FREE char *config = config_dir();
	struct policy_diag *diag = policy_diag_add(diags, DIAG_ERROR, nowhere,
						   "there is no policy '%s' in %s, /etc/usher or %s", name,
						   config ? config : "~/.config/usher", USHER_PROFILE_DIR);
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		AUTO_FREE char *file = text_printf("./%s%s", name, endings[i]);
		if (access(file, F_OK) == 0)
			policy_diag_help(diag, "the current directory is never searched; if you mean the file here, write %s",
					 file);
	}
	return -ENOENT;
}

/* ---- the policy's own files are out of the child's reach ---- */

/* Does some rule allow to read FILE by its very name? */
static bool read_is_named(const struct policy *policy, const char *file)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		if (rule->section != SECTION_FILES || rule->action != ACTION_ALLOW ||
		    !(rule->ops & OP_BIT(OP_READ)))
			continue;
		for (size_t k = 0; k < rule->n_patterns; k++) {
			if (strcmp(rule->patterns[k].glob, file) == 0 ||
			    strcmp(rule->patterns[k].spelled, file) == 0)
				return true;
		}
	}
	return false;
}

/* Pipes and devices (-p /dev/stdin, log /dev/null) are no files of ours. */
static bool path_is_special(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* Nor is the link by which we know it made to lead elsewhere. */
static int forbid_link(struct policy *policy, const char *path, const char *resolved)
{
	const char *name = strrchr(path, '/') + 1;
	struct stat st;
	if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
		return 0;
	AUTO_FREE char *parent = text_dup(path, (size_t)(name - path));
	AUTO_FREE char *dir = NULL;
	int error = env_resolve(NULL, parent, &dir);
	if (error)
		return error;
	AUTO_FREE char *link = text_printf("%s/%s", strcmp(dir, "/") != 0 ? dir : "", name);
	return strcmp(link, resolved) != 0 ? policy_forbid(policy, link, false) : 0;
}

/* READ_TOO: and is no rule for reading it by its name. */
static int forbid_path(struct policy *policy, const char *path, bool read_too)
{
	AUTO_FREE char *cwd = getcwd(NULL, 0);
	if (path[0] != '/' && !cwd)
		return -errno;
	AUTO_FREE char *absolute = path[0] == '/' ? text_printf("%s", path) : text_printf("%s/%s", cwd, path);
	AUTO_FREE char *resolved = NULL;
	int error = env_resolve(NULL, absolute, &resolved);
	if (!error)
		error = policy_forbid(policy, resolved, read_too && !read_is_named(policy, resolved));
	return error ? error : forbid_link(policy, absolute, resolved);
}

static int forbid(struct policy *policy, const char *path)
{
	return path_is_special(path) ? 0 : forbid_path(policy, path, true);
}

/* Nothing may come to be at PATH, where an include was looked for: neither a file nor a link or directory on the way. */
static int forbid_missing(struct policy *policy, const char *path)
{
	AUTO_FREE char *first = text_copy(path);
	struct stat st;
	for (char *slash = strchr(first + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (lstat(first, &st) < 0)
			break;
		*slash = '/';
	}
	return forbid(policy, first);
}

static int forbid_own(struct policy *policy)
{
	int error = 0;
	/* Who may write there speaks in the next policy of that name. */
	for (int i = 0; i < DIRS && !error; i++) {
		AUTO_FREE char *dir = policy_dir(i);
		error = dir ? forbid_path(policy, dir, false) : 0;
	}
	for (size_t i = 0; i < policy->n_missing && !error; i++)
		error = forbid_missing(policy, policy->missing[i]);
	for (size_t i = 0; i < policy->n_files && !error; i++) {
		AUTO_FREE char *drop_ins = text_printf("%s.d", policy->files[i].path);
		error = forbid(policy, policy->files[i].path);
		if (!error && policy->files[i].main)
			error = forbid(policy, drop_ins);
	}
	for (size_t i = 0; !error; i++) {
		AUTO_FREE char *dir = control_forbidden(i);
		if (!dir)
			break;
		error = *dir ? forbid(policy, dir) : 0;
	}
	return error;
}

int load_forbid_alert(struct policy *policy, const struct policy *said)
{
	const char *command = alert_file(said, 0), *socket = alert_file(said, 1);
	int error = command ? forbid_path(policy, command, false) : 0;
	return error || !socket ? error : forbid_path(policy, socket, true);
}

/* The log, what was rotated and will be. */
static int forbid_log(struct policy *policy, const char *log, const struct audit_settings *settings)
{
	int error = 0;
	for (unsigned i = 0; !error; i++) {
		AUTO_FREE char *name = audit_file_name(log, settings, i);
		if (!name)
			break;
		error = forbid(policy, name);
	}
	return error;
}

/* The file and what SQLite keeps beside it. */
static int forbid_record(struct policy *policy, const char *file, struct policy_diags *diags)
{
	int error = 0;
	for (size_t i = 0; footprint_suffix(i) && !error; i++) {
		AUTO_FREE char *path = text_printf("%s%s", file, footprint_suffix(i));
		error = forbid(policy, path);
	}
	if (error)
		policy_diag_add(diags, DIAG_ERROR, nowhere, "record %s: %s", file, strerror(-error));
	return error;
}

const char *cli_audit_file(const struct policy *policy, const char *file)
{
	const struct policy_setting *setting = policy_setting(policy, "audit", "log");
	if (file)
		return file;
	return setting && setting->n_words ? setting->words[0] : NULL;
}

/* ---- loading ---- */

/* Records at the end of a policy would be the end of the policy. */
static bool is_policy_file(const struct policy *policy, const char *file)
{
	struct stat st, own;
	if (stat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	for (size_t i = 0; i < policy->n_files; i++) {
		if (stat(policy->files[i].path, &own) == 0 && own.st_dev == st.st_dev && own.st_ino == st.st_ino)
			return true;
	}
	return false;
}

int load_file(const char *path, const char *audit_file, const struct policy_env *env, struct policy **policy,
	      struct policy_diags *diags)
{
	int error = policy_load(policy, env, path, diags);
	if (!error)
		error = forbid_own(*policy);
	if (!error)
		error = load_forbid_alert(*policy, *policy);
	const char *audit = error ? NULL : cli_audit_file(*policy, audit_file);
	if (!audit)
		return error;
	bool own = is_policy_file(*policy, audit);
	const struct audit_settings settings = audit_settings(*policy);
	error = own ? -EINVAL : path_is_special(audit) ? 0 : forbid_log(*policy, audit, &settings);
	if (error)
		policy_diag_add(diags, DIAG_ERROR, nowhere, "audit log %s: %s", audit,
				own ? "this is a file of the policy itself" : strerror(-error));
	return error;
}

int load_forbid(struct policy *policy, const char *audit, const char *record, struct policy_diags *diags)
{
	int error = audit ? forbid(policy, audit) : 0;
	if (error)
		policy_diag_add(diags, DIAG_ERROR, nowhere, "audit log %s: %s", audit, strerror(-error));
	return error || !record ? error : forbid_record(policy, record, diags);
}

int cli_load_with(const struct cli *cli, const char *name, const struct cli_load *load,
		  struct policy_env *env, struct policy **policy)
{
	static const struct cli_load plain;
	struct policy_diags diags = { 0 };
	AUTO_FREE char *path = NULL;
	*policy = NULL;
	load = load ? load : &plain;
	env->vars = cli->vars;
	env->n_vars = cli->n_vars;
	env->mode_log = load->mode_log;
	int error = find(name, &path, &diags);
	if (!error)
		error = load_file(path, load->audit_file, env, policy, &diags);
	if (!error)
		error = load_forbid(*policy, NULL, load->record_file, &diags);
	if (error && !diags.errors)
		policy_diag_add(&diags, DIAG_ERROR, nowhere, "cannot read policy %s: %s", path ? path : name,
				strerror(-error));
	int status = !error ? CLI_OK : error == -EINVAL ? CLI_POLICY : CLI_UNREACHABLE;
	if (error && cli->json && load->json)
		json_print(load->json, json_pack("{s:o}", "diagnostics", json_diags(*policy, &diags)), status);
	if (error || (!load->diags && !cli->quiet))
		policy_diags_print(&diags, *policy, stderr, cli->color_err);
	if (!error && load->diags) {
		*load->diags = diags;
		return status;
	}
	policy_diags_free(&diags);
	if (error) {
		policy_free(*policy);
		*policy = NULL;
	}
	return status;
}

int cli_load_policy(const struct cli *cli, const char *name, const struct cli_load *load,
		    struct policy **policy)
{
	struct env env;
	struct policy_env policy_env;
	env_init(&env, &policy_env);
	return cli_load_with(cli, name, load, &policy_env, policy);
}
