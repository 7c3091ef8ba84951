/*
 * Whether answers wake their targets on this CPU (SYNC_WAKE_UP).
 *
 * The flag keeps both sides on one CPU. That is right for one target, which waits for its answer, and for several that
 * do little else than call: the crew is what limits them. It is wrong for several that compute meanwhile and could do so on other
 * CPUs. Every 16th time the leader asks whether something is queued already and how long a call took on average; the flag
 * follows (bench_wait: with 4 targets 17 against 26 us a call when they only call, 149 against 119 us when they compute for 150 us).
 */
#ifndef USHER_PACE_H
#define USHER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_EVERY 16

/* The leader's. */
struct pace {
	unsigned turns;
	unsigned backlog;	/* the last samples, a bit each */
	uint64_t sampled_ns;
	bool able, sync;
};

/* ABLE: the kernel has that flag. */
void pace_begin(struct pace *pace, int listener, bool able);
void pace_sample(struct pace *pace, int listener);

/* Before each wait for LISTENER. */
static inline void pace_turn(struct pace *pace, int listener)
{
	if (++pace->turns % PACE_EVERY == 0)
		pace_sample(pace, listener);
}

#endif
