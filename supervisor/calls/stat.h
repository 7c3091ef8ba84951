/* stat, access, readlink and statfs families. */
#ifndef USHER_CALLS_STAT_H
#define USHER_CALLS_STAT_H

#include "request.h"

#ifdef __x86_64__
int stat_fetch(struct request *req);
int lstat_fetch(struct request *req);
int access_fetch(struct request *req);
int readlink_fetch(struct request *req);
#endif
int newfstatat_fetch(struct request *req);
int statx_fetch(struct request *req);
/* stat of whatever a path names; nothing of a descriptor that is open already. */
int stat_judge(struct request *req);
int stat_serve(struct request *req);

int faccessat_fetch(struct request *req);
int faccessat2_fetch(struct request *req);
int access_serve(struct request *req);

int readlinkat_fetch(struct request *req);
int readlink_serve(struct request *req);

int statfs_fetch(struct request *req);
int statfs_serve(struct request *req);

#endif
