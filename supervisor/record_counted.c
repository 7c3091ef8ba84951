/* Records of what was no request of its own: counted, or told by the kernel. */
#include "record_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <string.h>

#include "escape.h"
#include "evidence/access.h"
#include "kernel_log.h"
#include "landlock_event.h"
#include "syscalls.h"

static void add_links(struct text *text, struct bytes via)
{
	text_puts(text, ",\"via_b64\":[");
	for (size_t at = 0; at < via.len; at += strlen(via.s + at) + 1) {
		text_puts(text, at ? ",\"" : "\"");
		escape_base64(text, via.s + at, strlen(via.s + at));
		text_puts(text, "\"");
	}
	text_puts(text, "]");
}

static void add_access(struct text *text, const struct access *access)
{
	char names[ACCESS_OPS_TEXT];
	text_addf(text, "\"verdict\":\"%s\",\"count\":%" PRIu64, access_verdict_name(access->verdict), access->count);
	text_puts(text, ",");
	record_add_time(text, "first", access->first_ns);
	text_puts(text, ",");
	record_add_time(text, "last", access->last_ns);
	if (access->ops)
		text_addf(text, ",\"ops\":\"%s\"", access_ops_text(access->ops, names));
	if (access->ops && access->proto >= 0)
		text_addf(text, ",\"proto\":\"%s\"", policy_proto_name((enum policy_proto)access->proto));
	if (access->ops)
		record_add_path(text, access->proto >= 0 ? "peer" : "path", access->object.s, access->object.len);
	if (access->to.len) {
		record_add_path(text, "to", access->to.s, access->to.len);
		text_addf(text, ",\"to_ops\":\"%s\"", access_ops_text(access->to_ops, names));
	}
	if (access->via.len)
		add_links(text, access->via);
	if (access->tree)
		text_puts(text, ",\"tree\":true");
	if (access->error)
		record_add_errno(text, access->error);
}

void record_access(struct text *text, const struct record *record, const struct access *access)
{
	record_add_timestamp(text, record->realtime_ns);
	text_puts(text, ",\"process\":{\"pid\":null");
	record_add_path(text, "exe", access->program.s, access->program.len);
	text_puts(text, ",\"domain\":\"main\"},\"syscall\":");
	if (access->ops)
		text_puts(text, "null");
	else
		escape_json(text, access->object.s, access->object.len);
	text_puts(text, ",\"action\":\"footprint\",\"details\":{");
	add_access(text, access);
	text_puts(text, "}");
	record_add_end(text, record);
	text_addf(text, ",\"rule\":null,\"stage\":null,\"enforced\":%s,\"us\":0,\"seq\":%" PRIu64 "}\n",
		  access->verdict == ACCESS_WOULD_DENY ? "false" : "true", record->seq);
}

void record_kernel(struct text *text, const struct record *record, const struct kernel_event *event, const char *rule)
{
	const struct syscall_info *info = syscall_by_nr(event->nr);
	bool let = event->action == SECCOMP_RET_LOG;
	record_add_timestamp(text, event->realtime_ns);
	text_addf(text, ",\"process\":{\"pid\":%d", event->pid);
	record_add_path(text, "exe", event->exe, strlen(event->exe));
	text_addf(text, ",\"uid\":%u,\"domain\":\"main\"},\"syscall\":", event->uid);
	if (info)
		text_addf(text, "\"%s\"", info->name);
	else
		text_addf(text, "\"%d\"", event->nr);
	text_addf(text, ",\"action\":\"%s\",\"details\":{\"from\":\"kernel\"", let ? "would-deny" : "deny");
	if (event->signal)
		text_addf(text, ",\"signal\":\"SIGSYS\"");
	text_puts(text, "}");
	record_add_end(text, record);
	text_puts(text, ",\"rule\":");
	if (rule)
		escape_json(text, rule, strlen(rule));
	else
		text_puts(text, "null");
	text_addf(text, ",\"stage\":\"%s\",\"enforced\":%s,\"us\":0,\"seq\":%" PRIu64 "}\n",
		  let ? "log" : event->action == SECCOMP_RET_TRAP ? "trap" : event->action == SECCOMP_RET_ERRNO ? "deny" : "kill",
		  let ? "false" : "true", record->seq);
}

/* "read /etc/x", "connect tcp 10.0.0.1:80", or Landlock's own words. */
static void add_denied(struct text *text, const struct landlock_event *event)
{
	uint32_t ops = landlock_event_ops(event);
	char names[ACCESS_OPS_TEXT];

	if (ops & OPS_FILES && *event->path) {
		text_addf(text, ",\"op\":\"%s\"", policy_op_name((enum policy_op)__builtin_ctz(ops)));
		if (ops & (ops - 1))
			text_addf(text, ",\"ops\":\"%s\"", access_ops_text(ops & OPS_FILES, names));
	} else if (ops & OPS_NETWORK && event->port >= 0) {
		text_addf(text, ",\"op\":\"%s\",\"proto\":\"tcp\",\"peer\":\"%s%s%s:%d\"", policy_op_name((enum policy_op)__builtin_ctz(ops)),
			  strchr(event->address, ':') ? "[" : "", *event->address ? event->address : "*", strchr(event->address, ':') ? "]" : "",
			  event->port);
	} else {
		text_puts(text, ",\"message\":");
		escape_json(text, event->blockers, strlen(event->blockers));
	}
	if (*event->path)
		record_add_path(text, "path", event->path, strlen(event->path));
	if (*event->dev)
		record_add_path(text, "dev", event->dev, strlen(event->dev));
	if (event->inode)
		text_addf(text, ",\"inode\":%" PRIu64, event->inode);
	if (ops)
		record_add_errno(text, EACCES);
}

void record_landlock(struct text *text, const struct record *record, const struct landlock_event *event, const struct policy_verdict *verdict,
		     enum policy_section section)
{
	const struct policy_default *given = &record->policy->defaults[section];
	char where[300] = "";

	if (verdict && verdict->rule)
		(void)policy_where(record->policy, verdict->rule->pos, where, sizeof(where));
	else if (verdict)
		(void)(given->pos.line ? policy_where(record->policy, given->pos, where, sizeof(where)) : strcpy(where, "default"));
	record_add_timestamp(text, event->realtime_ns);
	text_puts(text, ",\"process\":{\"pid\":null,\"domain\":\"main\"},\"syscall\":null,\"action\":\"deny\",\"details\":{\"from\":\"kernel\","
		  "\"layer\":\"landlock\",\"blockers\":");
	escape_json(text, event->blockers, strlen(event->blockers));
	add_denied(text, event);
	text_puts(text, "}");
	record_add_end(text, record);
	text_puts(text, ",\"rule\":");
	if (*where)
		escape_json(text, where, strlen(where));
	else
		text_puts(text, "null");
	text_addf(text, ",\"stage\":\"deny\",\"enforced\":true,\"us\":0,\"seq\":%" PRIu64 "}\n", record->seq);
}
