/*
 * Credentials: what a target has, and acting with them on one thread.
 *
 * Raw system calls only: the C library's wrappers would change every thread. A serving thread has
 * unshare(CLONE_FS)d, so umask is its own too. Under an ordinary user the target's credentials cannot
 * differ from ours (no_new_privs), wearing is then free. What is served in other namespaces is in body.h.
 */
#ifndef USHER_CRED_H
#define USHER_CRED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CRED_GROUPS_MAX 64	/* more are kept in a malloc'ed list */

struct cred {
	uid_t ruid, euid, suid, fsuid;
	gid_t rgid, egid, sgid, fsgid;
	uint64_t effective, permitted;
	uint64_t there_effective, there_permitted;	/* in a user namespace of its own: then it has none of ours */
	size_t n_groups;
	gid_t groups[CRED_GROUPS_MAX];
	gid_t *more_groups;	/* all of them if n_groups > CRED_GROUPS_MAX; owned */
};

void cred_free(struct cred *cred);
/* Reads /proc/TID/status through PROC, an O_PATH descriptor of /proc/TID. Also *TGID, if not NULL. 0 or -errno. The capabilities are taken for
 * such as they have here: */
int cred_read(int proc, struct cred *cred, pid_t *tgid);
/* CRED is of a thread in another user namespace. */
void cred_set_there(struct cred *cred);

struct cred_worker;	/* what one serving thread wears now */
/* Call once on the thread: unshare(CLONE_FS), keep capabilities over set*id (securebits). */
int cred_worker_start(struct cred_worker **worker);
void cred_worker_stop(struct cred_worker *worker);
/* From now on this thread's file access is the target's: fsuid, fsgid, groups, effective capabilities (so that
 * f_cred of what it opens equals the target's). REAL: by the real ids, as access(2). Free when CRED is what is worn
 * or when the supervisor's own credentials are the same. 0 or -errno: then nothing may be done for the target. */
int cred_wear(struct cred_worker *worker, const struct cred *cred, bool real);
/* The thread acts for the supervisor again. Lazily: what is worn stays on, and what is refused because of it calls
 * cred_power(), so that the next request of the same target need not dress anew. */
void cred_own(struct cred_worker *worker);
/* On a serving thread between cred_own() and cred_wear(): raises the supervisor's own capabilities. False if they were up
 * already, or if the thread acts for a target: then what failed has failed. Asserts on failure. */
bool cred_power(void);
/* May our root send the numbers of others as its own (SCM_CREDENTIALS)? Not in a user namespace that does not own our PID namespace. */
bool cred_any_pid(void);
/* True when targets can never differ from us (ordinary user). */
bool cred_constant(void);

#endif
