/*
 * Whose entry of procfs something is, and whether the target may see it.
 *
 * Landlock, which keeps the target away from processes outside the sandbox, does not see us. So what procfs shows of those is limited to
 * what everybody may read; and the supervisor, its bodies and its guardian do not exist.
 */
#include "resolve_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "mountinfo.h"
#include "raise.h"

#define PROC_DEPTH 5	/* /proc/PID/task/TID/net/... */

struct owner {
	pid_t number;		/* in its instance; -1: belongs to no process */
	int root;		/* the instance's root. Owned, -1 in the launch instance */
	const char *below;	/* what follows the number in the path */
};

static int instance_climb(int dir, dev_t dev, int *root)
{
	AUTO_FD at = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	struct stat st;
	int depth = 0;

	if (at < 0 || fstat(at, &st) || st.st_dev != dev)
		return -EACCES;
	while (st.st_ino != PROC_ROOT_INO) {
		int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd_close(at);
		at = up;
		if (at < 0 || fstat(at, &st) || st.st_dev != dev || ++depth > PROC_DEPTH)
			return -EACCES;
	}
	*root = fd_take(&at);
	return depth;
}

/* How far DIR is below the root of its instance, wherever that is mounted; *ROOT is owned then. The way up leads through directories
 * that only their own process may search. */
static int instance_root(int dir, dev_t dev, int *root)
{
	struct raised raised;
	int depth = instance_climb(dir, dev, root);

	if (depth < 0 && raise_caps(&raised, UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_DAC_READ_SEARCH)) {
		depth = instance_climb(dir, dev, root);
		raise_end(&raised);
	}
	return depth;
}

/* The walk stands in the directory of PATH, unless a magic link led to it. */
static bool stands_above(const struct walk *walk, const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	ssize_t len = resolve_path_of(walk->resolver, walk->dir, dir, sizeof(dir));

	return slash && len == slash - path && !memcmp(dir, path, (size_t)len);
}

/* What of its file system the mount holds that FD is on: "/", or less where somebody has bound it. */
static int mount_root(const struct walk *walk, int fd, char path[PATH_MAX])
{
	FILE *file = mountinfo_open(walk->target->proc, "mountinfo");
	unsigned long long mount;
	int err = -EACCES;
	uint64_t its;
	AUTO_FREE char *line = NULL;
	size_t size = 0;

	if (!file)
		return err;
	if (!mount_of(fd, &its))
		while (err && getline(&line, &size, file) > 0)
			if (sscanf(line, "%llu %*u %*s %4095s", &mount, path) == 2 && mount == its)
				err = 0;
	(void)fclose(file);
	return err;
}

static bool mounted_whole(const struct walk *walk, int fd)
{
	char path[PATH_MAX];

	return !mount_root(walk, fd, path) && !strcmp(path, "/");
}

static bool same_mount(int a, int b)
{
	uint64_t mount_a, mount_b;

	return !mount_of(a, &mount_a) && !mount_of(b, &mount_b) && mount_a == mount_b;
}

/* Something of procfs was bound to another place in it: the path says what the place is called. */
static int owner_bound(const struct walk *walk, int pin, struct owner *owner)
{
	char path[PATH_MAX];
	int err = mount_root(walk, pin, path);

	if (err)
		return err;
	owner->number = name_number(path + 1, (size_t)(strchrnul(path + 1, '/') - path - 1));
	owner->below = "/bound";	/* nothing that is public */
	return 0;
}

static int owner_by_path(const char *path, struct owner *owner)
{
	owner->below = strchrnul(path + 6, '/');
	owner->number = name_number(path + 6, (size_t)(owner->below - path - 6));
	return 0;
}

/*
 * Which process's entry PIN is, from its d_path: entries of procfs are never renamed. -errno when that cannot be told. Where mounts
 * are free the path must be looked at more closely.
 */
static int proc_owner(const struct walk *walk, int pin, dev_t dev, const char *path, struct owner *owner)
{
	bool here = dev == walk->resolver->proc_dev && !strncmp(path, "/proc/", 6), dir, bound;
	const char *part = path + strlen(path);
	struct stat st;
	int depth;

	owner->root = -1;
	if (here && !resolver_other_procs(walk->resolver))
		return owner_by_path(path, owner);
	if (fstat(pin, &st))
		return -errno;
	/* From a file there is no way up. */
	dir = S_ISDIR(st.st_mode);
	depth = dir || stands_above(walk, path) ? instance_root(dir ? pin : walk->dir, dev, &owner->root) : -EACCES;
	if (depth < 0)
		return here && mounted_whole(walk, pin) ? owner_by_path(path, owner) : depth;
	bound = !same_mount(pin, owner->root);
	if (here)
		owner->root = fd_close(owner->root);
	if (bound)
		return owner_bound(walk, pin, owner);
	depth += !dir;
	for (int i = 0; i < depth; i++) {
		do
			part--;
		while (part > path && *part != '/');
	}
	part += *part == '/';
	owner->below = strchrnul(part, '/');
	owner->number = depth ? name_number(part, (size_t)(owner->below - part)) : -1;
	return 0;
}

static enum proc_relation relation_here(const struct walk *walk, pid_t number)
{
	if (target_is(walk->target, number))
		return PROC_TARGET;
	if (number_ours(walk->resolver, number))
		return PROC_OURS;
	return number_member(walk->resolver, number) ? PROC_MEMBER : PROC_FOREIGN;
}

/*
 * In another instance numbers may be those of a PID namespace that was made in the sandbox: its first process is the target's ancestor
 * then, and whoever descends from that is of the sandbox too. Others may have come into it from outside.
 */
static enum proc_relation proc_relation(const struct walk *walk, const struct owner *owner, dev_t dev)
{
	pid_t init;
	int level;

	if (owner->root < 0)
		return relation_here(walk, owner->number);
	if (owner->number == number_in(walk, owner->root, dev, true, &level) ||
	    owner->number == number_in(walk, owner->root, dev, false, &level))
		return PROC_TARGET;
	if (number_in(walk, owner->root, dev, false, &level) < 0)
		return PROC_FOREIGN;
	if (level == 0)
		return relation_here(walk, owner->number);
	init = init_of(walk, level);
	/* The guardian is seen there as what it is, the first process, and otherwise left alone. */
	if (!init || (owner->number == 1 && init == walk->resolver->guardian) || !below_init(owner->root, owner->number))
		return PROC_FOREIGN;
	return PROC_MEMBER;
}

int relation_of_dir(const struct walk *walk, int dir, char path[PATH_MAX], enum proc_relation *relation)
{
	struct owner owner = { .root = -1 };
	struct stat st;
	int err;

	if (resolve_path_of(walk->resolver, dir, path, PATH_MAX) < 0 || fstat(dir, &st))
		return -errno;
	err = proc_owner(walk, dir, st.st_dev, path, &owner);
	if (err)
		return err;
	*relation = owner.number < 0 ? PROC_FOREIGN : proc_relation(walk, &owner, st.st_dev);
	fd_close(owner.root);
	return 0;
}

/* What procfs shows to everybody, below /proc/PID or /proc/PID/task/TID. */
static bool public_name(const char *below)
{
	static const char *const names[] = {
		"cgroup", "cmdline", "comm", "cpuset", "limits", "loginuid", "mountinfo", "mounts", "mountstats", "net",
		"oom_adj", "oom_score", "oom_score_adj", "schedstat", "sessionid", "stat", "statm", "status", "task",
		"wchan", "attr",
	};
	size_t len;

	while (*below == '/')
		below++;
	if (!*below)
		return true;
	len = (size_t)(strchrnul(below, '/') - below);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i]) != len || memcmp(names[i], below, len))
			continue;
		below += len;
		if (!strcmp(names[i], "task") && *below) {
			below = strchrnul(below + 1, '/');
			return public_name(below);
		}
		return true;
	}
	return false;
}

int proc_judge(struct walk *walk, int pin, const struct stat *st, const char *path)
{
	struct owner owner = { .root = -1 };
	enum proc_relation relation;
	int err = proc_owner(walk, pin, st->st_dev, path, &owner);

	/* The descriptor itself, which is held already. */
	if (err && !walk->name->len) {
		walk->object->foreign = true;
		return 0;
	}
	if (err)
		return err;
	relation = owner.number < 0 ? PROC_TARGET : proc_relation(walk, &owner, st->st_dev);
	fd_close(owner.root);
	if (relation == PROC_TARGET || relation == PROC_MEMBER)
		return 0;
	if (relation == PROC_OURS)
		return -ENOENT;
	walk->object->foreign = true;
	return public_name(owner.below) ? 0 : -EACCES;
}

/* Is NUMBER, which a path below /proc names, the target's in the instance where DIR is? From what is no directory there is no way up. */
static bool number_own(const struct walk *walk, int dir, pid_t number)
{
	AUTO_FD root = -1;
	struct stat st;
	int level;

	if (!resolver_other_procs(walk->resolver))
		return target_is(walk->target, number);
	if (fstat(dir, &st) || !resolve_on_proc(walk->resolver, dir, &st))
		return false;
	if (instance_root(dir, st.st_dev, &root) < 0 ? !mounted_whole(walk, dir) : !same_mount(dir, root))
		return false;
	if (st.st_dev == walk->resolver->proc_dev)
		return target_is(walk->target, number);
	if (root < 0)
		return false;
	return number == number_in(walk, root, st.st_dev, false, &level) || number == number_in(walk, root, st.st_dev, true, &level);
}

size_t proc_rename(struct resolver *resolver, const struct target *target, int dir, char *path, size_t len)
{
	const struct walk walk = { .resolver = resolver, .target = (struct target *)target };
	const char *below;
	pid_t number;
	size_t tail;

	if (len < 7 || memcmp(path, "/proc/", 6))
		return len;
	below = strchrnul(path + 6, '/');
	number = name_number(path + 6, (size_t)(below - path - 6));
	if (number < 0 || !number_own(&walk, dir, number))
		return len;
	tail = len - (size_t)(below - path);
	memmove(path + 10, below, tail + 1);
	memcpy(path + 6, "self", 4);
	return 10 + tail;
}
