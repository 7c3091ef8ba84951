#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "fd.h"
#include "store.h"

/* By how it begins. */
static int source_detect(struct source *source)
{
	char head[4096];
	struct stat st;
	AUTO_FD fd = open(source->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	source->why = "it is no file";
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return -EINVAL;
	n = read(fd, head, sizeof(head) - 1);
	if (n < 0)
		return -errno;
	head[n] = '\0';
	source->why = NULL;
	if (n >= 16 && memcmp(head, "SQLite format 3", 16) == 0)
		source->kind = SOURCE_FOOTPRINT;
	else if (head[0] == '{')
		source->kind = SOURCE_LOG;
	else if (strncmp(head, "type=", 5) == 0 || strncmp(head, "----", 4) == 0)
		source->kind = SOURCE_AUSEARCH;
	else if (strchr(head, '(') && strchr(head, '='))
		source->kind = SOURCE_STRACE;
	else if (n == 0)
		source->kind = SOURCE_LOG;
	else
		source->why = "it is no footprint, audit log, strace output or ausearch --raw";
	return source->why ? -EINVAL : 0;
}

static int count_run(void *ctx, const struct store_run *run)
{
	struct source *source = ctx;

	source->runs++;
	source->killed += !run->ended_ns;
	source->lost += run->lost;
	return 0;
}

static int read_footprint(struct source *source, source_fn *fn, void *ctx)
{
	struct store *store = NULL;
	int err = store_open(&store, source->file, false, &source->why);

	if (!err)
		err = store_runs(store, count_run, source);
	if (!err)
		err = store_read(store, source->since_ns, fn, ctx);
	if (err == -EINVAL && !source->why)
		source->why = "the footprint is damaged";
	store_close(store);
	return err;
}

int source_read(struct source *source, source_fn *fn, void *ctx)
{
	int err = source_detect(source);

	source->runs = source->killed = source->lost = source->skipped = source->broken = 0;
	if (err)
		return err;
	switch (source->kind) {
	case SOURCE_FOOTPRINT: return read_footprint(source, fn, ctx);
	case SOURCE_LOG: return source_read_log(source, fn, ctx);
	case SOURCE_STRACE: return source_read_strace(source, fn, ctx);
	case SOURCE_AUSEARCH: return source_read_ausearch(source, fn, ctx);
	default: return -EINVAL;
	}
}
