/*
 * Two redirects or answers that tie with different targets are an error at load. Pairs are found in the
 * sorted codes: two can only meet where the literal prefix of one is a prefix of the other's. Whether
 * they do tie somewhere, with no narrower or stricter rule there to settle it, is searched for.
 */
#include "engine_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "search.h"

#define TIES_NODES 4096
#define TIES_PAIRS_MAX 20000

bool ties_has_target(const struct policy_rule *rule)
{
	return rule->action == ACTION_REDIRECT || rule->action == ACTION_ANSWER;
}

bool ties_same_target(const struct policy_rule *a, const struct policy_rule *b)
{
	return a->action == b->action && a->answer == b->answer && a->answer_value == b->answer_value &&
	       a->target_len == b->target_len && !a->target == !b->target &&
	       (!a->target || (a->target_len ? memcmp(a->target, b->target, a->target_len) == 0
					     : strcmp(a->target, b->target) == 0));
}

static bool is_beaten(struct policy_engine *engine, const uint32_t *rules, size_t n, enum policy_op op, bool would,
		      uint32_t rule)
{
	for (size_t i = 0; i < n; i++)
		if (rules[i] != rule && rule_takes_part(engine->rules[rules[i]], op, would) &&
		    rule_narrower(engine, rules[i], rule))
			return true;
	return false;
}

bool ties_do(struct policy_engine *engine, const uint32_t *rules, size_t n, uint32_t a, uint32_t b)
{
	for (uint32_t left = engine->rules[a]->ops & engine->rules[b]->ops & OPS_PATH; left; left &= left - 1) {
		enum policy_op op = (enum policy_op)__builtin_ctz(left);
		for (int would = 0; would < 2; would++) {
			if (!rule_takes_part(engine->rules[a], op, would) || !rule_takes_part(engine->rules[b], op, would))
				continue;
			uint32_t winner = contest_winner(engine, rules, n, op, would);
			if ((winner == a || winner == b) && !is_beaten(engine, rules, n, op, would, winner == a ? b : a))
				return true;
		}
	}
	return false;
}

/* Is there a path on which they tie? 1, 0 or -errno; -E2BIG when that could not be found out. */
static int search_tie(struct policy_engine *engine, uint32_t a, uint32_t b, struct automaton *pair)
{
	struct automaton_rules rules = { 0 };
	struct search search;
	int result = search_init(&search, &engine->automaton, pair, TIES_NODES);

	if (result == 0)
		result = search_add(&search, (struct search_node){
			.s = engine->automaton.start, .t = pair->start, .parent = UINT32_MAX,
		});
	for (size_t i = 0; result == 0 && i < search.n; i++) {
		const struct search_node node = search.nodes[i];
		if (node.t == pair->dead)
			continue;
		if (search_is_path(node.place))
			result = automaton_rules(pair, node.t, &rules);
		if (result == 0 && search_is_path(node.place) && rules.n == 2) {
			/* Settling makes room for the contest. */
			const struct settled *settled = engine_settle(engine, node.s);
			result = settled ? ties_do(engine, settled_rules(engine, settled), settled->n, a, b) : -ENOMEM;
		}
		if (result == 0)
			result = search_expand(&search, i);
	}
	free(rules.list);
	search_free(&search);
	return result;
}

static int pair_ties(struct policy_engine *engine, uint32_t a, uint32_t b)
{
	uint32_t first_a = engine->first_code[a], first_b = engine->first_code[b];
	uint32_t n_a = engine->first_code[a + 1] - first_a, n_b = engine->first_code[b + 1] - first_b;
	struct automaton pair = { 0 };

	if (rule_narrower(engine, a, b) || rule_narrower(engine, b, a) ||
	    compare_meet((struct compare_side){ engine->by_rule + first_a, n_a },
			 (struct compare_side){ engine->by_rule + first_b, n_b }, engine->codes.sets) == COMPARE_NO)
		return 0;
	struct code *codes = malloc(((size_t)n_a + n_b) * sizeof(*codes));
	if (!codes)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_a + n_b; i++) {
		codes[i] = *engine->by_rule[i < n_a ? first_a + i : first_b + i - n_a];
		codes[i].rule = i >= n_a;
	}
	code_sort(codes, n_a + n_b);
	engine_make_room(engine);
	int result = automaton_init(&pair, codes, n_a + n_b, engine->codes.sets, engine->limit);
	if (result == 0)
		result = search_tie(engine, a, b, &pair);
	automaton_free(&pair);
	free(codes);
	return result;
}

void ties_error(const struct policy *policy, struct policy_diags *diags, uint32_t a, uint32_t b, bool certain, const char *where)
{
	const struct policy_rule *first = &policy->rules[a], *second = &policy->rules[b];
	struct policy_diag *diag = policy_diag_add(diags, DIAG_ERROR, second->pos,
						   "this %s and another rule %s on %s with different targets",
						   policy_action_name(second->action), certain ? "tie" : "may tie", where);
	if (!diag)
		return;
	diag->other = first->pos;
	diag->other_message = strdup("the other rule");
	free(diag->help);
	diag->help = strdup("make one of them narrower, or give both the same target");
}

/* A set of pairs. True if the pair was not in it. */
static bool pairs_add(uint64_t *table, size_t size, uint32_t a, uint32_t b)
{
	uint64_t pair = ((uint64_t)(a < b ? a : b) << 32 | (a < b ? b : a)) + 1;
	for (uint64_t at = pair * UINT64_C(0x9e3779b97f4a7c15) >> 32;; at++) {
		uint64_t *slot = &table[at & (size - 1)];
		if (*slot == pair)
			return false;
		if (!*slot) {
			*slot = pair;
			return true;
		}
	}
}

static bool begins_with(const struct code *code, const struct code *other)
{
	uint32_t len = code_literal(other);
	return code_literal(code) >= len && (!len || memcmp(code->bytes, other->bytes, len) == 0);
}

static int codes_check(struct policy *policy, struct policy_diags *diags, const struct code **codes, size_t n,
		       const struct code **around, uint64_t *pairs, size_t pairs_size)
{
	struct policy_engine *engine = policy->engine;
	size_t depth = 0, tried = 0;

	for (size_t i = 0; i < n; i++) {
		while (depth > 0 && !begins_with(codes[i], around[depth - 1]))
			depth--;
		for (size_t k = 0; k < depth; k++) {
			uint32_t a = around[k]->rule, b = codes[i]->rule;
			const struct policy_rule *rule_a = &policy->rules[a], *rule_b = &policy->rules[b];
			if (a == b || !(rule_a->ops & rule_b->ops) || ties_same_target(rule_a, rule_b) ||
			    !pairs_add(pairs, pairs_size, a, b))
				continue;
			if (tried++ == TIES_PAIRS_MAX) {
				policy_diag_add(diags, DIAG_WARNING, rule_b->pos,
						"too many redirects and answers overlap to be sure that none tie");
				return 0;
			}
			int ties = pair_ties(engine, a, b);
			if (ties == -ENOMEM)
				return ties;
			if (ties)
				ties_error(policy, diags, a < b ? a : b, a < b ? b : a, ties > 0, "the same path");
		}
		around[depth++] = codes[i];
	}
	return 0;
}

int ties_check(struct policy *policy, struct policy_diags *diags)
{
	struct policy_engine *engine = policy->engine;
	size_t n = 0, pairs_size = 2 * 32768;

	for (size_t i = 0; i < engine->codes.n; i++)
		n += ties_has_target(engine->rules[engine->codes.list[i].rule]);
	if (n < 2)
		return 0;
	const struct code **codes = malloc(2 * n * sizeof(*codes));
	uint64_t *pairs = calloc(pairs_size, sizeof(*pairs));
	int result = -ENOMEM;
	if (codes && pairs) {
		n = 0;
		for (size_t i = 0; i < engine->codes.n; i++)
			if (ties_has_target(engine->rules[engine->codes.list[i].rule]))
				codes[n++] = &engine->codes.list[i];
		engine_lock(engine);
		result = codes_check(policy, diags, codes, n, codes + n, pairs, pairs_size);
		engine_release(engine);
	}
	free(codes);
	free(pairs);
	return result;
}
