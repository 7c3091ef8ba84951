/*
 * Processes outside of the sandbox, the supervisor first of all: signals, memory, descriptors, limits, priorities, and the queue that the
 * outsider made. Everything is set to what it is, and memory is named where there is none, so that natively nobody is hurt.
 */
#include "bypass.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define IOPRIO_CLASS_BE (2 << 13)

/* ---- signals ---- */
static int queue(pid_t pid, bool thread)
{
	siginfo_t info = { .si_code = SI_QUEUE };
	return refused(thread ? syscall(SYS_rt_tgsigqueueinfo, pid, pid, 0, &info) : syscall(SYS_rt_sigqueueinfo, pid, 0, &info));
}
static int c_kill(pid_t pid) { return refused(kill(pid, 0)); }
static int c_tkill(pid_t pid) { return refused(syscall(SYS_tkill, pid, 0)); }
static int c_tgkill(pid_t pid) { return refused(syscall(SYS_tgkill, pid, pid, 0)); }
static int c_sigqueue(pid_t pid) { return queue(pid, false); }
static int c_tgsigqueue(pid_t pid) { return queue(pid, true); }
static int c_pidfd_send_signal(pid_t pid) { int fd = (int)syscall(SYS_pidfd_open, pid, 0); return fd < 0 ? errno : refused(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0)); }
static int c_kill_group(void) { return refused(kill(-outsider, 0)); }
/* As the owner of a pipe: it dies of SIGIO. */
static int c_sigio(void)
{
	int ends[2], fd = (int)syscall(SYS_pidfd_open, outsider, 0);
	struct pollfd dead = { .fd = fd, .events = POLLIN };
	if (fd < 0 || pipe(ends) < 0 || fcntl(ends[0], F_SETOWN, outsider) < 0 || fcntl(ends[0], F_SETFL, O_ASYNC) < 0 || write(ends[1], "x", 1) < 0)
		return errno;
	return poll(&dead, 1, prctl(PR_GET_SECCOMP) ? 300 : 60000) ? 0 : EPERM;	/* natively it dies, however late */
}

/* ---- memory and descriptors ---- */
static int c_ptrace(pid_t pid)
{
	int error = refused(ptrace(PTRACE_SEIZE, pid, 0, 0));
	if (!error && ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0 && waitpid(pid, NULL, __WALL) == pid)
		ptrace(PTRACE_DETACH, pid, 0, 0);
	return error;
}
static int vm(pid_t pid, bool out)
{
	char byte = 0;
	struct iovec own = { &byte, 1 }, its = { NULL, 1 };
	int error = refused(out ? process_vm_writev(pid, &own, 1, &its, 1, 0) : process_vm_readv(pid, &own, 1, &its, 1, 0));
	return error == EFAULT ? 0 : error;
}
static int c_vm_readv(pid_t pid) { return vm(pid, false); }
static int c_vm_writev(pid_t pid) { return vm(pid, true); }
static int c_getfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), last = EBADF;
	if (fd < 0)
		return errno;
	for (int i = 0; i < 64; i++) {
		if (syscall(SYS_pidfd_getfd, fd, i, 0) >= 0)
			return 0;
		if (errno != EBADF)
			last = errno;
	}
	return last;
}
static int c_listener_inherited(void)
{
	for (int i = 0; i < 256; i++) {
		char p[64], t[64] = "";
		snprintf(p, sizeof p, "/proc/self/fd/%d", i);
		if (readlink(p, t, sizeof t - 1) > 0 && strstr(t, "seccomp"))
			return 0;
	}
	return ENOENT;
}
static int c_robust_list(pid_t pid) { void *head; size_t len; return refused(syscall(SYS_get_robust_list, pid, &head, &len)); }
static int c_kcmp(pid_t pid) { return refused(syscall(SYS_kcmp, pid, getpid(), KCMP_FILES, 0, 0)); }
static int c_madvise(pid_t pid)
{
	struct iovec none = { NULL, 0 };
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? errno : refused(syscall(440, fd, &none, 1, MADV_COLD, 0));
}
static int c_mrelease(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), error = fd < 0 ? errno : refused(syscall(448, fd, 0));
	return error == EINVAL ? 0 : error;	/* it does not die */
}
static int c_migrate_pages(pid_t pid) { unsigned long first = 1; return refused(syscall(SYS_migrate_pages, pid, 8 * sizeof first, &first, &first)); }
static int c_move_pages(pid_t pid) { return refused(syscall(SYS_move_pages, pid, 0, NULL, NULL, NULL, 2)); }
static int c_perf(pid_t pid)
{
	uint32_t attribute[32] = { 1 /* software: the clock */, sizeof attribute };
	return refused(syscall(SYS_perf_event_open, attribute, pid, -1, -1, 0));
}

/* ---- what its user may set ---- */
static int c_limit(pid_t pid)
{
	struct rlimit old;
	return refused(prlimit(pid, RLIMIT_NOFILE, NULL, &old) < 0 ? -1 : prlimit(pid, RLIMIT_NOFILE, &old, NULL));
}
static int c_priority(pid_t pid) { return refused(setpriority(PRIO_PROCESS, (id_t)pid, getpriority(PRIO_PROCESS, (id_t)pid))); }
static int c_priority_group(pid_t pid) { return refused(setpriority(PRIO_PGRP, (id_t)getpgid(pid), getpriority(PRIO_PGRP, (id_t)getpgid(pid)))); }
/* usher was started in the same group. Who else is in it may be root's, so that the answer says nothing. */
static int c_priority_own_group(void)
{
	int before = getpriority(PRIO_PROCESS, (id_t)supervisor), error = refused(setpriority(PRIO_PGRP, 0, before + 1));
	if (getpriority(PRIO_PROCESS, (id_t)supervisor) == before)
		return error ? error : EPERM;
	(void)setpriority(PRIO_PGRP, 0, before);	/* for root */
	return 0;
}
/* A user who has no processes, for natively it would work: what counts is who says no. */
#define NO_USER 4242424
static int no_user(long result) { return result < 0 && errno == ESRCH ? 0 : refused(result); }
static int c_priority_user(void) { return no_user(setpriority(PRIO_USER, NO_USER, 0)); }
static int c_priority_user_high(void) { return no_user(syscall(SYS_setpriority, HIGH | PRIO_USER, HIGH | NO_USER, 0)); }
static int c_affinity(pid_t pid) { cpu_set_t set; return refused(sched_getaffinity(pid, sizeof set, &set) < 0 ? -1 : sched_setaffinity(pid, sizeof set, &set)); }
static int c_affinity_high(pid_t pid) { cpu_set_t set; return sched_getaffinity(pid, sizeof set, &set) < 0 ? errno : refused(syscall(SYS_sched_setaffinity, HIGH | (unsigned)pid, sizeof set, &set)); }
static int c_scheduler(pid_t pid) { struct sched_param p = { 0 }; return refused(sched_setscheduler(pid, SCHED_OTHER, &p)); }
static int c_parameters(pid_t pid) { struct sched_param p = { 0 }; return refused(sched_setparam(pid, &p)); }
static int c_attributes(pid_t pid)
{
	uint32_t attribute[14];
	long got = syscall(SYS_sched_getattr, pid, attribute, sizeof attribute, 0);
	return refused(got < 0 ? got : syscall(SYS_sched_setattr, pid, attribute, 0));
}
static int c_io_priority(pid_t pid) { return refused(syscall(SYS_ioprio_set, 1, pid, IOPRIO_CLASS_BE | 4)); }
static int c_io_priority_group(pid_t pid) { return refused(syscall(SYS_ioprio_set, 2, getpgid(pid), IOPRIO_CLASS_BE | 4)); }
static int c_io_priority_own_group(void)
{
	int error = refused(syscall(SYS_ioprio_set, 2, 0, IOPRIO_CLASS_BE | 6));
	return syscall(SYS_ioprio_get, 1, supervisor) == (IOPRIO_CLASS_BE | 6) ? 0 : error ? error : EPERM;
}
static int c_io_priority_user(void) { return no_user(syscall(SYS_ioprio_set, 3, NO_USER, IOPRIO_CLASS_BE | 4)); }

/* ---- by way of procfs ---- */
static int proc(pid_t pid, const char *name, int flags)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	return refused(open(path, flags));
}
static int c_proc_mem(pid_t pid) { return proc(pid, "mem", O_RDWR); }
static int c_proc_oom(pid_t pid) { return proc(pid, "oom_score_adj", O_WRONLY); }
static int c_proc_autogroup(pid_t pid) { return proc(pid, "autogroup", O_WRONLY); }
static int c_proc_timerslack(pid_t pid) { return proc(pid, "timerslack_ns", O_WRONLY); }
static int c_proc_clear_refs(pid_t pid) { return proc(pid, "clear_refs", O_WRONLY); }
static int c_proc_coredump(pid_t pid) { return proc(pid, "coredump_filter", O_WRONLY); }
static int secret_by(pid_t pid, const char *link)
{
	char path[600];
	snprintf(path, sizeof path, "/proc/%d/%s%s", (int)pid, link, SECRET("file"));
	return refused_fd(open(path, O_RDONLY));
}
static int c_proc_root(pid_t pid) { return secret_by(pid, "root"); }
static int c_proc_task_root(pid_t pid) { char link[32]; snprintf(link, sizeof link, "task/%d/root", (int)pid); return secret_by(pid, link); }
static int c_proc_cwd(pid_t pid) { return secret_by(pid, "cwd/../../../../../../../../../.."); }
/* The outsider holds SECRET as its descriptor 50. */
static int c_proc_fd(void)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/fd/50/file", (int)outsider);
	return refused_fd(open(path, O_RDONLY));
}
static int c_environ_supervisor(void) { return proc(supervisor, "environ", O_RDONLY); }
static int c_fds_supervisor(void) { return proc(supervisor, "fd", O_RDONLY | O_DIRECTORY); }

/* ---- its message queue ---- */
static const char *queue_name(void)
{
	static char name[32];
	snprintf(name, sizeof name, "outsider-%d", (int)outsider);
	return name;
}
static int c_mq_receive(void)
{
	char text[8192];	/* the default */
	int fd = (int)syscall(SYS_mq_open, queue_name(), O_RDWR | O_NONBLOCK, 0, NULL);
	return fd < 0 ? errno : refused(syscall(SYS_mq_timedreceive, fd, text, sizeof text, NULL, NULL));
}
static int c_mq_create(void)
{
	int fd = (int)syscall(SYS_mq_open, "bypass", O_RDWR | O_CREAT, 0600, NULL), error = refused(fd);
	if (!error)
		(void)syscall(SYS_mq_unlink, "bypass");
	return error;
}
static int c_mq_unlink(void) { return refused(syscall(SYS_mq_unlink, queue_name())); }

/* ---- what must work: the sandbox's own ---- */
static int pid_of(void (*body)(int done))
{
	int ends[2];
	char byte;
	if (pipe(ends) < 0)
		return -1;
	pid_t child = fork();
	if (child == 0) {
		body(ends[1]);
		for (;;)
			pause();
	}
	close(ends[1]);
	/* nothing comes from who fails */
	return read(ends[0], &byte, 1) == 1 ? child : -1;
}
static void leads_a_group(int done) { if (setpgid(0, 0) == 0 && write(done, "x", 1) == 1) return; _exit(1); }
static void renices_its_group(int done)
{
	if (setsid() > 0 && setpriority(PRIO_PGRP, 0, getpriority(PRIO_PGRP, 0)) == 0 && syscall(SYS_ioprio_set, 2, 0, IOPRIO_CLASS_BE | 4) == 0 &&
	    write(done, "x", 1) == 1)
		return;
	_exit(1);
}
static pthread_barrier_t both;
static void *names_itself(void *bad)
{
	struct sched_param p = { 0 };
	cpu_set_t set;
	if (pthread_getaffinity_np(pthread_self(), sizeof set, &set) || pthread_setaffinity_np(pthread_self(), sizeof set, &set) ||
	    pthread_setschedparam(pthread_self(), SCHED_OTHER, &p) || c_priority(gettid()) || c_attributes(gettid()))
		++*(int *)bad;
	pthread_barrier_wait(&both);	/* it is still there to be named */
	return NULL;
}
int own_processes(void)
{
	static int (*const ways[])(pid_t pid) = { c_limit, c_priority, c_priority_group, c_affinity, c_scheduler, c_parameters, c_attributes, c_io_priority,
						  c_io_priority_group, c_kcmp };
	struct sched_param p = { 0 };
	pid_t child = pid_of(leads_a_group), other = pid_of(renices_its_group);
	pthread_t thread;
	int bad = child < 0 || other < 0, bad_there = 0;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (ways[i](child)) {
			printf("way %zu: %m\n", i);
			bad++;
		}
	pthread_barrier_init(&both, NULL, 2);
	pthread_create(&thread, NULL, names_itself, &bad_there);
	/* By its number, from another one. */
	if (pthread_setschedparam(thread, SCHED_OTHER, &p))
		bad++;
	pthread_barrier_wait(&both);
	pthread_join(thread, NULL);
	bad += bad_there;
	if (setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0)) || c_priority(getpid()) || syscall(SYS_ioprio_set, 1, 0, IOPRIO_CLASS_BE | 4))
		bad++;
	kill(child, SIGKILL);
	kill(other, SIGKILL);
	while (wait(NULL) > 0)
		;
	/* and nobody is nobody, not somebody outside */
	if (c_priority(child) != ESRCH || c_scheduler(child) != ESRCH)
		bad++;
	printf("%d wrong\n", bad);
	return bad != 0;
}

const struct bypass_case process_cases[] = {
	CASE_ON(kill), CASE_ON(tkill), CASE_ON(tgkill), CASE_ON(sigqueue), CASE_ON(tgsigqueue), CASE_ON(pidfd_send_signal), CASE(kill_group),
	CASE_ON(ptrace), CASE_ON(vm_readv), CASE_ON(vm_writev), CASE_ON(getfd), CASE(listener_inherited), CASE_ON(robust_list), CASE_ON(kcmp),
	CASE_ON(madvise), CASE_ON(mrelease), CASE_ON(migrate_pages), CASE_ON(move_pages), CASE_ON(perf), CASE_ON(limit), CASE_ON(priority),
	CASE_ON(priority_group), CASE(priority_own_group), CASE(priority_user), CASE(priority_user_high), CASE_ON(affinity), CASE_ON(affinity_high),
	CASE_ON(scheduler), CASE_ON(parameters), CASE_ON(attributes), CASE_ON(io_priority), CASE_ON(io_priority_group), CASE(io_priority_own_group),
	CASE(io_priority_user), CASE_ON(proc_mem), CASE_ON(proc_oom), CASE_ON(proc_autogroup), CASE_ON(proc_timerslack), CASE_ON(proc_clear_refs),
	CASE_ON(proc_coredump), CASE_ON(proc_root), CASE_ON(proc_task_root), CASE_ON(proc_cwd), CASE(proc_fd), CASE(environ_supervisor), CASE(fds_supervisor),
	CASE(mq_receive), CASE(mq_create), CASE(mq_unlink),
	/* last: natively it is dead then */
	CASE(sigio),
	{ NULL, NULL, NULL },
};
