/* The kernel's own records of this tree become records of the audit log, and evidence about the rules that are behind them. */
#ifndef USHER_JOINED_H
#define USHER_JOINED_H

#include "filter.h"
#include "kernel_log.h"

/* As kernel_log_fn; CTX is the sandbox. */
void joined_event(void *sandbox, const struct kernel_event *event, bool lost);
/* Does FILTER leave anything to the kernel's log alone? */
bool joined_wanted(const struct filter *filter);

#endif
