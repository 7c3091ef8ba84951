/* What the parts of the resolver share: resolve.c (entry, pins), resolve_lexical.c (names taken as spelled), resolve_walk.c
 * (components), resolve_fast.c (several at once), resolve_proc.h (procfs). */
#ifndef USHER_RESOLVE_WALK_H
#define USHER_RESOLVE_WALK_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "resolve.h"

#define RESOLVE_LINKS_MAX 40	/* as the kernel's MAXSYMLINKS */
#define RESOLVE_DEVS 16
#define RESOLVE_HINTS 1024

struct resolver {
	int root;			/* O_PATH of the launch root: ours, or in a mount namespace that was made for the program. Owned */
	int own_root;			/* ours. Owned */
	int self_fd;			/* O_PATH of our /proc/self/fd. Owned */
	int self_task;			/* and of /proc/self/task. Owned */
	struct mounts *mounts;		/* mounts are made for the program: what a path says must be looked after. Borrowed; NULL: none are */
	bool other_roots, other_procs;
	pid_t pid, guardian;
	dev_t proc_dev;			/* of the instance at /proc */
	bool protected_symlinks;
	bool nosymfollow;		/* some mount had that option at start */
	_Atomic bool no_links;		/* object.links are not wanted */
	_Atomic uint64_t hints[RESOLVE_HINTS];	/* names seen to be prompt: hash, generation and time, see resolve.c */
	_Atomic uint64_t generation;
	_Atomic uint64_t plain_devs[RESOLVE_DEVS];	/* anonymous device numbers seen not to be procfs */
};

struct walk {
	struct resolver *resolver;
	struct target *target;
	const struct name *name;
	struct object *object;
	int root;		/* borrowed: absolute names and links begin here */
	int base;		/* borrowed: where this name began */
	int dir;		/* where we stand; owned if dir_owned */
	bool dir_owned;
	int link;		/* the next component, known to be a symlink: pinned already; -1. Owned */
	int known;		/* what walk_found() is called with next, its stat is in object.st; -1. Borrowed */
	bool at_base;		/* reached through a descriptor or a magic link, not by a name */
	int jump;		/* where the last magic link led to, if that is a directory and mounts are made; -1. Owned */
	bool fast;		/* the rest was not tried in one step yet */
	bool slash;		/* the name ended in a slash */
	bool root_known;	/* as in the kernel's walk: for RESOLVE_NO_XDEV */
	unsigned n_links;
	uint64_t mount;		/* of the base, for RESOLVE_NO_XDEV */
	bool at_ns;		/* the pin is a namespace */
	char *ns_path;		/* where the magic link of a namespace lay: it has no other path. Owned */
	char *rest;		/* what is left to be looked up */
	char *text;		/* what rest points into. Owned */
};

/* ---- resolve.c ---- */

/* Not procfs, by its number alone. */
bool resolve_dev_plain(struct resolver *resolver, dev_t dev);
bool resolve_on_proc(struct resolver *resolver, int fd, const struct stat *st);
/* /proc/self/fd of who runs this. Borrowed. */
int resolver_self_fd(const struct resolver *resolver);
/* The end of a walk. Each returns 0, or -errno that is not about the path. */
enum { WALK_AGAIN = 1 };	/* it was removed while we looked: walk once more */
/* PIN is handed over. */
int walk_found(struct walk *walk, int pin);
/* NAME (one component) in the directory where the walk stands; PIN (handed over) is what is there, -1 if nothing. */
int walk_entry(struct walk *walk, const char *name, size_t len, int pin);
/* It ended with ERR where the walk stands, before REST. */
int walk_failed(struct walk *walk, int err, const char *rest);

/* ---- resolve_lexical.c ---- */
/* The spelled path of NAME, tidied, if that may be what is meant. BASE: where a relative one begins. Borrowed. */
bool resolve_lexical(const struct resolver *resolver, const struct name *name, int base, struct object *object);

/* ---- resolve_walk.c ---- */
enum { WALK_ON = 2 };	/* goes on: the walk is not at its end */
int walk_run(struct walk *walk);
/* LEN bytes of TEXT and then what is LEFT become the rest. WALK_ON or -ENOMEM. */
int walk_expand(struct walk *walk, const char *text, size_t len, const char *left);
/* LINK is one that was followed, for object.links. 0 or -errno. */
int walk_remember(struct walk *walk, int link);
int mount_of(int fd, uint64_t *mount);
void walk_stand(struct walk *walk, int dir, bool owned);

/* ---- resolve_fast.c ---- */
/* The whole rest at once, or at least all but the last component. WALK_ON with less left to do when a symlink is in the way. */
int walk_fast(struct walk *walk);

/* ---- resolve_proc.c, resolve_owner.c ---- */

enum proc_relation { PROC_TARGET, PROC_MEMBER, PROC_OURS, PROC_FOREIGN };
/* Looks NAME up in DIR like openat(O_PATH|FLAGS) did with ERR, but with what a process may do to itself. */
int proc_open_own(struct walk *walk, int dir, const char *name, int flags, int err);
/*
 * LINK, called NAME in the walk's directory, is a symlink on procfs. 0 and its text in TEXT; 1 when it is a magic link, and *JUMP
 * is what it leads to (owned); or -errno as the end of the walk.
 */
int proc_follow(struct walk *walk, int link, const char *name, char *text, size_t size, int *jump);
/* The pin is on procfs: whose is it, and may it be seen? 0 or -errno; sets object.foreign. */
int proc_judge(struct walk *walk, int pin, const struct stat *st, const char *path);
/* /proc/N of TARGET's own process becomes /proc/self; DIR is a directory on that path, for whose numbers they are. Returns the new length. */
size_t proc_rename(struct resolver *resolver, const struct target *target, int dir, char *path, size_t len);
/* Other instances of procfs may be met than ours. */
bool resolver_other_procs(const struct resolver *resolver);

#endif
