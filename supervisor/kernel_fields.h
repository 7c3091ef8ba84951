/* Fields of the kernel's audit records. What a program chooses has no blank in it: the kernel then writes digits. */
#ifndef USHER_KERNEL_FIELDS_H
#define USHER_KERNEL_FIELDS_H

#include <stddef.h>
#include <stdint.h>

/* " KEY=" in TEXT: what follows, or NULL. */
const char *kernel_field(const char *text, const char *key);
/* AT: "TEXT" in quotes, or its bytes in digits, into NAME; NULL: an empty one. */
void kernel_field_name(const char *at, char *name, size_t size);
/* AT: a word up to the next blank. */
void kernel_field_word(const char *at, char *word, size_t size);
/* When the record TEXT was made, CLOCK_REALTIME; -1: it does not say. */
int64_t kernel_field_time(const char *text);

#endif
