/*
 * Decisions about mounts. Where something is mounted is a path like any other, in the engine's automaton; what is mounted, from where and
 * how is looked at rule by rule. The contest between those that match is the one of paths (contest.c).
 *
 * An allow rule matches only a mount that has every flag the rule names and no option that the rule does not name or bound: what is
 * not spoken of is not allowed. A deny rule matches by type, source, place and flags.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_state.h"
#include "err.h"
#include "pattern.h"
#include "words.h"

/* ---- types ---------------------------------------------------------------------------------- */

/* Nothing of these comes from outside: they are views of what the kernel has, empty, or made of directories. */
static const char *const plain_types[] = {
	"bind", "move", "remount", "proc", "sysfs", "tmpfs", "ramfs", "devpts", "mqueue", "overlay", "cgroup", "cgroup2", "hugetlbfs",
};

bool policy_mount_image(const char *fstype)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain_types); i++)
		if (strcmp(plain_types[i], fstype) == 0)
			return false;
	return true;
}

const char *policy_mount_flag_name(enum mount_flag flag)
{
	const struct word *word;

	for (size_t i = 0; (word = word_at(i)); i++)
		if (word->kind == WORD_MOUNT_FLAG && word->value == flag)
			return word->name;
	return "";
}

uint32_t policy_mount_flags(uint32_t flags)
{
	for (unsigned i = MOUNT_RO; i <= MOUNT_NOEXEC; i++)
		if (!(flags & MOUNT_BIT(i)))
			flags |= MOUNT_BIT(i + MOUNT_RW);
	return flags;
}

/* ---- options -------------------------------------------------------------------------------- */

/* Decimal, with one letter behind it. The kernel also takes octal and hexadecimal numbers, and per cent; 0 means that there is no bound. */
bool policy_mount_number(const char *value, uint64_t *number)
{
	static const char units[] = "kMGT";
	size_t digits = strspn(value, "0123456789");
	const char *unit;
	uint64_t n;

	if (!digits || digits > 18 || value[0] == '0')
		return false;
	n = strtoull(value, NULL, 10);
	if (value[digits]) {
		char letter = value[digits] == 'K' ? 'k' : value[digits] == 'm' ? 'M' : value[digits] == 'g' ? 'G' : value[digits] == 't' ? 'T' : value[digits];
		unit = strchr(units, letter);
		if (!unit || value[digits + 1])
			return false;
		for (const char *at = units; at <= unit; at++)
			if (__builtin_mul_overflow(n, UINT64_C(1024), &n))
				return false;
	}
	*number = n;
	return true;
}

static bool is_under(const char *path, const char *tree)
{
	size_t len = strlen(tree);

	while (len > 1 && tree[len - 1] == '/')
		len--;
	if (len == 1)
		return path[0] == '/';
	return strncmp(path, tree, len) == 0 && (!path[len] || path[len] == '/');
}

static bool limit_keeps(const struct policy_mount_limit *limit, const struct policy_mount_option *option)
{
	uint64_t number;

	if (strcmp(limit->name, option->name) != 0)
		return false;
	switch (limit->kind) {
	case LIMIT_NONE:
		return true;
	case LIMIT_MOST:
		return option->value && policy_mount_number(option->value, &number) && number <= limit->most;
	case LIMIT_EQUAL:
		return option->value && strcmp(option->value, limit->value) == 0;
	case LIMIT_UNDER:
		return option->value && is_under(option->value, limit->value);
	}
	return false;
}

static bool limits_keep(const struct policy_rule *rule, const struct policy_mount_option *option)
{
	for (size_t i = 0; i < rule->n_mount_limits; i++)
		if (limit_keeps(&rule->mount_limits[i], option))
			return true;
	return false;
}

static char *unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from;
	}
	*to = '\0';
	return text;
}

/* The part of *TEXT up to SEPARATOR, taken from it; NULL at the end. An overlay's separators may stand behind a backslash. */
static char *next_part(char **text, char separator, bool escapes)
{
	char *part = *text, *p = part;

	if (!part)
		return NULL;
	for (; *p && *p != separator; p++)
		if (escapes && *p == '\\' && p[1])
			p++;
	*text = *p ? p + 1 : NULL;
	*p = '\0';
	return part;
}

int policy_mount_options(const char *fstype, char *text, struct policy_mount_option *options, size_t max)
{
	bool overlay = strcmp(fstype, "overlay") == 0;
	size_t n = 0;
	char *part;

	while ((part = next_part(&text, ',', overlay))) {
		char *value = strchr(part, '='), *layer;
		bool path = overlay && (strncmp(part, "lowerdir=", 9) == 0 || strncmp(part, "upperdir=", 9) == 0 || strncmp(part, "workdir=", 8) == 0);

		if (!*part || value == part)
			continue;
		if (value)
			*value++ = '\0';
		if (!path || *part != 'l') {
			if (n == max)
				return -E2BIG;
			options[n++] = (struct policy_mount_option){ part, path ? unescape(value) : value };
			continue;
		}
		while ((layer = next_part(&value, ':', true))) {
			if (!*layer)
				return -EINVAL;
			if (n == max)
				return -E2BIG;
			options[n++] = (struct policy_mount_option){ part, unescape(layer) };
		}
	}
	return (int)n;
}

/* ---- one rule ------------------------------------------------------------------------------- */

static bool type_matches(const struct policy_rule *rule, const struct policy_mount *mount)
{
	if (strcmp(rule->mount_fstype, "any") != 0)
		return strcmp(rule->mount_fstype, mount->fstype) == 0;
	return rule->action != ACTION_ALLOW || rule->mount_image || !policy_mount_image(mount->fstype);
}

static bool from_matches(const struct policy_rule *rule, const struct policy_mount *mount)
{
	if (!rule->n_from)
		return true;
	for (size_t i = 0; i < rule->n_from && mount->from; i++)
		if (pattern_matches(rule->from[i].glob, mount->from, strlen(mount->from)))
			return true;
	return false;
}

static bool rule_matches(const struct policy_rule *rule, const struct policy_mount *mount)
{
	if (!(rule->ops & OP_BIT(OP_MOUNT)) || !type_matches(rule, mount) || !from_matches(rule, mount) || (rule->mount_flags & ~mount->flags))
		return false;
	for (size_t i = 0; i < mount->n_options && rule->action == ACTION_ALLOW; i++)
		if (!limits_keep(rule, &mount->options[i]))
			return false;
	return true;
}

static enum compare_answer from_included(const struct policy_rule *a, const struct policy_rule *b)
{
	enum compare_answer answer = COMPARE_UNKNOWN;
	const char **globs;

	if (!b->n_from)
		return COMPARE_YES;
	if (!a->n_from)
		return COMPARE_NO;
	globs = malloc((a->n_from + b->n_from) * sizeof(*globs));
	if (!globs)
		return answer;
	for (size_t i = 0; i < a->n_from; i++)
		globs[i] = a->from[i].glob;
	for (size_t i = 0; i < b->n_from; i++)
		globs[a->n_from + i] = b->from[i].glob;
	switch (pattern_compare(globs, a->n_from, globs + a->n_from, b->n_from)) {
	case PATTERN_EQUAL:
	case PATTERN_NARROWER:
		answer = COMPARE_YES;
		break;
	case PATTERN_DISJOINT:
	case PATTERN_BROADER:
	case PATTERN_OVERLAP:	/* also when the proof ran out of budget: then neither is narrower */
		answer = COMPARE_NO;
	}
	free(globs);
	return answer;
}

enum compare_answer mount_included(const struct policy_rule *a, const struct policy_rule *b)
{
	if (a->ops != b->ops)
		return COMPARE_NO;
	if (a->ops != OP_BIT(OP_MOUNT))
		return COMPARE_YES;
	if (strcmp(b->mount_fstype, "any") != 0 && strcmp(a->mount_fstype, b->mount_fstype) != 0)
		return COMPARE_NO;
	if (b->mount_flags & ~a->mount_flags)
		return COMPARE_NO;
	return from_included(a, b);
}

static bool rules_allow(const struct policy *policy, uint32_t ops)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].section == SECTION_MOUNTS && policy->rules[i].action == ACTION_ALLOW && policy->rules[i].ops & ops)
			return true;
	return false;
}

bool policy_mounts_some(const struct policy *policy)
{
	const struct policy_default *given = &policy->defaults[SECTION_MOUNTS];

	if (given->present && given->written && (given->action == ACTION_ALLOW || given->stage == STAGE_LOG))
		return true;
	return rules_allow(policy, OPS_MOUNTS);
}

bool policy_pivots(const struct policy *policy)
{
	return rules_allow(policy, OP_BIT(OP_PIVOT));
}

/* ---- deciding ------------------------------------------------------------------------------- */

static struct policy_verdict verdict_by(const struct policy *policy, uint32_t winner, bool would)
{
	struct policy_verdict verdict = winner == NO_RULE ? default_verdict(default_of_mounts(policy), would)
							  : rule_verdict(policy->engine->rules[winner]);
	verdict.op = OP_MOUNT;
	return verdict;
}

/* The rules that match, malloc'ed; with the lock held for writing. NULL: no memory. */
static uint32_t *matching(const struct policy *policy, const struct policy_mount *mount, size_t *n)
{
	struct policy_engine *engine = policy->engine;
	const struct settled *settled = engine_find_more(engine, mount->on, strlen(mount->on));
	uint32_t *list = settled ? malloc((settled->n + 1) * sizeof(*list)) : NULL;

	*n = 0;
	for (size_t i = 0; list && i < settled->n; i++) {
		uint32_t rule = settled_rules(engine, settled)[i];
		if (rule_matches(engine->rules[rule], mount))
			list[(*n)++] = rule;
	}
	if (list && contest_room(engine, *n) < 0) {
		free(list);
		list = NULL;
	}
	return list;
}

static struct policy_decision decide(const struct policy *policy, const uint32_t *list, size_t n, uint32_t winners[2])
{
	const struct policy_verdict none = { .action = ACTION_DENY, .err = ENOMEM, .op = OP_MOUNT };
	struct policy_decision decision = { .enforced = none, .would = none };

	if (!list)
		return decision;
	winners[0] = contest_winner(policy->engine, list, n, OP_MOUNT, false);
	winners[1] = contest_winner(policy->engine, list, n, OP_MOUNT, true);
	decision.enforced = verdict_by(policy, winners[0], false);
	decision.would = verdict_by(policy, winners[1], true);
	return decision;
}

struct policy_decision policy_explain_mount(const struct policy *policy, const struct policy_mount *mount, policy_explain_fn *fn, void *ctx)
{
	struct policy_decision decision;
	uint32_t winners[2], *list;
	size_t n;

	engine_lock(policy->engine);
	list = matching(policy, mount, &n);
	decision = decide(policy, list, n, winners);
	if (list && fn)
		explain_rules(policy, OP_MOUNT, list, n, winners, fn, ctx);
	else
		engine_release(policy->engine);
	free(list);
	return decision;
}

struct policy_decision policy_decide_mount(const struct policy *policy, const struct policy_mount *mount)
{
	return policy_explain_mount(policy, mount, NULL, NULL);
}
