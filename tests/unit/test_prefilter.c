/*
 * Opens that only read are left to the kernel, and nothing else is: every combination of open(2)'s flags, whatever stands in the halves
 * of the registers that the kernel does not look at, through every call that opens and every ABI.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "made.h"

#include "calls/open.h"
#include "err.h"
#include "syscalls.h"

#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#define POLICY "files { default deny sealed; allow ro /usr/; }"

/* What open(2) knows, and some bits that it does not. */
static const uint32_t bits[] = {
	O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NONBLOCK, O_DSYNC, O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC, O_PATH,
	O_NOATIME | O_NOCTTY | O_DIRECT, O_TMPFILE & ~O_DIRECTORY, O_SYNC & ~O_DSYNC, 4, UINT32_C(1) << 31,
};

static struct made make(const char *text, enum reads reads)
{
	struct made made = { .policy = lang_good(text) };
	struct policy_diags diags = { 0 };

	assert_int_equal(plan_make(&made.plan, made.policy, &kernel, false, LAYERS_ANY, &diags), 0);
	policy_diags_free(&diags);
	made.plan.reads = reads;
	made_compile(&made);
	return made;
}

static uint32_t answer(const struct made *made, uint32_t arch, int nr, uint64_t a1, uint64_t a2)
{
	struct seccomp_data data = { .nr = nr, .arch = arch, .args = { 4096, a1, a2, 4096, HIGH, UINT64_MAX } };

	return filter_run(&made->filter, &data, NULL);
}

/* By open(2): does nothing but look and read. Of O_PATH the kernel ignores the rest, but it need not be known here. */
static bool only_reads(uint32_t flags)
{
	return (flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT) && !(flags & O_TRUNC) && !(flags & (O_TMPFILE & ~O_DIRECTORY));
}

static uint32_t combined(uint32_t chosen)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (chosen >> i & 1)
			flags |= bits[i];
	return flags;
}

static void every_flag_of_every_open(void **state)
{
	static const enum reads all[] = { READS_BROKERED, READS_FREE, READS_TREES };

	(void)state;
	for (size_t way = 0; way < ARRAY_SIZE(all); way++) {
		struct made made = make(POLICY, all[way]);

		for (uint32_t chosen = 0; chosen < UINT32_C(1) << ARRAY_SIZE(bits); chosen++) {
			uint64_t high = chosen & 1 ? HIGH : chosen & 2 ? UINT64_C(0xffffffff00000000) : 0, flags = combined(chosen) | high;
			bool trapped = all[way] == READS_BROKERED || !only_reads((uint32_t)flags);
			uint32_t expected = trapped ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;

			if (answer(&made, NATIVE, SYS_openat, 4096, flags) != expected)
				fail_msg("openat %llx", (unsigned long long)flags);
			assert_int_equal(openat_trapped(&made.plan, (uint64_t[6]){ 0, 4096, flags }), trapped);
#ifdef __x86_64__
			if (answer(&made, NATIVE, SYS_open, flags, 4096) != expected)
				fail_msg("open %llx", (unsigned long long)flags);
			assert_int_equal(open_trapped(&made.plan, (uint64_t[6]){ 4096, flags }), trapped);
#endif
		}
		unmake(&made);
	}
}

/* Flags in memory, or none: always asked about. */
static void what_shows_no_flags_is_trapped(void **state)
{
	struct made made = make(POLICY, READS_TREES);

	(void)state;
	for (unsigned chosen = 0; chosen < 1000; chosen++) {
		assert_int_equal(answer(&made, NATIVE, SYS_openat2, chosen | HIGH, chosen), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(answer(&made, NATIVE, SYS_open_by_handle_at, chosen, 0), SECCOMP_RET_USER_NOTIF);
#ifdef __x86_64__
		assert_int_equal(answer(&made, NATIVE, SYS_creat, chosen | HIGH, 0), SECCOMP_RET_USER_NOTIF);
#endif
	}
	unmake(&made);
}

/* Leaving reads to the kernel changes the answers about open and openat, and about nothing else. */
static void nothing_else_changes(void **state)
{
	struct made brokered = make(POLICY, READS_BROKERED), left = make(POLICY, READS_TREES);

	(void)state;
	for (int nr = -1; nr <= syscall_max() + 2; nr++) {
#ifdef __x86_64__
		if (nr == SYS_open)
			continue;
#endif
		for (unsigned i = 0; nr != SYS_openat && i < ARRAY_SIZE(bits); i++)
			if (answer(&brokered, NATIVE, nr, bits[i], bits[i] | HIGH) != answer(&left, NATIVE, nr, bits[i], bits[i] | HIGH))
				fail_msg("call %d", nr);
	}
	unmake(&brokered);
	unmake(&left);
}

static void no_other_abi_opens(void **state)
{
	static const int i386[] = { 5, 8, 295, 342, 437 };	/* open, creat, openat, open_by_handle_at, openat2 */
	struct made made = make(POLICY, READS_TREES);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
		for (unsigned k = 0; k < ARRAY_SIZE(i386); k++)
			assert_int_equal(answer(&made, AUDIT_ARCH_I386, i386[k], bits[i] & ~3U, 0), SECCOMP_RET_KILL_PROCESS);
		assert_int_equal(answer(&made, AUDIT_ARCH_ARM, 5, 0, 0), SECCOMP_RET_KILL_PROCESS);
#ifdef __x86_64__
		static const int x32[] = { SYS_open, SYS_creat, SYS_openat, SYS_openat2, SYS_open_by_handle_at };
		for (unsigned k = 0; k < ARRAY_SIZE(x32); k++)
			assert_int_equal(answer(&made, NATIVE, 0x40000000 | x32[k], bits[i] & ~3U, 0), SECCOMP_RET_ERRNO | ENOSYS);
#endif
	}
	unmake(&made);
}

/* A rule about the call itself stays, whoever decides about the path. */
static void rules_about_the_call_stay(void **state)
{
	struct made made = make(POLICY " syscalls { default allow; deny EPERM openat where flags & O_NOFOLLOW == O_NOFOLLOW sealed; }", READS_TREES);

	(void)state;
	assert_int_equal(answer(&made, NATIVE, SYS_openat, 4096, O_NOFOLLOW | HIGH), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(answer(&made, NATIVE, SYS_openat, 4096, O_NOFOLLOW | O_RDWR), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(answer(&made, NATIVE, SYS_openat, 4096, O_CLOEXEC), SECCOMP_RET_ALLOW);
	assert_int_equal(answer(&made, NATIVE, SYS_openat, 4096, O_CLOEXEC | O_RDWR), SECCOMP_RET_USER_NOTIF);
	unmake(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flag_of_every_open),
		cmocka_unit_test(what_shows_no_flags_is_trapped),
		cmocka_unit_test(nothing_else_changes),
		cmocka_unit_test(no_other_abi_opens),
		cmocka_unit_test(rules_about_the_call_stay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
