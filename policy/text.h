/*
 * Memory and strings of the front-end. A policy is read once, before a program starts or at a reload, and
 * its size is bounded (parse.h), so an allocation that fails here is treated as the impossible: these
 * functions never return NULL.
 */
#ifndef USHER_TEXT_H
#define USHER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *mem_zero(size_t size);
/* SIZE bytes more at the end of a list of *N elements that only ever grows through here (its capacity is
 * the power of two that holds *N). The zeroed new element; *LIST moves. */
#define mem_push(list, n) ((__typeof__(*(list)))mem_push_bytes((void **)(list), (n), sizeof(**(list))))
void *mem_push_bytes(void **list, size_t *n, size_t size);

char *text_dup(const char *s, size_t len);
char *text_copy(const char *s);	/* NULL stays NULL */
__attribute__((format(printf, 1, 2))) char *text_printf(const char *format, ...);

/* A string that grows. Zero it to begin; text_take() hands it over, never NULL. */
struct text {
	char *s;
	size_t len, cap;
};
void text_add(struct text *text, const char *s, size_t len);
void text_puts(struct text *text, const char *s);
void text_room(struct text *text, size_t len);	/* for so many bytes more, in one allocation */
__attribute__((format(printf, 2, 3))) void text_addf(struct text *text, const char *format, ...);	/* nothing of TEXT may be in it */
char *text_take(struct text *text);

struct strings {
	char **v;
	size_t n;
};
void strings_add(struct strings *list, char *s);
void strings_free(struct strings *list);
void strings_sort(struct strings *list);

/* Edit distance with swaps of neighbours, at most LIMIT + 1. Words over 40 bytes are far from all. */
unsigned text_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned limit);
/* How far a word of LEN bytes may be from what was meant. */
unsigned text_tolerance(size_t len);

/* Which of many words was meant by NAME? .found is the nearest that was tried, or NULL. */
struct nearest {
	const char *name;
	size_t len;
	unsigned distance;	/* of .found */
	const char *found;
};
void nearest_try(struct nearest *nearest, const char *known);

/* Is the LEN bytes long WORD one of LIST, which has single blanks between its words? */
bool text_lists(const char *list, const char *word, size_t len);

#endif
