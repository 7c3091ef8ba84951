/* chmod, chown, utime and truncate, by path and by descriptor. */
#ifndef USHER_CALLS_ATTR_H
#define USHER_CALLS_ATTR_H

#include "request.h"

#ifdef __x86_64__
int chmod_fetch(struct request *req);
int chown_fetch(struct request *req);
int lchown_fetch(struct request *req);
int utime_fetch(struct request *req);
int utimes_fetch(struct request *req);
int futimesat_fetch(struct request *req);
#endif
/* .ops of the row, or nothing when a descriptor of something without a name is meant. */
int attr_judge(struct request *req);
int truncate_judge(struct request *req);

int fchmod_fetch(struct request *req);
int fchmodat_fetch(struct request *req);
int fchmodat2_fetch(struct request *req);
int chmod_serve(struct request *req);

int fchown_fetch(struct request *req);
int fchownat_fetch(struct request *req);
int chown_serve(struct request *req);

int utimensat_fetch(struct request *req);
int utime_serve(struct request *req);

int truncate_fetch(struct request *req);
int truncate_serve(struct request *req);

#endif
