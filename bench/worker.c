/*
 * What is timed: one call, many times, in the target itself. The wrapper around it (none, the floor, usher) is what differs.
 *
 *   worker OP COUNT PATH      OP: open deny stat access create mkdir connect connect_nonblocking getppid
 *
 * Prints one line of JSON: nanoseconds of a call: mean of the best half of batches, p50, p99, p99.9 over single calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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


/* To a listener of its own, on loopback: the handshake is over when connect returns, or when accept does. Only the connect is timed. */
static struct sockaddr_in at = { .sin_family = AF_INET };
static int listening = -1, client = -1;

static int listen_once(void)
{
	socklen_t len = sizeof at;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(listening, (struct sockaddr *)&at, sizeof at) || listen(listening, 16) || getsockname(listening, (struct sockaddr *)&at, &len) ? -1 : 0;
}
static int make_socket(int flags)
{
	static const struct linger reset = { .l_onoff = 1 };	/* leaves nothing behind that waits */
	if (listening < 0 && listen_once() < 0)
		return -1;
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	return client < 0 ? -1 : setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}
static int make_blocking(void)
{
	return make_socket(0);
}
static int make_nonblocking(void)
{
	return make_socket(SOCK_NONBLOCK);
}
static int op_connect(void)
{
	return connect(client, (struct sockaddr *)&at, sizeof at) && errno != EINPROGRESS ? -1 : 0;
}
static int hang_up(void)
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	close(client);
	return fd < 0 ? -1 : close(fd);
}

/* BEFORE and AFTER are not timed. */
static const struct op {
	const char *name;
	int (*run)(void), (*before)(void), (*after)(void);
} ops[] = {
	{ "open", op_open, NULL, NULL }, { "deny", op_deny, NULL, NULL }, { "stat", op_stat, NULL, NULL }, { "access", op_access, NULL, NULL },
	{ "create", op_create, NULL, NULL }, { "mkdir", op_mkdir, NULL, NULL }, { "getppid", op_getppid, NULL, NULL },
	{ "connect", op_connect, make_blocking, hang_up }, { "connect_nonblocking", op_connect, make_nonblocking, hang_up },
};

static void once(const char *what, int (*step)(void))
{
	if (step && step() < 0) {
		perror(what);
		exit(1);
	}
}

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
	const struct op *op = NULL;
	for (size_t i = 0; argc == 4 && i < sizeof ops / sizeof *ops; i++)
		if (!strcmp(argv[1], ops[i].name))
			op = &ops[i];
	size_t count = op ? strtoul(argv[2], NULL, 10) : 0;
	if (!count) {
		fprintf(stderr, "usage: worker open|deny|stat|access|create|mkdir|connect|connect_nonblocking|getppid COUNT PATH\n");
		return 2;
	}
	path = argv[3];
	snprintf(name, sizeof name, "%s.%d", path, (int)getpid());
	size_t warm = count / 10 + 10;
	double *took = malloc((warm + count) * sizeof *took), begin = 0, sum;
	if (!took)
		return 1;
	for (size_t i = 0; i < warm + count; i++) {
		if (i == warm)
			begin = now();
		once(argv[1], op->before);
		double before = now();
		once(argv[1], op->run);
		took[i] = now() - before;
		once(argv[1], op->after);
	}
	memmove(took, took + warm, count * sizeof *took);
	sum = now() - begin;
	qsort(took, count, sizeof *took, ascending);
	printf("{\"mean\": %.1f, \"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f}\n", sum / (double)count, took[count / 2],
	       took[count * 99 / 100], took[count * 999 / 1000]);
	free(took);
	return 0;
}
