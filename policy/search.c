#include "search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

int search_init(struct search *search, struct automaton *a, struct automaton *b, size_t budget)
{
	*search = (struct search){ .a = a, .b = b, .budget = budget };
	for (unsigned i = 0; i < 255; i++) {
		/* From 'a' on, so that strings found are readable where they may be. */
		unsigned byte = (i + 'a' - 1) % 255 + 1;
		bool seen = false;
		for (unsigned k = 0; k < search->n_bytes && !seen; k++) {
			uint8_t other = search->bytes[k];
			seen = a->class[byte] == a->class[other] && (!b || b->class[byte] == b->class[other]) &&
			       byte != '.' && other != '.' && byte != '/' && other != '/';
		}
		if (!seen)
			search->bytes[search->n_bytes++] = (uint8_t)byte;
	}
	search->size = 64;
	search->table_size = 2 * search->size;
	search->nodes = malloc(search->size * sizeof(*search->nodes));
	search->table = calloc(search->table_size, sizeof(*search->table));
	return search->nodes && search->table ? 0 : -ENOMEM;
}

void search_free(struct search *search)
{
	free(search->nodes);
	free(search->table);
	*search = (struct search){ 0 };
}

static size_t node_hash(const struct search_node *node)
{
	uint64_t hash = ((uint64_t)node->s << 32 | node->t) * UINT64_C(0x9e3779b97f4a7c15) + node->place;
	hash = (hash ^ hash >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
	return (size_t)(hash ^ hash >> 32);
}

static int search_grow(struct search *search)
{
	size_t size = 2 * search->size;
	struct search_node *nodes = realloc(search->nodes, size * sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	search->nodes = nodes;
	uint32_t *table = calloc(2 * size, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < search->n; i++) {
		size_t at = node_hash(&nodes[i]);
		while (table[at & (2 * size - 1)])
			at++;
		table[at & (2 * size - 1)] = (uint32_t)i + 1;
	}
	free(search->table);
	search->table = table;
	search->table_size = 2 * size;
	search->size = size;
	return 0;
}

int search_add(struct search *search, struct search_node node)
{
	size_t at = node_hash(&node);

	for (; search->table[at & (search->table_size - 1)]; at++) {
		const struct search_node *known = &search->nodes[search->table[at & (search->table_size - 1)] - 1];
		if (known->s == node.s && known->t == node.t && known->place == node.place)
			return 0;
	}
	if (search->n == search->budget)
		return -E2BIG;
	if (search->n == search->size) {
		if (search_grow(search) < 0)
			return -ENOMEM;
		at = node_hash(&node);
		while (search->table[at & (search->table_size - 1)])
			at++;
	}
	search->nodes[search->n++] = node;
	search->table[at & (search->table_size - 1)] = (uint32_t)search->n;
	return 0;
}

/* -1: no path goes on so. */
static int place_after(enum search_place place, uint8_t byte)
{
	if (byte == '/')
		return search_is_path(place) ? PLACE_SLASH : -1;
	if (byte != '.')
		return place == PLACE_ROOT ? -1 : PLACE_NAME;
	switch (place) {
	case PLACE_ROOT: return -1;
	case PLACE_SLASH: return PLACE_DOT;
	case PLACE_DOT: return PLACE_DOTDOT;
	default: return PLACE_NAME;
	}
}

int search_expand(struct search *search, size_t at)
{
	const struct search_node from = search->nodes[at];

	for (unsigned i = 0; i < search->n_bytes; i++) {
		uint8_t byte = search->bytes[i];
		int place = place_after(from.place, byte);
		if (place < 0)
			continue;
		automaton_state s = automaton_step(search->a, from.s, byte);
		automaton_state t = search->b && s > 0 ? automaton_step(search->b, from.t, byte) : 0;
		if (s < 0 || t < 0)
			return s == -ENOBUFS || t == -ENOBUFS ? -E2BIG : -ENOMEM;
		int err = search_add(search, (struct search_node){
			.s = (uint32_t)s, .t = (uint32_t)t, .parent = (uint32_t)at,
			.place = (uint8_t)place, .byte = byte,
		});
		if (err < 0)
			return err;
	}
	return 0;
}

int search_string(const struct search *search, size_t at, char *string, size_t size)
{
	size_t len = 0;
	for (size_t i = at; search->nodes[i].parent != UINT32_MAX; i = search->nodes[i].parent)
		len++;
	if (len + 1 > size || len > INT32_MAX)
		return -E2BIG;
	string[len] = '\0';
	size_t k = len;
	for (size_t i = at; search->nodes[i].parent != UINT32_MAX; i = search->nodes[i].parent)
		string[--k] = (char)search->nodes[i].byte;
	return (int)len;
}

/* ---- states --------------------------------------------------------------------------------- */

/* The first of ITEMS, of which there are END - ITEMS, that has to do with a rule that counts. */
static const struct automaton_item *next_item(const struct automaton *a, const struct automaton_item *items, const struct automaton_item *end,
					      bool (*counts)(const void *ctx, uint32_t rule), const void *ctx)
{
	for (; items < end; items++)
		for (uint32_t i = items->lo; i < items->hi; i++)
			if (counts(ctx, a->codes[i].rule))
				return items;
	return NULL;
}

static const struct automaton_node *node_of(const struct automaton *a, uint32_t state)
{
	return &a->nodes[a->rows[state + a->n_classes + 1]];
}

bool search_alike(const struct automaton *a, uint32_t s, uint32_t t, bool (*counts)(const void *ctx, uint32_t rule), const void *ctx)
{
	const struct automaton_node *left = node_of(a, s), *right = node_of(a, t);
	const struct automaton_item *l = &a->items.list[left->items], *l_end = l + left->n_items;
	const struct automaton_item *r = &a->items.list[right->items], *r_end = r + right->n_items;

	if (s == t)
		return true;
	/* Both are sorted; the items are nodes of one trie, which their beginning and depth name. */
	for (;; l++, r++) {
		l = next_item(a, l, l_end, counts, ctx);
		r = next_item(a, r, r_end, counts, ctx);
		if (!l || !r)
			return l == r;
		if (l->lo != r->lo || l->depth != r->depth)
			return false;
	}
}
