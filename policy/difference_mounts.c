/*
 * Mounts are decided by a place, which is in the automata, and by type, source, flags and options, which are not. So nothing is proved of
 * them: both policies are asked at what their rules spell and beside it. For each rule that is a mount as it wants one, on and from a
 * path that its patterns match (each alternative of {a,b} once), and then with one thing changed: flags as other rules want them, an
 * option that any rule names, a number at its bound and over it. Where the rules are the same there is nothing to ask.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "difference_state.h"
#include "engine_state.h"
#include "mount_text.h"
#include "pattern.h"

#define ASKED_MAX 200000
#define SAMPLES_MAX 64	/* of one pattern */

/* ---- one question --------------------------------------------------------------------------- */

int differences_mount(struct differences *all, const struct policy *a, const struct policy *b, const struct policy_mount *mount)
{
	struct policy_decision before = policy_decide_mount(a, mount), after = policy_decide_mount(b, mount);
	struct difference new = { .nr = -1, .ops = OP_BIT(OP_MOUNT) };
	struct difference *known = difference_note(all, &new, &before, &after);
	struct text text = { 0 };

	if (!known || known->witness)
		return 0;
	mount_text(&text, mount);
	known->witness = text_take(&text);
	return 0;
}

/* ---- samples of a pattern ------------------------------------------------------------------- */

/* Behind the brace that ends what begins at GLOB, within braces. */
static const char *brace_end(const char *glob)
{
	for (int depth = 0; *glob; glob++) {
		if (*glob == '\\' && glob[1])
			glob++;
		else if (*glob == '{')
			depth++;
		else if (*glob == '}' && !depth--)
			return glob + 1;
	}
	return glob;
}

/* The I-th part of a list in braces, and how many there are. */
static size_t brace_part(const char *glob, size_t i, const char **part, size_t *len)
{
	size_t n = 0;
	int depth = 0;

	for (const char *at = glob, *from = glob;; at++) {
		if (*at == '\\' && at[1]) {
			at++;
			continue;
		}
		depth += *at == '{';
		if (!*at || (!depth && (*at == ',' || *at == '}'))) {
			if (n++ == i) {
				*part = from;
				*len = (size_t)(at - from);
			}
			if (*at != ',')
				return n;
			from = at + 1;
		}
		depth -= *at == '}';
	}
}

/* A path that the LEN bytes of GLOB match: of lists the I-th part. *MOST becomes the longest list. */
static void add_sample(struct text *text, const char *glob, size_t len, size_t i, size_t *most)
{
	for (const char *at = glob, *end = glob + len; at < end;) {
		const char *part = at;
		size_t n, parts;
		switch (*at) {
		case '\\':
			text_add(text, at + 1, at + 1 < end);
			at += 2;
			break;
		case '*':
			at += strspn(at, "*");
			text_puts(text, "x");
			break;
		case '?':
			at++;
			text_puts(text, "x");
			break;
		case '[':
			/* A class that is negated has what no pattern spells. */
			text_add(text, at[1] == '!' || at[1] == '^' ? "\x01" : at + 1, 1);
			at = strchr(at + 2, ']') ? strchr(at + 2, ']') + 1 : end;
			break;
		case '{':
			parts = brace_part(at + 1, 0, &part, &n);
			*most = parts > *most ? parts : *most;
			(void)brace_part(at + 1, i % parts, &part, &n);
			add_sample(text, part, n, i, most);
			at = brace_end(at + 1);
			break;
		default:
			text_add(text, at++, 1);
		}
	}
}

static void add_samples(struct strings *list, const struct policy_pattern *patterns, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		const char *glob = patterns[k].glob;
		size_t most = 1;
		for (size_t i = 0; i < most && i < SAMPLES_MAX; i++) {
			struct text text = { 0 };
			if (*glob != '/')
				text_puts(&text, "/");
			add_sample(&text, glob, strlen(glob), i, &most);
			while (text.len > 1 && text.s[text.len - 1] == '/')
				text.s[--text.len] = '\0';
			if (pattern_matches(glob, text.s, text.len))
				strings_add(list, text_take(&text));
			else
				free(text_take(&text));
		}
	}
}

/* ---- what is asked -------------------------------------------------------------------------- */

struct asking {
	const struct policy *a, *b;
	struct differences *all;
	const struct policy_rule *const *rules;		/* about mounts, of both */
	size_t n_rules;
	struct policy_mount_option *options;
	size_t n_options;
	unsigned asked;
	int err;
};

static void ask(struct asking *asking, const struct policy_mount *mount)
{
	if (asking->err || asking->asked++ >= ASKED_MAX)
		asking->all->partial = true;
	else
		asking->err = differences_mount(asking->all, asking->a, asking->b, mount);
}

static bool takes_path(const char *fstype)
{
	return !strcmp(fstype, "bind") || !strcmp(fstype, "move") || policy_mount_image(fstype);
}

/* By itself; then with each option alone. */
static void ask_options(struct asking *asking, const struct policy_mount *bare, const struct policy_rule *rule)
{
	struct policy_mount mount = *bare;
	struct policy_mount_option *all = mem_zero((rule->n_mount_limits + 1) * sizeof(*all));

	ask(asking, &mount);
	mount.n_options = 1;
	for (size_t i = 0; i < asking->n_options; i++) {
		mount.options = &asking->options[i];
		ask(asking, &mount);
	}
	/* All that the rule would have together. */
	for (size_t i = 0; i < rule->n_mount_limits; i++)
		all[i] = (struct policy_mount_option){ rule->mount_limits[i].name, rule->mount_limits[i].value };
	mount.options = all;
	mount.n_options = rule->n_mount_limits;
	if (mount.n_options > 1)
		ask(asking, &mount);
	free(all);
}

/* With the flags that RULE wants, with all that any rule wants as well, and with those of each other one. */
static void ask_flags(struct asking *asking, const struct policy_mount *bare, const struct policy_rule *rule)
{
	struct policy_mount mount = *bare;
	uint32_t before = 0;

	mount.flags = policy_mount_flags(rule->mount_flags);
	ask_options(asking, &mount, rule);
	for (size_t i = 0; i < asking->n_rules; i++) {
		uint32_t flags = rule->mount_flags | asking->rules[i]->mount_flags;
		if (flags == rule->mount_flags || flags == before)
			continue;
		before = flags;
		mount.flags = policy_mount_flags(flags);
		ask(asking, &mount);
		mount.flags = policy_mount_flags(asking->rules[i]->mount_flags);
		ask(asking, &mount);
	}
}

static void ask_places(struct asking *asking, const char *fstype, const struct policy_rule *rule)
{
	struct policy_mount mount = { .fstype = fstype };
	struct strings on = { 0 }, from = { 0 };

	add_samples(&on, rule->patterns, rule->n_patterns);
	add_samples(&from, rule->from, rule->n_from);
	for (size_t i = 0; i < asking->n_rules && takes_path(fstype) && !rule->n_from; i++)
		add_samples(&from, asking->rules[i]->from, asking->rules[i]->n_from);
	if (takes_path(fstype) && !rule->n_from)
		strings_add(&from, text_copy("/\x01"));
	for (size_t i = 0; i < on.n; i++)
		for (size_t k = 0; k < from.n || (!k && !from.n); k++) {
			mount.on = on.v[i];
			mount.from = from.n ? from.v[k] : NULL;
			ask_flags(asking, &mount, rule);
		}
	strings_free(&on);
	strings_free(&from);
}

static void ask_rule(struct asking *asking, const struct policy_rule *rule)
{
	static const char *const others[] = { "tmpfs", "bind", "ext4" };

	if (strcmp(rule->mount_fstype, "any") != 0) {
		ask_places(asking, rule->mount_fstype, rule);
		return;
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		ask_places(asking, others[i], rule);
	for (size_t i = 0; i < asking->n_rules; i++)
		if (strcmp(asking->rules[i]->mount_fstype, "any") != 0)
			ask_places(asking, asking->rules[i]->mount_fstype, rule);
}

/* ---- options -------------------------------------------------------------------------------- */

/* NAME stays the rule's; VALUE is owned by TEXTS. */
static void add_option(struct asking *asking, struct strings *texts, const char *name, char *value)
{
	bool known = false;

	for (size_t i = 0; i < asking->n_options && !known; i++) {
		const struct policy_mount_option *option = &asking->options[i];
		known = !strcmp(option->name, name) && (value && option->value ? !strcmp(option->value, value) : value == option->value);
	}
	if (value)
		strings_add(texts, value);
	if (!known)
		*mem_push(&asking->options, &asking->n_options) = (struct policy_mount_option){ name, value };
}

static void add_limit(struct asking *asking, struct strings *texts, const struct policy_mount_limit *limit)
{
	switch (limit->kind) {
	case LIMIT_NONE:
		add_option(asking, texts, limit->name, NULL);
		break;
	case LIMIT_MOST:
		add_option(asking, texts, limit->name, text_printf("%llu", (unsigned long long)limit->most));
		add_option(asking, texts, limit->name, text_printf("%llu", (unsigned long long)limit->most + 1));
		break;
	case LIMIT_UNDER:
		add_option(asking, texts, limit->name, text_copy(limit->value));
		add_option(asking, texts, limit->name, text_printf("%s/x", limit->value));
		break;
	case LIMIT_EQUAL:
		add_option(asking, texts, limit->name, text_copy(limit->value));
		break;
	}
	if (limit->kind != LIMIT_NONE && limit->kind != LIMIT_MOST)
		add_option(asking, texts, limit->name, text_copy(limit->kind == LIMIT_UNDER ? "/\x01" : "\x01"));
}

/* ---- which rules ---------------------------------------------------------------------------- */

static bool about_mounts(const struct policy_rule *rule)
{
	return rule->section == SECTION_MOUNTS && rule->ops & OP_BIT(OP_MOUNT);
}

/* Rules with the same words, stages and all in the same order: nothing can differ. */
static bool same_rules(const struct policy *a, const struct policy *b)
{
	const struct policy_default *before = default_of_mounts(a), *after = default_of_mounts(b);
	size_t i = 0, k = 0;

	if (before->action != after->action || before->err != after->err || before->stage != after->stage)
		return false;
	for (;; i++, k++) {
		while (i < a->n_rules && !about_mounts(&a->rules[i]))
			i++;
		while (k < b->n_rules && !about_mounts(&b->rules[k]))
			k++;
		if (i == a->n_rules || k == b->n_rules)
			return i == a->n_rules && k == b->n_rules;
		if (strcmp(a->rules[i].text, b->rules[k].text) != 0 || a->rules[i].stage != b->rules[k].stage || a->rules[i].err != b->rules[k].err)
			return false;
	}
}

static void collect(const struct policy_rule ***rules, size_t *n, const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (about_mounts(&policy->rules[i]))
			*mem_push(rules, n) = &policy->rules[i];
}

int differences_mounts(struct differences *all, const struct policy *a, const struct policy *b)
{
	struct asking asking = { .a = a, .b = b, .all = all };
	const struct policy_rule **rules = NULL;
	struct strings texts = { 0 };

	all->mounts = !same_rules(a, b);
	if (!all->mounts)
		return 0;
	/* Where no rule speaks of it, the defaults do. */
	asking.err = differences_mount(all, a, b, &(struct policy_mount){ .fstype = "tmpfs", .on = "/x", .flags = policy_mount_flags(0) });
	collect(&rules, &asking.n_rules, a);
	collect(&rules, &asking.n_rules, b);
	asking.rules = rules;
	for (size_t i = 0; i < asking.n_rules; i++)
		for (size_t k = 0; k < rules[i]->n_mount_limits; k++)
			add_limit(&asking, &texts, &rules[i]->mount_limits[k]);
	for (size_t i = 0; i < asking.n_rules; i++)
		ask_rule(&asking, rules[i]);
	free(asking.options);
	free(rules);
	strings_free(&texts);
	return asking.err;
}
