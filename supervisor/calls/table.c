/*
 * The table of calls. A call that names a path or an address has a row here, or is refused by harden.c;
 * tests/unit/test_table.c keeps the list of which those are.
 */
#include "call.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "calls/append.h"
#include "calls/attr.h"
#include "calls/cred.h"
#include "calls/exact.h"
#include "calls/exec.h"
#include "calls/list.h"
#include "calls/make.h"
#include "calls/mount.h"
#include "calls/mount_api.h"
#include "calls/names.h"
#include "calls/numbers.h"
#include "calls/open.h"
#include "calls/redirect.h"
#include "calls/stat.h"
#include "calls/unix.h"
#include "calls/watch.h"
#include "calls/xattr.h"
#include "err.h"

/* Flags that change what paths mean. */
#define NEW(kind) { .arg = 0, .mask = CLONE_NEW##kind, .value = CLONE_NEW##kind }
static const struct filter_test new_topology[] = { NEW(USER), NEW(NS) };
/* And those in which targets are served (body.h). */
static const struct filter_test new_namespaces[] = { NEW(USER), NEW(NS), NEW(NET), NEW(IPC), NEW(CGROUP) };

/* An argument is not 0: each bit by itself, since a row can only say what a field equals. */
#define BIT_SET(arg_, n) { .arg = (arg_), .mask = UINT64_C(1) << (n), .value = UINT64_C(1) << (n) }
#define BITS_SET(arg_, n) BIT_SET(arg_, n), BIT_SET(arg_, (n) + 1), BIT_SET(arg_, (n) + 2), BIT_SET(arg_, (n) + 3), \
	BIT_SET(arg_, (n) + 4), BIT_SET(arg_, (n) + 5), BIT_SET(arg_, (n) + 6), BIT_SET(arg_, (n) + 7)
#define INT_SET(arg_) BITS_SET(arg_, 0), BITS_SET(arg_, 8), BITS_SET(arg_, 16), BITS_SET(arg_, 24)

static const struct filter_test address_given[] = {
	INT_SET(4), BITS_SET(4, 32), BITS_SET(4, 40), BITS_SET(4, 48), BITS_SET(4, 56),
};

static const struct filter_test set_flags[] = {
	{ .arg = 1, .mask = UINT64_C(0xffffffff), .value = F_SETFL },
};

/* Another process than the caller is named: 0 is the caller, and so is what C libraries pass for a process. */
static const struct filter_test process_given[] = { INT_SET(0) };
/* Or a group or a user: PRIO_PGRP and PRIO_USER; IOPRIO_WHO_PGRP and IOPRIO_WHO_USER, of which the process is 1. */
static const struct filter_test prio_given[] = { BIT_SET(0, 0), BIT_SET(0, 1), INT_SET(1) };
static const struct filter_test ioprio_given[] = { BIT_SET(0, 1), INT_SET(1) };

/* Reasons to let the kernel go on. */
static const char cred_reason[] = "nothing of it was judged: it is trapped only so that cached credentials and namespaces are read again";
static const char process_reason[] = "the number is in a register, and of a process, a group or a session of the sandbox";
static const char socket_reason[] = "numbers in registers, and a socket that has reached nobody yet";
static const char exact_reason[] = EXACT_REASON;
static const char exec_reason[] = "the gate compares the image that starts with the one that was judged";

const struct call call_table[] = {
	[SYS_openat] = { .name = "openat", .when = CALL_FILES, .ops = OPS_FILES, .fetch = openat_fetch, .judge = open_judge,
		.serve = open_serve, .failed = open_failed, .lexical_ok = true, .may_continue = OPEN_MAY_CONTINUE,
		.rows = openat_rows, .trapped = openat_trapped },
	[SYS_openat2] = { .name = "openat2", .when = CALL_FILES, .ops = OPS_FILES, .fetch = openat2_fetch, .judge = open_judge,
		.serve = open_serve, .failed = open_failed, .lexical_ok = true },
	[SYS_newfstatat] = { .name = "newfstatat", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = newfstatat_fetch,
		.judge = stat_judge, .serve = stat_serve, .lexical_ok = true },
	[SYS_statx] = { .name = "statx", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = statx_fetch,
		.judge = stat_judge, .serve = stat_serve, .lexical_ok = true },
	[SYS_faccessat] = { .name = "faccessat", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = faccessat_fetch,
		.judge = stat_judge, .serve = access_serve, .lexical_ok = true },
	[SYS_faccessat2] = { .name = "faccessat2", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = faccessat2_fetch,
		.judge = stat_judge, .serve = access_serve, .lexical_ok = true },
	[SYS_readlinkat] = { .name = "readlinkat", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = readlinkat_fetch,
		.judge = stat_judge, .serve = readlink_serve, .lexical_ok = true },
	[SYS_getdents64] = { .name = "getdents64", .when = CALL_HIDE, .ops = OP_BIT(OP_STAT), .fetch = list_fetch,
		.serve = list_serve, .release = list_release },
	[SYS_statfs] = { .name = "statfs", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = statfs_fetch,
		.judge = stat_judge, .serve = statfs_serve, .lexical_ok = true },
	[SYS_mkdirat] = { .name = "mkdirat", .when = CALL_FILES, .ops = OP_BIT(OP_CREATE), .fetch = mkdirat_fetch,
		.serve = mkdir_serve, .lexical_ok = true },
	[SYS_mknodat] = { .name = "mknodat", .when = CALL_FILES, .ops = OP_BIT(OP_CREATE) | OP_BIT(OP_MKNOD),
		.fetch = mknodat_fetch, .judge = mknod_judge, .serve = mknod_serve, .lexical_ok = true },
	[SYS_symlinkat] = { .name = "symlinkat", .when = CALL_FILES, .ops = OP_BIT(OP_CREATE), .fetch = symlinkat_fetch,
		.serve = symlink_serve, .lexical_ok = true },
	[SYS_unlinkat] = { .name = "unlinkat", .when = CALL_FILES, .ops = OP_BIT(OP_DELETE), .fetch = unlinkat_fetch,
		.serve = unlink_serve, .lexical_ok = true },
	[SYS_renameat] = { .name = "renameat", .when = CALL_FILES,
		.ops = OP_BIT(OP_RENAME) | OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE),
		.fetch = renameat_fetch, .judge = rename_judge, .serve = rename_serve },
	[SYS_renameat2] = { .name = "renameat2", .when = CALL_FILES,
		.ops = OP_BIT(OP_RENAME) | OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE),
		.fetch = renameat2_fetch, .judge = rename_judge, .serve = rename_serve },
	[SYS_linkat] = { .name = "linkat", .when = CALL_FILES, .ops = OP_BIT(OP_LINK) | OP_BIT(OP_CREATE),
		.fetch = linkat_fetch, .judge = link_judge, .serve = link_serve },
	[SYS_fchmod] = { .name = "fchmod", .when = CALL_MODIFY_FD, .ops = OP_BIT(OP_CHMOD), .fetch = fchmod_fetch,
		.judge = attr_judge, .serve = chmod_serve },
	[SYS_fchmodat] = { .name = "fchmodat", .when = CALL_FILES, .ops = OP_BIT(OP_CHMOD), .fetch = fchmodat_fetch,
		.judge = attr_judge, .serve = chmod_serve },
	[SYS_fchmodat2] = { .name = "fchmodat2", .when = CALL_FILES, .ops = OP_BIT(OP_CHMOD), .fetch = fchmodat2_fetch,
		.judge = attr_judge, .serve = chmod_serve },
	[SYS_fchown] = { .name = "fchown", .when = CALL_MODIFY_FD, .ops = OP_BIT(OP_CHOWN), .fetch = fchown_fetch,
		.judge = attr_judge, .serve = chown_serve },
	[SYS_fchownat] = { .name = "fchownat", .when = CALL_FILES, .ops = OP_BIT(OP_CHOWN), .fetch = fchownat_fetch,
		.judge = attr_judge, .serve = chown_serve },
	[SYS_utimensat] = { .name = "utimensat", .when = CALL_FILES, .ops = OP_BIT(OP_UTIME), .fetch = utimensat_fetch,
		.judge = attr_judge, .serve = utime_serve },
	[SYS_truncate] = { .name = "truncate", .when = CALL_FILES, .ops = OP_BIT(OP_TRUNCATE), .fetch = truncate_fetch,
		.judge = truncate_judge, .serve = truncate_serve },
	[SYS_setxattr] = { .name = "setxattr", .when = CALL_FILES, .ops = OP_BIT(OP_XATTR), .fetch = setxattr_fetch,
		.judge = attr_judge, .serve = setxattr_serve, .release = setxattr_release },
	[SYS_lsetxattr] = { .name = "lsetxattr", .when = CALL_FILES, .ops = OP_BIT(OP_XATTR), .fetch = lsetxattr_fetch,
		.judge = attr_judge, .serve = setxattr_serve, .release = setxattr_release },
	[SYS_fsetxattr] = { .name = "fsetxattr", .when = CALL_MODIFY_FD, .ops = OP_BIT(OP_XATTR), .fetch = fsetxattr_fetch,
		.judge = attr_judge, .serve = setxattr_serve, .release = setxattr_release },
	[SYS_setxattrat] = { .name = "setxattrat", .when = CALL_FILES, .ops = OP_BIT(OP_XATTR), .fetch = setxattrat_fetch,
		.judge = attr_judge, .serve = setxattr_serve, .release = setxattr_release },
	[SYS_removexattr] = { .name = "removexattr", .when = CALL_FILES, .ops = OP_BIT(OP_XATTR), .fetch = removexattr_fetch,
		.judge = attr_judge, .serve = removexattr_serve },
	[SYS_lremovexattr] = { .name = "lremovexattr", .when = CALL_FILES, .ops = OP_BIT(OP_XATTR),
		.fetch = lremovexattr_fetch, .judge = attr_judge, .serve = removexattr_serve },
	[SYS_fremovexattr] = { .name = "fremovexattr", .when = CALL_MODIFY_FD, .ops = OP_BIT(OP_XATTR),
		.fetch = fremovexattr_fetch, .judge = attr_judge, .serve = removexattr_serve },
	[SYS_removexattrat] = { .name = "removexattrat", .when = CALL_FILES, .ops = OP_BIT(OP_XATTR),
		.fetch = removexattrat_fetch, .judge = attr_judge, .serve = removexattr_serve },
	[SYS_getxattr] = { .name = "getxattr", .when = CALL_FILES, .ops = OP_BIT(OP_READ), .fetch = getxattr_fetch,
		.judge = attr_judge, .serve = getxattr_serve },
	[SYS_lgetxattr] = { .name = "lgetxattr", .when = CALL_FILES, .ops = OP_BIT(OP_READ), .fetch = lgetxattr_fetch,
		.judge = attr_judge, .serve = getxattr_serve },
	[SYS_getxattrat] = { .name = "getxattrat", .when = CALL_FILES, .ops = OP_BIT(OP_READ), .fetch = getxattrat_fetch,
		.judge = attr_judge, .serve = getxattr_serve },
	[SYS_listxattr] = { .name = "listxattr", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = listxattr_fetch,
		.judge = stat_judge, .serve = listxattr_serve },
	[SYS_llistxattr] = { .name = "llistxattr", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = llistxattr_fetch,
		.judge = stat_judge, .serve = listxattr_serve },
	[SYS_listxattrat] = { .name = "listxattrat", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = listxattrat_fetch,
		.judge = stat_judge, .serve = listxattr_serve },
	[SYS_file_getattr] = { .name = "file_getattr", .when = CALL_STAT, .ops = OP_BIT(OP_STAT),
		.fetch = file_getattr_fetch, .judge = stat_judge, .serve = file_getattr_serve },
	[SYS_file_setattr] = { .name = "file_setattr", .when = CALL_FILES, .ops = OP_BIT(OP_XATTR),
		.fetch = file_setattr_fetch, .judge = attr_judge, .serve = file_setattr_serve, .release = setxattr_release },
	[SYS_ioctl] = { .name = "ioctl", .when = CALL_MODIFY_FD, .ops = OP_BIT(OP_XATTR), .fetch = inode_flags_fetch,
		.judge = attr_judge, .serve = inode_flags_serve, .tests = inode_flags_tests, .n_tests = INODE_FLAGS_TESTS },
	[SYS_inotify_add_watch] = { .name = "inotify_add_watch", .when = CALL_FILES, .ops = OP_BIT(OP_READ) | OP_BIT(OP_LIST),
		.fetch = inotify_add_watch_fetch, .judge = watch_judge, .serve = inotify_add_watch_serve },
	[SYS_fanotify_mark] = { .name = "fanotify_mark", .when = CALL_FILES, .ops = OP_BIT(OP_READ) | OP_BIT(OP_LIST),
		.fetch = fanotify_mark_fetch, .judge = watch_judge, .serve = fanotify_mark_serve },
	[SYS_name_to_handle_at] = { .name = "name_to_handle_at", .when = CALL_STAT, .ops = OP_BIT(OP_STAT),
		.fetch = name_to_handle_at_fetch, .judge = stat_judge, .serve = name_to_handle_at_serve },

	[SYS_execve] = { .name = "execve", .when = CALL_EXEC, .ops = OP_BIT(OP_EXEC), .fetch = execve_fetch,
		.judge = exec_judge, .serve = exec_serve, .may_continue = exec_reason },
	[SYS_execveat] = { .name = "execveat", .when = CALL_EXEC, .ops = OP_BIT(OP_EXEC), .fetch = execveat_fetch,
		.judge = exec_judge, .serve = exec_serve, .may_continue = exec_reason },

	[SYS_connect] = { .name = "connect", .when = CALL_REACH, .ops = OP_BIT(OP_CONNECT), .fetch = connect_fetch,
		.serve = connect_serve, .release = socket_release, .may_continue = exact_reason },
	[SYS_bind] = { .name = "bind", .when = CALL_UNIX, .ops = OP_BIT(OP_BIND), .fetch = bind_fetch,
		.serve = bind_serve, .release = socket_release },
	[SYS_sendto] = { .name = "sendto", .when = CALL_REACH, .ops = OP_BIT(OP_SENDTO), .fetch = sendto_fetch,
		.serve = send_serve, .release = socket_release, .may_continue = exact_reason, .tests = address_given, .n_tests = ARRAY_SIZE(address_given) },
	[SYS_sendmsg] = { .name = "sendmsg", .when = CALL_REACH, .ops = OP_BIT(OP_SENDTO), .fetch = sendmsg_fetch,
		.serve = send_serve, .release = socket_release, .may_continue = exact_reason },
	[SYS_sendmmsg] = { .name = "sendmmsg", .when = CALL_REACH, .ops = OP_BIT(OP_SENDTO), .fetch = sendmmsg_fetch,
		.serve = send_serve, .release = socket_release, .may_continue = exact_reason },

	[SYS_socket] = { .name = "socket", .when = CALL_PEERS, .ops = OPS_NETWORK, .fetch = socket_make_fetch, .serve = socket_make_serve,
		.release = socket_release, .may_continue = socket_reason, .rows = socket_rows, .trapped = socket_trapped },
	[SYS_socketpair] = { .name = "socketpair", .when = CALL_PAIR, .ops = OPS_NETWORK, .fetch = socket_make_fetch,
		.serve = socketpair_serve, .release = socket_release, .rows = socketpair_rows, .trapped = socketpair_trapped },
	[SYS_getpeername] = { .name = "getpeername", .when = CALL_REDIRECTS, .ops = OP_BIT(OP_CONNECT), .fetch = getpeername_fetch,
		.serve = getpeername_serve, .release = socket_release },
	[SYS_getsockopt] = { .name = "getsockopt", .when = CALL_REDIRECTS, .ops = OP_BIT(OP_CONNECT), .fetch = peername_fetch,
		.serve = peername_serve, .release = socket_release, .rows = peername_rows, .trapped = peername_trapped },
	[SYS_listen] = { .name = "listen", .when = CALL_LISTEN, .ops = OP_BIT(OP_BIND), .fetch = listen_fetch, .serve = listen_serve,
		.release = socket_release },
	[SYS_accept] = { .name = "accept", .when = CALL_ACCEPT, .ops = OP_BIT(OP_BIND), .fetch = accept_fetch, .serve = accept_serve,
		.release = socket_release },
	[SYS_accept4] = { .name = "accept4", .when = CALL_ACCEPT, .ops = OP_BIT(OP_BIND), .fetch = accept_fetch, .serve = accept_serve,
		.release = socket_release },

	[SYS_ftruncate] = { .name = "ftruncate", .when = CALL_APPEND, .ops = OP_BIT(OP_WRITE), .fetch = append_fetch,
		.judge = append_judge, .serve = ftruncate_serve, .release = append_release },
	[SYS_fallocate] = { .name = "fallocate", .when = CALL_APPEND, .ops = OP_BIT(OP_WRITE), .fetch = append_fetch,
		.judge = append_judge, .serve = fallocate_serve, .release = append_release },
	[SYS_fcntl] = { .name = "fcntl", .when = CALL_APPEND, .ops = OP_BIT(OP_WRITE), .fetch = append_fetch,
		.judge = append_judge, .serve = setfl_serve, .release = append_release,
		.tests = set_flags, .n_tests = ARRAY_SIZE(set_flags) },

	[SYS_setuid] = { .name = "setuid", .when = CALL_CRED, .serve = cred_changed_serve, .may_continue = cred_reason },
	[SYS_setgid] = { .name = "setgid", .when = CALL_CRED, .serve = cred_changed_serve, .may_continue = cred_reason },
	[SYS_setreuid] = { .name = "setreuid", .when = CALL_CRED, .serve = cred_changed_serve, .may_continue = cred_reason },
	[SYS_setregid] = { .name = "setregid", .when = CALL_CRED, .serve = cred_changed_serve, .may_continue = cred_reason },
	[SYS_setresuid] = { .name = "setresuid", .when = CALL_CRED, .serve = cred_changed_serve, .may_continue = cred_reason },
	[SYS_setresgid] = { .name = "setresgid", .when = CALL_CRED, .serve = cred_changed_serve, .may_continue = cred_reason },
	[SYS_setfsuid] = { .name = "setfsuid", .when = CALL_CRED, .serve = cred_changed_serve, .may_continue = cred_reason },
	[SYS_setfsgid] = { .name = "setfsgid", .when = CALL_CRED, .serve = cred_changed_serve, .may_continue = cred_reason },
	[SYS_setgroups] = { .name = "setgroups", .when = CALL_CRED, .serve = cred_changed_serve, .may_continue = cred_reason },
	[SYS_capset] = { .name = "capset", .when = CALL_CRED, .serve = cred_changed_serve, .may_continue = cred_reason },

	[SYS_prlimit64] = { .name = "prlimit64", .when = CALL_PROCESS, .serve = prlimit_serve, .may_continue = process_reason,
		.tests = process_given, .n_tests = ARRAY_SIZE(process_given) },
	[SYS_setpriority] = { .name = "setpriority", .when = CALL_PROCESS, .serve = prio_serve, .may_continue = process_reason,
		.tests = prio_given, .n_tests = ARRAY_SIZE(prio_given) },
	[SYS_ioprio_set] = { .name = "ioprio_set", .when = CALL_PROCESS, .serve = prio_serve, .may_continue = process_reason,
		.tests = ioprio_given, .n_tests = ARRAY_SIZE(ioprio_given) },
	[SYS_sched_setparam] = { .name = "sched_setparam", .when = CALL_PROCESS, .serve = process_serve,
		.may_continue = process_reason, .tests = process_given, .n_tests = ARRAY_SIZE(process_given) },
	[SYS_sched_setscheduler] = { .name = "sched_setscheduler", .when = CALL_PROCESS, .serve = process_serve,
		.may_continue = process_reason, .tests = process_given, .n_tests = ARRAY_SIZE(process_given) },
	[SYS_sched_setattr] = { .name = "sched_setattr", .when = CALL_PROCESS, .serve = process_serve,
		.may_continue = process_reason, .tests = process_given, .n_tests = ARRAY_SIZE(process_given) },
	[SYS_sched_setaffinity] = { .name = "sched_setaffinity", .when = CALL_PROCESS, .serve = process_serve,
		.may_continue = process_reason, .tests = process_given, .n_tests = ARRAY_SIZE(process_given) },

	[SYS_kcmp] = { .name = "kcmp", .when = CALL_PROCESS, .serve = kcmp_serve, .may_continue = process_reason },

	[SYS_mount] = { .name = "mount", .when = CALL_MOUNT, .ops = OP_BIT(OP_MOUNT), .fetch = mount_fetch, .judge = mount_judge,
		.decide = mount_decide, .serve = mount_serve, .release = mount_release },
	[SYS_umount2] = { .name = "umount2", .when = CALL_MOUNT, .ops = OP_BIT(OP_UMOUNT), .fetch = umount_fetch, .judge = mount_judge,
		.decide = mount_decide, .serve = umount_serve, .release = mount_release },

	[SYS_pivot_root] = { .name = "pivot_root", .when = CALL_MOUNT, .ops = OP_BIT(OP_PIVOT), .fetch = pivot_fetch, .judge = mount_judge,
		.decide = mount_decide, .serve = pivot_serve, .release = mount_release },

	[SYS_fsopen] = { .name = "fsopen", .when = CALL_MOUNT, .mounts = true, .ops = OP_BIT(OP_MOUNT), .fetch = fsopen_fetch, .judge = mount_api_judge,
		.decide = mount_decide, .serve = fsopen_serve, .release = mount_api_release },
	[SYS_fsconfig] = { .name = "fsconfig", .when = CALL_MOUNT, .mounts = true, .ops = OP_BIT(OP_MOUNT), .fetch = fsconfig_fetch, .judge = mount_api_judge,
		.decide = mount_decide, .serve = fsconfig_serve, .release = mount_api_release },
	[SYS_fsmount] = { .name = "fsmount", .when = CALL_MOUNT, .mounts = true, .ops = OP_BIT(OP_MOUNT), .fetch = fsmount_fetch, .judge = mount_api_judge,
		.decide = mount_decide, .serve = fsmount_serve, .release = mount_api_release },
	[SYS_fspick] = { .name = "fspick", .when = CALL_MOUNT, .mounts = true, .ops = OP_BIT(OP_MOUNT), .fetch = fspick_fetch, .judge = mount_api_judge,
		.decide = mount_decide, .serve = fspick_serve, .release = mount_api_release },
	[SYS_open_tree] = { .name = "open_tree", .when = CALL_MOUNT, .mounts = true, .ops = OP_BIT(OP_MOUNT), .fetch = open_tree_fetch, .judge = mount_api_judge,
		.decide = mount_decide, .serve = open_tree_serve, .release = mount_api_release },
	[SYS_open_tree_attr] = { .name = "open_tree_attr", .when = CALL_MOUNT, .mounts = true, .ops = OP_BIT(OP_MOUNT), .fetch = open_tree_attr_fetch, .judge = mount_api_judge,
		.decide = mount_decide, .serve = open_tree_serve, .release = mount_api_release },
	[SYS_mount_setattr] = { .name = "mount_setattr", .when = CALL_MOUNT, .mounts = true, .ops = OP_BIT(OP_MOUNT), .fetch = mount_setattr_fetch, .judge = mount_api_judge,
		.decide = mount_decide, .serve = mount_setattr_serve, .release = mount_api_release },
	[SYS_move_mount] = { .name = "move_mount", .when = CALL_MOUNT, .mounts = true, .ops = OP_BIT(OP_MOUNT), .fetch = move_mount_fetch, .judge = mount_api_judge,
		.decide = mount_decide, .serve = move_mount_serve, .release = mount_api_release },

	/* What paths mean stays as it was at launch. */
	[SYS_chroot] = { .name = "chroot", .when = CALL_REFUSED, .refuse = EPERM, .topology = true },
	[SYS_setns] = { .name = "setns", .when = CALL_REFUSED, .refuse = EPERM, .topology = true, .mounts = true, .serve = cred_changed_serve,
		.may_continue = cred_reason },
	[SYS_unshare] = { .name = "unshare", .when = CALL_REFUSED, .refuse = EPERM, .topology = true, .serve = cred_changed_serve,
		.may_continue = cred_reason,
		.tests = new_namespaces, .n_tests = ARRAY_SIZE(new_namespaces) },
	[SYS_clone] = { .name = "clone", .when = CALL_REFUSED, .refuse = EPERM, .topology = true,
		.tests = new_topology, .n_tests = ARRAY_SIZE(new_topology) },

	/* Names a file by a number that no path leads to. */
	[SYS_open_by_handle_at] = { .name = "open_by_handle_at", .when = CALL_REFUSED, .refuse = EPERM, .free_ok = true },

	/* Queues have names that no rule speaks of, and any process of the user may have made them. */
	[SYS_mq_open] = { .name = "mq_open", .when = CALL_REFUSED, .refuse = EACCES, .free_ok = true, .named_ok = true },
	[SYS_mq_unlink] = { .name = "mq_unlink", .when = CALL_REFUSED, .refuse = EACCES, .free_ok = true, .named_ok = true },

	/* Matters of the whole machine, or of other processes. */
	[SYS_acct] = { .name = "acct", .when = CALL_REFUSED, .refuse = EPERM },
	[SYS_swapon] = { .name = "swapon", .when = CALL_REFUSED, .refuse = EPERM },
	[SYS_swapoff] = { .name = "swapoff", .when = CALL_REFUSED, .refuse = EPERM },
	[SYS_quotactl] = { .name = "quotactl", .when = CALL_REFUSED, .refuse = EPERM },
	[SYS_quotactl_fd] = { .name = "quotactl_fd", .when = CALL_REFUSED, .refuse = EPERM },
	[SYS_reboot] = { .name = "reboot", .when = CALL_REFUSED, .refuse = EPERM, .named_ok = true },
	[SYS_kexec_load] = { .name = "kexec_load", .when = CALL_REFUSED, .refuse = EPERM, .named_ok = true },
	[SYS_kexec_file_load] = { .name = "kexec_file_load", .when = CALL_REFUSED, .refuse = EPERM, .named_ok = true },
	[SYS_init_module] = { .name = "init_module", .when = CALL_REFUSED, .refuse = EPERM, .named_ok = true },
	[SYS_finit_module] = { .name = "finit_module", .when = CALL_REFUSED, .refuse = EPERM, .named_ok = true },
	[SYS_delete_module] = { .name = "delete_module", .when = CALL_REFUSED, .refuse = EPERM, .named_ok = true },
	[SYS_bpf] = { .name = "bpf", .when = CALL_REFUSED, .refuse = EPERM, .free_ok = true },
	[SYS_perf_event_open] = { .name = "perf_event_open", .when = CALL_REFUSED, .refuse = EPERM, .free_ok = true, .named_ok = true },
	[SYS_keyctl] = { .name = "keyctl", .when = CALL_REFUSED, .refuse = EPERM, .free_ok = true, .named_ok = true },
	[SYS_add_key] = { .name = "add_key", .when = CALL_REFUSED, .refuse = EPERM, .free_ok = true, .named_ok = true },
	[SYS_request_key] = { .name = "request_key", .when = CALL_REFUSED, .refuse = EPERM, .free_ok = true, .named_ok = true },
	[SYS_process_madvise] = { .name = "process_madvise", .when = CALL_REFUSED, .refuse = EPERM, .free_ok = true, .named_ok = true },
	[SYS_process_mrelease] = { .name = "process_mrelease", .when = CALL_REFUSED, .refuse = EPERM, .free_ok = true, .named_ok = true },
	[SYS_move_pages] = { .name = "move_pages", .when = CALL_REFUSED, .refuse = EPERM, .free_ok = true, .named_ok = true },
	[SYS_lookup_dcookie] = { .name = "lookup_dcookie", .when = CALL_REFUSED, .refuse = EPERM, .free_ok = true, .named_ok = true },

#ifdef __x86_64__
	[SYS_getdents] = { .name = "getdents", .when = CALL_HIDE, .ops = OP_BIT(OP_STAT), .fetch = list_fetch,
		.serve = list_serve, .release = list_release },
	[SYS_open] = { .name = "open", .when = CALL_FILES, .ops = OPS_FILES, .fetch = open_fetch, .judge = open_judge,
		.serve = open_serve, .failed = open_failed, .lexical_ok = true, .may_continue = OPEN_MAY_CONTINUE,
		.rows = open_rows, .trapped = open_trapped },
	[SYS_creat] = { .name = "creat", .when = CALL_FILES, .ops = OPS_FILES, .fetch = creat_fetch, .judge = open_judge,
		.serve = open_serve, .failed = open_failed, .lexical_ok = true },
	[SYS_stat] = { .name = "stat", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = stat_fetch, .judge = stat_judge,
		.serve = stat_serve, .lexical_ok = true },
	[SYS_lstat] = { .name = "lstat", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = lstat_fetch, .judge = stat_judge,
		.serve = stat_serve, .lexical_ok = true },
	[SYS_access] = { .name = "access", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = access_fetch, .judge = stat_judge,
		.serve = access_serve, .lexical_ok = true },
	[SYS_readlink] = { .name = "readlink", .when = CALL_STAT, .ops = OP_BIT(OP_STAT), .fetch = readlink_fetch,
		.judge = stat_judge, .serve = readlink_serve, .lexical_ok = true },
	[SYS_mkdir] = { .name = "mkdir", .when = CALL_FILES, .ops = OP_BIT(OP_CREATE), .fetch = mkdir_fetch,
		.serve = mkdir_serve, .lexical_ok = true },
	[SYS_mknod] = { .name = "mknod", .when = CALL_FILES, .ops = OP_BIT(OP_CREATE) | OP_BIT(OP_MKNOD), .fetch = mknod_fetch,
		.judge = mknod_judge, .serve = mknod_serve, .lexical_ok = true },
	[SYS_symlink] = { .name = "symlink", .when = CALL_FILES, .ops = OP_BIT(OP_CREATE), .fetch = symlink_fetch,
		.serve = symlink_serve, .lexical_ok = true },
	[SYS_rmdir] = { .name = "rmdir", .when = CALL_FILES, .ops = OP_BIT(OP_DELETE), .fetch = rmdir_fetch,
		.serve = unlink_serve, .lexical_ok = true },
	[SYS_unlink] = { .name = "unlink", .when = CALL_FILES, .ops = OP_BIT(OP_DELETE), .fetch = unlink_fetch,
		.serve = unlink_serve, .lexical_ok = true },
	[SYS_rename] = { .name = "rename", .when = CALL_FILES, .ops = OP_BIT(OP_RENAME) | OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE),
		.fetch = rename_fetch, .judge = rename_judge, .serve = rename_serve },
	[SYS_link] = { .name = "link", .when = CALL_FILES, .ops = OP_BIT(OP_LINK) | OP_BIT(OP_CREATE),
		.fetch = link_fetch, .judge = link_judge, .serve = link_serve },
	[SYS_chmod] = { .name = "chmod", .when = CALL_FILES, .ops = OP_BIT(OP_CHMOD), .fetch = chmod_fetch,
		.judge = attr_judge, .serve = chmod_serve },
	[SYS_chown] = { .name = "chown", .when = CALL_FILES, .ops = OP_BIT(OP_CHOWN), .fetch = chown_fetch,
		.judge = attr_judge, .serve = chown_serve },
	[SYS_lchown] = { .name = "lchown", .when = CALL_FILES, .ops = OP_BIT(OP_CHOWN), .fetch = lchown_fetch,
		.judge = attr_judge, .serve = chown_serve },
	[SYS_utime] = { .name = "utime", .when = CALL_FILES, .ops = OP_BIT(OP_UTIME), .fetch = utime_fetch,
		.judge = attr_judge, .serve = utime_serve },
	[SYS_utimes] = { .name = "utimes", .when = CALL_FILES, .ops = OP_BIT(OP_UTIME), .fetch = utimes_fetch,
		.judge = attr_judge, .serve = utime_serve },
	[SYS_futimesat] = { .name = "futimesat", .when = CALL_FILES, .ops = OP_BIT(OP_UTIME), .fetch = futimesat_fetch,
		.judge = attr_judge, .serve = utime_serve },

	[SYS_iopl] = { .name = "iopl", .when = CALL_REFUSED, .refuse = EPERM, .named_ok = true },
	[SYS_ioperm] = { .name = "ioperm", .when = CALL_REFUSED, .refuse = EPERM, .named_ok = true },
	[SYS_uselib] = { .name = "uselib", .when = CALL_REFUSED, .refuse = ENOSYS },
#endif
};

const size_t call_table_size = ARRAY_SIZE(call_table);
