/*
 * The cache of targets.
 *
 * Why an entry may be trusted. The notification names a TID; ID_VALID after the last read proves that the
 * very thread which called has that number all the while. What is read by number (process_vm_readv) is then
 * the caller's. What is read through a cached descriptor (.proc, .pidfd) is the thread's for which it was opened: if
 * that one has died and its number was given away, every use answers ESRCH; the broker forgets the entry and
 * begins again. The cached numbers and credentials would say nothing: target_get() asks the pidfd whether its thread
 * lives. It has the number then, so the notification is its own.
 *
 * Entries that serve a request are pinned by .refs; of the others the least recently used goes first.
 * The lock is never held over a system call that could wait.
 */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "body.h"
#include "err.h"
#include "fd.h"
#include "kernel.h"
#include "pidfd.h"

#define TARGETS_MAX 512		/* three descriptors each */
#define BUCKETS     1024

struct targets {
	pthread_mutex_t lock;
	const struct kernel *kernel;
	bool exec_seen, elsewhere;
	struct target *buckets[BUCKETS];
	pid_t known[BUCKETS];	/* who has called, the last one of those with one place */
	struct target *oldest, *newest;
	unsigned n, max;
	uint64_t forgotten;	/* how often */
	bool distrusted[BUCKETS];	/* leaders there may have become other threads by execve */
};

int targets_new(struct targets **targets, const struct kernel *kernel, bool exec_seen)
{
	struct targets *new = calloc(1, sizeof(*new));
	struct rlimit limit;

	if (!new)
		return -ENOMEM;
	pthread_mutex_init(&new->lock, NULL);
	new->kernel = kernel;
	new->exec_seen = exec_seen;
	new->max = TARGETS_MAX;
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur / 8 < new->max)
		new->max = (unsigned)(limit.rlim_cur / 8);
	*targets = new;
	return 0;
}

void targets_look_elsewhere(struct targets *targets)
{
	targets->elsewhere = true;
}

static void target_free(struct target *target)
{
	fd_close(target->proc);
	fd_close(target->pidfd);
	fd_close(target->status);
	cred_free(&target->cred);
	free(target);
}

void targets_free(struct targets *targets)
{
	if (!targets)
		return;
	while (targets->oldest) {
		struct target *target = targets->oldest;

		targets->oldest = target->newer;
		target_free(target);
	}
	pthread_mutex_destroy(&targets->lock);
	free(targets);
}

/* ---- the table; with the lock held ---------------------------------------------------------- */

static struct target **bucket(struct targets *targets, pid_t tid)
{
	return &targets->buckets[(unsigned)tid % BUCKETS];
}

static struct target *table_find(struct targets *targets, pid_t tid)
{
	struct target *target = *bucket(targets, tid);

	while (target && target->tid != tid)
		target = target->next;
	return target;
}

static void age_unlink(struct targets *targets, struct target *target)
{
	*(target->older ? &target->older->newer : &targets->oldest) = target->newer;
	*(target->newer ? &target->newer->older : &targets->newest) = target->older;
	target->older = target->newer = NULL;
}

static void age_append(struct targets *targets, struct target *target)
{
	target->older = targets->newest;
	target->newer = NULL;
	*(targets->newest ? &targets->newest->newer : &targets->oldest) = target;
	targets->newest = target;
}

/* Out of the table; true if nobody uses it, so that the caller frees it after unlocking. */
static bool table_remove(struct targets *targets, struct target *target)
{
	struct target **at = bucket(targets, target->tid);

	while (*at != target)
		at = &(*at)->next;
	*at = target->next;
	age_unlink(targets, target);
	target->cached = false;
	targets->n--;
	return target->refs == 0;
}

/* One that makes room, if the table is full and some entry is idle. */
static struct target *table_evict(struct targets *targets)
{
	struct target *target = targets->oldest;

	if (targets->n < targets->max)
		return NULL;
	while (target && target->refs)
		target = target->newer;
	if (target)
		table_remove(targets, target);
	return target;
}

static void table_add(struct targets *targets, struct target *target)
{
	struct target **at = bucket(targets, target->tid);

	target->next = *at;
	*at = target;
	age_append(targets, target);
	target->cached = true;
	targets->n++;
}

/* ---- making one ----------------------------------------------------------------------------- */

static int pidfd_of(const struct kernel *kernel, pid_t tid)
{
	int fd = -1;

	if (kernel->pidfd_thread)
		fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
	else
		fd = (int)syscall(SYS_pidfd_open, tid, 0);	/* EINVAL or ENOENT unless it leads */
	return fd;
}

static int target_open(const struct targets *targets, pid_t tid, struct target *target)
{
	const struct kernel *kernel = targets->kernel;
	struct pidfd_facts facts;
	char path[32];
	int pidfd, err = -ENOTTY;

	snprintf(path, sizeof(path), "/proc/%d", tid);
	target->proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target->proc < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	target->pidfd = pidfd_of(kernel, tid);
	if (target->pidfd < 0 && kernel->pidfd_thread)
		return -errno;
	pidfd = kernel->pidfd_info ? target->pidfd : -1;
	if (targets->elsewhere)
		target->elsewhere = body_namespaces(target->proc, pidfd);
	if (cred_constant() && pidfd >= 0 && !target->elsewhere) {
		err = pidfd_facts(pidfd, &facts);
		target->tgid = (pid_t)facts.tgid;
		/* Never worn, but recorded. */
		target->cred = (struct cred){
			.ruid = facts.ruid, .euid = facts.euid, .suid = facts.suid, .fsuid = facts.fsuid,
			.rgid = facts.rgid, .egid = facts.egid, .sgid = facts.sgid, .fsgid = facts.fsgid,
		};
	}
	if (err != -ENOTTY)
		return err;
	err = cred_read(target->proc, &target->cred, &target->tgid);
	if (!err && target->cred.permitted && (targets->elsewhere ? target->elsewhere : body_namespaces(target->proc, pidfd)) & CLONE_NEWUSER)
		cred_set_there(&target->cred);
	return err;
}

static int target_new(const struct targets *targets, pid_t tid, struct target **target)
{
	struct target *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	new->tid = tid;
	new->proc = new->pidfd = new->status = -1;
	new->refs = 1;
	err = target_open(targets, tid, new);
	/* What a worn identity may not see the supervisor may. */
	if ((err == -EPERM || err == -EACCES || err == -ESRCH) && cred_power()) {
		new->proc = fd_close(new->proc);
		new->pidfd = fd_close(new->pidfd);
		err = target_open(targets, tid, new);
	}
	if (err) {
		target_free(new);
		return err;
	}
	*target = new;
	return 0;
}

int target_get(struct targets *targets, pid_t tid, struct target **target)
{
	struct target *found, *old = NULL, *victim = NULL;
	uint64_t forgotten;
	int err;

	pthread_mutex_lock(&targets->lock);
	forgotten = targets->forgotten;
	found = table_find(targets, tid);
	/* Someone else's pin: a call that is stuck, of a thread whose number was given away since. */
	if (found && (found->refs || found->cred_stale || found->elsewhere ||
		      (found->tgid == tid && targets->distrusted[(unsigned)tid % BUCKETS]))) {
		if (table_remove(targets, found))
			old = found;
		found = NULL;
	}
	if (found) {
		found->refs++;
		if (targets->newest != found) {
			age_unlink(targets, found);
			age_append(targets, found);
		}
	}
	pthread_mutex_unlock(&targets->lock);
	if (old)
		target_free(old);
	if (found && target_lives(found)) {
		*target = found;
		return 0;
	}
	if (found) {
		target_forget(targets, tid);
		target_put(targets, found);
	}

	err = target_new(targets, tid, &found);
	if (err)
		return err;
	old = NULL;
	found->exe_kept = targets->exec_seen;
	pthread_mutex_lock(&targets->lock);
	/* Something was forgotten while this was read: it may be what was read before that. */
	found->cred_stale = targets->forgotten != forgotten;
	*target = table_find(targets, tid);
	if (*target && table_remove(targets, *target))
		old = *target;
	victim = table_evict(targets);
	table_add(targets, found);
	targets->known[(unsigned)tid % BUCKETS] = tid;
	targets->known[(unsigned)found->tgid % BUCKETS] = found->tgid;
	pthread_mutex_unlock(&targets->lock);
	if (old)
		target_free(old);
	if (victim)
		target_free(victim);
	*target = found;
	return 0;
}

void target_put(struct targets *targets, struct target *target)
{
	bool last;

	pthread_mutex_lock(&targets->lock);
	ASSERT(target->refs > 0);
	last = --target->refs == 0 && !target->cached;
	pthread_mutex_unlock(&targets->lock);
	if (last)
		target_free(target);
}

void target_forget(struct targets *targets, pid_t tid)
{
	struct target *own, *leader = NULL;

	pthread_mutex_lock(&targets->lock);
	targets->forgotten++;
	own = table_find(targets, tid);
	if (own && own->tgid != tid)
		leader = table_find(targets, own->tgid);
	if (own && !table_remove(targets, own))
		own = NULL;
	if (leader && !table_remove(targets, leader))
		leader = NULL;
	pthread_mutex_unlock(&targets->lock);
	if (own)
		target_free(own);
	if (leader)
		target_free(leader);
}

bool targets_know(struct targets *targets, pid_t tid)
{
	pthread_mutex_lock(&targets->lock);
	bool known = targets->known[(unsigned)tid % BUCKETS] == tid;
	pthread_mutex_unlock(&targets->lock);
	return known;
}

void target_distrust(struct targets *targets, pid_t tgid)
{
	pthread_mutex_lock(&targets->lock);
	targets->distrusted[(unsigned)tgid % BUCKETS] = true;
	pthread_mutex_unlock(&targets->lock);
}
