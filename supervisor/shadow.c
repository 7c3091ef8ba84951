#include "shadow.h"

#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "decide.h"
#include "fd.h"
#include "record.h"
#include "text.h"

void shadow_init(struct shadow *shadow)
{
	(void)pthread_mutex_init(&shadow->lock, NULL);
}

static void shadow_forget(struct shadow *shadow)
{
	pthread_mutex_lock(&shadow->lock);
	for (size_t i = 0; i < shadow->n; i++) {
		free(shadow->entries[i].what);
		free(shadow->entries[i].was);
		free(shadow->entries[i].now);
	}
	shadow->n = 0;
	shadow->others = 0;
	pthread_mutex_unlock(&shadow->lock);
	atomic_store(&shadow->calls, 0);
	atomic_store(&shadow->denied, 0);
	atomic_store(&shadow->allowed, 0);
}

int shadow_set(struct shadow *shadow, struct loop *loop, struct ruleset *next)
{
	int err = 0;

	atomic_store(&shadow->on, false);
	if (next && !shadow->used)
		rulesets_init(&shadow->rulesets, loop, next);
	else if (next)
		err = rulesets_swap(&shadow->rulesets, next);
	if (err)
		return err;
	/* One that was cleared stays until the next is set: whoever decides by it may still look. */
	shadow->used |= next != NULL;
	shadow_forget(shadow);
	atomic_store(&shadow->on, next != NULL);
	return 0;
}

void shadow_free(struct shadow *shadow)
{
	shadow_forget(shadow);
	if (shadow->used) {
		rulesets_stop(&shadow->rulesets);
		rulesets_free(&shadow->rulesets);
	}
	(void)pthread_mutex_destroy(&shadow->lock);
}

/* ---- deciding ------------------------------------------------------------------------------- */

static char *rule_of(const struct request *req, const struct policy_decision *decision)
{
	char where[300];
	const struct policy_verdict *verdict = &decision->enforced;
	const char *text = verdict->rule && verdict->rule->text ? verdict->rule->text : policy_denies(verdict) ? "deny" : "allow";

	return text_printf("%s  %s", record_where(req, verdict, where, sizeof(where)), text);
}

/* REQ decides as .rules says when this is called, DECISION being what was found. */
static void shadow_count(struct shadow *shadow, const struct request *req, bool denied, char *was, char *now)
{
	struct text what = { 0 };
	uint64_t hash;

	record_what(&what, req);
	hash = record_bytes_hash(what.s, what.len) ^ record_bytes_hash(was, strlen(was)) * 3 ^ record_bytes_hash(now, strlen(now)) * 5 ^ denied;
	pthread_mutex_lock(&shadow->lock);
	for (size_t i = 0; i <= shadow->n; i++) {
		struct shadow_entry *entry = &shadow->entries[i];

		if (i == SHADOW_MAX) {
			shadow->others++;
		} else if (i == shadow->n) {
			*entry = (struct shadow_entry){ .hash = hash, .count = 1, .denied = denied, .what = text_take(&what), .was = was, .now = now };
			was = now = NULL;
			shadow->n++;
			break;
		} else if (entry->hash == hash && entry->denied == denied && !strcmp(entry->what, what.s) && !strcmp(entry->was, was) &&
			   !strcmp(entry->now, now)) {
			entry->count++;
			break;
		}
	}
	pthread_mutex_unlock(&shadow->lock);
	free(what.s);
	free(was);
	free(now);
}

static void shadow_decide(struct request *req, const struct policy_decision *call, bool was)
{
	uint32_t ops[REQUEST_NAMES];

	decide_objects(req, call);
	if ((!was && !decide_refuses(&req->decision.enforced)) || !decide_settle(req, ops))
		return;
	decide_objects(req, call);
	for (unsigned i = 0; i < req->n_names; i++)
		req->ops[i] = ops[i];
}

void shadow_note(struct shadow *shadow, struct request *req)
{
	struct ruleset *enforced = req->rules, *candidate;
	const struct policy_decision decision = req->decision;
	const unsigned decided = req->decided, decided_peer = req->decided_peer;
	struct policy_decision call;
	uint64_t args[6];
	bool was, now;

	if (!atomic_load(&shadow->on))
		return;
	was = decide_refuses(&decision.enforced);
	candidate = ruleset_take(&shadow->rulesets);
	for (int i = 0; i < 6; i++)
		args[i] = req->notif.data.args[i];
	req->rules = candidate;
	call = policy_decide_call(candidate->policy, req->notif.data.nr, args);
	/* What usher refuses by itself it refuses under either. */
	if (decision.enforced.rule && decision.enforced.rule->pos.file == POLICY_BUILTIN)
		req->decision = decision;
	else if (decide_refuses(&call.enforced))
		req->decision = call;
	else
		shadow_decide(req, &call, was);
	now = decide_refuses(&req->decision.enforced);
	atomic_fetch_add_explicit(&shadow->calls, 1, memory_order_relaxed);
	ruleset_count(candidate, &req->decision, record_section(req, &req->decision.enforced));
	if (was != now) {
		char *its = rule_of(req, &req->decision), *ours;
		struct policy_decision other = req->decision;

		atomic_fetch_add_explicit(now ? &shadow->denied : &shadow->allowed, 1, memory_order_relaxed);
		req->rules = enforced;
		req->decision = decision;
		ours = rule_of(req, &decision);
		/* Named by who denies: it knows which object that was. */
		if (now)
			req->decision = other;
		else
			req->decided = decided, req->decided_peer = decided_peer;
		shadow_count(shadow, req, now, ours, its);
	}
	req->rules = enforced;
	req->decision = decision;
	req->decided = decided;
	req->decided_peer = decided_peer;
	ruleset_put(candidate);
}

/* ---- telling -------------------------------------------------------------------------------- */

static json_t *entry_json(const struct shadow_entry *entry)
{
	return json_pack("{s:s, s:o, s:I, s:o, s:o}", "change", entry->denied ? "denied" : "allowed", "access", json_text(entry->what), "count",
			 (json_int_t)entry->count, "was", json_text(entry->was), "now", json_text(entry->now));
}

json_t *shadow_json(struct shadow *shadow, bool entries)
{
	const struct ruleset *candidate;
	json_t *json, *list, *idle;
	unsigned used = 0, n = 0;
	char where[300];

	if (!atomic_load(&shadow->on))
		return NULL;
	candidate = rulesets_current(&shadow->rulesets);
	idle = json_array();
	for (size_t i = 0; i < candidate->policy->n_rules; i++) {
		const struct policy_rule *rule = &candidate->policy->rules[i];
		bool is_used = atomic_load_explicit(&candidate->hits[i].used, memory_order_relaxed) > 0;

		if (rule->pos.file == POLICY_BUILTIN)
			continue;
		n++;
		used += is_used;
		if (!is_used && entries && json_array_size(idle) < 200)
			(void)json_array_append_new(idle, json_string(policy_where(candidate->policy, rule->pos, where, sizeof(where))));
	}
	json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:i}", "policy", candidate->policy->name ? candidate->policy->name : "", "digest",
			 candidate->policy->digest, "calls", (json_int_t)atomic_load(&shadow->calls), "denied", (json_int_t)atomic_load(&shadow->denied),
			 "allowed", (json_int_t)atomic_load(&shadow->allowed), "rules", (int)n, "rules_used", (int)used);
	list = json_array();
	pthread_mutex_lock(&shadow->lock);
	for (size_t i = 0; entries && i < shadow->n; i++)
		(void)json_array_append_new(list, entry_json(&shadow->entries[i]));
	(void)json_object_set_new(json, "not_listed", json_integer((json_int_t)shadow->others));
	pthread_mutex_unlock(&shadow->lock);
	if (entries) {
		(void)json_object_set(json, "changes", list);
		(void)json_object_set(json, "unused", idle);
	}
	json_decref(list);
	json_decref(idle);
	return json;
}
