/*
 * Connects that the kernel decides by itself: nothing is trapped, and Landlock's rules about TCP ports are all there is.
 *
 * Landlock knows ports and no addresses, TCP and nothing else, one errno and no records. So it takes the place of the broker only where the
 * policy says the same: rules about TCP ports, and a default that denies and is `sealed`, which is the word for "the kernel answers by
 * itself". connect(2) does not tell which kind of socket it is about, so no socket may be there of which Landlock knows nothing: other
 * kinds are refused when they are made, unless everything is allowed to them. What is handed over can be of any kind, so nothing may
 * come in: unix sockets cannot be made, only pairs that are connected for good, and a program that is given a socket at its start is not
 * offloaded (cli/run_fds.c).
 */
#ifndef USHER_PORTS_H
#define USHER_PORTS_H

#include "plan.h"

#define PORTS_MAX 4096	/* each is a rule of Landlock's, which cost microseconds each at start */

/* Why Landlock cannot take the place of the broker: words, NULL if it can. *RULE is the rule that is in the way, NULL: none, or the default. */
const char *ports_obstacle(const struct plan *plan, const struct policy_rule **rule);
extern const char ports_unsealed[];	/* one of them: the default is not sealed */
/* Why RULE by itself is in the way; NULL if it is not. */
const char *ports_rule_obstacle(const struct plan *plan, const struct policy_rule *rule);

/* Everything is allowed to sockets of PROTO, which may therefore be made where the rest is left to Landlock. */
bool ports_open(const struct plan *plan, enum policy_proto proto);

/* May TCP sockets connect to PORT, wherever? Where there is no obstacle. */
bool ports_allow(const struct plan *plan, uint16_t port);
/* The next range of ports to which they may, from *LO on; false if there is none. */
bool ports_range(const struct plan *plan, uint32_t *lo, uint32_t *hi);

#endif
