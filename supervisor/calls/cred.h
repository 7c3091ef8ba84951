/* Calls that change credentials: let go on, and what was known of the thread is read again. */
#ifndef USHER_CALLS_CRED_H
#define USHER_CALLS_CRED_H

#include "request.h"

int cred_changed_serve(struct request *req);

/* prlimit64 of another process: a limit on CPU time is a SIGKILL, one on descriptors would leave the guardian blind. */
int prlimit_serve(struct request *req);

#endif
