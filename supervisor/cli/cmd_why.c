/*
 * usher why: which rule decides, and why that one.
 *
 * The path is resolved as the supervisor would resolve it for a program, links met on the way included, and judged by
 * the same functions. For an event the record says what was asked and the policy of today says why.
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
#include "style.h"
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
	.usage = "-p POLICY OPERATION [unix] PATH [resolving PATH] | -p POLICY [syscall] CALL [ARG]... | ID | --last",
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
	.examples = { "usher why -p web read /srv/www/.git/config", "usher why d3f9 --audit /var/log/usher/web.jsonl",
		      "usher why -p web connect unix /run/docker.sock" },
	.options = options,
	.run = run,
};

#define LINKS_MAX 40
#define MATCHES_MAX 64

struct match { const struct policy_rule *rule; bool wins; char *reason; };

struct why {
	const struct cli *cli;
	const struct policy *policy;
	const struct policy_env *env;
	const struct why_event *event;	/* NULL: no recorded one */
	struct asked asked;
	char *path;			/* resolved */
	char *spelled;			/* if that was something else */
	char *links[LINKS_MAX];
	size_t n_links;
	uint64_t args[6];

	struct policy_decision decision;
	const struct policy_rule *out_of;	/* ruling 6 */
	const char *out_link;
	const char *builtin;		/* what the filter does to a call, whatever the policy says */
	struct match matches[MATCHES_MAX];
	size_t n_matches;
	struct suggestion suggestions[SUGGESTIONS_MAX];
	size_t n_suggestions;
	const char *no_suggestion;
};

/* ---- deciding ---- */

/* These act on a name: its last component is not followed. */
#define OPS_NAMES (OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE) | OP_BIT(OP_RENAME) | OP_BIT(OP_LINK) | OP_BIT(OP_MKNOD) | OP_BIT(OP_BIND))

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
		why->matches[why->n_matches++] = (struct match){ .rule = rule, .wins = wins, .reason = strdup(reason ? reason : "") };
}

static void decide_path(struct why *why)
{
	const char *path = why->asked.path;
	size_t len = strlen(path);
	for (size_t i = 0; i < why->n_links && !why->out_of; i++) {
		if (policy_leads_out(why->policy, OP_BIT(why->asked.op), why->links[i], strlen(why->links[i]), path, len, &why->out_of))
			why->out_link = why->links[i];
	}
	why->decision = policy_explain(why->policy, OP_BIT(why->asked.op), path, len, note_match, why);
}

static bool is_denied(const struct why *why)
{
	return why->out_of || why->builtin || policy_denies(&why->decision.enforced);
}

/* As broker.c answers. */
static const char *error_of(const struct why *why)
{
	int error = why->decision.enforced.err;
	if (why->builtin)
		return why->builtin;
	if (why->out_of && !policy_denies(&why->decision.enforced))
		error = why->out_of->err > 0 ? why->out_of->err : why->policy->defaults[SECTION_FILES].err;
	return policy_errno_name(error > 0 ? error : EACCES);
}

/* ---- for people ---- */

static char *shown(const char *text)
{
	return cli_escape(text, strlen(text));
}

static void print_head(const struct why *why)
{
	const struct cli *cli = why->cli;
	bool denied = is_denied(why), network = !why->asked.call && (OP_BIT(why->asked.op) & OPS_NETWORK);
	char head[2 * PATH_MAX], id[300];
	char *target = why->asked.call ? shown("") : shown(why->asked.path);
	const struct syscall_info *info = why->asked.call ? syscall_by_nr(why->asked.nr) : NULL;
	snprintf(head, sizeof(head), "%s %s%s%s", info ? info->name : policy_op_name(why->asked.op), network ? "unix " : "", target,
		 why->asked.call ? "(...)" : "");
	free(target);
	snprintf(id, sizeof(id), "policy %s@%.7s  domain main", why->policy->name, why->policy->digest);
	printf("%s%-6s%s %-50s", cli->color_out ? denied ? COLOR_RED : COLOR_GREEN : "", denied ? "DENY" : "ALLOW",
	       cli->color_out ? COLOR_OFF : "", head);
	const char *error = error_of(why);
	if (why->event && why->event->error)
		error = why->event->error;
	if (denied)
		printf("  %s", error);
	printf("  %s\n", id);
}

static void print_event(const struct why *why)
{
	const struct why_event *event = why->event;
	char *program = shown(event->program ? event->program : "");
	printf("       %s   %s", program, event->time);
	if (event->times > 1)
		printf(", %lu times since %s", event->times, event->since);
	printf("\n");
	free(program);
	if (event->spelled) {
		char *spelled = shown(event->spelled), *base = shown(event->base ? event->base : "");
		printf("       asked as %s%s%s\n", spelled, *base ? " in " : "", base);
		free(spelled);
		free(base);
	}
	char now[300];
	snprintf(now, sizeof(now), "%s@%.7s", why->policy->name, why->policy->digest);
	if (event->policy && strcmp(event->policy, now) != 0)
		printf("       decided by %s then; %s is asked now\n", event->policy, now);
	if (strcmp(event->action ? event->action : "", is_denied(why) ? "deny" : "allow") != 0 && strcmp(event->action, "would-deny") != 0)
		printf("       it was recorded as %s by %s\n", event->action, event->rule);
}

static void print_match(const struct why *why, const struct match *match)
{
	char where[300];
	char *text = shown(match->rule->text);
	bool tell = match->wins || why->cli->verbose || strncmp(match->reason, "at stage", 8) == 0 || strncmp(match->reason, "not brokered", 12) == 0;
	policy_where(why->policy, match->rule->pos, where, sizeof(where));
	bool wins = match->wins && !why->out_of;
	printf("  %s %-16s %s", wins ? "->" : "  ", where, text);
	if (tell)
		printf("%*s   %s%s", strlen(text) < 40 ? 40 - (int)strlen(text) : 0, "", wins ? "wins: " : "", match->reason);
	printf("\n");
	if (match->wins && match->rule->note) {
		char *note = shown(match->rule->note);
		printf("     note: %s\n", note);
		free(note);
	}
	free(text);
}

static enum policy_section section_of(const struct why *why)
{
	if (why->asked.call)
		return SECTION_SYSCALLS;
	if ((OP_BIT(why->asked.op) & OPS_NETWORK) && why->policy->defaults[SECTION_NETWORK].present)
		return SECTION_NETWORK;
	return SECTION_FILES;
}

static void print_default(const struct why *why)
{
	const struct policy_default *given = &why->policy->defaults[section_of(why)];
	char where[300];
	if (why->decision.enforced.rule || why->out_of || why->builtin)
		return;
	if (!why->asked.call && (OP_BIT(why->asked.op) & OPS_FILES & ~why->policy->cover)) {
		printf("  -> not brokered: %s is left out by cover\n", policy_op_name(why->asked.op));
		return;
	}
	if (!given->present) {
		printf("  -> no rule matches, and %s has no default\n", policy_section_name(section_of(why)));
		return;
	}
	bool deny = given->action != ACTION_ALLOW;
	printf("  -> %-16s default %s%s%s%s   no %srule matches\n", given->pos.line ? policy_where(why->policy, given->pos, where, sizeof(where)) : "default",
	       deny ? "deny" : "allow", deny ? " " : "", deny ? policy_errno_name(given->err) : "", given->stage == STAGE_LOG ? " stage log" : "",
	       why->n_matches ? "enforced " : "");
}

static void print_out(const struct why *why)
{
	char where[300];
	if (why->out_of) {
		char *link = shown(why->out_link), *text = shown(why->out_of->text);
		printf("  -> %-16s %-40s   beneath: the symlink %s leads out of it\n", policy_where(why->policy, why->out_of->pos, where, sizeof(where)),
		       text, link);
		free(link);
		free(text);
	}
	if (why->builtin)
		printf("  -> built-in         usher refuses this call of itself: it would lead round the policy\n");
}

static void print_would(const struct why *why)
{
	const struct policy_verdict *would = &why->decision.would;
	char where[300];
	if (policy_denies(would) == policy_denies(&why->decision.enforced))
		return;
	printf("       with every rule in force: %s  %s\n", policy_denies(would) ? "DENY" : "ALLOW",
	       would->rule ? policy_where(why->policy, would->rule->pos, where, sizeof(where)) : "default");
}

static void print_suggestions(const struct why *why)
{
	char where[300];
	if (why->no_suggestion)
		printf("%s\n", why->no_suggestion);
	else if (is_denied(why) && !why->n_suggestions && why->decision.enforced.rule)
		printf("to allow it, change %s: no rule beside it would\n",
		       policy_where(why->policy, why->decision.enforced.rule->pos, where, sizeof(where)));
	if (!why->n_suggestions)
		return;
	printf("to allow it, one of (tightest first):\n");
	for (size_t i = 0; i < why->n_suggestions; i++) {
		const struct suggestion *suggestion = &why->suggestions[i];
		char *rule = shown(suggestion->rule);
		printf("  %zu  %s", i + 1, rule);
		if (suggestion->opens)
			printf("    opens %s%zu file%s", suggestion->more ? "more than " : "", suggestion->opens, suggestion->opens == 1 ? "" : "s");
		printf("\n");
		free(rule);
	}
}

static void print_people(const struct why *why)
{
	char *spelled = why->spelled ? shown(why->spelled) : NULL;
	print_head(why);
	if (why->event)
		print_event(why);
	else if (spelled)
		printf("       asked as %s\n", spelled);
	free(spelled);
	print_out(why);
	print_default(why);
	for (size_t i = 0; i < why->n_matches; i++)
		print_match(why, &why->matches[i]);
	if (!why->n_matches && why->asked.call && why->decision.enforced.rule) {
		const struct match match = { .rule = why->decision.enforced.rule, .wins = true, .reason = strdup("the narrowest that matches; of equals the strictest") };
		print_match(why, &match);
		free(match.reason);
	}
	print_would(why);
	print_suggestions(why);
}

/* ---- for programs ---- */

static json_t *json_match(const struct why *why, const struct match *match)
{
	char where[300];
	return json_pack("{s:s, s:o, s:b, s:s}", "where", policy_where(why->policy, match->rule->pos, where, sizeof(where)), "rule",
			 json_text(match->rule->text), "wins", (int)match->wins, "reason", match->reason);
}

static void print_json(const struct why *why, int status)
{
	const struct policy_verdict *verdict = &why->decision.enforced;
	char where[300], id[300];
	json_t *rules = json_array(), *suggestions = json_array();
	const struct policy_rule *rule = why->out_of ? why->out_of : verdict->rule;
	for (size_t i = 0; i < why->n_matches; i++)
		json_array_append_new(rules, json_match(why, &why->matches[i]));
	for (size_t i = 0; i < why->n_suggestions; i++)
		json_array_append_new(suggestions, json_pack("{s:o, s:i}", "rule", json_text(why->suggestions[i].rule), "opens",
							     (int)why->suggestions[i].opens));
	const struct syscall_info *info = why->asked.call ? syscall_by_nr(why->asked.nr) : NULL;
	snprintf(id, sizeof(id), "%s@%.7s", why->policy->name, why->policy->digest);
	json_t *root = json_pack("{s:i, s:s, s:o, s:s, s:s, s:o, s:s, s:o, s:o, s:i}", "schema", 1, "verb", "why", "policy", json_text(id), "decision",
				 is_denied(why) ? "deny" : "allow", "would", policy_denies(&why->decision.would) ? "deny" : "allow", "rule",
				 json_text(why->builtin ? "built-in" : rule ? policy_where(why->policy, rule->pos, where, sizeof(where)) : "default"),
				 "stage", policy_stage_name(verdict->stage), "rules", rules, "suggestions", suggestions, "status", status);
	if (info)
		json_object_set_new(root, "syscall", json_string(info->name));
	else
		json_object_set_new(root, "op", json_string(policy_op_name(why->asked.op)));
	if (why->asked.path)
		json_object_set_new(root, "path", json_text(why->asked.path));
	if (why->spelled)
		json_object_set_new(root, "spelled", json_text(why->spelled));
	if (why->out_of)
		json_object_set_new(root, "leads_out", json_text(why->out_link));
	const char *error = error_of(why);
	if (is_denied(why) && error)
		json_object_set_new(root, "errno", json_string(error));
	json_dumpf(root, stdout, JSON_INDENT(2));
	printf("\n");
	json_decref(root);
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
	int status = is_denied(why) ? CLI_NO : CLI_OK;
	if (status && why->builtin)
		why->no_suggestion = NULL;
	else if (status && why->out_of)
		why->no_suggestion = "to allow it, replace the symlink, or take beneath from that rule";
	else if (status)
		why->n_suggestions = suggest(why->policy, why->env, &why->asked, &why->decision.enforced, why->suggestions, &why->no_suggestion);
	if (why->cli->json)
		print_json(why, status);
	else
		print_people(why);
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
		why->args[i - 1] = words[i][0] == '-' ? (uint64_t)strtoll(words[i], &end, 0) : strtoull(words[i], &end, 0);
		if (errno || *end || !*words[i])
			return cli_usage(why->cli, &cli_verb_why, "'%s' is not a number or a constant", words[i]);
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
		return cli_usage(cli, &cli_verb_why, "'%s' is no operation, no system call and no event; did you mean '%s'?", word, nearest);
	return cli_usage(cli, &cli_verb_why, "'%s' is no operation, no system call and no event", word);
}

/* OPERATION [unix] PATH [resolving PATH] */
static int parse_access(struct why *why, int n, char **words)
{
	int op = policy_op_named(words[0], strlen(words[0])), at = 1;
	why->asked.op = (enum policy_op)op;
	if (OP_BIT(op) & OPS_MOUNTS)
		return cli_usage(why->cli, &cli_verb_why, "mounts are not decided by this version; ask about `syscall mount`");
	if (OP_BIT(op) & OPS_NETWORK) {
		if (at >= n || strcmp(words[at], "unix") != 0)
			return cli_usage(why->cli, &cli_verb_why, "%s needs `unix PATH`: other addresses are not decided by this version", words[0]);
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
	const struct syscall_info *info = event->kind ? syscall_by_name(event->kind, strlen(event->kind)) : NULL;
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
	return len >= 3 && len <= 16 && strspn(word, "0123456789abcdef") == len && policy_op_named(word, len) < 0;
}

struct arguments { const char *policy, *audit, *id; bool last; struct cli_vars vars; };

static int explain_with(struct why *why, const char *name, const struct arguments *arguments, char **words, int n)
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
		return cli_usage(cli, &cli_verb_why, "which log? give --audit FILE, or -p POLICY with an audit { log } of its own");
	int status = arguments->audit ? 0 : cli_load_policy(cli, arguments->policy, &load, &policy);
	if (status)
		return status;
	const char *file = arguments->audit ? arguments->audit : cli_audit_file(policy, NULL);
	*log = file ? strdup(file) : NULL;
	policy_free(policy);
	return *log ? 0 : cli_usage(cli, &cli_verb_why, "policy %s has no audit { log }; give --audit FILE", arguments->policy);
}

static int why_event(struct why *why, const struct arguments *arguments)
{
	struct why_event event = { 0 };
	AUTO_FREE char *log = NULL;
	int status = find_log(why->cli, arguments, &log);
	if (!status)
		status = why_event_read(why->cli, log, arguments->last ? NULL : arguments->id, &event);
	if (!status) {
		AUTO_FREE char *name = event.policy ? strndup(event.policy, strcspn(event.policy, "@")) : NULL;
		const char *policy = arguments->policy ? arguments->policy : event.policy_file ? event.policy_file : name;
		why->event = &event;
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
		status = arguments.last && n ? cli_usage(&my, &cli_verb_why, "--last takes no more") : why_event(&why, &arguments);
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
