/* The notify fd: raw ioctls of seccomp_unotify(2). All but RECV retry EINTR where the kernel has not acted. */
#ifndef USHER_LISTENER_H
#define USHER_LISTENER_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/* 0; -ENOENT: the task was interrupted or killed meanwhile, or nobody is left (6.11; before, it never ends then); -EINTR. Blocks if
 * nothing is queued (RECV ignores O_NONBLOCK). */
int listener_receive(int listener, struct seccomp_notif *notif);
/* Is the task still in this very call? 0 or -ENOENT. */
int listener_valid(int listener, uint64_t id);
/* ERROR is 0 or a negative errno. -ENOENT: the target is gone. */
int listener_send(int listener, uint64_t id, int64_t value, int error);
int listener_continue(int listener, uint64_t id);
/* Installs FD (not O_PATH, not LISTENER) at the target's lowest free number, which is returned; or -EMFILE, -ENOENT... Never
 * with SECCOMP_ADDFD_FLAG_SEND. Blocks until the target has run. */
int listener_addfd(int listener, uint64_t id, int fd, bool cloexec);
/* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (6.6). -EINVAL on older kernels. */
int listener_sync_wake(int listener, bool on);

#endif
