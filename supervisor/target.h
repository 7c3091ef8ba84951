/*
 * Targets: the threads of the tree, as far as they have called.
 *
 * Everything is keyed by the TID of the notification: leaders may be dead, threads may have their own
 * descriptor tables, cwd and umask. .proc and .pidfd can never alias a reused
 * number: after death they answer ESRCH. A cached target is checked once per request by
 * target_get(); together with NOTIF_ID_VALID after the last read that proves who was read.
 */
#ifndef USHER_TARGET_H
#define USHER_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cred.h"

struct target {
	pid_t tid, tgid;
	int proc;		/* O_PATH of /proc/TID */
	int pidfd;		/* PIDFD_THREAD; before 6.9 the leader's, -1 if the thread is not the leader */
	int status;		/* of /proc/TID/status: -1 until its umask was asked for */
	struct cred cred;
	bool cred_stale;	/* a set*id call was let go on: read again */
	int elsewhere;		/* CLONE_NEW* of the namespaces where it is not with us (body.h); then it is read again for each call */
	char exe[256];		/* for records: /proc/TID/exe, "" until asked */
	unsigned refs;
	bool exe_kept;		/* .exe holds as long as the thread lives */
	bool cached;		/* in the table still: forgotten ones live until their last target_put() */
	struct target *next;	/* of one bucket */
	struct target *older, *newer;
};

struct kernel;
struct targets;
/* KERNEL is borrowed: what it lacks is not used. EXEC_SEEN: target_forget() is called at every execve. */
int targets_new(struct targets **targets, const struct kernel *kernel, bool exec_seen);
/* They may be in other namespaces than we: unshare(2) and setns(2) make them stale. Before the first target_get(). */
void targets_look_elsewhere(struct targets *targets);
void targets_free(struct targets *targets);

/* The live thread TID, with current credentials. 0, -ESRCH (gone), -EACCES (may not be read), -ENOMEM. */
int target_get(struct targets *targets, pid_t tid, struct target **target);
void target_put(struct targets *targets, struct target *target);
/* After execve or on death: forget what is known of the thread and of its leader, whose number execve takes over. */
void target_forget(struct targets *targets, pid_t tid);
/* Has the thread TID called lately? It may be dead. */
bool targets_know(struct targets *targets, pid_t tid);
/* Another thread of TGID may take its number over at any time: what is known of the leader is read again for each call. */
void target_distrust(struct targets *targets, pid_t tgid);

/* Does the thread for which it was opened still live? */
bool target_lives(const struct target *target);
/* Descriptor DIRFD of the target, duplicated (shares the open file description: never change its flags).
 * -EBADF if it has none, -EACCES if it cannot be had (before 6.9, of a thread that does not share its leader's). Owned by the caller. */
int target_fd(struct target *target, int dirfd);
/* What relative names below DIRFD start from: as target_fd(), but O_PATH for a thread that has no pidfd. */
int target_dir(struct target *target, int dirfd);
/* An O_PATH descriptor of its cwd or root. Owned by the caller. -errno. */
int target_cwd(struct target *target);
int target_root(struct target *target);
/* Its process's number in its own PID namespace. -1: unknown. */
pid_t target_number(const struct target *target);
/* Its umask now. */
int target_umask(struct target *target, mode_t *mask);
/* One resource limit, by prlimit(2). */
int target_rlimit(struct target *target, int resource, uint64_t *soft);
/* 'S', 'D', 'R'... of PROC/stat, 0 when gone, '?' when that cannot be told (S turns D when a signal is delivered
 * to a target that waits killably). */
char target_state(int proc);
/* Field 7 of stat: the controlling terminal's device number, 0 if none; -errno. */
int target_tty(struct target *target, unsigned *rdev);
const char *target_exe(struct target *target);

/* ---- memory: only fetch_*() (request.h) and the reply use these ---- */
/* Exactly LEN bytes or -EFAULT (process_vm_readv: respects page protection). -EPERM when not permitted. */
int target_read(struct target *target, uint64_t addr, void *to, size_t len);
/* A NUL-ended string of at most SIZE-1 bytes: its length, -EFAULT, or -ENAMETOOLONG. Read once, page by page. */
ssize_t target_read_string(struct target *target, uint64_t addr, char *to, size_t size);
int target_write(struct target *target, uint64_t addr, const void *from, size_t len);

#endif
