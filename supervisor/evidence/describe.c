#include "describe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "call.h"
#include "calls/mount.h"
#include "evidence/mounted.h"
#include "syscalls.h"

#define VIA_SIZE 8192

/* An object that was opened by its spelling alone was asked for as a file and as a directory. */
void describe_look(struct request *req)
{
	const uint32_t either = OP_BIT(OP_READ) | OP_BIT(OP_LIST);
	uint32_t *ops = &req->ops[0];
	struct stat st;

	if (req->target)
		(void)target_exe(req->target);
	if (!req->n_names || !req->objects[0].lexical || !(*ops & either))
		return;
	if (fstat(req->reply.kind == REPLY_FD ? req->reply.fd : req->objects[0].pin, &st))
		*ops &= *ops & OP_BIT(OP_READ) ? ~OP_BIT(OP_LIST) : ~0U;
	else
		*ops = S_ISDIR(st.st_mode) ? OP_BIT(OP_LIST) : *ops & ~OP_BIT(OP_LIST) & (S_ISREG(st.st_mode) ? ~0U : ~OP_BIT(OP_TRUNCATE));
}

static struct bytes bytes_of(const char *s)
{
	return (struct bytes){ s, strlen(s) };
}

static struct bytes links_of(const struct object *object, char via[VIA_SIZE])
{
	size_t len = 0;

	for (unsigned i = 0; i < object->n_links; i++) {
		size_t n = strlen(object->links[i]) + 1;
		if (len + n > VIA_SIZE)
			break;
		memcpy(via + len, object->links[i], n);
		len += n;
	}
	return (struct bytes){ via, len };
}

static enum access_verdict verdict_of(const struct request *req)
{
	if (policy_denies(&req->decision.enforced))
		return ACCESS_DENY;
	return policy_denies(&req->decision.would) ? ACCESS_WOULD_DENY : ACCESS_ALLOW;
}

/* Has it a path that a rule could speak of? */
static bool has_path(const struct object *object, uint32_t ops)
{
	return ops && object->len && object->path[0] == '/' && !object->nameless && !object->below;
}

/* False: nothing that a policy could say anything about. */
static bool describe(const struct request *req, struct access *a, char via[VIA_SIZE])
{
	const struct object *object = &req->objects[0], *other = &req->objects[1];
	const struct syscall_info *info;
	bool first = req->n_names > 0 && has_path(object, req->ops[0]), second = req->n_names > 1 && has_path(other, req->ops[1]);
	bool moves = req->ops[0] & (OP_BIT(OP_RENAME) | OP_BIT(OP_LINK)) && second;

	*a = (struct access){ .proto = -1, .verdict = verdict_of(req), .domain = { "main", 4 } };
	a->program = bytes_of(req->target ? req->target->exe : "");
	if (req->reply.kind == REPLY_DENY)
		a->error = req->reply.error < 0 ? -req->reply.error : EACCES;
	if (first) {
		a->object = (struct bytes){ object->path, object->len };
		a->ops = req->ops[0];
		a->via = links_of(object, via);
	}
	if (first && moves) {
		a->to = (struct bytes){ other->path, other->len };
		a->to_ops = req->ops[1];
		a->tree = a->ops & OP_BIT(OP_RENAME) && S_ISDIR(object->st.st_mode);
	}
	if (first)
		return true;
	/* A script's interpreter, or the name of a link that has none yet. */
	if (second) {
		a->object = (struct bytes){ other->path, other->len };
		a->ops = req->ops[1];
		return true;
	}
	/* Refused, or judged by a rule on the system call alone. */
	info = syscall_by_nr(req->notif.data.nr);
	if (req->n_names || req->n_peers || !info || (req->call && a->verdict == ACCESS_ALLOW))
		return false;
	a->object = bytes_of(info->name);
	return true;
}

/* What only usher itself refuses the rules have let through: it failed, whatever they say. */
static enum access_verdict verdict_of_rules(const struct request *req)
{
	const struct policy_verdict *enforced = &req->decision.enforced, *would = &req->decision.would;
	bool own = policy_denies(enforced) && enforced->rule && enforced->rule->pos.file == POLICY_BUILTIN;

	if (!own)
		return verdict_of(req);
	return policy_denies(would) && would->rule != enforced->rule ? ACCESS_WOULD_DENY : ACCESS_ALLOW;
}

static void describe_mount(const struct request *req, describe_fn *fn, void *ctx)
{
	const struct mount_call *call = req->args.mount.call;
	const struct object *target = &req->objects[0], *source = &req->objects[1];
	struct access access = { .proto = -1, .verdict = verdict_of_rules(req), .domain = { "main", 4 } };
	bool from = req->n_names > 1;
	struct policy_mount mount;
	struct text how = { 0 };

	if (!call || call->kind == MOUNT_KIND_PROPAGATE || !req->n_names || !has_path(target, req->ops[0]) || (from && !has_path(source, req->ops[1])))
		return;
	access.program = bytes_of(req->target ? req->target->exe : "");
	access.object = (struct bytes){ target->path, target->len };
	if (req->reply.kind == REPLY_DENY)
		access.error = req->reply.error < 0 ? -req->reply.error : EACCES;
	if (target->err) {
		access.ops = OP_BIT(OP_STAT);	/* all that was asked */
	} else if (call->kind == MOUNT_KIND_UMOUNT) {
		access.ops = OP_BIT(OP_UMOUNT);
		if (call->ours)
			access.via = (struct bytes){ MOUNTED_OWN, sizeof(MOUNTED_OWN) };
	} else if (!call->fstype) {
		return;		/* pivot_root, and what is not attached yet */
	} else {
		access.ops = OP_BIT(OP_MOUNT);
		mount = mount_asked(req);
		mounted_write(&how, &mount);
		access.to = bytes_of(mount.from ? mount.from : "");
		access.via = (struct bytes){ how.s, how.len };
	}
	fn(ctx, &access);
	free(text_take(&how));
}

static void each_peer(const struct request *req, struct access *access, describe_fn *fn, void *ctx)
{
	char text[POLICY_PEER_TEXT];

	for (unsigned i = 0; i < req->n_peers; i++) {
		access->proto = (int)req->peers[i].proto;
		access->ops = req->peer_ops;
		access->object = bytes_of(policy_peer_text(&req->peers[i], text));
		fn(ctx, access);
	}
}

void describe_each(const struct request *req, describe_fn *fn, void *ctx)
{
	char via[VIA_SIZE];
	struct access access;

	if (req->call && req->call->when == CALL_MOUNT) {
		describe_mount(req, fn, ctx);
		return;
	}
	if (!describe(req, &access, via)) {
		each_peer(req, &access, fn, ctx);
		return;
	}
	fn(ctx, &access);
	/* exec of a script: the interpreter is an access of its own. */
	if (req->n_names > 1 && !access.to.len && access.object.s != req->objects[1].path && has_path(&req->objects[1], req->ops[1])) {
		const struct object *other = &req->objects[1];
		access.object = (struct bytes){ other->path, other->len };
		access.ops = req->ops[1];
		access.via = links_of(other, via);
		fn(ctx, &access);
	}
}
