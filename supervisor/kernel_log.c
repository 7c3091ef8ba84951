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
	kernel_log_fn *fn;
	void *ctx;
	struct loop_op poll;
	bool over;
};

/* ---- messages -------------------------------------------------------------------------------- */

/* " KEY=" in TEXT: what follows. What a program chooses (its name) has no blanks: the kernel then writes digits. */
static const char *field(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? at + strlen(key) : NULL;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "TEXT" in quotes, or its bytes in digits. */
static void name_of(const char *at, char *name, size_t size)
{
	size_t n = 0;

	if (at && *at == '"')
		for (at++; *at && *at != '"' && n + 1 < size; at++)
			name[n++] = *at;
	else
		for (; at && hex(at[0]) >= 0 && hex(at[1]) >= 0 && n + 1 < size; at += 2)
			name[n++] = (char)(hex(at[0]) << 4 | hex(at[1]));
	name[n] = '\0';
}

bool kernel_event_parse(const char *text, struct kernel_event *event)
{
	const char *when = field(text, "audit("), *pid = field(text, " pid="), *uid = field(text, " uid="), *sig = field(text, " sig=");
	const char *arch = field(text, " arch="), *nr = field(text, " syscall="), *code = field(text, " code=");

	if (!when || !pid || !uid || !sig || !arch || !nr || !code || strtoul(arch, NULL, 16) != NATIVE_ARCH)
		return false;
	*event = (struct kernel_event){
		.pid = atoi(pid), .uid = (uid_t)strtoul(uid, NULL, 10), .nr = atoi(nr), .signal = atoi(sig),
		.action = (uint32_t)strtoul(code, NULL, 16) & SECCOMP_RET_ACTION_FULL,
		.realtime_ns = strtoll(when, NULL, 10) * INT64_C(1000000000) +
			       (strchr(when, '.') ? atoi(strchr(when, '.') + 1) * INT64_C(1000000) : 0),
	};
	name_of(field(text, " exe="), event->exe, sizeof(event->exe));
	return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* False: nothing is there. */
static bool take(struct kernel_log *log)
{
	union { struct nlmsghdr header; char bytes[MESSAGE_MAX + 1]; } message;
	struct kernel_event event;
	struct sockaddr_nl from = { 0 };
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(log->fd, &message, MESSAGE_MAX, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	if (n < 0 && errno == ENOBUFS)
		log->fn(log->ctx, NULL, true);
	if (n < 0)
		return errno == ENOBUFS || errno == EINTR;
	message.bytes[n] = '\0';
	if (from.nl_pid == 0 && (size_t)n > sizeof(message.header) && message.header.nlmsg_type == AUDIT_SECCOMP &&
	    kernel_event_parse(message.bytes + sizeof(message.header), &event))
		log->fn(log->ctx, &event, false);
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
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(AUDIT_SECCOMP), 0, 1),
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

int kernel_log_open(struct kernel_log **log, struct loop *loop, kernel_log_fn *fn, void *ctx)
{
	AUTO_FD fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT);
	int err = fd < 0 ? -errno : listen_to(fd);

	if (err || !loop)
		return err;
	struct kernel_log *new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct kernel_log){ .loop = loop, .fd = fd, .fn = fn, .ctx = ctx, .poll.done = come };
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
