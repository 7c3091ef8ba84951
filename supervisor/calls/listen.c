/*
 * listen(2), while rules restrict what TCP sockets are bound to: a socket without an address gets one from listen, and one that
 * somebody else has bound may have any. It is done here, on the duplicate: which socket a number means could change otherwise.
 */
#include <errno.h>
#include <netinet/in.h>

#include "calls/peer.h"
#include "calls/unix.h"

int listen_fetch(struct request *req)
{
	struct socket_call *call;
	socklen_t len;
	int err = socket_fetch(req);

	if (err)
		return err;
	call = socket_call(req);
	if (peer_proto(call->domain, call->type, call->protocol) != PROTO_TCP)
		return 0;
	len = sizeof(call->addr.any);
	if (getsockname(call->fd, (struct sockaddr *)&call->addr.any, &len))
		return -errno;
	call->addr.len = len;
	return peer_add(req, &call->addr, OP_BIND);
}

int listen_serve(struct request *req)
{
	return listen(socket_call(req)->fd, request_int(req, 1)) ? -errno : reply_value(req, 0);
}
