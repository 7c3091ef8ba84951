/*
 * open(2) and its kin.
 *
 * A name without symlinks is opened by that very name, once its type is known to be one whose open does not wait: the
 * one openat2(2) is the pin. Everything else is pinned first and opened anew through its pin. What is missing is made
 * with O_EXCL in the pinned parent; if somebody else was faster, what they made is judged anew.
 *
 * FIFOs and devices wait by nature and are parked. O_NOCTTY is always added: the terminal would become ours.
 * /dev/tty is the target's terminal, found by number.
 */
#include "calls/open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "calls/entry.h"
#include "calls/open_how.h"
#include "calls/serve.h"
#include "calls/tty.h"
#include "decide.h"
#include "fd.h"
#include "park.h"
#include "sandbox.h"

#define RACES_MAX 16

/* ---- judge ---- */

static uint32_t access_ops(uint64_t flags)
{
	uint32_t write = flags & O_APPEND ? OP_BIT(OP_APPEND) : OP_BIT(OP_WRITE);

	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return OP_BIT(OP_READ);
	case O_WRONLY:
		return write;
	default:
		/* A shared mapping, which needs both, writes anywhere: O_APPEND is only for write(2). */
		return OP_BIT(OP_READ) | OP_BIT(OP_WRITE) | write;
	}
}

static uint32_t existing_ops(const struct open_how *how, const struct object *object)
{
	uint32_t ops = access_ops(how->flags);

	if (S_ISDIR(object->st.st_mode))
		return OP_BIT(OP_LIST);
	if (how_has(how, O_TRUNC) && S_ISREG(object->st.st_mode))	/* of nothing else is there anything to cut */
		ops |= OP_BIT(OP_TRUNCATE);
	return ops;
}

int open_judge(struct request *req)
{
	const struct open_how *how = &req->args.open.how;
	struct object *object;

	if (!req->n_names)
		return 0;	/* O_PATH */
	object = &req->objects[0];
	/* What has no name is not hidden: the error, and that a directory is none to write, is the kernel's to say. */
	if (object->nameless && (object->err || (S_ISDIR(object->st.st_mode) && !(how->flags & TMPFILE_BIT) &&
						 (how_writes(how) || how_has(how, O_CREAT) || how_has(how, O_TRUNC))))) {
		req->ops[0] = 0;
	} else if (how->flags & TMPFILE_BIT) {
		/* A name in that directory, though it has none yet. */
		if (object->exists && !object->nameless && object->len + 9 < PATH_MAX) {
			memcpy(object->path + object->len, "/#tmpfile", 10);
			object->len += 9;
		}
		/* In a directory that was removed, or to be refused by the kernel: no name will ever be in there. */
		req->ops[0] = object->nameless && !object->st.st_nlink ? 0 : access_ops(how->flags) | OP_BIT(OP_CREATE);
	} else if (object->lexical) {
		/* The type is not known yet. A denial makes us look. */
		req->ops[0] = access_ops(how->flags);
		if (how_has(how, O_TRUNC))
			req->ops[0] |= OP_BIT(OP_TRUNCATE);
		if (!how_writes(how))
			req->ops[0] |= OP_BIT(OP_LIST);
		if (how_has(how, O_DIRECTORY))
			req->ops[0] = OP_BIT(OP_LIST);
		if (how_has(how, O_CREAT))
			req->ops[0] |= OP_BIT(OP_CREATE);
	} else if (object->exists && !how_has(how, O_CREAT | O_EXCL)) {
		req->ops[0] = existing_ops(how, object);
	} else {
		req->ops[0] = access_ops(how->flags);
		if (how_has(how, O_CREAT))
			req->ops[0] |= OP_BIT(OP_CREATE);
	}
	return 0;
}

/* ---- serve ---- */

static int open_flags(const struct open_how *how)
{
	return (int)(how->flags | O_NOCTTY | O_CLOEXEC);
}

static int open_reply(struct request *req, int fd)
{
	return fd < 0 ? fd : reply_fd(req, fd, how_has(&req->args.open.how, O_CLOEXEC));
}

static int open_parked(struct request *req, int result)
{
	return open_reply(req, result);
}

static int open_park(struct request *req, const struct object *object)
{
	const struct park wait = {
		.op = PARK_OPEN,
		.fd = object->pin,
		.flags = open_flags(&req->args.open.how) & ~(O_CREAT | O_EXCL | O_NOFOLLOW),
		.interrupted = -512,	/* -ERESTARTSYS */
		.done = open_parked,
	};
	int err = serve_room(req);

	return err ? err : park(req, &wait);
}

/* Devices whose open returns at once. That of tun must not be left to the ring, for it takes the opener's network namespace. */
static bool device_prompt(dev_t dev)
{
	unsigned maj = major(dev), min = minor(dev);

	return (maj == 1 && (min == 3 || min == 5 || (min >= 7 && min <= 9))) || (maj >= 136 && maj <= 143) ||
	       (maj == 5 && min == 2) || (maj == 10 && min == 200);
}

static int open_device(struct request *req, const struct object *object)
{
	const struct open_how *how = &req->args.open.how;
	AUTO_FD tty = -1;

	if (S_ISCHR(object->st.st_mode) && object->st.st_rdev == makedev(5, 0)) {
		tty = tty_open(req, object, open_flags(how) & ~(O_CREAT | O_EXCL | O_NOFOLLOW));
		return open_reply(req, tty < 0 ? tty : fd_take(&tty));
	}
	if (S_ISCHR(object->st.st_mode) && device_prompt(object->st.st_rdev))
		return open_reply(req, object_reopen(object, open_flags(how)));
	return open_park(req, object);
}

static bool sysctl_above(const char *path, char least)
{
	char c = '0';
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &c, 1) == 1 && c >= least;
}

/* fs.protected_fifos and protected_regular, as the kernel's may_create_in_sticky(), which a reopened pin goes round. */
static int sticky_check(const struct object *object)
{
	bool fifo = S_ISFIFO(object->st.st_mode), governed = fifo || S_ISREG(object->st.st_mode);
	const char *sysctl = fifo ? "/proc/sys/fs/protected_fifos" : "/proc/sys/fs/protected_regular";
	const char *slash = strrchr(object->path, '/');
	char path[PATH_MAX];
	struct stat dir;

	if (object->nameless || !slash || slash - object->path >= PATH_MAX)
		return 0;
	memcpy(path, object->path, (size_t)(slash - object->path));
	path[slash - object->path] = '\0';
	if (stat(path[0] ? path : "/", &dir) || !(dir.st_mode & S_ISVTX) || object->st.st_uid == dir.st_uid ||
	    object->st.st_uid == (uid_t)syscall(SYS_setfsuid, -1))
		return 0;
	/* Of other types no sysctl is asked. */
	if (dir.st_mode & S_IWOTH && (!governed || sysctl_above(sysctl, '1')))
		return -EACCES;
	return dir.st_mode & S_IWGRP && governed && sysctl_above(sysctl, '2') ? -EACCES : 0;
}

static int open_existing(struct request *req, const struct object *object)
{
	const struct open_how *how = &req->args.open.how;
	mode_t type = object->st.st_mode & S_IFMT;
	int err = 0;

	if (how_has(how, O_CREAT)) {
		if (how_has(how, O_EXCL))
			return object->slash ? -EISDIR : -EEXIST;
		if (object->slash || type == S_IFDIR)
			return -EISDIR;
		err = sticky_check(object);
	}
	if (type == S_IFLNK)
		return -ELOOP;
	if (type == S_IFDIR && (how_writes(how) || how_has(how, O_TRUNC)))
		return -EISDIR;
	if (!err && how_has(how, O_TRUNC))
		err = serve_room(req);
	if (err)
		return err;
	if (type == S_IFCHR || type == S_IFBLK)
		return open_device(req, object);
	if (type == S_IFIFO && !how_has(how, O_NONBLOCK) && (how->flags & O_ACCMODE) != O_RDWR)
		return open_park(req, object);
	err = object_reopen(object, open_flags(how));
	if (err == -EACCES || err == -EPERM)
		err = object_reopen_own(req->sandbox->resolver, object, open_flags(how), err);
	return open_reply(req, err);
}

static int open_tmpfile(struct request *req, const struct object *object)
{
	const struct open_how *how = &req->args.open.how;
	char path[32];
	int fd, err = serve_room(req);

	if (!err)
		err = serve_umask(req);
	if (err)
		return err;
	fd = open(object_proc_path(object->pin, path, sizeof(path)), open_flags(how) & ~O_NOFOLLOW, (mode_t)how->mode);
	return open_reply(req, fd < 0 ? -errno : fd);
}

/* Somebody made the name meanwhile: resolved and judged anew, below the same parent. */
static int open_raced(struct request *req, const struct object *missing, struct object *object)
{
	struct name name = { .dirfd = AT_FDCWD, .mode = req->names[0].mode, .resolve = req->names[0].resolve, .root = req->root };
	int err, base = fcntl(missing->parent, F_DUPFD_CLOEXEC, 3);

	if (base < 0)
		return -errno;
	/* Beneath what, the parent cannot tell. The kernel says this of its own races. */
	if (name.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) {
		fd_close(base);
		return -EAGAIN;
	}
	name.len = strlen(missing->last);
	memcpy(name.path, missing->last, name.len + 1);
	err = resolve(req->sandbox->resolver, req->target, &name, base, RESOLVE_EXACT, object);
	if (err || (object->err && !(object->err == -ENOENT && object->parent >= 0)))
		return err ? err : object->err;
	/* A link to something in procfs: nothing of that was made here. */
	if (object->nameless || object->foreign)
		return -EACCES;
	return decide_again(req, object, object->exists ? existing_ops(&req->args.open.how, object) : req->ops[0]);
}

static int open_make(struct request *req, struct object *object)
{
	AUTO_ENTRY *held = NULL;
	const struct open_how *how = &req->args.open.how;
	struct open_how make = {
		.flags = (uint64_t)(unsigned)open_flags(how) | O_CREAT | O_EXCL,	/* follows no link: EEXIST */
		.mode = how->mode,
	};
	struct stat st;
	int fd, err = serve_room(req);

	if (!err)
		err = serve_umask(req);
	if (!err)
		err = entry_hold(req, object, req->ops[0], false, &held);
	if (!err && object->slash)
		err = fstatat(object->parent, ".", &st, 0) ? -errno : -EISDIR;	/* which asks for the right to search */
	if (err)
		return err;
	fd = (int)syscall(SYS_openat2, object->parent, object->last, &make, sizeof(make));
	return fd < 0 ? -errno : open_reply(req, fd);
}

static int open_missing(struct request *req, struct object *object)
{
	AUTO_FREE struct object *again = NULL;
	int err = open_make(req, object);

	if (err != -EEXIST || how_has(&req->args.open.how, O_EXCL))
		return err;
	again = malloc(sizeof(*again));
	if (!again)
		return -ENOMEM;
	object_init(again);
	for (int i = 0; i < RACES_MAX; i++) {
		err = open_raced(req, object, again);
		if (!err)
			err = again->exists ? open_existing(req, again) : open_make(req, again);
		/* Parked: the pin must stay, and the request owns it. */
		if (!err && req->reply.kind == REPLY_PARKED) {
			object_clear(&req->objects[0]);
			req->objects[0] = *again;
			return 0;
		}
		object_clear(again);
		if (err != -EEXIST)
			return err;
	}
	return err;
}

static int open_lexical(struct request *req, const struct object *object)
{
	const struct open_how *how = &req->args.open.how;
	int err = 0;

	/* What may wait is pinned first. A hint only: the crew copes with what it missed. */
	if (!object_lexical_prompt(req->sandbox->resolver, object, req->start_ns))
		return -EINEXACT;
	if (how_has(how, O_TRUNC))
		err = serve_room(req);
	if (err)
		return err;
	return open_reply(req, object_open_lexical(req->sandbox->resolver, object, open_flags(how)));
}

int open_serve(struct request *req)
{
	const struct open_how *how = &req->args.open.how;
	struct object *object;

	if (how_has(how, O_PATH)) {
		req->reply.kind = REPLY_CONTINUE;
		return 0;
	}
	object = &req->objects[0];
	if (object->lexical && how_has(how, O_CREAT | O_EXCL))
		return open_make(req, object);
	if (object->lexical)
		return how_makes(how) ? -EINEXACT : open_lexical(req, object);
	if (how->flags & TMPFILE_BIT)
		return open_tmpfile(req, object);
	if (object->exists)
		return open_existing(req, object);
	return open_missing(req, object);
}

/* The kernel takes a number for the descriptor between reading the name and looking it up. */
int open_failed(struct request *req, int err)
{
	return req->n_names && serve_room(req) ? -EMFILE : err;
}
