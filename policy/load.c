/* Loading: the steps that parse.h names, from the text of a policy to what is compiled from it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "err.h"
#include "fd.h"
#include "parse.h"
#include "syscalls.h"

/* ---- variables ------------------------------------------------------------------------------ */

static bool name_good(const char *name)
{
	size_t len = strlen(name);
	return len && !(*name >= '0' && *name <= '9') &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

static void set_variables(struct loader *loader)
{
	const struct policy_env *env = loader->env;
	const struct policy_pos builtin = {.file = POLICY_BUILTIN};
	for (size_t i = 0; i < env->n_vars; i++) {
		const struct policy_var *var = &env->vars[i];
		if (!name_good(var->name) || !*var->value) {
			policy_diag_add(loader->diags, DIAG_ERROR, builtin, "--set %s=%s: %s", var->name, var->value,
					*var->value ? "this is no name of a variable" : "there is no value");
			continue;
		}
		struct definition *known = definition_find(&loader->variables, var->name, strlen(var->name));
		if (!known) {
			known = mem_push(&loader->variables.list, &loader->variables.n);
			*known = (struct definition){.name = text_copy(var->name), .pos = builtin,
						     .state = DEFINITION_DONE};
		}
		values_free(&known->values);
		for (const char *at = var->value;;) {
			size_t n = strcspn(at, ",");
			*mem_push(&known->values.v, &known->values.n) = (struct value){.glob = text_dup(at, n)};
			at += n;
			if (!*at++)
				break;
		}
	}
}

/* A slip in --set must not leave the variable that was meant as it is, unsaid. */
static void check_set(struct loader *loader)
{
	const struct definitions *variables = &loader->variables;
	for (size_t i = 0; i < variables->n; i++)
		if (variables->list[i].pos.file == POLICY_BUILTIN && !variables->list[i].used)
			policy_diag_add(loader->diags, DIAG_WARNING, variables->list[i].pos,
					"--set %s: the policy has no variable '$%s'", variables->list[i].name,
					variables->list[i].name);
}

static bool same_values(const struct values *a, const struct values *b)
{
	bool same = a->n == b->n;
	for (size_t i = 0; same && i < a->n; i++)
		same = strcmp(a->v[i].glob, b->v[i].glob) == 0;
	return same;
}

/* Two statements for one name would make the order of files matter, unless they say the same. */
static void check_definitions(struct loader *loader)
{
	struct definitions *variables = &loader->variables, *groups = &loader->groups;
	for (size_t i = 0; i < variables->n; i++)
		variable_values(loader, &variables->list[i]);
	for (size_t i = 0; i < variables->n; i++) {
		const struct definition *first = definition_find(variables, variables->list[i].name,
								 strlen(variables->list[i].name));
		const struct definition *second = &variables->list[i];
		if (first != second && !same_values(&first->values, &second->values))
			policy_diag_other(policy_diag_add(loader->diags, DIAG_ERROR, second->pos,
							  "'$%s' is set twice, to different values", second->name),
					  first->pos, "the first");
	}
	for (size_t i = 0; i < groups->n; i++) {
		const struct definition *second = &groups->list[i];
		size_t len = strlen(second->name), n = 0;
		const struct definition *first = definition_find(groups, second->name, len);
		AUTO_FREE int *members = syscall_group(second->name, len, &n);
		if (first != second)
			policy_diag_other(policy_diag_add(loader->diags, DIAG_ERROR, second->pos,
							  "there are two groups '%s'", second->name),
					  first->pos, "the first");
		else if (members || word_find(WORD_BIT(WORD_NETWORKS), second->name, len))
			policy_diag_add(loader->diags, DIAG_ERROR, second->pos, "'%s' is a group that usher has", second->name);
	}
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void load_dropins(struct loader *loader, const char *path)
{
	const struct policy_env *env = loader->env;
	if (!env->list)
		return;
	AUTO_FREE char *dir = text_printf("%s.d", path);
	struct strings names = {0};
	int err = env->list(env->ctx, dir, &names.v, &names.n);
	const struct policy_pos builtin = {.file = POLICY_BUILTIN};
	if (err && err != -ENOENT)
		policy_diag_add(loader->diags, DIAG_ERROR, builtin, "cannot read the directory '%s': %s", dir,
				strerror(-err));
	for (size_t i = 0; !err && i < names.n; i++) {
		AUTO_FREE char *file = path_join(dir, strlen(dir), names.v[i]);
		int64_t found = file_open(loader, file);
		if (found < 0) {
			policy_diag_add(loader->diags, DIAG_ERROR, builtin, "cannot read '%s': %s", file,
					strerror((int)-found));
			continue;
		}
		loader->dropin[found] = true;
		scan_file(loader, (uint32_t)found);
	}
	strings_free(&names);
}

static void loader_free(struct loader *loader)
{
	struct definitions *all[] = {&loader->variables, &loader->groups};
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		for (size_t j = 0; j < all[i]->n; j++) {
			free(all[i]->list[j].name);
			values_free(&all[i]->list[j].values);
		}
		free(all[i]->list);
	}
	for (size_t i = 0; i < loader->n_notes; i++)
		free(loader->notes[i].extra);
	for (size_t i = 0; i < loader->n_domains; i++) {
		free(loader->domains[i].name);
		free(loader->domains[i].inherits);
		free(loader->domains[i].visited);
	}
	for (size_t i = 0; i < loader->n_domain_settings; i++)
		setting_free(&loader->domain_settings[i]);
	free(loader->domain_settings);
	strings_free(&loader->domain_lines);
	free(loader->notes);
	free(loader->domains);
	free(loader->includes);
	free(loader->defaults);
	free(loader->visited);
	free(loader->dropin);
	free(loader->scanned);
}

static int compile(struct policy *policy, const struct policy_env *env, struct policy_diags *diags)
{
	int err = syscalls_compile(policy, diags);
	if (!err)
		err = engine_compile(policy, diags);
	for (size_t i = 0; !err && env->own_paths && env->own_paths[i]; i++)
		err = policy_forbid(policy, env->own_paths[i], true);
	return err;
}

static int load(struct policy **result, const struct policy_env *env, const char *path, char *text, size_t len,
		struct policy_diags *diags)
{
	static const struct policy_env nothing;
	struct policy *policy = mem_zero(sizeof(*policy));
	struct loader loader = {.policy = policy, .env = env ? env : &nothing, .diags = diags};
	size_t errors = diags->errors;
	*result = policy;
	env = loader.env;
	loader.visited = mem_zero(MAX_FILES);
	loader.dropin = mem_zero(MAX_FILES);
	loader.scanned = mem_zero(MAX_FILES * sizeof(*loader.scanned));

	bool named = text != NULL;
	int err = 0;
	if (!named)
		err = env->read ? env->read(env->ctx, path, &text, &len) : -ENOENT;
	if (!err && len > MAX_FILE_SIZE) {
		free(text);
		err = -EFBIG;
	}
	if (err) {
		loader_free(&loader);
		return err;
	}
	file_add(&loader, path, text, len, true);
	const char *name = policy->files[0].name;
	size_t name_len = strlen(name);
	policy->name = text_dup(name, name_len > 7 && strcmp(name + name_len - 7, ".policy") == 0 ? name_len - 7 : name_len);

	set_variables(&loader);
	scan_file(&loader, 0);
	if (!named)
		load_dropins(&loader, path);
	check_definitions(&loader);

	parse_file(&loader, 0, 0);
	for (uint32_t i = 1; i < policy->n_files; i++)
		if (loader.dropin[i] && !loader.visited[i])
			parse_file(&loader, i, 0);
	check_set(&loader);
	settle(&loader);
	loader_free(&loader);
	if (diags->errors == errors)
		err = compile(policy, env, diags);
	policy_diags_sort(diags);
	return err ? err : diags->errors == errors ? 0 : -EINVAL;
}

int policy_load(struct policy **policy, const struct policy_env *env, const char *path, struct policy_diags *diags)
{
	return load(policy, env, path, NULL, 0, diags);
}

int policy_load_text(struct policy **policy, const struct policy_env *env, const char *name, const char *text, size_t len,
		     struct policy_diags *diags)
{
	return load(policy, env, name, text_dup(text, len), len, diags);
}
