#include "kernel_fields.h"

#include <stdlib.h>
#include <string.h>

const char *kernel_field(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? at + strlen(key) : NULL;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void kernel_field_name(const char *at, char *name, size_t size)
{
	size_t n = 0;

	if (at && *at == '"')
		for (at++; *at && *at != '"' && n + 1 < size; at++)
			name[n++] = *at;
	else
		for (; at && hex(at[0]) >= 0 && hex(at[1]) >= 0 && n + 1 < size; at += 2)
			name[n++] = (char)(hex(at[0]) << 4 | hex(at[1]));
	name[n] = '\0';
}

void kernel_field_word(const char *at, char *word, size_t size)
{
	size_t n = at ? strcspn(at, " \n") : 0;

	if (n >= size)
		n = size - 1;
	if (n)
		memcpy(word, at, n);
	word[n] = '\0';
}

int64_t kernel_field_time(const char *text)
{
	const char *when = kernel_field(text, "audit("), *dot = when ? strchr(when, '.') : NULL;

	return when ? strtoll(when, NULL, 10) * INT64_C(1000000000) + (dot ? atoi(dot + 1) * INT64_C(1000000) : 0) : -1;
}
