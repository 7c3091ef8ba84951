/*
 * Sockets of the probe. Addresses: PATH, @ABSTRACT, "auto" (nothing after the family), or "raw:TEXT" (TEXT without a NUL
 * after it, cut at 108 bytes).
 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static socklen_t address(const char *text, struct sockaddr_un *at)
{
	memset(at, 0, sizeof(*at));
	at->sun_family = AF_UNIX;
	if (strcmp(text, "auto") == 0)
		return offsetof(struct sockaddr_un, sun_path);
	int raw = strncmp(text, "raw:", 4) == 0;
	text += raw ? 4 : 0;
	size_t len = strlen(text);
	if (len > sizeof(at->sun_path))
		len = sizeof(at->sun_path);
	memcpy(at->sun_path, text, len);
	if (*text == '@')
		at->sun_path[0] = '\0';
	else if (!raw && len < sizeof(at->sun_path))
		len++;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static void cmd_socket(char **arg)	/* stream, dgram, packet; with "+n" O_NONBLOCK */
{
	int type = strncmp(arg[0], "stream", 6) == 0 ? SOCK_STREAM : strncmp(arg[0], "dgram", 5) == 0 ? SOCK_DGRAM : SOCK_SEQPACKET;
	answer(socket(AF_UNIX, type | (strstr(arg[0], "+n") ? SOCK_NONBLOCK : 0), 0));
}

static void cmd_ubind(char **arg)	/* FD ADDRESS */
{
	struct sockaddr_un at;
	socklen_t len = address(arg[1], &at);
	answer(bind((int)number(arg[0]), (struct sockaddr *)&at, len));
}

static void cmd_uconnect(char **arg)
{
	struct sockaddr_un at;
	socklen_t len = address(arg[1], &at);
	answer(connect((int)number(arg[0]), (struct sockaddr *)&at, len));
}

static void cmd_listen(char **arg)
{
	answer(listen((int)number(arg[0]), (int)number(arg[1])));
}

static void cmd_accept(char **arg)
{
	answer(accept((int)number(arg[0]), NULL, NULL));
}

static void show_address(const struct sockaddr_un *at, socklen_t len)
{
	printf("ok %u ", len);
	for (socklen_t i = offsetof(struct sockaddr_un, sun_path); i < len; i++)
		printf(at->sun_path[i - 2] > 32 && at->sun_path[i - 2] < 127 ? "%c" : "\\x%02x", at->sun_path[i - 2] & 255);
	printf("\n");
}

static void cmd_sockname(char **arg)	/* FD; an autobound name is shown by its length only */
{
	struct sockaddr_un at = { 0 };
	socklen_t len = sizeof(at) + 1;
	if (getsockname((int)number(arg[0]), (struct sockaddr *)&at, &len) < 0)
		answer(-1);
	else if (len == 8 && !at.sun_path[0])
		printf("ok 8 auto\n");
	else
		show_address(&at, len);
}

static void cmd_peername(char **arg)
{
	struct sockaddr_un at = { 0 };
	socklen_t len = sizeof(at) + 1;
	if (getpeername((int)number(arg[0]), (struct sockaddr *)&at, &len) < 0)
		answer(-1);
	else
		show_address(&at, len);
}

static void cmd_usend(char **arg)	/* FD ADDRESS TEXT FLAGS, by sendto(2) */
{
	struct sockaddr_un at;
	socklen_t len = address(arg[1], &at);
	answer(sendto((int)number(arg[0]), arg[2], strlen(arg[2]), (int)number(arg[3]), (struct sockaddr *)&at, len));
}

static void cmd_usendmsg(char **arg)	/* FD ADDRESS|none TEXT DESCRIPTOR|none, in three parts */
{
	struct sockaddr_un at;
	size_t len = strlen(arg[2]);
	struct iovec parts[] = { { arg[2], len / 2 }, { NULL, 0 }, { arg[2] + len / 2, len - len / 2 } };
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 3 };
	if (strcmp(arg[1], "none") != 0) {
		msg.msg_namelen = address(arg[1], &at);
		msg.msg_name = &at;
	}
	if (strcmp(arg[3], "none") != 0) {
		int fd = (int)number(arg[3]);
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_LEN(sizeof(int));
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	answer(sendmsg((int)number(arg[0]), &msg, 0));
}

static void cmd_usendmmsg(char **arg)	/* FD ADDRESS TEXT: two of them, and the lengths */
{
	struct sockaddr_un at;
	socklen_t len = address(arg[1], &at);
	struct iovec part = { arg[2], strlen(arg[2]) };
	struct mmsghdr msgs[2] = { { .msg_len = 77 }, { .msg_len = 77 } };
	for (int i = 0; i < 2; i++)
		msgs[i].msg_hdr = (struct msghdr){ .msg_name = &at, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1 };
	int sent = sendmmsg((int)number(arg[0]), msgs, 2, 0);
	if (sent < 0)
		answer(-1);
	else
		printf("ok %d %u %u\n", sent, msgs[0].msg_len, msgs[1].msg_len);
}

/* Text, who says to have sent it, and what a descriptor in it leads to. */
static void receive(int from_fd, int show_pid)
{
	char text[4096];
	struct iovec part = { text, sizeof(text) };
	union {
		struct cmsghdr header;
		char room[256];
	} control;
	struct sockaddr_un from = { 0 };
	struct msghdr msg = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1,
			      .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(from_fd, &msg, MSG_DONTWAIT);
	if (n < 0) {
		answer(-1);
		return;
	}
	printf("ok '%.*s'", (int)n, text);
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&msg); header; header = CMSG_NXTHDR(&msg, header)) {
		struct ucred cred;
		char link[64], to[200];
		int fd;
		if (header->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&cred, CMSG_DATA(header), sizeof(cred));
			printf(" from %s%u:%u", !show_pid ? "" : cred.pid == getpid() ? "myself " : "another ", cred.uid, cred.gid);
		} else if (header->cmsg_type == SCM_RIGHTS) {
			memcpy(&fd, CMSG_DATA(header), sizeof(fd));
			snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
			ssize_t len = readlink(link, to, sizeof(to));
			printf(" descriptor %d flags %o to %.*s", fd, fcntl(fd, F_GETFL), len < 0 ? 0 : (int)len, to);
		}
	}
	printf(" ");
	show_address(&from, msg.msg_namelen);
}

static void cmd_urecv(char **arg)	/* FD */
{
	receive((int)number(arg[0]), 0);
}

static void cmd_urecvpid(char **arg)	/* FD; also whether the sender's pid is ours */
{
	receive((int)number(arg[0]), 1);
}

static void cmd_passcred(char **arg)
{
	int on = 1;
	answer(setsockopt((int)number(arg[0]), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
}

static void cmd_peercred(char **arg)	/* the ids of the peer: not its pid */
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	if (getsockopt((int)number(arg[0]), SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		answer(-1);
	else
		printf("ok %u:%u\n", cred.uid, cred.gid);
}

static void cmd_peerpid(char **arg)	/* is it this process? */
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	if (getsockopt((int)number(arg[0]), SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		answer(-1);
	else
		printf("ok %s\n", cred.pid == getpid() ? "myself" : "another");
}

static void cmd_sndtimeo(char **arg)	/* FD MILLISECONDS */
{
	long ms = number(arg[1]);
	struct timeval time = { ms / 1000, ms % 1000 * 1000 };
	answer(setsockopt((int)number(arg[0]), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)));
}

static void cmd_sndbuf(char **arg)
{
	int size = (int)number(arg[1]);
	answer(setsockopt((int)number(arg[0]), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
}

static long elapsed_ms(const struct timespec *since)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static void cmd_slowly(char **arg)	/* MILLISECONDS COMMAND...: it may not be faster */
{
	struct timespec start;
	int n = 0;
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (arg[n + 1])
		n++;
	(void)run_command(arg + 1, n);
	long ms = elapsed_ms(&start);
	if (ms < number(arg[0]) || ms > number(arg[0]) + 5000)
		printf("FAILED after %ld ms\n", ms);
}

static volatile sig_atomic_t pipes;

static void on_sigpipe(int signal)
{
	(void)signal;
	pipes++;
}

static void cmd_onpipe(char **arg)
{
	(void)arg;
	answer(signal(SIGPIPE, on_sigpipe) == SIG_ERR ? -1 : 0);
}

static void cmd_pipes(char **arg)
{
	(void)arg;
	answer(pipes);
}

/* A server in a child, a client here: connects before and while it listens, over INET too, all natively. */
static void cmd_inet(char **arg)	/* stream or dgram */
{
	int type = strcmp(arg[0], "stream") == 0 ? SOCK_STREAM : SOCK_DGRAM;
	int server = socket(AF_INET, type, 0), client = socket(AF_INET, type, 0), peer = server;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) }, from;
	socklen_t len = sizeof(at);
	char text[8] = "";
	CHECK(server >= 0 && client >= 0 && bind(server, (struct sockaddr *)&at, sizeof(at)) == 0);
	CHECK(getsockname(server, (struct sockaddr *)&at, &len) == 0);
	if (type == SOCK_STREAM)
		CHECK(connect(client, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == ECONNREFUSED && listen(server, 5) == 0);
	CHECK(connect(client, (struct sockaddr *)&at, sizeof(at)) == 0);
	if (type == SOCK_STREAM)
		CHECK((peer = accept(server, NULL, NULL)) >= 0);
	CHECK(send(client, "hello", 5, 0) == 5 && read(peer, text, 5) == 5 && strcmp(text, "hello") == 0);
	if (type == SOCK_DGRAM)
		CHECK(sendto(client, "again", 5, 0, (struct sockaddr *)&at, sizeof(at)) == 5 && read(peer, text, 5) == 5);
	struct iovec part = { text, 5 };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	CHECK(sendmsg(client, &msg, 0) == 5 && read(peer, text, 5) == 5);
	len = sizeof(from);
	CHECK(getpeername(client, (struct sockaddr *)&from, &len) == 0 && from.sin_port == at.sin_port);
	close(client);
	close(server);
	if (peer != server)
		close(peer);
	answer(0);
}

/* A connect that waits for room in the backlog goes on when there is some. */
static void cmd_backlog(char **arg)	/* ADDRESS */
{
	struct sockaddr_un at;
	socklen_t len = address(arg[0], &at);
	int server = socket(AF_UNIX, SOCK_STREAM, 0), first = socket(AF_UNIX, SOCK_STREAM, 0), status;
	CHECK(bind(server, (struct sockaddr *)&at, len) == 0 && listen(server, 0) == 0);
	CHECK(connect(first, (struct sockaddr *)&at, len) == 0);
	int hasty = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK(connect(hasty, (struct sockaddr *)&at, len) < 0 && errno == EAGAIN);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		close(server);
		_exit(connect(fd, (struct sockaddr *)&at, len) == 0 && write(fd, "x", 1) == 1 ? 0 : 9);
	}
	char c = 0;
	CHECK(accept(server, NULL, NULL) >= 0);
	int peer = accept(server, NULL, NULL);
	CHECK(peer >= 0 && read(peer, &c, 1) == 1 && c == 'x');
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	answer(0);
}

const struct command socket_commands[] = {
	{ "socket", 1, cmd_socket }, { "ubind", 2, cmd_ubind }, { "uconnect", 2, cmd_uconnect }, { "listen", 2, cmd_listen },
	{ "accept", 1, cmd_accept }, { "sockname", 1, cmd_sockname }, { "peername", 1, cmd_peername }, { "usend", 4, cmd_usend },
	{ "usendmsg", 4, cmd_usendmsg }, { "usendmmsg", 3, cmd_usendmmsg }, { "urecv", 1, cmd_urecv }, { "urecvpid", 1, cmd_urecvpid }, { "passcred", 1, cmd_passcred },
	{ "peercred", 1, cmd_peercred }, { "peerpid", 1, cmd_peerpid }, { "sndtimeo", 2, cmd_sndtimeo }, { "sndbuf", 2, cmd_sndbuf }, { "slowly", -1, cmd_slowly },
	{ "onpipe", 0, cmd_onpipe }, { "pipes", 0, cmd_pipes }, { "inet", 1, cmd_inet }, { "backlog", 1, cmd_backlog },
	{ .name = NULL },
};
