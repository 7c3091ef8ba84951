/*
 * Audit: JSON lines, one line a denial for people, a summary.
 *
 * audit_record() is called by serving threads: it formats into memory and posts; the loop's thread writes through the ring, so a
 * slow disk never slows a target. What could not be written or queued is counted, reported in a gap record and in the summary.
 */
#ifndef USHER_AUDIT_H
#define USHER_AUDIT_H

#include <stdbool.h>

#include "request.h"

struct kernel_event;
struct landlock_event;
struct loop;
struct audit;

struct audit_options {
	const char *file;	/* NULL: none */
	bool all;		/* level all */
	bool terminal;		/* a line on stderr for each denial, rate-limited */
	bool json;		/* --json: those lines as JSON */
	bool summary;		/* two lines at the end */
	bool reads_unseen;	/* Landlock denies them by itself */
	const struct policy_var *vars;	/* --set, for the record of the start and the summary; borrowed */
	size_t n_vars;
};

/* 0 or -errno (the file cannot be opened: the launch fails). */
int audit_new(struct audit **audit, struct loop *loop, const struct policy *policy, const struct audit_options *options);
/* Are accesses that leave no record counted? Then describe_look() is called before the answer. AUDIT may be NULL. */
bool audit_counts(const struct audit *audit);
/* Will there be a record or a line of REQ, as it is decided? Then .target->exe is asked for before the answer. AUDIT may be NULL. */
bool audit_wants(const struct audit *audit, const struct request *req);
/* What happened to REQ: decision and reply are set. Any thread. */
void audit_record(struct audit *audit, struct request *req);
/* Records of usher's own name POLICY from now on. AUDIT may be NULL. */
void audit_policy(struct audit *audit, const struct policy *policy);
/* What the filter did by itself: counted and recorded as what a request did. RULE may be NULL. On the loop's thread. AUDIT may be NULL. */
void audit_kernel(struct audit *audit, const struct policy *policy, const struct kernel_event *event, const char *rule);
/* Landlock has denied something. VERDICT of POLICY: what it says of that, with the default of SECTION; NULL: nothing that denies. */
void audit_landlock(struct audit *audit, const struct policy *policy, const struct landlock_event *event, const struct policy_verdict *verdict,
		    enum policy_section section);
/* Something of usher's own: "start", "stop", "error"; TEXT is a message. */
void audit_event(struct audit *audit, const char *action, const char *text);
bool audit_has_file(const struct audit *audit);
/* On the loop's thread: goes on in a new file, if the old one was moved away. False: it was not. */
bool audit_reopen(struct audit *audit);
/* Writes what is queued (waits, bounded), prints the summary, frees. */
void audit_free(struct audit *audit);

#endif
