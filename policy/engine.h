/* The path engine: all patterns of a policy in one lazily determinised automaton. */
#ifndef USHER_ENGINE_H
#define USHER_ENGINE_H

#include "policy.h"

/* Compiles the file and unix-path rules of POLICY into policy->engine. Redirects or answers that tie
 * with different targets are errors in DIAGS (both places). 0, -EINVAL or -ENOMEM. */
int engine_compile(struct policy *policy, struct policy_diags *diags);
void engine_free(struct policy_engine *engine);

/* Bytes that the automaton holds now and may hold at most; for bench and tests. */
size_t engine_memory(const struct policy_engine *engine);
void engine_set_limit(struct policy_engine *engine, size_t bytes);

#endif
