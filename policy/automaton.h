/* One automaton for many patterns, determinised as paths come by. Not locked: its owner is. */
#ifndef USHER_AUTOMATON_H
#define USHER_AUTOMATON_H

#include "code.h"

/* A state is the offset of its row in .rows; 0 stands for "not computed yet". Negative: -errno. */
typedef int64_t automaton_state;

/* A set of codes that share their first DEPTH bytes: codes[lo..hi). */
struct automaton_item { uint32_t lo, hi, depth; };
#define ITEM_DEEP (UINT32_C(1) << 31)	/* in depth: inside a component that a DEEP swallows */

struct automaton_items {
	struct automaton_item *list;
	uint32_t n, size;
};

struct automaton {
	const struct code *codes;	/* borrowed, sorted */
	uint32_t n_codes;
	const struct code_set *sets;	/* borrowed */
	uint8_t class[256];
	uint32_t n_classes;		/* the row's word [n_classes] is the owner's mark, 0 in a new state */
	uint32_t stride;

	uint32_t *rows;
	uint32_t n_states, size_states;
	struct automaton_node { uint32_t items, n_items, hash; } *nodes;
	struct automaton_items items;	/* of all states */
	uint32_t *table;		/* state number by hash of its items */
	uint32_t table_size;
	struct automaton_items next;	/* the state being made */

	uint32_t start, dead;
	uint64_t generation;		/* states are good as long as this stays the same */
	size_t limit;			/* bytes of states, unless there are only a few */
};

/* CODES must be sorted, fewer than 2^31 and shorter than 2^31; they and SETS must outlive AUTOMATON.
 * 0 or -ENOMEM; free it in either case. */
int automaton_init(struct automaton *a, const struct code *codes, size_t n, const struct code_set *sets, size_t limit);
void automaton_free(struct automaton *a);

/* The state after BYTE. -ENOBUFS: it would not fit the limit; automaton_flush() gives it room. */
automaton_state automaton_step(struct automaton *a, uint32_t state, uint8_t byte);
/* Forgets all states but the one that automaton_step() could not place, and returns that. */
automaton_state automaton_flush(struct automaton *a);
/* Forgets all states. Needs no memory. */
void automaton_reset(struct automaton *a);

/* The rules of the codes that end in STATE, each once, ascending, in a buffer of the caller that grows.
 * 0 or -ENOMEM. */
struct automaton_rules { uint32_t *list; size_t n, size; };
int automaton_rules(const struct automaton *a, uint32_t state, struct automaton_rules *rules);

size_t automaton_memory(const struct automaton *a);

/* The known state after the LEN bytes of PATH from STATE, or 0. "/" is no bytes. */
static inline uint32_t automaton_walk(const struct automaton *a, uint32_t state, const char *path, size_t len)
{
	const uint32_t *rows = a->rows;
	const uint8_t *class = a->class;
	const uint8_t *p = (const uint8_t *)path, *end = p + len;

	while (p < end)		/* row 0 is all 0: what is not known stays so */
		state = rows[state + class[*p++]];
	return state;
}

static inline uint32_t *automaton_mark(struct automaton *a, uint32_t state)
{
	return &a->rows[state + a->n_classes];
}

#endif
