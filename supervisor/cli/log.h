/* usher log: what its parts share. */
#ifndef USHER_CLI_LOG_H
#define USHER_CLI_LOG_H

#include <jansson.h>

#include "cli.h"
#include "evidence/learn.h"

struct log_event { char *key; json_t *first; uint64_t count; char *last; };

struct log {
	const struct cli *cli;
	const char *file, *rule, *path, *program;
	bool follow, denied, would, unique, as_rules;
	char since[32];			/* as timestamps are; "" */
	uint64_t n;			/* records that were wanted */
	struct log_event *events;	/* open addressing over .key */
	size_t n_events, size_events;
	struct learn learn;
};

/* log_print.c */
void log_print(const struct log *log, const json_t *record);
void log_count(struct log *log, const json_t *record);
void log_print_counts(struct log *log);
void log_learn(struct log *log, const json_t *record);
int log_print_rules(struct log *log);
void log_free(struct log *log);

#endif
