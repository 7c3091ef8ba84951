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
#include <sys/stat.h>
#include <time.h>

#include "call.h"
#include "err.h"
#include "fd.h"
#include "ledger.h"
#include "store.h"
#include "syscalls.h"
#include "tally.h"

#define FLUSH_S	  1
#define VIA_SIZE  8192

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

/* An object that was opened by its spelling alone was asked for as a file and as a directory. */
void footprint_look(struct request *req)
{
	const uint32_t either = OP_BIT(OP_READ) | OP_BIT(OP_LIST);
	uint32_t *ops = &req->ops[0];
	struct stat st;

	if (req->target)
		(void)target_exe(req->target);
	if (!req->n_names || !req->objects[0].lexical || !(*ops & either))
		return;
	if (fstat(req->reply.kind == REPLY_FD ? req->reply.fd : req->objects[0].pin, &st))
		*ops &= *ops & OP_BIT(OP_READ) ? ~OP_BIT(OP_LIST) : ~0U;
	else
		*ops = S_ISDIR(st.st_mode) ? OP_BIT(OP_LIST) : *ops & ~OP_BIT(OP_LIST) & (S_ISREG(st.st_mode) ? ~0U : ~OP_BIT(OP_TRUNCATE));
}

static struct bytes bytes_of(const char *s)
{
	return (struct bytes){ s, strlen(s) };
}

static struct bytes links_of(const struct object *object, char via[VIA_SIZE])
{
	size_t len = 0;

	for (unsigned i = 0; i < object->n_links; i++) {
		size_t n = strlen(object->links[i]) + 1;
		if (len + n > VIA_SIZE)
			break;
		memcpy(via + len, object->links[i], n);
		len += n;
	}
	return (struct bytes){ via, len };
}

static enum access_verdict verdict_of(const struct request *req)
{
	if (policy_denies(&req->decision.enforced))
		return ACCESS_DENY;
	return policy_denies(&req->decision.would) ? ACCESS_WOULD_DENY : ACCESS_ALLOW;
}

/* Has it a path that a rule could speak of? */
static bool has_path(const struct object *object, uint32_t ops)
{
	return ops && object->len && object->path[0] == '/' && !object->nameless && !object->below;
}

/* False: nothing that a policy could say anything about. */
static bool describe(const struct request *req, struct access *a, char via[VIA_SIZE])
{
	const struct object *object = &req->objects[0], *other = &req->objects[1];
	const struct syscall_info *info;
	bool first = req->n_names > 0 && has_path(object, req->ops[0]), second = req->n_names > 1 && has_path(other, req->ops[1]);
	bool moves = req->ops[0] & (OP_BIT(OP_RENAME) | OP_BIT(OP_LINK)) && second;

	*a = (struct access){ .proto = -1, .verdict = verdict_of(req), .domain = { "main", 4 } };
	a->program = bytes_of(req->target ? req->target->exe : "");
	if (req->reply.kind == REPLY_DENY)
		a->error = req->reply.error < 0 ? -req->reply.error : EACCES;
	if (first) {
		a->object = (struct bytes){ object->path, object->len };
		a->ops = req->ops[0];
		a->via = links_of(object, via);
	}
	if (first && moves) {
		a->to = (struct bytes){ other->path, other->len };
		a->to_ops = req->ops[1];
		a->tree = a->ops & OP_BIT(OP_RENAME) && S_ISDIR(object->st.st_mode);
	}
	if (first)
		return true;
	/* A script's interpreter, or the name of a link that has none yet. */
	if (second) {
		a->object = (struct bytes){ other->path, other->len };
		a->ops = req->ops[1];
		return true;
	}
	/* Refused, or judged by a rule on the system call alone. */
	info = syscall_by_nr(req->notif.data.nr);
	if (req->n_names || req->n_peers || !info || (req->call && a->verdict == ACCESS_ALLOW))
		return false;
	a->object = bytes_of(info->name);
	return true;
}

static void count(struct footprint *footprint, const struct access *access)
{
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

static void note_peers(struct footprint *footprint, const struct request *req, struct access *access)
{
	char text[POLICY_PEER_TEXT];

	for (unsigned i = 0; i < req->n_peers; i++) {
		access->proto = (int)req->peers[i].proto;
		access->ops = req->peer_ops;
		access->object = bytes_of(policy_peer_text(&req->peers[i], text));
		count(footprint, access);
	}
}

void footprint_note(struct footprint *footprint, const struct request *req)
{
	char via[VIA_SIZE];
	struct access access;

	if (!describe(req, &access, via)) {
		note_peers(footprint, req, &access);
		return;
	}
	count(footprint, &access);
	/* exec of a script: the interpreter is an access of its own. */
	if (req->n_names > 1 && !access.to.len && access.object.s != req->objects[1].path && has_path(&req->objects[1], req->ops[1])) {
		const struct object *other = &req->objects[1];
		access.object = (struct bytes){ other->path, other->len };
		access.ops = req->ops[1];
		access.via = links_of(other, via);
		count(footprint, &access);
	}
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
