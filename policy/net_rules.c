#include "net_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine_state.h"
#include "err.h"
#include "fd.h"

/* ---- groups of addresses -------------------------------------------------------------------- */

#define FOUR(a, b, c, d, prefix) { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }, 96 + (prefix) }
#define SIX(a, b, c, d, e, f, g, h, last, prefix) \
	{ { (a) >> 8, (a) & 0xff, (b) >> 8, (b) & 0xff, (c) >> 8, (c) & 0xff, (d) >> 8, (d) & 0xff, (e) >> 8, (e) & 0xff, \
	    (f) >> 8, (f) & 0xff, (g) >> 8, (g) & 0xff, (h) >> 8, (last) }, prefix }

static const struct network { const char *group; struct { uint8_t ip[16]; uint8_t prefix; } is; } networks[] = {
	{ "@loopback", FOUR(127, 0, 0, 0, 8) },
	{ "@loopback", SIX(0, 0, 0, 0, 0, 0, 0, 0, 1, 128) },
	{ "@link-local", FOUR(169, 254, 0, 0, 16) },
	{ "@link-local", SIX(0xfe80, 0, 0, 0, 0, 0, 0, 0, 0, 10) },
	{ "@private", FOUR(10, 0, 0, 0, 8) },
	{ "@private", FOUR(172, 16, 0, 0, 12) },
	{ "@private", FOUR(192, 168, 0, 0, 16) },
	{ "@private", SIX(0xfc00, 0, 0, 0, 0, 0, 0, 0, 0, 7) },
	{ "@multicast", FOUR(224, 0, 0, 0, 4) },
	{ "@multicast", SIX(0xff00, 0, 0, 0, 0, 0, 0, 0, 0, 8) },
	/* EC2, Azure, GCP and most others; ECS; EKS; Alibaba. */
	{ "@metadata", FOUR(169, 254, 169, 254, 32) },
	{ "@metadata", FOUR(169, 254, 170, 2, 32) },
	{ "@metadata", FOUR(169, 254, 170, 23, 32) },
	{ "@metadata", FOUR(100, 100, 100, 200, 32) },
	{ "@metadata", SIX(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x200, 0x54, 128) },
	{ "@metadata", SIX(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0, 0x23, 128) },
	{ "@metadata", SIX(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x200, 0x54, 128) },
};

/* ---- abstract names ------------------------------------------------------------------------- */

#define FOR_SLASH '\1'
#define FOR_NUL   '\2'

/* A name, or a pattern, as a path; has room for LEN + 2. False for one in which those bytes are already. */
static bool name_path(const char *name, size_t len, char *path)
{
	path[0] = '/';
	for (size_t i = 0; i < len; i++) {
		if (name[i] == FOR_SLASH || name[i] == FOR_NUL)
			return false;
		path[i + 1] = name[i] == '/' ? FOR_SLASH : name[i] ? name[i] : FOR_NUL;
	}
	path[len + 1] = '\0';
	return true;
}

char *net_name_glob(const char *glob)
{
	size_t len = strlen(glob);
	char *path = malloc(len + 2);

	if (path && !name_path(glob, len, path)) {
		free(path);
		return strdup("/\1\1\1\1");	/* the parser lets none through */
	}
	return path;
}

/* ---- compiling ------------------------------------------------------------------------------ */

/* The number of the host NAME + 1, or 0. */
static uint32_t host_find(const struct net_rules *net, const char *name)
{
	for (size_t i = 0; i < net->n_hosts; i++)
		if (strcasecmp(net->hosts[i].name, name) == 0)
			return (uint32_t)i + 1;
	return 0;
}

/* Names are the same whatever their case. 0: no memory. */
static uint32_t host_number(struct net_rules *net, const char *name)
{
	uint32_t known = host_find(net, name);
	struct net_host *list;

	if (known)
		return known;
	list = realloc(net->hosts, (net->n_hosts + 1) * sizeof(*list));
	if (!list)
		return 0;
	net->hosts = list;
	list[net->n_hosts] = (struct net_host){ .name = strdup(name) };
	return list[net->n_hosts].name ? (uint32_t)++net->n_hosts : 0;
}

static int box_add(struct net_rules *net, struct net_box box)
{
	struct net_box *list = net->boxes;

	if ((net->n_boxes & (net->n_boxes - 1)) == 0) {
		list = realloc(list, (net->n_boxes ? 2 * net->n_boxes : 1) * sizeof(*list));
		if (!list)
			return -ENOMEM;
		net->boxes = list;
	}
	list[net->n_boxes++] = box;
	return 0;
}

static int addr_add(struct net_rules *net, const struct policy_rule *rule, const struct policy_addr *addr)
{
	struct net_box box = { .lo = addr->port_lo, .hi = addr->port_hi };
	int err = 0;

	switch (addr->kind) {
	case ADDR_CIDR:
		return box_add(net, net_box_of(addr->ip, addr->prefix, addr->port_lo, addr->port_hi));
	case ADDR_ANY:
		return box_add(net, box);
	case ADDR_HOST:	/* of netlink: the port is the family's number */
		box.host = rule->proto == PROTO_NETLINK ? 0 : host_number(net, addr->text);
		return rule->proto == PROTO_NETLINK || box.host ? box_add(net, box) : -ENOMEM;
	case ADDR_GROUP:
		for (size_t i = 0; i < ARRAY_SIZE(networks) && !err; i++)
			if (strcmp(networks[i].group, addr->text) == 0)
				err = box_add(net, net_box_of(networks[i].is.ip, networks[i].is.prefix, addr->port_lo, addr->port_hi));
		return err;
	case ADDR_ABSTRACT:
		break;
	}
	return 0;
}

static int names_add(struct net_rules *net, const struct policy_rule *rule, uint32_t number)
{
	int err = 0;

	for (size_t i = 0; i < rule->n_addrs && !err; i++) {
		if (rule->addrs[i].kind != ADDR_ABSTRACT)
			continue;
		AUTO_FREE char *glob = net_name_glob(rule->addrs[i].text);
		err = glob ? code_add(&net->names, glob, number, NULL) : -ENOMEM;
		ASSERT(err != -EINVAL);	/* the parser has looked */
	}
	return err;
}

int net_rules_compile(struct net_rules *net, const struct policy *policy)
{
	int err = 0;

	net->first = calloc(policy->n_rules + 2, sizeof(*net->first));
	net->found = calloc(policy->n_rules + 1, sizeof(*net->found));
	if (!net->first || !net->found)
		return -ENOMEM;
	for (size_t r = 0; r < policy->n_rules && !err; r++) {
		const struct policy_rule *rule = &policy->rules[r];

		if (rule->section == SECTION_NETWORK && rule->proto == PROTO_UNIX)
			err = names_add(net, rule, (uint32_t)r);
		for (size_t i = 0; net_rule(rule) && i < rule->n_addrs && !err; i++)
			err = addr_add(net, rule, &rule->addrs[i]);
		net->first[r + 1] = (uint32_t)net->n_boxes;
	}
	if (err)
		return err;
	code_sort(net->names.list, net->names.n);
	return automaton_init(&net->automaton, net->names.list, net->names.n, net->names.sets, (size_t)4 << 20);
}

void net_rules_free(struct net_rules *net)
{
	for (size_t i = 0; i < net->n_hosts; i++) {
		free(net->hosts[i].name);
		free(net->hosts[i].keys);
	}
	free(net->hosts);
	free(net->boxes);
	free(net->first);
	free(net->found);
	free(net->matching.list);
	automaton_free(&net->automaton);
	code_list_free(&net->names);
}

/* ---- matching ------------------------------------------------------------------------------- */

static bool host_has(const struct net_host *host, const struct net_key *key)
{
	for (size_t i = 0; i < host->n; i++)
		if (memcmp(&host->keys[i], key, sizeof(*key)) == 0)
			return true;
	return false;
}

/* KEY NULL: the address is not known, only the name. */
static bool box_matches(const struct net_rules *net, const struct net_box *box, const struct net_key *key, uint16_t port, uint32_t host)
{
	if (port < box->lo || port > box->hi)
		return false;
	if (box->host)
		return box->host == host || (key && host_has(&net->hosts[box->host - 1], key));
	return key ? net_box_has(box, key) : !box->len;
}

size_t net_rules_at(struct net_rules *net, const struct policy *policy, enum policy_proto proto, const struct net_key *key,
		    uint16_t port, uint32_t host)
{
	size_t n = 0;

	for (size_t r = 0; r < policy->n_rules; r++) {
		bool matches = false;

		if (!net_rule(&policy->rules[r]) || policy->rules[r].proto != proto)
			continue;
		for (uint32_t i = net->first[r]; i < net->first[r + 1] && !matches; i++)
			matches = box_matches(net, &net->boxes[i], key, port, host);
		if (matches)
			net->found[n++] = (uint32_t)r;
	}
	return n;
}

static int64_t names_match(struct net_rules *net, const struct policy_peer *peer)
{
	char path[POLICY_NAME_MAX + 2];
	automaton_state s = net->automaton.start;
	int err;

	if (peer->len > POLICY_NAME_MAX || !name_path(peer->name, peer->len, path))
		return -EINVAL;
	for (size_t i = 0; i <= peer->len && s > 0; i++) {
		s = automaton_step(&net->automaton, (uint32_t)s, (uint8_t)path[i]);
		if (s == -ENOBUFS)
			s = automaton_flush(&net->automaton);
	}
	err = s > 0 ? automaton_rules(&net->automaton, (uint32_t)s, &net->matching) : (int)s;
	if (err < 0)
		return err;
	for (size_t i = 0; i < net->matching.n; i++)
		net->found[i] = net->matching.list[i];
	return (int64_t)net->matching.n;
}

int64_t net_rules_match(struct net_rules *net, const struct policy *policy, const struct policy_peer *peer)
{
	struct net_key key = net_key_of(peer->ip);
	bool named = peer->name && peer->len;

	if (peer->proto == PROTO_UNIX)
		return names_match(net, peer);
	return (int64_t)net_rules_at(net, policy, peer->proto, named ? NULL : &key, peer->port, named ? host_find(net, peer->name) : 0);
}

/* ---- inclusion ------------------------------------------------------------------------------ */

enum compare_answer net_rules_included(const struct net_rules *net, uint32_t a, uint32_t b)
{
	enum compare_answer answer = COMPARE_YES;

	for (uint32_t i = net->first[a]; i < net->first[a + 1]; i++) {
		enum compare_answer one =
			net_box_included(&net->boxes[i], net->boxes + net->first[b], net->first[b + 1] - net->first[b]);
		if (one == COMPARE_NO)
			return one;
		if (one == COMPARE_UNKNOWN)
			answer = one;
	}
	return answer;
}

static int codes_of(struct code_list *codes, const struct policy_rule *rule, uint32_t number)
{
	int err = 0;

	for (size_t i = 0; i < rule->n_addrs && !err; i++) {
		AUTO_FREE char *glob = rule->addrs[i].kind == ADDR_ABSTRACT ? net_name_glob(rule->addrs[i].text) : NULL;
		if (rule->addrs[i].kind == ADDR_ABSTRACT)
			err = glob ? code_add(codes, glob, number, NULL) : -ENOMEM;
	}
	return err;
}

enum compare_answer net_names_included(const struct policy_rule *a, const struct policy_rule *b)
{
	struct code_list codes = { 0 };
	const struct code **sides = NULL;
	enum compare_answer answer = COMPARE_UNKNOWN;
	int err;

	if (!a->n_addrs)
		return COMPARE_YES;
	err = codes_of(&codes, a, 0);
	size_t first_b = codes.n;
	if (!err)
		err = codes_of(&codes, b, 1);
	if (!err)
		sides = malloc((codes.n + 1) * sizeof(*sides));
	for (size_t i = 0; sides && i < codes.n; i++)
		sides[i] = &codes.list[i];
	if (sides)
		answer = compare_included((struct compare_side){ sides, first_b },
					  (struct compare_side){ sides + first_b, codes.n - first_b }, codes.sets);
	free(sides);
	code_list_free(&codes);
	return answer;
}
