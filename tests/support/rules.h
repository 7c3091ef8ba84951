/* Policies filled in by hand, for tests of the path engine. */
#ifndef USHER_TEST_RULES_H
#define USHER_TEST_RULES_H

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "err.h"
#include "policy.h"

static inline void rules_begin(struct policy *policy)
{
	*policy = (struct policy){ .cover = OPS_FILES };
}

/* Patterns: after OPS, ended by NULL. */
static inline struct policy_rule *rules_add(struct policy *policy, enum policy_action action, uint32_t ops, ...)
{
	policy->rules = realloc(policy->rules, (policy->n_rules + 1) * sizeof(*policy->rules));
	ASSERT(policy->rules);
	struct policy_rule *rule = &policy->rules[policy->n_rules];
	*rule = (struct policy_rule){
		.number = (uint32_t)policy->n_rules++, .section = ops & OPS_NETWORK ? SECTION_NETWORK : SECTION_FILES,
		.proto = PROTO_UNIX, .action = action, .err = action >= ACTION_DENY ? EACCES : 0, .ops = ops,
		.pos = { .line = (uint32_t)policy->n_rules, .col = 1 },
	};
	va_list args;
	va_start(args, ops);
	for (const char *glob; (glob = va_arg(args, const char *));) {
		rule->patterns = realloc(rule->patterns, (rule->n_patterns + 1) * sizeof(*rule->patterns));
		ASSERT(rule->patterns);
		rule->patterns[rule->n_patterns++] = (struct policy_pattern){ .glob = strdup(glob), .spelled = strdup(glob) };
	}
	va_end(args);
	return rule;
}

static inline void rules_end(struct policy *policy)
{
	engine_free(policy->engine);
	for (size_t i = 0; i < policy->n_rules; i++) {
		struct policy_rule *rule = &policy->rules[i];
		for (size_t k = 0; k < rule->n_patterns; k++) {
			free(rule->patterns[k].glob);
			free(rule->patterns[k].spelled);
		}
		free(rule->patterns);
		free(rule->addrs);
		free(rule->text);
		free(rule->target);
	}
	free(policy->rules);
	*policy = (struct policy){ 0 };
}

#endif
