#include "landlock_event.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "err.h"
#include "fd.h"
#include "kernel_fields.h"
#include "kernel_log.h"
#include "policy.h"

#define ANSWER_MS 1000	/* a thread of the kernel answers */

static const struct { const char *blocker; uint32_t ops; } blockers[] = {
	{ "fs.execute", OP_BIT(OP_EXEC) },
	{ "fs.write_file", OP_BIT(OP_WRITE) },
	{ "fs.read_file", OP_BIT(OP_READ) },
	{ "fs.read_dir", OP_BIT(OP_LIST) },
	{ "fs.truncate", OP_BIT(OP_TRUNCATE) },
	{ "fs.remove_", OP_BIT(OP_DELETE) },
	{ "fs.make_", OP_BIT(OP_CREATE) },
	{ "fs.refer", OP_BIT(OP_RENAME) },
	{ "net.bind_tcp", OP_BIT(OP_BIND) },
	{ "net.connect_tcp", OP_BIT(OP_CONNECT) },
};

bool landlock_event_parse(struct landlock_event *event, int type, const char *text)
{
	const char *domain = kernel_field(text, " domain="), *pid = kernel_field(text, " pid="), *inode = kernel_field(text, " ino=");
	const char *to = kernel_field(text, " daddr="), *port = kernel_field(text, " dest=");

	*event = (struct landlock_event){ .realtime_ns = kernel_field_time(text), .port = -1 };
	if (!domain || event->realtime_ns < 0)
		return false;
	event->domain = strtoull(domain, NULL, 16);
	if (type == AUDIT_LANDLOCK_MAKER) {
		if (!kernel_field(text, " status=allocated") || !pid)
			return false;
		event->maker = true;
		event->pid = atoi(pid);
		kernel_field_name(kernel_field(text, " exe="), event->exe, sizeof(event->exe));
		return event->domain && event->pid > 0;
	}
	kernel_field_word(kernel_field(text, " blockers="), event->blockers, sizeof(event->blockers));
	kernel_field_name(kernel_field(text, " path="), event->path, sizeof(event->path));
	kernel_field_name(kernel_field(text, " dev="), event->dev, sizeof(event->dev));
	event->inode = inode ? strtoull(inode, NULL, 10) : 0;
	kernel_field_word(to ? to : kernel_field(text, " saddr="), event->address, sizeof(event->address));
	if (!port)
		port = kernel_field(text, " src=");
	event->port = port ? atoi(port) : -1;
	return type == AUDIT_LANDLOCK_DENIAL && event->domain && *event->blockers;
}

uint32_t landlock_event_ops(const struct landlock_event *event)
{
	uint32_t ops = 0;

	for (const char *at = event->blockers; *at; at += strcspn(at, ","), at += *at == ',')
		for (size_t i = 0; i < ARRAY_SIZE(blockers); i++)
			if (strncmp(at, blockers[i].blocker, strlen(blockers[i].blocker)) == 0)
				ops |= blockers[i].ops;
	return ops;
}

/* Asking takes CAP_AUDIT_CONTROL. 1: audit is on; 0: it is off; -errno: not known. */
static int audit_is_on(void)
{
	struct { struct nlmsghdr header; union { struct audit_status status; int error; char space[512]; } body; } message = {
		.header = { .nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = AUDIT_GET, .nlmsg_flags = NLM_F_REQUEST },
	};
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	AUTO_FD fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (fd < 0 || sendto(fd, &message, NLMSG_HDRLEN, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	while (poll(&poll_fd, 1, ANSWER_MS) > 0) {
		struct sockaddr_nl from = { 0 };
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, &message, sizeof(message), 0, (struct sockaddr *)&from, &len);

		if (n < (ssize_t)(sizeof(message.header) + sizeof(int)) || from.nl_pid != 0)
			continue;
		if (message.header.nlmsg_type == NLMSG_ERROR)
			return message.body.error < 0 ? message.body.error : -EIO;
		if (message.header.nlmsg_type == AUDIT_GET)
			return message.body.status.enabled != 0;
	}
	return -ETIMEDOUT;
}

const char *landlock_unseen(int abi)
{
	if (abi < 7)
		return "this kernel's Landlock writes no records (Linux 6.15)";
	if (kernel_log_open(NULL, NULL, NULL, NULL))
		return "the kernel's log cannot be read (that takes CAP_AUDIT_READ)";
	return audit_is_on() == 0 ? "the kernel's audit is off (auditctl -e 1, or audit=1 when booting)" : NULL;
}
