/*
 * The compiled filter against what it should answer.
 *
 * Every number that exists or borders on one, and for each the arguments at which an answer may change: the
 * constants of all conditions, with the bits they leave open clear and set, each with every single bit
 * turned (which includes the upper half), plus and minus one, all zeros, all ones, and mixtures of these
 * over the arguments. Two filters that differ on a masked equality differ on such a point.
 */
#include <errno.h>
#include <stdlib.h>

#include "bpf.h"
#include "err.h"
#include "filter_call.h"
#include "syscall_rules.h"
#include "syscalls.h"

#define VALUES_MAX 160	/* per argument */
#define MIXTURES 600	/* per call with conditions */

struct values {
	uint64_t list[VALUES_MAX];
	size_t n;
	uint64_t mask;		/* bits that some condition looks at */
};

struct checker {
	const struct policy *policy;
	const struct filter_row *rows;
	size_t n_rows;
	const struct filter *filter;
	struct seccomp_data *different;
	unsigned long checked;
	uint64_t random;
	struct values values[6];
};

static uint64_t random_next(struct checker *checker)
{
	uint64_t z = checker->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool point_agrees(struct checker *checker, const struct seccomp_data *data)
{
	checker->checked++;
	if (bpf_exec(checker->filter->insns, data, NULL) ==
	    filter_expected(checker->policy, checker->rows, checker->n_rows, data))
		return true;
	*checker->different = *data;
	return false;
}

static void values_add(struct values *values, uint64_t value)
{
	for (size_t i = 0; i < values->n; i++) {
		if (values->list[i] == value)
			return;
	}
	if (values->n < VALUES_MAX)
		values->list[values->n++] = value;
}

static void values_of_mask(struct values *values, uint64_t mask, uint64_t value)
{
	values->mask |= mask;
	values_add(values, value);
	values_add(values, value | ~mask);
}

static void values_collect(struct checker *checker, int nr)
{
	const struct cubes *sets[6];

	for (unsigned arg = 0; arg < 6; arg++) {
		checker->values[arg].n = 0;
		checker->values[arg].mask = 0;
		values_add(&checker->values[arg], 0);
		values_add(&checker->values[arg], UINT64_MAX);
	}
	for (size_t i = 0; i < checker->n_rows; i++) {
		for (size_t j = 0; checker->rows[i].nr == nr && j < checker->rows[i].n_tests; j++) {
			const struct filter_test *test = &checker->rows[i].tests[j];

			values_of_mask(&checker->values[test->arg], test->mask, test->value);
		}
	}
	for (size_t i = 0; syscall_conditions(checker->policy, nr, i, sets) != NULL; i++) {
		for (unsigned arg = 0; arg < 6; arg++) {
			for (size_t j = 0; sets[arg] != NULL && j < sets[arg]->n; j++)
				values_of_mask(&checker->values[arg], sets[arg]->list[j].mask,
					       sets[arg]->list[j].value);
		}
	}
}

/* POINT with each bit of argument ARG turned, and its neighbours. */
static bool neighbours_agree(struct checker *checker, const struct seccomp_data *point, unsigned arg)
{
	struct seccomp_data near = *point;

	for (unsigned bit = 0; bit < 64; bit++) {
		near.args[arg] = point->args[arg] ^ UINT64_C(1) << bit;
		if (!point_agrees(checker, &near))
			return false;
	}
	near.args[arg] = point->args[arg] + 1;
	if (!point_agrees(checker, &near))
		return false;
	near.args[arg] = point->args[arg] - 1;
	return point_agrees(checker, &near);
}

static bool mixture_agrees(struct checker *checker, struct seccomp_data *point)
{
	for (unsigned arg = 0; arg < 6; arg++) {
		const struct values *values = &checker->values[arg];
		uint64_t value = values->list[random_next(checker) % values->n];

		/* Sometimes two constants on one argument, so that two conditions may hold at once. */
		if (random_next(checker) % 4 == 0) {
			uint64_t mask = random_next(checker);

			value = (value & mask) | (values->list[random_next(checker) % values->n] & ~mask);
		}
		point->args[arg] = values->mask != 0 || random_next(checker) % 2 == 0 ? value : random_next(checker);
	}
	return point_agrees(checker, point);
}

static bool call_agrees(struct checker *checker, int nr)
{
	struct seccomp_data point = { .nr = nr, .arch = FILTER_ARCH };
	unsigned mixtures = 4;
	bool agrees;

	values_collect(checker, nr);
	agrees = point_agrees(checker, &point);
	for (unsigned arg = 0; arg < 6 && agrees; arg++) {
		const struct values *values = &checker->values[arg];

		if (values->mask == 0)
			continue;
		mixtures = MIXTURES;
		/* One condition at a time, the other arguments at each of their own constants in turn. */
		for (size_t i = 0; i < values->n && agrees; i++) {
			for (unsigned other = 0; other < 6; other++)
				point.args[other] = checker->values[other].list[i % checker->values[other].n];
			point.args[arg] = values->list[i];
			agrees = point_agrees(checker, &point) && neighbours_agree(checker, &point, arg);
		}
	}
	for (unsigned i = 0; i < mixtures && agrees; i++) {
		agrees = mixture_agrees(checker, &point);
		for (unsigned arg = 0; arg < 6 && agrees && i % 8 == 0; arg++) {
			if (checker->values[arg].mask != 0)
				agrees = neighbours_agree(checker, &point, arg);
		}
	}
	return agrees;
}

static bool strangers_agree(struct checker *checker)
{
	static const uint32_t numbers[] = {
		512, 547, 548, 600, 1000, 0x7fff, 0xffff, 0x3fffffff, 0x40000000, 0x40000001, 0x40000027, 0x40000101,
		0x400001d5, 0x40000200, 0x7fffffff, 0x80000000, 0x80000027, 0xc0000000, 0xfffffffe, 0xffffffff,
	};
	static const uint32_t archs[] = {
		0, AUDIT_ARCH_I386, AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64, UINT32_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct seccomp_data data = { .nr = (int)numbers[i], .arch = FILTER_ARCH };

		if (!point_agrees(checker, &data))
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(archs); i++) {
		for (int nr = -1; nr <= syscall_max() + 1; nr++) {
			struct seccomp_data data = { .nr = nr, .arch = archs[i] };

			if (!point_agrees(checker, &data))
				return false;
		}
	}
	for (unsigned bit = 0; bit < 32; bit++) {
		struct seccomp_data data = { .nr = 39, .arch = FILTER_ARCH ^ UINT32_C(1) << bit };

		if (!point_agrees(checker, &data))
			return false;
	}
	return true;
}

int filter_check(const struct policy *policy, const struct filter_row *rows, size_t n_rows,
		 const struct filter *filter, struct seccomp_data *different, unsigned long *checked)
{
	struct checker checker = {
		.policy = policy, .rows = rows, .n_rows = n_rows, .filter = filter, .different = different,
	};
	bool agrees;

	*different = (struct seccomp_data){ 0 };
	if (!bpf_valid(filter->insns, filter->len))
		return -EBADMSG;
	agrees = strangers_agree(&checker);
	for (int nr = 0; nr <= syscall_max() + 1 && agrees; nr++)
		agrees = call_agrees(&checker, nr);
	if (checked != NULL)
		*checked = checker.checked;
	return agrees ? 0 : -EBADMSG;
}
