/*
 * The resolver: what a name of the target really means.
 *
 * Most names have no symlink and no ".." in them: then one openat2(2) with RESOLVE_NO_SYMLINKS pins the object, and the
 * kernel refuses with ELOOP before it could have gone astray. So ENOENT and ENOTDIR from it are certain as well.
 * Only what is left is walked component by component (resolve_walk.c), and after each symlink the rest is again tried
 * in one step. Names under procfs mean what they mean for the target (resolve_proc.c).
 *
 * A pin is decided on by d_path, never by what was spelled. An object that was removed between its lookup and d_path is looked
 * up anew, as if we had come later. Without a name are only things that were reached through a descriptor: by AT_EMPTY_PATH,
 * the cwd, or a magic link of procfs.
 */
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "mountinfo.h"
#include "mounts.h"
#include "resolve_walk.h"

#define AGAIN_MAX 8

/* ---- the ends of a walk ---- */

/* An errno that says nothing about the path. */
static bool walk_fatal(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOMEM || err == EBADF;
}

/* Appends REST as spelled, tidied, as far as there is room. */
static size_t path_append(char *path, size_t len, size_t size, const char *rest)
{
	while (*rest) {
		size_t part = (size_t)(strchrnul(rest, '/') - rest);
		if (part == 2 && rest[0] == '.' && rest[1] == '.') {
			while (len > 1 && path[--len] != '/')
				;
		} else if (part && !(part == 1 && rest[0] == '.')) {
			if (len + part + 2 > size)
				break;
			if (len != 1 || path[0] != '/')
				path[len++] = '/';
			memcpy(path + len, rest, part);
			len += part;
		}
		rest += part;
		while (*rest == '/')
			rest++;
	}
	path[len] = '\0';
	return len;
}

#define DELETED " (deleted)"

static bool path_is(const struct resolver *resolver, const char *path, const struct stat *st)
{
	struct stat there;

	return path[0] == '/' && !fstatat(resolver->root, path[1] ? path + 1 : ".", &there, AT_SYMLINK_NOFOLLOW) && there.st_dev == st->st_dev &&
	       there.st_ino == st->st_ino;
}

/*
 * d_path of a removed name ends like this. But so may a name that is there; and procfs forgets names that it will find
 * again, so that what is still found under the name has it.
 */
static bool path_deleted(const struct resolver *resolver, char *path, size_t *len, const struct stat *st)
{
	const size_t mark = sizeof(DELETED) - 1;

	if (*len <= mark || memcmp(path + *len - mark, DELETED, mark) || path_is(resolver, path, st))
		return false;
	path[*len - mark] = '\0';
	if (path_is(resolver, path, st)) {
		*len -= mark;
		return false;
	}
	path[*len - mark] = ' ';
	return true;
}

/* File systems inside the kernel, whose d_path may look like a path. */
static bool fs_nameless(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return true;
	switch ((unsigned long)fs.f_type) {
	case PIPEFS_MAGIC:
	case SOCKFS_MAGIC:
	case ANON_INODE_FS_MAGIC:
	case NSFS_MAGIC:
	case DMA_BUF_MAGIC:
	case SECRETMEM_MAGIC:
	case 0x50494446UL:	/* PID_FS_MAGIC */
	case DAXFS_MAGIC:
	case BDEVFS_MAGIC:
		return true;
	default:
		return false;
	}
}

static unsigned fd_held(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || flags & O_PATH ? 0 : (unsigned)((flags & O_ACCMODE) + 1) & 3;
}

/* d_path of the directory where we stand, without the mark of a deleted one. */
static size_t walk_path(struct walk *walk)
{
	struct object *object = walk->object;
	ssize_t got = resolve_path_of(walk->resolver, walk->dir, object->path, PATH_MAX);
	size_t len;
	struct stat st;

	object->below = got == -ENAMETOOLONG;
	if (object->below)
		got = resolve_path_above(walk->resolver, walk->dir, object->path, PATH_MAX);
	len = got > 0 ? (size_t)got : 0;
	if (!len || object->path[0] != '/') {
		memcpy(object->path, "/", 2);
		return 1;
	}
	if (object->below)
		return len;
	if (!fstat(walk->dir, &st) && path_deleted(walk->resolver, object->path, &len, &st)) {
		len -= sizeof(DELETED) - 1;
		object->path[len] = '\0';
	}
	return len;
}

static void walk_path_and(struct walk *walk, const char *rest)
{
	struct object *object = walk->object;

	object->len = walk_path(walk);
	if (!object->below)
		object->len = path_append(object->path, object->len, sizeof(object->path), rest);
}

int walk_failed(struct walk *walk, int err, const char *rest)
{
	struct object *object = walk->object;

	if (walk_fatal(err))
		return -err;
	object->err = -err;
	walk_path_and(walk, rest);
	object->len = proc_rename(walk->resolver, walk->target, walk->dir, object->path, object->len);
	return 0;
}

static int walk_settle(struct walk *walk)
{
	struct object *object = walk->object;
	int err = 0;

	if (resolve_on_proc(walk->resolver, object->pin, &object->st))
		err = proc_judge(walk, object->pin, &object->st, object->path);
	object->len = proc_rename(walk->resolver, walk->target, S_ISDIR(object->st.st_mode) ? object->pin : walk->dir, object->path,
				  object->len);
	if (!err && walk->name->directory && !S_ISDIR(object->st.st_mode))
		err = -ENOTDIR;
	object->err = err;
	return 0;
}

int walk_found(struct walk *walk, int pin)
{
	struct object *object = walk->object;
	ssize_t len;

	object->pin = pin;
	object->self_fd = resolver_self_fd(walk->resolver);
	if (walk->known != pin && fstat(pin, &object->st))
		return -errno;
	len = resolve_path_of(walk->resolver, pin, object->path, PATH_MAX);
	object->below = len == -ENAMETOOLONG;
	if (len == -ENAMETOOLONG && !walk->at_base)
		len = resolve_path_above(walk->resolver, walk->dir, object->path, PATH_MAX);
	if (len == -ENAMETOOLONG && S_ISDIR(object->st.st_mode))
		len = resolve_path_above(walk->resolver, pin, object->path, PATH_MAX);
	if (len == -ENAMETOOLONG) {
		object->err = -ENAMETOOLONG;
		object->len = 1;
		memcpy(object->path, "/", 2);
		return 0;
	}
	if (len < 0)
		return (int)len;
	object->len = (size_t)len;
	object->exists = true;
	walk->at_ns = walk->ns_path && walk->at_base;
	if (walk->at_ns) {
		object->len = path_append(object->path, 0, sizeof(object->path), walk->ns_path + 1);
		return walk_settle(walk);
	}
	if (object->path[0] != '/' || path_deleted(walk->resolver, object->path, &object->len, &object->st) ||
	    (walk->at_base && fs_nameless(pin))) {
		if (!walk->at_base) {
			object->pin = fd_close(pin);
			return WALK_AGAIN;
		}
		object->nameless = true;
		if (!object->magic)
			object->held = walk->name->dirfd == AT_FDCWD ? 1 : fd_held(pin);
		if (walk->name->directory && !S_ISDIR(object->st.st_mode))
			object->err = -ENOTDIR;
		return 0;
	}
	return walk_settle(walk);
}

int walk_entry(struct walk *walk, const char *name, size_t len, int pin)
{
	struct object *object = walk->object;
	struct stat st;

	/* Some file systems have longer names (FUSE: 1024). */
	bool too_long = len > NAME_MAX;

	if (too_long)
		pin = fd_close(pin);
	if (too_long && !walk->name->late)
		return walk_failed(walk, ENAMETOOLONG, name);
	object->pin = pin;
	object->self_fd = resolver_self_fd(walk->resolver);
	object->parent = walk->dir_owned ? walk->dir : fcntl(walk->dir, F_DUPFD_CLOEXEC, 3);
	walk->dir_owned = false;
	walk->dir = object->parent;
	if (object->parent < 0)
		return -errno;
	memcpy(object->last, name, too_long ? 0 : len);
	object->last[too_long ? 0 : len] = '\0';
	walk_path_and(walk, name);
	if (pin < 0) {
		object->err = too_long ? -ENAMETOOLONG : -ENOENT;
		/* Nothing can be made in a directory that is gone. */
		if (fstat(object->parent, &st))
			return -errno;
		object->len = proc_rename(walk->resolver, walk->target, object->parent, object->path, object->len);
		return 0;
	}
	if (fstat(pin, &object->st))
		return -errno;
	object->exists = true;
	return walk_settle(walk);
}

/* ---- entry ---- */

static int resolve_exact(struct walk *walk)
{
	int err;

	object_clear(walk->object);
	walk->n_links = 0;
	walk->link = -1;
	walk->known = -1;
	walk->fast = !walk->name->resolve;
	walk->slash = false;
	walk->root_known = walk->name->path[0] == '/';
	walk->at_base = true;
	walk->at_ns = false;
	walk->jump = fd_close(walk->jump);
	walk_stand(walk, walk->base, false);
	walk->text = strdup(walk->name->path);
	walk->ns_path = NULL;
	if (!walk->text)
		return -ENOMEM;
	walk->rest = walk->text;
	err = walk_run(walk);
	walk->object->slash = walk->slash;
	walk_stand(walk, walk->base, false);
	walk->link = fd_close(walk->link);
	free(walk->text);
	free(walk->ns_path);
	return err;
}

/* ---- where mounts are made (mounts.h) ---- */

/* Paths mean nothing there. */
static int walk_nowhere(struct walk *walk)
{
	struct object *object = walk->object;

	object_clear(object);
	object->err = -EACCES;
	object->len = 1;
	memcpy(object->path, "/", 2);
	return 0;
}

/* What has no name in the program's namespace is what its holder has of it, and no more. */
static int walk_nameless(struct walk *walk)
{
	struct object *object = walk->object;

	if (object->parent >= 0 || !object->exists)
		return walk_nowhere(walk);
	object->nameless = true;
	if (!object->magic)
		object->held = walk->name->dirfd == AT_FDCWD ? 1 : fd_held(object->pin);
	return 0;
}

/* What a process may see of itself counts as what it is (proc_judge()), but its mount must be there. */
static bool proc_attached(const struct walk *walk, int fd)
{
	FILE *file = mountinfo_open(walk->target->proc, "mountinfo");
	AUTO_FREE char *line = NULL;
	uint64_t its;
	bool found = false;
	size_t size = 0;

	if (file && !mount_of(fd, &its))
		while (!found && getline(&line, &size, file) > 0)
			found = strtoull(line, NULL, 10) == its;
	if (file)
		(void)fclose(file);
	return found;
}

/* In the namespace of the directory DIR, where the walk began. */
static bool pin_named(struct walk *walk, int dir)
{
	struct resolver *resolver = walk->resolver;
	struct object *object = walk->object;
	char path[PATH_MAX];
	ssize_t len;

	if (walk->at_ns)
		return true;
	if (S_ISDIR(object->st.st_mode))
		return mounts_attached(resolver->mounts, object->pin);
	len = resolve_path_of(resolver, object->pin, path, sizeof(path));
	if (len > 0 && mounts_leads(resolver->mounts, dir, path, &object->st))
		return true;
	return resolve_on_proc(resolver, object->pin, &object->st) && proc_attached(walk, object->pin);
}

/* What is mounted below goes without a word where its namespace ends, or where somebody outside removes what it is mounted on. */
static bool same_mount(int a, int b)
{
	uint64_t of_a, of_b;

	return !mount_of(a, &of_a) && !mount_of(b, &of_b) && of_a == of_b;
}

/* Its name was told before this is asked: what is attached now was so then. */
static int walk_verify(struct walk *walk, const struct mounts_mark *mark)
{
	struct mounts *mounts = walk->resolver->mounts;
	struct object *object = walk->object;
	bool pinned = object->pin >= 0 && !object->nameless;
	int began = walk->jump >= 0 ? walk->jump : walk->base;
	struct stat st;

	if (!mounts_attached(mounts, walk->root) || (walk->jump >= 0 && !mounts_attached(mounts, walk->jump)))
		return walk_nowhere(walk);
	if (pinned && walk->at_base)
		return pin_named(walk, walk->root) ? 0 : walk_nameless(walk);
	/* No name begins at what is no directory. */
	if (walk->base != walk->root && !fstat(walk->base, &st) && S_ISDIR(st.st_mode) && !mounts_attached(mounts, walk->base))
		return object->nameless ? 0 : walk_nowhere(walk);
	/* That a name led nowhere is no secret. */
	if (object->nameless || (!pinned && object->parent < 0))
		return 0;
	if (!mounts_changed(mounts, mark) && same_mount(began, object->parent >= 0 ? object->parent : object->pin))
		return 0;
	if (object->parent >= 0)
		return mounts_attached(mounts, object->parent) ? 0 : WALK_AGAIN;
	return pinned && pin_named(walk, began) ? 0 : WALK_AGAIN;
}

int resolve(struct resolver *resolver, struct target *target, const struct name *name, int base,
	    enum resolve_level level, struct object *object)
{
	AUTO_FD base_fd = base;
	bool absolute = name->path[0] == '/';
	struct walk walk = { .resolver = resolver, .target = target, .name = name, .object = object, .jump = -1 };
	int err = WALK_AGAIN;

	if (level == RESOLVE_LEXICAL && resolve_lexical(resolver, name, base_fd, object)) {
		object->from = absolute ? -1 : fd_take(&base_fd);
		return 0;
	}
	if (!absolute && base_fd < 0)
		return -EBADF;
	walk.root = resolver->root;
	if (resolver->other_roots)
		walk.root = name->root;
	/* An absolute name under RESOLVE_IN_ROOT was made relative when it was fetched. */
	if (name->resolve & RESOLVE_IN_ROOT)
		walk.root = base_fd;
	walk.base = absolute ? walk.root : base_fd;
	for (int i = 0; i < AGAIN_MAX && err == WALK_AGAIN; i++) {
		struct mounts_mark mark = resolver->mounts ? mounts_mark(resolver->mounts) : (struct mounts_mark){ 0 };
		err = resolve_exact(&walk);
		if (!err && resolver->mounts)
			err = walk_verify(&walk, &mark);
	}
	fd_close(walk.jump);
	if (err == WALK_AGAIN && resolver->mounts)
		err = walk_nowhere(&walk);
	if (err == WALK_AGAIN)
		err = walk_failed(&walk, ENOENT, name->path);
	return err;
}
