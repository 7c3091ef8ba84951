/*
 * The control socket of a supervisor: verbs of `usher` come in as JSON lines and are served by the loop's thread.
 *
 * One connection, one request, one answer: {"verb": "reload", ...} is answered by {"schema": 1, "verb": "reload", ..., "status": 0}, the
 * status being the verb's exit status. Input is bounded in size and time, clients in number; what takes long (loading a policy) is
 * done by a thread of its own, one at a time.
 */
#ifndef USHER_CONTROL_H
#define USHER_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "plan.h"

struct sandbox;
struct loop;
struct audit;
struct control;

struct control_options {
	const char *name;		/* --name; NULL: POLICY.PID */
	const char *program;
	struct sandbox *sandbox;
	struct loop *loop;
	struct audit *audit;		/* may be NULL */
	/* What the policy was loaded with; borrowed. */
	const char *audit_file;		/* --audit */
	const char *audit_open, *record_file;	/* what is written to until the end, whatever later policies say; NULL: nothing */
	const struct policy_var *vars;
	size_t n_vars;
	bool mode_log, no_landlock;
	enum layers layers;
};

/* 0 or -errno; then *WHAT says what failed. */
int control_open(struct control **control, const struct control_options *options, const char **what);
/* When the loop runs no more, before sandbox_close(): gives the name up, waits for what is under way. May be NULL. */
void control_close(struct control *control);
/* After loop_free(). */
void control_free(struct control *control);

#endif
