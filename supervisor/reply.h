/* The answer of a request. */
#ifndef USHER_REPLY_H
#define USHER_REPLY_H

#include "request.h"

/* Nobody else writes to a target or answers it. */

/* What goes before the answer: memory is written, the descriptor is there. What fails is the answer instead. */
void reply_ready(struct request *req);
/* Releases REQ, and gives its target what req->reply says, once. */
void reply_send(struct request *req);

#endif
