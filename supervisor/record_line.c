/* A request as a line for people, as a question for usher why, and as a number that tells repetitions from news. */
#include "record_parts.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "calls/mount.h"
#include "escape.h"
#include "request.h"
#include "sandbox.h"
#include "target.h"

static void add_deed(struct text *text, const struct request *req, enum record_kind kind)
{
	const struct object *object = record_object(req);
	const struct policy_peer *peer = record_peer(req);
	const struct policy_verdict *verdict = record_verdict(req, kind);
	char shown[POLICY_PEER_TEXT];
	if (peer) {
		text_addf(text, "%s %s %s", policy_op_name(verdict->op), policy_proto_name(peer->proto), policy_peer_text(peer, shown));
		return;
	}
	if (!object) {
		text_puts(text, record_call(req) ? record_call(req) : "a system call");
		return;
	}
	text_addf(text, "%s %s", policy_op_name(record_op(req, object, verdict)),
		  (OP_BIT(verdict->op) & OPS_NETWORK) ? "unix " : "");
}

void record_question(struct text *text, const struct request *req, enum record_kind kind)
{
	const struct object *object = record_object(req);
	char base[PATH_MAX];
	struct text path = { 0 };
	if (record_verdict(req, kind)->op == OP_MOUNT && object && mount_question(text, req))
		return;
	add_deed(text, req, kind);
	if (!object)
		return;
	const struct name *name = &req->names[req->decided];
	size_t len = record_base(req, name, base);
	if (name->path[0] == '/' || len) {
		text_add(&path, base, len);
		text_puts(&path, len ? "/" : "");
		text_add(&path, name->path, name->len);
	} else {
		text_add(&path, object->path, object->len);
	}
	escape_shell(text, path.s, path.len);
	free(text_take(&path));
}

void record_line(struct text *text, const struct request *req, enum record_kind kind, const char *id)
{
	char where[300];
	const struct policy_verdict *verdict = record_verdict(req, kind);
	const struct object *object = record_object(req);
	const char *exe = req->target ? req->target->exe : "";
	const char *base = strrchr(exe, '/');
	base = base ? base + 1 : exe;
	text_puts(text, kind == RECORD_WOULD_DENY ? "would deny " : "denied ");
	add_deed(text, req, kind);
	if (object)
		escape_add(text, object->path, object->len);
	text_puts(text, " (");
	escape_add(text, base, strlen(base));
	text_addf(text, "%s%d)  %s", *base ? " " : "", req->target ? req->target->tgid : (int)req->notif.pid,
		  record_where(req, verdict, where, sizeof(where)));
	if (record_reason(verdict) && verdict->rule->beneath)
		text_puts(text, " beneath");
	if (id)
		text_addf(text, "  why %.8s", id);
}

void record_what(struct text *text, const struct request *req)
{
	const struct object *object = record_object(req);
	add_deed(text, req, RECORD_DENY);
	if (object)
		escape_add(text, object->path, object->len);
}

/* FNV-1a: only tells repetitions apart from news. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *bytes = data;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t record_bytes_hash(const void *data, size_t len)
{
	return hash_bytes(UINT64_C(0xcbf29ce484222325), data, len);
}

uint64_t record_hash(const struct request *req, enum record_kind kind)
{
	const struct policy_verdict *verdict = record_verdict(req, kind);
	const struct object *object = record_object(req);
	struct {
		uint32_t rule, op, kind, nr;
	} key = {
		.rule = verdict->rule ? verdict->rule->number : UINT32_MAX,
		.op = object ? (uint32_t)verdict->op : UINT32_MAX,
		.kind = (uint32_t)kind,
		.nr = object ? 0 : (uint32_t)req->notif.data.nr,
	};
	uint64_t hash = hash_bytes(UINT64_C(0xcbf29ce484222325), &key, sizeof(key));
	hash = object ? hash_bytes(hash, object->path, object->len) : hash;
	const struct policy_peer *peer = record_peer(req);
	char shown[POLICY_PEER_TEXT];
	if (peer)
		hash = hash_bytes(hash, shown, strlen(policy_peer_text(peer, shown)));
	return hash ? hash : 1;
}
