/* Questions to a struct open_how that was checked. */
#ifndef USHER_CALLS_OPEN_HOW_H
#define USHER_CALLS_OPEN_HOW_H

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>

/* What O_TMPFILE has beside O_DIRECTORY. */
#define TMPFILE_BIT ((uint64_t)(O_TMPFILE & ~O_DIRECTORY))

static inline bool how_has(const struct open_how *how, int flags)
{
	return (how->flags & (uint64_t)(unsigned)flags) == (uint64_t)(unsigned)flags;
}

static inline bool how_makes(const struct open_how *how)
{
	return how->flags & ((uint64_t)O_CREAT | TMPFILE_BIT);
}

static inline bool how_writes(const struct open_how *how)
{
	return how->flags & O_ACCMODE;
}

#endif
