/* The filter against the evaluator, its size and cost, and on the kernel. */
#include "arch.h"
#include "syscall_policy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "filter.h"

#define ROWS_MAX 256

struct rows {
	struct filter_row list[ROWS_MAX];
	size_t n;
};

static struct filter_row *row_add(struct rows *rows, const char *name, enum filter_step step, enum filter_kind kind,
				  uint16_t data)
{
	const struct syscall_info *info = syscall_by_name(name, strlen(name));
	struct filter_row *row = &rows->list[rows->n];

	assert_true(rows->n < ROWS_MAX);
	*row = (struct filter_row){ .nr = info != NULL ? info->nr : -1, .step = step, .kind = kind, .data = data };
	if (info != NULL)
		rows->n++;
	return row;
}

static struct filter_row *row_test(struct filter_row *row, uint8_t arg, uint64_t mask, uint64_t value)
{
	row->tests[row->n_tests++] = (struct filter_test){ .arg = arg, .mask = mask, .value = value };
	return row;
}

static void rows_each(struct rows *rows, const char *names, enum filter_step step, enum filter_kind kind, uint16_t data)
{
	char *copy = strdup(names), *rest = copy;

	for (char *name = strsep(&rest, " "); name != NULL; name = strsep(&rest, " "))
		row_add(rows, name, step, kind, data);
	free(copy);
}

/* What the supervisor's table says, in its shape. */
static void rows_hardening(struct rows *rows)
{
	static const uint64_t namespaces[] = {
		CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP,
	};

	rows->n = 0;
	row_test(row_add(rows, "seccomp", FILTER_FIRST, FILTER_ERRNO, EBUSY), 1, 8, 8);
	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		row_test(row_add(rows, "clone", FILTER_FIRST, FILTER_ERRNO, EPERM), 0, namespaces[i], namespaces[i]);
		row_test(row_add(rows, "unshare", FILTER_FIRST, FILTER_ERRNO, EPERM), 0, namespaces[i], namespaces[i]);
	}
	rows_each(rows, "clone3 io_uring_setup io_uring_enter io_uring_register", FILTER_FIRST, FILTER_ERRNO, ENOSYS);
	rows_each(rows, "userfaultfd open_by_handle_at bpf perf_event_open kexec_load kexec_file_load init_module "
		  "finit_module delete_module add_key keyctl request_key acct swapon swapoff reboot pivot_root setns",
		  FILTER_FIRST, FILTER_ERRNO, EPERM);
	row_test(row_add(rows, "ioctl", FILTER_FIRST, FILTER_ERRNO, EPERM), 1, UINT32_MAX, 0x5412);
	row_test(row_add(rows, "ioctl", FILTER_FIRST, FILTER_ERRNO, EPERM), 1, UINT32_MAX, 0x541c);
	row_test(row_add(rows, "sendto", FILTER_FIRST, FILTER_ERRNO, EOPNOTSUPP), 3, 0x20000000, 0x20000000);
	row_test(row_add(rows, "sendmsg", FILTER_FIRST, FILTER_ERRNO, EOPNOTSUPP), 2, 0x20000000, 0x20000000);
	row_test(row_add(rows, "sendmmsg", FILTER_FIRST, FILTER_ERRNO, EOPNOTSUPP), 3, 0x20000000, 0x20000000);
	row_add(rows, "sendto", FILTER_BROKER, FILTER_NOTIFY, 0);
	row_test(row_add(rows, "sendto", FILTER_BROKER, FILTER_ALLOW, 0), 4, UINT64_MAX, 0);
	/* F_SETFL without O_APPEND */
	row_test(row_test(row_add(rows, "fcntl", FILTER_BROKER, FILTER_NOTIFY, 0), 1, UINT32_MAX, F_SETFL), 2,
		 O_APPEND, 0);
	rows_each(rows, "open openat openat2 creat stat lstat newfstatat statx access faccessat faccessat2 readlink "
		  "readlinkat truncate rename renameat renameat2 mkdir mkdirat rmdir unlink unlinkat link linkat "
		  "symlink symlinkat mknod mknodat chmod fchmodat fchmodat2 chown lchown fchownat utime utimes "
		  "futimesat utimensat setxattr lsetxattr getxattr lgetxattr listxattr llistxattr removexattr "
		  "lremovexattr setxattrat getxattrat listxattrat removexattrat file_setattr file_getattr statfs "
		  "inotify_add_watch fanotify_mark execve execveat connect bind sendmsg sendmmsg mount umount2 chroot",
		  FILTER_BROKER, FILTER_NOTIFY, 0);
	rows_each(rows, "close dup dup2 dup3 fork vfork clone wait4 waitid rt_sigaction rt_sigprocmask rt_sigsuspend "
		  "read write readv writev getdents64 fstat umask", FILTER_NEVER_NOTIFY, FILTER_ALLOW, 0);
}

static void rules_sample_a(struct rules *rules)
{
	struct policy_rule *rule;
	struct policy_cond *cond;

	rules_init(rules);
	rules_default(rules, ACTION_DENY, ENOSYS, STAGE_DENY, AUDIT_DENY);
	rules_add(rules, ACTION_ALLOW, 0, "@system-service @network-io @file-system @io-event @signal @timer @process");
	rule = rules_add(rules, ACTION_DENY, EPERM, "@mount @module @reboot @swap @raw-io @debug @keyring");
	rule->stage = STAGE_TRAP;
	rule = rules_add(rules, ACTION_DENY, ENOSYS, "io_uring_setup clone3");
	rule->audit = AUDIT_COUNT;
	rule = rules_add(rules, ACTION_ALLOW, 0, "socket");
	cond = cond_add(rule, 0);
	cond_or(cond, UINT32_MAX, AF_UNIX);
	cond_or(cond, UINT32_MAX, AF_INET);
	cond_or(cond, UINT32_MAX, AF_INET6);
	rules_compile(rules);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void compile_and_check(const struct rules *rules, const struct rows *rows, struct filter *filter,
			      const char *what)
{
	struct policy_diags diags = { 0 };
	struct seccomp_data different;
	unsigned long checked;
	double start = now_ms(), compiled;
	int err;

	assert_int_equal(filter_compile(&rules->policy, rows->list, rows->n, filter, &diags), 0);
	compiled = now_ms();
	err = filter_check(&rules->policy, rows->list, rows->n, filter, &different, &checked);
	if (err != 0) {
		filter_print(filter, stderr);
		fail_msg("%s: nr %d arch %x args %llx %llx %llx %llx %llx %llx: expected %x, is %x", what, different.nr,
			 different.arch, different.args[0], different.args[1], different.args[2], different.args[3],
			 different.args[4], different.args[5],
			 filter_expected(&rules->policy, rows->list, rows->n, &different),
			 filter_run(filter, &different, NULL));
	}
	if (what != NULL)
		print_message("%s: %u instructions, compiled in %.1f ms, %lu points checked in %.0f ms\n", what,
			      filter->len, compiled - start, checked, now_ms() - compiled);
	policy_diags_free(&diags);
}

static uint32_t answer(const struct filter *filter, const char *name, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
		       uint64_t a4)
{
	struct seccomp_data data = { .nr = nr_of(name), .arch = NATIVE, .args = { a0, a1, a2, a3, a4 } };

	return filter_run(filter, &data, NULL);
}

#define ERRNO(e) (SECCOMP_RET_ERRNO | (e))

static void test_hardening(void **state)
{
	struct rules rules;
	struct rows rows;
	struct filter filter;
	struct seccomp_data data = { .nr = 600, .arch = NATIVE };

	(void)state;
	rules_init(&rules);
	rules_compile(&rules);
	rows_hardening(&rows);
	compile_and_check(&rules, &rows, &filter, "default allow, hardening and broker rows");
	assert_true(filter.len < 1500);

	assert_int_equal(answer(&filter, "seccomp", 1, 8, 0, 0, 0), ERRNO(EBUSY));
	assert_int_equal(answer(&filter, "seccomp", 1, 9 | HIGH, 0, 0, 0), ERRNO(EBUSY));
	assert_int_equal(answer(&filter, "seccomp", 1, 1, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&filter, "clone", SIGCHLD, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&filter, "clone", SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0), ERRNO(EPERM));
	assert_int_equal(answer(&filter, "unshare", CLONE_NEWNS | CLONE_FILES, 0, 0, 0, 0), ERRNO(EPERM));
	assert_int_equal(answer(&filter, "unshare", CLONE_FILES, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&filter, "clone3", 0, 0, 0, 0, 0), ERRNO(ENOSYS));
	assert_int_equal(answer(&filter, "ioctl", 0, 0x5412 | HIGH, 0, 0, 0), ERRNO(EPERM));
	assert_int_equal(answer(&filter, "ioctl", 0, 0x541c, 0, 0, 0), ERRNO(EPERM));
	assert_int_equal(answer(&filter, "ioctl", 0, 0x5413, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&filter, "sendto", 3, 1, 1, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&filter, "sendto", 3, 1, 1, 0, 1), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&filter, "sendto", 3, 1, 1, 0, UINT64_C(1) << 32), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&filter, "sendto", 3, 1, 1, MSG_FASTOPEN, 0), ERRNO(EOPNOTSUPP));
	assert_int_equal(answer(&filter, "sendmsg", 3, 1, MSG_FASTOPEN, 0, 0), ERRNO(EOPNOTSUPP));
	assert_int_equal(answer(&filter, "fcntl", 3, F_SETFL, O_NONBLOCK, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&filter, "fcntl", 3, F_SETFL, O_APPEND, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&filter, "fcntl", 3, F_GETFL, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&filter, "openat", 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&filter, "getppid", 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(filter_run(&filter, &data, NULL), ERRNO(ENOSYS));
	data.nr = 0x40000000 | 39;
	assert_int_equal(filter_run(&filter, &data, NULL), ERRNO(ENOSYS));
	data = (struct seccomp_data){ .nr = 20, .arch = AUDIT_ARCH_I386 };
	assert_int_equal(filter_run(&filter, &data, NULL), SECCOMP_RET_KILL_PROCESS);
	filter_free(&filter);
	rules_free(&rules);
}

static void test_sample_a(void **state)
{
	struct rules rules;
	struct rows rows;
	struct filter filter;

	(void)state;
	rules_sample_a(&rules);
	rows_hardening(&rows);
	compile_and_check(&rules, &rows, &filter, "sample A, hardening and broker rows");
	assert_true(filter.len < 1500);
	assert_int_equal(answer(&filter, "read", 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&filter, "socket", AF_INET, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&filter, "mount", 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&filter, "vhangup", 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&filter, "ptrace", 0, 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&filter, "exit_group", 0, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	filter_free(&filter);
	rows.n = 0;
	compile_and_check(&rules, &rows, &filter, "sample A alone");
	filter_free(&filter);
	rules_free(&rules);
}

/* "Not zero" as a row for each bit is found to be one comparison. */
static void test_each_bit(void **state)
{
	struct rules rules;
	struct rows rows = { .n = 0 };
	struct filter filter;
	unsigned without;

	(void)state;
	rules_init(&rules);
	rules_compile(&rules);
	compile_and_check(&rules, &rows, &filter, NULL);
	without = filter.len;
	filter_free(&filter);
	for (unsigned bit = 0; bit < 64; bit++)
		row_test(row_add(&rows, "sendto", FILTER_BROKER, FILTER_NOTIFY, 0), 4, UINT64_C(1) << bit,
			 UINT64_C(1) << bit);
	compile_and_check(&rules, &rows, &filter, NULL);
	assert_true(filter.len <= without + 10);
	assert_int_equal(answer(&filter, "sendto", 3, 1, 1, 0, UINT64_C(1) << 63), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(answer(&filter, "sendto", 3, 1, 1, 0, 0), SECCOMP_RET_ALLOW);
	filter_free(&filter);
	rules_free(&rules);
}

/* allow socket where domain in ..., under a default that denies */
static void test_domains(void **state)
{
	struct rules rules;
	struct rows rows = { .n = 0 };
	struct filter filter;
	struct policy_cond *cond;

	(void)state;
	rules_init(&rules);
	rules_default(&rules, ACTION_DENY, EPERM, STAGE_DENY, AUDIT_NONE);
	rules_add(&rules, ACTION_ALLOW, 0, "@default @basic-io");
	cond = cond_add(rules_add(&rules, ACTION_ALLOW, 0, "socket"), 0);
	cond_or(cond, UINT32_MAX, AF_UNIX);
	cond_or(cond, UINT32_MAX, AF_INET);
	cond_or(cond, UINT32_MAX, AF_INET6);
	rules_compile(&rules);
	compile_and_check(&rules, &rows, &filter, "an allow list");
	assert_int_equal(answer(&filter, "socket", AF_INET6, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&filter, "socket", AF_INET | HIGH, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&filter, "socket", AF_PACKET, 0, 0, 0, 0), ERRNO(EPERM));
	assert_int_equal(answer(&filter, "mount", 0, 0, 0, 0, 0), ERRNO(EPERM));
	filter_free(&filter);
	rules_free(&rules);
}

/* Each stage, brokered, and where the kernel has to answer. */
static void test_stages(void **state)
{
	static const struct {
		const char *call;
		enum policy_stage stage;
		enum policy_audit audit;
		uint32_t expected;
	} cases[] = {
		{ "getuid", STAGE_DENY, AUDIT_DENY, SECCOMP_RET_USER_NOTIF },
		{ "getgid", STAGE_DENY, AUDIT_NONE, ERRNO(EACCES) },
		{ "geteuid", STAGE_DENY, AUDIT_COUNT, ERRNO(EACCES) },
		{ "getegid", STAGE_TRAP, AUDIT_NONE, SECCOMP_RET_TRAP | 4 },
		{ "getpid", STAGE_KILL, AUDIT_NONE, SECCOMP_RET_KILL_PROCESS },
		{ "getppid", STAGE_LOG, AUDIT_DENY, SECCOMP_RET_USER_NOTIF },
		{ "getpgrp", STAGE_LOG, AUDIT_NONE, SECCOMP_RET_ALLOW },
		{ "getsid", STAGE_LOG, AUDIT_COUNT, SECCOMP_RET_LOG },
		/* not to be notified if they go on */
		{ "close", STAGE_DENY, AUDIT_DENY, SECCOMP_RET_USER_NOTIF },
		{ "dup", STAGE_TRAP, AUDIT_NONE, SECCOMP_RET_TRAP | 10 },
		{ "read", STAGE_KILL, AUDIT_DENY, SECCOMP_RET_USER_NOTIF },
		{ "write", STAGE_LOG, AUDIT_DENY, SECCOMP_RET_LOG },
		/* what a thread cannot do without */
		{ "exit", STAGE_DENY, AUDIT_DENY, SECCOMP_RET_ALLOW },
		{ "exit_group", STAGE_TRAP, AUDIT_NONE, SECCOMP_RET_ALLOW },
		{ "rt_sigreturn", STAGE_KILL, AUDIT_NONE, SECCOMP_RET_KILL_PROCESS },
		/* the broker's call stays the broker's, whatever is only logged about it */
		{ "openat", STAGE_LOG, AUDIT_COUNT, SECCOMP_RET_USER_NOTIF },
		{ "statx", STAGE_LOG, AUDIT_NONE, SECCOMP_RET_USER_NOTIF },
		{ "mkdirat", STAGE_DENY, AUDIT_NONE, ERRNO(EACCES) },
	};
	struct rules rules;
	struct rows rows;
	struct filter filter;

	(void)state;
	rules_init(&rules);
	rules_add(&rules, ACTION_DENY, EACCES, "@mount");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy_rule *rule = rules_add(&rules, ACTION_DENY, EACCES, cases[i].call);

		rule->stage = cases[i].stage;
		rule->audit = cases[i].audit;
	}
	rules_compile(&rules);
	rows_hardening(&rows);
	compile_and_check(&rules, &rows, &filter, "stages");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t is = answer(&filter, cases[i].call, 0, 0, 0, 0, 0);

		if (is != cases[i].expected)
			fail_msg("%s: %x, expected %x", cases[i].call, is, cases[i].expected);
	}
	filter_free(&filter);
	rules_free(&rules);
}

/* ---- random policies ------------------------------------------------------------------------ */

static uint64_t random_mask(uint64_t *seed)
{
	static const uint64_t masks[] = { UINT64_MAX, UINT32_MAX, 1, 8, 0xf000, 0x80000000, UINT64_C(1) << 32,
					  UINT64_C(0xffffffff00000000), 0x7, 0 };

	return masks[random_below(seed, ARRAY_SIZE(masks))];
}

static void random_rule(struct rules *rules, uint64_t *seed)
{
	static const char *const calls[] = { "socket", "ioctl", "openat", "@network-io", "socket ioctl", "@basic-io",
					     "clone prctl", "exit_group", "@signal", "mmap" };
	struct policy_rule *rule = rules_add(rules, ACTION_ALLOW, 0, calls[random_below(seed, ARRAY_SIZE(calls))]);
	unsigned n = random_below(seed, 3);

	if (random_below(seed, 5) < 3) {
		rule->action = random_below(seed, 5) == 0 ? ACTION_FORBID : ACTION_DENY;
		rule->err = random_below(seed, 2) == 0 ? EPERM : EACCES;
	}
	rule->stage = (enum policy_stage)random_below(seed, 4);
	rule->audit = (enum policy_audit)random_below(seed, 5);
	for (unsigned i = 0; i < n; i++) {
		uint8_t arg = (uint8_t)random_below(seed, 3);
		uint64_t mask = random_mask(seed);

		switch (random_below(seed, 8)) {
		case 0:
			cond_differs(rule, arg, random_below(seed, 4) != 0 ? 32 : 64, random_below(seed, 20));
			break;
		case 1:
			cond_below(rule, arg, random_below(seed, 4) != 0 ? 32 : 64, random_next(seed) >> random_below(seed, 60));
			break;
		case 2: {
			struct policy_cond *cond = cond_add(rule, arg);

			for (unsigned j = 0; j < 3; j++)
				cond_or(cond, UINT32_MAX, random_below(seed, 40));
			break;
		}
		default:
			cond_equals(rule, arg, mask, random_next(seed) & mask);
		}
	}
}

static void random_row(struct rows *rows, uint64_t *seed)
{
	static const char *const calls[] = { "socket", "ioctl", "openat", "clone", "sendto", "read", "mmap" };
	static const struct { enum filter_step step; enum filter_kind kind; } kinds[] = {
		{ FILTER_FIRST, FILTER_ERRNO }, { FILTER_FIRST, FILTER_TRAP }, { FILTER_FIRST, FILTER_KILL },
		{ FILTER_FIRST, FILTER_ALLOW }, { FILTER_BROKER, FILTER_NOTIFY }, { FILTER_BROKER, FILTER_NOTIFY },
		{ FILTER_BROKER, FILTER_ALLOW }, { FILTER_NEVER_NOTIFY, FILTER_ALLOW },
	};
	unsigned kind = random_below(seed, ARRAY_SIZE(kinds));
	struct filter_row *row = row_add(rows, calls[random_below(seed, ARRAY_SIZE(calls))], kinds[kind].step,
					 kinds[kind].kind, (uint16_t)(1 + random_below(seed, 30)));

	for (unsigned i = random_below(seed, 4); i > 0 && row->step != FILTER_NEVER_NOTIFY; i--) {
		uint64_t mask = random_mask(seed);

		row_test(row, (uint8_t)random_below(seed, 5), mask, random_next(seed) & mask);
	}
}

/* The check of filter_check.c and this test choose their points apart from each other. */
static void points_agree(const struct rules *rules, const struct rows *rows, const struct filter *filter, uint64_t *seed)
{
	static const char *const calls[] = { "socket", "ioctl", "openat", "clone", "sendto", "read", "mmap", "prctl" };
	uint64_t interesting[256];
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++) {
		for (size_t j = 0; j < rows->list[i].n_tests && n < 200; j++)
			interesting[n++] = rows->list[i].tests[j].value;
	}
	for (size_t i = 0; i < rules->policy.n_rules; i++) {
		for (size_t j = 0; j < rules->rules[i].n_conds && n < 250; j++) {
			if (rules->rules[i].conds[j].n_any != 0)
				interesting[n++] = rules->rules[i].conds[j].any[0].value;
		}
	}
	interesting[n++] = 0;
	interesting[n++] = UINT64_MAX;
	for (unsigned i = 0; i < 3000; i++) {
		struct seccomp_data data = { .arch = NATIVE };

		data.nr = nr_of(calls[random_below(seed, ARRAY_SIZE(calls))]);
		for (unsigned arg = 0; arg < 6; arg++) {
			uint64_t value = interesting[random_next(seed) % n];

			switch (random_below(seed, 4)) {
			case 0:
				value ^= UINT64_C(1) << random_below(seed, 64);
				break;
			case 1:
				value = random_below(seed, 50);
				break;
			default:
				break;
			}
			data.args[arg] = value;
		}
		assert_int_equal(filter_run(filter, &data, NULL),
				 filter_expected(&rules->policy, rows->list, rows->n, &data));
	}
}

static void test_random(void **state)
{
	unsigned longest = 0, refused = 0, rounds = 150;

	(void)state;
	for (uint64_t round = 1; round <= rounds; round++) {
		uint64_t seed = round;
		struct rules rules;
		struct rows rows = { .n = 0 };
		struct filter filter;
		struct policy_diags diags = { 0 };
		int err;

		rules_init(&rules);
		if (random_below(&seed, 3) != 0)
			rules_default(&rules, random_below(&seed, 2) == 0 ? ACTION_ALLOW : ACTION_DENY, EPERM,
				      (enum policy_stage)random_below(&seed, 4), (enum policy_audit)random_below(&seed, 3));
		for (unsigned i = random_below(&seed, 7); i > 0; i--)
			random_rule(&rules, &seed);
		for (unsigned i = random_below(&seed, 10); i > 0; i--)
			random_row(&rows, &seed);
		filter = (struct filter){ 0 };
		err = syscalls_compile(&rules.policy, &rules.diags);
		if (err == 0)
			err = filter_compile(&rules.policy, rows.list, rows.n, &filter, &diags);
		if (err != 0) {
			/* Refused in so many words, not miscompiled. */
			assert_true(err == -E2BIG || (err == -EINVAL && diags.errors + rules.diags.errors != 0));
			refused++;
		} else {
			struct seccomp_data different;

			err = filter_check(&rules.policy, rows.list, rows.n, &filter, &different, NULL);
			if (err != 0)
				fail_msg("round %llu: nr %d args %llx %llx %llx: expected %x, is %x",
					 (unsigned long long)round, different.nr, different.args[0], different.args[1],
					 different.args[2],
					 filter_expected(&rules.policy, rows.list, rows.n, &different),
					 filter_run(&filter, &different, NULL));
			points_agree(&rules, &rows, &filter, &seed);
			if (filter.len > longest)
				longest = filter.len;
		}
		filter_free(&filter);
		policy_diags_free(&diags);
		rules_free(&rules);
	}
	print_message("%u random policies, %u refused as too complex, the longest filter has %u instructions\n", rounds,
		      refused, longest);
	assert_true(refused < rounds / 5);
}

/* ---- the check itself ----------------------------------------------------------------------- */

/*
 * A mutation that the check did not see must be one that changes nothing: an instruction that is never
 * reached, a load whose value nobody looks at, or a pivot of the tree over the numbers between two calls.
 */
static void harmless(const struct rules *rules, const struct rows *rows, const struct filter *filter, unsigned pc,
		     const struct sock_filter *was)
{
	uint64_t seed = pc;

	if (BPF_CLASS(was->code) == BPF_JMP)
		assert_true(BPF_OP(was->code) == BPF_JGT || BPF_OP(was->code) == BPF_JGE);
	for (unsigned i = 0; i < 10; i++)
		points_agree(rules, rows, filter, &seed);
}

/* Every instruction that does something, changed in every way that changes what it does. */
static void test_mutations(void **state)
{
	struct rules rules;
	struct rows rows;
	struct filter filter;
	struct seccomp_data different;
	unsigned caught = 0, tried = 0;

	(void)state;
	rules_sample_a(&rules);
	rows_hardening(&rows);
	compile_and_check(&rules, &rows, &filter, NULL);
	for (unsigned pc = 0; pc < filter.len; pc++) {
		struct sock_filter *insn = &filter.insns[pc], was = *insn;

		for (unsigned way = 0; way < 3; way++) {
			int err;

			*insn = was;
			if (BPF_CLASS(was.code) == BPF_RET)
				insn->k = way == 0 ? was.k ^ 1 : way == 1 ? SECCOMP_RET_LOG : SECCOMP_RET_KILL_THREAD;
			else if (BPF_CLASS(was.code) != BPF_JMP)
				insn->k = way == 0 ? was.k ^ 4 : way == 1 ? was.k ^ 8 : was.k ^ 16;
			else if (BPF_OP(was.code) == BPF_JA)
				insn->k = way == 0 ? was.k + 1 : way == 1 ? was.k - 1 : 0;
			else if (way == 0)
				insn->k ^= 1;
			else if (way == 1)
				insn->k ^= 0x80000000;
			else {
				insn->jt = was.jf;
				insn->jf = was.jt;
			}
			if (memcmp(insn, &was, sizeof(was)) == 0)
				continue;
			tried++;
			err = filter_check(&rules.policy, rows.list, rows.n, &filter, &different, NULL);
			if (err == -EBADMSG)
				caught++;
			else
				harmless(&rules, &rows, &filter, pc, &was);
		}
		*insn = was;
	}
	print_message("%u of %u mutations caught, the others change nothing\n", caught, tried);
	filter_free(&filter);
	rules_free(&rules);
	assert_true(caught * 100 > tried * 95);
}

/* What the kernel would refuse, filter_run() refuses. */
static void test_invalid(void **state)
{
	static const struct { struct sock_filter insns[3]; unsigned short len; } cases[] = {
		{ { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0) }, 1 },
		{ { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) }, 2 },
		{ { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) }, 2 },
		{ { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) }, 2 },
		{ { BPF_STMT(BPF_LD | BPF_MEM, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) }, 2 },
		{ { BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) }, 2 },
		{ { BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) }, 2 },
		{ { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) }, 2 },
		{ { BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) }, 2 },
		{ { BPF_STMT(BPF_RET | BPF_X, 0) }, 1 },
		{ { BPF_STMT(0x100 | BPF_RET, SECCOMP_RET_ALLOW) }, 1 },
	};
	const struct sock_filter good[] = {
		BPF_STMT(BPF_LD | BPF_IMM, 7), BPF_STMT(BPF_ST, 1), BPF_STMT(BPF_LD | BPF_MEM, 1),
		BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const struct seccomp_data data = { .arch = NATIVE };
	struct filter filter;
	unsigned steps;

	(void)state;
	/* Otherwise who is not root gets EACCES before the kernel looks. */
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sock_fprog prog = { cases[i].len, (struct sock_filter *)(uintptr_t)cases[i].insns };

		filter = (struct filter){ prog.filter, prog.len };
		assert_int_equal(filter_run(&filter, &data, NULL), SECCOMP_RET_KILL_PROCESS);
		assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), -1);
		assert_int_equal(errno, EINVAL);
	}
	filter = (struct filter){ (struct sock_filter *)(uintptr_t)good, ARRAY_SIZE(good) };
	assert_int_equal(filter_run(&filter, &data, &steps), 14);
	assert_int_equal(steps, 6);
}

/* ---- cost and the kernel -------------------------------------------------------------------- */

/* A plain allow must be decided by the number: the kernel's table of constant answers is built by the same
 * rule, an emulation that gives up at the first load of anything else. */
static void test_number_alone(void **state)
{
	static const char *const calls[] = { "read", "write", "getppid", "futex", "mmap", "close", "epoll_wait", "fstat",
					     "recvmsg", "nanosleep", "brk", "lseek", "accept4", "poll", "setsockopt" };
	struct rules rules;
	struct rows rows;
	struct filter filter;

	(void)state;
	rules_sample_a(&rules);
	rows_hardening(&rows);
	compile_and_check(&rules, &rows, &filter, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct syscall_info *info = syscall_by_name(calls[i], strlen(calls[i]));
		uint32_t a = 0;

		for (unsigned pc = 0; info != NULL; pc++) {
			const struct sock_filter *insn = &filter.insns[pc];

			if (insn->code == (BPF_LD | BPF_W | BPF_ABS)) {
				assert_true(insn->k < 8);
				a = insn->k == 0 ? (uint32_t)info->nr : NATIVE;
			} else if (insn->code == (BPF_JMP | BPF_JA)) {
				pc += insn->k;
			} else if (insn->code == (BPF_JMP | BPF_JEQ | BPF_K)) {
				pc += a == insn->k ? insn->jt : insn->jf;
			} else if (insn->code == (BPF_JMP | BPF_JGE | BPF_K)) {
				pc += a >= insn->k ? insn->jt : insn->jf;
			} else if (insn->code == (BPF_JMP | BPF_JGT | BPF_K)) {
				pc += a > insn->k ? insn->jt : insn->jf;
			} else {
				assert_int_equal(insn->code, BPF_RET | BPF_K);
				assert_int_equal(insn->k, SECCOMP_RET_ALLOW);
				break;
			}
		}
	}
	filter_free(&filter);
	rules_free(&rules);
}

static int child_run(const struct filter *filter, int (*body)(void))
{
	struct sock_fprog prog = { filter->len, filter->insns };
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) != 0)
			_exit(99);
		_exit(body());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int failed_with(long result, int err)
{
	return result == -1 && errno == err;
}

/* 0, or the number of the first line that is not as it should be. */
static int body_calls(void)
{
	char byte = 'x';
	int pair[2];

	if (!failed_with(syscall(SYS_getppid), EACCES))
		return 1;
	if (!failed_with(syscall(600), ENOSYS) || !failed_with(syscall(-1L), ENOSYS) || !failed_with(syscall(400), ENOSYS))
		return 2;
	if (!failed_with(syscall(0x40000000 | SYS_getpid), ENOSYS))
		return 3;
	if (!failed_with(syscall(SYS_seccomp, 1, 8, NULL), EBUSY))
		return 4;
	if (!failed_with(unshare(CLONE_NEWNS), EPERM) || !failed_with(unshare(CLONE_NEWUSER), EPERM))
		return 5;
	if (!failed_with(syscall(435, NULL, 0), ENOSYS))
		return 6;
	if (!failed_with(ioctl(0, 0x5412, &byte), EPERM) || !failed_with(syscall(SYS_ioctl, 0, HIGH | 0x541c, &byte), EPERM))
		return 7;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || send(pair[0], &byte, 1, 0) != 1 ||
	    read(pair[1], &byte, 1) != 1)
		return 8;
	if (!failed_with(send(pair[0], &byte, 1, MSG_FASTOPEN), EOPNOTSUPP))
		return 9;
	/* Nobody listens, so what would be notified fails. */
	if (!failed_with(open("/dev/null", O_RDONLY), ENOSYS))
		return 10;
	if (syscall(SYS_getpid) <= 0 || unshare(CLONE_FILES) != 0)
		return 11;
	return 0;
}

#ifdef __x86_64__
static int body_int80(void)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return 0;
}
#endif

static void test_kernel(void **state)
{
	struct rules rules;
	struct rows rows;
	struct filter filter;
	int status;

	(void)state;
	rules_init(&rules);
	rules_add(&rules, ACTION_DENY, EACCES, "getppid")->audit = AUDIT_NONE;
	rules_compile(&rules);
	rows_hardening(&rows);
	compile_and_check(&rules, &rows, &filter, NULL);
	status = child_run(&filter, body_calls);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
#ifdef __x86_64__
	status = child_run(&filter, body_int80);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
#endif
	filter_free(&filter);
	rules_free(&rules);
}

static void test_print(void **state)
{
	struct rules rules;
	struct rows rows;
	struct filter filter;
	char *text = NULL;
	size_t size = 0, lines = 0;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	rules_sample_a(&rules);
	rows_hardening(&rows);
	compile_and_check(&rules, &rows, &filter, NULL);
	filter_print(&filter, to);
	fclose(to);
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, filter.len);
	assert_non_null(strstr(text, "   0: ld   arch\n"));
	assert_non_null(strstr(text, "   2: ret  kill process\n"));
	assert_non_null(strstr(text, "ld   args[4].high\n"));
	assert_non_null(strstr(text, "ret  errno EBUSY\n"));
	assert_non_null(strstr(text, "ret  notify\n"));
	assert_null(strstr(text, ".insn"));
	free(text);
	filter_free(&filter);
	rules_free(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hardening),	cmocka_unit_test(test_sample_a),
		cmocka_unit_test(test_each_bit),
		cmocka_unit_test(test_domains),		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_random),		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_invalid),		cmocka_unit_test(test_number_alone),
		cmocka_unit_test(test_kernel),		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
