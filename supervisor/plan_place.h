/* Where a rule is enforced, and why there. */
#ifndef USHER_PLAN_PLACE_H
#define USHER_PLAN_PLACE_H

#include "plan.h"

struct plan_place {
	const char *layer, *why;	/* .why as long as PLAN lives */
	const struct policy_rule *because;	/* on account of which it is not a cheaper layer; NULL: on no other rule's */
	bool alone;		/* .why is what keeps it from being Landlock's alone */
};

struct plan_place plan_place(const struct plan *plan, const struct policy_rule *rule);

#endif
