/* What difference.c, difference_peers.c and difference_mounts.c share. */
#ifndef USHER_DIFFERENCE_STATE_H
#define USHER_DIFFERENCE_STATE_H

#include "difference.h"

/* How the decisions differ, as a copy of *NEW in ALL, or what is there already with the same rules. NULL: they do not, or there is no room. */
struct difference *difference_note(struct differences *all, struct difference *new, const struct policy_decision *before,
				   const struct policy_decision *after);
int differences_peers(struct differences *all, const struct policy *a, const struct policy *b);
int differences_mounts(struct differences *all, const struct policy *a, const struct policy *b);

#endif
