/* How long the name servers say that their answer holds, which getaddrinfo(3) keeps to itself. */
#ifndef USHER_TTL_H
#define USHER_TTL_H

#include <stdint.h>

/* Seconds: the shortest of what leads from NAME to its addresses. UINT32_MAX where DNS has no answer, or nobody is asked. May take as long as
 * getaddrinfo(3). */
uint32_t ttl_of(const char *name);

#endif
