#include "net.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"

#define NODES_MAX 65536	/* parts of one address space looked at for one answer */
#define FAMILY_BITS 8

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

struct net_key net_key_of(const uint8_t ip[16])
{
	struct net_key key = { { 0 } };
	bool four = memcmp(ip, mapped, sizeof(mapped)) == 0;

	key.byte[0] = !four;
	memcpy(key.byte + 1, four ? ip + 12 : ip, four ? 4 : 16);
	return key;
}

void net_key_ip(const struct net_key *key, uint8_t ip[16])
{
	if (key->byte[0]) {
		memcpy(ip, key->byte + 1, 16);
		return;
	}
	memcpy(ip, mapped, sizeof(mapped));
	memcpy(ip + 12, key->byte + 1, 4);
}

struct net_box net_box_of(const uint8_t ip[16], uint8_t prefix, uint16_t lo, uint16_t hi)
{
	struct net_box box = { .lo = lo, .hi = hi };

	if (prefix >= 96) {
		box.key = net_key_of(ip);
		box.len = (uint8_t)(FAMILY_BITS + prefix - (box.key.byte[0] ? 0 : 96));
	} else {
		/* Zeros, for instance, are no mapped address, even if they are long enough to hold those. */
		box.key.byte[0] = 1;
		memcpy(box.key.byte + 1, ip, 16);
		box.len = (uint8_t)(FAMILY_BITS + prefix);
	}
	return box;
}

static bool same_bits(const struct net_key *a, const struct net_key *b, unsigned len)
{
	unsigned bytes = len / 8, rest = len % 8;

	if (memcmp(a->byte, b->byte, bytes) != 0)
		return false;
	return !rest || !((a->byte[bytes] ^ b->byte[bytes]) >> (8 - rest));
}

bool net_box_has(const struct net_box *box, const struct net_key *key)
{
	return same_bits(&box->key, key, box->len);
}

bool net_box_next(const struct net_box *box, struct net_key *next)
{
	unsigned bit = box->len;

	if (!bit)
		return false;
	*next = box->key;
	/* One is added at the last bit that counts; behind IPv4 comes IPv6. */
	unsigned at = (bit - 1) / 8, carry = 1u << (7 - (bit - 1) % 8);
	for (unsigned i = at + 1; i-- > 0 && carry;) {
		carry += next->byte[i];
		next->byte[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return next->byte[0] < 2;
}

/* ---- inclusion ------------------------------------------------------------------------------ */

struct cover {
	const struct net_box **boxes;	/* those that matter come first */
	unsigned nodes;
};

static int compare_ports(const void *a, const void *b)
{
	const struct net_box *x = *(const struct net_box *const *)a, *y = *(const struct net_box *const *)b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Do the ports of the first N boxes leave no gap from LO to HI? */
static bool ports_covered(const struct net_box **boxes, size_t n, uint32_t lo, uint32_t hi)
{
	qsort(boxes, n, sizeof(*boxes), compare_ports);
	for (size_t i = 0; i < n && lo <= hi && boxes[i]->lo <= lo; i++)
		if (boxes[i]->hi >= lo)
			lo = (uint32_t)boxes[i]->hi + 1;
	return lo > hi;
}

static bool meet(const struct net_box *a, const struct net_box *b)
{
	return a->lo <= b->hi && b->lo <= a->hi && same_bits(&a->key, &b->key, a->len < b->len ? a->len : b->len);
}

/* Is PART covered by the first N? They are only put into another order, so that whoever called still has its own. */
static enum compare_answer part_covered(struct cover *cover, const struct net_box *part, size_t n)
{
	const struct net_box **boxes = cover->boxes;
	size_t near = 0, whole = 0;
	enum compare_answer answer = COMPARE_YES;

	if (++cover->nodes > NODES_MAX)
		return COMPARE_UNKNOWN;
	for (size_t i = 0; i < n; i++)
		if (meet(part, boxes[i])) {
			const struct net_box *box = boxes[i];
			boxes[i] = boxes[near];
			boxes[near++] = box;
		}
	for (size_t i = 0; i < near; i++)
		if (boxes[i]->len <= part->len) {
			const struct net_box *box = boxes[i];
			boxes[i] = boxes[whole];
			boxes[whole++] = box;
		}
	if (ports_covered(boxes, whole, part->lo, part->hi))
		return COMPARE_YES;
	if (whole == near)
		return COMPARE_NO;
	for (unsigned half = 0; half < 2 && answer == COMPARE_YES; half++) {
		struct net_box inner = *part;
		if (!part->len) {
			inner.len = FAMILY_BITS;
			inner.key.byte[0] = (uint8_t)half;
		} else {
			inner.len++;
			if (half)
				inner.key.byte[part->len / 8] |= (uint8_t)(0x80 >> part->len % 8);
		}
		answer = part_covered(cover, &inner, near);
	}
	return answer;
}

enum compare_answer net_box_included(const struct net_box *a, const struct net_box *boxes, size_t n)
{
	struct cover cover = { .boxes = malloc((n + 1) * sizeof(*cover.boxes)) };
	enum compare_answer answer;
	size_t kept = 0;

	if (!cover.boxes)
		return COMPARE_UNKNOWN;
	for (size_t i = 0; i < n; i++)
		if (!boxes[i].host || boxes[i].host == a->host)
			cover.boxes[kept++] = &boxes[i];
	answer = part_covered(&cover, a, kept);
	free(cover.boxes);
	return answer;
}
