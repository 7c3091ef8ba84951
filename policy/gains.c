/*
 * What moving or linking would open, and what a pattern leaves open. Both are searches through
 * the states that the automaton can be in at and below a path, so they hold for every file that there
 * is or will be.
 *
 * A search holds the lock for writing and gives up when its budget of states is spent or the automaton has
 * no room: then the answer is the careful one.
 */
#include "engine_state.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "search.h"

#define GAINS_NODES 4096
#define ALLOWED_NODES 200000

/* ---- gains ---------------------------------------------------------------------------------- */

/* What one question is about; RULE is set when the answer is yes. */
struct question {
	const struct policy *policy;
	struct policy_engine *engine;
	uint32_t ops;		/* those that something restricts */
	bool rename;
	bool links;		/* where links lie matters, too: they stay and get other names */
	const struct policy_rule *rule;
};

static bool is_about_files(const void *ctx, uint32_t rule)
{
	const struct policy_engine *engine = ctx;

	return engine->rules[rule]->section != SECTION_MOUNTS;
}

/* Rules about mounts tell states apart that are one for files: a search would look at each of them. */
static bool same(const struct question *q, uint32_t s, uint32_t t)
{
	return search_alike(&q->engine->automaton, s, t, is_about_files, q->engine);
}

/* May a link at state TO lead where one at state FROM may not? A rule with beneath keeps both from what is not in its tree. */
static bool frees_links(struct question *q, const struct settled *from, const struct settled *to)
{
	const struct policy_engine *engine = q->engine;
	const uint32_t *before = settled_rules(engine, from), *after = settled_rules(engine, to);

	for (uint32_t i = 0; i < from->n; i++) {
		const struct policy_rule *rule = engine->rules[before[i]];
		bool keeps = !rule->beneath || !(rule->ops & q->ops) || rule_at_log(rule);

		for (uint32_t k = 0; k < to->n && !keeps; k++)
			keeps = after[k] == before[i];
		if (!keeps) {
			q->rule = rule;
			return true;
		}
	}
	return false;
}

/* Is something open at state TO that is not at state FROM? 1, 0 or -ENOMEM. */
static int opens(struct question *q, uint32_t from, uint32_t to)
{
	if (same(q, from, to))
		return 0;
	const struct settled *settled = engine_settle(q->engine, from);
	if (!settled)
		return -ENOMEM;
	const struct settled before = *settled;
	settled = engine_settle(q->engine, to);
	if (!settled)
		return -ENOMEM;
	for (uint32_t left = q->ops; left; left &= left - 1) {
		enum policy_op op = (enum policy_op)__builtin_ctz(left);
		struct policy_verdict at_from = verdict_of(q->policy, &before, op, false);
		struct policy_verdict at_to = verdict_of(q->policy, settled, op, false);
		if (!policy_allows(&at_from) && policy_allows(&at_to)) {
			q->rule = at_from.rule;
			return 1;
		}
	}
	return q->links && frees_links(q, &before, settled);
}

/* Is OP anything but allowed in STATE? 1, 0 or -ENOMEM. */
static int denied(struct question *q, uint32_t state, enum policy_op op)
{
	const struct settled *settled = engine_settle(q->engine, state);
	if (!settled)
		return -ENOMEM;
	struct policy_verdict verdict = verdict_of(q->policy, settled, op, false);
	if (policy_allows(&verdict))
		return 0;
	q->rule = verdict.rule;
	return 1;
}

/* Calls TEST on each pair of states for a path strictly below FROM and TO, till one says something else
 * than 0. Pairs of one state are left out if SAME_IS_FINE. 1, 0, or -errno. */
static int search_below(struct question *q, uint32_t from, uint32_t to, bool same_is_fine,
			int (*test)(struct question *q, const struct search_node *node))
{
	struct automaton *a = &q->engine->automaton;
	struct search search;

	automaton_state s = automaton_step(a, from, '/'), t = automaton_step(a, to, '/');
	if (s < 0 || t < 0)
		return -E2BIG;
	if (same_is_fine && same(q, (uint32_t)s, (uint32_t)t))
		return 0;
	int result = search_init(&search, a, a, GAINS_NODES);
	if (result == 0)
		result = search_add(&search, (struct search_node){
			.s = (uint32_t)s, .t = (uint32_t)t, .parent = UINT32_MAX, .place = PLACE_SLASH,
		});
	for (size_t i = 0; result == 0 && i < search.n; i++) {
		const struct search_node node = search.nodes[i];
		if (same_is_fine && same(q, node.s, node.t))
			continue;
		if (search_is_path(node.place))
			result = test(q, &node);
		if (result == 0)
			result = search_expand(&search, i);
	}
	search_free(&search);
	return result;
}

static int test_opens(struct question *q, const struct search_node *node)
{
	return opens(q, node->s, node->t);
}

static int test_delete(struct question *q, const struct search_node *node)
{
	return denied(q, node->s, OP_DELETE);
}

static int test_create(struct question *q, const struct search_node *node)
{
	return denied(q, node->s, OP_CREATE);
}

/* Of a whole tree. 1, 0 or -errno. */
static int tree_gains(struct question *q, uint32_t from, uint32_t to)
{
	int result = search_below(q, from, to, true, test_opens);
	if (result == 0 && q->rename && q->ops & OP_BIT(OP_DELETE))
		result = search_below(q, from, from, false, test_delete);
	if (result == 0 && q->rename && q->ops & OP_BIT(OP_CREATE))
		result = search_below(q, to, to, false, test_create);
	return result;
}

/* TOP: the operations that matter for what has the name TO itself. */
static bool gains(const struct policy *policy, uint32_t ops, uint32_t top, bool rename, bool tree, const char *from, size_t from_len,
		  const char *to, size_t to_len, const struct policy_rule **rule)
{
	struct policy_engine *engine = policy->engine;
	struct question q = { .policy = policy, .engine = engine, .rename = rename, .links = tree && top != OPS_PATH };
	uint8_t flags = (uint8_t)((top != OPS_PATH) << 2 | rename << 1 | tree);

	if (rule)
		*rule = NULL;
	q.ops = ops & policy_restricted(policy, false) & OPS_PATH;
	if (!q.ops)
		return false;
	engine_lock(engine);
	engine_make_room(engine);
	automaton_state s = -E2BIG, t = -E2BIG;
	for (int tries = 0; tries < 2; tries++) {
		uint64_t generation = engine->automaton.generation;
		s = engine_walk(engine, from, from_len);
		t = engine_walk(engine, to, to_len);
		if (generation == engine->automaton.generation)
			break;
		s = -E2BIG;	/* flushed: it is a state no more */
	}
	bool found = true;
	if (s > 0 && t > 0) {
		size_t slot = ((size_t)s * 31 + (size_t)t * 7 + flags) % GAINS_KEPT;
		struct gain *kept = &engine->gains[slot];
		if (!kept->known || kept->from != s || kept->to != t || kept->flags != flags || kept->ops != q.ops) {
			const uint32_t below = q.ops;
			q.ops &= top;
			int result = opens(&q, (uint32_t)s, (uint32_t)t);
			q.ops = below;
			if (result == 0 && tree)
				result = tree_gains(&q, (uint32_t)s, (uint32_t)t);
			*kept = (struct gain){
				.from = (uint32_t)s, .to = (uint32_t)t, .ops = q.ops, .flags = flags,
				.known = result != -ENOMEM, .gains = result != 0, .rule = q.rule,
			};
		}
		found = kept->gains;
		if (rule)
			*rule = kept->rule;
	}
	engine_release(engine);
	return found;
}

bool policy_gains(const struct policy *policy, bool rename, bool tree, const char *from, size_t from_len,
		  const char *to, size_t to_len, const struct policy_rule **rule)
{
	return gains(policy, OPS_PATH, OPS_PATH, rename, tree, from, from_len, to, to_len, rule);
}

bool policy_bind_gains(const struct policy *policy, uint32_t ops, bool tree, const char *from, const char *to, const struct policy_rule **rule)
{
	/* What something is mounted on is not made, removed or renamed, and a directory is neither written nor executed. */
	const uint32_t of_directory = OP_BIT(OP_STAT) | OP_BIT(OP_LIST) | OP_BIT(OP_READ) | OP_BIT(OP_CHMOD) | OP_BIT(OP_CHOWN) | OP_BIT(OP_UTIME) |
				      OP_BIT(OP_XATTR);

	return gains(policy, ops, tree ? of_directory : OPS_PATH, false, tree, from, strlen(from), to, strlen(to), rule);
}

/* ---- what is too deep to have a path -------------------------------------------------------- */

static int test_denied(struct question *q, const struct search_node *node)
{
	int result = 0;

	for (uint32_t left = q->ops; left && result == 0; left &= left - 1)
		result = denied(q, node->s, (enum policy_op)__builtin_ctz(left));
	return result;
}

bool policy_denies_below(const struct policy *policy, uint32_t ops, const char *path, size_t len, const struct policy_rule **rule)
{
	struct policy_engine *engine = policy->engine;
	struct question q = { .policy = policy, .engine = engine, .ops = ops & policy_restricted(policy, false) & OPS_PATH };
	bool denies = true;

	*rule = NULL;
	if (!q.ops)
		return false;
	engine_lock(engine);
	engine_make_room(engine);
	automaton_state s = len > 1 ? engine_walk(engine, path, len) : (automaton_state)engine->automaton.start;
	if (s > 0)
		denies = search_below(&q, (uint32_t)s, (uint32_t)s, false, test_denied) != 0;
	*rule = q.rule;
	engine_release(engine);
	return denies;
}

/* ---- what a pattern leaves open ------------------------------------------------------------- */

static int glob_allows(const struct policy *policy, enum policy_op op, struct automaton *glob, char *witness)
{
	struct policy_engine *engine = policy->engine;
	struct search search;
	struct automaton_rules rules = { 0 };
	int result = search_init(&search, &engine->automaton, glob, ALLOWED_NODES);

	if (result == 0)
		result = search_add(&search, (struct search_node){
			.s = engine->automaton.start, .t = glob->start, .parent = UINT32_MAX,
		});
	for (size_t i = 0; result == 0 && i < search.n; i++) {
		const struct search_node node = search.nodes[i];
		if (node.t == glob->dead)
			continue;
		if (search_is_path(node.place)) {
			result = automaton_rules(glob, node.t, &rules);
			const struct settled *settled = result == 0 && rules.n ? engine_settle(engine, node.s) : NULL;
			struct policy_verdict verdict = verdict_of(policy, settled, op, true);
			if (result == 0 && rules.n && !settled)
				result = -ENOMEM;
			if (result == 0 && rules.n && policy_allows(&verdict)) {
				result = search_string(&search, i, witness, PATH_MAX);
				if (result == 0)
					memcpy(witness, "/", 2);
				result = result < 0 ? result : 1;
			}
		}
		if (result == 0)
			result = search_expand(&search, i);
	}
	free(rules.list);
	search_free(&search);
	return result;
}

int policy_some_allowed(const struct policy *policy, enum policy_op op, const char *glob, char *witness)
{
	struct policy_engine *engine = policy->engine;
	struct code_list codes = { 0 };
	struct automaton automaton = { 0 };

	int result = code_add(&codes, glob, 0, NULL);
	if (result == 0) {
		code_sort(codes.list, codes.n);
		result = automaton_init(&automaton, codes.list, codes.n, codes.sets, engine->limit);
	}
	if (result == 0) {
		engine_lock(engine);
		engine_make_room(engine);
		result = glob_allows(policy, op, &automaton, witness);
		engine_release(engine);
	}
	automaton_free(&automaton);
	code_list_free(&codes);
	return result == -ENOMEM ? -E2BIG : result;
}
