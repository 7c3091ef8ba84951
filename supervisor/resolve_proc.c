/*
 * Procfs, as the target sees it. We read it for somebody else, so:
 *
 * - self and thread-self are links whose text depends on the reader: the target's number is put in.
 * - Magic links (fd, cwd, root, exe, ns, map_files) are jumps. They are followed only into processes of the sandbox; the
 *   object reached is judged like any other, and what has no path may be opened anew only with the access that the descriptor
 *   already has. fdinfo is one consistent sight of a file: its inode and mount must be those of what we jumped to.
 * - A process may do to itself what needs ptrace access to another (its own /proc/self/fd when not dumpable); we then add
 *   CAP_SYS_PTRACE for that one lookup.
 * - Landlock, which keeps the target away from processes outside the sandbox, does not see us. So what procfs shows
 *   of those is limited to what everybody may read; and the supervisor and its guardian do not exist.
 */
#include "resolve_walk.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "body.h"
#include "fd.h"
#include "raise.h"

#define PROC_ROOT_INO 1
#define PROC_DEPTH 5	/* /proc/PID/task/TID/net/... */
#define CHAIN_MAX 4096

static ssize_t proc_read(int dir, const char *name, char *buf, size_t size)
{
	AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (len < size - 1 && n > 0) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	buf[len] = '\0';
	return (ssize_t)len;
}

/* Field FIELD (from 3 on) of DIR/NAME, a stat file. */
static int proc_stat_field(int dir, const char *name, int field, unsigned long long *value)
{
	char buf[1024], *p;
	ssize_t len = proc_read(dir, name, buf, sizeof(buf));

	if (len < 0)
		return (int)len;
	p = strrchr(buf, ')');
	for (int i = 2; p && i < field; i++)
		p = strchr(p + 1, ' ');
	if (!p)
		return -ESRCH;
	*value = strtoull(p + 1, NULL, 10);
	return 0;
}

/* A whole name that is a number, or -1. */
static pid_t name_number(const char *name, size_t len)
{
	long number = 0;

	if (!len || len > 9 || name[0] == '0')
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)name[i]))
			return -1;
		number = number * 10 + (name[i] - '0');
	}
	return (pid_t)number;
}

/* ---- whose is it ---- */

static bool target_is(const struct target *target, pid_t number)
{
	char name[32];
	struct stat st;

	if (number == target->tgid || number == target->tid)
		return true;
	(void)snprintf(name, sizeof(name), "task/%d", number);
	return !fstatat(target->proc, name, &st, AT_SYMLINK_NOFOLLOW);
}

static bool number_ours(const struct resolver *resolver, pid_t number)
{
	char name[16];
	struct stat st;

	if (number == resolver->pid || number == resolver->guardian || body_is(number))
		return true;
	(void)snprintf(name, sizeof(name), "%d", number);
	return !fstatat(resolver->self_task, name, &st, AT_SYMLINK_NOFOLLOW);
}

/* The guardian is the subreaper of the tree: every process of the sandbox has it among its ancestors. */
static bool number_member(const struct resolver *resolver, pid_t number)
{
	unsigned long long parent = (unsigned long long)number;
	char name[40];

	for (int i = 0; i < CHAIN_MAX && parent > 1; i++) {
		(void)snprintf(name, sizeof(name), "proc/%llu/stat", parent);
		if (proc_stat_field(resolver->root, name, 4, &parent))
			return false;
		if ((pid_t)parent == resolver->guardian)
			return true;
	}
	return false;
}

bool resolver_member(const struct resolver *resolver, const struct target *target, pid_t number)
{
	return target_is(target, number) || (!number_ours(resolver, number) && number_member(resolver, number));
}

/* The target's number, or its thread's, in the pid namespace of the instance whose root is DIR. */
static pid_t number_in(const struct walk *walk, int dir, dev_t dev, bool thread)
{
	pid_t own = thread ? walk->target->tid : walk->target->tgid;
	unsigned long long start = 0, there = 0;
	char status[4096], name[32], *p, *end;

	if (dev == walk->resolver->proc_dev)
		return own;
	(void)snprintf(name, sizeof(name), "task/%d/status", own);
	if (proc_read(walk->target->proc, name, status, sizeof(status)) < 0)
		return own;
	(void)snprintf(name, sizeof(name), "task/%d/stat", own);
	if (proc_stat_field(walk->target->proc, name, 22, &start))
		return own;
	/* One number for each namespace, from the one we see down to its own. */
	p = strstr(status, "\nNSpid:");
	for (p = p ? p + 7 : NULL; p; p = end) {
		long number = strtol(p, &end, 10);
		if (end == p || number <= 0)
			break;
		(void)snprintf(name, sizeof(name), "%ld/stat", number);
		if (!proc_stat_field(dir, name, 22, &there) && there == start)
			return (pid_t)number;
	}
	return own;
}

struct owner {
	pid_t number;		/* in its instance; -1: belongs to no process */
	int root;		/* the instance's root. Owned, -1 in the launch instance */
	const char *below;	/* what follows the number in the path */
};

/* Which process's entry PIN is, from its d_path: entries of procfs are never renamed. -errno when that cannot be told. */
static int proc_owner(const struct walk *walk, int pin, dev_t dev, const char *path, struct owner *owner)
{
	const char *part;
	int depth = 0;
	struct stat st;
	AUTO_FD at = -1;

	owner->root = -1;
	if (dev == walk->resolver->proc_dev && !strncmp(path, "/proc/", 6)) {
		owner->below = strchrnul(path + 6, '/');
		owner->number = name_number(path + 6, (size_t)(owner->below - path - 6));
		return 0;
	}
	/* Up to the root of this instance, wherever it is mounted. */
	if (fstat(pin, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -EACCES;
	at = fcntl(pin, F_DUPFD_CLOEXEC, 3);
	while (st.st_ino != PROC_ROOT_INO) {
		int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd_close(at);
		at = up;
		if (at < 0 || fstat(at, &st) || st.st_dev != dev || ++depth > PROC_DEPTH)
			return -EACCES;
	}
	part = path + strlen(path);
	for (int i = 0; i < depth; i++) {
		do
			part--;
		while (part > path && *part != '/');
	}
	part += *part == '/';
	owner->below = strchrnul(part, '/');
	owner->number = depth ? name_number(part, (size_t)(owner->below - part)) : -1;
	owner->root = fd_take(&at);
	return 0;
}

static enum proc_relation proc_relation(const struct walk *walk, const struct owner *owner, dev_t dev)
{
	if (owner->root >= 0) {
		if (owner->number == number_in(walk, owner->root, dev, false) ||
		    owner->number == number_in(walk, owner->root, dev, true))
			return PROC_TARGET;
		return PROC_FOREIGN;
	}
	if (target_is(walk->target, owner->number))
		return PROC_TARGET;
	if (number_ours(walk->resolver, owner->number))
		return PROC_OURS;
	return number_member(walk->resolver, owner->number) ? PROC_MEMBER : PROC_FOREIGN;
}

static int relation_of_dir(const struct walk *walk, int dir, char path[PATH_MAX], enum proc_relation *relation)
{
	struct owner owner = { .root = -1 };
	struct stat st;
	int err;

	if (resolve_path_of(walk->resolver, dir, path, PATH_MAX) < 0 || fstat(dir, &st))
		return -errno;
	err = proc_owner(walk, dir, st.st_dev, path, &owner);
	if (err)
		return err;
	*relation = owner.number < 0 ? PROC_FOREIGN : proc_relation(walk, &owner, st.st_dev);
	fd_close(owner.root);
	return 0;
}

/* What procfs shows to everybody, below /proc/PID or /proc/PID/task/TID. */
static bool public_name(const char *below)
{
	static const char *const names[] = {
		"cgroup", "cmdline", "comm", "cpuset", "limits", "loginuid", "mountinfo", "mounts", "mountstats", "net",
		"oom_adj", "oom_score", "oom_score_adj", "schedstat", "sessionid", "stat", "statm", "status", "task",
		"wchan", "attr",
	};
	size_t len;

	while (*below == '/')
		below++;
	if (!*below)
		return true;
	len = (size_t)(strchrnul(below, '/') - below);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) != len || memcmp(names[i], below, len))
			continue;
		below += len;
		if (!strcmp(names[i], "task") && *below) {
			below = strchrnul(below + 1, '/');
			return public_name(below);
		}
		return true;
	}
	return false;
}

int proc_judge(struct walk *walk, int pin, const struct stat *st, const char *path)
{
	struct owner owner = { .root = -1 };
	enum proc_relation relation;
	int err = proc_owner(walk, pin, st->st_dev, path, &owner);

	/* A file of another instance: its directory tells, which is where we stand unless a magic link led here. */
	if (err) {
		const char *slash = strrchr(path, '/');
		char dir[PATH_MAX];
		ssize_t len = resolve_path_of(walk->resolver, walk->dir, dir, sizeof(dir));
		struct stat dir_st;

		/* The descriptor itself, which is held already. */
		if (!walk->name->len) {
			walk->object->foreign = true;
			return 0;
		}
		if (S_ISDIR(st->st_mode) || !slash || len != slash - path || memcmp(dir, path, (size_t)len) || fstat(walk->dir, &dir_st) ||
		    dir_st.st_dev != st->st_dev)
			return err;
		err = proc_owner(walk, walk->dir, st->st_dev, dir, &owner);
		if (err)
			return err;
		relation = owner.number < 0 ? PROC_TARGET : proc_relation(walk, &owner, st->st_dev);
		fd_close(owner.root);
		if (relation == PROC_TARGET)
			return 0;
		walk->object->foreign = true;
		return public_name(slash) ? 0 : -EACCES;
	}
	relation = owner.number < 0 ? PROC_TARGET : proc_relation(walk, &owner, st->st_dev);
	fd_close(owner.root);
	if (relation == PROC_TARGET || relation == PROC_MEMBER)
		return 0;
	if (relation == PROC_OURS)
		return -ENOENT;
	walk->object->foreign = true;
	return public_name(owner.below) ? 0 : -EACCES;
}

size_t proc_rename(const struct resolver *resolver, const struct target *target, char *path, size_t len)
{
	const char *below;
	pid_t number;
	size_t tail;

	(void)resolver;
	if (len < 7 || memcmp(path, "/proc/", 6))
		return len;
	below = strchrnul(path + 6, '/');
	number = name_number(path + 6, (size_t)(below - path - 6));
	if (number < 0 || !target_is(target, number))
		return len;
	tail = len - (size_t)(below - path);
	memmove(path + 10, below, tail + 1);
	memcpy(path + 6, "self", 4);
	return 10 + tail;
}

/* ---- what a process may do to itself ---- */

#define CAP_LOOK (UINT64_C(1) << CAP_SYS_PTRACE)
#define CAP_SEARCH (UINT64_C(1) << CAP_DAC_READ_SEARCH)

/* The directories that procfs lets their own process search whatever their mode. */
static uint64_t own_caps(const char *dir_path)
{
	const char *kind = strrchr(dir_path, '/');

	return kind && (!strcmp(kind, "/fd") || !strcmp(kind, "/fdinfo")) ? CAP_LOOK | CAP_SEARCH : CAP_LOOK;
}

int object_reopen_own(const struct resolver *resolver, const struct object *object, int flags, int err)
{
	const char *name = strrchr(object->path, '/');
	bool reads = (flags & O_ACCMODE) == O_RDONLY, comm = name && !strcmp(name, "/comm") && !strncmp(object->path, "/proc/self/task/", 16);
	struct raised raised;
	int fd;

	/* The names of its own threads are a process's to write, whoever it has become. */
	if (object->st.st_dev != resolver->proc_dev || strncmp(object->path, "/proc/self/", 11) || !(reads || comm) ||
	    !raise_caps(&raised, comm ? UINT64_C(1) << CAP_DAC_OVERRIDE : own_caps(object->path)))
		return err;
	fd = object_reopen(object, flags);
	raise_end(&raised);
	return fd;
}

int proc_open_own(struct walk *walk, int dir, const char *name, int flags, int err)
{
	struct raised raised;
	enum proc_relation relation;
	char path[PATH_MAX];
	struct stat st;
	int fd;

	if (fstat(dir, &st) || !resolve_on_proc(walk->resolver, dir, &st) ||
	    relation_of_dir(walk, dir, path, &relation) || relation != PROC_TARGET)
		return err;
	if (!raise_caps(&raised, own_caps(path)))
		return err;
	fd = openat(dir, name, O_PATH | O_CLOEXEC | flags);
	if (fd < 0)
		fd = -errno;
	raise_end(&raised);
	return fd;
}

/* ---- links ---- */

/* The access that descriptor NAME of fd directory DIR has to the object JUMP: bits as object.held. */
static unsigned fd_access(int dir, const char *name, int jump)
{
	char info_name[32], info[1024], *p;
	unsigned long flags, mount, ino;
	struct raised raised;
	struct statx stx;
	bool more;
	ssize_t len;

	(void)snprintf(info_name, sizeof(info_name), "../fdinfo/%.16s", name);
	more = raise_caps(&raised, CAP_LOOK | CAP_SEARCH);
	len = proc_read(dir, info_name, info, sizeof(info));
	if (more)
		raise_end(&raised);
	if (len < 0 || statx(jump, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &stx))
		return 0;
	p = strstr(info, "flags:");
	flags = p ? strtoul(p + 6, NULL, 8) : O_PATH;
	p = strstr(info, "mnt_id:");
	mount = p ? strtoul(p + 7, NULL, 10) : 0;
	p = strstr(info, "\nino:");
	ino = p ? strtoul(p + 5, NULL, 10) : 0;
	if (!p || flags & O_PATH || mount != stx.stx_mnt_id || ino != stx.stx_ino)
		return 0;
	return (unsigned)((flags & O_ACCMODE) + 1) & 3;
}

/* Text of self and thread-self for TARGET. */
static bool self_text(const struct walk *walk, int dir, dev_t dev, const char *name, char *text, size_t size)
{
	if (!strcmp(name, "self")) {
		(void)snprintf(text, size, "%d", number_in(walk, dir, dev, false));
		return true;
	}
	if (!strcmp(name, "thread-self")) {
		(void)snprintf(text, size, "%d/task/%d", number_in(walk, dir, dev, false),
			       number_in(walk, dir, dev, true));
		return true;
	}
	return false;
}

static bool link_magic(int dir, const char *name)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	AUTO_FD fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));

	/* Without the right to look we do not know: magic, so that it is judged as one. */
	return fd < 0 && errno != ENOENT && errno != ENOTDIR;
}

int proc_follow(struct walk *walk, int link, const char *name, char *text, size_t size, int *jump)
{
	enum proc_relation relation;
	char path[PATH_MAX];
	const char *kind;
	struct statfs fs;
	struct stat st;
	ssize_t len;
	int err;

	if (fstat(walk->dir, &st))
		return -errno;
	if (st.st_ino == PROC_ROOT_INO && self_text(walk, walk->dir, st.st_dev, name, text, size))
		return 0;
	if (st.st_ino == PROC_ROOT_INO || !link_magic(walk->dir, name)) {
		len = readlinkat(link, "", text, size - 1);
		if (len <= 0)
			return len ? -errno : -ENOENT;
		text[len] = '\0';
		return 0;
	}
	err = relation_of_dir(walk, walk->dir, path, &relation);
	if (err)
		return err;
	if (relation == PROC_OURS)
		return -ENOENT;
	if (relation == PROC_FOREIGN)
		return -EACCES;
	*jump = openat(walk->dir, name, O_PATH | O_CLOEXEC);
	if (*jump < 0)
		*jump = -errno;
	if (*jump == -EACCES || *jump == -EPERM)
		*jump = proc_open_own(walk, walk->dir, name, 0, *jump);
	if (*jump < 0)
		return *jump;
	kind = strrchr(path, '/') + 1;
	walk->object->held = strcmp(kind, "fd") ? 1 : fd_access(walk->dir, name, *jump);
	if (!fstatfs(*jump, &fs) && fs.f_type == NSFS_MAGIC && !strcmp(kind, "ns")) {
		free(walk->ns_path);
		if (asprintf(&walk->ns_path, "%s/%s", path, name) < 0)
			walk->ns_path = NULL;
	}
	return 1;
}

ssize_t object_readlink(struct resolver *resolver, struct target *target, const struct object *object,
			char *text, size_t size)
{
	struct walk walk = { .resolver = resolver, .target = target };
	const char *name = strrchr(object->path, '/');
	AUTO_FD dir = -1;
	struct raised raised;
	struct stat st;
	ssize_t len;

	if (resolve_on_proc(resolver, object->pin, &object->st) && name) {
		char dir_path[PATH_MAX];

		(void)snprintf(dir_path, sizeof(dir_path), "%.*s", (int)(name - object->path), object->path);
		dir = open(dir_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && !fstat(dir, &st) && st.st_ino == PROC_ROOT_INO && st.st_dev == object->st.st_dev &&
		    self_text(&walk, dir, st.st_dev, name + 1, text, size))
			return (ssize_t)strlen(text);
	}
	len = readlinkat(object->pin, "", text, size);
	if (len < 0 && errno == EACCES && !strncmp(object->path, "/proc/self/", 11) &&
	    raise_caps(&raised, CAP_LOOK)) {
		len = readlinkat(object->pin, "", text, size);
		raise_end(&raised);
	}
	return len < 0 ? -errno : len;
}
