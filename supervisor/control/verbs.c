/* What a supervisor is asked to do, and what it answers. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "control/observe.h"
#include "control/state.h"
#include "err.h"
#include "landlock.h"
#include "now.h"
#include "sandbox.h"
#include "text.h"

static const char *string_of(const json_t *request, const char *key)
{
	return json_string_value(json_object_get(request, key));
}

static bool flag_of(const json_t *request, const char *key)
{
	return json_is_true(json_object_get(request, key));
}

/* ---- ps ------------------------------------------------------------------------------------- */

static json_t *stages_json(const struct policy *policy)
{
	int n[4] = { 0 };

	for (size_t i = 0; i < policy->n_rules; i++)
		n[policy->rules[i].stage]++;
	for (int i = 0; i < SECTION_COUNT; i++)
		if (policy->defaults[i].present && policy->defaults[i].written)
			n[policy->defaults[i].stage]++;
	return json_pack("{s:i, s:i, s:i, s:i}", "log", n[STAGE_LOG], "deny", n[STAGE_DENY], "trap", n[STAGE_TRAP], "kill", n[STAGE_KILL]);
}

static json_t *expires_json(const struct policy *policy)
{
	json_t *list = json_array();
	char where[300];
	int left;

	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy_expires_soon(&policy->rules[i], &left))
			(void)json_array_append_new(list, json_pack("{s:s, s:s, s:i}", "rule", policy_where(policy, policy->rules[i].pos, where, sizeof(where)),
								    "on", policy->rules[i].expires, "days", left));
	return list;
}

/* How loose the program was launched: what of it nobody can tighten any more, and what nobody can loosen. */
static json_t *launched_json(const struct plan *launched)
{
	json_t *handled = json_array();
	int sealed = 0;

	for (int bit = 0; bit < 64; bit++)
		if (launched->landlock_fs >> bit & 1 && landlock_right_name(UINT64_C(1) << bit))
			(void)json_array_append_new(handled, json_string(landlock_right_name(UINT64_C(1) << bit)));
	for (size_t i = 0; i < launched->policy->n_rules; i++)
		sealed += !plan_moves(launched, &launched->policy->rules[i]);
	return json_pack("{s:s, s:b, s:b, s:b, s:b, s:o, s:i}", "digest", launched->policy->digest, "topology_fixed", launched->topology_fixed,
			 "exec_gate", launched->exec, "free", launched->free, "connects_by_landlock", launched->ports, "landlock", handled, "sealed", sealed);
}

static json_t *restart_json(const struct restart *restart)
{
	json_t *list = json_array();

	for (size_t i = 0; i < restart->n; i++)
		(void)json_array_append_new(list, json_text(restart->lines[i]));
	return list;
}

static void serve_ps(struct client *client)
{
	struct control *control = client->control;
	struct sandbox *sandbox = control->options.sandbox;
	const struct policy *policy = rulesets_current(&sandbox->rulesets)->policy;
	json_t *answer = json_pack("{s:s, s:i, s:s, s:o, s:s, s:o, s:s, s:f, s:I, s:I, s:I, s:o, s:o, s:o, s:i}",
		"name", control->name, "pid", (int)getpid(), "policy", policy->name ? policy->name : "",
		"policy_file", json_text(control->policy_path), "digest", policy->digest, "program", json_text(control->program ? control->program : ""),
		"mode", control->mode_log ? "log" : "enforce", "up", (double)(now_ns() - control->started_ns) / 1e9,
		"calls", (json_int_t)atomic_load(&sandbox->calls), "denied", (json_int_t)atomic_load(&sandbox->denied),
		"would_deny", (json_int_t)atomic_load(&sandbox->would_deny), "stages", stages_json(policy),
		"launched", launched_json(sandbox->launched), "restart", restart_json(&control->restart),
		"policies", (int)rulesets_count(&sandbox->rulesets));

	(void)json_object_set_new(answer, "shadow", shadow_json(&sandbox->shadow, false));
	(void)json_object_set_new(answer, "expires", expires_json(policy));
	if (control->panic)
		(void)json_object_set_new(answer, "panic", json_text(control->panic));
	client_answer(client, "ps", answer, CLI_OK);
}

/* ---- another policy ------------------------------------------------------------------------- */

static struct change *change_asked(struct control *control, const char *verb, const json_t *request)
{
	struct change *change = mem_zero(sizeof(*change));

	change->verb = verb;
	change->path = text_copy(control->policy_path);
	change->mode_log = control->mode_log;
	change->force = flag_of(request, "force");
	change->expect = text_copy(string_of(request, "expect"));
	change->reason = text_copy(string_of(request, "reason"));
	return change;
}

static void serve_reload(struct client *client, const json_t *request)
{
	struct control *control = client->control;
	const char *mode = string_of(request, "mode");
	struct change *change = change_asked(control, "reload", request);

	if (mode)
		change->mode_log = !strcmp(mode, "log");
	else if (control->panic)
		change->mode_log = control->options.mode_log;
	change_start(control, client, change);
}

/* Without a look at the files: they may be the reason for it. */
static void serve_panic(struct client *client, const json_t *request)
{
	struct control *control = client->control;
	struct change *change = change_asked(control, "panic", request);

	change->mode_log = true;
	change->force = true;
	change->memory = ruleset_take(&control->options.sandbox->rulesets);
	change_start(control, client, change);
}

/* ---- shadow --------------------------------------------------------------------------------- */

static void serve_shadow(struct client *client, const json_t *request)
{
	struct sandbox *sandbox = client->control->options.sandbox;
	const char *what = string_of(request, "what"), *path = string_of(request, "path");
	struct change *change;
	json_t *answer;

	if (what && !strcmp(what, "set") && path && *path == '/') {
		change = change_asked(client->control, "shadow", request);
		change->kind = CHANGE_SHADOW;
		change->mode_log = false;
		free(change->path);
		change->path = text_copy(path);
		change_start(client->control, client, change);
		return;
	}
	if (what && !strcmp(what, "clear")) {
		(void)sandbox_shadow(sandbox, NULL);
		audit_event(client->control->options.audit, "shadow", "cleared");
		client_answer(client, "shadow", NULL, CLI_OK);
		return;
	}
	answer = shadow_json(&sandbox->shadow, what && !strcmp(what, "diff"));
	if (!answer) {
		client_error(client, "shadow", CLI_NO, "there is no shadow policy");
		return;
	}
	answer = json_pack("{s:o, s:o}", "shadow", answer, "enforced",
			   json_string(rulesets_current(&sandbox->rulesets)->policy->digest));
	(void)json_object_set_new(answer, "up", json_real((double)(now_ns() - client->control->started_ns) / 1e9));
	client_answer(client, "shadow", answer,
		      json_integer_value(json_object_get(json_object_get(answer, "shadow"), "denied")) +
		      json_integer_value(json_object_get(json_object_get(answer, "shadow"), "allowed")) && what && !strcmp(what, "diff") ? CLI_NO : CLI_OK);
}

/* ---- evidence ------------------------------------------------------------------------------- */

static void evidence_flushed(struct loop_op *op, int result)
{
	struct control *control = container_of(op, struct control, flushed);
	struct client *client = control->flushing;

	(void)result;
	control->flushing = NULL;
	if (!control->over && client)
		client_answer(client, "flush", json_pack("{s:b}", "written", observe_works(control->observe)), CLI_OK);
}

void control_observe(struct control *control)
{
	struct sandbox *sandbox = control->options.sandbox;
	const struct policy *policy = rulesets_current(&sandbox->rulesets)->policy;
	bool wanted = false;

	for (size_t i = 0; i < policy->n_settings; i++)
		wanted |= !strcmp(policy->settings[i].block, "rollout");
	if (!wanted || control->observe)
		return;
	control->flushed.done = evidence_flushed;
	control->observe = observe_start(sandbox, control->policy_path);
	sandbox->rulesets.ctx = control->observe;
	sandbox->rulesets.retired = control->observe ? observe_retired : NULL;
}

/* So that who judges by the evidence has all of it. */
static void serve_flush(struct client *client)
{
	struct control *control = client->control;

	if (!control->observe || control->flushing) {
		client_answer(client, "flush", json_pack("{s:b}", "written", false), CLI_OK);
		return;
	}
	control->flushing = client;
	observe_flush(control->observe, &control->flushed);
}

void control_serve(struct client *client, const json_t *request)
{
	static const struct { const char *verb; void (*plain)(struct client *); void (*serve)(struct client *, const json_t *); } verbs[] = {
		{ "ps", serve_ps, NULL },
		{ "reload", NULL, serve_reload },
		{ "panic", NULL, serve_panic },
		{ "flush", serve_flush, NULL },
		{ "shadow", NULL, serve_shadow },
	};
	const char *verb = string_of(request, "verb");

	for (size_t i = 0; verb && i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].verb, verb) != 0)
			continue;
		if (verbs[i].plain)
			verbs[i].plain(client);
		else
			verbs[i].serve(client, request);
		return;
	}
	client_error(client, "", CLI_USAGE, "this supervisor does not know the verb");
}
