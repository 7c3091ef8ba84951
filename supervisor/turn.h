/*
 * Whose turn it is to lead a crew.
 *
 * .count is even while the leader waits, odd while it works on something. Only the leader makes it odd; the
 * step back to even is a compare-and-swap, because there the watcher may have been first: that is how the
 * lead passes on.
 *
 * One follower, the watcher, looks at .count every half CREW_STUCK_MS, and takes the lead when it sees the same odd
 * number twice; more often while somebody is stuck already, for then more will be. After a while without any turn it sleeps until the next one: an idle sandbox wakes nobody.
 */
#ifndef USHER_TURN_H
#define USHER_TURN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct turn {
	_Atomic uint64_t count;
	_Atomic uint32_t watch;	/* enum watch, a futex */
	_Atomic unsigned stuck;	/* who lost the lead and is not back yet */
	_Atomic bool stopping;
};

/* By the leader. MINE: its own copy of .count. False: the lead was taken meanwhile. */
void turn_begin(struct turn *turn, uint64_t *mine);
bool turn_end(struct turn *turn, uint64_t *mine);
/* By the watcher: until the lead is had (true, with MINE) or all is over. */
bool turn_watch(struct turn *turn, uint64_t *mine);
/* All is over: turn_watch() returns. */
void turn_stop(struct turn *turn);

#endif
