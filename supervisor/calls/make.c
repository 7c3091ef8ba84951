/*
 * socket(2), while rules speak of addresses. TCP, UDP, ping and unix sockets are made freely, for whoever has one has reached nobody yet;
 * the filter does not even ask. What reaches somebody as soon as it is there (netlink, vsock, packet and raw sockets) is decided here; what no
 * rule can speak of (MPTCP, SCTP, UDP-Lite, SMC and all other families) is refused, since connects on it would go round the rules.
 *
 * All arguments are numbers in registers, so that what is allowed may go on.
 */
#include "calls/make.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "calls/numbers.h"
#include "calls/peer.h"
#include "err.h"
#include "ports.h"
#include "sandbox.h"

#define LOW32 UINT64_C(0xffffffff)
#define TYPE_MASK 0xf	/* of SOCK_CLOEXEC and SOCK_NONBLOCK */
#define NETLINK_FAMILIES 32

/* AF_INET and AF_INET6 differ in one bit. */
#define INET { .arg = 0, .mask = LOW32 & ~UINT64_C(8), .value = AF_INET }
#define FAMILY(family) { .arg = 0, .mask = LOW32, .value = (family) }
#define TYPE(type) { .arg = 1, .mask = TYPE_MASK, .value = (type) }
#define PROTOCOL(number) { .arg = 2, .mask = LOW32, .value = (number) }

_Static_assert((AF_INET ^ AF_INET6) == 8, "one bit");

static const struct { enum policy_proto proto; struct filter_row row; } free_rows[] = {
	{ PROTO_UNIX, { .n_tests = 1, .tests = { FAMILY(AF_UNIX) } } },
	{ PROTO_TCP, { .n_tests = 3, .tests = { INET, TYPE(SOCK_STREAM), PROTOCOL(0) } } },
	{ PROTO_TCP, { .n_tests = 3, .tests = { INET, TYPE(SOCK_STREAM), PROTOCOL(IPPROTO_TCP) } } },
	{ PROTO_UDP, { .n_tests = 3, .tests = { INET, TYPE(SOCK_DGRAM), PROTOCOL(0) } } },
	{ PROTO_UDP, { .n_tests = 3, .tests = { INET, TYPE(SOCK_DGRAM), PROTOCOL(IPPROTO_UDP) } } },
	{ PROTO_ICMP, { .n_tests = 3, .tests = { FAMILY(AF_INET), TYPE(SOCK_DGRAM), PROTOCOL(IPPROTO_ICMP) } } },
	{ PROTO_ICMP, { .n_tests = 3, .tests = { FAMILY(AF_INET6), TYPE(SOCK_DGRAM), PROTOCOL(IPPROTO_ICMPV6) } } },
};

/* Where nobody looks at what is done with it later, it must not be able to do what is denied. */
static bool kind_free(const struct plan *plan, enum policy_proto proto)
{
	return !plan->ports || proto == PROTO_TCP || ports_open(plan, proto);
}

/* Connected for good, and to each other: a datagram socket could be connected elsewhere. */
static const struct filter_row pair_rows[] = {
	{ .n_tests = 2, .tests = { FAMILY(AF_UNIX), TYPE(SOCK_STREAM) } },
	{ .n_tests = 2, .tests = { FAMILY(AF_UNIX), TYPE(SOCK_SEQPACKET) } },
};

static bool row_holds(const struct filter_row *row, const uint64_t *args)
{
	for (size_t i = 0; i < row->n_tests; i++)
		if ((args[row->tests[i].arg] & row->tests[i].mask) != row->tests[i].value)
			return false;
	return true;
}

/* Nothing to decide, and nothing to record. */
static bool plainly_allowed(const struct plan *plan, const struct policy_peer *peer)
{
	struct policy_decision decision = peer_decide(plan, OP_BIT(OP_CONNECT), peer);

	return policy_allows(&decision.enforced) && policy_allows(&decision.would) &&
	       decision.enforced.audit != AUDIT_ALL && decision.enforced.audit != AUDIT_COUNT && decision.enforced.audit != AUDIT_ALERT;
}

static bool family_free(const struct plan *plan, unsigned family)
{
	return plainly_allowed(plan, &(struct policy_peer){ .proto = PROTO_NETLINK, .port = (uint16_t)family });
}

bool socket_trapped(const struct plan *plan, const uint64_t *args)
{
	unsigned domain = (unsigned)args[0], family = (unsigned)args[2];

	for (size_t i = 0; i < ARRAY_SIZE(free_rows); i++)
		if (kind_free(plan, free_rows[i].proto) && row_holds(&free_rows[i].row, args))
			return false;
	return !(domain == AF_NETLINK && family < NETLINK_FAMILIES && family_free(plan, family));
}

static int allow_row(struct filter_rows *rows, int nr, const struct filter_row *like)
{
	struct filter_row row = *like;

	row.nr = nr;
	row.step = FILTER_BROKER;
	row.kind = FILTER_ALLOW;
	return filter_rows_add(rows, &row);
}

int socket_rows(const struct plan *plan, struct filter_rows *rows)
{
	struct filter_row row = { .nr = SYS_socket, .step = FILTER_BROKER, .kind = FILTER_NOTIFY };
	int err = filter_rows_add(rows, &row);

	for (size_t i = 0; i < ARRAY_SIZE(free_rows) && !err; i++)
		if (kind_free(plan, free_rows[i].proto))
			err = allow_row(rows, SYS_socket, &free_rows[i].row);
	for (unsigned family = 0; family < NETLINK_FAMILIES && !err; family++) {
		if (!family_free(plan, family))
			continue;
		row = (struct filter_row){ .n_tests = 2, .tests = { FAMILY(AF_NETLINK), PROTOCOL(family) } };
		err = allow_row(rows, SYS_socket, &row);
	}
	return err;
}

bool socketpair_trapped(const struct plan *plan, const uint64_t *args)
{
	(void)plan;
	for (size_t i = 0; i < ARRAY_SIZE(pair_rows); i++)
		if (row_holds(&pair_rows[i], args))
			return false;
	return true;
}

int socketpair_rows(const struct plan *plan, struct filter_rows *rows)
{
	const struct filter_row row = { .nr = SYS_socketpair, .step = FILTER_BROKER, .kind = FILTER_NOTIFY };
	int err = filter_rows_add(rows, &row);

	(void)plan;
	for (size_t i = 0; i < ARRAY_SIZE(pair_rows) && !err; i++)
		err = allow_row(rows, SYS_socketpair, &pair_rows[i]);
	return err;
}

int socket_make_fetch(struct request *req)
{
	int domain = request_int(req, 0), type = request_int(req, 1) & TYPE_MASK, protocol = request_int(req, 2);
	int proto = peer_proto(domain, type, protocol);
	struct socket_call *call;
	int err = socket_begin(req);

	if (err)
		return err;
	call = socket_call(req);
	call->domain = domain;
	call->type = type;
	call->protocol = protocol;
	if (proto < 0)
		return 0;
	call->peers[0] = (struct policy_peer){ .proto = (enum policy_proto)proto };
	if (proto == PROTO_NETLINK)
		call->peers[0].port = (uint16_t)protocol;
	req->peers = call->peers;
	req->n_peers = 1;
	req->peer_ops = OP_BIT(OP_CONNECT);
	return 0;
}

int socket_make_serve(struct request *req)
{
	const struct socket_call *call = socket_call(req);
	bool inet = call->domain == AF_INET || call->domain == AF_INET6;

	/* No flags of the type, said before anything else is looked at. */
	if (request_int(req, 1) & ~(TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	if (!req->n_peers && req->rules->plan.peers_enforced)
		return peer_refuse_unknown(req, inet ? -EPROTONOSUPPORT : -EAFNOSUPPORT);
	req->reply.kind = REPLY_CONTINUE;
	return 0;
}

/* Datagram sockets are denied as unix sockets are; no other family has pairs that may be. */
int socketpair_serve(struct request *req)
{
	return req->n_peers ? -EOPNOTSUPP : peer_refuse_unknown(req, -EAFNOSUPPORT);
}
