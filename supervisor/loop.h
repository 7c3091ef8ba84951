/*
 * The event loop: one io_uring, submitted to and reaped by one thread only. Other threads post.
 * Replacing io_uring touches loop.c and the *_done continuations only.
 */
#ifndef USHER_LOOP_H
#define USHER_LOOP_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

/* Embedded in what waits; container_of() leads back. Zero it before use. */
struct loop_op {
	void (*done)(struct loop_op *op, int result);	/* on the loop's thread; result as cqe->res */
	bool pending;
	struct loop_op *next_posted;
	struct __kernel_timespec ts;	/* of loop_timer() */
};

struct loop;
int loop_new(struct loop **loop, unsigned entries);
void loop_free(struct loop *loop);
/* Runs until loop_stop(). */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* On the loop's thread: a prepared SQE is wanted for OP. The caller fills it with io_uring_prep_*(), which must come before
 * nothing else: user data is set by loop_get() and must be set again with io_uring_sqe_set_data(sqe, op) after prep. */
struct io_uring_sqe *loop_get(struct loop *loop, struct loop_op *op);
void loop_cancel(struct loop *loop, struct loop_op *op);	/* done() is called with -ECANCELED, or had been */
int loop_timer(struct loop *loop, struct loop_op *op, uint64_t ns);	/* done(-ETIME) */
int loop_poll(struct loop *loop, struct loop_op *op, int fd, unsigned events);	/* one-shot; done(revents) */
int loop_write(struct loop *loop, struct loop_op *op, int fd, const void *data, size_t len);
int loop_fsync(struct loop *loop, struct loop_op *op, int fd);

/* From any thread, while it wears what the operations are to be done with: a personality for sqe->personality, or -errno. */
int loop_personality(struct loop *loop);
void loop_forget_personality(struct loop *loop, int personality);

/* From any thread: OP->done(op, 0) is called soon on the loop's thread. Wakes it at most once a batch. */
void loop_post(struct loop *loop, struct loop_op *op);
/* On the loop's thread: OP is not called any more, should it be posted. Nobody posts it meanwhile. */
void loop_unpost(struct loop *loop, struct loop_op *op);

#endif
