/* A probe under usher that does as it is told while other verbs act on it. */
#ifndef USHER_TESTS_TALK_H
#define USHER_TESTS_TALK_H

#include <stdio.h>

#include "live.h"

struct talk {
	struct live *live;
	pid_t pid;		/* of usher */
	FILE *in, *out;
	char name[64];		/* --name */
	char runtime[80];	/* XDG_RUNTIME_DIR of who is not root */
};

/* Where this user's control sockets are, in TALK->runtime too. */
const char *talk_dir(struct talk *talk);
/* usher run --name NAME -p POLICY --audit AUDIT OPTIONS -- probe talk. */
void talk_start(struct talk *talk, struct live *live);
/* What it answers to COMMAND must be EXPECTED. */
void talk_expect(struct talk *talk, const char *command, const char *expected);
/* Only says it; the answer is read by talk_answer(). */
void talk_say(struct talk *talk, const char *command);
void talk_answer(struct talk *talk, const char *expected);
/* Ends it: the status of usher. */
int talk_end(struct talk *talk);

#endif
