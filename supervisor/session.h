/*
 * The supervisor in the place of the program: signals, job control, and the end.
 *
 * usher, guardian and child are one process group, as the program alone would be. What the terminal sends, it sends to
 * all of them: it is not passed on. What somebody sends to usher by kill(2) is. When the child stops, usher stops, so that
 * the shell sees its job stopped; the guardian continues usher when the child was continued.
 */
#ifndef USHER_SESSION_H
#define USHER_SESSION_H

#include <signal.h>

#include "launch.h"
#include "loop.h"

struct session {
	struct launch *launch;
	struct loop *loop;
	int signals;		/* signalfd, owned */
	struct loop_op signal_op, news_op, continue_op, give_up_op;
	bool (*reopen)(void *ctx);	/* on SIGUSR1; set after session_start(). NULL or false: the signal is the program's */
	void *reopen_ctx;
	bool guardian_gone, filter_gone, over;
	int stops_seen;		/* page->stopped when we stopped too */
	int stops_continued;	/* and when somebody continued us */
};

/* Before the forks and threads: blocks all signals. MASK gets what was, *CHLD whether SIGCHLD was ignored. */
void session_block(sigset_t *mask, bool *chld);
/* Watches signals and the guardian; loop_stop() once the whole tree has gone, and session_gone() was called. 0 or -errno.
 * SESSION must live as long as LOOP. */
int session_start(struct session *session, struct loop *loop, struct launch *launch);
/* For sandbox_options.gone: nobody uses the filter any more. On the loop's thread. */
void session_gone(void *session);
void session_end(struct session *session);

#endif
