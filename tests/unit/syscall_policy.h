/* Policies of syscall rules, put together by hand: the tests of the filter do not wait for the parser. */
#ifndef USHER_TEST_SYSCALL_POLICY_H
#define USHER_TEST_SYSCALL_POLICY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"
#include "policy.h"
#include "syscalls.h"

#define RULES_MAX 64

struct rules {
	struct policy policy;
	struct policy_rule rules[RULES_MAX];
	struct policy_diags diags;
};

static inline void rules_init(struct rules *rules)
{
	memset(rules, 0, sizeof(*rules));
	rules->policy.rules = rules->rules;
}

static inline void rules_default(struct rules *rules, enum policy_action action, int err, enum policy_stage stage,
				 enum policy_audit audit)
{
	rules->policy.defaults[SECTION_SYSCALLS] = (struct policy_default){
		.present = true, .written = true, .action = action, .err = err, .stage = stage, .audit = audit,
	};
}

/* CALLS: names and @groups, separated by spaces. */
static inline struct policy_rule *rules_add(struct rules *rules, enum policy_action action, int err, const char *calls)
{
	struct policy_rule *rule = &rules->rules[rules->policy.n_rules];
	uint8_t how[512] = { 0 };	/* 1: through a group, 2: named */

	assert_true(rules->policy.n_rules < RULES_MAX);
	*rule = (struct policy_rule){
		.number = (uint32_t)rules->policy.n_rules++, .section = SECTION_SYSCALLS, .action = action,
		.err = err, .audit = AUDIT_DENY, .stage = STAGE_DENY,
	};
	for (const char *word = calls; *word != '\0'; word += strspn(word, " ")) {
		size_t len = strcspn(word, " ");

		if (*word == '@') {
			size_t n;
			int *group = syscall_group(word, len, &n);

			assert_non_null(group);
			for (size_t i = 0; i < n; i++)
				how[group[i]] |= 1;
			free(group);
		} else {
			const struct syscall_info *info = syscall_by_name(word, len);

			assert_non_null(info);
			how[info->nr] |= 2;
		}
		word += len;
	}
	rule->calls = calloc(512, sizeof(*rule->calls));
	rule->call_specific = calloc(512, sizeof(*rule->call_specific));
	for (int nr = 0; nr < 512; nr++) {
		if (how[nr] != 0) {
			rule->call_specific[rule->n_calls] = how[nr] >= 2;
			rule->calls[rule->n_calls++] = nr;
		}
	}
	return rule;
}

/* A new condition on ARG that nothing meets yet. */
static inline struct policy_cond *cond_add(struct policy_rule *rule, uint8_t arg)
{
	rule->conds = realloc(rule->conds, (rule->n_conds + 1) * sizeof(*rule->conds));
	rule->conds[rule->n_conds] = (struct policy_cond){ .arg = arg };
	return &rule->conds[rule->n_conds++];
}

static inline void cond_or(struct policy_cond *cond, uint64_t mask, uint64_t value)
{
	cond->any = realloc(cond->any, (cond->n_any + 1) * sizeof(*cond->any));
	cond->any[cond->n_any++] = (struct policy_mask){ .mask = mask, .value = value };
}

static inline void cond_equals(struct policy_rule *rule, uint8_t arg, uint64_t mask, uint64_t value)
{
	cond_or(cond_add(rule, arg), mask, value);
}

/* arg != value, looked at through BITS low bits */
static inline void cond_differs(struct policy_rule *rule, uint8_t arg, unsigned bits, uint64_t value)
{
	struct policy_cond *cond = cond_add(rule, arg);

	for (unsigned i = 0; i < bits; i++)
		cond_or(cond, UINT64_C(1) << i, ~value & UINT64_C(1) << i);
}

/* arg < value */
static inline void cond_below(struct policy_rule *rule, uint8_t arg, unsigned bits, uint64_t value)
{
	struct policy_cond *cond = cond_add(rule, arg);
	uint64_t all = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;

	for (unsigned i = 0; i < bits; i++) {
		uint64_t low = (UINT64_C(1) << i) - 1;

		if ((value >> i & 1) != 0)
			cond_or(cond, all & ~low, value & ~low & ~(UINT64_C(1) << i));
	}
}

static inline void rules_compile(struct rules *rules)
{
	assert_int_equal(syscalls_compile(&rules->policy, &rules->diags), 0);
}

static inline void rules_free(struct rules *rules)
{
	for (size_t i = 0; i < rules->policy.n_rules; i++) {
		for (size_t j = 0; j < rules->rules[i].n_conds; j++)
			free(rules->rules[i].conds[j].any);
		free(rules->rules[i].conds);
		free(rules->rules[i].calls);
		free(rules->rules[i].call_specific);
	}
	syscalls_free(rules->policy.syscalls);
	policy_diags_free(&rules->diags);
}

static inline int nr_of(const char *name)
{
	const struct syscall_info *info = syscall_by_name(name, strlen(name));

	assert_non_null(info);
	return info->nr;
}

/* A small generator, so that a failure can be repeated. */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline unsigned random_below(uint64_t *state, unsigned n)
{
	return (unsigned)(random_next(state) % n);
}

#endif
