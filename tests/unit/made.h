/* A policy, its plan, and the filter that is made of both. */
#ifndef USHER_TEST_MADE_H
#define USHER_TEST_MADE_H

#include "arch.h"
#include "lang_env.h"

#include "call.h"
#include "filter.h"
#include "plan.h"

static const struct kernel kernel = { .major = 6, .minor = 18, .wait_killable = true, .landlock_abi = 7 };

struct made {
	struct policy *policy;
	struct plan plan;
	struct filter_row *rows;
	size_t n_rows;
	struct filter filter;
};

/* The filter, once there are a policy and a plan. */
static inline void made_compile(struct made *made)
{
	struct policy_diags diags = { 0 };

	assert_int_equal(call_filter_rows(&made->plan, &made->rows, &made->n_rows), 0);
	assert_int_equal(filter_compile(made->policy, made->rows, made->n_rows, &made->filter, &diags), 0);
	assert_int_equal(diags.errors, 0);
	policy_diags_free(&diags);
}

static inline void unmake(struct made *made)
{
	filter_free(&made->filter);
	free(made->rows);
	policy_free(made->policy);
}

#endif
