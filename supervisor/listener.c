/*
 * The ioctls of the notify fd.
 *
 * RECV, SEND, ADDFD and ID_VALID take the filter's mutex interruptibly: EINTR means that nothing was
 * done. ADDFD's wait is interruptible as well; a plain ADDFD that is interrupted is withdrawn whole, so
 * it may be tried again (with SECCOMP_ADDFD_FLAG_SEND the call would already count as answered).
 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "err.h"
#include "kernel.h"

static int listener_ioctl(int listener, unsigned long request, void *arg)
{
	int result;

	do {
		result = ioctl(listener, request, arg);
	} while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : result;
}

int listener_receive(int listener, struct seccomp_notif *notif)
{
	memset(notif, 0, sizeof(*notif));	/* the kernel insists: EINVAL */
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, notif) ? -errno : 0;
}

int listener_valid(int listener, uint64_t id)
{
	return listener_ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id);
}

int listener_send(int listener, uint64_t id, int64_t value, int error)
{
	struct seccomp_notif_resp resp = { .id = id, .val = value, .error = error };

	/* A positive error would become the return value, one below -4095 too. */
	ASSERT(error <= 0 && error >= -4095);
	return listener_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

int listener_continue(int listener, uint64_t id)
{
	struct seccomp_notif_resp resp = { .id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	return listener_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
}

int listener_addfd(int listener, uint64_t id, int fd, bool cloexec)
{
	struct seccomp_notif_addfd addfd = {
		.id = id,
		.srcfd = (uint32_t)fd,
		.newfd_flags = cloexec ? O_CLOEXEC : 0,
	};

	/* Nothing in the kernel keeps a listener from being handed to its own target. */
	ASSERT(fd >= 0 && fd != listener);
	return listener_ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd);
}

int listener_sync_wake(int listener, bool on)
{
	unsigned long flags = on ? SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP : 0;

	/* By value: a pointer is EINVAL. */
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags) ? -errno : 0;
}
