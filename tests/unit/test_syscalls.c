/* The table, the groups and the constants against what is known of them; the rules against a model. */
#include "syscall_policy.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/stat.h>

static void test_table(void **state)
{
	static const struct { const char *name; int x86_64, generic; } known[] = {
		{ "read", 0, 63 }, { "open", 2, -1 }, { "openat", 257, 56 }, { "fcntl", 72, 25 }, { "mmap", 9, 222 },
		{ "newfstatat", 262, 79 }, { "sendfile", 40, 71 }, { "uretprobe", 335, -1 }, { "uprobe", 336, -1 },
		{ "io_uring_setup", 425, 425 }, { "clone3", 435, 435 }, { "cachestat", 451, 451 },
		{ "fchmodat2", 452, 452 }, { "mseal", 462, 462 }, { "removexattrat", 466, 466 },
		{ "open_tree_attr", 467, 467 }, { "file_getattr", 468, 468 }, { "file_setattr", 469, 469 },
		{ "rt_sigreturn", 15, 139 }, { "exit_group", 231, 94 }, { "restart_syscall", 219, 128 },
	};
	int n = 0;

	(void)state;
	assert_int_equal(syscall_max(), 469);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct syscall_info *info = syscall_by_name(known[i].name, strlen(known[i].name));
#ifdef __x86_64__
		int nr = known[i].x86_64;
#else
		int nr = known[i].generic;
#endif
		if (nr < 0)
			assert_null(info);
		else
			assert_int_equal(info->nr, nr);
	}
	for (int nr = -2; nr <= syscall_max() + 2; nr++) {
		const struct syscall_info *info = syscall_by_nr(nr);
		bool ended = false;

		if (info == NULL)
			continue;
		n++;
		assert_int_equal(info->nr, nr);
		assert_ptr_equal(syscall_by_name(info->name, strlen(info->name)), info);
		for (unsigned arg = 0; arg < 6; arg++) {
			ended |= info->params[arg].name == NULL;
			assert_true(ended == (info->params[arg].name == NULL));
			assert_true(ended || info->params[arg].bits == 32 || info->params[arg].bits == 64);
			for (unsigned other = 0; other < arg && !ended; other++)
				assert_string_not_equal(info->params[arg].name, info->params[other].name);
		}
	}
#ifdef __x86_64__
	assert_int_equal(n, 383);
	assert_null(syscall_by_nr(337));
	assert_null(syscall_by_nr(423));
#endif
	assert_null(syscall_by_nr(-1));
	assert_null(syscall_by_nr(470));
	assert_null(syscall_by_name("rea", 3));
	assert_null(syscall_by_name("readx", 5));
	assert_non_null(syscall_by_name("readx", 4));
}

static const struct syscall_param *param(const char *call, unsigned arg)
{
	return &syscall_by_name(call, strlen(call))->params[arg];
}

static void test_params(void **state)
{
	(void)state;
	assert_string_equal(param("socket", 0)->name, "domain");
	assert_int_equal(param("socket", 0)->bits, 32);
	assert_string_equal(param("ioctl", 1)->name, "cmd");
	assert_int_equal(param("ioctl", 1)->bits, 32);
	assert_int_equal(param("ioctl", 2)->bits, 64);
	assert_string_equal(param("mmap", 2)->name, "prot");
	assert_int_equal(param("mmap", 2)->bits, 64);
	assert_string_equal(param("mknodat", 2)->name, "mode");
	assert_string_equal(param("mknod", 1)->name, "mode");
	assert_string_equal(param("openat", 2)->name, "flags");
	assert_string_equal(param("clone", 0)->name, "flags");
	assert_int_equal(param("clone", 0)->bits, 32);
	assert_int_equal(param("unshare", 0)->bits, 64);
	assert_null(param("getpid", 0)->name);
}

/* The numbers of the table are its own, but where the headers know a call they must agree. */
static void test_headers(void **state)
{
#define SAME(call) assert_int_equal(nr_of(#call), SYS_##call)
	(void)state;
	SAME(read); SAME(write); SAME(close); SAME(openat); SAME(execve); SAME(clone); SAME(futex); SAME(socket);
	SAME(connect); SAME(sendto); SAME(mount); SAME(ptrace); SAME(seccomp); SAME(bpf); SAME(statx); SAME(rseq);
	SAME(pidfd_open); SAME(openat2); SAME(faccessat2); SAME(landlock_restrict_self); SAME(futex_waitv);
	SAME(renameat2); SAME(execveat); SAME(process_vm_readv); SAME(prlimit64); SAME(exit_group); SAME(unshare);
	SAME(getdents64); SAME(inotify_add_watch); SAME(name_to_handle_at); SAME(open_by_handle_at); SAME(kcmp);
#undef SAME
}

static void test_nearest(void **state)
{
	(void)state;
	assert_string_equal(syscall_nearest("opeant", 6), "openat");
	assert_string_equal(syscall_nearest("conect", 6), "connect");
	assert_string_equal(syscall_nearest("io_uring_setpu", 14), "io_uring_setup");
	assert_null(syscall_nearest("xyzzyplugh", 10));
	assert_null(syscall_nearest("a_name_that_is_much_longer_than_any_system_call", 47));
}

static bool group_has(const char *group, const char *call)
{
	const struct syscall_info *info = syscall_by_name(call, strlen(call));
	size_t n;
	int *list = syscall_group(group, strlen(group), &n);
	bool has = false;

	assert_non_null(list);
	for (size_t i = 0; i < n; i++) {
		assert_true(i == 0 || list[i - 1] < list[i]);
		has |= info != NULL && list[i] == info->nr;
	}
	free(list);
	return has;
}

static void test_groups(void **state)
{
	static const char *const names[] = {
		"@aio", "@basic-io", "@chown", "@clock", "@cpu-emulation", "@debug", "@default", "@file-system",
		"@io-event", "@ipc", "@keyring", "@memlock", "@module", "@mount", "@network-io", "@obsolete", "@pkey",
		"@privileged", "@process", "@raw-io", "@reboot", "@resources", "@sandbox", "@setuid", "@signal", "@swap",
		"@sync", "@system-service", "@timer", "@known",
	};
	size_t n, count = 0;
	const char *about;

	(void)state;
	assert_null(syscall_group("@nothing", 8, &n));
	assert_int_equal(n, 0);
	assert_null(syscall_group("file-system", 11, &n));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int *list = syscall_group(names[i], strlen(names[i]), &n);

		assert_non_null(list);
#ifdef __x86_64__
		assert_true(n > 0);
#endif
		free(list);
	}
	while (syscall_group_name(count, &about) != NULL) {
		assert_true(strlen(about) > 3);
		count++;
	}
	assert_int_equal(count, ARRAY_SIZE(names));
	assert_true(group_has("@privileged", "kexec_load"));
	assert_true(group_has("@privileged", "iopl") == (syscall_by_name("iopl", 4) != NULL));
	assert_true(group_has("@system-service", "execve"));
	assert_true(group_has("@system-service", "io_uring_setup"));
	assert_false(group_has("@system-service", "mount"));
	assert_false(group_has("@system-service", "ptrace"));
	assert_true(group_has("@file-system", "fchmodat2"));
	assert_true(group_has("@file-system", "file_setattr"));
	assert_true(group_has("@mount", "open_tree_attr"));
	assert_true(group_has("@process", "clone3"));
	assert_true(group_has("@known", "tuxcall") == (syscall_by_name("tuxcall", 7) != NULL));
	/* Every call belongs to a family, except one that is in no set of systemd's either. */
	for (int nr = 0; nr <= syscall_max(); nr++) {
		const struct syscall_info *info = syscall_by_nr(nr);
		bool grouped = info == NULL || strcmp(info->name, "syslog") == 0;

		for (size_t i = 0; i + 1 < ARRAY_SIZE(names) && !grouped; i++)
			grouped = group_has(names[i], info->name);
		if (!grouped)
			fail_msg("%s is in no group", info->name);
	}
}

static void test_constants(void **state)
{
#define SAME(name) do { \
		uint64_t is = 0; \
		assert_true(syscall_constant(#name, strlen(#name), &is)); \
		assert_int_equal(is, (uint64_t)(name)); \
	} while (0)
	uint64_t value = 7;

	(void)state;
	SAME(O_RDWR); SAME(O_CREAT); SAME(O_DIRECTORY); SAME(O_NOFOLLOW); SAME(O_DIRECT); SAME(O_TMPFILE); SAME(O_PATH);
	SAME(O_SYNC); SAME(AF_UNIX); SAME(AF_INET6); SAME(AF_PACKET); SAME(AF_VSOCK); SAME(SOCK_RAW); SAME(SOCK_CLOEXEC);
	SAME(PROT_EXEC); SAME(MAP_ANONYMOUS); SAME(MAP_FIXED); SAME(CLONE_NEWUSER); SAME(CLONE_NEWNS); SAME(CLONE_IO);
	SAME(S_IFMT); SAME(S_IFBLK); SAME(S_ISUID); SAME(MSG_FASTOPEN); SAME(F_SETFL); SAME(AT_FDCWD);
	assert_false(syscall_constant("AF_NOTHING", 10, &value));
	assert_false(syscall_constant("AF_", 3, &value));
	assert_int_equal(value, 7);
#undef SAME
}

/* ---- rules ---------------------------------------------------------------------------------- */

static struct policy_decision decide(const struct rules *rules, const char *call, uint64_t a0, uint64_t a1, uint64_t a2)
{
	const uint64_t args[6] = { a0, a1, a2 };

	return policy_decide_call(&rules->policy, nr_of(call), args);
}

#define ENFORCED(...) decide(__VA_ARGS__).enforced.action
#define WOULD(...) decide(__VA_ARGS__).would.action

static void test_precedence(void **state)
{
	struct rules rules;

	(void)state;
	rules_init(&rules);
	rules_default(&rules, ACTION_DENY, ENOSYS, STAGE_DENY, AUDIT_DENY);
	rules_add(&rules, ACTION_ALLOW, 0, "@network-io");
	rules_add(&rules, ACTION_DENY, EPERM, "@system-service");
	rules_add(&rules, ACTION_ALLOW, 0, "chown");
	cond_equals(rules_add(&rules, ACTION_DENY, EACCES, "chown socket"), 1, UINT32_MAX, 0);
	cond_equals(rules_add(&rules, ACTION_ALLOW, 0, "socket"), 0, UINT32_MAX, AF_INET);
	rules_compile(&rules);
	assert_int_equal(ENFORCED(&rules, "mount", 0, 0, 0), ACTION_DENY);	/* the default */
	assert_int_equal(decide(&rules, "mount", 0, 0, 0).enforced.err, ENOSYS);
	assert_null(decide(&rules, "mount", 0, 0, 0).enforced.rule);
	assert_int_equal(ENFORCED(&rules, "bind", 0, 0, 0), ACTION_DENY);	/* two groups: the stricter */
	assert_int_equal(decide(&rules, "bind", 0, 0, 0).enforced.err, EPERM);
	assert_int_equal(ENFORCED(&rules, "chown", 0, 1, 0), ACTION_ALLOW);	/* named beats group */
	assert_int_equal(ENFORCED(&rules, "chown", 0, 0, 0), ACTION_DENY);	/* arguments beat named */
	assert_int_equal(ENFORCED(&rules, "socket", AF_INET, 1, 0), ACTION_ALLOW);
	assert_int_equal(ENFORCED(&rules, "socket", AF_INET, 0, 0), ACTION_DENY);	/* these two only overlap */
	assert_int_equal(ENFORCED(&rules, "socket", AF_UNIX, 1, 0), ACTION_DENY);
	/* what cannot be refused */
	assert_int_equal(ENFORCED(&rules, "exit_group", 0, 0, 0), ACTION_ALLOW);
	assert_int_equal(ENFORCED(&rules, "rt_sigreturn", 0, 0, 0), ACTION_ALLOW);
	rules_free(&rules);
}

static void test_inclusion(void **state)
{
	struct rules rules;
	struct policy_cond *cond;

	(void)state;
	rules_init(&rules);
	rules_default(&rules, ACTION_ALLOW, 0, STAGE_DENY, AUDIT_DENY);
	cond_below(rules_add(&rules, ACTION_DENY, EPERM, "socket"), 0, 32, 100);	/* [0, 100) */
	cond_below(rules_add(&rules, ACTION_ALLOW, 0, "socket"), 0, 32, 50);	/* [0, 50): narrower */
	cond_equals(rules_add(&rules, ACTION_DENY, EACCES, "@network-io"), 0, UINT32_MAX, 7);	/* narrower still */
	/* the same set as the first, in other pieces: no narrower, so the deny stays */
	cond = cond_add(rules_add(&rules, ACTION_ALLOW, 0, "socket"), 0);
	for (uint64_t i = 0; i < 100; i++)
		cond_or(cond, UINT32_MAX, i);
	/* always true is no condition, and never true no rule */
	cond = cond_add(rules_add(&rules, ACTION_DENY, ENOSYS, "listen"), 0);
	cond_or(cond, 1, 0);
	cond_or(cond, 1, 1);
	cond_equals(rules_add(&rules, ACTION_ALLOW, 0, "listen"), 0, 0, 0);
	cond_equals(rules_add(&rules, ACTION_DENY, EPERM, "shutdown"), 0, 1, 1);
	cond_equals(&rules.rules[rules.policy.n_rules - 1], 0, 1, 0);
	rules_compile(&rules);
	assert_int_equal(ENFORCED(&rules, "socket", 99, 0, 0), ACTION_DENY);
	assert_int_equal(ENFORCED(&rules, "socket", 100, 0, 0), ACTION_ALLOW);
	assert_int_equal(ENFORCED(&rules, "socket", 49, 0, 0), ACTION_ALLOW);
	assert_int_equal(ENFORCED(&rules, "socket", 50, 0, 0), ACTION_DENY);
	assert_int_equal(ENFORCED(&rules, "socket", 7, 0, 0), ACTION_DENY);
	assert_int_equal(decide(&rules, "socket", 7, 0, 0).enforced.err, EACCES);
	assert_int_equal(ENFORCED(&rules, "listen", 3, 0, 0), ACTION_DENY);
	assert_int_equal(ENFORCED(&rules, "shutdown", 1, 0, 0), ACTION_ALLOW);
	rules_free(&rules);
}

static void test_stages(void **state)
{
	struct rules rules;

	(void)state;
	rules_init(&rules);
	rules_default(&rules, ACTION_DENY, EPERM, STAGE_LOG, AUDIT_DENY);
	rules_add(&rules, ACTION_DENY, EACCES, "getpid");
	rules_add(&rules, ACTION_DENY, EACCES, "getuid")->stage = STAGE_LOG;
	rules_add(&rules, ACTION_ALLOW, 0, "@default");
	rules_add(&rules, ACTION_FORBID, EACCES, "getgid")->stage = STAGE_LOG;
	rules_add(&rules, ACTION_FORBID, EACCES, "@mount");
	rules_add(&rules, ACTION_ALLOW, 0, "mount");
	rules_add(&rules, ACTION_DENY, EPERM, "exit")->stage = STAGE_KILL;
	rules_add(&rules, ACTION_DENY, EPERM, "@default")->stage = STAGE_LOG;
	rules_compile(&rules);
	assert_int_equal(ENFORCED(&rules, "vhangup", 0, 0, 0), ACTION_ALLOW);
	assert_int_equal(WOULD(&rules, "vhangup", 0, 0, 0), ACTION_DENY);
	assert_int_equal(ENFORCED(&rules, "getpid", 0, 0, 0), ACTION_DENY);
	assert_int_equal(ENFORCED(&rules, "getuid", 0, 0, 0), ACTION_ALLOW);
	assert_int_equal(WOULD(&rules, "getuid", 0, 0, 0), ACTION_DENY);
	assert_int_equal(ENFORCED(&rules, "getgid", 0, 0, 0), ACTION_FORBID);	/* never staged to log */
	assert_int_equal(ENFORCED(&rules, "mount", 0, 0, 0), ACTION_FORBID);	/* nothing overrides it */
	assert_int_equal(ENFORCED(&rules, "brk", 0, 0, 0), ACTION_ALLOW);
	assert_int_equal(WOULD(&rules, "brk", 0, 0, 0), ACTION_DENY);
	assert_int_equal(ENFORCED(&rules, "exit", 0, 0, 0), ACTION_DENY);	/* killed by name */
	assert_int_equal(WOULD(&rules, "exit_group", 0, 0, 0), ACTION_ALLOW);
	rules_free(&rules);
}

/* The kernel cuts a mode to 16 bits, so bits above must not hide it. */
static void test_mode(void **state)
{
	struct rules rules;

	(void)state;
	rules_init(&rules);
	cond_equals(rules_add(&rules, ACTION_DENY, EPERM, "mknodat"), 2, UINT32_MAX, S_IFBLK | 0600);
	cond_differs(rules_add(&rules, ACTION_DENY, EPERM, "fchmodat"), 2, 32, 0644);
	cond_equals(rules_add(&rules, ACTION_DENY, EPERM, "faccessat"), 2, UINT32_MAX, 4);
	rules_compile(&rules);
	assert_int_equal(ENFORCED(&rules, "mknodat", 0, 0, S_IFBLK | 0600), ACTION_DENY);
	assert_int_equal(ENFORCED(&rules, "mknodat", 0, 0, 0x10000 | S_IFBLK | 0600), ACTION_DENY);
	assert_int_equal(ENFORCED(&rules, "mknodat", 0, 0, S_IFCHR | 0600), ACTION_ALLOW);
	assert_int_equal(ENFORCED(&rules, "fchmodat", 0, 0, 0644 | 0x70000), ACTION_ALLOW);
	assert_int_equal(ENFORCED(&rules, "fchmodat", 0, 0, 0645 | 0x70000), ACTION_DENY);
	assert_int_equal(ENFORCED(&rules, "faccessat", 0, 0, 0x10004), ACTION_ALLOW);	/* an int */
	rules_free(&rules);
}

/* ---- the model ------------------------------------------------------------------------------ */

/* Arguments 0 and 1, four bits each: 256 points, and a rule is the set of its points. */
struct points { bool in[256]; };

static void rule_points(const struct policy_rule *rule, struct points *points, size_t *n)
{
	*n = 0;
	for (unsigned point = 0; point < 256; point++) {
		bool holds = true;

		for (size_t i = 0; i < rule->n_conds; i++) {
			uint64_t value = rule->conds[i].arg == 0 ? point & 15 : point >> 4;
			bool any = false;

			for (size_t j = 0; j < rule->conds[i].n_any; j++)
				any |= (value & rule->conds[i].any[j].mask) == rule->conds[i].any[j].value;
			holds &= any;
		}
		points->in[point] = holds;
		*n += holds;
	}
}

static bool names(const struct policy_rule *rule, int nr, bool *specific)
{
	for (size_t i = 0; i < rule->n_calls; i++) {
		if (rule->calls[i] == nr) {
			*specific = rule->call_specific[i] != 0;
			return true;
		}
	}
	return false;
}

/* Is A narrower than B about NR? */
static bool model_narrower(const struct policy_rule *a, const struct policy_rule *b, int nr)
{
	struct points in_a, in_b;
	bool a_named = false, b_named = false, within = true;
	size_t n_a, n_b;

	rule_points(a, &in_a, &n_a);
	rule_points(b, &in_b, &n_b);
	names(a, nr, &a_named);
	names(b, nr, &b_named);
	for (unsigned point = 0; point < 256; point++)
		within &= !in_a.in[point] || in_b.in[point];
	return within && (n_a < n_b || (a_named && !b_named));
}

static enum policy_action model_decide(const struct rules *rules, int nr, unsigned point, bool would)
{
	const struct policy_rule *matching[RULES_MAX];
	const struct policy_default *def = &rules->policy.defaults[SECTION_SYSCALLS];
	enum policy_action strictest = ACTION_ALLOW;
	bool any = false;
	size_t n = 0;

	for (size_t i = 0; i < rules->policy.n_rules; i++) {
		const struct policy_rule *rule = &rules->rules[i];
		struct points points;
		size_t size;
		bool specific;

		rule_points(rule, &points, &size);
		if (!names(rule, nr, &specific) || !points.in[point])
			continue;
		if (rule->action == ACTION_FORBID)
			return ACTION_FORBID;
		if (would || rule->stage != STAGE_LOG)
			matching[n++] = rule;
	}
	for (size_t i = 0; i < n; i++) {
		bool beaten = false;

		for (size_t j = 0; j < n; j++)
			beaten |= model_narrower(matching[j], matching[i], nr);
		if (beaten)
			continue;
		any = true;
		if (matching[i]->action > strictest)
			strictest = matching[i]->action;
	}
	if (any)
		return strictest;
	return def->present && (would || def->stage != STAGE_LOG) ? def->action : ACTION_ALLOW;
}

static void random_rules(struct rules *rules, uint64_t *seed)
{
	static const char *const calls[] = { "socket", "@network-io", "socket bind", "@system-service", "bind" };
	unsigned n = 1 + random_below(seed, 8);

	rules_init(rules);
	if (random_below(seed, 2) == 0)
		rules_default(rules, random_below(seed, 2) == 0 ? ACTION_ALLOW : ACTION_DENY, EPERM,
			      random_below(seed, 2) == 0 ? STAGE_LOG : STAGE_DENY, AUDIT_DENY);
	while (n-- > 0) {
		struct policy_rule *rule = rules_add(rules, ACTION_ALLOW, 0, calls[random_below(seed, ARRAY_SIZE(calls))]);

		if (random_below(seed, 2) == 0)
			rule->action = random_below(seed, 8) == 0 ? ACTION_FORBID : ACTION_DENY;
		rule->stage = random_below(seed, 3) == 0 ? STAGE_LOG : STAGE_DENY;
		rule->err = rule->action >= ACTION_DENY ? EPERM : 0;
		for (unsigned conds = random_below(seed, 4); conds > 0; conds--) {
			struct policy_cond *cond = cond_add(rule, (uint8_t)random_below(seed, 2));

			for (unsigned cubes = 1 + random_below(seed, 4); cubes > 0; cubes--) {
				uint64_t mask = random_below(seed, 16);

				cond_or(cond, mask, random_next(seed) & mask);
			}
		}
	}
}

static void test_model(void **state)
{
	(void)state;
	for (uint64_t round = 1; round <= 1500; round++) {
		uint64_t seed = round;
		struct rules rules;

		random_rules(&rules, &seed);
		rules_compile(&rules);
		for (unsigned i = 0; i < 64; i++) {
			const char *call = random_below(&seed, 2) == 0 ? "socket" : "bind";
			unsigned point = random_below(&seed, 256);
			struct policy_decision is = decide(&rules, call, point & 15, point >> 4, 0);

			if (is.enforced.action != model_decide(&rules, nr_of(call), point, false) ||
			    is.would.action != model_decide(&rules, nr_of(call), point, true))
				fail_msg("round %llu, %s, point %u", (unsigned long long)round, call, point);
		}
		rules_free(&rules);
	}
}

/* The order of the rules carries no meaning, and one more deny opens nothing. */
static void test_order_and_deny(void **state)
{
	(void)state;
	for (uint64_t round = 1; round <= 500; round++) {
		uint64_t seed = round * 7919;
		struct rules rules;
		enum policy_action before[256];
		size_t n;

		random_rules(&rules, &seed);
		rules_compile(&rules);
		for (unsigned point = 0; point < 256; point++)
			before[point] = ENFORCED(&rules, "socket", point & 15, point >> 4, 0);
		n = rules.policy.n_rules;
		for (size_t i = n; i-- > 1;) {
			size_t j = random_below(&seed, (unsigned)i + 1);
			struct policy_rule swap = rules.rules[i];

			rules.rules[i] = rules.rules[j];
			rules.rules[j] = swap;
		}
		for (size_t i = 0; i < n; i++)
			rules.rules[i].number = (uint32_t)i;
		rules_compile(&rules);
		for (unsigned point = 0; point < 256; point++)
			assert_int_equal(ENFORCED(&rules, "socket", point & 15, point >> 4, 0), before[point]);
		cond_equals(rules_add(&rules, ACTION_DENY, EPERM, "@network-io"), 0, 7, random_below(&seed, 8));
		rules_compile(&rules);
		for (unsigned point = 0; point < 256; point++)
			assert_true(ENFORCED(&rules, "socket", point & 15, point >> 4, 0) >= before[point] ||
				    before[point] >= ACTION_DENY);
		for (unsigned point = 0; point < 256; point++) {
			if (before[point] >= ACTION_DENY)
				assert_true(ENFORCED(&rules, "socket", point & 15, point >> 4, 0) >= ACTION_DENY);
		}
		rules_free(&rules);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	   cmocka_unit_test(test_params),     cmocka_unit_test(test_headers),
		cmocka_unit_test(test_nearest),	   cmocka_unit_test(test_groups),     cmocka_unit_test(test_constants),
		cmocka_unit_test(test_precedence), cmocka_unit_test(test_inclusion),  cmocka_unit_test(test_stages),
		cmocka_unit_test(test_mode),	   cmocka_unit_test(test_model),      cmocka_unit_test(test_order_and_deny),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
