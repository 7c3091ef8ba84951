/*
 * The guardian: stands between the supervisor and the tree.
 *
 * As subreaper it inherits whatever daemonises, so that the tree's end is the end of its children (ECHILD), and as the
 * child's parent it sees exits and stops. Should the supervisor die, the socket says so, and the tree is killed (kin.c)
 * until waitpid(2) finds nobody. (A death signal, PR_SET_PDEATHSIG, would reach the first generation only.)
 *
 * It has the tree's process group, so that the terminal treats all alike; it blocks every signal for that reason. It
 * keeps no descriptor open that somebody may wait on, and no directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define KILL_AGAIN_MS 5
#define CONTINUE_AGAIN_MS 100

struct guardian {
	struct wire_page *page;
	pid_t child, supervisor;
	int alive;		/* -1: the supervisor is dead */
	int signals;
	bool init;		/* of a PID namespace: all of it dies with us */
	bool killing;
	bool continue_again;
};

static void publish(struct guardian *guardian)
{
	atomic_fetch_add(&guardian->page->futex, 1);
	(void)syscall(SYS_futex, &guardian->page->futex, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	if (guardian->alive >= 0)
		(void)send(guardian->alive, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void child_changed(struct guardian *guardian, int status)
{
	struct wire_page *page = guardian->page;
	if (WIFSTOPPED(status)) {
		atomic_store(&page->stop_signal, WSTOPSIG(status));
		atomic_fetch_add(&page->stopped, 1);
		guardian->continue_again = false;
	} else if (WIFCONTINUED(status)) {
		atomic_store(&page->continued, atomic_load(&page->stopped));
		/* The supervisor stops when the child does, and must not stay behind when only the child was continued. It
		 * may be about to stop just now: hence a second time, a little later. */
		(void)kill(guardian->supervisor, SIGCONT);
		guardian->continue_again = true;
	} else {
		atomic_store(&page->status, status);
		atomic_store(&page->exited, 1);
		guardian->child = -1;
	}
	publish(guardian);
}

static void reap(struct guardian *guardian)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED | __WALL);
		if (pid == 0 || (pid < 0 && errno != ECHILD))
			return;
		if (pid < 0)
			_exit(0);
		if (pid == guardian->child)
			child_changed(guardian, status);
	}
}

static void look(struct guardian *guardian)
{
	struct pollfd fds[2] = { { .fd = guardian->signals, .events = POLLIN },
				 { .fd = guardian->alive, .events = POLLIN } };
	int timeout = guardian->killing ? KILL_AGAIN_MS : guardian->continue_again ? CONTINUE_AGAIN_MS : -1;
	int ready = poll(fds, 2, timeout);
	if (ready == 0 && guardian->continue_again) {
		guardian->continue_again = false;
		if (guardian->alive >= 0)
			(void)kill(guardian->supervisor, SIGCONT);
	}
	if (ready > 0 && fds[0].revents) {
		struct signalfd_siginfo info;
		(void)!read(guardian->signals, &info, sizeof(info));
	}
	if (ready > 0 && fds[1].revents) {
		char byte;
		ssize_t n = recv(guardian->alive, &byte, 1, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			close(guardian->alive);
			guardian->alive = -1;
		}
	}
}

static void kill_tree(struct guardian *guardian)
{
	struct sched_param first = { .sched_priority = 1 };
	if (guardian->init)
		_exit(1);
	if (!guardian->killing && sched_setscheduler(0, SCHED_FIFO, &first) < 0)
		(void)setpriority(PRIO_PROCESS, 0, -20);
	guardian->killing = true;
	kin_kill(getpid(), NULL);
}

static void forget_all_but(int keep)
{
	if (keep > 0)
		(void)syscall(SYS_close_range, 0, (unsigned)keep - 1, 0);
	(void)syscall(SYS_close_range, (unsigned)keep + 1, ~0U, 0);
}

void guardian_shield(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!write(fd, "-1000", 5);
		close(fd);
	}
}

_Noreturn void guardian_run(const struct agent_plan *plan, int alive, bool kill_on_exit)
{
	/* 0 in a PID namespace of its own: that is the process group, which is the supervisor's too. */
	struct guardian guardian = { .page = plan->page, .supervisor = getppid(), .alive = alive, .init = getpid() == 1 };
	sigset_t chld;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		_exit(1);
	pid_t child = fork();
	if (child == 0)
		agent_run(plan);
	if (child < 0) {
		atomic_store(&plan->page->error, errno);
		atomic_store(&plan->page->failed_stage, WIRE_STARTING);
		atomic_store(&plan->page->stage, WIRE_FAILED);
		publish(&guardian);
		_exit(1);
	}
	guardian.child = child;
	if (!guardian.init)
		atomic_store(&plan->page->child, child);
	(void)prctl(PR_SET_NAME, "usher-guardian");
	guardian_shield();
	forget_all_but(alive);
	(void)!chdir("/");
	publish(&guardian);

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	guardian.signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		reap(&guardian);
		if (guardian.alive < 0 && kill_on_exit)
			kill_tree(&guardian);
		look(&guardian);
	}
}
