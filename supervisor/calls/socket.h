/*
 * What the socket calls share: the target's own socket, pinned by a duplicate, and addresses copied once.
 */
#ifndef USHER_CALLS_SOCKET_H
#define USHER_CALLS_SOCKET_H

#include <sys/socket.h>
#include <sys/un.h>

#include "request.h"

struct address {
	union {
		struct sockaddr_storage any;
		struct sockaddr_un un;
	};
	socklen_t len;
	bool path;	/* an AF_UNIX pathname: the request's name 0 */
};

/* One message to be sent. */
struct message {
	struct address to;	/* .len 0: none */
	void *data;		/* owned */
	size_t len, done;
	void *control;		/* owned; with our numbers for SCM_RIGHTS, without SCM_CREDENTIALS */
	size_t control_len;
	int *fds;		/* owned, each of them too: what SCM_RIGHTS passes */
	size_t n_fds;
	bool has_creds;
	struct ucred creds;
};

struct socket_call {
	int fd;			/* the target's socket: one description, so that its flags are never changed. Owned */
	int domain, type, protocol;
	bool blocking;		/* without O_NONBLOCK and MSG_DONTWAIT */
	bool redirected;
	bool begun;		/* a connect, by us */
	int room;		/* of getpeername, or -errno */
	unsigned flags;
	struct address addr;	/* of connect and bind */
	struct policy_peer peers[2];	/* what is judged: req->peers */
	int cwd;		/* of bind with a relative name. Owned */
	struct message *messages;	/* owned */
	unsigned n_messages, next;
	uint64_t vector;	/* of sendmmsg: where the target has it, 0 otherwise */
	void *headers;		/* and what was read there. Owned */
	struct address out;	/* what is given to the kernel, while parked */
	struct msghdr msg;
	struct iovec iov;
	void *control;		/* of .msg. Owned */
};

static inline struct socket_call *socket_call(const struct request *req)
{
	return req->args.sock.call;
}

/* req->args.sock.call is there. 0 or -ENOMEM. */
int socket_begin(struct request *req);
/* Begins a fetch: descriptor args[0] is pinned. 0 or -errno. */
int socket_fetch(struct request *req);
/* Copies an address as move_addr_to_kernel() does. 0, -EINVAL, -EFAULT. */
int socket_address(struct request *req, uint64_t at, int len, struct address *address);
/* An AF_UNIX pathname in ADDRESS becomes name 0; its .path is set. 0 or -errno. */
int socket_name(struct request *req, struct address *address, enum name_mode mode);
/* What the kernel is to see: a pathname is that of the pinned object. */
void socket_out(const struct request *req, const struct address *address, struct address *out);
/* SO_SNDTIMEO into PARK: what a wait ends with when it is over, and when a signal comes. */
struct park;
void socket_timeout(const struct socket_call *call, struct park *park, int on_timeout);
/* The same of OPTION. */
void socket_wait(const struct socket_call *call, int option, struct park *park, int on_timeout);

#endif
