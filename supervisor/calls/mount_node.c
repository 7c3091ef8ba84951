/* Nodes that nobody can make in a user namespace. */
#include "calls/mount_make.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <sys/sysmacros.h>

#include "body.h"
#include "calls/mount_enter.h"
#include "calls/serve.h"
#include "err.h"
#include "fd.h"
#include "sandbox.h"

static const struct { const char *name; unsigned major, minor; } nodes[] = {
	{ "/dev/null", 1, 3 }, { "/dev/zero", 1, 5 }, { "/dev/full", 1, 7 }, { "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};

struct node { struct request *req; dev_t device; int file; };

static int node_bind(void *ctx)
{
	struct node *node = ctx;
	struct request *req = node->req;
	/* Read-only: devices are written to all the same, but the inode is the machine's. */
	struct mount_record record = { .force = MOUNT_BIT(MOUNT_RO) | MOUNT_BIT(MOUNT_NOSUID) | MOUNT_BIT(MOUNT_NOEXEC), .node = true };
	AUTO_FD device = -1;
	AUTO_FD mount = -1;
	struct statx stx;
	struct stat st;
	int err = mount_enter(req);

	if (!err && statx(node->file, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &stx))
		err = -errno;
	if (!err)
		err = mount_look_round(req, stx.stx_mnt_id, true);
	for (size_t i = 0; !err && device < 0 && i < ARRAY_SIZE(nodes); i++)
		if (node->device == makedev(nodes[i].major, nodes[i].minor)) {
			device = open(nodes[i].name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
			record.from = strdup(nodes[i].name);
		}
	if (!err && (device < 0 || fstat(device, &st) || !S_ISCHR(st.st_mode) || st.st_rdev != node->device))
		err = -EPERM;
	if (!err)
		mount = mount_result((int)syscall(SYS_open_tree, device, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
	if (!err && mount < 0)
		err = mount;
	if (!err)
		err = mount_set_attr(mount, false, (struct mount_attr){ .attr_set = mount_attr_of(record.force), .propagation = MS_PRIVATE });
	if (!err)
		err = mount_attach(req->sandbox->mounts, mount, node->file);
	record.id = err ? 0 : mounts_id(mount);
	record.fstype = strdup("bind");
	if (record.fstype && record.from)
		mounts_add(req->sandbox->mounts, &record);
	else
		mount_record_free(&record);
	return err < 0 ? err : 0;
}

int mount_make_node(struct request *req, dev_t device)
{
	const struct object *object = &req->objects[0];
	struct node node = { .req = req, .device = device, .file = -1 };
	int err = object->parent < 0 ? -EPERM : serve_umask(req);

	if (err)
		return err;
	node.file = openat(object->parent, object->last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, req->args.attr.mode & 0777);
	if (node.file < 0)
		return -errno;
	err = body_apart(node_bind, &node);
	if (err)
		(void)unlinkat(object->parent, object->last, 0);
	fd_close(node.file);
	return err ? err : reply_value(req, 0);
}

bool mount_node_has(const struct request *req, int pin, mode_t mode)
{
	struct mount_record record;
	struct stat st;
	bool ours;

	if (!req->sandbox->mounts || fstat(pin, &st) || !S_ISCHR(st.st_mode) || (st.st_mode & 07777) != mode ||
	    !mounts_find(req->sandbox->mounts, mounts_id(pin), &record))
		return false;
	ours = record.node;
	mount_record_free(&record);
	return ours;
}
