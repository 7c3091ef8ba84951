/* Our own audit log, at level all or with nothing but denials: one access a record. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit_find.h"
#include "escape.h"
#include "evidence/mounted.h"
#include "fd.h"
#include "json_get.h"
#include "source.h"

struct log_reading {
	struct source *source;
	source_fn *fn;
	void *ctx;
};

/* The exact bytes of KEY, malloc'ed. */
static char *path_of(const json_t *details, const char *key)
{
	char exact[32];
	snprintf(exact, sizeof(exact), "%s_b64", key);
	const char *coded = json_string_value(json_object_get(details, exact));
	return coded ? escape_base64_undo(coded) : strdup(json_text_of(details, key));
}

static int64_t time_of(const json_t *object, const char *key)
{
	struct tm tm = { 0 };
	const char *rest = strptime(json_text_of(object, key), "%Y-%m-%dT%H:%M:%S", &tm);
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

/* As record_access() has written it. */
static void read_count(const json_t *details, struct access *access, struct source_record *kept)
{
	const json_t *via = json_object_get(details, "via_b64");
	json_int_t count = json_integer_value(json_object_get(details, "count"));
	const char *ops = json_text_of(details, "to_ops");
	struct text links = { 0 };

	access->count = count > 0 ? (uint64_t)count : 1;
	access->first_ns = time_of(details, "first");
	access->last_ns = time_of(details, "last");
	access->tree = json_is_true(json_object_get(details, "tree"));
	if (access->to.len)
		access->to_ops = access_ops_parse(ops, strlen(ops));
	for (size_t i = 0; i < json_array_size(via); i++) {
		const char *coded = json_string_value(json_array_get(via, i));
		AUTO_FREE char *link = coded ? escape_base64_undo(coded) : NULL;
		if (link)
			text_add(&links, link, strlen(link) + 1);
	}
	access->via = (struct bytes){ links.s, links.len };
	kept->via = text_take(&links);
	access->via.s = kept->via;
}

/* As mount_describe() has written it. */
static bool read_mount(const json_t *details, struct access *access, struct source_record *kept)
{
	const char *fstype = json_text_of(details, "fstype"), *flags = json_text_of(details, "flags");
	AUTO_FREE char *options = path_of(details, "options");
	struct text how = { 0 };

	if (access->ops != OP_BIT(OP_MOUNT)) {
		if (json_is_true(json_object_get(details, "own")))
			access->via = (struct bytes){ MOUNTED_OWN, sizeof(MOUNTED_OWN) };
		return access->ops == OP_BIT(OP_UMOUNT);
	}
	if (!*fstype || !options)
		return false;
	free(kept->to);
	kept->to = path_of(details, "from");
	access->to = bytes_of(kept->to);
	text_add(&how, fstype, strlen(fstype) + 1);
	text_add(&how, flags, strlen(flags) + 1);
	text_add(&how, options, strlen(options) + 1);
	access->via.len = how.len;
	access->via.s = kept->via = text_take(&how);
	return true;
}

bool source_record_read(const json_t *record, struct access *access, struct source_record *kept)
{
	const json_t *details = json_object_get(record, "details"), *process = json_object_get(record, "process");
	const char *op = json_text_of(details, json_object_get(details, "ops") ? "ops" : "op"), *proto = json_text_of(details, "proto");
	bool counted = strcmp(json_text_of(record, "action"), "footprint") == 0;
	int verdict = access_verdict_named(counted ? json_text_of(details, "verdict") : json_text_of(record, "action"));

	*access = (struct access){ .proto = -1, .count = 1, .ops = access_ops_parse(op, strlen(op)) };
	*kept = (struct source_record){ 0 };
	if (verdict < 0 || (!access->ops && !*json_text_of(record, "syscall")))
		return false;
	for (int i = 0; *proto && i < PROTO_COUNT; i++)
		if (strcmp(proto, policy_proto_name((enum policy_proto)i)) == 0)
			access->proto = i;
	kept->path = path_of(details, access->proto >= 0 ? "peer" : "path");
	kept->to = path_of(details, "to");
	access->first_ns = access->last_ns = time_of(record, "timestamp");
	access->verdict = (enum access_verdict)verdict;
	access->error = verdict == ACCESS_WOULD_DENY ? 0 : errno_of(details);
	access->program = bytes_of(json_text_of(process, "exe"));
	access->domain = bytes_of(json_text_of(process, "domain"));
	access->object = bytes_of(access->ops ? kept->path : json_text_of(record, "syscall"));
	if (kept->to && *kept->to && access->ops & (OP_BIT(OP_RENAME) | OP_BIT(OP_LINK))) {
		access->to = bytes_of(kept->to);
		access->to_ops = OP_BIT(OP_CREATE);
	}
	if (counted && access->ops & OP_BIT(OP_MOUNT))
		access->to = bytes_of(kept->to);
	if (counted)
		read_count(details, access, kept);
	/* As describe_mount(): the rules have let it through. */
	if (access->ops & OPS_MOUNTS && !strcmp(json_text_of(record, "rule"), "built-in"))
		access->verdict = ACCESS_ALLOW;
	return counted || !(access->ops & OPS_MOUNTS) || read_mount(details, access, kept);
}

void source_record_free(struct source_record *kept)
{
	free(kept->path);
	free(kept->to);
	free(kept->via);
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
	return audit_scan(source->file, "\"timestamp\"", NULL, take_record, &reading, &source->broken);
}
