/* Records as lines, as counts, and as rules. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/learn.h"
#include "cli/log.h"
#include "escape.h"
#include "evidence/source.h"
#include "fd.h"
#include "json.h"
#include "json_get.h"
#include "style.h"

/* In local time, with the date. */
static void add_time(struct text *text, const char *stamp)
{
	struct tm tm = { 0 };
	char shown[40];
	if (!strptime(stamp, "%Y-%m-%dT%H:%M:%S", &tm)) {
		text_puts(text, stamp);
		return;
	}
	time_t at = timegm(&tm);
	localtime_r(&at, &tm);
	strftime(shown, sizeof(shown), "%Y-%m-%d %H:%M:%S", &tm);
	text_puts(text, shown);
}

static const char *word_of(const char *action)
{
	return strcmp(action, "deny") == 0 ? "DENY" : strcmp(action, "would-deny") == 0 ? "WOULD" : strcmp(action, "allow") == 0 ? "ALLOW" : action;
}

/* "read /srv/www/.git/config", "connect tcp 10.0.0.1:80", "syscall ptrace", or a message of usher's own. */
static void add_deed(struct text *text, const json_t *record)
{
	const json_t *details = json_object_get(record, "details");
	const char *path = json_text_of(details, "path"), *peer = json_text_of(details, "peer"), *message = json_text_of(details, "message");
	if (*path || *peer)
		text_addf(text, "%s%s%s %s", *json_text_of(details, "op") ? json_text_of(details, "op") : json_text_of(details, "ops"), *peer ? " " : "", *peer ? json_text_of(details, "proto") : "", *path ? path : peer);
	else if (json_is_string(json_object_get(record, "syscall")))
		text_addf(text, "syscall %s", json_text_of(record, "syscall"));
	else
		text_puts(text, message);
	if (*json_text_of(details, "to"))
		text_addf(text, " -> %s", json_text_of(details, "to"));
	if (json_object_get(details, "lost"))
		text_addf(text, ": %lld", (long long)json_integer_value(json_object_get(details, "lost")));
}

static void add_rest(struct text *text, const json_t *record)
{
	const json_t *details = json_object_get(record, "details"), *process = json_object_get(record, "process");
	const char *exe = json_text_of(process, "exe"), *slash = strrchr(exe, '/');
	if (*json_text_of(details, "errno"))
		text_addf(text, "   %s", json_text_of(details, "errno"));
	if (*exe)
		text_addf(text, "   %s", slash ? slash + 1 : exe);
	if (*exe && json_is_integer(json_object_get(process, "pid")))
		text_addf(text, " %lld", (long long)json_integer_value(json_object_get(process, "pid")));
	if (json_object_get(details, "count"))
		text_addf(text, "   %lld call%s, %s", (long long)json_integer_value(json_object_get(details, "count")),
			  json_integer_value(json_object_get(details, "count")) == 1 ? "" : "s", json_text_of(details, "verdict"));
	if (*json_text_of(record, "rule"))
		text_addf(text, "   %s", json_text_of(record, "rule"));
	if (strcmp(json_text_of(record, "action"), "deny") == 0 || strcmp(json_text_of(record, "action"), "would-deny") == 0)
		text_addf(text, "   why %.8s", json_text_of(record, "id"));
}

static void put_line(const struct log *log, const char *action, struct text *text)
{
	AUTO_FREE char *shown = escape_dup(text->s, text->len);
	const char *color = strcmp(action, "deny") == 0 ? COLOR_RED : strcmp(action, "would-deny") == 0 ? COLOR_YELLOW : "";
	bool paint = log->cli->color_out && *color;
	printf("%s%s%s\n", paint ? color : "", shown, paint ? COLOR_OFF : "");
	free(text_take(text));
}

void log_print(const struct log *log, const json_t *record)
{
	const char *action = json_text_of(record, "action");
	struct text text = { 0 };
	if (log->cli->json) {
		json_dumpf(record, stdout, JSON_COMPACT);
		printf("\n");
		return;
	}
	add_time(&text, json_text_of(record, "timestamp"));
	text_addf(&text, "  %-6s ", word_of(action));
	add_deed(&text, record);
	add_rest(&text, record);
	put_line(log, action, &text);
}

/* ---- counts ---------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

static struct log_event *event_of(struct log_event *events, size_t size, const char *key)
{
	size_t at = hash_of(key);
	while (events[at & (size - 1)].key && strcmp(events[at & (size - 1)].key, key) != 0)
		at++;
	return &events[at & (size - 1)];
}

static void grow(struct log *log)
{
	size_t size = log->size_events ? 2 * log->size_events : 256;
	struct log_event *events = mem_zero(size * sizeof(*events));
	for (size_t i = 0; i < log->size_events; i++)
		if (log->events[i].key)
			*event_of(events, size, log->events[i].key) = log->events[i];
	free(log->events);
	log->events = events;
	log->size_events = size;
}

void log_count(struct log *log, const json_t *record)
{
	struct text key = { 0 };
	text_addf(&key, "%s\t%s\t", json_text_of(record, "action"), json_text_of(record, "rule"));
	add_deed(&key, record);
	if (2 * log->n_events >= log->size_events)
		grow(log);
	struct log_event *event = event_of(log->events, log->size_events, key.s);
	if (!event->key) {
		event->key = text_copy(key.s);
		event->first = json_deep_copy(record);
		(void)json_object_del(json_object_get(event->first, "details"), "count");
		log->n_events++;
	}
	json_int_t count = json_integer_value(json_object_get(json_object_get(record, "details"), "count"));
	event->count += count > 0 ? (uint64_t)count : 1;
	free(event->last);
	event->last = text_copy(json_text_of(record, "timestamp"));
	free(text_take(&key));
}

static int by_count(const void *left, const void *right)
{
	const struct log_event *a = left, *b = right;
	if (!a->key || !b->key)
		return (a->key == NULL) - (b->key == NULL);
	return a->count != b->count ? (a->count < b->count) - (a->count > b->count) : strcmp(a->key, b->key);
}

void log_print_counts(struct log *log)
{
	json_t *list = json_array();
	qsort(log->events, log->size_events, sizeof(*log->events), by_count);
	for (size_t i = 0; i < log->n_events; i++) {
		const struct log_event *event = &log->events[i];
		const char *action = json_text_of(event->first, "action");
		struct text text = { 0 };
		if (log->cli->json) {
			json_array_append_new(list, json_pack("{s:I, s:s, s:O}", "count", (json_int_t)event->count, "last", event->last, "first",
							      event->first));
			continue;
		}
		text_addf(&text, "%8" PRIu64 "  %-6s ", event->count, word_of(action));
		add_deed(&text, event->first);
		add_rest(&text, event->first);
		put_line(log, action, &text);
	}
	if (log->cli->json)
		json_print("log", json_pack("{s:O}", "events", list), log->n ? CLI_OK : CLI_NO);
	json_decref(list);
}

/* ---- rules ----------------------------------------------------------------------------------- */

void log_learn(struct log *log, const json_t *record)
{
	struct access access;
	struct source_record kept;
	if (!source_record_read(record, &access, &kept))
		return;
	/* What usher itself refuses no rule can allow. */
	if (access.verdict != ACCESS_ALLOW && strcmp(json_text_of(record, "rule"), "built-in") != 0) {
		/* It did not happen; a rule would let it. */
		access.verdict = ACCESS_WOULD_DENY;
		access.error = 0;
		(void)learn_take(&log->learn, &access);
	}
	source_record_free(&kept);
}

int log_print_rules(struct log *log)
{
	static const char nothing[] = "syntax 1; files { default deny; } network { default deny; }";
	struct policy *policy = NULL;
	struct text text = { 0 };
	int status = 0;
	learn_next_source(&log->learn);
	if (log->cli->policy)
		status = cli_load_policy(log->cli, log->cli->policy, NULL, &policy);
	else
		policy = learning_load("rules", nothing, strlen(nothing), NULL);
	if (status || !policy)
		return status ? status : CLI_POLICY;
	learn_settle(&log->learn, policy);
	policy_free(policy);
	unsigned rules = learn_rules(&log->learn, TREE_TIGHT, false, "", &text).rules;
	rules += learn_rules(&log->learn, TREE_TIGHT, true, "", &text).rules;
	rules += learn_peer_rules(&log->learn, TREE_TIGHT, "", &text);
	for (size_t i = 0; i < log->learn.calls.n; i++, rules++)
		text_addf(&text, "syscalls { allow %s; }\n", log->learn.calls.v[i]);
	for (size_t i = 0; i < log->learn.n_refused; i++) {
		text_puts(&text, "# not ");
		escape_add(&text, log->learn.refused[i].what, strlen(log->learn.refused[i].what));
		text_puts(&text, ": ");
		escape_add(&text, log->learn.refused[i].by, strlen(log->learn.refused[i].by));
		text_puts(&text, "\n");
	}
	if (log->cli->json)
		json_print("log", json_pack("{s:i, s:o}", "rules", (int)rules, "text", json_text(text.len ? text.s : "")), rules ? CLI_OK : CLI_NO);
	else if (text.len)
		printf("%s", text.s);
	free(text_take(&text));
	return rules ? CLI_OK : CLI_NO;
}

void log_free(struct log *log)
{
	for (size_t i = 0; i < log->size_events; i++) {
		free(log->events[i].key);
		free(log->events[i].last);
		json_decref(log->events[i].first);
	}
	free(log->events);
	learn_free(&log->learn);
}
