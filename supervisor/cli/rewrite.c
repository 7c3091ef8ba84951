/*
 * The new file is written beside the old one and the two change places in one step (RENAME_EXCHANGE). What came out is then
 * compared with what was read: if somebody has put another file there meanwhile, or written into it, they change places again, and so on
 * until what comes out is what was put there: whoever comes in between keeps the last word.
 */
#include "rewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "text.h"

#define TRIES 100
#define FILE_MAX (64U << 20)

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) ? -errno : 0;
}

/* With the owner and the mode of the old one. */
static int make_temporary(struct rewrite *rewrite)
{
	const char *slash = strrchr(rewrite->path, '/');
	struct stat st;
	int err;

	if (stat(rewrite->path, &st))
		return -errno;
	rewrite->temporary = text_printf("%.*s/.%s.usher-XXXXXX", (int)(slash - rewrite->path), rewrite->path, slash + 1);
	AUTO_FD fd = mkostemp(rewrite->temporary, O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		free(rewrite->temporary);
		rewrite->temporary = NULL;
		return err;
	}
	if (fchown(fd, st.st_uid, st.st_gid) || fchmod(fd, st.st_mode & 07777))
		return -errno;
	return write_all(fd, rewrite->text, rewrite->len);
}

/* What is there, up to MAX bytes; nothing of what cannot be read. */
static struct text read_file(const char *path, size_t max)
{
	struct text text = { 0 };
	char buf[16384];
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	while (fd >= 0 && text.len < max && (n = read(fd, buf, sizeof(buf))) > 0)
		text_add(&text, buf, (size_t)n);
	return text;
}

static bool holds(const char *path, const char *text, size_t len)
{
	struct text found = read_file(path, len + 1);
	bool same = found.len == len && (!len || !memcmp(found.s, text, len));

	free(text_take(&found));
	return same;
}

static int exchange(const char *a, const char *b)
{
	return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) ? -errno : 0;
}

int rewrite_do(struct rewrite *rewrite)
{
	int err = 0;

	rewrite->path = realpath(rewrite->was->path, NULL);
	if (!rewrite->path)
		return -errno;
	if (!holds(rewrite->path, rewrite->was->text, rewrite->was->len))
		return -ESTALE;
	err = make_temporary(rewrite);
	if (!err)
		err = exchange(rewrite->temporary, rewrite->path);
	if (err)
		return err;
	rewrite->done = true;
	if (holds(rewrite->temporary, rewrite->was->text, rewrite->was->len))
		return 0;
	err = rewrite_undo(rewrite);
	return err ? err : -ESTALE;
}

int rewrite_undo(struct rewrite *rewrite)
{
	struct text there = { 0 };
	int err = 0;

	if (!rewrite->done)
		return 0;
	text_add(&there, rewrite->text, rewrite->len);
	for (int i = 0; i < TRIES; i++) {
		struct text put = read_file(rewrite->temporary, FILE_MAX);
		err = exchange(rewrite->temporary, rewrite->path);
		bool mine = !err && holds(rewrite->temporary, there.s, there.len);
		free(text_take(&there));
		there = put;
		if (err || mine)
			break;
	}
	free(text_take(&there));
	rewrite->done = err != 0;
	return err;
}

void rewrite_end(struct rewrite *rewrite)
{
	if (rewrite->temporary)
		(void)unlink(rewrite->temporary);
	free(rewrite->temporary);
	free(rewrite->path);
	free(rewrite->text);
	*rewrite = (struct rewrite){ 0 };
}
