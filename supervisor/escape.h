/* Bytes of others as text that may be shown: no file name paints the terminal. */
#ifndef USHER_ESCAPE_H
#define USHER_ESCAPE_H

#include <stddef.h>

#include "text.h"

/* The length of the UTF-8 sequence at S (LEN > 0 bytes), 0 if it is none: no overlong forms, no surrogates.
 */
size_t utf8_sequence(const char *s, size_t len);
/* Adds S; control characters, characters that hide or reorder text, and what is not UTF-8 as \n, \t, \xHH. */
void escape_add(struct text *text, const char *s, size_t len);

#endif
