/*
 * Paths decided lately, with their decision: a large automaton does not stay in the caches of the
 * processor, and a path met again should cost no more under many rules than under few.
 *
 * Two slots for each hash, the path kept and compared whole: a collision costs time, nothing else.
 */
#ifndef USHER_MEMO_H
#define USHER_MEMO_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MEMO_PATH 118

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

static inline uint32_t memo_hash(const char *path, size_t len)
{
	const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t hash = len * factor, word;

	for (; len >= sizeof(word); len -= sizeof(word), path += sizeof(word)) {
		memcpy(&word, path, sizeof(word));
		hash = (hash ^ word) * factor;
		hash ^= hash >> 32;
	}
	word = 0;
	for (size_t i = 0; i < len; i++)
		word = word << 8 | (uint8_t)path[i];
	hash = (hash ^ word) * factor;
	return (uint32_t)(hash >> 32);
}

static inline struct memo_slot *memo_pair(const struct memo *memo, uint32_t hash)
{
	return &memo->slots[2 * (hash & (memo->n / 2 - 1))];
}

/* The value of PATH, or 0. */
static inline uint32_t memo_find(const struct memo *memo, const char *path, size_t len)
{
	uint32_t hash = memo_hash(path, len);
	const struct memo_slot *slot = memo_pair(memo, hash);

	for (int i = 0; i < 2; i++, slot++)
		if (slot->hash == hash && slot->len == len && slot->value && memcmp(slot->path, path, len) == 0)
			return slot->value;
	return 0;
}

static inline void memo_put(struct memo *memo, const char *path, size_t len, uint32_t value)
{
	uint32_t hash = memo_hash(path, len);
	struct memo_slot *pair = memo_pair(memo, hash);

	pair[1] = pair[0];
	pair[0] = (struct memo_slot){ .hash = hash, .value = value, .len = (uint16_t)len };
	memcpy(pair[0].path, path, len);
}

#endif
