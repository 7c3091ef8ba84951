/* Our own audit log, at level all or with nothing but denials: one access a record. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit_find.h"
#include "escape.h"
#include "fd.h"
#include "source.h"

struct log_reading {
	struct source *source;
	source_fn *fn;
	void *ctx;
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

/* The exact bytes of KEY, malloc'ed. */
static char *path_of(const json_t *details, const char *key)
{
	char exact[32];
	snprintf(exact, sizeof(exact), "%s_b64", key);
	const char *coded = json_string_value(json_object_get(details, exact));
	return coded ? escape_base64_undo(coded) : strdup(text_of(details, key));
}

static int64_t time_of(const json_t *record)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text_of(record, "timestamp"), "%Y-%m-%dT%H:%M:%S", &tm);
	return rest ? (int64_t)timegm(&tm) * 1000000000 + (*rest == '.' ? atol(rest + 1) * INT64_C(1000) : 0) : 0;
}

static int errno_of(const json_t *details)
{
	const json_t *error = json_object_get(details, "errno");
	if (json_is_integer(error))
		return (int)json_integer_value(error);
	const char *name = json_string_value(error);
	int number = name ? policy_errno_named(name, strlen(name)) : 0;
	return number > 0 ? number : 0;
}

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ text, text ? strlen(text) : 0 };
}

bool source_record_read(const json_t *record, struct access *access, struct source_record *kept)
{
	const json_t *details = json_object_get(record, "details"), *process = json_object_get(record, "process");
	const char *op = text_of(details, json_object_get(details, "ops") ? "ops" : "op"), *proto = text_of(details, "proto");
	int verdict = access_verdict_named(text_of(record, "action"));

	*access = (struct access){ .proto = -1, .count = 1, .ops = access_ops_parse(op, strlen(op)) };
	*kept = (struct source_record){ 0 };
	if (verdict < 0 || (!access->ops && !*text_of(record, "syscall")))
		return false;
	for (int i = 0; *proto && i < PROTO_COUNT; i++)
		if (strcmp(proto, policy_proto_name((enum policy_proto)i)) == 0)
			access->proto = i;
	kept->path = path_of(details, access->proto >= 0 ? "peer" : "path");
	kept->to = path_of(details, "to");
	access->first_ns = access->last_ns = time_of(record);
	access->verdict = (enum access_verdict)verdict;
	access->error = verdict == ACCESS_WOULD_DENY ? 0 : errno_of(details);
	access->program = bytes_of(text_of(process, "exe"));
	access->domain = bytes_of(text_of(process, "domain"));
	access->object = bytes_of(access->ops ? kept->path : text_of(record, "syscall"));
	if (kept->to && *kept->to && access->ops & (OP_BIT(OP_RENAME) | OP_BIT(OP_LINK))) {
		access->to = bytes_of(kept->to);
		access->to_ops = OP_BIT(OP_CREATE);
	}
	return true;
}

void source_record_free(struct source_record *kept)
{
	free(kept->path);
	free(kept->to);
}

static int take_record(void *ctx, json_t *record)
{
	struct log_reading *reading = ctx;
	struct source_record kept;
	struct access access;
	int result = 0;

	if (!source_record_read(record, &access, &kept))
		reading->source->skipped++;
	else if (access.last_ns >= reading->source->since_ns)
		result = reading->fn(reading->ctx, &access);
	source_record_free(&kept);
	return result;
}

int source_read_log(struct source *source, source_fn *fn, void *ctx)
{
	struct log_reading reading = { source, fn, ctx };
	return audit_scan(source->file, "\"timestamp\"", NULL, take_record, &reading);
}
