/*
 * One ring, one thread that submits and reaps. Everything that waits by nature is an operation of it:
 * timers, parked opens and connects, audit writes.
 *
 * Other threads reach the loop through loop_post(): a lock-free stack that the loop takes whole, and an
 * eventfd that is written only when the stack was empty, so that a batch costs one wake-up. The eventfd is
 * watched by a one-shot poll and not by a read, so that no buffer of ours is the kernel's when the loop ends.
 *
 * The ring is made without SINGLE_ISSUER, because serving threads register personalities, and is never
 * entered by them: its task work must not interrupt a thread that waits in ADDFD.
 */
#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include "err.h"
#include "fd.h"

/* Workers for operations that block (opens of FIFOs): one for each that may be parked, for what ends one may be queued behind it. Idle ones
 * end by themselves. */
#define LOOP_WORKERS 4160

struct loop {
	struct io_uring ring;
	int wakeup;
	struct loop_op wakeup_op;
	_Atomic(struct loop_op *) posted;	/* newest first */
	_Atomic bool stop;
};

static void loop_wake(struct loop *loop)
{
	uint64_t one = 1;

	while (write(loop->wakeup, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void loop_woken(struct loop_op *op, int result)
{
	struct loop *loop = container_of(op, struct loop, wakeup_op);
	uint64_t count;

	if (result == -ECANCELED)
		return;
	(void)!read(loop->wakeup, &count, sizeof(count));
	(void)loop_poll(loop, op, loop->wakeup, POLLIN);
}

int loop_new(struct loop **loop, unsigned entries)
{
	struct loop *new = calloc(1, sizeof(*new));
	unsigned workers[2] = { LOOP_WORKERS, LOOP_WORKERS };
	int err;

	if (!new)
		return -ENOMEM;
	new->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = new->wakeup < 0 ? -errno : io_uring_queue_init(entries, &new->ring, IORING_SETUP_CLAMP);
	if (err) {
		fd_close(new->wakeup);
		free(new);
		return err;
	}
	/* A failure leaves the kernel's own limits, under which fewer opens wait at a time. */
	(void)io_uring_register_iowq_max_workers(&new->ring, workers);
	new->wakeup_op.done = loop_woken;
	(void)loop_poll(new, &new->wakeup_op, new->wakeup, POLLIN);
	*loop = new;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	io_uring_queue_exit(&loop->ring);
	fd_close(loop->wakeup);
	free(loop);
}

static void loop_run_posted(struct loop *loop)
{
	struct loop_op *op = atomic_exchange(&loop->posted, NULL), *first = NULL;

	while (op) {
		struct loop_op *next = op->next_posted;

		op->next_posted = first;
		first = op;
		op = next;
	}
	while (first) {
		op = first;
		first = op->next_posted;
		op->done(op, 0);
	}
}

static void loop_reap(struct loop *loop)
{
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&loop->ring, &cqe)) {
		struct loop_op *op = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&loop->ring, cqe);
		if (!op)
			continue;	/* of a cancellation */
		op->pending = false;
		op->done(op, result);
	}
}

int loop_run(struct loop *loop)
{
	int err = 0;

	while (!atomic_load(&loop->stop) && !err) {
		int n = io_uring_submit_and_wait(&loop->ring, 1);

		if (n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY)
			err = n;
		loop_reap(loop);
		loop_run_posted(loop);
	}
	atomic_store(&loop->stop, false);
	return err;
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
	loop_wake(loop);
}

struct io_uring_sqe *loop_get(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	while (!sqe) {
		int n = io_uring_submit(&loop->ring);

		ASSERT(n >= 0 || n == -EINTR || n == -EAGAIN || n == -EBUSY);
		sqe = io_uring_get_sqe(&loop->ring);
	}
	memset(sqe, 0, sizeof(*sqe));
	io_uring_sqe_set_data(sqe, op);
	if (op)
		op->pending = true;
	return sqe;
}

void loop_cancel(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe;

	if (!op->pending)
		return;
	sqe = loop_get(loop, NULL);
	io_uring_prep_cancel(sqe, op, 0);
	io_uring_sqe_set_data(sqe, NULL);
}

int loop_timer(struct loop *loop, struct loop_op *op, uint64_t ns)
{
	struct io_uring_sqe *sqe = loop_get(loop, op);

	op->ts.tv_sec = (long long)(ns / 1000000000);
	op->ts.tv_nsec = (long long)(ns % 1000000000);
	io_uring_prep_timeout(sqe, &op->ts, 0, 0);
	io_uring_sqe_set_data(sqe, op);
	return 0;
}

int loop_poll(struct loop *loop, struct loop_op *op, int fd, unsigned events)
{
	struct io_uring_sqe *sqe = loop_get(loop, op);

	io_uring_prep_poll_add(sqe, fd, events);
	io_uring_sqe_set_data(sqe, op);
	return 0;
}

int loop_write(struct loop *loop, struct loop_op *op, int fd, const void *data, size_t len)
{
	struct io_uring_sqe *sqe = loop_get(loop, op);

	io_uring_prep_write(sqe, fd, data, (unsigned)len, (__u64)-1);
	io_uring_sqe_set_data(sqe, op);
	return 0;
}

int loop_fsync(struct loop *loop, struct loop_op *op, int fd)
{
	struct io_uring_sqe *sqe = loop_get(loop, op);

	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	io_uring_sqe_set_data(sqe, op);
	return 0;
}

int loop_personality(struct loop *loop)
{
	return io_uring_register_personality(&loop->ring);
}

void loop_forget_personality(struct loop *loop, int personality)
{
	(void)io_uring_unregister_personality(&loop->ring, personality);
}

void loop_post(struct loop *loop, struct loop_op *op)
{
	struct loop_op *first = atomic_load(&loop->posted);

	do
		op->next_posted = first;
	while (!atomic_compare_exchange_weak(&loop->posted, &first, op));
	if (!first)
		loop_wake(loop);
}

void loop_unpost(struct loop *loop, struct loop_op *op)
{
	struct loop_op *posted = atomic_exchange(&loop->posted, NULL), *next;

	for (; posted; posted = next) {
		next = posted->next_posted;
		if (posted != op)
			loop_post(loop, posted);
	}
}
