/*
 * Addresses and ports as sets: a box is all addresses with one prefix, and a range of ports.
 *
 * An address is a string of bits, so that inclusion can be decided bit by bit: first the family (one byte: 0 for IPv4, 1 for IPv6),
 * then its 32 or 128 bits. An IPv4 address mapped into IPv6 is the IPv4 address, always: so [::/0] is every IPv6 address, and
 * none of IPv4.
 */
#ifndef USHER_NET_H
#define USHER_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compare.h"

#define NET_KEY 17

struct net_key { uint8_t byte[NET_KEY]; };	/* bits behind the address are 0 */

struct net_box {
	struct net_key key;
	uint8_t len;		/* bits of KEY that count: 0 (every address), or 8 and more */
	uint16_t lo, hi;	/* ports, both included */
	uint32_t host;		/* number of a host name + 1: its addresses, whichever they are. .len is 0 then */
};

/* IP as in struct policy_addr: IPv4 is mapped. */
struct net_key net_key_of(const uint8_t ip[16]);
void net_key_ip(const struct net_key *key, uint8_t ip[16]);
/* Of an address with PREFIX bits of 128 (IPv4: 96 and more). */
struct net_box net_box_of(const uint8_t ip[16], uint8_t prefix, uint16_t lo, uint16_t hi);

/* Is the address in the box, its port aside? Not for hosts. */
bool net_box_has(const struct net_box *box, const struct net_key *key);
/* The address behind the last one of BOX; false if there is none. */
bool net_box_next(const struct net_box *box, struct net_key *next);

/* Is every address and port of A in one of BOXES? Those of hosts count as what they must include at least: of a host with the same
 * name all that A is, otherwise nothing; and A's own, where it is a host, may be any address. */
enum compare_answer net_box_included(const struct net_box *a, const struct net_box *boxes, size_t n);

#endif
