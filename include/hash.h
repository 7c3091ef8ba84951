/* Of paths, eight bytes at a time. Who chooses the paths can make them collide: that may cost time, and nothing else. */
#ifndef USHER_HASH_H
#define USHER_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The upper bits are the better ones. */
static inline uint64_t hash_path(const char *path, size_t len)
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
	return (hash ^ word) * factor;
}

#endif
