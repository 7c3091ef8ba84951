/* A recorded denial, and how often the same one was recorded. */
#include "why.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit_find.h"
#include "err.h"
#include "escape.h"
#include "fd.h"
#include "json_get.h"

/* A log may be anybody's: what is shown must not paint the terminal. */
static char *copy_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? escape_dup(text, strlen(text)) : NULL;
}

/* The exact bytes: KEY_b64 where KEY is only a description of them. */
static char *path_of(const json_t *object, const char *key)
{
	char exact[32];
	snprintf(exact, sizeof(exact), "%s_b64", key);
	const char *coded = json_string_value(json_object_get(object, exact));
	const char *text = json_string_value(json_object_get(object, key));
	if (!coded)
		return text ? strdup(text) : NULL;
	return escape_base64_undo(coded);
}

/* "2026-11-21T21:45:29.123456Z" in local time: the time of day, with the date if that is not today. */
static char *time_of(const json_t *record)
{
	struct tm tm = { 0 }, now;
	char text[40];
	time_t today = time(NULL);
	const char *stamp = json_text_of(record, "timestamp");
	if (!strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm))
		return escape_dup(stamp, strlen(stamp));
	time_t at = timegm(&tm);
	localtime_r(&at, &tm);
	localtime_r(&today, &now);
	bool same = tm.tm_yday == now.tm_yday && tm.tm_year == now.tm_year;
	strftime(text, sizeof(text), same ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	return strdup(text);
}

static bool same_event(const json_t *a, const json_t *b)
{
	const json_t *da = json_object_get(a, "details"), *db = json_object_get(b, "details");
	return audit_is_denial(b) && strcmp(json_text_of(a, "rule"), json_text_of(b, "rule")) == 0 &&
	       strcmp(json_text_of(a, "action"), json_text_of(b, "action")) == 0 &&
	       strcmp(json_text_of(da, "op"), json_text_of(db, "op")) == 0 &&
	       strcmp(json_text_of(da, "path"), json_text_of(db, "path")) == 0 &&
	       strcmp(json_text_of(da, "peer"), json_text_of(db, "peer")) == 0 && strcmp(json_text_of(da, "proto"), json_text_of(db, "proto")) == 0 &&
	       (*json_text_of(da, "path") || *json_text_of(da, "peer") || strcmp(json_text_of(a, "syscall"), json_text_of(b, "syscall")) == 0);
}

struct look {
	const json_t *event;
	struct why_event *out;
	bool past;
};

/* How often, since when, and which file the policy came from. */
static int look_around(void *ctx, json_t *record)
{
	struct look *look = ctx;
	struct why_event *out = look->out;
	if (!look->past && strcmp(json_text_of(record, "action"), "start") == 0 &&
	    strcmp(json_text_of(record, "policy"), json_text_of(look->event, "policy")) == 0) {
		const json_t *details = json_object_get(record, "details");
		free(out->policy_file);
		out->policy_file = path_of(details, "policy_file");
		json_decref(out->set);
		out->set = json_incref(json_object_get(details, "set"));
	}
	if (same_event(look->event, record) && out->times++ == 0)
		out->since = time_of(record);
	look->past = look->past || json_equal(record, look->event);
	return 0;
}

static void event_fill(struct why_event *event, const json_t *record)
{
	const json_t *details = json_object_get(record, "details"),
		     *process = json_object_get(record, "process");
	const char *exe = json_text_of(process, "exe"), *slash = strrchr(exe, '/');
	AUTO_FREE char *program = text_printf("%s %d", *exe ? slash ? slash + 1 : exe : "process",
					      (int)json_integer_value(json_object_get(process, "pid")));
	event->program = escape_dup(program, strlen(program));
	event->time = time_of(record);
	event->spelled = path_of(details, "spelled");
	event->base = path_of(details, "base");
	event->error = copy_of(details, "errno");
	event->op = copy_of(details, "op");
	event->path = path_of(details, "path");
	event->proto = copy_of(details, "proto");
	event->fstype = path_of(details, "fstype");
	event->from = path_of(details, "from");
	event->flags = copy_of(details, "flags");
	event->options = path_of(details, "options");
	event->reason = copy_of(details, "reason");
	if (!event->path && event->proto)
		event->path = copy_of(details, "peer");
	event->policy = copy_of(record, "policy");
	event->action = escape_dup(json_text_of(record, "action"), strlen(json_text_of(record, "action")));
	event->rule = escape_dup(json_text_of(record, "rule"), strlen(json_text_of(record, "rule")));
	event->kind = copy_of(record, "syscall");
	for (size_t i = 0; i < ARRAY_SIZE(event->args); i++) {
		const char *arg = json_string_value(json_array_get(json_object_get(details, "args"), i));
		event->args[i] = arg ? strtoull(arg, NULL, 0) : 0;
	}
}

int why_event_read(const struct cli *cli, const char *file, const char *prefix, struct why_event *event)
{
	json_t *record;
	int error = audit_find(file, prefix, &record);
	if (error == -EEXIST) {
		cli_error(cli, "more than one event in %s begins with %s; give more digits", file, prefix);
		return CLI_USAGE;
	}
	if (error == -ENODATA && prefix)
		cli_error(cli, "there is no event %s in %s", prefix, file);
	else if (error == -ENODATA)
		cli_error(cli, "there is no denial in %s", file);
	else if (error)
		cli_error(cli, "cannot read %s: %s", file, strerror(-error));
	if (error)
		return CLI_UNREACHABLE;
	struct look look = { .event = record, .out = event };
	event_fill(event, record);
	error = audit_scan(file, "deny\"", "\"start\"", look_around, &look, NULL);
	json_decref(record);
	if (error)
		cli_error(cli, "cannot read %s: %s", file, strerror(-error));
	return error ? CLI_UNREACHABLE : 0;
}

void why_event_free(struct why_event *event)
{
	char *all[] = { event->program, event->time,   event->since,	   event->spelled, event->base,
			event->error,	event->policy, event->policy_file, event->action,  event->rule,
			event->kind,	event->op,     event->path,	   event->proto,   event->fstype,
			event->from,	event->flags,  event->options,	   event->reason };
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		free(all[i]);
	json_decref(event->set);
}
