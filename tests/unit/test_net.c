/*
 * Rules about addresses against a model that is slow and obvious: a universe small enough to list, in which inclusion is inclusion of
 * lists. The seed is fixed; USHER_TEST_SEED and USHER_TEST_ROUNDS change what is tried.
 */
#include <arpa/inet.h>

#include "expect.h"
#include "lang_env.h"
#include "text.h"
#include "random.h"

/* Addresses that tell the boxes of random_box() apart, and some outside of all; ports likewise. */
static const char *const addresses[] = {
	"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "11.0.0.1", "255.255.255.255",
	"fd00::", "fd00::1", "fd00::2", "fd00::3", "fd00::4", "::1", "ffff::", "127.0.0.1",
};
static const uint16_t ports[] = { 0, 1, 2, 3, 4, 5, 65535 };
enum { PLACES = ARRAY_SIZE(addresses) * ARRAY_SIZE(ports), HOSTS = 2, UNKNOWN = HOSTS * ARRAY_SIZE(ports) };
static const char *const hosts[HOSTS] = { "a.example", "b.example" };

static void ip_of(const char *text, uint8_t ip[16])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	memcpy(ip, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, ip + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, ip), 1);
}

/* ---- the model ------------------------------------------------------------------------------ */

struct model_box {
	enum { ANY, CIDR4, CIDR6, HOST } kind;
	uint8_t ip[16];
	unsigned prefix;	/* of 32 or 128 */
	int host;
	unsigned lo, hi;
};

struct model_rule {
	enum policy_action action;
	bool at_log;
	uint32_t ops;
	struct model_box boxes[3];
	unsigned n;
};

struct model {
	struct model_rule rules[12];
	unsigned n;
	bool is[HOSTS][ARRAY_SIZE(addresses)];	/* what the names stand for */
};

static bool bits_agree(const uint8_t *a, const uint8_t *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if ((a[i / 8] >> (7 - i % 8) & 1) != (b[i / 8] >> (7 - i % 8) & 1))
			return false;
	return true;
}

static bool has_address(const struct model_box *box, size_t address)
{
	uint8_t ip[16];
	bool four = !strchr(addresses[address], ':');
	ip_of(addresses[address], ip);
	switch (box->kind) {
	case ANY:
		return true;
	case CIDR4:
		return four && bits_agree(box->ip + 12, ip + 12, box->prefix);
	case CIDR6:
		return !four && bits_agree(box->ip, ip, box->prefix);
	default:
		return false;
	}
}

static bool box_matches(const struct model *model, const struct model_box *box, size_t address, unsigned port)
{
	if (port < box->lo || port > box->hi)
		return false;
	return box->kind == HOST ? model->is[box->host][address] : has_address(box, address);
}

static bool rule_matches(const struct model *model, const struct model_rule *rule, size_t address, unsigned port)
{
	for (unsigned i = 0; i < rule->n; i++)
		if (box_matches(model, &rule->boxes[i], address, port))
			return true;
	return false;
}

/* What a rule is known to match whatever the names stand for, as a list: places, then unknown addresses of each name. */
static void known(const struct model_rule *rule, bool list[PLACES + UNKNOWN])
{
	memset(list, 0, (PLACES + UNKNOWN) * sizeof(*list));
	for (size_t p = 0; p < ARRAY_SIZE(ports); p++) {
		bool everywhere = true;
		for (size_t a = 0; a < ARRAY_SIZE(addresses); a++) {
			bool *at = &list[a * ARRAY_SIZE(ports) + p];
			for (unsigned i = 0; i < rule->n; i++)
				*at |= ports[p] >= rule->boxes[i].lo && ports[p] <= rule->boxes[i].hi && has_address(&rule->boxes[i], a);
			everywhere &= *at;
		}
		for (size_t h = 0; h < HOSTS; h++) {
			bool *at = &list[PLACES + h * ARRAY_SIZE(ports) + p];
			*at = everywhere;
			for (unsigned i = 0; i < rule->n; i++)
				*at |= rule->boxes[i].kind == HOST && rule->boxes[i].host == (int)h && ports[p] >= rule->boxes[i].lo &&
				       ports[p] <= rule->boxes[i].hi;
		}
	}
}

static bool included(const struct model_rule *a, const struct model_rule *b)
{
	bool of_a[PLACES + UNKNOWN], of_b[PLACES + UNKNOWN];
	known(a, of_a);
	known(b, of_b);
	for (size_t i = 0; i < PLACES + UNKNOWN; i++)
		if (of_a[i] && !of_b[i])
			return false;
	return true;
}

static bool narrower(const struct model_rule *a, const struct model_rule *b)
{
	return included(a, b) && (!included(b, a) || __builtin_popcount(a->ops) < __builtin_popcount(b->ops));
}

/* Which rule wins, word for word. -1: the default. */
static int model_decide(const struct model *model, uint32_t op, size_t address, unsigned port, bool would)
{
	bool in[12] = { 0 };
	int strictest = -1;
	for (unsigned i = 0; i < model->n; i++) {
		const struct model_rule *rule = &model->rules[i];
		in[i] = rule->ops & op && (would || !rule->at_log || rule->action == ACTION_FORBID) &&
			rule_matches(model, rule, address, port);
		if (in[i] && rule->action == ACTION_FORBID)
			return ACTION_FORBID;
	}
	for (unsigned i = 0; i < model->n; i++) {
		bool beaten = !in[i];
		for (unsigned k = 0; k < model->n && !beaten; k++)
			beaten = in[k] && k != i && narrower(&model->rules[k], &model->rules[i]);
		if (!beaten && (int)model->rules[i].action > strictest)
			strictest = (int)model->rules[i].action;
	}
	return strictest;
}

/* ---- random policies ------------------------------------------------------------------------ */

static struct model_box random_box(void)
{
	static const char *const fours[] = { "10.0.0.0", "10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6" };
	static const unsigned lengths[] = { 0, 8, 29, 30, 31, 32, 32 };
	static const char *const sixes[] = { "fd00::", "fd00::1", "fd00::2" };
	static const unsigned long_ones[] = { 0, 8, 126, 127, 128 };
	struct model_box box = { .hi = 65535 };
	if (roll(3)) {
		box.lo = roll(5);
		box.hi = box.lo + (roll(2) ? 0 : roll(5 - box.lo + 1));
		if (roll(8) == 0)
			box.hi = 65535;
	}
	switch (roll(8)) {
	case 0:
		box.kind = ANY;
		return box;
	case 1:
		box.kind = HOST;
		box.host = (int)roll(HOSTS);
		return box;
	case 2:
	case 3:
		box.kind = CIDR6;
		ip_of(sixes[roll(ARRAY_SIZE(sixes))], box.ip);
		box.prefix = long_ones[roll(ARRAY_SIZE(long_ones))];
		break;
	default:
		box.kind = CIDR4;
		ip_of(fours[roll(ARRAY_SIZE(fours))], box.ip);
		box.prefix = lengths[roll(ARRAY_SIZE(lengths))];
	}
	uint8_t *from = box.kind == CIDR4 ? box.ip + 12 : box.ip;
	for (unsigned bit = box.prefix; bit < (box.kind == CIDR4 ? 32 : 128); bit++)
		from[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
	return box;
}

static void write_box(struct text *text, const struct model_box *box)
{
	char ip[64] = "";
	if (box->kind == CIDR4 || box->kind == CIDR6)
		inet_ntop(box->kind == CIDR4 ? AF_INET : AF_INET6, box->kind == CIDR4 ? box->ip + 12 : box->ip, ip, sizeof(ip));
	if (box->kind == ANY)
		text_puts(text, "*");
	else if (box->kind == HOST)
		text_puts(text, hosts[box->host]);
	else
		text_addf(text, box->kind == CIDR4 ? "%s/%u" : "[%s/%u]", ip, box->prefix);
	if (box->lo == 0 && box->hi == 65535)
		text_puts(text, ":*");
	else
		text_addf(text, ":%u-%u", box->lo, box->hi);
}

static const uint32_t op_sets[] = { OP_BIT(OP_CONNECT), OP_BIT(OP_BIND), OP_BIT(OP_CONNECT) | OP_BIT(OP_BIND) };

static struct model_rule random_rule(enum policy_action action)
{
	struct model_rule rule = { .action = action, .n = roll(3) ? 1 : 2 + roll(2), .at_log = action != ACTION_FORBID && roll(6) == 0 };
	rule.ops = op_sets[roll(3)];
	for (unsigned i = 0; i < rule.n; i++)
		rule.boxes[i] = random_box();
	return rule;
}

static void random_model(struct model *model, unsigned n)
{
	static const enum policy_action actions[] = { ACTION_ALLOW, ACTION_ALLOW, ACTION_ALLOW, ACTION_DENY, ACTION_DENY, ACTION_FORBID };
	*model = (struct model){ .n = n };
	for (unsigned i = 0; i < n; i++)
		model->rules[i] = random_rule(actions[roll(roll(8) ? 5 : 6)]);
	for (size_t h = 0; h < HOSTS; h++)
		for (size_t a = 0; a < ARRAY_SIZE(addresses); a++)
			model->is[h][a] = roll(4) == 0;
}

/* In the order of the model, or the other way round. */
static struct policy *load(const struct model *model, bool backwards)
{
	struct text text = { 0 };
	text_puts(&text, "network { default deny EPERM;\n");
	for (unsigned i = 0; i < model->n; i++) {
		const struct model_rule *rule = &model->rules[backwards ? model->n - 1 - i : i];
		text_addf(&text, "%s %s tcp ", policy_action_name(rule->action),
			  rule->ops == op_sets[0] ? "connect" : rule->ops == op_sets[1] ? "bind" : "connect,bind");
		for (unsigned k = 0; k < rule->n; k++) {
			text_puts(&text, k ? ", " : "");
			write_box(&text, &rule->boxes[k]);
		}
		text_puts(&text, rule->at_log ? " stage log;\n" : ";\n");
	}
	text_puts(&text, "}\n");
	struct policy *policy = lang_good(text.s);
	free(text_take(&text));
	for (size_t i = 0; i < policy_hosts(policy); i++) {
		uint8_t ips[ARRAY_SIZE(addresses)][16];
		size_t n = 0, h = strcmp(policy_host(policy, i), hosts[0]) != 0;
		for (size_t a = 0; a < ARRAY_SIZE(addresses); a++)
			if (model->is[h][a])
				ip_of(addresses[a], ips[n++]);
		assert_int_equal(policy_host_is(policy, i, (const uint8_t(*)[16])ips, n), 0);
	}
	return policy;
}

static struct policy_decision decide(const struct policy *policy, uint32_t op, size_t address, uint16_t port)
{
	struct policy_peer peer = { .proto = PROTO_TCP, .port = port };
	ip_of(addresses[address], peer.ip);
	return policy_decide_peer(policy, op, &peer);
}

static int said(const struct policy_verdict *verdict)
{
	return verdict->rule ? (int)verdict->action : -1;
}

static void decisions_equal_the_model(void **state)
{
	int seen[ACTION_FORBID + 2] = { 0 };
	(void)state;
	for (int round = 0; round < rounds(150); round++) {
		struct model model;
		random_model(&model, 1 + roll(10));
		struct policy *policy = load(&model, false), *other = load(&model, true);
		for (size_t a = 0; a < ARRAY_SIZE(addresses); a++)
			for (size_t p = 0; p < ARRAY_SIZE(ports); p++)
				for (int i = 0; i < 2; i++) {
					struct policy_decision d = decide(policy, op_sets[i], a, ports[p]);
					struct policy_decision e = decide(other, op_sets[i], a, ports[p]);
					int enforced = model_decide(&model, op_sets[i], a, ports[p], false);
					int would = model_decide(&model, op_sets[i], a, ports[p], true);
					seen[enforced + 1]++;
					if (said(&d.enforced) != enforced || said(&d.would) != would)
						fail_msg("%s:%u: %d/%d, the model says %d/%d\n%s", addresses[a], ports[p],
							 said(&d.enforced), said(&d.would), enforced, would, policy->files[0].text);
					assert_int_equal(said(&e.enforced), enforced);
					assert_int_equal(said(&e.would), would);
				}
		policy_free(policy);
		policy_free(other);
	}
	assert_true(seen[0] > 100 && seen[ACTION_ALLOW + 1] > 100 && seen[ACTION_DENY + 1] > 100 && seen[ACTION_FORBID + 1] > 100);
}

static void adding_a_deny_never_opens_anything(void **state)
{
	(void)state;
	for (int round = 0; round < rounds(80); round++) {
		struct model model;
		random_model(&model, 1 + roll(10));
		struct policy *before = load(&model, false);
		model.rules[model.n++] = random_rule(ACTION_DENY);
		struct policy *after = load(&model, false);
		for (size_t a = 0; a < ARRAY_SIZE(addresses); a++)
			for (size_t p = 0; p < ARRAY_SIZE(ports); p++) {
				struct policy_decision d = decide(before, OP_BIT(OP_CONNECT), a, ports[p]);
				struct policy_decision e = decide(after, OP_BIT(OP_CONNECT), a, ports[p]);
				if (policy_denies(&d.enforced) && !policy_denies(&e.enforced))
					fail_msg("%s:%u was opened\n%s", addresses[a], ports[p], after->files[0].text);
			}
		policy_free(before);
		policy_free(after);
	}
}

/* What never says of a box is what the model says of all places in it, names standing for nothing known. */
static void never_finds_what_is_open(void **state)
{
	int found[2] = { 0 };
	(void)state;
	for (int round = 0; round < rounds(150); round++) {
		struct model model;
		struct model_box box = random_box();
		struct text text = { 0 };
		char witness[POLICY_PEER_TEXT];
		bool expected = false;
		random_model(&model, 1 + roll(6));
		for (unsigned i = 0; i < model.n; i++)
			model.rules[i].at_log = false;
		memset(model.is, 0, sizeof(model.is));
		if (box.kind == HOST)
			box.kind = CIDR4;
		struct policy *policy = load(&model, false);
		/* Each name may stand for any of them. */
		for (int h = -1; h < HOSTS; h++) {
			memset(model.is, 0, sizeof(model.is));
			for (size_t a = 0; h >= 0 && a < ARRAY_SIZE(addresses); a++)
				model.is[h][a] = true;
			for (size_t a = 0; a < ARRAY_SIZE(addresses); a++)
				for (size_t p = 0; p < ARRAY_SIZE(ports); p++)
					expected |= box_matches(&model, &box, a, ports[p]) &&
						    model_decide(&model, OP_BIT(OP_CONNECT), a, ports[p], true) == ACTION_ALLOW;
		}
		write_box(&text, &box);
		int result = policy_some_peer_allowed(policy, OP_CONNECT, PROTO_TCP, text.s, witness);
		/* The universe does not have every port and address: what it has must be found. */
		if (result < 0 || (expected && !result))
			fail_msg("%s: %d\n%s", text.s, result, policy->files[0].text);
		found[result]++;
		policy_free(policy);
		free(text_take(&text));
	}
	assert_true(found[0] > 20 && found[1] > 20);
}

/* ---- by hand -------------------------------------------------------------------------------- */

static const char *word(const struct policy *policy, const char *op, const char *proto, const char *target)
{
	struct policy_peer peer;
	char name[POLICY_NAME_MAX + 1];
	int number = PROTO_TCP;
	while (strcmp(policy_proto_name((enum policy_proto)number), proto) != 0)
		number++;
	assert_int_equal(policy_peer_parse(target, (enum policy_proto)number, &peer, name), 0);
	struct policy_verdict v =
		policy_decide_peer(policy, OP_BIT(policy_op_named(op, strlen(op))), &peer).enforced;
	return policy_action_name(v.action);
}

static void rules_by_hand(void **state)
{
	static const struct { const char *rules, *op, *proto, *target, *expected; } rows[] = {
		/* Mapped IPv4 is IPv4, and [::/0] is none of it. */
		{"allow connect tcp 10.0.0.0/8:*;", "connect", "tcp", "[::ffff:10.1.1.1]:5", "allow"},
		{"allow connect tcp [::ffff:10.0.0.0/104]:*;", "connect", "tcp", "10.1.1.1:5", "allow"},
		{"allow connect tcp [::/0]:*;", "connect", "tcp", "10.1.1.1:5", "deny"},
		{"allow connect tcp [::/0]:*;", "connect", "tcp", "[::1]:5", "allow"},
		{"allow connect tcp 0.0.0.0/0:*;", "connect", "tcp", "[::1]:5", "deny"},
		{"allow connect tcp *:5;", "connect", "tcp", "[::1]:5", "allow"},
		{"allow connect tcp *:5;", "connect", "tcp", "1.1.1.1:6", "deny"},
		{"allow connect tcp 1.1.1.1;", "connect", "tcp", "1.1.1.1:6", "allow"},
		/* Groups. */
		{"allow connect tcp @loopback;", "connect", "tcp", "127.9.9.9:1", "allow"},
		{"allow connect tcp @loopback;", "connect", "tcp", "[::1]:1", "allow"},
		{"allow connect tcp @loopback;", "connect", "tcp", "[::2]:1", "deny"},
		{"allow connect tcp *:*; deny connect tcp @private;", "connect", "tcp", "172.31.255.255:1", "deny"},
		{"allow connect tcp *:*; deny connect tcp @private;", "connect", "tcp", "172.32.0.0:1", "allow"},
		{"allow connect tcp *:*; deny connect tcp @private;", "connect", "tcp", "[fd12::1]:1", "deny"},
		{"allow connect tcp *:*; deny connect tcp @link-local;", "connect", "tcp", "[fe80::1]:1", "deny"},
		{"allow connect tcp *:*; deny connect tcp @link-local;", "connect", "tcp", "[fec0::1]:1", "allow"},
		{"allow connect tcp *:*; deny connect tcp @metadata;", "connect", "tcp", "[fd00:ec2::254]:80", "deny"},
		{"allow connect tcp *:*; deny connect tcp @metadata;", "connect", "tcp", "[fd20:ce::254]:80", "deny"},
		{"allow connect tcp *:*; deny connect tcp @metadata;", "connect", "tcp", "169.254.169.254:80", "deny"},
		{"allow connect tcp *:*; deny connect tcp @metadata;", "connect", "tcp", "169.254.169.253:80", "allow"},
		{"allow sendto udp *:*; deny sendto udp @multicast;", "sendto", "udp", "224.0.0.251:5353", "deny"},
		{"group @db = 10.0.0.5:5432, @loopback; allow connect tcp @db;", "connect", "tcp", "10.0.0.5:5432", "allow"},
		{"group @db = 10.0.0.5:5432, @loopback; allow connect tcp @db;", "connect", "tcp", "10.0.0.5:5433", "deny"},
		/* Protocols and operations. */
		{"allow connect tcp *:5;", "connect", "udp", "1.1.1.1:5", "deny"},
		{"allow connect tcp *:5;", "bind", "tcp", "1.1.1.1:5", "deny"},
		{"allow sendto udp *:5;", "connect", "udp", "1.1.1.1:5", "allow"},
		{"allow connect udp *:5;", "sendto", "udp", "1.1.1.1:5", "allow"},
		{"allow connect udp *:5;", "bind", "udp", "1.1.1.1:5", "deny"},
		{"allow connect udp *:*; deny sendto udp *:5;", "connect", "udp", "1.1.1.1:5", "deny"},
		{"allow connect icmp *;", "sendto", "icmp", "1.1.1.1", "allow"},
		{"allow connect icmp 10.0.0.0/8;", "sendto", "icmp", "1.1.1.1", "deny"},
		{"allow connect netlink NETLINK_ROUTE;", "bind", "netlink", "NETLINK_ROUTE", "allow"},
		{"allow connect netlink NETLINK_ROUTE;", "bind", "netlink", "NETLINK_AUDIT", "deny"},
		{"allow connect netlink *;", "connect", "netlink", "NETLINK_AUDIT", "allow"},
		{"allow connect packet *;", "connect", "packet", "*", "allow"},
		{"allow connect packet *;", "connect", "raw", "*", "deny"},
		/* Precedence, as the specification has it. */
		{"allow connect tcp 10.0.0.0/8:*; deny connect tcp *:25;", "connect", "tcp", "10.1.2.3:25", "deny"},
		{"allow connect tcp 10.0.0.0/8:*, 10.1.2.3:25; deny connect tcp *:25;", "connect", "tcp", "10.1.2.3:25", "deny"},
		{"allow connect tcp 10.0.0.0/8:*; allow connect tcp 10.1.2.3:25; deny connect tcp *:25;", "connect", "tcp", "10.1.2.3:25", "allow"},
		{"forbid connect tcp *:25; allow connect tcp 10.1.2.3:25;", "connect", "tcp", "10.1.2.3:25", "forbid"},
		/* Both halves of all there is are all there is. */
		{"deny connect tcp 0.0.0.0/0:5, [::/0]:5; allow connect tcp *:1-9;", "connect", "tcp", "1.1.1.1:5", "deny"},
		{"deny connect tcp *:1-9; allow connect tcp 0.0.0.0/1:5, 128.0.0.0/1:5;", "connect", "tcp", "1.1.1.1:5", "allow"},
		{"deny connect tcp 10.0.0.0/30:1-9, 10.0.0.4/30:1-9; allow connect tcp 10.0.0.0/29:5;", "connect", "tcp", "10.0.0.5:5", "allow"},
		{"deny connect tcp 10.0.0.0/30:1-9, 10.0.0.4/31:1-9; allow connect tcp 10.0.0.0/29:5;", "connect", "tcp", "10.0.0.5:5", "deny"},
		/* A name is narrower than every address, and than no other set of them: who answers for it decides nothing about that. */
		{"allow connect tcp a.example:443; deny connect tcp *:443;", "connect", "tcp", "a.example:443", "allow"},
		{"allow connect tcp a.example:443; deny connect tcp *:*;", "connect", "tcp", "10.0.0.1:443", "allow"},
		{"allow connect tcp a.example:443; deny connect tcp @private;", "connect", "tcp", "10.0.0.1:443", "deny"},
		{"allow connect tcp a.example:443; deny connect tcp 0.0.0.0/0:*;", "connect", "tcp", "10.0.0.1:443", "deny"},
		{"allow connect tcp 10.0.0.1:443;", "connect", "tcp", "a.example:443", "deny"},
		{"allow connect tcp A.EXAMPLE:443;", "connect", "tcp", "10.0.0.1:443", "allow"},
		{"allow connect tcp a.example:443;", "connect", "tcp", "10.0.0.2:443", "deny"},
		{"allow connect tcp a.example:443;", "connect", "tcp", "b.example:443", "deny"},
		/* Abstract names. */
		{"allow connect unix @agent-*;", "connect", "unix", "@agent-42", "allow"},
		{"allow connect unix @agent-*;", "connect", "unix", "@agent-4/2", "allow"},
		{"allow connect unix @agent-*;", "connect", "unix", "@agen", "deny"},
		{"allow connect unix @agent-*; deny connect unix @agent-1*;", "connect", "unix", "@agent-12", "deny"},
		{"deny connect unix @agent-*; allow connect unix @agent-1*;", "connect", "unix", "@agent-12", "allow"},
		{"deny connect unix @agent-*; allow connect unix @*-1;", "connect", "unix", "@agent-1", "deny"},
		{"allow connect unix /**;", "connect", "unix", "@agent-1", "deny"},
		{"allow connect unix @a, /run/x; deny connect unix @a, /run/y;", "connect", "unix", "@a", "deny"},
		{"allow connect unix @a; deny connect unix @a, /run/y;", "connect", "unix", "@a", "allow"},
		{"allow connect unix @*;", "connect", "unix", "@\1", "deny"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct text text = { 0 };
		const char *rules = rows[i].rules;
		size_t groups = strncmp(rules, "group", 5) == 0 ? strcspn(rules, ";") + 1 : 0;
		text_addf(&text, "%.*s network { %s }", (int)groups, rules, rules + groups);
		struct policy *policy = lang_good(text.s);
		uint8_t ip[1][16];
		ip_of("10.0.0.1", ip[0]);
		for (size_t k = 0; k < policy_hosts(policy); k++)
			assert_int_equal(policy_host_is(policy, k, (const uint8_t(*)[16])ip, 1), 0);
		const char *got = word(policy, rows[i].op, rows[i].proto, rows[i].target);
		if (strcmp(got, rows[i].expected) != 0)
			fail_msg("%s: %s %s %s is %s", rows[i].rules, rows[i].op, rows[i].proto, rows[i].target, got);
		policy_free(policy);
		free(text_take(&text));
	}
}

static void peers_as_text(void **state)
{
	static const struct { enum policy_proto proto; const char *text, *shown; } rows[] = {
		{PROTO_TCP, "10.0.0.1:80", NULL}, {PROTO_UDP, "[::1]:53", NULL}, {PROTO_TCP, "[::ffff:1.2.3.4]:1", "1.2.3.4:1"},
		{PROTO_TCP, "a.example:443", NULL}, {PROTO_ICMP, "10.0.0.1", NULL}, {PROTO_ICMP, "[fd00::1]", NULL},
		{PROTO_UNIX, "@x", NULL}, {PROTO_UNIX, "@x\n", "@x\\n"}, {PROTO_UNIX, "@a\\x00b", NULL}, {PROTO_UNIX, "@a\\b", "@a\\x5Cb"}, {PROTO_NETLINK, "NETLINK_ROUTE", NULL}, {PROTO_NETLINK, "31", NULL},
		{PROTO_RAW, "*", NULL}, {PROTO_VSOCK, "*", NULL}, {PROTO_VSOCK, "2:80", ""}, {PROTO_TCP, "10.0.0.1", ""}, {PROTO_TCP, "10.0.0.0/8:1", ""}, {PROTO_TCP, "*:1", ""},
		{PROTO_TCP, "1.1.1.1:1-2", ""}, {PROTO_UNIX, "@", ""}, {PROTO_UNIX, "/x", ""}, {PROTO_NETLINK, "*", ""}, {PROTO_TCP, "", ""},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_peer peer;
		char name[POLICY_NAME_MAX + 1], text[POLICY_PEER_TEXT];
		int err = policy_peer_parse(rows[i].text, rows[i].proto, &peer, name);
		if (rows[i].shown && !*rows[i].shown) {
			assert_int_equal(err, -EINVAL);
			continue;
		}
		assert_int_equal(err, 0);
		assert_string_equal(policy_peer_text(&peer, text), rows[i].shown ? rows[i].shown : rows[i].text);
	}
}

static void ties_are_errors(void **state)
{
	(void)state;
	policy_free(lang_good("network { redirect connect tcp *:80 to 127.0.0.1:1; redirect connect tcp 10.0.0.0/8:80 to 127.0.0.1:2; }"));
	policy_free(lang_good("network { redirect connect tcp 11.0.0.0/8:* to 127.0.0.1:1; redirect connect tcp 10.0.0.0/8:80 to 127.0.0.1:2; }"));
	policy_free(lang_good("network { redirect connect tcp 10.0.0.0/8:* to 127.0.0.1:1; redirect connect tcp *:80 to 127.0.0.1:1; }"));
	policy_free(lang_good("network { redirect connect tcp 10.0.0.0/8:* to 127.0.0.1:1; redirect connect tcp *:80 to 127.0.0.1:2; deny connect tcp 10.0.0.0/8:80; }"));
	static struct lang_world nothing;
	struct policy_env env = lang_env(&nothing);
	lang_bad(&env, "network { redirect connect tcp 10.0.0.0/8:* to 127.0.0.1:1; redirect connect tcp *:80 to 127.0.0.1:2; }", "on the same address with different targets");
}

static void what_is_restricted(void **state)
{
	static const struct { const char *text; enum policy_proto proto; uint32_t enforced, would; } rows[] = {
		{"files { default deny; }", PROTO_TCP, 0, 0},
		{"network { default allow; }", PROTO_TCP, 0, 0},
		{"network { default deny; }", PROTO_NETLINK, OPS_NETWORK, OPS_NETWORK},
		{"network { default deny stage log; }", PROTO_TCP, 0, OPS_NETWORK},
		{"network { default allow; deny connect tcp *:25; }", PROTO_TCP, OP_BIT(OP_CONNECT), OP_BIT(OP_CONNECT)},
		{"network { default allow; deny connect tcp *:25; }", PROTO_UDP, 0, 0},
		{"network { default allow; deny connect tcp *:25 stage log; }", PROTO_TCP, 0, OP_BIT(OP_CONNECT)},
		{"network { default allow; allow bind tcp *:25 audit all; }", PROTO_TCP, OP_BIT(OP_BIND), OP_BIT(OP_BIND)},
		{"network { default allow; deny connect unix /x; }", PROTO_UNIX, 0, 0},
		{"network { default allow; deny connect unix @x; }", PROTO_UNIX, OP_BIT(OP_CONNECT), OP_BIT(OP_CONNECT)},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *policy = lang_good(rows[i].text);
		assert_int_equal(policy_restricted_peers(policy, rows[i].proto, false), rows[i].enforced);
		assert_int_equal(policy_restricted_peers(policy, rows[i].proto, true), rows[i].would);
		policy_free(policy);
	}
}

struct told { char lines[4][160]; size_t n; };

static void tell(void *ctx, const struct policy_rule *rule, bool wins, const char *reason)
{
	struct told *told = ctx;
	assert_true(told->n < ARRAY_SIZE(told->lines));
	(void)snprintf(told->lines[told->n++], sizeof(told->lines[0]), "%s%s: %s", wins ? "-> " : "", rule->text, reason);
}

static void explanations(void **state)
{
	struct told told = { .n = 0 };
	struct policy_peer peer = { .proto = PROTO_TCP, .port = 25 };
	(void)state;
	ip_of("10.1.2.3", peer.ip);
	struct policy *policy = lang_good("network { allow connect tcp 10.0.0.0/8:*; deny connect tcp *:25; allow bind tcp *:*; }");
	struct policy_decision decision = policy_explain_peer(policy, OP_BIT(OP_CONNECT), &peer, tell, &told);
	assert_true(policy_denies(&decision.enforced));
	assert_int_equal(told.n, 2);
	assert_string_equal(told.lines[0], "-> deny connect tcp *:25: overlaps t.policy:1, neither is narrower, the stricter wins");
	assert_string_equal(told.lines[1], "allow connect tcp 10.0.0.0/8:*: t.policy:1 is stricter");
	policy_free(policy);
}

int main(int argc, char **argv)
{
	random_begin(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_by_hand),
		cmocka_unit_test(peers_as_text),
		cmocka_unit_test(ties_are_errors),
		cmocka_unit_test(what_is_restricted),
		cmocka_unit_test(explanations),
		cmocka_unit_test(decisions_equal_the_model),
		cmocka_unit_test(adding_a_deny_never_opens_anything),
		cmocka_unit_test(never_finds_what_is_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
