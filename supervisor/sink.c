/*
 * Two buffers: lines are put into .filling under the mutex; the loop's thread takes it over as .writing and
 * writes it to the end, however short the kernel's writes are. At most one operation of a sink is under way:
 * .busy says so, and belongs to whoever set it until the buffers are empty. A line by itself is written at once; what comes
 * within GATHER_NS of a write waits for its fellows, since waking the loop for each costs more than the call that is recorded.
 *
 * A write that fails may have torn a line; the next one begins with a newline, so that only that line is
 * unreadable.
 */
#include "sink.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "loop.h"
#include "now.h"
#include "text.h"

#define GATHER_NS UINT64_C(2000000)
#define SINK_CLOSE_NS UINT64_C(2000000000)

struct sink {
	struct loop *loop;
	int fd;
	bool owned;
	size_t limit;
	sink_gap_fn *gap;
	void *ctx;

	pthread_mutex_t mutex; /* guards what follows, up to the empty line */
	struct text filling;
	unsigned long filling_lines;
	bool busy;
	unsigned long lost, unreported;

	/* Only the thread that writes. */
	struct text writing;
	size_t done,
		gap_len; /* of .writing: bytes written; bytes of the newline and the gap line at its start */
	unsigned long claimed; /* lost lines that the gap line tells of */
	bool torn, closing;
	struct loop_op wake, write, timer, gather;
	uint64_t wrote_ns;

	sink_next_fn *next;
	void *next_ctx;
	uint64_t full, bytes; /* a new file at .full; in this one there are .bytes */
	bool reopen, before; /* what is in .filling was there before .reopen, and is for the old one */
	uint64_t sync_ns, synced_ns;
	bool dirty;
	struct loop_op sync, sync_timer;
	unsigned long writing_lines;
	_Atomic uint64_t *put, *written;
};

static void sink_woken(struct loop_op *op, int result);
static void sink_gathered(struct loop_op *op, int result);
static void sink_written(struct loop_op *op, int result);
static void sink_writable(struct loop_op *op, int result);
static void sink_too_late(struct loop_op *op, int result);
static void sink_synced(struct loop_op *op, int result);
static void sink_sync_due(struct loop_op *op, int result);

int sink_new(struct sink **sink, struct loop *loop, int fd, bool owned, size_t limit, sink_gap_fn *gap,
	     void *ctx)
{
	struct sink *new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct sink){
		.loop = loop,
		.fd = fd,
		.owned = owned,
		.limit = limit,
		.gap = gap,
		.ctx = ctx,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.wake.done = sink_woken,
		.timer.done = sink_too_late,
		.gather.done = sink_gathered,
		.sync_ns = SINK_NEVER,
		.sync_timer.done = sink_sync_due,
	};
	*sink = new;
	return 0;
}

/* The buffer to write next: false when there is none, and the sink is then idle. */
static bool sink_turn(struct sink *sink)
{
	char gap[512];
	pthread_mutex_lock(&sink->mutex);
	bool more = sink->filling.len > 0 || (sink->closing && sink->unreported > 0);
	sink->done = sink->gap_len = sink->writing.len = 0;
	sink->claimed = 0;
	if (more) {
		if (sink->torn)
			text_puts(&sink->writing, "\n");
		if (sink->unreported && sink->gap) {
			sink->claimed = sink->unreported;
			text_add(&sink->writing, gap, sink->gap(sink->ctx, sink->claimed, gap, sizeof(gap)));
		}
		sink->gap_len = sink->writing.len;
		if (sink->gap_len) {
			text_add(&sink->writing, sink->filling.s ? sink->filling.s : "", sink->filling.len);
		} else {
			struct text empty = sink->writing;
			sink->writing = sink->filling;
			sink->filling = empty;
		}
		sink->filling.len = 0;
		sink->writing_lines = sink->filling_lines;
		sink->filling_lines = 0;
		sink->before = false;
	}
	more = more && sink->writing.len > 0;
	sink->busy = more;
	pthread_mutex_unlock(&sink->mutex);
	return more;
}

/* What is left of .writing cannot be written. */
static void sink_fail(struct sink *sink)
{
	unsigned long lost = 0;
	size_t from = sink->done > sink->gap_len ? sink->done : sink->gap_len;
	for (size_t i = from; i < sink->writing.len; i++)
		lost += sink->writing.s[i] == '\n';
	sink->torn = sink->done > 0 ? sink->writing.s[sink->done - 1] != '\n' : sink->torn;
	pthread_mutex_lock(&sink->mutex);
	sink->lost += lost;
	sink->unreported += lost;
	if (sink->done >= sink->gap_len)
		sink->unreported -= sink->claimed;
	pthread_mutex_unlock(&sink->mutex);
	sink->writing.len = 0;
	/* Lost, but said to be: a kill does not lose it once more. */
	if (sink->written)
		atomic_fetch_add(sink->written, sink->writing_lines);
}

static void sink_succeed(struct sink *sink)
{
	sink->bytes += sink->writing.len;
	sink->dirty = true;
	if (sink->written)
		atomic_fetch_add(sink->written, sink->writing_lines);
	pthread_mutex_lock(&sink->mutex);
	sink->unreported -= sink->claimed;
	pthread_mutex_unlock(&sink->mutex);
	sink->torn = false;
}

static void sink_rest(struct sink *sink)
{
	pthread_mutex_lock(&sink->mutex);
	sink->busy = false;
	pthread_mutex_unlock(&sink->mutex);
}

/* ---- through the ring ---- */

static void sink_submit(struct sink *sink)
{
	sink->write = (struct loop_op){ .done = sink_written };
	int error = loop_write(sink->loop, &sink->write, sink->fd, sink->writing.s + sink->done,
			       sink->writing.len - sink->done);
	if (error) {
		sink_fail(sink);
		sink_rest(sink);
	}
}

/* Nothing is under way. The old one is closed when its last line is where it is to be. */
static void sink_change(struct sink *sink)
{
	bool full = sink->full && sink->bytes >= sink->full;
	int fd;

	if (!sink->next || (!full && !sink->reopen) || sink->before)
		return;
	fd = sink->next(sink->next_ctx, full && !sink->reopen);
	sink->reopen = false;
	/* Not again at once, if that cannot be done now. */
	if (fd < 0) {
		sink->bytes = full ? sink->bytes - sink->full / 8 : sink->bytes;
		return;
	}
	if (sink->sync_ns != SINK_NEVER)
		(void)fdatasync(sink->fd);
	if (sink->owned)
		(void)fd_close(sink->fd);
	off_t end = lseek(fd, 0, SEEK_END);
	sink->fd = fd;
	sink->owned = true;
	sink->bytes = end > 0 ? (uint64_t)end : 0;
	sink->torn = false;
}

static bool sink_gathers(struct sink *sink)
{
	uint64_t since = now_ns() - sink->wrote_ns;

	pthread_mutex_lock(&sink->mutex);
	bool wait = sink->filling.len > 0 && !sink->closing && since < GATHER_NS;
	pthread_mutex_unlock(&sink->mutex);
	return wait && loop_timer(sink->loop, &sink->gather, GATHER_NS - since) == 0;
}

static void sink_turn_over(struct sink *sink)
{
	if (sink_turn(sink)) {
		sink->wrote_ns = now_ns();
		sink_submit(sink);
	} else if (sink->closing) {
		loop_stop(sink->loop);
	}
}

static void sink_next(struct sink *sink)
{
	if (!sink->sync.pending)
		sink_change(sink);
	if (!sink_gathers(sink))
		sink_turn_over(sink);
}

/* What was put before sink_reopen() is for the old one. */
static void sink_gathered(struct loop_op *op, int result)
{
	(void)result;
	sink_turn_over(container_of(op, struct sink, gather));
}

static void sink_woken(struct loop_op *op, int result)
{
	(void)result;
	sink_next(container_of(op, struct sink, wake));
}

/* What was written is to be on the disk: true when the next line has to wait for that. */
static bool sink_sync(struct sink *sink)
{
	uint64_t now = now_ns();

	if (sink->sync_ns == SINK_NEVER || !sink->dirty || sink->sync.pending)
		return false;
	if (sink->sync_ns && now - sink->synced_ns < sink->sync_ns && !sink->closing) {
		if (!sink->sync_timer.pending)
			(void)loop_timer(sink->loop, &sink->sync_timer, sink->sync_ns - (now - sink->synced_ns));
		return false;
	}
	sink->synced_ns = now;
	sink->dirty = false;
	sink->sync = (struct loop_op){ .done = sink_synced };
	return loop_fsync(sink->loop, &sink->sync, sink->fd) == 0;
}

static void sink_synced(struct loop_op *op, int result)
{
	(void)result;
	sink_next(container_of(op, struct sink, sync));
}

/* While a line is being written its end will see to it. */
static void sink_sync_due(struct loop_op *op, int result)
{
	struct sink *sink = container_of(op, struct sink, sync_timer);

	if (sink->closing) {
		loop_stop(sink->loop);
		return;
	}
	if (result != -ETIME && result != 0)
		return;
	pthread_mutex_lock(&sink->mutex);
	bool idle = !sink->busy;
	sink->busy |= idle;
	pthread_mutex_unlock(&sink->mutex);
	if (idle && !sink_sync(sink))
		sink_next(sink);
}

static void sink_written(struct loop_op *op, int result)
{
	struct sink *sink = container_of(op, struct sink, write);
	if (result > 0)
		sink->done += (size_t)result;
	if (result > 0 || result == -EINTR) {
		if (sink->done < sink->writing.len) {
			sink_submit(sink);
			return;
		}
		sink_succeed(sink);
		if (sink_sync(sink))
			return;
	} else if (result == -EAGAIN) {
		sink->write = (struct loop_op){ .done = sink_writable };
		if (loop_poll(sink->loop, &sink->write, sink->fd, POLLOUT) == 0)
			return;
		sink_fail(sink);
	} else {
		sink_fail(sink);
		/* While closing, a descriptor that fails is not tried for ever: the loss is in the summary.
		 */
		if (sink->closing) {
			sink_rest(sink);
			loop_stop(sink->loop);
			return;
		}
	}
	sink_next(sink);
}

static void sink_writable(struct loop_op *op, int result)
{
	struct sink *sink = container_of(op, struct sink, write);
	if (result < 0)
		sink_written(op, -EIO);
	else
		sink_submit(sink);
}

static void sink_too_late(struct loop_op *op, int result)
{
	(void)result;
	loop_stop(container_of(op, struct sink, timer)->loop);
}

/* ---- without a loop ---- */

static void sink_write_now(struct sink *sink)
{
	while (sink_turn(sink)) {
		while (sink->done < sink->writing.len) {
			ssize_t n =
				write(sink->fd, sink->writing.s + sink->done, sink->writing.len - sink->done);
			if (n > 0)
				sink->done += (size_t)n;
			else if (n == 0 || errno != EINTR)
				break;
		}
		if (sink->done == sink->writing.len) {
			sink_succeed(sink);
			continue;
		}
		sink_fail(sink);
		if (sink->closing) {
			sink_rest(sink);
			return;
		}
	}
}

/* ---- */

void sink_rotates(struct sink *sink, uint64_t size, uint64_t have, sink_next_fn *next, void *ctx)
{
	sink->full = size;
	sink->bytes = have;
	sink->next = next;
	sink->next_ctx = ctx;
}

void sink_syncs(struct sink *sink, uint64_t after_ns)
{
	sink->sync_ns = after_ns;
}

void sink_counts(struct sink *sink, _Atomic uint64_t *put, _Atomic uint64_t *written)
{
	sink->put = put;
	sink->written = written;
}

void sink_reopen(struct sink *sink)
{
	sink->reopen = true;
	pthread_mutex_lock(&sink->mutex);
	sink->before = sink->filling.len > 0;
	bool idle = !sink->busy;
	sink->busy |= idle;
	pthread_mutex_unlock(&sink->mutex);
	if (idle)
		sink_next(sink);
}

bool sink_put(struct sink *sink, const char *line, size_t len)
{
	bool wake = false;
	pthread_mutex_lock(&sink->mutex);
	bool room = sink->filling.len + len <= sink->limit;
	if (room) {
		text_add(&sink->filling, line, len);
		sink->filling_lines++;
		if (sink->put)
			atomic_fetch_add_explicit(sink->put, 1, memory_order_relaxed);
		wake = !sink->busy;
		sink->busy = true;
	} else {
		sink->lost++;
		sink->unreported++;
	}
	if (wake && !sink->loop) {
		pthread_mutex_unlock(&sink->mutex);
		sink_write_now(sink);
		return room;
	}
	/* Under the mutex: once .busy is seen to be set the wake must be on its way, or sink_free() would
	 * wait for nothing. */
	if (wake)
		loop_post(sink->loop, &sink->wake);
	pthread_mutex_unlock(&sink->mutex);
	return room;
}

unsigned long sink_lost(struct sink *sink)
{
	pthread_mutex_lock(&sink->mutex);
	unsigned long lost = sink->lost;
	pthread_mutex_unlock(&sink->mutex);
	return lost;
}

static bool sink_busy(struct sink *sink)
{
	pthread_mutex_lock(&sink->mutex);
	bool busy = sink->busy;
	pthread_mutex_unlock(&sink->mutex);
	return busy;
}

/* Runs the loop until the sink is idle or the time is over. */
static void sink_drain(struct sink *sink)
{
	sink->closing = true;
	loop_cancel(sink->loop, &sink->sync_timer);
	loop_cancel(sink->loop, &sink->gather);
	bool busy = sink_busy(sink);
	if ((!busy && !sink_turn(sink)) || loop_timer(sink->loop, &sink->timer, SINK_CLOSE_NS) < 0)
		return;
	if (!busy)
		sink_submit(sink);
	/* loop_run() also ends for a loop_stop() that others called before. */
	while (sink_busy(sink) && sink->timer.pending && loop_run(sink->loop) == 0)
		;
	if (sink->sync_ns != SINK_NEVER && !sink_busy(sink))
		(void)fdatasync(sink->fd);
	loop_cancel(sink->loop, &sink->timer);
	while ((sink->timer.pending || sink->sync_timer.pending || sink->gather.pending) && loop_run(sink->loop) == 0)
		;
}

unsigned long sink_free(struct sink *sink)
{
	if (!sink)
		return 0;
	if (sink->loop)
		sink_drain(sink);
	else
		sink->closing = true, sink_write_now(sink);
	unsigned long lost = sink_lost(sink);
	if (sink_busy(sink)) {
		/* The kernel still holds the buffer: it is left to it. */
		for (size_t i = sink->done; i < sink->writing.len; i++)
			lost += sink->writing.s[i] == '\n';
		return lost;
	}
	if (sink->owned)
		(void)fd_close(sink->fd);
	free(text_take(&sink->writing));
	free(text_take(&sink->filling));
	free(sink);
	return lost;
}
