#include "calls/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "decide.h"
#include "err.h"
#include "sandbox.h"

#define SIX_MIN 24	/* SIN6_LEN_RFC2133: without the scope */

static const struct policy_rule unknown_rule =
	BUILTIN_RULE(SECTION_NETWORK, 0, "no rule can speak of this kind of socket, which might reach what rules deny");
static const struct policy_rule unnamed_rule =
	BUILTIN_RULE(SECTION_NETWORK, EPERM, "vsock, packet and raw sockets are reached by no other rule: only one of their own allows them");

int peer_proto(int domain, int type, int protocol)
{
	bool inet = domain == AF_INET || domain == AF_INET6;

	if (domain == AF_UNIX)
		return PROTO_UNIX;
	if (domain == AF_NETLINK)
		return PROTO_NETLINK;
	if (domain == AF_VSOCK)
		return PROTO_VSOCK;
	if (domain == AF_PACKET || (domain == AF_INET && type == SOCK_PACKET))
		return PROTO_PACKET;
	if (inet && type == SOCK_RAW)
		return PROTO_RAW;
	if (inet && type == SOCK_STREAM && (!protocol || protocol == IPPROTO_TCP))
		return PROTO_TCP;
	if (inet && type == SOCK_DGRAM && (!protocol || protocol == IPPROTO_UDP))
		return PROTO_UDP;
	if (inet && type == SOCK_DGRAM && protocol == (domain == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return PROTO_ICMP;
	return -1;
}

int peer_refuse_unknown(struct request *req, int err)
{
	req->refused_by = &unknown_rule;
	return err;
}

/* ---- addresses ------------------------------------------------------------------------------ */

static void map_four(const struct in_addr *four, uint8_t ip[16])
{
	memset(ip, 0, 10);
	memset(ip + 10, 0xff, 2);
	memcpy(ip + 12, four, 4);
}

/* What the kernel puts in the place of zeros: the address that the socket is bound to, or this machine's own. */
static void fill_four(const struct socket_call *call, struct in_addr *at)
{
	struct sockaddr_in own = { 0 };
	socklen_t len = sizeof(own);

	if (!getsockname(call->fd, (struct sockaddr *)&own, &len) && own.sin_family == AF_INET && own.sin_addr.s_addr)
		*at = own.sin_addr;
	else
		at->s_addr = htonl(INADDR_LOOPBACK);
}

static void fill_six(const struct socket_call *call, struct in6_addr *at)
{
	struct sockaddr_in6 own = { 0 };
	socklen_t len = sizeof(own);

	*at = in6addr_loopback;
	if (getsockname(call->fd, (struct sockaddr *)&own, &len) || own.sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&own.sin6_addr))
		return;
	memset(at, 0, sizeof(*at));
	memset(at->s6_addr + 10, 0xff, 2);
	at->s6_addr[12] = 127;
	at->s6_addr[15] = 1;
}

/* An IPv4 address in an IPv6 one that is all zeros means the same as alone. */
static void fill_mapped(const struct socket_call *call, struct in6_addr *at)
{
	struct in_addr four;
	struct sockaddr_in6 own = { 0 };
	socklen_t len = sizeof(own);

	memcpy(&four, at->s6_addr + 12, 4);
	if (!IN6_IS_ADDR_V4MAPPED(at) || four.s_addr)
		return;
	four.s_addr = htonl(INADDR_LOOPBACK);
	if (!getsockname(call->fd, (struct sockaddr *)&own, &len) && IN6_IS_ADDR_V4MAPPED(&own.sin6_addr))
		memcpy(&four, own.sin6_addr.s6_addr + 12, 4);
	if (!four.s_addr)
		four.s_addr = htonl(INADDR_LOOPBACK);
	memcpy(at->s6_addr + 12, &four, 4);
}

static int peer_four(const struct socket_call *call, struct address *address, bool own, struct policy_peer *peer)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&address->any;

	if (address->len < sizeof(*in))
		return 0;
	if (!own && !in->sin_addr.s_addr)
		fill_four(call, &in->sin_addr);
	map_four(&in->sin_addr, peer->ip);
	peer->port = ntohs(in->sin_port);
	return 1;
}

static int peer_six(const struct socket_call *call, struct address *address, bool own, struct policy_peer *peer)
{
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)&address->any;

	if (address->len < SIX_MIN)
		return 0;
	if (!own && IN6_IS_ADDR_UNSPECIFIED(&in->sin6_addr))
		fill_six(call, &in->sin6_addr);
	if (!own)
		fill_mapped(call, &in->sin6_addr);
	memcpy(peer->ip, &in->sin6_addr, sizeof(peer->ip));
	peer->port = ntohs(in->sin6_port);
	return 1;
}

static int peer_inet(const struct socket_call *call, struct address *address, enum policy_op op, struct policy_peer *peer)
{
	sa_family_t family = address->any.ss_family;
	bool six = call->domain == AF_INET6;
	int found = 0;

	if (family == AF_INET)
		found = peer_four(call, address, op == OP_BIND, peer);
	else if (family == AF_INET6 && six)
		found = peer_six(call, address, op == OP_BIND, peer);
	else if (family == AF_UNSPEC && op != OP_CONNECT && !six)	/* taken for AF_INET */
		found = peer_four(call, address, op == OP_BIND, peer);
	else if (family == AF_UNSPEC && op == OP_SENDTO && six && peer->proto == PROTO_UDP)
		/* Taken for no address; and so it is for us, because the socket may become an AF_INET one meanwhile. */
		address->len = 0;
	else if (family == AF_UNSPEC && op == OP_BIND && six)
		/* As wrong as this, and it stays wrong then. */
		address->any.ss_family = AF_UNIX;
	if (peer->proto == PROTO_ICMP)
		peer->port = 0;
	return found;
}

/* Of an autobound socket the kernel chooses five digits. */
static int peer_name(const struct address *address, enum policy_op op, struct policy_peer *peer)
{
	const socklen_t before = offsetof(struct sockaddr_un, sun_path);
	static const char chosen[] = "00000";

	if (address->path || address->un.sun_family != AF_UNIX || address->len < before || address->len > sizeof(address->un))
		return 0;
	if (address->len == before && op != OP_BIND)
		return 0;
	peer->name = address->len == before ? chosen : address->un.sun_path + 1;
	peer->len = address->len == before ? sizeof(chosen) - 1 : address->len - before - 1;
	return 1;
}

int peer_of(struct request *req, struct address *address, enum policy_op op, struct policy_peer *peer)
{
	const struct plan *plan = &req->rules->plan;
	struct socket_call *call = socket_call(req);
	int proto = peer_proto(call->domain, call->type, call->protocol);

	if ((proto != PROTO_UNIX && !plan->peers && !plan->peers_told) || address->len < sizeof(sa_family_t))
		return 0;
	if (proto < 0) {
		/* Giving an address back is all that may be done with it. */
		if (!plan->peers_enforced || (op == OP_CONNECT && address->any.ss_family == AF_UNSPEC))
			return 0;
		return peer_refuse_unknown(req, -EACCES);
	}
	*peer = (struct policy_peer){ .proto = (enum policy_proto)proto };
	switch (peer->proto) {
	case PROTO_UNIX:
		return plan->peers_of[PROTO_UNIX] & OP_BIT(op) || plan->peers_told ? peer_name(address, op, peer) : 0;
	case PROTO_TCP:
		/* The address of a send is not looked at by the kernel: fast opens are refused. */
		if (op == OP_SENDTO)
			return 0;
		return peer_inet(call, address, op, peer);
	case PROTO_UDP:
	case PROTO_ICMP:
		return peer_inet(call, address, op, peer);
	case PROTO_NETLINK:
		peer->port = (uint16_t)call->protocol;
		return 1;
	default:
		return 1;
	}
}

int peer_add(struct request *req, struct address *address, enum policy_op op)
{
	struct socket_call *call = socket_call(req);
	int found = peer_of(req, address, op, &call->peers[0]);

	if (found <= 0)
		return found;
	req->peers = call->peers;
	req->n_peers = 1;
	req->peer_ops = OP_BIT(op);
	/* [::] takes IPv4 as well, unless the socket says otherwise, which it may until it is bound. */
	if (op == OP_BIND && call->domain == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED((const struct in6_addr *)call->peers[0].ip)) {
		call->peers[1] = call->peers[0];
		memset(call->peers[1].ip + 10, 0xff, 2);
		req->n_peers = 2;
	}
	return 0;
}

int peer_add_bound(struct request *req)
{
	struct socket_call *call = socket_call(req);
	socklen_t len = sizeof(call->addr.any);

	if (peer_proto(call->domain, call->type, call->protocol) != PROTO_TCP)
		return 0;
	if (getsockname(call->fd, (struct sockaddr *)&call->addr.any, &len))
		return -errno;
	call->addr.len = len;
	return peer_add(req, &call->addr, OP_BIND);
}

int peer_fetch(struct request *req, enum name_mode mode, enum policy_op op)
{
	struct socket_call *call;
	int err = socket_fetch(req);

	if (err)
		return err;
	call = socket_call(req);
	err = socket_address(req, req->notif.data.args[1], request_int(req, 2), &call->addr);
	if (!err)
		err = socket_name(req, &call->addr, mode);
	return err ? err : peer_add(req, &call->addr, op);
}

/* ---- deciding ------------------------------------------------------------------------------- */

static void need_rule(struct policy_verdict *verdict)
{
	if (!verdict->rule && policy_allows(verdict))
		*verdict = decide_verdict(&unnamed_rule, EPERM, verdict->op);
}

struct policy_decision peer_decide(const struct plan *plan, uint32_t ops, const struct policy_peer *peer)
{
	struct policy_decision decision = policy_decide_peer(plan->policy, ops, peer);

	if (!policy_proto_whole(peer->proto))
		return decision;
	if (plan->peers_enforced)
		need_rule(&decision.enforced);
	if (plan->peers)
		need_rule(&decision.would);
	return decision;
}
