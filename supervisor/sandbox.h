/* One sandbox: one listener, one crew, one policy at a time. Sandboxes share nothing but code. */
#ifndef USHER_SANDBOX_H
#define USHER_SANDBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "calls/entry.h"
#include "denials.h"
#include "loop.h"
#include "plan.h"
#include "policy.h"
#include "request.h"
#include "resolve.h"
#include "ruleset.h"
#include "shadow.h"
#include "target.h"

struct abstract;
struct audit;
struct footprint;
struct crew;
struct parking;
struct gate;
struct placeholders;
struct redirects;

struct sandbox {
	int listener;			/* owned */
	pid_t guardian, child;		/* as seen by the supervisor */
	const struct plan *launched;	/* what cannot be changed any more: filter, Landlock, topology; borrowed */
	struct rulesets rulesets;
	struct shadow shadow;
	struct targets *targets;
	struct resolver *resolver;
	struct loop *loop;		/* the ring, on the main thread */
	struct crew *crew;		/* serving threads */
	struct parking *parking;	/* calls that wait by nature */
	struct gate *gate;		/* execve */
	struct audit *audit;
	struct footprint *footprint;	/* NULL: nothing is recorded */
	_Atomic(struct redirects *) redirects;	/* connects that lead elsewhere (calls/redirect.c) */
	_Atomic(struct abstract *) abstract;	/* socket names bound by the tree; freed by abstract_free() (calls/abstract.h) */
	_Atomic uint64_t connects_wait;	/* until then no serving thread makes them itself (calls/connect.c) */
	struct placeholders *placeholders;	/* NULL: the mount API of descriptors is not brokered (placeholders.h) */
	struct mounts *mounts;		/* that are made for the program; NULL: none are (mounts.h) */
	struct entry_locks entries;	/* names kept in their places (calls/entry.c) */
	struct denials denials;		/* Landlock's; loop's thread */
	_Atomic unsigned long calls, denied, would_deny;
	_Atomic(const char *) unstarted; /* why the gate killed the program before it ran; static, NULL: it did not */
	void (*gone)(void *ctx);
	void *ctx;
	bool hung_up;			/* loop's thread: no task uses the filter any more */
	struct loop_op hangup;
};

struct sandbox_options {
	int listener;			/* handed over, also on failure */
	pid_t guardian, child;
	int root;			/* above 0: the program's, in a mount namespace of its own. Handed over, also on failure */
	const struct plan *plan;	/* with its policy and kernel; borrowed */
	struct loop *loop;		/* borrowed: audit was made with it */
	struct audit *audit;		/* borrowed; NULL: no records */
	struct footprint *footprint;	/* borrowed; NULL: none */
	/* On the loop's thread, once, when no task uses the filter any more (POLLHUP). NULL: loop_stop(). */
	void (*gone)(void *ctx);
	void *ctx;
};

/* Serves the listener from now on, on threads of its own. Call it after the forks: it raises the soft limit of
 * descriptors and starts threads. 0 or -errno. */
int sandbox_open(struct sandbox **sandbox, const struct sandbox_options *options);
/* loop_run() on the calling thread until the last task has gone or loop_stop(). 0 or -errno. */
int sandbox_run(struct sandbox *sandbox);
/* On the loop's thread: NEXT decides from now on. 0 and NEXT is taken over, or -EBUSY. */
int sandbox_swap(struct sandbox *sandbox, struct ruleset *next);
/* On the loop's thread: NEXT (NULL: nothing) is compared from now on. 0 and NEXT is taken over, or -EBUSY. */
int sandbox_shadow(struct sandbox *sandbox, struct ruleset *next);
/* Stops serving: what is not answered gets ENOSYS from the kernel. */
void sandbox_close(struct sandbox *sandbox);

#endif
