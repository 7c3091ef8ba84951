/* `limits { rate connect 20/s burst 60; }`: so many of an operation in a time, for the whole sandbox. */
#ifndef USHER_RATE_H
#define USHER_RATE_H

#include <pthread.h>

#include "policy.h"
#include "request.h"

struct rate {
	pthread_mutex_t lock;
	double tokens, burst, per_ns;	/* .per_ns 0: no limit */
	uint64_t at_ns;
};

struct rates { struct rate of[OP_SENDTO - OP_CONNECT + 1]; };

/* Errors in DIAGS for a limit of something else than connect, bind and sendto. How many. */
unsigned rate_check(const struct policy_setting *setting, struct policy_diags *diags);
void rates_init(struct rates *rates, const struct policy *policy);
/* One more of OP for REQ: 0, or -EAGAIN with req->refused_by. */
int rate_take(struct request *req, enum policy_op op);

#endif
