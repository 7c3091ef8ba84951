/* Sockets of the unix family that the policy closes, by path and by abstract name. */
#include "bypass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un unix_address(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	return address;
}
static int c_connect(void) { struct sockaddr_un a = unix_address(SECRET("socket")); return refused(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a)); }
static int c_connect_family_high(void)
{
	struct sockaddr_un a = unix_address(SECRET("socket"));
	return refused(syscall(SYS_connect, HIGH | (unsigned)socket(AF_UNIX, SOCK_STREAM, 0), &a, HIGH | sizeof a));
}
static int c_connect_relative(void)
{
	int back = open(".", O_PATH);
	struct sockaddr_un a = unix_address("socket");
	if (chdir(secret_dir) < 0)
		return errno;
	int r = refused(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a));
	if (fchdir(back) < 0)
		perror("back");
	return r;
}
static int c_connect_symlink(void) { unlink(OPEN("ls")); if (symlink(SECRET("socket"), OPEN("ls")) < 0) return errno; struct sockaddr_un a = unix_address(OPEN("ls")); return refused(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a)); }
static int c_connect_proc_fd(void)
{
	char p[64];
	int fd = open(SECRET("socket"), O_PATH);
	if (fd < 0)
		return errno;
	snprintf(p, sizeof p, "/proc/self/fd/%d", fd);
	struct sockaddr_un a = unix_address(p);
	return refused(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a));
}
static int c_sendto(void) { struct sockaddr_un a = unix_address(SECRET("dgram")); return refused(sendto(socket(AF_UNIX, SOCK_DGRAM, 0), "x", 1, 0, (void *)&a, sizeof a)); }
static int send_message(bool many)
{
	struct sockaddr_un a = unix_address(SECRET("dgram"));
	struct iovec v = { "x", 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &a, .msg_namelen = sizeof a, .msg_iov = &v, .msg_iovlen = 1 } };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	return refused(many ? sendmmsg(fd, &m, 1, 0) : sendmsg(fd, &m.msg_hdr, 0));
}
static int c_sendmsg(void) { return send_message(false); }
static int c_sendmmsg(void) { return send_message(true); }
static int c_bind(void) { struct sockaddr_un a = unix_address(SECRET("bound")); return refused(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a)); }
/* The outsider listens there. */
static int abstract(int type)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "outsider-%d-%s", (int)outsider, type == SOCK_STREAM ? "stream" : "dgram");
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	int fd = socket(AF_UNIX, type, 0);
	return refused(type == SOCK_STREAM ? connect(fd, (void *)&a, len) : (int)sendto(fd, "x", 1, 0, (void *)&a, len));
}
static int c_abstract_connect(void) { return abstract(SOCK_STREAM); }
static int c_abstract_sendto(void) { return abstract(SOCK_DGRAM); }

const struct bypass_case socket_cases[] = {
	CASE(connect), CASE(connect_family_high), CASE(connect_relative), CASE(connect_symlink), CASE(connect_proc_fd), CASE(sendto), CASE(sendmsg),
	CASE(sendmmsg), CASE(bind), CASE(abstract_connect), CASE(abstract_sendto),
	{ NULL, NULL, NULL },
};
