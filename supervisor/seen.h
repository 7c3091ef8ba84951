/* Which denials were met before, by their hashes, and when they were shown last. */
#ifndef USHER_SEEN_H
#define USHER_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen {
	uint64_t hash;
	int64_t shown_s;
};

/* Zeroed to begin; .list is to be freed. */
struct seens {
	struct seen *list;	/* open addressing, a power of two */
	size_t n, size;
	bool full;
};

/* The entry of HASH, which is not 0, made if it is new; NULL when there is no room. */
struct seen *seen_get(struct seens *seens, uint64_t hash);

#endif
