/*
 * `audit { alert ... }`: denials by rules with `audit alert` are told at once, to a command, a socket or syslog.
 *
 * Serving threads put; a thread of its own tells, so that no receiver slows a target. Few are told on purpose (`rate`); how many were
 * left out is said with the next one, or at the end. The audit log has all of them.
 */
#ifndef USHER_ALERT_H
#define USHER_ALERT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "policy.h"

struct alert;

/* About ERROR, once for each receiver that does not take one. */
typedef void alert_failed_fn(void *ctx, const char *error);

/* What POLICY says of alerts. *ALERT is NULL when that is nothing. 0 or -errno. */
int alert_new(struct alert **alert, const struct policy *policy, alert_failed_fn *failed, void *ctx);
/* RECORD: a JSON object and a newline. LINE: for people, NUL-ended. Any thread; ALERT may be NULL. */
void alert_put(struct alert *alert, const char *record, size_t len, const char *line);
/* Tells what is queued, for some seconds at most. Returns how many could not be told. */
unsigned long alert_free(struct alert *alert);

/* Is PID of a command that runs, and thereby none of the sandbox's orphans? */
bool alert_is(pid_t pid);
/* Is it the command itself, whose status is waited for? */
bool alert_leads(pid_t pid);

/* The command (I 0) or socket (I 1) of POLICY, NULL if it has none: not to be changed by the program. */
const char *alert_file(const struct policy *policy, unsigned i);
/* Is there one receiver at least? */
bool alert_valid(const struct policy_setting *setting);

#endif
