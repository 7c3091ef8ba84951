/*
 * Internet sockets of the probe. Addresses: "IP:PORT", "[IP6]:PORT", "IP=FD" and "[IP6]=FD" (the port that FD is bound to, of this machine's
 * choice), or "unspec", "unspec=FD" (AF_UNSPEC with the bytes of 127.0.0.1 and that port), "short" (too few bytes), "none".
 * Ports are shown only if they are small: others differ from run to run.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <sys/uio.h>
#include <unistd.h>

union net_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room;
};

static in_port_t port_of(const char *text)
{
	union net_address at = { 0 };
	socklen_t len = sizeof(at);
	if (*text == ':')
		return htons((in_port_t)number(text + 1));
	if (*text != '=' || getsockname((int)number(text + 1), &at.any, &len) < 0)
		return 0;
	return at.in.sin_port;	/* at the same place in both */
}

static socklen_t net_address(const char *text, union net_address *at)
{
	char host[INET6_ADDRSTRLEN] = "";
	memset(at, 0, sizeof(*at));
	if (strcmp(text, "none") == 0)
		return 0;
	if (strncmp(text, "unspec", 6) == 0) {
		at->in = (struct sockaddr_in){ .sin_family = AF_UNSPEC, .sin_port = port_of(text + 6), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		return sizeof(at->in);
	}
	if (strcmp(text, "short") == 0) {
		at->in.sin_family = AF_INET;
		return 8;
	}
	if (*text == '[') {
		size_t len = strcspn(text, "]");
		memcpy(host, text + 1, len - 1);
		at->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port_of(text + len + 1) };
		inet_pton(AF_INET6, host, &at->in6.sin6_addr);
		return sizeof(at->in6);
	}
	size_t len = strcspn(text, ":=");
	memcpy(host, text, len);
	at->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port_of(text + len) };
	inet_pton(AF_INET, host, &at->in.sin_addr);
	return sizeof(at->in);
}

static void show(const union net_address *at, socklen_t len)
{
	char host[INET6_ADDRSTRLEN] = "?";
	bool six = at->any.sa_family == AF_INET6;
	unsigned port = ntohs(at->in.sin_port);
	inet_ntop(at->any.sa_family, six ? (const void *)&at->in6.sin6_addr : &at->in.sin_addr, host, sizeof(host));
	printf("%u %s", len, host);
	if (port < 1024)
		printf(" %u", port);
}

static void cmd_nsocket(char **arg)	/* tcp, tcp6, udp, udp6, icmp, raw, or DOMAIN,TYPE,PROTOCOL; with "+n" O_NONBLOCK */
{
	int domain = strchr(arg[0], '6') ? AF_INET6 : AF_INET, type = SOCK_STREAM, protocol = 0;
	if (strncmp(arg[0], "udp", 3) == 0)
		type = SOCK_DGRAM;
	if (strncmp(arg[0], "icmp", 4) == 0) {
		type = SOCK_DGRAM;
		protocol = domain == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	}
	if (*arg[0] >= '0' && *arg[0] <= '9' && sscanf(arg[0], "%d,%d,%d", &domain, &type, &protocol) != 3)
		errno = EINVAL;
	answer(socket(domain, type | (strstr(arg[0], "+n") ? SOCK_NONBLOCK : 0), protocol));
}

static void cmd_nbind(char **arg)
{
	union net_address at;
	socklen_t len = net_address(arg[1], &at);
	answer(bind((int)number(arg[0]), &at.any, len));
}

static void cmd_nconnect(char **arg)
{
	union net_address at;
	socklen_t len = net_address(arg[1], &at);
	answer(connect((int)number(arg[0]), &at.any, len));
}

static void cmd_nname(char **arg)
{
	union net_address at = { 0 };
	socklen_t len = sizeof(at);
	if (getsockname((int)number(arg[0]), &at.any, &len) < 0) {
		answer(-1);
		return;
	}
	printf("ok ");
	show(&at, len);
	printf("\n");
}

static void cmd_npeer(char **arg)
{
	union net_address at = { 0 };
	socklen_t len = sizeof(at);
	if (getpeername((int)number(arg[0]), &at.any, &len) < 0) {
		answer(-1);
		return;
	}
	printf("ok ");
	show(&at, len);
	printf("\n");
}

static void cmd_npeername(char **arg)	/* FD ROOM: the same by SO_PEERNAME */
{
	union net_address at = { 0 };
	socklen_t len = (socklen_t)number(arg[1]);
	if (getsockopt((int)number(arg[0]), SOL_SOCKET, SO_PEERNAME, &at, &len) < 0) {
		answer(-1);
		return;
	}
	printf("ok ");
	show(&at, len);
	printf("\n");
}

static void cmd_nsend(char **arg)	/* FD ADDRESS TEXT FLAGS */
{
	union net_address at;
	socklen_t len = net_address(arg[1], &at);
	answer(sendto((int)number(arg[0]), arg[2], strlen(arg[2]), (int)number(arg[3]), len ? &at.any : NULL, len));
}

static void cmd_nsendmsg(char **arg)	/* FD ADDRESS TEXT */
{
	union net_address at;
	socklen_t len = net_address(arg[1], &at);
	struct iovec part = { arg[2], strlen(arg[2]) };
	struct msghdr msg = { .msg_name = len ? &at : NULL, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1 };
	answer(sendmsg((int)number(arg[0]), &msg, 0));
}

static void cmd_nsendmmsg(char **arg)	/* FD ADDRESS ADDRESS TEXT */
{
	union net_address at[2];
	struct iovec part = { arg[3], strlen(arg[3]) };
	struct mmsghdr msgs[2] = { { .msg_len = 77 }, { .msg_len = 77 } };
	for (int i = 0; i < 2; i++) {
		socklen_t len = net_address(arg[1 + i], &at[i]);
		msgs[i].msg_hdr = (struct msghdr){ .msg_name = len ? &at[i] : NULL, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1 };
	}
	int sent = sendmmsg((int)number(arg[0]), msgs, 2, 0);
	if (sent < 0)
		answer(-1);
	else
		printf("ok %d %u %u\n", sent, msgs[0].msg_len, sent == 2 ? msgs[1].msg_len : 0);
}

static void cmd_nrecv(char **arg)	/* FD: the text, and whom it is from */
{
	union net_address at = { 0 };
	socklen_t len = sizeof(at);
	char text[4096];
	struct pollfd poll_fd = { .fd = (int)number(arg[0]), .events = POLLIN };
	(void)poll(&poll_fd, 1, 200);
	ssize_t n = recvfrom((int)number(arg[0]), text, sizeof(text), MSG_DONTWAIT, &at.any, &len);
	if (n < 0) {
		answer(-1);
		return;
	}
	printf("ok '%.*s' ", (int)n, text);
	if (len)
		show(&at, len);
	printf("\n");
}

static void cmd_nwait(char **arg)	/* FD: until it is connected; SO_ERROR */
{
	struct pollfd poll_fd = { .fd = (int)number(arg[0]), .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);
	(void)poll(&poll_fd, 1, 5000);
	if (getsockopt(poll_fd.fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0) {
		errno = error;
		answer(error ? -1 : 0);
	}
}

static void cmd_nset(char **arg)	/* FD LEVEL NAME VALUE: an int */
{
	int value = (int)number(arg[3]);
	answer(setsockopt((int)number(arg[0]), (int)number(arg[1]), (int)number(arg[2]), &value, sizeof(value)));
}

static void cmd_naccept(char **arg)	/* FD FLAGS ROOM: accept4 with so much room for an address */
{
	union net_address at = { 0 };
	socklen_t len = (socklen_t)number(arg[2]);
	int fd = accept4((int)number(arg[0]), &at.any, &len, (int)number(arg[1]));
	if (fd < 0) {
		answer(-1);
		return;
	}
	printf("ok %d ", fd);
	show(&at, len);
	printf("\n");
}

static void cmd_rcvtimeo(char **arg)	/* FD MILLISECONDS */
{
	struct timeval time = { number(arg[1]) / 1000, number(arg[1]) % 1000 * 1000 };
	answer(setsockopt((int)number(arg[0]), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
}

static void cmd_nflags(char **arg)	/* FD: F_GETFD and F_GETFL */
{
	printf("ok %d %o\n", fcntl((int)number(arg[0]), F_GETFD), fcntl((int)number(arg[0]), F_GETFL));
}

static union net_address hole;
static socklen_t hole_len;

static void *later(void *arg)
{
	struct timespec time = { .tv_nsec = (long)arg * 1000000 };
	nanosleep(&time, NULL);
	(void)connect(socket(AF_INET, SOCK_STREAM, 0), &hole.any, hole_len);
	return NULL;
}

static void cmd_nlater(char **arg)	/* FD MILLISECONDS: then somebody connects to where FD listens */
{
	pthread_t thread;
	hole_len = sizeof(hole);
	CHECK(getsockname((int)number(arg[0]), &hole.any, &hole_len) == 0);
	CHECK(pthread_create(&thread, NULL, later, (void *)number(arg[1])) == 0);
	answer(0);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* MILLISECONDS RESTART COMMAND...: SIGALRM comes while it waits; and again and again, for the first one may come before it does. */
static void cmd_alarmed(char **arg)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = number(arg[1]) ? SA_RESTART : 0 };
	struct itimerval time = { .it_value.tv_usec = number(arg[0]) * 1000, .it_interval.tv_usec = 50000 };
	int n = 0;
	while (arg[n + 2])
		n++;
	CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &time, NULL) == 0);
	(void)run_command(arg + 2, n);
	time = (struct itimerval){ 0 };
	CHECK(setitimer(ITIMER_REAL, &time, NULL) == 0);
}

static atomic_int held;

static void *hold(void *arg)
{
	int fd = socket(hole.any.sa_family, SOCK_STREAM, 0);
	(void)arg;
	atomic_fetch_add(&held, 1);
	(void)connect(fd, &hole.any, hole_len);
	atomic_fetch_sub(&held, 1);
	return NULL;
}

/* ADDRESS COUNT FILE: so many wait for an address where nobody answers, for two minutes; FILE is opened nevertheless, and long before. */
static void cmd_nholes(char **arg)
{
	int n = (int)number(arg[1]);
	struct timespec start, end;
	hole_len = net_address(arg[0], &hole);
	for (int i = 0; i < n; i++) {
		pthread_t thread;
		CHECK(pthread_create(&thread, NULL, hold, NULL) == 0);
	}
	while (atomic_load(&held) < n)
		sched_yield();
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int i = 0; i < 300; i++)
		CHECK(close(open(arg[2], O_RDONLY)) == 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	long ms = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
	CHECK(atomic_load(&held) == n);
	if (ms > 30000)
		printf("FAILED: 300 opens took %ld ms\n", ms);
	answer(0);
}

const struct command net_commands[] = {
	{ "nsocket", 1, cmd_nsocket }, { "nbind", 2, cmd_nbind }, { "nconnect", 2, cmd_nconnect }, { "nname", 1, cmd_nname }, { "npeer", 1, cmd_npeer }, { "npeername", 2, cmd_npeername },
	{ "nsend", 4, cmd_nsend }, { "nsendmsg", 3, cmd_nsendmsg }, { "nsendmmsg", 4, cmd_nsendmmsg }, { "nrecv", 1, cmd_nrecv },
	{ "nwait", 1, cmd_nwait }, { "nset", 4, cmd_nset }, { "naccept", 3, cmd_naccept }, { "rcvtimeo", 2, cmd_rcvtimeo }, { "flags", 1, cmd_nflags }, { "nlater", 2, cmd_nlater },
	{ "alarmed", -1, cmd_alarmed }, { "nholes", 3, cmd_nholes },
	{ .name = NULL },
};
