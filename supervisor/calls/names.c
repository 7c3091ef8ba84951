/*
 * Calls that change directories act on a pinned parent and one name in it (calls/entry.c), which the kernel takes with all its
 * rules about ".", ".." and a slash at the end. The policy is asked about that name below the parent's path.
 *
 * A rename may find another object under the name than the one that was looked at, a directory instead of a file, and
 * more is asked of a whole tree. The tree can put a directory at a name only by mkdir and rename: a rename holds the names alone, so
 * that neither happens meanwhile, and looks again at what it moves. A link is made of the pinned object itself.
 */
#include "calls/names.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls/entry.h"
#include "calls/serve.h"
#include "decide.h"
#include "fd.h"
#include "mounts.h"
#include "sandbox.h"

/* ---- unlink, rmdir ---- */

/* Here the kernel says other things before it looks for the last name and finds it too long. */
static int fetch_late(struct request *req, int dirfd_arg, int path_arg)
{
	int err = fetch_name(req, dirfd_arg, path_arg, NAME_ENTRY, false);

	if (!err)
		req->names[req->n_names - 1].late = true;
	return err;
}

/*
 * What the kernel says of the two directories, before it looks for names: EXDEV, EROFS. Asked with names that are too long for
 * any to be there; ENAMETOOLONG is what comes next.
 */
static int directories_differ(const struct object *from, const struct object *to)
{
	char none[NAME_MAX + 2];

	memset(none, 'x', sizeof(none) - 1);
	none[sizeof(none) - 1] = '\0';
	return renameat(from->parent, none, to->parent, none) && (errno == EXDEV || errno == EROFS) ? -errno : 0;
}

/* ENAMETOOLONG; in a directory that is gone ENOENT. */
static bool too_long(const struct object *object)
{
	return !object->last[0];
}

/* Not a name: the kernel refuses to move it before it looks. */
static bool last_special(const struct object *object)
{
	return !strcmp(object->last, ".") || !strcmp(object->last, "..") || !strcmp(object->last, "/");
}

/*
 * The kernel keeps what something is mounted on where it is only in the namespace of who asks, and that is ours: elsewhere the mount moves with
 * the name or is gone. The type of what is mounted, or 0. Who may not write there is
 * told so by the kernel, and what stands for a device goes with the file.
 */
static mode_t mounted_on(const struct request *req, const struct object *object)
{
	struct mount_record record = { 0 };
	struct statx stx;

	if (!req->sandbox->mounts || last_special(object) || !object->exists ||
	    statx(object->parent, object->last, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) ||
	    !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) || faccessat(object->parent, ".", W_OK | X_OK, AT_EACCESS))
		return 0;
	if (mounts_find(req->sandbox->mounts, mounts_id(object->pin), &record))
		mount_record_free(&record);
	return record.node ? 0 : stx.stx_mode;
}

static int unlink_fetch_at(struct request *req, int dirfd_arg, int path_arg, unsigned flags)
{
	if (flags & ~(unsigned)AT_REMOVEDIR)
		return -EINVAL;
	req->args.link.flags = flags;
	return fetch_late(req, dirfd_arg, path_arg);
}

int unlinkat_fetch(struct request *req)
{
	return unlink_fetch_at(req, 0, 1, (unsigned)request_int(req, 2));
}

int unlink_serve(struct request *req)
{
	char name[NAME_MAX + 2];
	AUTO_ENTRY *held = NULL;
	struct object *object = &req->objects[0];
	mode_t mounted;
	int err = entry_hold(req, object, req->ops[0], false, &held);

	if (!err && too_long(object)) {
		err = directories_differ(object, object);
		return err ? err : object->err;
	}
	if (err)
		return err;
	mounted = mounted_on(req, object);
	if (mounted && S_ISDIR(mounted) == !!(req->args.link.flags & AT_REMOVEDIR))
		return -EBUSY;
	/* Its pin would keep a mount busy and the file: watches are told of its end before they are told of the name's. */
	object->pin = fd_close(object->pin);
	if (unlinkat(object->parent, serve_last(object, name), (int)req->args.link.flags))
		return -errno;
	return reply_value(req, 0);
}

/* ---- rename ---- */

static int rename_fetch_at(struct request *req, int old_dir, int old, int new_dir, int new, unsigned flags)
{
	int err;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT) ||
	    (flags & RENAME_EXCHANGE && flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
		return -EINVAL;
	req->args.link.flags = flags;
	err = fetch_late(req, old_dir, old);
	return err ? err : fetch_late(req, new_dir, new);
}

int renameat_fetch(struct request *req)
{
	return rename_fetch_at(req, 0, 1, 2, 3, 0);
}

int renameat2_fetch(struct request *req)
{
	return rename_fetch_at(req, 0, 1, 2, 3, (unsigned)request_int(req, 4));
}

int rename_judge(struct request *req)
{
	unsigned flags = req->args.link.flags;

	req->ops[0] = OP_BIT(OP_RENAME);
	req->ops[1] = OP_BIT(OP_CREATE);
	if (flags & RENAME_EXCHANGE) {
		req->ops[0] |= OP_BIT(OP_CREATE);
		req->ops[1] |= OP_BIT(OP_RENAME);
	} else if (req->objects[1].exists && !(flags & RENAME_NOREPLACE)) {
		req->ops[1] |= OP_BIT(OP_DELETE);
	}
	/* Leaves a device behind. */
	if (flags & RENAME_WHITEOUT)
		req->ops[0] |= OP_BIT(OP_CREATE) | OP_BIT(OP_MKNOD);
	for (unsigned i = 0; i < 2; i++)
		if (last_special(&req->objects[i]))
			req->ops[i] = OP_BIT(OP_STAT);
	return 0;
}

/* Something is denied beside or below OBJECT. */
static bool around_denied(const struct request *req, const struct object *object, const struct policy_rule **rule)
{
	size_t len = object->len;

	while (!object->below && len > 0 && object->path[--len] != '/')
		;
	return policy_denies_below(req->rules->policy, OPS_FILES, object->path, len ? len : 1, rule);
}

static int gains(struct request *req, bool rename, bool tree, const struct object *from, const struct object *to)
{
	const struct policy_rule *rule = NULL;
	bool gained;

	if (from->below || to->below)
		gained = around_denied(req, from, &rule) || around_denied(req, to, &rule);
	else
		gained = policy_gains(req->rules->policy, rename, tree, from->path, from->len, to->path, to->len, &rule);
	if (!gained)
		return 0;
	return serve_deny(req, EXDEV, rename ? OP_RENAME : OP_LINK, rule);
}

/* FROM's name moves to TO's. Held alone: what is no directory now will not be one when it is moved. */
static int move_gains(struct request *req, const struct object *from, const struct object *to)
{
	struct stat st;
	bool tree;

	if (fstatat(from->parent, from->last, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	tree = S_ISDIR(st.st_mode);
	if (tree)
		entry_moves(req);
	/* It may be bound elsewhere: by that name, too, nothing that comes into it is allowed more than by this one (calls/mount_opens.c). */
	if (tree && req->sandbox->mounts) {
		int err = gains(req, false, tree, to, from);

		if (err)
			return err;
	}
	return gains(req, true, tree, from, to);
}

/* What was missing may be there by now, to be replaced. */
static int replaces(struct request *req, const struct object *to)
{
	struct stat st;

	if (to->exists || req->args.link.flags & (RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    fstatat(to->parent, to->last, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	req->ops[1] |= OP_BIT(OP_DELETE);
	return decide_again(req, to, req->ops[1]);
}

static int rename_move(struct request *req, struct object *from, struct object *to)
{
	char old_name[NAME_MAX + 2], new_name[NAME_MAX + 2];
	unsigned flags = req->args.link.flags;
	AUTO_ENTRY *held = NULL;
	int err = entry_hold(req, from, req->ops[0], true, &held);

	if (!err)
		err = entry_look(req, to, req->ops[1]);
	if (!err && (last_special(from) || last_special(to) || !from->exists || too_long(to) ||
		     (flags & RENAME_EXCHANGE && !to->exists)))
		err = directories_differ(from, to);
	if (err == -EROFS && (last_special(from) || last_special(to)))
		err = 0;
	if (!err && last_special(from))
		err = -EBUSY;
	if (!err && last_special(to))
		err = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	/* Not for the kernel to find out: it might be there by then, unjudged. */
	if (!err && !from->exists)
		err = from->err == -ENAMETOOLONG ? from->err : -ENOENT;
	if (!err && too_long(to))
		err = to->err;
	if (!err)
		err = replaces(req, to);
	if (!err)
		err = move_gains(req, from, to);
	if (!err && flags & RENAME_EXCHANGE)
		err = move_gains(req, to, from);
	if (!err && (mounted_on(req, from) || (!(flags & RENAME_NOREPLACE) && mounted_on(req, to))))
		err = -EBUSY;
	/* As for unlink: what is replaced goes at once. */
	to->pin = fd_close(to->pin);
	if (!err && syscall(SYS_renameat2, from->parent, serve_last(from, old_name), to->parent, serve_last(to, new_name), flags))
		err = -errno;
	return err;
}

int rename_serve(struct request *req)
{
	int err = rename_move(req, &req->objects[0], &req->objects[1]);

	resolver_forget(req->sandbox->resolver);
	return err ? err : reply_value(req, 0);
}

/* ---- link ---- */

static int link_fetch_at(struct request *req, int old_dir, int old, int new_dir, int new, unsigned flags)
{
	int err;

	if (flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = fetch_name(req, old_dir, old, flags & AT_SYMLINK_FOLLOW ? NAME_FOLLOW : NAME_NOFOLLOW,
			 flags & AT_EMPTY_PATH);
	return err ? err : fetch_name(req, new_dir, new, NAME_ENTRY, false);
}

int linkat_fetch(struct request *req)
{
	return link_fetch_at(req, 0, 1, 2, 3, (unsigned)request_int(req, 4));
}

int link_judge(struct request *req)
{
	/* What has no name yet is judged by the access that is held. */
	req->ops[0] = req->objects[0].nameless ? 0 : OP_BIT(OP_LINK);
	req->ops[1] = OP_BIT(OP_CREATE);
	return 0;
}

int link_serve(struct request *req)
{
	char name[NAME_MAX + 2], path[32];
	AUTO_ENTRY *held = NULL;
	struct object *from = &req->objects[0], *to = &req->objects[1];
	int err = serve_pin(req, 0);

	if (!err)
		err = entry_hold(req, to, req->ops[1], false, &held);
	/* An O_TMPFILE file gets its first name: only by whom may write it, for the name may allow that. What has a link left has
	 * a name that is not known, and would gain by this one, where anything is denied at all. */
	if (!err && from->nameless && !S_ISDIR(from->st.st_mode) && (!(from->held & 2) || from->st.st_nlink) &&
	    policy_confines(req->rules->policy, true) & OPS_FILES)
		err = -EXDEV;
	if (!err && !from->nameless)
		err = gains(req, false, false, from, to);
	if (err)
		return err;
	if (linkat(AT_FDCWD, object_proc_path(from->pin, path, sizeof(path)), to->parent, serve_last(to, name),
		   AT_SYMLINK_FOLLOW))
		return -errno;
	resolver_forget(req->sandbox->resolver);
	return reply_value(req, 0);
}

#ifdef __x86_64__
int rmdir_fetch(struct request *req)
{
	return unlink_fetch_at(req, -1, 0, AT_REMOVEDIR);
}

int unlink_fetch(struct request *req)
{
	return unlink_fetch_at(req, -1, 0, 0);
}

int rename_fetch(struct request *req)
{
	return rename_fetch_at(req, -1, 0, -1, 1, 0);
}

int link_fetch(struct request *req)
{
	return link_fetch_at(req, -1, 0, -1, 1, 0);
}
#endif
