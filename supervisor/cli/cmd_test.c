/* usher test: does the policy decide what its expectations say? */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "env.h"
#include "escape.h"
#include "expect.h"
#include "fd.h"
#include "json.h"
#include "load.h"
#include "style.h"
#include "text.h"

static const struct cli_option options[] = {
	CLI_OPTION_POLICY("the policy; may also stand first, alone"),
	CLI_OPTION_SET,
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_test = {
	.name = "test",
	.usage = "[OPTIONS] [-p] POLICY [FILE]...",
	.summary = "judge the expectations in a policy, or in files beside it",
	.details =
		"Without FILE the test { } blocks of the policy and of what it includes are judged. A FILE begins with\n"
		"`syntax 1;` and holds test { } blocks and nothing else; then only those are judged.\n"
		"Every rule counts as in force, stages aside; what hangs on a rule that still only logs is marked.\n"
		"Nothing is run and no file of the program is opened.\n"
		"\n"
		"Exit status: 0 all hold; 1 one fails; 2 usage; 3 the policy or a FILE is invalid; 5 a file cannot be read.",
	.examples = { "usher test web", "usher test -v ./web.policy", "usher test web tests/web.test" },
	.options = options,
	.run = run,
};

struct tester {
	const struct cli *cli;
	const struct policy *policy;
	uint32_t only_file; /* index into policy.files, or UINT32_MAX: all */
	size_t passed, failed, not_judged, at_log;
	json_t *results;
};

/* ---- one result ---- */

/* "DENY by web.policy:22  deny ro **" "/.git/" */
static void verdict_text(const struct tester *tester, const struct expect_result *result, struct text *text)
{
	char where[300];
	const struct policy_rule *rule = result->verdict.rule;
	if (result->witness[0]) {
		text_addf(text, "allowed for %s", result->witness);
		return;
	}
	text_puts(text,
		  policy_denies(&result->verdict) ? "denied" : policy_action_name(result->verdict.action));
	if (!policy_denies(&result->verdict))
		text_puts(text, result->verdict.action == ACTION_ALLOW ? "ed" : "");
	if (result->leads_out)
		text_puts(text, ": a symlink leads out of its tree");
	if (rule)
		text_addf(text, " by %s  %s", policy_where(tester->policy, rule->pos, where, sizeof(where)),
			  rule->text);
	else if (!result->leads_out)
		text_puts(text, " by default");
}

static void print_result(struct tester *tester, const struct expect_result *result)
{
	static const char *const words[] = { "ok", "FAIL", "skip" }, *const colors[] = { COLOR_GREEN,
											 COLOR_RED,
											 COLOR_YELLOW };
	bool color = tester->cli->color_out;
	char where[300];
	if (result->outcome == EXPECT_PASS && !tester->cli->verbose && !result->at_log)
		return;
	AUTO_FREE char *text = escape_dup(result->expect->text, strlen(result->expect->text));
	printf("%s%-5s%s %-18s %s%s\n", color ? colors[result->outcome] : "", words[result->outcome],
	       color ? COLOR_OFF : "",
	       policy_where(tester->policy, result->expect->pos, where, sizeof(where)), text,
	       result->at_log ? "   (hangs on what is at stage log)" : "");
	if (result->outcome == EXPECT_FAIL) {
		struct text verdict = { 0 };
		verdict_text(tester, result, &verdict);
		AUTO_FREE char *text_of = text_take(&verdict);
		AUTO_FREE char *shown = escape_dup(text_of, strlen(text_of));
		printf("      it is %s\n", shown);
	}
	if (result->reason)
		printf("      %s\n", result->reason);
}

static void add_json(struct tester *tester, const struct expect_result *result)
{
	static const char *const words[] = { "pass", "fail", "not judged" };
	char where[300];
	json_t *object = json_pack("{s:s, s:o, s:s, s:b}", "where",
				   policy_where(tester->policy, result->expect->pos, where, sizeof(where)),
				   "text", json_text(result->expect->text), "outcome", words[result->outcome],
				   "at_log", (int)result->at_log);
	if (result->outcome != EXPECT_NOT_JUDGED) {
		struct text verdict = { 0 };
		verdict_text(tester, result, &verdict);
		json_object_set_new(object, "decision", json_text(verdict.s));
		free(text_take(&verdict));
	}
	if (result->witness[0])
		json_object_set_new(object, "witness", json_text(result->witness));
	if (result->reason)
		json_object_set_new(object, "reason", json_text(result->reason));
	json_array_append_new(tester->results, object);
}

static void take_result(void *ctx, const struct expect_result *result)
{
	struct tester *tester = ctx;
	if (tester->only_file != UINT32_MAX && result->expect->pos.file != tester->only_file)
		return;
	tester->passed += result->outcome == EXPECT_PASS;
	tester->failed += result->outcome == EXPECT_FAIL;
	tester->not_judged += result->outcome == EXPECT_NOT_JUDGED;
	tester->at_log += result->at_log;
	if (tester->cli->json)
		add_json(tester, result);
	else if (!tester->cli->quiet || result->outcome == EXPECT_FAIL)
		print_result(tester, result);
}

/* ---- separate files ---- */

static uint32_t file_index(const struct policy *policy, const char *path)
{
	for (size_t i = 0; i < policy->n_files; i++) {
		AUTO_FREE char *real = realpath(policy->files[i].path, NULL);
		if (real && strcmp(real, path) == 0)
			return (uint32_t)i;
	}
	return UINT32_MAX;
}

/* A test file may not change what it tests. */
static bool file_has_rules(const struct policy *policy, uint32_t file)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		if (policy->rules[i].pos.file == file)
			return true;
	}
	return false;
}

static int judge_file(struct tester *tester, const char *policy_path, const char *file,
		      const struct cli_load *load, const struct policy_env *env)
{
	struct env with = *(const struct env *)env->ctx;
	struct policy_env world = *env;
	struct policy *policy = NULL;
	struct text include = { 0 };
	AUTO_FREE char *path = realpath(file, NULL);
	if (!path) {
		cli_error(tester->cli, "cannot read %s: %s", file, strerror(errno));
		return CLI_UNREACHABLE;
	}
	text_puts(&include, "include \"");
	for (const char *c = path; *c; c++) {
		if (strchr("\\\"$*?[]{},", *c))
			text_puts(&include, "\\");
		text_add(&include, c, 1);
	}
	text_puts(&include, "\";");
	with.added_to = policy_path;
	with.added = include.s;
	world.ctx = &with;
	int status = cli_load_with(tester->cli, policy_path, load, &world, &policy);
	free(text_take(&include));
	if (!status) {
		tester->policy = policy;
		tester->only_file = file_index(policy, path);
		if (tester->only_file == UINT32_MAX || file_has_rules(policy, tester->only_file)) {
			cli_error(tester->cli, "%s holds rules; a test file holds test { } blocks only",
				  file);
			status = CLI_POLICY;
		} else if (policy_test_run(policy, env, take_result, tester) < 0) {
			cli_error(tester->cli, "out of memory");
			status = CLI_UNREACHABLE;
		}
	}
	policy_free(policy);
	return status;
}

/* ---- the verb ---- */

static int report(struct tester *tester)
{
	size_t n = tester->passed + tester->failed + tester->not_judged;
	int status = tester->failed ? CLI_NO : CLI_OK;
	if (tester->cli->json) {
		json_print("test",
			   json_pack("{s:I, s:I, s:I, s:I, s:O}", "passed", (json_int_t)tester->passed, "failed",
				     (json_int_t)tester->failed, "not_judged", (json_int_t)tester->not_judged,
				     "at_log", (json_int_t)tester->at_log, "results", tester->results),
			   status);
		return status;
	}
	if (n == 0) {
		cli_warn(tester->cli, "there is nothing to judge: no test { } block");
		return status;
	}
	if (tester->cli->quiet)
		return status;
	printf("%zu of %zu hold", tester->passed, n);
	if (tester->failed)
		printf(", %zu fail%s", tester->failed, tester->failed == 1 ? "s" : "");
	if (tester->not_judged)
		printf(", %zu not judged by this version", tester->not_judged);
	if (tester->at_log)
		printf(", %zu only because of what is at stage log", tester->at_log);
	printf("\n");
	return status;
}

static int judge(struct tester *tester, char **files, int n)
{
	static const struct cli_load load = { .json = "test" };
	struct env env;
	struct policy_env policy_env;
	struct policy *policy = NULL;
	env_init(&env, &policy_env);
	int status = cli_load_with(tester->cli, tester->cli->policy, &load, &policy_env, &policy);
	if (!status && n == 0) {
		tester->policy = policy;
		if (policy_test_run(policy, &policy_env, take_result, tester) < 0)
			status = CLI_UNREACHABLE;
	}
	for (int i = 0; i < n && !status; i++)
		status = judge_file(tester, policy->files[0].path, files[i], &load, &policy_env);
	policy_free(policy);
	return status ? status : report(tester);
}

static int run(int argc, char **argv, struct cli *cli)
{
	struct tester tester = { .cli = cli, .only_file = UINT32_MAX };
	int opt;
	while ((opt = cli_next(cli, &cli_verb_test, argc, argv)) >= 0)
		;
	if (opt != CLI_END)
		return cli_stop(&cli_verb_test, opt);
	int status = cli_take_policy(cli, &cli_verb_test, argc, argv);
	if (status)
		return status;
	tester.results = json_array();
	status = judge(&tester, argv + optind, argc - optind);
	json_decref(tester.results);
	return status;
}
