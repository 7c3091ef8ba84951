#include "placeholders.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "err.h"
#include "fd.h"

struct placeholders {
	pthread_mutex_t lock;
	struct placeholder list[PLACEHOLDERS_MAX];	/* free where .cookie is 0 */
};

int placeholders_new(struct placeholders **all)
{
	*all = calloc(1, sizeof(**all));
	if (!*all)
		return -ENOMEM;
	pthread_mutex_init(&(*all)->lock, NULL);
	return 0;
}

void placeholder_forget(struct placeholder *placeholder)
{
	for (size_t i = 0; i < placeholder->n_options; i++) {
		free(placeholder->options[i].name);
		free(placeholder->options[i].value);
	}
	free(placeholder->options);
	placeholder->options = NULL;
	placeholder->n_options = 0;
	placeholder->says_ro = false;
}

/* Frees what it owns. */
static void clear(struct placeholder *placeholder)
{
	placeholder_forget(placeholder);
	free(placeholder->fstype);
	free(placeholder->source);
	fd_close(placeholder->pin);
	fd_close(placeholder->peer);
	*placeholder = (struct placeholder){ .pin = -1, .peer = -1 };
}

void placeholders_free(struct placeholders *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < PLACEHOLDERS_MAX; i++)
		if (all->list[i].cookie)
			clear(&all->list[i]);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

static bool is_gone(const struct placeholder *placeholder)
{
	struct pollfd fd = { .fd = placeholder->peer };

	return poll(&fd, 1, 0) > 0 && fd.revents & (POLLHUP | POLLNVAL);
}

void placeholders_sweep(struct placeholders *all)
{
	pthread_mutex_lock(&all->lock);
	for (size_t i = 0; i < PLACEHOLDERS_MAX; i++)
		if (all->list[i].cookie && !all->list[i].held && is_gone(&all->list[i]))
			clear(&all->list[i]);
	pthread_mutex_unlock(&all->lock);
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ? 0 : cookie;
}

int placeholder_add(struct placeholders *all, const struct placeholder *new)
{
	struct placeholder own = *new;
	int pair[2] = { -1, -1 }, err = -EMFILE;
	bool added = false;

	placeholders_sweep(all);
	/* Who reads from it is told that there is nothing (EAGAIN), and who writes to it that nobody listens. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) || shutdown(pair[1], SHUT_RD))
		err = -errno;
	own.peer = pair[1];
	own.cookie = pair[0] < 0 ? 0 : cookie_of(pair[0]);
	pthread_mutex_lock(&all->lock);
	for (size_t i = 0; i < PLACEHOLDERS_MAX && own.cookie && !added; i++)
		if (!all->list[i].cookie) {
			all->list[i] = own;
			added = true;
		}
	pthread_mutex_unlock(&all->lock);
	if (added)
		return pair[0];
	clear(&own);
	fd_close(pair[0]);
	return err;
}

int placeholder_hold(struct placeholders *all, int fd, struct placeholder **held)
{
	uint64_t cookie = cookie_of(fd);
	int err = -EINVAL;

	pthread_mutex_lock(&all->lock);
	for (size_t i = 0; i < PLACEHOLDERS_MAX && cookie; i++)
		if (all->list[i].cookie == cookie) {
			err = all->list[i].held ? -EBUSY : 0;
			all->list[i].held = true;
			*held = err ? NULL : &all->list[i];
		}
	pthread_mutex_unlock(&all->lock);
	return err;
}

void placeholder_drop(struct placeholders *all, struct placeholder **held)
{
	if (!*held)
		return;
	pthread_mutex_lock(&all->lock);
	(*held)->held = false;
	pthread_mutex_unlock(&all->lock);
	*held = NULL;
}
