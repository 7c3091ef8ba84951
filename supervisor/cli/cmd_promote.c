/* usher promote and usher demote: stages are moved in the policy's file, and running programs follow. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "err.h"
#include "fd.h"
#include "load.h"
#include "move.h"
#include "remote.h"
#include "rewrite.h"
#include "rollout.h"
#include "text.h"

enum { OPT_RULE = CLI_LONG, OPT_ALL, OPT_EXPECT, OPT_SEAL, OPT_FORCE, OPT_REASON };

static const struct cli_option promote_options[] = {
	CLI_OPTION_POLICY("the policy, or a name of usher ps; may also stand first, alone"),
	{ "rule", OPT_RULE, "RULE", "this rule: its id, or FILE:LINE; may be repeated" },
	{ "all", OPT_ALL, NULL, "every rule that has a further stage" },
	{ "expect", OPT_EXPECT, "DIGEST", "only if the policy has this digest: that of what was reviewed" },
	{ "seal", OPT_SEAL, NULL, "not a stage further: into the kernel's filter, from the next start on" },
	{ "force", OPT_FORCE, NULL, "although a gate is not passed, or a restart is needed; needs --reason" },
	{ "reason", OPT_REASON, "TEXT", "why, for the audit log" },
	CLI_OPTION_SET,
	{ NULL, 0, NULL, NULL },
};
static const struct cli_option demote_options[] = {
	CLI_OPTION_POLICY("the policy, or a name of usher ps; may also stand first, alone"),
	{ "rule", OPT_RULE, "RULE", "this rule: its id, or FILE:LINE; may be repeated" },
	{ "all", OPT_ALL, NULL, "every rule that has a stage before" },
	{ "expect", OPT_EXPECT, "DIGEST", "only if the policy has this digest" },
	{ "force", OPT_FORCE, NULL, "although a restart is needed; needs --reason" },
	{ "reason", OPT_REASON, "TEXT", "why, for the audit log" },
	CLI_OPTION_SET,
	{ NULL, 0, NULL, NULL },
};

static int run_promote(int argc, char **argv, struct cli *cli);
static int run_demote(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_promote = {
	.name = "promote",
	.usage = "[OPTIONS] [-p] POLICY --rule RULE... | --all",
	.summary = "move rules of a policy one stage further",
	.details =
		"log, deny, trap, kill, or the steps of rollout { steps }. The words are changed in the policy's file, everything else in it is\n"
		"kept, and every program that runs under it reloads. If one of them cannot, or a gate of rollout { gate } is not passed,\n"
		"nothing is changed and what is missing is said. A file that somebody else changes meanwhile is left alone.\n"
		"\n"
		"Exit status: 0; 1 a gate is not passed, a restart is needed, there is nothing to move, or the file is another; 2 usage; 3 the\n"
		"policy is invalid; 5 a file cannot be read or written, or a supervisor not be reached.",
	.examples = { "usher promote web --rule no-git", "usher promote web --all --expect sha256:77ab10e4..." },
	.options = promote_options,
	.run = run_promote,
};

const struct cli_verb cli_verb_demote = {
	.name = "demote",
	.usage = "[OPTIONS] [-p] POLICY --rule RULE... | --all",
	.summary = "move rules of a policy one stage back",
	.details =
		"As usher promote, the other way and without gates. usher panic is faster, and changes no file.\n"
		"\n"
		"Exit status: 0; 1 a restart is needed, there is nothing to move, or the file is another; 2 usage; 3 the policy is invalid; 5 a\n"
		"file cannot be read or written, or a supervisor not be reached.",
	.examples = { "usher demote web --rule no-git --reason 'deploy breaks'" },
	.options = demote_options,
	.run = run_demote,
};

struct promote {
	struct cli *cli;
	const struct cli_verb *verb;
	enum move_kind kind;
	const char *rules[64];
	size_t n_rules;
	bool all, force;
	const char *expect, *reason;
	struct remotes remotes;
	struct policy *policy;
	struct moves moves;
	struct rewrite rewrites[64];
	size_t n_rewrites;
};

/* ---- the new text --------------------------------------------------------------------------- */

struct edited_env {
	struct env env;
	int (*read)(void *ctx, const char *path, char **text, size_t *len);	/* of ENV */
	const struct promote *promote;
};

static int edited_read(void *ctx, const char *path, char **text, size_t *len)
{
	const struct edited_env *edited = container_of(ctx, const struct edited_env, env);

	for (size_t i = 0; i < edited->promote->n_rewrites; i++) {
		const struct rewrite *rewrite = &edited->promote->rewrites[i];

		if (strcmp(rewrite->was->path, path) != 0)
			continue;
		*text = text_dup(rewrite->text, rewrite->len);
		*len = rewrite->len;
		return 0;
	}
	return edited->read(ctx, path, text, len);
}

/* What would be written is read as a policy first: it must say what was meant and nothing else. */
static bool text_is_right(const struct promote *promote)
{
	struct edited_env edited = { .promote = promote };
	struct policy_env use;
	struct policy_diags diags = { 0 };
	struct policy *after = NULL;
	bool right;

	env_init(&edited.env, &use);
	edited.read = use.read;
	use.read = edited_read;
	use.exists = NULL;
	use.vars = promote->cli->vars;
	use.n_vars = promote->cli->n_vars;
	right = load_file(promote->policy->files[0].path, NULL, &use, &after, &diags) == 0 && moves_are(&promote->moves, after);
	policy_diags_free(&diags);
	policy_free(after);
	return right;
}

static int make_texts(struct promote *promote)
{
	const struct moves *moves = &promote->moves;

	for (uint32_t file = 0; file < promote->policy->n_files; file++) {
		AUTO_FREE struct policy_edit *edits = mem_zero((moves->n + 1) * sizeof(*edits));
		struct rewrite *rewrite = &promote->rewrites[promote->n_rewrites];
		size_t n = 0;

		for (size_t i = 0; i < moves->n; i++)
			if (moves->list[i].edit.pos.file == file)
				edits[n++] = moves->list[i].edit;
		if (!n || promote->n_rewrites == ARRAY_SIZE(promote->rewrites))
			continue;
		*rewrite = (struct rewrite){ .was = &promote->policy->files[file] };
		rewrite->text = policy_edit(promote->policy, file, edits, n, &rewrite->len);
		if (!rewrite->text)
			return CLI_NO;
		promote->n_rewrites++;
	}
	return text_is_right(promote) ? 0 : CLI_NO;
}

/* ---- files and programs --------------------------------------------------------------------- */

static int undo(struct promote *promote)
{
	int status = 0;

	for (size_t i = promote->n_rewrites; i-- > 0;) {
		int err = rewrite_undo(&promote->rewrites[i]);

		if (!err)
			continue;
		cli_error(promote->cli, "%s cannot be put back: %s; what it was is in %s", promote->rewrites[i].path, strerror(-err),
			  promote->rewrites[i].temporary);
		free(promote->rewrites[i].temporary);
		promote->rewrites[i].temporary = NULL;
		status = CLI_UNREACHABLE;
	}
	return status;
}

static int write_files(struct promote *promote)
{
	for (size_t i = 0; i < promote->n_rewrites; i++) {
		struct rewrite *rewrite = &promote->rewrites[i];
		int err = rewrite_do(rewrite);

		if (!err)
			continue;
		cli_error(promote->cli, "%s: %s; nothing was changed", rewrite->was->path,
			  err == -ESTALE ? "somebody has changed or replaced the file meanwhile" : strerror(-err));
		(void)undo(promote);
		return err == -ESTALE ? CLI_NO : CLI_UNREACHABLE;
	}
	return 0;
}

static char *reason_of(const struct promote *promote)
{
	struct text text = { 0 };
	char where[300];

	text_addf(&text, "%s", promote->verb->name);
	for (size_t i = 0; i < promote->moves.n && i < 20; i++) {
		const struct move *move = &promote->moves.list[i];

		text_addf(&text, " %s %s->%s%s%s", move_where(&promote->moves, move, where, sizeof(where)), policy_stage_name(move->from),
			  policy_stage_name(move->edit.stage), move->edit.seal ? " sealed" : "", move->gate_missed ? " (gate not passed)" : "");
	}
	if (promote->reason)
		text_addf(&text, ": %s", promote->reason);
	return text_take(&text);
}

static int reload_one(const struct promote *promote, const struct remote *remote, bool back)
{
	AUTO_FREE char *reason = reason_of(promote);
	json_t *request = json_pack("{s:s, s:s, s:b}", "verb", "reload", "reason", reason, "force", promote->force || back);
	struct cli quiet = *promote->cli;

	quiet.json = false;
	quiet.quiet |= back;
	return remote_do(&quiet, remote, request, NULL);
}

/* Each program that runs under the policy, or none of them. */
static int reload_all(struct promote *promote, size_t *n)
{
	struct remotes *remotes = &promote->remotes;
	int status = 0;
	size_t i;

	for (i = 0; i < remotes->n && !status; i++) {
		if (!rollout_runs(&remotes->list[i], promote->policy))
			continue;
		status = reload_one(promote, &remotes->list[i], false);
		++*n;
	}
	if (!status)
		return 0;
	/* --seal is for the next start. */
	(void)undo(promote);
	while (i-- > 0)
		if (rollout_runs(&remotes->list[i], promote->policy))
			(void)reload_one(promote, &remotes->list[i], true);
	cli_error(promote->cli, "the policy's file is as it was");
	return status;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int print_moves(const struct promote *promote, size_t programs)
{
	const struct moves *moves = &promote->moves;
	json_t *list = json_array();
	char where[300];

	for (size_t i = 0; i < moves->n; i++) {
		const struct move *move = &moves->list[i];

		move_where(moves, move, where, sizeof(where));
		if (!promote->cli->json && !promote->cli->quiet)
			printf("%-20s %s -> %s%s  %s\n", where, policy_stage_name(move->from), policy_stage_name(move->edit.stage),
			       move->edit.seal ? " sealed" : "", move->rule && move->rule->text ? move->rule->text : "default");
		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "rule", where, "from", policy_stage_name(move->from), "to",
							    policy_stage_name(move->edit.stage), "sealed", move->edit.seal));
	}
	if (promote->cli->json) {
		json_t *all = json_pack("{s:i, s:s, s:O, s:i, s:i}", "schema", 1, "verb", promote->verb->name, "moves", list, "programs",
					(int)programs, "status", CLI_OK);

		json_dumpf(all, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(all);
	} else if (!promote->cli->quiet) {
		printf("%zu running program%s\n", programs, programs == 1 ? (promote->kind == MOVE_SEAL ? ": sealed at its next start" : " reloaded")
									: promote->kind == MOVE_SEAL ? "s: sealed at their next start" : "s reloaded");
	}
	json_decref(list);
	return CLI_OK;
}

/* The policy as its file says it, by a running program's name or as everywhere. */
static int load(struct promote *promote)
{
	struct cli *cli = promote->cli;
	const struct cli_load how = { .json = promote->verb->name };

	return cli_load_policy(cli, rollout_file(&promote->remotes, cli->policy), &how, &promote->policy);
}

/* What the gates lack is said, and overridden only by force. */
static int pass_gates(struct promote *promote)
{
	struct moves *moves = &promote->moves;
	AUTO_FREE struct gate_state *states = mem_zero((moves->n + 1) * sizeof(*states));
	char where[300];

	if (rollout_judge(&promote->remotes, moves, states))
		return 0;
	for (size_t i = 0; i < moves->n; i++) {
		if (states[i].passed)
			continue;
		moves->list[i].gate_missed = true;
		cli_warn(promote->cli, "the gate of %s is not passed: %s", move_where(moves, &moves->list[i], where, sizeof(where)), states[i].missing);
	}
	if (promote->force)
		return 0;
	cli_error(promote->cli, "nothing was changed; --force --reason TEXT does it all the same, and is recorded");
	return CLI_NO;
}

static int promote_do(struct promote *promote)
{
	struct cli *cli = promote->cli;
	size_t programs = 0;
	int status;

	/* Without a place for sockets there is no program that could follow. */
	(void)remotes_find(cli, &promote->remotes);
	status = load(promote);
	if (!status && promote->expect && strcmp(promote->expect, promote->policy->digest) != 0) {
		cli_error(cli, "the policy is another than was expected: its digest is sha256:%s; nothing was changed", promote->policy->digest);
		status = CLI_NO;
	}
	if (!status)
		status = moves_find(cli, &promote->moves, promote->policy, promote->kind, promote->all ? NULL : promote->rules);
	if (!status && !promote->moves.n) {
		cli_error(cli, "there is nothing to move");
		status = CLI_NO;
	}
	if (!status && promote->kind == MOVE_PROMOTE)
		status = pass_gates(promote);
	if (!status)
		status = make_texts(promote);
	if (status == CLI_NO && promote->n_rewrites && !promote->rewrites[0].path)
		cli_error(cli, "the words of a rule cannot be changed without changing more (is it in a block of its own, or made of a variable?)");
	if (!status)
		status = write_files(promote);
	if (!status)
		status = reload_all(promote, &programs);
	return status ? status : print_moves(promote, programs);
}

static int option(struct promote *promote, int opt)
{
	switch (opt) {
	case OPT_RULE:
		if (promote->n_rules + 1 == ARRAY_SIZE(promote->rules))
			return cli_usage(promote->cli, promote->verb, "too many rules; --all takes every one");
		promote->rules[promote->n_rules++] = optarg;
		return 0;
	case OPT_ALL:
		promote->all = true;
		return 0;
	case OPT_EXPECT:
		promote->expect = strncmp(optarg, "sha256:", 7) == 0 ? optarg + 7 : optarg;
		return 0;
	case OPT_SEAL:
		promote->kind = MOVE_SEAL;
		return 0;
	case OPT_FORCE:
		promote->force = true;
		return 0;
	default:
		promote->reason = optarg;
		return 0;
	}
}

static int run(int argc, char **argv, struct cli *cli, const struct cli_verb *verb, enum move_kind kind)
{
	struct promote promote = { .cli = cli, .verb = verb, .kind = kind };
	int opt, status = 0;

	while (!status && (opt = cli_next(cli, verb, argc, argv)) >= 0)
		status = option(&promote, opt);
	if (status)
		return status;
	if (opt != CLI_END)
		return cli_stop(verb, opt);
	status = cli_take_policy(cli, verb, argc, argv);
	if (!status && optind < argc)
		status = cli_usage(cli, verb, "'%s' is one operand too many", argv[optind]);
	if (!status && promote.all == (promote.n_rules > 0))
		status = cli_usage(cli, verb, "which rules? --rule RULE, or --all");
	if (!status && promote.force && !promote.reason)
		status = cli_usage(cli, verb, "--force needs --reason");
	if (!status)
		status = promote_do(&promote);
	for (size_t i = 0; i < promote.n_rewrites; i++)
		rewrite_end(&promote.rewrites[i]);
	moves_free(&promote.moves);
	policy_free(promote.policy);
	remotes_free(&promote.remotes);
	return status;
}

static int run_promote(int argc, char **argv, struct cli *cli)
{
	return run(argc, argv, cli, &cli_verb_promote, MOVE_PROMOTE);
}

static int run_demote(int argc, char **argv, struct cli *cli)
{
	return run(argc, argv, cli, &cli_verb_demote, MOVE_DEMOTE);
}
