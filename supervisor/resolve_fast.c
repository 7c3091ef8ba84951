/*
 * Several components in one step: openat2() goes along them where there is no symlink and no "..". A symlink at the very end is
 * expanded here; all else is left to resolve_walk.c, which takes them one by one.
 */
#include "resolve_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"

static bool has_dotdot(const char *rest)
{
	for (const char *p = rest; (p = strstr(p, "..")); p += 2)
		if ((p == rest || p[-1] == '/') && (!p[2] || p[2] == '/'))
			return true;
	return false;
}

static int open_plain(int dir, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(O_PATH | O_CLOEXEC | flags),
		.resolve = RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* ENOENT and ENOTDIR came before any symlink, EINTR is the target's signal (stuck.h). EACCES may be what a process may do to itself in procfs. */
static bool plain_certain(int err)
{
	return err != -ELOOP && err != -EACCES && err != -EAGAIN && err != -EXDEV && err != -EPERM;
}

/*
 * LINK is the last name of REST, which begins at LAST, and nothing before it is a link: its text is put in its place there and
 * then. WALK_ON, 0 if that is not enough to go by, or the end of the walk.
 */
static int walk_shortcut(struct walk *walk, int link, const char *rest, const char *last)
{
	const struct stat *st = &walk->object->st;
	size_t before = (size_t)(last - rest);
	char text[PATH_MAX];
	ssize_t len;
	int err;

	if (walk->resolver->nosymfollow || resolve_on_proc(walk->resolver, link, st) ||
	    (walk->resolver->protected_symlinks && (uid_t)syscall(SYS_setfsuid, -1) != st->st_uid))
		return 0;
	if (walk->n_links >= RESOLVE_LINKS_MAX)
		return walk_failed(walk, ELOOP, rest);
	len = readlinkat(link, "", text, sizeof(text) - 1);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	if (has_dotdot(text))
		return 0;
	walk->n_links++;
	err = walk_remember(walk, link);
	if (err)
		return err;
	if (text[0] == '/') {
		walk_stand(walk, walk->root, false);
		walk->at_base = true;
		before = 0;
	}
	return walk_expand(walk, rest, before, text);
}

static bool is_link(struct walk *walk, int fd)
{
	if (fstat(fd, &walk->object->st))
		return false;
	if (S_ISLNK(walk->object->st.st_mode))
		return true;
	walk->known = fd;
	return false;
}

/* A file of procfs, of which there may be other instances: whose it is, its directory tells, so that this one must be passed by. */
static bool needs_parent(struct walk *walk, int fd)
{
	struct stat st;

	return resolver_other_procs(walk->resolver) && !fstat(fd, &st) && !S_ISDIR(st.st_mode) && resolve_on_proc(walk->resolver, fd, &st);
}

int walk_fast(struct walk *walk)
{
	enum name_mode mode = walk->name->mode;
	char *rest = walk->rest, *last, *end;
	AUTO_FD link = -1;
	int fd, err;

	while (*rest == '/')
		rest++;
	end = rest + strlen(rest);
	/* "." alone is where we stand, which may have been removed. */
	if (!rest[strspn(rest, "./")] || has_dotdot(rest) || end - rest >= PATH_MAX)
		return WALK_ON;
	if (mode == NAME_FOLLOW || mode == NAME_NOFOLLOW) {
		/* A last symlink that is to be followed would refuse all of it: it is taken as it is and known for one below. */
		fd = open_plain(walk->dir, rest, O_NOFOLLOW);
		if (fd >= 0 && needs_parent(walk, fd)) {
			walk->known = -1;
			fd_close(fd);
			return WALK_ON;
		}
		if (fd >= 0 && (mode == NAME_NOFOLLOW || !is_link(walk, fd))) {
			walk->at_base = false;
			walk->slash = end[-1] == '/';
			return walk_found(walk, fd);
		}
		if (fd < 0 && plain_certain(fd)) {
			walk->slash = end[-1] == '/';
			return walk_failed(walk, -fd, rest);
		}
		if (fd >= 0)
			link = fd;
	}
	while (end > rest && end[-1] == '/')
		end--;
	for (last = end; last > rest && last[-1] != '/'; last--)
		;
	if (link >= 0) {
		err = walk_shortcut(walk, link, rest, last);
		if (err)
			return err;
	}
	if (last == rest) {
		walk->link = fd_take(&link);
		return WALK_ON;
	}
	last[-1] = '\0';
	fd = open_plain(walk->dir, rest, O_DIRECTORY);
	last[-1] = '/';
	if (fd < 0)
		return plain_certain(fd) ? walk_failed(walk, -fd, rest) : WALK_ON;
	/* The name itself is for walk_part(): it may be a symlink, missing, or to be made. */
	walk_stand(walk, fd, true);
	walk->at_base = false;
	walk->rest = last;
	walk->link = fd_take(&link);
	return WALK_ON;
}
