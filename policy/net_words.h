/* Names of netlink families. */
#ifndef USHER_NET_WORDS_H
#define USHER_NET_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* "NETLINK_ROUTE" for 0; NULL for a number without a name. */
const char *netlink_name(uint16_t family);
/* False if there is none of that name; a number is its own name. */
bool netlink_named(const char *name, uint16_t *family);

#endif
