/* A call of the table, and what is known to differ of it. */
#ifndef USHER_DIFFER_CALL_H
#define USHER_DIFFER_CALL_H

#include "differ_args.h"

enum see { SEE_NOTHING, SEE_FD, SEE_STAT, SEE_STATX, SEE_BYTES, SEE_VALUE, SEE_LIST, SEE_STATFS, SEE_HANDLE, SEE_ATTR };

struct call {
	const char *name;
	long number;
	const char *args;	/* see args_make() */
	unsigned weight;
	enum see see;
};

/* It makes a descriptor. */
bool call_opens(const struct call *call);

/* differ_known.c: it cannot be compared. */
bool known_step(const struct actor *actor, const struct call *call, const struct made *made);
/* The same of a program to be started. */
bool known_start(const struct actor *actor, const struct made *made);
/* It leads to its own descriptors, where the kernel asks for no right and usher does. */
bool own_fd(const struct actor *actor, const struct path *path);
/* What to call ERR, which the kernel may find at another place. */
const char *known_error(const struct actor *actor, const struct call *call, int err);

#endif
