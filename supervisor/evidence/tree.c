#include "tree.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "shape.h"
#include "tree_state.h"

struct node *tree_new(void)
{
	struct node *root = mem_zero(sizeof(*root));

	root->name = text_copy("");
	return root;
}

void tree_free(struct node *node)
{
	for (size_t i = 0; i < node->n; i++)
		tree_free(node->children[i]);
	free(node->children);
	free(node->name);
	free(node->example);
	free(node);
}

static struct node *child_of(struct node *node, const char *name, bool *is_new)
{
	*is_new = false;
	/* Paths come in order: it is the last one, mostly. */
	for (size_t i = node->n; i-- > 0;)
		if (strcmp(node->children[i]->name, name) == 0)
			return node->children[i];
	struct node *child = mem_zero(sizeof(*child));
	child->name = text_copy(name);
	child->width = 1;
	*mem_push(&node->children, &node->n) = child;
	*is_new = true;
	return child;
}

void tree_add(struct node *tree, struct bytes path, const struct tree_seen *seen)
{
	const char *at = path.s, *end = path.s + path.len;
	struct node *node = tree;
	bool is_new = false;

	while (at < end) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		size_t len = slash ? (size_t)(slash - at) : (size_t)(end - at);
		struct text name = { 0 };
		if (len) {
			shape_literal(&name, at, len);
			node = child_of(node, name.s, &is_new);
			node->seen_runs |= seen->runs;
			free(text_take(&name));
		}
		at += len + (slash != NULL);
	}
	if (!node->stats.files) {
		node->stats.files = 1;
		node->example = text_dup(path.s, path.len);
	}
	node->ops |= seen->ops;
	node->below |= seen->below;
	node->stats.calls += seen->calls;
	node->stats.runs |= seen->runs;
	node->made |= seen->made;
	node->made_dir |= seen->made && seen->ops & OP_BIT(OP_CREATE) && !(seen->ops & (OP_BIT(OP_WRITE) | OP_BIT(OP_APPEND)));
}

/* ---- one node for several ------------------------------------------------------------------- */

static void absorb(struct node *into, struct node *other)
{
	into->ops |= other->ops;
	into->below |= other->below;
	into->width += other->width;
	into->seen_runs |= other->seen_runs;
	into->made |= other->made;
	into->made_dir |= other->made_dir;
	stats_add(&into->stats, &other->stats);
	if (!into->example) {
		into->example = other->example;
		other->example = NULL;
	}
	for (size_t i = 0; i < other->n; i++) {
		bool is_new;
		struct node *child = child_of(into, other->children[i]->name, &is_new);
		if (is_new) {
			tree_free(child);
			into->children[into->n - 1] = other->children[i];
		} else {
			absorb(child, other->children[i]);
		}
	}
	other->n = 0;
	tree_free(other);
}

static void rename_node(struct node *node, char *name)
{
	free(node->name);
	node->name = name;
	node->pattern = true;
}

/* Children that have come to have one name become one. */
static void merge_equal(struct node *node)
{
	for (size_t i = 0; i < node->n; i++)
		for (size_t k = i + 1; k < node->n;) {
			if (strcmp(node->children[i]->name, node->children[k]->name) != 0) {
				k++;
				continue;
			}
			struct node *other = node->children[k];
			memmove(&node->children[k], &node->children[k + 1], (node->n - k - 1) * sizeof(struct node *));
			node->n--;
			absorb(node->children[i], other);
		}
}

/* ---- names ---------------------------------------------------------------------------------- */

static char *shaped(const struct node *node, enum shape_kind kind)
{
	struct text text = { 0 };
	bool plain = !node->pattern && !strchr(node->name, '\\');

	if (plain && shape_add(&text, node->name, strlen(node->name), kind))
		return text_take(&text);
	free(text_take(&text));
	return NULL;
}

static void shape_strong(struct node *node, bool in_proc)
{
	for (size_t i = 0; i < node->n; i++) {
		struct node *child = node->children[i];
		bool number = in_proc && child->name[strspn(child->name, "0123456789")] == '\0';
		char *name = number ? text_copy("[0-9]*") : shaped(child, child->made ? SHAPE_MADE : SHAPE_STRONG);
		if (name)
			rename_node(child, name);
	}
	merge_equal(node);
}

/* Three that differ in their digits only, or two of different runs. */
static void shape_weak(struct node *node)
{
	char **names = mem_zero((node->n + 1) * sizeof(*names));

	for (size_t i = 0; i < node->n; i++)
		names[i] = shaped(node->children[i], SHAPE_WEAK);
	for (size_t i = 0; i < node->n; i++) {
		unsigned equal = 0;
		for (size_t k = 0; names[i] && k < node->n; k++)
			equal += names[k] && strcmp(names[i], names[k]) == 0;
		if (equal >= SIBLINGS - 1)
			rename_node(node->children[i], text_copy(names[i]));
	}
	for (size_t i = 0; i < node->n; i++)
		free(names[i]);
	free(names);
	merge_equal(node);
}

static size_t common_prefix(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n] && a[n] != '\\')
		n++;
	return n;
}

static size_t common_suffix(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b), n = 0;

	while (n < a_len && n < b_len && a[a_len - 1 - n] == b[b_len - 1 - n] && a[a_len - 1 - n] != '\\')
		n++;
	return n;
}

/* One name in this run, another in that, and the same is done to both. */
static void shape_runs(struct node *node, bool all)
{
	for (size_t i = 0; i < node->n; i++)
		for (size_t k = i + 1; k < node->n; k++) {
			struct node *a = node->children[i], *b = node->children[k];
			if (a->seen_runs & b->seen_runs || a->ops != b->ops || (a->n > 0) != (b->n > 0) || a->pattern || b->pattern)
				continue;
			size_t prefix = common_prefix(a->name, b->name), suffix = common_suffix(a->name, b->name);
			size_t shorter = strlen(a->name) < strlen(b->name) ? strlen(a->name) : strlen(b->name);
			if (prefix + suffix > shorter)
				suffix = shorter - prefix;
			if (!all && prefix + suffix < 3)
				continue;
			struct text text = { 0 };
			text_add(&text, a->name, prefix);
			text_puts(&text, "*");
			text_puts(&text, a->name + strlen(a->name) - suffix);
			rename_node(b, text_copy(text.s));
			rename_node(a, text_take(&text));
			merge_equal(node);
			i = (size_t)-1;
			break;
		}
}

void tree_shape(struct node *node, const char *path, unsigned n_runs)
{
	shape_strong(node, strcmp(path, "/proc") == 0 || strcmp(path, "/proc/self/task") == 0 || strcmp(path, "/proc/self/fd") == 0);
	shape_weak(node);
	if (n_runs > 1)
		shape_runs(node, !tree_protected(path));
	for (size_t i = 0; i < node->n; i++) {
		AUTO_FREE char *below = text_printf("%s/%s", path, node->children[i]->name);
		tree_shape(node->children[i], below, n_runs);
	}
}
