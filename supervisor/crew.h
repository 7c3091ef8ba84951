/*
 * The crew: threads that serve a listener, one at a time (leader and followers).
 *
 * The leader waits in RECV itself, or, while parked calls may end, in poll(2) (the SYNC_WAKE_UP hint survives both; measured in
 * bench/), handles and answers on the same thread: no switch beside the two the kernel charges. When a leader is stuck in
 * something that no ring can do (a memory read, ADDFD, a slow file system) for CREW_STUCK_MS, the next follower takes the
 * lead, so that a stuck call never delays another for longer. A thread costs what the one that waits in the target costs: there may
 * be thousands (CREW_MAX, or what RLIMIT_NOFILE gives room for).
 */
#ifndef USHER_CREW_H
#define USHER_CREW_H

#include <stdbool.h>

#include "park.h"
#include "sandbox.h"

#define CREW_STUCK_MS 5
#define CREW_STUCK_US 500	/* while others are stuck already */
#define CREW_MAX (PARKED_MAX / 2)

int crew_start(struct crew **crew, struct sandbox *sandbox);
/* Ends serving, now. Joins; a thread that is stuck for seconds in the kernel is left behind. */
void crew_stop(struct crew *crew);
/* After crew_stop(), when nothing can call crew_finish() any more. Ends the requests that nobody answered. False when a
 * thread had to be left behind: nothing that it may look at is freed. */
bool crew_free(struct crew *crew);
/* From any thread, once for each parked REQ: it is to be finished by broker_finish(req, result) on a serving thread. May come before
 * the thread that parked it is done with it. */
void crew_finish(struct crew *crew, struct request *req, int result);

#endif
