/* What a target has: looked at through its pidfd and its directory in /proc, each time anew. */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "err.h"
#include "fd.h"

bool target_lives(const struct target *target)
{
	struct pollfd poll_fd = { .fd = target->pidfd, .events = POLLIN };

	if (target->pidfd >= 0)
		return poll(&poll_fd, 1, 0) == 0;
	return !faccessat(target->proc, "stat", F_OK, 0);
}

/* ---- descriptors ---------------------------------------------------------------------------- */

/* Before 6.9 a thread that does not lead has no pidfd; its leader's serves while they share descriptors, and until the
 * leader has exited: a dead one has none. */
static int target_fd_shared(struct target *target, int dirfd)
{
	AUTO_FD leader = -1;
	int fd;

	if (syscall(SYS_kcmp, target->tid, target->tgid, KCMP_FILES, 0, 0) != 0)
		return -EACCES;
	leader = (int)syscall(SYS_pidfd_open, target->tgid, 0);
	if (leader < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, leader, dirfd, 0);
	return fd < 0 ? -errno : fd;
}

static int target_fd_once(struct target *target, int dirfd)
{
	int fd;

	if (target->pidfd < 0)
		return target_fd_shared(target, dirfd);
	fd = (int)syscall(SYS_pidfd_getfd, target->pidfd, dirfd, 0);
	return fd < 0 ? -errno : fd;
}

int target_fd(struct target *target, int dirfd)
{
	int fd;

	if (dirfd < 0)
		return -EBADF;
	fd = target_fd_once(target, dirfd);
	if ((fd == -EPERM || fd == -EACCES) && cred_power())
		fd = target_fd_once(target, dirfd);
	return fd;
}

static int target_link(struct target *target, const char *name)
{
	int fd = openat(target->proc, name, O_PATH | O_CLOEXEC);

	if (fd < 0 && (errno == EPERM || errno == EACCES) && cred_power())
		fd = openat(target->proc, name, O_PATH | O_CLOEXEC);
	/* ENOENT: it is exiting and has let go of its directories. */
	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

int target_dir(struct target *target, int dirfd)
{
	char name[16];
	int fd;

	if (target->pidfd >= 0 || dirfd < 0)
		return target_fd(target, dirfd);
	(void)snprintf(name, sizeof(name), "fd/%d", dirfd);
	fd = target_link(target, name);
	return fd == -ESRCH && target_lives(target) ? -EBADF : fd;
}

int target_cwd(struct target *target)
{
	return target_link(target, "cwd");
}

int target_root(struct target *target)
{
	return target_link(target, "root");
}

/* ---- facts ---------------------------------------------------------------------------------- */

int target_umask(struct target *target, mode_t *mask)
{
	char text[256];
	const char *at;
	ssize_t n;

	if (target->status < 0)
		target->status = openat(target->proc, "status", O_RDONLY | O_CLOEXEC);
	if (target->status < 0 && cred_power())
		target->status = openat(target->proc, "status", O_RDONLY | O_CLOEXEC);
	if (target->status < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = pread(target->status, text, sizeof(text) - 1, 0);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	/* The second line; a name cannot hold a newline. Zombies have none. */
	at = strstr(text, "\nUmask:");
	if (!at)
		return -ESRCH;
	*mask = (mode_t)strtoul(at + 7, NULL, 8);
	return 0;
}

/* "Max open files            1024                 4096                 files": for those whom
 * prlimit(2) asks for CAP_SYS_RESOURCE. */
static int limits_parse(const char *text, int resource, uint64_t *soft)
{
	static const char *const names[] = {
		[RLIMIT_FSIZE] = "Max file size ",
		[RLIMIT_NOFILE] = "Max open files ",
	};
	const char *at;

	if (resource < 0 || (size_t)resource >= ARRAY_SIZE(names) || !names[resource])
		return -EPERM;
	at = strstr(text, names[resource]);
	if (!at)
		return -EBADMSG;
	at += strlen(names[resource]);
	at += strspn(at, " ");
	*soft = *at == 'u' ? (uint64_t)RLIM64_INFINITY : strtoull(at, NULL, 10);
	return 0;
}

static int proc_text(int proc, const char *name, char *buf, size_t size)
{
	AUTO_FD fd = openat(proc, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n ? 0 : -ESRCH;
}

int target_rlimit(struct target *target, int resource, uint64_t *soft)
{
	struct rlimit limit;
	char text[4096];
	int err;

	if (!prlimit(target->tid, (enum __rlimit_resource)resource, NULL, &limit)) {
		*soft = limit.rlim_cur;
		return 0;
	}
	if (errno != EPERM)
		return -errno;
	err = proc_text(target->proc, "limits", text, sizeof(text));
	return err ? err : limits_parse(text, resource, soft);
}

/* Past the name, which may hold anything: " S 1 2 3..." NULL with *ERR. */
static const char *stat_fields(int proc, char *buf, size_t size, int *err)
{
	const char *at;

	*err = proc_text(proc, "stat", buf, size);
	if (*err)
		return NULL;
	at = strrchr(buf, ')');
	*err = at && at[1] == ' ' ? 0 : -EBADMSG;
	return *err ? NULL : at + 2;
}

char target_state(int proc)
{
	char buf[1024];
	int err;
	const char *at = stat_fields(proc, buf, sizeof(buf), &err);

	return at ? *at : err == -ESRCH ? '\0' : '?';
}

int target_tty(struct target *target, unsigned *rdev)
{
	char buf[1024];
	int tty, err;
	const char *at = stat_fields(target->proc, buf, sizeof(buf), &err);

	if (!at)
		return err;
	if (sscanf(at, "%*c %*d %*d %*d %d", &tty) != 1)
		return -EBADMSG;
	*rdev = (unsigned)tty;
	return 0;
}

const char *target_exe(struct target *target)
{
	ssize_t n;

	/* target_get() has asked already where credentials can differ. */
	if (target->exe[0] && target->exe_kept && (!cred_constant() || target_lives(target)))
		return target->exe;
	n = readlinkat(target->proc, "exe", target->exe, sizeof(target->exe) - 1);
	if (n < 0 && cred_power())
		n = readlinkat(target->proc, "exe", target->exe, sizeof(target->exe) - 1);
	target->exe[n > 0 ? n : 0] = '\0';
	return target->exe;
}
