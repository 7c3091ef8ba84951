/*
 * The one path a call takes:
 *   receive -> fetch -> still the same target? -> resolve -> decide -> stage -> serve -> reply -> record
 */
#ifndef USHER_BROKER_H
#define USHER_BROKER_H

#include "request.h"

/* Handles REQ, whose .notif was just received and .worker is this thread's. True when it was answered, and ended; false when it is
 * parked: someone will call crew_finish(). */
bool broker_handle(struct request *req);
/* The end of a parked request, on a serving thread: RESULT is what it waited for. False when it was parked again. Without
 * req->park (the exec gate): 0 means that the call was answered, anything else is the answer. */
bool broker_finish(struct request *req, int result);

#endif
