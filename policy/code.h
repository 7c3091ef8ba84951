/*
 * Patterns as code: what a glob becomes once its braces are multiplied out.
 *
 * A glob is a union of codes. A code is a string of bytes in which 0, which no path contains, starts an
 * instruction, so that codes sort and share prefixes like strings:
 *
 *   c            the byte c (a component begins with its '/')
 *   0 ANY        one byte other than '/'
 *   0 STAR       any number of them
 *   0 SET a b c  one byte of set number a b c (7 bits each, the high bit set)
 *   0 DEEP       any number of whole components, each with its '/' in front
 *
 * Root is the empty string: a path is a sequence of '/' name, and the caller turns "/" into "". Two
 * DEEPs never follow each other, nor do two STARs, and ANYs stand before the STAR beside them.
 */
#ifndef USHER_CODE_H
#define USHER_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CODE_ANY = 1, CODE_STAR = 2, CODE_DEEP = 3, CODE_SET = 4 };
#define CODE_SET_LEN 5
#define CODE_MAX_ALTERNATIVES 1024

struct code {
	const uint8_t *bytes;
	uint32_t len;
	uint32_t rule;
};

struct code_set { uint64_t bits[4]; };

struct code_list {
	struct code *list;
	size_t n, size;
	struct code_set *sets;		/* each is there once */
	uint32_t n_sets, size_sets;
	uint32_t *set_table;		/* index + 1 by hash; 2 * size_sets slots */
	struct code_block *blocks;	/* where the bytes are */
	size_t memory;
};

struct code_error { size_t at; const char *why; };

/* Appends the codes of GLOB, marked RULE. 0, -EINVAL with ERROR (may be NULL), or -ENOMEM. */
int code_add(struct code_list *codes, const char *glob, uint32_t rule, struct code_error *error);
/* Of that, the parts: appends a copy of the LEN bytes, and finds or adds SET. 0 or -ENOMEM. */
int code_list_put(struct code_list *codes, const uint8_t *bytes, uint32_t len, uint32_t rule);
int code_list_set(struct code_list *codes, const struct code_set *set, uint32_t *number);
void code_list_free(struct code_list *codes);
/* By bytes, then by rule. */
void code_sort(struct code *list, size_t n);

/* How many bytes of CODE stand before its first instruction. */
uint32_t code_literal(const struct code *code);

static inline bool code_set_has(const struct code_set *set, uint8_t byte)
{
	return set->bits[byte >> 6] >> (byte & 63) & 1;
}

static inline uint32_t code_set_number(const uint8_t *at)
{
	return (uint32_t)(at[2] & 127) << 14 | (uint32_t)(at[3] & 127) << 7 | (uint32_t)(at[4] & 127);
}

#endif
