/* What two policies decide differently: proved on their automata, so it holds for every path that there is or will be. */
#ifndef USHER_DIFFERENCE_H
#define USHER_DIFFERENCE_H

#include <limits.h>

#include "policy.h"

enum difference_kind {
	DIFFERENCE_NONE,
	DIFFERENCE_DENIED,	/* newly */
	DIFFERENCE_ALLOWED,	/* newly */
	DIFFERENCE_OTHER,	/* another errno, another stage, another file in its place */
};

struct difference {
	enum difference_kind kind;
	bool staged;			/* nothing changes but what would be decided without stage log */
	uint32_t ops;			/* files, sockets, mounts: those that these two rules change */
	bool peer;			/* .witness is an address or a name of .proto */
	enum policy_proto proto;
	struct policy_verdict before, after;
	char *witness;			/* the shortest path; a mount in words; NULL: a system call */
	int nr;
	uint64_t args[6];		/* with which it is decided differently */
};

/* Each with another pair of rules, or another system call: paths, addresses, calls. */
struct differences {
	struct difference *list;
	size_t n;
	bool partial;			/* the budget ended the search: there may be more */
	bool mounts;			/* rules about mounts are not the same: they were only compared at what they spell */
};

/* What usher itself forbids (its own files) does not count. Arguments of system calls are tried at the values that conditions
 * name and beside them. 0 or -ENOMEM; free them in any case. */
int differences_find(struct differences *differences, const struct policy *before, const struct policy *after);
/* MOUNT is a mount to compare at. 0 or -ENOMEM. */
int differences_mount(struct differences *differences, const struct policy *before, const struct policy *after, const struct policy_mount *mount);
/* The first of them, of OPS on paths, and here what usher itself forbids counts. .witness is malloc'ed. 1, 0: there is none, -E2BIG: it
 * cannot be told, or -ENOMEM. */
int differences_first(struct difference *first, const struct policy *before, const struct policy *after, uint32_t ops);
void differences_free(struct differences *differences);

/* Of two decisions; *STAGED as above. */
enum difference_kind difference_of(const struct policy_decision *before, const struct policy_decision *after, bool *staged);

#endif
