/*
 * Decisions about peers: addresses, abstract socket names, netlink families. There are far fewer rules about them than about paths, so
 * that each is looked at; the contest between those that match is settled anew each time, from comparisons that are remembered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_state.h"
#include "err.h"
#include "escape.h"
#include "net_words.h"
#include "parse.h"

/* ---- deciding ------------------------------------------------------------------------------- */

static struct policy_verdict verdict_by(const struct policy *policy, uint32_t winner, enum policy_op op, bool would)
{
	struct policy_verdict verdict = winner == NO_RULE ? default_verdict(default_of_peers(policy), would)
							  : rule_verdict(policy->engine->rules[winner]);
	verdict.op = op;
	return verdict;
}

static struct policy_verdict no_verdict(int err, enum policy_op op)
{
	return (struct policy_verdict){ .action = ACTION_DENY, .err = err == -EINVAL ? EACCES : ENOMEM, .op = op };
}

static struct policy_verdict strictest(const struct policy *policy, const uint32_t *rules, size_t n, uint32_t ops, bool would)
{
	struct policy_verdict worst = { .action = ACTION_ALLOW };
	int most = -1;

	for (uint32_t left = ops & OPS_NETWORK; left; left &= left - 1) {
		enum policy_op op = (enum policy_op)__builtin_ctz(left);
		struct policy_verdict verdict =
			verdict_by(policy, contest_winner(policy->engine, rules, n, op, would), op, would);
		int strictness = verdict_strictness(&verdict);
		if (strictness > most) {
			worst = verdict;
			most = strictness;
		}
	}
	return worst;
}

/* A name that rules cannot tell from another (-EINVAL) is refused where any might be. */
static struct policy_decision decide_nothing(const struct policy *policy, uint32_t ops, int err)
{
	struct policy_decision decision = { 0 };
	enum policy_op op = (enum policy_op)__builtin_ctz(ops);

	decision.enforced.op = decision.would.op = op;
	if (err != -EINVAL || policy_restricted_peers(policy, PROTO_UNIX, false) & ops)
		decision.enforced = no_verdict(err, op);
	if (err != -EINVAL || policy_restricted_peers(policy, PROTO_UNIX, true) & ops)
		decision.would = no_verdict(err, op);
	return decision;
}

struct policy_decision policy_decide_peer(const struct policy *policy, uint32_t ops, const struct policy_peer *peer)
{
	struct policy_engine *engine = policy->engine;
	struct policy_decision decision;

	engine_lock(engine);
	int64_t n = net_rules_match(&engine->net, policy, peer);
	if (n >= 0 && contest_room(engine, (size_t)n) < 0)
		n = -ENOMEM;
	if (n >= 0)
		decision = (struct policy_decision){
			.enforced = strictest(policy, engine->net.found, (size_t)n, ops, false),
			.would = strictest(policy, engine->net.found, (size_t)n, ops, true),
		};
	engine_release(engine);
	return n >= 0 ? decision : decide_nothing(policy, ops, (int)n);
}

struct policy_decision policy_explain_peer(const struct policy *policy, uint32_t op_bit, const struct policy_peer *peer,
					   policy_explain_fn *fn, void *ctx)
{
	struct policy_engine *engine = policy->engine;
	enum policy_op op = (enum policy_op)__builtin_ctz(op_bit);
	struct policy_decision decision;

	engine_lock(engine);
	int64_t n = net_rules_match(&engine->net, policy, peer);
	if (n >= 0 && contest_room(engine, (size_t)n) < 0)
		n = -ENOMEM;
	if (n < 0) {
		engine_release(engine);
		return decide_nothing(policy, op_bit, (int)n);
	}
	const uint32_t *rules = engine->net.found;
	uint32_t winners[2] = {
		contest_winner(engine, rules, (size_t)n, op, false), contest_winner(engine, rules, (size_t)n, op, true),
	};
	decision.enforced = verdict_by(policy, winners[0], op, false);
	decision.would = verdict_by(policy, winners[1], op, true);
	explain_rules(policy, op, rules, (size_t)n, winners, fn, ctx);
	return decision;
}

static bool about_peers(const struct policy_rule *rule, enum policy_proto proto)
{
	return rule->section == SECTION_NETWORK && rule->proto == proto && rule->n_addrs;
}

uint32_t policy_restricted_peers(const struct policy *policy, enum policy_proto proto, bool would)
{
	const struct policy_default *given = &policy->defaults[SECTION_NETWORK];
	uint32_t ops = default_restricts(given, would) ? OPS_NETWORK : 0;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		if (!about_peers(rule, proto) || (!would && rule_at_log(rule)))
			continue;
		if (rule->action != ACTION_ALLOW || audits_allowed(rule->audit))
			ops |= rule->ops;
	}
	return ops;
}

/* ---- host names ----------------------------------------------------------------------------- */

size_t policy_hosts(const struct policy *policy)
{
	return policy->engine->net.n_hosts;
}

const char *policy_host(const struct policy *policy, size_t i)
{
	return policy->engine->net.hosts[i].name;
}

int policy_host_is(const struct policy *policy, size_t i, const uint8_t (*ips)[16], size_t n)
{
	struct policy_engine *engine = policy->engine;
	struct net_host *host = &engine->net.hosts[i];
	struct net_key *keys = malloc((n + 1) * sizeof(*keys)), *old;

	if (!keys)
		return -ENOMEM;
	for (size_t k = 0; k < n; k++)
		keys[k] = net_key_of(ips[k]);
	engine_lock(engine);
	old = host->keys;
	host->keys = keys;
	host->n = n;
	engine_release(engine);
	free(old);
	return 0;
}

size_t policy_host_addresses(const struct policy *policy, size_t i, uint8_t (*ips)[16], size_t max)
{
	struct policy_engine *engine = policy->engine;
	size_t n;

	engine_lock(engine);
	n = engine->net.hosts[i].n < max ? engine->net.hosts[i].n : max;
	for (size_t k = 0; k < n; k++)
		net_key_ip(&engine->net.hosts[i].keys[k], ips[k]);
	engine_release(engine);
	return n;
}

const char *policy_host_of(const struct policy *policy, const uint8_t ip[16])
{
	struct policy_engine *engine = policy->engine;
	struct net_key key = net_key_of(ip);
	const char *name = NULL;

	if (!engine->net.n_hosts)
		return NULL;
	engine_lock(engine);
	for (size_t i = 0; i < engine->net.n_hosts && !name; i++)
		for (size_t k = 0; k < engine->net.hosts[i].n && !name; k++)
			if (memcmp(&engine->net.hosts[i].keys[k], &key, sizeof(key)) == 0)
				name = engine->net.hosts[i].name;
	engine_release(engine);
	return name;
}

/* ---- as text -------------------------------------------------------------------------------- */

static int hex_at(const char *at)
{
	int byte = 0;

	for (int i = 0; i < 2; i++) {
		char c = at[i] >= 'a' && at[i] <= 'f' ? (char)(at[i] - 'a' + 'A') : at[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'F'))
			return -1;
		byte = byte << 4 | (c <= '9' ? c - '0' : c - 'A' + 10);
	}
	return byte;
}

/* As name_text() writes it; a backslash that begins nothing is itself. */
static int parse_name_text(const char *text, struct policy_peer *peer, char *name)
{
	size_t len = 0;

	if (text[0] != '@' || !text[1])
		return -EINVAL;
	for (const char *at = text + 1; *at; at++) {
		int byte = at[0] == '\\' && at[1] == 'x' ? hex_at(at + 2) : -1;
		if (len == POLICY_NAME_MAX)
			return -EINVAL;
		if (byte >= 0)
			at += 3;
		else if (at[0] == '\\' && (at[1] == 'n' || at[1] == 't'))
			byte = *++at == 'n' ? '\n' : '\t';
		name[len++] = (char)(byte >= 0 ? byte : *at);
	}
	name[len] = '\0';
	peer->name = name;
	peer->len = len;
	return 0;
}

/* Escaped so that it can be read back: a backslash, too. */
static void name_text(const char *name, size_t len, char *text)
{
	struct text shown = { 0 };

	text_puts(&shown, "@");
	for (size_t i = 0; i < len; i++) {
		const char *slash = memchr(name + i, '\\', len - i);
		size_t plain = slash ? (size_t)(slash - name) - i : len - i;
		escape_add(&shown, name + i, plain);
		text_puts(&shown, slash ? "\\x5C" : "");
		i += plain;
	}
	(void)snprintf(text, POLICY_PEER_TEXT, "%s", shown.s);
	free(text_take(&shown));
}

int policy_peer_parse(const char *text, enum policy_proto proto, struct policy_peer *peer, char *name)
{
	struct policy_addr addr = { 0 };
	bool ports = proto == PROTO_TCP || proto == PROTO_UDP, good;

	*peer = (struct policy_peer){ .proto = proto };
	if (proto == PROTO_UNIX)
		return parse_name_text(text, peer, name);
	if (strcmp(text, "*") == 0 && policy_proto_whole(proto))
		return 0;
	good = address_of(text, proto, &addr);
	good = good && (addr.kind == ADDR_HOST || (addr.kind == ADDR_CIDR && addr.prefix == 128)) &&
	       (!ports || addr.port_lo == addr.port_hi);
	if (good) {
		memcpy(peer->ip, addr.ip, sizeof(peer->ip));
		peer->port = ports || proto == PROTO_NETLINK ? addr.port_lo : 0;
	}
	if (good && addr.kind == ADDR_HOST && proto != PROTO_NETLINK) {
		good = strlen(addr.text) <= POLICY_NAME_MAX;
		if (good) {
			strcpy(name, addr.text);
			peer->name = name;
			peer->len = strlen(name);
		}
	}
	free(addr.text);
	return good ? 0 : -EINVAL;
}

static void ip_text(const uint8_t ip[16], char text[INET6_ADDRSTRLEN + 2])
{
	struct net_key key = net_key_of(ip);
	bool six = key.byte[0];

	text[0] = '[';
	(void)inet_ntop(six ? AF_INET6 : AF_INET, key.byte + 1, text + six, INET6_ADDRSTRLEN);
	if (six)
		strcat(text, "]");
}

const char *policy_peer_text(const struct policy_peer *peer, char *text)
{
	const char *family = peer->proto == PROTO_NETLINK ? netlink_name(peer->port) : NULL;

	switch (peer->proto) {
	case PROTO_UNIX:
		name_text(peer->name, peer->len, text);
		break;
	case PROTO_NETLINK:
		if (family)
			(void)snprintf(text, POLICY_PEER_TEXT, "%s", family);
		else
			(void)snprintf(text, POLICY_PEER_TEXT, "%u", peer->port);
		break;
	case PROTO_PACKET:
	case PROTO_RAW:
	case PROTO_VSOCK:
	case PROTO_COUNT:
		strcpy(text, "*");
		break;
	default:
		if (peer->name && peer->len)
			(void)snprintf(text, POLICY_PEER_TEXT, "%.*s", (int)peer->len, peer->name);
		else
			ip_text(peer->ip, text);
		if (peer->proto != PROTO_ICMP)
			(void)snprintf(text + strlen(text), 8, ":%u", peer->port);
	}
	return text;
}
