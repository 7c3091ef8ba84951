/* The same every time. */
#ifndef USHER_TESTS_RANDOM_H
#define USHER_TESTS_RANDOM_H

#include <stdint.h>
#include <stdlib.h>

static uint64_t seed = 20261121;

static inline unsigned roll(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % n;
}

/* N, or as many times that as USHER_TEST_ROUNDS says. */
static inline int rounds(int n)
{
	const char *text = getenv("USHER_TEST_ROUNDS");
	return text ? n * atoi(text) : n;
}

#endif
