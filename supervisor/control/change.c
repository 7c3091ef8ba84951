/*
 * A policy is loaded, planned and compared by a thread of its own, since files may be slow and the loop serves calls that wait.
 * The loop's thread then puts it to use, which is one store: no call sees half of it. Whatever is wrong leaves all as it was.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "audit.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/load.h"
#include "control/state.h"
#include "env.h"
#include "err.h"
#include "fd.h"
#include "sandbox.h"
#include "text.h"

#define END_S 2

/* ---- a policy's files as they were ---------------------------------------------------------- */

struct memory_env {
	struct env env;
	const struct policy *policy;
};

static int memory_read(void *ctx, const char *path, char **text, size_t *len)
{
	const struct memory_env *memory = container_of(ctx, const struct memory_env, env);

	for (size_t i = 0; i < memory->policy->n_files; i++) {
		const struct policy_file *file = &memory->policy->files[i];

		if (strcmp(file->path, path) != 0)
			continue;
		*text = text_dup(file->text, file->len);
		*len = file->len;
		return 0;
	}
	return -ENOENT;
}

static int memory_list(void *ctx, const char *path, char ***names, size_t *n)
{
	const struct memory_env *memory = container_of(ctx, const struct memory_env, env);
	struct strings list = { 0 };
	size_t len = strlen(path);

	for (size_t i = 0; i < memory->policy->n_files; i++) {
		const char *file = memory->policy->files[i].path;

		if (!strncmp(file, path, len) && file[len] == '/' && !strchr(file + len + 1, '/'))
			strings_add(&list, text_copy(file + len + 1));
	}
	strings_sort(&list);
	*names = list.v;
	*n = list.n;
	return 0;
}

/* ---- loading -------------------------------------------------------------------------------- */

static void change_report(struct change *change, const struct policy *policy, const struct policy_diags *diags)
{
	size_t size = 0;
	FILE *report = open_memstream(&change->report, &size);

	change->diagnostics = json_diags(policy, diags);
	if (!report)
		return;
	policy_diags_print(diags, policy, report, false);
	(void)fclose(report);
}

static int change_load(struct change *change, struct policy **policy, struct policy_diags *diags)
{
	const struct control_options *options = &change->control->options;
	struct memory_env memory = { .policy = change->memory ? change->memory->policy : NULL };
	struct policy_env use;
	int err;

	env_init(&memory.env, &use);
	use.vars = options->vars;
	use.n_vars = options->n_vars;
	use.mode_log = change->mode_log;
	if (memory.policy) {
		use.read = memory_read;
		use.list = memory_list;
		use.exists = NULL;
	}
	err = load_file(change->memory ? change->memory->policy->files[0].path : change->path, options->audit_file, &use, policy, diags);
	if (!err)
		err = load_forbid_alert(*policy, options->sandbox->launched->policy);
	return err ? err : load_forbid(*policy, options->audit_open, options->record_file, diags);
}

static void change_fail(struct change *change, int status, const char *error)
{
	change->status = status;
	change->error = error;
}

/* Of the sandbox's .launched nothing changes. False: change_fail() has said why not. */
static bool change_plan(struct change *change, const struct policy *policy, struct policy_diags *diags, struct plan *plan)
{
	const struct plan *launched = change->control->options.sandbox->launched;

	if (plan_make(plan, policy, launched->kernel, change->control->options.no_landlock,
		      change->control->options.layers, diags)) {
		change_fail(change, CLI_KERNEL, "the policy asks for what cannot be enforced here");
		return false;
	}
	plan->creds_vary = launched->creds_vary;
	if (restart_find(&change->restart, launched, plan)) {
		change_fail(change, CLI_KERNEL, "what would need a restart cannot be told");
		return false;
	}
	if (change->kind == CHANGE_SHADOW)
		restart_unseen(&change->restart, launched);
	if (change->restart.refused && !change->force && change->kind == CHANGE_POLICY) {
		change_fail(change, CLI_NO, "needs restart: the running program would be less confined than the policy says");
		return false;
	}
	return true;
}

static bool change_check(struct change *change, struct policy **policy, struct policy_diags *diags, struct plan *plan)
{
	static const struct policy_pos nowhere = { .file = POLICY_BUILTIN };
	int err = change_load(change, policy, diags);

	if (err == -EINVAL) {
		change_fail(change, CLI_POLICY, "the policy is invalid");
	} else if (err) {
		policy_diag_add(diags, DIAG_ERROR, nowhere, "cannot read policy %s: %s", change->path, strerror(-err));
		change_fail(change, CLI_UNREACHABLE, "the policy cannot be read");
	} else if (change->expect && strcmp(change->expect, (*policy)->digest) != 0) {
		change_fail(change, CLI_NO, "the policy is another than was expected: its digest differs");
	} else {
		return change_plan(change, *policy, diags, plan);
	}
	return false;
}

static void *change_main(void *arg)
{
	struct change *change = arg;
	struct policy_diags diags = { 0 };
	struct policy *policy = NULL;
	struct plan plan;
	bool good;

	(void)prctl(PR_SET_NAME, "usher-change");
	good = change_check(change, &policy, &diags, &plan);
	change_report(change, policy, &diags);
	policy_diags_free(&diags);
	if (!good)
		policy_free(policy);
	else if (ruleset_new(&change->next, &plan, policy, change->control->options.audit))
		change_fail(change, CLI_UNREACHABLE, "what the policy puts in the place of files cannot be had");
	loop_post(change->control->options.loop, &change->done);
	return NULL;
}

/* ---- putting to use ------------------------------------------------------------------------- */

static json_t *lines_json(const struct restart *restart)
{
	json_t *list = json_array();

	for (size_t i = 0; i < restart->n; i++)
		(void)json_array_append_new(list, json_text(restart->lines[i]));
	return list;
}

static void change_record(struct change *change, const char *was)
{
	struct control *control = change->control;
	struct text text = { 0 };

	text_addf(&text, "%s by uid %u: %.12s -> %.12s%s", change->verb, change->client ? change->client->sender.uid : 0, was,
		  change->next ? change->next->policy->digest : "", change->mode_log ? ", mode log" : "");
	if (change->reason)
		text_addf(&text, ", reason: %s", change->reason);
	if (change->force)
		text_puts(&text, ", forced");
	for (size_t i = 0; i < change->restart.n; i++)
		text_addf(&text, "; needs restart: %s", change->restart.lines[i]);
	audit_event(control->options.audit, change->verb, text.s);
	free(text_take(&text));
}

static void change_policy(struct change *change)
{
	struct control *control = change->control;
	char was[sizeof(change->next->policy->digest)];

	(void)snprintf(was, sizeof(was), "%s", rulesets_current(&control->options.sandbox->rulesets)->policy->digest);
	if (sandbox_swap(control->options.sandbox, change->next)) {
		change_fail(change, CLI_NO, "too many policies that were replaced are still needed by calls that wait");
		ruleset_free(change->next);
		change->next = NULL;
		return;
	}
	audit_policy(control->options.audit, change->next->policy);
	change_record(change, was);
	control->mode_log = change->mode_log;
	free(control->panic);
	control->panic = change->memory ? text_copy(change->reason ? change->reason : "") : NULL;
	restart_free(&control->restart);
	control->restart = change->restart;
	control_observe(control);
}

static void change_shadow(struct change *change)
{
	struct control *control = change->control;

	if (sandbox_shadow(control->options.sandbox, change->next)) {
		change_fail(change, CLI_NO, "too many shadow policies are still in use");
		ruleset_free(change->next);
		change->next = NULL;
	} else {
		change_record(change, rulesets_current(&control->options.sandbox->rulesets)->policy->digest);
		restart_free(&change->restart);
	}
}

static void change_free(struct change *change)
{
	if (change->memory)
		ruleset_put(change->memory);
	free(change->path);
	free(change->expect);
	free(change->reason);
	free(change->report);
	json_decref(change->diagnostics);
	free(change);
}

static void change_done(struct loop_op *op, int result)
{
	struct change *change = container_of(op, struct change, done);
	struct control *control = change->control;
	json_t *answer;

	(void)result;
	if (control->over)
		return;	/* change_end() sees to it */
	(void)pthread_join(change->thread, NULL);
	control->change = NULL;
	answer = json_pack("{s:s, s:o, s:b, s:o*}", "name", control->name, "restart", lines_json(&change->restart), "refused",
			   change->restart.refused && !change->force, "diagnostics", json_incref(change->diagnostics));
	if (change->next && change->kind == CHANGE_POLICY)
		change_policy(change);
	else if (change->next)
		change_shadow(change);
	if (!change->next)
		restart_free(&change->restart);
	if (change->next)
		(void)json_object_set_new(answer, "digest", json_string(change->next->policy->digest));
	if (change->error)
		(void)json_object_set_new(answer, "error", json_string(change->error));
	if (change->report)
		(void)json_object_set_new(answer, "report", json_text(change->report));
	client_answer(change->client, change->verb, answer, change->status);
	change_free(change);
}

void change_start(struct control *control, struct client *client, struct change *change)
{
	int err;

	change->control = control;
	change->client = client;
	change->done.done = change_done;
	if (control->change) {
		client_error(client, change->verb, CLI_NO, "another change of this policy is under way");
		change_free(change);
		return;
	}
	control->change = change;
	err = pthread_create(&change->thread, NULL, change_main, change);
	if (err) {
		control->change = NULL;
		client_error(client, change->verb, CLI_UNREACHABLE, "no thread can be had");
		change_free(change);
	}
}

void change_end(struct control *control)
{
	struct change *change = control->change;
	struct timespec until;

	if (!change)
		return;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_S;
	/* One that hangs in a file system is left behind, with what it looks at. */
	if (pthread_timedjoin_np(change->thread, NULL, &until))
		return;
	loop_unpost(control->options.loop, &change->done);
	ruleset_free(change->next);
	restart_free(&change->restart);
	change_free(change);
	control->change = NULL;
}
