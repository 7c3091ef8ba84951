/* A call as the accesses that evidence is made of. */
#ifndef USHER_DESCRIBE_H
#define USHER_DESCRIBE_H

#include "access.h"
#include "request.h"

/* Before the reply: what will not be there afterwards. */
void describe_look(struct request *req);
/* FN for each access that REQ was: none, if no policy could say anything about it. What it is given is borrowed. */
typedef void describe_fn(void *ctx, const struct access *access);
void describe_each(const struct request *req, describe_fn *fn, void *ctx);

#endif
