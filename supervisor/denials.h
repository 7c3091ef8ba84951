/*
 * Landlock's own denials of this tree, as the kernel tells them (landlock_event.h): records of the audit log, and evidence about the rules
 * behind them.
 *
 * A denial names the domain and not the process. Ours is the domain that the child has put itself into while it was still usher: the
 * record of the domain, behind its first denial, says so. Until then denials wait. Those of other domains, and those that a
 * program inflicts on itself by a domain of its own, are not ours.
 */
#ifndef USHER_DENIALS_H
#define USHER_DENIALS_H

#include <stddef.h>
#include <stdint.h>

struct landlock_event;
struct sandbox;

struct denials {
	uint64_t domain;		/* ours; 0: not known yet */
	struct landlock_event *waiting;	/* of which the domain is not known, the oldest first */
	size_t n;
};

/* On the loop's thread. */
void denials_take(struct denials *denials, struct sandbox *sandbox, const struct landlock_event *event);
void denials_free(struct denials *denials);

#endif
