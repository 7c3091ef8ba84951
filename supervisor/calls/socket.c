#include "calls/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "calls/unix.h"
#include "err.h"
#include "fd.h"
#include "park.h"

#define ERESTARTSYS 512

int socket_begin(struct request *req)
{
	struct socket_call *call = calloc(1, sizeof(*call));

	req->args.sock.call = call;
	if (!call)
		return -ENOMEM;
	call->cwd = call->fd = -1;
	return 0;
}

int socket_fetch(struct request *req)
{
	struct socket_call *call;
	socklen_t len = sizeof(int);
	int flags, err = socket_begin(req);

	if (err)
		return err;
	call = socket_call(req);
	call->fd = fetch_fd(req, request_int(req, 0));
	if (call->fd < 0)
		return call->fd;
	if (getsockopt(call->fd, SOL_SOCKET, SO_DOMAIN, &call->domain, &len) ||
	    getsockopt(call->fd, SOL_SOCKET, SO_TYPE, &call->type, &len) ||
	    getsockopt(call->fd, SOL_SOCKET, SO_PROTOCOL, &call->protocol, &len))
		return -errno;
	flags = fcntl(call->fd, F_GETFL);
	if (flags < 0)
		return -errno;
	call->blocking = !(flags & O_NONBLOCK);
	return 0;
}

void socket_release(struct request *req)
{
	struct socket_call *call = socket_call(req);

	if (!call)
		return;
	for (unsigned i = 0; i < call->n_messages; i++) {
		struct message *message = &call->messages[i];
		for (size_t j = 0; j < message->n_fds; j++)
			(void)fd_close(message->fds[j]);
		free(message->fds);
		free(message->data);
		free(message->control);
	}
	free(call->messages);
	free(call->headers);
	free(call->control);
	(void)fd_close(call->fd);
	(void)fd_close(call->cwd);
	free(call);
	req->args.sock.call = NULL;
}

int socket_address(struct request *req, uint64_t at, int len, struct address *address)
{
	memset(address, 0, sizeof(*address));
	if (len < 0 || (size_t)len > sizeof(address->any))
		return -EINVAL;
	address->len = (socklen_t)len;
	return len ? fetch_bytes(req, at, &address->any, (size_t)len) : 0;
}

int socket_name(struct request *req, struct address *address, enum name_mode mode)
{
	const socklen_t before = offsetof(struct sockaddr_un, sun_path);
	struct name *name = &req->names[0];

	address->path = false;
	if (socket_call(req)->domain != AF_UNIX || address->len < before || address->un.sun_family != AF_UNIX)
		return 0;
	if (address->len > sizeof(address->un))
		return -EINVAL;
	if (address->len == before || !address->un.sun_path[0])
		return 0;
	name_begin(name, AT_FDCWD, mode, false);
	/* All 108 bytes may be used: the kernel ends the name itself. */
	name->len = strnlen(address->un.sun_path, address->len - before);
	memcpy(name->path, address->un.sun_path, name->len);
	name->path[name->len] = '\0';
	req->n_names = 1;
	address->path = true;
	return 0;
}

void socket_out(const struct request *req, const struct address *address, struct address *out)
{
	*out = *address;
	if (!address->path)
		return;
	memset(&out->any, 0, sizeof(out->any));
	out->un.sun_family = AF_UNIX;
	(void)object_proc_path(req->objects[0].pin, out->un.sun_path, sizeof(out->un.sun_path));
	out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(out->un.sun_path) + 1);
}

/* A wait without a limit is taken up again after a signal, one with a limit is not. */
void socket_wait(const struct socket_call *call, int option, struct park *park, int on_timeout)
{
	struct timeval limit = { 0 };
	socklen_t len = sizeof(limit);

	(void)getsockopt(call->fd, SOL_SOCKET, option, &limit, &len);
	park->timeout = (struct timespec){ .tv_sec = limit.tv_sec, .tv_nsec = limit.tv_usec * 1000 };
	park->on_timeout = on_timeout;
	park->interrupted = limit.tv_sec || limit.tv_usec ? -EINTR : -ERESTARTSYS;
}

void socket_timeout(const struct socket_call *call, struct park *park, int on_timeout)
{
	socket_wait(call, SO_SNDTIMEO, park, on_timeout);
}
