/* open, creat, openat, openat2. */
#ifndef USHER_CALLS_OPEN_H
#define USHER_CALLS_OPEN_H

#include "request.h"

/* may_continue of open and openat: flags are a register, so that O_PATH is what the kernel sees again. */
#define OPEN_MAY_CONTINUE "O_PATH: a handle without access, and every later use of it is judged"

#ifdef __x86_64__
int open_fetch(struct request *req);
int creat_fetch(struct request *req);
#endif
int openat_fetch(struct request *req);
int openat2_fetch(struct request *req);
int open_judge(struct request *req);
int open_serve(struct request *req);
int open_failed(struct request *req, int err);

#endif
