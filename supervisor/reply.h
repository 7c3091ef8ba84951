/* The answer of a request. */
#ifndef USHER_REPLY_H
#define USHER_REPLY_H

#include "request.h"

/* Gives REQ's target what req->reply says, once. Nobody else writes to a target or answers it. */
void reply_send(struct request *req);

#endif
