/* Where accesses are read from: footprints, and texts in which others have recorded them. */
#ifndef USHER_SOURCE_H
#define USHER_SOURCE_H

#include <jansson.h>

#include "access.h"

enum source_kind { SOURCE_FOOTPRINT, SOURCE_LOG, SOURCE_STRACE, SOURCE_AUSEARCH };

struct source {
	const char *file;
	int64_t since_ns;	/* what came last before that is left out */

	/* Out. */
	enum source_kind kind;
	uint64_t runs, killed, lost;	/* footprints: runs without an end, and calls that were not written */
	uint64_t broken;		/* lines of a log that are no records */
	uint64_t skipped;		/* lines that say nothing of an access */
	const char *why;		/* more about an error; may be NULL */
};

/* FN until it returns other than 0. That, 0, or -errno; -EINVAL: it is none of these kinds. */
typedef int source_fn(void *ctx, const struct access *access);
int source_read(struct source *source, source_fn *fn, void *ctx);

/* One record of our own log. False: it is about no access. KEPT is to be freed in any case, after ACCESS. */
struct source_record { char *path, *to, *via; };
bool source_record_read(const json_t *record, struct access *access, struct source_record *kept);
void source_record_free(struct source_record *kept);

/* Of the kinds. */
int source_read_log(struct source *source, source_fn *fn, void *ctx);
int source_read_strace(struct source *source, source_fn *fn, void *ctx);
int source_read_ausearch(struct source *source, source_fn *fn, void *ctx);

#endif
