/* One event as a JSON line and as a line for people. */
#ifndef USHER_RECORD_H
#define USHER_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "policy.h"
#include "text.h"

struct access;
struct kernel_event;
struct landlock_event;
struct request;

#define RECORD_ID_SIZE 16

/* What is said of every record. */
struct record {
	uint64_t seq; /* 0: none */
	char id[RECORD_ID_SIZE]; /* 12 hex digits; the first 8 never recur within a run */
	int64_t realtime_ns;
	const struct policy *policy;
	const char *label; /* "web@3f2a91c" instead of that, or NULL */
	const struct policy_var *vars; /* --set */
	size_t n_vars;
};

/*
 * What a request means to the log. RECORD_DENY: refused by the policy; RECORD_WOULD_DENY: let through because
 * of a stage; RECORD_ALLOW: everything else, whatever the kernel's answer was.
 */
enum record_kind { RECORD_ALLOW, RECORD_WOULD_DENY, RECORD_DENY };
enum record_kind record_kind(const struct request *req);

/* The verdict that a record of KIND is about. */
const struct policy_verdict *record_verdict(const struct request *req, enum record_kind kind);
/* "web@3f2a91c" of POLICY; as snprintf(3). */
int record_label(char *label, size_t size, const struct policy *policy);
/* A JSON line with its newline, added to TEXT. */
void record_request(struct text *text, const struct record *record, const struct request *req);
/* Of usher's own. MESSAGE may be NULL. LOST: how many records a "gap" stands for, else 0. */
void record_event(struct text *text, const struct record *record, const char *action, const char *message,
		  unsigned long lost);
/* What was counted: "footprint". */
void record_access(struct text *text, const struct record *record, const struct access *access);
/* What the filter did by itself. RULE: where the rule stands; NULL: not known. */
void record_kernel(struct text *text, const struct record *record, const struct kernel_event *event, const char *rule);
/* What Landlock denied by itself, as audit_landlock() is told. */
void record_landlock(struct text *text, const struct record *record, const struct landlock_event *event, const struct policy_verdict *verdict,
		     enum policy_section section);
/* "denied read /srv/www/.git/config (nginx 4711)  web.policy:22  why d3f9", escaped, without "usher: " and
 * newline. ID NULL: without why. */
void record_line(struct text *text, const struct request *req, enum record_kind kind, const char *id);
/* Whose default VERDICT, about REQ, is where it is no rule's. */
enum policy_section record_section(const struct request *req, const struct policy_verdict *verdict);
/* "web.policy:22" of VERDICT about REQ. */
const char *record_where(const struct request *req, const struct policy_verdict *verdict, char *buf, size_t size);
/* "read /srv/www/x" of the enforced decision, escaped. */
void record_what(struct text *text, const struct request *req);
uint64_t record_bytes_hash(const void *data, size_t len);
/* Of two equal denials: the same number. */
uint64_t record_hash(const struct request *req, enum record_kind kind);
/* What to ask usher why: "read /srv/www/leak", as it was asked, quoted for a shell. */
void record_question(struct text *text, const struct request *req, enum record_kind kind);

#endif
