/*
 * From the target's socket and the bytes of an address to what rules speak of, and what is decided about it.
 *
 * What the kernel does with an address depends on the socket and not only on what the address says of itself, so it is the socket
 * that is asked first. A form that the kernel takes for no address, or refuses, is not judged and handed on as it is.
 */
#ifndef USHER_CALLS_PEER_H
#define USHER_CALLS_PEER_H

#include "calls/socket.h"
#include "plan.h"

/* The protocol of rules for such a socket, or -1: no rule can speak of it. PROTOCOL as the kernel knows it, or 0 for a new socket. */
int peer_proto(int domain, int type, int protocol);

/*
 * What ADDRESS, given to CALL's socket for OP, means: 1 with *PEER, 0 if it is nothing to be judged, -errno if no rule could speak of it
 * (req->refused_by is set). All zeros, which the kernel takes for this machine, are replaced in ADDRESS by what the kernel would take.
 */
int peer_of(struct request *req, struct address *address, enum policy_op op, struct policy_peer *peer);

/* The same judged: REQ has a peer afterwards if there is something to judge. 0 or -errno. */
int peer_add(struct request *req, struct address *address, enum policy_op op);
/* The address that a TCP socket has, whoever has bound it, is judged as by bind(2). Of other sockets nothing is. 0 or -errno. */
int peer_add_bound(struct request *req);
/* connect(2), bind(2): a socket, an address and its length. */
int peer_fetch(struct request *req, enum name_mode mode, enum policy_op op);

/* OPS on PEER: rules and defaults, and that vsock, packet and raw sockets need a rule of their own. */
struct policy_decision peer_decide(const struct plan *plan, uint32_t ops, const struct policy_peer *peer);

/* Of a socket whose protocol no rule can name, while rules speak of others. */
int peer_refuse_unknown(struct request *req, int err);

#endif
