/*
 * sendto, sendmsg and sendmmsg on the target's own socket, with copies: addresses, data, ancillary data.
 *
 * What is copied is bounded (SEND_MAX in all): of a stream less may be sent than was asked for, a datagram
 * is sent whole or refused. A send is tried without waiting first; if it would wait and the target waits
 * for it, it is parked, and a stream goes on where it was until all is sent.
 *
 * SCM_RIGHTS passes duplicates of the target's descriptors. On sockets that carry credentials they are
 * always given explicitly: left to the kernel, receivers would be told the supervisor's. The pid can only
 * be the target's where the supervisor may say so (CAP_SYS_ADMIN), and is not claimed together with
 * descriptors, whose number the kernel limits for those who may not.
 */
#include "calls/send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "calls/abstract.h"
#include "calls/exact.h"
#include "calls/unix.h"
#include "fd.h"
#include "park.h"
#include "raise.h"
#include "rate.h"

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

#define CAP(n) (UINT64_C(1) << (n))

bool send_carries_creds(const struct socket_call *call)
{
	return call->domain == AF_UNIX || call->domain == AF_NETLINK;
}

/* ---- serving -------------------------------------------------------------------------------- */

static bool send_more(const struct socket_call *call)
{
	const struct message *message = &call->messages[call->next];

	return call->type == SOCK_STREAM && message->done < message->len;
}

/* call->msg is what is left of the message. */
static int send_prepare(const struct request *req, struct socket_call *call, const struct message *message)
{
	bool first = message->done == 0;
	size_t space = message->control_len + CMSG_SPACE(sizeof(struct ucred));

	socket_out(req, &message->to, &call->out);
	call->iov = (struct iovec){ .iov_base = (char *)message->data + message->done, .iov_len = message->len - message->done };
	call->msg = (struct msghdr){
		.msg_name = call->out.len ? &call->out.any : NULL,
		.msg_namelen = call->out.len,
		.msg_iov = &call->iov,
		.msg_iovlen = 1,
	};
	if (!first || (!message->control_len && !message->has_creds))
		return 0;
	free(call->control);
	call->control = calloc(1, space);
	if (!call->control)
		return -ENOMEM;
	call->msg.msg_control = call->control;
	call->msg.msg_controllen = message->control_len;
	if (message->control_len)
		memcpy(call->control, message->control, message->control_len);
	if (message->has_creds) {
		struct cmsghdr *header = (struct cmsghdr *)((char *)call->control + message->control_len);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_CREDENTIALS;
		header->cmsg_len = CMSG_LEN(sizeof(struct ucred));
		memcpy(CMSG_DATA(header), &message->creds, sizeof(message->creds));
		call->msg.msg_controllen = space;
	}
	return 0;
}

static bool send_raise(const struct message *message, struct raised *raised)
{
	uint64_t caps = CAP(CAP_SETUID) | CAP(CAP_SETGID);

	if (!message->has_creds || cred_constant())
		return false;
	if (message->creds.pid != getpid())
		caps |= CAP(CAP_SYS_ADMIN);
	return raise_caps(raised, caps);
}

static int send_parked(struct request *req, int result);

static int send_park(struct request *req, struct socket_call *call)
{
	const struct message *message = &call->messages[call->next];
	struct park parked = {
		.op = PARK_SENDMSG,
		.fd = call->fd,
		.flags = (int)(call->flags | MSG_NOSIGNAL),
		.msg = &call->msg,
		.done = send_parked,
		.partial = (int64_t)message->done,
	};
	struct raised raised;
	bool up = send_raise(message, &raised);
	int err;

	socket_timeout(call, &parked, -EAGAIN);
	err = park(req, &parked);
	if (up)
		raise_end(&raised);
	return err;
}

/* As much of the current message as goes without waiting: 0 when it is done with, -errno. */
static int send_try(struct request *req, struct socket_call *call)
{
	struct message *message = &call->messages[call->next];
	int err;

	do {
		struct raised raised;
		bool up;
		ssize_t n;

		err = send_prepare(req, call, message);
		if (err)
			return err;
		up = send_raise(message, &raised);
		n = sendmsg(call->fd, &call->msg, (int)(call->flags | MSG_NOSIGNAL | MSG_DONTWAIT));
		err = n < 0 ? -errno : 0;
		if (up)
			raise_end(&raised);
		if (err)
			return err;
		message->done += (size_t)n;
	} while (send_more(call));
	return 0;
}

static int send_answer(struct request *req, struct socket_call *call)
{
	const size_t stride = sizeof(struct mmsghdr), at = offsetof(struct mmsghdr, msg_len);
	struct mmsghdr *headers = call->headers;
	unsigned n = call->next;

	if (!call->vector)
		return reply_value(req, (int64_t)call->messages[0].done);
	if (!n)
		return reply_value(req, 0);
	for (unsigned i = 0; i < n; i++)
		headers[i].msg_len = (unsigned)call->messages[i].done;
	/* From the first length to the last; what lies between is as it was read. */
	memmove(headers, (char *)headers + at, (n - 1) * stride + sizeof(unsigned));
	reply_out(req, call->vector + at, headers, (n - 1) * stride + sizeof(unsigned));
	call->headers = NULL;
	return reply_value(req, n);
}

static int send_failed(struct request *req, struct socket_call *call, int err)
{
	struct message *message = &call->messages[call->next];

	/* What was sent was sent; the rest, or the next message, finds the error again. */
	if (message->done) {
		call->next++;
		return send_answer(req, call);
	}
	if (call->next)
		return send_answer(req, call);
	if (err == -EPIPE && call->type == SOCK_STREAM && !(call->flags & MSG_NOSIGNAL))
		req->reply.sigpipe = 1;
	return err;
}

/* Each message with an address is one of `limits { rate sendto }`. */
static int send_counted(struct request *req, const struct message *message)
{
	return message->to.len ? rate_take(req, OP_SENDTO) : 0;
}

static int send_go_on(struct request *req, struct socket_call *call)
{
	for (; call->next < call->n_messages; call->next++) {
		const struct message *message = &call->messages[call->next];
		int err = abstract_reach(req, &message->to);

		if (!err && !message->done)
			err = send_counted(req, message);
		if (err)
			return send_failed(req, call, err);
		err = send_try(req, call);
		if (err == -EAGAIN && call->blocking && !call->next)
			return send_park(req, call);
		if (err)
			return send_failed(req, call, err);
	}
	return send_answer(req, call);
}

/* All of it may go on. */
static bool send_exact(const struct request *req, const struct socket_call *call)
{
	bool exact = call->n_messages > 0;

	for (unsigned i = 0; i < call->n_messages && exact; i++)
		exact = exact_wanted(req, OP_SENDTO, &call->messages[i].to);
	return exact;
}

int send_serve(struct request *req)
{
	struct socket_call *call = socket_call(req);
	int on = 0;
	socklen_t len = sizeof(on);

	if (send_exact(req, call)) {
		for (unsigned i = 0; i < call->n_messages; i++)
			if (send_counted(req, &call->messages[i]))
				return -EAGAIN;
		req->reply.kind = REPLY_CONTINUE;
		return 0;
	}
	/* The kernel would go on reading our copy after the call. */
	if (call->flags & MSG_ZEROCOPY) {
		if (!getsockopt(call->fd, SOL_SOCKET, SO_ZEROCOPY, &on, &len) && on)
			return -ENOBUFS;
		call->flags &= ~(unsigned)MSG_ZEROCOPY;
	}
	return send_go_on(req, call);
}

static int send_parked(struct request *req, int result)
{
	struct socket_call *call = socket_call(req);

	if (result < 0)
		return send_failed(req, call, result);
	call->messages[call->next].done += (size_t)result;
	if (!send_more(call))
		call->next++;
	return send_go_on(req, call);
}
