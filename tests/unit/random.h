/* The same every time. After <cmocka.h>. */
#ifndef USHER_TESTS_RANDOM_H
#define USHER_TESTS_RANDOM_H

#include <stdint.h>
#include <stdlib.h>

static uint64_t seed = 20261121;

/* First in main(): argv[1], if any, says which tests are run. */
static inline void random_begin(int argc, char **argv)
{
	const char *text = getenv("USHER_TEST_SEED");

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (text)
		seed = strtoull(text, NULL, 0) | 1;
}

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
