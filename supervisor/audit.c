/*
 * The audit: what is recorded, what is shown, what is counted.
 *
 * audit_record() runs on serving threads for every call, so an allowed call at level deny costs two
 * comparisons and a relaxed increment. Records and lines for people go to two sinks (sink.c), which the
 * loop's thread writes.
 */
#include "audit.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "alert.h"
#include "audit_file.h"
#include "err.h"
#include "escape.h"
#include "evidence/counts.h"
#include "fd.h"
#include "kernel_log.h"
#include "record.h"
#include "ruleset.h"
#include "sandbox.h"
#include "shown.h"
#include "sink.h"

#define RECORD_ROOM 800	/* bytes that most records fit in */
#define FILE_QUEUE (8U << 20)
#define TERMINAL_QUEUE (64U << 10)

struct audit {
	const struct policy *policy;
	struct audit_options options;
	char *file_name;
	struct audit_file *log;
	uint64_t lost_before;
	struct sink *file, *terminal;
	struct alert *alert;
	struct counts *counts;
	uint32_t id_key;
	uint16_t id_run;
	_Atomic uint64_t seq;
	_Atomic uint32_t gaps;
	_Atomic unsigned long calls, denied, would_denied;

	struct shown shown;
	pthread_mutex_t mutex; /* guards what follows */
	char label[256];       /* of the policy that decides now; empty: .policy */
};

/* A bijection of 32 bits: within a run no two records share the first eight digits. */
static uint32_t id_mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x85ebca6bU;
	x = (x ^ x >> 13) * 0xc2b2ae35U;
	return x ^ x >> 16;
}

/* SEQ 0: it has no place among the others; NUMBER is then its own. */
static struct record record_begin(struct audit *audit, uint64_t seq, uint32_t number)
{
	struct timespec now;
	struct record record = { .seq = seq,
				 .policy = audit->policy,
				 .vars = audit->options.vars,
				 .n_vars = audit->options.n_vars };
	clock_gettime(CLOCK_REALTIME, &now);
	record.realtime_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	snprintf(record.id, sizeof(record.id), "%08" PRIx32 "%04" PRIx16,
		 id_mix(number ^ audit->id_key), audit->id_run);
	return record;
}

static struct record audit_next(struct audit *audit)
{
	uint64_t seq = atomic_fetch_add_explicit(&audit->seq, 1, memory_order_relaxed) + 1;
	return record_begin(audit, seq, (uint32_t)seq);
}

static size_t audit_gap(void *ctx, unsigned long lost, char *buf, size_t size)
{
	struct audit *audit = ctx;
	/* Where .seq jumps records are lost: this one, which may itself fail to be written, must not look like that. */
	struct record record = record_begin(audit, 0, 1U << 31 | atomic_fetch_add_explicit(&audit->gaps, 1, memory_order_relaxed));
	struct text text = { 0 };
	record_event(&text, &record, "gap", "records were lost before this one", lost);
	size_t len = text.len < size ? text.len : 0;
	memcpy(buf, text.s, len);
	free(text_take(&text));
	return len;
}

static size_t terminal_gap(void *ctx, unsigned long lost, char *buf, size_t size)
{
	(void)ctx;
	return (size_t)snprintf(buf, size, "usher: %lu lines could not be shown\n", lost);
}

static void ledger_add(_Atomic uint64_t *counter, uint64_t n)
{
	if (counter)
		atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* What was counted is lost in a kill until its record is written. */
static void audit_counted(void *ctx, const struct access *access)
{
	struct audit *audit = ctx;
	struct record record = audit_next(audit);
	struct text text = { 0 };
	record_access(&text, &record, access);
	sink_put(audit->file, text.s, text.len);
	free(text_take(&text));
	ledger_add(audit_file_written(audit->log), access->count);
	unsigned long lost = (unsigned long)counts_lost(audit->counts);
	if (lost) {
		record = audit_next(audit);
		record_event(&text, &record, "gap", "accesses were not counted", lost);
		sink_put(audit->file, text.s, text.len);
		free(text_take(&text));
	}
}

static int audit_open(struct audit *audit, struct loop *loop)
{
	int error = 0;
	const char *file = audit->options.file;
	if (file) {
		const struct audit_settings settings = audit_settings(audit->policy);
		struct stat st;
		int fd = -1;
		error = audit_file_open(&audit->log, file, &settings, &fd, &audit->lost_before);
		if (error)
			return error;
		AUTO_FD opened = fd;
		audit->file_name = realpath(file, NULL);
		if (!audit->file_name)
			audit->file_name = strdup(file);
		error = audit->file_name ? sink_new(&audit->file, loop, opened, true, FILE_QUEUE, audit_gap, audit) : -ENOMEM;
		if (error)
			return error;
		(void)fd_take(&opened);
		sink_rotates(audit->file, S_ISREG(fstat(fd, &st) ? 0 : st.st_mode) ? settings.size : 0, (uint64_t)st.st_size, audit_file_next, audit->log);
		sink_syncs(audit->file, settings.fsync_ns);
		sink_counts(audit->file, audit_file_put(audit->log), audit_file_written(audit->log));
		if (settings.footprint_ns)
			error = counts_new(&audit->counts, loop, settings.footprint_ns, audit_counted, audit);
		if (error)
			return error;
	}
	if (audit->options.terminal || audit->options.json)
		error = sink_new(&audit->terminal, loop, STDERR_FILENO, false, TERMINAL_QUEUE,
				 audit->options.json ? audit_gap : terminal_gap, audit);
	audit->shown.terminal = audit->terminal;
	audit->shown.file = audit->file_name;
	return error;
}

static void alert_failed(void *audit, const char *error)
{
	audit_event(audit, "error", error);
}

int audit_new(struct audit **audit, struct loop *loop, const struct policy *policy,
	      const struct audit_options *options)
{
	struct audit *new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->policy = policy;
	new->options = *options;
	shown_init(&new->shown, policy, &new->options);
	pthread_mutex_init(&new->mutex, NULL);
	/* Ids are no secrets: without randomness they merely recur in the next run. */
	if (getrandom(&new->id_key, sizeof(new->id_key), GRND_NONBLOCK) < 0 ||
	    getrandom(&new->id_run, sizeof(new->id_run), GRND_NONBLOCK) < 0)
		new->id_key = (uint32_t)time(NULL), new->id_run = (uint16_t)getpid();
	int error = audit_open(new, loop);
	if (error) {
		new->options = (struct audit_options){ 0 };
		audit_free(new);
		return error;
	}
	error = alert_new(&new->alert, policy, alert_failed, new);
	if (error) {
		new->options = (struct audit_options){ 0 };
		audit_free(new);
		return error;
	}
	if (new->lost_before) {
		char line[512];
		size_t len = audit_gap(new, (unsigned long)new->lost_before, line, sizeof(line));
		(void)sink_put(new->file, line, len);
	}
	*audit = new;
	return 0;
}

bool audit_has_file(const struct audit *audit)
{
	return audit && audit->log;
}

bool audit_reopen(struct audit *audit)
{
	if (!audit_has_file(audit) || !audit_file_moved(audit->log))
		return false;
	sink_reopen(audit->file);
	return true;
}

/* ---- what is recorded ---- */

static void write_record(struct audit *audit, const struct record *record, const struct request *req, bool alert)
{
	struct text text = { 0 }, line = { 0 };
	text_room(&text, RECORD_ROOM);
	record_request(&text, record, req);
	if (audit->file)
		sink_put(audit->file, text.s, text.len);
	if (alert) {
		record_line(&line, req, RECORD_DENY, audit->file ? record->id : NULL);
		alert_put(audit->alert, text.s, text.len, line.s);
	}
	free(text_take(&line));
	free(text_take(&text));
}

/* What was refused as a file and as a directory alike is told as what it is. */
static void settle_type(struct request *req)
{
	const struct object *object = &req->objects[req->decided];
	struct stat st;

	if (req->n_names && req->decision.enforced.op == OP_READ && object->lexical && object->pin >= 0 && !fstat(object->pin, &st) &&
	    S_ISDIR(st.st_mode))
		req->decision.enforced.op = OP_LIST;
}

static bool is_shown(const struct audit *audit, enum record_kind kind)
{
	return kind != RECORD_ALLOW && (audit->options.terminal || audit->options.summary);
}

static bool is_alert(const struct audit *audit, enum record_kind kind, enum policy_audit level)
{
	return audit->alert && kind == RECORD_DENY && level == AUDIT_ALERT;
}

static bool is_wanted(const struct audit *audit, enum record_kind kind, enum policy_audit level)
{
	if (kind == RECORD_ALLOW && !audit->options.all && level != AUDIT_ALL)
		return false;
	return level != AUDIT_NONE && level != AUDIT_COUNT && (audit->file || is_shown(audit, kind) || is_alert(audit, kind, level));
}

bool audit_counts(const struct audit *audit)
{
	return audit && audit->counts;
}

bool audit_wants(const struct audit *audit, const struct request *req)
{
	enum record_kind kind = record_kind(req);
	return audit && is_wanted(audit, kind, record_verdict(req, kind)->audit);
}

void audit_record(struct audit *audit, struct request *req)
{
	if (!audit)
		return;
	enum record_kind kind = record_kind(req);
	enum policy_audit level = record_verdict(req, kind)->audit;
	bool shown = is_shown(audit, kind);
	atomic_fetch_add_explicit(&audit->calls, 1, memory_order_relaxed);
	if (kind == RECORD_DENY)
		atomic_fetch_add_explicit(&audit->denied, 1, memory_order_relaxed);
	else if (kind == RECORD_WOULD_DENY)
		atomic_fetch_add_explicit(&audit->would_denied, 1, memory_order_relaxed);
	/* Each call is in one record: in its own, or counted in another. */
	if (audit->counts && !(audit->file && is_wanted(audit, kind, level)))
		ledger_add(audit_file_put(audit->log), counts_note(audit->counts, req));
	if (!is_wanted(audit, kind, level))
		return;
	settle_type(req);
	struct record record = audit_next(audit);
	record.policy = req->rules->policy;
	bool alert = is_alert(audit, kind, level);
	if (audit->file || alert)
		write_record(audit, &record, req, alert);
	if (shown)
		shown_put(&audit->shown, req, kind, &record);
}

void audit_kernel(struct audit *audit, const struct policy *policy, const struct kernel_event *event, const char *rule)
{
	if (!audit)
		return;
	atomic_fetch_add_explicit(event->action == SECCOMP_RET_LOG ? &audit->would_denied : &audit->denied, 1, memory_order_relaxed);
	if (!audit->file)
		return;
	struct record record = audit_next(audit);
	struct text text = { 0 };
	record.policy = policy;
	record_kernel(&text, &record, event, rule);
	sink_put(audit->file, text.s, text.len);
	free(text_take(&text));
}

void audit_landlock(struct audit *audit, const struct policy *policy, const struct landlock_event *event, const struct policy_verdict *verdict,
		    enum policy_section section)
{
	if (!audit)
		return;
	atomic_fetch_add_explicit(&audit->denied, 1, memory_order_relaxed);
	if (!audit->file)
		return;
	struct record record = audit_next(audit);
	struct text text = { 0 };
	record.policy = policy;
	record_landlock(&text, &record, event, verdict, section);
	sink_put(audit->file, text.s, text.len);
	free(text_take(&text));
}

void audit_policy(struct audit *audit, const struct policy *policy)
{
	if (!audit)
		return;
	pthread_mutex_lock(&audit->mutex);
	(void)record_label(audit->label, sizeof(audit->label), policy);
	pthread_mutex_unlock(&audit->mutex);
}

void audit_event(struct audit *audit, const char *action, const char *message)
{
	if (!audit)
		return;
	struct text text = { 0 };
	char label[sizeof(audit->label)];
	struct record record = audit_next(audit);
	pthread_mutex_lock(&audit->mutex);
	strcpy(label, audit->label);
	pthread_mutex_unlock(&audit->mutex);
	record.label = *label ? label : NULL;
	record_event(&text, &record, action, message, 0);
	if (audit->file)
		sink_put(audit->file, text.s, text.len);
	if (audit->terminal && audit->options.json) {
		sink_put(audit->terminal, text.s, text.len);
	} else if (audit->terminal && message && (strcmp(action, "error") == 0 || strcmp(action, "kill") == 0)) {
		text.len = 0;
		text_puts(&text, "usher: ");
		escape_add(&text, message, strlen(message));
		text_puts(&text, "\n");
		sink_put(audit->terminal, text.s, text.len);
	}
	free(text_take(&text));
}

/* ---- the end ---- */

void audit_free(struct audit *audit)
{
	if (!audit)
		return;
	/* First: it may have to say that it failed. */
	unsigned long untold = alert_free(audit->alert);
	counts_free(audit->counts);
	unsigned long lost = sink_free(audit->file);
	audit_file_free(audit->log);
	(void)sink_free(audit->terminal);
	unsigned long denied = atomic_load(&audit->denied), would = atomic_load(&audit->would_denied);
	if (untold)
		(void)dprintf(STDERR_FILENO, "usher: %lu alert%s left out, or not told to everyone\n", untold, untold == 1 ? " was" : "s were");
	if (audit->options.summary || (denied + would && audit->options.terminal && !audit->options.json) || lost)
		shown_summary(&audit->shown, atomic_load(&audit->calls), denied, would, lost);
	pthread_mutex_destroy(&audit->mutex);
	free(audit->file_name);
	shown_free(&audit->shown);
	free(audit);
}
