/* Host names of rules and a name server: what usher is answered, for how long it holds, and how long after that. */
#include "live.h"
#include "talk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Answers every question for an A with 127.0.0.LAST, and has nothing else. */
static _Atomic unsigned last, ttl, asked;

static size_t respond(unsigned char *text, size_t len)
{
	size_t end = 12;
	while (end < len && text[end])
		end += 1u + text[end];
	end += 5;	/* the end of the name, type and class */
	if (end > len)
		return 0;
	bool a = text[end - 4] == 0 && text[end - 3] == 1;
	unsigned seconds = atomic_load(&ttl);
	unsigned char record[] = { 0xc0, 12, 0, 1, 0, 1, (unsigned char)(seconds >> 24), (unsigned char)(seconds >> 16), (unsigned char)(seconds >> 8),
				   (unsigned char)seconds, 0, 4, 127, 0, 0, (unsigned char)atomic_load(&last) };
	text[2] = 0x84;	/* an answer, and ours to give */
	text[3] = 0;
	memset(text + 6, 0, 6);
	text[7] = a;
	memcpy(text + end, record, a ? sizeof(record) : 0);
	if (a)
		atomic_fetch_add(&asked, 1);
	return end + (a ? sizeof(record) : 0);
}

static void *name_server(void *arg)
{
	int fd = *(int *)arg;
	unsigned char text[1024];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n;
	while ((n = recvfrom(fd, text, 512, 0, (struct sockaddr *)&from, &len)) >= 12) {
		size_t answer = respond(text, (size_t)n);
		if (answer)
			(void)!sendto(fd, text, answer, 0, (struct sockaddr *)&from, len);
		len = sizeof(from);
	}
	return NULL;
}

static bool allowed(struct talk *talk, unsigned host)
{
	char line[200];
	fprintf(talk->in, "nconnect 3 127.0.0.%u:1\n", host);
	fflush(talk->in);
	assert_non_null(fgets(line, sizeof(line), talk->out));
	if (strcmp(line, "EACCES\n") == 0)
		return false;
	assert_string_equal(line, "ECONNREFUSED\n");
	return true;
}

static double seconds(void)
{
	struct timespec at;
	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Until HOST is what it SHOULD be; how long that took. */
static double until(struct talk *talk, unsigned host, bool should)
{
	double start = seconds();
	while (allowed(talk, host) != should) {
		assert_true(seconds() - start < 20);
		usleep(20000);
	}
	return seconds() - start;
}

static void answers_end_with_their_ttl(void **state)
{
	struct live *live = *state;
	struct talk talk = { 0 };
	atomic_store(&last, 10);
	atomic_store(&ttl, 1);
	live_policy(live, "network { default deny EACCES; allow connect tcp moves.example:*; } limits { resolve every 1h keep 4s; }");
	talk_start(&talk, live);
	talk_expect(&talk, "nsocket tcp", "ok 3");
	assert_true(allowed(&talk, 10));
	assert_false(allowed(&talk, 11));
	atomic_store(&last, 11);
	double start = seconds();
	(void)until(&talk, 11, true);
	/* The old one for a while. */
	assert_true(allowed(&talk, 10));
	(void)until(&talk, 10, false);
	if (seconds() - start < 2.9)
		fail_msg("forgotten after %.1f s", seconds() - start);
	assert_true(allowed(&talk, 11));
	assert_int_equal(talk_end(&talk), 0);
}

/* What holds for long is asked again all the same, when the policy says so. */
static void the_interval_is_the_latest(void **state)
{
	struct live *live = *state;
	struct talk talk = { 0 };
	atomic_store(&last, 20);
	atomic_store(&ttl, 86400);
	live_policy(live, "network { default deny EACCES; allow connect tcp moves.example:*; } limits { resolve every 2s keep 1m; }");
	talk_start(&talk, live);
	talk_expect(&talk, "nsocket tcp", "ok 3");
	assert_true(allowed(&talk, 20));
	atomic_store(&last, 21);
	(void)until(&talk, 21, true);
	assert_true(allowed(&talk, 20));
	assert_int_equal(talk_end(&talk), 0);
	/* And no oftener than once a second, whatever is answered. */
	atomic_store(&ttl, 0);
	live_policy(live, "network { default deny EACCES; allow connect tcp moves.example:*; }");
	talk_start(&talk, live);
	double start = seconds();
	unsigned before = atomic_load(&asked);
	while (atomic_load(&asked) < before + 4)
		usleep(20000);
	assert_true(seconds() - start > 0.9);
	assert_int_equal(talk_end(&talk), 0);
}

/* A network and a resolv.conf of our own. */
static bool begin(int *fd)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char path[] = "/tmp/usher-resolv-XXXXXX";
	if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	*fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int file = mkstemp(path);
	bool good = write(file, "nameserver 127.0.0.1\n", 21) == 21 && fchmod(file, 0644) == 0 && mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
	close(file);
	(void)unlink(path);
	return good && ioctl(*fd, SIOCSIFFLAGS, &lo) == 0 && bind(*fd, (struct sockaddr *)&at, sizeof(at)) == 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_end_with_their_ttl, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(the_interval_is_the_latest, live_setup, live_teardown),
	};
	static int fd;
	pthread_t thread;
	if (!begin(&fd))
		return 77;
	if (pthread_create(&thread, NULL, name_server, &fd) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
