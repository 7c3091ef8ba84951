/*
 * System calls that usher refuses whatever they are asked, by number; and the ways to make a call that the filter does not see, or that it
 * sees differently.
 *
 * Each row of the table has arguments to which the kernel itself, asked by root with all capabilities, has another answer (mostly that
 * they are wrong): the errno that is expected can only be usher's. Not so are uselib, which the kernel has not any more (its record in
 * the audit log shows who refused it), and for an ordinary user those that the kernel refuses with EPERM before it looks at anything.
 */
#include "bypass.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define N(number) ((const void *)(uintptr_t)(number))
#define CALL(call, answer, ...) { #call, SYS_##call, answer, { __VA_ARGS__ } }
#define NEWER(call, number, answer, ...) { #call, number, answer, { __VA_ARGS__ } }
#define AS(name, call, answer, ...) { name, SYS_##call, answer, { __VA_ARGS__ } }
#define IOCTL(name, command, answer) { name, SYS_ioctl, answer, { N(0), N(HIGH | (command)), zero } }

static char zero[256];

const struct bypass_call bypass_calls[] = {
	/* what the kernel does for others to see */
	CALL(acct, EPERM, zero), CALL(swapon, EPERM, zero), CALL(swapoff, EPERM, zero), CALL(quotactl, EPERM, N(-1), zero),
	NEWER(quotactl_fd, 443, EPERM, N(-1), N(-1)), CALL(reboot, EPERM, N(0), N(0), N(0)), CALL(kexec_load, EPERM, N(0), N(0), N(0), N(-1)),
	CALL(kexec_file_load, EPERM, N(-1), N(-1), N(0), N(0), N(-1)), CALL(init_module, EPERM, zero, N(0), zero),
	CALL(finit_module, EPERM, N(-1), zero), CALL(delete_module, EPERM, zero), CALL(bpf, EPERM, N(-1), zero, N(128)),
	CALL(perf_event_open, EPERM, N(0)), CALL(lookup_dcookie, EPERM, N(0), N(0), N(0)), CALL(keyctl, EPERM, N(-1)), CALL(add_key, EPERM, N(0)),
	CALL(request_key, EPERM, N(0)), NEWER(process_madvise, 440, EPERM, N(-1), zero, N(1)),
	NEWER(process_mrelease, 448, EPERM, N(-1)), CALL(move_pages, EPERM, N(0)), CALL(open_by_handle_at, EPERM, N(AT_FDCWD), zero),
	CALL(mq_open, EACCES, N(0), N(O_RDWR | O_CREAT)), CALL(mq_unlink, EACCES, N(0)), CALL(userfaultfd, EPERM, N(O_CLOEXEC | 1)),
#ifdef __x86_64__
	CALL(iopl, EPERM, N(0)), CALL(ioperm, EPERM, N(-1), N(1), N(0)), CALL(uselib, ENOSYS, zero),
#endif
	/* what paths mean */
	CALL(chroot, EPERM, zero), CALL(pivot_root, EPERM, zero, zero), CALL(mount, EPERM, N(0), zero, N(0), N(0), N(0)),
	CALL(umount2, EPERM, zero, N(-1)), CALL(setns, EPERM, N(-1)), CALL(unshare, EPERM, N(CLONE_NEWNS | 1)),
	AS("unshare_high", unshare, EPERM, N(HIGH | CLONE_NEWUSER)), CALL(clone, EPERM, N(HIGH | CLONE_NEWNS | CLONE_FS | SIGCHLD)),
	NEWER(open_tree, 428, ENOSYS, N(AT_FDCWD), "/", N(1)), NEWER(move_mount, 429, ENOSYS, N(-1), zero, N(-1), zero),
	NEWER(fsopen, 430, ENOSYS, "tmpfs"), NEWER(fsconfig, 431, ENOSYS, N(-1)), NEWER(fsmount, 432, ENOSYS, N(-1)),
	NEWER(fspick, 433, ENOSYS, N(AT_FDCWD), "/"), NEWER(mount_setattr, 442, ENOSYS, N(AT_FDCWD), "/", N(0), zero, N(32)),
	NEWER(statmount, 457, ENOSYS), NEWER(listmount, 458, ENOSYS), NEWER(open_tree_attr, 467, ENOSYS, N(AT_FDCWD), "/", N(1), zero, N(32)),
	/* out of the filter's sight */
	NEWER(io_uring_setup, 425, ENOSYS, N(4), zero), NEWER(io_uring_enter, 426, ENOSYS, N(-1)), NEWER(io_uring_register, 427, ENOSYS, N(-1), N(-1)),
	NEWER(clone3, 435, ENOSYS), AS("new_listener", seccomp, EBUSY, N(SECCOMP_SET_MODE_FILTER), N(SECCOMP_FILTER_FLAG_NEW_LISTENER)),
	AS("new_listener_high", seccomp, EBUSY, N(HIGH | SECCOMP_SET_MODE_FILTER), N(HIGH | SECCOMP_FILTER_FLAG_NEW_LISTENER)),
	AS("fastopen_sendto", sendto, EOPNOTSUPP, N(-1), zero, N(1), N(HIGH | MSG_FASTOPEN)),
	AS("fastopen_sendmsg", sendmsg, EOPNOTSUPP, N(-1), zero, N(HIGH | MSG_FASTOPEN)),
	AS("fastopen_sendmmsg", sendmmsg, EOPNOTSUPP, N(-1), zero, N(1), N(HIGH | MSG_FASTOPEN)),
	IOCTL("tiocsti", 0x5412, EPERM), IOCTL("tioclinux", 0x541c, EPERM), IOCTL("userfaultfd_new", 0xaa00, EPERM),
	IOCTL("vhost_set_owner", 0xaf01, EPERM), IOCTL("btrfs_snap_create", 0x50009401, EPERM), IOCTL("btrfs_subvol_create", 0x5000940e, EPERM),
	IOCTL("btrfs_snap_destroy", 0x5000940f, EPERM), IOCTL("btrfs_snap_create_v2", 0x50009417, EPERM),
	IOCTL("btrfs_subvol_create_v2", 0x50009418, EPERM), IOCTL("btrfs_snap_destroy_v2", 0x5000943f, EPERM),
	/* over what may only be appended to */
	AS("noappend", pwritev2, EOPNOTSUPP, N(-1), zero, N(1), N(0), N(0), N(0x20)), CALL(io_setup, ENOSYS), IOCTL("unresvsp", 0x40305829, EOPNOTSUPP),
	IOCTL("unresvsp64", 0x4030582b, EOPNOTSUPP), IOCTL("zero_range", 0x40305839, EOPNOTSUPP),
	/* a rule's condition */
	AS("socket_high", socket, EXDEV, N(HIGH | AF_VSOCK), N(HIGH | SOCK_STREAM), N(0)),
	{ NULL, 0, 0, { NULL } },
};

/* ---- numbers and abis ---- */
#ifdef __x86_64__
static int int80(void)
{
	/* i386: open("…", O_RDONLY) is 5; the path must be below 4 GiB */
	char *low = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	int result;
	strcpy(low, SECRET("file"));
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(5), "b"(low), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
	errno = -result;
	return refused_fd(result < 0 ? -1 : result);
}
static int c_int80(void) { return in_child(int80); }
static int c_x32(void) { return refused_fd((int)syscall(0x40000000 | SYS_openat, AT_FDCWD, SECRET("file"), O_RDONLY, 0)); }
/* A rule denies time(2): the page at a fixed address has an emulated one. ENOSYS where there is no such page. */
static int vsyscall(void)
{
	long (*at)(long *) = (long (*)(long *))0xffffffffff600400;
	long now = at(NULL);
	errno = (int)-now;
	return now < 0 ? refused(-1) : 0;
}
static int c_vsyscall(void) { return in_child(vsyscall); }
#endif
static int c_number_600(void) { return refused(syscall(600, 0, 0, 0)); }
static int c_number_minus(void) { return refused(syscall(-1, 0, 0, 0)); }
static int c_handle(void)
{
	struct { struct file_handle h; char bytes[128]; } handle = { .h.handle_bytes = 128 };
	int id, root;
	if (name_to_handle_at(AT_FDCWD, SECRET("file"), &handle.h, &id, 0) < 0)
		return errno;
	root = open(open_dir, O_RDONLY | O_DIRECTORY);
	return refused_fd(open_by_handle_at(root, &handle.h, O_RDONLY));
}

/* ---- filters of one's own ---- */
static int own_filter(uint32_t action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? errno : 0;
}
static int read_secret(void)
{
	return refused_fd((int)syscall(SYS_openat, AT_FDCWD, SECRET("file"), O_RDONLY, 0));
}
static int own_allow(void) { int error = own_filter(SECCOMP_RET_ALLOW); return error ? error : read_secret(); }
static int own_log(void) { int error = own_filter(SECCOMP_RET_LOG); return error ? error : read_secret(); }
static int c_own_filter_allow(void) { return in_child(own_allow); }
static int c_own_filter_log(void) { return in_child(own_log); }

/* ---- by a tracer of one's own ---- */
/* FN in a child that is traced: AT_STOP with its stops at system calls, and those that its own filter asks for. */
static int traced(int (*fn)(void), void (*at_stop)(pid_t child, int status), unsigned long options)
{
	pid_t child = fork();
	int status, error = 0;
	if (child == 0) {
		raise(SIGSTOP);
		_exit(fn());
	}
	if (waitpid(child, &status, WUNTRACED) != child || ptrace(PTRACE_SEIZE, child, 0, options | PTRACE_O_EXITKILL) < 0) {
		error = errno;
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		return error ? error : ECHILD;
	}
	kill(child, SIGCONT);
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		at_stop(child, status);
		/* a group stop ends by itself when SIGCONT comes */
		ptrace(PTRACE_SYSCALL, child, 0, status >> 16 || WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status));
	}
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}
static void just_go_on(pid_t child, int status)
{
	(void)child;
	(void)status;
}
static int own_trace(void) { int error = own_filter(SECCOMP_RET_TRACE); return error ? error : read_secret(); }
static int c_own_filter_trace(void) { return traced(own_trace, just_go_on, PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD); }
static int c_suspend_seccomp(void) { return traced(read_secret, just_go_on, PTRACE_O_SUSPEND_SECCOMP | PTRACE_O_TRACESYSGOOD); }
#ifdef __x86_64__
/* What was an innocent call when it began is another one when it is done. */
static int innocent(void)
{
	return refused_fd((int)syscall(SYS_getppid, AT_FDCWD, SECRET("file"), O_RDONLY, 0));
}
static void rewrite(pid_t child, int status)
{
	struct user_regs_struct regs;
	if (WSTOPSIG(status) != (SIGTRAP | 0x80) || ptrace(PTRACE_GETREGS, child, 0, &regs) < 0 || regs.orig_rax != SYS_getppid || regs.rax != (unsigned long long)-ENOSYS)
		return;
	regs.orig_rax = SYS_openat;
	ptrace(PTRACE_SETREGS, child, 0, &regs);
}
static int c_traced_number(void) { return traced(innocent, rewrite, PTRACE_O_TRACESYSGOOD); }
/* It opens what is allowed, and the tracer turns its argument to the secret's name. */
static const char *swapped;
static int open_swapped(void) { return refused_fd((int)syscall(SYS_openat, AT_FDCWD, OPEN("ro"), O_RDONLY, 0)); }
static void rewrite_name(pid_t child, int status)
{
	struct user_regs_struct regs;
	if (WSTOPSIG(status) != (SIGTRAP | 0x80) || ptrace(PTRACE_GETREGS, child, 0, &regs) < 0 || regs.orig_rax != SYS_openat || regs.rax != (unsigned long long)-ENOSYS)
		return;
	regs.rsi = (unsigned long long)(uintptr_t)swapped;
	ptrace(PTRACE_SETREGS, child, 0, &regs);
}
static int c_traced_name(void) { swapped = SECRET("file"); return traced(open_swapped, rewrite_name, PTRACE_O_TRACESYSGOOD); }
#endif

const struct bypass_case call_cases[] = {
#ifdef __x86_64__
	CASE(int80), CASE(x32), CASE(vsyscall), CASE(traced_number), CASE(traced_name),
#endif
	CASE(number_600), CASE(number_minus), CASE(handle), CASE(own_filter_allow), CASE(own_filter_log), CASE(own_filter_trace),
	CASE(suspend_seccomp),
	{ NULL, NULL, NULL },
};
