/*
 * The contest between the rules that match one path, once for each set of rules:
 *
 *   forbid wins; each rule that has a narrower one among ALL that match is dropped; the strictest of what
 *   is left wins.
 *
 * Candidates are tried from the strictest on, so most contests end with the first. Being narrower is a
 * strict partial order (inclusion, then fewer operations on equal paths), hence someone always survives;
 * where a proof ran out of budget neither rule is narrower, which leaves the stricter one in.
 *
 * Of rules equally strict the winner only gives its name, stage, errno and audit level. It is chosen by
 * what the rules say, never by their numbers, so that order carries no meaning there either.
 */
#include "engine_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

/* ---- strictness ----------------------------------------------------------------------------- */

int rule_strictness(const struct policy_rule *a, const struct policy_rule *b)
{
	if (a->action != b->action)
		return (int)b->action - (int)a->action;
	return stage_rank(b->stage) - stage_rank(a->stage);
}

static int text_order(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : !a - !b;
}

static int number_order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

int rule_order(const struct policy_rule *a, const struct policy_rule *b)
{
	int order = rule_strictness(a, b);
	if (!order)	/* hiding is the stricter answer */
		order = (b->err == ENOENT) - (a->err == ENOENT);
	if (!order)
		order = number_order((uint64_t)a->err, (uint64_t)b->err);
	if (!order)
		order = audit_rank(b->audit) - audit_rank(a->audit);
	if (!order)
		order = b->beneath - a->beneath;
	if (!order)
		order = text_order(a->target, b->target);
	if (!order)
		order = text_order(a->text, b->text);
	if (!order)
		order = text_order(a->id, b->id);
	if (!order)
		order = number_order(a->pos.file, b->pos.file);
	if (!order)
		order = number_order((uint64_t)a->pos.line << 32 | a->pos.col, (uint64_t)b->pos.line << 32 | b->pos.col);
	return order;
}

/* ---- being narrower ------------------------------------------------------------------------- */

static struct compare_side rule_codes(const struct policy_engine *engine, uint32_t rule)
{
	uint32_t first = engine->first_code[rule];
	return (struct compare_side){ .codes = engine->by_rule + first, .n = engine->first_code[rule + 1] - first };
}

/* Abstract sockets are targets of a unix rule as well, though no path leads to them. */
static enum compare_answer rule_included(const struct policy_engine *engine, uint32_t a, uint32_t b)
{
	const struct policy_rule *rule_a = engine->rules[a], *rule_b = engine->rules[b];
	enum compare_answer names, paths;

	if (net_rule(rule_a) || net_rule(rule_b))
		return net_rule(rule_a) && net_rule(rule_b) && rule_a->proto == rule_b->proto ? net_rules_included(&engine->net, a, b) : COMPARE_NO;
	if (rule_a->section == SECTION_MOUNTS && rule_b->section == SECTION_MOUNTS)
		names = mount_included(rule_a, rule_b);
	else
		names = net_names_included(rule_a, rule_b);
	if (names == COMPARE_NO)
		return names;
	paths = compare_included(rule_codes(engine, a), rule_codes(engine, b), engine->codes.sets);
	return paths == COMPARE_YES ? names : paths;
}

static struct relation *relation_slot(struct relation *list, uint32_t size, uint32_t a, uint32_t b)
{
	uint64_t at = ((uint64_t)a << 32 | b) * UINT64_C(0x9e3779b97f4a7c15) >> 32;
	for (;; at++) {
		struct relation *slot = &list[at & (size - 1)];
		if ((slot->a == a && slot->b == b) || (slot->a == 0 && slot->b == 0))
			return slot;
	}
}

/* Room for one more, or for none: then the comparison is just not kept. */
static void relations_grow(struct policy_engine *engine)
{
	if (2 * (engine->n_relations + 1) <= engine->size_relations)
		return;
	uint32_t size = engine->size_relations ? 2 * engine->size_relations : 64;
	if (size * sizeof(struct relation) > engine->limit / 4 && engine->size_relations) {
		memset(engine->relations, 0, engine->size_relations * sizeof(*engine->relations));
		engine->n_relations = 0;
		return;
	}
	struct relation *list = calloc(size, sizeof(*list));
	if (!list)
		return;
	for (uint32_t i = 0; i < engine->size_relations; i++) {
		const struct relation *old = &engine->relations[i];
		if (old->a || old->b)
			*relation_slot(list, size, old->a, old->b) = *old;
	}
	free(engine->relations);
	engine->relations = list;
	engine->size_relations = size;
}

struct relation engine_relation(struct policy_engine *engine, uint32_t a, uint32_t b)
{
	uint32_t low = a < b ? a : b, high = a < b ? b : a;
	struct relation *slot = NULL, found = { 0 };

	relations_grow(engine);
	if (2 * (engine->n_relations + 1) <= engine->size_relations) {
		slot = relation_slot(engine->relations, engine->size_relations, low, high);
		found = *slot;
	}
	if (found.b == 0) {
		found = (struct relation){
			.a = low, .b = high,
			.ab = (uint8_t)rule_included(engine, low, high),
			.ba = (uint8_t)rule_included(engine, high, low),
		};
		if (slot) {
			*slot = found;
			engine->n_relations++;
		}
	}
	if (a != low)
		found = (struct relation){ .a = a, .b = b, .ab = found.ba, .ba = found.ab };
	return found;
}

bool rule_narrower(struct policy_engine *engine, uint32_t a, uint32_t b)
{
	struct relation relation = engine_relation(engine, a, b);

	if (relation.ab != COMPARE_YES || relation.ba == COMPARE_UNKNOWN)
		return false;
	return relation.ba == COMPARE_NO ||
	       __builtin_popcount(engine->rules[a]->ops) < __builtin_popcount(engine->rules[b]->ops);
}

/* ---- the contest ---------------------------------------------------------------------------- */

uint32_t contest_winner(struct policy_engine *engine, const uint32_t *rules, size_t n, enum policy_op op, bool would)
{
	const struct policy_rule *const *list = engine->rules;
	uint32_t *candidates = engine->contest;
	size_t left = 0;

	ASSERT(engine->contest_size >= n);
	for (size_t i = 0; i < n; i++)
		if (rule_takes_part(list[rules[i]], op, would))
			candidates[left++] = rules[i];
	/* The strictest candidate that nothing beats: taken out one by one, for the first mostly wins. */
	for (size_t from = 0; from < left; from++) {
		size_t best = from;
		for (size_t i = from + 1; i < left; i++)
			if (rule_order(list[candidates[i]], list[candidates[best]]) < 0)
				best = i;
		uint32_t rule = candidates[best];
		candidates[best] = candidates[from];
		candidates[from] = rule;
		bool beaten = false;
		for (size_t i = 0; i < left && !beaten && list[rule]->action != ACTION_FORBID; i++)
			beaten = candidates[i] != rule && rule_narrower(engine, candidates[i], rule);
		if (!beaten)
			return rule;
	}
	ASSERT(left == 0);
	return NO_RULE;
}

static bool same_contest(const struct policy_engine *engine, const uint32_t *rules, size_t n,
			 enum policy_op a, enum policy_op b, bool would)
{
	for (size_t i = 0; i < n; i++) {
		const struct policy_rule *rule = engine->rules[rules[i]];
		if (rule_takes_part(rule, a, would) != rule_takes_part(rule, b, would))
			return false;
	}
	return true;
}

int contest_room(struct policy_engine *engine, size_t n)
{
	if (n <= engine->contest_size)
		return 0;
	uint32_t *contest = realloc(engine->contest, 2 * n * sizeof(*contest));
	if (!contest)
		return -ENOMEM;
	engine->contest = contest;
	engine->contest_size = 2 * n;
	return 0;
}

int contest_settle(struct policy_engine *engine, const uint32_t *rules, size_t n, struct settled *settled)
{
	if (contest_room(engine, n) < 0)
		return -ENOMEM;
	bool staged = false;
	for (size_t i = 0; i < n; i++)
		staged |= engine->rules[rules[i]]->stage == STAGE_LOG;
	for (int would = 0; would < 2; would++) {
		for (unsigned op = 0; op < PATH_OPS; op++) {
			uint32_t *winner = &settled->winner[op][would];
			/* Most operations are named together: the contest is that of an earlier one. */
			unsigned same = 0;
			while (same < op && !same_contest(engine, rules, n, same, op, would))
				same++;
			if (would && !staged)
				*winner = settled->winner[op][0];
			else if (same < op)
				*winner = settled->winner[same][would];
			else
				*winner = contest_winner(engine, rules, n, op, would);
		}
	}
	return 0;
}
