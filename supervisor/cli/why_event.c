/* A recorded denial, and how often the same one was recorded. */
#include "why.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit.h"
#include "fd.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static char *copy_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? strdup(text) : NULL;
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* The exact bytes: KEY_b64 where KEY is only a description of them. */
static char *path_of(const json_t *object, const char *key)
{
	char exact[32];
	snprintf(exact, sizeof(exact), "%s_b64", key);
	const char *coded = json_string_value(json_object_get(object, exact));
	if (!coded)
		return copy_of(object, key);
	char *path = calloc(strlen(coded) + 1, 1), *to = path;
	unsigned bits = 0, n = 0;
	for (; path && base64_digit(*coded) >= 0; coded++) {
		bits = bits << 6 | (unsigned)base64_digit(*coded);
		n += 6;
		if (n >= 8)
			*to++ = (char)(bits >> (n -= 8));
	}
	return path;
}

/* "2026-11-21T21:45:29.123456Z" in local time: the time of day, with the date if that is not today. */
static char *time_of(const json_t *record)
{
	struct tm tm = { 0 }, now;
	char text[40];
	time_t today = time(NULL);
	const char *stamp = text_of(record, "timestamp");
	if (!strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm))
		return strdup(stamp);
	time_t at = timegm(&tm);
	localtime_r(&at, &tm);
	localtime_r(&today, &now);
	bool same = tm.tm_yday == now.tm_yday && tm.tm_year == now.tm_year;
	strftime(text, sizeof(text), same ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	return strdup(text);
}

static bool is_denial(const json_t *record)
{
	const char *action = text_of(record, "action");
	return strcmp(action, "deny") == 0 || strcmp(action, "would-deny") == 0;
}

static bool same_event(const json_t *a, const json_t *b)
{
	const json_t *da = json_object_get(a, "details"), *db = json_object_get(b, "details");
	return is_denial(b) && strcmp(text_of(a, "rule"), text_of(b, "rule")) == 0 &&
	       strcmp(text_of(a, "action"), text_of(b, "action")) == 0 &&
	       strcmp(text_of(da, "op"), text_of(db, "op")) == 0 &&
	       strcmp(text_of(da, "path"), text_of(db, "path")) == 0 &&
	       (*text_of(da, "path") || strcmp(text_of(a, "syscall"), text_of(b, "syscall")) == 0);
}

/* How often, since when, and which file the policy came from. */
static void look_around(const char *file, const json_t *event, struct why_event *out)
{
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	FILE *log = fopen(file, "re");
	while (log && getline(&line, &size, log) >= 0) {
		if (!strstr(line, "deny\"") && !strstr(line, "\"start\""))
			continue;
		json_t *record = json_loads(line, 0, NULL);
		bool before = json_integer_value(json_object_get(record, "seq")) <=
				      json_integer_value(json_object_get(event, "seq")) ||
			      strcmp(text_of(record, "timestamp"), text_of(event, "timestamp")) <= 0;
		if (record && before && strcmp(text_of(record, "action"), "start") == 0 &&
		    strcmp(text_of(record, "policy"), text_of(event, "policy")) == 0) {
			free(out->policy_file);
			out->policy_file = path_of(json_object_get(record, "details"), "policy_file");
			json_decref(out->set);
			out->set = json_incref(json_object_get(json_object_get(record, "details"), "set"));
		}
		if (record && same_event(event, record) && out->times++ == 0)
			out->since = time_of(record);
		json_decref(record);
	}
	if (log)
		fclose(log);
}

static char *last_denial(const char *file, int *error)
{
	AUTO_FREE char *line = NULL;
	char *found = NULL;
	size_t size = 0;
	FILE *log = fopen(file, "re");
	*error = log ? -ENOENT : -errno;
	while (log && getline(&line, &size, log) >= 0) {
		json_t *record = strstr(line, "deny\"") ? json_loads(line, 0, NULL) : NULL;
		if (record && is_denial(record)) {
			free(found);
			found = strdup(line);
			*error = found ? 0 : -ENOMEM;
		}
		json_decref(record);
	}
	if (log)
		fclose(log);
	return found;
}

static void event_fill(struct why_event *event, const json_t *record)
{
	const json_t *details = json_object_get(record, "details"),
		     *process = json_object_get(record, "process");
	const char *exe = text_of(process, "exe"), *slash = strrchr(exe, '/');
	if (asprintf(&event->program, "%s %d", *exe ? slash ? slash + 1 : exe : "process",
		     (int)json_integer_value(json_object_get(process, "pid"))) < 0)
		event->program = NULL;
	event->time = time_of(record);
	event->spelled = path_of(details, "spelled");
	event->base = path_of(details, "base");
	event->error = copy_of(details, "errno");
	event->op = copy_of(details, "op");
	event->path = path_of(details, "path");
	event->policy = copy_of(record, "policy");
	event->action = strdup(text_of(record, "action"));
	event->rule = strdup(text_of(record, "rule"));
	event->kind = copy_of(record, "syscall");
}

int why_event_read(const struct cli *cli, const char *file, const char *prefix, struct why_event *event)
{
	AUTO_FREE char *line = NULL;
	int error;
	if (prefix)
		error = audit_find(file, prefix, &line);
	else
		line = last_denial(file, &error);
	if (error == -EEXIST) {
		cli_error(cli, "more than one event in %s begins with %s; give more digits", file, prefix);
		return CLI_USAGE;
	}
	/* The log itself may be missing, or only have no such event. */
	FILE *log = error ? fopen(file, "re") : NULL;
	if (log) {
		fclose(log);
		if (prefix)
			cli_error(cli, "there is no event %s in %s", prefix, file);
		else
			cli_error(cli, "there is no denial in %s", file);
		return CLI_UNREACHABLE;
	}
	if (error) {
		cli_error(cli, "cannot read %s: %s", file, strerror(-error));
		return CLI_UNREACHABLE;
	}
	json_t *record = json_loads(line, 0, NULL);
	event_fill(event, record);
	look_around(file, record, event);
	json_decref(record);
	return 0;
}

void why_event_free(struct why_event *event)
{
	char *all[] = { event->program, event->time,   event->since,	   event->spelled, event->base,
			event->error,	event->policy, event->policy_file, event->action,  event->rule,
			event->kind,	event->op,     event->path };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]);
	json_decref(event->set);
}
