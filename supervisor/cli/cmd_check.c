/* usher check: is the policy right, what does it enforce, and does the compiled filter agree with it? */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "compiled.h"
#include "cost.h"
#include "diag.h"
#include "env.h"
#include "escape.h"
#include "evidence/source.h"
#include "fd.h"
#include "json.h"
#include "landlock_event.h"
#include "load.h"
#include "style.h"
#include "syscalls.h"

enum { OPT_PLAN = CLI_LONG, OPT_STRICT, OPT_LAYERS, OPT_FOOTPRINT };

static const struct cli_option options[] = {
	CLI_OPTION_POLICY("the policy; may also stand alone"),
	{ "plan", OPT_PLAN, NULL, "which layer enforces what, why, and what a call then costs" },
	{ "footprint", OPT_FOOTPRINT, "FILE", "with --plan: weigh the cost by what was recorded there" },
	CLI_OPTION_LAYERS(OPT_LAYERS),
	{ "strict", OPT_STRICT, NULL, "exit 1 if there is any warning" },
	CLI_OPTION_SET,
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_check = {
	.name = "check",
	.usage = "[OPTIONS] [-p] POLICY",
	.summary = "read a policy, lint it, and check the filter that it compiles to",
	.details =
		"Prints the digest, what each section does where no rule matches, the rules that only log, and the\n"
		"operations that are not brokered at all. The seccomp filter is compiled as `usher run` would and\n"
		"compared with the policy by an interpreter, over every system call and the arguments that matter.\n"
		"\n"
		"Exit status: 0 the policy is good; 1 there are warnings and --strict was given; 2 usage; 3 the policy\n"
		"is invalid; 4 it is valid, but `usher run` would refuse it on this kernel or in this version; 5 a file\n"
		"cannot be read.",
	.examples = { "usher check web", "usher check --plan --footprint web.fp web",
		      "usher check --strict --json web" },
	.options = options,
	.run = run,
};

struct check {
	const struct cli *cli;
	const struct policy *policy;
	struct policy_diags diags;
	struct compiled compiled;
	bool plan, strict;
	const char *footprint;
	struct cost_use use;
	enum layers layers;
	int filter_error;
	unsigned long checked;
	struct seccomp_data different;
};

/* ---- what there is to say ---- */

static size_t count_rules(const struct policy *policy, enum policy_section section, bool log_only)
{
	size_t n = 0;
	for (size_t i = 0; i < policy->n_rules; i++)
		n += policy->rules[i].section == section &&
		     (!log_only || policy->rules[i].stage == STAGE_LOG);
	return n;
}

static size_t count_diags(const struct policy_diags *diags, enum policy_severity severity)
{
	size_t n = 0;
	for (size_t i = 0; i < diags->n; i++)
		n += diags->list[i].severity == severity;
	return n;
}

static const char *first_code(const struct policy_diags *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		if (diags->list[i].severity == DIAG_WARNING && diags->list[i].code[0])
			return diags->list[i].code;
	}
	return NULL;
}

/* What a shared include names need not be on every machine: that is no warning about this policy. */
static void soften_includes(struct check *check)
{
	for (size_t i = 0; i < check->diags.n; i++) {
		struct policy_diag *diag = &check->diags.list[i];
		if (strcmp(diag->code, "W005") == 0 && diag->pos.file < check->policy->n_files &&
		    !check->policy->files[diag->pos.file].main)
			diag->severity = DIAG_NOTE;
	}
}

static bool section_matters(const struct policy *policy, enum policy_section section)
{
	return policy->defaults[section].present || policy->defaults[section].written ||
	       count_rules(policy, section, false);
}

static void default_text(const struct policy *policy, enum policy_section section, char *buf, size_t size)
{
	const struct policy_default *given = &policy->defaults[section];
	const char *name = policy_errno_name(given->err);
	if (!given->present)
		snprintf(buf, size, "allow (none of its own)");
	else if (given->action == ACTION_ALLOW)
		snprintf(buf, size, "allow");
	else
		snprintf(buf, size, "deny %s%s", name ? name : "",
			 given->stage == STAGE_LOG    ? " stage log"
			 : given->stage == STAGE_KILL ? " stage kill"
			 : given->stage == STAGE_TRAP ? " stage trap"
						      : "");
}

static uint32_t uncovered(const struct policy *policy)
{
	return OPS_FILES & ~policy->cover;
}

static void write_plan(const struct check *check, FILE *to, bool json)
{
	const struct plan_shown shown = {
		.use = check->footprint ? &check->use : NULL,
		.unseen = landlock_unseen(check->compiled.kernel.landlock_abi),
	};
	plan_print(&check->compiled.plan, &shown, to, json);
}

/* ---- for people ---- */

static void print_section(const struct check *check, enum policy_section section)
{
	const struct policy *policy = check->policy;
	char text[64];
	size_t n = count_rules(policy, section, false), log = count_rules(policy, section, true);
	if (!section_matters(policy, section))
		return;
	default_text(policy, section, text, sizeof(text));
	printf("%-9s %zu rule%s", policy_section_name(section), n, n == 1 ? "" : "s");
	if (log)
		printf(" (%zu only log%s)", log, log == 1 ? "s" : "");
	printf(", default %s\n", text);
}

static void print_uncovered(const struct policy *policy)
{
	if (!section_matters(policy, SECTION_FILES) || !uncovered(policy))
		return;
	printf("not brokered:");
	const char *comma = " ";
	for (int op = 0; op < OP_COUNT; op++) {
		if (uncovered(policy) & OP_BIT(op)) {
			printf("%s%s", comma, policy_op_name((enum policy_op)op));
			comma = ", ";
		}
	}
	printf("\n");
}

static void print_log_rules(const struct policy *policy)
{
	char where[300];
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		if (rule->stage != STAGE_LOG)
			continue;
		AUTO_FREE char *text = escape_dup(rule->text, strlen(rule->text));
		printf("only logs: %s  %s\n", policy_where(policy, rule->pos, where, sizeof(where)), text);
	}
}

static void print_filter(const struct check *check)
{
	const struct seccomp_data *data = &check->different;
	if (!check->filter_error) {
		printf("filter    %u instructions, agrees with the policy in %lu cases\n",
		       check->compiled.filter.len, check->checked);
		return;
	}
	if (check->filter_error != -EBADMSG) {
		cli_error(check->cli, "the filter cannot be made: %s", strerror(-check->filter_error));
		return;
	}
	const struct syscall_info *info = syscall_by_nr(data->nr);
	cli_error(check->cli,
		  "the compiled filter differs from the policy for %s(0x%llx, 0x%llx, 0x%llx, 0x%llx, "
		  "0x%llx, 0x%llx): "
		  "this is a bug in usher, and `usher run` would not start",
		  info ? info->name : "an unknown call", data->args[0], data->args[1], data->args[2],
		  data->args[3], data->args[4], data->args[5]);
}

static void print_people(const struct check *check)
{
	const struct policy *policy = check->policy;
	AUTO_FREE char *title = escape_dup(policy->title ? policy->title : "", policy->title ? strlen(policy->title) : 0);
	printf("%s%s%s@%.7s  %s\n", check->cli->color_out ? COLOR_BOLD : "",
	       policy->name ? policy->name : "unnamed", check->cli->color_out ? COLOR_OFF : "",
	       policy->digest, title);
	printf("digest    sha256:%s\n", policy->digest);
	for (size_t i = 0; i < policy->n_files; i++) {
		AUTO_FREE char *path = escape_dup(policy->files[i].path, strlen(policy->files[i].path));
		printf("%-9s %s\n", policy->files[i].main ? "file" : "include", path);
	}
	for (int section = 0; section < SECTION_COUNT; section++)
		print_section(check, (enum policy_section)section);
	if (policy->n_expects)
		printf("tests     %zu (usher test runs them)\n", policy->n_expects);
	print_filter(check);
	print_uncovered(policy);
	print_log_rules(policy);
	if (check->plan) {
		printf("\n");
		write_plan(check, stdout, false);
	}
}

/* ---- for programs ---- */

static json_t *json_sections(const struct policy *policy)
{
	json_t *sections = json_object();
	for (int s = 0; s < SECTION_COUNT; s++) {
		enum policy_section section = (enum policy_section)s;
		char text[64];
		if (!section_matters(policy, section))
			continue;
		default_text(policy, section, text, sizeof(text));
		json_object_set_new(sections, policy_section_name(section),
				    json_pack("{s:i, s:i, s:s, s:b}", "rules",
					      (int)count_rules(policy, section, false), "only_log",
					      (int)count_rules(policy, section, true), "default", text,
					      "default_written", (int)policy->defaults[s].written));
	}
	return sections;
}

static json_t *json_plan(const struct check *check)
{
	AUTO_FREE char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);
	if (!memory)
		return json_null();
	write_plan(check, memory, true);
	fclose(memory);
	json_t *object = json_loads(text, 0, NULL);
	return object ? object : json_null();
}

static json_t *json_log_rules(const struct policy *policy)
{
	json_t *list = json_array();
	char where[300];
	for (size_t i = 0; i < policy->n_rules; i++) {
		if (policy->rules[i].stage == STAGE_LOG)
			json_array_append_new(list,
					      json_pack("{s:o, s:o}", "where",
							json_text(policy_where(policy, policy->rules[i].pos,
									       where, sizeof(where))),
							"rule", json_text(policy->rules[i].text)));
	}
	return list;
}

static json_t *json_uncovered(const struct policy *policy)
{
	json_t *list = json_array();
	for (int op = 0; op < OP_COUNT; op++) {
		if (uncovered(policy) & OP_BIT(op))
			json_array_append_new(list, json_string(policy_op_name((enum policy_op)op)));
	}
	return list;
}

static void print_json(const struct check *check, int status)
{
	const struct policy *policy = check->policy;
	json_t *files = json_array();
	for (size_t i = 0; i < policy->n_files; i++)
		json_array_append_new(files, json_text(policy->files[i].path));
	json_t *answer = json_pack(
		"{s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:i, s:{s:i, s:I, s:b}, s:b, s:o}", "policy",
		json_text(policy->name ? policy->name : ""), "title", json_text(policy->title ? policy->title : ""),
		"digest", policy->digest, "files", files, "sections", json_sections(policy), "not_brokered",
		json_uncovered(policy), "only_log", json_log_rules(policy), "tests", (int)policy->n_expects, "filter",
		"instructions", (int)check->compiled.filter.len, "checked", (json_int_t)check->checked, "agrees",
		check->filter_error == 0, "enforceable", check->compiled.plan_error == 0 && !check->compiled.lacks,
		"diagnostics", json_diags(policy, &check->diags));
	if (check->plan)
		json_object_set_new(answer, "plan", json_plan(check));
	json_print("check", answer, status);
}

/* ---- */

static int check_status(const struct check *check)
{
	if (check->filter_error || check->compiled.plan_error || check->compiled.lacks)
		return check->filter_error == -EINVAL ? CLI_POLICY : CLI_KERNEL;
	return check->strict && count_diags(&check->diags, DIAG_WARNING) ? CLI_NO : CLI_OK;
}

/* Notes are for who asks for more. */
static void print_diags(const struct check *check)
{
	const struct cli *cli = check->cli;
	struct policy_diags shown = { .list = calloc(check->diags.n + 1, sizeof(*shown.list)) };
	for (size_t i = 0; shown.list && i < check->diags.n; i++) {
		const struct policy_diag *diag = &check->diags.list[i];
		if (diag->severity == DIAG_ERROR || (diag->severity == DIAG_WARNING && (!cli->quiet || check->strict)) ||
		    cli->verbose)
			shown.list[shown.n++] = *diag;
	}
	shown.errors = check->diags.errors;
	if (shown.n)
		policy_diags_print(&shown, check->policy, stderr, cli->color_err);
	free(shown.list);
}

static int count_access(void *ctx, const struct access *access)
{
	cost_count(ctx, access);
	return 0;
}

static int read_footprint(struct check *check)
{
	struct source source = { .file = check->footprint };
	int error = check->footprint ? source_read(&source, count_access, &check->use) : 0;
	cli_broken(check->cli, check->footprint, source.broken);
	if (!error)
		return 0;
	cli_error(check->cli, "%s: %s", check->footprint, source.why ? source.why : strerror(-error));
	return CLI_UNREACHABLE;
}

static int check_policy(struct check *check, const struct policy_env *env)
{
	const struct cli *cli = check->cli;
	policy_lint(check->policy, env, &check->diags);
	soften_includes(check);
	check->filter_error = compiled_make(&check->compiled, check->policy, check->layers, &check->diags);
	if (!check->filter_error)
		check->filter_error =
			filter_check(check->policy, check->compiled.rows, check->compiled.n_rows,
				     &check->compiled.filter, &check->different, &check->checked);
	policy_diags_sort(&check->diags);
	int status = check_status(check);
	if (cli->json) {
		print_json(check, status);
		return status;
	}
	print_diags(check);
	if (!cli->quiet)
		print_people(check);
	else if (check->filter_error)
		print_filter(check);
	if (check->compiled.lacks)
		cli_error(cli, "this kernel lacks what usher needs: %s", check->compiled.lacks);
	if (check->compiled.plan_error)
		cli_error(cli, "`usher run` would refuse this policy here: see above");
	size_t warnings = count_diags(&check->diags, DIAG_WARNING);
	const char *code = first_code(&check->diags);
	if (warnings && !cli->quiet)
		cli_note(cli, "%zu warning%s; usher help %s says more", warnings, warnings == 1 ? "" : "s",
			 code ? code : "warnings");
	return status;
}

static int run(int argc, char **argv, struct cli *cli)
{
	struct check check = { .cli = cli };
	int opt, status;
	while ((opt = cli_next(cli, &cli_verb_check, argc, argv)) >= 0) {
		if (opt == OPT_PLAN)
			check.plan = true;
		else if (opt == OPT_STRICT)
			check.strict = true;
		else if (opt == OPT_FOOTPRINT)
			check.footprint = optarg;
		else if ((status = compiled_layers(&check.layers, optarg, cli, &cli_verb_check)) != 0)
			return status;
	}
	if (opt != CLI_END)
		return cli_stop(&cli_verb_check, opt);
	status = cli_take_policy(cli, &cli_verb_check, argc, argv);
	if (!status && optind < argc)
		status = cli_usage(cli, &cli_verb_check, "one policy at a time");
	if (!status && check.footprint && !check.plan)
		status = cli_usage(cli, &cli_verb_check, "--footprint goes with --plan");
	if (!status)
		status = read_footprint(&check);
	if (status)
		return status;
	struct env env;
	struct policy_env policy_env;
	struct policy *policy = NULL;
	env_init(&env, &policy_env);
	const struct cli_load load = { .diags = &check.diags, .json = "check" };
	status = cli_load_with(cli, cli->policy, &load, &policy_env, &policy);
	if (!status) {
		check.policy = policy;
		status = check_policy(&check, &policy_env);
	}
	compiled_free(&check.compiled);
	policy_diags_free(&check.diags);
	policy_free(policy);
	return status;
}
