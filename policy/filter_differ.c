/*
 * Two policies, one filter that is installed already: which calls would need another one?
 *
 * Both policies are compiled to parts of the arguments with one answer each; where a part of the one meets a part of
 * the other, the two answers are compared. Whether something lies outside of all cubes, the rest, is decided by splitting a
 * box along the cubes until nothing or a box that meets none is left; when the budget ends that, it counts as
 * meeting: the worst of it is a restart that was not needed.
 */
#include <errno.h>
#include <stdlib.h>

#include "filter_call.h"
#include "syscalls.h"

#define OUTSIDE_BUDGET 20000U

struct side {
	const struct policy *policy;
	const struct filter_row *rows;
	size_t n_rows;
	struct filter_call call;
};

static bool boxes_meet(const struct policy_mask a[6], const struct policy_mask b[6])
{
	for (unsigned i = 0; i < 6; i++)
		if ((a[i].value ^ b[i].value) & a[i].mask & b[i].mask)
			return false;
	return true;
}

/* An argument with a bit that B looks at and A leaves open, or 6: A lies in B. */
static unsigned box_open(const struct policy_mask a[6], const struct policy_mask b[6])
{
	unsigned i = 0;

	while (i < 6 && !(b[i].mask & ~a[i].mask))
		i++;
	return i;
}

/* Is any of BOX in none of the cubes of the two calls from the AT-th on? */
static bool outside(const struct policy_mask box[6], const struct filter_call *calls[2], size_t at, unsigned *budget)
{
	struct policy_mask part[6];

	for (unsigned i = 0; i < 6; i++)
		part[i] = box[i];
	for (; at < calls[0]->n + calls[1]->n; at++) {
		const struct filter_cube *cube = at < calls[0]->n ? &calls[0]->cubes[at] : &calls[1]->cubes[at - calls[0]->n];
		unsigned i;

		if (!boxes_meet(part, cube->args))
			continue;
		while ((i = box_open(part, cube->args)) < 6) {
			uint64_t open = cube->args[i].mask & ~part[i].mask, bit = open & -open;
			struct policy_mask half[6];

			if (!*budget)
				return true;
			--*budget;
			for (unsigned k = 0; k < 6; k++)
				half[k] = part[k];
			half[i].mask |= bit;
			half[i].value |= ~cube->args[i].value & bit;
			part[i].mask |= bit;
			part[i].value |= cube->args[i].value & bit;
			if (outside(half, calls, at + 1, budget))
				return true;
		}
		return false;
	}
	return true;
}

static unsigned refusal_rank(uint32_t answer)
{
	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO:
		return 1;
	case SECCOMP_RET_TRAP:
		return 2;
	case SECCOMP_RET_KILL_PROCESS:
		return 3;
	default:
		return 0;
	}
}

static bool passes(uint32_t answer)
{
	return answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG;
}

/* FIRST: the new policy has usher refuse some of this call by itself, which the supervisor does not know of. */
static enum filter_differ answers_differ(uint32_t was, uint32_t wanted, bool first, bool never)
{
	unsigned refused = refusal_rank(was), refuse = refusal_rank(wanted);

	if (was == SECCOMP_RET_USER_NOTIF) {
		if (refuse)
			return first ? FILTER_LOOSER : FILTER_SAME;
		return never && passes(wanted) ? FILTER_STRICTER : FILTER_SAME;
	}
	if (passes(was))
		return passes(wanted) ? FILTER_SAME : FILTER_LOOSER;
	if (refuse > refused)
		return FILTER_LOOSER;
	return was == wanted || (refused == refuse && refused > 1) ? FILTER_SAME : FILTER_STRICTER;
}

static bool has_first(const struct side *side, int nr)
{
	for (size_t i = 0; i < side->n_rows; i++)
		if (side->rows[i].nr == nr && side->rows[i].step == FILTER_FIRST)
			return true;
	return false;
}

/* The parts of CALL and behind them, as a last one without a box, its rest. */
static const struct policy_mask *part_of(const struct filter_call *call, size_t i, uint32_t *answer)
{
	*answer = i < call->n ? call->cubes[i].ret : call->rest;
	return i < call->n ? call->cubes[i].args : NULL;
}

static bool parts_meet(const struct policy_mask *a, const struct policy_mask *b, const struct filter_call *was,
		       const struct filter_call *now)
{
	static const struct policy_mask all[6];
	const struct filter_call none = { 0 };
	const struct filter_call *calls[2] = { a ? &none : was, b ? &none : now };
	unsigned budget = OUTSIDE_BUDGET;

	if (a && b)
		return boxes_meet(a, b);
	return outside(a ? a : b ? b : all, calls, 0, &budget);
}

static void call_differs(const struct side *was, const struct side *now, filter_differ_fn *fn, void *ctx)
{
	int nr = was->call.nr;
	bool first = has_first(now, nr), never = filter_never_notify(now->rows, now->n_rows, nr);
	enum filter_differ worst = FILTER_SAME;

	for (size_t i = 0; i <= was->call.n; i++) {
		for (size_t j = 0; j <= now->call.n; j++) {
			uint32_t a, b;
			const struct policy_mask *part = part_of(&was->call, i, &a), *other = part_of(&now->call, j, &b);
			enum filter_differ how = answers_differ(a, b, first, never);

			if (how > worst && parts_meet(part, other, &was->call, &now->call))
				worst = how;
		}
	}
	if (worst != FILTER_SAME)
		fn(ctx, nr, worst);
}

int filter_differ(const struct filter_source *was, const struct filter_source *now, filter_differ_fn *fn, void *ctx)
{
	struct side sides[2] = {
		{ .policy = was->policy, .rows = was->rows, .n_rows = was->n_rows },
		{ .policy = now->policy, .rows = now->rows, .n_rows = now->n_rows },
	};
	int err = 0;

	for (int nr = 0; nr <= syscall_max() && !err; nr++) {
		if (!syscall_by_nr(nr))
			continue;
		for (int i = 0; i < 2 && !err; i++)
			err = filter_call_split(&sides[i].call, sides[i].policy, sides[i].rows, sides[i].n_rows, nr);
		if (!err)
			call_differs(&sides[0], &sides[1], fn, ctx);
		for (int i = 0; i < 2; i++) {
			free(sides[i].call.cubes);
			sides[i].call.cubes = NULL;
		}
	}
	return err;
}
