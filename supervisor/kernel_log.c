#include "kernel_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "err.h"
#include "fd.h"
#include "kernel_fields.h"
#include "landlock_event.h"
#include "loop.h"

#ifdef __x86_64__
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#else
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif
#define CLOSING_MAX 1000
#define MESSAGE_MAX 9000	/* the kernel's are at most 8970 bytes long */

struct kernel_log {
	struct loop *loop;
	int fd;
	const struct kernel_log_to *to;
	void *ctx;
	struct loop_op poll;
	bool over;
};

/* ---- messages -------------------------------------------------------------------------------- */

/* False: it is no such record, or of another machine's calls. */
static bool event_parse(const char *text, struct kernel_event *event)
{
	const char *pid = kernel_field(text, " pid="), *uid = kernel_field(text, " uid="), *sig = kernel_field(text, " sig=");
	const char *arch = kernel_field(text, " arch="), *nr = kernel_field(text, " syscall="), *code = kernel_field(text, " code=");
	int64_t when = kernel_field_time(text);

	if (when < 0 || !pid || !uid || !sig || !arch || !nr || !code || strtoul(arch, NULL, 16) != NATIVE_ARCH)
		return false;
	*event = (struct kernel_event){
		.pid = atoi(pid), .uid = (uid_t)strtoul(uid, NULL, 10), .nr = atoi(nr), .signal = atoi(sig),
		.action = (uint32_t)strtoul(code, NULL, 16) & SECCOMP_RET_ACTION_FULL, .realtime_ns = when,
	};
	kernel_field_name(kernel_field(text, " exe="), event->exe, sizeof(event->exe));
	return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void tell(struct kernel_log *log, int type, const char *text)
{
	struct landlock_event denial;
	struct kernel_event event;

	if (type == AUDIT_SECCOMP && event_parse(text, &event))
		log->to->seccomp(log->ctx, &event);
	else if ((type == AUDIT_LANDLOCK_DENIAL || type == AUDIT_LANDLOCK_MAKER) && landlock_event_parse(&denial, type, text))
		log->to->landlock(log->ctx, &denial);
}

/* False: nothing is there. */
static bool take(struct kernel_log *log)
{
	union { struct nlmsghdr header; char bytes[MESSAGE_MAX + 1]; } message;
	struct sockaddr_nl from = { 0 };
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(log->fd, &message, MESSAGE_MAX, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	if (n < 0 && errno == ENOBUFS)
		log->to->lost(log->ctx);
	if (n < 0)
		return errno == ENOBUFS || errno == EINTR;
	message.bytes[n] = '\0';
	if (from.nl_pid == 0 && (size_t)n > sizeof(message.header))
		tell(log, message.header.nlmsg_type, message.bytes + sizeof(message.header));
	return true;
}

static void come(struct loop_op *op, int result)
{
	struct kernel_log *log = container_of(op, struct kernel_log, poll);

	if (log->over)
		loop_stop(log->loop);
	if (log->over || result < 0)
		return;
	while (take(log))
		;
	(void)loop_poll(log->loop, &log->poll, log->fd, POLLIN);
}

/* Nothing else of the audit wakes us. */
static int listen_to(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(AUDIT_SECCOMP), 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(AUDIT_LANDLOCK_DENIAL), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(AUDIT_LANDLOCK_MAKER), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog filter = { .len = ARRAY_SIZE(code), .filter = code };
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1U << (AUDIT_NLGRP_READLOG - 1) };
	const int room = 1 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
}

int kernel_log_open(struct kernel_log **log, struct loop *loop, const struct kernel_log_to *to, void *ctx)
{
	AUTO_FD fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT);
	int err = fd < 0 ? -errno : listen_to(fd);

	if (err || !loop)
		return err;
	struct kernel_log *new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct kernel_log){ .loop = loop, .fd = fd, .to = to, .ctx = ctx, .poll.done = come };
	err = loop_poll(loop, &new->poll, fd, POLLIN);
	if (err) {
		free(new);
		return err;
	}
	(void)fd_take(&fd);
	*log = new;
	return 0;
}

void kernel_log_close(struct kernel_log *log, int wait_ms)
{
	if (!log)
		return;
	struct pollfd more = { .fd = log->fd, .events = POLLIN };
	/* Others' records come for ever. */
	for (unsigned i = 0; i < CLOSING_MAX && poll(&more, 1, wait_ms) > 0; i++)
		(void)take(log);
	log->over = true;
	loop_cancel(log->loop, &log->poll);
	while (log->poll.pending && loop_run(log->loop) == 0)
		;
	(void)fd_close(log->fd);
	free(log);
}
