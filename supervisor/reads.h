/* Opens that only read, left to the kernel where it decides about them as the policy does. */
#ifndef USHER_READS_H
#define USHER_READS_H

#include "landlock.h"
#include "plan.h"

/* Sets .reads, or .reads_why and .reads_rule, after landlock_rights(). 0 or -ENOMEM. */
int reads_decide(struct plan *plan);
/* The program is given a unix socket of somebody else's: in a view Landlock then keeps it from what a directory that comes over it holds. */
void reads_receive(struct plan *plan);
/* Adds what Landlock must let be read. 0 or -ENOMEM. */
int reads_trees(const struct plan *plan, struct landlock_trees *trees);
/* Adds the links that rules name, so that they may be read. 0 or -ENOMEM. */
int reads_links(const struct plan *plan, struct landlock_trees *links);
/* TREES let something else be read than those for which PLAN's .reads was proved: -EAGAIN, where READS_TREES is at stake. 0 or -errno. */
int reads_check(const struct plan *plan, const struct landlock_trees *trees);
/* Do both leave the same to the kernel? */
bool reads_same(const struct plan *a, const struct plan *b);

#endif
