/* A child under a filter that notifies of a few calls, and its listener. */
#ifndef USHER_TESTS_FILTERED_H
#define USHER_TESTS_FILTERED_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"

/* Shared with the child. */
struct filtered_page {
	_Atomic int listener;	/* its number in the child */
	_Atomic int go;
	_Atomic int stage;	/* free for the test's use */
	_Atomic long numbers[16];
};

struct filtered {
	pid_t pid;
	int listener;
	struct filtered_page *page;
};

static inline int filtered_install(const int *calls, unsigned short n)
{
	struct sock_filter insns[64];
	struct sock_fprog program = { .filter = insns };

	insns[program.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned short i = 0; i < n; i++) {
		insns[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
		insns[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	}
	insns[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
}

static inline struct filtered_page *filtered_page(void)
{
	struct filtered_page *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		abort();
	atomic_store(&page->listener, -1);
	return page;
}

/* BODY runs once FILTERED.page->go is set: filtered_go(). */
static inline struct filtered filtered_start(struct filtered_page *page, const int *calls, unsigned short n,
					     int (*body)(struct filtered_page *page))
{
	struct filtered filtered = { .page = page, .listener = -1 };
	int pidfd;

	filtered.pid = fork();
	if (filtered.pid == 0) {
		int fd = filtered_install(calls, n);

		/* A test that fails leaves nobody behind. */
		if (fd < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL))
			_exit(99);
		atomic_store(&page->listener, fd);
		while (!atomic_load(&page->go))
			sched_yield();
		close(fd);
		_exit(body(page));
	}
	while (filtered.pid > 0 && atomic_load(&page->listener) < 0)
		if (waitpid(filtered.pid, NULL, WNOHANG) == filtered.pid)
			return filtered;
	pidfd = (int)syscall(SYS_pidfd_open, filtered.pid, 0);
	filtered.listener = (int)syscall(SYS_pidfd_getfd, pidfd, atomic_load(&page->listener), 0);
	close(pidfd);
	return filtered;
}

static inline void filtered_go(struct filtered *filtered)
{
	atomic_store(&filtered->page->go, 1);
}

static inline int filtered_status(struct filtered *filtered)
{
	int status = -1;

	if (waitpid(filtered->pid, &status, 0) != filtered->pid)
		return -1;
	munmap(filtered->page, 4096);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
