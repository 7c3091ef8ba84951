/* What the child gives up before it becomes the program. Raw calls, one thread, no memory. */
#ifndef USHER_PRIVILEGES_H
#define USHER_PRIVILEGES_H

#include "agent.h"

/* Limits, then user and groups, capabilities and no_new_privs (but see .new_privileges). 0 or -errno. */
int privileges_limit(const struct agent_plan *plan);
int privileges_drop(const struct agent_plan *plan);

#endif
