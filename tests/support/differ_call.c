/* The file calls, from a table. */
#include "differ_call.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../supervisor/calls/numbers.h"

static const struct call calls[] = {
	{ "openat", SYS_openat, "dpom", 14, SEE_FD },
	{ "openat2", SYS_openat2, "dpO", 8, SEE_FD },
	{ "newfstatat", SYS_newfstatat, "dpsA", 6, SEE_STAT },
	{ "statx", SYS_statx, "dpAMx", 5, SEE_STATX },
	{ "faccessat", SYS_faccessat, "dpa", 2, SEE_NOTHING },
	{ "faccessat2", SYS_faccessat2, "dpaA", 4, SEE_NOTHING },
	{ "readlinkat", SYS_readlinkat, "dpb", 4, SEE_BYTES },
	{ "mkdirat", SYS_mkdirat, "dpm", 4, SEE_NOTHING },
	{ "mknodat", SYS_mknodat, "dpkr", 3, SEE_NOTHING },
	{ "unlinkat", SYS_unlinkat, "dpA", 6, SEE_NOTHING },
	{ "renameat", SYS_renameat, "dpDq", 4, SEE_NOTHING },
	{ "renameat2", SYS_renameat2, "dpDqR", 7, SEE_NOTHING },
	{ "linkat", SYS_linkat, "dpDqA", 6, SEE_NOTHING },
	{ "symlinkat", SYS_symlinkat, "tDq", 4, SEE_NOTHING },
	{ "fchmodat", SYS_fchmodat, "dpm", 3, SEE_NOTHING },
	{ "fchmodat2", SYS_fchmodat2, "dpmA", 3, SEE_NOTHING },
	{ "fchmod", SYS_fchmod, "fm", 1, SEE_NOTHING },
	{ "fchownat", SYS_fchownat, "dpuuA", 4, SEE_NOTHING },
	{ "fchown", SYS_fchown, "fuu", 1, SEE_NOTHING },
	{ "truncate", SYS_truncate, "pl", 3, SEE_NOTHING },
	{ "ftruncate", SYS_ftruncate, "fl", 1, SEE_NOTHING },
	{ "utimensat", SYS_utimensat, "dpTA", 5, SEE_NOTHING },
	{ "setxattr", SYS_setxattr, "pNv", 2, SEE_NOTHING },
	{ "lsetxattr", SYS_lsetxattr, "pNv", 2, SEE_NOTHING },
	{ "fsetxattr", SYS_fsetxattr, "fNv", 1, SEE_NOTHING },
	{ "getxattr", SYS_getxattr, "pNw", 2, SEE_VALUE },
	{ "lgetxattr", SYS_lgetxattr, "pNw", 2, SEE_VALUE },
	{ "fgetxattr", SYS_fgetxattr, "fNw", 1, SEE_VALUE },
	{ "listxattr", SYS_listxattr, "pw", 2, SEE_LIST },
	{ "llistxattr", SYS_llistxattr, "pw", 2, SEE_LIST },
	{ "flistxattr", SYS_flistxattr, "fw", 1, SEE_LIST },
	{ "removexattr", SYS_removexattr, "pN", 1, SEE_NOTHING },
	{ "lremovexattr", SYS_lremovexattr, "pN", 1, SEE_NOTHING },
	{ "fremovexattr", SYS_fremovexattr, "fN", 1, SEE_NOTHING },
	{ "setxattrat", SYS_setxattrat, "dpANe", 3, SEE_NOTHING },
	{ "getxattrat", SYS_getxattrat, "dpANE", 3, SEE_VALUE },
	{ "listxattrat", SYS_listxattrat, "dpAw", 3, SEE_LIST },
	{ "removexattrat", SYS_removexattrat, "dpAN", 2, SEE_NOTHING },
	{ "file_getattr", SYS_file_getattr, "dpcA", 3, SEE_ATTR },
	{ "file_setattr", SYS_file_setattr, "dpCA", 2, SEE_NOTHING },
	{ "statfs", SYS_statfs, "pF", 2, SEE_STATFS },
	{ "inotify_add_watch", SYS_inotify_add_watch, "ipI", 3, SEE_NOTHING },
	{ "fanotify_mark", SYS_fanotify_mark, "gydp", 3, SEE_NOTHING },
	{ "name_to_handle_at", SYS_name_to_handle_at, "dphA", 3, SEE_HANDLE },
	{ "chdir", SYS_chdir, "p", 3, SEE_NOTHING },
	{ "fchdir", SYS_fchdir, "f", 1, SEE_NOTHING },
#ifdef __x86_64__
	{ "open", SYS_open, "pom", 8, SEE_FD },
	{ "creat", SYS_creat, "pm", 2, SEE_FD },
	{ "stat", SYS_stat, "ps", 2, SEE_STAT },
	{ "lstat", SYS_lstat, "ps", 2, SEE_STAT },
	{ "access", SYS_access, "pa", 2, SEE_NOTHING },
	{ "readlink", SYS_readlink, "pb", 2, SEE_BYTES },
	{ "mkdir", SYS_mkdir, "pm", 2, SEE_NOTHING },
	{ "rmdir", SYS_rmdir, "p", 2, SEE_NOTHING },
	{ "unlink", SYS_unlink, "p", 2, SEE_NOTHING },
	{ "rename", SYS_rename, "pq", 3, SEE_NOTHING },
	{ "link", SYS_link, "pq", 3, SEE_NOTHING },
	{ "symlink", SYS_symlink, "tq", 2, SEE_NOTHING },
	{ "mknod", SYS_mknod, "pkr", 1, SEE_NOTHING },
	{ "chmod", SYS_chmod, "pm", 2, SEE_NOTHING },
	{ "chown", SYS_chown, "puu", 1, SEE_NOTHING },
	{ "lchown", SYS_lchown, "puu", 1, SEE_NOTHING },
	{ "utime", SYS_utime, "pU", 1, SEE_NOTHING },
	{ "utimes", SYS_utimes, "pV", 1, SEE_NOTHING },
	{ "futimesat", SYS_futimesat, "dpV", 1, SEE_NOTHING },
#endif
};


bool call_opens(const struct call *call)
{
	return call->see == SEE_FD;
}

/* ---- opens that wait ---- */

static bool leads_to_fifo(const struct actor *actor, const struct made *made, bool dirfd)
{
	struct stat st;
	return syscall(SYS_newfstatat, dirfd ? (int)made->arg[0] : AT_FDCWD, actor->path[0].addr, &st, 0) == 0 && S_ISFIFO(st.st_mode);
}

/* To this thread, again and again after so many nanoseconds; 0: no more. */
static void alarms(timer_t *timer, long first)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	struct itimerspec often = { { 0, 10000000 }, { 0, first } };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	if (first) {
		event._sigev_un._tid = gettid();
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		if (timer_create(CLOCK_MONOTONIC, &event, timer) < 0 || timer_settime(*timer, 0, &often, NULL) < 0)
			die("timer");
	} else {
		timer_delete(*timer);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	}
}

static long do_call(const struct actor *actor, const struct call *call, const struct made *made)
{
	const long *a = made->arg;
	bool waits = call_opens(call) && !(made->flags & O_NONBLOCK) && leads_to_fifo(actor, made, call->args[0] == 'd');
	long result = -1;
	/* A machine with much to do interrupts what would not have waited; hardly three times. */
	timer_t timer;
	for (long first = 20000000; first <= 500000000; first *= 5) {
		if (waits)
			alarms(&timer, first);
		result = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
		int err = errno;
		if (waits)
			alarms(&timer, 0);
		errno = err;
		if (!waits || result >= 0 || err != EINTR)
			break;
	}
	return result;
}

/* ---- answers ---- */

static bool is_below(const struct actor *actor, const char *path)
{
	size_t len = strlen(actor->root);
	return strncmp(path, actor->root, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Directories outside of the tree are not kept: what is done there is not undone before the other run. */
static void keep(struct actor *actor, int fd)
{
	char name[64], path[PATH_MAX];
	int slot = slot_pick(actor);
	snprintf(name, sizeof(name), "/proc/thread-self/fd/%d", fd);
	ssize_t len = readlink(name, path, sizeof(path) - 1);
	struct stat st;
	see_descriptor(actor, fd);
	path[len > 0 ? len : 0] = '\0';
	if (len <= 0 || (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && !is_below(actor, path))) {
		close(fd);
		return;
	}
	if (slot == 10 || slot == 0)	/* inotify, and the tree itself, stay */
		slot = 13;
	if (actor->slot[slot] >= 0)
		close(actor->slot[slot]);
	actor->slot[slot] = fd;
	fprintf(actor->out, " kept in %d", slot);
}

static void come_back(struct actor *actor)
{
	char path[PATH_MAX];
	if (syscall(SYS_getcwd, path, sizeof(path)) > 0 && is_below(actor, path)) {
		fprintf(actor->out, " ");
		put_text(actor->out, path + strlen(actor->root), strlen(path) - strlen(actor->root));
		return;
	}
	if (actor->child)
		return;
	fprintf(actor->out, " and back %d", chdir(actor->root));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void see_names(struct actor *actor, const char *names, size_t len)
{
	const char *sorted[64];
	size_t n = 0;
	for (size_t at = 0; at < len && n < COUNT(sorted); at += strlen(names + at) + 1)
		sorted[n++] = names + at;
	qsort(sorted, n, sizeof(sorted[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		fputc(' ', actor->out);
		put_text(actor->out, sorted[i], strlen(sorted[i]));
	}
}

static void see_statfs(struct actor *actor, const struct statfs *fs)
{
	fprintf(actor->out, " type %lx block %ld name %ld flags %lx blocks %lu", (unsigned long)fs->f_type, (long)fs->f_bsize, (long)fs->f_namelen,
		(unsigned long)fs->f_flags, (unsigned long)fs->f_blocks);
}

/* Whether what lies behind the answer was left alone. */
static void see_rest(struct actor *actor, const struct made *made, size_t used)
{
	const unsigned char *at = made->buffer;
	for (size_t i = used; i < made->size; i++)
		if (at[i] != 0xaa) {
			fprintf(actor->out, " written at %zu", i);
			return;
		}
}

static void see_answer(struct actor *actor, const struct call *call, const struct made *made, long result)
{
	const uint32_t *words = made->buffer;
	size_t used = (size_t)result;
	if (call->see == SEE_FD)
		return keep(actor, (int)result);
	if (call->number == SYS_chdir || call->number == SYS_fchdir)
		return come_back(actor);
	if (!made->buffer || !made->size)
		return;
	if (call->see == SEE_STAT) {
		see_stat(actor, made->buffer);
	} else if (call->see == SEE_STATX) {
		see_statx(actor, made->buffer);
	} else if (call->see == SEE_STATFS) {
		see_statfs(actor, made->buffer);
	} else if (call->see == SEE_HANDLE) {
		fprintf(actor->out, " bytes %u type %x mount %d", words[0], words[1], *(int *)memory_edge(actor, 3, 8));
	} else if (call->see == SEE_ATTR) {
		fprintf(actor->out, " hash %llx", (unsigned long long)hash_bytes(0, made->buffer, made->size));
	} else if (call->see == SEE_LIST) {
		see_names(actor, made->buffer, used);
		see_rest(actor, made, used);
	} else if (call->see == SEE_BYTES || call->see == SEE_VALUE) {
		see_numberless(made->buffer, used);
		fputc(' ', actor->out);
		put_text(actor->out, made->buffer, used);
		see_rest(actor, made, used);
	}
}

static const struct call *pick_call(struct rng *rng)
{
	static unsigned total;
	unsigned sum = 0, at;
	for (size_t i = 0; !total && i < COUNT(calls); i++)
		sum += calls[i].weight;
	if (!total)
		total = sum;
	at = rng_below(rng, total);
	for (size_t i = 0;; i++) {
		if (at < calls[i].weight)
			return &calls[i];
		at -= calls[i].weight;
	}
}

void call_step(struct actor *actor)
{
	const struct call *call = pick_call(&actor->rng);
	struct made made = { .slot = -1 };
	actor->path[0].slot = actor->path[1].slot = -1;
	actor->path[0].unusable = actor->path[1].unusable = false;
	actor->path[0].text[0] = actor->path[1].text[0] = '\0';
	actor->path[0].len = actor->path[1].len = 0;
	fprintf(actor->out, "%s ", call->name);
	for (const char *letter = call->args; *letter; letter++)
		args_make(actor, &made, *letter);
	if (strcmp(call->name, "creat") == 0)
		made.flags = O_WRONLY | O_CREAT | O_TRUNC;
	if (known_step(actor, call, &made)) {
		fprintf(actor->out, "is left out");
		return;
	}
	long result = do_call(actor, call, &made);
	if (result < 0) {
		fprintf(actor->out, "= %s", known_error(actor, call, errno));
		if (made.buffer && call->see != SEE_HANDLE)
			see_rest(actor, &made, 0);
		return;
	}
	if (call->see == SEE_BYTES && made.buffer && result > 6 && memcmp(made.buffer, "/proc/", 6) == 0) {
		fprintf(actor->out, "= a name in procfs");	/* of a process, by number */
		return;
	}
	fprintf(actor->out, "= %ld", result);
	see_answer(actor, call, &made, result);
}
