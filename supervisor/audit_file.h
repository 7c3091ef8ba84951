/* The file of an audit log: opened, rotated, packed, and what a kill left of it. */
#ifndef USHER_AUDIT_FILE_H
#define USHER_AUDIT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy.h"

struct audit_settings {
	uint64_t size;		/* 0: it is not rotated */
	unsigned keep;
	bool compress;
	uint64_t fsync_ns;	/* as for sink_syncs() */
	uint64_t footprint_ns;	/* 0: none */
};

/* audit { rotate; fsync; footprint; } of POLICY. */
struct audit_settings audit_settings(const struct policy *policy);

struct audit_file;
/* *FD is the caller's. *LOST: records that a usher which was killed had not written. 0 or -errno. */
int audit_file_open(struct audit_file **file, const char *name, const struct audit_settings *settings, int *fd, uint64_t *lost);
/* The counters for sink_counts(); NULL where there are none (it is no file, or another usher writes into it as well). */
_Atomic uint64_t *audit_file_put(struct audit_file *file);
_Atomic uint64_t *audit_file_written(struct audit_file *file);
/* As sink_next_fn. */
int audit_file_next(void *file, bool full);
/* Is something else, or nothing, where it was? */
bool audit_file_moved(const struct audit_file *file);
void audit_file_free(struct audit_file *file);

/* Names that belong to the log NAME: the I-th, malloc'ed; NULL past the last. NAME.1 is newer than NAME.2. */
char *audit_file_name(const char *name, const struct audit_settings *settings, unsigned i);

#endif
