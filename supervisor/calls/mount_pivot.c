/*
 * pivot_root(2), in a body that is in the program's mount namespace and below its root.
 *
 * The kernel gives every process whose root the old one was the new one, and the program's with them. It takes names only; those of
 * the pins in our own procfs, where we stand, are looked up by nobody else.
 */
#include "calls/mount_make.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls/mount_enter.h"
#include "decide.h"
#include "err.h"
#include "fd.h"
#include "sandbox.h"

static const struct policy_rule chroot_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "only the root of the whole namespace is exchanged for another one");

/* In the namespace, and with the program's root. */
static int enter_root(struct request *req)
{
	int err = req->root < 0 ? -EINVAL : mount_enter(req);

	if (!err)
		err = mount_result(fchdir(req->root));
	if (!err)
		err = mount_result(chroot("."));
	return err;
}

/* Where the old root is put, and where the new one was, nothing is shared. */
static int look_round(struct request *req)
{
	int err = mount_look_round(req, mount_number(req->objects[1].pin), false);

	return err ? err : mount_look_round(req, mount_number(req->root), false);
}

static void remember_old(struct mounts *mounts, int old)
{
	struct mount_record record;

	if (mounts_find(mounts, mounts_id(old), &record)) {
		mount_record_free(&record);
		return;
	}
	record = (struct mount_record){ .id = mounts_id(old), .fstype = strdup("pivot_root"), .force = mount_make_restrictions(old) };
	if (record.fstype)
		mounts_add(mounts, &record);
}

int mount_make_pivot(struct request *req)
{
	struct mounts *mounts = req->sandbox->mounts;
	char path[PATH_MAX], to[32], old[32];
	ssize_t len = resolve_path_of(req->sandbox->resolver, req->root, path, sizeof(path));
	int err = len != 1 ? mount_refuse(req, &chroot_rule) : enter_root(req);

	if (!err)
		err = look_round(req);
	if (!err)
		err = mount_result(fchdir(mounts_proc(mounts)));
	if (!err)
		err = mount_drop_power(req);
	if (err)
		return err;
	(void)snprintf(to, sizeof(to), "self/fd/%d", req->objects[0].pin);
	(void)snprintf(old, sizeof(old), "self/fd/%d", req->objects[1].pin);
	err = mounts_change(mounts, true);
	if (err)
		return err;
	err = mount_result((int)syscall(SYS_pivot_root, to, old));
	if (!err)
		err = mounts_rooted(mounts, req->objects[0].pin, req->root);
	mounts_change_end(mounts);
	if (err)
		return err;
	/* Who exchanged it may take it away. */
	remember_old(mounts, req->root);
	return reply_value(req, 0);
}

int mount_make_old_root_end(struct request *req)
{
	struct mounts *mounts = req->sandbox->mounts;
	int pin = req->objects[0].pin;
	uint64_t id = mounts_id(pin), number = mount_number(pin);
	int err = enter_root(req);

	if (!err)
		err = mount_look_round(req, mount_number(req->root), false);
	if (!err)
		err = mount_result(fchdir(pin));
	if (!err)
		err = mount_drop_power(req);
	if (err)
		return err;
	err = mounts_change(mounts, true);
	if (err)
		return err;
	err = mount_result(umount2(".", MNT_DETACH));
	mounts_change_end(mounts);
	if (err)
		return err;
	mounts_remove(mounts, id, number);
	return reply_value(req, 0);
}
