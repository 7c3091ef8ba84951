/*
 * The mount API of descriptors, where a policy asks for it: limits { mount-api brokered; }.
 *
 * What the calls are told is kept (placeholders.h), and nothing is made of it before it is attached: move_mount(2) of a placeholder becomes the
 * mount(2) that says the same, and is judged, decided and made as that (mount.c). So are changes of what is mounted already: mount_setattr(2),
 * and fsconfig(2) of what fspick(2) has picked, are remounts.
 *
 * A placeholder belongs to one call at a time; another one meanwhile is answered with EBUSY. So what is decided about is what is made.
 */
#include "calls/mount_api.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "calls/mount.h"
#include "calls/mount_enter.h"
#include "calls/mount_make.h"
#include "call.h"
#include "decide.h"
#include "err.h"
#include "fd.h"
#include "sandbox.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#define ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME | \
	       MOUNT_ATTR_NOSYMFOLLOW)
#define PROPAGATIONS (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define ATTR_SIZE 32	/* of the first struct mount_attr */

static struct placeholders *placeholders_of(const struct request *req)
{
	return req->sandbox->placeholders;
}

int mount_api_begin(struct request *req, unsigned unknown, struct mount_call **call)
{
	int err = mount_call_begin(req);

	*call = err ? NULL : mount_call_of(req);
	if (err)
		return err;
	(*call)->kind = MOUNT_KIND_NONE;
	return unknown ? -EINVAL : 0;
}

/* The placeholder of descriptor NUMBER belongs to this call until it is answered. KIND: of that and no other. */
int mount_api_hold(struct request *req, int number, enum placeholder_kind kind)
{
	AUTO_FD fd = fetch_fd(req, number);
	struct placeholder *held = NULL;
	int err = fd < 0 ? fd : placeholder_hold(placeholders_of(req), fd, &held);

	if (err)
		return err;
	mount_call_of(req)->held = req->placeholder = held;
	return held->kind == kind ? 0 : -EINVAL;
}

void mount_api_release(struct request *req)
{
	mount_release(req);
	placeholder_drop(placeholders_of(req), &req->placeholder);
}

/* The next name is what PIN is. */
int mount_api_name(struct request *req, int pin)
{
	struct name *name = &req->names[req->n_names];
	int base = fcntl(pin, F_DUPFD_CLOEXEC, 3);

	if (base < 0)
		return -errno;
	/* No number of the program's. */
	name_begin(name, -1, NAME_FOLLOW, true);
	name->based = true;
	req->bases[req->n_names++] = base;
	return 0;
}

int mount_api_reply(struct request *req, const struct placeholder *new, bool cloexec)
{
	int fd = placeholder_add(placeholders_of(req), new);

	return fd < 0 ? fd : reply_fd(req, fd, cloexec);
}

/* The path at ARG of the descriptor at DIR_ARG becomes the next name. *HELD: if EMPTY, it may be a placeholder itself, of which a place is named
 * as what it is, and another one (and no name) left in call.held. */
static int fetch_place(struct request *req, int dir_arg, int arg, bool follow, bool empty, bool *held)
{
	struct mount_call *call = mount_call_of(req);
	struct placeholder *found = NULL;
	struct name *name = &req->names[req->n_names];
	int err = fetch_name(req, dir_arg, arg, follow ? NAME_FOLLOW : NAME_NOFOLLOW, empty);
	int number = request_int(req, dir_arg);

	if (err || name->err || name->path[0] == '/' || number == AT_FDCWD)
		return err;
	AUTO_FD fd = fetch_fd(req, number);
	if (fd < 0)
		return 0;	/* that is said when it would be looked up */
	if (placeholder_hold(placeholders_of(req), fd, &found) == -EBUSY)
		return -EBUSY;
	if (found && found->kind == PLACEHOLDER_PLACE) {
		fd_close(fd);
		fd = fcntl(found->pin, F_DUPFD_CLOEXEC, 3);
		err = fd < 0 ? -errno : 0;
	} else if (found && held && !name->len && !call->held) {
		call->held = req->placeholder = found;
		*held = true;
		req->n_names--;
		return 0;
	}
	placeholder_drop(placeholders_of(req), &found);
	name->based = true;
	req->bases[name - req->names] = fd_take(&fd);
	return err;
}

/* ---- flags ---------------------------------------------------------------------------------- */

uint32_t mount_api_bits(uint64_t attr)
{
	uint32_t bits = 0;

	for (enum mount_flag flag = 0; flag < MOUNT_FLAG_COUNT; flag++)
		if (mount_attr_of(MOUNT_BIT(flag)) & attr & ~(uint64_t)MOUNT_ATTR__ATIME)
			bits |= MOUNT_BIT(flag);
	if ((attr & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME)
		bits |= MOUNT_BIT(MOUNT_NOATIME);
	else if ((attr & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME)
		bits |= MOUNT_BIT(MOUNT_STRICTATIME);
	return bits;
}

int mount_api_check(uint64_t attr)
{
	return attr & ~(uint64_t)ATTRS || (attr & MOUNT_ATTR__ATIME) == MOUNT_ATTR__ATIME ? -EINVAL : 0;
}

/* SIZE bytes at ADDR. */
static int fetch_attr(struct request *req, uint64_t addr, uint64_t size, struct mount_attr *attr)
{
	unsigned char bytes[4096];
	uint64_t changes;
	int err = size > sizeof(bytes) ? -E2BIG : size < ATTR_SIZE ? -EINVAL : fetch_bytes(req, addr, bytes, size);

	for (size_t i = sizeof(*attr); !err && i < size; i++)
		if (bytes[i])
			err = -E2BIG;
	if (err)
		return err;
	*attr = (struct mount_attr){ 0 };
	memcpy(attr, bytes, size < sizeof(*attr) ? size : sizeof(*attr));
	changes = attr->attr_set | attr->attr_clr;
	if (attr->propagation & ~(uint64_t)PROPAGATIONS || __builtin_popcountll(attr->propagation) > 1)
		return -EINVAL;
	/* Only rules say whose names owners are shown by. */
	if (changes & MOUNT_ATTR_IDMAP)
		return -EPERM;
	if (changes & ~(uint64_t)ATTRS || (attr->attr_set & MOUNT_ATTR__ATIME && !(attr->attr_clr & MOUNT_ATTR__ATIME)) ||
	    (attr->attr_clr & MOUNT_ATTR__ATIME && (attr->attr_clr & MOUNT_ATTR__ATIME) != MOUNT_ATTR__ATIME))
		return -EINVAL;
	return mount_api_check(attr->attr_set);
}

/* What ATTR makes of BITS. */
static uint32_t change_bits(uint32_t bits, const struct mount_attr *attr)
{
	uint32_t cleared = mount_api_bits(attr->attr_clr & ~(uint64_t)MOUNT_ATTR__ATIME);

	if (attr->attr_clr & MOUNT_ATTR__ATIME)
		cleared |= MOUNT_BIT(MOUNT_NOATIME) | MOUNT_BIT(MOUNT_STRICTATIME) | MOUNT_BIT(MOUNT_RELATIME);
	bits = (bits & ~cleared) | mount_api_bits(attr->attr_set);
	if (attr->attr_clr & MOUNT_ATTR__ATIME && !(attr->attr_set & MOUNT_ATTR__ATIME))
		bits |= MOUNT_BIT(MOUNT_RELATIME);
	return bits;
}

/* ---- open_tree, fspick ---------------------------------------------------------------------- */

static int open_tree_fetch_flags(struct request *req, struct mount_call *call)
{
	const unsigned known = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	unsigned flags = (unsigned)request_int(req, 2);

	call->flags = flags;
	if (flags & ~known || (flags & (AT_RECURSIVE | OPEN_TREE_CLONE)) == AT_RECURSIVE)
		return -EINVAL;
	return fetch_place(req, 0, 1, !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH, NULL);
}

int open_tree_fetch(struct request *req)
{
	struct mount_call *call;
	int err = mount_api_begin(req, 0, &call);

	return err ? err : open_tree_fetch_flags(req, call);
}

int open_tree_attr_fetch(struct request *req)
{
	struct mount_call *call;
	int err = mount_api_begin(req, 0, &call);

	if (!err && req->notif.data.args[3])
		err = fetch_attr(req, req->notif.data.args[3], req->notif.data.args[4], &call->change);
	/* Of what is there already it is mount_setattr(2) that changes anything. */
	if (!err && (call->change.attr_set || call->change.attr_clr || call->change.propagation) && !((unsigned)request_int(req, 2) & OPEN_TREE_CLONE))
		err = -EOPNOTSUPP;
	return err ? err : open_tree_fetch_flags(req, call);
}

static int pin_of(const struct request *req)
{
	int pin = fcntl(req->objects[0].pin, F_DUPFD_CLOEXEC, 3);

	return pin < 0 ? -errno : pin;
}

int open_tree_serve(struct request *req)
{
	const struct mount_call *call = mount_call_of(req);
	bool clone = call->flags & OPEN_TREE_CLONE;
	struct placeholder new = { .kind = clone ? PLACEHOLDER_TREE : PLACEHOLDER_PLACE, .recursive = call->flags & AT_RECURSIVE, .pin = pin_of(req) };

	if (new.pin < 0)
		return new.pin;
	if (call->change.propagation & MS_SHARED) {
		fd_close(new.pin);
		return mount_refuse(req, &mount_shared_rule);
	}
	new.attr = change_bits(0, &call->change);
	new.attr_below = new.recursive;
	return mount_api_reply(req, &new, call->flags & OPEN_TREE_CLOEXEC);
}

int fspick_fetch(struct request *req)
{
	const unsigned known = FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH;
	struct mount_call *call;
	unsigned flags = (unsigned)request_int(req, 2);
	int err = mount_api_begin(req, flags & ~known, &call);

	return err ? err : fetch_place(req, 0, 1, !(flags & FSPICK_SYMLINK_NOFOLLOW), flags & FSPICK_EMPTY_PATH, NULL);
}

int fspick_serve(struct request *req)
{
	struct placeholder new = { .kind = PLACEHOLDER_CONTEXT, .pin = mount_is_mounted(req->objects[0].pin) ? pin_of(req) : -EINVAL };

	return new.pin < 0 ? new.pin : mount_api_reply(req, &new, request_int(req, 2) & FSPICK_CLOEXEC);
}

/* ---- mount_setattr, move_mount -------------------------------------------------------------- */

int mount_setattr_fetch(struct request *req)
{
	const unsigned known = AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
	unsigned flags = (unsigned)request_int(req, 2);
	struct mount_call *call;
	bool held = false;
	int err = mount_api_begin(req, flags & ~known, &call);

	if (!err)
		err = fetch_attr(req, req->notif.data.args[3], req->notif.data.args[4], &call->change);
	if (!err)
		err = fetch_place(req, 0, 1, !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH, &held);
	if (err || held)
		return !err && call->held->kind == PLACEHOLDER_CONTEXT ? -EINVAL : err;
	/* Not both at once, nor flags of a whole tree, of which some might be changed and others not. */
	if (call->change.attr_set | call->change.attr_clr) {
		if (call->change.propagation || flags & AT_RECURSIVE)
			return -EOPNOTSUPP;
		call->kind = MOUNT_KIND_REMOUNT;
		call->fstype = strdup("remount");
		return call->fstype ? 0 : -ENOMEM;
	}
	if (call->change.propagation)
		call->kind = MOUNT_KIND_PROPAGATE;
	call->flags = call->change.propagation | (flags & AT_RECURSIVE ? MS_REC : 0);
	return 0;
}

int mount_setattr_serve(struct request *req)
{
	struct mount_call *call = mount_call_of(req);

	if (call->kind != MOUNT_KIND_NONE)
		return mount_serve(req);
	if (call->change.propagation & MS_SHARED)
		return mount_refuse(req, &mount_shared_rule);
	if (call->held) {
		call->held->attr = change_bits(call->held->attr, &call->change);
		call->held->attr_below |= (unsigned)request_int(req, 2) & AT_RECURSIVE;
	}
	return reply_value(req, 0);
}

int move_mount_fetch(struct request *req)
{
	const unsigned known = MOVE_MOUNT_F_SYMLINKS | MOVE_MOUNT_F_AUTOMOUNTS | MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS |
			       MOVE_MOUNT_T_AUTOMOUNTS | MOVE_MOUNT_T_EMPTY_PATH;
	unsigned flags = (unsigned)request_int(req, 4);
	struct mount_call *call;
	bool held = false;
	int err = mount_api_begin(req, flags & ~known, &call);

	if (!err)
		err = fetch_place(req, 2, 3, flags & MOVE_MOUNT_T_SYMLINKS, flags & MOVE_MOUNT_T_EMPTY_PATH, NULL);
	if (!err)
		err = fetch_place(req, 0, 1, flags & MOVE_MOUNT_F_SYMLINKS, flags & MOVE_MOUNT_F_EMPTY_PATH, &held);
	if (err)
		return err;
	if (held && call->held->kind == PLACEHOLDER_CONTEXT)
		return -EINVAL;
	if (held && call->held->kind == PLACEHOLDER_MOUNT) {
		call->kind = MOUNT_KIND_NEW;
		call->attr = call->held->attr;
		call->sb = call->held->sb;
		call->fstype = strdup(call->held->fstype);
		call->source = call->held->source ? strdup(call->held->source) : NULL;
		if (!call->fstype || (call->held->source && !call->source))
			return -ENOMEM;
		call->asked = call->attr | call->sb;
		err = mount_api_options(req, call->held);
		return err ? err : mount_fetch_rest(req);
	}
	call->kind = held ? MOUNT_KIND_BIND : MOUNT_KIND_MOVE;
	call->fstype = strdup(held ? "bind" : "move");
	if (!call->fstype)
		return -ENOMEM;
	if (!held)
		return 0;
	call->flags = MS_BIND | (call->held->recursive ? MS_REC : 0);
	call->attr = call->held->attr;
	call->attr_below = call->held->attr_below;
	call->asked = call->attr | (call->held->recursive ? MOUNT_BIT(MOUNT_REC) : 0);
	return mount_api_name(req, call->held->pin);
}

int move_mount_serve(struct request *req)
{
	struct mount_call *call = mount_call_of(req);
	struct placeholder *held = call->held;
	int err = mount_serve(req);

	if (err || !held)
		return err;
	/* From now on it is what was put there. */
	fd_close(held->pin);
	held->kind = PLACEHOLDER_PLACE;
	held->pin = fd_take(&call->made);
	return 0;
}

/* ---- judge ---------------------------------------------------------------------------------- */

int mount_api_judge(struct request *req)
{
	struct mount_call *call = mount_call_of(req);
	int err = 0;

	for (unsigned i = 0; i < req->n_names; i++)
		req->ops[i] = OP_BIT(OP_MOUNT);
	if (call->kind == MOUNT_KIND_NONE)
		return 0;
	err = mount_judge(req);
	if (call->kind != MOUNT_KIND_REMOUNT || req->objects[0].pin < 0)
		return err;
	call->asked = mount_make_restrictions(req->objects[0].pin);
	if (!call->sb_only)
		call->asked = change_bits(call->asked, &call->change);
	else if (call->held->says_ro)
		call->asked = (call->asked & ~MOUNT_BIT(MOUNT_RO)) | (call->held->sb & MOUNT_BIT(MOUNT_RO));
	return err;
}
