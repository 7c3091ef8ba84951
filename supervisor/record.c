/*
 * Records are made by hand, without a tree in memory: at `level all` there is one for every call, on the
 * thread that serves. The order of the keys is fixed; the five that every record has come first.
 */
#include "record_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "calls/mount.h"
#include "escape.h"
#include "evidence/access.h"
#include "fd.h"
#include "request.h"
#include "sandbox.h"
#include "syscalls.h"
#include "target.h"

/* ,"KEY":"..." and, when it is not UTF-8, ,"KEY_b64":"..." */
void record_add_path(struct text *text, const char *key, const char *path, size_t len)
{
	text_addf(text, ",\"%s\":", key);
	if (escape_json(text, path, len)) {
		text_addf(text, ",\"%s_b64\":\"", key);
		escape_base64(text, path, len);
		text_puts(text, "\"");
	}
}

/* ---- what happened ---- */

enum record_kind record_kind(const struct request *req)
{
	if (policy_denies(&req->decision.enforced))
		return RECORD_DENY;
	return policy_denies(&req->decision.would) ? RECORD_WOULD_DENY : RECORD_ALLOW;
}

const struct policy_verdict *record_verdict(const struct request *req, enum record_kind kind)
{
	return kind == RECORD_WOULD_DENY ? &req->decision.would : &req->decision.enforced;
}

const struct object *record_object(const struct request *req)
{
	if (req->n_peers)
		return NULL;
	if (req->decided >= req->n_names || req->objects[req->decided].len == 0)
		return NULL;
	return &req->objects[req->decided];
}

const struct policy_peer *record_peer(const struct request *req)
{
	return req->decided_peer < req->n_peers ? &req->peers[req->decided_peer] : NULL;
}

/* The section whose default decides OP. */
static enum policy_section op_section(const struct policy *policy, enum policy_op op)
{
	if (OP_BIT(op) & OPS_MOUNTS)
		return SECTION_MOUNTS;
	if ((OP_BIT(op) & OPS_NETWORK) && policy->defaults[SECTION_NETWORK].present)
		return SECTION_NETWORK;
	return SECTION_FILES;
}

enum policy_section record_section(const struct request *req, const struct policy_verdict *verdict)
{
	return record_object(req) || record_peer(req) ? op_section(req->rules->policy, verdict->op) : SECTION_SYSCALLS;
}

const char *record_where(const struct request *req, const struct policy_verdict *verdict, char *buf, size_t size)
{
	const struct policy *policy = req->rules->policy;
	if (verdict->rule)
		return policy_where(policy, verdict->rule->pos, buf, size);
	if (!policy_denies(verdict))
		return "default";
	const struct policy_default *section = &policy->defaults[record_section(req, verdict)];
	return section->present && section->pos.line ? policy_where(policy, section->pos, buf, size) : "default";
}

/* ---- JSON ---- */

void record_add_time(struct text *text, const char *key, int64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	struct tm tm;
	char date[40];
	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	text_addf(text, "\"%s\":\"%s.%06ldZ\"", key, date, (long)(realtime_ns % 1000000000 / 1000));
}

void record_add_timestamp(struct text *text, int64_t realtime_ns)
{
	text_puts(text, "{");
	record_add_time(text, "timestamp", realtime_ns);
}

int record_label(char *label, size_t size, const struct policy *policy)
{
	return snprintf(label, size, "%s@%.7s", policy->name ? policy->name : "", policy->digest);
}

void record_add_end(struct text *text, const struct record *record)
{
	char name[256];
	int len = record->label ? snprintf(name, sizeof(name), "%s", record->label) : record_label(name, sizeof(name), record->policy);
	text_addf(text, ",\"id\":\"%s\",\"policy\":", record->id);
	escape_json(text, name, len < (int)sizeof(name) ? (size_t)len : sizeof(name) - 1);
}

const char *record_call(const struct request *req)
{
	const struct syscall_info *info = syscall_by_nr(req->notif.data.nr);
	if (info)
		return info->name;
	return req->call ? req->call->name : NULL;
}

static void add_process(struct text *text, const struct request *req)
{
	pid_t tid = (pid_t)req->notif.pid;
	const char *exe = req->target ? req->target->exe : "";
	text_addf(text, ",\"process\":{\"pid\":%d", req->target ? req->target->tgid : tid);
	if (req->target && req->target->tid != req->target->tgid)
		text_addf(text, ",\"tid\":%d", tid);
	record_add_path(text, "exe", exe, strlen(exe));
	if (req->target)
		text_addf(text, ",\"uid\":%u", req->target->cred.euid);
	text_puts(text, ",\"domain\":\"main\"},\"syscall\":");
	if (record_call(req))
		text_addf(text, "\"%s\"", record_call(req));
	else
		text_addf(text, "\"%d\"", req->notif.data.nr);
}

size_t record_base(const struct request *req, const struct name *name, char base[PATH_MAX])
{
	char link[32];
	if (name->path[0] == '/' || !req->target || req->target->proc < 0)
		return 0;
	if (name->dirfd == AT_FDCWD)
		strcpy(link, "cwd");
	else
		snprintf(link, sizeof(link), "fd/%d", name->dirfd);
	ssize_t n = readlinkat(req->target->proc, link, base, PATH_MAX - 1);
	return n > 0 && base[0] == '/' ? (size_t)n : 0;
}

static void add_base(struct text *text, const struct request *req, const struct name *name)
{
	char base[PATH_MAX];
	size_t len = record_base(req, name, base);
	if (len)
		record_add_path(text, "base", base, len);
}

void record_add_errno(struct text *text, int error)
{
	const char *name = policy_errno_name(error);
	if (name)
		text_addf(text, ",\"errno\":\"%s\"", name);
	else
		text_addf(text, ",\"errno\":%d", error);
}

enum policy_op record_op(const struct request *req, const struct object *object, const struct policy_verdict *verdict)
{
	struct statx st;
	if (verdict->op != OP_LIST || !object->lexical || !(req->ops[req->decided] & OP_BIT(OP_READ)))
		return verdict->op;
	bool directory =
		statx(AT_FDCWD, object->path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
		S_ISDIR(st.stx_mode);
	return directory ? OP_LIST : OP_READ;
}

static void add_objects(struct text *text, const struct request *req, const struct object *object,
			const struct policy_verdict *verdict, enum record_kind kind)
{
	const struct name *name = &req->names[req->decided];
	uint32_t ops = req->ops[req->decided];
	char names[ACCESS_OPS_TEXT];
	text_addf(text, "\"op\":\"%s\"", policy_op_name(record_op(req, object, verdict)));
	/* What learn and replay read back: an open may need several. */
	if (ops & (ops - 1) && !(object->lexical && ops & OP_BIT(OP_LIST)))
		text_addf(text, ",\"ops\":\"%s\"", access_ops_text(ops, names));
	if (req->call && req->call->when == CALL_MOUNT)
		mount_describe(text, req);
	record_add_path(text, "path", object->path, object->len);
	if (name->len != object->len || memcmp(name->path, object->path, name->len) != 0) {
		record_add_path(text, "spelled", name->path, name->len);
		if (kind != RECORD_ALLOW)
			add_base(text, req, name);
	}
	if (req->n_names == 2) {
		const struct object *other = &req->objects[!req->decided];
		record_add_path(text, req->decided || req->call->when == CALL_MOUNT ? "from" : "to", other->path, other->len);
	}
}

/* "peer" as why takes it, and its parts. The name is one that rules speak of and that stands for the address. */
static void add_peer(struct text *text, const struct request *req, const struct policy_verdict *verdict)
{
	const struct policy_peer *peer = record_peer(req);
	char shown[POLICY_PEER_TEXT];
	bool address = peer->proto == PROTO_TCP || peer->proto == PROTO_UDP || peer->proto == PROTO_ICMP;
	const char *name = address ? policy_host_of(req->rules->policy, peer->ip) : NULL;

	text_addf(text, "\"op\":\"%s\",\"proto\":\"%s\"", policy_op_name(verdict->op), policy_proto_name(peer->proto));
	text_puts(text, ",\"peer\":");
	(void)policy_peer_text(peer, shown);
	escape_json(text, shown, strlen(shown));
	if (address) {
		char *end = peer->proto == PROTO_ICMP ? NULL : strrchr(shown, ':');
		if (end)
			*end = '\0';
		size_t bracket = shown[0] == '[', len = strlen(shown) - 2 * bracket;
		text_puts(text, ",\"address\":");
		escape_json(text, shown + bracket, len);
	}
	if (peer->proto == PROTO_TCP || peer->proto == PROTO_UDP)
		text_addf(text, ",\"port\":%u", peer->port);
	if (name) {
		text_puts(text, ",\"name\":");
		escape_json(text, name, strlen(name));
	}
}

const char *record_reason(const struct policy_verdict *verdict)
{
	if (!verdict->rule)
		return NULL;
	if (verdict->rule->pos.file == POLICY_BUILTIN)
		return verdict->rule->text;
	return verdict->rule->beneath && !(verdict->rule->action >= ACTION_DENY)
		       ? "a symlink leads out of the tree of this rule (beneath)"
		       : NULL;
}

static void add_details(struct text *text, const struct request *req, const struct policy_verdict *verdict,
			enum record_kind kind)
{
	const struct object *object = record_object(req);
	text_puts(text, ",\"details\":{");
	if (object) {
		add_objects(text, req, object, verdict, kind);
	} else if (record_peer(req)) {
		add_peer(text, req, verdict);
	} else {
		const __u64 *args = req->notif.data.args;
		text_addf(text,
			  "\"args\":[\"0x%llx\",\"0x%llx\",\"0x%llx\",\"0x%llx\",\"0x%llx\",\"0x%llx\"]",
			  args[0], args[1], args[2], args[3], args[4], args[5]);
	}
	if (kind == RECORD_WOULD_DENY)
		record_add_errno(text, verdict->err);
	else if (req->reply.kind == REPLY_DENY)
		record_add_errno(text, req->reply.error ? -req->reply.error : EACCES);
	if (kind == RECORD_DENY && verdict->stage == STAGE_KILL)
		text_puts(text, ",\"signal\":\"SIGKILL\"");
	else if (kind == RECORD_DENY && verdict->stage == STAGE_TRAP)
		text_puts(text, ",\"signal\":\"SIGSYS\"");
	if (policy_denies(verdict) && record_reason(verdict)) {
		text_puts(text, ",\"reason\":");
		escape_json(text, record_reason(verdict), strlen(record_reason(verdict)));
	}
	if (verdict->rule && verdict->rule->id) {
		text_puts(text, ",\"rule_id\":");
		escape_json(text, verdict->rule->id, strlen(verdict->rule->id));
	}
	if (kind == RECORD_DENY && verdict->audit == AUDIT_ALERT)
		text_puts(text, ",\"alert\":true");
	text_puts(text, "}");
}

static uint64_t elapsed_us(const struct request *req)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	return ns > req->start_ns && req->start_ns ? (ns - req->start_ns) / 1000 : 0;
}

void record_request(struct text *text, const struct record *record, const struct request *req)
{
	static const char *const actions[] = { "allow", "would-deny", "deny" };
	char where[300];
	enum record_kind kind = record_kind(req);
	const struct policy_verdict *verdict = record_verdict(req, kind);
	record_add_timestamp(text, record->realtime_ns);
	add_process(text, req);
	text_addf(text, ",\"action\":\"%s\"", actions[kind]);
	add_details(text, req, verdict, kind);
	record_add_end(text, record);
	text_puts(text, ",\"rule\":");
	const char *rule = record_where(req, verdict, where, sizeof(where));
	escape_json(text, rule, strlen(rule));
	text_addf(text, ",\"stage\":\"%s\",\"enforced\":%s",
		  kind == RECORD_WOULD_DENY ? "log" : policy_stage_name(verdict->stage),
		  kind == RECORD_WOULD_DENY ? "false" : "true");
	if (kind == RECORD_DENY && policy_denies(&req->decision.enforced) &&
	    !policy_denies(&req->decision.would))
		text_puts(text, ",\"would\":\"allow\"");
	text_addf(text, ",\"us\":%" PRIu64 ",\"seq\":%" PRIu64 "}\n", elapsed_us(req), record->seq);
}

/* So that `why ID` can judge by the policy that judged, wherever it lay. */
static void add_policy_file(struct text *text, const struct policy *policy)
{
	AUTO_FREE char *path = realpath(policy->files[0].path, NULL);
	if (path)
		record_add_path(text, "policy_file", path, strlen(path));
}

static void add_vars(struct text *text, const struct record *record)
{
	for (size_t i = 0; i < record->n_vars; i++) {
		text_puts(text, i ? "," : ",\"set\":{");
		escape_json(text, record->vars[i].name, strlen(record->vars[i].name));
		text_puts(text, ":");
		escape_json(text, record->vars[i].value, strlen(record->vars[i].value));
	}
	if (record->n_vars)
		text_puts(text, "}");
}

void record_event(struct text *text, const struct record *record, const char *action, const char *message,
		  unsigned long lost)
{
	record_add_timestamp(text, record->realtime_ns);
	text_addf(text,
		  ",\"process\":{\"pid\":%d,\"exe\":\"usher\",\"uid\":%u},\"syscall\":null,\"action\":\"%s\","
		  "\"details\":{",
		  getpid(), geteuid(), action);
	text_puts(text, "\"message\":");
	escape_json(text, message ? message : "", message ? strlen(message) : 0);
	if (lost)
		text_addf(text, ",\"lost\":%lu", lost);
	if (strcmp(action, "start") == 0) {
		text_addf(text, ",\"digest\":\"%s\"", record->policy->digest);
		add_policy_file(text, record->policy);
		add_vars(text, record);
	}
	text_puts(text, "}");
	record_add_end(text, record);
	text_puts(text, ",\"rule\":null,\"stage\":null,\"enforced\":true,\"us\":0,\"seq\":");
	if (record->seq)
		text_addf(text, "%" PRIu64 "}\n", record->seq);
	else
		text_puts(text, "null}\n");
}
