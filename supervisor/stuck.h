/*
 * Serving threads that are stuck in a call which no ring can wait for: an open that breaks a lease, a slow file system. When a
 * signal comes to the target meanwhile, or it dies, the thread gets a signal too, so that its own call ends with EINTR.
 */
#ifndef USHER_STUCK_H
#define USHER_STUCK_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#define SIGNAL_INTERRUPT SIGRTMAX	/* the only one that reaches a serving thread; its handler does nothing */

struct stuck {
	pthread_t thread;
	_Atomic pid_t target;		/* the thread that waits for the answer */
	_Atomic bool interrupted;	/* a signal is pending there, or it is gone: EINTR is -ERESTARTSYS */
	_Atomic bool hurry;		/* what it waits in can be waited for elsewhere: it is interrupted at once */
	struct stuck *next, **at;	/* .at is NULL: not in the list */
};

struct stuck_list {
	pthread_mutex_t lock;
	struct stuck *first;
	_Atomic unsigned n;
};

/* Gets THREAD, and the body that it waits for, out of an interruptible wait. */
void stuck_interrupt(pthread_t thread);
void stuck_add(struct stuck_list *list, struct stuck *stuck);
void stuck_remove(struct stuck_list *list, struct stuck *stuck);
/* Interrupts those whose target has got a signal, and those in a hurry. To be called again and again: a signal may come just before the call it is for. */
void stuck_look(struct stuck_list *list);

#endif
