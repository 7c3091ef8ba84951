/* Calls that change credentials: let go on, and what was known of the thread is read again. */
#ifndef USHER_CALLS_CRED_H
#define USHER_CALLS_CRED_H

#include "request.h"

int cred_changed_serve(struct request *req);

#endif
