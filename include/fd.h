/*
 * Ownership of descriptors. An int parameter borrows; AUTO_FD owns until the end of the scope;
 * fd_take() hands over. A function with AUTO_ variables has no goto.
 */
#ifndef USHER_FD_H
#define USHER_FD_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Closes FD if it is one and keeps errno. Returns -1, to write fd = fd_close(fd). */
static inline int fd_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;
		(void)close(fd);
		errno = saved;
	}
	return -1;
}

static inline void fd_cleanup(int *fd)
{
	*fd = fd_close(*fd);
}

/* The descriptor now belongs to the caller's caller. */
static inline int fd_take(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

static inline void free_cleanup(void *p)
{
	free(*(void **)p);
}

#define AUTO_FD   __attribute__((cleanup(fd_cleanup))) int
#define AUTO_FREE __attribute__((cleanup(free_cleanup)))

#endif
