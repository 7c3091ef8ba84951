/* What an execve has started, compared with what was judged. */
#ifndef USHER_STARTED_H
#define USHER_STARTED_H

#include <sys/types.h>

#include "policy.h"

/* PID has a new image and has not run any of it: NULL if that is DEV/INO, or what is wrong with it. */
const char *started_wrong(const struct policy *policy, pid_t pid, dev_t dev, ino_t ino);

#endif
