/* Addresses of network rules. Unix pathnames are patterns of the rule. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "net_rules.h"
#include "net_words.h"
#include "parse.h"
#include "pattern.h"

struct problem {
	char message[200], help[200];
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct problem *problem, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(problem->message, sizeof(problem->message), format, args);
	va_end(args);
	return false;
}

__attribute__((format(printf, 2, 3))) static bool help(struct problem *problem, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(problem->help, sizeof(problem->help), format, args);
	va_end(args);
	return false;
}

static bool parse_port(const char *s, size_t len, uint16_t *port)
{
	uint32_t value = 0;
	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(s[i] - '0');
	}
	*port = (uint16_t)value;
	return value <= UINT16_MAX;
}

static bool parse_ports(const char *s, struct policy_addr *addr, struct problem *problem)
{
	if (strcmp(s, "*") == 0)
		return true;
	const char *dash = strchr(s, '-');
	size_t len = dash ? (size_t)(dash - s) : strlen(s);
	bool good = parse_port(s, len, &addr->port_lo);
	addr->port_hi = addr->port_lo;
	if (good && dash)
		good = parse_port(dash + 1, strlen(dash + 1), &addr->port_hi);
	if (!good) {
		wrong(problem, "'%.40s' is no port", s);
		return help(problem, "ports are 443, 8080-8089 or *");
	}
	if (addr->port_lo > addr->port_hi)
		return wrong(problem, "the range %u-%u is empty", addr->port_lo, addr->port_hi);
	return true;
}

static bool parse_prefix(const char *s, size_t len, unsigned bits, uint8_t *prefix, struct problem *problem)
{
	uint16_t value = 0;
	if (len > 3 || !parse_port(s, len, &value) || value > bits) {
		wrong(problem, "'/%.*s' is no length of a network", (int)(len > 40 ? 40 : len), s);
		return help(problem, "it is a number from 0 to %u", bits);
	}
	*prefix = (uint8_t)(128 - bits + value);
	return true;
}

/* Bits behind the prefix would be ignored, and are probably a mistake. */
static bool check_host_bits(struct policy_addr *addr, bool four, struct problem *problem)
{
	uint8_t masked[16];
	for (unsigned i = 0; i < 16; i++) {
		unsigned left = addr->prefix > i * 8 ? addr->prefix - i * 8 : 0;
		unsigned keep = left >= 8 ? 0xff : (0xff00u >> left) & 0xff;
		masked[i] = (uint8_t)(addr->ip[i] & keep);
	}
	if (memcmp(masked, addr->ip, 16) == 0)
		return true;
	char text[INET6_ADDRSTRLEN];
	inet_ntop(four ? AF_INET : AF_INET6, four ? masked + 12 : masked, text, sizeof(text));
	wrong(problem, "the address has bits behind its network's length");
	return help(problem, four ? "did you mean '%s/%u'?" : "did you mean '[%s/%u]'?", text,
		    four ? addr->prefix - 96u : addr->prefix);
}

static bool parse_six(const char *text, struct policy_addr *addr, struct problem *problem)
{
	const char *close = strchr(text, ']');
	const char *slash = strchr(text, '/');
	if (!close || (close[1] && close[1] != ':')) {
		wrong(problem, "'%.60s' is no address", text);
		return help(problem, "an IPv6 address looks like [fd00::1]:443 or [fd00::/8]:*");
	}
	if (slash > close)
		slash = NULL;
	size_t len = (size_t)((slash ? slash : close) - text) - 1;
	char host[INET6_ADDRSTRLEN] = "";
	if (len < sizeof(host))
		memcpy(host, text + 1, len);
	if (inet_pton(AF_INET6, host, addr->ip) != 1)
		return wrong(problem, "'%.*s' is no IPv6 address", (int)(len > 60 ? 60 : len), text + 1);
	addr->prefix = 128;
	if (slash && !parse_prefix(slash + 1, (size_t)(close - slash) - 1, 128, &addr->prefix, problem))
		return false;
	return check_host_bits(addr, false, problem) && (!close[1] || parse_ports(close + 2, addr, problem));
}

static bool parse_host(const char *text, struct policy_addr *addr, struct problem *problem)
{
	const char *colon = strchr(text, ':');
	if (colon && strchr(colon + 1, ':')) {
		wrong(problem, "an IPv6 address stands in brackets");
		const char *port = strrchr(text, ':') + 1;
		int before = (int)(port - 1 - text);
		bool with_port = *port && strspn(port, "0123456789") == strlen(port) && before > 1 && text[before - 1] != ':' && before < 60;
		return with_port ? help(problem, "write '[%.*s]:%s' for that port, '[%.60s]' for all ports of another address", before, text, port, text)
				 : help(problem, "did you mean '[%.60s]'?", text);
	}
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	char host[254] = "";
	if (len == 0 || len >= sizeof(host))
		return wrong(problem, "'%.60s' is no address", text);
	memcpy(host, text, len);

	char *slash = strchr(host, '/');
	if (slash)
		*slash++ = '\0';
	if (strspn(host, "0123456789.") == strlen(host)) {
		uint8_t four[4];
		if (inet_pton(AF_INET, host, four) != 1)
			return wrong(problem, "'%.60s' is no IPv4 address", host);
		memset(addr->ip + 10, 0xff, 2);
		memcpy(addr->ip + 12, four, 4);
		addr->prefix = 128;
		if (slash && !parse_prefix(slash, strlen(slash), 32, &addr->prefix, problem))
			return false;
		if (!check_host_bits(addr, true, problem))
			return false;
	} else {
		bool good = !slash && host[0] != '-' && host[0] != '.';
		for (const char *s = host; *s; s++)
			good &= (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
				*s == '-' || *s == '.' || *s == '_';
		if (!good)
			return wrong(problem, "'%.60s' is no address", text);
		addr->kind = ADDR_HOST;
		addr->text = text_dup(host, len);
	}
	return !colon || parse_ports(colon + 1, addr, problem);
}

/* What is left of an address that belongs to no group. ADDR->text is the caller's, also after a mistake. */
static bool address_parse(const char *text, enum policy_proto proto, struct policy_addr *addr, struct problem *problem)
{
	addr->port_hi = UINT16_MAX;
	bool nameless = proto == PROTO_ICMP || proto == PROTO_NETLINK || policy_proto_whole(proto);
	if (strcmp(text, "*") == 0 && nameless) {
		addr->kind = ADDR_ANY;
		return true;
	}
	if (policy_proto_whole(proto)) {
		wrong(problem, "%s sockets are allowed or denied as a whole", policy_proto_name(proto));
		return help(problem, "write 'connect %s *'", policy_proto_name(proto));
	}
	if (proto == PROTO_NETLINK) {
		addr->kind = ADDR_HOST;
		addr->text = text_copy(text);
		bool good = netlink_named(text, &addr->port_lo);
		addr->port_hi = addr->port_lo;
		return good || help(problem, "write NETLINK_ROUTE, for example, or '*'") ||
		       wrong(problem, "'%.60s' is no netlink family", text);
	}
	if (*text == '[')
		return parse_six(text, addr, problem);
	if (strcmp(text, "*") == 0) {
		wrong(problem, "'*' names no port");
		return help(problem, "'*:443' is one port everywhere, '*:*' is every port");
	}
	if (strncmp(text, "*:", 2) == 0) {
		addr->kind = ADDR_ANY;
		return parse_ports(text + 2, addr, problem);
	}
	const char *star = strpbrk(text, "*?{[");
	const char *colon = strchr(text, ':');
	if (star && (!colon || star < colon)) {
		wrong(problem, "wildcard host names cannot be checked at connect time");
		return help(problem, "the broker sees addresses, not names; list the names, use a CIDR, or redirect to a proxy");
	}
	return parse_host(text, addr, problem);
}

static void report(struct parser *parser, const struct token *token, const struct problem *problem)
{
	struct policy_diag *diag = parse_error(parser, token, "%s", problem->message);
	if (*problem->help)
		policy_diag_help(diag, "%s", problem->help);
}

static void address_add(struct parser *parser, const struct token *token, const struct value *value, void *ctx,
			unsigned depth);

static void address_group(struct parser *parser, const struct token *token, const char *name,
			  struct policy_rule *rule, unsigned depth)
{
	struct loader *loader = parser->loader;
	if (word_find(WORD_BIT(WORD_NETWORKS), name, strlen(name))) {
		*mem_push(&rule->addrs, &rule->n_addrs) =
			(struct policy_addr){.kind = ADDR_GROUP, .text = text_copy(name),
					     .port_hi = UINT16_MAX, .pos = token->pos};
		return;
	}
	struct definition *group = definition_find(&loader->groups, name, strlen(name));
	if (!group) {
		struct policy_diag *diag = parse_error(parser, token, "unknown group of addresses '%.60s'", name);
		const char *near = word_nearest(WORD_BIT(WORD_NETWORKS), name, strlen(name));
		policy_diag_nearest(diag, near ? near : definition_nearest(&loader->groups, name, strlen(name)));
		return;
	}
	group_members(parser, token, group, address_add, rule, depth);
}

static void abstract_add(struct parser *parser, const struct token *token, const char *pattern, struct policy_rule *rule)
{
	AUTO_FREE char *glob = net_name_glob(pattern);
	const char *why = "it holds the bytes 1 or 2";
	if (strpbrk(pattern, "\1\2") || strlen(pattern) > POLICY_NAME_MAX || pattern_check(glob, &why))
		parse_error(parser, token, "bad pattern of an abstract name: %s", why);
	else
		*mem_push(&rule->addrs, &rule->n_addrs) = (struct policy_addr){
			.kind = ADDR_ABSTRACT, .text = text_copy(pattern), .port_hi = UINT16_MAX, .pos = token->pos};
}

static void address_add(struct parser *parser, const struct token *token, const struct value *value, void *ctx,
			unsigned depth)
{
	struct policy_rule *rule = ctx;
	if (++parser->loader->n_words > MAX_WORDS)
		return;	/* the next word complains */
	if (rule->proto == PROTO_UNIX) {
		if (value->glob[0] == '@' && value->glob[1])
			abstract_add(parser, token, value->glob + 1, rule);
		else
			path_add(parser, token, value, &rule->patterns, &rule->n_patterns);
		return;
	}
	AUTO_FREE char *text = value_text(value, NULL);
	struct problem problem = {0};
	if (text && *text == '@') {
		address_group(parser, token, text, rule, depth);
	} else if (*text == '/') {
		wrong(&problem, "a path is an address of 'unix' only");
		report(parser, token, &problem);
	} else {
		struct policy_addr addr = {.pos = token->pos};
		if (address_parse(text, rule->proto, &addr, &problem)) {
			*mem_push(&rule->addrs, &rule->n_addrs) = addr;
		} else {
			free(addr.text);
			report(parser, token, &problem);
		}
	}
}

bool parse_addresses(struct parser *parser, struct policy_rule *rule)
{
	return parse_list(parser, "an address", address_add, rule);
}

bool parse_address_target(struct parser *parser, enum policy_proto proto, char **target)
{
	const struct token token = parser->lex.token;
	AUTO_FREE char *text = NULL;
	if (!parse_word_text(parser, "a target", &text))
		return false;
	bool path = *text == '/' || *text == '@';
	const char *family = proto == PROTO_UNIX ? "unix" : proto == PROTO_UDP ? "udp" : "tcp";
	if (path != (proto == PROTO_UNIX)) {
		parse_error(parser, &token, "a redirect keeps the family of the socket (%s to %s)", family, family);
		return true;
	}
	if (!path) {
		struct problem problem = {0};
		struct policy_addr addr = {0};
		bool good = address_parse(text, proto, &addr, &problem);
		free(addr.text);
		if (!good) {
			report(parser, &token, &problem);
			return true;
		}
		if (addr.kind == ADDR_ANY || (addr.kind == ADDR_CIDR && addr.prefix != 128) || addr.port_lo != addr.port_hi) {
			policy_diag_help(parse_error(parser, &token, "a target is one address and one port"),
					 "for example 127.0.0.1:3128");
			return true;
		}
	}
	*target = text_copy(text);
	return true;
}

bool address_of(const char *text, enum policy_proto proto, struct policy_addr *addr)
{
	struct problem problem = {0};
	return address_parse(text, proto, addr, &problem);
}

bool address_check(const char *text, enum policy_proto proto)
{
	struct policy_addr addr = {0};
	bool good = address_of(text, proto, &addr);
	free(addr.text);
	return good;
}

/* Operations that cannot be told apart are one: to connect a datagram socket and then to send is to send somewhere; and whoever has a
 * netlink, vsock, packet or raw socket has all of it. */
uint32_t network_ops(const struct policy_rule *rule)
{
	static const uint32_t reach = OP_BIT(OP_CONNECT) | OP_BIT(OP_SENDTO);
	switch (rule->proto) {
	case PROTO_UDP:
	case PROTO_ICMP:
		return rule->ops & reach ? rule->ops | reach : rule->ops;
	case PROTO_NETLINK:
	case PROTO_VSOCK:
	case PROTO_PACKET:
	case PROTO_RAW:
		return OPS_NETWORK;
	default:
		return rule->ops;
	}
}
