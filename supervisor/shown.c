/*
 * Lines for people are few on purpose: of equal denials one in SHOWN_AGAIN_S is shown, of different ones
 * BURST at once and then PER_SECOND; how many were left out is said with the next line and in the summary. An
 * alert is always shown.
 */
#include "shown.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "escape.h"
#include "request.h"
#include "sink.h"

#define BURST 10
#define PER_SECOND 2
#define SHOWN_AGAIN_S 30

static int64_t clock_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Under the mutex. May a line be shown now? *UNSAID: how many were not, since the last one that was. */
static bool may_show(struct shown *shown, struct seen *seen, bool alert, unsigned long *unsaid)
{
	int64_t now = clock_ms();
	shown->tokens += (double)(now - shown->tokens_at_ms) * PER_SECOND / 1000;
	shown->tokens = shown->tokens > BURST ? BURST : shown->tokens;
	shown->tokens_at_ms = now;
	bool again = seen && now / 1000 - seen->shown_s < SHOWN_AGAIN_S;
	if (!alert && (again || shown->tokens < 1)) {
		shown->hidden++;
		shown->hidden_unsaid += !again;
		return false;
	}
	shown->tokens = shown->tokens >= 1 ? shown->tokens - 1 : 0;
	if (seen)
		seen->shown_s = now / 1000;
	*unsaid = shown->hidden_unsaid;
	shown->hidden_unsaid = 0;
	return true;
}

void shown_put(struct shown *shown, const struct request *req, enum record_kind kind, const struct record *record)
{
	struct text text = { 0 };
	unsigned long unsaid = 0;
	pthread_mutex_lock(&shown->mutex);
	struct seen *seen = seen_get(&shown->seens, record_hash(req, kind));
	if (!shown->file) {
		struct text question = { 0 };
		const struct policy_verdict *verdict = record_verdict(req, kind);
		bool own = verdict->rule && verdict->rule->pos.file == POLICY_BUILTIN && OP_BIT(verdict->op) & OPS_MOUNTS;
		shown->last_reason = own ? verdict->rule->text : NULL;
		record_question(&question, req, kind);
		free(shown->last_question);
		shown->last_question = text_take(&question);
	}
	bool now = shown->terminal && may_show(shown, seen, record_verdict(req, kind)->audit == AUDIT_ALERT, &unsaid);
	pthread_mutex_unlock(&shown->mutex);
	if (now && shown->options->json) {
		record_request(&text, record, req);
		sink_put(shown->terminal, text.s, text.len);
	} else if (now) {
		if (unsaid)
			text_addf(&text, "usher: %lu more denial%s not shown\n", unsaid,
				  unsaid == 1 ? "" : "s");
		text_puts(&text, "usher: ");
		record_line(&text, req, kind, shown->file ? record->id : NULL);
		text_puts(&text, "\n");
		sink_put(shown->terminal, text.s, text.len);
	}
	free(text_take(&text));
}

static void add_next_command(struct text *text, const struct shown *shown)
{
	const char *policy = shown->policy->files[0].path;
	struct text command = { 0 };
	if (!shown->file && shown->last_reason) {
		text_addf(text, "usher: the last one: %s\n", shown->last_reason);
		return;
	}
	text_puts(text, "usher: ");
	if (shown->file) {
		text_puts(&command, "usher why --last --audit ");
		escape_shell(&command, shown->file, strlen(shown->file));
	} else {
		text_puts(&command, "usher why -p ");
		escape_shell(&command, policy, strlen(policy));
		for (size_t i = 0; i < shown->options->n_vars; i++) {
			const struct policy_var *var = &shown->options->vars[i];
			text_addf(&command, " --set %s=", var->name);
			escape_shell(&command, var->value, strlen(var->value));
		}
		text_addf(&command, " %s", shown->last_question);
	}
	escape_add(text, command.s, command.len);
	text_puts(text, "\n");
	free(text_take(&command));
}

void shown_summary(const struct shown *shown, unsigned long calls, unsigned long denied, unsigned long would, unsigned long lost)
{
	struct text text = { 0 };
	text_addf(&text, "usher: %lu denial%s", denied, denied == 1 ? "" : "s");
	if (would)
		text_addf(&text, "; %lu call%s would be denied without stage log", would,
			  would == 1 ? "" : "s");
	if (denied + would > 1 && shown->seens.n)
		text_addf(&text, "%s %s%zu different", would ? "; in all" : ",", shown->seens.full ? "more than " : "", shown->seens.n);
	if (shown->hidden)
		text_addf(&text, "; %lu not shown", shown->hidden);
	text_addf(&text, "; %lu brokered call%s%s\n", calls, calls == 1 ? "" : "s",
		  shown->options->reads_unseen ? "; Landlock decided about reading, uncounted (--layers broker counts)" : "");
	if (shown->file ? denied + would > 0 : shown->last_question != NULL)
		add_next_command(&text, shown);
	if (lost)
		text_addf(&text, "usher: %lu audit record%s could not be written to %s\n", lost,
			  lost == 1 ? "" : "s", shown->file);
	(void)!write(STDERR_FILENO, text.s, text.len);
	free(text_take(&text));
}

void shown_init(struct shown *shown, const struct policy *policy, const struct audit_options *options)
{
	*shown = (struct shown){ .policy = policy, .options = options, .tokens = BURST, .tokens_at_ms = clock_ms() };
	pthread_mutex_init(&shown->mutex, NULL);
}

void shown_free(struct shown *shown)
{
	pthread_mutex_destroy(&shown->mutex);
	free(shown->seens.list);
	free(shown->last_question);
}
