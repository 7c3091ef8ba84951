/*
 * usher why: which rule decides, and why that one.
 *
 * The path is resolved as the supervisor would resolve it for a program, links met on the way included, and
 * judged by the same functions. For an event the record says what was asked and the policy of today says why.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiled.h"
#include "env.h"
#include "err.h"
#include "fd.h"
#include "load.h"
#include "syscalls.h"
#include "why.h"

enum { OPT_AUDIT = CLI_LONG, OPT_LAST, OPT_SET };

static const struct cli_option options[] = {
	{ "policy", 'p', "POLICY", "the policy to ask; for an event, the one that was in force if absent" },
	{ "audit", OPT_AUDIT, "FILE", "the log in which the event is; else the policy's" },
	{ "last", OPT_LAST, NULL, "the last denial in the log" },
	{ "set", OPT_SET, "NAME=VALUE", "set a variable of the policy; may be repeated" },
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, const struct cli *cli);

const struct cli_verb cli_verb_why = {
	.name = "why",
	.usage =
		"-p POLICY OPERATION [unix] PATH [resolving PATH] | -p POLICY [syscall] CALL [ARG]... | ID | --last",
	.summary = "explain a decision",
	.details =
		"Prints ALLOW or DENY, every rule that matches with the one that wins first, and for a denial the rules\n"
		"that would allow it, tightest first. Each of those was tried before it is printed. Nothing is offered\n"
		"against a forbid, and nothing for credentials.\n"
		"\n"
		"PATH is resolved as the program's calls would be: patterns match what is reached, not what is spelled.\n"
		"`resolving PATH` says what it leads to where that is not the case on this machine.\n"
		"A system call is asked about by its name, with `syscall` before it where that is an operation as well.\n"
		"ID is an event of the audit log, as shown beside a denial; a unique beginning is enough.\n"
		"\n"
		"Exit status: 0 allowed; 1 denied; 2 usage; 3 the policy is invalid; 5 a file cannot be read, or there is\n"
		"no such event.",
	.examples = { "usher why -p web read /srv/www/.git/config",
		      "usher why d3f9 --audit /var/log/usher/web.jsonl",
		      "usher why -p web connect unix /run/docker.sock" },
	.options = options,
	.run = run,
};

/* ---- deciding ---- */

/* These act on a name: its last component is not followed. */
#define OPS_NAMES                                                                                            \
	(OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE) | OP_BIT(OP_RENAME) | OP_BIT(OP_LINK) | OP_BIT(OP_MKNOD) |    \
	 OP_BIT(OP_BIND))

static void note_link(void *ctx, const char *link, size_t len)
{
	struct why *why = ctx;
	if (why->n_links < LINKS_MAX)
		why->links[why->n_links++] = strndup(link, len);
}

static char *absolute(const char *path)
{
	char *joined = NULL;
	if (path[0] == '/')
		return strdup(path);
	AUTO_FREE char *cwd = getcwd(NULL, 0);
	return cwd && asprintf(&joined, "%s/%s", cwd, path) >= 0 ? joined : NULL;
}

/* SPELLED as a program would reach it, into why->path. */
static int resolve_path(struct why *why, const char *spelled)
{
	AUTO_FREE char *path = absolute(spelled);
	char *slash = path ? strrchr(path, '/') : NULL;
	if (!path)
		return -errno;
	while (slash > path && !slash[1]) {
		*slash = 0;
		slash = strrchr(path, '/');
	}
	const char *last = slash + 1;
	bool dots = strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
	if (!(OP_BIT(why->asked.op) & OPS_NAMES) || dots || !*last)
		return env_walk(path, note_link, why, &why->path);
	AUTO_FREE char *parent = NULL;
	AUTO_FREE char *directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	int error = directory ? env_walk(directory, note_link, why, &parent) : -ENOMEM;
	if (error)
		return error;
	return asprintf(&why->path, "%s/%s", strcmp(parent, "/") ? parent : "", last) < 0 ? -ENOMEM : 0;
}

static void note_match(void *ctx, const struct policy_rule *rule, bool wins, const char *reason)
{
	struct why *why = ctx;
	if (why->n_matches < MATCHES_MAX)
		why->matches[why->n_matches++] =
			(struct match){ .rule = rule, .wins = wins, .reason = strdup(reason ? reason : "") };
}

static void decide_path(struct why *why)
{
	const char *path = why->asked.path;
	size_t len = strlen(path);
	for (size_t i = 0; i < why->n_links && !why->out_of; i++) {
		if (policy_leads_out(why->policy, OP_BIT(why->asked.op), why->links[i], strlen(why->links[i]),
				     path, len, &why->out_of))
			why->out_link = why->links[i];
	}
	why->decision = policy_explain(why->policy, OP_BIT(why->asked.op), path, len, note_match, why);
}

/* ---- the verb ---- */

static int explain(struct why *why)
{
	if (why->asked.call) {
		why->decision = policy_decide_call(why->policy, why->asked.nr, why->args);
		why->builtin = compiled_refusal(why->policy, why->asked.nr, why->args);
	} else {
		decide_path(why);
	}
	int status = why_denied(why) ? CLI_NO : CLI_OK;
	if (status && why->builtin)
		why->no_suggestion = NULL;
	else if (status && why->out_of)
		why->no_suggestion = "to allow it, replace the symlink, or take beneath from that rule";
	else if (status)
		why->n_suggestions = suggest(why->policy, why->env, &why->asked, &why->decision.enforced,
					     why->suggestions, &why->no_suggestion);
	if (why->cli->json)
		why_print_json(why, status);
	else
		why_print(why);
	return status;
}

static int parse_call(struct why *why, int n, char **words)
{
	const struct syscall_info *info = syscall_by_name(words[0], strlen(words[0]));
	why->asked.call = true;
	why->asked.nr = info->nr;
	for (int i = 1; i < n && i <= 6; i++) {
		char *end;
		if (syscall_constant(words[i], strlen(words[i]), &why->args[i - 1]))
			continue;
		errno = 0;
		why->args[i - 1] = words[i][0] == '-' ? (uint64_t)strtoll(words[i], &end, 0)
						      : strtoull(words[i], &end, 0);
		if (errno || *end || !*words[i])
			return cli_usage(why->cli, &cli_verb_why, "'%s' is not a number or a constant",
					 words[i]);
	}
	return n > 7 ? cli_usage(why->cli, &cli_verb_why, "a system call has six arguments at most") : 0;
}

static int operation_unknown(const struct cli *cli, const char *word)
{
	const char *names[OP_COUNT + 1] = { NULL };
	for (int op = 0; op < OP_COUNT; op++)
		names[op] = policy_op_name((enum policy_op)op);
	const char *nearest = cli_nearest(word, names);
	if (!nearest)
		nearest = syscall_nearest(word, strlen(word));
	if (policy_ops_named(word, strlen(word)))
		return cli_usage(cli, &cli_verb_why, "'%s' is a group; ask for one operation", word);
	if (nearest)
		return cli_usage(cli, &cli_verb_why,
				 "'%s' is no operation, no system call and no event; did you mean '%s'?",
				 word, nearest);
	return cli_usage(cli, &cli_verb_why, "'%s' is no operation, no system call and no event", word);
}

/* OPERATION [unix] PATH [resolving PATH] */
static int parse_access(struct why *why, int n, char **words)
{
	int op = policy_op_named(words[0], strlen(words[0])), at = 1;
	why->asked.op = (enum policy_op)op;
	if (OP_BIT(op) & OPS_MOUNTS)
		return cli_usage(why->cli, &cli_verb_why,
				 "mounts are not decided by this version; ask about `syscall mount`");
	if (OP_BIT(op) & OPS_NETWORK) {
		if (at >= n || strcmp(words[at], "unix") != 0)
			return cli_usage(
				why->cli, &cli_verb_why,
				"%s needs `unix PATH`: other addresses are not decided by this version",
				words[0]);
		at++;
	}
	if (at >= n || (at + 1 != n && (at + 3 != n || strcmp(words[at + 1], "resolving") != 0)))
		return cli_usage(why->cli, &cli_verb_why, "%s needs one path", words[0]);
	int error = resolve_path(why, words[at]);
	if (!error && at + 3 == n) {
		/* The path itself is taken for the link that leads there. */
		if (why->n_links < LINKS_MAX)
			why->links[why->n_links++] = why->path;
		else
			free(why->path);
		why->path = NULL;
		error = resolve_path(why, words[at + 2]);
	}
	if (error) {
		cli_error(why->cli, "cannot resolve %s: %s", words[at], strerror(-error));
		return CLI_UNREACHABLE;
	}
	why->asked.path = why->path;
	if (strcmp(why->path, words[at]) != 0)
		why->spelled = strdup(words[at]);
	return 0;
}

static int ask(struct why *why, int n, char **words)
{
	if (n > 1 && strcmp(words[0], "syscall") == 0 && syscall_by_name(words[1], strlen(words[1])))
		return parse_call(why, n - 1, words + 1);
	if (policy_op_named(words[0], strlen(words[0])) >= 0)
		return parse_access(why, n, words);
	if (syscall_by_name(words[0], strlen(words[0])))
		return parse_call(why, n, words);
	return operation_unknown(why->cli, words[0]);
}

static int ask_event(struct why *why, const struct why_event *event)
{
	int op = event->op ? policy_op_named(event->op, strlen(event->op)) : -1;
	why->event = event;
	if (op >= 0 && event->path) {
		why->asked = (struct asked){ .op = (enum policy_op)op, .path = event->path };
		return 0;
	}
	const struct syscall_info *info =
		event->kind ? syscall_by_name(event->kind, strlen(event->kind)) : NULL;
	if (info) {
		why->asked = (struct asked){ .call = true, .nr = info->nr };
		return 0;
	}
	cli_error(why->cli, "that record is not about a call");
	return CLI_UNREACHABLE;
}

static bool looks_like_id(const char *word)
{
	size_t len = strlen(word);
	return len >= 3 && len <= 16 && strspn(word, "0123456789abcdef") == len &&
	       policy_op_named(word, len) < 0;
}

struct arguments {
	const char *policy, *audit, *id;
	bool last;
	struct cli_vars vars;
};

static int explain_with(struct why *why, const char *name, const struct arguments *arguments, char **words,
			int n)
{
	struct env env;
	struct policy_env policy_env;
	struct policy *policy = NULL;
	env_init(&env, &policy_env);
	const struct cli_load load = { .vars = &arguments->vars };
	int status = cli_load_with(why->cli, name, &load, &policy_env, &policy);
	if (status)
		return status;
	why->policy = policy;
	why->env = &policy_env;
	status = why->event ? ask_event(why, why->event) : ask(why, n, words);
	if (!status)
		status = explain(why);
	policy_free(policy);
	return status;
}

/* The log: --audit, or that of the policy. */
static int find_log(const struct cli *cli, const struct arguments *arguments, char **log)
{
	struct policy *policy = NULL;
	const struct cli_load load = { .vars = &arguments->vars };
	if (!arguments->audit && !arguments->policy)
		return cli_usage(
			cli, &cli_verb_why,
			"which log? give --audit FILE, or -p POLICY with an audit { log } of its own");
	int status = arguments->audit ? 0 : cli_load_policy(cli, arguments->policy, &load, &policy);
	if (status)
		return status;
	const char *file = arguments->audit ? arguments->audit : cli_audit_file(policy, NULL);
	*log = file ? strdup(file) : NULL;
	policy_free(policy);
	return *log ? 0
		    : cli_usage(cli, &cli_verb_why, "policy %s has no audit { log }; give --audit FILE",
				arguments->policy);
}

/* The variables that the program was started with, unless others are given now. */
static int take_vars(const struct cli *cli, const struct why_event *event, struct cli_vars *vars)
{
	const char *name;
	json_t *value;
	int status = 0;
	json_object_foreach(event->set, name, value) {
		AUTO_FREE char *assignment = NULL;
		if (!status && asprintf(&assignment, "%s=%s", name, json_string_value(value)) >= 0)
			status = cli_vars_add(cli, &cli_verb_why, vars, assignment);
	}
	return status;
}

static int why_event(struct why *why, struct arguments *arguments)
{
	struct why_event event = { 0 };
	AUTO_FREE char *log = NULL;
	int status = find_log(why->cli, arguments, &log);
	if (!status)
		status = why_event_read(why->cli, log, arguments->last ? NULL : arguments->id, &event);
	if (!status) {
		AUTO_FREE char *name =
			event.policy ? strndup(event.policy, strcspn(event.policy, "@")) : NULL;
		const char *policy = arguments->policy	 ? arguments->policy
				     : event.policy_file ? event.policy_file
							 : name;
		why->event = &event;
		if (!arguments->vars.n)
			status = take_vars(why->cli, &event, &arguments->vars);
		if (!status)
			status = policy ? explain_with(why, policy, arguments, NULL, 0) : CLI_UNREACHABLE;
	}
	why_event_free(&event);
	return status;
}

static void why_clear(struct why *why)
{
	for (size_t i = 0; i < why->n_links; i++)
		free(why->links[i]);
	for (size_t i = 0; i < why->n_matches; i++)
		free(why->matches[i].reason);
	suggestions_free(why->suggestions, why->n_suggestions);
	free(why->path);
	free(why->spelled);
}

static int run(int argc, char **argv, const struct cli *cli)
{
	struct cli my = *cli;
	struct why why = { .cli = &my };
	struct arguments arguments = { 0 };
	int opt, status = 0;
	while (!status && (opt = cli_next(&my, &cli_verb_why, argc, argv)) >= 0) {
		if (opt == 'p')
			arguments.policy = optarg;
		else if (opt == OPT_AUDIT)
			arguments.audit = optarg;
		else if (opt == OPT_LAST)
			arguments.last = true;
		else if (opt == OPT_SET)
			status = cli_vars_add(&my, &cli_verb_why, &arguments.vars, optarg);
	}
	if (!status && opt != CLI_END)
		return cli_stop(&cli_verb_why, opt);
	int n = argc - optind;
	if (!status && n == 1 && looks_like_id(argv[optind]))
		arguments.id = argv[optind];
	if (!status && (arguments.last || arguments.id))
		status = arguments.last && n ? cli_usage(&my, &cli_verb_why, "--last takes no more")
					     : why_event(&why, &arguments);
	else if (!status && n == 0)
		status = cli_usage(&my, &cli_verb_why, "what is to be explained?");
	else if (!status && !arguments.policy)
		status = cli_usage(&my, &cli_verb_why, "which policy? give -p POLICY");
	else if (!status)
		status = explain_with(&why, arguments.policy, &arguments, argv + optind, n);
	why_clear(&why);
	cli_vars_free(&arguments.vars);
	return status;
}
