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

struct loop;
struct sink;

/* A line (with its newline) about LOST lines, into BUF: its length. NULL as callback: none is written. */
typedef size_t sink_gap_fn(void *ctx, unsigned long lost, char *buf, size_t size);

/* FD is owned if OWNED. LOOP NULL: lines are written at once, by whoever puts them. LIMIT: bytes queued. */
int sink_new(struct sink **sink, struct loop *loop, int fd, bool owned, size_t limit, sink_gap_fn *gap,
	     void *ctx);
/* False when the line was lost. */
bool sink_put(struct sink *sink, const char *line, size_t len);
/* Lines lost so far. Any thread. */
unsigned long sink_lost(struct sink *sink);
/* On the loop's thread, while loop_run() is not running and before loop_free(): writes what is queued, for
 * two seconds at most, and frees. Returns the lines lost in all. */
unsigned long sink_free(struct sink *sink);

#endif
