#include "calls/send.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "calls/peer.h"
#include "calls/unix.h"
#include "decide.h"
#include "fd.h"
#include "sandbox.h"

#ifndef IPV6_2292RTHDR
#define IPV6_2292RTHDR 5
#endif
#define CAP(n) (UINT64_C(1) << (n))

/* ---- ancillary data ------------------------------------------------------------------------- */

static bool creds_claimable(const struct target *target, const struct ucred *creds)
{
	const struct cred *cred = &target->cred;

	return (creds->pid == target->tgid || (cred->effective & CAP(CAP_SYS_ADMIN))) &&
	       (creds->uid == cred->ruid || creds->uid == cred->euid || creds->uid == cred->suid ||
		(cred->effective & CAP(CAP_SETUID))) &&
	       (creds->gid == cred->rgid || creds->gid == cred->egid || creds->gid == cred->sgid ||
		(cred->effective & CAP(CAP_SETGID)));
}

static int control_creds(struct request *req, struct message *message, const struct cmsghdr *header)
{
	pid_t number;

	if (header->cmsg_len != CMSG_LEN(sizeof(struct ucred)))
		return -EINVAL;
	memcpy(&message->creds, CMSG_DATA(header), sizeof(message->creds));
	/* In a PID namespace of its own it counts otherwise than we: only itself is understood then. */
	number = target_number(req->target);
	if (number != req->target->tgid && message->creds.pid != number)
		return -EPERM;
	if (message->creds.pid == number)
		message->creds.pid = req->target->tgid;
	if (!creds_claimable(req->target, &message->creds))
		return -EPERM;
	message->has_creds = true;
	return 0;
}

static int control_rights(struct request *req, struct message *message, struct cmsghdr *header)
{
	size_t n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int *fds;

	if (n > SEND_FDS - message->n_fds)
		return -EINVAL;
	fds = realloc(message->fds, (message->n_fds + n + 1) * sizeof(int));
	if (!fds)
		return -ENOMEM;
	message->fds = fds;
	for (size_t i = 0; i < n; i++) {
		unsigned char *at = CMSG_DATA(header) + i * sizeof(int);
		int number, fd;

		memcpy(&number, at, sizeof(number));
		fd = fetch_fd(req, number);
		if (fd < 0)
			return fd;
		message->fds[message->n_fds++] = fd;
		memcpy(at, &fd, sizeof(fd));
	}
	return 0;
}

static const struct policy_rule steering_rule =
	BUILTIN_RULE(SECTION_NETWORK, EPERM, "routing headers lead past the address that is judged");

/* Source routes, by which a packet goes first to another address. */
static bool steers(struct request *req, const struct cmsghdr *header)
{
	bool four = header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RETOPTS;
	bool six = header->cmsg_level == IPPROTO_IPV6 && (header->cmsg_type == IPV6_RTHDR || header->cmsg_type == IPV6_2292RTHDR);

	if (!req->rules->plan.peers_enforced || (!four && !six))
		return false;
	req->refused_by = &steering_rule;
	return true;
}

/* Goes through the copy in MESSAGE->control as the kernel would, and leaves out what is given anew. */
static int control_adopt(struct request *req, const struct socket_call *call, struct message *message)
{
	char *from = message->control, *to = message->control;
	size_t left = message->control_len;
	int err = 0;

	while (left >= sizeof(struct cmsghdr) && !err) {
		struct cmsghdr *header = (struct cmsghdr *)from;
		size_t len = header->cmsg_len, space;
		bool keep = true;

		if (steers(req, header))
			return -EPERM;
		if (len < sizeof(*header) || len > left)
			return -EINVAL;
		space = CMSG_ALIGN(len);
		if (space > left)
			space = left;
		if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
			keep = false;
			if (send_carries_creds(call))
				err = control_creds(req, message, header);
		} else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
			keep = call->domain == AF_UNIX;
			if (keep)
				err = control_rights(req, message, header);
			else if (call->domain == AF_NETLINK)
				err = -EINVAL;
		}
		if (keep) {
			memmove(to, from, space);
			to += space;
		}
		from += space;
		left -= space;
	}
	/* A last header may end unaligned; what is put after it must not. */
	message->control_len = CMSG_ALIGN((size_t)(to - (char *)message->control));
	return err;
}

/* LEN is rounded up for control_adopt(). */
static int fetch_control(struct request *req, const struct socket_call *call, struct message *message, uint64_t at, size_t len)
{
	int err;

	if (len > SEND_CONTROL)
		return -ENOBUFS;
	if (!at || !len)
		return 0;
	message->control = calloc(1, CMSG_ALIGN(len));
	if (!message->control)
		return -ENOMEM;
	err = fetch_bytes(req, at, message->control, len);
	if (err)
		return err;
	message->control_len = len;
	return control_adopt(req, call, message);
}

/* Whom receivers are told: what the target claims, or what the kernel would have said of it. */
static void message_creds(const struct request *req, const struct socket_call *call, struct message *message)
{
	const struct target *target = req->target;

	if (!send_carries_creds(call))
		return;
	if (!message->has_creds) {
		if (cred_constant())
			return;
		message->creds = (struct ucred){ .pid = target->tgid, .uid = target->cred.ruid, .gid = target->cred.rgid };
	}
	message->has_creds = true;
	if (cred_constant() || message->n_fds || !cred_any_pid())
		message->creds.pid = getpid();
}

/* ---- data ----------------------------------------------------------------------------------- */

/* N parts, of LEN bytes in all, of which the first WANT are copied. */
static int fetch_data(struct request *req, struct message *message, const struct iovec *parts, size_t n, size_t want)
{
	size_t at = 0;

	message->data = malloc(want + 1);
	if (!message->data)
		return -ENOMEM;
	for (size_t i = 0; i < n && at < want; i++) {
		size_t len = parts[i].iov_len < want - at ? parts[i].iov_len : want - at;
		int err = len ? fetch_bytes(req, (uint64_t)(uintptr_t)parts[i].iov_base, (char *)message->data + at, len) : 0;

		if (err)
			return err;
		at += len;
	}
	message->len = at;
	return 0;
}

/* How much of TOTAL is taken when BUDGET is left. */
static int data_size(const struct socket_call *call, size_t total, size_t budget, size_t *want)
{
	*want = total;
	if (total <= budget)
		return 0;
	if (call->type != SOCK_STREAM)
		return -EMSGSIZE;
	*want = budget;
	return 0;
}

static int fetch_parts(struct request *req, struct socket_call *call, struct message *message, uint64_t at, size_t n, size_t budget)
{
	AUTO_FREE void *memory = NULL;
	struct iovec *parts;
	size_t total = 0, want;
	int err;

	if (n > IOV_MAX)
		return -EMSGSIZE;
	parts = memory = calloc(n + 1, sizeof(*parts));
	if (!parts)
		return -ENOMEM;
	err = n ? fetch_bytes(req, at, parts, n * sizeof(*parts)) : 0;
	for (size_t i = 0; i < n && !err; i++) {
		if (parts[i].iov_len > SSIZE_MAX)
			err = -EINVAL;
		else if (__builtin_add_overflow(total, parts[i].iov_len, &total) || total > SSIZE_MAX)
			total = SSIZE_MAX;
	}
	if (!err)
		err = data_size(call, total, budget, &want);
	return err ? err : fetch_data(req, message, parts, n, want);
}

/* ---- messages ------------------------------------------------------------------------------- */

static int send_begin(struct request *req, unsigned flags, unsigned n_messages)
{
	struct socket_call *call;
	int err = socket_fetch(req);

	if (err)
		return err;
	call = socket_call(req);
	call->flags = flags;
	if (flags & MSG_FASTOPEN)
		return -EOPNOTSUPP;
	if (flags & MSG_DONTWAIT)
		call->blocking = false;
	call->messages = calloc(n_messages, sizeof(*call->messages));
	if (!call->messages)
		return -ENOMEM;
	return 0;
}

static bool same_address(const struct address *a, const struct address *b)
{
	return a->len == b->len && !memcmp(&a->any, &b->any, a->len);
}

/* Another message of a batch than the first, with an address of its own: it may go with the first if there is nothing to be said of it. */
static bool goes_along(struct request *req, struct message *message)
{
	struct policy_decision decision;
	struct policy_peer peer;
	int found = peer_of(req, &message->to, OP_SENDTO, &peer);

	/* A record tells of one. */
	if (req->rules->plan.peers_told && !same_address(&message->to, &socket_call(req)->messages[0].to))
		return false;

	req->refused_by = NULL;
	if (found <= 0 || !req->n_peers)
		return !found;
	decision = peer_decide(&req->rules->plan, OP_BIT(OP_SENDTO), &peer);
	return policy_allows(&decision.enforced) && policy_allows(&decision.would) &&
	       decision.enforced.rule == peer_decide(&req->rules->plan, OP_BIT(OP_SENDTO), &req->peers[0]).enforced.rule;
}

/* Only datagrams have their address looked at; a path of another kind of socket is not looked up by the
 * kernel. */
static int message_address(struct request *req, const struct socket_call *call, struct message *message, uint64_t at, int len)
{
	int err;

	if (!at)
		return 0;
	err = socket_address(req, at, len, &message->to);
	if (err || (call->domain == AF_UNIX && call->type != SOCK_DGRAM))
		return err;
	if (call->domain == AF_UNIX)
		err = socket_name(req, &message->to, NAME_FOLLOW);
	if (!err && message == call->messages)
		err = peer_add(req, &message->to, OP_SENDTO);
	return err;
}

static int message_fetch(struct request *req, struct socket_call *call, struct message *message, const struct msghdr *header,
			 size_t budget)
{
	int err;

	if ((int)header->msg_namelen < 0)
		return -EINVAL;
	err = message_address(req, call, message, (uint64_t)(uintptr_t)header->msg_name,
			      header->msg_namelen > sizeof(message->to.any) ? (int)sizeof(message->to.any) : (int)header->msg_namelen);
	if (!err)
		err = fetch_parts(req, call, message, (uint64_t)(uintptr_t)header->msg_iov, header->msg_iovlen, budget);
	if (!err)
		err = fetch_control(req, call, message, (uint64_t)(uintptr_t)header->msg_control, header->msg_controllen);
	if (!err)
		message_creds(req, call, message);
	return err;
}

int sendto_fetch(struct request *req)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)req->notif.data.args[1], .iov_len = req->notif.data.args[2] };
	struct socket_call *call;
	struct message *message;
	size_t want = 0;
	int err = send_begin(req, (unsigned)request_int(req, 3), 1);

	if (err)
		return err;
	call = socket_call(req);
	message = &call->messages[0];
	call->n_messages = 1;
	err = message_address(req, call, message, req->notif.data.args[4], request_int(req, 5));
	if (!err)
		err = data_size(call, part.iov_len > SSIZE_MAX ? SSIZE_MAX : part.iov_len, SEND_MAX, &want);
	if (!err)
		err = fetch_data(req, message, &part, 1, want);
	if (!err)
		message_creds(req, call, message);
	return err;
}

int sendmsg_fetch(struct request *req)
{
	struct msghdr header;
	int err = send_begin(req, (unsigned)request_int(req, 2), 1);

	if (!err)
		err = fetch_bytes(req, req->notif.data.args[1], &header, sizeof(header));
	if (err)
		return err;
	socket_call(req)->n_messages = 1;
	return message_fetch(req, socket_call(req), &socket_call(req)->messages[0], &header, SEND_MAX);
}

/* Messages to one pathname, which is name 0, or to none at all: another one ends the batch. The caller
 * comes again for the rest. */
static bool same_place(struct request *req, const struct socket_call *call, struct message *message)
{
	const struct message *first = &call->messages[0];

	if (message->to.path != first->to.path)
		return false;
	if (message->to.len && !message->to.path)
		return goes_along(req, message);
	return !message->to.path || same_address(&message->to, &first->to);
}

static void message_drop(struct socket_call *call, struct message *message)
{
	for (size_t i = 0; i < message->n_fds; i++)
		(void)fd_close(message->fds[i]);
	free(message->fds);
	free(message->data);
	free(message->control);
	memset(message, 0, sizeof(*message));
	call->n_messages--;
}

int sendmmsg_fetch(struct request *req)
{
	unsigned n = (unsigned)request_int(req, 2);
	struct socket_call *call;
	struct mmsghdr *headers;
	size_t budget = SEND_MAX;
	int err;

	if (n > SEND_MESSAGES)
		n = SEND_MESSAGES;
	err = send_begin(req, (unsigned)request_int(req, 3), n + 1);
	if (err)
		return err;
	call = socket_call(req);
	call->vector = req->notif.data.args[1];
	call->headers = headers = calloc(n + 1, sizeof(*headers));
	if (!headers)
		return -ENOMEM;
	err = n ? fetch_bytes(req, call->vector, headers, n * sizeof(*headers)) : 0;
	if (err)
		return err;
	for (unsigned i = 0; i < n; i++) {
		struct message *message = &call->messages[i];

		call->n_messages = i + 1;
		err = message_fetch(req, call, message, &headers[i].msg_hdr, budget);
		if (!err && same_place(req, call, message)) {
			budget -= message->len;
			continue;
		}
		/* What comes before it is sent; if nothing does, its error is the answer. */
		if (!i)
			return err;
		message_drop(call, message);
		if (!call->messages[0].to.path)
			return 0;
		req->n_names = 0;
		return socket_name(req, &call->messages[0].to, NAME_FOLLOW);
	}
	return 0;
}
