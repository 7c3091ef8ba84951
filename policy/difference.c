/*
 * A search through the pairs of states that the automata of both policies can be in. Every path ends in one pair, and what is
 * decided of a path depends on its pair alone; so a pair that is decided differently has a path to show, and where no
 * pair is there is no such path. The search is breadth first: the path that is shown is a shortest one.
 */
#include "difference_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_state.h"
#include "search.h"
#include "syscalls.h"
#include "text.h"

#define NODES_MAX 400000
#define PAIRS_MAX 4096
#define TRIED_MAX 64	/* values of one argument */
#define TRIES_MAX 100000	/* combinations of them */

/* ---- two verdicts ---------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_substitute(const struct policy_rule *a, const struct policy_rule *b)
{
	return a && b && a->answer == b->answer && a->answer_value == b->answer_value && same_text(a->target, b->target);
}

/* What mounts get on top of what they ask for. */
static bool same_force(const struct policy_rule *a, const struct policy_rule *b)
{
	return (a ? a->mount_force : 0) == (b ? b->mount_force : 0) && (a && a->mount_idmap) == (b && b->mount_idmap);
}

static enum difference_kind verdicts_differ(const struct policy_verdict *before, const struct policy_verdict *after)
{
	bool was = policy_denies(before), is = policy_denies(after);

	if (was != is)
		return is ? DIFFERENCE_DENIED : DIFFERENCE_ALLOWED;
	if (was)
		return before->err != after->err || before->stage != after->stage ? DIFFERENCE_OTHER : DIFFERENCE_NONE;
	if (before->action != after->action)
		return DIFFERENCE_OTHER;
	return (before->action == ACTION_ALLOW ? same_force : same_substitute)(before->rule, after->rule) ? DIFFERENCE_NONE : DIFFERENCE_OTHER;
}

enum difference_kind difference_of(const struct policy_decision *before, const struct policy_decision *after, bool *staged)
{
	enum difference_kind kind = verdicts_differ(&before->enforced, &after->enforced);

	*staged = kind == DIFFERENCE_NONE;
	if (*staged)
		kind = verdicts_differ(&before->would, &after->would);
	/* A rule that moves from log to deny decides the same without stages. */
	if (*staged && kind == DIFFERENCE_OTHER && before->would.err == after->would.err && before->would.action == after->would.action &&
	    policy_denies(&before->would))
		kind = DIFFERENCE_NONE;
	return kind;
}

static bool own(const struct policy_verdict *verdict)
{
	return verdict->rule && verdict->rule->pos.file == POLICY_BUILTIN;
}

/* ---- what is found --------------------------------------------------------------------------- */

static bool same_rules(const struct difference *known, const struct difference *new)
{
	return known->peer == new->peer && (!new->peer || known->proto == new->proto) && !(known->ops & OPS_MOUNTS) == !(new->ops & OPS_MOUNTS) &&
	       !(known->ops & OP_BIT(OP_MOUNT)) == !(new->ops & OP_BIT(OP_MOUNT)) && known->kind == new->kind && known->staged == new->staged && known->before.rule == new->before.rule &&
	       known->after.rule == new->after.rule && policy_denies(&known->before) == policy_denies(&new->before) &&
	       policy_denies(&known->after) == policy_denies(&new->after);
}

static struct difference *difference_add(struct differences *all, const struct difference *new)
{
	struct difference *list = reallocarray(all->list, all->n + 1, sizeof(*list));
	if (!list)
		return NULL;
	all->list = list;
	list[all->n] = *new;
	return &list[all->n++];
}

struct difference *difference_note(struct differences *all, struct difference *new, const struct policy_decision *before,
				   const struct policy_decision *after)
{
	new->kind = difference_of(before, after, &new->staged);
	if (new->kind == DIFFERENCE_NONE)
		return NULL;
	new->before = new->staged ? before->would : before->enforced;
	new->after = new->staged ? after->would : after->enforced;
	if (own(&new->before) || own(&new->after))
		return NULL;
	for (size_t i = 0; i < all->n; i++)
		if (same_rules(&all->list[i], new))
			return &all->list[i];
	all->partial |= all->n == PAIRS_MAX;
	return all->n < PAIRS_MAX ? difference_add(all, new) : NULL;
}

/* ---- paths ----------------------------------------------------------------------------------- */

struct compared {
	const struct policy *before, *after;
	struct differences *all;
	struct difference *first;	/* wanted instead of all */
	uint32_t ops;
	struct search search;
};

/* The path of node AT, malloc'ed. NULL: no memory. */
static char *node_path(const struct compared *c, size_t at)
{
	char path[PATH_MAX];
	int len = search_string(&c->search, at, path, sizeof(path));
	return strdup(len < 0 ? "(longer than paths can be)" : len ? path : "/");
}

static int note_op(struct compared *c, size_t at, enum policy_op op, const struct policy_decision *before,
		   const struct policy_decision *after)
{
	struct difference new = { .ops = OP_BIT(op), .nr = -1 };
	struct difference *known;

	if (c->first) {
		new.kind = difference_of(before, after, &new.staged);
		if (new.kind == DIFFERENCE_NONE)
			return 0;
		new.before = new.staged ? before->would : before->enforced;
		new.after = new.staged ? after->would : after->enforced;
		new.witness = node_path(c, at);
		*c->first = new;
		return new.witness ? 1 : -ENOMEM;
	}
	known = difference_note(c->all, &new, before, after);
	if (!known)
		return 0;
	known->ops |= new.ops;
	if (!known->witness)
		known->witness = node_path(c, at);
	return known->witness ? 0 : -ENOMEM;
}

static int note_node(struct compared *c, size_t at)
{
	const struct search_node node = c->search.nodes[at];
	const struct settled *s = engine_settle(c->before->engine, node.s), *t = engine_settle(c->after->engine, node.t);
	int result = 0;

	if (!s || !t)
		return -ENOMEM;
	for (uint32_t left = c->ops; left && result == 0; left &= left - 1) {
		enum policy_op op = (enum policy_op)__builtin_ctz(left);
		struct policy_decision before = { verdict_of(c->before, s, op, false), verdict_of(c->before, s, op, true) };
		struct policy_decision after = { verdict_of(c->after, t, op, false), verdict_of(c->after, t, op, true) };
		result = note_op(c, at, op, &before, &after);
	}
	return result;
}

static int compare_paths(struct compared *c)
{
	struct policy_engine *a = c->before->engine, *b = c->after->engine;
	int result;

	engine_lock(a);
	engine_lock(b);
	engine_make_room(a);
	engine_make_room(b);
	result = search_init(&c->search, &a->automaton, &b->automaton, NODES_MAX);
	if (result == 0)
		result = search_add(&c->search, (struct search_node){
			.s = a->automaton.start, .t = b->automaton.start, .parent = UINT32_MAX,
		});
	for (size_t i = 0; result == 0 && i < c->search.n; i++) {
		if (search_is_path((enum search_place)c->search.nodes[i].place))
			result = note_node(c, i);
		if (result == 0)
			result = search_expand(&c->search, i);
	}
	search_free(&c->search);
	engine_release(b);
	engine_release(a);
	return result;
}

/* ---- system calls ---------------------------------------------------------------------------- */

struct tried {
	uint64_t values[TRIED_MAX];
	size_t n;
};

static void try_value(struct tried *tried, uint64_t value)
{
	for (size_t i = 0; i < tried->n; i++)
		if (tried->values[i] == value)
			return;
	if (tried->n < TRIED_MAX)
		tried->values[tried->n++] = value;
}

static bool rule_names(const struct policy_rule *rule, int nr)
{
	for (size_t i = 0; i < rule->n_calls; i++)
		if (rule->calls[i] == nr)
			return true;
	return false;
}

static void try_mask(struct tried *tried, const struct policy_mask *mask)
{
	try_value(tried, mask->value);
	if (!mask->mask)
		return;
	try_value(tried, mask->value | ~mask->mask);
	try_value(tried, mask->value ^ (mask->mask & -mask->mask));
	try_value(tried, mask->value ^ (UINT64_C(1) << (63 - __builtin_clzll(mask->mask))));
}

static void try_policy(struct tried tried[6], const struct policy *policy, int nr)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		if (!rule->n_conds || !rule_names(rule, nr))
			continue;
		for (size_t k = 0; k < rule->n_conds; k++)
			for (size_t m = 0; m < rule->conds[k].n_any; m++)
				try_mask(&tried[rule->conds[k].arg], &rule->conds[k].any[m]);
	}
}

/* The next combination of values, as an odometer turns. */
static bool next_args(const struct tried tried[6], size_t at[6], uint64_t args[6])
{
	for (int i = 0; i < 6; i++) {
		at[i] = (at[i] + 1) % tried[i].n;
		args[i] = tried[i].values[at[i]];
		if (at[i])
			return true;
	}
	return false;
}

static int compare_call(struct differences *all, const struct policy *a, const struct policy *b, int nr)
{
	struct tried tried[6] = { 0 };
	size_t at[6] = { 0 }, first = all->n, tries = 0;
	uint64_t args[6] = { 0 };

	for (int i = 0; i < 6; i++)
		try_value(&tried[i], 0);
	try_policy(tried, a, nr);
	try_policy(tried, b, nr);
	do {
		struct policy_decision before = policy_decide_call(a, nr, args), after = policy_decide_call(b, nr, args);
		struct difference new = { .nr = nr };
		bool known = false;
		new.kind = difference_of(&before, &after, &new.staged);
		if (new.kind == DIFFERENCE_NONE)
			continue;
		new.before = new.staged ? before.would : before.enforced;
		new.after = new.staged ? after.would : after.enforced;
		for (size_t i = first; i < all->n && !known; i++)
			known = same_rules(&all->list[i], &new);
		memcpy(new.args, args, sizeof(args));
		if (!known && !difference_add(all, &new))
			return -ENOMEM;
	} while (++tries < TRIES_MAX && next_args(tried, at, args));
	all->partial |= tries == TRIES_MAX;
	return 0;
}

/* ---------------------------------------------------------------------------------------------- */

int differences_find(struct differences *differences, const struct policy *before, const struct policy *after)
{
	struct compared c = { .before = before, .after = after, .all = differences, .ops = OPS_PATH | OP_BIT(OP_UMOUNT) };
	int result;

	*differences = (struct differences){ 0 };
	result = compare_paths(&c);
	if (result == -E2BIG) {
		differences->partial = true;
		result = 0;
	}
	if (result == 0)
		result = differences_peers(differences, before, after);
	if (result == 0)
		result = differences_mounts(differences, before, after);
	for (int nr = 0; nr <= syscall_max() && result == 0; nr++)
		if (syscall_by_nr(nr))
			result = compare_call(differences, before, after, nr);
	return result;
}

int differences_first(struct difference *first, const struct policy *before, const struct policy *after, uint32_t ops)
{
	struct compared c = { .before = before, .after = after, .first = first, .ops = ops };

	return compare_paths(&c);
}

void differences_free(struct differences *differences)
{
	for (size_t i = 0; i < differences->n; i++)
		free(differences->list[i].witness);
	free(differences->list);
	*differences = (struct differences){ 0 };
}
