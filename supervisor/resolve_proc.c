/*
 * Procfs, as the target sees it. We read it for somebody else, so:
 *
 * - self and thread-self are links whose text depends on the reader: the target's number is put in.
 * - Magic links (fd, cwd, root, exe, ns, map_files) are jumps. They are followed only into processes of the sandbox; the
 *   object reached is judged like any other, and what has no path may be opened anew only with the access that the descriptor
 *   already has. fdinfo is one consistent sight of a file: its inode and mount must be those of what we jumped to.
 * - A process may do to itself what needs ptrace access to another (its own /proc/self/fd when not dumpable); we then add
 *   CAP_SYS_PTRACE for that one lookup.
 */
#include "resolve_proc.h"

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

#include "fd.h"
#include "raise.h"

/* ---- what a process may do to itself ---- */

#define CAP_LOOK (UINT64_C(1) << CAP_SYS_PTRACE)
#define CAP_SEARCH (UINT64_C(1) << CAP_DAC_READ_SEARCH)

/* The directories that procfs lets their own process search whatever their mode. */
static uint64_t own_caps(const char *dir_path)
{
	const char *kind = strrchr(dir_path, '/');

	return kind && (!strcmp(kind, "/fd") || !strcmp(kind, "/fdinfo")) ? CAP_LOOK | CAP_SEARCH : CAP_LOOK;
}

int object_reopen_own(struct resolver *resolver, const struct object *object, int flags, int err)
{
	const char *name = strrchr(object->path, '/');
	bool reads = (flags & O_ACCMODE) == O_RDONLY, comm = name && !strcmp(name, "/comm") && !strncmp(object->path, "/proc/self/task/", 16);
	struct raised raised;
	int fd;

	/* The names of its own threads are a process's to write, whoever it has become. */
	if (strncmp(object->path, "/proc/self/", 11) || !resolve_on_proc(resolver, object->pin, &object->st) || !(reads || comm) ||
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

/* Is it one of those two links of an instance's root? Its length, -ENOENT if the instance does not see the target; 0 if it is not. */
static ssize_t self_text(const struct walk *walk, int dir, dev_t dev, const char *name, char *text, size_t size)
{
	bool thread = !strcmp(name, "thread-self");
	pid_t tgid, tid;
	int level, len;

	if (!thread && strcmp(name, "self") != 0)
		return 0;
	tgid = number_in(walk, dir, dev, false, &level);
	tid = thread ? number_in(walk, dir, dev, true, &level) : tgid;
	if (tgid < 0 || tid < 0)
		return -ENOENT;
	len = thread ? snprintf(text, size, "%d/task/%d", tgid, tid) : snprintf(text, size, "%d", tgid);
	return len < (int)size ? len : (ssize_t)size - 1;
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
	len = st.st_ino == PROC_ROOT_INO ? self_text(walk, walk->dir, st.st_dev, name, text, size) : 0;
	if (len)
		return len < 0 ? (int)len : 0;
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

/* Of the target's own process? Where a descriptor was closed, the link to it that is held has no name any more. */
static bool link_own(struct resolver *resolver, const struct target *target, const struct object *object)
{
	char path[PATH_MAX + sizeof("self")];

	if (!object->nameless)
		return !strncmp(object->path, "/proc/self/", 11);
	memcpy(path, object->path, object->len);
	path[object->len] = '\0';
	(void)proc_rename(resolver, target, object->pin, path, object->len);
	return !strncmp(path, "/proc/self/", 11) && resolve_on_proc(resolver, object->pin, &object->st);
}

ssize_t object_readlink(struct resolver *resolver, struct target *target, int root, const struct object *object, char *text,
			size_t size)
{
	struct walk walk = { .resolver = resolver, .target = target };
	const char *name = strrchr(object->path, '/');
	struct raised raised;
	ssize_t len = 0;

	if (resolve_on_proc(resolver, object->pin, &object->st) && name) {
		char dir_path[PATH_MAX];
		struct stat st;
		AUTO_FD dir = -1;

		(void)snprintf(dir_path, sizeof(dir_path), ".%.*s", (int)(name - object->path), object->path);
		dir = openat(root >= 0 ? root : resolver->root, dir_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && !fstat(dir, &st) && st.st_ino == PROC_ROOT_INO && st.st_dev == object->st.st_dev)
			len = self_text(&walk, dir, st.st_dev, name + 1, text, size);
	}
	if (len)
		return len;
	len = readlinkat(object->pin, "", text, size);
	if (len < 0 && errno == EACCES && link_own(resolver, target, object) && raise_caps(&raised, CAP_LOOK)) {
		len = readlinkat(object->pin, "", text, size);
		raise_end(&raised);
	}
	return len < 0 ? -errno : len;
}
