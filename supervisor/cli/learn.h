/* usher learn: what its parts share. */
#ifndef USHER_CLI_LEARN_H
#define USHER_CLI_LEARN_H

#include <stdio.h>

#include "cli.h"
#include "evidence/learn.h"

struct learning {
	const struct cli *cli;
	const char *output, *update, *record;
	const char **from;
	size_t n_from;
	const char *user, *chdir, *unshare;
	const char **pass;
	size_t n_pass;
	char **argv;
	unsigned runs;
	enum tree_mood mood;

	char *scratch;			/* a directory of our own, or NULL */
	char *footprint, *base;		/* files */
	char *existing;			/* the text that is added to, or NULL */
	unsigned partial;		/* runs that did not end with 0 */
	uint64_t killed, skipped;
	struct learn learn;
	struct learn_counts counts;
	struct text text;		/* the proposal */
	size_t granted;			/* files that there are and that it would allow */
	bool review, quit;		/* --review, and that it was left without an end */
	bool more;			/* .granted is only how far was counted */
};

/* learn_run.c: runs the program, .runs times. 0, or a status after a message. */
int learning_run(struct learning *learning);
/* learn_write.c: the policy out of what was learnt. 0, or a status after a message. */
int learning_propose(struct learning *learning);
/* learn_review.c: asks about each rule in TEXT behind FROM; what is declined becomes a comment. False: quit. */
bool learning_review(struct text *text, size_t from, FILE *in, FILE *out, unsigned *declined);
/* The includes that there are for a policy beside PATH: a list of statements, with absolute names if ABSOLUTE. */
void learning_includes(const char *path, bool absolute, struct text *text);
/* The policy that TEXT would be, as PATH; NULL with the messages in *WHY (malloc'ed). */
struct policy *learning_load(const char *path, const char *text, size_t len, char **why);

#endif
