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
#include "text.h"
#include "why.h"

enum { OPT_AUDIT = CLI_LONG, OPT_LAST };

static const struct cli_option options[] = {
	CLI_OPTION_POLICY("the policy to ask; for an event, the one that was in force if absent"),
	{ "audit", OPT_AUDIT, "FILE", "the log in which the event is; else the policy's" },
	{ "last", OPT_LAST, NULL, "the last denial in the log" },
	CLI_OPTION_SET,
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_why = {
	.name = "why",
	.usage =
		"-p POLICY OPERATION [unix] PATH [resolving PATH] | -p POLICY OPERATION PROTOCOL ADDRESS | "
		"-p POLICY mount TYPE [from PATH] on PATH [flags LIST] [options TEXT] | -p POLICY [syscall] CALL [ARG]... | ID | --last",
	.summary = "explain a decision",
	.details =
		"Prints ALLOW or DENY, every rule that matches with the one that wins first, and for a denial the rules\n"
		"that would allow it, tightest first. Each of those was tried before it is printed. Nothing is offered\n"
		"against a forbid, and nothing for credentials.\n"
		"\n"
		"PATH is resolved as the program's calls would be: patterns match what is reached, not what is spelled.\n"
		"`resolving PATH` says what it leads to where that is not the case on this machine.\n"
		"ADDRESS is one address with one port, a host name with a port, or an abstract socket name (unix @NAME).\n"
		"A system call is asked about by its name, with `syscall` before it where that is an operation as well.\n"
		"ID is an event of the audit log, as shown beside a denial; a unique beginning is enough.\n"
		"\n"
		"Exit status: 0 allowed; 1 denied; 2 usage; 3 the policy is invalid; 5 a file cannot be read, or there is\n"
		"no such event.",
	.examples = { "usher why -p web read /srv/www/.git/config",
		      "usher why d3f9 --audit /var/log/usher/web.jsonl",
		      "usher why -p web connect tcp 169.254.169.254:80" },
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

static void decide_peer(struct why *why)
{
	why->decision = policy_explain_peer(why->policy, OP_BIT(why->asked.op), why->asked.peer, note_match, why);
}

int why_resolve(struct why *why, const char *spelled, char **path)
{
	AUTO_FREE char *whole = absolute(spelled);
	return whole ? env_walk(whole, note_link, why, path) : -errno;
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
		why->decision = policy_decide_call(why->policy, why->asked.nr, why->asked.args);
		why->builtin = compiled_refusal(why->policy, why->asked.nr, why->asked.args);
	} else if (why->asked.mount) {
		why->decision = policy_explain_mount(why->policy, why->asked.mount, note_match, why);
	} else if (why->asked.peer) {
		decide_peer(why);
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
	why->asked.call = true;
	return compiled_call(why->cli, &cli_verb_why, words[0], words + 1, n - 1, &why->asked.nr, why->asked.args);
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

/* OPERATION PROTOCOL ADDRESS */
static int parse_peer(struct why *why, const char *proto, const char *address)
{
	const char *names[PROTO_COUNT + 1] = { NULL };
	int number = 0;
	for (int i = 0; i < PROTO_COUNT; i++)
		names[i] = policy_proto_name((enum policy_proto)i);
	while (number < PROTO_COUNT && strcmp(names[number], proto) != 0)
		number++;
	const char *nearest = cli_nearest(proto, names);
	if (number == PROTO_COUNT)
		return cli_usage(why->cli, &cli_verb_why, "there is no protocol '%s'%s%s%s", proto, nearest ? "; did you mean '" : "",
				 nearest ? nearest : "", nearest ? "'?" : "");
	if (policy_peer_parse(address, (enum policy_proto)number, &why->peer, why->name))
		return cli_usage(why->cli, &cli_verb_why, "'%s' is no single address of %s%s", address, proto,
				 number == PROTO_TCP || number == PROTO_UDP ? "; write 10.0.0.1:443, [fd00::1]:443 or example.com:443" : "");
	why->asked.peer = &why->peer;
	why->asked.path = address;
	return 0;
}

/* OPERATION [unix] PATH [resolving PATH] */
static int parse_access(struct why *why, int n, char **words)
{
	int op = policy_op_named(words[0], strlen(words[0])), at = 1;
	why->asked.op = (enum policy_op)op;
	if (op == OP_MOUNT)
		return why_mount_words(why, n - 1, words + 1);
	if (OP_BIT(op) & OPS_NETWORK) {
		bool unix_path = n > 2 && strcmp(words[at], "unix") == 0 && words[at + 1][0] != '@';
		if (!unix_path)
			return n == 3 ? parse_peer(why, words[1], words[2])
				      : cli_usage(why->cli, &cli_verb_why, "%s needs a protocol and an address", words[0]);
		at++;
	}
	if (at >= n || !*words[at] || (at + 1 != n && (at + 3 != n || strcmp(words[at + 1], "resolving") != 0)))
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
	if (n > 1 && strcmp(words[0], "syscall") == 0)
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
	if (op >= 0 && event->path && event->proto) {
		why->asked.op = (enum policy_op)op;
		return parse_peer(why, event->proto, event->path);
	}
	if (op == OP_MOUNT && event->path && event->fstype)
		return why_mount_event(why);
	if (op >= 0 && op != OP_MOUNT && event->path && event->path[0] == '/' && strlen(event->path) < PATH_MAX) {
		why->asked = (struct asked){ .op = (enum policy_op)op, .path = event->path };
		return 0;
	}
	const struct syscall_info *info =
		event->kind ? syscall_by_name(event->kind, strlen(event->kind)) : NULL;
	if (info) {
		why->asked = (struct asked){ .call = true, .nr = info->nr };
		memcpy(why->asked.args, event->args, sizeof(event->args));
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

static int explain_with(struct why *why, const char *name, char **words, int n)
{
	struct env env;
	struct policy_env policy_env;
	struct policy *policy = NULL;
	env_init(&env, &policy_env);
	static const struct cli_load load = { .json = "why" };
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

/* The log: AUDIT, or that of the policy. */
static int find_log(const struct cli *cli, const char *audit, char **log)
{
	struct policy *policy = NULL;
	if (!audit && !cli->policy)
		return cli_usage(cli, &cli_verb_why, "which log? give --audit FILE, or -p POLICY with an audit { log } of its own");
	int status = audit ? 0 : cli_load_policy(cli, cli->policy, NULL, &policy);
	if (status)
		return status;
	const char *file = audit ? audit : cli_audit_file(policy, NULL);
	*log = file ? strdup(file) : NULL;
	policy_free(policy);
	return *log ? 0 : cli_usage(cli, &cli_verb_why, "policy %s has no audit { log }; give --audit FILE", cli->policy);
}

/* The variables that the program was started with, unless others are given now. */
static int take_vars(struct cli *cli, const struct why_event *event)
{
	const char *name;
	json_t *value;
	int status = 0;
	if (cli->n_vars)
		return 0;
	json_object_foreach(event->set, name, value) {
		AUTO_FREE char *assignment = text_printf("%s=%s", name, json_is_string(value) ? json_string_value(value) : "");
		if (!status)
			status = cli_vars_add(cli, &cli_verb_why, assignment);
	}
	return status;
}

/* ID NULL: the last denial. */
static int why_event(struct why *why, struct cli *cli, const char *audit, const char *id)
{
	struct why_event event = { 0 };
	AUTO_FREE char *log = NULL;
	int status = find_log(cli, audit, &log);
	if (!status)
		status = why_event_read(cli, log, id, &event);
	if (!status)
		status = take_vars(cli, &event);
	if (!status) {
		AUTO_FREE char *name = event.policy ? strndup(event.policy, strcspn(event.policy, "@")) : NULL;
		const char *policy = cli->policy ? cli->policy : event.policy_file ? event.policy_file : name;
		why->event = &event;
		if (policy)
			status = explain_with(why, policy, NULL, 0);
		else
			status = cli_usage(cli, &cli_verb_why, "that record does not say by which policy; give -p POLICY");
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
	why_mount_free(why);
	free(why->path);
	free(why->spelled);
}

static int run(int argc, char **argv, struct cli *cli)
{
	struct why why = { .cli = cli };
	const char *audit = NULL;
	bool last = false;
	int opt, status;
	while ((opt = cli_next(cli, &cli_verb_why, argc, argv)) >= 0) {
		if (opt == OPT_AUDIT)
			audit = optarg;
		else if (opt == OPT_LAST)
			last = true;
	}
	if (opt != CLI_END)
		return cli_stop(&cli_verb_why, opt);
	int n = argc - optind;
	if (last)
		status = n ? cli_usage(cli, &cli_verb_why, "--last takes no more") : why_event(&why, cli, audit, NULL);
	else if (n == 1 && looks_like_id(argv[optind]))
		status = why_event(&why, cli, audit, argv[optind]);
	else if (n == 0)
		status = cli_usage(cli, &cli_verb_why, "what is to be explained?");
	else if (!cli->policy)
		status = cli_usage(cli, &cli_verb_why, "which policy? give -p POLICY");
	else
		status = explain_with(&why, cli->policy, argv + optind, n);
	why_clear(&why);
	return status;
}
