/*
 * Leader and followers.
 *
 * .turn counts: even while the leader waits, odd while it works on something. Only the leader makes it odd; the
 * step back to even is a compare-and-swap, because there the watcher may have been first: that is how the
 * lead passes on. A leader that finds its turn taken answers what it has in hand (it has done so by then) and
 * queues up as a follower.
 *
 * One follower, the watcher, looks at .turn every half CREW_STUCK_MS, and takes the lead when it sees the same odd
 * number twice. After a while without any turn it sleeps until the next one: an idle sandbox wakes nobody. The
 * other followers wait to become the watcher. Threads are made when a watcher is missing.
 *
 * What was parked and has ended comes back through a list and a semaphore eventfd, one entry for each wake-up:
 * being stuck with one of them does not hold up the next.
 *
 * SYNC_WAKE_UP keeps both sides on one CPU. That is right for one target, which waits for its answer, and for several that
 * do little else than call: the crew is what limits them. It is wrong for several that compute meanwhile and could do so on other
 * CPUs. Every 16th time the leader asks whether something is queued already and how long a call took on average; the flag
 * follows (bench_wait: with 4 targets 17 against 26 us a call when they only call, 149 against 119 us when they compute for 150 us).
 */
#include "crew.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "broker.h"
#include "err.h"
#include "fd.h"
#include "listener.h"
#include "pool.h"

#define TICK_NS      (CREW_STUCK_MS * 1000000L / 2)
#define QUIET_TICKS  20		/* then the watcher sleeps for good */
#define SAMPLE_EVERY 16
#define SPARSE_NS    100000	/* a call in so many: targets compute */
#define DENSE_NS     50000	/* they only call */
#define STACK_SIZE   (1024 * 1024)
#define JOIN_MS      2000
#define SIGNAL_STOP  SIGRTMAX	/* gets a thread out of an interruptible wait when all is over */

enum watch { WATCH_AWAKE, WATCH_ASLEEP };

struct member {
	struct crew *crew;
	pthread_t thread;
	struct cred_worker *worker;
	struct slot *slot;	/* in hand, empty */
	uint64_t turn;		/* while leading */
};

struct crew {
	struct sandbox *sandbox;
	struct pool *pool;
	int event;		/* counts finished requests; readable for ever once stopping */
	_Atomic uint64_t turn;
	_Atomic uint32_t watch;	/* enum watch, a futex */
	_Atomic bool stopping, starved;
	bool hung_up;		/* leader only; passed on with the turn */

	unsigned samples;	/* the same */
	unsigned backlog;	/* the last samples, a bit each */
	uint64_t sampled_ns;
	bool sync;

	pthread_mutex_t lock;
	pthread_cond_t followers;
	bool watched;
	unsigned n_idle;	/* followers that wait */
	unsigned n_members;
	unsigned n_started;	/* of them, ready to serve */
	int start_error;
	unsigned n_abandoned;
	struct slot *finished, **finished_end;
	struct member members[CREW_MAX];
};

static void *member_main(void *arg);

static int futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return (int)syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void crew_signal(struct crew *crew)
{
	uint64_t one = 1;

	while (write(crew->event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* ---- members -------------------------------------------------------------------------------- */

static void stop_handler(int signal)
{
	(void)signal;
}

/* With the lock held. Nothing reaches these threads but SIGNAL_STOP. */
static int crew_hire(struct crew *crew)
{
	struct member *member;
	pthread_attr_t attr;
	sigset_t set;
	int err;

	if (crew->n_members == CREW_MAX || atomic_load(&crew->stopping))
		return -EAGAIN;
	member = &crew->members[crew->n_members];
	member->crew = crew;
	sigfillset(&set);
	sigdelset(&set, SIGNAL_STOP);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	pthread_attr_setsigmask_np(&attr, &set);
	err = pthread_create(&member->thread, &attr, member_main, member);
	pthread_attr_destroy(&attr);
	if (!err)
		crew->n_members++;
	return -err;
}

/* Somebody must watch from now on. If no thread can be had, the next one that comes free does. */
static void crew_need_watcher(struct crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->watched = false;
	if (crew->n_idle)
		pthread_cond_signal(&crew->followers);
	else
		(void)crew_hire(crew);
	pthread_mutex_unlock(&crew->lock);
}

static void slot_release(struct member *member)
{
	if (!member->slot)
		return;
	pool_put(member->crew->pool, member->slot);
	member->slot = NULL;
	if (atomic_exchange(&member->crew->starved, false))
		crew_signal(member->crew);
}

/* ---- following ------------------------------------------------------------------------------ */

static void watch_tick(struct crew *crew)
{
	struct timespec tick = { .tv_nsec = TICK_NS };

	(void)futex(&crew->watch, FUTEX_WAIT, WATCH_AWAKE, &tick);
}

static void watch_sleep(struct crew *crew, uint64_t seen)
{
	atomic_store(&crew->watch, WATCH_ASLEEP);
	/* Against the leader, which writes .turn and then reads .watch. */
	while (atomic_load(&crew->watch) == WATCH_ASLEEP && atomic_load(&crew->turn) == seen &&
	       !atomic_load(&crew->stopping))
		(void)futex(&crew->watch, FUTEX_WAIT, WATCH_ASLEEP, NULL);
	atomic_store(&crew->watch, WATCH_AWAKE);
}

/* Until the lead is had (true) or all is over. */
static bool crew_watch(struct crew *crew, uint64_t *turn)
{
	uint64_t seen = atomic_load(&crew->turn);
	unsigned quiet = 0;

	while (!atomic_load(&crew->stopping)) {
		uint64_t now;

		watch_tick(crew);
		now = atomic_load(&crew->turn);
		if (now != seen) {
			seen = now;
			quiet = 0;
		} else if (now & 1) {
			if (atomic_compare_exchange_strong(&crew->turn, &now, now + 1)) {
				*turn = seen + 1;
				return true;
			}
		} else if (++quiet > QUIET_TICKS) {
			watch_sleep(crew, seen);
			quiet = 0;
		}
	}
	return false;
}

static bool crew_follow(struct member *member)
{
	struct crew *crew = member->crew;

	slot_release(member);
	pthread_mutex_lock(&crew->lock);
	crew->n_idle++;
	while (crew->watched && !atomic_load(&crew->stopping))
		pthread_cond_wait(&crew->followers, &crew->lock);
	crew->n_idle--;
	crew->watched = true;
	pthread_mutex_unlock(&crew->lock);
	if (!crew_watch(crew, &member->turn))
		return false;
	crew_need_watcher(crew);
	return true;
}

/* ---- leading -------------------------------------------------------------------------------- */

static void turn_begin(struct member *member)
{
	struct crew *crew = member->crew;

	member->turn++;
	atomic_store(&crew->turn, member->turn);
	if (atomic_load(&crew->watch) == WATCH_ASLEEP && atomic_exchange(&crew->watch, WATCH_AWAKE) == WATCH_ASLEEP)
		(void)futex(&crew->watch, FUTEX_WAKE, 1, NULL);
}

/* False: the lead was taken meanwhile. */
static bool turn_end(struct member *member)
{
	uint64_t turn = member->turn++;

	return atomic_compare_exchange_strong(&member->crew->turn, &turn, turn + 1);
}

/* One request is over or handed on. */
static void slot_done(struct member *member, struct slot *slot, bool answered)
{
	while (!answered && atomic_exchange(&slot->phase, SLOT_HANDED) == SLOT_FINISHED) {
		/* It ended before we were done with it: nobody else will see to it. */
		atomic_store(&slot->phase, SLOT_SERVING);
		answered = broker_finish(&slot->req, slot->result);
	}
	if (!answered)
		return;
	slot_release(member);
	member->slot = slot;
}

static void lead_receive(struct member *member)
{
	struct slot *slot = member->slot;

	if (listener_receive(member->crew->sandbox->listener, &slot->req.notif))
		return;	/* ENOENT: interrupted before it was received */
	slot->req.start_ns = now_ns();
	slot->req.worker = member->worker;
	atomic_store_explicit(&slot->phase, SLOT_SERVING, memory_order_relaxed);
	member->slot = NULL;
	slot_done(member, slot, broker_handle(&slot->req));
}

static void lead_finish(struct member *member)
{
	struct crew *crew = member->crew;
	struct slot *slot;
	uint64_t one;

	if (read(crew->event, &one, sizeof(one)) < 0)
		return;
	pthread_mutex_lock(&crew->lock);
	slot = crew->finished;
	if (slot) {
		crew->finished = slot->next;
		if (!crew->finished)
			crew->finished_end = &crew->finished;
	}
	pthread_mutex_unlock(&crew->lock);
	if (!slot)
		return;		/* a wake-up for one that was starved */
	slot->req.worker = member->worker;
	atomic_store_explicit(&slot->phase, SLOT_SERVING, memory_order_relaxed);
	slot_done(member, slot, broker_finish(&slot->req, slot->result));
}

static void crew_sync(struct crew *crew, bool on)
{
	if (crew->sync != on && crew->sandbox->plan->kernel->sync_wake &&
	    !listener_sync_wake(crew->sandbox->listener, on))
		crew->sync = on;
}

/* Was something QUEUED already? Two times of the last four: parallel targets. Not once in eight: one at a time. */
static void crew_sample(struct crew *crew, bool queued)
{
	uint64_t now = now_ns(), each = (now - crew->sampled_ns) / SAMPLE_EVERY;

	crew->sampled_ns = now;
	crew->backlog = (crew->backlog << 1 | queued) & 0xff;
	if (!crew->backlog || each < DENSE_NS)
		crew_sync(crew, true);
	else if (each > SPARSE_NS && __builtin_popcount(crew->backlog & 0xf) >= 2)
		crew_sync(crew, false);
}

static int lead_poll(struct crew *crew, struct pollfd fds[2])
{
	int n;

	if (++crew->samples % SAMPLE_EVERY == 0) {
		n = poll(fds, 2, 0);
		crew_sample(crew, n > 0 && (fds[0].revents & POLLIN));
		if (n > 0)
			return n;
	}
	return poll(fds, 2, -1);
}

static void lead_hung_up(struct crew *crew)
{
	crew->hung_up = true;
	loop_post(crew->sandbox->loop, &crew->sandbox->hangup);
}

/* A request to receive with, or the notifications wait in the kernel. */
static bool lead_slot(struct member *member)
{
	struct crew *crew = member->crew;

	if (!member->slot)
		member->slot = pool_get(crew->pool);
	if (!member->slot) {
		atomic_store(&crew->starved, true);
		member->slot = pool_get(crew->pool);
	}
	return member->slot != NULL;
}

/* Until the lead is lost or all is over. */
static void crew_lead(struct member *member)
{
	struct crew *crew = member->crew;

	while (!atomic_load_explicit(&crew->stopping, memory_order_relaxed)) {
		struct pollfd fds[2] = {
			{ .fd = crew->hung_up || !lead_slot(member) ? -1 : crew->sandbox->listener, .events = POLLIN },
			{ .fd = crew->event, .events = POLLIN },
		};

		if (lead_poll(crew, fds) <= 0)
			continue;
		if (atomic_load_explicit(&crew->stopping, memory_order_relaxed))
			return;
		/* POLLERR alone is a poll that was disturbed. */
		if (!fds[1].revents && !(fds[0].revents & POLLIN)) {
			if (fds[0].revents & POLLHUP)
				lead_hung_up(crew);
			continue;
		}
		turn_begin(member);
		if (fds[1].revents)
			lead_finish(member);
		else
			lead_receive(member);
		if (!turn_end(member))
			return;
	}
}

/* Without its own umask and credentials a thread may not act for anyone. */
static bool member_start(struct member *member)
{
	struct crew *crew = member->crew;
	int err = cred_worker_start(&member->worker);

	pthread_mutex_lock(&crew->lock);
	if (err)
		crew->start_error = err;
	else
		crew->n_started++;
	pthread_cond_broadcast(&crew->followers);
	pthread_mutex_unlock(&crew->lock);
	return !err;
}

static void *member_main(void *arg)
{
	struct member *member = arg;
	bool lead = member == &member->crew->members[0];

	(void)prctl(PR_SET_NAME, "usher-crew");
	if (!member_start(member)) {
		if (!lead)
			crew_need_watcher(member->crew);
		return NULL;
	}
	while (lead || crew_follow(member)) {
		crew_lead(member);
		lead = false;
		if (atomic_load(&member->crew->stopping))
			break;
	}
	cred_worker_stop(member->worker);
	return NULL;
}

/* ---- from outside --------------------------------------------------------------------------- */

int crew_start(struct crew **crew, struct sandbox *sandbox)
{
	struct crew *new = calloc(1, sizeof(*new));
	struct sigaction action = { .sa_handler = stop_handler };
	int err;

	if (!new)
		return -ENOMEM;
	new->sandbox = sandbox;
	new->finished_end = &new->finished;
	pthread_mutex_init(&new->lock, NULL);
	pthread_cond_init(&new->followers, NULL);
	new->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	err = new->event < 0 ? -errno : pool_new(&new->pool, sandbox);
	if (!err && sigaction(SIGNAL_STOP, &action, NULL))
		err = -errno;
	*crew = new;
	if (!err) {
		pthread_mutex_lock(&new->lock);
		crew_sync(new, true);
		err = crew_hire(new);
		if (!err)
			err = crew_hire(new);
		while (!err && new->n_started < 2) {
			err = new->start_error;
			if (!err)
				pthread_cond_wait(&new->followers, &new->lock);
		}
		pthread_mutex_unlock(&new->lock);
	}
	if (err) {
		crew_stop(new);
		crew_free(new);
		*crew = NULL;
	}
	return err;
}

/* Joins, waking the thread from whatever it waits in; gives up in the end: a read of memory that a dead
 * file system backs cannot be interrupted. */
static bool member_join(struct member *member, int ms)
{
	for (; ms > 0; ms -= 10) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 10 * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		if (!pthread_timedjoin_np(member->thread, NULL, &until))
			return true;
		(void)pthread_kill(member->thread, SIGNAL_STOP);
	}
	return false;
}

void crew_stop(struct crew *crew)
{
	unsigned n;

	pthread_mutex_lock(&crew->lock);
	atomic_store(&crew->stopping, true);
	pthread_cond_broadcast(&crew->followers);
	n = crew->n_members;
	pthread_mutex_unlock(&crew->lock);
	crew_signal(crew);
	atomic_store(&crew->watch, WATCH_AWAKE);
	(void)futex(&crew->watch, FUTEX_WAKE, 1, NULL);
	for (unsigned i = 0; i < n; i++)
		if (!member_join(&crew->members[i], crew->n_abandoned ? 10 : JOIN_MS))
			crew->n_abandoned++;
}

bool crew_free(struct crew *crew)
{
	if (crew->n_abandoned)
		return false;
	while (crew->finished) {
		struct slot *slot = crew->finished;

		crew->finished = slot->next;
		request_end(&slot->req);
	}
	pool_free(crew->pool);
	fd_close(crew->event);
	pthread_cond_destroy(&crew->followers);
	pthread_mutex_destroy(&crew->lock);
	free(crew);
	return true;
}

void crew_finish(struct crew *crew, struct request *req, int result)
{
	struct slot *slot = container_of(req, struct slot, req);

	slot->result = result;
	if (atomic_exchange(&slot->phase, SLOT_FINISHED) == SLOT_SERVING)
		return;		/* the thread that parked it goes on with it */
	slot->next = NULL;
	pthread_mutex_lock(&crew->lock);
	*crew->finished_end = slot;
	crew->finished_end = &slot->next;
	pthread_mutex_unlock(&crew->lock);
	crew_signal(crew);
}
