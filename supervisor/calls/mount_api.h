/* The mount API of descriptors: mount_context.c for file systems, mount_api.c for the rest. */
#ifndef USHER_CALLS_MOUNT_API_H
#define USHER_CALLS_MOUNT_API_H

#include "calls/mount.h"
#include "placeholders.h"

int fsopen_fetch(struct request *req);
int fsopen_serve(struct request *req);
int fsconfig_fetch(struct request *req);
int fsconfig_serve(struct request *req);
int fsmount_fetch(struct request *req);
int fsmount_serve(struct request *req);
int fspick_fetch(struct request *req);
int fspick_serve(struct request *req);
int open_tree_fetch(struct request *req);
int open_tree_attr_fetch(struct request *req);
int open_tree_serve(struct request *req);
int mount_setattr_fetch(struct request *req);
int mount_setattr_serve(struct request *req);
int move_mount_fetch(struct request *req);
int move_mount_serve(struct request *req);
int mount_api_judge(struct request *req);
void mount_api_release(struct request *req);

/* ---- inside ---- */

/* A call of nothing yet. UNKNOWN: the flags that it must not have. */
int mount_api_begin(struct request *req, unsigned unknown, struct mount_call **call);
/* The placeholder of descriptor NUMBER, which must be of that KIND, belongs to this call until it ends: call.held. */
int mount_api_hold(struct request *req, int number, enum placeholder_kind kind);
/* The next name is what PIN is. */
int mount_api_name(struct request *req, int pin);
int mount_api_reply(struct request *req, const struct placeholder *new, bool cloexec);
/* What CONTEXT was told becomes the call's options. */
int mount_api_options(struct request *req, const struct placeholder *context);
/* MOUNT_ATTR_* as MOUNT_BIT()s; may they be asked for? */
uint32_t mount_api_bits(uint64_t attr);
int mount_api_check(uint64_t attr);

#endif
