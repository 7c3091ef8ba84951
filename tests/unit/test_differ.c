/* What another policy would need another filter for: a few cases by hand, and all pairs of some policies point by point. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "err.h"
#include "filter.h"
#include "filter_call.h"
#include "syscalls.h"

#define ROW(number, where, what, error) { .nr = (number), .step = (where), .kind = (what), .data = (error) }

static const struct filter_row rows[] = {
	ROW(SYS_openat, FILTER_BROKER, FILTER_NOTIFY, 0),
	ROW(SYS_read, FILTER_NEVER_NOTIFY, FILTER_ALLOW, 0),
	ROW(SYS_close, FILTER_NEVER_NOTIFY, FILTER_ALLOW, 0),
};
static const struct filter_row more_rows[] = {
	ROW(SYS_openat, FILTER_BROKER, FILTER_NOTIFY, 0),
	ROW(SYS_chdir, FILTER_BROKER, FILTER_NOTIFY, 0),
	ROW(SYS_read, FILTER_NEVER_NOTIFY, FILTER_ALLOW, 0),
	ROW(SYS_close, FILTER_NEVER_NOTIFY, FILTER_ALLOW, 0),
	ROW(SYS_userfaultfd, FILTER_FIRST, FILTER_ERRNO, EPERM),
};

static const char *const texts[] = {
	"",
	"syscalls { default allow; deny EPERM @keyring; }",
	"syscalls { default allow; deny EPERM @keyring stage log; }",
	"syscalls { default allow; deny EPERM @keyring stage kill; deny EPERM socket where domain == AF_INET; }",
	"syscalls { default allow; deny EPERM socket where domain == AF_INET and type & 0xf == SOCK_STREAM; }",
	"syscalls { default allow; deny EPERM socket; allow socket where domain in AF_UNIX, AF_INET; }",
	"syscalls { default deny ENOSYS stage log; allow @system-service; }",
	"syscalls { default deny ENOSYS; allow @system-service; deny EPERM userfaultfd audit none; }",
	"syscalls { default allow; deny ENOSYS personality audit none; deny EPERM socket where domain > 3 audit none; }",
	"syscalls { default allow; deny ENOSYS personality stage kill audit none; deny EPERM read where count > 100; }",
};

struct compiled { struct policy *policy; struct filter_source source; };

static struct compiled load(const char *text, bool more)
{
	struct policy_env env = { 0 };
	struct policy_diags diags = { 0 };
	char whole[1024];
	struct compiled new;

	snprintf(whole, sizeof(whole), "syntax 1;\n%s\n", text);
	assert_int_equal(policy_load_text(&new.policy, &env, "x", whole, strlen(whole), &diags), 0);
	policy_diags_free(&diags);
	new.source = (struct filter_source){ .policy = new.policy, .rows = more ? more_rows : rows,
					     .n_rows = more ? ARRAY_SIZE(more_rows) : ARRAY_SIZE(rows) };
	return new;
}

static enum filter_differ found[1024];

static void find(void *ctx, int nr, enum filter_differ how)
{
	(void)ctx;
	assert_true(nr >= 0 && nr < 1024);
	assert_int_equal(found[nr], FILTER_SAME);
	found[nr] = how;
}

static void differ(const char *was, bool more_was, const char *now, bool more_now)
{
	struct compiled a = load(was, more_was), b = load(now, more_now);

	memset(found, 0, sizeof(found));
	assert_int_equal(filter_differ(&a.source, &b.source, find, NULL), 0);
	policy_free(a.policy);
	policy_free(b.policy);
}

static bool any(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(found); i++)
		if (found[i] != FILTER_SAME)
			return true;
	return false;
}

static void stages_move(void **state)
{
	(void)state;
	differ(texts[1], false, texts[2], false);
	assert_false(any());
	differ(texts[2], false, texts[1], false);
	assert_false(any());
	differ("syscalls { default allow; deny EPERM @keyring stage log; }", false,
	       "syscalls { default allow; deny EPERM @keyring stage kill; }", false);
	assert_false(any());
}

static void what_passes_is_looser(void **state)
{
	(void)state;
	differ(texts[0], false, texts[1], false);
	assert_int_equal(found[SYS_keyctl], FILTER_LOOSER);
	assert_int_equal(found[SYS_openat], FILTER_SAME);
	differ("syscalls { default allow; deny EPERM socket where domain == AF_INET; }", false,
	       "syscalls { default allow; deny EPERM socket where domain == AF_INET6; }", false);
	assert_int_equal(found[SYS_socket], FILTER_LOOSER);
	/* A smaller part of what is notified is the supervisor's business. */
	differ(texts[3], false, texts[4], false);
	assert_int_equal(found[SYS_socket], FILTER_SAME);
	differ(texts[4], false, texts[3], false);
	assert_int_equal(found[SYS_socket], FILTER_LOOSER);
	differ("", false, "", true);
	assert_int_equal(found[SYS_chdir], FILTER_LOOSER);
	assert_int_equal(found[SYS_userfaultfd], FILTER_LOOSER);
	/* Notified, but that usher refuses it by itself the supervisor would not know. */
	differ("syscalls { default allow; deny EPERM userfaultfd; }", false, "", true);
	assert_int_equal(found[SYS_userfaultfd], FILTER_LOOSER);
}

static void sealed_stays(void **state)
{
	(void)state;
	differ(texts[8], false, "", false);
	assert_int_equal(found[SYS_personality], FILTER_STRICTER);
	assert_int_equal(found[SYS_socket], FILTER_STRICTER);
	differ(texts[8], false, texts[9], false);
	assert_int_equal(found[SYS_personality], FILTER_LOOSER);
	assert_int_equal(found[SYS_read], FILTER_LOOSER);
	/* The same rule, and what it means where it is sealed: to a filter that asks it makes no difference. */
	differ("syscalls { default allow; deny EPERM acct stage kill sealed; }", false, "syscalls { default allow; deny EPERM acct stage kill; }", false);
	assert_int_equal(found[SYS_acct], FILTER_STRICTER);
	differ("syscalls { default allow; deny EPERM acct; }", false, "syscalls { default allow; deny EPERM acct stage kill sealed; }", false);
	assert_int_equal(found[SYS_acct], FILTER_SAME);
	differ("syscalls { default deny ENOSYS sealed; allow @system-service; }", false, "syscalls { default allow; allow @system-service; }", false);
	assert_int_equal(found[SYS_acct], FILTER_STRICTER);
	differ("syscalls { default allow; deny EPERM read; }", false, "", false);
	assert_int_equal(found[SYS_read], FILTER_STRICTER);
}

/* The definition, at one point. */
static enum filter_differ at_point(const struct compiled *a, const struct compiled *b, const struct seccomp_data *data)
{
	uint32_t was = filter_expected(a->policy, a->source.rows, a->source.n_rows, data) & SECCOMP_RET_ACTION_FULL;
	uint32_t now = filter_expected(b->policy, b->source.rows, b->source.n_rows, data) & SECCOMP_RET_ACTION_FULL;
	bool was_passes = was == SECCOMP_RET_ALLOW || was == SECCOMP_RET_LOG;
	bool now_passes = now == SECCOMP_RET_ALLOW || now == SECCOMP_RET_LOG;

	if (was_passes && !now_passes)
		return FILTER_LOOSER;
	if (!was_passes && was != SECCOMP_RET_USER_NOTIF && (now_passes || now == SECCOMP_RET_USER_NOTIF))
		return FILTER_STRICTER;
	return FILTER_SAME;
}

static void sealed_is_answered_by_the_filter(void **state)
{
	static const struct { const char *text; uint32_t answer; } cases[] = {
		{ "deny EPERM acct", SECCOMP_RET_USER_NOTIF },
		{ "deny EPERM acct stage log", SECCOMP_RET_USER_NOTIF },
		{ "deny EPERM acct stage log sealed", SECCOMP_RET_LOG },
		{ "deny EPERM acct sealed", SECCOMP_RET_ERRNO | EPERM },
		{ "deny EPERM acct stage trap sealed", SECCOMP_RET_TRAP },
		{ "deny EPERM acct stage kill sealed", SECCOMP_RET_KILL_PROCESS },
		{ "forbid EPERM acct sealed", SECCOMP_RET_ERRNO | EPERM },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seccomp_data data = { .nr = SYS_acct, .arch = FILTER_ARCH };
		struct policy_diags diags = { 0 };
		struct compiled one;
		struct filter filter;
		char text[100];

		snprintf(text, sizeof(text), "syscalls { default allow; %s; }", cases[i].text);
		one = load(text, false);
		assert_int_equal(filter_compile(one.policy, rows, ARRAY_SIZE(rows), &filter, &diags), 0);
		assert_int_equal(filter_run(&filter, &data, NULL), cases[i].answer);
		filter_free(&filter);
		policy_free(one.policy);
	}
}

static void all_pairs(void **state)
{
	static const uint64_t words[] = { 0, 1, 2, 3, 5, 10, 17, 99, 101, 0x10002, UINT64_MAX, UINT64_C(1) << 40 };
	unsigned seed = 1, differences = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (size_t j = 0; j < ARRAY_SIZE(texts); j++) {
			struct compiled a = load(texts[i], i & 1), b = load(texts[j], j & 1);

			memset(found, 0, sizeof(found));
			assert_int_equal(filter_differ(&a.source, &b.source, find, NULL), 0);
			if (i == j)
				assert_false(any());
			for (int nr = 0; nr <= syscall_max(); nr++)
				for (int k = 0; syscall_by_nr(nr) && k < 10; k++) {
					struct seccomp_data data = { .nr = nr, .arch = FILTER_ARCH };

					for (unsigned arg = 0; arg < 6; arg++)
						data.args[arg] = words[(seed = seed * 1103515245 + 12345) / 65536 % ARRAY_SIZE(words)];
					assert_true(at_point(&a, &b, &data) <= found[nr]);
					differences += found[nr] != FILTER_SAME;
				}
			policy_free(a.policy);
			policy_free(b.policy);
		}
	assert_true(differences > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_move),
		cmocka_unit_test(what_passes_is_looser),
		cmocka_unit_test(sealed_stays),
		cmocka_unit_test(sealed_is_answered_by_the_filter),
		cmocka_unit_test(all_pairs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
