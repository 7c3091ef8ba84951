#include "pace.h"

#include <poll.h>

#include "listener.h"
#include "now.h"

#define SPARSE_NS 100000	/* a call in so many: targets compute */
#define DENSE_NS  50000		/* they only call */

static void pace_set(struct pace *pace, int listener, bool on)
{
	if (pace->sync != on && pace->able && !listener_sync_wake(listener, on))
		pace->sync = on;
}

void pace_begin(struct pace *pace, int listener, bool able)
{
	pace->able = able;
	pace_set(pace, listener, true);
}

/* Is something queued already? Two times of the last four: parallel targets. Not once in eight: one at a time. */
void pace_sample(struct pace *pace, int listener)
{
	struct pollfd fd = { .fd = listener, .events = POLLIN };
	bool queued = poll(&fd, 1, 0) > 0 && fd.revents & POLLIN;
	uint64_t now = now_ns(), each = (now - pace->sampled_ns) / PACE_EVERY;

	pace->sampled_ns = now;
	pace->backlog = (pace->backlog << 1 | queued) & 0xff;
	if (!pace->backlog || each < DENSE_NS)
		pace_set(pace, listener, true);
	else if (each > SPARSE_NS && __builtin_popcount(pace->backlog & 0xf) >= 2)
		pace_set(pace, listener, false);
}
