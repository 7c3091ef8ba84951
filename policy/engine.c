/*
 * The path engine. All patterns of the files and unix rules are one automaton (automaton.c). Where a path
 * ends, its state says which rules match; the contest between them (contest.c) is settled once for each
 * set of rules and marked in the state, so a decision that was made before is a walk along the bytes of
 * the path and one look at what is settled there.
 *
 * Walks share a read lock. A walk that meets something new starts over under the write lock and computes
 * it. All that is computed counts against one limit; when it is reached, everything is forgotten and
 * computed again as it is needed. Nothing that is decided depends on what is remembered.
 */
#include "engine_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

#define LIMIT_DEFAULT ((size_t)64 << 20)
#define MEMO_SLOTS 16384
#define MEMO_FROM ((size_t)256 << 10)	/* bytes of automaton: about what a second-level cache holds */

/* ---- compiling ------------------------------------------------------------------------------ */

static int rule_add_codes(struct policy_engine *engine, uint32_t rule, struct policy_diags *diags)
{
	const struct policy_rule *r = engine->rules[rule];
	int result = 0;

	for (size_t i = 0; i < r->n_patterns; i++) {
		struct code_error error = { 0 };
		int err = code_add(&engine->codes, r->patterns[i].glob, rule, &error);
		if (err == -ENOMEM)
			return err;
		if (err < 0) {
			if (diags)
				policy_diag_add(diags, DIAG_ERROR, r->patterns[i].pos, "%s", error.why);
			result = err;
		}
	}
	return result;
}

static int engine_index(struct policy_engine *engine)
{
	struct code_list *codes = &engine->codes;
	uint32_t *first = calloc((size_t)engine->n_rules + 2, sizeof(*first));
	const struct code **by_rule = malloc((codes->n + 1) * sizeof(*by_rule));

	free(engine->first_code);
	free(engine->by_rule);
	engine->first_code = first;
	engine->by_rule = by_rule;
	if (!first || !by_rule)
		return -ENOMEM;
	code_sort(codes->list, codes->n);
	/* Counted two places on, summed, then filled: each start moves up to where it belongs. */
	for (size_t i = 0; i < codes->n; i++)
		first[codes->list[i].rule + 2]++;
	for (uint32_t r = 2; r < engine->n_rules + 2; r++)
		first[r] += first[r - 1];
	for (size_t i = 0; i < codes->n; i++)
		by_rule[first[codes->list[i].rule + 1]++] = &codes->list[i];
	return 0;
}

/* What can be computed again. */
static void engine_forget(struct policy_engine *engine)
{
	engine->n_settled = 1;
	engine->n_settled_rules = 0;
	if (engine->settled_table)
		memset(engine->settled_table, 0, engine->settled_table_size * sizeof(*engine->settled_table));
	memset(engine->gains, 0, sizeof(engine->gains));
	memo_free(&engine->memo);
}

static int engine_start(struct policy_engine *engine)
{
	int err = engine_index(engine);
	if (err < 0)
		return err;
	automaton_free(&engine->automaton);
	engine_forget(engine);
	return automaton_init(&engine->automaton, engine->codes.list, engine->codes.n, engine->codes.sets,
			      engine->limit / 2);
}

static bool rule_is_about_paths(const struct policy_rule *rule)
{
	return rule->n_patterns && rule->ops & (OPS_PATH | OPS_MOUNTS) &&
	       (rule->section == SECTION_FILES || rule->section == SECTION_MOUNTS || (rule->section == SECTION_NETWORK && rule->proto == PROTO_UNIX));
}

int engine_compile(struct policy *policy, struct policy_diags *diags)
{
	engine_free(policy->engine);
	struct policy_engine *engine = policy->engine = calloc(1, sizeof(*engine));
	if (!engine)
		return -ENOMEM;

	pthread_rwlockattr_t attr;
	pthread_rwlockattr_init(&attr);
	/* Readers that keep coming must not starve the one who has something to compute. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&engine->lock, &attr);
	pthread_rwlockattr_destroy(&attr);

	engine->limit = LIMIT_DEFAULT;
	engine->n_rules = engine->n_written = (uint32_t)policy->n_rules;
	engine->rules = calloc(policy->n_rules + 1, sizeof(*engine->rules));
	if (!engine->rules)
		return -ENOMEM;
	int result = 0;
	for (uint32_t i = 0; i < engine->n_rules; i++) {
		const struct policy_rule *rule = engine->rules[i] = &policy->rules[i];
		if (!rule_is_about_paths(rule))
			continue;
		int err = rule_add_codes(engine, i, diags);
		if (err == -ENOMEM)
			return err;
		if (err < 0)
			result = err;
		if (rule->beneath)
			engine->beneath |= rule->ops;
	}
	int err = net_rules_compile(&engine->net, policy);
	if (err == 0)
		err = engine_start(engine);
	if (err < 0)
		return err;
	size_t errors = diags ? diags->errors : 0;
	if (result == 0 && diags) {
		err = ties_check(policy, diags);
		if (err == 0)
			err = ties_check_peers(policy, diags);
		if (err < 0)
			return err;
	}
	return result == 0 && diags && diags->errors > errors ? -EINVAL : result;
}

int engine_forbid(struct policy_engine *engine, const struct policy_rule *rule)
{
	int err = -ENOMEM;

	engine_lock(engine);
	const struct policy_rule **rules = realloc(engine->rules, ((size_t)engine->n_rules + 1) * sizeof(*rules));
	if (rules) {
		engine->rules = rules;
		rules[engine->n_rules++] = rule;
		err = rule_add_codes(engine, engine->n_rules - 1, NULL);
		ASSERT(err != -EINVAL);
		if (err == 0)
			err = engine_start(engine);
		engine->forbidden |= rule->ops;
		/* Numbers of rules have not changed, so what is known about pairs still holds. */
	} else {
		forbid_free(rule);
	}
	engine_release(engine);
	return err;
}

void engine_free(struct policy_engine *engine)
{
	if (!engine)
		return;
	for (uint32_t i = engine->n_written; engine->rules && i < engine->n_rules; i++)
		forbid_free(engine->rules[i]);
	free(engine->rules);
	code_list_free(&engine->codes);
	free(engine->by_rule);
	free(engine->first_code);
	automaton_free(&engine->automaton);
	free(engine->settled);
	memo_free(&engine->memo);
	free(engine->settled_rules);
	free(engine->settled_table);
	free(engine->relations);
	free(engine->matching.list);
	free(engine->contest);
	net_rules_free(&engine->net);
	pthread_rwlock_destroy(&engine->lock);
	free(engine);
}

/* ---- memory --------------------------------------------------------------------------------- */

static size_t settled_memory(const struct policy_engine *engine)
{
	return engine->n_settled * (sizeof(*engine->settled) + 4 * sizeof(*engine->settled_table)) +
	       engine->n_settled_rules * sizeof(*engine->settled_rules);
}

size_t engine_memory(const struct policy_engine *engine)
{
	struct policy_engine *e = (struct policy_engine *)(uintptr_t)engine;
	engine_lock(e);
	size_t bytes = sizeof(*e) + e->codes.memory + e->codes.n * sizeof(*e->by_rule) +
		       e->n_rules * (sizeof(*e->rules) + sizeof(*e->first_code)) + automaton_memory(&e->automaton) +
		       settled_memory(e) + e->memo.n * sizeof(*e->memo.slots) + e->size_relations * sizeof(*e->relations);
	engine_release(e);
	return bytes;
}

void engine_set_limit(struct policy_engine *engine, size_t bytes)
{
	engine_lock(engine);
	engine->limit = bytes;
	automaton_free(&engine->automaton);	/* what it has grown to as well */
	engine_forget(engine);
	ASSERT(automaton_init(&engine->automaton, engine->codes.list, engine->codes.n, engine->codes.sets, bytes / 2) == 0);
	engine_release(engine);
}

/* ---- looking up ----------------------------------------------------------------------------- */

void engine_lock(struct policy_engine *engine)
{
	ASSERT(pthread_rwlock_wrlock(&engine->lock) == 0);
}

void engine_release(struct policy_engine *engine)
{
	ASSERT(pthread_rwlock_unlock(&engine->lock) == 0);
}

void engine_make_room(struct policy_engine *engine)
{
	if (automaton_memory(&engine->automaton) > engine->limit / 4 || settled_memory(engine) > engine->limit / 8) {
		automaton_reset(&engine->automaton);
		engine_forget(engine);
	}
}

automaton_state engine_walk(struct policy_engine *engine, const char *path, size_t len)
{
	struct automaton *a = &engine->automaton;
	automaton_state s = a->start;

	if (len == 1 && path[0] == '/')
		len = 0;
	for (size_t i = 0; i < len && s > 0; i++) {
		s = automaton_step(a, (uint32_t)s, (uint8_t)path[i]);
		if (s != -ENOBUFS)
			continue;
		s = automaton_flush(a);
		engine_forget(engine);
	}
	return s;
}

static uint32_t rules_hash(const struct automaton_rules *rules)
{
	uint64_t hash = rules->n;
	for (size_t i = 0; i < rules->n; i++)
		hash = (hash ^ rules->list[i]) * UINT64_C(0x9e3779b97f4a7c15) ^ hash >> 31;
	return (uint32_t)(hash ^ hash >> 32);
}

static int settled_table_grow(struct policy_engine *engine)
{
	uint32_t size = engine->settled_table_size ? 2 * engine->settled_table_size : 16;
	uint32_t *table = calloc(size, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (uint32_t i = 1; i < engine->n_settled; i++) {
		uint32_t at = engine->settled[i].hash;
		while (table[at & (size - 1)])
			at++;
		table[at & (size - 1)] = i;
	}
	free(engine->settled_table);
	engine->settled_table = table;
	engine->settled_table_size = size;
	return 0;
}

static int settled_grow(struct policy_engine *engine, size_t n)
{
	if (engine->n_settled >= engine->size_settled) {
		uint32_t size = engine->size_settled ? 2 * engine->size_settled : 8;
		struct settled *list = realloc(engine->settled, size * sizeof(*list));
		if (!list)
			return -ENOMEM;
		engine->settled = list;
		engine->size_settled = size;
	}
	if (engine->n_settled_rules + n > engine->size_settled_rules) {
		size_t size = 2 * (engine->n_settled_rules + n);
		uint32_t *list = realloc(engine->settled_rules, size * sizeof(*list));
		if (!list)
			return -ENOMEM;
		engine->settled_rules = list;
		engine->size_settled_rules = size;
	}
	return engine->n_settled_rules + n < UINT32_MAX ? 0 : -ENOMEM;
}

/* The number of what is settled for engine->matching, or -ENOMEM. */
static int64_t settle_matching(struct policy_engine *engine)
{
	const struct automaton_rules *rules = &engine->matching;
	struct settled settled = { .n = (uint32_t)rules->n, .hash = rules_hash(rules) };

	if (2 * (engine->n_settled + 1) > engine->settled_table_size && settled_table_grow(engine) < 0)
		return -ENOMEM;
	uint32_t at = settled.hash;
	for (; engine->settled_table[at & (engine->settled_table_size - 1)]; at++) {
		uint32_t i = engine->settled_table[at & (engine->settled_table_size - 1)];
		const struct settled *known = &engine->settled[i];
		if (known->hash == settled.hash && known->n == settled.n &&
		    (settled.n == 0 ||
		     memcmp(settled_rules(engine, known), rules->list, rules->n * sizeof(*rules->list)) == 0))
			return i;
	}
	if (settled_grow(engine, rules->n) < 0 || contest_settle(engine, rules->list, rules->n, &settled) < 0)
		return -ENOMEM;
	settled.first = (uint32_t)engine->n_settled_rules;
	if (rules->n)
		memcpy(engine->settled_rules + settled.first, rules->list, rules->n * sizeof(*rules->list));
	engine->n_settled_rules += rules->n;
	engine->settled_table[at & (engine->settled_table_size - 1)] = engine->n_settled;
	engine->settled[engine->n_settled] = settled;
	return engine->n_settled++;
}

const struct settled *engine_settle(struct policy_engine *engine, uint32_t state)
{
	uint32_t *mark = automaton_mark(&engine->automaton, state);
	if (*mark)
		return &engine->settled[*mark];
	if (automaton_rules(&engine->automaton, state, &engine->matching) < 0)
		return NULL;
	int64_t number = settle_matching(engine);
	if (number < 0)
		return NULL;
	*mark = (uint32_t)number;
	return &engine->settled[number];
}

const struct settled *engine_find_more(struct policy_engine *engine, const char *path, size_t len)
{
	if (settled_memory(engine) > engine->limit / 4)
		engine_make_room(engine);
	automaton_state s = engine_walk(engine, path, len);
	return s > 0 ? engine_settle(engine, (uint32_t)s) : NULL;
}

static void memo_remember(struct policy_engine *engine, const char *path, size_t len, const struct settled *settled)
{
	if (!engine->memo.n) {
		size_t from = engine->limit / 8 < MEMO_FROM ? engine->limit / 8 : MEMO_FROM;
		if (automaton_memory(&engine->automaton) < from)
			return;
		uint32_t n = MEMO_SLOTS;
		while (n > 2 && n * sizeof(struct memo_slot) > engine->limit / 16)
			n /= 2;
		memo_init(&engine->memo, n);
	}
	if (engine->memo.n && len <= MEMO_PATH)
		memo_put(&engine->memo, path, len, (uint32_t)(settled - engine->settled));
}

const struct settled *engine_find(struct policy_engine *engine, const char *path, size_t len)
{
	ASSERT(pthread_rwlock_rdlock(&engine->lock) == 0);
	uint32_t number;
	if (engine->memo.n && len <= MEMO_PATH) {
		number = memo_find(&engine->memo, path, len);
	} else {
		size_t n = len == 1 && path[0] == '/' ? 0 : len;
		uint32_t state = automaton_walk(&engine->automaton, engine->automaton.start, path, n);
		number = *automaton_mark(&engine->automaton, state);	/* row 0 has none */
	}
	if (number)
		return &engine->settled[number];
	engine_release(engine);
	engine_lock(engine);
	const struct settled *settled = engine_find_more(engine, path, len);
	if (settled)
		memo_remember(engine, path, len, settled);
	return settled;
}
