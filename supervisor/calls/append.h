/* What a descriptor that may only append must not do: judged as writing to its path. */
#ifndef USHER_CALLS_APPEND_H
#define USHER_CALLS_APPEND_H

#include "request.h"

int append_fetch(struct request *req);
int append_judge(struct request *req);
int ftruncate_serve(struct request *req);
int fallocate_serve(struct request *req);
int setfl_serve(struct request *req);
void append_release(struct request *req);

#endif
