/* A name in a directory, kept where it was judged while it is acted upon. */
#ifndef USHER_CALLS_ENTRY_H
#define USHER_CALLS_ENTRY_H

#include <pthread.h>
#include <stdatomic.h>

#include "request.h"

#define ENTRY_LOCKS 16

struct entry_locks {
	pthread_rwlock_t locks[ENTRY_LOCKS];	/* by file system */
	atomic_uint moves;			/* renames of directories so far */
};

void entry_locks_init(struct entry_locks *locks);

/*
 * OBJECT (NAME_ENTRY, or NAME_CREATE and missing) has a parent afterwards, which no rename of the sandbox moves while HELD is held;
 * OPS on it were decided again if one has since it was resolved. ALONE: nothing else is made, moved or removed in the sandbox's
 * part of that file system. 0 or -errno as the answer (-EINEXACT: resolve exactly); HELD is released in both cases, by AUTO_ENTRY.
 */
int entry_hold(struct request *req, struct object *object, uint32_t ops, bool alone, pthread_rwlock_t **held);
/* The same for a second name, while the first is held. */
int entry_look(struct request *req, struct object *object, uint32_t ops);
/* A directory is about to be moved, by who holds alone. */
void entry_moves(struct request *req);
/* How many have been: before what is held later is resolved. */
unsigned entry_moved(const struct sandbox *sandbox);

void entry_release(pthread_rwlock_t **held);
#define AUTO_ENTRY __attribute__((cleanup(entry_release))) pthread_rwlock_t

#endif
