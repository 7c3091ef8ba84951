/* What tests/support/alike.c does, natively and under usher. */
#include "compare.h"

#define FREE "files { default allow; cover all; }\nlimits { capabilities all; }\n"
#define APPEND "files { default allow; cover all; deny write,truncate $dir/nothing; }\nlimits { capabilities all; }\n"

/* But that the tree is made anew. */
static void nothing(struct live *live)
{
	(void)live;
}

static void all_of(struct live *live, const char *policy, const char *const *names, size_t n)
{
	live_policy(live, policy);
	for (size_t i = 0; i < n; i++)
		compare_run(live, nothing, (const char *const[]){ live_tool("alike"), names[i], NULL });
}
#define ALL_OF(live, policy, ...) \
	all_of(live, policy, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void errors_in_the_kernels_order(void **state)
{
	ALL_OF(*state, COMPARE_ALL, "limit", "second", "reads");
}

static void watches(void **state)
{
	ALL_OF(*state, COMPARE_ALL, "watch", "mark");
}

static void without_a_name_where_nothing_is_denied(void **state)
{
	ALL_OF(*state, FREE, "nameless");
}

/* What is held of it counts, by whatever name it is reached. */
static void a_removed_directory(void **state)
{
	struct live *live = *state;
	live_policy(live, COMPARE_ALL);
	compare_script(live, nothing, "mkdir gone\nopen gone rd\nrmdir gone\nopenat2 3 . r 0\nopenat2 3 . r 0x10\nopenat2 3 .. r 0x10\nopenat2 3 / r 0x10\n"
		       "openat2 3 .. r 0x8\nopenat2 3 ../x r 0x10\n");
}

static void threads(void **state)
{
	ALL_OF(*state, COMPARE_ALL, "become", "leaderless", "apart");
}

static void starting_programs_from_threads(void **state)
{
	ALL_OF(*state, COMPARE_ALL, "storm");
}

static void job_control_while_a_fifo_is_waited_for(void **state)
{
	ALL_OF(*state, COMPARE_ALL, "terminal");
}

static void where_something_may_only_be_appended_to(void **state)
{
	ALL_OF(*state, APPEND, "refused", "reads");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(errors_in_the_kernels_order, live_setup, compare_teardown),
	cmocka_unit_test_setup_teardown(watches, live_setup, compare_teardown),
	cmocka_unit_test_setup_teardown(without_a_name_where_nothing_is_denied, live_setup, compare_teardown),
	cmocka_unit_test_setup_teardown(a_removed_directory, live_setup, compare_teardown),
	cmocka_unit_test_setup_teardown(threads, live_setup, compare_teardown),
	cmocka_unit_test_setup_teardown(starting_programs_from_threads, live_setup, compare_teardown),
	cmocka_unit_test_setup_teardown(job_control_while_a_fifo_is_waited_for, live_setup, compare_teardown),
	cmocka_unit_test_setup_teardown(where_something_may_only_be_appended_to, live_setup, compare_teardown),
};

int main(void)
{
	return cmocka_run_group_tests_name("live_alike", tests, NULL, NULL);
}
