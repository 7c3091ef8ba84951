/*
 * The worker has the target's ids, and of all privileges CAP_SYS_ADMIN alone once it is in the namespace. It is not under the program's
 * Landlock domain, which would forbid it every mount.
 *
 * Nothing spreads: the namespace is not the supervisor's, and what is mounted upon is not shared. The mount is made whole before it is
 * put in its place, by one call; what fails before leaves a descriptor whose closing takes all of it away.
 */
#include "calls/mount_enter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "cred_worker.h"
#include "decide.h"
#include "err.h"
#include "fd.h"
#include "mountinfo.h"
#include "sandbox.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef SYS_listmount
#define SYS_listmount 458
#endif
#ifndef LSMT_ROOT
#define LSMT_ROOT UINT64_MAX
#endif
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDU	/* PROC_USER_INIT_INO */
#define MOUNTS_DEFAULT 256

static const struct policy_rule space_rule =
	BUILTIN_RULE(SECTION_MOUNTS, EPERM, "mounts are made in a mount namespace of the program's own: start it with --unshare mnt");
static const struct policy_rule spread_rule =
	BUILTIN_RULE(SECTION_MOUNTS, EPERM, "what is mounted there would spread to other namespaces: make it private first");
static const struct policy_rule limit_rule = BUILTIN_RULE(SECTION_MOUNTS, ENOSPC, "limits { mounts }: there are as many as there may be");
const struct policy_rule mount_power_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "usher has no right to mount in the program's namespace");

struct mount_call *mount_call_of(const struct request *req)
{
	return req->args.mount.call;
}

int mount_refuse(struct request *req, const struct policy_rule *rule)
{
	req->refused_by = rule;
	return -rule->err;
}

int mount_result(int got)
{
	return got < 0 ? -errno : got;
}

/* ---- the kernel's calls --------------------------------------------------------------------- */

int mount_attach(struct mounts *mounts, int mount, int target)
{
	int err = mounts_change(mounts, false);

	if (err)
		return err;
	err = mount_result((int)syscall(SYS_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
	mounts_change_end(mounts);
	return err;
}

int mount_set_attr(int fd, bool recursive, struct mount_attr attr)
{
	return mount_result((int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)));
}

/* ---- entering ------------------------------------------------------------------------------- */

int mount_power(uint64_t caps)
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

bool mount_same_space(const struct request *req, const char *name)
{
	char own[32];
	struct stat a, b;

	(void)snprintf(own, sizeof(own), "self/%s", name);
	/* Unknown counts as ours, where nothing is mounted. */
	return space_number(mounts_proc(req->sandbox->mounts), own, &a) || space_number(req->target->proc, name, &b) ||
	       (a.st_ino == b.st_ino && a.st_dev == b.st_dev);
}

bool mount_initial_space(const struct request *req)
{
	struct stat st;

	return space_number(mounts_proc(req->sandbox->mounts), "self/ns/user", &st) || st.st_ino == INITIAL_USER_NAMESPACE;
}

/* How many of the mounts here were there before ours: some may have gone, when others removed the directory that they lie on. Those of a copy
 * of the namespace are all new, and before 6.8 none can be told: then as many as there were at launch. */
static size_t before(struct mounts *mounts)
{
	struct { uint32_t size, spare; uint64_t of, after; } list = { .size = sizeof(list), .of = LSMT_ROOT };
	uint64_t newest = mounts_newest_before(mounts, 0), ids[128];
	size_t n = 0;
	long got;

	while ((got = syscall(SYS_listmount, &list, ids, ARRAY_SIZE(ids), 0)) > 0) {
		for (long i = 0; i < got; i++)
			n += !newest || ids[i] <= newest;
		list.after = ids[got - 1];
	}
	if (!newest)
		(void)mounts_newest_before(mounts, list.after);
	return n ? n : mounts_before(mounts);
}

/* What the namespace has where PLACE is, which is the number of a mount: is that shared? And if there is to be MORE, is there room? */
int mount_look_round(struct request *req, uint64_t place, bool more)
{
	const struct policy_setting *limit = policy_setting(req->rules->policy, "limits", "mounts");
	uint64_t most = MOUNTS_DEFAULT, n = 0;
	FILE *file = mountinfo_open(mounts_proc(req->sandbox->mounts), "self/mountinfo");
	AUTO_FREE char *line = NULL;
	bool shared = true, found = false;
	size_t size = 0;

	if (limit && limit->n_words)
		(void)policy_mount_number(limit->words[0], &most);
	if (!file)
		return -EPERM;
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
		return mount_refuse(req, &spread_rule);
	return more && n >= before(req->sandbox->mounts) + most ? mount_refuse(req, &limit_rule) : 0;
}

/* The user namespace that our mount namespace belongs to. Its number; 0: one that is not ours or below; or -errno. */
static int64_t space_owner(const struct request *req)
{
	AUTO_FD space = openat(mounts_proc(req->sandbox->mounts), "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	AUTO_FD owner = space < 0 ? -1 : ioctl(space, NS_GET_USERNS);
	struct stat st;

	if (owner < 0 && (space < 0 || errno != EPERM))
		return -errno;
	return owner < 0 ? 0 : fstat(owner, &st) ? -errno : (int64_t)st.st_ino;
}

/* From here on this process is in the target's mount namespace. */
int mount_enter(struct request *req)
{
	int64_t own, its;

	if (mount_power(CAP(SYS_ADMIN) | CAP(SYS_CHROOT)))
		return mount_refuse(req, &mount_power_rule);
	(void)mount_power(CAP(SYS_PTRACE));	/* to look at a target that is not dumpable */
	if (mount_same_space(req, "ns/mnt"))
		return mount_refuse(req, &space_rule);
	own = space_owner(req);
	if (setns(req->target->pidfd, CLONE_NEWNS))
		return mount_refuse(req, &mount_power_rule);
	its = space_owner(req);
	/* The kernel locks together what is copied into another user namespace's, and nothing else. */
	if (req->call->when == CALL_MOUNT)
		mount_call_of(req)->locked = own >= 0 && its > 0 && own != its;
	return 0;
}

int mount_drop_power(const struct request *req)
{
	uint64_t effective, permitted;
	int err = cap_get(&effective, &permitted);

	return err ? err : cap_set(req->worker->effective | CAP(SYS_ADMIN), permitted);
}

int mount_enter_to(struct request *req, int target)
{
	struct statx stx;
	int err = mount_enter(req);

	if (!err)
		err = mount_drop_power(req);
	if (!err && statx(target, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx))
		err = -errno;
	return err ? err : mount_look_round(req, stx.stx_mnt_id, true);
}

/* ---- flags ---------------------------------------------------------------------------------- */

uint64_t mount_attr_of(uint32_t flags)
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

uint64_t mount_number(int fd)
{
	struct statx stx;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx) ? 0 : stx.stx_mnt_id;
}
