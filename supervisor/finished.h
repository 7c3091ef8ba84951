/* What was parked and has ended, for whoever leads the crew: a list, and a semaphore eventfd with one entry for each wake-up, so
 * that being stuck with one of them does not hold up the next. */
#ifndef USHER_FINISHED_H
#define USHER_FINISHED_H

#include <pthread.h>

#include "pool.h"

struct finished {
	int event;		/* readable while there is something to take, or to look at */
	pthread_mutex_t lock;
	struct slot *first, **last;
};

int finished_init(struct finished *finished);
/* Ends the requests that nobody answered. */
void finished_end(struct finished *finished);
void finished_put(struct finished *finished, struct slot *slot);
/* Takes one wake-up: NULL if that was of finished_wake(). */
struct slot *finished_take(struct finished *finished);
/* Only wakes the leader. */
void finished_wake(struct finished *finished);

#endif
