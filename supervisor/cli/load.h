/* Loading in a world of the caller's. */
#ifndef USHER_LOAD_H
#define USHER_LOAD_H

#include <jansson.h>

#include "cli.h"

/* As cli_load_policy(), with ENV for the files: why loads what a policy would be with one rule more. */
int cli_load_with(const struct cli *cli, const char *name, const struct cli_load *load,
		  struct policy_env *env, struct policy **policy);

/* The file PATH without a word: 0 or -errno; *POLICY is set either way, and is to be freed. */
int load_file(const char *path, const char *audit_file, const struct policy_env *env, struct policy **policy,
	      struct policy_diags *diags);
/* ENV with STATEMENT added at the end of the file PATH; the place means nothing in the language. ADDED must
 * outlive WORLD. */
struct load_added {
	const struct policy_env *env;
	const char *path, *statement;
};
void load_add(struct load_added *added, struct policy_env *world, const struct policy_env *env,
	      const char *path, const char *statement);
/* DIAG as an object of `--json`. TEXT as a JSON string; what is not UTF-8 is escaped. */
json_t *load_diag_json(const struct policy *policy, const struct policy_diag *diag);
json_t *json_text(const char *text);

#endif
