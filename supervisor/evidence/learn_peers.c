/*
 * Addresses. A port that the kernel chose will be another next time: from 32768 on, and 0, it becomes a range. Four hosts on one
 * port become every host.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fd.h"
#include "learn.h"
#include "shape.h"

#define CHOSEN_MIN 32768
#define HOSTS	   4

struct peer_rule {
	char *target;
	enum policy_proto proto;
	uint32_t ops;
	uint64_t calls;
	unsigned peers;
};

static bool has_port(const struct learn_peer *peer)
{
	return (peer->proto == PROTO_TCP || peer->proto == PROTO_UDP) && strrchr(peer->text, ':');
}

/* The abstract name as a pattern. No word can hold the NUL that a name may hold. */
static char *name_of(const struct learn_peer *peer)
{
	struct text pattern = { 0 };
	struct policy_peer parsed;
	char name[POLICY_NAME_MAX + 1];

	if (policy_peer_parse(peer->text, PROTO_UNIX, &parsed, name))
		return text_copy(peer->text);
	text_puts(&pattern, "@");
	for (size_t at = 0; at < parsed.len;) {
		size_t len = strnlen(name + at, parsed.len - at);
		(void)shape_add(&pattern, name + at, len, SHAPE_STRONG);
		at += len;
		if (at < parsed.len) {
			text_puts(&pattern, "?");
			at++;
		}
	}
	return text_take(&pattern);
}

/* The address as a rule has it: HOST is wide, or what stands before the port. */
static char *target_of(const struct learn_peer *peer, bool wide)
{
	const char *colon = strrchr(peer->text, ':');

	if (policy_proto_whole(peer->proto))
		return text_copy("*");
	if (peer->proto == PROTO_UNIX)
		return name_of(peer);
	if (!has_port(peer))
		return text_copy(peer->text);
	long port = strtol(colon + 1, NULL, 10);
	AUTO_FREE char *host = wide ? text_copy("*") : text_dup(peer->text, (size_t)(colon - peer->text));
	if (port >= CHOSEN_MIN)
		return text_printf("%s:%d-65535", host, CHOSEN_MIN);
	return text_printf("%s:%ld", host, port);
}

/* So many others are reached by this port. */
static unsigned hosts_of(const struct learn *learn, const struct learn_peer *peer)
{
	const char *port = strrchr(peer->text, ':');
	unsigned n = 0;

	for (size_t i = 0; i < learn->n_peers; i++) {
		const struct learn_peer *other = &learn->peers[i];
		const char *its = strrchr(other->text, ':');
		bool chosen = atoi(port + 1) >= CHOSEN_MIN && its && atoi(its + 1) >= CHOSEN_MIN;
		n += other->proto == peer->proto && other->ops == peer->ops && its && (chosen || strcmp(its, port) == 0);
	}
	return n;
}

unsigned learn_peer_rules(const struct learn *learn, enum tree_mood mood, const char *indent, struct text *text)
{
	struct peer_rule *rules = NULL;
	size_t n = 0;

	for (size_t i = 0; i < learn->n_peers; i++) {
		const struct learn_peer *peer = &learn->peers[i];
		bool wide = mood != TREE_TIGHT && has_port(peer) && !(peer->ops & OP_BIT(OP_BIND)) && hosts_of(learn, peer) >= HOSTS;
		char *target = target_of(peer, wide);
		size_t k = 0;
		while (k < n && (rules[k].proto != peer->proto || rules[k].ops != peer->ops || strcmp(rules[k].target, target) != 0))
			k++;
		if (k == n)
			*mem_push(&rules, &n) = (struct peer_rule){ .target = target, .proto = peer->proto, .ops = peer->ops };
		else
			free(target);
		rules[k].calls += peer->calls;
		rules[k].peers++;
	}
	for (size_t i = 0; i < n; i++) {
		char ops[ACCESS_OPS_TEXT];
		text_addf(text, "%sallow %s %s ", indent, access_ops_text(rules[i].ops, ops), policy_proto_name(rules[i].proto));
		if (rules[i].proto == PROTO_UNIX)
			shape_word(text, rules[i].target);
		else
			text_puts(text, rules[i].target);
		text_addf(text, ";   # %" PRIu64 " call%s", rules[i].calls, rules[i].calls == 1 ? "" : "s");
		if (rules[i].peers > 1)
			text_addf(text, " to %u", rules[i].peers);
		text_puts(text, "\n");
		free(rules[i].target);
	}
	free(rules);
	return (unsigned)n;
}
