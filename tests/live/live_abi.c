/* The same program under every version of Landlock: what is allowed works, what is denied is not had, and what a version lacks is lost. */
#include "cli.h"
#include "compare.h"

#include <errno.h>
#include <linux/random.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char policy[] = "files { default deny sealed; allow rx /usr/, /lib/, /lib64/, /bin/, $dir/bin/; allow ro /dev/, $dir/t/; allow rw $dir/t/*/; }\n"
			     "network { default deny sealed; allow connect tcp *:443; }\n";

static const char *prober(struct live *live)
{
	const char *path = live_path(live, "bin/probe");
	live_mkdir(live, "bin", 0755);
	assert_int_equal(live_native(live, (const char *const[]){ "/bin/cp", live_probe(), path, NULL }), 0);
	return path;
}

static void same_under_every_version(void **state)
{
	struct live *live = *state;
	long running = syscall(444, NULL, 0, 1U);
	const char *program = prober(live);
	char script[2000], disable[20], expected[300];
	live_file(live, "secret", 0644, "x");
	live_mkdir(live, "t/a", 0755);
	live_mkdir(live, "t/b", 0755);
	live_policy(live, policy);
	for (int abi = 1; abi <= running && abi <= 9; abi++) {
		live_file(live, "t/a/f", 0644, "x");
		snprintf(script, sizeof(script), "open %s/t/a/f r\nclose 3\nopen %s/secret r\nrename %s/t/a/f %s/t/b/f\ntruncate %s/t/b/f 0\n"
						 "open /dev/urandom r\ncall ioctl 3 %lu !out\nkill %d 0\n",
			 live->dir, live->dir, live->dir, live->dir, live->dir, (unsigned long)RNDGETENTCNT, (int)getpid());
		snprintf(expected, sizeof(expected), "%s/secret r => EACCES\n", live->dir);
		snprintf(disable, sizeof(disable), "landlock_%d", abi);
		setenv("USHER_TEST_DISABLE", disable, 1);
		live->input = script;
		int status = live_run(live, (const char *const[]){ program, "script", NULL });
		live->input = NULL;
		const char *denied = strstr(live->out, "=> E");
		if (status || !strstr(live->out, expected) || !strstr(live->out, abi >= 6 ? " 0 => EPERM\n" : " 0 => ok\n") ||
		    !denied || (strstr(denied + 1, "=> E") != NULL) != (abi >= 6))
			fail_msg("version %d: %d\n%s%s", abi, status, live->out, live->err);
		assert_int_equal(usher(live, "check", "-q", "--json", "--plan", live->policy), 0);
		json_t *json = output_json(live), *landlock = json_object_get(json_object_get(json, "plan"), "landlock");
		assert_int_equal(json_integer_value(json_object_get(landlock, "abi")), abi);
		assert_int_equal(json_array_size(json_object_get(landlock, "handled")), abi == 1 ? 13 : abi < 5 ? 14 : 15);	/* TRUNCATE never */
		assert_int_equal(json_array_size(json_object_get(landlock, "ports")), abi >= 4);
		json_decref(json);
	}
	unsetenv("USHER_TEST_DISABLE");
}

/* Where all may be read, devices are opened by the program itself, and answer as natively. */
static void devices_answer_where_all_may_be_read(void **state)
{
	struct live *live = *state;
	char text[1500], script[100];
	live_policy(live, "files { default allow; deny write $dir/f; }\n");
	assert_int_equal(usher(live, "check", "-q", "--json", "--plan", live->policy), 0);
	const char *rule = strstr(live->out, "allow ro /");
	assert_non_null(rule);
	snprintf(text, sizeof(text), "files { default allow; deny write $dir/f; %.*s }\n", (int)strcspn(rule, "\""), rule);
	live_policy(live, text);
	assert_int_equal(usher(live, "check", "-q", "--json", "--plan", live->policy), 0);
	assert_says(live->out, "\"layer\": \"kernel\"");
	snprintf(script, sizeof(script), "open /dev/urandom r\ncall ioctl 3 %lu !out\n", (unsigned long)RNDGETENTCNT);
	live->input = script;
	/* Without a log, which would be one more of usher's own. */
	assert_int_equal(usher(live, "run", "-p", live->policy, "--", live_probe(), "script"), 0);
	live->input = NULL;
	assert_says(live->out, "r => ok 3\n");
	assert_null(strstr(live->out, "EACCES"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(same_under_every_version, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(devices_answer_where_all_may_be_read, live_setup, live_teardown),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("live_abi", tests, NULL, NULL);
}
