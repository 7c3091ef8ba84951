/*
 * Changes of what an inode says. All act on the pin with an empty name, or on the target's own descriptor.
 * An O_PATH descriptor is refused where the kernel refuses it: in the forms that only take a descriptor.
 */
#include "calls/attr.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <utime.h>

#include "call.h"
#include "calls/mount_make.h"
#include "calls/numbers.h"
#include "calls/serve.h"
#include "sandbox.h"

/* In args.attr.flags and args.utime.flags: only a descriptor was given. */
#define BY_DESCRIPTOR 1U

static enum name_mode mode_of(unsigned flags)
{
	return flags & AT_SYMLINK_NOFOLLOW ? NAME_NOFOLLOW : NAME_FOLLOW;
}

static bool gone(const struct object *object)
{
	mode_t type = object->st.st_mode & S_IFMT;

	return object->nameless && (object->st.st_nlink == 0 || (type != S_IFREG && type != S_IFDIR));
}

int attr_judge(struct request *req)
{
	uint32_t ops = req->call->ops;

	/* No path leads to it any more, so that no rule can be about it; and who has it open may ask by its number. */
	if (gone(&req->objects[0]))
		ops &= req->objects[0].held ? 0 : OP_BIT(OP_READ);
	req->ops[0] = ops;
	return 0;
}

int truncate_judge(struct request *req)
{
	/* A directory is none to cut, whether it has a name or not. */
	req->ops[0] = req->objects[0].nameless && S_ISDIR(req->objects[0].st.st_mode) ? 0 : req->call->ops;
	return 0;
}

/* ---- chmod ---- */

static int chmod_fetch_at(struct request *req, int dirfd_arg, int path_arg, int mode_arg, unsigned flags)
{
	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	req->args.attr.mode = (mode_t)request_int(req, mode_arg) & 07777;
	return fetch_name(req, dirfd_arg, path_arg, mode_of(flags), flags & AT_EMPTY_PATH);
}

int fchmod_fetch(struct request *req)
{
	req->args.attr.mode = (mode_t)request_int(req, 1) & 07777;
	req->args.attr.flags = BY_DESCRIPTOR;
	return fetch_descriptor(req, 0);
}

int fchmodat_fetch(struct request *req)
{
	return chmod_fetch_at(req, 0, 1, 2, 0);
}

int fchmodat2_fetch(struct request *req)
{
	return chmod_fetch_at(req, 0, 1, 2, (unsigned)request_int(req, 3));
}

int chmod_serve(struct request *req)
{
	int pin = req->objects[0].pin, err;
	char path[32];

	if (req->args.attr.flags & BY_DESCRIPTOR) {
		if (serve_path_only(req, 0))
			return -EBADF;
		err = fchmod(pin, req->args.attr.mode);
	} else {
		err = (int)syscall(SYS_fchmodat2, pin, "", req->args.attr.mode, AT_EMPTY_PATH);
		if (err && errno == ENOSYS)
			err = chmod(object_proc_path(pin, path, sizeof(path)), req->args.attr.mode);
	}
	err = err ? -errno : 0;
	/* mknod(1) says once more what mode it wants. */
	if (err == -EROFS && mount_node_has(req, pin, req->args.attr.mode))
		err = 0;
	return err ? err : reply_value(req, 0);
}

/* ---- chown ---- */

static int chown_fetch_at(struct request *req, int dirfd_arg, int path_arg, int uid_arg, unsigned flags)
{
	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	req->args.attr.uid = (uid_t)request_int(req, uid_arg);
	req->args.attr.gid = (gid_t)request_int(req, uid_arg + 1);
	return fetch_name(req, dirfd_arg, path_arg, mode_of(flags), flags & AT_EMPTY_PATH);
}

int fchown_fetch(struct request *req)
{
	req->args.attr.uid = (uid_t)request_int(req, 1);
	req->args.attr.gid = (gid_t)request_int(req, 2);
	req->args.attr.flags = BY_DESCRIPTOR;
	return fetch_descriptor(req, 0);
}

int fchownat_fetch(struct request *req)
{
	return chown_fetch_at(req, 0, 1, 2, (unsigned)request_int(req, 4));
}

int chown_serve(struct request *req)
{
	if (req->args.attr.flags & BY_DESCRIPTOR && serve_path_only(req, 0))
		return -EBADF;
	if (fchownat(req->objects[0].pin, "", req->args.attr.uid, req->args.attr.gid, AT_EMPTY_PATH))
		return -errno;
	return reply_value(req, 0);
}

/* ---- utime ---- */

static int utime_fetch_times(struct request *req, uint64_t addr)
{
	req->args.utime.now = !addr;
	return addr ? fetch_bytes(req, addr, req->args.utime.times, sizeof(req->args.utime.times)) : 0;
}

int utimensat_fetch(struct request *req)
{
	const struct timespec *times = req->args.utime.times;
	unsigned flags = (unsigned)request_int(req, 3);
	int err = utime_fetch_times(req, req->notif.data.args[2]);

	if (err)
		return err;
	/* Nothing to do: not even the path is looked at. */
	if (!req->args.utime.now && times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
		return 0;
	if (!req->notif.data.args[1] && request_int(req, 0) != AT_FDCWD) {
		req->args.utime.flags = BY_DESCRIPTOR;
		return flags ? -EINVAL : fetch_descriptor(req, 0);
	}
	if (flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return fetch_name(req, 0, 1, mode_of(flags), flags & AT_EMPTY_PATH);
}

int utime_serve(struct request *req)
{
	const struct timespec *times = req->args.utime.now ? NULL : req->args.utime.times;
	int err;

	if (!req->n_names)
		return reply_value(req, 0);
	if (req->args.utime.flags & BY_DESCRIPTOR) {
		if (serve_path_only(req, 0))
			return -EBADF;
		err = (int)syscall(SYS_utimensat, req->objects[0].pin, NULL, times, 0);
	} else {
		err = (int)syscall(SYS_utimensat, req->objects[0].pin, "", times, AT_EMPTY_PATH);
	}
	return err ? -errno : reply_value(req, 0);
}

/* ---- truncate ---- */

int truncate_fetch(struct request *req)
{
	req->args.attr.length = (int64_t)req->notif.data.args[1];
	if (req->args.attr.length < 0)
		return -EINVAL;
	return fetch_name(req, -1, 0, NAME_FOLLOW, false);
}

int truncate_serve(struct request *req)
{
	char path[32];
	int err;

	if (S_ISDIR(req->objects[0].st.st_mode))
		return -EISDIR;
	if (S_ISREG(req->objects[0].st.st_mode) && req->args.attr.length > req->objects[0].st.st_size) {
		if (syscall(SYS_faccessat2, req->objects[0].pin, "", W_OK, AT_EMPTY_PATH | AT_EACCESS))
			return -errno;
		err = serve_file_limit(req, req->objects[0].st.st_size, req->args.attr.length);
		if (err)
			return err;
	}
	if (truncate(object_proc_path(req->objects[0].pin, path, sizeof(path)), req->args.attr.length))
		return -errno;
	return reply_value(req, 0);
}

#ifdef __x86_64__
int chmod_fetch(struct request *req)
{
	return chmod_fetch_at(req, -1, 0, 1, 0);
}

int chown_fetch(struct request *req)
{
	return chown_fetch_at(req, -1, 0, 1, 0);
}

int lchown_fetch(struct request *req)
{
	return chown_fetch_at(req, -1, 0, 1, AT_SYMLINK_NOFOLLOW);
}

int utime_fetch(struct request *req)
{
	struct timespec *times = req->args.utime.times;
	struct utimbuf buf = { 0 };
	uint64_t addr = req->notif.data.args[1];
	int err = addr ? fetch_bytes(req, addr, &buf, sizeof(buf)) : 0;

	if (err)
		return err;
	req->args.utime.now = !addr;
	times[0] = (struct timespec){ .tv_sec = buf.actime };
	times[1] = (struct timespec){ .tv_sec = buf.modtime };
	return fetch_name(req, -1, 0, NAME_FOLLOW, false);
}

static int utime_fetch_micro(struct request *req, uint64_t addr)
{
	struct timespec *times = req->args.utime.times;
	struct timeval buf[2] = { 0 };
	int err = addr ? fetch_bytes(req, addr, buf, sizeof(buf)) : 0;

	if (err)
		return err;
	req->args.utime.now = !addr;
	for (int i = 0; i < 2; i++) {
		if (buf[i].tv_usec < 0 || buf[i].tv_usec >= 1000000)
			return -EINVAL;
		times[i] = (struct timespec){ .tv_sec = buf[i].tv_sec, .tv_nsec = buf[i].tv_usec * 1000 };
	}
	return 0;
}

int utimes_fetch(struct request *req)
{
	int err = utime_fetch_micro(req, req->notif.data.args[1]);

	return err ? err : fetch_name(req, -1, 0, NAME_FOLLOW, false);
}

int futimesat_fetch(struct request *req)
{
	int err = utime_fetch_micro(req, req->notif.data.args[2]);

	if (err)
		return err;
	if (!req->notif.data.args[1] && request_int(req, 0) != AT_FDCWD) {
		req->args.utime.flags = BY_DESCRIPTOR;
		return fetch_descriptor(req, 0);
	}
	return fetch_name(req, 0, 1, NAME_FOLLOW, false);
}
#endif
