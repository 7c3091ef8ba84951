/* Errors are -errno everywhere. The impossible is an assertion that is on in every build. */
#ifndef USHER_ERR_H
#define USHER_ERR_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define ASSERT(cond)                                                                       \
	((cond) ? (void)0                                                                  \
		: (fprintf(stderr, "usher: internal error: %s:%d: %s\n", __FILE__, __LINE__, \
			   #cond),                                                         \
		   abort()))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
