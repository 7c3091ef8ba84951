/*
 * What is refused in the filter, without waking anybody: what C libraries and runtimes probe for and have a
 * fallback for, and arguments that no ordinary program uses. What is rare and worth a record is a
 * CALL_REFUSED row of the call table instead.
 *
 * Comparisons mask what the kernel ignores: the high half of int and unsigned arguments.
 */
#include "harden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "err.h"
#include "calls/numbers.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
/* <linux/sctp.h>, which other headers do not like. */
#define SCTP_SOCKOPT_BINDX_ADD	  100
#define SCTP_SOCKOPT_CONNECTX_OLD 107
#define SCTP_SOCKOPT_CONNECTX	  110
#define SCTP_SOCKOPT_CONNECTX3	  111
#define LOW32 UINT64_C(0xffffffff)
#ifndef RWF_NOAPPEND
#define RWF_NOAPPEND 0x00000020
#endif
#ifndef IPV6_2292RTHDR
#define IPV6_2292RTHDR 5
#define IPV6_2292PKTOPTIONS 6
#endif

enum harden_when {
	HARDEN_ALWAYS,
	HARDEN_CONFINED,	/* but where nothing is denied (plan.free) */
	HARDEN_FILES,	/* while the policy confines paths */
	HARDEN_APPEND,	/* while something is append-only */
	HARDEN_CLONE,	/* while somebody looks at the flags of clone: for new namespaces, or for rules on system calls */
	HARDEN_PEERS,	/* while rules speak of addresses, at stage log as well: they may be enforced before the next start */
	HARDEN_PORTS,	/* while Landlock decides about connects alone (ports.h) */
	HARDEN_MOUNT_API,	/* while what paths mean must not change, unless the policy asks for it */
};

struct harden {
	int nr;
	uint16_t err;
	enum harden_when when;
	/* Left out when a syscalls rule allows the call by name: HARDEN_NAMED always,
	 * HARDEN_NAMED_UNBROKERED only in a policy that brokers nothing and so has nothing that could be
	 * gone round. */
	enum { HARDEN_FIRM, HARDEN_NAMED, HARDEN_NAMED_UNBROKERED } named;
	size_t n_tests;
	struct filter_test tests[2];
};

#define CMD(number) .n_tests = 1, .tests = { { .arg = 1, .mask = LOW32, .value = (number) } }
#define FLAG(n, bit) .n_tests = 1, .tests = { { .arg = (n), .mask = (bit), .value = (bit) } }
#define OPTION(level, name) .n_tests = 2, .tests = { { .arg = 1, .mask = LOW32, .value = (level) }, { .arg = 2, .mask = LOW32, .value = (name) } }

/* ioctl numbers, spelled here because not every header has them. */
enum {
	IOC_TIOCSTI = 0x5412,
	IOC_TIOCLINUX = 0x541c,
	IOC_USERFAULTFD_NEW = 0xaa00,
	IOC_VHOST_SET_OWNER = 0xaf01,
	IOC_BTRFS_SNAP_CREATE = 0x50009401,
	IOC_BTRFS_SUBVOL_CREATE = 0x5000940e,
	IOC_BTRFS_SNAP_DESTROY = 0x5000940f,
	IOC_BTRFS_SNAP_CREATE_V2 = 0x50009417,
	IOC_BTRFS_SUBVOL_CREATE_V2 = 0x50009418,
	IOC_BTRFS_SNAP_DESTROY_V2 = 0x5000943f,
	IOC_UNRESVSP = 0x40305829,
	IOC_UNRESVSP64 = 0x4030582b,
	IOC_ZERO_RANGE = 0x40305839,
	IOC_ENABLE_VERITY = 0x40806685,
	IOC_SETVERSION = 0x40087602,
	IOC_SETVERSION32 = 0x40047602,
	IOC_FAT_SET_ATTRIBUTES = 0x40047211,
	IOC_BTRFS_SUBVOL_SETFLAGS = 0x4008941a,
	IOC_XFS_ATTRLIST_BY_HANDLE = 0x4058587a,
	IOC_XFS_ATTRMULTI_BY_HANDLE = 0x4048587b,
};
#define IOC_XFS_OPEN_BY_HANDLE	   UINT64_C(0xc038586b)	/* too large for an enum */
#define IOC_XFS_READLINK_BY_HANDLE UINT64_C(0xc038586c)
#define IOC_MOVE_EXT   UINT64_C(0xc028660f)	/* ext4 */
#define IOC_MOVE_RANGE UINT64_C(0xc020f509)	/* f2fs */

static const struct harden harden_table[] = {
	/* A ring does everything that the filter looks at, out of its sight. */
	{ .nr = SYS_io_uring_setup, .err = ENOSYS, .named = HARDEN_NAMED_UNBROKERED },
	{ .nr = SYS_io_uring_enter, .err = ENOSYS, .named = HARDEN_NAMED_UNBROKERED },
	{ .nr = SYS_io_uring_register, .err = ENOSYS, .named = HARDEN_NAMED_UNBROKERED },
	/* Flags in memory: C libraries then use clone. */
	{ .nr = SYS_clone3, .err = ENOSYS, .when = HARDEN_CLONE },
	/* A newer listener would win every tie with ours. EBUSY is what a nested one
	 * gets natively. */
	{ .nr = SYS_seccomp, .err = EBUSY, FLAG(1, SECCOMP_FILTER_FLAG_NEW_LISTENER) },
	/* Memory that faults for as long as the target likes would hold up whoever reads it. */
	{ .nr = SYS_userfaultfd, .err = EPERM },
	{ .nr = SYS_ioctl, .err = EPERM, CMD(IOC_USERFAULTFD_NEW) },
	/* Types into the terminal of whoever started us. */
	{ .nr = SYS_ioctl, .err = EPERM, CMD(IOC_TIOCSTI) },
	{ .nr = SYS_ioctl, .err = EPERM, CMD(IOC_TIOCLINUX) },
	/* A kernel thread that works with the caller's memory. */
	{ .nr = SYS_ioctl, .err = EPERM, CMD(IOC_VHOST_SET_OWNER) },
	/* Names are created and deleted through a directory's descriptor. */
	{ .nr = SYS_ioctl, .err = EPERM, .when = HARDEN_FILES, CMD(IOC_BTRFS_SNAP_CREATE) },
	{ .nr = SYS_ioctl, .err = EPERM, .when = HARDEN_FILES, CMD(IOC_BTRFS_SUBVOL_CREATE) },
	{ .nr = SYS_ioctl, .err = EPERM, .when = HARDEN_FILES, CMD(IOC_BTRFS_SNAP_DESTROY) },
	{ .nr = SYS_ioctl, .err = EPERM, .when = HARDEN_FILES, CMD(IOC_BTRFS_SNAP_CREATE_V2) },
	{ .nr = SYS_ioctl, .err = EPERM, .when = HARDEN_FILES, CMD(IOC_BTRFS_SUBVOL_CREATE_V2) },
	{ .nr = SYS_ioctl, .err = EPERM, .when = HARDEN_FILES, CMD(IOC_BTRFS_SNAP_DESTROY_V2) },
	/* open_by_handle_at(2) and its like, of a whole file system by any descriptor of it. */
	{ .nr = SYS_ioctl, .err = EPERM, .when = HARDEN_FILES, CMD(IOC_XFS_OPEN_BY_HANDLE) },
	{ .nr = SYS_ioctl, .err = EPERM, .when = HARDEN_FILES, CMD(IOC_XFS_READLINK_BY_HANDLE) },
	{ .nr = SYS_ioctl, .err = EPERM, .when = HARDEN_FILES, CMD(IOC_XFS_ATTRLIST_BY_HANDLE) },
	{ .nr = SYS_ioctl, .err = EPERM, .when = HARDEN_FILES, CMD(IOC_XFS_ATTRMULTI_BY_HANDLE) },
	/* Connects without connect(2), past Landlock too. Programs then connect. */
	{ .nr = SYS_sendto, .err = EOPNOTSUPP, FLAG(3, MSG_FASTOPEN) },
	{ .nr = SYS_sendmsg, .err = EOPNOTSUPP, FLAG(2, MSG_FASTOPEN) },
	{ .nr = SYS_sendmmsg, .err = EOPNOTSUPP, FLAG(3, MSG_FASTOPEN) },
	/* Source routes: the packets go first to an address that nobody judges. */
	{ .nr = SYS_setsockopt, .err = EPERM, .when = HARDEN_PEERS, OPTION(IPPROTO_IP, IP_OPTIONS) },
	{ .nr = SYS_setsockopt, .err = EPERM, .when = HARDEN_PEERS, OPTION(IPPROTO_IPV6, IPV6_RTHDR) },
	{ .nr = SYS_setsockopt, .err = EPERM, .when = HARDEN_PEERS, OPTION(IPPROTO_IPV6, IPV6_2292RTHDR) },
	{ .nr = SYS_setsockopt, .err = EPERM, .when = HARDEN_PEERS, OPTION(IPPROTO_IPV6, IPV6_2292PKTOPTIONS) },
	/* Connect, and bind, without connect(2) and bind(2), on sockets that no rule can speak of. */
	{ .nr = SYS_setsockopt, .err = EPERM, .when = HARDEN_PEERS, OPTION(IPPROTO_SCTP, SCTP_SOCKOPT_BINDX_ADD) },
	{ .nr = SYS_setsockopt, .err = EPERM, .when = HARDEN_PEERS, OPTION(IPPROTO_SCTP, SCTP_SOCKOPT_CONNECTX_OLD) },
	{ .nr = SYS_setsockopt, .err = EPERM, .when = HARDEN_PEERS, OPTION(IPPROTO_SCTP, SCTP_SOCKOPT_CONNECTX) },
	{ .nr = SYS_getsockopt, .err = EPERM, .when = HARDEN_PEERS, OPTION(IPPROTO_SCTP, SCTP_SOCKOPT_CONNECTX3) },
	/* Makes an SMC socket of a TCP one, which Landlock lets connect. The other use is TLS in the kernel, and this is what that answers
	 * where there is no such module. */
	{ .nr = SYS_setsockopt, .err = ENOENT, .when = HARDEN_PORTS, OPTION(IPPROTO_TCP, TCP_ULP) },
	/* mount(8) falls back to mount(2). */
	{ .nr = SYS_open_tree, .err = ENOSYS, .when = HARDEN_MOUNT_API },
	{ .nr = SYS_open_tree_attr, .err = ENOSYS, .when = HARDEN_MOUNT_API },
	{ .nr = SYS_move_mount, .err = ENOSYS, .when = HARDEN_MOUNT_API },
	{ .nr = SYS_fsopen, .err = ENOSYS, .when = HARDEN_MOUNT_API },
	{ .nr = SYS_fsconfig, .err = ENOSYS, .when = HARDEN_MOUNT_API },
	{ .nr = SYS_fsmount, .err = ENOSYS, .when = HARDEN_MOUNT_API },
	{ .nr = SYS_fspick, .err = ENOSYS, .when = HARDEN_MOUNT_API },
	{ .nr = SYS_mount_setattr, .err = ENOSYS, .when = HARDEN_MOUNT_API },
	/* Tell about mounts by number, whatever the paths. */
	{ .nr = SYS_statmount, .err = ENOSYS, .when = HARDEN_CONFINED, .named = HARDEN_NAMED },
	{ .nr = SYS_listmount, .err = ENOSYS, .when = HARDEN_CONFINED, .named = HARDEN_NAMED },
	/* What a descriptor opened for appending must not do. */
	{ .nr = SYS_pwritev2, .err = EOPNOTSUPP, .when = HARDEN_APPEND, FLAG(5, RWF_NOAPPEND) },
	{ .nr = SYS_io_setup, .err = ENOSYS, .when = HARDEN_APPEND },	/* RWF_NOAPPEND in memory */
	{ .nr = SYS_ioctl, .err = EOPNOTSUPP, .when = HARDEN_APPEND, CMD(IOC_UNRESVSP) },
	{ .nr = SYS_ioctl, .err = EOPNOTSUPP, .when = HARDEN_APPEND, CMD(IOC_UNRESVSP64) },
	{ .nr = SYS_ioctl, .err = EOPNOTSUPP, .when = HARDEN_APPEND, CMD(IOC_ZERO_RANGE) },
	{ .nr = SYS_ioctl, .err = EOPNOTSUPP, .when = HARDEN_APPEND, CMD(IOC_MOVE_EXT) },
	{ .nr = SYS_ioctl, .err = EOPNOTSUPP, .when = HARDEN_APPEND, CMD(IOC_MOVE_RANGE) },
	/* Change a file through a descriptor that may only read it. */
	{ .nr = SYS_ioctl, .err = EOPNOTSUPP, .when = HARDEN_FILES, CMD(IOC_ENABLE_VERITY) },
	{ .nr = SYS_ioctl, .err = EOPNOTSUPP, .when = HARDEN_FILES, CMD(IOC_SETVERSION) },
	{ .nr = SYS_ioctl, .err = EOPNOTSUPP, .when = HARDEN_FILES, CMD(IOC_SETVERSION32) },
	{ .nr = SYS_ioctl, .err = EOPNOTSUPP, .when = HARDEN_FILES, CMD(IOC_FAT_SET_ATTRIBUTES) },
	{ .nr = SYS_ioctl, .err = EOPNOTSUPP, .when = HARDEN_FILES, CMD(IOC_BTRFS_SUBVOL_SETFLAGS) },
};

/*
 * Nobody retries these when a signal interrupts the wait before the supervisor has received them:
 * what may go on is decided in the filter. One that is refused fails either way.
 */
static const int never_notify[] = {
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2,
	SYS_lseek, SYS_close, SYS_close_range, SYS_dup, SYS_dup3, SYS_pipe2, SYS_fcntl, SYS_fstat, SYS_getdents64, SYS_umask,
	SYS_clone, SYS_wait4, SYS_waitid, SYS_exit, SYS_exit_group,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigsuspend, SYS_rt_sigpending, SYS_rt_sigtimedwait,
	SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_sigaltstack, SYS_restart_syscall,
	SYS_kill, SYS_tkill, SYS_tgkill,
	SYS_futex, SYS_futex_waitv, SYS_set_robust_list, SYS_get_robust_list, SYS_set_tid_address, SYS_rseq, SYS_membarrier,
	SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_msync, SYS_mincore,
	SYS_ppoll, SYS_pselect6, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_epoll_ctl,
	SYS_nanosleep, SYS_clock_nanosleep, SYS_clock_gettime, SYS_gettimeofday, SYS_getitimer, SYS_setitimer,
	SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_sched_yield, SYS_getcpu,
#ifdef __x86_64__
	SYS_dup2, SYS_pipe, SYS_getdents, SYS_fork, SYS_vfork, SYS_poll, SYS_select, SYS_epoll_wait, SYS_pause, SYS_alarm, SYS_time,
	SYS_arch_prctl,
#endif
};

int filter_rows_add(struct filter_rows *rows, const struct filter_row *row)
{
	if (rows->n == rows->space) {
		size_t space = rows->space ? rows->space * 2 : 128;
		struct filter_row *list = reallocarray(rows->list, space, sizeof(*list));
		if (!list)
			return -ENOMEM;
		rows->list = list;
		rows->space = space;
	}
	rows->list[rows->n++] = *row;
	return 0;
}

bool harden_named(const struct policy *policy, int nr)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		if (rule->section != SECTION_SYSCALLS || rule->action != ACTION_ALLOW || rule->stage == STAGE_LOG)
			continue;
		for (size_t j = 0; j < rule->n_calls; j++)
			if (rule->calls[j] == nr && rule->call_specific[j])
				return true;
	}
	return false;
}

/*
 * When every rule speaks of both operations or of neither, they are decided alike everywhere.
 */
bool harden_append_only(const struct policy *policy)
{
	const uint32_t both = OP_BIT(OP_WRITE) | OP_BIT(OP_APPEND);

	if (!(policy->cover & OP_BIT(OP_WRITE)))
		return false;
	if ((policy->cover & both) != both)
		return true;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		uint32_t ops = rule->ops & both;
		if (rule->section == SECTION_FILES && ops && ops != both)
			return true;
	}
	return false;
}

bool harden_has_calls(const struct policy *policy)
{
	bool has = policy->defaults[SECTION_SYSCALLS].present;

	for (size_t i = 0; i < policy->n_rules && !has; i++)
		has = policy->rules[i].section == SECTION_SYSCALLS;
	return has;
}

static bool harden_wanted(const struct harden *harden, const struct plan *plan)
{
	bool brokered = plan->files || plan->stat || plan->unix_paths || plan->exec || plan->topology_fixed || plan->mounts || plan->peers;

	if (harden->when == HARDEN_CONFINED && plan->free)
		return false;
	if (harden->when == HARDEN_FILES && !(plan->confined & OPS_FILES))
		return false;
	if (harden->when == HARDEN_CLONE && !plan->topology_fixed && !harden_has_calls(plan->policy))
		return false;
	if (harden->when == HARDEN_PEERS && !plan->peers_ruled)
		return false;
	if (harden->when == HARDEN_PORTS && !plan->ports)
		return false;
	if (harden->when == HARDEN_MOUNT_API && !plan->topology_fixed && (!plan->mounts || plan->mount_api))
		return false;
	if (harden->when == HARDEN_APPEND && !(plan->files && harden_append_only(plan->policy)))
		return false;
	switch (harden->named) {
	case HARDEN_NAMED:
		return !harden_named(plan->policy, harden->nr);
	case HARDEN_NAMED_UNBROKERED:
		return brokered || !harden_named(plan->policy, harden->nr);
	case HARDEN_FIRM:
	default:
		return true;
	}
}

int harden_rows(const struct plan *plan, struct filter_rows *rows)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(harden_table) && !err; i++) {
		const struct harden *harden = &harden_table[i];
		struct filter_row row = { .nr = harden->nr, .step = FILTER_FIRST, .kind = FILTER_ERRNO, .data = harden->err };

		if (!harden_wanted(harden, plan))
			continue;
		row.n_tests = harden->n_tests;
		memcpy(row.tests, harden->tests, sizeof(harden->tests));
		err = filter_rows_add(rows, &row);
	}
	for (size_t i = 0; i < ARRAY_SIZE(never_notify) && !err; i++) {
		struct filter_row row = { .nr = never_notify[i], .step = FILTER_NEVER_NOTIFY };
		err = filter_rows_add(rows, &row);
	}
	return err;
}

bool harden_refuses(int nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(harden_table); i++)
		if (harden_table[i].nr == nr && harden_table[i].when != HARDEN_APPEND)
			return true;
	return false;
}
