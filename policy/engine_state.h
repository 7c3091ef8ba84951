/* The inside of the path engine, shared by engine.c, forbid.c, contest.c, decide.c, gains.c, explain.c and ties.c. */
#ifndef USHER_ENGINE_STATE_H
#define USHER_ENGINE_STATE_H

#include <pthread.h>

#include "automaton.h"
#include "compare.h"
#include "engine.h"
#include "memo.h"
#include "net_rules.h"
#include "verdict.h"

#define PATH_OPS OP_COUNT		/* all are about paths in one way or another */
#define OPS_PATH (OPS_FILES | OPS_NETWORK)	/* on objects; mounts change what paths mean */

/* Rules are known here by their index in engine.rules. */
#define NO_RULE UINT32_MAX		/* the default decides */

/* What is decided on every path that exactly these rules match. */
struct settled {
	uint32_t first, n;		/* in engine.settled_rules */
	uint32_t hash;
	uint32_t winner[PATH_OPS][2];	/* [0] enforced, [1] would: a rule or NO_RULE */
};

struct relation {			/* of two rules, as far as it has been asked */
	uint32_t a, b;			/* a < b; both 0 in an empty slot */
	uint8_t ab, ba;			/* enum compare_answer */
};

struct gain { uint32_t from, to, ops; uint8_t flags; bool known, gains; const struct policy_rule *rule; };
#define GAINS_KEPT 256

struct policy_engine {
	pthread_rwlock_t lock;		/* read: automaton.rows, settled and memo; write: all below */
	const struct policy_rule **rules;	/* the policy's by number, then the built-in ones */
	uint32_t n_rules, n_written;
	struct code_list codes;		/* sorted */
	const struct code **by_rule;	/* the codes of rule R: by_rule[first_code[R]] .. [first_code[R + 1]] */
	uint32_t *first_code;
	uint32_t beneath;		/* operations of rules with beneath */
	uint32_t forbidden;		/* operations that built-in rules forbid */

	struct automaton automaton;
	struct settled *settled;	/* [0] is not used: a mark of 0 is "not settled yet" */
	uint32_t n_settled, size_settled;
	uint32_t *settled_rules;
	size_t n_settled_rules, size_settled_rules;
	uint32_t *settled_table;
	uint32_t settled_table_size;
	struct relation *relations;
	uint32_t n_relations, size_relations;
	struct gain gains[GAINS_KEPT];
	struct memo memo;		/* values are indices of settled; only over a large automaton */
	struct automaton_rules matching;	/* scratch */
	uint32_t *contest;			/* scratch of contest.c */
	size_t contest_size;
	struct net_rules net;		/* addresses; under the lock for writing */
	size_t limit;
};

/* What is settled for PATH, with the lock held; NULL if memory ran out. Then engine_release(). The result
 * is valid until then. */
const struct settled *engine_find(struct policy_engine *engine, const char *path, size_t len);
/* The same with the lock held for writing, so that more can be looked up. */
const struct settled *engine_find_more(struct policy_engine *engine, const char *path, size_t len);
void engine_lock(struct policy_engine *engine);
void engine_release(struct policy_engine *engine);

/* With the lock held for writing. The state after PATH, making room as needed, or -ENOMEM. */
automaton_state engine_walk(struct policy_engine *engine, const char *path, size_t len);
/* What is settled in STATE; valid until the next call. NULL: no memory. */
const struct settled *engine_settle(struct policy_engine *engine, uint32_t state);
/* Forgets what was computed, if it takes more than half of its limits. Invalidates states. */
void engine_make_room(struct policy_engine *engine);

static inline const uint32_t *settled_rules(const struct policy_engine *engine, const struct settled *settled)
{
	return engine->settled_rules + settled->first;
}

/* One more rule than were written; it is handed over. 0 or -ENOMEM. Takes the lock. */
int engine_forbid(struct policy_engine *engine, const struct policy_rule *rule);

/* ---- forbid.c ------------------------------------------------------------------------------- */

/* RULE was made there; it may be NULL. */
void forbid_free(const struct policy_rule *rule);

/* ---- contest.c ------------------------------------------------------------------------------ */

static inline bool rule_takes_part(const struct policy_rule *rule, enum policy_op op, bool would)
{
	return rule->ops & OP_BIT(op) && (would || !rule_at_log(rule));
}

/* How rule A relates to rule B by the paths that they match, by a cached comparison. */
struct relation engine_relation(struct policy_engine *engine, uint32_t a, uint32_t b);
/* A beats B wherever both match. */
bool rule_narrower(struct policy_engine *engine, uint32_t a, uint32_t b);
/* Both orders without looking at numbers, so that the order of rules in a file cannot matter.
 * Negative: A is to be preferred, being stricter or, of the same strictness, by its contents. */
int rule_strictness(const struct policy_rule *a, const struct policy_rule *b);
int rule_order(const struct policy_rule *a, const struct policy_rule *b);
/* Fills .winner of a set of RULES. 0 or -ENOMEM. */
/* Room for contest_winner() of N rules. 0 or -ENOMEM. */
int contest_room(struct policy_engine *engine, size_t n);
int contest_settle(struct policy_engine *engine, const uint32_t *rules, size_t n, struct settled *settled);
/* The winner for one operation, or NO_RULE. There must be room for them. */
uint32_t contest_winner(struct policy_engine *engine, const uint32_t *rules, size_t n, enum policy_op op, bool would);

/* ---- decide.c ------------------------------------------------------------------------------- */

/* The verdict of SETTLED (NULL: memory ran out, deny) on one operation. */
struct policy_verdict verdict_of(const struct policy *policy, const struct settled *settled, enum policy_op op, bool would);

/* The default about sockets without a path; NULL: allow. */
const struct policy_default *default_of_peers(const struct policy *policy);
/* The default about mounts: without one they are denied. */
const struct policy_default *default_of_mounts(const struct policy *policy);
/* Of the verdicts on several operations the greatest counts. */
int verdict_strictness(const struct policy_verdict *a);
/* Does this level have what is allowed counted or recorded? */
bool default_restricts(const struct policy_default *def, bool would);

/* ---- explain.c ------------------------------------------------------------------------------ */

/* Tells why of RULES, which match, WINNERS (enforced, would) won for OP, to FN. With the lock held for writing, which is given back
 * before FN is called. */
void explain_rules(const struct policy *policy, enum policy_op op, const uint32_t *rules, size_t n, const uint32_t winners[2],
		   policy_explain_fn *fn, void *ctx);

/* ---- mount.c -------------------------------------------------------------------------------- */

/* Is every mount that A is about, wherever it is, one that B is about? */
enum compare_answer mount_included(const struct policy_rule *a, const struct policy_rule *b);

/* ---- ties.c --------------------------------------------------------------------------------- */

/* Adds an error for each two redirects or answers that tie with different targets. 0 or -ENOMEM. */
int ties_check(struct policy *policy, struct policy_diags *diags);
/* The same of rules about addresses (peer_search.c). */
int ties_check_peers(struct policy *policy, struct policy_diags *diags);
bool ties_has_target(const struct policy_rule *rule);
bool ties_same_target(const struct policy_rule *a, const struct policy_rule *b);
/* Among RULES, which match one object: do A and B tie for first place? */
bool ties_do(struct policy_engine *engine, const uint32_t *rules, size_t n, uint32_t a, uint32_t b);
void ties_error(const struct policy *policy, struct policy_diags *diags, uint32_t a, uint32_t b, bool certain, const char *where);

#endif
