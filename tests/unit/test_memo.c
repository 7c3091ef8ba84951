#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "memo.h"

/* Asks for N paths in turn as the engine does; how many were not known. What is known must be right. */
static unsigned round_trip(struct memo *memo, unsigned n)
{
	unsigned missed = 0;

	for (unsigned i = 0; i < n; i++) {
		char path[64];
		size_t len = (size_t)snprintf(path, sizeof(path), "/srv/www/site%u/part%u/index.html", i / 3, i % 3);
		uint32_t value = memo_find(memo, path, len);
		if (value) {
			assert_int_equal(value, i + 1);
		} else {
			missed++;
			memo_put(memo, path, len, i + 1);
		}
	}
	return missed;
}

/* Each that is forgotten costs a walk under the write lock, which is more than all that are known. */
static void a_quarter_full_forgets_next_to_nothing(void **state)
{
	struct memo memo = { 0 };

	(void)state;
	memo_init(&memo, 16384);
	assert_int_equal(memo.n, 16384);
	assert_int_equal(round_trip(&memo, 4096), 4096);
	for (int round = 0; round < 3; round++)
		assert_in_range(round_trip(&memo, 4096), 0, 40);
	memo_free(&memo);
}

static void too_many_are_forgotten_and_never_mixed_up(void **state)
{
	struct memo memo = { 0 };

	(void)state;
	for (uint32_t n = 2; n <= 64; n *= 2) {
		memo_init(&memo, n);
		for (int round = 0; round < 3; round++)
			assert_in_range(round_trip(&memo, 300), 300 - n, 300);
		memo_free(&memo);
	}
}

static void the_whole_path_counts(void **state)
{
	struct memo memo = { 0 };
	char path[MEMO_PATH], other[MEMO_PATH];

	(void)state;
	memo_init(&memo, 16);
	memset(path, 'a', sizeof(path));
	memo_put(&memo, path, sizeof(path), 7);
	assert_int_equal(memo_find(&memo, path, sizeof(path)), 7);
	for (size_t i = 0; i < sizeof(path); i++) {
		assert_int_equal(memo_find(&memo, path, i), 0);
		memcpy(other, path, sizeof(path));
		other[i] = 'b';
		assert_int_equal(memo_find(&memo, other, sizeof(other)), 0);
	}
	/* The same of paths with one hash: what the slot holds is made another path. */
	struct memo_slot *slot = memo.slots;
	while (!slot->value)
		slot++;
	slot->len--;
	assert_int_equal(memo_find(&memo, path, sizeof(path)), 0);
	slot->len++;
	slot->path[MEMO_PATH - 1] = 'c';
	assert_int_equal(memo_find(&memo, path, sizeof(path)), 0);
	memo_free(&memo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quarter_full_forgets_next_to_nothing),
		cmocka_unit_test(too_many_are_forgotten_and_never_mixed_up),
		cmocka_unit_test(the_whole_path_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
