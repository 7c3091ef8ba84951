/* The inside of mount_make.c, mount_change.c and mount_node.c: into the program's mount namespace, and what is asked there. */
#ifndef USHER_CALLS_MOUNT_ENTER_H
#define USHER_CALLS_MOUNT_ENTER_H

#include <linux/capability.h>
#include <linux/mount.h>

#include "calls/mount.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)

extern const struct policy_rule mount_power_rule;

struct mount_call *mount_call_of(const struct request *req);
/* RULE, of usher's own, refuses REQ: -errno. */
int mount_refuse(struct request *req, const struct policy_rule *rule);
/* What a system call returned, or -errno. */
int mount_result(int got);

/* CAPS become effective on top of what is. 0 or -errno. */
int mount_power(uint64_t caps);
/* What the target has, and CAP_SYS_ADMIN. */
int mount_drop_power(const struct request *req);
/* Is the target in our namespace of that NAME ("ns/mnt")? What cannot be told is. */
bool mount_same_space(const struct request *req, const char *name);
/* Is this process in the initial user namespace? */
bool mount_initial_space(const struct request *req);
/* From here on this process, a body, is in the target's mount namespace, with all of CAP_SYS_ADMIN, CAP_SYS_CHROOT. 0 or -errno. */
int mount_enter(struct request *req);
/* The same with CAP_SYS_ADMIN alone; and something may be mounted upon TARGET. */
int mount_enter_to(struct request *req, int target);
/* The mount of that number is not shared, and if there is to be MORE, there is room. */
int mount_look_round(struct request *req, uint64_t place, bool more);

/* Puts MOUNT, which is detached or moves, upon TARGET, but never between what somebody looks at and takes away. */
int mount_attach(struct mounts *mounts, int mount, int target);
int mount_set_attr(int fd, bool recursive, struct mount_attr attr);
/* MOUNT_BIT()s as MOUNT_ATTR_*. */
uint64_t mount_attr_of(uint32_t flags);
/* As mountinfo counts; 0: unknown. */
uint64_t mount_number(int fd);

#endif
