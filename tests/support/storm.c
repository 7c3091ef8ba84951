/*
 * A signal-heavy program, as Go's preemption makes one: an interval timer every 200 us, handled with SA_RESTART, around file calls
 * that have effects. Every result must be the one that a quiet program gets: no EINTR, nothing done twice, no lost descriptor.
 *
 *   storm DIRECTORY ROUNDS [THREADS]
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static _Atomic unsigned long ticks, wrong;
static const char *directory;
static int rounds;

static void tick(int signal)
{
	(void)signal;
	ticks++;
}

static void expect(int ok, const char *what, int round)
{
	if (!ok && wrong++ < 10)
		fprintf(stderr, "round %d: %s: %s\n", round, what, strerror(errno));
}

static void *work(void *number)
{
	char file[300], moved[300], dir[300], link_[300];
	snprintf(file, sizeof file, "%s/f%ld", directory, (long)(intptr_t)number);
	snprintf(moved, sizeof moved, "%s/m%ld", directory, (long)(intptr_t)number);
	snprintf(dir, sizeof dir, "%s/d%ld", directory, (long)(intptr_t)number);
	snprintf(link_, sizeof link_, "%s/l%ld", directory, (long)(intptr_t)number);
	for (int i = 0; i < rounds; i++) {
		struct stat st;
		int fd = open(file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
		expect(fd > 2, "create", i);
		expect(fd > 2 && write(fd, "x", 1) == 1, "write", i);
		expect(fd > 2 && fstat(fd, &st) == 0 && st.st_size == 1, "fstat", i);
		close(fd);
		expect(mkdir(dir, 0700) == 0, "mkdir", i);
		expect(symlink(file, link_) == 0, "symlink", i);
		fd = open(link_, O_RDONLY);
		expect(fd > 2, "open", i);
		char c;
		expect(fd > 2 && read(fd, &c, 1) == 1 && c == 'x', "read", i);
		close(fd);
		expect(rename(file, moved) == 0, "rename", i);
		expect(access(file, F_OK) < 0 && errno == ENOENT, "access", i);
		expect(unlink(moved) == 0, "unlink", i);
		expect(unlink(link_) == 0, "unlink link", i);
		expect(rmdir(dir) == 0, "rmdir", i);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	directory = argv[1];
	rounds = atoi(argv[2]);
	long threads = argc > 3 ? atol(argv[3]) : 1;
	struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };
	sigaction(SIGALRM, &action, NULL);
	struct itimerval every = { { 0, 200 }, { 0, 200 } };
	setitimer(ITIMER_REAL, &every, NULL);
	pthread_t workers[64];
	for (long i = 0; i < threads && i < 64; i++)
		pthread_create(&workers[i], NULL, work, (void *)(intptr_t)i);
	for (long i = 0; i < threads && i < 64; i++)
		pthread_join(workers[i], NULL);
	printf("%d rounds, %ld threads, %lu signals, %lu wrong\n", rounds, threads, (unsigned long)ticks, (unsigned long)wrong);
	return wrong || !ticks ? 1 : 0;
}
