/*
 * Sets of 64-bit values as unions of cubes. A cube is a masked equality: the values V with
 * (V & mask) == value. It is the only shape that seccomp filters compare exactly with little code, and it is
 * closed under intersection; ranges, != and lists are unions of few cubes.
 */
#ifndef USHER_CUBES_H
#define USHER_CUBES_H

#include "policy.h"

struct cubes {
	struct policy_mask *list;
	size_t n;
};

#define CUBES_MAX 4096

bool cubes_contain(const struct cubes *set, uint64_t value);
/* The intersection of A and B into OUT, which is to be freed in any case. 0, -E2BIG (CUBES_MAX) or -ENOMEM. */
int cubes_meet(struct cubes *out, const struct cubes *a, const struct cubes *b);
/* Is every value of A in B? Exact, but false as soon as *BUDGET, which counts down, is used up. */
bool cubes_within(const struct cubes *a, const struct cubes *b, unsigned long *budget);
void cubes_free(struct cubes *set);

#endif
