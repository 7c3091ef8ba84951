/* What records of different kinds have in common. */
#ifndef USHER_RECORD_PARTS_H
#define USHER_RECORD_PARTS_H

#include <limits.h>

#include "record.h"

/* ,"KEY":"..." and, when it is not UTF-8, ,"KEY_b64":"..." */
void record_add_path(struct text *text, const char *key, const char *path, size_t len);
/* "KEY":"2026-..." */
void record_add_time(struct text *text, const char *key, int64_t realtime_ns);
/* {"timestamp":"..." */
void record_add_timestamp(struct text *text, int64_t realtime_ns);
/* ,"errno":"EACCES" */
void record_add_errno(struct text *text, int error);
/* ,"id":"...","policy":"..." */
void record_add_end(struct text *text, const struct record *record);

struct name;
struct object;

/* What was decided about; NULL: no object, no address. */
const struct object *record_object(const struct request *req);
const struct policy_peer *record_peer(const struct request *req);
/* The name of its system call; NULL: it has none. */
const char *record_call(const struct request *req);
/* Where a relative name began, as far as it can still be seen: for people only. Its length, 0 if it cannot. */
size_t record_base(const struct request *req, const struct name *name, char base[PATH_MAX]);
/* An object that was decided by its spelling alone is asked for reading and listing at once; what it is tells which was meant. */
enum policy_op record_op(const struct request *req, const struct object *object, const struct policy_verdict *verdict);
/* Why a rule that is no deny denied; NULL: nothing of the kind. */
const char *record_reason(const struct policy_verdict *verdict);

#endif
