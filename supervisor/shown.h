/* Which denials people are shown, and what they are told at the end. */
#ifndef USHER_SHOWN_H
#define USHER_SHOWN_H

#include <pthread.h>

#include "audit.h"
#include "record.h"
#include "seen.h"

struct shown {
	const struct policy *policy;		/* at launch */
	const struct audit_options *options;
	struct sink *terminal;			/* NULL: no lines. Borrowed, like .file */
	const char *file;			/* where the records are; NULL: nowhere */

	pthread_mutex_t mutex;			/* guards what follows */
	struct seens seens;
	double tokens;
	int64_t tokens_at_ms;
	unsigned long hidden, hidden_unsaid;
	char *last_question;			/* without a file: there an id is enough */
	const char *last_reason;		/* what usher itself had against a mount, which no question tells; static */
};

void shown_init(struct shown *shown, const struct policy *policy, const struct audit_options *options);
void shown_free(struct shown *shown);
/* Shows REQ, refused or nearly so, as RECORD says; or counts it. */
void shown_put(struct shown *shown, const struct request *req, enum record_kind kind, const struct record *record);
/* Says how many calls there were, how many were or would be denied, and how many records were lost. */
void shown_summary(const struct shown *shown, unsigned long calls, unsigned long denied, unsigned long would, unsigned long lost);

#endif
