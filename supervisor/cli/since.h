/* --since. */
#ifndef USHER_CLI_SINCE_H
#define USHER_CLI_SINCE_H

#include <stdbool.h>
#include <stdint.h>

/* "90s", "15m", "12h", "7d", "2w" before now, or "2026-11-21", "2026-11-21T21:45[:29]" of local time, as CLOCK_REALTIME. False: neither. */
bool since_parse(const char *text, int64_t *ns);

#endif
