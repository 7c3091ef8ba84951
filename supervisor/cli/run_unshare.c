/*
 * The supervisor goes into the program's user, network, IPC, UTS and cgroup namespace with it: what it does for the program then is right
 * there without more ado. It stays out of reach all the same: it is not dumpable, its memory belongs to the user
 * namespace where it was executed, and Landlock keeps signals away from it.
 *
 * In a user namespace the caller is root. All ids are mapped to themselves if the caller is root already, else only its own, to 0; and with
 * --map-subids those that it was given from 1 on. For that a program with more rights is run, before anything is confined.
 */
#include "run_unshare.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "run.h"
#include "run_subids.h"

static const struct { const char *name; int flag; } kinds[] = {
	{ "user", CLONE_NEWUSER }, { "mnt", CLONE_NEWNS }, { "pid", CLONE_NEWPID }, { "net", CLONE_NEWNET },
	{ "ipc", CLONE_NEWIPC }, { "uts", CLONE_NEWUTS }, { "cgroup", CLONE_NEWCGROUP },
};

static int kind(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strlen(kinds[i].name) == len && !memcmp(kinds[i].name, name, len))
			return kinds[i].flag;
	return 0;
}

int run_unshare_parse(int *namespaces, const char *list, const struct cli *cli)
{
	for (const char *name = list;; name++) {
		size_t len = strcspn(name, ",");
		int flag = kind(name, len);
		if (!flag) {
			cli_error(cli, "--unshare: there is no namespace '%.*s'; there are user, mnt, pid, net, ipc, uts and cgroup", (int)len,
				  name);
			return CLI_RUN_FAILED;
		}
		*namespaces |= flag;
		name += len;
		if (!*name)
			return 0;
	}
}

static bool may_unshare(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	return syscall(SYS_capget, &header, data) == 0 && data[0].effective & (1U << CAP_SYS_ADMIN);
}

/* ---- maps ----------------------------------------------------------------------------------- */

static int put(const char *path, const char *text)
{
	AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Every id that we have, as it is. */
static int map_all(const char *kind, char *text, size_t size)
{
	unsigned first, count;
	char path[64];
	size_t len = 0;
	(void)snprintf(path, sizeof(path), "/proc/self/%s_map", kind);
	FILE *own = fopen(path, "re");
	if (!own)
		return -errno;
	while (len < size && fscanf(own, "%u %*u %u", &first, &count) == 2)
		len += (size_t)snprintf(text + len, size - len, "%u %u %u\n", first, first, count);
	(void)fclose(own);
	return len < size ? 0 : -E2BIG;
}

static int map(pid_t pid, const char *kind, unsigned id, bool all)
{
	char path[64], text[4096];
	int result = 0;
	(void)snprintf(text, sizeof(text), "0 %u 1\n", id);
	if (all)
		result = map_all(kind, text, sizeof(text));
	(void)snprintf(path, sizeof(path), "/proc/%d/%s_map", (int)pid, kind);
	return result < 0 ? result : put(path, text);
}

static int maps(pid_t pid, unsigned uid, unsigned gid, bool subids)
{
	bool all = uid == 0;
	char path[64];
	if (subids && !all)
		return subids_map(pid, uid, gid);
	(void)snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
	int result = all ? 0 : put(path, "deny");
	if (result == 0)
		result = map(pid, "uid", uid, all);
	return result < 0 ? result : map(pid, "gid", gid, all);
}

/* Several ids may only be mapped from outside: by a child that stays there. */
static int unshare_user(int namespaces, bool subids, const char **what)
{
	unsigned uid = geteuid(), gid = getegid();
	pid_t self = getpid(), child;
	int pair[2], result = -EPIPE;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	AUTO_FD ours = pair[0];
	AUTO_FD its = pair[1];
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		char go;
		ours = fd_close(ours);
		if (read(its, &go, 1) == 1) {
			(void)signal(SIGCHLD, SIG_DFL);
			result = maps(self, uid, gid, subids);
			(void)!write(its, &result, sizeof(result));
		}
		_exit(0);
	}
	its = fd_close(its);
	*what = "make";
	int err = unshare(namespaces) < 0 ? -errno : 0;
	if (!err) {
		*what = "map ids in";
		if (write(ours, "", 1) != 1 || read(ours, &result, sizeof(result)) != sizeof(result))
			result = -EPIPE;
		err = result;
	}
	ours = fd_close(ours);
	(void)waitpid(child, NULL, 0);	/* lost if SIGCHLD is ignored */
	return err;
}

int run_unshare(struct run *run)
{
	int namespaces = run->namespaces & ~(CLONE_NEWPID | CLONE_NEWNS), result = 0;
	const char *what = "make";
	if (!run->namespaces && !run->map_subids)
		return 0;
	if (run->namespaces && !(run->namespaces & CLONE_NEWUSER) && !may_unshare()) {
		cli_error(run->cli, "--unshare: only root can have these namespaces without a user namespace; add user to the list");
		return CLI_RUN_FAILED;
	}
	if (run->map_subids && !(run->namespaces & CLONE_NEWUSER)) {
		cli_error(run->cli, "--map-subids goes with --unshare user");
		return CLI_RUN_FAILED;
	}
	if (run->namespaces & CLONE_NEWUSER && run->user.set) {
		cli_error(run->cli, "--user and --unshare user do not go together");
		return CLI_RUN_FAILED;
	}
	if (namespaces & CLONE_NEWUSER)
		result = unshare_user(namespaces, run->map_subids, &what);
	else if (namespaces && unshare(namespaces) < 0)
		result = -errno;
	if (run->map_subids && (result == -ENOENT || result == -ESRCH)) {
		cli_error(run->cli, result == -ENOENT ? "--map-subids: newuidmap and newgidmap are needed (package uidmap)"
						      : "--map-subids: this user has no line in /etc/subuid and /etc/subgid");
		return CLI_RUN_FAILED;
	}
	if (result < 0) {
		cli_error(run->cli, "--unshare: cannot %s the namespaces: %s%s", what, strerror(-result),
			  result == -EPERM || result == -ENOSPC || result == -EUSERS ?
				  " (does this machine let users have them? see user_namespaces(7), /proc/sys/user/)" : "");
		return CLI_RUN_FAILED;
	}
	return 0;
}
