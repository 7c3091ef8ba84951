/* The texts of usher help TOPIC that are not made from a table. */
#ifndef USHER_TOPICS_H
#define USHER_TOPICS_H

struct topic { const char *name, *about, *text; };

extern const struct topic topics[];	/* the last has no name */
extern const struct topic warnings[];	/* W001 ...: name, one line, text; the last has no name */

#endif
