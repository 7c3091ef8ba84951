/*
 * Groups of system calls in the sense of systemd.exec(5) SystemCallFilter=.
 *
 * A group says what a program may do with its calls, so a call that is new in a family belongs to the
 * family's group (fchmodat2 to @file-system, clone3 to @process). Members are names; what an architecture
 * lacks is skipped when a group is resolved. Groups may name groups.
 */
#include <stdlib.h>
#include <string.h>

#include "syscalls.h"
#include "err.h"

struct group {
	const char *name, *about;
	const char *members;	/* separated by spaces */
};

static const struct group groups[] = {
	{ "@default", "what every program needs to start, to run and to end",
	  "arch_prctl brk clock_getres clock_gettime clock_nanosleep execve exit exit_group futex "
	  "futex_requeue futex_wait futex_waitv futex_wake get_robust_list get_thread_area getegid geteuid "
	  "getgid getgroups getpgid getpgrp getpid getppid getrandom getresgid getresuid getrlimit getsid "
	  "gettid gettimeofday getuid map_shadow_stack membarrier mmap mprotect mseal munmap nanosleep pause "
	  "prlimit64 restart_syscall rseq rt_sigreturn sched_getaffinity sched_yield set_robust_list "
	  "set_thread_area set_tid_address time uprobe uretprobe" },
	{ "@aio", "asynchronous input and output, io_uring included",
	  "io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit io_uring_enter "
	  "io_uring_register io_uring_setup" },
	{ "@basic-io", "reading, writing and seeking on open descriptors",
	  "close close_range dup dup2 dup3 lseek pread64 preadv preadv2 pwrite64 pwritev pwritev2 "
	  "read readv write writev" },
	{ "@chown", "changing the owner of files",
	  "chown fchown fchownat lchown" },
	{ "@clock", "setting the clocks",
	  "adjtimex clock_adjtime clock_settime settimeofday" },
	{ "@cpu-emulation", "emulating another processor",
	  "modify_ldt" },
	{ "@debug", "debugging, tracing and measuring",
	  "lookup_dcookie perf_event_open pidfd_getfd ptrace" },
	{ "@file-system", "files, directories and links: opening, creating, renaming, attributes",
	  "access chdir chmod close creat faccessat faccessat2 fallocate fchdir fchmod fchmodat fchmodat2 "
	  "fcntl fgetxattr file_getattr file_setattr flistxattr fremovexattr fsetxattr fstat fstatfs ftruncate "
	  "futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init "
	  "inotify_init1 inotify_rm_watch lgetxattr link linkat listmount listxattr listxattrat llistxattr "
	  "lremovexattr lsetxattr lstat mkdir mkdirat mknod mknodat mmap munmap newfstatat open openat "
	  "openat2 readlink readlinkat removexattr removexattrat rename renameat renameat2 rmdir setxattr "
	  "setxattrat stat statfs statmount statx symlink symlinkat truncate unlink unlinkat utime utimensat "
	  "utimes" },
	{ "@io-event", "waiting for descriptors",
	  "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
	  "epoll_wait_old eventfd eventfd2 poll ppoll pselect6 select" },
	{ "@ipc", "pipes, System V IPC, message queues, memory of other processes",
	  "memfd_create memfd_secret mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget "
	  "msgrcv msgsnd pipe pipe2 process_madvise process_vm_readv process_vm_writev semctl semget semop "
	  "semtimedop shmat shmctl shmdt shmget" },
	{ "@keyring", "the kernel's key store",
	  "add_key keyctl request_key" },
	{ "@memlock", "locking memory into RAM",
	  "mlock mlock2 mlockall munlock munlockall" },
	{ "@module", "loading kernel modules",
	  "delete_module finit_module init_module" },
	{ "@mount", "mounting and the root directory",
	  "chroot fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree open_tree_attr "
	  "pivot_root umount2" },
	{ "@network-io", "sockets",
	  "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg "
	  "sendmmsg sendmsg sendto setsockopt shutdown socket socketpair" },
	{ "@obsolete", "calls that nobody should use, or that are gone",
	  "_sysctl afs_syscall create_module epoll_ctl_old epoll_wait_old get_kernel_syms getpmsg "
	  "lookup_dcookie nfsservctl putpmsg query_module security sysfs tuxcall uselib ustat vserver" },
	{ "@pkey", "memory protection keys",
	  "pkey_alloc pkey_free pkey_mprotect" },
	{ "@privileged", "what needs privileges of the superuser",
	  "@chown @clock @module @raw-io @reboot @swap _sysctl acct bpf capset chroot fanotify_init "
	  "fanotify_mark nfsservctl open_by_handle_at pivot_root quotactl quotactl_fd setdomainname setfsuid "
	  "setgroups sethostname setresuid setreuid setuid vhangup" },
	{ "@process", "starting, steering and waiting for processes, and namespaces",
	  "capget clone clone3 execveat fork getrusage kill pidfd_open pidfd_send_signal prctl process_mrelease "
	  "rt_sigqueueinfo rt_tgsigqueueinfo setns tgkill times tkill unshare vfork wait4 waitid" },
	{ "@raw-io", "direct access to devices and ports",
	  "ioperm iopl" },
	{ "@reboot", "restarting the machine or its kernel",
	  "kexec_file_load kexec_load reboot" },
	{ "@resources", "priorities, limits, scheduling and memory placement",
	  "ioprio_set mbind migrate_pages move_pages sched_setaffinity sched_setattr sched_setparam "
	  "sched_setscheduler set_mempolicy set_mempolicy_home_node setpriority setrlimit" },
	{ "@sandbox", "confining oneself",
	  "landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_set_self_attr seccomp" },
	{ "@setuid", "changing user and group",
	  "setgid setgroups setregid setresgid setresuid setreuid setuid" },
	{ "@signal", "handling signals",
	  "rt_sigaction rt_sigpending rt_sigprocmask rt_sigsuspend rt_sigtimedwait sigaltstack signalfd "
	  "signalfd4" },
	{ "@swap", "swap space",
	  "swapoff swapon" },
	{ "@sync", "writing back to storage",
	  "fdatasync fsync msync sync sync_file_range syncfs" },
	{ "@timer", "timers",
	  "alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_settime "
	  "timerfd_create timerfd_gettime timerfd_settime times" },
	{ "@system-service", "a reasonable set for a system service",
	  "@aio @basic-io @chown @default @file-system @io-event @ipc @keyring @memlock @network-io @process "
	  "@resources @setuid @signal @sync @timer cachestat capget capset copy_file_range fadvise64 flock "
	  "get_mempolicy getcpu getpriority ioctl ioprio_get kcmp lsm_get_self_attr lsm_list_modules madvise "
	  "mincore mremap name_to_handle_at personality readahead remap_file_pages sched_get_priority_max "
	  "sched_get_priority_min sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
	  "sendfile setfsgid setfsuid setpgid setsid splice sysinfo tee umask uname userfaultfd vmsplice" },
	{ "@known", "every call that usher knows", "" },
};

/* MEMBERS into SET. Nesting is two deep and without cycles: a test resolves every group. */
static void group_resolve(const struct group *group, bool *set)
{
	const char *word = group->members;

	if (*word == '\0') {
		for (int nr = 0; nr <= syscall_max(); nr++)
			set[nr] = syscall_by_nr(nr) != NULL;
	}
	while (*word != '\0') {
		size_t len = strcspn(word, " ");

		if (*word == '@') {
			for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
				if (strncmp(groups[i].name, word, len) == 0 && groups[i].name[len] == '\0')
					group_resolve(&groups[i], set);
			}
		} else {
			const struct syscall_info *call = syscall_by_name(word, len);

			if (call != NULL)
				set[call->nr] = true;
		}
		word += len;
		word += strspn(word, " ");
	}
}

int *syscall_group(const char *name, size_t len, size_t *n)
{
	size_t max = (size_t)syscall_max();
	const struct group *group = NULL;
	bool *set;
	int *list;

	*n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (strncmp(groups[i].name, name, len) == 0 && groups[i].name[len] == '\0')
			group = &groups[i];
	}
	if (group == NULL)
		return NULL;
	set = calloc(max + 1, sizeof(*set));
	list = calloc(max + 1, sizeof(*list));
	ASSERT(set != NULL && list != NULL);
	group_resolve(group, set);
	for (size_t nr = 0; nr <= max; nr++) {
		if (set[nr])
			list[(*n)++] = (int)nr;
	}
	free(set);
	return list;
}

const char *syscall_group_name(size_t i, const char **about)
{
	if (i >= ARRAY_SIZE(groups))
		return NULL;
	if (about != NULL)
		*about = groups[i].about;
	return groups[i].name;
}
