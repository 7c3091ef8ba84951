/*
 * What is timed: one call, many times, in the target itself. The wrapper around it (none, the floor, usher) is what differs.
 *
 *   worker OP COUNT PATH [THREADS]      OP: open deny stat access create unlink mkdir connect connect_nonblocking getppid
 *   worker run COUNT PROGRAM [ARG]...   a program from its start to its end, its output thrown away
 *   worker idle                         says that it is there, and sleeps
 *
 * Prints one line of JSON: nanoseconds of a call (mean, and p50, p99, p99.9 over single calls) and calls a second. Threads share COUNT and
 * make only the calls that need nothing done before or after.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 256	/* threads */

static const char *path;
static char name[4096], **program;
static int made = -1;

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
	made = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return made < 0 ? -1 : 0;
}
static int op_unlink(void)
{
	return unlink(name);
}
static int drop(void)
{
	return close(made);
}
static int remove_made(void)
{
	return drop() < 0 ? -1 : unlink(name);
}
static int make(void)
{
	return op_create() < 0 ? -1 : drop();
}
static int op_mkdir(void)
{
	return mkdir(name, 0755) < 0 ? -1 : rmdir(name);
}
static int op_getppid(void)
{
	return syscall(SYS_getppid) < 0 ? -1 : 0;
}
static int op_run(void)
{
	posix_spawn_file_actions_t silent;
	pid_t child;
	int status;
	posix_spawn_file_actions_init(&silent);
	posix_spawn_file_actions_addopen(&silent, 1, "/dev/null", O_WRONLY, 0);
	errno = posix_spawnp(&child, program[0], &silent, NULL, program, environ);
	posix_spawn_file_actions_destroy(&silent);
	if (errno || waitpid(child, &status, 0) < 0)
		return -1;
	if (status) {
		fprintf(stderr, "%s: status %d\n", program[0], WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		exit(1);
	}
	return 0;
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
	{ "create", op_create, NULL, remove_made }, { "unlink", op_unlink, make, NULL }, { "mkdir", op_mkdir, NULL, NULL },
	{ "getppid", op_getppid, NULL, NULL }, { "run", op_run, NULL, NULL },
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

/* One thread's part. */
struct share {
	pthread_t thread;
	const struct op *op;
	size_t warm, count;
	double *took, begin, end;
};

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void *calls(void *arg)
{
	struct share *share = arg;
	for (size_t i = 0; i < share->warm + share->count; i++) {
		if (i == share->warm)
			share->begin = now();
		once(share->op->name, share->op->before);
		double before = now();
		once(share->op->name, share->op->run);
		if (i >= share->warm)
			share->took[i - share->warm] = now() - before;
		once(share->op->name, share->op->after);
	}
	share->end = now();
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "idle")) {
		puts("idle");
		fflush(stdout);
		for (;;)
			pause();
	}
	const struct op *op = NULL;
	for (size_t i = 0; argc >= 4 && i < sizeof ops / sizeof *ops; i++)
		if (!strcmp(argv[1], ops[i].name))
			op = &ops[i];
	bool runs = op && op->run == op_run, plain = op && !op->before && !op->after && !runs;
	size_t count = op ? strtoul(argv[2], NULL, 10) : 0, n = argc == 5 && plain ? strtoul(argv[4], NULL, 10) : 1;
	if (!count || !n || n > MOST || n > count || (argc > 4 + plain && !runs)) {
		fprintf(stderr, "usage: worker open|deny|stat|access|create|unlink|mkdir|connect|connect_nonblocking|getppid COUNT PATH [THREADS]\n"
				"       worker run COUNT PROGRAM [ARG]...\n       worker idle\n");
		return 2;
	}
	path = argv[3];
	program = argv + 3;
	snprintf(name, sizeof name, "%s.%d", path, (int)getpid());
	static struct share shares[MOST];
	size_t each = count / n;
	double *took = malloc(each * n * sizeof *took), sum = 0;
	if (!took)
		return 1;
	for (size_t i = 0; i < n; i++)
		shares[i] = (struct share){ .op = op, .warm = runs ? 1 : each / 10 + 10, .count = each, .took = took + i * each };
	for (size_t i = 1; i < n; i++)
		if (pthread_create(&shares[i].thread, NULL, calls, &shares[i]))
			return 1;
	calls(&shares[0]);
	double begin = shares[0].begin, end = shares[0].end;
	for (size_t i = 1; i < n; i++) {
		pthread_join(shares[i].thread, NULL);
		begin = shares[i].begin < begin ? shares[i].begin : begin;
		end = shares[i].end > end ? shares[i].end : end;
	}
	count = each * n;
	for (size_t i = 0; i < count; i++)
		sum += took[i];
	qsort(took, count, sizeof *took, ascending);
	printf("{\"mean\": %.1f, \"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"rate\": %.1f}\n", sum / (double)count, took[count / 2],
	       took[count * 99 / 100], took[count * 999 / 1000], (double)count * 1e9 / (end - begin));
	free(took);
	return 0;
}
