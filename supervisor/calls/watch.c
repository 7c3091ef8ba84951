/*
 * What else takes a path. The group of a watch is the target's own descriptor, fetched as a second name, and the mark is set
 * through /proc/self/fd/N of the pin.
 */
#include "calls/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fanotify.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>

#include "calls/serve.h"
#include "fd.h"
#include "sandbox.h"

int watch_judge(struct request *req)
{
	if (req->n_names < 2)
		return 0;
	req->ops[0] = S_ISDIR(req->objects[0].st.st_mode) ? OP_BIT(OP_LIST) : OP_BIT(OP_READ);
	req->ops[1] = 0;
	return 0;
}

/* ---- inotify ---- */

int inotify_add_watch_fetch(struct request *req)
{
	uint32_t mask = (uint32_t)request_int(req, 2);
	AUTO_FD group = fetch_fd(req, request_int(req, 0));
	int err;

	if (group < 0 && group != -EBADF)
		return group;
	/* What the kernel says of these two comes before it looks for the path; of none it says ENOENT. */
	if (inotify_add_watch(group, "", mask) < 0 && errno != ENOENT)
		return -errno;
	err = fetch_name(req, -1, 1, mask & IN_DONT_FOLLOW ? NAME_NOFOLLOW : NAME_FOLLOW, false);
	if (err)
		return err;
	req->names[0].directory = mask & IN_ONLYDIR;
	return fetch_descriptor(req, 0);
}

int inotify_add_watch_serve(struct request *req)
{
	uint32_t mask = (uint32_t)request_int(req, 2) & ~(uint32_t)IN_DONT_FOLLOW;
	char path[32];
	int wd;

	if (!mask)
		mask = IN_ISDIR;	/* says nothing, but is something */
	if (serve_path_only(req, 1))
		return -EBADF;
	wd = inotify_add_watch(req->objects[1].pin, object_proc_path(req->objects[0].pin, path, sizeof(path)), mask);
	return wd < 0 ? -errno : reply_value(req, wd);
}

/* ---- fanotify ---- */

int fanotify_mark_fetch(struct request *req)
{
	unsigned flags = (unsigned)request_int(req, 1);
	AUTO_FD group = fetch_fd(req, request_int(req, 0));
	int err;

	/* Marks on a whole mount or file system are about paths that cannot be judged. */
	if (flags & (FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM) && !req->rules->plan.free)
		return -EPERM;
	if (group < 0 && group != -EBADF)
		return group;
	if (flags & FAN_MARK_FLUSH && flags & ~(unsigned)(FAN_MARK_FLUSH | FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM))
		return -EINVAL;
	/* As of inotify. Rights are asked for when the target's credentials are worn. */
	if ((group < 0 || !(flags & FAN_MARK_FLUSH)) &&
	    syscall(SYS_fanotify_mark, group, flags, req->notif.data.args[2], AT_FDCWD, "") && (errno == EINVAL || errno == EBADF))
		return -errno;
	if (flags & FAN_MARK_FLUSH) {
		err = fetch_descriptor(req, 0);
	} else {
		bool named = req->notif.data.args[4];
		err = named ? fetch_name(req, 3, 4, flags & FAN_MARK_DONT_FOLLOW ? NAME_NOFOLLOW : NAME_FOLLOW, false)
			    : fetch_descriptor(req, 3);
		if (err)
			return err;
		/* Of a descriptor the kernel says it: an O_PATH one is EBADF first. */
		req->names[0].directory = named && flags & FAN_MARK_ONLYDIR;
		err = fetch_descriptor(req, 0);
	}
	return err;
}

/* A group that reports by descriptor opens files for its reader: nobody would judge that. */
static bool group_opens(int fd)
{
	char path[40], info[1024], *p;
	ssize_t len;
	AUTO_FD info_fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info_fd = open(path, O_RDONLY | O_CLOEXEC);
	len = info_fd < 0 ? -1 : read(info_fd, info, sizeof(info) - 1);
	if (len <= 0)
		return true;
	info[len] = '\0';
	p = strstr(info, "fanotify flags:");
	return p && !(strtoul(p + 15, NULL, 16) & (FAN_REPORT_FID | FAN_REPORT_DIR_FID));
}

int fanotify_mark_serve(struct request *req)
{
	unsigned group = req->n_names - 1;
	unsigned flags = (unsigned)request_int(req, 1) & ~(unsigned)FAN_MARK_DONT_FOLLOW;
	int fd = req->objects[group].pin;
	char path[32];

	if (serve_path_only(req, group) || (group && serve_path_only(req, 0)))
		return -EBADF;
	if (!req->rules->plan.free && group_opens(fd))
		return -EPERM;
	if (syscall(SYS_fanotify_mark, fd, flags, req->notif.data.args[2], AT_FDCWD,
		    group ? object_proc_path(req->objects[0].pin, path, sizeof(path)) : NULL))
		return -errno;
	return reply_value(req, 0);
}

/* ---- file handles ---- */

#define HANDLE_MAX 128	/* MAX_HANDLE_SZ */
#define HANDLE_CONNECTABLE 0x2u	/* AT_HANDLE_CONNECTABLE, 6.13 */
#define HANDLE_FLAGS (AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | 0x200 /* AT_HANDLE_FID */ | 0x1 /* UNIQUE */ | HANDLE_CONNECTABLE)

int name_to_handle_at_fetch(struct request *req)
{
	unsigned flags = (unsigned)request_int(req, 4);
	uint32_t size = 0;
	int err;

	/* For telling files apart, or for opening them. */
	if (flags & ~(unsigned)HANDLE_FLAGS || (flags & HANDLE_CONNECTABLE && flags & (0x200 | AT_EMPTY_PATH)))
		return -EINVAL;
	err = fetch_bytes(req, req->notif.data.args[2], &size, sizeof(size));
	if (err == -ESRCH)
		return err;
	/* Said after what the lookup says. */
	req->args.stat.form = err ? err : size > HANDLE_MAX ? -EINVAL : 0;
	req->args.stat.size = size;
	req->args.stat.flags = flags;
	return fetch_name(req, 0, 1, flags & AT_SYMLINK_FOLLOW ? NAME_FOLLOW : NAME_NOFOLLOW, flags & AT_EMPTY_PATH);
}

int name_to_handle_at_serve(struct request *req)
{
	unsigned flags = (req->args.stat.flags & 0x203) | AT_EMPTY_PATH;
	size_t id_size = flags & 1 ? sizeof(uint64_t) : sizeof(int);
	AUTO_FREE char *handle = NULL;
	AUTO_FREE char *id = NULL;
	uint32_t size = (uint32_t)req->args.stat.size;
	char path[32];
	void *taken;
	int err;

	handle = calloc(1, sizeof(struct file_handle) + HANDLE_MAX);
	id = calloc(1, sizeof(uint64_t));
	if (!handle || !id)
		return -ENOMEM;
	if (!req->args.stat.form)
		memcpy(handle, &size, sizeof(size));
	/* A connectable one must be asked for by a name. */
	if (flags & HANDLE_CONNECTABLE)
		err = syscall(SYS_name_to_handle_at, AT_FDCWD, object_proc_path(req->objects[0].pin, path, sizeof(path)), handle, id,
			      (flags & ~(unsigned)AT_EMPTY_PATH) | AT_SYMLINK_FOLLOW) ? -errno : 0;
	else
		err = syscall(SYS_name_to_handle_at, req->objects[0].pin, "", handle, id, flags) ? -errno : 0;
	if (err && err != -EOVERFLOW)
		return err;
	if (req->args.stat.form)
		return req->args.stat.form;
	/* Too small: the caller learns the size by that. */
	memcpy(&size, handle, sizeof(size));
	taken = handle;
	handle = NULL;
	reply_out(req, req->notif.data.args[2], taken, sizeof(struct file_handle) + (err ? 0 : size));
	taken = id;
	id = NULL;
	reply_out(req, req->notif.data.args[3], taken, id_size);
	if (!err)
		return reply_value(req, 0);
	req->reply.kind = REPLY_DENY;
	req->reply.error = err;
	return 0;
}
