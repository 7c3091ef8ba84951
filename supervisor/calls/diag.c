#include "calls/diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "fd.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71	/* 5.14 */
#endif

int diag_socket(int fd, struct diag_socket *which)
{
	socklen_t len = sizeof(which->cookie);
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &which->cookie, &len) || fstat(fd, &st))
		return -errno;
	which->ino = (uint32_t)st.st_ino;
	return 0;
}

int diag_network(int fd, uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);

	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &len) ? -errno : 0;
}

static ssize_t diag_attr(const struct nlmsghdr *header, uint16_t type, void *value, size_t size)
{
	size_t at = NLMSG_LENGTH(sizeof(struct unix_diag_msg));

	while (at + sizeof(struct nlattr) <= header->nlmsg_len) {
		const struct nlattr *attr = (const void *)((const char *)header + at);
		size_t len = attr->nla_len;

		if (len < sizeof(*attr) || at + len > header->nlmsg_len)
			break;
		if (attr->nla_type == type && len - sizeof(*attr) <= size) {
			memcpy(value, attr + 1, len - sizeof(*attr));
			return (ssize_t)(len - sizeof(*attr));
		}
		at += (len + NLA_ALIGNTO - 1) & ~(size_t)(NLA_ALIGNTO - 1);
	}
	return -ENOENT;
}

ssize_t diag_unix(const struct diag_socket *which, uint32_t show, uint16_t attr, void *value, size_t size)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req req;
	} ask = {
		.header = { .nlmsg_len = sizeof(ask), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST },
		.req = {
			.sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX, .udiag_ino = which->ino, .udiag_show = show,
			.udiag_cookie = { (uint32_t)which->cookie, (uint32_t)(which->cookie >> 32) },
		},
	};
	union {
		struct nlmsghdr header;
		char space[1024];
	} answer;
	AUTO_FD fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	ssize_t n;

	if (fd < 0 || send(fd, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask))
		return -ENOENT;
	n = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (n < 0 || !NLMSG_OK(&answer.header, (size_t)n) || answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -ENOENT;
	return diag_attr(&answer.header, attr, value, size);
}
