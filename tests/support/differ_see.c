/* What can be seen of an answer that does not depend on the time, on inode numbers, or on other users of the machine. */
#include "differ.h"

#include <string.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Raw: the C library's fstat() is a call by name. */
static int raw_fstat(int fd, struct stat *st)
{
#ifdef __x86_64__
	return (int)syscall(SYS_fstat, fd, st);
#else
	return fstat(fd, st);
#endif
}

static void see_facts(struct actor *actor, mode_t mode, uid_t uid, gid_t gid, unsigned long links, long size, unsigned maj, unsigned min)
{
	fprintf(actor->out, " %o %u:%u links %lu", mode, uid, gid, links);
	if (!S_ISDIR(mode))
		fprintf(actor->out, " size %ld rdev %u:%u", size, maj, min);
}

/* Times that were set are long past or far ahead. */
void see_time(FILE *out, const char *what, int64_t sec, uint32_t nsec)
{
	if (sec > 1000000000 && sec < 4000000000)
		fprintf(out, " %s now", what);
	else
		fprintf(out, " %s %lld.%u", what, (long long)sec, nsec);
}

/* procfs makes its times when it is looked at first. */
static bool timeless(unsigned maj)
{
	return maj == 0;
}

void see_stat(struct actor *actor, const void *from)
{
	struct stat st;
	memcpy(&st, from, sizeof(st));
	see_facts(actor, st.st_mode, st.st_uid, st.st_gid, (unsigned long)st.st_nlink, (long)st.st_size, major(st.st_rdev), minor(st.st_rdev));
	fprintf(actor->out, " dev %lx block %ld", (unsigned long)st.st_dev, (long)st.st_blksize);
	if (timeless(major(st.st_dev)))
		return;
	see_time(actor->out, "atime", st.st_atim.tv_sec, (uint32_t)st.st_atim.tv_nsec);
	see_time(actor->out, "mtime", st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec);
}

void see_statx(struct actor *actor, const void *from)
{
	struct statx sx;
	memcpy(&sx, from, sizeof(sx));
	see_facts(actor, sx.stx_mode, sx.stx_uid, sx.stx_gid, sx.stx_nlink, (long)sx.stx_size, sx.stx_rdev_major, sx.stx_rdev_minor);
	fprintf(actor->out, " mask %x attributes %llx of %llx block %u dev %u:%u mount %llx", sx.stx_mask, (unsigned long long)sx.stx_attributes,
		(unsigned long long)sx.stx_attributes_mask, sx.stx_blksize, sx.stx_dev_major, sx.stx_dev_minor,
		(unsigned long long)sx.stx_mnt_id);
	if (timeless(sx.stx_dev_major))
		return;
	see_time(actor->out, "atime", sx.stx_atime.tv_sec, sx.stx_atime.tv_nsec);
	see_time(actor->out, "mtime", sx.stx_mtime.tv_sec, sx.stx_mtime.tv_nsec);
	fprintf(actor->out, " born %d", sx.stx_btime.tv_sec != 0);
}

void see_numberless(char *text, size_t len)
{
	char *at = memchr(text, '#', len);
	while (at && ++at < text + len && *at >= '0' && *at <= '9')
		*at = '0';
}

/* Where it leads, as procfs says; the numbers of files without a name do not matter, nor do those of processes. */
static void see_link(struct actor *actor, int fd)
{
	char path[64], text[PATH_MAX], *number;
	int skip = 0;
	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	ssize_t len = readlink(path, text, sizeof(text) - 1);
	if (len < 0) {
		fprintf(actor->out, " %s", strerrorname_np(errno));
		return;
	}
	text[len] = '\0';
	number = strchr(text, '#');
	if (!number)
		number = strstr(text, ":[");
	if (number)
		number[1] = '\0';
	(void)sscanf(text, "/proc/%*d%n/task/%*d%n", &skip, &skip);
	fprintf(actor->out, skip ? " /proc/PID" : " ");
	put_text(actor->out, text + skip, strlen(text + skip));
}

void see_descriptor(struct actor *actor, int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);
	/* fidelity: F_GETFL of an existing file does not show O_NOFOLLOW. */
	fprintf(actor->out, " flags %o fd %x at %ld", flags & ~O_NOFOLLOW, fcntl(fd, F_GETFD), (long)lseek(fd, 0, SEEK_CUR));
	if (raw_fstat(fd, &st) == 0)
		see_facts(actor, st.st_mode, st.st_uid, st.st_gid, (unsigned long)st.st_nlink, (long)st.st_size, major(st.st_rdev),
			  minor(st.st_rdev));
	see_link(actor, fd);
}

bool descriptor_nameless(int fd, bool *other_names)
{
	char path[64], text[PATH_MAX];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	ssize_t len = readlink(path, text, sizeof(text));
	*other_names = raw_fstat(fd, &st) == 0 && st.st_nlink && S_ISREG(st.st_mode);
	return len > 0 && (text[0] != '/' || (len > 10 && memcmp(text + len - 10, " (deleted)", 10) == 0));
}
