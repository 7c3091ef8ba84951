/*
 * run --record: what the tree accesses, counted. Serving threads count in memory; a thread of its own writes once a second, so that
 * no disk slows a target and no kill loses more than a second.
 */
#ifndef USHER_FOOTPRINT_H
#define USHER_FOOTPRINT_H

#include "request.h"

struct footprint;

struct footprint_start {
	const char *file, *program;
	const struct policy *policy;
	/* Out: what the run before left unwritten when it was killed. */
	uint64_t lost;
	const char *why;	/* more about an error; may be NULL */
};

/* After the forks. 0, or -errno: -EBUSY: another usher records into this file; -EINVAL: it is something else. */
int footprint_open(struct footprint **footprint, struct footprint_start *start);
/* What became of REQ. Any thread. */
void footprint_note(struct footprint *footprint, const struct request *req);
/* Writes the rest. Returns the calls that were counted and could not be written. */
uint64_t footprint_close(struct footprint *footprint, int status);

/* The files that belong to FILE, which the program must not touch either: the I-th suffix, NULL past the last. */
const char *footprint_suffix(size_t i);

#endif
