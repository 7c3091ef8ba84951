/* The subordinate ids of a user (subuid(5), subgid(5)), for a user namespace. */
#ifndef USHER_RUN_SUBIDS_H
#define USHER_RUN_SUBIDS_H

#include <sys/types.h>

/* Maps in the user namespace of PID the caller to root, and behind it, from 1 on, all ids that it has been given. To be called from outside
 * of that, in a process of its own: it runs newuidmap(1) and newgidmap(1). 0 or -errno; -ENOENT: there are no such programs, -ESRCH: the
 * user has none. */
int subids_map(pid_t pid, uid_t uid, gid_t gid);

#endif
