/*
 * The file calls, from a table, and what is left out of the comparison because docs/fidelity.md says that it differs.
 */
#include "differ_args.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../supervisor/calls/numbers.h"

enum see { SEE_NOTHING, SEE_FD, SEE_STAT, SEE_STATX, SEE_BYTES, SEE_VALUE, SEE_LIST, SEE_STATFS, SEE_HANDLE, SEE_ATTR };

struct call {
	const char *name;
	long number;
	const char *args;	/* see args_make() */
	unsigned weight;
	enum see see;
};

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


static bool is_open(const struct call *call)
{
	return call->see == SEE_FD;
}

static bool is_link(const struct call *call)
{
	return call->number == SYS_linkat || strcmp(call->name, "link") == 0;
}

/* The first path is nothing but a descriptor of ours. */
static int meant_slot(const struct actor *actor, const struct made *made)
{
	if (actor->path[0].slot >= 0 && actor->path[0].ends)
		return actor->path[0].slot;
	return made->empty_path && !actor->path[0].len ? made->slot : -1;
}

static bool changes_names(const struct call *call)
{
	static const char *const beginnings[] = { "mk", "rm", "unlink", "rename", "link", "symlink" };
	for (size_t i = 0; i < COUNT(beginnings); i++)
		if (strncmp(call->name, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static bool in_procfs(const struct path *path)
{
	return !path->unusable && (strncmp(path->text, "/proc/", 6) == 0 || strncmp(path->text, "/dev/fd", 7) == 0);
}

static bool too_long(const struct path *path)
{
	for (const char *at = path->text; *at; at += strspn(at, "/")) {
		size_t len = strcspn(at, "/");
		if (len > NAME_MAX)
			return true;
		at += len;
	}
	return false;
}

static bool dot_last(const struct path *path)
{
	return path->len > 1 && path->text[path->len - 1] == '.' && path->text[path->len - 2] == '/';
}

static bool slash_last(const struct path *path)
{
	return path->len && path->text[path->len - 1] == '/';
}

static bool reads_xattr(const struct call *call)
{
	return call->see == SEE_VALUE || call->see == SEE_LIST;
}

/* 1: to read, 2: to write. */
static int wanted(int flags)
{
	return (flags & O_ACCMODE) == O_ACCMODE ? 3 : (flags & O_ACCMODE) + 1;
}

/* What would be no error of ours: docs/fidelity.md. */
static bool documented(const struct actor *actor, const struct call *call, const struct made *made)
{
	int slot = meant_slot(actor, made), fd = slot < 0 ? -1 : actor->slot[slot], held;
	bool other_names;
	struct rlimit limit;
	/* Usher counts descriptors: with some above the limit there may be room below it all the same. */
	if (is_open(call) && made->flags & (O_CREAT | O_TRUNC | O_TMPFILE) && descriptors_above())
		return true;
	/* The names of one's own threads may be written whoever one is by now; usher is another. */
	if (actor->other_ids && in_procfs(&actor->path[0]) && strstr(actor->path[0].text, "/comm"))
		return true;
	/* The kernel does not look at a last name with a slash that it should make; usher follows it if it is a link. */
	if (is_open(call) && made->flags & O_CREAT && (slash_last(&actor->path[0]) || strstr(actor->path[0].text, "slash")))
		return true;
	/* In a directory that is gone it looks no further. */
	if (is_open(call) && made->slot >= 0 && strchr(actor->path[0].text, '.') && descriptor_nameless(actor->slot[made->slot], &other_names))
		return true;
	/* A "." at the end asks for the right to search what it is in; taken as spelled, it is left out. */
	if (dot_last(&actor->path[0]) || (strchr(call->args, 'q') && dot_last(&actor->path[1])))
		return true;
	if (call->see == SEE_STAT || call->see == SEE_STATX)
		return made->unknown_flags && made->empty_path;
	if (call->args[strlen(call->args) - 1] == 'a' || strcmp(call->name, "faccessat2") == 0)
		if (in_procfs(&actor->path[0]))		/* as for names there, see error_name() */
			return true;
	/* It looks names up with the effective ids; the kernel with the real ones. */
	if (strcmp(call->name, "faccessat2") == 0)
		return actor->other_ids && !made->eaccess;
	/* Brokered where something may only be appended to, in another order, without SIGXFSZ, and with the limit for what shrinks too. */
	if (call->number == SYS_ftruncate)
		return made->arg[1] < 0 || !descriptor_regular((int)made->arg[0]) || getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur != RLIM_INFINITY;
	/* Since 6.10 a descriptor that was opened with other credentials may not be linked, which cannot be seen from outside. */
	if (is_link(call) && actor->other_ids && made->empty_path)
		return true;
	if ((!is_open(call) && !is_link(call) && !reads_xattr(call) && call->number != SYS_truncate) || fd < 0 || !descriptor_nameless(fd, &other_names))
		return false;
	held = fcntl(fd, F_GETFL);
	held = held & O_PATH ? 0 : wanted(held);
	if (call->number == SYS_truncate)
		return !(held & 2);
	if (reads_xattr(call))
		return !(held & 1);
	/* "A file that lost the name it was opened by and has others is reopened for reading at most, and gets no new name." */
	if (other_names)
		held &= 1;
	/* "Objects without a path can be reopened with the access that is held, not with more." */
	if (is_open(call) && (made->flags & O_TMPFILE) == O_TMPFILE)
		return true;
	if (is_open(call))
		return (wanted(made->flags) & ~held) || made->flags & O_TRUNC;
	return other_names || !(held & 2);
}

static const char *error_name(const struct actor *actor, const struct call *call, const struct made *made, int err)
{
	/* "At the limit of descriptors an open of a missing name, or below a wrong dirfd, answers ENOENT, EBADF or ENOTDIR." */
	if (is_open(call) && descriptors_full())
		return "an error where EMFILE comes first";
	/* "Of two names both are read before either is looked up"; so is the descriptor of inotify_add_watch. */
	if (strchr(call->args, 'q') && (actor->path[1].unusable || made->wrong_dirfd))
		return "an error of what cannot be";
	if (made->wrong_inotify)
		return "an error of what cannot be";
	/* Its own procfs is open to a process whatever the modes say; not to usher, which is another. */
	if (changes_names(call) && (in_procfs(&actor->path[0]) || (strchr(call->args, 'q') && in_procfs(&actor->path[1]))))
		return "an error of procfs";
	if (actor->other_ids && in_procfs(&actor->path[0]))
		return "an error of procfs";
	if ((err == EACCES || err == EPERM || err == EOPNOTSUPP) && in_procfs(&actor->path[0]))
		return "EACCES, EPERM or EOPNOTSUPP";
	/* The kernel asks for the right to search the directory before it refuses to leave it by "..". */
	if (call->number == SYS_openat2 && strstr(actor->path[0].text, "..") && (err == EACCES || err == EXDEV || err == ENOTDIR))
		return "EACCES, EXDEV or ENOTDIR";
	/* The kernel compares the mounts of the parents before it looks for the names. */
	if (changes_names(call) && (too_long(&actor->path[0]) || too_long(&actor->path[1])))
		return "an error where a name is too long";
	/* "... and gets no new name (EXDEV)"; where it could have none anyway, the kernel says that. */
	if (is_link(call) && (err == EXDEV || err == ENOENT))
		return "EXDEV or ENOENT";
	if (strncmp(call->name, "rename", 6) == 0 && (err == EXDEV || err == EROFS || err == ENOENT || err == EBUSY))
		return "EXDEV, EROFS, ENOENT or EBUSY";
	/* The rights to a socket are looked at before it is said that it cannot be opened. */
	if (is_open(call) && (err == EACCES || err == ENXIO))
		return "EACCES or ENXIO";
	return strerrorname_np(err) ? strerrorname_np(err) : "an unknown error";
}

/* ---- opens that wait ---- */

static bool leads_to_fifo(const struct actor *actor, const struct made *made, bool dirfd)
{
	struct stat st;
	return syscall(SYS_newfstatat, dirfd ? (int)made->arg[0] : AT_FDCWD, actor->path[0].addr, &st, 0) == 0 && S_ISFIFO(st.st_mode);
}

/* For ever, after so many microseconds; 0: no more. */
static void alarms(long first)
{
	bool on = first > 0;
	struct itimerval often = { { 0, on ? 10000 : 0 }, { 0, first } };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	if (on)
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	if (!on)
		pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static long do_call(const struct actor *actor, const struct call *call, const struct made *made)
{
	const long *a = made->arg;
	bool waits = is_open(call) && !(made->flags & O_NONBLOCK) && leads_to_fifo(actor, made, call->args[0] == 'd');
	long result = -1;
	/* A machine with much to do interrupts what would not have waited; hardly three times. */
	for (long first = 20000; first <= 500000; first *= 5) {
		if (waits)
			alarms(first);
		result = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
		int err = errno;
		if (waits)
			alarms(0);
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
	if (documented(actor, call, &made)) {
		fprintf(actor->out, "is left out");
		return;
	}
	long result = do_call(actor, call, &made);
	if (result < 0) {
		fprintf(actor->out, "= %s", error_name(actor, call, &made, errno));
		if (made.buffer && call->see != SEE_HANDLE)
			see_rest(actor, &made, 0);
		return;
	}
	fprintf(actor->out, "= %ld", result);
	see_answer(actor, call, &made, result);
}
