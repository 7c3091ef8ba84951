/*
 * What is decided is a path; what acts is a pinned parent and one name in it. Who moves the parent in between would have it
 * done at another path, where others may have put something by then. The tree moves directories by rename only, that is through
 * us: whatever acts on a name holds a lock, shared; a rename holds it alone, and counts the directories that it moves. Who finds
 * that count changed since the name was resolved looks where the parent is now, and decides again.
 *
 * There is a lock for each file system, since no rename leads from one to another: one that hangs delays no other. (Two may share
 * a lock.)
 */
#include "calls/entry.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "decide.h"
#include "err.h"
#include "mounts.h"
#include "sandbox.h"

#define LOOK_NS 50000000	/* so often a signal is looked for while a lock is waited for */

void entry_locks_init(struct entry_locks *locks)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	/* A rename would wait for ever among many who create. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (unsigned i = 0; i < ENTRY_LOCKS; i++)
		pthread_rwlock_init(&locks->locks[i], &attr);
	pthread_rwlockattr_destroy(&attr);
}

unsigned entry_moved(const struct sandbox *sandbox)
{
	return atomic_load(&sandbox->entries.moves);
}

void entry_moves(struct request *req)
{
	atomic_fetch_add(&req->sandbox->entries.moves, 1);
}

void entry_release(pthread_rwlock_t **held)
{
	if (*held)
		pthread_rwlock_unlock(*held);
	*held = NULL;
}

static int entry_parent(const struct request *req, struct object *object)
{
	if (object->parent >= 0)
		return 0;
	if (!object->lexical)
		return object->err ? object->err : -ENOENT;
	return object_lexical_parent(req->sandbox->resolver, object);
}

int entry_look(struct request *req, struct object *object, uint32_t ops)
{
	size_t last = strlen(object->last), len;
	char path[PATH_MAX];
	struct stat st;
	ssize_t got;
	int err = entry_parent(req, object);

	if (err || req->moves == entry_moved(req->sandbox))
		return err;
	got = resolve_path_of(req->sandbox->resolver, object->parent, path, sizeof(path));
	object->below = got == -ENAMETOOLONG;
	if (object->below)
		got = resolve_path_above(req->sandbox->resolver, object->parent, object->path, sizeof(path));
	if (got <= 0)
		return got ? (int)got : -ENOENT;
	/* What was taken away since has a path that means nothing. */
	if (req->sandbox->mounts && !mounts_attached(req->sandbox->mounts, object->parent))
		return -EACCES;
	if (object->below) {
		object->len = (size_t)got;
		return decide_again(req, object, ops);
	}
	len = got == 1 ? 0 : (size_t)got;
	if (len + last + 2 > sizeof(path))
		return -ENAMETOOLONG;
	path[len++] = '/';
	memcpy(path + len, object->last, last + 1);
	len += last;
	if (len == object->len && !memcmp(path, object->path, len))
		return 0;
	if (fstat(object->parent, &st) || !st.st_nlink)
		return -ENOENT;
	memcpy(object->path, path, len + 1);
	object->len = len;
	return decide_again(req, object, ops);
}

/* Whoever holds the lock may be stuck in its file system: a signal gets the target out of waiting for it. */
static int entry_lock(const struct request *req, pthread_rwlock_t *lock, bool alone)
{
	int err;

	do {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += LOOK_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		err = (alone ? pthread_rwlock_clockwrlock : pthread_rwlock_clockrdlock)(lock, CLOCK_MONOTONIC, &until);
		if (err == ETIMEDOUT && *req->interrupted)
			return -EINTR;
	} while (err == ETIMEDOUT);
	ASSERT(!err);
	return 0;
}

int entry_hold(struct request *req, struct object *object, uint32_t ops, bool alone, pthread_rwlock_t **held)
{
	pthread_rwlock_t *lock;
	struct stat st;
	int err = entry_parent(req, object);

	if (err)
		return err;
	if (fstat(object->parent, &st))
		return -errno;
	lock = &req->sandbox->entries.locks[(st.st_dev ^ st.st_dev >> 8) % ENTRY_LOCKS];
	err = (alone ? pthread_rwlock_trywrlock : pthread_rwlock_tryrdlock)(lock) ? entry_lock(req, lock, alone) : 0;
	if (err)
		return err;
	*held = lock;
	return entry_look(req, object, ops);
}
