/* Reading a log back, for `usher why`. */
#ifndef USHER_AUDIT_FIND_H
#define USHER_AUDIT_FIND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* FN, for each record of FILE, and of FILE.1, FILE.2.gz... before it, with PART or OTHER (NULL: only PART) in its text, until it returns other than 0. That, 0, or
 * -errno of the file. BROKEN (may be NULL) is how many lines were no records. */
typedef int audit_scan_fn(void *ctx, json_t *record);
int audit_scan(const char *file, const char *part, const char *other, audit_scan_fn *fn, void *ctx, uint64_t *broken);
/* Those before it only. */
int audit_scan_rotated(const char *file, const char *part, const char *other, audit_scan_fn *fn, void *ctx, uint64_t *broken);

bool audit_is_denial(const json_t *record);
/* The record whose id begins with PREFIX; NULL: the last denial. -ENODATA: there is none, -EEXIST: more than one. */
int audit_find(const char *file, const char *prefix, json_t **record);

#endif
