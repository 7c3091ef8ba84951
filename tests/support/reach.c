/*
 * Tries to reach a TCP port and a UDP port of 127.0.0.1 that a policy denies, by every way there is. Whether it worked is told by whoever
 * listens there; here it is only told what the kernel said.
 *
 *	reach ways TCP UDP ALLOWED OUTSIDE	one line for each way: its name, and "ESCAPED" or an error
 *	reach race TCP UDP ALLOWED SECONDS	addresses and descriptors are exchanged while they are looked at
 *
 * ALLOWED: a TCP port that may be reached. OUTSIDE: the path of a unix socket; who accepts there sends two sockets that were made outside.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HIGH (UINT64_C(0x5a5a5a5a) << 32)
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

static in_port_t tcp, udp, allowed;
static const char *outside;

static struct sockaddr_in four(in_port_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static struct sockaddr_in6 mapped(in_port_t port)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	at.sin6_addr.s6_addr[10] = at.sin6_addr.s6_addr[11] = 0xff;
	at.sin6_addr.s6_addr[12] = 127;
	at.sin6_addr.s6_addr[15] = 1;
	return at;
}

/* 0 if it worked. */
static int result(long value)
{
	return value < 0 ? errno : 0;
}

static int w_connect(void) { struct sockaddr_in a = four(tcp); return result(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof(a))); }
static int w_connect_high(void)
{
	struct sockaddr_in a = four(tcp);
	return result(syscall(SYS_connect, HIGH | (unsigned)socket(AF_INET, SOCK_STREAM, 0), &a, HIGH | sizeof(a)));
}
static int w_connect_long(void)
{
	union { struct sockaddr_in in; char room[128]; } a = { .in = four(tcp) };
	return result(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof(a)));
}
static int w_connect_mapped(void) { struct sockaddr_in6 a = mapped(tcp); return result(connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&a, sizeof(a))); }
static int w_connect_short6(void) { struct sockaddr_in6 a = mapped(tcp); return result(connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&a, 24)); }
static int w_connect_zero(void) { struct sockaddr_in a = four(tcp); a.sin_addr.s_addr = 0; return result(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof(a))); }
static int w_connect_zero_bound(void)
{
	struct sockaddr_in a = four(tcp), own = four(0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = 0;
	(void)bind(fd, (void *)&own, sizeof(own));
	return result(connect(fd, (void *)&a, sizeof(a)));
}
static int w_connect_mapped_zero(void)
{
	struct sockaddr_in6 a = mapped(tcp);
	a.sin6_addr.s6_addr[12] = a.sin6_addr.s6_addr[15] = 0;
	return result(connect(socket(AF_INET6, SOCK_STREAM, 0), (void *)&a, sizeof(a)));
}
static int w_connect_nonblocking(void)
{
	struct sockaddr_in a = four(tcp);
	int err = result(connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&a, sizeof(a)));
	return err == EINPROGRESS ? 0 : err;
}
static int w_connect_again(void)
{
	struct sockaddr_in a = four(tcp), good = four(allowed), none = { .sin_family = AF_UNSPEC };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (void *)&good, sizeof(good)) < 0)
		return 1000;
	(void)connect(fd, (void *)&none, sizeof(none));
	return result(connect(fd, (void *)&a, sizeof(a)));
}
static int fastopen(in_port_t port, int how)
{
	struct sockaddr_in a = four(port);
	struct iovec part = { "x", 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &part, .msg_iovlen = 1 } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (how == 0)
		return result(syscall(SYS_sendto, fd, "x", 1, HIGH | MSG_FASTOPEN, &a, sizeof(a)));
	return result(how == 1 ? sendmsg(fd, &m.msg_hdr, MSG_FASTOPEN) : sendmmsg(fd, &m, 1, MSG_FASTOPEN));
}
static int w_fastopen_sendto(void) { return fastopen(tcp, 0); }
static int w_fastopen_sendmsg(void) { return fastopen(tcp, 1); }
static int w_fastopen_sendmmsg(void) { return fastopen(tcp, 2); }
static int w_fastopen_connect(void)
{
	struct sockaddr_in a = four(tcp);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)) < 0 || connect(fd, (void *)&a, sizeof(a)) < 0)
		return errno;
	return result(write(fd, "x", 1));
}
/* A connect that was put off goes where it was judged to go. */
static int w_fastopen_turned(void)
{
	struct sockaddr_in a = four(tcp), good = four(allowed);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on));
	if (connect(fd, (void *)&good, sizeof(good)) < 0)
		return 1000;
	(void)!sendto(fd, "x", 1, 0, (void *)&a, sizeof(a));
	struct sockaddr_in peer = { 0 };
	socklen_t len = sizeof(peer);
	return getpeername(fd, (void *)&peer, &len) == 0 && peer.sin_port == a.sin_port ? 0 : EACCES;
}
static int other(int domain, int type, int protocol)
{
	struct sockaddr_in a = four(tcp);
	int fd = socket(domain, type, protocol);
	return fd < 0 ? errno : result(connect(fd, (void *)&a, sizeof(a)));
}
static int w_mptcp(void) { return other(AF_INET, SOCK_STREAM, IPPROTO_MPTCP); }
static int w_mptcp_high(void)
{
	struct sockaddr_in a = four(tcp);
	long fd = syscall(SYS_socket, HIGH | AF_INET, HIGH | SOCK_STREAM | SOCK_CLOEXEC, HIGH | IPPROTO_MPTCP);
	return fd < 0 ? errno : result(connect((int)fd, (void *)&a, sizeof(a)));
}
static int w_smc(void) { return other(43, SOCK_STREAM, 0); }
static int w_sctp(void) { return other(AF_INET, SOCK_STREAM, IPPROTO_SCTP); }
static int w_raw(void) { return other(AF_INET, SOCK_RAW, IPPROTO_TCP); }
static int w_packet(void) { return result(socket(AF_PACKET, SOCK_RAW, htons(3))); }
static int w_packet_old(void) { return result(socket(AF_INET, SOCK_PACKET, htons(3))); }
static int w_vsock(void) { return result(socket(40, SOCK_STREAM, 0)); }
static int w_netlink(void) { return result(socket(AF_NETLINK, SOCK_RAW, 0)); }
static int w_udplite(void)
{
	struct sockaddr_in a = four(udp);
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
	return fd < 0 ? errno : result(sendto(fd, "x", 1, 0, (void *)&a, sizeof(a)));
}
static int send_four(int domain, sa_family_t family, int how)
{
	struct sockaddr_in a = four(udp);
	struct iovec part = { "x", 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &part, .msg_iovlen = 1 } };
	int fd = socket(domain, SOCK_DGRAM, 0);
	a.sin_family = family;
	if (how == 0)
		return result(sendto(fd, "x", 1, 0, (void *)&a, sizeof(a)));
	return result(how == 1 ? sendmsg(fd, &m.msg_hdr, 0) : sendmmsg(fd, &m, 1, 0));
}
static int w_sendto(void) { return send_four(AF_INET, AF_INET, 0); }
static int w_sendmsg(void) { return send_four(AF_INET, AF_INET, 1); }
static int w_sendmmsg(void) { return send_four(AF_INET, AF_INET, 2); }
static int w_sendto_unspec(void) { return send_four(AF_INET, AF_UNSPEC, 0); }
static int w_sendmsg_unspec(void) { return send_four(AF_INET, AF_UNSPEC, 1); }
static int w_sendto_four_on_six(void) { return send_four(AF_INET6, AF_INET, 0); }
static int w_sendmmsg_second(void)
{
	struct sockaddr_in a[2] = { four(allowed), four(udp) };
	struct iovec part = { "x", 1 };
	struct mmsghdr m[2] = { { .msg_hdr = { .msg_name = &a[0], .msg_namelen = sizeof(a[0]), .msg_iov = &part, .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_name = &a[1], .msg_namelen = sizeof(a[1]), .msg_iov = &part, .msg_iovlen = 1 } } };
	int n = sendmmsg(socket(AF_INET, SOCK_DGRAM, 0), m, 2, 0);
	return n == 2 ? 0 : n < 0 ? errno : EACCES;
}
static int w_udp_connect(void)
{
	struct sockaddr_in a = four(udp);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	return connect(fd, (void *)&a, sizeof(a)) < 0 ? errno : result(write(fd, "x", 1));
}
static int w_udp_connect_four_on_six(void)
{
	struct sockaddr_in a = four(udp);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	return connect(fd, (void *)&a, sizeof(a)) < 0 ? errno : result(write(fd, "x", 1));
}
static int w_corked(void)
{
	struct sockaddr_in a = four(udp), good = four(allowed);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	(void)!sendto(fd, "x", 1, MSG_MORE, (void *)&good, sizeof(good));
	return result(sendto(fd, "y", 1, 0, (void *)&a, sizeof(a)));
}
static int w_bind(void) { struct sockaddr_in a = four(0); a.sin_addr.s_addr = 0; return result(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof(a))); }
static int w_listen(void) { return result(listen(socket(AF_INET, SOCK_STREAM, 0), 1)); }
static int w_listen6(void) { return result(listen(socket(AF_INET6, SOCK_STREAM, 0), 1)); }
static int w_source_route(void)
{
	unsigned char route[12] = { 131, 11, 4, 127, 0, 0, 1, 127, 0, 0, 2, 0 };
	return result(setsockopt(socket(AF_INET, SOCK_STREAM, 0), IPPROTO_IP, IP_OPTIONS, route, sizeof(route)));
}
static int w_source_route_control(void)
{
	struct sockaddr_in good = four(allowed);
	unsigned char route[12] = { 131, 11, 4, 127, 0, 0, 1, 127, 0, 0, 2, 0 };
	union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(route))]; } control = { .header = { CMSG_LEN(sizeof(route)), IPPROTO_IP, IP_RETOPTS } };
	struct iovec part = { "x", 1 };
	struct msghdr m = { .msg_name = &good, .msg_namelen = sizeof(good), .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	memcpy(CMSG_DATA(&control.header), route, sizeof(route));
	return result(sendmsg(socket(AF_INET, SOCK_DGRAM, 0), &m, 0));
}
static int w_ring(void)
{
	static struct io_uring_params params;
	return result(syscall(SYS_io_uring_setup, 4, &params));
}
/* Of those that came from outside one is TCP and one MPTCP, neither connected; the third listens, and somebody waits there. */
static int received(int which)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct sockaddr_in a = four(tcp);
	char byte;
	struct iovec part = { &byte, 1 };
	union { struct cmsghdr header; char room[CMSG_SPACE(3 * sizeof(int))]; } control;
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), fds[3] = { -1, -1, -1 };
	strncpy(at.sun_path, outside, sizeof(at.sun_path) - 1);
	if (connect(fd, (void *)&at, sizeof(at)) < 0 || recvmsg(fd, &m, 0) != 1 || !CMSG_FIRSTHDR(&m))
		return 1000;
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fds));
	if (which == 2)
		return result(accept(fds[2], NULL, NULL));
	if (which == 3)
		return result(accept4(fds[2], NULL, NULL, SOCK_CLOEXEC));
	if (which == 4)
		return result(listen(fds[2], 5));
	return result(connect(fds[which], (void *)&a, sizeof(a)));
}
static int w_received_accept(void) { return received(2); }
static int w_received_accept4(void) { return received(3); }
static int w_received_listen(void) { return received(4); }
static int w_received(void) { return received(0); }
static int w_received_mptcp(void) { return received(1); }

#define WAY(name) { #name, w_##name }
static const struct { const char *name; int (*run)(void); } ways[] = {
	WAY(connect), WAY(connect_high), WAY(connect_long), WAY(connect_mapped), WAY(connect_short6), WAY(connect_zero), WAY(connect_zero_bound),
	WAY(connect_mapped_zero), WAY(connect_nonblocking), WAY(connect_again), WAY(fastopen_sendto), WAY(fastopen_sendmsg), WAY(fastopen_sendmmsg),
	WAY(fastopen_connect), WAY(fastopen_turned), WAY(mptcp), WAY(mptcp_high), WAY(smc), WAY(sctp), WAY(raw), WAY(packet), WAY(packet_old), WAY(vsock),
	WAY(netlink), WAY(udplite), WAY(sendto), WAY(sendmsg), WAY(sendmmsg), WAY(sendto_unspec), WAY(sendmsg_unspec), WAY(sendto_four_on_six),
	WAY(sendmmsg_second), WAY(udp_connect), WAY(udp_connect_four_on_six), WAY(corked), WAY(bind), WAY(listen), WAY(listen6), WAY(source_route),
	WAY(source_route_control), WAY(ring), WAY(received), WAY(received_mptcp), WAY(received_accept), WAY(received_accept4), WAY(received_listen),
};

static int try_ways(void)
{
	unsigned escaped = 0;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int err = ways[i].run();
		escaped += err == 0;
		printf("%-24s %s\n", ways[i].name, err == 0 ? "ESCAPED" : err == 1000 ? "BROKEN" : strerror(err));
		fflush(stdout);
	}
	printf("%zu tried, %u escaped\n", sizeof(ways) / sizeof(ways[0]), escaped);
	return 0;
}

/* ---- race ----------------------------------------------------------------------------------- */

static struct sockaddr_in shared_tcp, shared_udp;	/* flipped between what is allowed and what is not */
static struct sockaddr_in6 shared_six;
static int shared_fd, stream_fd;
static volatile int over;

static void *flip(void *arg)
{
	(void)arg;
	for (unsigned i = 0; !over; i++) {
		*(volatile in_port_t *)&shared_tcp.sin_port = htons(i & 1 ? tcp : allowed);
		*(volatile in_port_t *)&shared_six.sin6_port = htons(i & 2 ? tcp : allowed);
		*(volatile in_port_t *)&shared_udp.sin_port = htons(i & 4 ? udp : allowed);
		*(volatile sa_family_t *)&shared_udp.sin_family = i & 8 ? AF_UNSPEC : AF_INET;
	}
	return NULL;
}

/* The number means now a unix socket, now a TCP one, now one of UDP, now nothing. */
static void *swap(void *arg)
{
	int kinds[] = { socket(AF_UNIX, SOCK_DGRAM, 0), socket(AF_INET, SOCK_DGRAM, 0), socket(AF_INET6, SOCK_DGRAM, 0) };
	(void)arg;
	for (unsigned i = 0; !over; i++) {
		if (i % 4 == 3)
			close(shared_fd);
		else
			dup2(kinds[i % 4], shared_fd);
		if (i % 16 == 0) {
			int fresh = socket(i & 16 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
			dup2(fresh, stream_fd);
			close(fresh);
		}
	}
	return NULL;
}

static void *attack(void *arg)
{
	unsigned long tries = 0;
	(void)arg;
	while (!over) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		(void)connect(fd, (void *)&shared_tcp, sizeof(shared_tcp));
		close(fd);
		(void)connect(stream_fd, (void *)&shared_six, sizeof(shared_six));
		(void)!sendto(shared_fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (void *)&shared_udp, sizeof(shared_udp));
		struct iovec part = { "x", 1 };
		struct msghdr m = { .msg_name = &shared_udp, .msg_namelen = sizeof(shared_udp), .msg_iov = &part, .msg_iovlen = 1 };
		(void)sendmsg(shared_fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
		tries += 4;
	}
	return (void *)tries;
}

static int race(unsigned seconds)
{
	pthread_t threads[4];
	void *tries[2];
	struct timespec time = { .tv_sec = seconds };
	shared_tcp = four(allowed);
	shared_udp = four(allowed);
	shared_six = mapped(allowed);
	shared_fd = dup(0);
	stream_fd = dup(0);
	pthread_create(&threads[0], NULL, flip, NULL);
	pthread_create(&threads[1], NULL, swap, NULL);
	pthread_create(&threads[2], NULL, attack, NULL);
	pthread_create(&threads[3], NULL, attack, NULL);
	nanosleep(&time, NULL);
	over = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], i < 2 ? NULL : &tries[i - 2]);
	printf("%lu tries\n", (unsigned long)tries[0] + (unsigned long)tries[1]);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	tcp = (in_port_t)atoi(argv[2]);
	udp = (in_port_t)atoi(argv[3]);
	allowed = (in_port_t)atoi(argv[4]);
	outside = argv[5];
	return strcmp(argv[1], "ways") == 0 ? try_ways() : race((unsigned)atoi(argv[5]));
}
