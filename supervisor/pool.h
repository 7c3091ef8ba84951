/* The requests of one sandbox, made as far as they are used. */
#ifndef USHER_POOL_H
#define USHER_POOL_H

#include <stdatomic.h>

#include "crew.h"
#include "park.h"
#include "request.h"

/* What may be parked, and what a full crew holds meanwhile. */
#define POOL_SIZE (PARKED_MAX + CREW_MAX + 128)

/* Who is done with a parked request: the serving thread that parked it, and what it waited for. The second one goes on. */
enum slot_phase { SLOT_SERVING, SLOT_HANDED, SLOT_FINISHED };

struct slot {
	struct request req;
	_Atomic int phase;	/* enum slot_phase */
	int result;		/* of what it waited for */
	struct slot *next;
	struct name names[REQUEST_NAMES];
	struct object objects[REQUEST_NAMES];
};

struct pool;
int pool_new(struct pool **pool, struct sandbox *sandbox);
void pool_free(struct pool *pool);
/* NULL when all are in use. Any thread. */
struct slot *pool_get(struct pool *pool);
void pool_put(struct pool *pool, struct slot *slot);

#endif
