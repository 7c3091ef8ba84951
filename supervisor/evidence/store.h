/*
 * Footprints on disk: an SQLite file with the runs, and in each the accesses with their counts. It is shared by sqlite3(1):
 * select op, object, sum(count) from footprint group by 1, 2;
 */
#ifndef USHER_STORE_H
#define USHER_STORE_H

#include "access.h"

struct store;
struct tally;

struct store_run {
	int64_t id, ended_ns;	/* ended_ns 0: it was killed, or goes on */
	uint64_t lost;		/* calls that were counted and not written */
	const char *program;
};

/* For writing: made if it is not there (0600). For reading it must be there. *WHY (static or NULL) says more about an error: -EINVAL: it is
 * something else than a footprint. */
int store_open(struct store **store, const char *file, bool write, const char **why);
void store_close(struct store *store);

/* *RUN gets its number. */
int store_begin(struct store *store, const struct policy *policy, const char *program, int64_t *run);
/* All of TALLY in one transaction. *DROPPED: calls of accesses for which there is no room. 0 or -errno, and then nothing was written. */
int store_write(struct store *store, const struct tally *tally, int64_t run, uint64_t *dropped);
int store_lost(struct store *store, int64_t run, uint64_t lost);
int store_end(struct store *store, int64_t run, int status);

/* FN until it returns other than 0. That, 0, or -errno. SINCE_NS: what came last before that is left out. RUN 0: all. */
typedef int store_access_fn(void *ctx, const struct access *access);
int store_read(struct store *store, int64_t since_ns, store_access_fn *fn, void *ctx);
typedef int store_run_fn(void *ctx, const struct store_run *run);
int store_runs(struct store *store, store_run_fn *fn, void *ctx);

#endif
