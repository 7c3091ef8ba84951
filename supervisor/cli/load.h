/* Loading in a world of the caller's. */
#ifndef USHER_LOAD_H
#define USHER_LOAD_H

#include "cli.h"

/* As cli_load_policy(), with ENV for the files. */
int cli_load_with(const struct cli *cli, const char *name, const struct cli_load *load,
		  struct policy_env *env, struct policy **policy);

/* The file PATH without a word: 0 or -errno; *POLICY is set either way, and is to be freed. */
int load_file(const char *path, const char *audit_file, const struct policy_env *env, struct policy **policy,
	      struct policy_diags *diags);

/* Closes the files AUDIT and RECORD, either of which may be NULL, to the child as the policy's own are. 0 or -errno. */
int load_forbid(struct policy *policy, const char *audit, const char *record, struct policy_diags *diags);

/* Whoever is told of alerts, as SAID says: the command is not changed, the socket not reached. 0 or -errno. */
int load_forbid_alert(struct policy *policy, const struct policy *said);

#endif
