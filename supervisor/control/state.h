/* Between the parts of control/. */
#ifndef USHER_CONTROL_STATE_H
#define USHER_CONTROL_STATE_H

#include <jansson.h>
#include <pthread.h>
#include <sys/socket.h>

#include "control/control.h"
#include "control/restart.h"
#include "control/socket.h"
#include "loop.h"
#include "ruleset.h"

#define CONTROL_LINE_MAX (64U << 10)
#define CONTROL_CLIENTS 16
#define CONTROL_LATE_NS UINT64_C(5000000000)	/* for the whole of a request, and for its answer to be taken */

struct observe;

struct client {
	struct control *control;
	int fd;				/* owned; -1: free, or about to be */
	struct loop_op op, timer;
	bool serving;			/* an answer will come */
	uint64_t number;		/* of connections */
	struct ucred sender;		/* of the first byte, and of all others */
	char *in;
	size_t in_len;
	char *out;			/* NULL: not answered yet */
	size_t out_len, out_at;
};

enum change_kind { CHANGE_POLICY, CHANGE_SHADOW };

/* A policy being loaded, to be put to some use. */
struct change {
	enum change_kind kind;
	struct control *control;
	struct client *client;		/* who waits for it */
	pthread_t thread;
	struct loop_op done;
	/* what is asked */
	const char *verb;
	char *path;			/* the policy file */
	struct ruleset *memory;		/* held: its files are read as they were then, not those on disk; NULL */
	bool mode_log, force;
	char *expect, *reason;
	/* what was found */
	int status;			/* enum cli_status */
	const char *error;		/* a sentence; NULL: .report tells */
	char *report;			/* diagnostics as text */
	json_t *diagnostics;
	struct restart restart;
	struct ruleset *next;
};

struct control {
	struct control_options options;
	struct control_socket socket;
	char *name, *program;
	char *policy_path;		/* absolute */
	bool mode_log, over;
	char *panic;			/* the reason, since then; NULL */
	uint64_t started_ns;
	struct loop_op accept_op;
	struct client clients[CONTROL_CLIENTS];
	uint64_t connections;
	struct change *change;		/* under way, or NULL */
	struct observe *observe;	/* NULL: the policy has no rollout { } */
	struct loop_op flushed;
	struct client *flushing;	/* who waits for that */
	struct restart restart;		/* of the current policy */
};

/* server.c: the answer to what CLIENT asked. ANSWER is taken over. */
void client_answer(struct client *client, const char *verb, json_t *answer, int status);
/* The same when something is wrong. */
void client_error(struct client *client, const char *verb, int status, const char *error);

/* verbs.c: evidence is kept from now on, if the policy has a roll-out. */
void control_observe(struct control *control);
/* verbs.c: calls client_answer(), or has it called later. */
void control_serve(struct client *client, const json_t *request);

/* change.c: CHANGE, with what is asked filled in, is taken over. */
void change_start(struct control *control, struct client *client, struct change *change);
/* Waits for a change that is under way, for a while. */
void change_end(struct control *control);

#endif
