#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "err.h"
#include "fd.h"
#include "pidfd.h"

/* Of 6.6 and 6.13: the same on every architecture, unknown to this libc. */
#define NR_FCHMODAT2  452
#define NR_GETXATTRAT 464

struct feature {
	const char *name;
	size_t offset;
};

static const struct feature features[] = {
	{ "wait_killable", offsetof(struct kernel, wait_killable) },
	{ "sync_wake", offsetof(struct kernel, sync_wake) },
	{ "pidfd_thread", offsetof(struct kernel, pidfd_thread) },
	{ "recv_hangup", offsetof(struct kernel, recv_hangup) },
	{ "pidfd_info", offsetof(struct kernel, pidfd_info) },
	{ "fchmodat2", offsetof(struct kernel, fchmodat2) },
	{ "xattrat", offsetof(struct kernel, xattrat) },
	{ "execve_check", offsetof(struct kernel, execve_check) },
};

static void disable(struct kernel *kernel, const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (strlen(features[i].name) == len && !memcmp(features[i].name, name, len))
			*(bool *)((char *)kernel + features[i].offset) = false;
	/* landlock_3: an older one. */
	if (len == 10 && !memcmp(name, "landlock_", 9) && name[9] >= '1' && name[9] <= '9' && kernel->landlock_abi > name[9] - '0')
		kernel->landlock_abi = name[9] - '0';
	if (len == 8 && !memcmp(name, "landlock", len))
		kernel->landlock_abi = 0;
	if (len == 14 && !memcmp(name, "landlock_scope", len) && kernel->landlock_abi > 5)
		kernel->landlock_abi = 5;
	if (len == 12 && !memcmp(name, "landlock_net", len) && kernel->landlock_abi > 3)
		kernel->landlock_abi = 3;
}

static void disable_all(struct kernel *kernel, const char *list)
{
	while (list && *list) {
		size_t len = strcspn(list, ",");

		disable(kernel, list, len);
		list += len + (list[len] == ',');
	}
}

static bool exists(long result)
{
	return result >= 0 || errno != ENOSYS;
}

int probe_kernel(struct kernel *kernel, const char **what)
{
	struct utsname name;
	struct seccomp_notif_sizes sizes;
	struct pidfd_facts facts;
	AUTO_FD pidfd = -1;
	char *argv[] = { NULL };
	bool watched;

	*kernel = (struct kernel){ 0 };
	*what = NULL;
	if (uname(&name) || sscanf(name.release, "%d.%d", &kernel->major, &kernel->minor) != 2) {
		*what = "uname: the kernel's version cannot be read";
		return -EOPNOTSUPP;
	}
	/* A known flag with a NULL program is EFAULT, an unknown one EINVAL. */
	kernel->wait_killable =
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, NULL) < 0 &&
		errno == EFAULT;
	watched = !kernel->wait_killable && errno == EBUSY;
	/* Asking needs a listener; sandbox_open() copes when this guess is wrong. */
	kernel->sync_wake = kernel->major > 6 || (kernel->major == 6 && kernel->minor >= 6);
	kernel->recv_hangup = kernel->major > 6 || (kernel->major == 6 && kernel->minor >= 11);
	pidfd = (int)syscall(SYS_pidfd_open, getpid(), PIDFD_THREAD);
	kernel->pidfd_thread = pidfd >= 0;
	if (pidfd < 0)
		pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	kernel->pidfd_info = pidfd >= 0 && !pidfd_facts(pidfd, &facts);
	kernel->fchmodat2 = exists(syscall(NR_FCHMODAT2, -1, "", 0, 0));
	kernel->xattrat = exists(syscall(NR_GETXATTRAT, -1, "", 0, "", NULL, 0));
	/* An unknown flag is EINVAL, before the descriptor is looked at. */
	kernel->execve_check =
		syscall(SYS_execveat, -1, "", argv, argv, AT_EMPTY_PATH | AT_EXECVE_CHECK) < 0 && errno == EBADF;
	kernel->landlock_abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (kernel->landlock_abi < 0)
		kernel->landlock_abi = 0;
	disable_all(kernel, getenv("USHER_TEST_DISABLE"));

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		*what = "seccomp user notification (CONFIG_SECCOMP_FILTER)";
	else if (sizes.seccomp_notif != sizeof(struct seccomp_notif) ||
		 sizes.seccomp_notif_resp != sizeof(struct seccomp_notif_resp) ||
		 sizes.seccomp_data != sizeof(struct seccomp_data))
		*what = "seccomp notifications of the size this program was built for";
	else if (watched)
		*what = "a free listener: another supervisor watches this process already, and usher cannot run under it";
	else if (access("/proc/self/fd", F_OK))
		*what = "/proc: it is not mounted";
	else if (!kernel->wait_killable)
		*what = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19)";
	return *what ? -EOPNOTSUPP : 0;
}
