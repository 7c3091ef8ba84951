/*
 * What is left to do in namespaces of --unshare. The supervisor is in the user, network, IPC, UTS and cgroup namespace itself, so that
 * nothing that it does for the program is foreign there; the guardian is the first process of the PID namespace; only the
 * mount namespace is the child's own, for the supervisor needs the /proc that shows itself.
 *
 * A view is a root directory in which only what is listed is there: trees, which are bound with everything that is mounted in them and will
 * be; files; links; and the directories on the way, which have nothing else in them and cannot be written to.
 */
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"

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

/* ---- a view --------------------------------------------------------------------------------- */

static int empty_root(void)
{
	AUTO_FD context = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	AUTO_FD root = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (root < 0 || move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)	/* covered by it, "/" is still the old one to us */
		return -errno;
	return fd_take(&root);
}

/* To whom it belongs there. In a user namespace that may be somebody without a number. */
static int place_own(int root, const char *name, const struct agent_place *place)
{
	return fchownat(root, name, place->uid, place->gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EINVAL && errno != EPERM ? -errno : 0;
}

static int place_way(int root, const char *name, const struct agent_place *place)
{
	int result;

	if (strcmp(name, ".") != 0 && mkdirat(root, name, 0700) < 0)
		return -errno;
	result = place_own(root, name, place);
	return result == 0 && fchmodat(root, name, place->mode, 0) < 0 ? -errno : result;
}

static int place_mount(int root, const char *name, const struct agent_place *place)
{
	/* All links were followed when the policy was read: one that is there now was put there meanwhile. */
	const struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	AUTO_FD there = (int)syscall(SYS_openat2, AT_FDCWD, place->path, &how, sizeof(how));
	if (there < 0)
		return -errno;
	AUTO_FD tree = open_tree(there, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || (place->kind == PLACE_TREE ? mkdirat(root, name, 0700) : mknodat(root, name, S_IFREG | 0600, 0)) < 0)
		return -errno;
	return move_mount(tree, "", root, name, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

static int place_make(int root, const struct agent_place *place)
{
	const char *name = place->path[1] ? place->path + 1 : ".";

	switch (place->kind) {
	case PLACE_WAY:
		return place_way(root, name, place);
	case PLACE_LINK:
		return symlinkat(place->to, root, name) < 0 ? -errno : place_own(root, name, place);
	case PLACE_TREE:
	case PLACE_FILE:
	default:
		return place_mount(root, name, place);
	}
}

/* What is mounted later where everybody sees it is seen here, too, and nothing of ours elsewhere. */
static int own_mounts(const struct agent_plan *plan)
{
	if (!(plan->namespaces & (CLONE_NEWNS | CLONE_NEWPID)) && unshare(CLONE_NEWNS) < 0)
		return -errno;
	return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? -errno : 0;
}

int namespaces_view(const struct agent_plan *plan)
{
	struct mount_attr fixed = { .attr_set = MOUNT_ATTR_RDONLY };
	int result = plan->n_view ? own_mounts(plan) : 0;

	if (!plan->n_view || result < 0)
		return result;
	AUTO_FD root = empty_root();
	if (root < 0)
		return root;
	mode_t mask = umask(0);
	for (size_t i = 0; i < plan->n_view && result == 0; i++)
		result = place_make(root, &plan->view[i]);
	umask(mask);
	if (result < 0)
		return result;
	if (mount_setattr(root, "", AT_EMPTY_PATH, &fixed, sizeof(fixed)) < 0 || fchdir(root) < 0)
		return -errno;
	/* The old root is then mounted over the new one. */
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		return -errno;
	return chdir(plan->cwd) < 0 && chdir("/") < 0 ? -errno : 0;
}
