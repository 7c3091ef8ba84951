/*
 * From rules and rows about one call to disjoint cubes of arguments.
 *
 * The arguments of a call are 384 bits. Start with all of them open, and split on a bit as long as it
 * matters to a condition that is still undecided; where none is left the answer is the same for all
 * arguments of the part, and filter_expected() says for one of them what it is. Bits are taken in a fixed
 * order of words, so that the parts can be tested word by word; within a word from the top, so that ranges
 * fall apart into prefixes. A part whose halves answer the same is put together again.
 *
 * The answer that most parts give becomes the rest; only the others are tested for. That makes
 * "everything but these three values" three tests and not the ninety of its complement.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cubes.h"
#include "err.h"
#include "filter_call.h"
#include "syscall_rules.h"
#include "verdict.h"

#define NODES_MAX 16384	/* a call whose conditions need more is refused */
#define VISITS_MAX 40000

enum state { STATE_FALSE, STATE_OPEN, STATE_TRUE };

/* A row or a rule: all of SETS must hold. */
struct clause {
	const struct filter_row *row;	/* or NULL */
	const struct policy_rule *rule;
	const struct cubes *sets[6];
	struct cubes own[6];		/* of a row */
	struct policy_mask masks[3];
	enum state state;
};

struct node {
	uint32_t ret;
	uint8_t arg, bit;
	uint32_t zero, one;		/* indices of the halves; 0: a leaf */
};

struct splitter {
	const struct policy *policy;
	const struct filter_row *rows;
	size_t n_rows;
	int nr;
	bool never;
	struct clause *clauses;
	size_t n_clauses;
	struct node *nodes;
	size_t n_nodes, cap;
	unsigned visits;	/* parts looked at, those put together again included */
	struct policy_mask part[6];	/* the bits that are known here */
};

static enum state set_state(const struct cubes *set, const struct policy_mask *part)
{
	enum state state = STATE_FALSE;

	for (size_t i = 0; i < set->n; i++) {
		const struct policy_mask *cube = &set->list[i];

		if (((cube->value ^ part->value) & cube->mask & part->mask) != 0)
			continue;
		if ((cube->mask & ~part->mask) == 0)
			return STATE_TRUE;
		state = STATE_OPEN;
	}
	return state;
}

static enum state clause_state(const struct clause *clause, const struct policy_mask part[6])
{
	enum state state = STATE_TRUE;

	for (unsigned arg = 0; arg < 6; arg++) {
		enum state one = clause->sets[arg] != NULL ? set_state(clause->sets[arg], &part[arg]) : STATE_TRUE;

		if (one < state)
			state = one;
	}
	return state;
}

static bool at_step(const struct clause *clause, enum filter_step step)
{
	return clause->row != NULL && clause->row->step == step;
}

/* Does the policy answer the same however the open rules turn out? */
static bool policy_settled(const struct splitter *split)
{
	struct policy_verdict candidates[2][24];
	size_t n[2] = { 0, 0 };
	uint32_t answer = 0;

	for (int would = 0; would < 2; would++) {
		struct policy_verdict base;
		bool beaten = false;

		for (size_t i = 0; i < split->n_clauses; i++) {
			const struct clause *clause = &split->clauses[i];

			if (clause->rule == NULL || clause->state == STATE_FALSE ||
			    (!would && rule_at_log(clause->rule)))
				continue;
			if (n[would] + 1 == ARRAY_SIZE(candidates[0]))
				return false;
			candidates[would][n[would]++] = syscall_spare(rule_verdict(clause->rule), split->nr);
			beaten |= clause->state == STATE_TRUE && clause->rule->action != ACTION_FORBID;
		}
		base = syscall_base_verdict(split->policy, split->nr, would);
		if (!beaten || base.action == ACTION_FORBID)
			candidates[would][n[would]++] = syscall_spare(base, split->nr);
	}
	for (size_t i = 0; i < n[0]; i++) {
		for (size_t j = 0; j < n[1]; j++) {
			struct policy_decision decision = { candidates[0][i], candidates[1][j] };
			uint32_t one = filter_policy_answer(&decision, split->never);

			if (i == 0 && j == 0)
				answer = one;
			else if (one != answer)
				return false;
		}
	}
	return true;
}

/* Can the outcome of the open CLAUSE still change the answer? */
static bool clause_matters(const struct clause *clause, const struct filter_row *first, bool settled, bool exempt,
			   bool brokered)
{
	if (at_step(clause, FILTER_FIRST))
		return first == NULL || filter_first_wins(clause->row, first);
	if (first != NULL)
		return false;
	if (clause->row == NULL)
		return !settled;
	if (exempt || clause->row->step != FILTER_BROKER)
		return false;
	return clause->row->kind == FILTER_ALLOW || !brokered;
}

/* The bit to split on: of the first word that matters the highest. False if nothing matters any more. */
static bool next_bit(struct splitter *split, uint8_t *arg_out, uint8_t *bit_out)
{
	const struct filter_row *first = NULL;
	bool settled, exempt = false, brokered = false, found = false;
	unsigned best = 0;

	for (size_t i = 0; i < split->n_clauses; i++) {
		struct clause *clause = &split->clauses[i];

		clause->state = clause_state(clause, split->part);
		if (clause->state != STATE_TRUE || clause->row == NULL)
			continue;
		if (at_step(clause, FILTER_FIRST) && (first == NULL || filter_first_wins(clause->row, first)))
			first = clause->row;
		exempt |= at_step(clause, FILTER_BROKER) && clause->row->kind == FILTER_ALLOW;
		brokered |= at_step(clause, FILTER_BROKER) && clause->row->kind != FILTER_ALLOW;
	}
	settled = policy_settled(split);
	for (size_t i = 0; i < split->n_clauses; i++) {
		const struct clause *clause = &split->clauses[i];

		if (clause->state != STATE_OPEN ||
		    !clause_matters(clause, first, settled, exempt, brokered))
			continue;
		for (unsigned arg = 0; arg < 6; arg++) {
			const struct policy_mask *part = &split->part[arg];

			if (clause->sets[arg] == NULL || set_state(clause->sets[arg], part) != STATE_OPEN)
				continue;
			for (size_t j = 0; j < clause->sets[arg]->n; j++) {
				const struct policy_mask *cube = &clause->sets[arg]->list[j];
				uint64_t open = cube->mask & ~part->mask;
				unsigned rank;

				if (open == 0 || ((cube->value ^ part->value) & cube->mask & part->mask) != 0)
					continue;
				rank = arg * 64 + (unsigned)__builtin_clzll(open);
				if (!found || rank < best)
					best = rank;
				found = true;
			}
		}
	}
	*arg_out = (uint8_t)(best / 64);
	*bit_out = (uint8_t)(63 - best % 64);
	return found;
}

/* 0 for failure: index 0 is kept free. */
static uint32_t node_new(struct splitter *split)
{
	if (split->n_nodes == split->cap) {
		size_t cap = split->cap * 2;
		struct node *grown = cap <= NODES_MAX * 2 ? realloc(split->nodes, cap * sizeof(*grown)) : NULL;

		if (grown == NULL)
			return 0;
		split->nodes = grown;
		split->cap = cap;
	}
	if (split->n_nodes >= NODES_MAX)
		return 0;
	split->nodes[split->n_nodes] = (struct node){ 0 };
	return (uint32_t)split->n_nodes++;
}

static uint32_t part_split(struct splitter *split)
{
	uint32_t self = node_new(split), zero, one;
	size_t mark = split->n_nodes;
	uint8_t arg, bit;
	struct policy_mask before;

	if (self == 0 || ++split->visits > VISITS_MAX)
		return 0;
	if (!next_bit(split, &arg, &bit)) {
		struct seccomp_data point = { .nr = split->nr, .arch = FILTER_ARCH };

		for (unsigned i = 0; i < 6; i++)
			point.args[i] = split->part[i].value;
		split->nodes[self].ret = filter_expected(split->policy, split->rows, split->n_rows, &point);
		return self;
	}
	before = split->part[arg];
	split->part[arg].mask |= UINT64_C(1) << bit;
	zero = part_split(split);
	split->part[arg].value |= UINT64_C(1) << bit;
	one = zero != 0 ? part_split(split) : 0;
	split->part[arg] = before;
	if (one == 0)
		return 0;
	if (split->nodes[zero].zero == 0 && split->nodes[one].zero == 0 &&
	    split->nodes[zero].ret == split->nodes[one].ret) {
		split->nodes[self].ret = split->nodes[zero].ret;
		split->n_nodes = mark;
		return self;
	}
	split->nodes[self].arg = arg;
	split->nodes[self].bit = bit;
	split->nodes[self].zero = zero;
	split->nodes[self].one = one;
	return self;
}

/* The answer that most leaves give; among equals letting go, so that no test is needed for it. */
static uint32_t rest_choose(const struct splitter *split)
{
	struct { uint32_t ret; size_t n; } seen[64];
	size_t n_seen = 0, best = 0;

	for (size_t i = 1; i < split->n_nodes; i++) {
		const struct node *node = &split->nodes[i];
		size_t j = 0;

		if (node->zero != 0)
			continue;
		while (j < n_seen && seen[j].ret != node->ret)
			j++;
		if (j == n_seen && n_seen < ARRAY_SIZE(seen)) {
			seen[n_seen].ret = node->ret;
			seen[n_seen++].n = 0;
		}
		if (j < n_seen)
			seen[j].n++;
	}
	for (size_t j = 1; j < n_seen; j++) {
		if (seen[j].n > seen[best].n || (seen[j].n == seen[best].n && seen[j].ret == SECCOMP_RET_ALLOW))
			best = j;
	}
	return seen[best].ret;
}

static void cubes_collect(struct splitter *split, uint32_t index, struct filter_call *call)
{
	const struct node *node = &split->nodes[index];
	struct policy_mask before = split->part[node->arg];

	if (node->zero == 0) {
		if (node->ret != call->rest) {
			memcpy(call->cubes[call->n].args, split->part, sizeof(split->part));
			call->cubes[call->n++].ret = node->ret;
		}
		return;
	}
	split->part[node->arg].mask |= UINT64_C(1) << node->bit;
	cubes_collect(split, node->zero, call);
	split->part[node->arg].value |= UINT64_C(1) << node->bit;
	cubes_collect(split, node->one, call);
	split->part[node->arg] = before;
}

static size_t clauses_of_policy(struct splitter *split)
{
	size_t n = 0;

	for (;; n++) {
		const struct cubes *sets[6];
		const struct policy_rule *rule = syscall_conditions(split->policy, split->nr, n, sets);

		if (rule == NULL)
			return n;
		if (split->clauses != NULL) {
			struct clause *clause = &split->clauses[split->n_clauses++];

			clause->rule = rule;
			memcpy(clause->sets, sets, sizeof(sets));
		}
	}
}

/* A row tests an argument at most once; more tests of one argument are put together by intersection. */
static void clause_of_row(struct splitter *split, const struct filter_row *row)
{
	struct clause *clause = &split->clauses[split->n_clauses];
	size_t used = 0;

	*clause = (struct clause){ .row = row };
	ASSERT(row->n_tests <= ARRAY_SIZE(clause->masks));
	for (size_t i = 0; i < row->n_tests; i++) {
		const struct filter_test *test = &row->tests[i];
		struct cubes *own = &clause->own[test->arg];

		if ((test->value & ~test->mask) != 0)
			return;
		if (own->n == 0) {
			own->list = &clause->masks[used++];
			own->n = 1;
			clause->sets[test->arg] = own;
		} else if (((own->list->value ^ test->value) & own->list->mask & test->mask) != 0) {
			return;
		}
		own->list->mask |= test->mask;
		own->list->value |= test->value;
	}
	split->n_clauses++;
}

int filter_call_split(struct filter_call *call, const struct policy *policy, const struct filter_row *rows,
		      size_t n_rows, int nr)
{
	struct splitter split = {
		.policy = policy, .rows = rows, .n_rows = n_rows, .nr = nr, .n_nodes = 1, .cap = 64,
		.never = filter_never_notify(rows, n_rows, nr),
	};
	uint32_t root = 0;

	*call = (struct filter_call){ .nr = nr };
	split.clauses = calloc(clauses_of_policy(&split) + n_rows + 1, sizeof(*split.clauses));
	split.nodes = calloc(split.cap, sizeof(*split.nodes));
	if (split.clauses != NULL && split.nodes != NULL) {
		clauses_of_policy(&split);
		for (size_t i = 0; i < n_rows; i++) {
			if (rows[i].nr == nr)
				clause_of_row(&split, &rows[i]);
		}
		root = part_split(&split);
		call->cubes = calloc(split.n_nodes, sizeof(*call->cubes));
	}
	if (root != 0 && call->cubes != NULL) {
		call->rest = rest_choose(&split);
		memset(split.part, 0, sizeof(split.part));
		cubes_collect(&split, root, call);
	}
	free(split.clauses);
	free(split.nodes);
	if (call->cubes == NULL)
		return -ENOMEM;
	if (root == 0) {
		free(call->cubes);
		call->cubes = NULL;
		return -E2BIG;
	}
	return 0;
}
