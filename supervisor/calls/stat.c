/*
 * What asks about a file without opening it. All forms act on the pin with an empty name; the kernel fills the structures, as
 * ours are the target's. A descriptor that is open already ("" with AT_EMPTY_PATH) tells nothing that its owner
 * could not ask by fstat(2): it is answered without a decision.
 */
#include "calls/stat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "calls/serve.h"
#include "call.h"
#include "cred.h"
#include "fd.h"
#include "sandbox.h"

enum { FORM_STAT, FORM_STATX };

#ifndef AT_STATX_SYNC_TYPE
#define AT_STATX_SYNC_TYPE 0x6000
#endif

static enum name_mode mode_of(unsigned flags)
{
	return flags & AT_SYMLINK_NOFOLLOW ? NAME_NOFOLLOW : NAME_FOLLOW;
}

int stat_judge(struct request *req)
{
	if (req->n_names && req->names[0].len)
		req->ops[0] = OP_BIT(OP_STAT);
	return 0;
}

/* ---- stat ---- */

/* Of a descriptor and nothing else the kernel does not look at the flags (6.11). */
static bool flags_ignored(struct request *req, int dirfd_arg, int path_arg, unsigned flags)
{
	struct statx stx;
	char first;

	if (!(flags & AT_EMPTY_PATH) || dirfd_arg < 0 || request_int(req, dirfd_arg) < 0)
		return false;
	if (req->notif.data.args[path_arg] && (fetch_bytes(req, req->notif.data.args[path_arg], &first, 1) || first))
		return false;
	return !statx(req->target->proc, "", (int)flags, 0, &stx);
}

static int stat_fetch_at(struct request *req, int dirfd_arg, int path_arg, unsigned flags, uint64_t addr)
{
	const unsigned known = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;

	req->args.stat.addr = addr;
	if (flags & ~known) {
		if (!flags_ignored(req, dirfd_arg, path_arg, flags))
			return -EINVAL;
		req->args.stat.flags = flags & known;
		return fetch_descriptor(req, dirfd_arg);
	}
	req->args.stat.flags = flags;
	return fetch_name_or_null(req, dirfd_arg, path_arg, mode_of(flags), flags & AT_EMPTY_PATH);
}

#ifdef __x86_64__
int stat_fetch(struct request *req)
{
	return stat_fetch_at(req, -1, 0, 0, req->notif.data.args[1]);
}

int lstat_fetch(struct request *req)
{
	return stat_fetch_at(req, -1, 0, AT_SYMLINK_NOFOLLOW, req->notif.data.args[1]);
}
#endif

int newfstatat_fetch(struct request *req)
{
	return stat_fetch_at(req, 0, 1, (unsigned)request_int(req, 3), req->notif.data.args[2]);
}

int statx_fetch(struct request *req)
{
	unsigned flags = (unsigned)request_int(req, 2), mask = (unsigned)request_int(req, 3);

	req->args.stat.form = FORM_STATX;
	req->args.stat.mask = mask;
	if (mask & STATX__RESERVED || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	return stat_fetch_at(req, 0, 1, flags, req->notif.data.args[4]);
}

int stat_serve(struct request *req)
{
	unsigned sync = req->args.stat.flags & AT_STATX_SYNC_TYPE;
	int form = req->args.stat.form;
	size_t size = form == FORM_STATX ? sizeof(struct statx) : sizeof(struct stat);
	AUTO_FREE void *out = NULL;
	void *taken;
	int err = serve_pin(req, 0);

	if (err)
		return err;
	out = malloc(size);
	if (!out)
		return -ENOMEM;
	/* The pin was asked just now: the C library's struct stat is the kernel's. */
	if (form == FORM_STAT)
		memcpy(out, &req->objects[0].st, size);
	else if (statx(req->objects[0].pin, "", (int)(AT_EMPTY_PATH | sync), req->args.stat.mask, out))
		return -errno;
	taken = out;
	out = NULL;
	reply_out(req, req->args.stat.addr, taken, size);
	return reply_value(req, 0);
}

/* ---- access ---- */

static int access_fetch_at(struct request *req, int dirfd_arg, int path_arg, int mode, unsigned flags)
{
	if (mode & ~(R_OK | W_OK | X_OK) ||
	    flags & ~(unsigned)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	req->args.access.mode = mode;
	req->real_ids = !(flags & AT_EACCESS);
	return fetch_name(req, dirfd_arg, path_arg, mode_of(flags), flags & AT_EMPTY_PATH);
}

#ifdef __x86_64__
int access_fetch(struct request *req)
{
	return access_fetch_at(req, -1, 0, request_int(req, 1), 0);
}
#endif

int faccessat_fetch(struct request *req)
{
	return access_fetch_at(req, 0, 1, request_int(req, 2), 0);
}

int faccessat2_fetch(struct request *req)
{
	return access_fetch_at(req, 0, 1, request_int(req, 2), (unsigned)request_int(req, 3));
}

int access_serve(struct request *req)
{
	int err = serve_pin(req, 0);

	if (err)
		return err;
	/* AT_EACCESS: with what this thread wears, which are the target's real ids unless it asked for the effective ones. */
	if (syscall(SYS_faccessat2, req->objects[0].pin, "", req->args.access.mode, AT_EMPTY_PATH | AT_EACCESS))
		return -errno;
	return reply_value(req, 0);
}

/* ---- readlink ---- */

static int readlink_fetch_at(struct request *req, int dirfd_arg, int path_arg, uint64_t addr, int size)
{
	if (size <= 0)
		return -EINVAL;
	req->args.stat.addr = addr;
	req->args.stat.size = (size_t)size;
	/* An empty name is the link that dirfd is. */
	return fetch_name(req, dirfd_arg, path_arg, NAME_NOFOLLOW, dirfd_arg >= 0);
}

#ifdef __x86_64__
int readlink_fetch(struct request *req)
{
	return readlink_fetch_at(req, -1, 0, req->notif.data.args[1], request_int(req, 2));
}
#endif

int readlinkat_fetch(struct request *req)
{
	return readlink_fetch_at(req, 0, 1, req->notif.data.args[2], request_int(req, 3));
}

int readlink_serve(struct request *req)
{
	size_t size = req->args.stat.size < PATH_MAX ? req->args.stat.size : PATH_MAX;
	AUTO_FREE char *text = NULL;
	void *taken;
	ssize_t len;
	int err = serve_pin(req, 0);

	if (err)
		return err;
	if (!S_ISLNK(req->objects[0].st.st_mode))
		return req->names[0].len ? -EINVAL : -ENOENT;
	text = malloc(PATH_MAX);
	if (!text)
		return -ENOMEM;
	len = object_readlink(req->sandbox->resolver, req->target, req->root, &req->objects[0], text, PATH_MAX);
	if (len < 0)
		return (int)len;
	if ((size_t)len > size)
		len = (ssize_t)size;
	taken = text;
	text = NULL;
	reply_out(req, req->args.stat.addr, taken, (size_t)len);
	return reply_value(req, len);
}

/* ---- statfs ---- */

int statfs_fetch(struct request *req)
{
	req->args.stat.addr = req->notif.data.args[1];
	return fetch_name(req, -1, 0, NAME_FOLLOW, false);
}

int statfs_serve(struct request *req)
{
	AUTO_FREE struct statfs *fs = NULL;
	void *taken;
	int err = serve_pin(req, 0);

	if (err)
		return err;
	fs = malloc(sizeof(*fs));
	if (!fs)
		return -ENOMEM;
	if (fstatfs(req->objects[0].pin, fs))
		return -errno;
	taken = fs;
	fs = NULL;
	reply_out(req, req->args.stat.addr, taken, sizeof(*fs));
	return reply_value(req, 0);
}
