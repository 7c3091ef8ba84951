#ifndef USHER_HELP_WORDS_H
#define USHER_HELP_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* Prints all words by kind. */
void help_directives(void);
/* Prints what is known of the word NAME; false if there is none. */
bool help_word(const char *name);
/* The I-th word, NULL past the last. */
const char *help_word_at(size_t i);

#endif
