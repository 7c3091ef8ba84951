/*
 * What a call costs the supervisor, in system calls and instructions of the thread that serves it: figures that do not depend on the
 * machine's load. The other threads stand still meanwhile, so that none takes over while this one is stepped through its work.
 *
 * It is a gate: who makes a call dearer changes a number here, and says why.
 */
#include "compare.h"
#include "talk.h"

#ifdef __x86_64__

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define WARM     64
#define CALLS    8
#define TRIES    4
#define THREADS  64
#define INSN_SYSCALL 0x050f

/* Optimised, and with nothing added by the compiler. */
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNT_INSTRUCTIONS 1
#else
#define COUNT_INSTRUCTIONS 0
#endif

struct cost { double calls, instructions; };

static pid_t seize(pid_t tid)
{
	int status;
	assert_int_equal(ptrace(PTRACE_SEIZE, tid, NULL, NULL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL), 0);
	assert_int_equal(waitpid(tid, &status, __WALL), tid);
	return tid;
}

/* Where a thread waits: the number of the system call, -1 for none. */
static long waits_in(pid_t pid, pid_t tid)
{
	char path[64], *text;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	text = live_read(path);
	long number = text && *text >= '0' && *text <= '9' ? atol(text) : -1;
	free(text);
	return number;
}

/* All threads of PID into THREADS, the one that waits for the listener first. It may be on its way there. POLLS: in poll(2) (before
 * 6.11), and receives after that. */
static unsigned threads_of(pid_t pid, pid_t *threads, bool *polls)
{
	char path[64];
	for (;;) {
		unsigned n = 0, leaders = 0;
		snprintf(path, sizeof(path), "/proc/%d/task", pid);
		DIR *dir = opendir(path);
		assert_non_null(dir);
		for (const struct dirent *entry; (entry = readdir(dir)) && n < THREADS;) {
			pid_t tid = (pid_t)atoi(entry->d_name);
			if (!tid)
				continue;
			threads[n++] = tid;
			long waits = tid == pid ? -1 : waits_in(pid, tid);
			if ((waits == SYS_ioctl || waits == SYS_poll) && ++leaders == 1) {
				*polls = waits == SYS_poll;
				threads[n - 1] = threads[0];
				threads[0] = tid;
			}
		}
		closedir(dir);
		if (leaders == 1)
			return n;
	}
}

static bool steps(pid_t tid, unsigned long *instructions, unsigned long *calls)
{
	struct user_regs_struct regs;
	int status;
	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return false;
	if ((ptrace(PTRACE_PEEKTEXT, tid, (void *)regs.rip, NULL) & 0xffff) == INSN_SYSCALL)
		++*calls;
	++*instructions;
	if (ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL) < 0)
		return false;
	while (waitpid(tid, &status, __WALL) < 0)
		if (errno != EINTR)
			return false;
	return WIFSTOPPED(status);
}

/* COMMAND must answer ANSWER each time. */
static struct cost cost_of(struct live *live, const char *policy, const char *command, const char *answer)
{
	struct talk talk = { .live = live };
	pid_t threads[THREADS];
	unsigned long instructions = 0, calls = 0;
	live_policy(live, policy);
	talk_start(&talk, live);
	for (unsigned i = 0; i < WARM; i++)
		talk_expect(&talk, command, answer);
	bool polls = false;
	unsigned n = threads_of(talk.pid, threads, &polls);
	for (unsigned i = 0; i < n; i++)
		(void)seize(threads[i]);
	for (unsigned i = 0; i < CALLS; i++) {
		struct pollfd ready = { .fd = fileno(talk.out), .events = POLLIN };
		talk_say(&talk, command);
		/* The step over the wait ends when the call has come, and the program goes on before the thread is back in it. */
		while (poll(&ready, 1, 0) == 0)
			assert_true(steps(threads[0], &instructions, &calls));
		talk_answer(&talk, answer);
	}
	for (unsigned i = 0; i < n; i++)
		ptrace(PTRACE_DETACH, threads[i], NULL, NULL);
	assert_int_equal(talk_end(&talk), 0);
	return (struct cost){ (double)calls / CALLS - polls, (double)instructions / CALLS };
}

struct expected { const char *what, *policy, *answer; double calls, instructions; };

static bool is_dearer(const struct cost *cost, const struct expected *expected)
{
	return cost->calls > expected->calls || (COUNT_INSTRUCTIONS && cost->instructions > expected->instructions);
}

/* On a machine so busy that a call takes long to be stepped through, what is remembered for a moment (resolve_lexical.c) is forgotten
 * in between. */
static void expect_cost(struct live *live, const char *command, struct expected expected)
{
	struct cost cost = { 0 };
	for (unsigned i = 0; i < TRIES && (!i || is_dearer(&cost, &expected)); i++) {
		cost = cost_of(live, expected.policy, command, expected.answer);
		print_message("%s: %.2f system calls, %.0f instructions\n", expected.what, cost.calls, cost.instructions);
	}
	if (is_dearer(&cost, &expected))
		fail_msg("%s: %.2f system calls and %.0f instructions, and %.2f and %.0f were enough", expected.what, cost.calls,
			 cost.instructions, expected.calls, expected.instructions);
}

#define ALL "files { default deny EACCES; allow all /; deny all $dir/secret/; }\nlimits { capabilities all; }\n"
#define STAT "files { default deny EACCES; cover all; allow all /; deny all $dir/secret/; }\nlimits { capabilities all; }\n"

static void a_call_costs(void **state)
{
	struct live *live = *state;
	char command[100];
	if (!live_root())	/* the supervisor of an ordinary user is nobody's to look into */
		skip();
	live_file(live, "f", 0644, "x\n");
	live_file(live, "secret/f", 0644, "x\n");
	snprintf(command, sizeof(command), "cat %s", live_path(live, "f"));
	expect_cost(live, command, (struct expected){ "open", ALL, "ok x", 9.2, 4000 });
	snprintf(command, sizeof(command), "open %s r", live_path(live, "secret/f"));
	expect_cost(live, command, (struct expected){ "denied open", ALL, "EACCES", 8.2, 29000 });
	snprintf(command, sizeof(command), "access %s 0", live_path(live, "f"));
	expect_cost(live, command, (struct expected){ "access", STAT, "ok", 9.2, 3700 });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_costs, live_setup, live_teardown),
	};
	return cmocka_run_group_tests_name("live_cost", tests, NULL, NULL);
}

#else

int main(void)
{
	print_message("live_cost: only on x86-64\n");
	return 77;
}

#endif
