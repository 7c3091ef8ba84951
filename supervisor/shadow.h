/*
 * A second policy that decides beside the enforced one, on the same calls and the same objects, after they have been answered. What it
 * would have denied or allowed that the enforced one does not is counted, with the rule on each side; it changes nothing.
 *
 * It sees what the enforced policy has brokered: what that has the kernel let pass it cannot compare, which `shadow set` says.
 */
#ifndef USHER_SHADOW_H
#define USHER_SHADOW_H

#include <jansson.h>
#include <pthread.h>

#include "request.h"
#include "ruleset.h"

#define SHADOW_MAX 1024		/* different accesses; further ones are counted together */

struct shadow_entry {
	uint64_t hash, count;
	bool denied;			/* newly denied; else newly allowed */
	char *what, *was, *now;		/* "read /etc/passwd", and the rule on each side */
};

struct shadow {
	_Atomic bool on;
	struct rulesets rulesets;	/* while .used */
	bool used;
	_Atomic uint64_t calls, denied, allowed;
	pthread_mutex_t lock;		/* of what follows */
	struct shadow_entry entries[SHADOW_MAX];
	size_t n;
	uint64_t others;		/* accesses that found no room */
};

void shadow_init(struct shadow *shadow);
/* On the loop's thread: NEXT, owned from here on, is compared with from now on, and nothing is known yet. NULL: nothing is compared. 0 or -EBUSY. */
int shadow_set(struct shadow *shadow, struct loop *loop, struct ruleset *next);
/* Nobody decides any more. */
void shadow_free(struct shadow *shadow);
/* REQ has been decided and answered. Any thread. */
void shadow_note(struct shadow *shadow, struct request *req);
/* What `usher shadow diff` prints; NULL: there is none. On the loop's thread. */
json_t *shadow_json(struct shadow *shadow, bool entries);

#endif
