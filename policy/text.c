#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

enum { TEXT_MIN = 32 };	/* bytes */

void *mem_zero(size_t size)
{
	void *p = calloc(1, size);
	ASSERT(p);
	return p;
}

void *mem_push_bytes(void **list, size_t *n, size_t size)
{
	if ((*n & (*n - 1)) == 0) {
		size_t cap = *n ? *n * 2 : 1;
		ASSERT(cap <= SIZE_MAX / size);
		void *moved = realloc(*list, cap * size);
		ASSERT(moved);
		*list = moved;
	}
	char *at = (char *)*list + *n * size;
	memset(at, 0, size);
	*n += 1;
	return at;
}

char *text_dup(const char *s, size_t len)
{
	char *copy = malloc(len + 1);
	ASSERT(copy);
	if (len)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *text_copy(const char *s)
{
	return s ? text_dup(s, strlen(s)) : NULL;
}

char *text_printf(const char *format, ...)
{
	char *s = NULL;
	va_list args;
	va_start(args, format);
	ASSERT(vasprintf(&s, format, args) >= 0);
	va_end(args);
	return s;
}

void text_room(struct text *text, size_t len)
{
	if (text->len + len + 1 <= text->cap)
		return;
	size_t cap = (text->len + len + 1) * 2;
	char *moved = realloc(text->s, cap);
	ASSERT(moved);
	text->s = moved;
	text->cap = cap;
}

void text_add(struct text *text, const char *s, size_t len)
{
	text_room(text, len);
	if (len)
		memcpy(text->s + text->len, s, len);
	text->len += len;
	text->s[text->len] = '\0';
}

void text_puts(struct text *text, const char *s)
{
	text_add(text, s, strlen(s));
}

void text_addf(struct text *text, const char *format, ...)
{
	va_list args, again;
	text_room(text, TEXT_MIN);
	size_t room = text->cap - text->len;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(text->s + text->len, room, format, args);
	ASSERT(len >= 0);
	if ((size_t)len >= room) {
		text_room(text, (size_t)len);
		(void)vsnprintf(text->s + text->len, (size_t)len + 1, format, again);
	}
	va_end(again);
	va_end(args);
	text->len += (size_t)len;
}

char *text_take(struct text *text)
{
	text_add(text, "", 0);
	char *s = text->s;
	*text = (struct text){0};
	return s;
}

void strings_add(struct strings *list, char *s)
{
	*mem_push(&list->v, &list->n) = s;
}

void strings_free(struct strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct strings){0};
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *list)
{
	if (list->n)
		qsort(list->v, list->n, sizeof(*list->v), compare_strings);
}

enum { DISTANCE_MAX = 40 };

unsigned text_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned limit)
{
	size_t apart = a_len > b_len ? a_len - b_len : b_len - a_len;
	if (a_len > DISTANCE_MAX || b_len > DISTANCE_MAX || apart > limit)
		return limit + 1;

	unsigned rows[3][DISTANCE_MAX + 1];
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *twice = rows[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);
			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && twice[j - 2] + 1 < best)
				best = twice[j - 2] + 1;
			row[j] = best;
		}
	}
	unsigned found = rows[a_len % 3][b_len];
	return found > limit ? limit + 1 : found;
}

unsigned text_tolerance(size_t len)
{
	return len < 3 ? 1 : len < 8 ? 2 : 3;
}

void nearest_try(struct nearest *nearest, const char *known)
{
	unsigned limit = nearest->found ? nearest->distance - 1 : text_tolerance(nearest->len);
	size_t len = strlen(known);
	if (nearest->found && nearest->distance == 0)
		return;
	unsigned distance = text_distance(nearest->name, nearest->len, known, len, limit);
	if (distance <= limit && (distance < len || len == 1)) {	/* something must be alike, where it can be */
		nearest->distance = distance;
		nearest->found = known;
	}
}

bool text_lists(const char *list, const char *word, size_t len)
{
	for (const char *at = list; *at;) {
		size_t n = strcspn(at, " ");
		if (n == len && memcmp(at, word, len) == 0)
			return true;
		at += n + (at[n] == ' ');
	}
	return false;
}
