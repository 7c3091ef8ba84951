#include "calls/serve.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "decide.h"
#include "err.h"
#include "fd.h"
#include "listener.h"
#include "raise.h"
#include "sandbox.h"

int serve_pin(struct request *req, unsigned i)
{
	struct object *object = &req->objects[i];

	if (object->pin >= 0)
		return 0;
	if (!object->lexical)
		return object->err ? object->err : -ENOENT;
	return object_lexical_pin(req->sandbox->resolver, object, req->names[i].mode == NAME_NOFOLLOW);
}

const char *serve_last(const struct object *object, char name[NAME_MAX + 2])
{
	(void)snprintf(name, NAME_MAX + 2, "%s%s", object->last, object->slash && object->last[0] != '/' ? "/" : "");
	return name;
}

int serve_umask(struct request *req)
{
	mode_t mask;
	int err = target_umask(req->target, &mask);

	if (!err)
		umask(mask);
	return err;
}

/* As many descriptors as the limit says, or more; but some may be above it, since it was lowered. */
static bool room_below(const struct request *req, uint64_t limit)
{
	uint64_t below = 0;
	struct raised raised;
	bool more = raise_caps(&raised, UINT64_C(1) << CAP_DAC_READ_SEARCH);
	int fd = openat(req->target->proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (more)
		raise_end(&raised);
	if (!dir) {
		fd_close(fd);
		return false;
	}
	for (const struct dirent *entry; (entry = readdir(dir));)
		below += entry->d_name[0] != '.' && strtoull(entry->d_name, NULL, 10) < limit;
	closedir(dir);
	return below < limit;
}

/* st_size of /proc/TID/fd is the number of open descriptors since 6.2. Before, the size of the table, in status. */
int serve_room(struct request *req)
{
	char status[4096];
	struct stat st;
	uint64_t limit;
	ssize_t len;
	const char *size;
	AUTO_FD fd = -1;

	if (target_rlimit(req->target, RLIMIT_NOFILE, &limit))
		return 0;	/* ADDFD asks again */
	if (!fstatat(req->target->proc, "fd", &st, 0) && st.st_size)
		return (uint64_t)st.st_size < limit || room_below(req, limit) ? 0 : -EMFILE;
	fd = openat(req->target->proc, "status", O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
	if (len < 0)
		return 0;
	status[len] = '\0';
	size = strstr(status, "\nFDSize:");
	/* A full table that cannot grow may still have holes: ADDFD asks again. */
	return size && strtoull(size + 8, NULL, 10) > limit && limit < 64 ? -EMFILE : 0;
}

int serve_file_limit(struct request *req, int64_t size, int64_t length)
{
	struct rlimit own;
	struct raised raised;
	uint64_t limit;
	bool more;

	if (length <= size)
		return 0;
	if (!target_rlimit(req->target, RLIMIT_FSIZE, &limit) && (uint64_t)length > limit) {
		if (listener_valid(req->sandbox->listener, req->notif.id))
			return -EFBIG;
		more = raise_caps(&raised, UINT64_C(1) << CAP_KILL);
		(void)syscall(SYS_tgkill, req->target->tgid, req->target->tid, SIGXFSZ);
		if (more)
			raise_end(&raised);
		return -EFBIG;
	}
	return !getrlimit(RLIMIT_FSIZE, &own) && (uint64_t)length > own.rlim_cur ? -EFBIG : 0;
}

int serve_deny(struct request *req, int err, enum policy_op op, const struct policy_rule *rule)
{
	req->decision.enforced = req->decision.would = decide_verdict(rule, err, op);
	return -err;
}

static struct name *name_next(struct request *req, int dirfd)
{
	struct name *name = &req->names[req->n_names];

	ASSERT(req->n_names < REQUEST_NAMES);
	name_begin(name, dirfd, NAME_NOFOLLOW, true);
	req->n_names++;
	return name;
}

int fetch_descriptor(struct request *req, int arg)
{
	int number = request_int(req, arg);

	/* AT_FDCWD is a number like any other here. */
	if (number < 0)
		return -EBADF;
	(void)name_next(req, number);
	return 0;
}

int fetch_name_or_null(struct request *req, int dirfd_arg, int arg, enum name_mode mode, bool empty_ok)
{
	if (!empty_ok || req->notif.data.args[arg])
		return fetch_name(req, dirfd_arg, arg, mode, empty_ok);
	name_next(req, dirfd_arg < 0 ? AT_FDCWD : request_int(req, dirfd_arg))->mode = mode;
	return 0;
}

bool serve_path_only(const struct request *req, unsigned i)
{
	int flags;

	if (req->names[i].len || req->names[i].dirfd == AT_FDCWD)
		return false;
	flags = fcntl(req->objects[i].pin, F_GETFL);
	return flags < 0 || flags & O_PATH;
}
