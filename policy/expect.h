/* The expectations of a policy: what usher test judges. */
#ifndef USHER_EXPECT_H
#define USHER_EXPECT_H

#include "policy.h"

enum expect_outcome { EXPECT_PASS, EXPECT_FAIL, EXPECT_NOT_JUDGED };

struct expect_result {
	const struct policy_expect *expect;
	enum expect_outcome outcome;
	struct policy_verdict verdict;	/* with every rule in force; not for EXPECT_NOT_JUDGED */
	bool leads_out;			/* the verdict is that a link leads out of a tree */
	bool at_log;			/* it hangs on a rule or default that is at stage log */
	const char *reason;		/* a sentence, NULL if the verdict says it all */
	char witness[4096];		/* never: a path that is allowed nevertheless; else empty */
};
typedef void expect_fn(void *ctx, const struct expect_result *result);

/*
 * Judges every expectation and calls FN (may be NULL) with each result, in the order of the text. Targets
 * are looked up through ENV->resolve, as the patterns were; ENV may be NULL. The number that failed, or
 * -ENOMEM.
 */
int policy_test_run(const struct policy *policy, const struct policy_env *env, expect_fn *fn, void *ctx);

#endif
