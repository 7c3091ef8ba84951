/* What the machine shows already of what a mount of cgroups would show. */
#ifndef USHER_CALLS_MOUNT_VIEWS_H
#define USHER_CALLS_MOUNT_VIEWS_H

#include "request.h"
#include "text.h"

bool mount_views_any(const char *fstype);
/* Pairs: a path that there is, and what it is called below where FSTYPE is to be mounted: "" or "/x". On the supervisor's own thread. 0, or -errno. */
int mount_views_read(const struct request *req, const char *fstype, struct strings *views);

#endif
