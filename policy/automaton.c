/*
 * The codes, sorted, are a trie: a node is the range of codes that share a prefix, and a child is found
 * by bisection in that range, so nothing is built but the sorted array. The nodes are the states of a
 * nondeterministic automaton:
 *
 *   a node                 moves on the bytes and instructions that follow its prefix
 *   a node after STAR      also stays on every byte but '/'
 *   a node after DEEP      stands at the end of a component; on '/' it becomes deep
 *   a deep node            stays deep on every byte, and is the node after DEEP as well, whose children
 *                          all begin with '/' (or which ends the pattern)
 *
 * A deterministic state is a sorted list of such nodes (items), found by hash. It is made when a path
 * first leads to it. Patterns that share prefixes share nodes, so the list grows with what of the path
 * matched, not with the number of patterns.
 *
 * Bytes that no pattern tells apart share a column of the rows (class[]).
 */
#include "automaton.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

#define FEW_STATES 8		/* how many there may be whatever the limit */

/* ---- classes -------------------------------------------------------------------------------- */

static void classes_split(struct automaton *a, const struct code_set *set)
{
	int16_t in[256], out[256];
	memset(in, -1, sizeof(in));
	memset(out, -1, sizeof(out));
	uint32_t n = 0;

	for (unsigned b = 0; b < 256; b++) {
		int16_t *to = code_set_has(set, (uint8_t)b) ? &in[a->class[b]] : &out[a->class[b]];
		if (*to < 0)
			*to = (int16_t)n++;
		a->class[b] = (uint8_t)*to;
	}
	a->n_classes = n;
}

static void classes_find(struct automaton *a)
{
	bool literal[256] = { ['/'] = true };
	uint32_t n_sets = 0;

	for (uint32_t i = 0; i < a->n_codes; i++) {
		const struct code *code = &a->codes[i];
		uint32_t k = 0;
		while (k < code->len) {
			uint8_t byte = code->bytes[k];
			if (byte) {
				literal[byte] = true;
				k++;
			} else if (code->bytes[k + 1] == CODE_SET) {
				uint32_t number = code_set_number(code->bytes + k);
				if (number >= n_sets)
					n_sets = number + 1;
				k += CODE_SET_LEN;
			} else {
				k += 2;
			}
		}
	}
	uint32_t n = 1;
	for (unsigned b = 0; b < 256; b++)
		a->class[b] = literal[b] ? (uint8_t)n++ : 0;
	if (n == 257) {		/* every byte is a literal: there is no class 0 */
		for (unsigned b = 0; b < 256; b++)
			a->class[b] = (uint8_t)b;
		n = 256;
	}
	a->n_classes = n;
	for (uint32_t s = 0; s < n_sets && a->n_classes < 256; s++)
		classes_split(a, &a->sets[s]);
}

/* ---- the trie ------------------------------------------------------------------------------- */

static inline int code_at(const struct automaton *a, uint32_t code, uint32_t depth)
{
	return depth < a->codes[code].len ? a->codes[code].bytes[depth] : -1;
}

/* The first of codes[lo..hi), which share DEPTH bytes, whose byte at DEPTH is at least BYTE. */
static uint32_t range_find(const struct automaton *a, uint32_t lo, uint32_t hi, uint32_t depth, int byte)
{
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (code_at(a, mid, depth) < byte)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void item_add(struct automaton_items *items, uint32_t lo, uint32_t hi, uint32_t depth)
{
	if (items->n == items->size) {
		uint32_t size = items->size ? 2 * items->size : 16;
		struct automaton_item *list = realloc(items->list, size * sizeof(*list));
		if (!list) {
			items->n = UINT32_MAX;	/* state_place() looks */
			return;
		}
		items->list = list;
		items->size = size;
	}
	if (items->n != UINT32_MAX)
		items->list[items->n++] = (struct automaton_item){ .lo = lo, .hi = hi, .depth = depth };
}

/* Adds the node and those that it leads to without a byte. */
static void node_add(struct automaton *a, uint32_t lo, uint32_t hi, uint32_t depth)
{
	item_add(&a->next, lo, hi, depth);
	lo = range_find(a, lo, hi, depth, 0);
	if (lo == hi || code_at(a, lo, depth) != 0)
		return;
	hi = range_find(a, lo, hi, depth, 1);
	for (int op = CODE_STAR; op <= CODE_DEEP; op++) {
		uint32_t from = range_find(a, lo, hi, depth + 1, op);
		uint32_t to = range_find(a, from, hi, depth + 1, op + 1);
		if (from < to)
			node_add(a, from, to, depth + 2);
	}
}

static void node_add_sets(struct automaton *a, uint32_t lo, uint32_t hi, uint32_t depth, uint8_t byte)
{
	while (lo < hi) {
		const uint8_t *at = a->codes[lo].bytes + depth;
		uint32_t end = lo, above = hi;
		while (above - end > 1) {
			uint32_t mid = end + (above - end) / 2;
			if (memcmp(a->codes[mid].bytes + depth, at, CODE_SET_LEN) == 0)
				end = mid;
			else
				above = mid;
		}
		if (code_set_has(&a->sets[code_set_number(at)], byte))
			node_add(a, lo, above, depth + CODE_SET_LEN);
		lo = above;
	}
}

static void node_step(struct automaton *a, struct automaton_item item, uint8_t byte)
{
	uint32_t lo = item.lo, hi = item.hi, depth = item.depth & ~ITEM_DEEP;
	const uint8_t *bytes = a->codes[lo].bytes;
	bool deep = item.depth & ITEM_DEEP;

	/* 0 is never the operand of an instruction, so a 0 two bytes back began one. */
	if (!deep && depth >= 2 && bytes[depth - 2] == 0) {
		if (bytes[depth - 1] == CODE_STAR && byte != '/')
			node_add(a, lo, hi, depth);
		deep = bytes[depth - 1] == CODE_DEEP && byte == '/';
		if (deep && a->next.n != UINT32_MAX) {
			item_add(&a->next, lo, hi, depth | ITEM_DEEP);
			node_add(a, lo, hi, depth);
		}
	} else if (deep) {
		item_add(&a->next, lo, hi, item.depth);
		node_add(a, lo, hi, depth);
		return;
	}
	lo = range_find(a, lo, hi, depth, 0);
	if (lo < hi && code_at(a, lo, depth) == 0) {
		uint32_t end = range_find(a, lo, hi, depth, 1);
		if (byte != '/') {
			uint32_t any = range_find(a, lo, end, depth + 1, CODE_ANY);
			uint32_t past = range_find(a, any, end, depth + 1, CODE_ANY + 1);
			if (any < past)
				node_add(a, any, past, depth + 2);
			node_add_sets(a, range_find(a, past, end, depth + 1, CODE_SET), end, depth, byte);
		}
		lo = end;
	}
	if (byte == 0 || lo == hi)
		return;
	lo = range_find(a, lo, hi, depth, byte);
	hi = range_find(a, lo, hi, depth, byte + 1);
	if (lo < hi)
		node_add(a, lo, hi, depth + 1);
}

/* ---- states --------------------------------------------------------------------------------- */

static int item_order(const void *left, const void *right)
{
	const struct automaton_item *a = left, *b = right;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return a->depth < b->depth ? -1 : a->depth > b->depth;
}

static void items_normalize(struct automaton_items *items)
{
	struct automaton_item *list = items->list;
	uint32_t n = 0;

	if (items->n > 24) {
		qsort(list, items->n, sizeof(*list), item_order);
	} else {
		for (uint32_t i = 1; i < items->n; i++) {
			struct automaton_item item = list[i];
			uint32_t k = i;
			for (; k > 0 && item_order(&list[k - 1], &item) > 0; k--)
				list[k] = list[k - 1];
			list[k] = item;
		}
	}
	for (uint32_t i = 0; i < items->n; i++)
		if (n == 0 || item_order(&list[n - 1], &list[i]) != 0)
			list[n++] = list[i];
	items->n = n;
}

static uint32_t items_hash(const struct automaton_items *items)
{
	uint64_t hash = items->n;
	for (uint32_t i = 0; i < items->n; i++) {
		hash = (hash ^ ((uint64_t)items->list[i].lo << 32 | items->list[i].depth)) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

static int table_grow(struct automaton *a, uint32_t size)
{
	uint32_t *table = calloc(size, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (uint32_t s = 1; s < a->n_states; s++) {
		uint32_t at = a->nodes[s].hash;
		while (table[at & (size - 1)])
			at++;
		table[at & (size - 1)] = s;
	}
	free(a->table);
	a->table = table;
	a->table_size = size;
	return 0;
}

static int states_grow(struct automaton *a)
{
	uint32_t size = a->size_states ? a->size_states + a->size_states / 2 : 16;
	if ((uint64_t)size * a->stride > UINT32_MAX)
		return -ENOMEM;
	uint32_t *rows = realloc(a->rows, (size_t)size * a->stride * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	a->rows = rows;
	struct automaton_node *nodes = realloc(a->nodes, size * sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	a->nodes = nodes;
	a->size_states = size;
	return 0;
}

static size_t state_bytes(const struct automaton *a, size_t states, size_t items)
{
	/* the table has two to four words a state */
	return states * (a->stride * sizeof(*a->rows) + sizeof(*a->nodes) + 4 * sizeof(*a->table)) +
	       items * sizeof(*a->items.list);
}

/* The state of a->next, made if there is none. */
static automaton_state state_place(struct automaton *a)
{
	const struct automaton_items *next = &a->next;
	if (next->n == UINT32_MAX)
		return -ENOMEM;
	uint32_t hash = items_hash(next);
	uint32_t at = hash;

	for (; a->table[at & (a->table_size - 1)]; at++) {
		uint32_t s = a->table[at & (a->table_size - 1)];
		const struct automaton_node *node = &a->nodes[s];
		if (node->hash == hash && node->n_items == next->n &&
		    (next->n == 0 || memcmp(&a->items.list[node->items], next->list, next->n * sizeof(*next->list)) == 0))
			return s * a->stride;
	}
	if (a->n_states > FEW_STATES && state_bytes(a, a->n_states + 1, (size_t)a->items.n + next->n) > a->limit)
		return -ENOBUFS;
	if (a->n_states == a->size_states && states_grow(a) < 0)
		return -ENOMEM;
	if (2 * (a->n_states + 1) > a->table_size) {
		if (table_grow(a, 2 * a->table_size) < 0)
			return -ENOMEM;
		at = hash;
		while (a->table[at & (a->table_size - 1)])
			at++;
	}
	if ((uint64_t)a->items.n + next->n > a->items.size) {
		uint64_t size = ((uint64_t)a->items.n + next->n) * 3 / 2 + 16;
		if (size >= UINT32_MAX)
			return -ENOMEM;
		struct automaton_item *list = realloc(a->items.list, size * sizeof(*list));
		if (!list)
			return -ENOMEM;
		a->items.list = list;
		a->items.size = (uint32_t)size;
	}
	uint32_t s = a->n_states++;
	a->nodes[s] = (struct automaton_node){ .items = a->items.n, .n_items = next->n, .hash = hash };
	if (next->n)
		memcpy(&a->items.list[a->items.n], next->list, next->n * sizeof(*next->list));
	a->items.n += next->n;
	a->table[at & (a->table_size - 1)] = s;
	uint32_t *row = &a->rows[(size_t)s * a->stride];
	memset(row, 0, a->stride * sizeof(*row));
	row[a->n_classes + 1] = s;
	return s * a->stride;
}

automaton_state automaton_step(struct automaton *a, uint32_t state, uint8_t byte)
{
	uint32_t known = a->rows[state + a->class[byte]];
	if (known)
		return known;
	const struct automaton_node node = a->nodes[a->rows[state + a->n_classes + 1]];
	a->next.n = 0;
	for (uint32_t i = 0; i < node.n_items; i++)
		node_step(a, a->items.list[node.items + i], byte);
	if (a->next.n != UINT32_MAX)
		items_normalize(&a->next);
	automaton_state to = state_place(a);
	if (to > 0)
		a->rows[state + a->class[byte]] = (uint32_t)to;
	return to;
}

/* The states that are always there, into empty arrays. a->next is used up. */
static int states_begin(struct automaton *a)
{
	a->generation++;
	a->n_states = 1;
	a->items.n = 0;
	memset(a->table, 0, a->table_size * sizeof(*a->table));
	memset(a->rows, 0, a->stride * sizeof(*a->rows));
	a->next.n = 0;
	automaton_state dead = state_place(a);
	if (dead < 0)
		return (int)dead;
	if (a->n_codes)
		node_add(a, 0, a->n_codes, 0);
	if (a->next.n != UINT32_MAX)
		items_normalize(&a->next);
	automaton_state start = state_place(a);
	if (start < 0)
		return (int)start;
	a->dead = (uint32_t)dead;
	a->start = (uint32_t)start;
	return 0;
}

void automaton_reset(struct automaton *a)
{
	/* The two states fit where they were made before. */
	ASSERT(states_begin(a) == 0);
}

automaton_state automaton_flush(struct automaton *a)
{
	struct automaton_items pending = a->next;
	a->next = (struct automaton_items){ 0 };
	int err = states_begin(a);
	free(a->next.list);
	a->next = pending;
	return err < 0 ? err : state_place(a);
}

int automaton_init(struct automaton *a, const struct code *codes, size_t n, const struct code_set *sets, size_t limit)
{
	*a = (struct automaton){ .codes = codes, .n_codes = (uint32_t)n, .sets = sets, .limit = limit };
	ASSERT(n < ITEM_DEEP);
	classes_find(a);
	a->stride = a->n_classes + 2;
	if (states_grow(a) < 0 || table_grow(a, 32) < 0)
		return -ENOMEM;
	return states_begin(a);
}

void automaton_free(struct automaton *a)
{
	free(a->rows);
	free(a->nodes);
	free(a->items.list);
	free(a->next.list);
	free(a->table);
	*a = (struct automaton){ 0 };
}

/* ---- what a state says ---------------------------------------------------------------------- */

static int number_order(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

int automaton_rules(const struct automaton *a, uint32_t state, struct automaton_rules *rules)
{
	const struct automaton_node *node = &a->nodes[a->rows[state + a->n_classes + 1]];

	rules->n = 0;
	for (uint32_t i = 0; i < node->n_items; i++) {
		struct automaton_item item = a->items.list[node->items + i];
		if (item.depth & ITEM_DEEP)
			continue;
		uint32_t end = range_find(a, item.lo, item.hi, item.depth, 0);
		if (rules->n + (end - item.lo) > rules->size) {
			size_t size = 2 * (rules->n + (end - item.lo));
			uint32_t *list = realloc(rules->list, size * sizeof(*list));
			if (!list)
				return -ENOMEM;
			rules->list = list;
			rules->size = size;
		}
		for (uint32_t k = item.lo; k < end; k++)
			rules->list[rules->n++] = a->codes[k].rule;
	}
	if (rules->n > 1) {
		qsort(rules->list, rules->n, sizeof(*rules->list), number_order);
		size_t n = 1;
		for (size_t i = 1; i < rules->n; i++)
			if (rules->list[i] != rules->list[n - 1])
				rules->list[n++] = rules->list[i];
		rules->n = n;
	}
	return 0;
}

size_t automaton_memory(const struct automaton *a)
{
	return a->n_states ? state_bytes(a, a->n_states, a->items.n) : 0;
}
