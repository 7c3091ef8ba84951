/* What syscalls.c tells the filter compiler about the rules that name a call. */
#ifndef USHER_SYSCALL_RULES_H
#define USHER_SYSCALL_RULES_H

#include "cubes.h"

/* The argument sets of the I-th rule with conditions about NR; NULL where any value will do. Returns the
 * rule, NULL past the last. */
const struct policy_rule *syscall_conditions(const struct policy *policy, int nr, size_t i,
					     const struct cubes *sets[6]);
/* What holds for NR where no rule with conditions matches. */
struct policy_verdict syscall_base_verdict(const struct policy *policy, int nr, bool would);
/* Does this call stay allowed unless a rule that names it kills for it? */
bool syscall_vital(int nr);
/* VERDICT with that taken into account. */
struct policy_verdict syscall_spare(struct policy_verdict verdict, int nr);

#endif
