/*
 * How is the listener waited for best? The loop of floor.h with each way to wait, with and without SYNC_WAKE_UP, on real opens; one
 * target or several at once. Interleaved; the first repetition is dropped; medians.
 *
 *   bench_wait [COUNT] [REPETITIONS] [TARGETS]
 *
 * recv: blocking RECV. poll: poll(2), RECV. two: poll(2) of the listener and an eventfd, RECV: what the crew does. epoll: a level-
 * triggered epoll, RECV. uring: a one-shot IORING_OP_POLL_ADD, RECV.
 */
#include <liburing.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>

#include "floor.h"

enum way { WAY_RECV, WAY_POLL, WAY_TWO, WAY_EPOLL, WAY_URING, WAYS };

static const char *const names[WAYS] = { "recv", "poll", "two", "epoll", "uring" };

struct work { unsigned count, targets; double *took; };

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int opens(const struct work *work)
{
	for (unsigned i = 0; i < work->count; i++) {
		int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return 1;
		close(fd);
	}
	return 0;
}

static int body(void *arg)
{
	struct work *work = arg;
	double start = now_us();
	int status, failed = 0;

	for (unsigned i = 1; i < work->targets; i++)
		if (!fork())
			_exit(opens(work));
	failed = opens(work);
	while (wait(&status) > 0)
		failed = failed || status;
	*work->took = (now_us() - start) / work->count / work->targets;
	return failed;
}

static bool wait_epoll(int epoll)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, -1) == 1 && !(event.events & EPOLLHUP);
}

static bool wait_uring(struct io_uring *ring, int listener)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int events;

	if (!sqe)
		return false;
	io_uring_prep_poll_add(sqe, listener, POLLIN);
	io_uring_submit_and_wait(ring, 1);
	if (io_uring_wait_cqe(ring, &cqe))
		return false;
	events = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return events >= 0 && !(events & POLLHUP);
}

static void serve(enum way way, int listener, int root)
{
	struct pollfd fds[2] = { { .fd = listener, .events = POLLIN }, { .fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN } };
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct io_uring ring;
	bool more = true;

	if (io_uring_queue_init(8, &ring, 0) || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event))
		floor_die("ring or epoll");
	while (more) {
		if (way == WAY_EPOLL)
			more = wait_epoll(epoll);
		else if (way == WAY_URING)
			more = wait_uring(&ring, listener);
		else if (way != WAY_RECV)
			more = poll(fds, way == WAY_TWO ? 2 : 1, -1) > 0 && !(fds[0].revents & POLLHUP);
		if (!more)
			break;
		floor_serve(listener, root, FLOOR_OPEN);
		/* RECV returns at once when there is nobody left (6.11). */
		if (way == WAY_RECV && poll(fds, 1, 0) > 0 && (fds[0].revents & POLLHUP))
			more = false;
	}
	io_uring_queue_exit(&ring);
	close(epoll);
	close(fds[1].fd);
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double cpu_us(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 5000, repetitions = argc > 2 ? (unsigned)atoi(argv[2]) : 7;
	unsigned targets = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
	double *times = calloc((size_t)WAYS * 2 * repetitions, sizeof(*times));
	double *cpus = calloc((size_t)WAYS * 2 * repetitions, sizeof(*cpus));
	double *took = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int root = floor_root();

	if (!times || !cpus || took == MAP_FAILED || !count || !repetitions || !targets)
		floor_die("bench_wait");
	for (unsigned r = 0; r <= repetitions; r++) {
		for (unsigned v = 0; v < WAYS * 2; v++) {
			struct work work = { .count = count, .targets = targets, .took = took };
			double before = cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN);
			struct floor_launch launch = floor_start(FLOOR_OPEN, body, &work);

			floor_sync(launch.listener, v % 2);
			serve((enum way)(v / 2), launch.listener, root);
			close(launch.listener);
			if (floor_status(launch.child))
				floor_die("the target failed");
			if (!r)
				continue;
			times[v * repetitions + r - 1] = *took;
			cpus[v * repetitions + r - 1] =
				(cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN) - before) / count / targets;
		}
	}
	printf("%-6s %-5s %10s %10s %8s  (microseconds of an open, %u target%s)\n", "wait", "sync", "wall", "cpu", "spread", targets,
	       targets == 1 ? "" : "s");
	for (unsigned v = 0; v < WAYS * 2; v++) {
		double *own = &times[v * repetitions], *cpu = &cpus[v * repetitions];

		qsort(own, repetitions, sizeof(*own), ascending);
		qsort(cpu, repetitions, sizeof(*cpu), ascending);
		printf("%-6s %-5s %10.2f %10.2f %7.0f%%\n", names[v / 2], v % 2 ? "on" : "off", own[repetitions / 2],
		       cpu[repetitions / 2], (own[repetitions - 1] - own[0]) / own[repetitions / 2] * 100);
	}
	return 0;
}
