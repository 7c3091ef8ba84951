/*
 * The table of calls: nothing that names a path or an address is left out, nothing is trapped that nothing
 * serves, and the filter that is made from it says what it should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "calls/numbers.h"
#include "harden.h"
#include "made.h"
#include "syscalls.h"

/*
 * What Linux 6.18 has that takes a path, or the address of a socket, or opens by name otherwise. By
 * meaning: whoever adds a call to the kernel's table must think of this one. Those that an architecture
 * lacks are passed over.
 */
static const char *const names_something[] = {
	/* files, as one opens, makes, moves and removes them */
	"open", "openat", "openat2", "creat", "mkdir", "mkdirat", "mknod", "mknodat", "rmdir", "unlink", "unlinkat", "rename", "renameat",
	"renameat2", "link", "linkat", "symlink", "symlinkat", "truncate", "open_by_handle_at",
	/* and asks after them */
	"stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "statfs",
	"name_to_handle_at", "file_getattr", "inotify_add_watch", "fanotify_mark",
	/* and changes their attributes */
	"chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat", "utime", "utimes", "futimesat", "utimensat", "file_setattr",
	"setxattr", "lsetxattr", "setxattrat", "getxattr", "lgetxattr", "getxattrat", "listxattr", "llistxattr", "listxattrat",
	"removexattr", "lremovexattr", "removexattrat",
	/* programs and libraries */
	"execve", "execveat", "uselib",
	/* what names mean */
	"chroot", "pivot_root", "mount", "umount2", "open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
	"mount_setattr", "statmount", "listmount", "setns", "unshare", "clone", "clone3",
	/* the machine */
	"acct", "swapon", "swapoff", "quotactl", "quotactl_fd", "lookup_dcookie", "bpf", "kexec_file_load", "finit_module",
	/* message queues */
	"mq_open", "mq_unlink",
	/* addresses */
	"connect", "bind", "sendto", "sendmsg", "sendmmsg",
	/* everything */
	"io_uring_setup", "io_uring_enter", "io_uring_register",
};

/* Names that are let through natively, and why. */
static const struct { const char *name, *why; } let_through[] = {
	{ "chdir", "every later use of the cwd is judged" },
	{ "fchdir", "the same" },
	{ "memfd_create", "a label" },
	{ "memfd_secret", "no name at all" },
};

/* Parameters that are paths, or what paths start from. */
static const char *const path_params[] = {
	"pathname", "path", "filename", "oldname", "newname", "oldpath", "newpath", "linkpath", "special", "specialfile", "library",
	"to_pathname", "from_pathname", "new_root", "put_old", "dirfd", "olddirfd", "newdirfd", "to_dirfd", "from_dirfd",
};

static bool is_let_through(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(let_through); i++)
		if (!strcmp(let_through[i].name, name))
			return true;
	return false;
}

static bool is_handled(int nr)
{
	const struct call *call = call_by_nr(nr);

	return harden_refuses(nr) || (call && (call->when == CALL_REFUSED ? call->refuse > 0 : call->serve != NULL));
}

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names_something); i++) {
		const char *name = names_something[i];
		const struct syscall_info *info = syscall_by_name(name, strlen(name));

		if (info && info->nr >= 0 && !is_handled(info->nr))
			fail_msg("%s names something and has no row", name);
	}
}

/* The same from the other side: whatever takes a parameter that is called like a path. */
static void test_params(void **state)
{
	unsigned found = 0;

	(void)state;
	for (int nr = 0; nr <= syscall_max(); nr++) {
		const struct syscall_info *info = syscall_by_nr(nr);

		for (size_t i = 0; info && i < 6 && info->params[i].name; i++)
			for (size_t j = 0; j < ARRAY_SIZE(path_params); j++) {
				if (strcmp(info->params[i].name, path_params[j]))
					continue;
				found++;
				if (!is_handled(nr) && !is_let_through(info->name))
					fail_msg("%s takes %s and has no row", info->name, path_params[j]);
			}
	}
	assert_true(found > 70);
}

static void test_rows(void **state)
{
	size_t n = 0;

	(void)state;
	assert_null(call_by_nr(-1));
	assert_null(call_by_nr((int)call_table_size));
	for (size_t nr = 0; nr < call_table_size; nr++) {
		const struct call *call = call_by_nr((int)nr);
		const struct syscall_info *info = syscall_by_nr((int)nr);

		if (!call)
			continue;
		n++;
		assert_non_null(info);
		assert_string_equal(call->name, info->name);
		assert_int_not_equal(call->when, CALL_NEVER);
		if (call->when == CALL_REFUSED) {
			assert_true(call->refuse > 0);
			assert_true(!call->serve || call->topology);
			assert_true(!call->serve == !call->may_continue);
		} else {
			assert_non_null(call->serve);
			assert_int_equal(call->refuse, 0);
		}
		if (call->when != CALL_REFUSED && call->when != CALL_CRED && call->when != CALL_PROCESS) {
			assert_non_null(call->fetch);
			assert_int_not_equal(call->ops, 0);
		}
		/* Paths and addresses are looked up by the supervisor, never again by the kernel: but for
		 * these. */
		if (call->may_continue && call->when != CALL_CRED && call->when != CALL_EXEC && call->when != CALL_PROCESS && strcmp(call->name, "open") && strcmp(call->name, "socket") &&
		    strcmp(call->name, "openat") && strcmp(call->name, "connect") && strncmp(call->name, "send", 4) && !call->topology)
			fail_msg("%s may continue", call->name);
		for (size_t i = 0; i < call->n_tests; i++) {
			assert_true(call->tests[i].arg < 6);
			assert_int_equal(call->tests[i].value & ~call->tests[i].mask, 0);
		}
	}
	assert_true(n > 90);
}

/* ---- filters -------------------------------------------------------------------------------- */

enum { PLAN_FILES = 1, PLAN_STAT = 2, PLAN_UNIX = 4, PLAN_EXEC = 8, PLAN_TOPOLOGY = 16, PLAN_CREDS = 32, PLAN_PEERS = 64, PLAN_ALL = 127,
       PLAN_FREE = 128, PLAN_MOUNTS = 512, PLAN_MOUNT_API = 1024, PLAN_PORTS = 256 };

static struct made make(const char *text, unsigned what)
{
	struct made made = { .policy = lang_good(text) };

	made.plan = (struct plan){
		.policy = made.policy, .kernel = &kernel, .restricted = what & PLAN_FILES ? UINT32_MAX : 0,
		.files = what & PLAN_FILES, .stat = what & PLAN_STAT, .unix_paths = what & PLAN_UNIX, .exec = what & PLAN_EXEC,
		.peers = what & PLAN_PEERS, .peers_enforced = what & PLAN_PEERS, .peers_ruled = what & PLAN_PEERS, .redirects = what & PLAN_PEERS,
		.peers_of = { [PROTO_TCP] = what & PLAN_PEERS ? OPS_NETWORK : 0 },
		.topology_fixed = what & PLAN_TOPOLOGY, .creds_vary = what & PLAN_CREDS, .free = what & PLAN_FREE, .mounts = what & PLAN_MOUNTS, .mount_api = what & PLAN_MOUNT_API, .ports = what & PLAN_PORTS,
		.landlock = true,
	};
	made_compile(&made);
	return made;
}

static uint32_t answer(const struct made *made, int nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	struct seccomp_data data = { .nr = nr, .arch = NATIVE, .args = { a0, a1, a2, a3, a4, 0 } };

	return filter_run(&made->filter, &data, NULL);
}

#define ERR(e) (SECCOMP_RET_ERRNO | (e))

static void check_always(const struct made *made)
{
	assert_int_equal(answer(made, SYS_seccomp, 1, 8, 0, 0, 0), ERR(EBUSY));
	assert_int_equal(answer(made, SYS_seccomp, 1 | HIGH, 8 | 32 | HIGH, 0, 0, 0), ERR(EBUSY));
	assert_int_equal(answer(made, SYS_seccomp, 1, 1, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(made, SYS_clone3, 0, 0, 0, 0, 0), ERR(ENOSYS));
	assert_int_equal(answer(made, SYS_userfaultfd, 0, 0, 0, 0, 0), ERR(EPERM));
	assert_int_equal(answer(made, SYS_ioctl, 0, 0x5412 | HIGH, 0, 0, 0), ERR(EPERM));
	assert_int_equal(answer(made, SYS_ioctl, 0, 0x541c, 0, 0, 0), ERR(EPERM));
	assert_int_equal(answer(made, SYS_ioctl, 0, 0xaa00, 0, 0, 0), ERR(EPERM));
	assert_int_equal(answer(made, SYS_ioctl, 0, 0x5401, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(made, SYS_sendto, 3, 4096, 1, MSG_FASTOPEN | HIGH, 4096), ERR(EOPNOTSUPP));
	assert_int_equal(answer(made, SYS_sendto, 3, 4096, 1, MSG_FASTOPEN, 0), ERR(EOPNOTSUPP));
	assert_int_equal(answer(made, SYS_sendmsg, 3, 4096, MSG_FASTOPEN, 0, 0), ERR(EOPNOTSUPP));
	assert_int_equal(answer(made, SYS_sendmmsg, 3, 4096, 1, MSG_FASTOPEN, 0), ERR(EOPNOTSUPP));
	assert_int_equal(answer(made, SYS_sendto, 3, 4096, 1, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(made, SYS_open_by_handle_at, 3, 4096, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(made, SYS_swapon, 4096, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(made, SYS_close, 3, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(made, SYS_read, 3, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(made, SYS_ptrace, 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(made, syscall_max() + 1, 0, 0, 0, 0, 0), ERR(ENOSYS));
	assert_int_equal(answer(made, 0x40000000 | 2, 0, 0, 0, 0, 0), ERR(ENOSYS));
	assert_int_equal(answer(made, -1, 0, 0, 0, 0, 0), ERR(ENOSYS));
}

/* What is free, whatever stands where the kernel does not look; and that all else is asked about. */
static void check_sockets(const struct made *made)
{
	static const struct { uint64_t domain, type, protocol; uint32_t answer; } rows[] = {
		{ AF_UNIX, SOCK_STREAM, 0, SECCOMP_RET_ALLOW }, { AF_INET, SOCK_STREAM, 0, SECCOMP_RET_ALLOW },
		{ AF_INET6 | HIGH, SOCK_STREAM | SOCK_CLOEXEC | HIGH, IPPROTO_TCP | HIGH, SECCOMP_RET_ALLOW },
		{ AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP, SECCOMP_RET_ALLOW }, { AF_INET, SOCK_DGRAM, IPPROTO_ICMP, SECCOMP_RET_ALLOW },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, SECCOMP_RET_ALLOW }, { AF_INET6, SOCK_DGRAM, IPPROTO_ICMP, SECCOMP_RET_USER_NOTIF },
		{ AF_INET, SOCK_STREAM, 262, SECCOMP_RET_USER_NOTIF }, { AF_INET | HIGH, SOCK_STREAM | HIGH, 262 | HIGH, SECCOMP_RET_USER_NOTIF },
		{ AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, SECCOMP_RET_USER_NOTIF }, { AF_INET, SOCK_SEQPACKET, 0, SECCOMP_RET_USER_NOTIF },
		{ AF_INET, SOCK_RAW, IPPROTO_TCP, SECCOMP_RET_USER_NOTIF }, { AF_INET, SOCK_PACKET, 0, SECCOMP_RET_USER_NOTIF },
		{ AF_NETLINK, SOCK_RAW, 0, SECCOMP_RET_USER_NOTIF }, { AF_PACKET, SOCK_RAW, 0, SECCOMP_RET_USER_NOTIF },
		{ AF_VSOCK, SOCK_STREAM, 0, SECCOMP_RET_USER_NOTIF }, { 43, SOCK_STREAM, 0, SECCOMP_RET_USER_NOTIF },
		{ AF_UNIX | 32, SOCK_STREAM, 0, SECCOMP_RET_USER_NOTIF },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (answer(made, SYS_socket, rows[i].domain, rows[i].type, rows[i].protocol, 0, 0) != rows[i].answer)
			fail_msg("socket row %zu", i);
	assert_int_equal(answer(made, SYS_setsockopt, 3, IPPROTO_IP, IP_OPTIONS, 4096, 4), ERR(EPERM));
	assert_int_equal(answer(made, SYS_setsockopt, 3, IPPROTO_IPV6 | HIGH, IPV6_RTHDR | HIGH, 4096, 4), ERR(EPERM));
	assert_int_equal(answer(made, SYS_setsockopt, 3, IPPROTO_IP, IP_TOS, 4096, 4), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(made, SYS_setsockopt, 3, IPPROTO_TCP, IP_OPTIONS, 4096, 4), SECCOMP_RET_ALLOW);
}

static void test_filter_all(void **state)
{
	struct made made = make("files { default deny; cover all; allow ro /srv/; } network { default deny; }", PLAN_ALL);

	(void)state;
	check_always(&made);
	check_sockets(&made);
	/* Every row of the table, but those for append-only rules and hidden names, is trapped by a policy that needs all of
	 * it. */
	for (size_t nr = 0; nr < call_table_size; nr++) {
		const struct call *call = call_by_nr((int)nr);

		if (!call || call->when == CALL_APPEND || call->when == CALL_HIDE || call->when == CALL_PAIR || (call->when == CALL_MOUNT && call->mounts) || nr == SYS_getsockopt)
			continue;
		if (!call->n_tests)
			assert_int_equal(answer(&made, (int)nr, 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
		for (size_t i = 0; i < call->n_tests; i++) {
			uint64_t args[6] = { 0 };

			args[call->tests[i].arg] = call->tests[i].value;
			assert_int_equal(answer(&made, (int)nr, args[0], args[1], args[2], args[3], args[4]), SECCOMP_RET_USER_NOTIF);
		}
	}
	assert_int_equal(answer(&made, SYS_sendto, 3, 4096, 1, 0, UINT64_C(1) << 46), SECCOMP_RET_USER_NOTIF);
	/* The caller itself: 0 of PRIO_PROCESS and IOPRIO_WHO_PROCESS. */
	assert_int_equal(answer(&made, SYS_setpriority, HIGH, HIGH, 5, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_setpriority, PRIO_PGRP, 0, 5, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_setpriority, PRIO_USER, 0, 5, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_ioprio_set, 1, HIGH, 5, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_ioprio_set, 2, 0, 5, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_ioprio_set, 3, 0, 5, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_sched_setaffinity, HIGH, 8, 4096, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_getsockopt, 3, SOL_SOCKET | HIGH, SO_PEERNAME | HIGH, 4096, 4096), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_getsockopt, 3, SOL_SOCKET, SO_ERROR, 4096, 4096), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_getsockopt, 3, IPPROTO_SCTP, 111, 4096, 4096), ERR(EPERM));
	assert_int_equal(answer(&made, SYS_setsockopt, 3, IPPROTO_SCTP | HIGH, 110 | HIGH, 4096, 16), ERR(EPERM));
	assert_int_equal(answer(&made, SYS_setsockopt, 3, IPPROTO_SCTP, 107, 4096, 16), ERR(EPERM));
	assert_int_equal(answer(&made, SYS_setsockopt, 3, IPPROTO_SCTP, 100, 4096, 16), ERR(EPERM));
	assert_int_equal(answer(&made, SYS_unshare, CLONE_FILES, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_unshare, CLONE_FILES | CLONE_NEWNS, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_clone, CLONE_VM | CLONE_VFORK | 17, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_fcntl, 3, F_SETFL, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_ftruncate, 3, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_io_setup, 3, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	unmake(&made);
}

/* Where Landlock decides about connects alone. */
static void test_filter_ports(void **state)
{
	static const int quiet[] = { SYS_connect, SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_accept, SYS_accept4 };
	struct made made = make("network { default deny sealed; }", PLAN_ALL | PLAN_PORTS);

	(void)state;
	check_always(&made);
	for (size_t i = 0; i < ARRAY_SIZE(quiet); i++)
		assert_int_equal(answer(&made, quiet[i], 3, 4096, 16, 0, 4096), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_bind, 3, 4096, 16, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_listen, 3, 5, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_socket, AF_INET | HIGH, SOCK_STREAM | SOCK_CLOEXEC, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_socket, AF_UNIX | HIGH, SOCK_STREAM, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_socket, AF_INET, SOCK_DGRAM, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_socketpair, AF_UNIX | HIGH, SOCK_STREAM | SOCK_NONBLOCK | HIGH, 0, 4096, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, 4096, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_socketpair, 30, SOCK_STREAM, 0, 4096, 0), SECCOMP_RET_USER_NOTIF);
	/* TCP_ULP: "smc", or "tls". */
	assert_int_equal(answer(&made, SYS_setsockopt, 3, IPPROTO_TCP | HIGH, 31 | HIGH, 4096, 3), ERR(ENOENT));
	assert_int_equal(answer(&made, SYS_setsockopt, 3, IPPROTO_TCP, 30, 4096, 4), SECCOMP_RET_ALLOW);
	unmake(&made);
	made = make("network { default deny sealed; }", PLAN_ALL);
	assert_int_equal(answer(&made, SYS_setsockopt, 3, IPPROTO_TCP, 31, 4096, 3), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, 4096, 0), SECCOMP_RET_ALLOW);
	unmake(&made);
}

static void test_filter_hides(void **state)
{
	struct made made = make("files { default deny ENOENT; cover all; allow ro /srv/; }", PLAN_ALL);

	(void)state;
	assert_int_equal(answer(&made, SYS_getdents64, 3, 4096, 4096, 0, 0), SECCOMP_RET_USER_NOTIF);
	unmake(&made);
	made = make("files { default deny ENOENT; allow ro /srv/; }", PLAN_FILES | PLAN_UNIX | PLAN_TOPOLOGY);
	assert_int_equal(answer(&made, SYS_getdents64, 3, 4096, 4096, 0, 0), SECCOMP_RET_ALLOW);
	unmake(&made);
}

static void test_filter_nothing(void **state)
{
	struct made made = make("syscalls { default allow; }", 0);

	(void)state;
	check_always(&made);
	assert_int_equal(answer(&made, SYS_openat, 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_execve, 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_connect, 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_setuid, 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_mount, 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_keyctl, 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_io_uring_setup, 0, 0, 0, 0, 0), ERR(ENOSYS));
	unmake(&made);
}

/* Where nothing is denied only that stays refused which would take calls away from us, or is the machine's. */
static void test_filter_free(void **state)
{
	static const int let_be[] = {
		SYS_open_by_handle_at, SYS_bpf, SYS_mq_open, SYS_mq_unlink, SYS_perf_event_open, SYS_keyctl, SYS_add_key, SYS_request_key,
		SYS_process_madvise, SYS_process_mrelease, SYS_move_pages, SYS_statmount, SYS_listmount, SYS_mount, SYS_fsopen, SYS_clone3,
	};
	static const int refused[] = {
		SYS_acct, SYS_swapon, SYS_swapoff, SYS_quotactl, SYS_quotactl_fd, SYS_reboot, SYS_kexec_load, SYS_init_module, SYS_finit_module,
	};
	struct made made = make("files { default allow; cover all; }", PLAN_FILES | PLAN_STAT | PLAN_UNIX | PLAN_FREE);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(let_be); i++)
		assert_int_equal(answer(&made, let_be[i], 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_int_equal(answer(&made, refused[i], 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_seccomp, 1, 8, 0, 0, 0), ERR(EBUSY));
	assert_int_equal(answer(&made, SYS_userfaultfd, 0, 0, 0, 0, 0), ERR(EPERM));
	assert_int_equal(answer(&made, SYS_io_uring_setup, 0, 0, 0, 0, 0), ERR(ENOSYS));
	assert_int_equal(answer(&made, SYS_openat, 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	unmake(&made);
}

/* Naming a call opens it where nothing is gone round by that; a group does not. */
static void test_filter_named(void **state)
{
	struct made made = make("syscalls { default allow; allow keyctl, io_uring_setup, seccomp, userfaultfd, open_by_handle_at; }", 0);

	(void)state;
	check_always(&made);
	assert_int_equal(answer(&made, SYS_keyctl, 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_io_uring_setup, 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	unmake(&made);

	made = make("syscalls { default allow; allow keyctl, io_uring_setup, fsopen; }", PLAN_FILES | PLAN_TOPOLOGY);
	assert_int_equal(answer(&made, SYS_keyctl, 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_io_uring_setup, 0, 0, 0, 0, 0), ERR(ENOSYS));
	assert_int_equal(answer(&made, SYS_fsopen, 0, 0, 0, 0, 0), ERR(ENOSYS));
	unmake(&made);

	made = make("syscalls { default allow; allow @keyring; }", 0);
	assert_int_equal(answer(&made, SYS_keyctl, 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_mq_open, 4096, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	unmake(&made);

	made = make("syscalls { default allow; allow mq_open; }", PLAN_FILES);
	assert_int_equal(answer(&made, SYS_mq_open, 4096, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_mq_unlink, 4096, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	unmake(&made);
}

static void test_filter_append(void **state)
{
	struct made made = make("files { default deny; allow append /var/log/; }", PLAN_FILES | PLAN_TOPOLOGY);

	(void)state;
	check_always(&made);
	assert_int_equal(answer(&made, SYS_ftruncate, 3, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_fallocate, 3, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_fcntl, 3, F_SETFL | HIGH, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_fcntl, 3, F_GETFL, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_io_setup, 3, 0, 0, 0, 0), ERR(ENOSYS));
	struct seccomp_data data = { .nr = SYS_pwritev2, .arch = NATIVE, .args = { 3, 0, 0, 0, 0, 0x20 | 1 } };
	assert_int_equal(filter_run(&made.filter, &data, NULL), ERR(EOPNOTSUPP));
	unmake(&made);
}

static void test_append_only(void **state)
{
	static const struct { const char *text; bool only; } cases[] = {
		{ "files { default deny; allow append /l/; }", true },
		{ "files { default deny; allow rw /l/; }", false },
		{ "files { default deny; allow rw /l/; deny write /l/x; }", true },
		{ "files { default deny; allow rw /l/; deny modify /l/x; }", false },
		{ "files { default deny; allow ro /l/; }", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy *policy = lang_good(cases[i].text);

		if (harden_append_only(policy) != cases[i].only)
			fail_msg("%s", cases[i].text);
		policy_free(policy);
	}
}

/* Evaluator and compiled filter agree on every number and on interesting arguments. */
static void test_filter_check(void **state)
{
	static const char *const texts[] = {
		"syscalls { default allow; }",
		"files { default deny; cover all; allow ro /srv/; allow append /l/; }",
		("syscalls { default deny ENOSYS; allow @system-service, @file-system, @network-io; deny socket where domain == AF_VSOCK; } "
		 "files { default allow; deny write /etc/; }"),
	};
	static const unsigned whats[] = { 0, PLAN_FILES | PLAN_UNIX, PLAN_FILES | PLAN_TOPOLOGY | PLAN_EXEC, PLAN_ALL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (size_t j = 0; j < ARRAY_SIZE(whats); j++) {
			struct made made = make(texts[i], whats[j]);
			struct seccomp_data data;
			unsigned long checked = 0;

			if (filter_check(made.policy, made.rows, made.n_rows, &made.filter, &data, &checked))
				fail_msg("%s (plan %#x): call %d differs", texts[i], whats[j], data.nr);
			assert_true(checked > 1000);
			unmake(&made);
		}
}

/* Where mounts are made: those are asked about, and what else could change the meaning of a path is refused. */
static void test_mounts(void **state)
{
	struct made made = make("files { default deny; } mounts { default deny; allow mount tmpfs on /tmp; }", PLAN_MOUNTS | PLAN_FILES);

	(void)state;
	assert_int_equal(answer(&made, SYS_mount, 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_umount2, 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_pivot_root, 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_setns, 3, CLONE_NEWNS, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&made, SYS_chroot, 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, SYS_clone, CLONE_NEWNS | CLONE_NEWUSER, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	static const int newer[] = { SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_open_tree, 467 /* open_tree_attr */, SYS_move_mount, SYS_mount_setattr };
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		assert_int_equal(answer(&made, newer[i], 0, 0, 0, 0, 0), ERR(ENOSYS));
	unmake(&made);
	made = make("files { default deny; } mounts { default deny; allow mount tmpfs on /tmp; }", PLAN_MOUNTS | PLAN_MOUNT_API | PLAN_FILES);
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		assert_int_equal(answer(&made, newer[i], 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	unmake(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_filter_all),
		cmocka_unit_test(test_filter_ports),
		cmocka_unit_test(test_filter_hides), cmocka_unit_test(test_filter_nothing),
		cmocka_unit_test(test_filter_free),
		cmocka_unit_test(test_filter_named),
		cmocka_unit_test(test_filter_append),
		cmocka_unit_test(test_append_only),
		cmocka_unit_test(test_filter_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
