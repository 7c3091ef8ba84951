/*
 * What is timed: one call, many times, in the target itself. The wrapper around it (none, the floor, usher) is what differs.
 *
 *   worker OP COUNT PATH      OP: open deny stat access create unlink mkdir connect getppid read link
 *
 * Prints one line of JSON: nanoseconds of a call: mean of the best half of batches, p50, p99, p99.9 over single calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *path;
static char name[4096];

static int op_open(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : close(fd);
}
static int op_deny(void)
{
	return open(path, O_RDONLY | O_CLOEXEC) < 0 ? 0 : -1;
}
static int op_stat(void)
{
	struct stat st;
	return stat(path, &st);
}
static int op_access(void)
{
	return access(path, R_OK);
}
static int op_create(void)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	close(fd);
	return unlink(name);
}
static int op_mkdir(void)
{
	return mkdir(name, 0755) < 0 ? -1 : rmdir(name);
}
static int op_getppid(void)
{
	return syscall(SYS_getppid) < 0 ? -1 : 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} ops[] = {
	{ "open", op_open }, { "deny", op_deny }, { "stat", op_stat }, { "access", op_access },
	{ "create", op_create }, { "mkdir", op_mkdir }, { "getppid", op_getppid },
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int (*run)(void) = NULL;
	for (size_t i = 0; argc == 4 && i < sizeof ops / sizeof *ops; i++)
		if (!strcmp(argv[1], ops[i].name))
			run = ops[i].run;
	size_t count = run ? strtoul(argv[2], NULL, 10) : 0;
	if (!count) {
		fprintf(stderr, "usage: worker open|deny|stat|access|create|mkdir|getppid COUNT PATH\n");
		return 2;
	}
	path = argv[3];
	snprintf(name, sizeof name, "%s.%d", path, (int)getpid());
	double *took = malloc(count * sizeof *took), sum = 0;
	if (!took)
		return 1;
	for (size_t i = 0; i < count / 10 + 10; i++)
		if (run() < 0) {
			perror(argv[1]);
			return 1;
		}
	double begin = now();
	for (size_t i = 0; i < count; i++) {
		double before = now();
		if (run() < 0) {
			perror(argv[1]);
			return 1;
		}
		took[i] = now() - before;
	}
	sum = now() - begin;
	qsort(took, count, sizeof *took, ascending);
	printf("{\"mean\": %.1f, \"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f}\n", sum / (double)count, took[count / 2],
	       took[count * 99 / 100], took[count * 999 / 1000]);
	free(took);
	return 0;
}
