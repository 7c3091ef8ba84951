/*
 * Many threads in one tree: each makes, writes, opens, stats, links, renames and unlinks names of its own in directories that all
 * share, where every result is known; and names that all share, where every result is one of a few, and what is read was written by
 * somebody. Directories move meanwhile.
 *
 *   crowd DIRECTORY THREADS CALLS SECONDS
 *
 * At least so many calls for at least so long; then the directory is as empty as before. With DIRECTORY/met and DIRECTORY/go, two
 * FIFOs, it first makes a quarter of the calls, opens met for writing and waits for go, and so again at the end: whoever measures
 * something does it then.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRS   8
#define SHARED 16

static _Atomic unsigned long calls, wrong;
static const char *directory;
static unsigned long calls_wanted;
static time_t end;

static void expect(int ok, const char *what, const char *name)
{
	calls++;
	if (!ok && wrong++ < 10)
		fprintf(stderr, "%s %s: %s\n", what, name, strerror(errno));
}

/* Where RESULT may have failed: with one of two errors. */
static int either(long result, int one, int other)
{
	return result >= 0 || errno == one || errno == other;
}

static unsigned random_of(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % n;
}

/* FD has what own() or shared() wrote, or nothing yet. */
static int is_whole(int fd)
{
	char text[16] = "";
	ssize_t n = pread(fd, text, sizeof text, 0);
	return n == 0 || (n == 8 && !memcmp(text, "thread", 6));
}

static void own(unsigned number, unsigned *seed)
{
	char name[300], moved[300], other[300], text[16];
	struct stat by_name, by_fd;
	snprintf(name, sizeof name, "%s/d%u/%u", directory, random_of(seed, DIRS), number);
	snprintf(moved, sizeof moved, "%s/d%u/%u.moved", directory, random_of(seed, DIRS), number);
	snprintf(other, sizeof other, "%s/d%u/%u.other", directory, random_of(seed, DIRS), number);
	snprintf(text, sizeof text, "thread%02u", number % 100);
	int fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	expect(fd > 2, "create", name);
	expect(write(fd, text, 8) == 8, "write", name);
	expect(open(name, O_CREAT | O_EXCL | O_RDWR, 0600) < 0 && errno == EEXIST, "create again", name);
	expect(stat(name, &by_name) == 0 && fstat(fd, &by_fd) == 0 && by_name.st_ino == by_fd.st_ino && by_name.st_size == 8, "stat", name);
	expect(link(name, other) == 0, "link", other);
	expect(rename(name, moved) == 0, "rename", moved);
	expect(stat(name, &by_name) < 0 && errno == ENOENT, "stat", name);
	expect(chmod(moved, 0640) == 0, "chmod", moved);
	close(fd);
	fd = open(moved, O_RDONLY | O_CLOEXEC);
	expect(fd > 2 && is_whole(fd) && fstat(fd, &by_fd) == 0 && by_fd.st_nlink == 2 && (by_fd.st_mode & 0777) == 0640, "open", moved);
	close(fd);
	expect(unlink(moved) == 0, "unlink", moved);
	expect(unlink(other) == 0, "unlink", other);
	expect(access(other, F_OK) < 0 && errno == ENOENT, "access", other);
}

static void shared(unsigned number, unsigned *seed)
{
	char name[300], moved[300], text[16];
	struct stat st;
	snprintf(name, sizeof name, "%s/moving/s%u", directory, random_of(seed, SHARED));
	snprintf(moved, sizeof moved, "%s/moving/s%u", directory, random_of(seed, SHARED));
	snprintf(text, sizeof text, "thread%02u", number % 100);
	int fd = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	expect(either(fd, ENOENT, ENOENT), "create shared", name);
	if (fd >= 0) {
		expect(is_whole(fd) && pwrite(fd, text, 8, 0) == 8, "write shared", name);
		close(fd);
	}
	expect(either(rename(name, moved), ENOENT, ENOENT), "rename shared", moved);
	expect(either(stat(moved, &st), ENOENT, ENOENT), "stat shared", moved);
	fd = open(moved, O_RDONLY | O_CLOEXEC);
	expect(either(fd, ENOENT, ENOENT) && (fd < 0 || is_whole(fd)), "open shared", moved);
	if (fd >= 0)
		close(fd);
	expect(either(unlink(moved), ENOENT, ENOENT), "unlink shared", moved);
	if (random_of(seed, 20) == 0) {
		/* The directory itself goes elsewhere, and comes back. */
		snprintf(name, sizeof name, "%s/moving", directory);
		snprintf(moved, sizeof moved, "%s/d%u/moved", directory, number % DIRS);
		int there = rename(name, moved);
		expect(either(there, ENOENT, ENOENT), "move", moved);
		if (there == 0)
			expect(rename(moved, name) == 0, "move back", moved);
	}
}

/* All threads and main(), before and after it meets somebody. */
static pthread_barrier_t pause_here;
static int measured;

static void go_on_to(unsigned number, unsigned *seed, unsigned long wanted, time_t end)
{
	while (calls < wanted || time(NULL) < end) {
		own(number, seed);
		shared(number, seed);
	}
	pthread_barrier_wait(&pause_here);
	pthread_barrier_wait(&pause_here);
}

static void *work(void *number)
{
	unsigned seed = (unsigned)(uintptr_t)number + 1;
	if (measured)
		go_on_to((unsigned)(uintptr_t)number, &seed, calls_wanted / 4, 0);
	go_on_to((unsigned)(uintptr_t)number, &seed, calls_wanted, end);
	return NULL;
}

static void meet(void)
{
	char name[300];
	pthread_barrier_wait(&pause_here);
	if (measured) {
		snprintf(name, sizeof name, "%s/met", directory);
		close(open(name, O_WRONLY | O_CLOEXEC));
		snprintf(name, sizeof name, "%s/go", directory);
		close(open(name, O_RDONLY | O_CLOEXEC));
	}
	pthread_barrier_wait(&pause_here);
}

int main(int argc, char **argv)
{
	pthread_t list[256];
	char name[300];
	struct stat st;
	if (argc != 5 || atoi(argv[2]) > 256)
		return 2;
	directory = argv[1];
	snprintf(name, sizeof name, "%s/met", directory);
	measured = stat(name, &st) == 0;
	for (unsigned i = 0; i < DIRS; i++) {
		snprintf(name, sizeof name, "%s/d%u", directory, i);
		expect(mkdir(name, 0700) == 0, "mkdir", name);
	}
	snprintf(name, sizeof name, "%s/moving", directory);
	expect(mkdir(name, 0700) == 0, "mkdir", name);
	calls_wanted = strtoul(argv[3], NULL, 0);
	end = time(NULL) + atoi(argv[4]);
	unsigned threads = (unsigned)atoi(argv[2]);
	pthread_barrier_init(&pause_here, NULL, threads + 1);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&list[i], NULL, work, (void *)(uintptr_t)i))
			return 3;
	if (measured)
		meet();
	meet();
	for (unsigned i = 0; i < threads; i++)
		pthread_join(list[i], NULL);
	for (unsigned i = 0; i < SHARED; i++) {
		snprintf(name, sizeof name, "%s/moving/s%u", directory, i);
		expect(either(unlink(name), ENOENT, ENOENT), "unlink", name);
	}
	snprintf(name, sizeof name, "%s/moving", directory);
	expect(rmdir(name) == 0, "rmdir", name);
	for (unsigned i = 0; i < DIRS; i++) {
		snprintf(name, sizeof name, "%s/d%u", directory, i);
		expect(rmdir(name) == 0, "rmdir", name);
	}
	printf("%lu calls, %lu wrong\n", calls, wrong);
	return wrong != 0;
}
