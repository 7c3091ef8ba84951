/* A mount is made whole before it is put in its place, by one call; what fails before leaves a descriptor whose closing takes all of it away. */
#include "calls/mount_make.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <sys/sysmacros.h>

#include "body.h"
#include "calls/entry.h"
#include "calls/mount_enter.h"
#include "decide.h"
#include "err.h"
#include "fd.h"
#include "mountinfo.h"
#include "placeholders.h"
#include "sandbox.h"

static const struct policy_rule image_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "an image is parsed only where a rule says trusted-image");

static const struct policy_rule cgroup_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM,
							   "a mount of cgroups sets the machine's options: in a cgroup namespace of the program's own, or bind them");
#define INITIAL_CGROUP_NAMESPACE 0xEFFFFFFBU	/* PROC_CGROUP_INIT_INO */

static int fs_open(const char *type)
{
	return mount_result((int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
}

static int fs_config(int fs, unsigned command, const char *key, const void *value, int aux)
{
	return mount_result((int)syscall(SYS_fsconfig, fs, command, key, value, aux));
}

/* The kernel trusts devices and set-user-ID files on a file system that belongs to the initial user namespace. */
static uint32_t untrusted(const struct request *req, const char *fstype)
{
	if (!mount_initial_space(req))
		return 0;
	return MOUNT_BIT(MOUNT_NOSUID) | (strcmp(fstype, "devpts") ? MOUNT_BIT(MOUNT_NODEV) : 0);
}

/* ---- in its place --------------------------------------------------------------------------- */

/* Is there one of them for each mount? What is done to another one is done to the machine's. */
static bool own_super(const char *fstype)
{
	static const char *const types[] = { "tmpfs", "ramfs", "proc", "devpts", "overlay", "hugetlbfs" };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i], fstype))
			return true;
	return false;
}

static int put(struct request *req, int mount, const char *from, uint32_t force, bool whole)
{
	struct mount_record record = { .id = mounts_id(mount), .force = force, .whole = whole && own_super(mount_call_of(req)->fstype) };
	struct stat st;
	const struct object *target = &req->objects[0];
	int err = fstat(mount, &st) ? -errno : S_ISDIR(st.st_mode) != S_ISDIR(target->st.st_mode) ? -ENOTDIR : 0;

	/* Twice on itself. */
	if (!err && whole && st.st_dev == target->st.st_dev && st.st_ino == target->st.st_ino)
		err = -EBUSY;

	if (!err)
		err = mount_attach(req->sandbox->mounts, mount, req->objects[0].pin);
	if (err < 0)
		return err;
	if (mount_call_of(req)->held)
		mount_call_of(req)->made = fcntl(mount, F_DUPFD_CLOEXEC, 3);
	record.fstype = strdup(mount_call_of(req)->fstype);
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

/* Descriptors by their numbers, which would be ours; a program that the kernel starts; paths that nobody has judged (lowerdir+, datadir+);
 * names that an overlay finds in extended attributes, which the program may write: links past every rule. */
static bool never_given(const char *name)
{
	static const char *const names[] = { "fd", "rfdno", "wfdno", "release_agent", "source", "pidns", "redirect_dir", "metacopy" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return strchr(name, '+');
}

static int config_options(const struct request *req, int fs)
{
	const struct mount_call *call = mount_call_of(req);
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
	const struct mount_call *call = mount_call_of(req);
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
	const struct mount_call *call = mount_call_of(req);
	char path[32];

	if (req->n_names > 1)
		return fs_config(fs, FSCONFIG_SET_STRING, "source", object_proc_path(req->objects[1].pin, path, sizeof(path)), 0);
	return call->source && *call->source ? fs_config(fs, FSCONFIG_SET_STRING, "source", call->source, 0) : 0;
}

struct making { struct request *req; const struct policy_rule *rule; uint64_t attr; int mount, to; };

static int make(void *ctx)
{
	struct making *making = ctx;
	const struct request *req = making->req;
	AUTO_FD fs = fs_open(mount_call_of(req)->fstype);
	int err = fs < 0 ? fs : config_source(req, fs);

	/* The kernel follows them if nobody says anything. */
	if (!err && !strcmp(mount_call_of(req)->fstype, "overlay"))
		err = fs_config(fs, FSCONFIG_SET_STRING, "redirect_dir", "nofollow", 0);
	if (!err)
		err = config_options(req, fs);
	if (!err)
		err = config_bounds(req, fs, making->rule);
	if (!err)
		err = config_flags(fs, mount_call_of(req)->sb);
	if (!err)
		err = fs_config(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (err)
		return err;
	making->mount = mount_result((int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, making->attr));
	return making->mount < 0 ? making->mount : 0;
}

union fd_message { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; };

/* Its descriptors end with it. */
static int make_there(void *ctx)
{
	struct making *making = ctx;
	union fd_message message = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec byte = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &message, .msg_controllen = sizeof(message) };
	int err = make(making);

	if (err)
		return err;
	memcpy(CMSG_DATA(&message.header), &making->mount, sizeof(int));
	return sendmsg(making->to, &msg, 0) < 0 ? -errno : 0;
}

/* procfs shows the processes of the namespace of who makes it: that of a child of ours, which ends with the namespace. */
static int make_proc(struct making *making)
{
	struct request *req = making->req;
	union fd_message message;
	struct iovec byte = { .iov_base = &(char){ 0 }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &byte, .msg_iovlen = 1, .msg_control = &message, .msg_controllen = sizeof(message) };
	int pair[2], err;

	if (mount_same_space(req, "ns/pid"))
		return make(making);
	if (setns(req->target->pidfd, CLONE_NEWPID))
		return mount_refuse(req, &mount_power_rule);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	AUTO_FD from = pair[0];
	AUTO_FD to = pair[1];
	making->to = to;
	err = body_exposed(make_there, making);
	making->mount = -1;
	if (!err && (recvmsg(from, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0 || !CMSG_FIRSTHDR(&msg)))
		err = -EIO;
	if (!err)
		memcpy(&making->mount, CMSG_DATA(&message.header), sizeof(int));
	return err;
}

/* Is something mounted below PATH? */
static bool mounted_below(const struct request *req, const char *path)
{
	FILE *file = mountinfo_open(mounts_proc(req->sandbox->mounts), "self/mountinfo");
	AUTO_FREE char *line = NULL;
	char place[4 * PATH_MAX];
	size_t size = 0, len = path[1] ? strlen(path) : 0;
	bool found = false;

	if (!file)
		return true;
	while (!found && getline(&line, &size, file) > 0) {
		/* Longer than any path is what it may be when it is escaped. */
		if (sscanf(line, "%*u %*u %*s %*s %16383s", place) != 1)
			continue;
		mountinfo_unescape(place);
		found = !strncmp(place, path, len) && place[len] == '/' && place[len + 1];
	}
	(void)fclose(file);
	return found;
}

/* Of a tree in which something is mounted that is not ours, all is bound or nothing: what lies below those mounts was never to be seen. */
static bool uncovers(const struct request *req, const struct object *from)
{
	struct resolver *resolver = req->sandbox->resolver;
	char path[PATH_MAX], after[PATH_MAX];

	if (!S_ISDIR(from->st.st_mode) || mount_call_of(req)->locked)
		return false;
	/* Who moves it meanwhile has another's names looked at. */
	for (int i = 0; i < 8; i++) {
		unsigned moves = entry_moved(req->sandbox);

		if (resolve_path_of(resolver, from->pin, path, sizeof(path)) <= 0 || mounted_below(req, path) ||
		    resolve_path_of(resolver, from->pin, after, sizeof(after)) <= 0)
			return true;
		if (moves == entry_moved(req->sandbox) && !strcmp(path, after))
			return false;
	}
	return true;
}

/* What is not executed where a layer comes from is not executed through the overlay. */
static uint32_t of_layers(const struct mount_call *call)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < call->n_options; i++)
		if (call->layers[i])
			flags |= mount_make_restrictions(call->layers[i]->pin) & MOUNT_BIT(MOUNT_NOEXEC);
	return flags;
}

/* Those that a mount from there does not name are taken away: nsdelegate, memory_recursiveprot. One of the first version makes a hierarchy
 * for every process there is, and takes its controllers from the others. */
static bool sets_cgroups(const struct request *req, const char *fstype)
{
	struct stat st;

	return (!strcmp(fstype, "cgroup2") || !strcmp(fstype, "cgroup")) &&
	       (fstatat(mounts_proc(req->sandbox->mounts), "self/ns/cgroup", &st, 0) || st.st_ino == INITIAL_CGROUP_NAMESPACE);
}

int mount_make_new(struct request *req, uint32_t force, const struct policy_rule *rule)
{
	const struct mount_call *call = mount_call_of(req);
	bool image = policy_mount_image(call->fstype);
	uint32_t keeps = force | untrusted(req, call->fstype) | of_layers(call);
	uint32_t flags = call->attr | keeps;
	struct making making = { .req = req, .rule = rule, .attr = mount_attr_of(flags), .mount = -1 };
	int err = image && !(rule && rule->mount_image) ? mount_refuse(req, &image_rule) : 0;

	/* The device is named by our own descriptor of it, in our own /proc. */
	if (!err && image)
		err = mount_power(CAP(SYS_ADMIN)) ? mount_refuse(req, &mount_power_rule) : make(&making);
	if (!err)
		err = mount_enter_to(req, req->objects[0].pin);
	if (!err && sets_cgroups(req, call->fstype))
		err = mount_refuse(req, &cgroup_rule);
	for (size_t i = 0; !err && i < call->n_options; i++)
		if (call->layers[i] && uncovers(req, call->layers[i]))
			err = -EINVAL;
	if (!err && !image)
		err = strcmp(call->fstype, "proc") ? make(&making) : make_proc(&making);
	AUTO_FD mount = making.mount;
	return err ? err : put(req, mount, image && req->n_names > 1 ? req->objects[1].path : NULL, keeps, true);
}

int mount_make_configured(const struct request *req, int pin)
{
	const struct mount_call *call = mount_call_of(req);
	AUTO_FD fs = mount_result((int)syscall(SYS_fspick, pin, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH));
	int err = fs < 0 ? fs : config_options(req, fs);

	if (!err && (!call->sb_only || call->held->says_ro))
		err = fs_config(fs, FSCONFIG_SET_FLAG, call->asked & MOUNT_BIT(MOUNT_RO) ? "ro" : "rw", NULL, 0);
	return err ? err : fs_config(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
}

/* ---- trees ---------------------------------------------------------------------------------- */

/* Those that every container has may be used wherever they are bound. */
static bool safe_device(const struct stat *st)
{
	unsigned number = minor(st->st_rdev);

	return S_ISCHR(st->st_mode) && ((major(st->st_rdev) == 1 && (number == 3 || number == 5 || (number >= 7 && number <= 9))) ||
					(major(st->st_rdev) == 5 && number == 0));
}

#define TIMES (MOUNT_BIT(MOUNT_NOATIME) | MOUNT_BIT(MOUNT_RELATIME) | MOUNT_BIT(MOUNT_STRICTATIME))

int mount_make_bind(struct request *req, uint32_t force, bool idmap)
{
	const struct object *from = &req->objects[1];
	const struct mount_call *call = mount_call_of(req);
	bool recursive = call->flags & MS_REC;
	uint32_t flags = force | untrusted(req, "bind");
	struct mount_attr attr = { 0 };
	AUTO_FD mount = -1;
	AUTO_FD users = -1;
	int err = mount_enter_to(req, req->objects[0].pin);

	if (err)
		return err;
	if (idmap) {
		(void)mount_power(CAP(SYS_PTRACE));
		users = openat(req->target->proc, "ns/user", O_RDONLY | O_CLOEXEC);
		err = users < 0 ? -errno : mount_drop_power(req);
	}
	if (err)
		return err;
	if (!recursive && uncovers(req, from))
		return -EINVAL;
	if (safe_device(&from->st))
		flags = force;
	mount = mount_result((int)syscall(SYS_open_tree, from->pin, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0)));
	if (mount < 0)
		return mount;
	attr.attr_set = mount_attr_of(flags);
	attr.propagation = MS_PRIVATE;
	if (idmap) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (unsigned)users;
	}
	err = mount_set_attr(mount, recursive, attr);
	/* What was forbidden by the old name stays so: a remount does not loosen it. */
	flags |= mount_make_restrictions(mount);
	attr = (struct mount_attr){ .attr_set = mount_attr_of(call->attr), .attr_clr = call->attr & TIMES ? MOUNT_ATTR__ATIME : 0 };
	if (!err && call->attr)
		err = mount_set_attr(mount, recursive && call->attr_below, attr);
	return err ? err : put(req, mount, from->path, flags, false);
}

int mount_make_move(struct request *req)
{
	int err = mount_enter_to(req, req->objects[0].pin);

	if (!err)
		err = mount_attach(req->sandbox->mounts, req->objects[1].pin, req->objects[0].pin);
	return err < 0 ? err : reply_value(req, 0);
}
