/*
 * A thread dies in a call that usher serves, and its number is given to somebody else before the answer is written. Numbers are given away
 * at will by clone3's set_tid, in a pid namespace of this test's own (ns_last_pid and a fork would leave usher's crew, which grows in
 * there, time to take the number); so that only root can run this.
 */
#include "live.h"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the case ends with in its namespace. */
enum { UNTOUCHED, WRITTEN, NO_PROC, NO_CALL, NO_REAPED, NO_NUMBER, NO_ANSWER };

#define ADDRESS 0x10000000

#define POLICY                                                          \
	LIVE_BASE                                                       \
	"set $tool = %s;\n"                                             \
	"files { allow rx $tool; allow all $dir/open/; deny read $dir/never; }\n" \
	"audit { level all; }\n"

/* For what says of itself only that it is there. */
static bool wait_until(bool (*true_of)(const void *what), const void *what, int seconds)
{
	for (int i = 0; i < 2000 * seconds; i++) {
		if (true_of(what))
			return true;
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	}
	return false;
}

static bool has_text(const void *path)
{
	struct stat st;
	return stat(path, &st) == 0 && st.st_size > 0;
}

static bool is_there(const void *path)
{
	return access(path, F_OK) == 0;
}

/* /proc/PID/syscall: the number of the call in which it waits. */
static bool in_getxattr(const void *path)
{
	char *text = live_read(path);
	bool is = text && atoi(text) == SYS_getxattr && strncmp(text, "running", 7) != 0;
	free(text);
	return is;
}

static bool answered(const void *live)
{
	char *audit = live_audit(live);
	bool is = audit && strstr(audit, "\"getxattr\"");
	free(audit);
	return is;
}

/* Somebody who has the number NUMBER, and this process's memory. -1 if it is taken. */
static pid_t give_number(pid_t number)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&number, .set_tid_size = 1 };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	while (pid == 0)
		pause();
	return pid;
}

static int kill_and_reuse(struct live *live, const char *victim)
{
	char path[64], *asked = NULL;
	if (!wait_until(has_text, live_path(live, "open/asked"), 60))
		return NO_CALL;
	asked = live_read(live_path(live, "open/asked"));
	pid_t caller = (pid_t)atoi(asked);
	free(asked);
	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)caller);
	if (!wait_until(in_getxattr, path, 60))
		return NO_CALL;
	kill(caller, SIGKILL);
	if (!wait_until(is_there, live_path(live, "open/reaped"), 60))
		return NO_REAPED;
	if (give_number(caller) < 0)
		return NO_NUMBER;
	if (!wait_until(answered, live, 10))
		return NO_ANSWER;
	return strcmp(victim, "mine") ? WRITTEN : UNTOUCHED;
}

static int in_namespace(struct live *live)
{
	char address[32];
	char *victim = mmap((void *)ADDRESS, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (mount("proc", "/proc", "proc", 0, NULL) < 0)
		return NO_PROC;
	strcpy(victim, "mine");
	snprintf(address, sizeof(address), "%x", ADDRESS);
	live_start(live, (const char *const[]){ live_tool("bypass"), "--late", live_path(live, "open"), address, NULL });
	return kill_and_reuse(live, victim);	/* the end of a namespace's first process ends all others */
}

static int in_a_namespace(struct live *live)
{
	char policy[9000];
	int status;
	snprintf(policy, sizeof(policy), POLICY, live_tool("bypass"));
	live_policy(live, policy);
	live_mkdir(live, "open", 0777);
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			_exit(99);
		pid = fork();
		if (pid == 0)
			_exit(in_namespace(live));
		_exit(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 98);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void nothing_is_written_to_who_gets_the_number(void **state)
{
	static const char *const results[] = {
		"", "usher wrote to somebody else's memory", "no procfs", "the call was not made", "nobody was reaped", "the number was not given",
		"no record of the call",
	};
	if (!live_root())
		skip();
	int result = in_a_namespace(*state);
	/* Killed before usher had looked at the call: there is no answer then, and no record. */
	for (int i = 0; i < 5 && result == NO_ANSWER; i++) {
		print_message("no answer: once more\n");
		live_teardown(state);
		assert_int_equal(live_setup(state), 0);
		result = in_a_namespace(*state);
	}
	if (result == 99) {
		print_message("SKIPPED: no pid namespace to be had\n");
		skip();
	}
	if (result)
		fail_msg("%s", result < 7 ? results[result] : "no result");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_written_to_who_gets_the_number, live_setup, live_teardown),
	};
	return cmocka_run_group_tests_name("live_reuse", tests, NULL, NULL);
}
