/* Names whose parts will be others next time: numbers, dates, hashes, random letters. */
#ifndef USHER_SHAPE_H
#define USHER_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

/* How sure it must be. SHAPE_WEAK: any digits, for names of which there are several. */
enum shape_kind { SHAPE_STRONG, SHAPE_MADE, SHAPE_WEAK };

/* Adds NAME (one component) as a glob in which what is volatile is a pattern. MADE: the program made it, so that letters that look
 * random are. True if anything was. */
bool shape_add(struct text *text, const char *name, size_t len, enum shape_kind kind);
/* Adds LEN bytes as the glob that matches them only. */
void shape_literal(struct text *text, const char *s, size_t len);
/* GLOB as a word of the language, with quotes if it needs them. */
void shape_word(struct text *text, const char *glob);

#endif
