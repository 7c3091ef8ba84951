/*
 * connect(2) on the target's own socket. A pathname is connected through the pinned object, so that a
 * longer or exchanged name changes nothing; peers of the target see the name that the server gave itself.
 *
 * A socket with O_NONBLOCK is connected at once, and so is what never waits. The flag must not be set for
 * it: the description is the target's. Hence what may wait goes through the ring, which tries without waiting first.
 *
 * On loopback, and to unix sockets, it does not wait but where a backlog is full. There the serving thread makes the connect itself, which
 * costs half of what the way through the ring does. Should it wait all the same it is got out of it after some milliseconds (stuck.h), and
 * the ring goes on; for a second all connects go there then, so that many of them do not hold up what comes behind each time.
 *
 * What an interrupted connect has begun goes on in the socket, and the target's next connect finds it, as without us: that it is
 * under way is no error for a socket that waits, and the ring, which does not, says so.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

#include "calls/abstract.h"
#include "calls/exact.h"
#include "calls/peer.h"
#include "calls/redirect.h"
#include "calls/unix.h"
#include "now.h"
#include "park.h"
#include "rate.h"
#include "sandbox.h"

#define CALM_NS 1000000000	/* after one that waited */

int connect_fetch(struct request *req)
{
	return peer_fetch(req, NAME_FOLLOW, OP_CONNECT);
}

static int connect_now(struct request *req)
{
	struct socket_call *call = socket_call(req);

	if (connect(call->fd, (const struct sockaddr *)&call->out.any, call->out.len))
		return -errno;
	return reply_value(req, 0);
}

/* It is decided: asking for it says how. */
static int connect_decided(struct request *req, int result)
{
	return result < 0 ? result : connect_now(req);
}

static int connect_under_way(struct request *req)
{
	struct socket_call *call = socket_call(req);
	struct park parked = { .op = PARK_POLL, .fd = call->fd, .flags = POLLOUT, .done = connect_decided };

	socket_timeout(call, &parked, call->begun ? -EINPROGRESS : -EALREADY);
	return park(req, &parked);
}

static int connect_done(struct request *req, int result)
{
	if (result == -EALREADY)
		return connect_under_way(req);
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

static bool connect_near(const struct socket_call *call)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)&call->out.any;
	const struct in6_addr *six = &((const struct sockaddr_in6 *)&call->out.any)->sin6_addr;

	switch (call->out.any.ss_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		return ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == IN_LOOPBACKNET);
	}
	return false;
}

/* -EINTR: it waits. */
static int connect_here(struct request *req)
{
	struct socket_call *call = socket_call(req);
	int err;

	if (!connect_near(call) || req->start_ns < atomic_load(&req->sandbox->connects_wait))
		return -EINTR;
	atomic_store(req->hurry, true);
	err = connect_now(req);
	atomic_store(req->hurry, false);
	call->begun = err == -EINTR;
	if (call->begun)
		atomic_store(&req->sandbox->connects_wait, now_ns() + CALM_NS);
	return err;
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
	if (!connect_waits(call))
		return connect_now(req);
	err = connect_here(req);
	return err == -EINTR ? connect_park(req) : err;
}
