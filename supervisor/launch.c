#include "launch.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "alert.h"
#include "body.h"
#include "err.h"
#include "fd.h"

#define LOOK_AGAIN_NS 50000000	/* in case somebody died without a word */
#define FILTER_NS     20000	/* the child makes no call that could wake us once it has the filter */
#define KILL_TRIES    2000

static void page_wait(struct wire_page *page, uint32_t seen, long ns)
{
	struct timespec timeout = { .tv_nsec = ns };
	(void)syscall(SYS_futex, &page->futex, FUTEX_WAIT, seen, &timeout, NULL, 0);
}

static bool guardian_ended(struct launch *launch)
{
	if (launch->guardian > 0 && waitpid(launch->guardian, &launch->guardian_status, WNOHANG) == launch->guardian)
		launch->guardian = -1;
	return launch->guardian < 0;
}

/* Until it has ended, for a millisecond at most: others of its tree may want killing. */
static void guardian_wait(const struct launch *launch)
{
	AUTO_FD guardian = (int)syscall(SYS_pidfd_open, launch->guardian, 0);
	struct pollfd fd = { .fd = guardian, .events = POLLIN };

	(void)poll(&fd, 1, 1);
}

static int fork_guardian(struct launch *launch, struct agent_plan *plan, bool kill_on_exit)
{
	int pair[2];
	/* Shared between processes that all trust each other until the exec, which drops the mapping. */
	launch->page = mmap(NULL, sizeof(*launch->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (launch->page == MAP_FAILED) {
		launch->page = NULL;
		return -errno;
	}
	atomic_store(&launch->page->listener, -1);
	plan->page = launch->page;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	/* Only if somebody kills the guardian do its orphans come to us, to be killed. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	launch->alive = pair[0];
	pid_t pid = plan->namespaces & CLONE_NEWPID ? (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0) : fork();
	if (pid == 0) {
		close(pair[0]);	/* no copy of our end may be left: its closing says that we are dead */
		guardian_run(plan, pair[1], kill_on_exit);
	}
	int err = errno;
	close(pair[1]);
	launch->guardian = pid;
	return pid < 0 ? -err : 0;
}

/* In a PID namespace of its own it does not know its number here. It is the guardian's only child. */
static void find_child(struct launch *launch)
{
	pid_t child;
	if (atomic_load(&launch->page->child) == 0 && kin_children(launch->guardian, &child, 1) == 1)
		atomic_store(&launch->page->child, child);
}

static int wait_listener(struct launch *launch)
{
	struct wire_page *page = launch->page;
	for (;;) {
		uint32_t seen = atomic_load(&page->futex);
		int stage = atomic_load(&page->stage);
		if (stage == WIRE_FAILED)
			return -atomic_load(&page->error);
		if (atomic_load(&page->listener) >= 0)
			find_child(launch);
		if (atomic_load(&page->listener) >= 0 && atomic_load(&page->child) > 0)
			return 0;
		if (atomic_load(&page->exited) || guardian_ended(launch))
			return -ECANCELED;
		/* Ctrl-Z now would leave everybody waiting for everybody. */
		if (atomic_load(&page->stopped) > atomic_load(&page->continued) && atomic_load(&page->child) > 0)
			(void)kill(atomic_load(&page->child), SIGCONT);
		page_wait(page, seen, stage == WIRE_FILTER ? FILTER_NS : LOOK_AGAIN_NS);
	}
}

static int take_listener(struct launch *launch)
{
	struct wire_page *page = launch->page;
	launch->child = (int)syscall(SYS_pidfd_open, atomic_load(&page->child), 0);
	if (launch->child < 0)
		return -errno;
	/* Had it ended before that, the number might be another's by now. */
	if (atomic_load(&page->exited))
		return -ECANCELED;
	launch->listener = (int)syscall(SYS_pidfd_getfd, launch->child, atomic_load(&page->listener), 0);
	return launch->listener < 0 ? -errno : 0;
}

int launch_start(struct launch *launch, struct agent_plan *plan, bool kill_on_exit)
{
	*launch = (struct launch){ .guardian = -1, .alive = -1, .child = -1, .listener = -1 };
	int result = fork_guardian(launch, plan, kill_on_exit);
	if (result == 0)
		result = wait_listener(launch);
	if (result == 0)
		result = take_listener(launch);
	if (result == 0)
		guardian_shield();
	return result;
}

void launch_go(struct launch *launch)
{
	atomic_store(&launch->page->go, 1);
}

static void nap(void)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	(void)nanosleep(&pause, NULL);
}

static bool is_ours(pid_t pid)
{
	return body_is(pid) || alert_is(pid);
}

/* Who started it wants its status. */
static bool is_awaited(pid_t pid)
{
	return body_is(pid) || alert_leads(pid);
}

/* 0: none; -1: no children either. */
static pid_t first_ended(void)
{
	siginfo_t ended = { 0 };

	return waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 ? ended.si_pid : -1;
}

/* The guardian is gone and was not the last: its orphans are ours (PR_SET_CHILD_SUBREAPER). */
static void kill_orphans(void)
{
	for (int i = 0; i < KILL_TRIES; i++) {
		pid_t pid;
		while ((pid = first_ended()) > 0 && !is_awaited(pid) && waitpid(pid, NULL, WNOHANG | __WALL) == pid)
			;
		if (pid < 0 || !kin_kill(getpid(), is_ours))
			return;
		nap();
	}
}

void launch_reap(struct launch *launch)
{
	while (!guardian_ended(launch))
		guardian_wait(launch);
	kill_orphans();
}

void launch_end(struct launch *launch)
{
	if (launch->page && !atomic_load(&launch->page->go))
		atomic_store(&launch->page->go, 2);
	launch->alive = fd_close(launch->alive);
	while (!guardian_ended(launch)) {
		if (atomic_load(&launch->page->go) == 1)
			kin_kill(launch->guardian, NULL);
		guardian_wait(launch);
	}
	if (launch->page)
		launch_reap(launch);
	launch->listener = fd_close(launch->listener);
	launch->child = fd_close(launch->child);
	/* Nobody of the tree is left: what checks for leaks may look at us again. */
	(void)prctl(PR_SET_DUMPABLE, 1);
}
