/* Opens that only read, left to the kernel where it decides about them as the policy does. */
#ifndef USHER_OFFLOAD_H
#define USHER_OFFLOAD_H

#include "landlock.h"
#include "plan.h"

/* Sets .offload, or .offload_why and .offload_rule, after landlock_rights(). 0 or -ENOMEM. */
int offload_decide(struct plan *plan);
/* Adds what Landlock must let be read. 0 or -ENOMEM. */
int offload_trees(const struct plan *plan, struct landlock_trees *trees);
/* Do both leave the same to the kernel? */
bool offload_same(const struct plan *a, const struct plan *b);

#endif
