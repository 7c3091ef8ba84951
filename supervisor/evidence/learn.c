#include "learn.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "judge.h"
#include "syscalls.h"

#define OPS_WRITE (OP_BIT(OP_WRITE) | OP_BIT(OP_APPEND) | OP_BIT(OP_TRUNCATE) | OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE) | OP_BIT(OP_RENAME))

/* ---- what is seen ---------------------------------------------------------------------------- */

/* With such an end it does not matter whether a policy refuses: by default with ENOENT. */
static bool nothing_there(int error)
{
	static const int ends[] = { ENOENT, ENOTDIR, EACCES, EPERM, ENAMETOOLONG, ELOOP, EROFS };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (error == ends[i])
			return true;
	return false;
}

static uint64_t run_bit(const struct learn *learn, int64_t run)
{
	return UINT64_C(1) << ((learn->run + (uint64_t)run) % 64);
}

static void see_object(struct learn *learn, struct bytes path, uint32_t ops, const struct access *access)
{
	bool nothing = nothing_there(access->error);

	*mem_push(&learn->objects, &learn->n_objects) = (struct learn_object){
		.path = text_dup(path.s, path.len), .len = path.len, .ops = nothing ? 0 : ops, .tried = nothing ? ops : 0,
		.calls = access->count, .runs = run_bit(learn, access->run), .made = !nothing && ops & OP_BIT(OP_CREATE),
	};
}

static void see_peer(struct learn *learn, const struct access *access)
{
	AUTO_FREE char *text = text_dup(access->object.s, access->object.len);

	for (size_t i = 0; i < learn->n_peers; i++) {
		struct learn_peer *peer = &learn->peers[i];
		if (peer->proto == (enum policy_proto)access->proto && peer->ops == access->ops && strcmp(peer->text, text) == 0) {
			peer->calls += access->count;
			peer->runs |= run_bit(learn, access->run);
			return;
		}
	}
	*mem_push(&learn->peers, &learn->n_peers) = (struct learn_peer){
		.text = text_copy(text), .proto = (enum policy_proto)access->proto, .ops = access->ops, .calls = access->count,
		.runs = run_bit(learn, access->run),
	};
}

/* What is no name of a call must not get into a policy: footprints and logs may come from anywhere. */
static void see_call(struct learn *learn, const struct access *access)
{
	AUTO_FREE char *name = text_dup(access->object.s, access->object.len);

	if (!syscall_by_name(name, strlen(name)))
		return;
	for (size_t i = 0; i < learn->calls.n; i++)
		if (strcmp(learn->calls.v[i], name) == 0)
			return;
	strings_add(&learn->calls, text_copy(name));
}

static void refuse(struct learn *learn, char *what, const char *by)
{
	for (size_t i = 0; i < learn->n_refused; i++)
		if (strcmp(learn->refused[i].what, what) == 0) {
			free(what);
			return;
		}
	*mem_push(&learn->refused, &learn->n_refused) = (struct learn_refused){ what, text_copy(by) };
}

/* Footprints and logs may come from anywhere: a name that was resolved has none of "//", "." and "..", and no NUL. */
static bool is_resolved(struct bytes path)
{
	if (!path.len || path.len >= PATH_MAX || path.s[0] != '/' || memchr(path.s, '\0', path.len))
		return false;
	for (size_t at = 1, len; at <= path.len && path.len > 1; at += len + 1) {
		const char *slash = memchr(path.s + at, '/', path.len - at);
		len = (slash ? (size_t)(slash - path.s) : path.len) - at;
		if (!len || (len == 1 && path.s[at] == '.') || (len == 2 && path.s[at] == '.' && path.s[at + 1] == '.'))
			return false;
	}
	return true;
}

/* Can it have been? */
static bool is_possible(const struct access *access)
{
	AUTO_FREE char *text = NULL;
	char name[POLICY_NAME_MAX + 1];
	struct policy_peer peer;

	if (!access->ops)
		return true;
	if (access->proto < 0 && access->ops & OPS_MOUNTS)
		return is_resolved(access->object) && (!access->to.len || is_resolved(access->to)) && learn_mount_possible(access);
	if (access->proto < 0)
		return !(access->ops & ~(OPS_FILES | OPS_NETWORK)) && is_resolved(access->object) && (!access->to.len || is_resolved(access->to)) &&
		       !(access->to_ops & ~OPS_FILES);
	if (access->proto == PROTO_TCP && access->ops == OP_BIT(OP_SENDTO))
		return false;
	text = text_dup(access->object.s, access->object.len);
	return !(access->ops & ~OPS_NETWORK) && !policy_peer_parse(text, (enum policy_proto)access->proto, &peer, name);
}

int learn_take(void *ctx, const struct access *access)
{
	struct learn *learn = ctx;
	char ops[ACCESS_OPS_TEXT];

	if (!is_possible(access)) {
		learn->impossible++;
		return 0;
	}
	learn->accesses++;
	if (access->run > (int64_t)learn->n_runs)
		learn->n_runs = (unsigned)access->run;
	if (access->verdict == ACCESS_DENY) {
		refuse(learn, text_printf("%s %.*s", access->ops ? access_ops_text(access->ops, ops) : "syscall", (int)access->object.len,
					  access->object.s), "it was forbidden while learning");
		return 0;
	}
	if (!access->ops) {
		see_call(learn, access);
		return 0;
	}
	if (access->proto >= 0) {
		see_peer(learn, access);
		return 0;
	}
	if (access->ops & OPS_MOUNTS) {
		learn_see_mount(learn, access, run_bit(learn, access->run));
		return 0;
	}
	see_object(learn, access->object, access->ops, access);
	if (!access->to.len)
		return 0;
	see_object(learn, access->to, access->to_ops, access);
	if (!access->error)
		*mem_push(&learn->pairs, &learn->n_pairs) = (struct learn_pair){
			.from = text_dup(access->object.s, access->object.len), .to = text_dup(access->to.s, access->to.len),
			.rename = access->ops & OP_BIT(OP_RENAME), .tree = access->tree,
		};
	return 0;
}

void learn_next_source(struct learn *learn)
{
	learn->run += learn->n_runs ? learn->n_runs : 1;
	learn->n_runs = 0;
}

/* ---- one of each ----------------------------------------------------------------------------- */

static int by_path(const void *left, const void *right)
{
	return strcmp(((const struct learn_object *)left)->path, ((const struct learn_object *)right)->path);
}

static struct learn_object *find_object(struct learn *learn, const char *path)
{
	const struct learn_object key = { .path = (char *)(uintptr_t)path };

	return learn->n_objects ? bsearch(&key, learn->objects, learn->n_objects, sizeof(key), by_path) : NULL;
}

static void merge_objects(struct learn *learn)
{
	size_t n = 0;

	if (!learn->n_objects)
		return;
	qsort(learn->objects, learn->n_objects, sizeof(*learn->objects), by_path);
	for (size_t i = 1; i < learn->n_objects; i++) {
		struct learn_object *kept = &learn->objects[n], *next = &learn->objects[i];
		if (strcmp(kept->path, next->path) != 0) {
			learn->objects[++n] = *next;
			continue;
		}
		kept->ops |= next->ops;
		kept->tried |= next->tried;
		kept->calls += next->calls;
		kept->runs |= next->runs;
		kept->made |= next->made;
		free(next->path);
	}
	learn->n_objects = n + 1;
}

/* Does the program write in the directory of PATH, so that what was not there may be there next time? */
static bool may_come(const struct learn_object *object, const struct strings *written)
{
	const char *slash = strrchr(object->path, '/');
	size_t len = (size_t)(slash - object->path);

	if (object->ops & OPS_WRITE)
		return true;
	for (size_t lo = 0, hi = written->n; lo < hi;) {
		size_t mid = (lo + hi) / 2;
		int order = strncmp(written->v[mid], object->path, len);
		if (!order)
			order = written->v[mid][len] != '\0';
		if (!order)
			return true;
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static void keep_probes(struct learn *learn)
{
	struct strings written = { 0 };

	for (size_t i = 0; i < learn->n_objects; i++) {
		const struct learn_object *object = &learn->objects[i];
		const char *slash = strrchr(object->path, '/');
		if (object->ops & (OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE) | OP_BIT(OP_RENAME)))
			strings_add(&written, text_dup(object->path, (size_t)(slash - object->path)));
	}
	strings_sort(&written);
	for (size_t i = 0; i < learn->n_objects; i++) {
		struct learn_object *object = &learn->objects[i];
		if (object->tried & ~object->ops && may_come(object, &written))
			object->ops |= object->tried;
		learn->n_probes += !object->ops;
	}
	strings_free(&written);
}

/* ---- against a policy ------------------------------------------------------------------------ */

static void need(struct learn *learn, struct learn_object *object, const struct policy *policy)
{
	char where[300];

	object->needed = 0;
	for (uint32_t left = object->ops | object->extra; left; left &= left - 1) {
		uint32_t op = left & -left;
		struct policy_verdict would = policy_decide_path(policy, op, object->path, object->len).would;
		if (!policy_denies(&would))
			continue;
		if (!would.rule) {
			object->needed |= op;
			continue;
		}
		char *what = text_printf("%s %s", policy_op_name((enum policy_op)__builtin_ctz(op)), object->path);
		AUTO_FREE char *by = text_printf("%s  %s", policy_where(policy, would.rule->pos, where, sizeof(where)), would.rule->text);
		refuse(learn, what, by);
	}
}

static void need_peers(struct learn *learn, const struct policy *policy)
{
	char name[POLICY_NAME_MAX + 1];
	size_t kept = 0;

	for (size_t i = 0; i < learn->n_peers; i++) {
		struct learn_peer *peer = &learn->peers[i];
		struct policy_peer parsed;
		struct policy_verdict would = { 0 };
		if (!policy_peer_parse(peer->text, peer->proto, &parsed, name))
			would = policy_decide_peer(policy, peer->ops, &parsed).would;
		if (policy_denies(&would) && !would.rule && peer->proto == PROTO_UNIX && (memchr(parsed.name, 1, parsed.len) || memchr(parsed.name, 2, parsed.len))) {
			refuse(learn, text_printf("unix %s", peer->text), "no rule can hold the bytes 1 and 2");
			free(peer->text);
			continue;
		}
		if (policy_denies(&would) && !would.rule) {
			learn->peers[kept++] = *peer;
			continue;
		}
		if (policy_denies(&would))
			refuse(learn, text_printf("%s %s", policy_proto_name(peer->proto), peer->text), would.rule->text);
		free(peer->text);
	}
	learn->n_peers = kept;
}

/* What POLICY denies by default stays; of what it denies by a rule, and of what failed, it is said. */
static void need_mounts(struct learn *learn, const struct policy *policy)
{
	size_t kept = 0;

	for (size_t i = 0; i < learn->n_mounts; i++) {
		struct learn_mount *mount = &learn->mounts[i];
		struct policy_decision decision = { 0 };
		bool denied = judge_access(policy, &mount->access, &decision) == JUDGED && policy_denies(&decision.would);
		const char *why = denied && decision.would.rule ? decision.would.rule->text : learn_mount_objection(mount);
		AUTO_FREE char *failed = why || !nothing_there(mount->access.error) ? NULL
				       : text_printf("it failed with %s, whatever rules say", policy_errno_name(mount->access.error));
		if (denied && !why && !failed) {
			learn->mounts[kept++] = *mount;
			continue;
		}
		if (denied)
			refuse(learn, learn_mount_text(mount), failed ? failed : why);
		learn_mount_free(mount);
	}
	learn->n_mounts = kept;
}

void learn_settle(struct learn *learn, const struct policy *policy)
{
	merge_objects(learn);
	keep_probes(learn);
	for (size_t i = 0; i < learn->n_objects; i++)
		need(learn, &learn->objects[i], policy);
	need_peers(learn, policy);
	need_mounts(learn, policy);
}

/* ---- moves ----------------------------------------------------------------------------------- */

static uint32_t gained(const struct policy *policy, const char *from, const char *to)
{
	uint32_t ops = 0;

	for (uint32_t left = OPS_FILES | OPS_NETWORK; left; left &= left - 1) {
		uint32_t op = left & -left;
		struct policy_decision at_from = policy_decide_path(policy, op, from, strlen(from));
		struct policy_decision at_to = policy_decide_path(policy, op, to, strlen(to));
		if (!policy_allows(&at_from.enforced) && policy_allows(&at_to.enforced))
			ops |= op;
	}
	return ops;
}

static bool give(struct learn_object *object, uint32_t ops, uint32_t below)
{
	bool more = object && (ops & ~object->extra || below & ~object->below);

	if (!more)
		return false;
	object->extra |= ops;
	object->needed |= ops;
	object->below |= below;
	return true;
}

size_t learn_mend(struct learn *learn, const struct policy *policy)
{
	size_t mended = 0;

	for (size_t i = 0; i < learn->n_pairs; i++) {
		const struct learn_pair *pair = &learn->pairs[i];
		struct learn_object *from = find_object(learn, pair->from), *to = find_object(learn, pair->to);
		uint32_t below = 0;
		if (!policy_gains(policy, pair->rename, pair->tree, pair->from, strlen(pair->from), pair->to, strlen(pair->to), NULL))
			continue;
		if (pair->tree) {
			AUTO_FREE char *in_from = text_printf("%s/x", pair->from);
			AUTO_FREE char *in_to = text_printf("%s/x", pair->to);
			below = gained(policy, in_from, in_to) | OP_BIT(OP_DELETE);
			mended += give(to, 0, OP_BIT(OP_CREATE));
		}
		mended += give(from, gained(policy, pair->from, pair->to), below);
	}
	return mended;
}

void learn_verify(struct learn *learn, const struct policy *policy)
{
	for (size_t i = 0; i < learn->n_objects; i++)
		need(learn, &learn->objects[i], policy);
	for (size_t i = 0; i < learn->n_objects; i++)
		if (learn->objects[i].needed)
			refuse(learn, text_copy(learn->objects[i].path), "no rule was found that allows it");
	for (size_t i = 0; i < learn->n_mounts; i++) {
		struct policy_decision decision;
		if (judge_access(policy, &learn->mounts[i].access, &decision) == JUDGED && policy_denies(&decision.would))
			refuse(learn, learn_mount_text(&learn->mounts[i]), "no rule was found that allows it");
	}
	for (size_t i = 0; i < learn->n_pairs; i++) {
		const struct learn_pair *pair = &learn->pairs[i];
		const struct policy_rule *rule = NULL;
		if (policy_gains(policy, pair->rename, pair->tree, pair->from, strlen(pair->from), pair->to, strlen(pair->to), &rule))
			refuse(learn, text_printf("%s %s -> %s", pair->rename ? "rename" : "link", pair->from, pair->to),
			       rule ? rule->text : "it would gain rights by its new name");
	}
}

void learn_free(struct learn *learn)
{
	for (size_t i = 0; i < learn->n_objects; i++)
		free(learn->objects[i].path);
	for (size_t i = 0; i < learn->n_pairs; i++) {
		free(learn->pairs[i].from);
		free(learn->pairs[i].to);
	}
	for (size_t i = 0; i < learn->n_peers; i++)
		free(learn->peers[i].text);
	for (size_t i = 0; i < learn->n_mounts; i++)
		learn_mount_free(&learn->mounts[i]);
	for (size_t i = 0; i < learn->n_refused; i++) {
		free(learn->refused[i].what);
		free(learn->refused[i].by);
	}
	free(learn->objects);
	free(learn->pairs);
	free(learn->peers);
	free(learn->mounts);
	free(learn->refused);
	strings_free(&learn->calls);
	*learn = (struct learn){ 0 };
}
