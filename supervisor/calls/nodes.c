/* What is made: directories, devices and their kin, symlinks. In a pinned parent, as names.c tells. */
#include "calls/names.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls/entry.h"
#include "calls/serve.h"
#include "sandbox.h"

static int make_fetch(struct request *req, int dirfd_arg, int path_arg, int mode_arg)
{
	req->args.attr.mode = (mode_t)request_int(req, mode_arg);
	return fetch_name(req, dirfd_arg, path_arg, NAME_ENTRY, false);
}

static bool mode_device(mode_t mode)
{
	return S_ISCHR(mode) || S_ISBLK(mode);
}

static int mknod_fetch_at(struct request *req, int dirfd_arg, int path_arg)
{
	mode_t mode = (mode_t)request_int(req, path_arg + 1);

	if (S_ISDIR(mode))
		return -EPERM;
	if (mode & S_IFMT && !S_ISREG(mode) && !mode_device(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode))
		return -EINVAL;
	req->args.attr.dev = (dev_t)(unsigned)request_int(req, path_arg + 2);
	return make_fetch(req, dirfd_arg, path_arg, path_arg + 1);
}

int mkdirat_fetch(struct request *req)
{
	return make_fetch(req, 0, 1, 2);
}

int mknodat_fetch(struct request *req)
{
	return mknod_fetch_at(req, 0, 1);
}

static int symlink_fetch_at(struct request *req, int target_arg, int dirfd_arg, int path_arg)
{
	ssize_t len = fetch_string(req, req->notif.data.args[target_arg], req->args.link.target,
				   sizeof(req->args.link.target));

	if (len <= 0)
		return len ? (int)len : -ENOENT;
	return fetch_name(req, dirfd_arg, path_arg, NAME_ENTRY, false);
}

int symlinkat_fetch(struct request *req)
{
	return symlink_fetch_at(req, 0, 1, 2);
}

#ifdef __x86_64__
int mkdir_fetch(struct request *req)
{
	return make_fetch(req, -1, 0, 1);
}

int mknod_fetch(struct request *req)
{
	return mknod_fetch_at(req, -1, 0);
}

int symlink_fetch(struct request *req)
{
	return symlink_fetch_at(req, 0, -1, 1);
}
#endif

static int make_hold(struct request *req, pthread_rwlock_t **held)
{
	int err = serve_umask(req);

	return err ? err : entry_hold(req, &req->objects[0], req->ops[0], false, held);
}

int mkdir_serve(struct request *req)
{
	char name[NAME_MAX + 2];
	AUTO_ENTRY *held = NULL;
	struct object *object = &req->objects[0];
	int err = make_hold(req, &held);

	if (err)
		return err;
	if (mkdirat(object->parent, serve_last(object, name), req->args.attr.mode))
		return -errno;
	return reply_value(req, 0);
}

int mknod_judge(struct request *req)
{
	req->ops[0] = OP_BIT(OP_CREATE) | (mode_device(req->args.attr.mode) ? OP_BIT(OP_MKNOD) : 0);
	return 0;
}

int mknod_serve(struct request *req)
{
	char name[NAME_MAX + 2];
	AUTO_ENTRY *held = NULL;
	struct object *object = &req->objects[0];
	int err = make_hold(req, &held);

	if (err)
		return err;
	/* The raw call: its device number is the kernel's own encoding. */
	if (syscall(SYS_mknodat, object->parent, serve_last(object, name), req->args.attr.mode,
		    (unsigned)req->args.attr.dev))
		return -errno;
	resolver_forget(req->sandbox->resolver);
	return reply_value(req, 0);
}

int symlink_serve(struct request *req)
{
	char name[NAME_MAX + 2];
	AUTO_ENTRY *held = NULL;
	struct object *object = &req->objects[0];
	int err = entry_hold(req, object, req->ops[0], false, &held);

	if (err)
		return err;
	if (symlinkat(req->args.link.target, object->parent, serve_last(object, name)))
		return -errno;
	return reply_value(req, 0);
}
