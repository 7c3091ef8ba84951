/* What a mount must not do, whatever the mount rules say. */
#ifndef USHER_CALLS_MOUNT_OPENS_H
#define USHER_CALLS_MOUNT_OPENS_H

#include "request.h"

/* Nothing is mounted over what usher itself relies on. 0, or -errno with req->refused_by. */
int mount_check_place(struct request *req);
/* A new root changes nothing that rules say. The same. */
int mount_check_pivot(struct request *req);
/* What is mounted with the flags FORCE (MOUNT_BIT()s) opens nothing by its new name. The same. */
int mount_check_opens(struct request *req, uint32_t force);

#endif
