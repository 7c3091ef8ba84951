/*
 * For one call a serving thread may need a capability of the supervisor while it wears the target's credentials: the kernel
 * lets a thread do to its own process what it lets others only do with it. Raw capset(2): this thread only.
 */
#ifndef USHER_RAISE_H
#define USHER_RAISE_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>

struct raised { struct __user_cap_data_struct before[2]; };

/* Adds CAPS (a mask) to the effective set. False if the supervisor does not have them or they are there already. */
bool raise_caps(struct raised *raised, uint64_t caps);
void raise_end(const struct raised *raised);

#endif
