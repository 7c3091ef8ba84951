/* getdents(2) where a policy hides names. */
#ifndef USHER_CALLS_LIST_H
#define USHER_CALLS_LIST_H

#include "request.h"

/* Some rule or default lets stat answer ENOENT. */
bool list_hides(const struct policy *policy);

int list_fetch(struct request *req);
void list_release(struct request *req);
int list_serve(struct request *req);

#endif
