/* What promote and rollout share. */
#ifndef USHER_ROLLOUT_H
#define USHER_ROLLOUT_H

#include "control/proof.h"
#include "move.h"
#include "remote.h"

/* The policy's file that NAME means: that of a running program of this name, or of one whose policy has it; else NAME. Borrowed. */
const char *rollout_file(const struct remotes *remotes, const char *name);
/* Does REMOTE run under POLICY's file? */
bool rollout_runs(const struct remote *remote, const struct policy *policy);
/* STATES of the gates of MOVES. Are all passed? */
bool rollout_judge(const struct remotes *remotes, const struct moves *moves, struct gate_state *states);

#endif
