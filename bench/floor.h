/*
 * The smallest supervisor that is still correct, for bench_floor and bench_wait: RECV, process_vm_readv, NOTIF_ID_VALID, one
 * openat2, ADDFD, close, SEND; a name that is not absolute costs an open and a close for where it begins. For a connect: RECV, process_vm_readv, pidfd_getfd, NOTIF_ID_VALID, connect, SEND, close. No policy, no audit, no credentials, one thread.
 */
#ifndef USHER_BENCH_FLOOR_H
#define USHER_BENCH_FLOOR_H

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"

enum floor_mode { FLOOR_OPEN, FLOOR_DENY, FLOOR_STAT, FLOOR_UNLINK, FLOOR_CONNECT, FLOOR_ALLOW_ALL };

struct floor_launch {
	pid_t child;
	int listener;
};

static inline _Noreturn void floor_die(const char *what)
{
	perror(what);
	exit(125);
}

#define FLOOR_OPENS (1u << FLOOR_OPEN | 1u << FLOOR_DENY | 1u << FLOOR_STAT | 1u << FLOOR_UNLINK)

/* Traps what MODE is about: opens, and for stat and unlink these as well; or connects and nothing else. */
static inline int floor_filter(enum floor_mode mode)
{
	static const struct { int nr; unsigned modes; } calls[] = {
#ifdef __x86_64__
		{ SYS_open, FLOOR_OPENS }, { SYS_stat, 1u << FLOOR_STAT }, { SYS_unlink, 1u << FLOOR_UNLINK },
#endif
		{ SYS_openat, FLOOR_OPENS }, { SYS_newfstatat, 1u << FLOOR_STAT }, { SYS_unlinkat, 1u << FLOOR_UNLINK },
		{ SYS_connect, 1u << FLOOR_CONNECT },
	};
	struct sock_filter insns[16];
	struct sock_fprog program = { .filter = insns };
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;

	if (mode == FLOOR_ALLOW_ALL)
		flags = 0;
	insns[program.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (!(calls[i].modes & 1u << mode))
			continue;
		insns[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].nr, 0, 1);
		insns[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	}
	insns[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* Forks a child that runs BODY(ARG) under the filter; -1 as listener for FLOOR_ALLOW_ALL. */
static inline struct floor_launch floor_start(enum floor_mode mode, int (*body)(void *), void *arg)
{
	struct page { _Atomic int number; _Atomic int go; } *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct floor_launch launch = { .listener = -1 };
	int pidfd;

	if (page == MAP_FAILED)
		floor_die("mmap");
	atomic_store(&page->number, -1);
	launch.child = fork();
	if (launch.child < 0)
		floor_die("fork");
	if (!launch.child) {
		int fd = floor_filter(mode);

		if (fd < 0)
			floor_die("seccomp");
		if (mode != FLOOR_ALLOW_ALL) {
			atomic_store(&page->number, fd);
			while (!atomic_load(&page->go))
				sched_yield();
			close(fd);
		}
		_exit(body(arg));
	}
	if (mode != FLOOR_ALLOW_ALL) {
		while (atomic_load(&page->number) < 0)
			sched_yield();
		pidfd = (int)syscall(SYS_pidfd_open, launch.child, 0);
		launch.listener = (int)syscall(SYS_pidfd_getfd, pidfd, atomic_load(&page->number), 0);
		if (launch.listener < 0)
			floor_die("pidfd_getfd");
		close(pidfd);
		atomic_store(&page->go, 1);
	}
	munmap(page, 4096);
	return launch;
}

static inline void floor_sync(int listener, bool on)
{
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, on ? SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP : 0UL);
}

static inline void floor_send(int listener, uint64_t id, int64_t value, int error, unsigned flags)
{
	struct seccomp_notif_resp resp = { .id = id, .val = value, .error = error, .flags = flags };

	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

static inline int floor_openat2(int root, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .mode = flags & O_CREAT ? mode & 07777 : 0, .resolve = resolve };

	path += *path == '/';
	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
}

/* Where a name begins that is not absolute. The thread's own directory is asked for by its number, which ID_VALID confirms later. */
static inline int floor_base(pid_t tid, int number)
{
	char proc[64];

	if (number == AT_FDCWD)
		snprintf(proc, sizeof(proc), "/proc/%d/cwd", tid);
	else
		snprintf(proc, sizeof(proc), "/proc/%d/fd/%d", tid, number);
	return open(proc, O_PATH | O_CLOEXEC);
}

/* PATH is cut at its last slash. The directory is the pin. */
static inline int floor_unlink(int base, char *path, int flags)
{
	char *slash = strrchr(path, '/');
	int dir = base, error = 0;

	if (slash) {
		*slash = 0;
		dir = floor_openat2(base, path, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);
	}
	if (dir < 0 || unlinkat(dir, slash ? slash + 1 : path, flags))
		error = -errno;
	if (slash && dir >= 0)
		close(dir);
	return error;
}

/* The address is copied once, the socket taken once, and the one connected to the other; who is asked for again is remembered. */
static inline void floor_connect(int listener)
{
	static pid_t known;
	static int pidfd = -1;
	struct seccomp_notif notif;
	struct sockaddr_storage address;
	struct iovec local = { .iov_base = &address }, remote;
	int fd, error = 0;

	memset(&notif, 0, sizeof(notif));
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif))
		return;
	if ((pid_t)notif.pid != known) {
		if (pidfd >= 0)
			close(pidfd);
		pidfd = (int)syscall(SYS_pidfd_open, notif.pid, 0);
		known = (pid_t)notif.pid;
	}
	local.iov_len = notif.data.args[2] < sizeof(address) ? notif.data.args[2] : sizeof(address);
	remote = (struct iovec){ .iov_base = (void *)(uintptr_t)notif.data.args[1], .iov_len = local.iov_len };
	if (process_vm_readv((pid_t)notif.pid, &local, 1, &remote, 1, 0) != (ssize_t)local.iov_len)
		error = -EFAULT;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, notif.data.args[0], 0);
	if (!error && fd < 0)
		error = -errno;
	if (!ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notif.id)) {
		if (!error && connect(fd, (struct sockaddr *)&address, (socklen_t)local.iov_len))
			error = -errno;
		floor_send(listener, notif.id, 0, error, 0);
	}
	if (fd >= 0)
		close(fd);
}

/* One notification, which is known to be there. */
static inline void floor_serve(int listener, int root, enum floor_mode mode)
{
	struct seccomp_notif notif;
	char path[4097] = "";
	struct iovec local = { .iov_base = path, .iov_len = 256 }, remote;
	bool at, opens, unlinks;
	uint64_t flags, create_mode;
	size_t room;
	int fd, base = root, error = 0;

	if (mode == FLOOR_CONNECT) {
		floor_connect(listener);
		return;
	}
	memset(&notif, 0, sizeof(notif));
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif))
		return;
	opens = notif.data.nr == SYS_openat;
	unlinks = notif.data.nr == SYS_unlinkat;
	at = opens || unlinks || notif.data.nr == SYS_newfstatat;
#ifdef __x86_64__
	opens = opens || notif.data.nr == SYS_open;
	unlinks = unlinks || notif.data.nr == SYS_unlink;
#endif
	remote.iov_base = (void *)(uintptr_t)notif.data.args[at];
	room = 4096 - (uintptr_t)remote.iov_base % 4096;
	if (room < local.iov_len)
		local.iov_len = sizeof(path) - 1;	/* over the page's end */
	remote.iov_len = local.iov_len;
	if (process_vm_readv((pid_t)notif.pid, &local, 1, &remote, 1, 0) <= 0)
		error = -EFAULT;
	if (!error && path[0] && path[0] != '/') {
		base = floor_base((pid_t)notif.pid, at ? (int)notif.data.args[0] : AT_FDCWD);
		error = base < 0 ? -errno : 0;
	}
	/* A descriptor without a name, and what means another thing to each who asks, are not what is measured. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notif.id) || error || !path[0] || !strncmp(path, "/proc/self", 10)) {
		floor_send(listener, notif.id, 0, error, error ? 0 : (unsigned)SECCOMP_USER_NOTIF_FLAG_CONTINUE);
		goto out;
	}
	if (unlinks) {
		floor_send(listener, notif.id, 0, floor_unlink(base, path, at ? (int)notif.data.args[2] : 0), 0);
		goto out;
	}
	flags = opens ? notif.data.args[at + 1] & 0xffffffff & ~(uint64_t)O_LARGEFILE : O_PATH;
	create_mode = notif.data.args[at + 2];
	if (mode == FLOOR_DENY && !strstr(path, "/secret/"))
		mode = FLOOR_OPEN;	/* the loader's */
	if (mode == FLOOR_DENY)
		flags = O_PATH;
	fd = floor_openat2(base, path, flags, create_mode, RESOLVE_NO_SYMLINKS);
	if (fd < 0 && errno == ELOOP)
		fd = floor_openat2(base, path, flags, create_mode, base == root ? RESOLVE_IN_ROOT : 0);
	if (fd < 0)
		error = -errno;
	if (error) {
		floor_send(listener, notif.id, 0, error, 0);
	} else if (mode == FLOOR_DENY) {
		close(fd);
		floor_send(listener, notif.id, 0, -EACCES, 0);
	} else if (!opens) {
		struct stat st;

		if (fstat(fd, &st))
			error = -errno;
		local = (struct iovec){ .iov_base = &st, .iov_len = sizeof(st) };
		remote = (struct iovec){ .iov_base = (void *)(uintptr_t)notif.data.args[at + 1], .iov_len = sizeof(st) };
		if (!error && process_vm_writev((pid_t)notif.pid, &local, 1, &remote, 1, 0) != sizeof(st))
			error = -EFAULT;
		close(fd);
		floor_send(listener, notif.id, 0, error, 0);
	} else {
		struct seccomp_notif_addfd add = { .id = notif.id, .srcfd = (unsigned)fd, .newfd_flags = flags & O_CLOEXEC };
		int number;

		/* The task work of a ring on this thread interrupts the wait; the descriptor is then withdrawn. */
		do
			number = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
		while (number < 0 && errno == EINTR);
		error = number < 0 ? -errno : 0;
		close(fd);
		floor_send(listener, notif.id, error ? 0 : number, error, 0);
	}
out:
	if (base != root && base >= 0)
		close(base);
}

static inline int floor_root(void)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		floor_die("/");
	return root;
}

static inline int floor_status(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) < 0)
		floor_die("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
