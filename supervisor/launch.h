/*
 * Starting the tree: guardian, child, and the listener taken from the child (wire.h, agent.h).
 * To be called while the process has one thread.
 */
#ifndef USHER_LAUNCH_H
#define USHER_LAUNCH_H

#include "agent.h"

struct launch {
	struct wire_page *page;
	pid_t guardian;		/* -1: reaped */
	int guardian_status;
	int alive;		/* our end of the socket: owned */
	int child;		/* pidfd of the child: owned */
	int listener;		/* owned until taken */
};

/*
 * Forks guardian and child and waits until the child spins before its exec. PLAN needs no .page. 0, or -errno: then
 * .page says how far it came (failed_stage, error), -ECANCELED: the child ended before it could say anything.
 * launch_end() in any case.
 */
int launch_start(struct launch *launch, struct agent_plan *plan, bool kill_on_exit);
/* Somebody serves the listener: exec. */
void launch_go(struct launch *launch);
/* The guardian has ended: whatever it left behind, because it was killed, is killed. */
void launch_reap(struct launch *launch);
/* The child is to end, and the guardian, if they have not; waits for both. What is left of the tree is killed
 * if the guardian was. */
void launch_end(struct launch *launch);

#endif
