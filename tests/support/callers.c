/*
 * Many threads that connect, so many times a second all together, each time with a socket of their own; every other one does not block.
 *
 *   callers DIRECTORY PORT THREADS PER_SECOND SECONDS
 *
 * After the first second and at the end it opens DIRECTORY/met, a FIFO, for writing and then DIRECTORY/go for reading: whoever measures
 * something does it then. Prints how many there were, how many of them failed, and by how much the last one was late.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in at = { .sin_family = AF_INET };
static const char *directory;
static unsigned threads;
static double per_second, seconds, begun;	/* when the second part began */
static struct timespec start;
static pthread_barrier_t pause_here;	/* all threads and main(), before and after it meets somebody */
static _Atomic unsigned long calls, wrong;
static _Atomic long late_us;

static double elapsed(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
}

static int call_once(int flags)
{
	static const struct linger reset = { .l_onoff = 1 };	/* leaves nothing behind that waits */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), err = 0;
	socklen_t len = sizeof err;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset))
		return errno;
	if (connect(fd, (struct sockaddr *)&at, sizeof at)) {
		struct pollfd wait = { .fd = fd, .events = POLLOUT };
		err = errno;
		if (flags && err == EINPROGRESS && (poll(&wait, 1, 10000) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len)))
			err = ETIMEDOUT;
	}
	close(fd);
	return err;
}

static void call_from_to(double from, double to, unsigned number)
{
	double step = threads / per_second;
	for (double next = from + number / per_second; next < to; next += step) {
		double left = next - elapsed();
		if (left > 0) {
			struct timespec wait = { .tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9) };
			nanosleep(&wait, NULL);
		}
		unsigned long n = calls++;
		int err = call_once(n & 1 ? SOCK_NONBLOCK : 0);
		if (err && wrong++ < 10)
			fprintf(stderr, "connect: %s\n", strerror(err));
		late_us = (long)((elapsed() - next) * 1e6);
	}
	pthread_barrier_wait(&pause_here);
	pthread_barrier_wait(&pause_here);
}

static void *work(void *number)
{
	call_from_to(0, 1, (unsigned)(uintptr_t)number);
	call_from_to(begun, begun + seconds, (unsigned)(uintptr_t)number);
	return NULL;
}

static void meet(void)
{
	char name[300];
	pthread_barrier_wait(&pause_here);
	snprintf(name, sizeof name, "%s/met", directory);
	close(open(name, O_WRONLY | O_CLOEXEC));
	snprintf(name, sizeof name, "%s/go", directory);
	close(open(name, O_RDONLY | O_CLOEXEC));
	begun = elapsed();
	pthread_barrier_wait(&pause_here);
}

int main(int argc, char **argv)
{
	pthread_t list[256];
	if (argc != 6 || atoi(argv[3]) > 256)
		return 2;
	directory = argv[1];
	at.sin_port = htons((in_port_t)atoi(argv[2]));
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	threads = (unsigned)atoi(argv[3]);
	per_second = atof(argv[4]);
	seconds = atof(argv[5]);
	pthread_barrier_init(&pause_here, NULL, threads + 1);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&list[i], NULL, work, (void *)(uintptr_t)i))
			return 3;
	meet();
	meet();
	for (unsigned i = 0; i < threads; i++)
		pthread_join(list[i], NULL);
	printf("%lu connects, %lu wrong, %ld us late\n", calls, wrong, late_us);
	return wrong != 0;
}
