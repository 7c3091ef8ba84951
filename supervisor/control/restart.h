/*
 * What of a policy a running tree cannot have: its filter, its Landlock domain, its limits and what paths mean to it
 * are as they were at launch.
 *
 * Where the tree would be less confined than the policy says, the policy is refused: what `ps` shows is enforced. Where the tree
 * stays more confined, the policy is taken and the difference is said. The second layer is the exception: Landlock can only be tightened from
 * inside, so a policy that was launched loose and has moved on has the broker and the exec gate alone, and that is said too.
 */
#ifndef USHER_RESTART_H
#define USHER_RESTART_H

#include "child_limits.h"
#include "plan.h"

#define RESTART_MAX 16

struct restart {
	char *lines[RESTART_MAX];	/* for people: one difference each */
	size_t n;
	bool refused;			/* one of them makes the tree looser than the policy says */
};

/* Compares NEXT with LAUNCHED and changes NEXT to what can be had: what is brokered already stays brokered. 0 or -errno. */
int restart_find(struct restart *restart, const struct plan *launched, struct plan *next);
/* What a shadow policy is not asked about. */
void restart_unseen(struct restart *restart, const struct plan *launched);
void restart_free(struct restart *restart);

#endif
