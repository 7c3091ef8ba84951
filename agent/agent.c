/*
 * From fork to exec.
 *
 * Everything that needs a system call with a path or a descriptor comes before the filter; after it nothing is called but
 * execve, and exit_group if that fails: the policy may trap every call there is. The child therefore announces the
 * listener by a store to the shared page and waits for the supervisor by reading it, without a futex.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "namespaces.h"
#include "privileges.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446
#endif

#ifdef __x86_64__
static inline void relax(void)
{
	__builtin_ia32_pause();
}
#else
static inline void relax(void)
{
	__asm__ volatile("yield" ::: "memory");
}
#endif

static void announce(struct wire_page *page, enum wire_stage stage)
{
	atomic_store(&page->stage, (int)stage);
	atomic_fetch_add(&page->futex, 1);
	(void)syscall(SYS_futex, &page->futex, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void fail(struct wire_page *page, enum wire_stage stage, int error)
{
	atomic_store(&page->error, -error);
	atomic_store(&page->failed_stage, (int)stage);
	atomic_store(&page->stage, WIRE_FAILED);
	atomic_fetch_add(&page->futex, 1);
}

static _Noreturn void fail_early(struct wire_page *page, enum wire_stage stage, int error)
{
	fail(page, stage, error);
	(void)syscall(SYS_futex, &page->futex, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	_exit(125);
}

static int close_gap(unsigned first, unsigned last)
{
	return first > last || syscall(SYS_close_range, first, last, 0) == 0 ? 0 : -errno;
}

/* Closes all but 0, 1, 2 and the list; what stays is inherited by the program. */
static int close_rest(const struct agent_plan *plan)
{
	unsigned next = 3;
	int result = 0;
	for (size_t i = 0; i < plan->n_pass && result == 0; i++) {
		unsigned fd = (unsigned)plan->pass[i];
		if (fd >= next) {
			result = close_gap(next, fd - 1);
			next = fd + 1;
		}
		if (result == 0 && fcntl(plan->pass[i], F_SETFD, 0) < 0)
			result = -errno;
	}
	return result == 0 ? close_gap(next, ~0U) : result;
}

static int restore_signals(const struct agent_plan *plan)
{
	if (plan->sigchld_ignored && signal(SIGCHLD, SIG_IGN) == SIG_ERR)
		return -errno;
	return sigprocmask(SIG_SETMASK, &plan->mask, NULL) < 0 ? -errno : 0;
}

_Noreturn void agent_run(const struct agent_plan *plan)
{
	static char program[PATH_MAX];
	struct wire_page *page = plan->page;
	int result;

	if (!(plan->namespaces & CLONE_NEWPID))
		atomic_store(&page->child, (int)getpid());	/* the guardian might come to it later than we to our filter */
	announce(page, WIRE_NETWORK);
	if ((result = namespaces_network(plan)) < 0)
		fail_early(page, WIRE_NETWORK, result);
	announce(page, WIRE_MOUNTS);
	if ((result = namespaces_mounts(plan)) < 0)
		fail_early(page, WIRE_MOUNTS, result);
	announce(page, WIRE_PROC);
	if ((result = namespaces_proc(plan)) < 0)
		fail_early(page, WIRE_PROC, result);
	announce(page, WIRE_VIEW);
	if ((result = namespaces_view(plan)) < 0)
		fail_early(page, WIRE_VIEW, result);
	announce(page, WIRE_LIMITS);
	if ((result = privileges_limit(plan)) < 0)
		fail_early(page, WIRE_LIMITS, result);
	announce(page, WIRE_PRIVILEGES);
	if ((result = privileges_drop(plan)) < 0)
		fail_early(page, WIRE_PRIVILEGES, result);
	announce(page, WIRE_CHDIR);
	if (plan->chdir && chdir(plan->chdir) < 0)
		fail_early(page, WIRE_CHDIR, -errno);
	if ((result = agent_lookup(plan->program, plan->path, program, sizeof(program))) < 0)
		fail_early(page, WIRE_EXEC, result);
	announce(page, WIRE_LANDLOCK);
	if (plan->landlock >= 0 && syscall(SYS_landlock_restrict_self, plan->landlock, plan->landlock_flags) < 0)
		fail_early(page, WIRE_LANDLOCK, -errno);
	if (plan->activation)
		(void)snprintf(plan->listen_pid, 12, "%d", (int)getpid());
	if ((result = close_rest(plan)) < 0 || (result = restore_signals(plan)) < 0)
		fail_early(page, WIRE_PRIVILEGES, result);

	announce(page, WIRE_FILTER);
	long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, plan->filter_flags, &plan->filter);
	if (listener < 0)
		fail_early(page, WIRE_FILTER, -errno);
	atomic_store(&page->stage, WIRE_EXEC);
	atomic_store(&page->listener, (int)listener);
	int go;
	while ((go = atomic_load(&page->go)) == 0)
		relax();
	if (go == 1) {
		(void)syscall(SYS_execve, program, plan->argv, plan->envp);
		fail(page, WIRE_EXEC, -errno);
	}
	for (;;)
		(void)syscall(SYS_exit_group, 125);
}
