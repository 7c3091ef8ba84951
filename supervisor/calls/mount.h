/* mount and umount2: fetch, judge, serve. What is then done in the program's namespaces is in mount_make.h. */
#ifndef USHER_CALLS_MOUNT_H
#define USHER_CALLS_MOUNT_H

#include <linux/mount.h>

#include "mounts.h"
#include "request.h"
#include "text.h"

enum mount_kind {
	MOUNT_KIND_NEW,		/* a file system */
	MOUNT_KIND_BIND, MOUNT_KIND_MOVE,
	MOUNT_KIND_REMOUNT,	/* flags of a mount, with options those of its file system */
	MOUNT_KIND_PROPAGATE,
	MOUNT_KIND_UMOUNT,
	MOUNT_KIND_NONE,	/* nothing yet: mount_api.h */
	MOUNT_KIND_PIVOT,	/* names: the new root, where the old one goes */
};

struct mount_call {
	enum mount_kind kind;
	unsigned long flags;	/* as given: MS_* or MNT_* */
	uint32_t asked;		/* MOUNT_BIT()s, without opposites: all of .sb and .attr, or what shall be of a remount */
	uint32_t sb, attr;	/* of a new file system, and of a new mount */
	bool attr_below;	/* bind: .attr is for what is mounted below, too */
	bool whole;		/* remount: of the file system as well */
	char *fstype, *source, *data;	/* owned; source, data: NULL if there is none */
	char *text;		/* of data, in pieces. Owned */
	struct policy_mount_option *options;	/* their names and values are in text; of a layer that was resolved, in its object. Owned */
	size_t n_options;
	struct object **layers;	/* of options, by their numbers: NULL, or a directory of an overlay. Owned */
	struct strings views;	/* of cgroups: mount_views.h */
	int cwd;		/* where their names begin. Owned */
	bool locked;		/* in the namespace that was entered nothing of what was there before can be taken off what lies below it */
	struct placeholder *held;	/* mount_api.h */
	struct mount_attr change;	/* mount_setattr: what is asked for */
	bool sb_only;		/* remount: of the file system, and not of the mount */
	int made;		/* with .held: what is mounted then. Owned */
	bool ours;		/* remount, umount: there is a record */
	struct mount_record record;	/* owned */
};

extern const struct policy_rule mount_shared_rule;

/* Parts of fetching. A text is malloc'ed, or NULL for a null pointer; the rest is what is looked up beside the target. */
int mount_call_begin(struct request *req);
int mount_fetch_text(struct request *req, int arg, size_t size, char **text);
int mount_fetch_rest(struct request *req);
/* Is FD the root of a mount? */
bool mount_is_mounted(int fd);
int mount_fetch(struct request *req);
int umount_fetch(struct request *req);
int pivot_fetch(struct request *req);
int mount_judge(struct request *req);
struct policy_decision mount_decide(struct request *req);
int mount_serve(struct request *req);
int umount_serve(struct request *req);
int pivot_serve(struct request *req);
void mount_release(struct request *req);
/* What is mounted, and how, for a record. */
void mount_describe(struct text *text, const struct request *req);
/* The same as usher why is asked: words for a shell. False: REQ is no mount. */
bool mount_question(struct text *text, const struct request *req);
/* What REQ asks for, as rules see it. */
struct policy_mount mount_asked(const struct request *req);

#endif
