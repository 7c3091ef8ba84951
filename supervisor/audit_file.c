/*
 * Rotation: NAME becomes NAME.1, NAME.1 becomes NAME.2, and so on; the oldest goes. A thread of its own packs NAME.1. As long as it does,
 * nothing is rotated: the file grows meanwhile.
 */
#include "audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "evidence/ledger.h"
#include "fd.h"
#include "sink.h"
#include "text.h"

#define SIZE_DEFAULT (100ULL << 20)
#define KEEP_DEFAULT 10
#define KEEP_MAX     1000

struct audit_file {
	char *name;
	struct audit_settings settings;
	struct ledger ledger;
	int fd;			/* the last one that was handed out; borrowed */
	pthread_t packer;
	bool packing;		/* .packer is to be joined */
	_Atomic bool packed;
};

/* ---- settings -------------------------------------------------------------------------------- */

static uint64_t size_of(const char *text)
{
	static const char units[] = "kMG";
	char *end;
	uint64_t size = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;

	for (const char *at = units; unit && at <= unit; at++)
		size *= 1024;
	return size;
}

static uint64_t duration_of(const char *text)
{
	static const struct { const char *unit; uint64_t ns; } units[] = {
		{ "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 }, { "d", 86400000000000 }, { "w", 604800000000000 },
	};
	char *end;
	uint64_t number = strtoull(text, &end, 10);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0)
			return number * units[i].ns;
	return number * 1000000000;
}

struct audit_settings audit_settings(const struct policy *policy)
{
	const struct policy_setting *rotate = policy_setting(policy, "audit", "rotate"), *sync = policy_setting(policy, "audit", "fsync");
	const struct policy_setting *every = policy_setting(policy, "audit", "footprint");
	struct audit_settings settings = { .keep = KEEP_DEFAULT, .size = rotate ? SIZE_DEFAULT : 0, .fsync_ns = SINK_NEVER };

	for (size_t i = 0; rotate && i < rotate->n_words; i++) {
		const char *word = rotate->words[i];
		if (strncmp(word, "size=", 5) == 0)
			settings.size = size_of(word + 5);
		else if (strncmp(word, "keep=", 5) == 0)
			settings.keep = (unsigned)strtoul(word + 5, NULL, 10);
		else if (strcmp(word, "compress") == 0)
			settings.compress = true;
	}
	/* every DURATION */
	if (every && every->n_words == 2)
		settings.footprint_ns = duration_of(every->words[1]);
	if (settings.keep > KEEP_MAX)
		settings.keep = KEEP_MAX;
	if (sync && sync->n_words == 1 && strcmp(sync->words[0], "never") != 0)
		settings.fsync_ns = strcmp(sync->words[0], "always") == 0 ? 0 : duration_of(sync->words[0]);
	return settings;
}

char *audit_file_name(const char *name, const struct audit_settings *settings, unsigned i)
{
	unsigned keep = settings->size ? settings->keep : 0;

	if (i == 0)
		return text_copy(name);
	if (i == 1)
		return text_printf("%s-live", name);
	if (i < 2 + keep)
		return text_printf("%s.%u", name, i - 1);
	if (i < 2 + 2 * keep)
		return text_printf("%s.%u.gz", name, i - 1 - keep);
	return i == 2 + 2 * keep && keep ? text_printf("%s.gz-new", name) : NULL;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* A file that a crash left in the middle of a line gets a newline first. */
static int finish_line(int fd, const char *name)
{
	struct stat st;
	char last = '\n';
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return 0;
	AUTO_FD reader = open(name, O_RDONLY | O_CLOEXEC);
	if (reader < 0 || pread(reader, &last, 1, st.st_size - 1) != 1 || last == '\n')
		return 0;
	return write(fd, "\n", 1) == 1 ? 0 : -errno;
}

/* O_NONBLOCK for the open only: a FIFO without a reader is an error and not a hang. */
static int open_name(const char *name)
{
	AUTO_FD fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (fd < 0)
		return -errno;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	int error = finish_line(fd, name);
	/* A full disk is no reason not to start: what is lost will be counted. */
	return error && error != -ENOSPC && error != -EDQUOT ? error : fd_take(&fd);
}

int audit_file_open(struct audit_file **file, const char *name, const struct audit_settings *settings, int *fd, uint64_t *lost)
{
	struct stat st;
	int64_t run;
	AUTO_FD new = open_name(name);

	*lost = 0;
	if (new < 0)
		return new;
	*file = mem_zero(sizeof(**file));
	(*file)->settings = *settings;
	(*file)->ledger.fd = -1;
	/* A pipe (/dev/stderr) has no path but the one that was given. */
	(*file)->name = realpath(name, NULL);
	if (!(*file)->name)
		(*file)->name = text_copy(name);
	if (fstat(new, &st) == 0 && S_ISREG(st.st_mode)) {
		AUTO_FREE char *live = text_printf("%s-live", (*file)->name);
		/* Without it a kill's loss is not known, and that is all. */
		(void)ledger_open(&(*file)->ledger, live, lost, &run);
	} else {
		(*file)->settings.size = 0;
	}
	*fd = (*file)->fd = fd_take(&new);
	return 0;
}

_Atomic uint64_t *audit_file_put(struct audit_file *file)
{
	return file->ledger.page ? &file->ledger.page->counted : NULL;
}

_Atomic uint64_t *audit_file_written(struct audit_file *file)
{
	return file->ledger.page ? &file->ledger.page->written : NULL;
}

/* ---- rotation -------------------------------------------------------------------------------- */

static int pack(int from, const char *to)
{
	char buf[65536];
	ssize_t n;
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	gzFile out = fd >= 0 ? gzdopen(fd, "wb6") : NULL;

	if (!out) {
		(void)fd_close(fd);
		return -EIO;
	}
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (gzwrite(out, buf, (unsigned)n) != n)
			break;
	return gzclose(out) == Z_OK && n == 0 ? 0 : -EIO;
}

static void *packer_run(void *arg)
{
	struct audit_file *file = arg;
	AUTO_FREE char *from = text_printf("%s.1", file->name);
	AUTO_FREE char *scratch = text_printf("%s.gz-new", file->name);
	AUTO_FREE char *to = text_printf("%s.1.gz", file->name);
	AUTO_FD fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && pack(fd, scratch) == 0 && rename(scratch, to) == 0)
		(void)unlink(from);
	else
		(void)unlink(scratch);
	atomic_store(&file->packed, true);
	return NULL;
}

static void shift(const struct audit_file *file)
{
	static const char *const endings[] = { "", ".gz" };

	for (unsigned i = file->settings.keep; i > 0; i--)
		for (size_t k = 0; k < 2; k++) {
			AUTO_FREE char *from = text_printf("%s.%u%s", file->name, i, endings[k]);
			AUTO_FREE char *to = text_printf("%s.%u%s", file->name, i + 1, endings[k]);
			if (i == file->settings.keep)
				(void)unlink(from);
			else
				(void)rename(from, to);
		}
}

/* False while the last one is still being packed. */
static bool join_packer(struct audit_file *file, bool wait)
{
	if (file->packing && !wait && !atomic_load(&file->packed))
		return false;
	if (file->packing)
		pthread_join(file->packer, NULL);
	file->packing = false;
	return true;
}

static int opened(struct audit_file *file)
{
	int fd = open_name(file->name);

	if (fd >= 0)
		file->fd = fd;
	return fd;
}

int audit_file_next(void *ctx, bool full)
{
	struct audit_file *file = ctx;
	AUTO_FREE char *first = text_printf("%s.1", file->name);

	if (!full)
		return opened(file);
	if (!join_packer(file, false))
		return -EAGAIN;
	shift(file);
	if (file->settings.keep ? rename(file->name, first) : unlink(file->name))
		return -errno;
	if (file->settings.compress && file->settings.keep) {
		atomic_store(&file->packed, false);
		file->packing = pthread_create(&file->packer, NULL, packer_run, file) == 0;
	}
	return opened(file);
}

bool audit_file_moved(const struct audit_file *file)
{
	struct stat open_one, there;

	if (fstat(file->fd, &open_one) || !S_ISREG(open_one.st_mode))
		return false;
	return stat(file->name, &there) || there.st_ino != open_one.st_ino || there.st_dev != open_one.st_dev;
}

void audit_file_free(struct audit_file *file)
{
	if (!file)
		return;
	(void)join_packer(file, true);
	ledger_close(&file->ledger, true);
	free(file->name);
	free(file);
}
