/* What why explains: one access under one policy, and where it came from. */
#ifndef USHER_WHY_H
#define USHER_WHY_H

#include <jansson.h>

#include "cli.h"
#include "suggest.h"

/* Of a recorded event: what was seen then. */
struct why_event {
	char *program, *time, *since;	/* "nginx 4711", "21:45:29", "21:40:02" */
	char *spelled, *base;		/* as asked; NULL if that is the path */
	char *error;			/* "ENOENT" */
	char *policy;			/* "web@3f2a91c" */
	char *policy_file;		/* absolute, from the record of the start; NULL if unknown */
	char *action, *rule, *kind;	/* of the record: "deny", "web.policy:22", "openat" */
	char *op, *path;
	unsigned long times;
};

/* The event whose id begins with PREFIX (NULL: the last denial) in FILE. 0, or a verb's status after a message. */
int why_event_read(const struct cli *cli, const char *file, const char *prefix, struct why_event *event);
void why_event_free(struct why_event *event);

#endif
