/* Codes and the sets of bytes in them, with the memory that they are in. */
#include "code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SETS_MAX (UINT32_C(1) << 21)
#define BLOCK_SIZE 65536

struct code_block {
	struct code_block *next;
	size_t used, size;
	uint8_t bytes[];
};

/* ---- sets ----------------------------------------------------------------------------------- */

static uint64_t set_hash(const struct code_set *set)
{
	uint64_t hash = 0;
	for (int i = 0; i < 4; i++)
		hash = (hash ^ set->bits[i]) * UINT64_C(0x9e3779b97f4a7c15) ^ hash >> 29;
	return hash ^ hash >> 32;
}

static int sets_grow(struct code_list *codes)
{
	uint32_t size = codes->size_sets ? 2 * codes->size_sets : 16;
	struct code_set *sets = realloc(codes->sets, size * sizeof(*sets));
	if (!sets)
		return -ENOMEM;
	codes->sets = sets;
	uint32_t *table = calloc(2 * (size_t)size, sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (uint32_t i = 0; i < codes->n_sets; i++) {
		uint64_t at = set_hash(&sets[i]);
		while (table[at & (2 * size - 1)])
			at++;
		table[at & (2 * size - 1)] = i + 1;
	}
	free(codes->set_table);
	codes->set_table = table;
	codes->memory += (size - codes->size_sets) * (sizeof(*sets) + 2 * sizeof(*table));
	codes->size_sets = size;
	return 0;
}

int code_list_set(struct code_list *codes, const struct code_set *set, uint32_t *number)
{
	if (codes->n_sets == codes->size_sets && sets_grow(codes) < 0)
		return -ENOMEM;
	if (codes->n_sets == SETS_MAX)
		return -ENOMEM;
	uint64_t at = set_hash(set);
	for (;; at++) {
		uint32_t *slot = &codes->set_table[at & (2 * codes->size_sets - 1)];
		if (!*slot) {
			*number = codes->n_sets;
			codes->sets[codes->n_sets++] = *set;
			*slot = codes->n_sets;
			return 0;
		}
		if (memcmp(&codes->sets[*slot - 1], set, sizeof(*set)) == 0) {
			*number = *slot - 1;
			return 0;
		}
	}
}

int code_list_put(struct code_list *codes, const uint8_t *bytes, uint32_t len, uint32_t rule)
{
	struct code_block *block = codes->blocks;

	if (codes->n == codes->size) {
		size_t size = codes->size ? 2 * codes->size : 8;
		struct code *list = realloc(codes->list, size * sizeof(*list));
		if (!list)
			return -ENOMEM;
		codes->memory += (size - codes->size) * sizeof(*list);
		codes->list = list;
		codes->size = size;
	}
	if (!block || block->size - block->used < len) {
		/* Small lists (one pattern, two rules to compare) are made often: begin small. */
		size_t size = block ? BLOCK_SIZE : 256;
		if (size < len)
			size = len;
		block = malloc(sizeof(*block) + size);
		if (!block)
			return -ENOMEM;
		*block = (struct code_block){ .next = codes->blocks, .size = size };
		codes->blocks = block;
		codes->memory += sizeof(*block) + size;
	}
	memcpy(block->bytes + block->used, bytes, len);
	codes->list[codes->n++] = (struct code){
		.bytes = block->bytes + block->used, .len = len, .rule = rule,
	};
	block->used += len;
	return 0;
}

/* ---- lists ---------------------------------------------------------------------------------- */

void code_list_free(struct code_list *codes)
{
	while (codes->blocks) {
		struct code_block *block = codes->blocks;
		codes->blocks = block->next;
		free(block);
	}
	free(codes->list);
	free(codes->sets);
	free(codes->set_table);
	*codes = (struct code_list){ 0 };
}

static int code_order(const void *left, const void *right)
{
	const struct code *a = left, *b = right;
	uint32_t len = a->len < b->len ? a->len : b->len;
	int order = len ? memcmp(a->bytes, b->bytes, len) : 0;
	if (order)
		return order;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return a->rule < b->rule ? -1 : a->rule > b->rule;
}

void code_sort(struct code *list, size_t n)
{
	if (n > 1)
		qsort(list, n, sizeof(*list), code_order);
}

uint32_t code_literal(const struct code *code)
{
	const uint8_t *end = code->len ? memchr(code->bytes, 0, code->len) : NULL;
	return end ? (uint32_t)(end - code->bytes) : code->len;
}
