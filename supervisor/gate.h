/*
 * The exec gate. execve cannot be emulated, and CONTINUE reads the path again, so what was decided need not
 * be what starts. Hence: while the target is parked in the notification, it is seized with
 * PTRACE_O_TRACEEXEC; the call is let go on; at the exec event /proc/PID/exe is compared with what was
 * decided, and a mismatch is killed before its first instruction. Landlock
 * EXECUTE stands behind it. ptrace requests must come from the thread that seized, so the gate has one of
 * its own.
 */
#ifndef USHER_GATE_H
#define USHER_GATE_H

#include "request.h"

struct gate;
int gate_new(struct gate **gate, struct sandbox *sandbox);
/* Kills what is between the notification and the exec event. */
void gate_free(struct gate *gate);
/* False when the policy of REQ does not restrict execve: then it may simply go on. */
bool gate_wanted(const struct request *req);
/* Images are limited by rules of that policy, not only usher's own files by usher: what rules cannot name is refused. */
bool gate_strict(const struct request *req);
/* Seizes the target of REQ: EXPECTED_DEV/INO is the image that may start, the program or a script's
 * interpreter. After 0 REQ may be answered with CONTINUE. -EPERM: somebody traces it already; -ESRCH: it is
 * gone. Any thread; waits for the gate's. */
int gate_pass(struct gate *gate, const struct request *req, dev_t expected_dev, ino_t expected_ino);

#endif
