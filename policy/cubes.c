#include <errno.h>
#include <stdlib.h>

#include "cubes.h"

bool cubes_contain(const struct cubes *set, uint64_t value)
{
	for (size_t i = 0; i < set->n; i++) {
		if ((value & set->list[i].mask) == set->list[i].value)
			return true;
	}
	return false;
}

/* How the members of SET lie to PART: 1: one of them contains it; 0: none meets it; -1: neither, and *OPEN
 * gets the bits that some member still looks at. */
static int set_covers(const struct cubes *set, struct policy_mask part, uint64_t *open)
{
	int covers = 0;

	for (size_t i = 0; i < set->n; i++) {
		if (((set->list[i].value ^ part.value) & set->list[i].mask & part.mask) != 0)
			continue;
		if ((set->list[i].mask & ~part.mask) == 0)
			return 1;
		*open |= set->list[i].mask & ~part.mask;
		covers = -1;
	}
	return covers;
}

static int meet_split(struct cubes *out, const struct cubes *a, const struct cubes *b, struct policy_mask part,
		      unsigned *visits)
{
	uint64_t open = 0;
	int in_a = set_covers(a, part, &open), in_b = set_covers(b, part, &open), err;

	if (in_a == 0 || in_b == 0)
		return 0;
	if (in_a == 1 && in_b == 1) {
		if (out->n == CUBES_MAX)
			return -E2BIG;
		out->list[out->n++] = part;
		return 0;
	}
	if (--*visits == 0)
		return -E2BIG;
	open = UINT64_C(1) << (63 - __builtin_clzll(open));
	part.mask |= open;
	err = meet_split(out, a, b, part, visits);
	part.value |= open;
	return err < 0 ? err : meet_split(out, a, b, part, visits);
}

/* By splitting and not by multiplying: "not this and not that" stays some 64 cubes instead of 64 times 64. */
int cubes_meet(struct cubes *out, const struct cubes *a, const struct cubes *b)
{
	const struct policy_mask anything = { 0 };
	unsigned visits = 64 * CUBES_MAX;
	bool copy = a->n == 1 && a->list[0].mask == 0;

	*out = (struct cubes){ 0 };
	if (b->n > CUBES_MAX)
		return -E2BIG;
	out->list = calloc(copy ? b->n + 1 : CUBES_MAX, sizeof(*out->list));
	if (out->list == NULL)
		return -ENOMEM;
	if (copy) {
		for (size_t i = 0; i < b->n; i++)
			out->list[out->n++] = b->list[i];
		return 0;
	}
	return meet_split(out, a, b, anything, &visits);
}

/*
 * Is CUBE covered by the first N of LIST? Split on a bit that decides about some member until a member
 * contains what is left or none meets it. Members that do not meet the cube are moved behind the others;
 * the caller's order is lost, its set is not.
 */
static bool cube_covered(struct policy_mask cube, struct policy_mask *list, size_t n, unsigned long *budget)
{
	uint64_t open = 0, bit;
	struct policy_mask half = cube;

	for (size_t i = 0; i < n;) {
		if (*budget == 0)
			return false;
		--*budget;
		if (((list[i].value ^ cube.value) & list[i].mask & cube.mask) != 0) {
			struct policy_mask apart = list[i];

			list[i] = list[--n];
			list[n] = apart;
			continue;
		}
		if ((list[i].mask & ~cube.mask) == 0)
			return true;
		if (open == 0)
			open = list[i].mask & ~cube.mask;
		i++;
	}
	if (n == 0)
		return false;
	bit = UINT64_C(1) << (63 - __builtin_clzll(open));
	half.mask |= bit;
	if (!cube_covered(half, list, n, budget))
		return false;
	half.value |= bit;
	return cube_covered(half, list, n, budget);
}

bool cubes_within(const struct cubes *a, const struct cubes *b, unsigned long *budget)
{
	struct policy_mask *list = calloc(b->n + 1, sizeof(*list));
	bool within = list != NULL;

	for (size_t i = 0; within && i < b->n; i++)
		list[i] = b->list[i];
	for (size_t i = 0; within && i < a->n; i++)
		within = cube_covered(a->list[i], list, b->n, budget);
	free(list);
	return within;
}

void cubes_free(struct cubes *set)
{
	free(set->list);
	*set = (struct cubes){ 0 };
}
