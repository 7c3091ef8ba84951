/*
 * A bounded queue of lines to a descriptor, written by the loop's thread through the ring.
 *
 * Any thread puts whole lines and never waits. Lines that find the queue full, or that the descriptor did not
 * take (ENOSPC, EIO, EPIPE), are lost: they are counted, and the next write that works begins with a line
 * that says how many.
 */
#ifndef USHER_SINK_H
#define USHER_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct sink;

/* A line (with its newline) about LOST lines, into BUF: its length. NULL as callback: none is written. */
typedef size_t sink_gap_fn(void *ctx, unsigned long lost, char *buf, size_t size);

/* FD is owned if OWNED. LOOP NULL: lines are written at once, by whoever puts them. LIMIT: bytes queued. */
int sink_new(struct sink **sink, struct loop *loop, int fd, bool owned, size_t limit, sink_gap_fn *gap,
	     void *ctx);
/* Another descriptor to go on with, owned, or -errno: it goes on with this one. FULL: because of the size; else of sink_reopen(). */
typedef int sink_next_fn(void *ctx, bool full);
/* Between two lines, on the loop's thread: once SIZE bytes (0: never) are in the file. HAVE: so many are there already. */
void sink_rotates(struct sink *sink, uint64_t size, uint64_t have, sink_next_fn *next, void *ctx);
/* Written lines are on the disk after so long: 0 at once, SINK_NEVER when the kernel likes. */
#define SINK_NEVER UINT64_MAX
void sink_syncs(struct sink *sink, uint64_t after_ns);
/* Lines that were put and were written are counted here, for who comes after a kill. */
void sink_counts(struct sink *sink, _Atomic uint64_t *put, _Atomic uint64_t *written);
/* On the loop's thread. */
void sink_reopen(struct sink *sink);
/* False when the line was lost. */
bool sink_put(struct sink *sink, const char *line, size_t len);
/* Lines lost so far. Any thread. */
unsigned long sink_lost(struct sink *sink);
/* On the loop's thread, while loop_run() is not running and before loop_free(): writes what is queued, for
 * two seconds at most, and frees. Returns the lines lost in all. */
unsigned long sink_free(struct sink *sink);

#endif
