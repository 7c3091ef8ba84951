/* What cred.c and body.c share. */
#ifndef USHER_CRED_WORKER_H
#define USHER_CRED_WORKER_H

#include "cred.h"

struct cred_worker {
	struct cred own;
	struct cred worn;	/* as the kernel has it now; its permitted is unused */
	bool known;		/* worn is right; false after a failure midway */
	bool regrouped;		/* worn's groups are right; before, own's */
	bool acting;		/* for a target */
	bool elsewhere;		/* of a body: ids stay as they are, and for a target these capabilities are worn: */
	uint64_t effective;
	void *stack;		/* for bodies; NULL until there was one */
};

extern _Thread_local struct cred_worker *cred_thread;

int cap_get(uint64_t *effective, uint64_t *permitted);
int cap_set(uint64_t effective, uint64_t permitted);
/* The supervisor's own capabilities, all of them. */
int cred_raise(struct cred_worker *worker);
void body_free(struct cred_worker *worker);

#endif
