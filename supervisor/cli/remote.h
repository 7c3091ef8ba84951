/* What the verbs about running programs share: finding the supervisor, and asking it. */
#ifndef USHER_REMOTE_H
#define USHER_REMOTE_H

#include <jansson.h>

#include "cli.h"

struct remote {
	char *name, *path;
	json_t *ps;		/* its answer to "ps"; NULL: it did not answer */
	const char *error;	/* why not */
};

struct remotes {
	struct remote *list;
	size_t n;
};

/* Every socket in our directory, asked for "ps". 0, or a status after a message. */
int remotes_find(const struct cli *cli, struct remotes *remotes);
void remotes_free(struct remotes *remotes);
/* The one that WHO means: its name, its number, or the name or file of its policy. WHO NULL: the only one. NULL after a message, with
 * *STATUS. */
const struct remote *remotes_pick(const struct cli *cli, const struct remotes *remotes, const char *who, int *status);

/* The answer to REQUEST (taken over), or NULL and why in *ERROR. */
json_t *remote_ask(const char *path, json_t *request, const char **error);
/* The whole of a verb with one answer: asks REMOTE and prints errors and what needs a restart. With --json the answer itself
 * is printed. The status; *ANSWER, if not NULL, is to be freed. */
int remote_do(const struct cli *cli, const struct remote *remote, json_t *request, json_t **answer);

#endif
