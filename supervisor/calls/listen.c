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
	int err = socket_fetch(req);

	return err ? err : peer_add_bound(req);
}

int listen_serve(struct request *req)
{
	return listen(socket_call(req)->fd, request_int(req, 1)) ? -errno : reply_value(req, 0);
}
