/* Opens that wait: nobody else waits for them, and signals reach who waits. */
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void prepare(struct live *live)
{
	live_symlink(live, "fifo", "to-fifo");
	assert_int_equal(mkfifo(live_path(live, "fifo"), 0600), 0);
}

/* See probe_wait.c and probe_lease.c. */
static void scene(struct live *live, const char *name)
{
	live_policy(live, COMPARE_ALL);
	compare_run(live, prepare, (const char *const[]){ live_probe(), name, live->dir, NULL });
	if (live->status || strcmp(live->out, "ok\n") != 0)
		fail_msg("%s: %s%s", name, live->out, live->err);
}

#define SCENE(name)                                    \
	static void name(void **state)                 \
	{                                              \
		scene(*state, #name);                  \
	}

SCENE(fifo_both_ways)
SCENE(one_waits_others_go_on)
SCENE(a_hundred_wait_others_go_on)
SCENE(alarm_with_restart)
SCENE(alarm_without_restart)
SCENE(signal_for_another_thread)
SCENE(interrupt_kills_a_waiter)
SCENE(stopped_while_waiting)
SCENE(lease_breakers_delay_nobody)
SCENE(lease_alarm_with_restart)
SCENE(lease_alarm_without_restart)
SCENE(lease_breaker_is_killed_or_stopped)

static void a_thousand_wait_others_go_on(void **state)
{
	struct rlimit files;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	if (files.rlim_max < 1200 * 6) {	/* park.h */
		print_message("skipped: the limit of descriptors (%lu) lets fewer calls wait\n", (unsigned long)files.rlim_max);
		skip();
	}
	scene(*state, "a_thousand_wait_others_go_on");
}

/* `mkfifo f; cat f & echo x >f` and pipelines, often: shells fork, dup and wait while others are parked. */
static void shells_and_fifos(void **state)
{
	struct live *live = *state;
	char script[400];
	live_policy(live, COMPARE_ALL);
	prepare(live);
	snprintf(script, sizeof(script),
		 "cd %s; i=0; while [ $i -lt 30 ]; do cat fifo & echo line $i | cat | cat >fifo; wait; i=$((i + 1)); done", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	char expected[1024] = "";
	for (int i = 0; i < 30; i++)
		sprintf(expected + strlen(expected), "line %d\n", i);
	assert_string_equal(live->out, expected);
}

/* SIGCHLD without SA_RESTART, as dash has it, while the next command starts. */
static void pipelines_of_dash(void **state)
{
	struct live *live = *state;
	live_policy(live, COMPARE_ALL);
	assert_int_equal(live_sh(live, "i=0; while [ $i -lt 150 ]; do x=$(echo a | cat | cat) || exit 3; [ \"$x\" = a ] || exit 4; i=$((i + 1)); done"), 0);
	assert_string_equal(live->err, "");
}

/* ---- at a terminal -------------------------------------------------------------------------- */

struct terminal {
	pid_t usher;
	int fd;
};

static struct terminal start(struct live *live, const char *first, const char *second)
{
	struct terminal term;
	term.usher = forkpty(&term.fd, NULL, NULL, NULL);
	assert_true(term.usher >= 0);
	if (term.usher == 0) {
		execl(live_usher(), "usher", "run", "-q", "-p", live->policy, "--", "/bin/sh", "-c", "echo ready; $0 open \"$1\" \"$2\"; echo after", live_probe(),
		      first, second, (char *)NULL);
		_exit(99);
	}
	return term;
}

static void until_said(int fd, const char *text)
{
	char seen[4096] = "";
	size_t len = 0;
	while (!strstr(seen, text)) {
		ssize_t n = read(fd, seen + len, sizeof(seen) - 1 - len);
		if (n <= 0)
			fail_msg("'%s' did not come, but:\n%s", text, seen);
		len += (size_t)n;
		seen[len] = '\0';
	}
}

/* The writer of the FIFO is this test: its open returns when the program waits as a reader. */
static void control_c_while_waiting(void **state)
{
	struct live *live = *state;
	int status;
	live_policy(live, COMPARE_ALL);
	prepare(live);
	alarm(120);
	struct terminal term = start(live, live_path(live, "fifo"), "w");
	until_said(term.fd, "ready");
	/* Nobody can be seen waiting to write, but a reader without O_NONBLOCK would let it go on: typed until it works. */
	for (;;) {
		assert_int_equal(write(term.fd, "\003", 1), 1);
		pid_t pid = waitpid(term.usher, &status, WNOHANG);
		if (pid == term.usher)
			break;
		assert_int_equal(pid, 0);
		usleep(10000);
	}
	assert_true(WIFEXITED(status) || WIFSIGNALED(status));
	assert_int_equal(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), 128 + SIGINT);
	close(term.fd);
	alarm(0);
}

static void program_killed_while_waiting(void **state)
{
	struct live *live = *state;
	live_policy(live, COMPARE_ALL);
	prepare(live);
	alarm(120);
	pid_t usher = live_start(live, (const char *const[]){ live_probe(), "open", live_path(live, "fifo"), "r", NULL });
	int fd;
	while ((fd = open(live_path(live, "fifo"), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		assert_int_equal(errno, ENXIO);		/* until it waits: then it goes on at once */
	assert_int_equal(live_finish(live), 0);
	assert_string_equal(live->out, "ok 3\n");
	close(fd);

	usher = live_start(live, (const char *const[]){ live_probe(), "pid", ",", "open", live_path(live, "fifo"), "w", NULL });
	assert_int_equal(kill(usher, SIGTERM), 0);
	assert_int_equal(live_finish(live), 128 + SIGTERM);
	/* Nobody of usher is left in there. */
	fd = open(live_path(live, "fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char c;
	assert_int_equal(read(fd, &c, 1), 0);
	close(fd);
	alarm(0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, compare_teardown)
	const struct CMUnitTest tests[] = {
		CASE(fifo_both_ways),
		CASE(one_waits_others_go_on),
		CASE(a_hundred_wait_others_go_on),
		CASE(a_thousand_wait_others_go_on),
		CASE(alarm_with_restart),
		CASE(alarm_without_restart),
		CASE(signal_for_another_thread),
		CASE(interrupt_kills_a_waiter),
		CASE(stopped_while_waiting),
		CASE(lease_breakers_delay_nobody),
		CASE(lease_alarm_with_restart),
		CASE(lease_alarm_without_restart),
		CASE(lease_breaker_is_killed_or_stopped),
		CASE(shells_and_fifos),
		CASE(pipelines_of_dash),
		CASE(control_c_while_waiting),
		CASE(program_killed_while_waiting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
