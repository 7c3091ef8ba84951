/* Between the parts of the filter compiler: what the filter answers to one call. */
#ifndef USHER_FILTER_CALL_H
#define USHER_FILTER_CALL_H

#include <linux/audit.h>

#include "filter.h"

#ifdef __x86_64__
#define FILTER_ARCH AUDIT_ARCH_X86_64
#else
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#endif

/* The answer RET for arguments that lie in all of ARGS. */
struct filter_cube {
	struct policy_mask args[6];
	uint32_t ret;
};

/* One call: disjoint cubes, and the answer for the rest. Two cubes hold equal or disjoint conditions on the
 * first 32-bit word they differ in, words being ordered by argument, the high half first. */
struct filter_call {
	int nr;
	uint32_t rest;
	struct filter_cube *cubes;
	size_t n;
};

/* What becomes of a decision of the policy: SECCOMP_RET_ALLOW is "nothing to do". NEVER: the call must not
 * be notified if it is to go on. */
uint32_t filter_policy_answer(const struct policy_decision *decision, bool never);
/* Is this such a call? */
bool filter_never_notify(const struct filter_row *rows, size_t n_rows, int nr);
/* Is row A of FILTER_FIRST preferred to row B? */
bool filter_first_wins(const struct filter_row *a, const struct filter_row *b);

/* Splits the arguments of NR until each part has one answer. 0, -E2BIG or -ENOMEM; free CALL->cubes. */
int filter_call_split(struct filter_call *call, const struct policy *policy, const struct filter_row *rows,
		      size_t n_rows, int nr);

#endif
