/* The proposal as text. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "fd.h"
#include "learn.h"
#include "shape.h"

struct writing {
	struct text *text;
	const char *indent;
	bool sockets;
	struct learn_counts counts;
};

/* "ro", "rw,chmod": the words for OPS. */
static void add_ops(struct text *text, uint32_t ops, bool directory)
{
	static const char *const groups[] = { "rw", "ro", "attr" };
	bool first = true;

	for (size_t i = 0; i < 3; i++) {
		uint32_t group = policy_ops_named(groups[i], strlen(groups[i])) & ~OP_BIT(OP_STAT);
		if ((ops & group) != group || (!directory && i < 2))
			continue;
		text_addf(text, "%s%s", first ? "" : ",", groups[i]);
		ops &= ~group & ~OP_BIT(OP_STAT);
		first = false;
	}
	for (int op = 0; op < OP_COUNT; op++)
		if (ops & OP_BIT(op)) {
			text_addf(text, "%s%s", first ? "" : ",", policy_op_name((enum policy_op)op));
			first = false;
		}
}

static void add_evidence(struct text *text, const struct tree_rule *rule)
{
	unsigned runs = (unsigned)__builtin_popcountll(rule->runs);

	text_addf(text, "# %u file%s, ", rule->files, rule->files == 1 ? "" : "s");
	if (rule->shapes > 1)
		text_addf(text, "%u shapes, ", rule->shapes);
	text_addf(text, "%" PRIu64 " call%s", rule->calls, rule->calls == 1 ? "" : "s");
	if (runs > 1)
		text_addf(text, ", %u runs", runs);
	if (rule->example) {
		text_puts(text, "; e.g. ");
		escape_add(text, rule->example, strlen(rule->example));
	}
	text_puts(text, "\n");
}

static void pad(struct text *text, size_t from, size_t width)
{
	do
		text_puts(text, " ");
	while (text->len - from < width);
}

static void write_line(struct writing *writing, const struct tree_rule *rule, uint32_t ops, const char *proto)
{
	struct text *text = writing->text;
	size_t from = text->len, len = strlen(rule->glob);

	text_puts(text, writing->indent);
	text_puts(text, "allow ");
	add_ops(text, ops, rule->glob[len - 1] == '/');
	text_puts(text, proto);
	pad(text, from, 24);
	shape_word(text, rule->glob);
	text_puts(text, ";");
	pad(text, from, 80);
	add_evidence(text, rule);
	writing->counts.rules++;
}

static void write_rule(void *ctx, const struct tree_rule *rule)
{
	struct writing *writing = ctx;

	if (!writing->sockets && rule->ops & OPS_FILES)
		write_line(writing, rule, rule->ops & OPS_FILES, "");
	if (writing->sockets && rule->ops & OPS_NETWORK)
		write_line(writing, rule, rule->ops & OPS_NETWORK, " unix");
}

struct learn_counts learn_rules(const struct learn *learn, enum tree_mood mood, bool sockets, const char *indent, struct text *text)
{
	struct writing writing = { .text = text, .indent = indent, .sockets = sockets };
	struct node *tree = tree_new();
	unsigned n_runs = learn->run + learn->n_runs;

	for (size_t i = 0; i < learn->n_objects; i++) {
		const struct learn_object *object = &learn->objects[i];
		const struct tree_seen seen = {
			.ops = object->needed, .below = object->below, .calls = object->calls, .runs = object->runs, .made = object->made,
		};
		if (!seen.ops && !seen.below)
			continue;
		tree_add(tree, (struct bytes){ object->path, object->len }, &seen);
		writing.counts.files++;
	}
	tree_generalise(tree, mood, n_runs);
	tree_rules(tree, write_rule, &writing);
	tree_free(tree);
	return writing.counts;
}
