/*
 * accept(2), while rules restrict what TCP sockets are bound to. A listener that somebody else has bound may have come over a unix socket or
 * have been there from the start; to take connections there is to serve there, and is judged like binding to its address.
 *
 * It is done here on the duplicate, since which socket a number means could change. A socket with O_NONBLOCK answers at once; everything
 * else may wait, and goes through the ring.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "calls/numbers.h"
#include "calls/peer.h"
#include "calls/serve.h"
#include "calls/unix.h"
#include "fd.h"
#include "park.h"

static int accept_flags(const struct request *req)
{
	return req->notif.data.nr == SYS_accept4 ? request_int(req, 3) : 0;
}

int accept_fetch(struct request *req)
{
	struct socket_call *call;
	int err;

	req->args.sock.call = NULL;
	if (accept_flags(req) & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	err = socket_fetch(req);
	if (err)
		return err;
	call = socket_call(req);
	/* Looked at by the kernel when there is a connection: an error is for then. */
	if (req->notif.data.args[1])
		call->room = fetch_bytes(req, req->notif.data.args[2], &call->room, sizeof(call->room)) ? -EFAULT
			     : call->room < 0						     ? -EINVAL
											     : call->room;
	return peer_add_bound(req);
}

/* FD is the new connection, from call->out. */
static int accepted(struct request *req, int fd)
{
	AUTO_FD connection = fd;
	struct socket_call *call = socket_call(req);
	size_t room;
	void *bytes, *len;

	if (fd < 0)
		return fd;
	if (!req->notif.data.args[1])
		return reply_fd(req, fd_take(&connection), accept_flags(req) & SOCK_CLOEXEC);
	if (call->room < 0)
		return call->room;
	room = (size_t)call->room < call->out.len ? (size_t)call->room : call->out.len;
	bytes = malloc(room + 1);
	len = malloc(sizeof(call->out.len));
	if (!bytes || !len) {
		free(bytes);
		free(len);
		return -ENOMEM;
	}
	memcpy(bytes, &call->out.any, room);
	memcpy(len, &call->out.len, sizeof(call->out.len));
	if (room)
		reply_out(req, req->notif.data.args[1], bytes, room);
	else
		free(bytes);
	reply_out(req, req->notif.data.args[2], len, sizeof(call->out.len));
	return reply_fd(req, fd_take(&connection), accept_flags(req) & SOCK_CLOEXEC);
}

int accept_serve(struct request *req)
{
	struct socket_call *call = socket_call(req);
	int flags = (accept_flags(req) & SOCK_NONBLOCK) | SOCK_CLOEXEC, err = serve_room(req), fd;
	struct park parked = {
		.op = PARK_ACCEPT,
		.fd = call->fd,
		.flags = flags,
		.addr = (const struct sockaddr *)&call->out.any,
		.len = &call->out.len,
		.done = accepted,
	};

	if (err)
		return err;
	call->out.len = sizeof(call->out.any);
	if (call->blocking) {
		socket_wait(call, SO_RCVTIMEO, &parked, -EAGAIN);
		return park(req, &parked);
	}
	fd = accept4(call->fd, (struct sockaddr *)&call->out.any, &call->out.len, flags);
	return accepted(req, fd < 0 ? -errno : fd);
}
