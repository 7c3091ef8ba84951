/*
 * ftruncate, fallocate and an F_SETFL that clears O_APPEND, while a policy lets something be appended to
 * but not written. A descriptor without O_APPEND was opened for writing and judged so then: only one that
 * has it is judged again, by its path. What is judged is the object that the number meant when the broker
 * looked, what is acted on is the description pinned here: they must be the same file.
 */
#include "calls/append.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "call.h"
#include "calls/serve.h"
#include "fd.h"

int append_fetch(struct request *req)
{
	req->args.append.fd = -1;
	if (req->notif.data.nr == SYS_ftruncate && (int64_t)req->notif.data.args[1] < 0)
		return -EINVAL;
	req->args.append.fd = fetch_fd(req, request_int(req, 0));
	return req->args.append.fd < 0 ? req->args.append.fd : fetch_descriptor(req, 0);
}

void append_release(struct request *req)
{
	req->args.append.fd = fd_close(req->args.append.fd);
}

/* Opened with O_ACCMODE it can neither read nor write (open(2)). */
static bool can_write(int flags)
{
	return ((flags & O_ACCMODE) + 1) & 2;
}

int append_judge(struct request *req)
{
	int flags = fcntl(req->args.append.fd, F_GETFL);

	if (flags < 0)
		return -errno;
	req->ops[0] = 0;
	/* One that cannot write at all is none that appends, whatever it says. */
	if (!(flags & O_APPEND) || !can_write(flags))
		return 0;
	if (req->notif.data.nr == SYS_fcntl && (request_int(req, 2) & O_APPEND))
		return 0;
	req->ops[0] = req->call->ops;
	return 0;
}

/* 0 if the description is of the file that was judged. */
static int append_same(const struct request *req)
{
	struct stat st;

	if (!req->ops[0])
		return 0;
	if (fstat(req->args.append.fd, &st))
		return -errno;
	if (req->objects[0].pin < 0 || st.st_dev != req->objects[0].st.st_dev || st.st_ino != req->objects[0].st.st_ino)
		return -EBADF;
	return 0;
}

static int append_limit(struct request *req, int64_t length)
{
	int flags = fcntl(req->args.append.fd, F_GETFL);
	struct stat st;

	/* The kernel has something else to say. */
	if (flags < 0 || !can_write(flags) || fstat(req->args.append.fd, &st) || !S_ISREG(st.st_mode))
		return 0;
	return serve_file_limit(req, st.st_size, length);
}

int ftruncate_serve(struct request *req)
{
	int64_t length = (int64_t)req->notif.data.args[1];
	int err = append_same(req);

	if (!err)
		err = append_limit(req, length);
	if (err)
		return err;
	return ftruncate(req->args.append.fd, length) ? -errno : reply_value(req, 0);
}

int fallocate_serve(struct request *req)
{
	int64_t offset = (int64_t)req->notif.data.args[2], length = (int64_t)req->notif.data.args[3], end;
	int err = append_same(req);

	if (!err && !__builtin_add_overflow(offset, length, &end) && !(request_int(req, 1) & FALLOC_FL_KEEP_SIZE))
		err = append_limit(req, end);
	if (err)
		return err;
	return fallocate(req->args.append.fd, request_int(req, 1), offset, length) ? -errno : reply_value(req, 0);
}

int setfl_serve(struct request *req)
{
	int err = append_same(req);

	if (err)
		return err;
	return fcntl(req->args.append.fd, F_SETFL, request_int(req, 2)) < 0 ? -errno : reply_value(req, 0);
}
