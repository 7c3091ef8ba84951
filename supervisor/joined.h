/* The kernel's own records of this tree become records of the audit log, and evidence about the rules that are behind them. */
#ifndef USHER_JOINED_H
#define USHER_JOINED_H

#include "filter.h"
#include "kernel_log.h"

/* Of the sandbox, which is the context. */
extern const struct kernel_log_to joined_to;
/* Does FILTER leave anything to the kernel's log alone? */
bool joined_wanted(const struct filter *filter);

#endif
