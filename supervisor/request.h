/*
 * One call on its way: what was copied, what was pinned, what was decided, what is answered.
 *
 * Life: broker_handle() on a serving thread, from receive to record. A serve that would block parks the
 * request (park.h): it then belongs to the ring until its continuation gives it back to the crew.
 */
#ifndef USHER_REQUEST_H
#define USHER_REQUEST_H

#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "policy.h"
#include "resolve.h"
#include "target.h"

struct sandbox;
struct ruleset;
struct request;
struct mount_call;
struct socket_call;

enum reply_kind {
	REPLY_DENY,	/* .error, EACCES when that is 0 */
	REPLY_VALUE,	/* .value */
	REPLY_FD,	/* .fd installed in the target, its number returned */
	REPLY_CONTINUE,	/* only where call.may_continue says why */
	REPLY_PARKED,	/* a continuation will answer */
	REPLY_NONE,	/* the target is gone or was killed: nothing to answer */
};

#define REPLY_OUTS 3
struct reply {
	enum reply_kind kind;
	int error;		/* negative errno; -ERESTARTSYS (-512) only where a signal is pending */
	int64_t value;
	int fd;			/* owned */
	bool cloexec;
	int sigpipe;		/* raise SIGPIPE in the target before the answer */
	struct { uint64_t addr; void *data; size_t len; } out[REPLY_OUTS];	/* written to the target before the answer, be it an error; data is
							 * owned (malloc'ed) unless it points into the request */
};

/* Arguments of families beside their names. */
union call_args {
	struct { struct open_how how; } open;
	struct { int mode; } access;
	struct { uint64_t addr; unsigned flags, mask; int form; size_t size; } stat;	/* form: enum in calls/stat.c */
	struct { mode_t mode; dev_t dev; uid_t uid; gid_t gid; unsigned flags; int64_t length; } attr;
	struct { struct timespec times[2]; bool now; unsigned flags; } utime;
	struct { char name[256]; void *value; size_t size; uint64_t addr; unsigned flags; } xattr;
	struct { unsigned flags; char target[PATH_MAX]; } link;
	struct { struct socket_call *call; } sock;
	struct { int fd; } append;		/* owned */
	struct { unsigned flags; } exec;
	struct { int fd; } list;
	struct { struct mount_call *call; } mount;
};

#define REQUEST_NAMES 2

struct request {
	struct sandbox *sandbox;
	struct ruleset *rules;		/* from its beginning to its end */
	struct seccomp_notif notif;
	const struct call *call;
	struct target *target;
	struct cred_worker *worker;	/* of the thread that serves it now */
	const _Atomic bool *interrupted;	/* there: a signal came to the target, and EINTR is its doing */
	_Atomic bool *hurry;		/* there: set around a wait that is given up with EINTR after some milliseconds (stuck.h) */

	struct name *names;		/* [REQUEST_NAMES], from the request's own memory */
	unsigned n_names;
	struct object *objects;		/* [REQUEST_NAMES] */
	uint32_t ops[REQUEST_NAMES];		/* what is asked of each, set by call.judge */
	union call_args args;		/* its first 512 bytes are zero before fetch */
	bool fetched;			/* call.release is due */
	bool real_ids;			/* set by fetch: resolved and served with the real ids (access) */
	int root;			/* the target's, where it may be another than at launch; else -1; owned */
	unsigned moves;			/* entry_moved() before the names were resolved */
	struct placeholder *placeholder;	/* this call's alone until it is answered (placeholders.h); or NULL */
	int bases[REQUEST_NAMES];	/* what relative names start from, until resolve() takes them; owned */

	const struct policy_peer *peers;	/* beside names: what an address means, judged for peer_ops. In what call.fetch made */
	unsigned n_peers;
	uint32_t peer_ops;
	unsigned decided_peer;		/* which of them decided */

	const struct policy_rule *refused_by;	/* set by judge or serve with -errno: a refusal of usher's own, which is recorded */
	struct policy_decision decision;
	unsigned decided;		/* which object decided */
	struct reply reply;
	struct park *park;
	uint64_t start_ns;		/* CLOCK_MONOTONIC */
	bool recorded;
	bool parked;			/* has been, or is: answers of -ERESTARTSYS and its kin are allowed */
};

/* ---- life (crew.c and broker.c) ---- */

/* Forgets everything about the last call but .sandbox, .worker and .notif. */
void request_begin(struct request *req);
/* Gives back what was fetched and pinned. */
void request_release(struct request *req);
/* And all else that the request owns. */
void request_end(struct request *req);

/* ---- fetch: the only functions that see the target's memory ---- */

/* The path at args[ARG] with dirfd args[DIRFD_ARG] (or AT_FDCWD if DIRFD_ARG < 0) becomes the next name.
 * 0, -EFAULT, -ENAMETOOLONG, -ENOENT ("" without empty_ok); of a second name those stay in name.err. */
int fetch_name(struct request *req, int dirfd_arg, int arg, enum name_mode mode, bool empty_ok);
/* Exactly LEN bytes at ADDR. */
int fetch_bytes(struct request *req, uint64_t addr, void *to, size_t len);
/* A NUL-ended string: length, -EFAULT or -ENAMETOOLONG. */
ssize_t fetch_string(struct request *req, uint64_t addr, char *to, size_t size);
/* Descriptor NUMBER of the target, owned by the caller, or -EBADF. Fetching pins what the number means now. */
int fetch_fd(struct request *req, int number);
/* An int argument: the low 32 bits. */
static inline int request_int(const struct request *req, int arg)
{
	return (int)(uint32_t)req->notif.data.args[arg];
}

/* ---- replies, for serve ---- */
static inline int reply_value(struct request *req, int64_t value)
{
	req->reply.kind = REPLY_VALUE;
	req->reply.value = value;
	return 0;
}
/* FD is handed over. */
static inline int reply_fd(struct request *req, int fd, bool cloexec)
{
	req->reply.kind = REPLY_FD;
	req->reply.fd = fd;
	req->reply.cloexec = cloexec;
	return 0;
}
/* LEN bytes of DATA (malloc'ed, handed over) go to ADDR before the answer. Order of calls is order of writes. */
void reply_out(struct request *req, uint64_t addr, void *data, size_t len);
void reply_forget_outs(struct request *req);

#endif
