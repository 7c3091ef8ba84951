/* --user U[:G]. */
#ifndef USHER_RUN_USER_H
#define USHER_RUN_USER_H

#include <sys/types.h>

#include "cli.h"

struct run_user {
	bool set;
	uid_t uid;
	gid_t gid;
	gid_t *groups;		/* owned */
	size_t n_groups;
	char *name, *home;	/* owned; NULL for a number without an entry */
};

/* SPEC is a name or number, with a group or without one. 0, or CLI_RUN_FAILED after a message. */
int run_user_parse(struct run_user *user, const char *spec, const struct cli *cli);
void run_user_free(struct run_user *user);

#endif
