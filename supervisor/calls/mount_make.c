/*
 * The worker has the target's ids, and of all privileges CAP_SYS_ADMIN alone once it is in the namespace. It is not under the program's
 * Landlock domain, which would forbid it every mount.
 *
 * Nothing spreads: the namespace is not the supervisor's, and what is mounted upon is not shared. The mount is made whole before it is
 * put in its place, by one call; what fails before leaves a descriptor whose closing takes all of it away.
 */
#include "calls/mount_make.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "body.h"
#include "calls/mount.h"
#include "calls/serve.h"
#include "cred_worker.h"
#include "decide.h"
#include "err.h"
#include "fd.h"
#include "sandbox.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#define CAP(name) (UINT64_C(1) << CAP_##name)
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDU	/* PROC_USER_INIT_INO */
#define MOUNTS_DEFAULT 256

static const struct policy_rule space_rule =
	BUILTIN_RULE(SECTION_MOUNTS, EPERM, "mounts are made in a mount namespace of the program's own: start it with --unshare mnt");
static const struct policy_rule power_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "usher has no right to mount in the program's namespace");
static const struct policy_rule spread_rule =
	BUILTIN_RULE(SECTION_MOUNTS, EPERM, "what is mounted there would spread to other namespaces: make it private first");
static const struct policy_rule limit_rule = BUILTIN_RULE(SECTION_MOUNTS, ENOSPC, "limits { mounts }: there are as many as there may be");
static const struct policy_rule image_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "an image is parsed only where a rule says trusted-image");

static struct mount_call *call_of(const struct request *req)
{
	return req->args.mount.call;
}

static int refuse(struct request *req, const struct policy_rule *rule)
{
	req->refused_by = rule;
	return -rule->err;
}

static int result(int got)
{
	return got < 0 ? -errno : got;
}

/* ---- the kernel's calls --------------------------------------------------------------------- */

static int fs_open(const char *type)
{
	return result((int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
}

static int fs_config(int fs, unsigned command, const char *key, const void *value, int aux)
{
	return result((int)syscall(SYS_fsconfig, fs, command, key, value, aux));
}

static int attach(int mount, int target)
{
	return result((int)syscall(SYS_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

static int set_attr(int fd, bool recursive, struct mount_attr attr)
{
	return result((int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)));
}

/* ---- entering ------------------------------------------------------------------------------- */

static int power(uint64_t caps)
{
	uint64_t effective, permitted;
	int err = cap_get(&effective, &permitted);

	if (!err && caps & ~permitted)
		err = -EPERM;
	return err ? err : cap_set(effective | caps, permitted);
}

static int space_number(int proc, const char *path, struct stat *st)
{
	return fstatat(proc, path, st, 0) ? -errno : 0;
}

static bool same_space(const struct request *req, const char *name)
{
	char own[32];
	struct stat a, b;

	(void)snprintf(own, sizeof(own), "self/%s", name);
	/* Unknown counts as ours, where nothing is mounted. */
	return space_number(mounts_proc(req->sandbox->mounts), own, &a) || space_number(req->target->proc, name, &b) ||
	       (a.st_ino == b.st_ino && a.st_dev == b.st_dev);
}

static bool in_initial_user_space(const struct request *req)
{
	struct stat st;

	return space_number(mounts_proc(req->sandbox->mounts), "self/ns/user", &st) || st.st_ino == INITIAL_USER_NAMESPACE;
}

/* What the namespace has where PLACE is, which is the number of a mount: is that shared? And if there is to be MORE, is there room? */
static int look_round(struct request *req, uint64_t place, bool more)
{
	const struct policy_setting *limit = policy_setting(req->rules->policy, "limits", "mounts");
	uint64_t most = MOUNTS_DEFAULT, n = 0;
	AUTO_FD info = openat(mounts_proc(req->sandbox->mounts), "self/mountinfo", O_RDONLY | O_CLOEXEC);
	FILE *file = info < 0 ? NULL : fdopen(info, "re");
	AUTO_FREE char *line = NULL;
	bool shared = true, found = false;
	size_t size = 0;

	if (limit && limit->n_words)
		(void)policy_mount_number(limit->words[0], &most);
	if (!file)
		return -EPERM;
	(void)fd_take(&info);
	for (; getline(&line, &size, file) > 0; n++) {
		char *options = strstr(line, " - ");
		if (found || strtoull(line, NULL, 10) != place || !options)
			continue;
		*options = '\0';
		found = true;
		shared = strstr(line, " shared:");
	}
	(void)fclose(file);
	if (!found || shared)
		return refuse(req, &spread_rule);
	return more && n >= mounts_before(req->sandbox->mounts) + most ? refuse(req, &limit_rule) : 0;
}

/* From here on this process is in the target's mount namespace. */
static int enter(struct request *req)
{
	if (power(CAP(SYS_ADMIN) | CAP(SYS_CHROOT)))
		return refuse(req, &power_rule);
	(void)power(CAP(SYS_PTRACE));	/* to look at a target that is not dumpable */
	if (same_space(req, "ns/mnt"))
		return refuse(req, &space_rule);
	if (setns(req->target->pidfd, CLONE_NEWNS))
		return refuse(req, &power_rule);
	return 0;
}

static int drop_power(const struct request *req)
{
	uint64_t effective, permitted;
	int err = cap_get(&effective, &permitted);

	return err ? err : cap_set(req->worker->effective | CAP(SYS_ADMIN), permitted);
}

static int enter_to(struct request *req, int target)
{
	struct statx stx;
	int err = enter(req);

	if (!err)
		err = drop_power(req);
	if (!err && statx(target, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx))
		err = -errno;
	return err ? err : look_round(req, stx.stx_mnt_id, true);
}

/* ---- flags ---------------------------------------------------------------------------------- */

static uint64_t attr_of(uint32_t flags)
{
	static const struct { enum mount_flag flag; uint64_t attr; } bits[] = {
		{ MOUNT_RO, MOUNT_ATTR_RDONLY }, { MOUNT_NOSUID, MOUNT_ATTR_NOSUID }, { MOUNT_NODEV, MOUNT_ATTR_NODEV },
		{ MOUNT_NOEXEC, MOUNT_ATTR_NOEXEC }, { MOUNT_NODIRATIME, MOUNT_ATTR_NODIRATIME },
		{ MOUNT_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
	};
	uint64_t attr = flags & MOUNT_BIT(MOUNT_NOATIME) ? MOUNT_ATTR_NOATIME : flags & MOUNT_BIT(MOUNT_STRICTATIME) ? MOUNT_ATTR_STRICTATIME : 0;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (flags & MOUNT_BIT(bits[i].flag))
			attr |= bits[i].attr;
	return attr;
}

/* The kernel trusts devices and set-user-ID files on a file system that belongs to the initial user namespace. */
static uint32_t untrusted(const struct request *req, const char *fstype)
{
	if (!in_initial_user_space(req))
		return 0;
	return MOUNT_BIT(MOUNT_NOSUID) | (strcmp(fstype, "devpts") ? MOUNT_BIT(MOUNT_NODEV) : 0);
}

bool mount_make_loosens(int fd, uint32_t asked)
{
	static const struct { unsigned long st; enum mount_flag flag; } bits[] = {
		{ ST_RDONLY, MOUNT_RO }, { ST_NOSUID, MOUNT_NOSUID }, { 4 /* ST_NODEV */, MOUNT_NODEV }, { 8 /* ST_NOEXEC */, MOUNT_NOEXEC },
		{ 0x2000 /* ST_NOSYMFOLLOW */, MOUNT_NOSYMFOLLOW },
	};
	struct statvfs fs;

	if (fstatvfs(fd, &fs))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (fs.f_flag & bits[i].st && !(asked & MOUNT_BIT(bits[i].flag)))
			return true;
	return false;
}

/* ---- in its place --------------------------------------------------------------------------- */

static int put(struct request *req, int mount, const char *from, uint32_t force, bool whole)
{
	struct mount_record record = { .id = mounts_id(mount), .force = force, .whole = whole };
	struct stat st;
	const struct object *target = &req->objects[0];
	int err = fstat(mount, &st) ? -errno : S_ISDIR(st.st_mode) != S_ISDIR(target->st.st_mode) ? -ENOTDIR : 0;

	/* Twice on itself. */
	if (!err && whole && st.st_dev == target->st.st_dev && st.st_ino == target->st.st_ino)
		err = -EBUSY;

	if (!err)
		err = attach(mount, req->objects[0].pin);
	if (err < 0)
		return err;
	record.fstype = strdup(call_of(req)->fstype);
	record.from = from ? strdup(from) : NULL;
	if (record.fstype && (record.from || !from))
		mounts_add(req->sandbox->mounts, &record);
	else
		mount_record_free(&record);
	return reply_value(req, 0);
}

/* ---- a new file system ---------------------------------------------------------------------- */

static int config_layer(int fs, const char *name, int fd)
{
	char key[16];
	int err;

	(void)snprintf(key, sizeof(key), "%s%s", name, *name == 'l' ? "+" : "");
	err = fs_config(fs, FSCONFIG_SET_FD, key, NULL, fd);
	/* Before 6.13 a name is wanted: that of where we stand, in a process of our own. */
	if (err == -EINVAL && !fchdir(fd))
		err = fs_config(fs, FSCONFIG_SET_STRING, key, ".", 0);
	return err;
}

/* Descriptors by their numbers, which would be ours; a program that the kernel starts. */
static bool never_given(const char *name)
{
	static const char *const names[] = { "fd", "rfdno", "wfdno", "release_agent", "source" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static int config_options(const struct request *req, int fs)
{
	const struct mount_call *call = call_of(req);
	int err = 0;

	for (size_t i = 0; i < call->n_options && !err; i++) {
		const struct policy_mount_option *option = &call->options[i];
		if (never_given(option->name))
			err = -EPERM;
		else if (call->layers[i])
			err = config_layer(fs, option->name, call->layers[i]->pin);
		else
			err = fs_config(fs, option->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option->name, option->value, 0);
	}
	return err;
}

/* What a rule bounds and nobody has asked for is as large as it may be. */
static int config_bounds(const struct request *req, int fs, const struct policy_rule *rule)
{
	const struct mount_call *call = call_of(req);
	int err = 0;

	for (size_t i = 0; rule && i < rule->n_mount_limits && !err; i++) {
		const struct policy_mount_limit *limit = &rule->mount_limits[i];
		bool given = limit->kind != LIMIT_MOST;
		for (size_t k = 0; k < call->n_options && !given; k++)
			given = !strcmp(call->options[k].name, limit->name);
		if (!given)
			err = fs_config(fs, FSCONFIG_SET_STRING, limit->name, limit->value, 0);
	}
	return err;
}

static int config_flags(int fs, uint32_t asked)
{
	static const struct { enum mount_flag flag; const char *name; } names[] = {
		{ MOUNT_RO, "ro" }, { MOUNT_SYNC, "sync" }, { MOUNT_DIRSYNC, "dirsync" }, { MOUNT_LAZYTIME, "lazytime" },
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names) && !err; i++)
		if (asked & MOUNT_BIT(names[i].flag))
			err = fs_config(fs, FSCONFIG_SET_FLAG, names[i].name, NULL, 0);
	return err;
}

static int config_source(const struct request *req, int fs)
{
	const struct mount_call *call = call_of(req);
	char path[32];

	if (req->n_names > 1)
		return fs_config(fs, FSCONFIG_SET_STRING, "source", object_proc_path(req->objects[1].pin, path, sizeof(path)), 0);
	return call->source && *call->source ? fs_config(fs, FSCONFIG_SET_STRING, "source", call->source, 0) : 0;
}

struct making { struct request *req; const struct policy_rule *rule; uint64_t attr; int mount; };

static int make(void *ctx)
{
	struct making *making = ctx;
	const struct request *req = making->req;
	AUTO_FD fs = fs_open(call_of(req)->fstype);
	int err = fs < 0 ? fs : config_source(req, fs);

	if (!err)
		err = config_options(req, fs);
	if (!err)
		err = config_bounds(req, fs, making->rule);
	if (!err)
		err = config_flags(fs, call_of(req)->asked);
	if (!err)
		err = fs_config(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (err)
		return err;
	making->mount = result((int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, making->attr));
	return making->mount < 0 ? making->mount : 0;
}

/* procfs shows the processes of the namespace of who makes it: that of a child of ours. */
static int make_proc(struct making *making)
{
	struct request *req = making->req;

	if (same_space(req, "ns/pid"))
		return make(making);
	if (setns(req->target->pidfd, CLONE_NEWPID))
		return refuse(req, &power_rule);
	return body_apart(make, making);
}

int mount_make_new(struct request *req, uint32_t force, const struct policy_rule *rule)
{
	const struct mount_call *call = call_of(req);
	bool image = policy_mount_image(call->fstype);
	uint32_t flags = call->asked | force | untrusted(req, call->fstype);
	struct making making = { .req = req, .rule = rule, .attr = attr_of(flags), .mount = -1 };
	int err = image && !(rule && rule->mount_image) ? refuse(req, &image_rule) : 0;

	/* The device is named by our own descriptor of it, in our own /proc. */
	if (!err && image)
		err = power(CAP(SYS_ADMIN)) ? refuse(req, &power_rule) : make(&making);
	if (!err)
		err = enter_to(req, req->objects[0].pin);
	if (!err && !image)
		err = strcmp(call->fstype, "proc") ? make(&making) : make_proc(&making);
	AUTO_FD mount = making.mount;
	return err ? err : put(req, mount, image && req->n_names > 1 ? req->objects[1].path : NULL, flags & (force | untrusted(req, call->fstype)), true);
}

/* ---- trees ---------------------------------------------------------------------------------- */

/* Of a tree in which something is mounted that is not ours, all is bound or nothing: what lies below those mounts was never to be seen.
 * In a user namespace of its own the kernel sees to that. */
static bool uncovers(const struct request *req, const struct object *from)
{
	AUTO_FD info = openat(mounts_proc(req->sandbox->mounts), "self/mountinfo", O_RDONLY | O_CLOEXEC);
	FILE *file = info < 0 ? NULL : fdopen(info, "re");
	AUTO_FREE char *line = NULL;
	char path[PATH_MAX], place[PATH_MAX];
	bool found = !file;
	size_t size = 0, len;

	if (!file || !S_ISDIR(from->st.st_mode) || !in_initial_user_space(req)) {
		if (file)
			(void)fclose(file);
		(void)fd_take(&info);
		return !file;
	}
	(void)fd_take(&info);
	len = resolve_path_of(req->sandbox->resolver, from->pin, path, sizeof(path)) > 0 ? strlen(path) : 0;
	if (len == 1)
		len = 0;
	while (!found && getline(&line, &size, file) > 0)
		found = sscanf(line, "%*u %*u %*s %*s %4095s", place) == 1 && !strncmp(place, path, len) && place[len] == '/' && place[len + 1];
	(void)fclose(file);
	return found;
}

/* Those that every container has may be used wherever they are bound. */
static bool safe_device(const struct stat *st)
{
	unsigned number = minor(st->st_rdev);

	return S_ISCHR(st->st_mode) && ((major(st->st_rdev) == 1 && (number == 3 || number == 5 || (number >= 7 && number <= 9))) ||
					(major(st->st_rdev) == 5 && number == 0));
}

int mount_make_bind(struct request *req, uint32_t force, bool idmap)
{
	const struct object *from = &req->objects[1];
	bool recursive = call_of(req)->flags & MS_REC;
	uint32_t flags = force | untrusted(req, "bind");
	struct mount_attr attr = { 0 };
	AUTO_FD mount = -1;
	AUTO_FD users = -1;
	int err = enter_to(req, req->objects[0].pin);

	if (err)
		return err;
	if (idmap) {
		(void)power(CAP(SYS_PTRACE));
		users = openat(req->target->proc, "ns/user", O_RDONLY | O_CLOEXEC);
		err = users < 0 ? -errno : drop_power(req);
	}
	if (err)
		return err;
	if (!recursive && uncovers(req, from))
		return -EINVAL;
	if (safe_device(&from->st))
		flags = force;
	mount = result((int)syscall(SYS_open_tree, from->pin, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0)));
	if (mount < 0)
		return mount;
	attr.attr_set = attr_of(flags);
	attr.propagation = MS_PRIVATE;
	if (idmap) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (unsigned)users;
	}
	err = set_attr(mount, recursive, attr);
	return err ? err : put(req, mount, from->path, flags, false);
}

int mount_make_move(struct request *req)
{
	int err = enter_to(req, req->objects[0].pin);

	if (err)
		return err;
	mounts_change(req->sandbox->mounts);
	err = attach(req->objects[1].pin, req->objects[0].pin);
	mounts_change_end(req->sandbox->mounts);
	return err < 0 ? err : reply_value(req, 0);
}

/* ---- nodes that nobody can make there ------------------------------------------------------- */

static const struct { const char *name; unsigned major, minor; } nodes[] = {
	{ "/dev/null", 1, 3 }, { "/dev/zero", 1, 5 }, { "/dev/full", 1, 7 }, { "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

struct node { struct request *req; dev_t device; int file; };

static int node_bind(void *ctx)
{
	struct node *node = ctx;
	struct request *req = node->req;
	struct mount_record record = { .force = MOUNT_BIT(MOUNT_NOSUID) | MOUNT_BIT(MOUNT_NOEXEC) };
	AUTO_FD device = -1;
	AUTO_FD mount = -1;
	struct statx stx;
	struct stat st;
	int err = enter(req);

	if (!err && statx(node->file, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx))
		err = -errno;
	if (!err)
		err = look_round(req, stx.stx_mnt_id, true);
	for (size_t i = 0; !err && device < 0 && i < ARRAY_SIZE(nodes); i++)
		if (node->device == makedev(nodes[i].major, nodes[i].minor)) {
			device = open(nodes[i].name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
			record.from = strdup(nodes[i].name);
		}
	if (!err && (device < 0 || fstat(device, &st) || !S_ISCHR(st.st_mode) || st.st_rdev != node->device))
		err = -EPERM;
	if (!err)
		mount = result((int)syscall(SYS_open_tree, device, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	if (!err && mount < 0)
		err = mount;
	if (!err)
		err = set_attr(mount, false, (struct mount_attr){ .attr_set = attr_of(record.force), .propagation = MS_PRIVATE });
	if (!err)
		err = attach(mount, node->file);
	record.id = err ? 0 : mounts_id(mount);
	record.fstype = strdup("bind");
	if (record.fstype && record.from)
		mounts_add(req->sandbox->mounts, &record);
	else
		mount_record_free(&record);
	return err < 0 ? err : 0;
}

int mount_make_node(struct request *req, dev_t device)
{
	const struct object *object = &req->objects[0];
	struct node node = { .req = req, .device = device, .file = -1 };
	int err = object->parent < 0 ? -EPERM : serve_umask(req);

	if (err)
		return err;
	node.file = openat(object->parent, object->last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, req->args.attr.mode & 0777);
	if (node.file < 0)
		return -errno;
	err = body_apart(node_bind, &node);
	if (err)
		(void)unlinkat(object->parent, object->last, 0);
	fd_close(node.file);
	return err ? err : reply_value(req, 0);
}

/* ---- what is mounted already ---------------------------------------------------------------- */

static int configure_again(const struct request *req, int pin)
{
	const struct mount_call *call = call_of(req);
	AUTO_FD fs = result((int)syscall(SYS_fspick, pin, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH));
	int err = fs < 0 ? fs : config_options(req, fs);

	if (!err)
		err = fs_config(fs, FSCONFIG_SET_FLAG, call->asked & MOUNT_BIT(MOUNT_RO) ? "ro" : "rw", NULL, 0);
	return err ? err : fs_config(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
}

int mount_make_again(struct request *req, uint32_t force, bool whole)
{
	const struct mount_call *call = call_of(req);
	const uint32_t times = MOUNT_BIT(MOUNT_NOATIME) | MOUNT_BIT(MOUNT_NODIRATIME) | MOUNT_BIT(MOUNT_RELATIME) | MOUNT_BIT(MOUNT_STRICTATIME);
	struct mount_attr attr = { .attr_set = attr_of(call->asked | force) };
	int err = enter(req);

	if (!err)
		err = drop_power(req);
	if (!err && whole)
		err = configure_again(req, req->objects[0].pin);
	if (err)
		return err;
	attr.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;
	/* Who says nothing of times leaves them as they are. */
	if ((call->asked | force) & times)
		attr.attr_clr |= MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
	attr.attr_clr &= ~(attr.attr_set & ~(uint64_t)MOUNT_ATTR__ATIME);
	err = set_attr(req->objects[0].pin, false, attr);
	return err < 0 ? err : reply_value(req, 0);
}

int mount_make_private(struct request *req)
{
	const struct mount_call *call = call_of(req);
	struct mount_attr attr = { .propagation = call->flags & (MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE) };
	int err = enter(req);

	if (!err)
		err = drop_power(req);
	if (!err)
		err = set_attr(req->objects[0].pin, call->flags & MS_REC, attr);
	return err < 0 ? err : reply_value(req, 0);
}

/* ---- unmounting ----------------------------------------------------------------------------- */

/* The directory above PATH, from the root of the namespace in which we are. */
static int directory_of(char *path)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	char *slash = strrchr(path, '/');

	*slash = '\0';
	return result((int)syscall(SYS_openat2, AT_FDCWD, *path ? path : "/", &how, sizeof(how)));
}

static uint64_t mount_number(int fd)
{
	struct statx stx;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx) ? 0 : stx.stx_mnt_id;
}

/* NAME in the current directory is MOUNT, and goes. One at a time, so that nothing but that is there. */
static int end_there(struct mounts *mounts, const char *name, uint64_t mount, int flags)
{
	AUTO_FD there = -1;
	int err;

	mounts_lock_unmount(mounts);
	there = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	err = there < 0 ? -errno : mount_number(there) != mount || !mount ? -EINVAL : 0;
	there = fd_close(there);
	if (!err) {
		mounts_change(mounts);
		err = result((int)syscall(SYS_umount2, name, flags));
		mounts_change_end(mounts);
	}
	mounts_unlock_unmount(mounts);
	return err;
}

/* By the name that the kernel tells of what was pinned, in a pinned directory, and only if that is it: a descriptor of it would keep it
 * busy. Mount points cannot be renamed where they are ones. */
int mount_make_end(struct request *req, int flags)
{
	struct mounts *mounts = req->sandbox->mounts;
	struct object *target = &req->objects[0];
	uint64_t number = mount_number(target->pin), id = mounts_id(target->pin);
	char path[PATH_MAX], *name;
	AUTO_FD above = -1;
	ssize_t len = resolve_path_of(req->sandbox->resolver, target->pin, path, sizeof(path));
	int err = len < 2 || path[0] != '/' ? -EINVAL : enter(req);

	if (!err)
		(void)power(CAP(DAC_READ_SEARCH));
	if (err)
		return err;
	name = strdup(strrchr(path, '/') + 1);
	above = directory_of(path);
	object_unpin(target);
	err = !name ? -ENOMEM : above < 0 ? above : result(fchdir(above));
	if (!err)
		err = look_round(req, mount_number(above), false);
	if (!err)
		err = drop_power(req);
	if (!err)
		err = end_there(mounts, name, number, flags);
	free(name);
	if (err)
		return err;
	mounts_remove(mounts, id);
	return reply_value(req, 0);
}
