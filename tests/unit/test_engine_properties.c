/*
 * Random policies against the model, over every path of its universe. The seed is fixed, so that a failure
 * repeats; USHER_TEST_SEED and USHER_TEST_ROUNDS change what is tried.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/model.c"
#include "random.h"
#include "../support/rules.h"
#include "pattern.h"

#define OPS_TRIED (OP_BIT(OP_READ) | OP_BIT(OP_WRITE) | OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE) | OP_BIT(OP_CONNECT))

/* The bytes named are a and \303; the universe has z for all others. Names up to 3 bytes tell them apart. */
static const char *random_component(void)
{
	static const char *const words[] = {
		"a", "\303", "a\303", "\303a", "*", "*", "?", "a*", "*\303", "?a", "a?", "??", "[a\303]", "[!a]",
		"[!\303]*", "[a-a]?", "{a,\303}", "{a,\303a}", "{a,\303*}", "{a,{\303,a\303}}", "*[!a]", "\\a",
		"[!a\303]", "*[\303-\303]",
	};
	return words[roll(ARRAY_SIZE(words))];
}

static void random_glob(char *glob)
{
	unsigned levels = roll(8) == 0 ? 0 : 1 + roll(2);
	char *to = glob;

	*to = '\0';
	if (roll(4) == 0)
		to = stpcpy(to, "**");
	for (unsigned i = 0; i < levels; i++) {
		to = stpcpy(stpcpy(to, "/"), random_component());
		if (roll(6) == 0)
			to = stpcpy(to, "/**");
	}
	if (levels == 0 || roll(3) == 0)
		to = stpcpy(to, roll(4) ? "/" : "/**");
}

static void random_rule(struct policy *policy, enum policy_action action)
{
	char globs[3][64];
	unsigned n = roll(3) ? 1U : 2U + roll(2);
	uint32_t ops = 0;

	for (unsigned i = 0; i < n; i++)
		random_glob(globs[i]);
	if (roll(6) == 0)
		ops = OP_BIT(OP_CONNECT);
	while (!ops)
		ops = (roll(2) ? OP_BIT(OP_READ) : 0) | (roll(2) ? OP_BIT(OP_WRITE) : 0) |
		      (roll(3) ? 0 : OP_BIT(OP_CREATE)) | (roll(3) ? 0 : OP_BIT(OP_DELETE));
	struct policy_rule *rule = rules_add(policy, action, ops, globs[0], n > 1 ? globs[1] : NULL, n > 2 ? globs[2] : NULL, NULL);
	if (action >= ACTION_DENY) {
		static const int errs[] = { EACCES, ENOENT, EPERM };
		rule->err = errs[roll(3)];
	}
	if (roll(5) == 0)
		rule->stage = STAGE_LOG;
	else if (roll(8) == 0)
		rule->stage = STAGE_KILL;
	char text[300];
	(void)snprintf(text, sizeof(text), "%d %x %d %d %s %s %s %u", (int)action, ops, rule->err, (int)rule->stage, globs[0],
		       n > 1 ? globs[1] : "", n > 2 ? globs[2] : "", roll(1000000));
	rule->text = strdup(text);
}

static void random_policy(struct policy *policy, unsigned n)
{
	rules_begin(policy);
	if (roll(4))
		policy->defaults[SECTION_FILES] = (struct policy_default){
			.present = true, .action = roll(3) ? ACTION_DENY : ACTION_ALLOW, .err = ENOENT,
			.stage = roll(4) ? STAGE_DENY : STAGE_LOG,
		};
	if (roll(4) == 0)
		policy->defaults[SECTION_NETWORK] = (struct policy_default){
			.present = true, .action = roll(2) ? ACTION_DENY : ACTION_ALLOW, .err = EPERM,
		};
	if (roll(6) == 0)
		policy->cover &= ~OP_BIT(OP_CREATE);
	for (unsigned i = 0; i < n; i++) {
		static const enum policy_action actions[] = {
			ACTION_ALLOW, ACTION_ALLOW, ACTION_ALLOW, ACTION_DENY, ACTION_DENY, ACTION_DENY, ACTION_REDIRECT, ACTION_FORBID,
		};
		random_rule(policy, actions[roll(roll(10) ? 7 : 8)]);
	}
	assert_int_equal(engine_compile(policy, NULL), 0);
}

static void print_policy(const struct policy *policy)
{
	for (size_t r = 0; r < policy->n_rules; r++)
		print_error("  rule %zu: %s\n", r, policy->rules[r].text);
}

static struct policy_decision decide(const struct policy *policy, uint32_t ops, size_t path)
{
	return policy_decide_path(policy, ops, model_paths[path], strlen(model_paths[path]));
}

static bool same_verdict(const struct policy_verdict *a, const struct policy_verdict *b)
{
	return a->action == b->action && a->err == b->err && a->stage == b->stage && a->op == b->op && !a->rule == !b->rule;
}

static void check_against_model(const struct policy *policy, const struct model *model)
{
	for (size_t p = 0; p < model_n_paths; p++) {
		for (uint32_t left = OPS_TRIED; left; left &= left - 1) {
			enum policy_op op = (enum policy_op)__builtin_ctz(left);
			struct policy_decision d = decide(policy, OP_BIT(op), p);
			struct policy_verdict enforced = model_decide(model, op, p, false);
			struct policy_verdict would = model_decide(model, op, p, true);
			if (same_verdict(&d.enforced, &enforced) && same_verdict(&d.would, &would) &&
			    (!d.enforced.rule || model->matches[d.enforced.rule->number][p]))
				continue;
			print_policy(policy);
			fail_msg("op %d on %s: %d/%d, the model says %d/%d", (int)op, model_paths[p], (int)d.enforced.action,
				 (int)d.would.action, (int)enforced.action, (int)would.action);
		}
	}
}

static void the_automaton_equals_the_model(void **state)
{
	(void)state;
	for (int round = 0; round < rounds(40); round++) {
		struct policy policy;
		struct model model;
		random_policy(&policy, 1 + roll(9));
		model_init(&model, &policy);
		check_against_model(&policy, &model);
		/* Flushed at every turn, it says the same. */
		engine_set_limit(policy.engine, 4096);
		if (round % 4 == 0)
			check_against_model(&policy, &model);
		model_free(&model);
		rules_end(&policy);
	}
}

static void inclusion_equals_that_of_the_universe(void **state)
{
	(void)state;
	model_universe(true);
	for (int round = 0; round < rounds(300); round++) {
		struct policy policy;
		struct model model;
		random_policy(&policy, 2);
		model_init(&model, &policy);
		bool only[2] = { false, false }, both = false;
		for (size_t p = 0; p < model_n_paths; p++) {
			only[0] |= model.matches[0][p] && !model.matches[1][p];
			only[1] |= model.matches[1][p] && !model.matches[0][p];
			both |= model.matches[0][p] && model.matches[1][p];
		}
		enum pattern_relation expected =
			!only[0] && !only[1] ? PATTERN_EQUAL : !only[0] ? PATTERN_NARROWER : !only[1] ? PATTERN_BROADER :
			both ? PATTERN_OVERLAP : PATTERN_DISJOINT;
		const char *globs[2][3];
		for (int r = 0; r < 2; r++)
			for (size_t i = 0; i < policy.rules[r].n_patterns; i++)
				globs[r][i] = policy.rules[r].patterns[i].glob;
		enum pattern_relation relation =
			pattern_compare(globs[0], policy.rules[0].n_patterns, globs[1], policy.rules[1].n_patterns);
		if (relation != expected) {
			print_policy(&policy);
			fail_msg("compared %d, in the universe %d", (int)relation, (int)expected);
		}
		model_free(&model);
		rules_end(&policy);
	}
	model_universe(false);
}

/* The same as COPY's rules in another order. */
static void copy_shuffled(struct policy *copy, const struct policy *policy)
{
	rules_begin(copy);
	memcpy(copy->defaults, policy->defaults, sizeof(copy->defaults));
	copy->cover = policy->cover;
	size_t *order = malloc((policy->n_rules + 1) * sizeof(*order));
	for (size_t i = 0; i < policy->n_rules; i++)
		order[i] = i;
	for (size_t i = policy->n_rules; i > 1; i--) {
		size_t k = roll((unsigned)i), was = order[i - 1];
		order[i - 1] = order[k];
		order[k] = was;
	}
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *from = &policy->rules[order[i]];
		const char *globs[3] = { NULL };
		for (size_t k = 0; k < from->n_patterns; k++)
			globs[k] = from->patterns[k].glob;
		struct policy_rule *rule = rules_add(copy, from->action, from->ops, globs[0], globs[1], globs[2], NULL);
		rule->err = from->err;
		rule->stage = from->stage;
		rule->text = strdup(from->text);
	}
	free(order);
}

static const char *rule_text(const struct policy_verdict *verdict)
{
	return verdict->rule ? verdict->rule->text : "";
}

static void order_never_matters(void **state)
{
	(void)state;
	for (int round = 0; round < rounds(60); round++) {
		struct policy policy, copy;
		random_policy(&policy, 2 + roll(12));
		copy_shuffled(&copy, &policy);
		assert_int_equal(engine_compile(&copy, NULL), 0);
		for (size_t p = 0; p < model_n_paths; p++) {
			uint32_t ops = roll(2) ? OPS_TRIED : OP_BIT(OP_READ);
			struct policy_decision a = decide(&policy, ops, p), b = decide(&copy, ops, p);
			if (!same_verdict(&a.enforced, &b.enforced) || !same_verdict(&a.would, &b.would) ||
			    strcmp(rule_text(&a.enforced), rule_text(&b.enforced)) != 0 ||
			    strcmp(rule_text(&a.would), rule_text(&b.would)) != 0) {
				print_policy(&policy);
				fail_msg("%s: '%s' or '%s'", model_paths[p], rule_text(&a.enforced), rule_text(&b.enforced));
			}
		}
		rules_end(&policy);
		rules_end(&copy);
	}
}

static void adding_a_deny_never_opens_anything(void **state)
{
	(void)state;
	for (int round = 0; round < rounds(60); round++) {
		struct policy policy, more;
		random_policy(&policy, 1 + roll(9));
		copy_shuffled(&more, &policy);
		random_rule(&more, ACTION_DENY);
		assert_int_equal(engine_compile(&more, NULL), 0);
		for (size_t p = 0; p < model_n_paths; p++) {
			for (uint32_t left = OPS_TRIED; left; left &= left - 1) {
				uint32_t op = left & ~(left - 1);
				struct policy_decision before = decide(&policy, op, p), after = decide(&more, op, p);
				if ((!policy_denies(&after.enforced) && policy_denies(&before.enforced)) ||
				    (!policy_denies(&after.would) && policy_denies(&before.would))) {
					print_policy(&more);
					fail_msg("%s was opened", model_paths[p]);
				}
			}
		}
		rules_end(&policy);
		rules_end(&more);
	}
}

/* ---- gains ---------------------------------------------------------------------------------- */

static bool denied(const struct model *model, enum policy_op op, size_t path)
{
	struct policy_verdict v = model_decide(model, op, path, false);
	return policy_denies(&v);
}

static bool open_at(const struct model *model, enum policy_op op, size_t path)
{
	return model_decide(model, op, path, false).action == ACTION_ALLOW;
}

/* The index of PATH in the universe, or SIZE_MAX. */
static size_t find_path(const char *path)
{
	for (size_t p = 0; p < model_n_paths; p++)
		if (strcmp(model_paths[p], path) == 0)
			return p;
	return SIZE_MAX;
}

/* Over suffixes whose paths are in the universe. Names below are told apart by two bytes and two levels,
 * so FROM and TO are short. */
static bool model_gains(const struct model *model, bool rename, bool tree, size_t from, size_t to)
{
	for (size_t p = 0; p < model_n_paths; p++) {
		const char *suffix = model_paths[p];
		bool itself = strcmp(suffix, "/") == 0;
		char at_from[40], at_to[40];
		if (!itself && !tree)
			continue;
		(void)snprintf(at_from, sizeof(at_from), "%s%s", model_paths[from], itself ? "" : suffix);
		(void)snprintf(at_to, sizeof(at_to), "%s%s", model_paths[to], itself ? "" : suffix);
		size_t f = find_path(at_from), t = find_path(at_to);
		if (f == SIZE_MAX || t == SIZE_MAX)
			continue;
		for (uint32_t left = OPS_TRIED; left; left &= left - 1) {
			enum policy_op op = (enum policy_op)__builtin_ctz(left);
			if (!open_at(model, op, f) && open_at(model, op, t))
				return true;
		}
		if (rename && !itself && (denied(model, OP_DELETE, f) || denied(model, OP_CREATE, t)))
			return true;
	}
	return false;
}

static void gains_equal_the_model(void **state)
{
	static const char *const names[] = { "/a", "/z", "/\303", "/a/z", "/z/\303" };
	int said[2] = { 0, 0 };
	(void)state;
	for (int round = 0; round < rounds(60); round++) {
		struct policy policy;
		struct model model;
		random_policy(&policy, 1 + roll(4));
		model_init(&model, &policy);
		for (int i = 0; i < 4; i++) {
			size_t from = find_path(names[roll(ARRAY_SIZE(names))]), to = find_path(names[roll(ARRAY_SIZE(names))]);
			bool rename = roll(2), tree = roll(4);
			bool gains = policy_gains(&policy, rename, tree, model_paths[from], strlen(model_paths[from]),
						  model_paths[to], strlen(model_paths[to]), NULL);
			bool expected = model_gains(&model, rename, tree, from, to);
			said[gains]++;
			/* A gain that needs a deeper path than the universe has is a gain; a missed one is a bug. */
			if (expected && !gains) {
				print_policy(&policy);
				fail_msg("%s to %s, rename %d, tree %d: %d", model_paths[from], model_paths[to], rename, tree, gains);
			}
			if (!tree)
				assert_int_equal(gains, expected);
		}
		model_free(&model);
		rules_end(&policy);
	}
	assert_true(said[0] > 20 && said[1] > 20);
}

/* ---- never ---------------------------------------------------------------------------------- */

static void some_allowed_equals_the_model(void **state)
{
	int said[2] = { 0, 0 };
	(void)state;
	for (int round = 0; round < rounds(120); round++) {
		struct policy policy;
		struct model model;
		char glob[64], witness[4096];
		random_policy(&policy, 1 + roll(6));
		model_init(&model, &policy);
		random_glob(glob);
		int found = policy_some_allowed(&policy, OP_READ, glob, witness);
		bool expected = false;
		for (size_t p = 0; p < model_n_paths && !expected; p++)
			expected = model_matches(glob, model_paths[p]) &&
				   model_decide(&model, OP_READ, p, true).action == ACTION_ALLOW;
		assert_true(found >= 0);
		if (expected && !found) {
			print_policy(&policy);
			fail_msg("%s: nothing found", glob);
		}
		if (found) {	/* the witness proves it */
			assert_true(model_matches(glob, witness));
			assert_int_equal(policy_decide_path(&policy, OP_BIT(OP_READ), witness, strlen(witness)).would.action,
					 ACTION_ALLOW);
		}
		said[found]++;
		model_free(&model);
		rules_end(&policy);
	}
	assert_true(said[0] > 10 && said[1] > 10);
}

/* ---- threads -------------------------------------------------------------------------------- */

struct decider {
	pthread_t thread;
	const struct policy *policy;
	const struct policy_decision *expected;
	size_t first, wrong;
};

static void *decider_run(void *arg)
{
	struct decider *decider = arg;
	for (size_t i = 0; i < 3 * model_n_paths; i++) {
		size_t p = (decider->first + i * 7) % model_n_paths;
		struct policy_decision d = decide(decider->policy, OPS_TRIED, p);
		decider->wrong += d.enforced.rule != decider->expected[p].enforced.rule ||
				  d.would.rule != decider->expected[p].would.rule;
		if (i % 64 == 0)
			policy_gains(decider->policy, true, true, "/a", 2, model_paths[p], strlen(model_paths[p]), NULL);
	}
	return NULL;
}

static void threads_agree(void **state)
{
	(void)state;
	model_universe(false);
	struct policy_decision *expected = calloc(model_n_paths, sizeof(*expected));
	for (int round = 0; round < rounds(3); round++) {
		struct policy policy;
		struct decider deciders[4];
		random_policy(&policy, 8);
		for (size_t p = 0; p < model_n_paths; p++)
			expected[p] = decide(&policy, OPS_TRIED, p);
		engine_set_limit(policy.engine, round ? 16384 : (size_t)1 << 20);
		for (size_t i = 0; i < ARRAY_SIZE(deciders); i++) {
			deciders[i] = (struct decider){ .policy = &policy, .expected = expected, .first = i * 1000 };
			assert_int_equal(pthread_create(&deciders[i].thread, NULL, decider_run, &deciders[i]), 0);
		}
		for (size_t i = 0; i < ARRAY_SIZE(deciders); i++) {
			pthread_join(deciders[i].thread, NULL);
			assert_int_equal(deciders[i].wrong, 0);
		}
		rules_end(&policy);
	}
	free(expected);
}

static int universe_free(void **state)
{
	(void)state;
	free(model_paths);
	return 0;
}

int main(int argc, char **argv)
{
	random_begin(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_automaton_equals_the_model),
		cmocka_unit_test(inclusion_equals_that_of_the_universe),
		cmocka_unit_test(order_never_matters),
		cmocka_unit_test(adding_a_deny_never_opens_anything),
		cmocka_unit_test(gains_equal_the_model),
		cmocka_unit_test(some_allowed_equals_the_model),
		cmocka_unit_test(threads_agree),
	};
	return cmocka_run_group_tests(tests, NULL, universe_free);
}
