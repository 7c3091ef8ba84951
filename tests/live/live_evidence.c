/* What is learnt of a program, and what is made of it: diff. */
#include <unistd.h>

#include "cli.h"

static const char *write_policy(struct live *live, const char *name, const char *rules)
{
	char text[2048];
	snprintf(text, sizeof(text), "syntax 1;\npolicy %s;\nset $dir = %s;\n%s", name, live->dir, rules);
	return live_file(live, name, 0644, text);
}

/* ---- diff ---- */

static void diff_says_what_changes(void **state)
{
	struct live *live = *state;
	const char *one = write_policy(live, "one.policy", "files { default deny ENOENT; allow ro $dir/www/; allow read $dir/other; }\n");
	const char *same = write_policy(live, "same.policy", "files { default deny ENOENT; allow read $dir/other; allow ro $dir/www/**; }\n");
	const char *two = write_policy(live, "two.policy", "files { default deny ENOENT; allow ro $dir/www/; deny ro $dir/www/**/.git/; "
							   "allow read,write $dir/more; }\n");
	assert_int_equal(usher(live, "diff", one, same), 0);
	assert_int_equal(usher(live, "diff", one, two), 1);
	assert_says(live->out, "newly DENIED  2");
	assert_says(live->out, "/www/.git\n");
	assert_says(live->out, "/other\n");
	assert_says(live->out, "newly ALLOWED  1");
	assert_says(live->out, "read,write ");
	assert_says(live->out, "now deny ENOENT   two.policy:4");
	assert_int_equal(usher(live, "diff", "-q", one, two), 1);
	assert_string_equal(live->out, "");

	assert_int_equal(usher(live, "diff", "--json", one, two), 1);
	json_t *json = output_json(live);
	assert_int_equal(json_array_size(json_object_get(json, "newly_denied")), 2);
	const json_t *allowed = json_array_get(json_object_get(json, "newly_allowed"), 0);
	assert_string_equal(text_at(allowed, "witness"), live_path(live, "more"));
	assert_string_equal(text_at(json_object_get(allowed, "before"), "errno"), "ENOENT");
	assert_int_equal(json_array_size(json_object_get(allowed, "ops")), 2);
	json_decref(json);

	assert_int_equal(usher(live, "diff", one), 2);
	assert_int_equal(usher(live, "diff", one, live_path(live, "none.policy")), 5);
	assert_int_equal(usher(live, "diff", one, live_file(live, "bad.policy", 0644, "syntax 1; nonsense;")), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
static const struct CMUnitTest tests[] = { TEST(diff_says_what_changes) };

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("live_evidence", tests, NULL, NULL);
}
