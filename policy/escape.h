/* Bytes of others as text: for terminals (no file name paints one), for JSON, for shells. */
#ifndef USHER_ESCAPE_H
#define USHER_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

/* The length of the UTF-8 sequence at S (LEN > 0 bytes), 0 if it is none: no overlong forms, no surrogates. */
size_t utf8_sequence(const char *s, size_t len);
/* Adds S; control characters, characters that hide or reorder text, and what is not UTF-8 as \n, \t, \xHH. */
void escape_add(struct text *text, const char *s, size_t len);
/* The same, malloc'ed. */
char *escape_dup(const char *s, size_t len);

/* Adds S as a JSON string with its quotes; bytes that are not UTF-8 become \xHH (in JSON: \\xHH). True if there were such. */
bool escape_json(struct text *text, const char *s, size_t len);
void escape_base64(struct text *text, const char *s, size_t len);
/* Up to what is no digit. Malloc'ed, NUL-ended. */
char *escape_base64_undo(const char *coded);

/* Adds S as one word of a shell. */
void escape_shell(struct text *text, const char *s, size_t len);

#endif
