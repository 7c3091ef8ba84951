/*
 * Making mounts, in a body (body.h) that joins the program's mount namespace. What was decided is done with what was pinned: no path is
 * looked up again. Each returns 0 with the reply set, or -errno, with req->refused_by where usher refuses; then no mount is left.
 */
#ifndef USHER_CALLS_MOUNT_MAKE_H
#define USHER_CALLS_MOUNT_MAKE_H

#include "request.h"

/* FORCE: MOUNT_BIT()s. RULE: the one that allows it, or NULL. */
int mount_make_new(struct request *req, uint32_t force, const struct policy_rule *rule);
int mount_make_bind(struct request *req, uint32_t force, bool idmap);
int mount_make_move(struct request *req);
int mount_make_again(struct request *req, uint32_t force, bool whole);
/* The options and sb flags of REQ for the file system of PIN, in the program's namespace. */
int mount_make_configured(const struct request *req, int pin);
int mount_make_private(struct request *req);
int mount_make_end(struct request *req, int flags);
int mount_make_pivot(struct request *req);
/* The old root that lies over the new one. */
int mount_make_old_root_end(struct request *req);
/* The node that nobody can make in a user namespace: a file, and the machine's own one of those that every container has over it. Not in a
 * body: by a thread that has the target's credentials on. */
int mount_make_node(struct request *req, dev_t device);
/* Was PIN answered so, and has MODE? */
bool mount_node_has(const struct request *req, int pin, mode_t mode);
/* What the mount of FD forbids: MOUNT_BIT()s. */
uint32_t mount_make_restrictions(int fd);

#endif
