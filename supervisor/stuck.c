#include "stuck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "body.h"
#include "fd.h"
#include "target.h"

void stuck_interrupt(pthread_t thread)
{
	(void)pthread_kill(thread, SIGNAL_INTERRUPT);
	body_interrupt(thread, SIGNAL_INTERRUPT);
}

void stuck_add(struct stuck_list *list, struct stuck *stuck)
{
	pthread_mutex_lock(&list->lock);
	stuck->next = list->first;
	stuck->at = &list->first;
	if (stuck->next)
		stuck->next->at = &stuck->next;
	list->first = stuck;
	atomic_fetch_add(&list->n, 1);
	pthread_mutex_unlock(&list->lock);
}

void stuck_remove(struct stuck_list *list, struct stuck *stuck)
{
	pthread_mutex_lock(&list->lock);
	if (stuck->at) {
		*stuck->at = stuck->next;
		if (stuck->next)
			stuck->next->at = stuck->at;
		stuck->at = NULL;
		atomic_fetch_sub(&list->n, 1);
	}
	pthread_mutex_unlock(&list->lock);
}

/* By number: if it was given away, nobody waits for the answer. */
static char state_of(pid_t tid)
{
	char path[32];
	AUTO_FD proc = -1;

	snprintf(path, sizeof(path), "/proc/%d", tid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return errno == ENOENT ? '\0' : '?';
	return target_state(proc);
}

void stuck_look(struct stuck_list *list)
{
	pthread_mutex_lock(&list->lock);
	for (struct stuck *stuck = list->first; stuck; stuck = stuck->next) {
		if (atomic_load(&stuck->hurry)) {
			stuck_interrupt(stuck->thread);
			continue;
		}
		switch (state_of(atomic_load(&stuck->target))) {
		case 'D':
		case '\0':
		case 'Z':
		case 'X':
			atomic_store(&stuck->interrupted, true);
			stuck_interrupt(stuck->thread);
			break;
		}
	}
	pthread_mutex_unlock(&list->lock);
}
