/* A bind is to a tree what a link is to a file: by its new name nothing may be allowed that is denied by the old one. */
#include "calls/mount_opens.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "calls/mount_enter.h"
#include "decide.h"
#include "err.h"
#include "fd.h"
#include "ruleset.h"

static const struct policy_rule gains_rule =
	BUILTIN_RULE(SECTION_MOUNTS, EPERM, "file rules allow something at the new place that they deny where it is");
static const struct policy_rule differs_rule =
	BUILTIN_RULE(SECTION_MOUNTS, EPERM, "file rules deny something at the new place that they allow where it is: a rename there would open it (force ro)");
static const struct policy_rule layer_rule =
	BUILTIN_RULE(SECTION_MOUNTS, EPERM, "file rules deny what the mount itself does: an overlay empties its work directory and marks its upper one");
static const struct policy_rule pivot_rule =
	BUILTIN_RULE(SECTION_MOUNTS, EPERM, "file rules do not say the same of what gets other names with the root: begin them with /**/, and without beneath");
static const struct policy_rule nowhere_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "what is to be mounted has no path that rules could speak of");
static const struct policy_rule proc_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "nothing is mounted in or over /proc, but proc on it");
static const struct policy_rule own_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "nothing is mounted over usher's own files");

#define OPS_ALL (OPS_FILES | OPS_NETWORK)
/* What cannot be done on a read-only mount, whatever is there. */
#define OPS_RO_TREE (OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE) | OP_BIT(OP_RENAME) | OP_BIT(OP_LINK) | OP_BIT(OP_CHMOD) | OP_BIT(OP_CHOWN) | \
		     OP_BIT(OP_UTIME) | OP_BIT(OP_XATTR) | OP_BIT(OP_MKNOD) | OP_BIT(OP_BIND))
/* Pipes, sockets and devices are written to all the same. */
#define OPS_RO_FILE (OPS_RO_TREE | OP_BIT(OP_WRITE) | OP_BIT(OP_APPEND) | OP_BIT(OP_TRUNCATE))
/* What reaches the lower layers of an overlay. */
#define OPS_LOWER (OP_BIT(OP_STAT) | OP_BIT(OP_LIST) | OP_BIT(OP_READ) | OP_BIT(OP_EXEC))

/* What can be done to a file that something is mounted on: it is not made, removed or renamed, and the rest depends on what it is. */
static uint32_t ops_of_file(mode_t mode)
{
	const uint32_t any = OP_BIT(OP_STAT) | OP_BIT(OP_LINK) | OP_BIT(OP_CHMOD) | OP_BIT(OP_CHOWN) | OP_BIT(OP_UTIME) | OP_BIT(OP_XATTR);
	const uint32_t opened = OP_BIT(OP_READ) | OP_BIT(OP_WRITE) | OP_BIT(OP_APPEND) | OP_BIT(OP_TRUNCATE);

	if (S_ISDIR(mode))
		return OPS_ALL;
	if (S_ISSOCK(mode))
		return any | OPS_NETWORK;
	return any | opened | (S_ISREG(mode) ? OP_BIT(OP_EXEC) : 0);
}

static int check_object(struct request *req, const struct object *object)
{
	return object->nameless || object->foreign || object->below ? mount_refuse(req, &nowhere_rule) : 0;
}

static int check_gains(struct request *req, uint32_t ops, bool tree, const char *from, const char *to)
{
	return policy_bind_gains(req->rules->policy, ops, tree, from, to, NULL) ? mount_refuse(req, &gains_rule) : 0;
}

/* A tree with two names: what is renamed by the one where nothing is gained must not gain by the other. So they say the same, or nothing can be
 * renamed by the new one; a directory keeps its rules when it is renamed (calls/names.c). */
static int check_alike(struct request *req, uint32_t ops, uint32_t force, const char *from, const char *to)
{
	return !(force & MOUNT_BIT(MOUNT_RO)) && policy_bind_gains(req->rules->policy, ops, true, to, from, NULL)
		       ? mount_refuse(req, &differs_rule) : 0;
}

static int check_bind(struct request *req, uint32_t force)
{
	const struct object *from = &req->objects[1], *to = &req->objects[0];
	uint32_t ops = ops_of_file(from->st.st_mode);
	int err = check_object(req, from);

	if (force & MOUNT_BIT(MOUNT_RO))
		ops &= ~(S_ISREG(from->st.st_mode) ? OPS_RO_FILE : OPS_RO_TREE);
	if (force & MOUNT_BIT(MOUNT_NOEXEC))
		ops &= ~OP_BIT(OP_EXEC);
	if (!err)
		err = check_gains(req, ops, S_ISDIR(from->st.st_mode), from->path, to->path);
	return err || !S_ISDIR(from->st.st_mode) ? err : check_alike(req, ops, force, from->path, to->path);
}

/* PATH and what is below it is made and removed by the kernel. */
static bool check_emptied(const struct policy *policy, const char *path)
{
	const uint32_t ops = OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE);
	const struct policy_rule *rule;
	struct policy_decision decision = policy_decide_path(policy, ops, path, strlen(path));

	return !policy_allows(&decision.enforced) || policy_denies_below(policy, ops, path, strlen(path), &rule);
}

/* What the kernel does as it mounts: it marks an upper layer and empties a work directory. */
static int check_changes(struct request *req, char name, const char *path)
{
	const struct policy *policy = req->rules->policy;
	struct policy_decision decision = policy_decide_path(policy, OP_BIT(OP_XATTR), path, strlen(path));
	char below[PATH_MAX + 8];
	bool denied = !policy_allows(&decision.enforced);

	for (int i = 0; i < 2 && name == 'w' && !denied; i++) {
		(void)snprintf(below, sizeof(below), "%s/%s", path[1] ? path : "", i ? "index" : "work");
		denied = check_emptied(policy, below);
	}
	return denied ? mount_refuse(req, &layer_rule) : 0;
}

static int check_overlay(struct request *req, const struct mount_call *call, uint32_t force)
{
	const char *to = req->objects[0].path;
	int err = 0;

	for (size_t i = 0; i < call->n_options && !err; i++) {
		bool lower = call->options[i].name[0] == 'l';
		if (!call->layers[i])
			continue;
		err = check_object(req, call->layers[i]);
		if (!err)
			err = check_gains(req, lower ? OPS_LOWER : OPS_ALL, true, call->layers[i]->path, to);
		if (!err && !lower)
			err = check_changes(req, call->options[i].name[0], call->layers[i]->path);
		if (!err && call->options[i].name[0] == 'u')
			err = check_alike(req, OPS_ALL, force, call->layers[i]->path, to);
		/* What is changed is copied up first. */
		for (size_t k = 0; lower && k < call->n_options && !err; k++)
			if (call->layers[k] && call->options[k].name[0] != 'l')
				err = check_gains(req, OPS_LOWER, true, call->layers[i]->path, call->layers[k]->path);
	}
	return err;
}

/* Where what a file system shows is without it, by its usual name. */
static const char *view_of(const char *fstype)
{
	static const char *const views[][2] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" }, { "mqueue", "/dev/mqueue" }, { "hugetlbfs", "/dev/hugepages" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(views); i++)
		if (!strcmp(views[i][0], fstype))
			return views[i][1];
	return NULL;
}

static int check_views(struct request *req, const struct strings *views, uint32_t ops)
{
	int err = 0;

	for (size_t i = 0; i + 1 < views->n && !err; i += 2) {
		AUTO_FREE char *to = text_printf("%s%s", req->objects[0].path, views->v[i + 1]);
		err = check_gains(req, ops, true, views->v[i], to);
	}
	return err;
}

int mount_check_opens(struct request *req, uint32_t force)
{
	const struct mount_call *call = mount_call_of(req);
	const struct object *target = &req->objects[0];
	uint32_t ops = force & MOUNT_BIT(MOUNT_RO) ? OPS_ALL & ~OPS_RO_TREE : OPS_ALL;
	const char *view;
	int err;

	switch (call->kind) {
	case MOUNT_KIND_BIND:
		return check_bind(req, force);
	case MOUNT_KIND_MOVE:
		if (check_object(req, &req->objects[1]))
			return -EPERM;
		if (policy_gains(req->rules->policy, true, true, req->objects[1].path, req->objects[1].len, target->path, target->len, NULL))
			return mount_refuse(req, &gains_rule);
		err = check_gains(req, OPS_ALL, true, req->objects[1].path, target->path);
		return err ? err : check_alike(req, OPS_ALL, 0, req->objects[1].path, target->path);
	case MOUNT_KIND_NEW:
		view = view_of(call->fstype);
		if (view)
			return check_gains(req, ops, true, view, target->path);
		if (call->views.n)
			return check_views(req, &call->views, ops);
		return !strcmp(call->fstype, "overlay") ? check_overlay(req, call, force) : 0;
	case MOUNT_KIND_REMOUNT:
	case MOUNT_KIND_PROPAGATE:
	case MOUNT_KIND_UMOUNT:
	case MOUNT_KIND_PIVOT:
	case MOUNT_KIND_NONE:
		break;
	}
	return 0;
}

static bool same_rules(const struct request *req, const char *a, const char *b)
{
	const struct policy *policy = req->rules->policy;

	return !policy_bind_gains(policy, OPS_ALL, true, a, b, NULL) && !policy_bind_gains(policy, OPS_ALL, true, b, a, NULL);
}

/* Every name changes: what was below the new root loses that, everything else gets the place of the old one in front. Where rules say the same by
 * both names of whatever there may be, no rule notices: not in a copy of the namespace either, nor of what is being looked up now. */
int mount_check_pivot(struct request *req)
{
	const struct object *to = &req->objects[0], *old = &req->objects[1];
	const char *behind = old->path + to->len;

	if (check_object(req, to) || check_object(req, old))
		return -EPERM;
	if (to->len == 1)
		return -EBUSY;
	if (strncmp(old->path, to->path, to->len) || (*behind && *behind != '/'))
		return -EINVAL;
	/* Where links lead out of a rule's tree is no part of what is allowed by a name. */
	return !req->rules->beneath && same_rules(req, to->path, "/") && same_rules(req, "/", *behind ? behind : "/") ? 0 : mount_refuse(req, &pivot_rule);
}

/* What usher itself relies on stays where it is. */
int mount_check_place(struct request *req)
{
	const struct mount_call *call = mount_call_of(req);
	const struct object *target = &req->objects[0];
	struct policy_decision own = policy_decide_path(req->rules->policy, OP_BIT(OP_DELETE), target->path, target->len);
	bool over = call->kind == MOUNT_KIND_NEW || call->kind == MOUNT_KIND_BIND || call->kind == MOUNT_KIND_MOVE;

	if (!over)
		return 0;
	if (check_object(req, target))
		return -EPERM;
	if (!strncmp(target->path, "/proc", 5) && (!target->path[5] || target->path[5] == '/') &&
	    (target->path[5] || call->kind != MOUNT_KIND_NEW || strcmp(call->fstype, "proc")))
		return mount_refuse(req, &proc_rule);
	if (own.enforced.rule && own.enforced.rule->pos.file == POLICY_BUILTIN)
		return mount_refuse(req, &own_rule);
	return 0;
}
