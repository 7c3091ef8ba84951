/*
 * Is what A matches part of what B matches? Decided exactly, code by code of A: either one code of B
 * contains it by looking at literal prefixes, or an automaton is made of it and of those codes of B that
 * are not ruled out by their literal prefix, and its states are searched for a path that only A's code
 * accepts. The search runs over paths only: "/a/" and "/a/[.]" match nothing, so they decide nothing.
 *
 * Where the budget ends a search the answer is UNKNOWN, which nobody may take for a yes or a no.
 */
#include "compare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "search.h"

#define COMPARE_NODES 8192
#define COMPARE_BYTES ((size_t)8 << 20)
#define COMPARE_PAIRS ((size_t)1 << 22)		/* codes held against each other by their literals */

#define OF_A 0
#define OF_B 1

static bool literals_agree(const struct code *a, const struct code *b)
{
	uint32_t len_a = code_literal(a), len_b = code_literal(b);
	uint32_t len = len_a < len_b ? len_a : len_b;
	if (len && memcmp(a->bytes, b->bytes, len) != 0)
		return false;
	/* A whole literal that ends inside the other's has nothing left to agree with. */
	return !(len_a == a->len && len_a < len_b) && !(len_b == b->len && len_b < len_a);
}

/* Included for certain, seen without a search. */
static bool plainly_included(const struct code *a, const struct code *b)
{
	if (a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0)
		return true;
	uint32_t len = code_literal(b);
	if (len + 2 != b->len || b->bytes[len + 1] != CODE_DEEP)
		return false;
	/* B is a tree: A is in it if it begins with B's literal and a component ends there. */
	if (a->len < len || memcmp(a->bytes, b->bytes, len) != 0)
		return false;
	return a->len == len || a->bytes[len] == '/' || (a->bytes[len] == 0 && a->bytes[len + 1] == CODE_DEEP);
}

enum question { IS_INCLUDED, MEET };

static enum compare_answer ask_automaton(const struct code *codes, size_t n, const struct code_set *sets,
					 enum question question)
{
	struct automaton automaton;
	struct search search = { 0 };
	struct automaton_rules rules = { 0 };
	enum compare_answer answer = COMPARE_UNKNOWN;

	int err = automaton_init(&automaton, codes, n, sets, COMPARE_BYTES);
	if (err == 0)
		err = search_init(&search, &automaton, NULL, COMPARE_NODES);
	if (err == 0)
		err = search_add(&search, (struct search_node){ .s = automaton.start, .parent = UINT32_MAX });
	size_t i = 0;
	for (; err == 0 && i < search.n; i++) {
		const struct search_node node = search.nodes[i];
		if (node.s == automaton.dead)
			continue;
		if (search_is_path(node.place)) {
			err = automaton_rules(&automaton, node.s, &rules);
			bool of_a = rules.n && rules.list[0] == OF_A;
			bool of_b = rules.n && rules.list[rules.n - 1] == OF_B;
			if (err == 0 && question == IS_INCLUDED && of_a && !of_b) {
				answer = COMPARE_NO;
				break;
			}
			if (err == 0 && question == MEET && of_a && of_b) {
				answer = COMPARE_YES;
				break;
			}
		}
		if (err == 0)
			err = search_expand(&search, i);
	}
	if (err == 0 && i == search.n)
		answer = question == IS_INCLUDED ? COMPARE_YES : COMPARE_NO;
	free(rules.list);
	search_free(&search);
	automaton_free(&automaton);
	return answer;
}

/* LITERAL is a single path: walk instead of searching. */
static enum compare_answer ask_path(const struct code *literal, const struct code *codes, size_t n,
				    const struct code_set *sets)
{
	struct automaton automaton;
	struct automaton_rules rules = { 0 };
	enum compare_answer answer = COMPARE_UNKNOWN;

	automaton_state s = automaton_init(&automaton, codes, n, sets, SIZE_MAX);
	if (s == 0)
		s = automaton.start;
	for (uint32_t i = 0; i < literal->len && s > 0; i++)
		s = automaton_step(&automaton, (uint32_t)s, literal->bytes[i]);
	if (s > 0 && automaton_rules(&automaton, (uint32_t)s, &rules) == 0)
		answer = rules.n ? COMPARE_YES : COMPARE_NO;
	free(rules.list);
	automaton_free(&automaton);
	return answer;
}

static enum compare_answer one_included(const struct code *a, struct compare_side b, const struct code_set *sets)
{
	size_t n = 1;

	for (size_t k = 0; k < b.n; k++) {
		if (plainly_included(a, b.codes[k]))
			return COMPARE_YES;
		n += literals_agree(a, b.codes[k]);
	}
	struct code *codes = malloc(n * sizeof(*codes));
	if (!codes)
		return COMPARE_UNKNOWN;
	bool path = code_literal(a) == a->len;
	n = 0;
	if (!path) {
		codes[n] = *a;
		codes[n++].rule = OF_A;
	}
	for (size_t k = 0; k < b.n; k++) {
		if (!literals_agree(a, b.codes[k]))
			continue;
		codes[n] = *b.codes[k];
		codes[n++].rule = OF_B;
	}
	code_sort(codes, n);
	enum compare_answer answer = path ? ask_path(a, codes, n, sets) : ask_automaton(codes, n, sets, IS_INCLUDED);
	free(codes);
	return answer;
}

enum compare_answer compare_included(struct compare_side a, struct compare_side b, const struct code_set *sets)
{
	enum compare_answer answer = COMPARE_YES;

	if (a.n && b.n > COMPARE_PAIRS / a.n)
		return COMPARE_UNKNOWN;
	for (size_t i = 0; i < a.n; i++) {
		enum compare_answer one = one_included(a.codes[i], b, sets);
		if (one == COMPARE_NO)
			return COMPARE_NO;
		if (one == COMPARE_UNKNOWN)
			answer = COMPARE_UNKNOWN;
	}
	return answer;
}

enum compare_answer compare_meet(struct compare_side a, struct compare_side b, const struct code_set *sets)
{
	enum compare_answer answer = COMPARE_NO;

	if (a.n && b.n > COMPARE_PAIRS / a.n)
		return COMPARE_UNKNOWN;
	for (size_t i = 0; i < a.n; i++) {
		for (size_t k = 0; k < b.n; k++) {
			if (!literals_agree(a.codes[i], b.codes[k]))
				continue;
			struct code codes[2] = { *a.codes[i], *b.codes[k] };
			codes[0].rule = OF_A;
			codes[1].rule = OF_B;
			code_sort(codes, 2);
			enum compare_answer one = ask_automaton(codes, 2, sets, MEET);
			if (one == COMPARE_YES)
				return COMPARE_YES;
			if (one == COMPARE_UNKNOWN)
				answer = COMPARE_UNKNOWN;
		}
	}
	return answer;
}

enum pattern_relation pattern_compare(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
	struct code_list codes = { 0 };
	const struct code **sides = NULL;
	enum pattern_relation relation = PATTERN_OVERLAP;
	int err = 0;

	for (size_t i = 0; i < n_a && err == 0; i++)
		err = code_add(&codes, a[i], OF_A, NULL);
	size_t first_b = codes.n;
	for (size_t i = 0; i < n_b && err == 0; i++)
		err = code_add(&codes, b[i], OF_B, NULL);
	if (err == 0)
		sides = malloc((codes.n + 1) * sizeof(*sides));
	if (sides) {
		for (size_t i = 0; i < codes.n; i++)
			sides[i] = &codes.list[i];
		struct compare_side side_a = { sides, first_b }, side_b = { sides + first_b, codes.n - first_b };
		enum compare_answer ab = compare_included(side_a, side_b, codes.sets);
		enum compare_answer ba = compare_included(side_b, side_a, codes.sets);
		if (ab == COMPARE_YES && ba == COMPARE_YES)
			relation = PATTERN_EQUAL;
		else if (ab == COMPARE_YES && ba == COMPARE_NO)
			relation = PATTERN_NARROWER;
		else if (ab == COMPARE_NO && ba == COMPARE_YES)
			relation = PATTERN_BROADER;
		else if (compare_meet(side_a, side_b, codes.sets) == COMPARE_NO)
			relation = PATTERN_DISJOINT;
	}
	free(sides);
	code_list_free(&codes);
	return relation;
}
