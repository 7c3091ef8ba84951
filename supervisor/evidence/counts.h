/*
 * audit { footprint every N; }: what leaves no record of its own is counted, and every so often each different access becomes one record
 * with its count.
 */
#ifndef USHER_COUNTS_H
#define USHER_COUNTS_H

#include <stdint.h>

#include "describe.h"

struct loop;
struct counts;

/* 0 or -errno. FN on the loop's thread, or on that of counts_free(). */
int counts_new(struct counts **counts, struct loop *loop, uint64_t every_ns, describe_fn *fn, void *ctx);
/* How many accesses were counted. Any thread. */
unsigned counts_note(struct counts *counts, const struct request *req);
/* Those for which there was no room, since this was asked last. */
uint64_t counts_lost(struct counts *counts);
/* While loop_run() is not running, before loop_free(): what is left goes to FN. */
void counts_free(struct counts *counts);

#endif
