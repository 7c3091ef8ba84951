/*
 * mount(2) and umount2(2): what is asked for, and whether it may be.
 *
 * Three things are asked of a mount. Rules of the mounts section decide on type, source, place, flags and options. Then what is
 * mounted must not be reached by a name where more is allowed than by the one it has: a bind of a tree is refused if the file rules allow
 * anything at or below the new place that they deny at the old one (policy_bind_gains(), as for links). So a path means what rules say of
 * it, however often it is bound on; that holds in every copy of the namespace, and no record needs to be looked at. And it must be in a mount
 * namespace of the program's own, from where nothing spreads (mount_make.c).
 */
#include "calls/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "calls/mount_enter.h"
#include "calls/mount_make.h"
#include "calls/mount_opens.h"
#include "calls/mount_views.h"
#include "call.h"
#include "decide.h"
#include "err.h"
#include "escape.h"
#include "fd.h"
#include "mount_text.h"
#include "placeholders.h"
#include "sandbox.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif

#define PROPAGATIONS (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define DATA_SIZE 4096

const struct policy_rule mount_shared_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "mounts are never shared: what is mounted would spread");
static const struct policy_rule loosen_rule = BUILTIN_RULE(SECTION_MOUNTS, EPERM, "what usher has not mounted is only restricted further");

/* ---- fetch ---------------------------------------------------------------------------------- */

int mount_call_begin(struct request *req)
{
	struct mount_call *call = calloc(1, sizeof(*call));

	if (!call)
		return -ENOMEM;
	if (req->sandbox->placeholders)
		placeholders_sweep(req->sandbox->placeholders);
	call->cwd = call->made = -1;
	req->args.mount.call = call;
	return 0;
}

/* *TEXT is malloc'ed, or NULL for a null pointer. */
int mount_fetch_text(struct request *req, int arg, size_t size, char **text)
{
	ssize_t len;

	if (!req->notif.data.args[arg])
		return 0;
	*text = malloc(size);
	if (!*text)
		return -ENOMEM;
	len = fetch_string(req, req->notif.data.args[arg], *text, size);
	return len == -ENAMETOOLONG ? -EINVAL : len < 0 ? (int)len : 0;
}

static enum mount_kind kind_of(unsigned long flags)
{
	if (flags & MS_REMOUNT)
		return MOUNT_KIND_REMOUNT;
	if (flags & MS_BIND)
		return MOUNT_KIND_BIND;
	if (flags & PROPAGATIONS)
		return MOUNT_KIND_PROPAGATE;
	return flags & MS_MOVE ? MOUNT_KIND_MOVE : MOUNT_KIND_NEW;
}

static uint32_t asked_of(unsigned long flags)
{
	static const struct { unsigned long ms; enum mount_flag flag; } bits[] = {
		{ MS_RDONLY, MOUNT_RO }, { MS_NOSUID, MOUNT_NOSUID }, { MS_NODEV, MOUNT_NODEV }, { MS_NOEXEC, MOUNT_NOEXEC },
		{ MS_NOSYMFOLLOW, MOUNT_NOSYMFOLLOW }, { MS_NOATIME, MOUNT_NOATIME }, { MS_NODIRATIME, MOUNT_NODIRATIME },
		{ MS_RELATIME, MOUNT_RELATIME }, { MS_STRICTATIME, MOUNT_STRICTATIME }, { MS_SYNCHRONOUS, MOUNT_SYNC },
		{ MS_DIRSYNC, MOUNT_DIRSYNC }, { MS_LAZYTIME, MOUNT_LAZYTIME },
	};
	uint32_t asked = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (flags & bits[i].ms)
			asked |= MOUNT_BIT(bits[i].flag);
	return asked;
}

static int split_options(struct mount_call *call)
{
	int n;

	call->text = strdup(call->data ? call->data : "");
	call->options = calloc(POLICY_MOUNT_OPTIONS, sizeof(*call->options));
	call->layers = calloc(POLICY_MOUNT_OPTIONS, sizeof(*call->layers));
	if (!call->text || !call->options || !call->layers)
		return -ENOMEM;
	n = policy_mount_options(call->fstype, call->text, call->options, POLICY_MOUNT_OPTIONS);
	call->n_options = n > 0 ? (size_t)n : 0;
	return n < 0 ? -EINVAL : 0;
}

static bool is_layer(const struct mount_call *call, size_t i)
{
	const char *name = call->options[i].name;

	return !strcmp(call->fstype, "overlay") && call->options[i].value &&
	       (!strcmp(name, "lowerdir") || !strcmp(name, "upperdir") || !strcmp(name, "workdir"));
}

/* What is resolved beside the target: the source where that is a path. */
static int fetch_source(struct request *req, const struct mount_call *call)
{
	bool path = call->kind == MOUNT_KIND_BIND || call->kind == MOUNT_KIND_MOVE ||
		    (call->kind == MOUNT_KIND_NEW && policy_mount_image(call->fstype) && call->source && call->source[0] == '/');
	struct name *name = &req->names[1];

	if (!path)
		return 0;
	name_begin(name, AT_FDCWD, NAME_FOLLOW, false);
	name->len = call->source ? strlen(call->source) : 0;
	if (name->len)
		memcpy(name->path, call->source, name->len + 1);
	else
		name->err = call->source ? -ENOENT : -EINVAL;
	req->n_names = 2;
	return 0;
}

int mount_fetch_rest(struct request *req)
{
	struct mount_call *call = mount_call_of(req);
	int err = 0;

	if (call->kind == MOUNT_KIND_NEW && mount_views_any(call->fstype))
		err = mount_views_read(req, call->fstype, &call->views);
	for (size_t i = 0; !err && i < call->n_options && call->cwd < 0; i++)
		if (is_layer(call, i) && call->options[i].value[0] != '/') {
			call->cwd = target_cwd(req->target);
			err = call->cwd < 0 ? call->cwd : 0;
		}
	return err ? err : fetch_source(req, call);
}

/* Strings are copied before anything is looked at, as by the kernel: type, source, options, target. */
int mount_fetch(struct request *req)
{
	struct mount_call *call;
	int err = mount_call_begin(req);

	if (err)
		return err;
	call = mount_call_of(req);
	err = mount_fetch_text(req, 2, PATH_MAX, &call->fstype);
	if (!err)
		err = mount_fetch_text(req, 0, PATH_MAX, &call->source);
	if (!err)
		err = mount_fetch_text(req, 4, DATA_SIZE, &call->data);
	if (!err)
		err = fetch_name(req, -1, 1, NAME_FOLLOW, false);
	if (err)
		return err;
	call->flags = req->notif.data.args[3] & UINT64_C(0xffffffff);
	if ((call->flags & MS_MGC_MSK) == MS_MGC_VAL)
		call->flags &= ~(unsigned long)MS_MGC_MSK;
	call->kind = kind_of(call->flags);
	call->whole = call->kind == MOUNT_KIND_REMOUNT && !(call->flags & MS_BIND);
	call->asked = call->kind == MOUNT_KIND_NEW || call->kind == MOUNT_KIND_REMOUNT ? asked_of(call->flags) : 0;
	if (call->kind == MOUNT_KIND_BIND && call->flags & MS_REC)
		call->asked |= MOUNT_BIT(MOUNT_REC);
	if (call->kind != MOUNT_KIND_NEW) {
		free(call->fstype);
		call->fstype = strdup(call->kind == MOUNT_KIND_BIND ? "bind" : call->kind == MOUNT_KIND_MOVE ? "move" : "remount");
		if (!call->fstype)
			return -ENOMEM;
	} else if (!call->fstype) {
		return -EINVAL;
	}
	call->attr = call->sb = call->asked;
	if (call->kind == MOUNT_KIND_NEW || call->whole)
		err = split_options(call);
	return err ? err : mount_fetch_rest(req);
}

void mount_release(struct request *req)
{
	struct mount_call *call = mount_call_of(req);

	if (!call)
		return;
	for (size_t i = 0; call->layers && i < call->n_options; i++)
		if (call->layers[i]) {
			object_clear(call->layers[i]);
			free(call->layers[i]);
		}
	mount_record_free(&call->record);
	fd_close(call->cwd);
	strings_free(&call->views);
	fd_close(call->made);
	free(call->layers);
	free(call->options);
	free(call->text);
	free(call->data);
	free(call->source);
	free(call->fstype);
	free(call);
	req->args.mount.call = NULL;
}

/* ---- judge ---------------------------------------------------------------------------------- */

/* The directory that option I names, in place of the name. */
static int resolve_layer(struct request *req, struct mount_call *call, size_t i)
{
	struct object *object = malloc(sizeof(*object));
	struct name *name = malloc(sizeof(*name));
	int base = -1, err = object && name ? 0 : -ENOMEM;

	if (!err) {
		object_init(object);
		name_begin(name, AT_FDCWD, NAME_FOLLOW, false);
		name->len = strlen(call->options[i].value);
		name->root = req->root;
		name->directory = true;
		if (!name->len || name->len >= sizeof(name->path))
			err = -ENOENT;
	}
	if (!err) {
		memcpy(name->path, call->options[i].value, name->len + 1);
		if (name->path[0] != '/')
			base = fcntl(call->cwd, F_DUPFD_CLOEXEC, 3);
		err = resolve(req->sandbox->resolver, req->target, name, base, RESOLVE_EXACT, object);
	}
	free(name);
	if (err) {
		free(object);
		return err;
	}
	call->layers[i] = object;
	call->options[i].value = object->path;
	return object->err;
}

int mount_judge(struct request *req)
{
	struct mount_call *call = mount_call_of(req);
	struct object *target = &req->objects[0];
	int err = 0;

	for (unsigned i = 0; i < req->n_names; i++)
		req->ops[i] = req->call->ops;
	if (target->pin >= 0 && !call->ours && (call->kind == MOUNT_KIND_REMOUNT || call->kind == MOUNT_KIND_UMOUNT))
		call->ours = mounts_find(req->sandbox->mounts, mounts_id(target->pin), &call->record);
	for (size_t i = 0; i < call->n_options; i++)
		if (is_layer(call, i) && !call->layers[i]) {
			int one = resolve_layer(req, call, i);
			err = err ? err : one;
		}
	return err;
}

/* ---- decide --------------------------------------------------------------------------------- */

struct policy_mount mount_asked(const struct request *req)
{
	const struct mount_call *call = mount_call_of(req);
	bool again = call->kind == MOUNT_KIND_REMOUNT && call->ours;

	/* A remount is judged as the mount that it makes of it. */
	return (struct policy_mount){
		.fstype = again ? call->record.fstype : call->fstype,
		.from = again ? call->record.from : req->n_names > 1 ? req->objects[1].path : NULL,
		.on = req->objects[0].path,
		.flags = policy_mount_flags(call->asked | (again ? call->record.force : 0)),
		.options = call->options,
		.n_options = call->n_options,
	};
}

struct policy_decision mount_decide(struct request *req)
{
	const struct mount_call *call = mount_call_of(req);
	const struct policy *policy = req->rules->policy;
	const struct policy_decision allowed = { .enforced = { .op = OP_MOUNT }, .would = { .op = OP_MOUNT } };
	const struct object *target = &req->objects[0];
	struct policy_decision decision;
	struct policy_mount mount;

	/* Nothing to decide: the kernel's error, or what only cuts the program off. */
	if (!req->n_names || !target->len || call->kind == MOUNT_KIND_PROPAGATE)
		return allowed;
	/* It is not there: whoever may know that is told so, before any rule about mounts. */
	if (target->err && !target->nameless)
		return decide_object(req, target, OP_BIT(OP_STAT));
	/* Until it is attached. */
	if (call->kind == MOUNT_KIND_NONE)
		return allowed;
	if (call->kind == MOUNT_KIND_UMOUNT) {
		decision = policy_decide_path(policy, OP_BIT(OP_UMOUNT), target->path, target->len);
		/* What was mounted for it it may unmount, unless a rule says otherwise. */
		if (call->ours && !decision.enforced.rule)
			decision.enforced = (struct policy_verdict){ .op = OP_UMOUNT };
		if (call->ours && !decision.would.rule)
			decision.would = (struct policy_verdict){ .op = OP_UMOUNT };
		return decision;
	}
	if (call->kind == MOUNT_KIND_PIVOT)
		return policy_decide_path(policy, OP_BIT(OP_PIVOT), target->path, target->len);
	mount = mount_asked(req);
	return policy_decide_mount(policy, &mount);
}

/* ---- serve ---------------------------------------------------------------------------------- */

bool mount_is_mounted(int fd)
{
	struct statx stx;

	return !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &stx) && stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int serve_remount(struct request *req, uint32_t force)
{
	const struct mount_call *call = mount_call_of(req);

	if (!mount_is_mounted(req->objects[0].pin))
		return -EINVAL;
	if (call->ours && call->sb_only && !call->record.whole)
		return mount_refuse(req, &loosen_rule);
	if (call->ours)
		return mount_make_again(req, force | call->record.force, call->whole && call->record.whole);
	if (call->whole || mount_make_restrictions(req->objects[0].pin) & ~call->asked)
		return mount_refuse(req, &loosen_rule);
	return mount_make_again(req, force, false);
}

int mount_serve(struct request *req)
{
	const struct mount_call *call = mount_call_of(req);
	const struct policy_rule *rule = req->decision.enforced.rule;
	uint32_t force = rule ? rule->mount_force : 0;
	int err;

	if (call->kind == MOUNT_KIND_PROPAGATE) {
		if (call->flags & MS_SHARED)
			return mount_refuse(req, &mount_shared_rule);
		if (__builtin_popcountl(call->flags & PROPAGATIONS) != 1)
			return -EINVAL;
		return mount_is_mounted(req->objects[0].pin) ? mount_make_private(req) : -EINVAL;
	}
	if (call->kind == MOUNT_KIND_MOVE) {
		struct mount_record record;
		if (!mount_is_mounted(req->objects[1].pin))
			return -EINVAL;
		if (!mounts_find(req->sandbox->mounts, mounts_id(req->objects[1].pin), &record))
			return mount_refuse(req, &loosen_rule);
		mount_record_free(&record);
	}
	err = mount_check_place(req);
	if (!err)
		err = mount_check_opens(req, force);
	if (err)
		return err;
	switch (call->kind) {
	case MOUNT_KIND_NEW:
		return mount_make_new(req, force, rule);
	case MOUNT_KIND_BIND:
		return mount_make_bind(req, force, rule && rule->mount_idmap);
	case MOUNT_KIND_MOVE:
		return mount_make_move(req);
	case MOUNT_KIND_REMOUNT:
		return serve_remount(req, force);
	case MOUNT_KIND_PROPAGATE:
	case MOUNT_KIND_UMOUNT:
	case MOUNT_KIND_PIVOT:
	case MOUNT_KIND_NONE:
		break;
	}
	return -EINVAL;
}
