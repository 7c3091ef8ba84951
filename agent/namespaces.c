/*
 * What is left to do in namespaces of --unshare. The supervisor is in the user, network, IPC, UTS and cgroup namespace itself, so that
 * nothing that it does for the program is foreign there; the guardian is the first process of the PID namespace; only the
 * mount namespace is the child's own, for the supervisor needs the /proc that shows itself.
 */
#include "namespaces.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

/* A new network has a loopback interface that is down. */
int namespaces_network(const struct agent_plan *plan)
{
	struct ifreq request = { .ifr_name = "lo" };
	int result = 0, fd;
	if (!(plan->namespaces & CLONE_NEWNET))
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -errno;
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0) {
		result = -errno;
	} else {
		request.ifr_flags |= IFF_UP;
		if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
			result = -errno;
	}
	close(fd);
	return result;
}

int namespaces_mounts(const struct agent_plan *plan)
{
	if (!(plan->namespaces & (CLONE_NEWNS | CLONE_NEWPID)))
		return 0;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	return 0;
}

int namespaces_proc(const struct agent_plan *plan)
{
	if (!(plan->namespaces & CLONE_NEWPID))
		return 0;
	return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ? -errno : 0;
}
