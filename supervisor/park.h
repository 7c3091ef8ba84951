/*
 * Calls that wait by nature: a FIFO's open, a connect, a send to a full socket. They become operations of
 * the ring, so that they hold nobody up, and are cancelled when the target dies or a signal is delivered to it
 * (/proc/TID/stat turns from S to D; the answer is then -ERESTARTSYS or what .interrupted says).
 */
#ifndef USHER_PARK_H
#define USHER_PARK_H

#include <sys/socket.h>
#include <time.h>

#include "request.h"
#include "stuck.h"

/*
 * At a time. Each costs 20 KiB, a worker of the ring if it opens something, and up to four of the supervisor's descriptors: two for the
 * target, the socket or pin, the parent of a name. Half as many are left for everything else. More would fit, but each request to
 * the listener goes through all that waits: with 2,500 a call takes a millisecond, with 6,000 some 40.
 */
#define PARKED_MAX 4096
#define PARKED_FDS 6

enum park_op { PARK_OPEN, PARK_CONNECT, PARK_SENDMSG, PARK_POLL, PARK_ACCEPT };
/* How it ended: with a result; by a signal; by its timeout; because the target is gone. */
enum park_end { PARK_DONE, PARK_INTERRUPTED, PARK_TIMEOUT, PARK_GONE };

struct park {
	enum park_op op;
	int fd;			/* the pin (PARK_OPEN: reopened through /proc/self/fd/N) or the socket. Borrowed from the request */
	int flags;		/* open flags; MSG_ flags; poll events */
	mode_t mode;
	const struct sockaddr *addr;
	socklen_t addr_len;
	socklen_t *len;		/* PARK_ACCEPT: of what .addr, which is written there, has room for */
	struct msghdr *msg;
	struct timespec timeout;	/* 0: none */
	int on_timeout;		/* -errno answered then */
	int interrupted;	/* -errno answered when a signal came: -ERESTARTSYS, -EINTR... */
	int64_t partial;	/* positive: the value answered instead of those two, for what was done before */
	/* With the operation's result (>= 0 or -errno), on a serving thread with the target's credentials worn: as serve. */
	int (*done)(struct request *req, int result);
	enum park_end end;	/* set by park.c */
};

struct parking;
int parking_new(struct parking **parking, struct sandbox *sandbox);
/* After crew_stop(): cancels everything and runs the loop until it is over, for a second at most. */
void parking_stop(struct parking *parking);
/* After crew_free(). */
void parking_free(struct parking *parking);
/* Called by serve with the target's credentials worn. Copies PARK. Returns 0 with req->reply.kind = REPLY_PARKED, or -EAGAIN
 * when too many wait, -ENOMEM. Nothing is started yet. */
int park(struct request *req, const struct park *park);
/* By the broker, when it is done with REQ: from here on it is the ring's, and comes back through crew_finish(). */
void park_submit(struct request *req);
/* From any thread: a serving thread is stuck, and is so no more. */
void parking_stuck(struct parking *parking, struct stuck *stuck);
void parking_unstuck(struct parking *parking, struct stuck *stuck);
/* How many may be parked. */
/* Is anything parked, or about to be? Until it is answered and forgotten. */
bool parking_any(const struct parking *parking);
unsigned parking_max(const struct parking *parking);
/* Forgets req->park. */
void park_free(struct request *req);

#endif
