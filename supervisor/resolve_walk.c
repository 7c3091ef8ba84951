/*
 * The walk: one component at a time with O_PATH|O_NOFOLLOW, symlinks expanded here. Rules of the kernel's own walk that are
 * kept: 40 links at most; a slash after the last name follows a link there and wants a directory, but not for names that are
 * to be made or removed; ".." stops at the root; a magic link ends the text walk and jumps.
 */
#include "resolve_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"

struct part {
	char name[PATH_MAX];	/* file systems have their own NAME_MAX */
	size_t len;
	bool last, slash;	/* the last one; a slash follows it */
};

void walk_stand(struct walk *walk, int dir, bool owned)
{
	if (walk->dir_owned)
		fd_close(walk->dir);
	walk->dir = dir;
	walk->dir_owned = owned;
}

static int open_path(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, O_PATH | O_CLOEXEC | flags);

	return fd < 0 ? -errno : fd;
}

/* fs.protected_symlinks, as the kernel's may_follow_link(): reaching the object by its pin goes round that one. */
static bool link_protected(const struct walk *walk, const struct stat *link)
{
	struct stat dir;

	if (!walk->resolver->protected_symlinks || (uid_t)syscall(SYS_setfsuid, -1) == link->st_uid)
		return false;
	if (fstat(walk->dir, &dir) || (dir.st_mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH))
		return false;
	return dir.st_uid != link->st_uid;
}

int walk_expand(struct walk *walk, const char *text, size_t len, const char *left)
{
	size_t left_len = strlen(left);
	char *new = malloc(len + left_len + 1);

	if (!new)
		return -ENOMEM;
	memcpy(new, text, len);
	memcpy(new + len, left, left_len + 1);
	free(walk->text);
	walk->text = new;
	walk->rest = new;
	walk->fast = !walk->name->resolve;
	return WALK_ON;
}

int walk_remember(struct walk *walk, int link)
{
	struct object *object = walk->object;
	char path[PATH_MAX];
	ssize_t len;

	if (walk->resolver->no_links || object->n_links >= OBJECT_LINKS_MAX)
		return 0;
	len = resolve_path_of(walk->resolver, link, path, sizeof(path));
	if (len < 0)
		return (int)len;
	object->links[object->n_links] = strdup(path);
	if (!object->links[object->n_links])
		return -ENOMEM;
	object->n_links++;
	return 0;
}

int mount_of(int fd, uint64_t *mount)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx))
		return -errno;
	*mount = stx.stx_mnt_id;
	return 0;
}

static bool same_place(int a, int b)
{
	struct stat sa, sb;
	uint64_t ma = 0, mb = 1;

	return !fstat(a, &sa) && !fstat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino &&
	       !mount_of(a, &ma) && !mount_of(b, &mb) && ma == mb;
}

/* The target asked to stay beneath its dirfd: a rename may have moved us out while we walked. */
static bool still_beneath(struct walk *walk, int dir)
{
	char top[PATH_MAX], here[PATH_MAX];
	ssize_t n = resolve_path_of(walk->resolver, walk->base, top, sizeof(top));
	ssize_t m = resolve_path_of(walk->resolver, dir, here, sizeof(here));

	if (n < 1 || m < n)
		return false;
	return n == 1 || (!memcmp(top, here, (size_t)n) && (here[n] == '\0' || here[n] == '/'));
}

/* Stays on the mount when the target asked for it. */
static int check_mount(const struct walk *walk, int fd)
{
	uint64_t mount = 0;

	if (!(walk->name->resolve & RESOLVE_NO_XDEV))
		return 0;
	if (mount_of(fd, &mount))
		return -errno;
	return mount == walk->mount ? 0 : -EXDEV;
}

static int walk_dotdot(struct walk *walk, const struct part *part, char *left)
{
	const uint64_t inside = RESOLVE_BENEATH | RESOLVE_IN_ROOT;
	bool stays = walk->name->resolve & inside && same_place(walk->dir, walk->base);
	AUTO_FD up = -1;
	int err;

	walk->root_known = true;
	if (stays) {
		up = open_path(walk->dir, ".", O_DIRECTORY);
		if (up >= 0 && walk->name->resolve & RESOLVE_BENEATH)
			return walk_failed(walk, EXDEV, walk->rest);
		/* The descriptor itself, which says what is held of a directory that was removed. */
		if (up >= 0) {
			fd_close(up);
			up = fcntl(walk->base, F_DUPFD_CLOEXEC, 3);
			up = up < 0 ? -errno : up;
		}
	} else if (walk->root != walk->resolver->root && same_place(walk->dir, walk->root)) {
		up = open_path(walk->dir, ".", O_DIRECTORY);
	} else {
		up = open_path(walk->dir, "..", O_DIRECTORY);
	}
	if (up < 0)
		return walk_failed(walk, -up, walk->rest);
	if (walk->name->resolve & inside && !still_beneath(walk, up))
		return walk_failed(walk, EAGAIN, walk->rest);
	err = check_mount(walk, up);
	if (err)
		return walk_failed(walk, -err, walk->rest);
	if (part->last && walk->name->mode == NAME_ENTRY)
		return walk_entry(walk, part->name, part->len, fd_take(&up));
	walk_stand(walk, fd_take(&up), true);
	walk->at_base = stays;
	walk->rest = left;
	return WALK_ON;
}

static int walk_jump(struct walk *walk, const struct part *part, char *left, int jump)
{
	AUTO_FD to = jump;
	struct stat st;
	int err = 0;

	if (walk->name->resolve & (RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS))
		err = ELOOP;
	else if (walk->name->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		err = EXDEV;
	else
		err = -check_mount(walk, to);
	if (err)
		return walk_failed(walk, err, walk->rest);
	if (fstat(to, &st))
		return -errno;
	if ((!part->last || part->slash) && !S_ISDIR(st.st_mode))
		return walk_failed(walk, ENOTDIR, walk->rest);
	if (walk->resolver->mounts && S_ISDIR(st.st_mode)) {
		fd_close(walk->jump);
		walk->jump = fcntl(to, F_DUPFD_CLOEXEC, 3);
		if (walk->jump < 0)
			return -errno;
	}
	walk->object->magic = true;
	walk->at_base = true;
	walk->fast = !walk->name->resolve;
	if (part->last)
		return walk_found(walk, fd_take(&to));
	walk_stand(walk, fd_take(&to), true);
	walk->rest = left;
	return WALK_ON;
}

static int walk_link(struct walk *walk, const struct part *part, char *left, int link_fd,
		     const struct stat *st)
{
	AUTO_FD link = link_fd;
	char text[PATH_MAX];
	struct statvfs fs;
	ssize_t len;
	int err, jump = -1;

	if (walk->n_links++ >= RESOLVE_LINKS_MAX || walk->name->resolve & RESOLVE_NO_SYMLINKS ||
	    (walk->resolver->nosymfollow && (fstatvfs(link, &fs) || fs.f_flag & 0x2000 /* ST_NOSYMFOLLOW */)))
		return walk_failed(walk, ELOOP, walk->rest);
	if (part->last && link_protected(walk, st))
		return walk_failed(walk, EACCES, walk->rest);
	if (resolve_on_proc(walk->resolver, link, st)) {
		err = proc_follow(walk, link, part->name, text, sizeof(text), &jump);
		if (err < 0)
			return walk_failed(walk, -err, walk->rest);
		if (err)
			return walk_jump(walk, part, left, jump);
	} else {
		len = readlinkat(link, "", text, sizeof(text) - 1);
		if (len <= 0)
			return walk_failed(walk, len ? errno : ENOENT, walk->rest);
		text[len] = '\0';
		err = walk_remember(walk, link);
		if (err)
			return err;
	}
	if (text[0] == '/') {
		if (walk->name->resolve & RESOLVE_BENEATH)
			return walk_failed(walk, EXDEV, walk->rest);
		/* The kernel has not looked up its root yet, unless by "..", and finds the mounts different. */
		if (walk->name->resolve & RESOLVE_NO_XDEV && !(walk->name->resolve & RESOLVE_IN_ROOT) && !walk->root_known)
			return walk_failed(walk, EXDEV, walk->rest);
		walk_stand(walk, walk->root, false);
		walk->at_base = true;
		err = check_mount(walk, walk->dir);
		if (err)
			return walk_failed(walk, -err, walk->rest);
	}
	return walk_expand(walk, text, strlen(text), left);
}

/* A missing or unreachable name. */
static int walk_missing(struct walk *walk, const struct part *part, int err)
{
	enum name_mode mode = walk->name->mode;

	if (err == ENOENT && part->last && part->len <= NAME_MAX && (mode == NAME_CREATE || mode == NAME_ENTRY)) {
		walk->slash = walk->slash || part->slash;
		return walk_entry(walk, part->name, part->len, -1);
	}
	if ((err == ENAMETOOLONG || err == ENOENT) && part->last && walk->name->late) {
		int end = walk_entry(walk, part->name, part->len, -1);
		/* In a directory that is gone there is nothing, however long its name. */
		walk->object->err = -err;
		return end;
	}
	return walk_failed(walk, err, walk->rest);
}

static int walk_part(struct walk *walk, const struct part *part, char *left)
{
	enum name_mode mode = walk->name->mode;
	bool follow = !part->last || mode == NAME_FOLLOW || mode == NAME_CREATE || (mode == NAME_NOFOLLOW && part->slash);
	AUTO_FD child = -1;
	struct stat st;
	int err;

	if (part->last && part->slash && walk->name->makes) {
		AUTO_FD here = open_path(walk->dir, ".", O_DIRECTORY);
		return walk_failed(walk, here < 0 ? -here : EISDIR, walk->rest);
	}
	child = walk->link >= 0 ? fd_take(&walk->link) : open_path(walk->dir, part->name, O_NOFOLLOW);
	if (child == -EACCES)
		child = proc_open_own(walk, walk->dir, part->name, O_NOFOLLOW, -EACCES);
	if (child < 0)
		return walk_missing(walk, part, -child);
	if (fstat(child, &st))
		return -errno;
	err = check_mount(walk, child);
	if (err)
		return walk_failed(walk, -err, walk->rest);
	if (S_ISLNK(st.st_mode) && follow)
		return walk_link(walk, part, left, fd_take(&child), &st);
	if (!part->last) {
		if (!S_ISDIR(st.st_mode))
			return walk_failed(walk, ENOTDIR, walk->rest);
		walk_stand(walk, fd_take(&child), true);
		walk->at_base = false;
		walk->rest = left;
		return WALK_ON;
	}
	walk->slash = walk->slash || part->slash;
	if (mode == NAME_ENTRY)
		return walk_entry(walk, part->name, part->len, fd_take(&child));
	if (part->slash && mode != NAME_CREATE && !S_ISDIR(st.st_mode))
		return walk_failed(walk, ENOTDIR, walk->rest);
	walk->at_base = false;
	return walk_found(walk, fd_take(&child));
}

/* The path is at its end where we stand. */
static int walk_here(struct walk *walk, const char *name)
{
	int pin = walk->dir_owned ? walk->dir : fcntl(walk->dir, F_DUPFD_CLOEXEC, 3);
	int up;

	if (pin < 0)
		return -errno;
	walk->dir_owned = false;
	if (walk->name->mode != NAME_ENTRY)
		return walk_found(walk, pin);
	up = fcntl(pin, F_DUPFD_CLOEXEC, 3);
	if (up < 0) {
		int err = -errno;
		fd_close(pin);
		return err;
	}
	walk_stand(walk, up, true);
	return walk_entry(walk, name, strlen(name), pin);
}

static int walk_step(struct walk *walk)
{
	struct part part;
	char *end;
	int err;

	while (*walk->rest == '/')
		walk->rest++;
	if (!*walk->rest)
		return walk_here(walk, "/");
	if (walk->fast) {
		walk->fast = false;
		err = walk_fast(walk);
		if (err != WALK_ON || walk->fast)
			return err;
		while (*walk->rest == '/')
			walk->rest++;
	}
	end = strchrnul(walk->rest, '/');
	part.len = (size_t)(end - walk->rest);
	if (part.len >= sizeof(part.name))
		return walk_failed(walk, ENAMETOOLONG, walk->rest);
	memcpy(part.name, walk->rest, part.len);
	part.name[part.len] = '\0';
	part.slash = *end == '/';
	part.last = !end[strspn(end, "/")];
	if (part.len == 1 && part.name[0] == '.') {
		/* The kernel searches the directory for this name as well. */
		AUTO_FD here = open_path(walk->dir, ".", O_DIRECTORY);
		if (here < 0)
			return walk_failed(walk, -here, walk->rest);
		walk->rest = end;
		return part.last ? walk_here(walk, ".") : WALK_ON;
	}
	if (part.len == 2 && part.name[0] == '.' && part.name[1] == '.')
		return walk_dotdot(walk, &part, end);
	return walk_part(walk, &part, end);
}

int walk_run(struct walk *walk)
{
	int err;

	if (walk->name->resolve & RESOLVE_NO_XDEV && mount_of(walk->base, &walk->mount))
		return -errno;
	if (walk->name->path[0] == '/' && walk->name->resolve & RESOLVE_BENEATH)
		return walk_failed(walk, EXDEV, walk->rest);
	/* "" with AT_EMPTY_PATH: the descriptor itself. */
	if (!walk->name->len)
		return walk_here(walk, "");
	do
		err = walk_step(walk);
	while (err == WALK_ON);
	return err;
}
