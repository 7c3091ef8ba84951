/* Brings what the rules of a running program did into the evidence, twice a minute, by a thread of its own: no call waits for a disk. */
#ifndef USHER_OBSERVE_H
#define USHER_OBSERVE_H

#include "ruleset.h"

struct observe;
struct sandbox;

/* POLICY: the path of its file. NULL where there is no memory or no thread. */
struct observe *observe_start(struct sandbox *sandbox, const char *policy);
/* On the loop's thread: RULESET decides no more, and what it counted is taken. For rulesets.retired. */
void observe_retired(void *observe, struct ruleset *ruleset);
/* Writes all there is; then DONE is posted. */
void observe_flush(struct observe *observe, struct loop_op *done);
/* Writes the rest and ends. May be NULL. */
void observe_stop(struct observe *observe);
/* Could the last of it be written? */
bool observe_works(struct observe *observe);

#endif
