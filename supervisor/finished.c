#include "finished.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fd.h"

int finished_init(struct finished *finished)
{
	pthread_mutex_init(&finished->lock, NULL);
	finished->first = NULL;
	finished->last = &finished->first;
	finished->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	return finished->event < 0 ? -errno : 0;
}

void finished_end(struct finished *finished)
{
	for (struct slot *slot = finished->first, *next; slot; slot = next) {
		next = slot->next;
		request_end(&slot->req);
	}
	fd_close(finished->event);
	pthread_mutex_destroy(&finished->lock);
}

void finished_wake(struct finished *finished)
{
	uint64_t one = 1;

	while (write(finished->event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void finished_put(struct finished *finished, struct slot *slot)
{
	slot->next = NULL;
	pthread_mutex_lock(&finished->lock);
	*finished->last = slot;
	finished->last = &slot->next;
	pthread_mutex_unlock(&finished->lock);
	finished_wake(finished);
}

struct slot *finished_take(struct finished *finished)
{
	struct slot *slot;
	uint64_t one;

	if (read(finished->event, &one, sizeof(one)) < 0)
		return NULL;
	pthread_mutex_lock(&finished->lock);
	slot = finished->first;
	if (slot) {
		finished->first = slot->next;
		if (!finished->first)
			finished->last = &finished->first;
	}
	pthread_mutex_unlock(&finished->lock);
	return slot;
}
