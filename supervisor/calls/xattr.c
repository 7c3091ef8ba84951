/*
 * Extended attributes and inode flags. The kernel's calls that take a path are made on /proc/self/fd/N of the pin, which leads
 * to the pinned inode itself, also when that is a symlink: so the l forms and the others differ only in how the name
 * was resolved.
 */
#include "calls/xattr.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "calls/numbers.h"
#include "calls/serve.h"
#include "fd.h"

#define SIZE_MAX_VALUE 65536	/* XATTR_SIZE_MAX */
#define BY_DESCRIPTOR  0x80000000U

/* The struct xattr_args of 463 and 464. */
struct value_args { uint64_t value; uint32_t size, flags; };

static enum name_mode mode_of(unsigned flags)
{
	return flags & AT_SYMLINK_NOFOLLOW ? NAME_NOFOLLOW : NAME_FOLLOW;
}

/* The kernel looks at them first of all. */
static int check_at(unsigned flags)
{
	return flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) ? -EINVAL : 0;
}

static int fetch_at(struct request *req, unsigned flags)
{
	int err = check_at(flags);

	if (err)
		return err;
	return fetch_name_or_null(req, 0, 1, mode_of(flags), flags & AT_EMPTY_PATH);
}

/* Listing and removing, kernels up to now take AT_FDCWD with an empty name for a descriptor, and refuse it. */
static int fetch_at_strictly(struct request *req)
{
	int err = fetch_at(req, (unsigned)request_int(req, 2));

	if (!err && !req->names[0].len && req->names[0].dirfd == AT_FDCWD &&
	    syscall(SYS_listxattrat, AT_FDCWD, "", AT_EMPTY_PATH, NULL, 0) < 0 && errno == EBADF)
		err = -EBADF;
	return err;
}

static int fetch_attr_name(struct request *req, int arg)
{
	ssize_t len = fetch_string(req, req->notif.data.args[arg], req->args.xattr.name, sizeof(req->args.xattr.name));

	if (len == 0 || len == -ENAMETOOLONG)
		return -ERANGE;
	return len < 0 ? (int)len : 0;
}

/* A versioned struct at ADDR: SIZE bytes of it, KNOWN of them known. */
static int fetch_struct(struct request *req, uint64_t addr, uint64_t size, size_t known, char buf[4096])
{
	int err;

	if (size < known)
		return -EINVAL;
	if (size > 4096)
		return -E2BIG;
	err = fetch_bytes(req, addr, buf, (size_t)size);
	for (size_t i = known; !err && i < size; i++)
		if (buf[i])
			err = -E2BIG;
	return err;
}

static const char *path_of(const struct request *req, char buf[32])
{
	return object_proc_path(req->objects[0].pin, buf, 32);
}

/* By a number, or by "" with AT_EMPTY_PATH. */
static bool descriptor_bad(const struct request *req)
{
	return serve_path_only(req, 0);
}

static int reply_data(struct request *req, uint64_t addr, const void *data, size_t len)
{
	void *copy = len ? malloc(len) : NULL;

	if (!copy)
		return len ? -ENOMEM : 0;
	memcpy(copy, data, len);
	reply_out(req, addr, copy, len);
	return 0;
}

/* ---- set ---- */

static int fetch_value(struct request *req, int name_arg, uint64_t value, uint64_t size, unsigned flags)
{
	int err;

	if (flags & ~(unsigned)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	req->args.xattr.flags = flags;
	err = fetch_attr_name(req, name_arg);
	if (err)
		return err;
	if (size > SIZE_MAX_VALUE)
		return -E2BIG;
	req->args.xattr.size = (size_t)size;
	if (!size)
		return 0;
	req->args.xattr.value = malloc((size_t)size);
	if (!req->args.xattr.value)
		return -ENOMEM;
	return fetch_bytes(req, value, req->args.xattr.value, (size_t)size);
}

static int fetch_value_plain(struct request *req)
{
	const __u64 *args = req->notif.data.args;

	return fetch_value(req, 1, args[2], args[3], (unsigned)request_int(req, 4));
}

int setxattr_fetch(struct request *req)
{
	int err = fetch_value_plain(req);

	return err ? err : fetch_name(req, -1, 0, NAME_FOLLOW, false);
}

int lsetxattr_fetch(struct request *req)
{
	int err = fetch_value_plain(req);

	return err ? err : fetch_name(req, -1, 0, NAME_NOFOLLOW, false);
}

int fsetxattr_fetch(struct request *req)
{
	int err = fetch_value_plain(req);

	req->args.xattr.flags |= BY_DESCRIPTOR;
	return err ? err : fetch_descriptor(req, 0);
}

static int fetch_value_args(struct request *req, struct value_args *value)
{
	char buf[4096];
	int err = fetch_struct(req, req->notif.data.args[4], req->notif.data.args[5], sizeof(*value), buf);

	if (!err)
		memcpy(value, buf, sizeof(*value));
	return err;
}

int setxattrat_fetch(struct request *req)
{
	struct value_args value;
	int err = fetch_value_args(req, &value);

	if (!err)
		err = check_at((unsigned)request_int(req, 2));
	if (!err)
		err = fetch_value(req, 3, value.value, value.size, value.flags);
	return err ? err : fetch_at(req, (unsigned)request_int(req, 2));
}

void setxattr_release(struct request *req)
{
	free(req->args.xattr.value);
	req->args.xattr.value = NULL;
}

int setxattr_serve(struct request *req)
{
	char path[32];

	if (descriptor_bad(req))
		return -EBADF;
	if (setxattr(path_of(req, path), req->args.xattr.name, req->args.xattr.value, req->args.xattr.size,
		     (int)(req->args.xattr.flags & ~BY_DESCRIPTOR)))
		return -errno;
	return reply_value(req, 0);
}

/* ---- get, list ---- */

static int fetch_room(struct request *req, uint64_t addr, uint64_t size)
{
	req->args.xattr.addr = addr;
	req->args.xattr.size = size > SIZE_MAX_VALUE ? SIZE_MAX_VALUE : (size_t)size;
	return 0;
}

static int fetch_get_plain(struct request *req, enum name_mode mode)
{
	int err = fetch_attr_name(req, 1);

	(void)fetch_room(req, req->notif.data.args[2], req->notif.data.args[3]);
	return err ? err : fetch_name(req, -1, 0, mode, false);
}

int getxattr_fetch(struct request *req)
{
	return fetch_get_plain(req, NAME_FOLLOW);
}

int lgetxattr_fetch(struct request *req)
{
	return fetch_get_plain(req, NAME_NOFOLLOW);
}

int getxattrat_fetch(struct request *req)
{
	struct value_args value;
	int err = fetch_value_args(req, &value);

	if (err)
		return err;
	if (value.flags)
		return -EINVAL;
	err = check_at((unsigned)request_int(req, 2));
	if (!err)
		err = fetch_attr_name(req, 3);
	(void)fetch_room(req, value.value, value.size);
	return err ? err : fetch_at(req, (unsigned)request_int(req, 2));
}

/* Either of the two: NAME is NULL for the list. */
static int get_serve(struct request *req, const char *name)
{
	size_t size = req->args.xattr.size;
	AUTO_FREE char *value = NULL;
	char path[32];
	ssize_t len;
	int err;

	if (size) {
		value = malloc(size);
		if (!value)
			return -ENOMEM;
	}
	len = name ? getxattr(path_of(req, path), name, value, size) : listxattr(path_of(req, path), value, size);
	if (len < 0)
		return -errno;
	err = size ? reply_data(req, req->args.xattr.addr, value, (size_t)len) : 0;
	return err ? err : reply_value(req, len);
}

int getxattr_serve(struct request *req)
{
	int err = serve_pin(req, 0);

	if (!err && descriptor_bad(req))
		err = -EBADF;
	return err ? err : get_serve(req, req->args.xattr.name);
}

int listxattr_fetch(struct request *req)
{
	(void)fetch_room(req, req->notif.data.args[1], req->notif.data.args[2]);
	return fetch_name(req, -1, 0, NAME_FOLLOW, false);
}

int llistxattr_fetch(struct request *req)
{
	(void)fetch_room(req, req->notif.data.args[1], req->notif.data.args[2]);
	return fetch_name(req, -1, 0, NAME_NOFOLLOW, false);
}

int listxattrat_fetch(struct request *req)
{
	(void)fetch_room(req, req->notif.data.args[3], req->notif.data.args[4]);
	return fetch_at_strictly(req);
}

int listxattr_serve(struct request *req)
{
	int err = serve_pin(req, 0);

	if (!err && descriptor_bad(req))
		err = -EBADF;
	return err ? err : get_serve(req, NULL);
}

/* ---- remove ---- */

int removexattr_fetch(struct request *req)
{
	int err = fetch_attr_name(req, 1);

	return err ? err : fetch_name(req, -1, 0, NAME_FOLLOW, false);
}

int lremovexattr_fetch(struct request *req)
{
	int err = fetch_attr_name(req, 1);

	return err ? err : fetch_name(req, -1, 0, NAME_NOFOLLOW, false);
}

int fremovexattr_fetch(struct request *req)
{
	int err = fetch_attr_name(req, 1);

	req->args.xattr.flags = BY_DESCRIPTOR;
	return err ? err : fetch_descriptor(req, 0);
}

int removexattrat_fetch(struct request *req)
{
	int err = check_at((unsigned)request_int(req, 2));

	if (!err)
		err = fetch_attr_name(req, 3);
	return err ? err : fetch_at_strictly(req);
}

int removexattr_serve(struct request *req)
{
	char path[32];

	if (descriptor_bad(req))
		return -EBADF;
	return removexattr(path_of(req, path), req->args.xattr.name) ? -errno : reply_value(req, 0);
}

/* ---- file_getattr, file_setattr ---- */

#define FILE_ATTR_KNOWN 24	/* the first version of struct file_attr */

static int file_attr_check(struct request *req)
{
	uint64_t size = req->notif.data.args[3];
	int err = check_at((unsigned)request_int(req, 4));

	if (err)
		return err;
	if (size < FILE_ATTR_KNOWN)
		return -EINVAL;
	if (size > 4096)
		return -E2BIG;
	req->args.xattr.size = (size_t)size;
	req->args.xattr.addr = req->notif.data.args[2];
	return 0;
}

int file_getattr_fetch(struct request *req)
{
	int err = file_attr_check(req);

	return err ? err : fetch_at(req, (unsigned)request_int(req, 4));
}

int file_getattr_serve(struct request *req)
{
	char buf[4096] = { 0 }, path[32];
	int err = serve_pin(req, 0);

	if (!err && descriptor_bad(req))
		err = -EBADF;
	if (err)
		return err;
	if (syscall(SYS_file_getattr, AT_FDCWD, path_of(req, path), buf, req->args.xattr.size, 0))
		return -errno;
	err = reply_data(req, req->args.xattr.addr, buf, req->args.xattr.size);
	return err ? err : reply_value(req, 0);
}

int file_setattr_fetch(struct request *req)
{
	char buf[4096];
	int err = file_attr_check(req);

	if (!err)
		err = fetch_struct(req, req->args.xattr.addr, req->args.xattr.size, FILE_ATTR_KNOWN, buf);
	if (err)
		return err;
	req->args.xattr.size = FILE_ATTR_KNOWN;
	req->args.xattr.value = malloc(FILE_ATTR_KNOWN);
	if (!req->args.xattr.value)
		return -ENOMEM;
	memcpy(req->args.xattr.value, buf, FILE_ATTR_KNOWN);
	return fetch_at(req, (unsigned)request_int(req, 4));
}

int file_setattr_serve(struct request *req)
{
	char path[32];

	if (descriptor_bad(req))
		return -EBADF;
	if (syscall(SYS_file_setattr, AT_FDCWD, path_of(req, path), req->args.xattr.value, req->args.xattr.size, 0))
		return -errno;
	return reply_value(req, 0);
}

/* ---- ioctl ---- */

#define LOW32 UINT64_C(0xffffffff)

const struct filter_test inode_flags_tests[INODE_FLAGS_TESTS] = {
	{ .arg = 1, .mask = LOW32, .value = FS_IOC_SETFLAGS },
	{ .arg = 1, .mask = LOW32, .value = FS_IOC32_SETFLAGS },
	{ .arg = 1, .mask = LOW32, .value = FS_IOC_FSSETXATTR },
};

int inode_flags_fetch(struct request *req)
{
	size_t size = (unsigned)request_int(req, 1) == FS_IOC_FSSETXATTR ? sizeof(struct fsxattr) : sizeof(int);
	int err;

	req->args.xattr.flags = BY_DESCRIPTOR;
	err = fetch_bytes(req, req->notif.data.args[2], req->args.xattr.name, size);
	return err ? err : fetch_descriptor(req, 0);
}

int inode_flags_serve(struct request *req)
{
	if (descriptor_bad(req))
		return -EBADF;
	if (ioctl(req->objects[0].pin, (unsigned)request_int(req, 1), req->args.xattr.name))
		return -errno;
	return reply_value(req, 0);
}
