/*
 * Where mounts are made for the program: what names mean in its mount namespaces, and which mounts are ours.
 *
 * A rule speaks of an object by its path, which the kernel tells of a descriptor (d_path). That is the object's name only as long as the
 * mount that it lies on is attached: below a mount that was taken away lazily, or whose namespace has ended, paths begin anew. So
 * every place where a walk begins (root, cwd, descriptors, magic links) is followed up to the top, and the top must be that of a
 * namespace that is known; and a walk during which something was mounted, unmounted or moved is looked up by its name once more.
 */
#ifndef USHER_MOUNTS_H
#define USHER_MOUNTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct mounts;
struct target;

/* ROOT: O_PATH of that of PROGRAM, at launch. 0 or -errno. */
int mounts_new(struct mounts **mounts, int root, pid_t program);
void mounts_free(struct mounts *mounts);

/* ---- names ---- */

/* Is the directory DIR where its path says? */
bool mounts_attached(struct mounts *mounts, int dir);
/* With the supervisor's own credentials: TARGET, whose root is ROOT, may be in a namespace that is not known yet. */
void mounts_learn(struct mounts *mounts, const struct target *target, int root);
/* ROOT is what "/" is from now on in its namespace, in place of OLD, which is still there. */
int mounts_rooted(struct mounts *mounts, int root, int old);
/* Does PATH, from the root of the namespace in which the directory DIR lies, lead to what ST is of? */
bool mounts_leads(struct mounts *mounts, int dir, const char *path, const struct stat *st);

struct mounts_mark { uint64_t generation; bool changing; };
struct mounts_mark mounts_mark(struct mounts *mounts);
/* Since MARK something may have been mounted, unmounted or moved. */
bool mounts_changed(struct mounts *mounts, const struct mounts_mark *mark);
/* Around each such change; ALONE, where what was looked at must still be there then. Others do not wait for each other: a mount waits for the
 * directory that it is put upon, and what reads that may be a dead file system's. 0; or -EBUSY, after seconds: somebody hangs. */
int mounts_change(struct mounts *mounts, bool alone);
void mounts_change_end(struct mounts *mounts);

/* ---- ours ---- */

struct mount_record {
	uint64_t id;		/* of statx: never used again */
	char *fstype, *from;	/* as they were judged; owned. from: NULL if nowhere */
	uint32_t force;		/* MOUNT_BIT()s that it keeps */
	bool whole;		/* the file system was made with it */
	bool node;		/* stands for a device that the program made, and goes with its name */
};

/* 0 where the kernel cannot tell mounts apart for good (before 6.8). */
uint64_t mounts_id(int fd);
/* What RECORD points to is handed over, also on failure. */
void mounts_add(struct mounts *mounts, struct mount_record *record);
/* The mount of that ID and NUMBER was taken away: it is not ours, and no root. */
void mounts_remove(struct mounts *mounts, uint64_t id, uint64_t number);
/* A copy of the record of ID, to be freed with mount_record_free(). False: not ours. */
bool mounts_find(struct mounts *mounts, uint64_t id, struct mount_record *record);
void mount_record_free(struct mount_record *record);
/* O_PATH of our /proc. Borrowed. */
int mounts_proc(const struct mounts *mounts);
/* How many mounts there were at launch. */
unsigned mounts_before(const struct mounts *mounts);
/* The newest mount, by mounts_id(), before the first of ours: NEWEST if nobody has said so yet. */
uint64_t mounts_newest_before(struct mounts *mounts, uint64_t newest);

#endif
