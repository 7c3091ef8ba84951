/*
 * What fsopen(2), fsmount(2), open_tree(2) and fspick(2) give the program: descriptors that are good for nothing. What they stand for is kept
 * here, until move_mount(2) says where it is to be.
 *
 * A descriptor is one end of a pair of sockets, of which the other one stays here. Which it is its cookie says, a number that
 * the kernel gives to a socket once and for all; that it is gone, wherever it had been passed, the other end says.
 */
#ifndef USHER_PLACEHOLDERS_H
#define USHER_PLACEHOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACEHOLDERS_MAX 64	/* at a time */

enum placeholder_kind {
	PLACEHOLDER_CONTEXT,	/* of fsopen, or of fspick: then with .pin */
	PLACEHOLDER_MOUNT,	/* of a file system that is not made yet */
	PLACEHOLDER_TREE,	/* a copy of what .pin is, not made yet */
	PLACEHOLDER_PLACE,	/* .pin itself */
};

struct placeholder_option { char *name, *value; };	/* owned; value: NULL if there is none */

struct placeholder {
	enum placeholder_kind kind;
	char *fstype, *source;		/* owned */
	struct placeholder_option *options;	/* owned */
	size_t n_options;
	uint32_t sb, attr;		/* MOUNT_BIT()s asked for: of the file system, of the mount */
	bool attr_below;		/* of all mounts of the tree */
	bool says_ro;			/* .sb says ro or rw */
	bool made;			/* context: FSCONFIG_CMD_CREATE was said */
	bool used;			/* context: there is a mount of it. */
	bool recursive;			/* tree: with what is mounted below */
	int pin;			/* owned; -1 */

	uint64_t cookie;
	int peer;			/* owned */
	bool held;
};

struct placeholders;

int placeholders_new(struct placeholders **all);
void placeholders_free(struct placeholders *all);
/* What nobody has a descriptor of any more is forgotten: a pin would keep its mount busy. */
void placeholders_sweep(struct placeholders *all);
/* What NEW owns is handed over, also on failure. The program's descriptor, owned, or -errno. */
int placeholder_add(struct placeholders *all, const struct placeholder *new);
/* That of FD, for the caller alone until placeholder_drop(). 0, -EINVAL: none, -EBUSY: somebody else's at the moment. */
int placeholder_hold(struct placeholders *all, int fd, struct placeholder **held);
/* *HELD, if any, which is NULL then. */
void placeholder_drop(struct placeholders *all, struct placeholder **held);
/* Its options, which have been used. */
void placeholder_forget(struct placeholder *placeholder);

#endif
