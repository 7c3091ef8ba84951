/*
 * `credentials exact`: a server is told the program's own pid.
 *
 * Who connects is who the kernel says connected (SO_PEERCRED), and with a connect of the supervisor's that is the supervisor. No call can be
 * made in another process's name; so the kernel has to go on by itself, and then reads address and descriptor once more. Another
 * thread may have put there what it likes: any address, and any socket that the program has. So that is done only where none of it is
 * denied: every unix socket may be connected (and sent to), and no rule speaks of any other address. What usher closes besides, its own
 * sockets, refuses by itself whoever is under usher; and abstract names of others are closed by Landlock.
 */
#ifndef USHER_CALLS_EXACT_H
#define USHER_CALLS_EXACT_H

#include "calls/socket.h"
#include "plan.h"

/* Into PLAN->exact what rules ask for; what cannot be had is an error in DIAGS. */
void exact_check(struct plan *plan, struct policy_diags *diags);
/* May the kernel do OP, which was allowed, on the unix socket of REQ by itself? ADDRESS: where to, or NULL. */
bool exact_wanted(const struct request *req, enum policy_op op, const struct address *address);

#define EXACT_REASON "'credentials exact': whatever stands there instead, nothing of it is denied"

#endif
