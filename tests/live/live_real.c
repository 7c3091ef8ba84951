/*
 * Real programs under the shipped profiles. Each case is a script in real/, run with USHER, PROFILES, TOOLS and DIR set; exit status
 * 77 means that a program is not installed (a loud skip, which fails under CI=true: scripts/packages installs them all).
 */
#include "live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_case(struct live *live, const char *name)
{
	char script[4200], tools[4096];
	snprintf(script, sizeof script, "%s/%s.sh", live_beside("real", SOURCE_DIR "/tests/live/real"), name);
	snprintf(tools, sizeof tools, "%s", live_tool(""));
	setenv("USHER", live_usher(), 1);
	setenv("PROFILES", live_beside("profiles", SOURCE_DIR "/profiles"), 1);
	setenv("TOOLS", tools, 1);
	setenv("DIR", live->dir, 1);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", script, (char *)NULL);
		_exit(126);
	}
	int status = -1;
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77 && !getenv("CI")) {
		print_message("SKIPPED %s: a program is missing\n", name);
		skip();
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define CASE(name)                              \
	static void name(void **state)          \
	{                                       \
		run_case(*state, #name);        \
	}
CASE(web)
CASE(view)
CASE(redis)
CASE(postgres)
CASE(python)
CASE(shell)
CASE(storm)
CASE(creds)
CASE(net)
CASE(brokered)
CASE(learn)
CASE(rollout)
CASE(builder)

#define TEST(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
static const struct CMUnitTest tests[] = { TEST(web), TEST(view), TEST(redis), TEST(postgres), TEST(python), TEST(shell), TEST(storm), TEST(creds), TEST(net),
					   TEST(brokered), TEST(learn), TEST(rollout), TEST(builder) };

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : getenv("LIVE_CASE");
	if (only && *only)
		cmocka_set_test_filter(only);
	return cmocka_run_group_tests_name("live_real", tests, NULL, NULL);
}
