/* usher rollout: how far the rules of a policy have come, and what their gates lack. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/proof.h"
#include "err.h"
#include "fd.h"
#include "move.h"
#include "remote.h"
#include "rollout.h"

enum { OPT_TIMEOUT = CLI_LONG, OPT_RULE };

static const struct cli_option options[] = {
	CLI_OPTION_POLICY("the policy, or a name of usher ps; may also stand behind the word, alone"),
	{ "rule", OPT_RULE, "RULE", "only this one: its id, or FILE:LINE" },
	{ "timeout", OPT_TIMEOUT, "SECONDS", "wait: no longer than this" },
	CLI_OPTION_SET,
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_rollout = {
	.name = "rollout",
	.usage = "status | wait [OPTIONS] [-p] POLICY",
	.summary = "say what the gates of a policy's rules lack, or wait until they lack nothing",
	.details =
		"For each rule that has a further stage: its stage, the next one, what it did and would have done, and what its gate lacks:\n"
		"rollout { gate would-deny 0 over 7d calls 1M starts 3 coverage 80%; }. Evidence is kept for policies that have a\n"
		"rollout block; without any the answer is `unknown`, never that all is well. A rule that is changed begins anew; its stage does\n"
		"not count. wait looks every few seconds.\n"
		"\n"
		"Exit status: 0 every gate is passed; 1 one is not, or time is up; 2 usage; 3 the policy is invalid; 5 a file cannot be read.",
	.examples = { "usher rollout status web", "usher rollout wait web --timeout 86400" },
	.options = options,
	.run = run,
};

/* ---- shared with promote -------------------------------------------------------------------- */

bool rollout_runs(const struct remote *remote, const struct policy *policy)
{
	const char *file = json_string_value(json_object_get(remote->ps, "policy_file"));
	char path[PATH_MAX];

	return !remote->error && file && realpath(policy->files[0].path, path) && !strcmp(path, file);
}

bool rollout_judge(const struct remotes *remotes, const struct moves *moves, struct gate_state *states)
{
	const struct gate_setting gate = gate_of(moves->policy);
	struct proof *proof = NULL;
	const char *error;
	char path[PATH_MAX];
	int64_t now = time(NULL);
	unsigned coverage;
	bool passed = true;

	/* What is not written yet is evidence as well. */
	for (size_t i = 0; i < remotes->n; i++)
		if (rollout_runs(&remotes->list[i], moves->policy))
			json_decref(remote_ask(remotes->list[i].path, json_pack("{s:s}", "verb", "flush"), &error));
	if (!realpath(moves->policy->files[0].path, path))
		(void)snprintf(path, sizeof(path), "%s", moves->policy->files[0].path);
	if (gate.any && proof_open(&proof, false))
		proof = NULL;
	coverage = gate_coverage(proof, moves->policy, path, gate.over_s ? now - gate.over_s : 0);
	for (size_t i = 0; i < moves->n; i++) {
		char key[PROOF_KEY];

		proof_key(moves->list[i].key, key);
		gate_judge(&gate, proof, path, key, coverage, now, &states[i]);
		passed &= states[i].passed;
	}
	proof_close(proof);
	return passed;
}

const char *rollout_file(const struct remotes *remotes, const char *name)
{
	for (int by_policy = 0; by_policy < 2; by_policy++)
		for (size_t i = 0; i < remotes->n && !strchr(name, '/'); i++) {
			const struct remote *remote = &remotes->list[i];
			const char *policy = json_string_value(json_object_get(remote->ps, "policy"));

			if (!remote->error && !strcmp(by_policy && policy ? policy : remote->name, name))
				return json_string_value(json_object_get(remote->ps, "policy_file"));
		}
	return name;
}

/* ---- status --------------------------------------------------------------------------------- */

struct rollout {
	struct cli *cli;
	const char *rules[2];
	double timeout;
};

static void print_text(const struct moves *moves, const struct gate_state *states)
{
	char where[300];

	for (size_t i = 0; i < moves->n; i++) {
		const struct move *move = &moves->list[i];
		const struct proof_sum *sum = &states[i].sum;

		printf("%-20s %-4s -> %-4s  %s\n", move_where(moves, move, where, sizeof(where)), policy_stage_name(move->from),
		       policy_stage_name(move->edit.stage), move->rule && move->rule->text ? move->rule->text : "default");
		if (!states[i].unknown && sum->first_s)
			printf("    would-deny %llu, used %llu, calls %llu, starts %llu, coverage %u%%\n", (unsigned long long)sum->would,
			       (unsigned long long)sum->used, (unsigned long long)sum->calls, (unsigned long long)sum->starts, states[i].coverage);
		printf("    %s%s\n", states[i].passed ? "ready" : "not yet: ", states[i].missing);
	}
}

static void print_json(const struct moves *moves, const struct gate_state *states, int status)
{
	json_t *list = json_array(), *all;
	char where[300];

	for (size_t i = 0; i < moves->n; i++) {
		const struct move *move = &moves->list[i];
		const struct gate_state *state = &states[i];

		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:s}", "rule",
			move_where(moves, move, where, sizeof(where)), "stage", policy_stage_name(move->from), "next",
			policy_stage_name(move->edit.stage), "gate", state->passed ? "passed" : state->unknown ? "unknown" : "not passed",
			"would_deny", (json_int_t)state->sum.would, "used", (json_int_t)state->sum.used, "calls", (json_int_t)state->sum.calls,
			"starts", (json_int_t)state->sum.starts, "since", (json_int_t)state->sum.first_s, "coverage", (int)state->coverage,
			"missing", state->missing));
	}
	all = json_pack("{s:i, s:s, s:O, s:i}", "schema", 1, "verb", "rollout", "rules", list, "status", status);
	json_dumpf(all, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(all);
	json_decref(list);
}

static void warn_expires(const struct cli *cli, const struct policy *policy)
{
	char where[300];
	int left;

	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy_expires_soon(&policy->rules[i], &left))
			cli_warn(cli, "the rule %s %s on %s", policy_where(policy, policy->rules[i].pos, where, sizeof(where)), left < 0 ? "expired" : "expires",
				 policy->rules[i].expires);
}

/* PRINT: also where a gate is not passed. */
static int look(struct rollout *rollout, bool print)
{
	struct cli *cli = rollout->cli;
	const struct cli_load how = { .json = "rollout" };
	struct remotes remotes = { 0 };
	struct policy *policy = NULL;
	struct moves moves = { 0 };
	struct gate_state *states = NULL;
	int status;

	if (remotes_find(cli, &remotes) != 0)
		remotes_free(&remotes);
	status = cli_load_policy(cli, rollout_file(&remotes, cli->policy), &how, &policy);
	if (!status)
		status = moves_find(cli, &moves, policy, MOVE_PROMOTE, rollout->rules[0] ? rollout->rules : NULL);
	if (!status) {
		states = calloc(moves.n + 1, sizeof(*states));
		ASSERT(states);
		status = rollout_judge(&remotes, &moves, states) ? CLI_OK : CLI_NO;
		if (print)
			warn_expires(cli, policy);
		if (cli->json && (print || !status))
			print_json(&moves, states, status);
		else if (!cli->quiet && (print || !status))
			print_text(&moves, states);
	}
	free(states);
	moves_free(&moves);
	policy_free(policy);
	remotes_free(&remotes);
	return status;
}

static int wait_for(struct rollout *rollout)
{
	struct timespec start, now;
	double spent;
	int status;

	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;) {
		struct timespec pause = { .tv_sec = 5 };

		status = look(rollout, false);
		if (status != CLI_NO)
			return status;
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		spent = (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
		if (rollout->timeout >= 0 && spent >= rollout->timeout)
			return look(rollout, true);
		if (rollout->timeout >= 0 && rollout->timeout - spent < 5)
			pause = (struct timespec){ .tv_sec = (time_t)(rollout->timeout - spent), .tv_nsec = 100000000 };
		(void)nanosleep(&pause, NULL);
	}
}

static int run(int argc, char **argv, struct cli *cli)
{
	struct rollout rollout = { .cli = cli, .timeout = -1 };
	const char *what;
	char *end;
	int opt, status;

	while ((opt = cli_next(cli, &cli_verb_rollout, argc, argv)) >= 0) {
		if (opt == OPT_RULE) {
			rollout.rules[0] = optarg;
			continue;
		}
		rollout.timeout = strtod(optarg, &end);
		if (*end || end == optarg || rollout.timeout < 0)
			return cli_usage(cli, &cli_verb_rollout, "--timeout takes seconds, not '%s'", optarg);
	}
	if (opt != CLI_END)
		return cli_stop(&cli_verb_rollout, opt);
	what = optind < argc ? argv[optind++] : "";
	if (strcmp(what, "status") != 0 && strcmp(what, "wait") != 0)
		return cli_usage(cli, &cli_verb_rollout, "status or wait?");
	status = cli_take_policy(cli, &cli_verb_rollout, argc, argv);
	if (!status && optind < argc)
		status = cli_usage(cli, &cli_verb_rollout, "'%s' is one operand too many", argv[optind]);
	if (status)
		return status;
	return strcmp(what, "wait") == 0 ? wait_for(&rollout) : look(&rollout, true);
}
