/* Why a path or a peer is decided as it is: the rules that match and what became of each in the contest. */
#include "engine_state.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

struct line {
	uint32_t rule;
	char reason[200];
};

struct story {
	const struct policy *policy;
	struct policy_engine *engine;
	enum policy_op op;
	struct line *lines;
	size_t n;
	uint32_t enforced, would;	/* the winners */
};

__attribute__((format(printf, 2, 3)))
static void line_say(struct line *line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(line->reason, sizeof(line->reason), format, args);
	va_end(args);
}

static const struct policy_rule *story_rule(const struct story *story, size_t i)
{
	return story->engine->rules[story->lines[i].rule];
}

static bool is_enforced(const struct story *story, size_t i)
{
	return rule_takes_part(story_rule(story, i), story->op, false);
}

/* A rule in force that is narrower than rule number I of the story, the winner before others; or story.n. */
static size_t beaten_by(const struct story *story, size_t i)
{
	for (size_t k = 0; k < story->n; k++)
		if (k != i && is_enforced(story, k) &&
		    rule_narrower(story->engine, story->lines[k].rule, story->lines[i].rule))
			return k;
	return story->n;
}

static bool same_objects(const struct story *story, size_t i, size_t k)
{
	struct relation relation = engine_relation(story->engine, story->lines[i].rule, story->lines[k].rule);
	return relation.ab == COMPARE_YES && relation.ba == COMPARE_YES;
}

static const char *where(const struct story *story, size_t i, char *buf, size_t size)
{
	return policy_where(story->policy, story_rule(story, i)->pos, buf, size);
}

/* Line 0 is the winner. */
static void explain_winner(struct story *story)
{
	struct line *line = &story->lines[0];
	size_t others = 0, narrower = 0, rival = 0;
	char buf[128];

	for (size_t i = 1; i < story->n; i++) {
		if (!is_enforced(story, i))
			continue;
		others++;
		if (rule_narrower(story->engine, line->rule, story->lines[i].rule))
			narrower++;
		else if (!rival && beaten_by(story, i) == story->n)
			rival = i;
	}
	if (story_rule(story, 0)->action == ACTION_FORBID)
		line_say(line, "forbid always wins");
	else if (others == 0)
		line_say(line, "the only rule %s", story->n > 1 ? "in force that matches" : "that matches");
	else if (narrower == others && others == 1)
		line_say(line, "narrower than the one below");
	else if (narrower == others && others == 2)
		line_say(line, "narrower than the two below");
	else if (narrower == others)
		line_say(line, "narrower than the %zu below", others);
	else if (!rival)
		line_say(line, "the only one that no narrower rule beats");
	else
		line_say(line, "%s %s, neither is narrower, %s", same_objects(story, 0, rival) ? story_rule(story, 0)->n_patterns ? "same paths as" : "same addresses as" : "overlaps",
			 where(story, rival, buf, sizeof(buf)),
			 rule_strictness(story_rule(story, 0), story_rule(story, rival)) ? "the stricter wins"
											  : "both say the same");
}

static void explain_other(struct story *story, size_t i)
{
	struct line *line = &story->lines[i];
	char buf[128];

	if (!is_enforced(story, i)) {
		line_say(line, line->rule == story->would ? "at stage log: would win" : "at stage log");
		return;
	}
	if (story_rule(story, 0)->action == ACTION_FORBID) {
		line_say(line, "forbid always wins");
		return;
	}
	size_t by = beaten_by(story, i);
	if (by == story->n)
		line_say(line, "%s is %s", where(story, 0, buf, sizeof(buf)),
			 rule_strictness(story_rule(story, 0), story_rule(story, i)) ? "stricter" : "as strict");
	else if (same_objects(story, i, by))
		line_say(line, "%s matches the same %s and names fewer operations", where(story, by, buf, sizeof(buf)),
			 story_rule(story, i)->n_patterns ? "paths" : "addresses");
	else
		line_say(line, "%s is narrower", where(story, by, buf, sizeof(buf)));
}

/* The winner first, then as the contest would have tried them. */
static void story_sort(struct story *story)
{
	for (size_t i = 0; i < story->n; i++) {
		size_t best = i;
		for (size_t k = i + 1; k < story->n; k++) {
			bool wins = i == 0 && story->lines[k].rule == story->enforced;
			if (wins || (story->lines[best].rule != story->enforced &&
				     rule_order(story_rule(story, k), story_rule(story, best)) < 0))
				best = k;
		}
		struct line line = story->lines[best];
		story->lines[best] = story->lines[i];
		story->lines[i] = line;
	}
}

static void story_tell(struct story *story, const uint32_t *rules, size_t n, const uint32_t winners[2])
{
	bool covered = OP_BIT(story->op) & (OPS_NETWORK | OPS_MOUNTS | story->policy->cover);

	for (size_t i = 0; i < n; i++)
		if (story->engine->rules[rules[i]]->ops & OP_BIT(story->op))
			story->lines[story->n++].rule = rules[i];
	story->enforced = winners[0];
	story->would = winners[1];
	story_sort(story);
	for (size_t i = 0; i < story->n; i++) {
		if (!covered && story_rule(story, i)->pos.file != POLICY_BUILTIN)
			line_say(&story->lines[i], "not brokered: %s is not covered", policy_op_name(story->op));
		else if (i == 0 && story->lines[0].rule == story->enforced)
			explain_winner(story);
		else
			explain_other(story, i);
	}
}

void explain_rules(const struct policy *policy, enum policy_op op, const uint32_t *rules, size_t n, const uint32_t winners[2],
		   policy_explain_fn *fn, void *ctx)
{
	struct policy_engine *engine = policy->engine;
	struct story story = { .policy = policy, .engine = engine, .op = op, .lines = calloc(n + 1, sizeof(*story.lines)) };
	const struct policy_rule *winner = winners[0] == NO_RULE ? NULL : engine->rules[winners[0]];

	if (winner && !(OP_BIT(op) & (OPS_NETWORK | OPS_MOUNTS | policy->cover)) && winner->pos.file != POLICY_BUILTIN)
		winner = NULL;
	if (story.lines)
		story_tell(&story, rules, n, winners);
	engine_release(engine);
	/* Not under the lock: FN may ask for more. */
	for (size_t i = 0; i < story.n; i++) {
		const struct policy_rule *rule = story_rule(&story, i);
		fn(ctx, rule, winner == rule, story.lines[i].reason);
	}
	free(story.lines);
}

struct policy_decision policy_explain(const struct policy *policy, uint32_t op_bit, const char *path, size_t len,
				      policy_explain_fn *fn, void *ctx)
{
	struct policy_engine *engine = policy->engine;
	ASSERT(op_bit & (OPS_PATH | OP_BIT(OP_UMOUNT) | OP_BIT(OP_PIVOT)));
	enum policy_op op = (enum policy_op)__builtin_ctz(op_bit);

	engine_lock(engine);
	const struct settled *settled = engine_find_more(engine, path, len);
	struct policy_decision decision = {
		.enforced = verdict_of(policy, settled, op, false),
		.would = verdict_of(policy, settled, op, true),
	};
	if (settled)
		explain_rules(policy, op, settled_rules(engine, settled), settled->n, settled->winner[op], fn, ctx);
	else
		engine_release(engine);
	return decision;
}
