/*
 * Leader and followers.
 *
 * How the lead passes on is in turn.h. A leader that finds its turn taken answers what it has in hand (it has done so by
 * then) and queues up as a follower. One follower is the watcher; the others wait to become that. Threads are made when
 * a watcher is missing.
 */
#include "crew.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include "broker.h"
#include "err.h"
#include "finished.h"
#include "listener.h"
#include "now.h"
#include "pace.h"
#include "park.h"
#include "pool.h"
#include "stuck.h"
#include "turn.h"

#define STACK_SIZE  (1024 * 1024)
#define JOIN_MS     2000	/* for all of them */
#define MEMBERS_MIN 32

struct member {
	struct crew *crew;
	pthread_t thread;
	struct cred_worker *worker;
	struct slot *slot;	/* in hand, empty */
	uint64_t turn;		/* while leading */
	bool following;
	struct stuck stuck;	/* in parking's list once the lead was taken from it */
};

struct crew {
	struct sandbox *sandbox;
	struct pool *pool;
	struct finished finished;	/* readable for ever once stopping */
	struct turn turn;
	_Atomic bool starved;
	bool hung_up;		/* leader only; passed on with the turn */
	struct pace pace;	/* the same */

	pthread_mutex_t lock;
	pthread_cond_t followers;
	bool watched;
	struct member *leader;
	unsigned max;
	unsigned n_idle;	/* followers that wait */
	unsigned n_members;
	unsigned n_started;	/* of them, ready to serve */
	int start_error;
	unsigned n_abandoned;
	struct member members[CREW_MAX];
};

static void *member_main(void *arg);

/* ---- members -------------------------------------------------------------------------------- */

static bool crew_stopping(const struct crew *crew)
{
	return atomic_load_explicit(&crew->turn.stopping, memory_order_relaxed);
}

static void interrupt_handler(int signal)
{
	(void)signal;
}

/* With the lock held. Nothing reaches these threads but SIGNAL_INTERRUPT. */
static int crew_hire(struct crew *crew)
{
	struct member *member;
	pthread_attr_t attr;
	sigset_t set;
	int err;

	if (crew->n_members == crew->max || crew_stopping(crew))
		return -EAGAIN;
	member = &crew->members[crew->n_members];
	member->crew = crew;
	sigfillset(&set);
	sigdelset(&set, SIGNAL_INTERRUPT);
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
		finished_wake(&member->crew->finished);
}

/* ---- following ------------------------------------------------------------------------------ */

/* From who is stuck, unless it is back already. */
static void crew_take_lead(struct member *member)
{
	struct crew *crew = member->crew;

	pthread_mutex_lock(&crew->lock);
	if (!crew->leader->following)
		parking_stuck(crew->sandbox->parking, &crew->leader->stuck);
	member->following = false;
	crew->leader = member;
	pthread_mutex_unlock(&crew->lock);
	crew_need_watcher(crew);
}

static bool crew_follow(struct member *member)
{
	struct crew *crew = member->crew;

	slot_release(member);
	pthread_mutex_lock(&crew->lock);
	parking_unstuck(crew->sandbox->parking, &member->stuck);
	member->following = true;
	crew->n_idle++;
	while (crew->watched && !crew_stopping(crew))
		pthread_cond_wait(&crew->followers, &crew->lock);
	crew->n_idle--;
	crew->watched = true;
	pthread_mutex_unlock(&crew->lock);
	if (!turn_watch(&crew->turn, &member->turn))
		return false;
	crew_take_lead(member);
	return true;
}

/* ---- leading -------------------------------------------------------------------------------- */

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

static void slot_serving(struct member *member, struct slot *slot)
{
	atomic_store_explicit(&member->stuck.target, (pid_t)slot->req.notif.pid, memory_order_relaxed);
	atomic_store_explicit(&member->stuck.interrupted, false, memory_order_relaxed);
	slot->req.worker = member->worker;
	slot->req.interrupted = &member->stuck.interrupted;
	slot->req.hurry = &member->stuck.hurry;
	atomic_store_explicit(&slot->phase, SLOT_SERVING, memory_order_relaxed);
}

/* Who has a notification in hand. */
static void lead_serve(struct member *member)
{
	struct slot *slot = member->slot;

	slot->req.start_ns = now_ns();
	slot_serving(member, slot);
	member->slot = NULL;
	slot_done(member, slot, broker_handle(&slot->req));
}

static void lead_finish(struct member *member)
{
	struct slot *slot = finished_take(&member->crew->finished);

	if (!slot)
		return;		/* a wake-up for one that was starved */
	slot_serving(member, slot);
	slot_done(member, slot, broker_finish(&slot->req, slot->result));
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

/* RECV is part of the turn here: it may block whatever poll(2) said, when a notification was withdrawn in between, and what is
 * parked would not be finished meanwhile. Then the watcher takes the lead. */
static bool lead_poll(struct member *member)
{
	struct crew *crew = member->crew;
	struct pollfd fds[2] = {
		{ .fd = crew->hung_up || !member->slot ? -1 : crew->sandbox->listener, .events = POLLIN },
		{ .fd = crew->finished.event, .events = POLLIN },
	};

	if (poll(fds, 2, -1) <= 0 || crew_stopping(crew))
		return true;
	/* POLLERR alone is a poll that was disturbed. */
	if (!fds[1].revents && !(fds[0].revents & POLLIN)) {
		if (fds[0].revents & POLLHUP)
			lead_hung_up(crew);
		return true;
	}
	turn_begin(&crew->turn, &member->turn);
	if (fds[1].revents)
		lead_finish(member);
	else if (!listener_receive(crew->sandbox->listener, &member->slot->req.notif))
		lead_serve(member);
	return turn_end(&crew->turn, &member->turn);
}

/*
 * Can nothing but the listener have work for the leader? Nothing is parked then, and who might yet park something, a leader that was
 * stuck, is back. In this order: it parks before it is back.
 */
static bool lead_alone(const struct crew *crew)
{
	return crew->sandbox->launched->kernel->recv_hangup && !atomic_load(&crew->turn.stuck) && !parking_any(crew->sandbox->parking);
}

static bool lead_receive(struct member *member)
{
	struct crew *crew = member->crew;
	int err = listener_receive(crew->sandbox->listener, &member->slot->req.notif);

	if (err) {
		struct pollfd fd = { .fd = crew->sandbox->listener };

		/* Withdrawn before it was received, or nobody is left. */
		if (err == -ENOENT && poll(&fd, 1, 0) > 0 && fd.revents & POLLHUP)
			lead_hung_up(crew);
		return true;
	}
	turn_begin(&crew->turn, &member->turn);
	lead_serve(member);
	return turn_end(&crew->turn, &member->turn);
}

/* Until the lead is lost or all is over. */
static void crew_lead(struct member *member)
{
	struct crew *crew = member->crew;
	bool leads = true;

	while (leads && !crew_stopping(crew)) {
		bool receives = !crew->hung_up && lead_slot(member) && lead_alone(crew);

		pace_turn(&crew->pace, crew->sandbox->listener);
		leads = receives ? lead_receive(member) : lead_poll(member);
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
	member->stuck.thread = pthread_self();
	if (!member_start(member)) {
		if (!lead)
			crew_need_watcher(member->crew);
		return NULL;
	}
	while (lead || crew_follow(member)) {
		crew_lead(member);
		lead = false;
		if (crew_stopping(member->crew))
			break;
	}
	parking_unstuck(member->crew->sandbox->parking, &member->stuck);
	cred_worker_stop(member->worker);
	return NULL;
}

/* ---- from outside --------------------------------------------------------------------------- */

int crew_start(struct crew **crew, struct sandbox *sandbox)
{
	struct crew *new = calloc(1, sizeof(*new));
	struct sigaction action = { .sa_handler = interrupt_handler };
	int err;

	if (!new)
		return -ENOMEM;
	new->sandbox = sandbox;
	new->leader = &new->members[0];
	new->max = parking_max(sandbox->parking) / 2;
	if (new->max < MEMBERS_MIN)
		new->max = MEMBERS_MIN;
	pthread_mutex_init(&new->lock, NULL);
	pthread_cond_init(&new->followers, NULL);
	err = finished_init(&new->finished);
	if (!err)
		err = pool_new(&new->pool, sandbox);
	if (!err && sigaction(SIGNAL_INTERRUPT, &action, NULL))
		err = -errno;
	*crew = new;
	if (!err) {
		pthread_mutex_lock(&new->lock);
		pace_begin(&new->pace, sandbox->listener, sandbox->launched->kernel->sync_wake);
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

/* Joins, waking the thread from whatever it waits in, for as long as *MS lasts: a read of memory that a dead
 * file system backs cannot be interrupted. */
static bool member_join(struct member *member, int *ms)
{
	for (;;) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += *ms > 0 ? 10 * 1000000 : 0;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		if (!pthread_timedjoin_np(member->thread, NULL, &until))
			return true;
		if (*ms <= 0)
			return false;
		*ms -= 10;
		stuck_interrupt(member->thread);
	}
}

void crew_stop(struct crew *crew)
{
	int ms = JOIN_MS;
	unsigned n;

	pthread_mutex_lock(&crew->lock);
	turn_stop(&crew->turn);
	pthread_cond_broadcast(&crew->followers);
	n = crew->n_members;
	pthread_mutex_unlock(&crew->lock);
	finished_wake(&crew->finished);
	for (unsigned i = 0; i < n; i++)
		stuck_interrupt(crew->members[i].thread);
	for (unsigned i = 0; i < n; i++)
		if (!member_join(&crew->members[i], &ms))
			crew->n_abandoned++;
}

bool crew_free(struct crew *crew)
{
	if (crew->n_abandoned)
		return false;
	finished_end(&crew->finished);
	pool_free(crew->pool);
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
	finished_put(&crew->finished, slot);
}
