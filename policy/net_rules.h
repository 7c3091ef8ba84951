/*
 * Network rules in the engine: what each of them matches. Addresses are boxes (net.h), abstract socket names are patterns. The contest
 * between rules is the one of paths (contest.c).
 */
#ifndef USHER_NET_RULES_H
#define USHER_NET_RULES_H

#include "automaton.h"
#include "net.h"
#include "policy.h"

struct net_host {
	char *name;
	struct net_key *keys;	/* what it stands for at present */
	size_t n;
};

struct net_rules {
	struct net_box *boxes;
	uint32_t *first;	/* the boxes of rule R: first[R] .. first[R + 1] */
	size_t n_boxes;
	struct net_host *hosts;
	size_t n_hosts;
	struct code_list names;	/* abstract: see net_name_glob() */
	struct automaton automaton;
	struct automaton_rules matching;
	uint32_t *found;	/* scratch, one for each rule */
};

/* 0 or -ENOMEM. */
int net_rules_compile(struct net_rules *net, const struct policy *policy);
void net_rules_free(struct net_rules *net);

/* Is RULE about what has boxes, not about paths? */
static inline bool net_rule(const struct policy_rule *rule)
{
	return rule->section == SECTION_NETWORK && rule->proto != PROTO_UNIX;
}

/* The numbers of the rules that match PEER for one operation or another, into net->found. -ENOMEM, or how many. */
int64_t net_rules_match(struct net_rules *net, const struct policy *policy, const struct policy_peer *peer);
/* The same with an address that is known as a key, of a host that may have the name HOST (number + 1; 0: none). */
size_t net_rules_at(struct net_rules *net, const struct policy *policy, enum policy_proto proto, const struct net_key *key,
		    uint16_t port, uint32_t host);
/* Is what A matches part of what B matches? Both have boxes, and one protocol. */
enum compare_answer net_rules_included(const struct net_rules *net, uint32_t a, uint32_t b);
/* The same of their abstract names. */
enum compare_answer net_names_included(const struct policy_rule *a, const struct policy_rule *b);

/*
 * The pattern of an abstract name (without its '@') as one of paths of one component, malloc'ed: '/' and NUL, which no component has,
 * are the bytes 1 and 2.
 */
char *net_name_glob(const char *glob);

#endif
