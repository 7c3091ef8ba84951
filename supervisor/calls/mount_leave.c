/* umount2(2) and pivot_root(2): what is taken away, or gets another name. */
#include "calls/mount.h"

#include <errno.h>

#include "calls/mount_enter.h"
#include "calls/mount_make.h"
#include "calls/mount_opens.h"
#include "call.h"
#include "decide.h"
#include "sandbox.h"

#define MNT_FORCE 1
#define MNT_DETACH 2
#define MNT_EXPIRE 4
#define UMOUNT_NOFOLLOW 8

static const struct policy_rule root_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "the root is not taken away");
static const struct policy_rule force_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "only file systems that usher has mounted are unmounted by force");
static const struct policy_rule pivots_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "the root is exchanged only where a rule allows pivot_root, and not by a default");

int umount_fetch(struct request *req)
{
	const unsigned known = MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW;
	unsigned flags = (unsigned)request_int(req, 1);
	int err = flags & ~known ? -EINVAL : mount_call_begin(req);

	if (err)
		return err;
	mount_call_of(req)->kind = MOUNT_KIND_UMOUNT;
	mount_call_of(req)->flags = flags;
	return fetch_name(req, -1, 0, flags & UMOUNT_NOFOLLOW ? NAME_NOFOLLOW : NAME_FOLLOW, false);
}

int pivot_fetch(struct request *req)
{
	int err = mount_call_begin(req);

	if (err)
		return err;
	mount_call_of(req)->kind = MOUNT_KIND_PIVOT;
	err = fetch_name(req, -1, 0, NAME_FOLLOW, false);
	if (!err)
		err = fetch_name(req, -1, 1, NAME_FOLLOW, false);
	req->names[0].directory = req->names[1].directory = true;
	return err;
}

int pivot_serve(struct request *req)
{
	/* Own files are told by the ends of their names where a rule speaks of it. */
	int err = !policy_pivots(req->rules->policy) ? mount_refuse(req, &pivots_rule) : mount_is_mounted(req->objects[0].pin) ? mount_check_pivot(req) : -EINVAL;

	return err ? err : mount_make_pivot(req);
}

int umount_serve(struct request *req)
{
	const struct mount_call *call = mount_call_of(req);
	const struct object *target = &req->objects[0];

	if (call->flags & MNT_EXPIRE && call->flags & (MNT_FORCE | MNT_DETACH))
		return -EINVAL;
	if (!mount_is_mounted(target->pin))
		return -EINVAL;
	/* Over the root lies nothing but an older one, which pivot_root(2) has put there. */
	if (target->len == 1 && (!call->ours || !(call->flags & MNT_DETACH) || call->flags & MNT_FORCE || mount_number(target->pin) == mount_number(req->root)))
		return mount_refuse(req, &root_rule);
	if (target->len == 1)
		return mount_make_old_root_end(req);
	if (call->flags & MNT_FORCE && !(call->ours && call->record.whole))
		return mount_refuse(req, &force_rule);
	return mount_make_end(req, (int)(call->flags | UMOUNT_NOFOLLOW));
}
