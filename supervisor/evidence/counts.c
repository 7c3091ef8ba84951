/* Two tallies change places, as in footprint.c; the loop's thread empties the other one at once. */
#include "counts.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "err.h"
#include "loop.h"
#include "tally.h"

/* So much that the records of it find room in the log's queue. */
#define ENTRIES 8192
#define BYTES	(1U << 20)

struct counts {
	struct loop *loop;
	uint64_t every_ns;
	describe_fn *fn;
	void *ctx;
	struct loop_op timer, full;

	pthread_mutex_t mutex;	/* guards what follows */
	struct tally counting;
	bool posted;
	uint64_t lost;

	struct tally writing;	/* the loop's thread */
	bool over;
};

struct noting { struct counts *counts; int64_t now_ns; unsigned n; };

static void counts_write(struct counts *counts)
{
	pthread_mutex_lock(&counts->mutex);
	struct tally counted = counts->counting;
	counts->counting = counts->writing;
	counts->writing = counted;
	counts->posted = false;
	pthread_mutex_unlock(&counts->mutex);
	for (uint32_t i = 0; i < counts->writing.n; i++) {
		struct access access;
		tally_read(&counts->writing, i, &access);
		counts->fn(counts->ctx, &access);
	}
	tally_clear(&counts->writing);
}

static void counts_due(struct loop_op *op, int result)
{
	struct counts *counts = container_of(op, struct counts, timer);

	if (counts->over)
		loop_stop(counts->loop);
	if (counts->over || result == -ECANCELED)
		return;
	counts_write(counts);
	(void)loop_timer(counts->loop, &counts->timer, counts->every_ns);
}

static void counts_full(struct loop_op *op, int result)
{
	(void)result;
	counts_write(container_of(op, struct counts, full));
}

int counts_new(struct counts **counts, struct loop *loop, uint64_t every_ns, describe_fn *fn, void *ctx)
{
	struct counts *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	*new = (struct counts){
		.loop = loop, .every_ns = every_ns, .fn = fn, .ctx = ctx, .mutex = PTHREAD_MUTEX_INITIALIZER,
		.timer.done = counts_due, .full.done = counts_full,
	};
	if (getrandom(&new->counting.seed, sizeof(new->counting.seed), 0) != sizeof(new->counting.seed))
		new->counting.seed = (uint64_t)(uintptr_t)new;
	new->writing.seed = new->counting.seed;
	int err = loop_timer(loop, &new->timer, every_ns);
	if (err) {
		free(new);
		return err;
	}
	*counts = new;
	return 0;
}

/* With the lock held. */
static void count(void *ctx, const struct access *access)
{
	struct noting *noting = ctx;
	struct counts *counts = noting->counts;
	bool room = counts->counting.n < ENTRIES && counts->counting.used < BYTES;

	/* What is known is counted on; new ones wait for the others to be written. */
	if (tally_count(&counts->counting, access, noting->now_ns))
		noting->n++;
	else
		counts->lost++;
	if (!room && !counts->posted) {
		counts->posted = true;
		loop_post(counts->loop, &counts->full);
	}
}

unsigned counts_note(struct counts *counts, const struct request *req)
{
	struct noting noting = { .counts = counts };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	noting.now_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	pthread_mutex_lock(&counts->mutex);
	describe_each(req, count, &noting);
	pthread_mutex_unlock(&counts->mutex);
	return noting.n;
}

uint64_t counts_lost(struct counts *counts)
{
	pthread_mutex_lock(&counts->mutex);
	uint64_t lost = counts->lost;
	counts->lost = 0;
	pthread_mutex_unlock(&counts->mutex);
	return lost;
}

void counts_free(struct counts *counts)
{
	if (!counts)
		return;
	counts->over = true;
	loop_unpost(counts->loop, &counts->full);
	loop_cancel(counts->loop, &counts->timer);
	while (counts->timer.pending && loop_run(counts->loop) == 0)
		;
	counts_write(counts);
	tally_free(&counts->counting);
	tally_free(&counts->writing);
	pthread_mutex_destroy(&counts->mutex);
	free(counts);
}
