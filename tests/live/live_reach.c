/* The ways to a peer that goes round the broker: reach.c tries them; whether one works is told by who listens there. */
#include "live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "compare.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct scene {
	int tcp, udp, open_tcp, open_udp, outside;
	unsigned tcp_port, udp_port, allowed;
	char path[100];
	pthread_t thread;
	_Atomic bool over;
	_Atomic unsigned reached, welcome;	/* how often the forbidden ones, and the allowed one, were reached */
};

static int bound(int type, unsigned *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((in_port_t)*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 100), 0);
	return fd;
}

/* A TCP and an MPTCP socket for whoever asks, and one that listens, with somebody who waits. */
static void hand_out(int listener)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY) };
	socklen_t len = sizeof(at);
	int fd = accept(listener, NULL, NULL), client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fds[3] = { socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP), socket(AF_INET, SOCK_STREAM, 0) };
	(void)bind(fds[2], (struct sockaddr *)&at, sizeof(at));
	(void)listen(fds[2], 5);
	(void)getsockname(fds[2], (struct sockaddr *)&at, &len);
	(void)connect(client, (struct sockaddr *)&at, sizeof(at));
	struct iovec part = { "x", 1 };
	union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(fds))]; } control = { .header = { CMSG_LEN(sizeof(fds)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	(void)!sendmsg(fd, &m, 0);
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
	close(client);
	close(fd);
}

static void *serve(void *arg)
{
	struct scene *scene = arg;
	struct pollfd fds[] = { { scene->tcp, POLLIN, 0 }, { scene->udp, POLLIN, 0 }, { scene->open_tcp, POLLIN, 0 }, { scene->open_udp, POLLIN, 0 },
				{ scene->outside, POLLIN, 0 } };
	char text[16];
	for (;;) {
		int fd;
		if (poll(fds, 5, 20) <= 0) {
			if (atomic_load(&scene->over))	/* and nobody is left waiting */
				break;
			continue;
		}
		if (fds[0].revents && (fd = accept(scene->tcp, NULL, NULL)) >= 0) {
			scene->reached++;
			close(fd);
		}
		if (fds[1].revents && recv(scene->udp, text, sizeof(text), 0) > 0)
			scene->reached++;
		if (fds[2].revents && (fd = accept(scene->open_tcp, NULL, NULL)) >= 0) {
			scene->welcome++;
			close(fd);
		}
		if (fds[3].revents && recv(scene->open_udp, text, sizeof(text), 0) > 0)
			scene->welcome++;
		if (fds[4].revents)
			hand_out(scene->outside);
	}
	return NULL;
}

static void open_scene(struct live *live, struct scene *scene)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	*scene = (struct scene){ .open_udp = -1 };
	scene->tcp = bound(SOCK_STREAM, &scene->tcp_port);
	scene->udp = bound(SOCK_DGRAM, &scene->udp_port);
	while (scene->open_udp < 0) {
		scene->allowed = 0;
		scene->open_tcp = bound(SOCK_STREAM, &scene->allowed);
		scene->open_udp = bound(SOCK_DGRAM, &scene->allowed);
	}
	snprintf(scene->path, sizeof(scene->path), "%s", live_path(live, "outside"));
	strcpy(at.sun_path, scene->path);
	scene->outside = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(scene->outside, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(scene->outside, 5), 0);
	assert_int_equal(pthread_create(&scene->thread, NULL, serve, scene), 0);
}

static void close_scene(struct scene *scene)
{
	usleep(50000);	/* what is on its way arrives */
	atomic_store(&scene->over, true);
	pthread_join(scene->thread, NULL);
	int fds[] = { scene->tcp, scene->udp, scene->open_tcp, scene->open_udp, scene->outside };
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
}

static void policy(struct live *live, const struct scene *scene, const char *style)
{
	char text[2000];
	if (strcmp(style, "default deny") == 0)
		snprintf(text, sizeof(text), COMPARE_ALL "network { default deny; allow connect tcp 127.0.0.1:%u; allow sendto udp 127.0.0.1:%u; allow bind tcp 127.0.0.1:*;\n"
			 "allow connect unix %s; }", scene->allowed, scene->allowed, scene->path);
	else if (strcmp(style, "sealed") == 0)
		snprintf(text, sizeof(text), "network { default deny sealed; allow connect tcp *:%u; allow bind tcp 127.0.0.1:*; }", scene->allowed);
	else
		snprintf(text, sizeof(text), COMPARE_ALL "network { default allow; deny connect tcp *:%u; deny sendto udp *:%u; deny bind tcp 0.0.0.0:*; deny connect netlink *; }",
			 scene->tcp_port, scene->udp_port);
	live_policy(live, text);
}

static void run(struct live *live, const struct scene *scene, const char *what, const char *last, bool native)
{
	char tcp[16], udp[16], allowed[16];
	snprintf(tcp, sizeof(tcp), "%u", scene->tcp_port);
	snprintf(udp, sizeof(udp), "%u", scene->udp_port);
	snprintf(allowed, sizeof(allowed), "%u", scene->allowed);
	const char *argv[] = { live_tool("reach"), what, tcp, udp, allowed, last, NULL };
	(void)(native ? live_native(live, argv) : live_run(live, argv));
	if (live->status != 0)
		fail_msg("status %d\n%s%s", live->status, live->out, live->err);
}

static void every_way_is_closed(void **state)
{
	struct live *live = *state;
	static const char *const styles[] = { "default deny", "default allow", "sealed" };
	for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
		struct scene scene;
		live_clear(live);
		open_scene(live, &scene);
		policy(live, &scene, styles[i]);
		run(live, &scene, "ways", scene.path, false);
		close_scene(&scene);
		/* Landlock decides alone, and nothing is received. */
		unsigned broken = strcmp(styles[i], "sealed") == 0 ? 5 : 0;
		for (const char *at = live->out; (at = strstr(at, "BROKEN")); at++)
			broken--;
		if (!strstr(live->out, " 0 escaped") || broken)
			fail_msg("%s:\n%s", styles[i], live->out);
		assert_int_equal(scene.reached, 0);
		assert_true(scene.welcome > 0);
	}
}

/* Those that this kernel has: or the list above shows nothing. */
static void natively_they_are_open(void **state)
{
	struct live *live = *state;
	static const char *const closed_anyway[] = { "smc", "sctp", "raw", "packet", "packet_old", "vsock", "source_route", "ring", "fastopen_turned" };
	struct scene scene;
	open_scene(live, &scene);
	run(live, &scene, "ways", scene.path, true);
	close_scene(&scene);
	assert_true(scene.reached > 10);
	char *rest = live->out;
	for (char *line = strsep(&rest, "\n"); line && !strstr(line, " tried"); line = strsep(&rest, "\n")) {
		bool expected = strstr(line, "ESCAPED");
		for (size_t i = 0; i < sizeof(closed_anyway) / sizeof(closed_anyway[0]); i++)
			expected |= strncmp(line, closed_anyway[i], strlen(closed_anyway[i])) == 0;
		if (!expected)
			fail_msg("not even natively: %s", line);
	}
}

static void races_are_lost(void **state)
{
	struct live *live = *state;
	const char *seconds = getenv("USHER_TEST_RACE");
	struct scene scene;
	open_scene(live, &scene);
	policy(live, &scene, "default deny");
	run(live, &scene, "race", seconds ? seconds : "4", false);
	close_scene(&scene);
	print_message("%s", live->out);
	assert_int_equal(scene.reached, 0);
	assert_true(scene.welcome > 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, compare_teardown)
	const struct CMUnitTest tests[] = {
		CASE(every_way_is_closed),
		CASE(natively_they_are_open),
		CASE(races_are_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
