/* What records of different kinds have in common. */
#ifndef USHER_RECORD_PARTS_H
#define USHER_RECORD_PARTS_H

#include "record.h"

/* ,"KEY":"..." and, when it is not UTF-8, ,"KEY_b64":"..." */
void record_add_path(struct text *text, const char *key, const char *path, size_t len);
/* {"timestamp":"..." */
void record_add_timestamp(struct text *text, int64_t realtime_ns);
/* ,"errno":"EACCES" */
void record_add_errno(struct text *text, int error);
/* ,"id":"...","policy":"..." */
void record_add_end(struct text *text, const struct record *record);

#endif
