/*
 * From a policy and the supervisor's call table to a seccomp filter (classic BPF).
 *
 * For one call the filter answers, first match first:
 *   1. architecture other than the native one: kill the process; the x32 bit, and numbers above
 *      syscall_max(): ENOSYS
 *   2. the rows at FILTER_FIRST (hardening): the strictest that matches
 *   3. the policy's enforced and would decision on (nr, args), when it is anything but a plain allow:
 *      notify, so that the supervisor answers and records, and so that stages can move while the program
 *      runs; or directly in BPF when the row says never_notify, or the rule says sealed, audit none or count
 *   4. the rows at FILTER_BROKER: notify, also when 3 only logs, unless a row there with FILTER_ALLOW holds
 *   5. allow
 * restart_syscall, rt_sigreturn, exit and exit_group are always allowed unless killed by rule.
 */
#ifndef USHER_FILTER_H
#define USHER_FILTER_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "policy.h"

enum filter_kind { FILTER_ALLOW, FILTER_LOG, FILTER_NOTIFY, FILTER_ERRNO, FILTER_TRAP, FILTER_KILL };

struct filter_test { uint8_t arg; uint64_t mask, value; };	/* (args[arg] & mask) == value */

enum filter_step { FILTER_FIRST, FILTER_BROKER, FILTER_NEVER_NOTIFY };

struct filter_row {
	int nr;
	enum filter_step step;
	enum filter_kind kind;		/* FILTER_BROKER: FILTER_NOTIFY, or FILTER_ALLOW: not brokered where
					 * this row holds (sendto without an address). FILTER_NEVER_NOTIFY: not used */
	uint16_t data;			/* the errno of FILTER_ERRNO */
	size_t n_tests;			/* all must hold; 0: whatever the arguments */
	struct filter_test tests[3];
};

struct filter {
	struct sock_filter *insns;
	unsigned short len;
};

/* 0, or -EINVAL with DIAGS (too complex), -E2BIG (over 4,096 instructions), -ENOMEM. */
int filter_compile(const struct policy *policy, const struct filter_row *rows, size_t n_rows,
		   struct filter *filter, struct policy_diags *diags);
void filter_free(struct filter *filter);

/* What filter_compile() is given. */
struct filter_source {
	const struct policy *policy;
	const struct filter_row *rows;
	size_t n_rows;
};

/* What a program under one filter lacks of another policy, when the supervisor answers by that policy what is notified. */
enum filter_differ {
	FILTER_SAME,
	FILTER_STRICTER,	/* refused, or disturbed, although the new policy would not */
	FILTER_LOOSER,		/* let pass, or refused more mildly, although the new policy would not */
};
typedef void filter_differ_fn(void *ctx, int nr, enum filter_differ how);
/* Calls FN for each call that differs, with the worst of it. 0, -E2BIG or -ENOMEM. */
int filter_differ(const struct filter_source *was, const struct filter_source *now, filter_differ_fn *fn, void *ctx);

/* What the filter should answer: the slow, obvious evaluation of the list above. */
uint32_t filter_expected(const struct policy *policy, const struct filter_row *rows, size_t n_rows,
			 const struct seccomp_data *data);
/* What it does answer: an interpreter for the classic BPF that seccomp takes. A SECCOMP_RET_ value;
 * SECCOMP_RET_KILL_PROCESS for a program that the kernel would refuse. *STEPS, if not NULL: executed. */
uint32_t filter_run(const struct filter *filter, const struct seccomp_data *data, unsigned *steps);
/* Compares both over every number and interesting arguments. 0, or -EBADMSG with the first difference in
 * *DIFFERENT. *CHECKED, if not NULL, counts. */
int filter_check(const struct policy *policy, const struct filter_row *rows, size_t n_rows,
		 const struct filter *filter, struct seccomp_data *different, unsigned long *checked);
/* A listing, one instruction a line with its number. */
void filter_print(const struct filter *filter, FILE *to);

#endif
