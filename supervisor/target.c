/*
 * The cache of targets.
 *
 * Why an entry may be trusted. The notification names a TID; ID_VALID after the last read proves that the
 * very thread which called has that number all the while. What is read by number (process_vm_readv) is then
 * the caller's. What is read through a cached descriptor (.proc, .pidfd) is the thread's for which it was opened: if
 * that one has died and its number was given away, every use answers ESRCH; the broker forgets the entry and
 * begins again. Only cached credentials would say nothing: where they can differ, target_get() asks the
 * pidfd whether its thread lives.
 *
 * Entries that serve a request are pinned by .refs; of the others the least recently used goes first.
 * The lock is never held over a system call that could wait.
 */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "err.h"
#include "fd.h"
#include "kernel.h"
#include "pidfd.h"

#define TARGETS_MAX 512		/* two descriptors each */
#define BUCKETS     1024

struct targets {
	pthread_mutex_t lock;
	const struct kernel *kernel;
	bool exec_seen;
	struct target *buckets[BUCKETS];
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

static void target_free(struct target *target)
{
	fd_close(target->proc);
	fd_close(target->pidfd);
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

static int target_open(const struct kernel *kernel, pid_t tid, struct target *target)
{
	struct pidfd_facts facts;
	char path[32];
	int err = -ENOTTY;

	snprintf(path, sizeof(path), "/proc/%d", tid);
	target->proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target->proc < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	target->pidfd = pidfd_of(kernel, tid);
	if (target->pidfd < 0 && kernel->pidfd_thread)
		return -errno;
	if (cred_constant() && kernel->pidfd_info && target->pidfd >= 0) {
		err = pidfd_facts(target->pidfd, &facts);
		target->tgid = (pid_t)facts.tgid;
		/* Never worn, but recorded. */
		target->cred = (struct cred){
			.ruid = facts.ruid, .euid = facts.euid, .suid = facts.suid, .fsuid = facts.fsuid,
			.rgid = facts.rgid, .egid = facts.egid, .sgid = facts.sgid, .fsgid = facts.fsgid,
		};
	}
	if (err == -ENOTTY)
		err = cred_read(target->proc, &target->cred, NULL, &target->tgid);
	return err;
}

static int target_new(const struct kernel *kernel, pid_t tid, struct target **target)
{
	struct target *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	new->tid = tid;
	new->proc = new->pidfd = -1;
	new->refs = 1;
	err = target_open(kernel, tid, new);
	/* What a worn identity may not see the supervisor may. */
	if ((err == -EPERM || err == -EACCES || err == -ESRCH) && cred_power()) {
		new->proc = fd_close(new->proc);
		new->pidfd = fd_close(new->pidfd);
		err = target_open(kernel, tid, new);
	}
	if (err) {
		target_free(new);
		return err;
	}
	*target = new;
	return 0;
}

/* Does the thread for which it was opened still live? */
static bool target_lives(const struct target *target)
{
	struct pollfd poll_fd = { .fd = target->pidfd, .events = POLLIN };

	if (target->pidfd >= 0)
		return poll(&poll_fd, 1, 0) == 0;
	return !faccessat(target->proc, "stat", F_OK, 0);
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
	if (found && (found->refs || found->cred_stale ||
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
	if (found && (cred_constant() || target_lives(found))) {
		*target = found;
		return 0;
	}
	if (found) {
		target_forget(targets, tid);
		target_put(targets, found);
	}

	err = target_new(targets->kernel, tid, &found);
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

void target_distrust(struct targets *targets, pid_t tgid)
{
	pthread_mutex_lock(&targets->lock);
	targets->distrusted[(unsigned)tgid % BUCKETS] = true;
	pthread_mutex_unlock(&targets->lock);
}

/* ---- what it has ---------------------------------------------------------------------------- */

/* Before 6.9 a thread that does not lead has no pidfd; its leader's serves while they share descriptors. */
static int target_fd_shared(struct target *target, int dirfd)
{
	AUTO_FD leader = -1;
	int fd;

	if (syscall(SYS_kcmp, target->tid, target->tgid, KCMP_FILES, 0, 0) != 0)
		return -EACCES;
	leader = (int)syscall(SYS_pidfd_open, target->tgid, 0);
	if (leader < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, leader, dirfd, 0);
	return fd < 0 ? -errno : fd;
}

static int target_fd_once(struct target *target, int dirfd)
{
	int fd;

	if (target->pidfd < 0)
		return target_fd_shared(target, dirfd);
	fd = (int)syscall(SYS_pidfd_getfd, target->pidfd, dirfd, 0);
	return fd < 0 ? -errno : fd;
}

int target_fd(struct target *target, int dirfd)
{
	int fd;

	if (dirfd < 0)
		return -EBADF;
	fd = target_fd_once(target, dirfd);
	if ((fd == -EPERM || fd == -EACCES) && cred_power())
		fd = target_fd_once(target, dirfd);
	return fd;
}

static int target_link(struct target *target, const char *name)
{
	int fd = openat(target->proc, name, O_PATH | O_CLOEXEC);

	if (fd < 0 && (errno == EPERM || errno == EACCES) && cred_power())
		fd = openat(target->proc, name, O_PATH | O_CLOEXEC);
	/* ENOENT: it is exiting and has let go of its directories. */
	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

int target_cwd(struct target *target)
{
	return target_link(target, "cwd");
}

int target_root(struct target *target)
{
	return target_link(target, "root");
}

int target_umask(struct target *target, mode_t *mask)
{
	struct cred cred;
	int err = cred_read(target->proc, &cred, mask, NULL);

	if (!err)
		cred_free(&cred);
	return err;
}

/* "Max open files            1024                 4096                 files": for those whom
 * prlimit(2) asks for CAP_SYS_RESOURCE. */
static int limits_parse(const char *text, int resource, uint64_t *soft)
{
	static const char *const names[] = {
		[RLIMIT_FSIZE] = "Max file size ",
		[RLIMIT_NOFILE] = "Max open files ",
	};
	const char *at;

	if (resource < 0 || (size_t)resource >= ARRAY_SIZE(names) || !names[resource])
		return -EPERM;
	at = strstr(text, names[resource]);
	if (!at)
		return -EBADMSG;
	at += strlen(names[resource]);
	at += strspn(at, " ");
	*soft = *at == 'u' ? (uint64_t)RLIM64_INFINITY : strtoull(at, NULL, 10);
	return 0;
}

static int proc_text(struct target *target, const char *name, char *buf, size_t size)
{
	AUTO_FD fd = openat(target->proc, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n ? 0 : -ESRCH;
}

int target_rlimit(struct target *target, int resource, uint64_t *soft)
{
	struct rlimit limit;
	char text[4096];
	int err;

	if (!prlimit(target->tid, (enum __rlimit_resource)resource, NULL, &limit)) {
		*soft = limit.rlim_cur;
		return 0;
	}
	if (errno != EPERM)
		return -errno;
	err = proc_text(target, "limits", text, sizeof(text));
	return err ? err : limits_parse(text, resource, soft);
}

/* Past the name, which may hold anything: " S 1 2 3..." */
static const char *stat_fields(struct target *target, char *buf, size_t size)
{
	const char *at;

	if (proc_text(target, "stat", buf, size))
		return NULL;
	at = strrchr(buf, ')');
	return at && at[1] == ' ' ? at + 2 : NULL;
}

char target_state(struct target *target)
{
	char buf[1024];
	const char *at = stat_fields(target, buf, sizeof(buf));

	return at ? *at : 0;
}

int target_tty(struct target *target, unsigned *rdev)
{
	char buf[1024];
	const char *at = stat_fields(target, buf, sizeof(buf));
	int tty;

	if (!at)
		return -ESRCH;
	if (sscanf(at, "%*c %*d %*d %*d %d", &tty) != 1)
		return -EBADMSG;
	*rdev = (unsigned)tty;
	return 0;
}

const char *target_exe(struct target *target)
{
	ssize_t n;

	/* target_get() has asked already where credentials can differ. */
	if (target->exe[0] && target->exe_kept && (!cred_constant() || target_lives(target)))
		return target->exe;
	n = readlinkat(target->proc, "exe", target->exe, sizeof(target->exe) - 1);
	if (n < 0 && cred_power())
		n = readlinkat(target->proc, "exe", target->exe, sizeof(target->exe) - 1);
	target->exe[n > 0 ? n : 0] = '\0';
	return target->exe;
}

/* ---- memory --------------------------------------------------------------------------------- */

static ssize_t memory_copy(struct target *target, uint64_t addr, void *own, size_t len, bool out)
{
	struct iovec local = { .iov_base = own, .iov_len = len };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)addr, .iov_len = len };
	ssize_t n;

	do {
		n = out ? process_vm_writev(target->tid, &local, 1, &remote, 1, 0)
			: process_vm_readv(target->tid, &local, 1, &remote, 1, 0);
	} while (n < 0 && errno == EPERM && cred_power());
	return n < 0 ? -errno : n;
}

static int memory_exact(struct target *target, uint64_t addr, void *own, size_t len, bool out)
{
	while (len) {
		ssize_t n = memory_copy(target, addr, own, len, out);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EFAULT;
		/* Short at an unreadable page, or at what one call copies (2 GiB). */
		addr += (uint64_t)n;
		own = (char *)own + n;
		len -= (size_t)n;
	}
	return 0;
}

int target_read(struct target *target, uint64_t addr, void *to, size_t len)
{
	return memory_exact(target, addr, to, len, false);
}

int target_write(struct target *target, uint64_t addr, const void *from, size_t len)
{
	union { const void *in; void *own; } data = { .in = from };

	return memory_exact(target, addr, data.own, len, true);
}

/* No page is read twice, and none beyond the one where the string ends. */
ssize_t target_read_string(struct target *target, uint64_t addr, char *to, size_t size)
{
	static const size_t page = 4096;
	size_t len = 0;

	while (len < size) {
		size_t chunk = page - (size_t)((addr + len) % page);
		const char *end;
		ssize_t n;

		if (len == 0 && chunk > 256)
			chunk = 256;	/* most paths are short */
		if (chunk > size - len)
			chunk = size - len;
		n = memory_copy(target, addr + len, to + len, chunk, false);
		if (n <= 0)
			return n < 0 ? n : -EFAULT;
		end = memchr(to + len, '\0', (size_t)n);
		if (end)
			return end - to;
		len += (size_t)n;
	}
	return -ENAMETOOLONG;
}
