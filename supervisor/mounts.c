#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "body.h"
#include "cred_worker.h"
#include "err.h"
#include "fd.h"
#include "mountinfo.h"
#include "raise.h"
#include "target.h"

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif

#define SPACES_MAX 64	/* namespaces that are known at a time */
#define RECORDS_MAX 16384	/* what ends with its namespace is not told: then one of them is forgotten, and is no longer ours */
#define UP_STEPS   128
#define UP_TRIES   64
#define CHANGE_S   5

/* Both mounts are kept from being freed, so that their numbers mean them and no other. */
struct space {
	int root, top;		/* what "/" is, and what that is mounted on in the end. Owned */
	uint64_t root_id, top_id;
};

struct mounts {
	int proc;
	unsigned before;
	_Atomic uint64_t newest_before;
	pthread_mutex_t lock;	/* spaces and records */
	struct space spaces[SPACES_MAX];
	unsigned n_spaces, next;
	struct mount_record *records;
	size_t n_records, forgotten;
	_Atomic uint64_t generation;
	_Atomic unsigned changing;
	pthread_rwlock_t change;
	char up[3 * UP_STEPS + 1];
};

/* ---- tops ----------------------------------------------------------------------------------- */

static int number_of(int fd, uint64_t *mount, uint64_t *ino)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID | STATX_INO, &stx))
		return -errno;
	*mount = stx.stx_mnt_id;
	*ino = stx.stx_ino;
	return 0;
}

static int up_from(const struct mounts *mounts, int dir)
{
	struct raised raised;
	int fd = openat(dir, mounts->up, O_PATH | O_DIRECTORY | O_CLOEXEC);

	/* The program may stand where it may not search. */
	if (fd < 0 && errno == EACCES && raise_caps(&raised, UINT64_C(1) << CAP_DAC_READ_SEARCH)) {
		fd = openat(dir, mounts->up, O_PATH | O_DIRECTORY | O_CLOEXEC);
		raise_end(&raised);
	}
	return fd < 0 ? -errno : fd;
}

/* The top of what DIR lies in: ".." leads no further. An owned descriptor or -errno. */
static int top_of(const struct mounts *mounts, int dir)
{
	uint64_t mount, ino, above, ino_above;
	AUTO_FD at = up_from(mounts, dir);

	for (int i = 0; at >= 0 && i < UP_TRIES; i++) {
		int up = up_from(mounts, at);
		int err = up < 0 ? up : number_of(at, &mount, &ino);

		if (!err)
			err = number_of(up, &above, &ino_above);
		fd_close(at);
		at = up;
		if (err)
			return err;
		if (mount == above && ino == ino_above)
			return fd_take(&at);
	}
	return at < 0 ? at : -ENAMETOOLONG;
}

/* With the lock held. */
static struct space *space_of(struct mounts *mounts, uint64_t mount)
{
	for (unsigned i = 0; i < mounts->n_spaces; i++)
		if (mounts->spaces[i].top_id == mount || mounts->spaces[i].root_id == mount)
			return &mounts->spaces[i];
	return NULL;
}

/* The one that DIR lies in; its root (a duplicate) into *ROOT. */
static bool space_find(struct mounts *mounts, int dir, int *root)
{
	AUTO_FD top = -1;
	struct space *space;
	uint64_t mount, ino;

	if (number_of(dir, &mount, &ino))
		return false;
	for (int i = 0; i < 2; i++) {
		pthread_mutex_lock(&mounts->lock);
		space = space_of(mounts, mount);
		if (space)
			*root = fcntl(space->root, F_DUPFD_CLOEXEC, 3);
		pthread_mutex_unlock(&mounts->lock);
		if (space || i)
			return space != NULL;
		top = top_of(mounts, dir);
		if (top < 0 || number_of(top, &mount, &ino))
			return false;
	}
	return false;
}

bool mounts_attached(struct mounts *mounts, int dir)
{
	AUTO_FD root = -1;
	return space_find(mounts, dir, &root);
}

/* Both are handed over. */
static int space_add(struct mounts *mounts, int root, int its_top)
{
	AUTO_FD owned = root;
	AUTO_FD top = its_top;
	struct space space = { 0 }, old = { .root = -1, .top = -1 };
	uint64_t ino;
	int err = top < 0 ? top : number_of(root, &space.root_id, &ino);

	if (!err)
		err = number_of(top, &space.top_id, &ino);
	if (err)
		return err;
	pthread_mutex_lock(&mounts->lock);
	/* Who stands where nothing is attached would have all others forgotten. */
	if (space_of(mounts, space.root_id)) {
		pthread_mutex_unlock(&mounts->lock);
		return 0;
	}
	space.root = fd_take(&owned);
	space.top = fd_take(&top);
	if (mounts->n_spaces < SPACES_MAX) {
		mounts->spaces[mounts->n_spaces++] = space;
	} else {
		/* Never the first, which is that of the launch. */
		struct space *at = &mounts->spaces[1 + mounts->next++ % (SPACES_MAX - 1)];
		old = *at;
		*at = space;
	}
	pthread_mutex_unlock(&mounts->lock);
	fd_close(old.root);
	fd_close(old.top);
	return 0;
}

struct look { const struct target *target; int root; };

/* Apart: "/" of a namespace is what one who joins it is given. */
static int look_main(void *ctx)
{
	struct look *look = ctx;
	uint64_t effective, permitted;

	if (!cap_get(&effective, &permitted))
		(void)cap_set(permitted, permitted);
	if (setns(look->target->pidfd, (look->target->elsewhere & CLONE_NEWUSER) | CLONE_NEWNS))
		return -errno;
	(void)prctl(PR_SET_DUMPABLE, 0);
	look->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return look->root < 0 ? -errno : 0;
}

void mounts_learn(struct mounts *mounts, const struct target *target, int root)
{
	struct look look = { .target = target, .root = -1 };

	if (target->pidfd < 0 || mounts_attached(mounts, root))
		return;
	if (!body_apart(look_main, &look) && look.root >= 0)
		(void)space_add(mounts, look.root, top_of(mounts, look.root));
}

/* What lies in the old one is now found from the new one. It stays known by its number, which .top keeps. */
static void space_reroot(struct mounts *mounts, int root, uint64_t old)
{
	pthread_mutex_lock(&mounts->lock);
	for (unsigned i = 0; i < mounts->n_spaces; i++) {
		struct space *space = &mounts->spaces[i];
		int own = space->root_id == old && space->top_id == old ? fcntl(root, F_DUPFD_CLOEXEC, 3) : -1;

		if (own < 0)
			continue;
		fd_close(space->root);
		space->root = own;
	}
	pthread_mutex_unlock(&mounts->lock);
}

int mounts_rooted(struct mounts *mounts, int root, int old)
{
	int own = fcntl(root, F_DUPFD_CLOEXEC, 3), top = fcntl(root, F_DUPFD_CLOEXEC, 3);
	uint64_t mount, ino;
	/* Its own top: ".." may lead into what lies over it, the old root. */
	int err = own < 0 ? -errno : space_add(mounts, own, top < 0 ? -errno : top);

	if (!err && !number_of(old, &mount, &ino))
		space_reroot(mounts, root, mount);
	return err;
}

/* The mount of that number is no root any more. With the lock held. */
static void space_unroot(struct mounts *mounts, uint64_t mount)
{
	for (unsigned i = 0; i < mounts->n_spaces;) {
		if (mounts->spaces[i].root_id != mount) {
			i++;
			continue;
		}
		fd_close(mounts->spaces[i].root);
		fd_close(mounts->spaces[i].top);
		mounts->spaces[i] = mounts->spaces[--mounts->n_spaces];
	}
}

bool mounts_leads(struct mounts *mounts, int dir, const char *path, const struct stat *st)
{
	const char *name = path[1] ? path + 1 : ".";
	struct raised raised;
	struct stat there;
	int root = -1, err;

	if (path[0] != '/' || !space_find(mounts, dir, &root) || root < 0)
		return false;
	err = fstatat(root, name, &there, AT_SYMLINK_NOFOLLOW);
	if (err && errno == EACCES && raise_caps(&raised, UINT64_C(1) << CAP_DAC_READ_SEARCH)) {
		err = fstatat(root, name, &there, AT_SYMLINK_NOFOLLOW);
		raise_end(&raised);
	}
	fd_close(root);
	return !err && there.st_dev == st->st_dev && there.st_ino == st->st_ino;
}

/* ---- changes -------------------------------------------------------------------------------- */

/*
 * A change counts up before and after, and is counted while it lasts. Who saw one number and no change going on, and sees the same number
 * in the end, met none. One that hangs makes others look twice, and no more.
 */
struct mounts_mark mounts_mark(struct mounts *mounts)
{
	struct mounts_mark mark = { .generation = atomic_load(&mounts->generation) };

	mark.changing = atomic_load(&mounts->changing);
	return mark;
}

bool mounts_changed(struct mounts *mounts, const struct mounts_mark *mark)
{
	return mark->changing || atomic_load(&mounts->generation) != mark->generation;
}

int mounts_change(struct mounts *mounts, bool alone)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CHANGE_S;
	if (alone ? pthread_rwlock_clockwrlock(&mounts->change, CLOCK_MONOTONIC, &until) : pthread_rwlock_clockrdlock(&mounts->change, CLOCK_MONOTONIC, &until))
		return -EBUSY;
	atomic_fetch_add(&mounts->changing, 1);
	atomic_fetch_add(&mounts->generation, 1);
	return 0;
}

void mounts_change_end(struct mounts *mounts)
{
	atomic_fetch_add(&mounts->generation, 1);
	atomic_fetch_sub(&mounts->changing, 1);
	pthread_rwlock_unlock(&mounts->change);
}

/* ---- records -------------------------------------------------------------------------------- */

uint64_t mounts_id(int fd)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID_UNIQUE, &stx) || !(stx.stx_mask & STATX_MNT_ID_UNIQUE))
		return 0;
	return stx.stx_mnt_id;
}

void mount_record_free(struct mount_record *record)
{
	free(record->fstype);
	free(record->from);
	record->fstype = record->from = NULL;
}

void mounts_add(struct mounts *mounts, struct mount_record *record)
{
	struct mount_record *more;

	pthread_mutex_lock(&mounts->lock);
	if (record->id && mounts->n_records == RECORDS_MAX) {
		struct mount_record *at = &mounts->records[mounts->forgotten++ % RECORDS_MAX], old = *at;
		*at = *record;
		*record = old;
	} else if (record->id) {
		more = reallocarray(mounts->records, mounts->n_records + 1, sizeof(*more));
		if (more) {
			mounts->records = more;
			more[mounts->n_records++] = *record;
			record->fstype = record->from = NULL;
		}
	}
	pthread_mutex_unlock(&mounts->lock);
	mount_record_free(record);
}

static struct mount_record *record_of(struct mounts *mounts, uint64_t id)
{
	for (size_t i = 0; id && i < mounts->n_records; i++)
		if (mounts->records[i].id == id)
			return &mounts->records[i];
	return NULL;
}

void mounts_remove(struct mounts *mounts, uint64_t id, uint64_t number)
{
	struct mount_record *record;

	pthread_mutex_lock(&mounts->lock);
	record = record_of(mounts, id);
	if (record) {
		mount_record_free(record);
		*record = mounts->records[--mounts->n_records];
	}
	space_unroot(mounts, number);
	pthread_mutex_unlock(&mounts->lock);
}

bool mounts_find(struct mounts *mounts, uint64_t id, struct mount_record *record)
{
	const struct mount_record *found;

	pthread_mutex_lock(&mounts->lock);
	found = record_of(mounts, id);
	if (found) {
		*record = *found;
		record->fstype = strdup(found->fstype ? found->fstype : "");
		record->from = found->from ? strdup(found->from) : NULL;
	}
	pthread_mutex_unlock(&mounts->lock);
	if (found && (!record->fstype || (found->from && !record->from))) {
		mount_record_free(record);
		return false;
	}
	return found;
}

/* ---- life ----------------------------------------------------------------------------------- */

int mounts_proc(const struct mounts *mounts)
{
	return mounts->proc;
}

unsigned mounts_before(const struct mounts *mounts)
{
	return mounts->before;
}

uint64_t mounts_newest_before(struct mounts *mounts, uint64_t newest)
{
	uint64_t none = 0;

	return atomic_compare_exchange_strong(&mounts->newest_before, &none, newest) ? newest : none;
}

int mounts_new(struct mounts **mounts, int root, pid_t program)
{
	char path[40];
	struct mounts *new = calloc(1, sizeof(*new));
	int own, err;

	if (!new)
		return -ENOMEM;
	pthread_mutex_init(&new->lock, NULL);
	pthread_rwlock_init(&new->change, NULL);
	for (int i = 0; i < UP_STEPS; i++)
		memcpy(new->up + 3 * i, "../", 4);
	new->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	own = fcntl(root, F_DUPFD_CLOEXEC, 3);
	err = new->proc < 0 || own < 0 ? -errno : 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)program);
	new->before = mountinfo_count(path);
	if (!err)
		err = space_add(new, own, top_of(new, own));
	else
		fd_close(own);
	if (err) {
		mounts_free(new);
		return err;
	}
	*mounts = new;
	return 0;
}

void mounts_free(struct mounts *mounts)
{
	if (!mounts)
		return;
	for (unsigned i = 0; i < mounts->n_spaces; i++) {
		fd_close(mounts->spaces[i].root);
		fd_close(mounts->spaces[i].top);
	}
	for (size_t i = 0; i < mounts->n_records; i++)
		mount_record_free(&mounts->records[i]);
	free(mounts->records);
	fd_close(mounts->proc);
	pthread_mutex_destroy(&mounts->lock);
	pthread_rwlock_destroy(&mounts->change);
	free(mounts);
}
