/* The built-in rules: usher's own files, which are forbidden by rules like any other. */
#include "engine_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

/* PATH and all below it as a glob; behind whatever else, if it MOVES with the root. */
static char *tree_glob(const char *path, bool moves)
{
	char *glob = malloc(2 * strlen(path) + 5), *to = glob;
	if (!glob)
		return NULL;
	if (moves)
		to = stpcpy(to, "/**");
	for (const char *from = path; *from; from++) {
		if (strchr("*?[]{},\\", *from))
			*to++ = '\\';
		*to++ = *from;
	}
	if (to == glob || to[-1] != '/')
		*to++ = '/';
	*to = '\0';
	return glob;
}

static struct policy_rule *builtin_rule(const char *path, bool read_too, bool moves)
{
	struct policy_rule *rule = calloc(1, sizeof(*rule));
	if (!rule)
		return NULL;
	*rule = (struct policy_rule){
		.number = UINT32_MAX, .pos = { .file = POLICY_BUILTIN }, .section = SECTION_FILES,
		.action = ACTION_FORBID, .err = EACCES,
		.ops = (read_too ? OPS_FILES : OPS_MODIFY) | OPS_NETWORK,
		.stage = STAGE_DENY, .audit = AUDIT_DENY, .n_patterns = 1,
		.patterns = calloc(1, sizeof(*rule->patterns)),
	};
	if (!rule->patterns)
		return rule;
	rule->patterns->pos.file = POLICY_BUILTIN;
	rule->patterns->glob = tree_glob(path, moves);
	rule->patterns->spelled = strdup(path);
	if (asprintf(&rule->text, "forbid %s %s   (usher's own file)", read_too ? "all" : "modify", path) < 0)
		rule->text = NULL;
	return rule;
}

void forbid_free(const struct policy_rule *rule)
{
	if (!rule)
		return;
	if (rule->patterns) {
		free(rule->patterns->glob);
		free(rule->patterns->spelled);
	}
	free(rule->patterns);
	free(rule->text);
	free((void *)(uintptr_t)rule);
}

int policy_forbid(struct policy *policy, const char *path, bool read_too)
{
	ASSERT(policy->engine && path[0] == '/');
	struct policy_rule *rule = builtin_rule(path, read_too, policy_pivots(policy));
	if (!rule || !rule->patterns || !rule->patterns->glob || !rule->patterns->spelled || !rule->text) {
		forbid_free(rule);
		return -ENOMEM;
	}
	return engine_forbid(policy->engine, rule);
}

const char *policy_forbidden(const struct policy *policy, size_t i)
{
	const struct policy_engine *engine = policy->engine;

	for (size_t k = 0; k < engine->n_rules; k++)
		if (engine->rules[k]->pos.file == POLICY_BUILTIN && i-- == 0)
			return engine->rules[k]->patterns->spelled;
	return NULL;
}
