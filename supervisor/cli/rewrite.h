/* Policy files that are replaced: all of them or none, and none that somebody else has changed meanwhile. */
#ifndef USHER_REWRITE_H
#define USHER_REWRITE_H

#include "policy.h"

struct rewrite {
	char *path;			/* resolved */
	const struct policy_file *was;
	char *text;			/* what it is to be; owned */
	size_t len;
	char *temporary;		/* beside it: the new text, and once done the old one; NULL */
	bool done;
};

/* REWRITE, of which .was, .text and .len are set. 0 or -errno; -ESTALE: it is not any more what was read. On an error it is
 * as it was. */
int rewrite_do(struct rewrite *rewrite);
/* Back to what it was. 0 or -errno. */
int rewrite_undo(struct rewrite *rewrite);
/* The old file is removed; what was not done is forgotten. */
void rewrite_end(struct rewrite *rewrite);

#endif
