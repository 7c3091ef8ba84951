/*
 * Life of a parked request. park() prepares it on the serving thread, whose credentials become a personality
 * of the ring. park_submit() posts it to the loop, which starts the operation and its timer. When both are
 * over the request goes to crew_finish() and a serving thread answers.
 *
 * One timer samples all of them, and the serving threads that are stuck: is the target still in its call, and has a signal been
 * delivered to it? Both cancel the operation; which of them, or the result if that was first, decides the answer. An open of a FIFO
 * is never tried inline: the ring's first attempt is non-blocking, which a FIFO takes for an O_NONBLOCK open,
 * so that it goes to a worker (IOSQE_ASYNC).
 */
#include "park.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "crew.h"
#include "err.h"
#include "fd.h"
#include "listener.h"
#include "loop.h"
#include "now.h"
#include "sandbox.h"

#define SAMPLE_MIN_NS 5000000
#define SAMPLE_MAX_NS 50000000
#define SAMPLE_COST   200000	/* per parked request: sampling takes about 5 % of a CPU at most */
#define FREE_NS       1000000000

struct parked {
	struct park park;	/* req->park */
	struct parking *parking;
	struct request *req;
	struct loop_op posted, op, timer;
	int personality;	/* 0: none */
	bool cancelled;
	int result;
	char path[32];
	struct parked *next, **at;
};

struct parking {
	struct sandbox *sandbox;
	unsigned max;
	_Atomic unsigned n;		/* prepared, and not yet forgotten */
	_Atomic unsigned submitted;	/* of them, until they are over */
	/* the loop's thread: */
	struct parked *list;
	struct loop_op sampler, posted;
	uint64_t interval, due_ns;
	bool closing, cut;
	struct loop_op deadline;

	struct stuck_list stuck;
	_Atomic bool stuck_posted;
};

static struct parked *parked_of(struct park *park_of)
{
	return container_of(park_of, struct parked, park);
}

/* ---- on the loop's thread ------------------------------------------------------------------- */

static void parked_cancel(struct parked *parked, enum park_end end)
{
	if (parked->cancelled)
		return;
	parked->cancelled = true;
	parked->park.end = end;
	loop_cancel(parked->parking->sandbox->loop, &parked->op);
}

static bool parking_busy(const struct parking *parking)
{
	return atomic_load(&parking->submitted) || parking->sampler.pending || parking->deadline.pending;
}

/* At the end: timers last, then the loop may stop. */
static void parking_settle(struct parking *parking)
{
	if (!parking->closing)
		return;
	if (!atomic_load(&parking->submitted)) {
		loop_cancel(parking->sandbox->loop, &parking->sampler);
		loop_cancel(parking->sandbox->loop, &parking->deadline);
	}
	if (!parking_busy(parking))
		loop_stop(parking->sandbox->loop);
}

/* What a cancelled operation ends with; the raw codes of the kernel leak through io-wq. */
static bool was_interrupted(int result)
{
	return result == -ECANCELED || result == -EINTR || (result <= -512 && result >= -516);
}

static void parked_over(struct parked *parked)
{
	struct parking *parking = parked->parking;

	if (parked->op.pending || parked->timer.pending)
		return;
	if (!parked->cancelled || !was_interrupted(parked->result))
		parked->park.end = PARK_DONE;
	if (was_interrupted(parked->result))
		parked->result = -EINTR;
	if (parked->personality)
		loop_forget_personality(parking->sandbox->loop, parked->personality);
	parked->personality = 0;
	*parked->at = parked->next;
	if (parked->next)
		parked->next->at = parked->at;
	atomic_fetch_sub(&parking->submitted, 1);
	parking_settle(parking);
	crew_finish(parking->sandbox->crew, parked->req, parked->result);
}

static void parked_op_done(struct loop_op *op, int result)
{
	struct parked *parked = container_of(op, struct parked, op);

	parked->result = result;
	loop_cancel(parked->parking->sandbox->loop, &parked->timer);
	parked_over(parked);
}

static void parked_timer_done(struct loop_op *op, int result)
{
	struct parked *parked = container_of(op, struct parked, timer);

	(void)result;
	if (parked->op.pending)
		parked_cancel(parked, PARK_TIMEOUT);
	parked_over(parked);
}

static void parked_look(struct parked *parked)
{
	struct request *req = parked->req;

	if (parked->cancelled)
		return;
	/* Only dying takes a thread out of its call; the listener is not asked, for each question goes through all that waits. */
	switch (target_state(req->target->proc)) {
	case '\0':
	case 'Z':
	case 'X':
		parked_cancel(parked, PARK_GONE);
		break;
	case 'D':
		parked_cancel(parked, PARK_INTERRUPTED);
		break;
	}
}

static uint64_t sampler_wait(const struct parking *parking)
{
	uint64_t least = (uint64_t)(atomic_load(&parking->n) + atomic_load(&parking->stuck.n)) * SAMPLE_COST;

	return parking->interval < least ? least : parking->interval;
}

static void sampler_start(struct parking *parking)
{
	uint64_t wait = sampler_wait(parking);

	if (parking->sampler.pending || (!parking->list && (!atomic_load(&parking->stuck.n) || parking->closing)))
		return;
	parking->due_ns = now_ns() + wait;
	(void)loop_timer(parking->sandbox->loop, &parking->sampler, wait);
}

/* For one that has just been parked. A turn that comes soon enough stays: it would never come if each one put it off. */
static void sampler_hurry(struct parking *parking)
{
	parking->interval = SAMPLE_MIN_NS;
	if (parking->sampler.pending && parking->due_ns > now_ns() + sampler_wait(parking))
		loop_cancel(parking->sandbox->loop, &parking->sampler);	/* and again, with the short interval */
	sampler_start(parking);
}

static void sampler_done(struct loop_op *op, int result)
{
	struct parking *parking = container_of(op, struct parking, sampler);

	if (result == -ETIME) {
		for (struct parked *parked = parking->list, *next; parked; parked = next) {
			next = parked->next;
			parked_look(parked);
		}
		stuck_look(&parking->stuck);
		parking->interval *= 2;
		if (parking->interval > SAMPLE_MAX_NS)
			parking->interval = SAMPLE_MAX_NS;
	}
	sampler_start(parking);
	parking_settle(parking);
}

static void parking_posted(struct loop_op *op, int result)
{
	struct parking *parking = container_of(op, struct parking, posted);

	(void)result;
	atomic_store(&parking->stuck_posted, false);
	sampler_hurry(parking);
}

static void parked_prepare(struct parked *parked, struct io_uring_sqe *sqe)
{
	const struct park *what = &parked->park;

	switch (what->op) {
	case PARK_OPEN:
		io_uring_prep_openat(sqe, AT_FDCWD, parked->path, what->flags | O_CLOEXEC | O_NOCTTY, what->mode);
		sqe->flags |= IOSQE_ASYNC;
		break;
	case PARK_CONNECT:
		io_uring_prep_connect(sqe, what->fd, what->addr, what->addr_len);
		break;
	case PARK_SENDMSG:
		io_uring_prep_sendmsg(sqe, what->fd, what->msg, (unsigned)what->flags);
		break;
	case PARK_ACCEPT:
		io_uring_prep_accept(sqe, what->fd, (struct sockaddr *)(uintptr_t)what->addr, what->len, what->flags);
		break;
	case PARK_POLL:
		io_uring_prep_poll_add(sqe, what->fd, (unsigned)what->flags);
		break;
	}
	if (parked->personality)
		sqe->personality = (__u16)parked->personality;
	io_uring_sqe_set_data(sqe, &parked->op);
}

static void parked_start(struct loop_op *op, int result)
{
	struct parked *parked = container_of(op, struct parked, posted);
	struct parking *parking = parked->parking;
	struct loop *loop = parking->sandbox->loop;
	const struct timespec *timeout = &parked->park.timeout;

	(void)result;
	parked->next = parking->list;
	parked->at = &parking->list;
	if (parked->next)
		parked->next->at = &parked->next;
	parking->list = parked;
	parked_prepare(parked, loop_get(loop, &parked->op));
	if (timeout->tv_sec || timeout->tv_nsec)
		(void)loop_timer(loop, &parked->timer, (uint64_t)timeout->tv_sec * 1000000000 + (uint64_t)timeout->tv_nsec);
	sampler_hurry(parking);
	if (parking->closing)
		parked_cancel(parked, PARK_GONE);
}

/* ---- from serving threads ------------------------------------------------------------------- */

int park(struct request *req, const struct park *what)
{
	struct parking *parking = req->sandbox->parking;
	struct parked *parked;

	if (atomic_fetch_add(&parking->n, 1) >= parking->max) {
		atomic_fetch_sub(&parking->n, 1);
		return -EAGAIN;
	}
	parked = calloc(1, sizeof(*parked));
	if (!parked) {
		atomic_fetch_sub(&parking->n, 1);
		return -ENOMEM;
	}
	parked->parking = parking;
	parked->park = *what;
	parked->req = req;
	parked->posted.done = parked_start;
	parked->op.done = parked_op_done;
	parked->timer.done = parked_timer_done;
	object_proc_path(what->fd, parked->path, sizeof(parked->path));
	if (!cred_constant()) {
		parked->personality = loop_personality(req->sandbox->loop);
		if (parked->personality < 0) {
			int err = parked->personality;

			free(parked);
			atomic_fetch_sub(&parking->n, 1);
			return err;
		}
	}
	park_free(req);
	req->park = &parked->park;
	req->parked = true;
	req->reply.kind = REPLY_PARKED;
	return 0;
}

void park_submit(struct request *req)
{
	atomic_fetch_add(&req->sandbox->parking->submitted, 1);
	loop_post(req->sandbox->loop, &parked_of(req->park)->posted);
}

void park_free(struct request *req)
{
	struct parked *parked;

	if (!req->park)
		return;
	parked = parked_of(req->park);
	if (parked->personality > 0)
		loop_forget_personality(req->sandbox->loop, parked->personality);
	atomic_fetch_sub(&parked->parking->n, 1);
	req->park = NULL;
	free(parked);
}

void parking_stuck(struct parking *parking, struct stuck *stuck)
{
	stuck_add(&parking->stuck, stuck);
	if (!atomic_exchange(&parking->stuck_posted, true))
		loop_post(parking->sandbox->loop, &parking->posted);
}

void parking_unstuck(struct parking *parking, struct stuck *stuck)
{
	stuck_remove(&parking->stuck, stuck);
}

bool parking_any(const struct parking *parking)
{
	return atomic_load(&parking->n);
}

unsigned parking_max(const struct parking *parking)
{
	return parking->max;
}

/* ---- life ----------------------------------------------------------------------------------- */

int parking_new(struct parking **parking, struct sandbox *sandbox)
{
	struct parking *new = calloc(1, sizeof(*new));
	struct rlimit limit;

	if (!new)
		return -ENOMEM;
	new->max = PARKED_MAX;
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur / PARKED_FDS < new->max)
		new->max = (unsigned)(limit.rlim_cur / PARKED_FDS);
	new->sandbox = sandbox;
	new->sampler.done = sampler_done;
	new->interval = SAMPLE_MIN_NS;
	new->posted.done = parking_posted;
	pthread_mutex_init(&new->stuck.lock, NULL);
	*parking = new;
	return 0;
}

static void deadline_done(struct loop_op *op, int result)
{
	struct parking *parking = container_of(op, struct parking, deadline);

	if (result == -ETIME) {
		parking->cut = true;
		loop_stop(parking->sandbox->loop);
	}
	parking_settle(parking);
}

void parking_stop(struct parking *parking)
{
	parking->closing = true;
	parking->deadline.done = deadline_done;
	loop_unpost(parking->sandbox->loop, &parking->posted);
	for (struct parked *parked = parking->list; parked; parked = parked->next)
		parked_cancel(parked, PARK_GONE);
	if (!parking_busy(parking))
		return;
	(void)loop_timer(parking->sandbox->loop, &parking->deadline, FREE_NS);
	if (!parking->list && !atomic_load(&parking->submitted))
		parking_settle(parking);
	/* Others stop the loop too. */
	while (parking_busy(parking) && !parking->cut)
		if (loop_run(parking->sandbox->loop))
			return;
}

/* What could not be cancelled (on a dead file system) still refers to it. */
void parking_free(struct parking *parking)
{
	if (parking && !atomic_load(&parking->n) && !parking_busy(parking))
		free(parking);
}
