/*
 * Lexical objects: a name taken as it is spelled. It is what it says if openat2(2) with RESOLVE_NO_SYMLINKS finds no link in it,
 * and then that call has opened exactly that: the name is the pin. A relative one is looked up from the directory that fetch has
 * pinned, whose own path (d_path has no links) stands before it. That directory may be moved meanwhile, and what is denied
 * there be moved into it: what was opened must have the path that was judged. Procfs is left out, where names depend on the reader.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "hash.h"
#include "resolve_walk.h"

#define DELETED " (deleted)"

static int lexical_from(const struct resolver *resolver, const struct object *object)
{
	return object->from >= 0 ? object->from : resolver->root;
}

/* PATH of a lexical object relative to that, with the slash at its end. */
static const char *lexical_name(const struct object *object, char buf[PATH_MAX])
{
	const char *name = object->path + object->from_len + 1;
	size_t len = object->len - object->from_len - 1;

	if (object->len == 1)
		return ".";
	if (!object->slash || len + 2 > PATH_MAX)
		return name;
	memcpy(buf, name, len);
	buf[len] = '/';
	buf[len + 1] = '\0';
	return buf;
}

/* What NO_SYMLINKS answers is no answer. */
static int lexical_error(int err)
{
	return err == ELOOP ? -EINEXACT : -err;
}

static int open_plain(int dir, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* FD is called as the object still; or what that begins at is, if nothing was opened. */
static bool lexical_holds(const struct resolver *resolver, const struct object *object, int fd)
{
	size_t want = fd >= 0 ? object->len : object->from_len ? object->from_len : 1;
	char path[PATH_MAX];
	ssize_t len;

	if (object->from < 0)
		return true;
	len = resolve_path_of(resolver, fd < 0 ? object->from : fd, path, sizeof(path));
	return len > 0 && (size_t)len == want && !memcmp(path, object->path, want);
}

int object_open_lexical(const struct resolver *resolver, const struct object *object, int flags)
{
	char buf[PATH_MAX];
	int err, fd;

	/* Not to be undone. */
	if (object->from >= 0 && flags & O_TRUNC)
		return -EINEXACT;
	fd = open_plain(lexical_from(resolver, object), lexical_name(object, buf), (uint64_t)(unsigned)flags);
	err = fd < 0 ? lexical_error(errno) : 0;
	if (!lexical_holds(resolver, object, fd)) {
		fd_close(fd);
		return -EINEXACT;
	}
	return err ? err : fd;
}

int object_lexical_exists(const struct resolver *resolver, struct object *object, bool nofollow)
{
	int fd = object_open_lexical(resolver, object, O_PATH | (nofollow ? O_NOFOLLOW : 0));

	if (fd < 0)
		return fd;
	object->exists = true;
	object->pin = fd;
	return 0;
}

int object_lexical_pin(const struct resolver *resolver, struct object *object, bool nofollow)
{
	int err = object_lexical_exists(resolver, object, nofollow);

	if (err)
		return err;
	if (fstat(object->pin, &object->st))
		err = -errno;
	else if (!resolve_dev_plain((struct resolver *)resolver, object->st.st_dev))
		err = -EINEXACT;
	if (err)
		object_unpin(object);
	object->exists = !err;
	return err;
}

int object_lexical_parent(const struct resolver *resolver, struct object *object)
{
	char buf[PATH_MAX];
	size_t len = object->len - strlen(object->last);
	int fd;

	ASSERT(object->lexical && object->last[0] && len <= PATH_MAX);
	if (len <= 1) {
		memcpy(buf, ".", 2);
	} else {
		memcpy(buf, object->path + 1, len - 2);
		buf[len - 2] = '\0';
	}
	fd = open_plain(resolver->root, buf, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return lexical_error(errno);
	object->parent = fd;
	return 0;
}

/*
 * The type of a name costs as much as a good part of its open, and programs open the same names over and over. So what a name
 * was is believed for HINT_TICKS more: 48 bits of a hash of name and generation, one for prompt or not, 15 of the time.
 * A name that changes its type meanwhile outside the sandbox makes one serving thread wait in open(2), no more.
 */
#define HINT_SHIFT  24	/* 16.8 ms */
#define HINT_TICKS  6
#define HINT_TIME   UINT64_C(0x7fff)
#define HINT_PROMPT UINT64_C(0x8000)
#define HINT_NAME   (~(HINT_TIME | HINT_PROMPT))
#define HINT_SALT   16		/* where the generation begins */

_Static_assert((RESOLVE_HINTS & (RESOLVE_HINTS - 1)) == 0, "a mask");

bool object_lexical_prompt(struct resolver *resolver, const struct object *object, uint64_t now_ns)
{
	uint64_t ticks = now_ns >> HINT_SHIFT & HINT_TIME, kept;
	uint64_t hint = (hash_path(object->path, object->len) ^ atomic_load(&resolver->generation) << HINT_SALT) & HINT_NAME;
	_Atomic uint64_t *slot = &resolver->hints[hint >> 32 & (RESOLVE_HINTS - 1)];
	char buf[PATH_MAX];
	struct stat st;
	bool prompt;

	kept = atomic_load_explicit(slot, memory_order_relaxed);
	if (kept && (kept & HINT_NAME) == hint && ((ticks - kept) & HINT_TIME) < HINT_TICKS)
		return kept & HINT_PROMPT;
	if (fstatat(lexical_from(resolver, object), lexical_name(object, buf), &st, AT_SYMLINK_NOFOLLOW))
		return true;
	prompt = (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) && resolve_dev_plain(resolver, st.st_dev);
	atomic_store_explicit(slot, hint | ticks | (prompt ? HINT_PROMPT : 0), memory_order_relaxed);
	return prompt;
}

/* What a relative NAME begins at, into .path: a directory that has a path, not on procfs. */
static bool begins_at(const struct resolver *resolver, const struct name *name, int base, struct object *object)
{
	const size_t mark = sizeof(DELETED) - 1;
	ssize_t len;

	if (base < 0 || resolver->mounts || name->mode == NAME_ENTRY || !name->path[0])
		return false;
	len = resolve_path_of(resolver, base, object->path, PATH_MAX);
	if (len <= 0 || object->path[0] != '/' || (size_t)len + 1 + strlen(name->path) >= PATH_MAX)
		return false;
	object->from_len = len == 1 ? 0 : (size_t)len;
	return ((size_t)len < mark || memcmp(object->path + (size_t)len - mark, DELETED, mark)) &&
	       (strncmp(object->path, "/proc", 5) || (object->path[5] && object->path[5] != '/'));
}

bool resolve_lexical(const struct resolver *resolver, const struct name *name, int base, struct object *object)
{
	const char *in = name->path;
	char *out = object->path;
	size_t last = 0;
	bool dot = false;

	if (resolver->other_roots || name->resolve || name->mode == NAME_CREATE)
		return false;
	if (*in != '/' && !begins_at(resolver, name, base, object))
		return false;
	out += object->from_len;
	for (;;) {
		while (*in == '/')
			in++;
		if (!*in)
			break;
		last = (size_t)(strchrnul(in, '/') - in);
		dot = last == 1 && in[0] == '.';
		if (last > NAME_MAX || (last == 2 && in[0] == '.' && in[1] == '.'))
			return false;
		if (!dot) {
			if (out == object->path && last == 4 && !memcmp(in, "proc", 4))
				return false;
			*out++ = '/';
			memcpy(out, in, last);
			out += last;
		}
		in += last;
	}
	/* A dot at the end asks for the right to search. */
	if (dot)
		return false;
	object->slash = in[-1] == '/';
	if (name->mode == NAME_ENTRY) {
		if (out == object->path)
			return false;
		memcpy(object->last, out - last, last);
		object->last[last] = '\0';
	}
	if (out == object->path)
		*out++ = '/';
	*out = '\0';
	object->len = (size_t)(out - object->path);
	object->lexical = true;
	return true;
}
