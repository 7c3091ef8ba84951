/*
 * connect(2) on the target's own socket. A pathname is connected through the pinned object, so that a
 * longer or exchanged name changes nothing; peers of the target see the name that the server gave itself.
 *
 * A socket with O_NONBLOCK is connected at once, and so is what never waits. The flag must not be set for
 * it: the description is the target's. Hence everything that may wait goes through the ring, which tries
 * without waiting first. What an interrupted connect has begun goes on in the socket, and the target's next
 * connect finds it: as without us.
 */
#include <errno.h>

#include "calls/abstract.h"
#include "calls/exact.h"
#include "calls/peer.h"
#include "calls/redirect.h"
#include "calls/unix.h"
#include "park.h"
#include "rate.h"
#include "sandbox.h"

int connect_fetch(struct request *req)
{
	struct socket_call *call;
	int err = socket_fetch(req);

	if (err)
		return err;
	call = socket_call(req);
	err = socket_address(req, req->notif.data.args[1], request_int(req, 2), &call->addr);
	if (!err)
		err = socket_name(req, &call->addr, NAME_FOLLOW);
	return err ? err : peer_add(req, &call->addr, OP_CONNECT);
}

static int connect_done(struct request *req, int result)
{
	return result < 0 ? result : reply_value(req, 0);
}

static int connect_park(struct request *req)
{
	struct socket_call *call = socket_call(req);
	struct park parked = {
		.op = PARK_CONNECT,
		.fd = call->fd,
		.addr = (const struct sockaddr *)&call->out.any,
		.addr_len = call->out.len,
		.done = connect_done,
	};

	socket_timeout(call, &parked, call->domain == AF_UNIX ? -EAGAIN : -EINPROGRESS);
	return park(req, &parked);
}

/* To take an address back, or to have one kept for datagrams, is done at once. */
static bool connect_waits(const struct socket_call *call)
{
	return call->blocking && call->type != SOCK_DGRAM && call->type != SOCK_RAW &&
	       call->out.len >= sizeof(sa_family_t) && call->out.any.ss_family != AF_UNSPEC;
}

int connect_serve(struct request *req)
{
	struct socket_call *call = socket_call(req);
	int err = abstract_reach(req, &call->addr);

	/* To take an address back is free. */
	if (!err && call->addr.any.ss_family != AF_UNSPEC)
		err = rate_take(req, OP_CONNECT);
	if (err)
		return err;
	if (exact_wanted(req, OP_CONNECT, &call->addr)) {
		req->reply.kind = REPLY_CONTINUE;
		return 0;
	}
	if (!call->redirected && req->rules->plan.redirects)
		redirect_forget(req->sandbox, call->fd);
	socket_out(req, &call->addr, &call->out);
	if (connect_waits(call))
		return connect_park(req);
	if (connect(call->fd, (const struct sockaddr *)&call->out.any, call->out.len))
		return -errno;
	return reply_value(req, 0);
}
