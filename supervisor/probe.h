/* Probes the running kernel. */
#ifndef USHER_PROBE_H
#define USHER_PROBE_H

#include "kernel.h"

/* Fills KERNEL; features named in USHER_TEST_DISABLE are reported as absent. 0, or -EOPNOTSUPP when something
 * required is missing (*WHAT says what). */
int probe_kernel(struct kernel *kernel, const char **what);

#endif
