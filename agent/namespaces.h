#ifndef USHER_NAMESPACES_H
#define USHER_NAMESPACES_H

#include "agent.h"

/* In the child, before it gives up anything. The stage is announced by the caller; 0 or -errno. */
int namespaces_network(const struct agent_plan *plan);
int namespaces_mounts(const struct agent_plan *plan);
int namespaces_proc(const struct agent_plan *plan);
int namespaces_view(const struct agent_plan *plan);

#endif
