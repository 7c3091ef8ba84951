/*
 * What the supervisor and the agent share: one page, mapped MAP_SHARED|MAP_ANONYMOUS before the forks.
 *
 *   usher run (supervisor)  --fork-->  guardian (subreaper of the tree)  --fork-->  child (agent, then exec)
 *
 * The listener leaves the child without a system call that the filter might trap: after seccomp(2)
 * the child stores the descriptor's number and spins on .go; the supervisor takes the listener with
 * pidfd_getfd(2), starts serving and sets .go; the child then calls execve, which may be notified.
 */
#ifndef USHER_WIRE_H
#define USHER_WIRE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum wire_stage {
	WIRE_STARTING, WIRE_NETWORK, WIRE_MOUNTS, WIRE_PROC, WIRE_VIEW, WIRE_LIMITS, WIRE_PRIVILEGES, WIRE_CHDIR, WIRE_LANDLOCK, WIRE_FILTER, WIRE_EXEC,
	WIRE_FAILED	/* .failed_stage and .error are set and the child is about to exit */
};

struct wire_page {
	_Atomic uint32_t futex;		/* woken after every change below by guardian or child before the filter */
	_Atomic int stage;		/* enum wire_stage */
	_Atomic int failed_stage;
	_Atomic int error;		/* positive errno */
	_Atomic int child;		/* pid of the child, as the supervisor sees it */
	_Atomic int listener;		/* the descriptor's number in the child, -1 before */
	_Atomic int go;			/* 1: served, exec; 2: give up */
	_Atomic int exited;		/* 1: .status is the child's wait status */
	_Atomic int status;
	_Atomic int stopped;		/* counts stops of the child, for job control */
	_Atomic int continued;		/* counts its continuations: stopped now if it is less than .stopped */
	_Atomic int stop_signal;	/* of the last stop */
};

#endif
