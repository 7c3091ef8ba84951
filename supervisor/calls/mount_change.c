/* What is mounted already: flags, propagation, unmounting. */
#include "calls/mount_make.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls/mount_enter.h"
#include "err.h"
#include "fd.h"
#include "sandbox.h"

uint32_t mount_make_restrictions(int fd)
{
	static const struct { unsigned long st; enum mount_flag flag; } bits[] = {
		{ ST_RDONLY, MOUNT_RO }, { ST_NOSUID, MOUNT_NOSUID }, { 4 /* ST_NODEV */, MOUNT_NODEV }, { 8 /* ST_NOEXEC */, MOUNT_NOEXEC },
		{ 0x2000 /* ST_NOSYMFOLLOW */, MOUNT_NOSYMFOLLOW },
	};
	struct statvfs fs;
	uint32_t flags = 0;

	/* What cannot be told forbids everything. */
	if (fstatvfs(fd, &fs))
		fs.f_flag = ~0UL;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (fs.f_flag & bits[i].st)
			flags |= MOUNT_BIT(bits[i].flag);
	return flags;
}

/* ---- what is mounted already ---------------------------------------------------------------- */

int mount_make_again(struct request *req, uint32_t force, bool whole)
{
	const struct mount_call *call = mount_call_of(req);
	const uint32_t times = MOUNT_BIT(MOUNT_NOATIME) | MOUNT_BIT(MOUNT_NODIRATIME) | MOUNT_BIT(MOUNT_RELATIME) | MOUNT_BIT(MOUNT_STRICTATIME);
	struct mount_attr attr = { .attr_set = mount_attr_of(call->asked | force) };
	int err = mount_enter(req);

	if (!err)
		err = mount_drop_power(req);
	if (!err && whole)
		err = mount_make_configured(req, req->objects[0].pin);
	if (err || call->sb_only)
		return err ? err : reply_value(req, 0);
	attr.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;
	/* Who says nothing of times leaves them as they are. */
	if ((call->asked | force) & times)
		attr.attr_clr |= MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
	attr.attr_clr &= ~(attr.attr_set & ~(uint64_t)MOUNT_ATTR__ATIME);
	err = mount_set_attr(req->objects[0].pin, false, attr);
	return err < 0 ? err : reply_value(req, 0);
}

int mount_make_private(struct request *req)
{
	const struct mount_call *call = mount_call_of(req);
	struct mount_attr attr = { .propagation = call->flags & (MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE) };
	int err = mount_enter(req);

	if (!err)
		err = mount_drop_power(req);
	if (!err)
		err = mount_set_attr(req->objects[0].pin, call->flags & MS_REC, attr);
	return err < 0 ? err : reply_value(req, 0);
}

/* ---- unmounting ----------------------------------------------------------------------------- */

/* The directory above PATH, from the root of the namespace in which we are. */
static int directory_of(char *path)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	char *slash = strrchr(path, '/');

	*slash = '\0';
	return mount_result((int)syscall(SYS_openat2, AT_FDCWD, *path ? path : "/", &how, sizeof(how)));
}

/* NAME in the current directory is MOUNT, and goes. One at a time, so that nothing but that is there. */
static int end_there(struct mounts *mounts, const char *name, uint64_t mount, int flags)
{
	AUTO_FD there = -1;
	int err = mounts_change(mounts, true);

	if (err)
		return err;
	there = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	err = there < 0 ? -errno : mount_number(there) != mount || !mount ? -EINVAL : 0;
	there = fd_close(there);
	if (!err)
		err = mount_result((int)syscall(SYS_umount2, name, flags));
	mounts_change_end(mounts);
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
	int err = len < 2 || path[0] != '/' ? -EINVAL : mount_enter(req);

	if (!err)
		(void)mount_power(CAP(DAC_READ_SEARCH));
	if (err)
		return err;
	name = strdup(strrchr(path, '/') + 1);
	above = directory_of(path);
	object_unpin(target);
	err = !name ? -ENOMEM : above < 0 ? above : mount_result(fchdir(above));
	if (!err)
		err = mount_look_round(req, mount_number(above), false);
	if (!err)
		err = mount_drop_power(req);
	if (!err)
		err = end_there(mounts, name, number, flags);
	free(name);
	if (err)
		return err;
	mounts_remove(mounts, id, number);
	return reply_value(req, 0);
}
