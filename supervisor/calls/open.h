/* open, creat, openat, openat2: open_how.c knows what is asked for, open.c judges and serves it. */
#ifndef USHER_CALLS_OPEN_H
#define USHER_CALLS_OPEN_H

#include "filter.h"
#include "request.h"

struct filter_rows;
struct plan;

/* may_continue of open and openat: flags are a register, so that O_PATH is what the kernel sees again. */
#define OPEN_MAY_CONTINUE "O_PATH: a handle without access, and every later use of it is judged"

#ifdef __x86_64__
int open_fetch(struct request *req);
int creat_fetch(struct request *req);
int open_rows(const struct plan *plan, struct filter_rows *rows);
bool open_trapped(const struct plan *plan, const uint64_t *args);
#endif
int openat_fetch(struct request *req);
int openat2_fetch(struct request *req);
/* Those that only read are not trapped where the kernel decides about them (reads.h). */
int openat_rows(const struct plan *plan, struct filter_rows *rows);
bool openat_trapped(const struct plan *plan, const uint64_t *args);
int open_judge(struct request *req);
int open_serve(struct request *req);
int open_failed(struct request *req, int err);

#endif
