/*
 * What calls are decided by: one policy with its plan and what was made of them. It never changes once it decides.
 *
 * A request takes the current one when it begins and gives it back when it is over, so that all of a call is decided by one policy,
 * however often a new one is put in its place meanwhile. No lock: the one atomic word that says which one is current also
 * counts how often it was taken; what is given back is counted in the ruleset itself. Once it was replaced, the two meet at zero when
 * the last request is over, and the loop's thread frees it.
 */
#ifndef USHER_RULESET_H
#define USHER_RULESET_H

#include <stdatomic.h>
#include <sys/types.h>

#include "loop.h"
#include "plan.h"
#include "rate.h"

struct audit;
struct hosts;
struct substitutes;
struct rulesets;

struct own_file { dev_t dev; ino_t ino; bool above; };	/* above: a directory that leads to one */

struct hit { _Atomic uint64_t used, would; };	/* decided; would have denied */

struct ruleset {
	const struct policy *policy;
	struct plan plan;
	struct substitutes *substitutes;	/* NULL: no file is replaced */
	struct hosts *hosts;		/* NULL: no rule names one */
	struct rates rates;
	struct own_file *own;		/* usher's own, where the target may change what paths mean; else NULL */
	size_t n_own;
	struct hit *hits;		/* of each rule, and behind them of each section's default */
	bool strict_exec;		/* images are limited by rules of the policy, not only usher's own files by usher */
	bool beneath;			/* some rule asks for the links that were met */

	/* of the rulesets */
	struct policy *owned;		/* .policy, if it is to be freed with this */
	_Atomic int64_t balance;
	unsigned slot;
	struct rulesets *home;
	struct loop_op gone;
};

/* PLAN, with its policy, is copied. POLICY, if not NULL, is the plan's and owned from now on, also on failure. May wait for host names, of
 * which AUDIT (may be NULL) hears. 0 or -errno. */
int ruleset_new(struct ruleset **ruleset, const struct plan *plan, struct policy *policy, struct audit *audit);
/* One more call was decided so; SECTION: whose default that is where no rule was. Any thread. */
void ruleset_count(struct ruleset *ruleset, const struct policy_decision *decision, enum policy_section section);
/* One that was never put to use. */
void ruleset_free(struct ruleset *ruleset);

#define RULESETS_MAX 64		/* at a time: replaced ones that calls which wait still need */

struct rulesets {
	struct loop *loop;
	void (*retired)(void *ctx, struct ruleset *ruleset);	/* on the loop's thread, before one is freed that was replaced; or NULL */
	void *ctx;
	_Atomic uint64_t current;	/* the slot in the upper 16 bits, how often it was taken in the others */
	struct ruleset *slots[RULESETS_MAX];	/* written by the loop's thread */
};

void rulesets_init(struct rulesets *rulesets, struct loop *loop, struct ruleset *first);
/* From here on no host name is looked up any more. */
void rulesets_stop(struct rulesets *rulesets);
/* On the loop's thread, when nobody has one any more. */
void rulesets_free(struct rulesets *rulesets);
/* The current one, to be given back. Any thread. */
struct ruleset *ruleset_take(struct rulesets *rulesets);
/* Once more, by who has it already. */
void ruleset_hold(struct ruleset *ruleset);
void ruleset_put(struct ruleset *ruleset);
/* On the loop's thread: NEXT decides every call that begins from now on, and is owned. 0, or -EBUSY: too many are still needed; NEXT is
 * the caller's then. */
int rulesets_swap(struct rulesets *rulesets, struct ruleset *next);
/* On the loop's thread, without taking it: good until the next swap. */
struct ruleset *rulesets_current(struct rulesets *rulesets);
/* How many there are. */
unsigned rulesets_count(const struct rulesets *rulesets);

#endif
