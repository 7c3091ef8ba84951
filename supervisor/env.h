/* The world that policies are loaded in: real files, real links, this machine. */
#ifndef USHER_ENV_H
#define USHER_ENV_H

#include <sys/types.h>

#include "policy.h"

/* Whom `when user` and `when cap` ask about. */
struct env {
	uid_t uid;
	uint64_t capabilities; /* what the child will have, unless limits { capabilities } says otherwise */
	const char *added_to, *added; /* if set: a file that is read with this statement at its end */
};

/* Fills ENV with the calling process's identity and POLICY_ENV with the callbacks; ENV must outlive it. The
 * caller adds vars, mode_log and own_paths. */
void env_init(struct env *env, struct policy_env *policy_env);

/* As the callback, for others who look at real files. 0 or -errno. */
int env_resolve(void *ctx, const char *path, char **resolved);

/* env_resolve() that calls FN (if not NULL) with the path of each symlink that was followed, for beneath. */
typedef void env_link_fn(void *ctx, const char *link, size_t len);
int env_walk(const char *path, env_link_fn *fn, void *ctx, char **resolved);

#endif
