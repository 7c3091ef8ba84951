/* /dev/tty: the target's controlling terminal, not ours. */
#ifndef USHER_CALLS_TTY_H
#define USHER_CALLS_TTY_H

#include "request.h"

/* Opens the controlling terminal of the target with FLAGS; OBJECT is the pin of /dev/tty. -errno, -ENXIO if it has none. */
int tty_open(struct request *req, const struct object *object, int flags);

#endif
