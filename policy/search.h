/* Breadth-first search through pairs of automata, over the strings that are paths. */
#ifndef USHER_SEARCH_H
#define USHER_SEARCH_H

#include "automaton.h"

/* Where in a path a string stands. Names are neither empty nor "." nor "..". */
enum search_place { PLACE_ROOT, PLACE_SLASH, PLACE_DOT, PLACE_DOTDOT, PLACE_NAME };

static inline bool search_is_path(enum search_place place)
{
	return place == PLACE_ROOT || place == PLACE_NAME;
}

struct search_node {
	uint32_t s, t;		/* states of the two automata */
	uint32_t parent;	/* index of the node before, UINT32_MAX for the first */
	uint8_t place;		/* enum search_place */
	uint8_t byte;		/* the byte that led here */
};

struct search {
	struct automaton *a, *b;	/* B: NULL, or A again, or another one */
	struct search_node *nodes;	/* in the order they were found */
	size_t n, size, budget;
	uint32_t *table;
	size_t table_size;
	uint8_t bytes[256];		/* one of each kind of byte that matters */
	unsigned n_bytes;
};

/* 0 or -ENOMEM; free it in either case. BUDGET: nodes. */
int search_init(struct search *search, struct automaton *a, struct automaton *b, size_t budget);
void search_free(struct search *search);
/* Adds a node where there was none. 0, -ENOMEM, or -E2BIG when the budget is spent. */
int search_add(struct search *search, struct search_node node);
/* Adds all that follow node number AT. 0, -ENOMEM, or -E2BIG; -E2BIG also when an automaton is full. */
int search_expand(struct search *search, size_t at);
/* Do S and T lead to the same, whatever follows, for rules that COUNTS is true of? (False is no proof of the contrary.) */
bool search_alike(const struct automaton *a, uint32_t s, uint32_t t, bool (*counts)(const void *ctx, uint32_t rule), const void *ctx);
/* The string that led to node number AT: its length, or -E2BIG if it does not fit SIZE with its NUL. */
int search_string(const struct search *search, size_t at, char *string, size_t size);

#endif
