/* Records of what was no request of its own: counted, or told by the kernel. */
#include "record_parts.h"

#include <inttypes.h>
#include <linux/seccomp.h>
#include <string.h>

#include "escape.h"
#include "evidence/access.h"
#include "kernel_log.h"
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
