#include "seen.h"

#include <stdlib.h>

#define SEEN_MAX (1U << 16)

static void seen_grow(struct seens *seens)
{
	size_t size = seens->size ? seens->size * 2 : 64;
	struct seen *bigger = size <= SEEN_MAX ? calloc(size, sizeof(*bigger)) : NULL;
	if (!bigger) {
		seens->full = true;
		return;
	}
	for (size_t i = 0; i < seens->size; i++) {
		size_t at = seens->list[i].hash & (size - 1);
		while (seens->list[i].hash && bigger[at].hash)
			at = (at + 1) & (size - 1);
		if (seens->list[i].hash)
			bigger[at] = seens->list[i];
	}
	free(seens->list);
	seens->list = bigger;
	seens->size = size;
}

struct seen *seen_get(struct seens *seens, uint64_t hash)
{
	if (!seens->full && seens->n * 4 >= seens->size * 3)
		seen_grow(seens);
	for (size_t i = 0, at = hash; i < seens->size; i++, at++) {
		struct seen *seen = &seens->list[at & (seens->size - 1)];
		if (seen->hash == hash)
			return seen;
		if (!seen->hash && seens->full)
			return NULL;
		if (!seen->hash) {
			*seen = (struct seen){ .hash = hash, .shown_s = INT64_MIN / 2 };
			seens->n++;
			return seen;
		}
	}
	return NULL;
}
