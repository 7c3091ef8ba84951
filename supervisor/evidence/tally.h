/*
 * Accesses counted in memory, bounded: two tables that change places. Serving threads count in one, the writer reads the other.
 * Not locked: its owner is.
 */
#ifndef USHER_TALLY_H
#define USHER_TALLY_H

#include "access.h"

#define TALLY_ENTRIES 32768
#define TALLY_BYTES   (8U << 20)

struct tally_entry {
	uint64_t hash, count;
	int64_t first_ns, last_ns;
	uint32_t at;		/* of the key in .bytes */
};

struct tally {
	struct tally_entry *entries;
	uint32_t n, size;
	char *bytes;
	uint32_t used, room;
	uint32_t *table;	/* index + 1 by hash; a power of two, at least twice .size */
	uint64_t seed;		/* so that nobody can choose names that collide */
	uint64_t calls;		/* counted in all */
};

void tally_free(struct tally *tally);
/* Counts ACCESS (its .count and times aside) once. False: it is new, and there is no room. Allocates only when it must grow. */
bool tally_count(struct tally *tally, const struct access *access, int64_t now_ns);
/* The I-th access, its strings borrowed until the next change. */
void tally_read(const struct tally *tally, uint32_t i, struct access *access);
/* Forgets all, keeps the memory. */
void tally_clear(struct tally *tally);

#endif
