/* The ways round a filter, closed in the filter itself. */
#ifndef USHER_HARDEN_H
#define USHER_HARDEN_H

#include "filter.h"
#include "plan.h"

struct filter_rows {
	struct filter_row *list;
	size_t n, space;
};

/* 0 or -ENOMEM. */
int filter_rows_add(struct filter_rows *rows, const struct filter_row *row);

/* Adds the rows at FILTER_FIRST that PLAN needs and the FILTER_NEVER_NOTIFY numbers. 0 or -ENOMEM. */
int harden_rows(const struct plan *plan, struct filter_rows *rows);
/* True if NR is answered by a row at FILTER_FIRST, for some arguments, whatever the policy (tests). */
bool harden_refuses(int nr);
/* A syscalls rule of POLICY allows NR by its own name, not through a group. */
bool harden_named(const struct policy *policy, int nr);
/* POLICY speaks of system calls at all. */
bool harden_has_calls(const struct policy *policy);
/* Some path may be appended to but not written. */
bool harden_append_only(const struct policy *policy);

#endif
