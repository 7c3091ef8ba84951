/* usher run --unshare: namespaces of its own for the program. */
#ifndef USHER_RUN_UNSHARE_H
#define USHER_RUN_UNSHARE_H

#include "cli.h"

struct run;

/* LIST, as "user,mnt,pid", is added to *NAMESPACES (CLONE_NEW*). 0, or CLI_RUN_FAILED after a message. */
int run_unshare_parse(int *namespaces, const char *list, const struct cli *cli);
/* The supervisor's part (agent/namespaces.c has the rest). Before anything looks at our credentials, and with one thread. The same. */
int run_unshare(struct run *run);

#endif
