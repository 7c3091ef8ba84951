/*
 * Mounts as accesses. .object is what is mounted on, .to where from, and .via says how: type, flags and options, each with a NUL at its
 * end, as they were judged (layers resolved). For umount .via is "own" and a NUL if usher had made the mount.
 */
#ifndef USHER_MOUNTED_H
#define USHER_MOUNTED_H

#include "access.h"
#include "text.h"

#define MOUNTED_OWN "own"	/* the NUL counts */

/* HOW becomes what .via is of MOUNT. */
void mounted_write(struct text *how, const struct policy_mount *mount);

struct mounted {
	struct policy_mount mount;
	char *on, *from, *how, *options_text;	/* owned */
	struct policy_mount_option *options;	/* owned */
};
/* False: ACCESS is no mount, or none that can have been. Free it in any case. */
bool mounted_read(const struct access *access, struct mounted *mounted);
void mounted_free(struct mounted *mounted);

#endif
