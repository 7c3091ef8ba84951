/*
 * Questions about all peers at once: does a policy leave any of a set open (never), and do two redirects tie anywhere? What is decided
 * only changes where a box begins or ends. So it is enough to ask at the beginning of each, and behind its end, for addresses and
 * for ports. A host name may have any address: each is tried as well.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_state.h"
#include "err.h"
#include "parse.h"

#define POINTS_MAX 4000000

struct points {
	struct net_key *keys;
	uint16_t *ports;
	size_t n_keys, n_ports;
};

static bool mapped_six(const struct net_key *key)
{
	static const uint8_t prefix[13] = { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	return memcmp(key->byte, prefix, sizeof(prefix)) == 0;
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct net_key));
}

static int compare_numbers(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static size_t unique(void *list, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	char *all = list;
	size_t kept = 0;

	qsort(list, n, size, compare);
	for (size_t i = 0; i < n; i++)
		if (!kept || compare(all + (kept - 1) * size, all + i * size) != 0)
			memmove(all + kept++ * size, all + i * size, size);
	return kept;
}

static void point_add(struct points *points, const struct net_box *region, const struct net_key *key)
{
	if (net_box_has(region, key) && !mapped_six(key))
		points->keys[points->n_keys++] = *key;
}

static void points_add(struct points *points, const struct net_box *region, const struct net_box *box)
{
	struct net_key next;

	point_add(points, region, &box->key);
	if (net_box_next(box, &next))
		point_add(points, region, &next);
	if (box->lo >= region->lo && box->lo <= region->hi)
		points->ports[points->n_ports++] = box->lo;
	if (box->hi >= region->lo && box->hi < region->hi)
		points->ports[points->n_ports++] = (uint16_t)(box->hi + 1);
}

static void points_free(struct points *points)
{
	free(points->keys);
	free(points->ports);
}

/* Of REGION, where something may change. 0, -ENOMEM or -E2BIG; free them in any case. */
static int points_of(struct points *points, const struct net_rules *net, const struct net_box *region)
{
	static const uint8_t beyond_mapped[NET_KEY] = { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
	static const struct net_box six = { .key = { { 1 } }, .len = 8, .hi = UINT16_MAX };
	struct net_key beyond;

	*points = (struct points){
		.keys = malloc((2 * net->n_boxes + 8) * sizeof(*points->keys)),
		.ports = malloc((2 * net->n_boxes + 8) * sizeof(*points->ports)),
	};
	if (!points->keys || !points->ports)
		return -ENOMEM;
	memcpy(beyond.byte, beyond_mapped, sizeof(beyond_mapped));
	points_add(points, region, region);
	points_add(points, region, &six);
	point_add(points, region, &beyond);
	for (size_t i = 0; i < net->n_boxes; i++)
		points_add(points, region, &net->boxes[i]);
	points->n_keys = unique(points->keys, points->n_keys, sizeof(*points->keys), compare_keys);
	points->n_ports = unique(points->ports, points->n_ports, sizeof(*points->ports), compare_numbers);
	return points->n_keys * points->n_ports * (net->n_hosts + 1) > POINTS_MAX ? -E2BIG : 0;
}

/* Called with the rules that match at one point. Other than 0 ends the search. */
typedef int point_fn(const struct policy *policy, const struct net_key *key, uint16_t port, const uint32_t *rules, size_t n, void *ctx);

static int each_point(const struct policy *policy, enum policy_proto proto, const struct net_box *region, point_fn *fn, void *ctx)
{
	struct policy_engine *engine = policy->engine;
	struct net_rules *net = &engine->net;
	struct points points;
	int result = points_of(&points, net, region);

	if (result == 0)
		result = contest_room(engine, policy->n_rules);
	for (size_t i = 0; i < points.n_keys && result == 0; i++)
		for (size_t k = 0; k < points.n_ports && result == 0; k++)
			for (uint32_t host = 0; host <= net->n_hosts && result == 0; host++) {
				size_t n = net_rules_at(net, policy, proto, &points.keys[i], points.ports[k], host);
				result = fn(policy, &points.keys[i], points.ports[k], net->found, n, ctx);
			}
	points_free(&points);
	return result;
}

/* ---- never ---------------------------------------------------------------------------------- */

struct never {
	enum policy_op op;
	enum policy_proto proto;
	char *witness;
};

static int point_allowed(const struct policy *policy, const struct net_key *key, uint16_t port, const uint32_t *rules, size_t n, void *ctx)
{
	const struct never *never = ctx;
	uint32_t winner = contest_winner(policy->engine, rules, n, never->op, true);
	struct policy_verdict verdict = winner == NO_RULE ? default_verdict(default_of_peers(policy), true)
							  : rule_verdict(policy->engine->rules[winner]);
	struct policy_peer peer = { .proto = never->proto, .port = port };

	if (!policy_allows(&verdict))
		return 0;
	net_key_ip(key, peer.ip);
	policy_peer_text(&peer, never->witness);
	return 1;
}

/* Names stand for themselves. Patterns of abstract ones are not searched. */
static int one_allowed(const struct policy *policy, enum policy_op op, enum policy_proto proto, const char *text, char *witness)
{
	struct policy_peer peer;
	char name[POLICY_NAME_MAX + 1];
	struct policy_decision decision;

	if (proto == PROTO_UNIX && strpbrk(text, "*?[{\\"))
		return -E2BIG;
	if (policy_peer_parse(text, proto, &peer, name))
		return -EINVAL;
	decision = policy_decide_peer(policy, OP_BIT(op), &peer);
	if (!policy_allows(&decision.would))
		return 0;
	policy_peer_text(&peer, witness);
	return 1;
}

int policy_some_peer_allowed(const struct policy *policy, enum policy_op op, enum policy_proto proto, const char *text, char *witness)
{
	struct policy_engine *engine = policy->engine;
	struct never never = { .op = op, .proto = proto, .witness = witness };
	struct policy_addr addr = { 0 };
	struct policy_rule rule = { .section = SECTION_NETWORK, .proto = proto, .ops = OP_BIT(op), .addrs = &addr, .n_addrs = 1 };
	struct policy only = { .rules = &rule, .n_rules = 1 };
	struct net_rules set = { 0 };
	int result;

	witness[0] = '\0';
	if (proto == PROTO_UNIX)
		return one_allowed(policy, op, proto, text, witness);
	if (*text == '@')
		addr = (struct policy_addr){ .kind = ADDR_GROUP, .text = text_copy(text), .port_hi = UINT16_MAX };
	else if (!address_of(text, proto, &addr) || (addr.kind == ADDR_HOST && proto != PROTO_NETLINK)) {
		result = addr.kind == ADDR_HOST ? one_allowed(policy, op, proto, text, witness) : -EINVAL;
		free(addr.text);
		return result;
	}
	result = net_rules_compile(&set, &only);
	engine_lock(engine);
	for (size_t i = 0; i < set.n_boxes && result == 0; i++)
		result = each_point(policy, proto, &set.boxes[i], point_allowed, &never);
	engine_release(engine);
	net_rules_free(&set);
	free(addr.text);
	return result == -ENOMEM ? -E2BIG : result;
}

/* ---- ties ----------------------------------------------------------------------------------- */

struct tie {
	struct policy_diags *diags;
	uint32_t a, b;		/* the last that was told */
};

static int point_tie(const struct policy *policy, const struct net_key *key, uint16_t port, const uint32_t *rules, size_t n, void *ctx)
{
	struct policy_engine *engine = policy->engine;
	struct tie *tie = ctx;

	(void)key;
	(void)port;
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++) {
			const struct policy_rule *a = engine->rules[rules[i]], *b = engine->rules[rules[k]];
			if (!ties_has_target(a) || !ties_has_target(b) || ties_same_target(a, b) ||
			    (tie->a == rules[i] && tie->b == rules[k]) || !ties_do(engine, rules, n, rules[i], rules[k]))
				continue;
			tie->a = rules[i];
			tie->b = rules[k];
			ties_error(policy, tie->diags, rules[i], rules[k], true, "the same address");
		}
	return 0;
}

int ties_check_peers(struct policy *policy, struct policy_diags *diags)
{
	static const struct net_box everywhere = { .hi = UINT16_MAX };
	struct policy_engine *engine = policy->engine;
	int result = 0;

	for (int proto = 0; proto < PROTO_COUNT && result == 0; proto++) {
		struct tie tie = { .diags = diags, .a = NO_RULE, .b = NO_RULE };
		const struct policy_rule *last = NULL;
		size_t n = 0;

		for (size_t i = 0; i < policy->n_rules; i++)
			if (net_rule(&policy->rules[i]) && (int)policy->rules[i].proto == proto && ties_has_target(&policy->rules[i])) {
				last = &policy->rules[i];
				n++;
			}
		if (n < 2)
			continue;
		engine_lock(engine);
		result = each_point(policy, (enum policy_proto)proto, &everywhere, point_tie, &tie);
		engine_release(engine);
		if (result == -E2BIG) {
			policy_diag_add(diags, DIAG_WARNING, last->pos, "too many redirects and answers overlap to be sure that none tie");
			result = 0;
		}
	}
	return result;
}
