/*
 * Two tallies change places: one is counted in, under the mutex, the other belongs to the writer. What could not be written stays in
 * the writer's hands and is tried again; meanwhile the other fills, and when it is full new accesses are lost, and counted.
 */
#include "footprint.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "describe.h"
#include "err.h"
#include "fd.h"
#include "ledger.h"
#include "store.h"
#include "tally.h"

#define FLUSH_S	  1

struct footprint {
	struct store *store;
	struct ledger ledger;
	int64_t run;
	pthread_t writer;

	pthread_mutex_t mutex;	/* guards what follows */
	pthread_cond_t wake;
	struct tally counting;
	bool ending, full;
	uint64_t lost;

	struct tally writing;	/* only the writer */
};

const char *footprint_suffix(size_t i)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal", "-live", NULL };
	return suffixes[i];
}

/* ---- what is counted ------------------------------------------------------------------------- */

static void count(void *ctx, const struct access *access)
{
	struct footprint *footprint = ctx;
	struct timespec now;
	bool counted;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	pthread_mutex_lock(&footprint->mutex);
	counted = tally_count(&footprint->counting, access, now.tv_sec * INT64_C(1000000000) + now.tv_nsec);
	footprint->lost += !counted;
	/* Before there is no room: the writer needs a moment. */
	if ((!counted || footprint->counting.n >= TALLY_ENTRIES / 4 * 3 || footprint->counting.used >= TALLY_BYTES / 4 * 3) && !footprint->full) {
		footprint->full = true;
		pthread_cond_signal(&footprint->wake);
	}
	atomic_fetch_add_explicit(&footprint->ledger.page->counted, 1, memory_order_relaxed);
	pthread_mutex_unlock(&footprint->mutex);
}

void footprint_note(struct footprint *footprint, const struct request *req)
{
	describe_each(req, count, footprint);
}

/* ---- the writer ------------------------------------------------------------------------------ */

/* What was written, or can never be, is not lost in a kill. */
static void write_once(struct footprint *footprint)
{
	uint64_t dropped = 0, calls = footprint->writing.calls;

	if (!calls || store_write(footprint->store, &footprint->writing, footprint->run, &dropped))
		return;
	atomic_fetch_add(&footprint->ledger.page->written, calls - dropped);
	tally_clear(&footprint->writing);
	pthread_mutex_lock(&footprint->mutex);
	footprint->lost += dropped;
	pthread_mutex_unlock(&footprint->mutex);
}

static void change_places(struct footprint *footprint)
{
	struct tally counted = footprint->counting;

	if (footprint->writing.n)
		return;
	footprint->counting = footprint->writing;
	footprint->writing = counted;
	footprint->full = false;
}

static void *writer_run(void *arg)
{
	struct footprint *footprint = arg;
	bool ending = false;

	while (!ending) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += FLUSH_S;
		pthread_mutex_lock(&footprint->mutex);
		while (!footprint->ending && !(footprint->full && !footprint->writing.n) &&
		       pthread_cond_timedwait(&footprint->wake, &footprint->mutex, &until) == 0)
			;
		ending = footprint->ending;
		change_places(footprint);
		pthread_mutex_unlock(&footprint->mutex);
		write_once(footprint);
	}
	/* What the disk did not take before, and then the rest. */
	change_places(footprint);
	write_once(footprint);
	return NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int open_files(struct footprint *footprint, struct footprint_start *start)
{
	uint64_t lost;
	int64_t run;
	AUTO_FREE char *live = NULL;
	int err = store_open(&footprint->store, start->file, true, &start->why);

	if (!err && asprintf(&live, "%s-live", start->file) < 0)
		return -ENOMEM;
	if (!err)
		err = ledger_open(&footprint->ledger, live, &lost, &run);
	if (!err && lost) {
		start->lost = lost;
		err = store_lost(footprint->store, run, lost);
	}
	if (!err)
		err = store_begin(footprint->store, start->policy, start->program, &footprint->run);
	if (!err)
		footprint->ledger.page->run = footprint->run;
	return err;
}

static void footprint_free(struct footprint *footprint)
{
	store_close(footprint->store);
	tally_free(&footprint->counting);
	tally_free(&footprint->writing);
	pthread_cond_destroy(&footprint->wake);
	pthread_mutex_destroy(&footprint->mutex);
	free(footprint);
}

int footprint_open(struct footprint **footprint, struct footprint_start *start)
{
	struct footprint *new = calloc(1, sizeof(*new));
	pthread_condattr_t clock;
	int err;

	start->lost = 0;
	start->why = NULL;
	if (!new)
		return -ENOMEM;
	new->ledger.fd = -1;
	(void)pthread_condattr_init(&clock);
	(void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&new->wake, &clock);
	(void)pthread_condattr_destroy(&clock);
	(void)pthread_mutex_init(&new->mutex, NULL);
	if (getrandom(&new->counting.seed, sizeof(new->counting.seed), 0) != sizeof(new->counting.seed))
		new->counting.seed = (uint64_t)(uintptr_t)new;
	new->writing.seed = new->counting.seed;
	err = open_files(new, start);
	if (!err)
		err = -pthread_create(&new->writer, NULL, writer_run, new);
	if (err) {
		ledger_close(&new->ledger, true);
		footprint_free(new);
		return err;
	}
	*footprint = new;
	return 0;
}

uint64_t footprint_close(struct footprint *footprint, int status)
{
	uint64_t lost;

	if (!footprint)
		return 0;
	pthread_mutex_lock(&footprint->mutex);
	footprint->ending = true;
	pthread_cond_signal(&footprint->wake);
	pthread_mutex_unlock(&footprint->mutex);
	pthread_join(footprint->writer, NULL);
	lost = footprint->lost + footprint->writing.calls + footprint->counting.calls;
	if (lost)
		(void)store_lost(footprint->store, footprint->run, lost);
	/* Without its end the run would count as killed, which is what a full disk makes of it. */
	(void)store_end(footprint->store, footprint->run, status);
	ledger_close(&footprint->ledger, true);
	footprint_free(footprint);
	return lost;
}
