/*
 * Paths decided lately, with their decision: a large automaton does not stay in the caches of the
 * processor, and a path met again should cost no more under many rules than under few.
 *
 * A path is kept in one of the few slots from its hash on and compared whole: a collision costs time,
 * nothing else. With only two places, in pairs, one in ten of the paths that fill a quarter of the slots
 * lost its place to two others every time round, and computing it again cost more than all else.
 */
#ifndef USHER_MEMO_H
#define USHER_MEMO_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

#define MEMO_PATH 118
#define MEMO_WAYS 4	/* slots where a path may be */

struct memo_slot {
	uint32_t hash, value;		/* 0: empty */
	uint16_t len;
	char path[MEMO_PATH];
};

struct memo {
	struct memo_slot *slots;
	uint32_t n;			/* a power of two; 0: no memo */
};

/* N slots. Without memory there is no memo. */
static inline void memo_init(struct memo *memo, uint32_t n)
{
	memo->slots = calloc(n, sizeof(*memo->slots));
	memo->n = memo->slots ? n : 0;
}

static inline void memo_free(struct memo *memo)
{
	free(memo->slots);
	*memo = (struct memo){ 0 };
}

/* The value of PATH, or 0. */
static inline uint32_t memo_find(const struct memo *memo, const char *path, size_t len)
{
	uint32_t hash = (uint32_t)(hash_path(path, len) >> 32);

	for (uint32_t i = 0; i < MEMO_WAYS; i++) {
		const struct memo_slot *slot = &memo->slots[(hash + i) & (memo->n - 1)];
		if (slot->hash == hash && slot->len == len && slot->value && memcmp(slot->path, path, len) == 0)
			return slot->value;
	}
	return 0;
}

static inline void memo_put(struct memo *memo, const char *path, size_t len, uint32_t value)
{
	uint32_t hash = (uint32_t)(hash_path(path, len) >> 32);
	struct memo_slot *slot = &memo->slots[hash & (memo->n - 1)];

	for (uint32_t i = 1; slot->value && i < MEMO_WAYS; i++)
		slot = &memo->slots[(hash + i) & (memo->n - 1)];
	if (slot->value)
		slot = &memo->slots[hash & (memo->n - 1)];
	*slot = (struct memo_slot){ .hash = hash, .value = value, .len = (uint16_t)len };
	memcpy(slot->path, path, len);
}

#endif
