/*
 * From (root, cwd or dirfd, spelled path) to a pinned object.
 *
 * Levels: RESOLVE_LEXICAL answers only for paths without "..": no descriptor is opened, .path is the
 * spelled path tidied, and the caller must open it with RESOLVE_NO_SYMLINKS from the root, or from the directory where a relative
 * name begins (then the name is the pin); RESOLVE_EXACT walks and pins. A lexical deny is never final: links may lead elsewhere.
 *
 * The walk uses O_PATH|O_NOFOLLOW descriptors, expands symlinks itself (40 => ELOOP), never leaves the
 * target's root, and gives /proc/self, /proc/thread-self, /dev/fd and the magic links of procfs the target's
 * meaning. The final .path is d_path of the pin (readlink of /proc/self/fd/N), never the sum of what was
 * spelled. It runs with the target's credentials worn.
 */
#ifndef USHER_RESOLVE_H
#define USHER_RESOLVE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "target.h"

enum resolve_level { RESOLVE_LEXICAL, RESOLVE_EXACT };

enum name_mode {
	NAME_FOLLOW,		/* the object; the last symlink is followed */
	NAME_NOFOLLOW,		/* the object; a last symlink is the object */
	NAME_CREATE,		/* as FOLLOW, but may be missing: then parent and last (a dangling last symlink leads on) */
	NAME_ENTRY,		/* parent and last name, and the object there (not followed) if any: unlink, rename, mkdir */
};

/* What fetch copied of one path argument. */
struct name {
	int dirfd;		/* AT_FDCWD or the target's number */
	enum name_mode mode;
	bool empty_ok;		/* AT_EMPTY_PATH: "" means dirfd itself */
	bool directory;		/* must be a directory (O_DIRECTORY) */
	bool makes;		/* a file, if it is missing (O_CREAT): with a slash at the end EISDIR, whatever is there */
	bool late;		/* NAME_ENTRY: that the last name is too long is said by serve (object.err, with a parent) */
	bool based;		/* fetch has pinned what it starts from */
	int err;		/* it could not be read, or its dirfd is none: said when it would be looked up */
	uint64_t resolve;	/* RESOLVE_* of the target's own openat2 */
	int root;		/* the target's, if the resolver has other roots. Borrowed */
	size_t len;
	char path[PATH_MAX];
};

static inline void name_begin(struct name *name, int dirfd, enum name_mode mode, bool empty_ok)
{
	name->dirfd = dirfd;
	name->mode = mode;
	name->empty_ok = empty_ok;
	name->directory = name->makes = name->late = name->based = false;
	name->err = 0;
	name->resolve = 0;
	name->len = 0;
	name->path[0] = '\0';
}

#define OBJECT_LINKS_MAX 40

struct object {
	int pin;		/* O_PATH of the object; -1: missing, or lexical. Owned */
	int self_fd;		/* the resolver's /proc/self/fd, a shorter way to reopen; -1 in lexical objects. Borrowed */
	int parent;		/* O_PATH of the directory; NAME_CREATE when missing, NAME_ENTRY always. Owned */
	int err;		/* 0, or why resolution ended: -ENOENT (also: missing entry), -ENOTDIR, -ELOOP, -EACCES... .path is then as far
				 * as it went plus the rest as spelled, so that a denied name reveals nothing */
	int from;		/* lexical: what the first .from_len bytes of .path are of; -1: the root. Owned */
	size_t from_len;
	bool exists;
	bool lexical;
	bool nameless;		/* pipe, socket, memfd, deleted: .held is the access already held (O_ACCMODE+1 bits: 1 read, 2 write) */
	unsigned held;
	bool below;		/* longer than a path can be: .path is of a directory above it, and so many names between are not known */
	bool slash;		/* spelled with a slash at the end */
	bool magic;		/* came through a magic link of procfs */
	bool foreign;		/* what procfs shows of a process outside the sandbox: never to be changed */
	struct stat st;		/* of pin; valid if pin >= 0 */
	size_t len;		/* of .path; for the policy: /proc/PID of the caller is /proc/self */
	char path[PATH_MAX + NAME_MAX + 2];
	char last[NAME_MAX + 1];	/* the name in parent */
	unsigned n_links;	/* symlinks met on the way: where they lay, for beneath */
	char *links[OBJECT_LINKS_MAX];	/* owned */
};

struct resolver;	/* per sandbox: the launch root, what namespaces are possible */
/* OTHER_ROOTS: the policy lets targets chroot, unshare or setns, so that their root must be looked at each time.
 * GUARDIAN: magic links are followed only into descendants of this process. */
int resolver_new(struct resolver **resolver, bool other_roots, pid_t guardian);
void resolver_free(struct resolver *resolver);
/* Whether object.links are WANTED: some rule says beneath. They are, until this says otherwise. */
void resolver_links(struct resolver *resolver, bool wanted);
/* Some name may have changed its type (rename, link, mknod): what object_lexical_prompt() remembers is forgotten. */
void resolver_forget(struct resolver *resolver);
/* Before the first resolve(): mounts are made for the program. Borrowed. */
struct mounts;
void resolver_mounts(struct resolver *resolver, struct mounts *mounts);
bool resolver_other_roots(const struct resolver *resolver);
/* Before the first resolve(): the program's root is in a mount namespace of its own. ROOT is handed over. */
void resolver_launch_root(struct resolver *resolver, int root);
/* The O_PATH descriptor of the launch root. Borrowed. */
int resolver_root(const struct resolver *resolver);
/* From now on this thread's /proc/self/fd is FD, that of another process with the same descriptors. -1: ours again. Borrowed. */
void resolver_own_fds(int fd);
/* d_path of FD into PATH: its length or -errno. */
ssize_t resolve_path_of(const struct resolver *resolver, int fd, char *path, size_t size);
/* The path of the deepest directory above DIR that has one. */
ssize_t resolve_path_above(const struct resolver *resolver, int dir, char *path, size_t size);
/* That of FD as TARGET's rules name it: /proc/PID of the caller is /proc/self. */
ssize_t resolver_path(struct resolver *resolver, const struct target *target, int fd, char path[PATH_MAX], size_t size);
/* Is NUMBER, as TARGET counts in its PID namespace, the guardian? */
bool resolver_guardian(const struct resolver *resolver, const struct target *target, pid_t number);
/* Is NUMBER a process of the sandbox, as far as the supervisor's numbers go? */
bool resolver_member(const struct resolver *resolver, const struct target *target, pid_t number);

void object_init(struct object *object);
void object_clear(struct object *object);
/* Closes what it has pinned; what it says remains. */
void object_unpin(struct object *object);
/* BASE: an owned descriptor of dirfd or cwd, or -1 for an absolute path; consumed. 0: look at .err. Otherwise -errno that is not
 * about the path (-EMFILE, -ENOMEM). What RESOLVE_LEXICAL cannot answer ("..", procfs) it resolves exactly:
 * .lexical says which. */
int resolve(struct resolver *resolver, struct target *target, const struct name *name, int base,
	    enum resolve_level level, struct object *object);
/* What no system call answers (EAGAIN is what a lease does): the name may not be taken as it is spelled, resolve it exactly. */
#define EINEXACT 1000
/* Opens a lexical object: openat2(2) without symlinks, FLAGS as given. The name is then the pin. -EINEXACT: there
 * is a symlink in the way or procfs below; any other -errno is the kernel's and certain. */
int object_open_lexical(const struct resolver *resolver, const struct object *object, int flags);
/* Sets .pin and .st of a lexical object (NOFOLLOW: a last symlink is the object), or .parent alone (object_lexical_parent).
 * 0 or as object_open_lexical(). */
int object_lexical_pin(const struct resolver *resolver, struct object *object, bool nofollow);
/* The same without .st. */
int object_lexical_exists(const struct resolver *resolver, struct object *object, bool nofollow);
int object_lexical_parent(const struct resolver *resolver, struct object *object);
/* Is the lexical name one whose open does not wait: a file, a directory, or nothing? Remembered for a moment: a hint. */
bool object_lexical_prompt(struct resolver *resolver, const struct object *object, uint64_t now_ns);
/* The text of a pinned symlink, as TARGET, whose root is ROOT (-1: that of launch), would read it. Its length or -errno. */
ssize_t object_readlink(struct resolver *resolver, struct target *target, int root, const struct object *object, char *text,
			size_t size);
/* Opens the pinned object anew with FLAGS (as given by the target; O_CREAT, O_EXCL, O_NOFOLLOW, O_CLOEXEC and O_NOCTTY are seen to). -errno. */
int object_reopen(const struct object *object, int flags);
/* When that failed with ERR: once more with what a process may do to itself, if the object is the target's own entry of procfs and
 * FLAGS only read, or it is the name of a thread. */
int object_reopen_own(struct resolver *resolver, const struct object *object, int flags, int err);
/* "/proc/self/fd/N" of the pin into BUF (at least 32 bytes): for calls that only take paths. */
const char *object_proc_path(int fd, char *buf, size_t size);

#endif
