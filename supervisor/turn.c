#include "turn.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"

#define TICK_NS     (CREW_STUCK_MS * 1000000L / 2)
#define HASTE_NS    (CREW_STUCK_US * 1000L / 2)
#define QUIET_TICKS 20		/* then the watcher sleeps for good */

enum watch { WATCH_AWAKE, WATCH_ASLEEP };

static int futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return (int)syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

void turn_begin(struct turn *turn, uint64_t *mine)
{
	atomic_store(&turn->count, ++*mine);
	if (atomic_load(&turn->watch) == WATCH_ASLEEP && atomic_exchange(&turn->watch, WATCH_AWAKE) == WATCH_ASLEEP)
		(void)futex(&turn->watch, FUTEX_WAKE, 1, NULL);
}

bool turn_end(struct turn *turn, uint64_t *mine)
{
	uint64_t count = (*mine)++;

	if (atomic_compare_exchange_strong(&turn->count, &count, count + 1))
		return true;
	atomic_fetch_sub(&turn->stuck, 1);
	return false;
}

static void watch_tick(struct turn *turn)
{
	struct timespec tick = { .tv_nsec = atomic_load(&turn->stuck) ? HASTE_NS : TICK_NS };

	(void)futex(&turn->watch, FUTEX_WAIT, WATCH_AWAKE, &tick);
}

static void watch_sleep(struct turn *turn, uint64_t seen)
{
	atomic_store(&turn->watch, WATCH_ASLEEP);
	/* Against the leader, which writes .count and then reads .watch. */
	while (atomic_load(&turn->watch) == WATCH_ASLEEP && atomic_load(&turn->count) == seen && !atomic_load(&turn->stopping))
		(void)futex(&turn->watch, FUTEX_WAIT, WATCH_ASLEEP, NULL);
	atomic_store(&turn->watch, WATCH_AWAKE);
}

bool turn_watch(struct turn *turn, uint64_t *mine)
{
	uint64_t seen = atomic_load(&turn->count);
	unsigned quiet = 0;

	while (!atomic_load(&turn->stopping)) {
		uint64_t now;

		watch_tick(turn);
		now = atomic_load(&turn->count);
		if (now != seen) {
			seen = now;
			quiet = 0;
		} else if (now & 1) {
			if (atomic_compare_exchange_strong(&turn->count, &now, now + 1)) {
				atomic_fetch_add(&turn->stuck, 1);
				*mine = seen + 1;
				return true;
			}
		} else if (++quiet > QUIET_TICKS) {
			watch_sleep(turn, seen);
			quiet = 0;
		}
	}
	return false;
}

void turn_stop(struct turn *turn)
{
	atomic_store(&turn->stopping, true);
	atomic_store(&turn->watch, WATCH_AWAKE);
	(void)futex(&turn->watch, FUTEX_WAKE, 1, NULL);
}
