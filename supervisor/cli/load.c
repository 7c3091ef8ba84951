/* Which file a policy's name means, and from that file to a policy that judges as `run` enforces. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "env.h"
#include "err.h"
#include "fd.h"
#include "load.h"
#include "text.h"

/* ---- finding ---- */

/* A name is one component that cannot be mistaken for anything else. */
static bool name_is_plain(const char *name)
{
	return *name && *name != '.' && strlen(name) <= NAME_MAX - strlen(".policy") && !strchr(name, '/');
}

static char *config_dir(void)
{
	char *dir = NULL;
	const char *config = getenv("XDG_CONFIG_HOME");
	if (config && config[0] == '/')
		return asprintf(&dir, "%s/usher", config) < 0 ? NULL : dir;
	const char *home = getenv("HOME");
	if (!home || home[0] != '/') {
		const struct passwd *entry = getpwuid(geteuid());
		home = entry ? entry->pw_dir : NULL;
	}
	if (!home)
		return NULL;
	return asprintf(&dir, "%s/.config/usher", home) < 0 ? NULL : dir;
}

int cli_find_policy(const char *name, char **path)
{
	*path = NULL;
	if (strchr(name, '/')) {
		*path = strdup(name);
		return *path ? 0 : -ENOMEM;
	}
	if (!name_is_plain(name))
		return -EINVAL;
	AUTO_FREE char *config = config_dir();
	const char *dirs[] = { config, "/etc/usher", USHER_PROFILE_DIR };
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		char *file = NULL;
		if (!dirs[i])
			continue;
		if (asprintf(&file, "%s/%s.policy", dirs[i], name) < 0)
			return -ENOMEM;
		/* Where the answer is "you may not know", nothing farther down is taken instead. */
		if (faccessat(AT_FDCWD, file, F_OK, AT_EACCESS) == 0 ||
		    (errno != ENOENT && errno != ENOTDIR)) {
			*path = file;
			return 0;
		}
		free(file);
	}
	return -ENOENT;
}

static int say_missing(const struct cli *cli, const char *name)
{
	AUTO_FREE char *config = config_dir();
	char file[NAME_MAX + 16];
	cli_error(cli, "there is no policy '%s' in %s, /etc/usher or %s", name,
		  config ? config : "~/.config/usher", USHER_PROFILE_DIR);
	const char *const endings[] = { "", ".policy" };
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		snprintf(file, sizeof(file), "./%.200s%s", name, endings[i]);
		if (access(file, F_OK) == 0) {
			cli_note(
				cli,
				"the current directory is never searched; if you mean the file here, write %s",
				file);
			break;
		}
	}
	return CLI_UNREACHABLE;
}

/* ---- ruling 10: the policy's own files are out of the child's reach ---- */

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

static int forbid(struct policy *policy, const char *path)
{
	AUTO_FREE char *absolute = NULL;
	AUTO_FREE char *resolved = NULL;
	if (path_is_special(path))
		return 0;
	if (path[0] != '/') {
		AUTO_FREE char *cwd = getcwd(NULL, 0);
		if (!cwd)
			return -errno;
		if (asprintf(&absolute, "%s/%s", cwd, path) < 0)
			return -ENOMEM;
	}
	int error = env_resolve(NULL, absolute ? absolute : path, &resolved);
	return error ? error : policy_forbid(policy, resolved, !read_is_named(policy, resolved));
}

static int forbid_own(struct policy *policy, const char *audit_file)
{
	int error = 0;
	for (size_t i = 0; i < policy->n_files && !error; i++) {
		AUTO_FREE char *drop_ins = NULL;
		error = forbid(policy, policy->files[i].path);
		if (!error && policy->files[i].main && asprintf(&drop_ins, "%s.d", policy->files[i].path) < 0)
			error = -ENOMEM;
		if (!error && drop_ins)
			error = forbid(policy, drop_ins);
	}
	return error || !audit_file ? error : forbid(policy, audit_file);
}

const char *cli_audit_file(const struct policy *policy, const char *file)
{
	const struct policy_setting *setting = policy_setting(policy, "audit", "log");
	if (file)
		return file;
	return setting && setting->n_words ? setting->words[0] : NULL;
}

/* ---- a file with one statement more ---- */

static int added_read(void *ctx, const char *path, char **text, size_t *len)
{
	const struct load_added *added = ctx;
	char *original;
	size_t n;
	int error = added->env->read(added->env->ctx, path, &original, &n);
	if (error || strcmp(path, added->path) != 0) {
		*text = error ? NULL : original;
		*len = error ? 0 : n;
		return error;
	}
	struct text longer = { 0 };
	text_add(&longer, original, n);
	text_addf(&longer, "\n%s\n", added->statement);
	free(original);
	*len = longer.len;
	*text = text_take(&longer);
	return 0;
}

static int added_list(void *ctx, const char *path, char ***names, size_t *n)
{
	const struct load_added *added = ctx;
	return added->env->list(added->env->ctx, path, names, n);
}

static int added_resolve(void *ctx, const char *path, char **resolved)
{
	const struct load_added *added = ctx;
	return added->env->resolve(added->env->ctx, path, resolved);
}

static int added_predicate(void *ctx, const char *what, const char *op, const char *value)
{
	const struct load_added *added = ctx;
	return added->env->predicate(added->env->ctx, what, op, value);
}

static int added_exists(void *ctx, const char *path)
{
	const struct load_added *added = ctx;
	return added->env->exists(added->env->ctx, path);
}

void load_add(struct load_added *added, struct policy_env *world, const struct policy_env *env,
	      const char *path, const char *statement)
{
	*added = (struct load_added){ .env = env, .path = path, .statement = statement };
	*world = *env;
	world->ctx = added;
	world->read = added_read;
	world->list = added_list;
	world->resolve = added_resolve;
	world->predicate = added_predicate;
	world->exists = env->exists ? added_exists : NULL;
}

/* ---- loading ---- */

int load_file(const char *path, const char *audit_file, const struct policy_env *env, struct policy **policy,
	      struct policy_diags *diags)
{
	int error = policy_load(policy, env, path, diags);
	return error ? error : forbid_own(*policy, cli_audit_file(*policy, audit_file));
}

json_t *json_text(const char *text)
{
	/* json_string() refuses what is not UTF-8. */
	char *escaped = cli_escape(text, strlen(text));
	json_t *string = json_string(escaped);
	free(escaped);
	return string;
}

json_t *load_diag_json(const struct policy *policy, const struct policy_diag *diag)
{
	static const char *const severities[] = { "error", "warning", "note" };
	json_t *object = json_pack("{s:s, s:s, s:i, s:i, s:o}", "severity", severities[diag->severity],
				   "code", diag->code, "line", (int)diag->pos.line, "col", (int)diag->pos.col,
				   "message", json_text(diag->message));
	if (policy && diag->pos.file < policy->n_files)
		json_object_set_new(object, "file", json_text(policy->files[diag->pos.file].path));
	if (diag->help)
		json_object_set_new(object, "help", json_text(diag->help));
	return object;
}

static void print_errors_json(const struct policy *policy, const char *verb, const struct policy_diags *diags,
			      int status)
{
	json_t *list = json_array();
	for (size_t i = 0; i < diags->n; i++)
		json_array_append_new(list, load_diag_json(policy, &diags->list[i]));
	json_t *root = json_pack("{s:i, s:s, s:o, s:i}", "schema", 1, "verb", verb, "diagnostics", list,
				 "status", status);
	json_dumpf(root, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(root);
}

int cli_load_with(const struct cli *cli, const char *name, const struct cli_load *load,
		  struct policy_env *env, struct policy **policy)
{
	static const struct cli_load plain;
	struct policy_diags diags = { 0 };
	AUTO_FREE char *path = NULL;
	*policy = NULL;
	load = load ? load : &plain;
	int error = cli_find_policy(name, &path);
	if (error == -ENOENT)
		return say_missing(cli, name);
	if (error) {
		cli_error(cli, "'%s' cannot be the name of a policy", name);
		return CLI_UNREACHABLE;
	}
	env->vars = load->vars ? load->vars->list : NULL;
	env->n_vars = load->vars ? load->vars->n : 0;
	env->mode_log = load->mode_log;
	error = load_file(path, load->audit_file, env, policy, &diags);
	if (error && cli->json && load->json)
		print_errors_json(*policy, load->json, &diags,
				  error == -EINVAL ? CLI_POLICY : CLI_UNREACHABLE);
	if (error || !load->diags) {
		if (diags.n && (error || !cli->quiet))
			policy_diags_print(&diags, *policy, stderr, cli->color_err);
		if (error && !diags.errors)
			cli_error(cli, "cannot read policy %s: %s", path, strerror(-error));
	}
	if (!error && load->diags)
		*load->diags = diags;
	else
		policy_diags_free(&diags);
	if (!error)
		return CLI_OK;
	policy_free(*policy);
	*policy = NULL;
	return error == -EINVAL ? CLI_POLICY : CLI_UNREACHABLE;
}

int cli_load_policy(const struct cli *cli, const char *name, const struct cli_load *load,
		    struct policy **policy)
{
	struct env env;
	struct policy_env policy_env;
	env_init(&env, &policy_env);
	return cli_load_with(cli, name, load, &policy_env, policy);
}
