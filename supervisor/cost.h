/* What a call costs under a plan, as a ratio to the same call without usher: check --plan. */
#ifndef USHER_COST_H
#define USHER_COST_H

#include "plan.h"

#define COST_SOURCE "bench/RESULTS.md"

struct access;

/* Kinds of calls that are decided alike. */
enum cost_kind { COST_READ, COST_CHANGE, COST_STAT, COST_EXEC, COST_CONNECT, COST_SOCKET, COST_OTHER, COST_KINDS };

struct cost {
	const char *key, *what;	/* the kind, for programs and for people */
	const char *layer;	/* who decides */
	double ratio;		/* 0: not measured */
};

struct cost cost_of(const struct plan *plan, enum cost_kind kind);

/* How often each was recorded. */
struct cost_use { uint64_t calls[COST_KINDS]; };

void cost_count(struct cost_use *use, const struct access *access);
/* The mean of what was recorded and measured, each call alike; 0: there is none. */
double cost_mean(const struct plan *plan, const struct cost_use *use);

#endif
