/* Alarms that interrupt a call again and again. */
#ifndef USHER_TESTS_PROBE_ALARM_H
#define USHER_TESTS_PROBE_ALARM_H

#include <semaphore.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "probe.h"

static sem_t handled;		/* up when one has been handled */
static _Atomic int ticks;

static inline void tick(int signal)
{
	(void)signal;
	++ticks;
	sem_post(&handled);
}

/* Three that come from now on. */
static inline void until_three_handled(void)
{
	while (sem_trywait(&handled) == 0)
		;
	for (int i = 0; i < 3; i++)
		CHECK(sem_wait(&handled) == 0);
}

/* So many microseconds; 0: no more. */
static inline void every(long us)
{
	struct itimerval timer = { { 0, us }, { 0, us } };
	ticks = 0;
	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static inline void on_alarm(int flags)
{
	struct sigaction action = { .sa_handler = tick, .sa_flags = flags };
	alarm(0);
	CHECK(sem_init(&handled, 0, 0) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
}

#endif
