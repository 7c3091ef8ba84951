/* Calls that change credentials: let go on, and what was known of the thread is read again. */
#ifndef USHER_CALLS_CRED_H
#define USHER_CALLS_CRED_H

#include "request.h"

int cred_changed_serve(struct request *req);

/*
 * Calls that change a process by its number: what is not of the sandbox is not changed, the supervisor first of all. A limit on CPU
 * time is a SIGKILL, one on descriptors would leave the guardian blind, and the lowest priority keeps both from running.
 */
int prlimit_serve(struct request *req);
/* Two processes are compared; the kernel asks as for ptrace. */
int kcmp_serve(struct request *req);
/* setpriority and ioprio_set. */
int prio_serve(struct request *req);
/* The number is the first argument. */
int process_serve(struct request *req);

#endif
