/* The arguments of a call, drawn one by one. */
#ifndef USHER_DIFFER_ARGS_H
#define USHER_DIFFER_ARGS_H

#include "differ.h"

/* What is being made up, and what was. */
struct made {
	long arg[8];
	unsigned n;
	int slot;		/* whose descriptor is the dirfd; -1 */
	bool empty_path;	/* AT_EMPTY_PATH */
	int flags;		/* of open */
	bool in_root;		/* RESOLVE_IN_ROOT */
	void *buffer;		/* what is to be filled; NULL if that cannot be */
	size_t size;
};

/*
 * LETTER says what:
 *	d D	dirfd of the first, the second path	p q	path, the second path	t	text of a symlink	f	descriptor
 *	o m	flags and mode of open	O	open_how and its size	k r	type and mode, device	a	mode of access
 *	A R	AT_ flags, flags of renameat2	u	uid or gid	l	length	T V U	timespecs, timevals, utimbuf; or NULL
 *	s x F	struct stat, statx, statfs to be filled	M	mask of statx	b	buffer of readlink and its size
 *	N	name of an xattr	v	value, size and flags of one	w	buffer for one or a list, and its size
 *	e E	struct xattr_args to set and to get, and its size	i I	inotify descriptor, mask
 *	g y	fanotify descriptor, flags and mask
 *	h	struct file_handle, mount id	c C	struct file_attr to be filled and to be set, and its size
 */
void args_make(struct actor *actor, struct made *made, char letter);

/* differ_xattr.c: those of xattrs and inode flags. */
void args_xattr(struct actor *actor, struct made *made, char letter);

void args_put(struct made *made, long value);
/* As a register has an int: the kernel looks at half of it. */
long args_int(struct actor *actor, int value);
/* Each with one chance in CHANCE. */
uint32_t args_bits(struct rng *rng, const uint32_t *bits, size_t n, unsigned chance);
#define PICK_BITS(rng, bits, chance) args_bits(rng, bits, COUNT(bits), chance)
/* LEN bytes to be filled at the end of memory, or where none are. */
void args_buffer(struct actor *actor, struct made *made, size_t len);
/* LEN bytes to be read at the end of memory, or where none are. */
void args_input(struct actor *actor, struct made *made, const void *bytes, size_t len);

#endif
