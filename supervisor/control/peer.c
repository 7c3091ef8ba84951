#include "control/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* How many filters the process NAME ("self", a number) has, -1: it cannot be said. */
static int filters_of(const char *name, bool *supervisor)
{
	AUTO_FREE char *line = NULL;
	char path[40];
	size_t size = 0;
	int mode = -1, filters = -1;
	FILE *status;

	(void)snprintf(path, sizeof(path), "/proc/%s/status", name);
	status = fopen(path, "re");
	if (!status)
		return -1;
	*supervisor = false;
	while (getline(&line, &size, status) > 0) {
		*supervisor |= !strcmp(line, "Name:\t" PEER_SUPERVISOR "\n");
		(void)sscanf(line, "Seccomp: %d", &mode);
		(void)sscanf(line, "Seccomp_filters: %d", &filters);
	}
	(void)fclose(status);
	return mode < 0 || filters < 0 || (mode && !filters) ? -1 : filters;
}

static bool ended(int pidfd)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) != 0;
}

static int peer_pidfd(int fd, pid_t pid)
{
	int pidfd = -1;
	socklen_t len = sizeof(pidfd);

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len))
		return pidfd;
	return errno == ENOPROTOOPT || errno == EOPNOTSUPP ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

const char *peer_refused(int fd, const struct ucred *sender)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	char number[16];
	bool supervisor = false;
	int own = filters_of("self", &supervisor), its;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || len != sizeof(peer))
		return "who connected cannot be told";
	if (peer.uid != 0 && peer.uid != geteuid())
		return "only the supervisor's own user and root may speak to it";
	if (peer.pid <= 0)
		return "the caller is in another pid namespace";
	if (sender->pid != peer.pid || sender->uid != peer.uid)
		return "the request is not of who connected";
	AUTO_FD pidfd = peer_pidfd(fd, peer.pid);
	if (pidfd < 0)
		return "who connected has ended";
	(void)snprintf(number, sizeof(number), "%d", (int)peer.pid);
	its = filters_of(number, &supervisor);
	/* If it lives still, then it is the one that was looked at. */
	if (ended(pidfd))
		return "who connected has ended";
	if (own < 0 || its < 0)
		return "whether the caller is in a sandbox cannot be told";
	/* What its program connects and sends has its number, and none of the program's filters. */
	if (supervisor)
		return "the caller is a supervisor, which may be acting for its program";
	if (its > own)
		return "the caller has a seccomp filter, as everything in a sandbox has";
	return NULL;
}
