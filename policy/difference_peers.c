/*
 * Addresses and ports: what is decided of them only changes where a box of a rule begins or behind where it ends (peer_search.c). So it
 * is enough to ask both policies there. Host names are asked by name. Of abstract names those are asked that rules spell out, and one that
 * no rule does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "difference_state.h"
#include "engine_state.h"
#include "err.h"

#define POINTS_MAX 1000000
#define NETLINK_FAMILIES 23

struct points {
	struct net_key *keys;
	uint16_t *ports;
	size_t n_keys, n_ports;
};

static void add_key(struct points *points, const struct net_key *key)
{
	static const uint8_t mapped[13] = { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	if (memcmp(key->byte, mapped, sizeof(mapped)) == 0)
		return;
	for (size_t i = 0; i < points->n_keys; i++)
		if (memcmp(&points->keys[i], key, sizeof(*key)) == 0)
			return;
	points->keys[points->n_keys++] = *key;
}

static void add_port(struct points *points, uint32_t port)
{
	if (port > UINT16_MAX)
		return;
	for (size_t i = 0; i < points->n_ports; i++)
		if (points->ports[i] == port)
			return;
	points->ports[points->n_ports++] = (uint16_t)port;
}

static void add_boxes(struct points *points, const struct net_rules *net)
{
	for (size_t i = 0; i < net->n_boxes; i++) {
		const struct net_box *box = &net->boxes[i];
		struct net_key next;
		if (box->len)
			add_key(points, &box->key);
		if (box->len && net_box_next(box, &next))
			add_key(points, &next);
		add_port(points, box->lo);
		add_port(points, (uint32_t)box->hi + 1);
	}
}

static int compare_peer(struct differences *all, const struct policy *a, const struct policy *b, const struct policy_peer *peer)
{
	char text[POLICY_PEER_TEXT];

	for (uint32_t left = OPS_NETWORK; left; left &= left - 1) {
		enum policy_op op = (enum policy_op)__builtin_ctz(left);
		struct policy_decision before = policy_decide_peer(a, OP_BIT(op), peer), after = policy_decide_peer(b, OP_BIT(op), peer);
		struct difference new = { .nr = -1, .ops = OP_BIT(op), .peer = true, .proto = peer->proto };
		struct difference *known = difference_note(all, &new, &before, &after);
		if (!known)
			continue;
		known->ops |= new.ops;
		if (known->witness)
			continue;
		known->witness = strdup(policy_peer_text(peer, text));
		if (!known->witness)
			return -ENOMEM;
	}
	return 0;
}

static int compare_addresses(struct differences *all, const struct policy *a, const struct policy *b, const struct points *points)
{
	static const enum policy_proto protos[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP };
	int err = 0;

	for (size_t p = 0; p < 3; p++)
		for (size_t i = 0; i < points->n_keys; i++)
			for (size_t k = 0; k < (protos[p] == PROTO_ICMP ? 1 : points->n_ports) && !err; k++) {
				struct policy_peer peer = { .proto = protos[p], .port = protos[p] == PROTO_ICMP ? 0 : points->ports[k] };
				net_key_ip(&points->keys[i], peer.ip);
				err = compare_peer(all, a, b, &peer);
			}
	return err;
}

static int compare_hosts(struct differences *all, const struct policy *a, const struct policy *b, const struct policy *of,
			 const struct points *points)
{
	int err = 0;

	for (size_t i = 0; i < policy_hosts(of); i++)
		for (int proto = PROTO_TCP; proto <= PROTO_UDP; proto++)
			for (size_t k = 0; k < points->n_ports && !err; k++) {
				struct policy_peer peer = { .proto = (enum policy_proto)proto, .port = points->ports[k], .name = policy_host(of, i) };
				peer.len = strlen(peer.name);
				err = compare_peer(all, a, b, &peer);
			}
	return err;
}

static int compare_names(struct differences *all, const struct policy *a, const struct policy *b, const struct policy *of)
{
	struct policy_peer peer = { .proto = PROTO_UNIX, .name = "a", .len = 1 };
	int err = compare_peer(all, a, b, &peer);

	for (size_t i = 0; i < of->n_rules; i++)
		for (size_t k = 0; k < of->rules[i].n_addrs && !err; k++) {
			const struct policy_addr *addr = &of->rules[i].addrs[k];
			if (addr->kind != ADDR_ABSTRACT || strpbrk(addr->text, "*?[{\\"))
				continue;
			peer.name = addr->text + (addr->text[0] == '@');
			peer.len = strlen(peer.name);
			err = compare_peer(all, a, b, &peer);
		}
	return err;
}

static int compare_others(struct differences *all, const struct policy *a, const struct policy *b)
{
	static const enum policy_proto whole[] = { PROTO_VSOCK, PROTO_PACKET, PROTO_RAW };
	struct policy_peer peer = { 0 };
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(whole) && !err; i++) {
		peer.proto = whole[i];
		err = compare_peer(all, a, b, &peer);
	}
	peer.proto = PROTO_NETLINK;
	for (peer.port = 0; peer.port < NETLINK_FAMILIES && !err; peer.port++)
		err = compare_peer(all, a, b, &peer);
	return err;
}

int differences_peers(struct differences *all, const struct policy *a, const struct policy *b)
{
	static const struct net_key four = { { 0 } }, six = { { 1 } };
	size_t most = 2 * (a->engine->net.n_boxes + b->engine->net.n_boxes) + 4;
	struct points points = { .keys = calloc(most, sizeof(*points.keys)), .ports = calloc(most, sizeof(*points.ports)) };
	int err = points.keys && points.ports ? 0 : -ENOMEM;

	if (!err) {
		add_key(&points, &four);
		add_key(&points, &six);
		add_port(&points, 0);
		add_boxes(&points, &a->engine->net);
		add_boxes(&points, &b->engine->net);
	}
	if (!err && points.n_keys * points.n_ports > POINTS_MAX)
		all->partial = true;
	else if (!err)
		err = compare_addresses(all, a, b, &points);
	if (!err)
		err = compare_hosts(all, a, b, a, &points);
	if (!err)
		err = compare_hosts(all, a, b, b, &points);
	if (!err)
		err = compare_names(all, a, b, a);
	if (!err)
		err = compare_names(all, a, b, b);
	if (!err)
		err = compare_others(all, a, b);
	free(points.keys);
	free(points.ports);
	return err;
}
