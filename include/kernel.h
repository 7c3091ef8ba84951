/*
 * What the running kernel has, probed once at start, and constants that Debian 12's headers lack.
 * Features can be switched off for tests: USHER_TEST_DISABLE=pidfd_thread,sync_wake,landlock_scope,landlock_3,...
 */
#ifndef USHER_KERNEL_H
#define USHER_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

struct kernel {
	int major, minor;
	bool wait_killable;	/* 5.19: required */
	bool sync_wake;		/* 6.6 */
	bool pidfd_thread;	/* 6.9 */
	bool recv_hangup;	/* 6.11: RECV ends when nobody is left */
	bool pidfd_info;	/* 6.13 */
	bool fchmodat2;		/* 6.6 */
	bool xattrat;		/* 6.13 */
	bool execve_check;	/* 6.14 */
	int landlock_abi;	/* 0: none */
};

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS _IOW('!', 4, uint64_t)
#endif
#ifndef PIDFD_THREAD
#define PIDFD_THREAD 0200	/* O_EXCL */
#endif
#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

#ifndef LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON
#define LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON (1U << 1)	/* ABI 7 */
#endif

#endif
