/*
 * usher log: the audit log for people. What was rotated away is read first, the oldest first; -f goes on with what is written, also when the
 * file is rotated.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit_find.h"
#include "cli/learn.h"
#include "cli/log.h"
#include "escape.h"
#include "fd.h"
#include "json.h"
#include "json_get.h"
#include "pattern.h"
#include "since.h"
#include "style.h"

enum { OPT_AUDIT = CLI_LONG, OPT_DENIED, OPT_WOULD, OPT_RULE, OPT_PATH, OPT_PROGRAM, OPT_SINCE, OPT_UNIQUE, OPT_AS_RULES };

static const struct cli_option options[] = {
	CLI_OPTION_POLICY("whose audit { log } is read; for --as-rules, what is already in force"),
	{ "audit", OPT_AUDIT, "FILE", "the log; may also stand alone" },
	{ "follow", 'f', NULL, "wait for more, until interrupted" },
	{ "denied", OPT_DENIED, NULL, "what was denied" },
	{ "would", OPT_WOULD, NULL, "what would have been denied without stage log" },
	{ "rule", OPT_RULE, "RULE", "what this rule decided: its place (web.policy:22) or id" },
	{ "path", OPT_PATH, "PATTERN", "what was about a path that matches, as in a policy: /srv/**, **/.env" },
	{ "program", OPT_PROGRAM, "NAME", "what this program did: its name or path" },
	{ "since", OPT_SINCE, "TIME", "what happened since: 15m, 7d, 2026-11-21" },
	{ "unique", OPT_UNIQUE, NULL, "each different event once, with its count, the most frequent first" },
	{ "as-rules", OPT_AS_RULES, NULL, "rules that would allow what was denied" },
	CLI_OPTION_SET,
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_log = {
	.name = "log",
	.usage = "[OPTIONS] [-p POLICY | [--audit] FILE]",
	.summary = "read the audit log",
	.details =
		"One line a record: when, what was decided, about what, for which program, by which rule, and the id for why.\n"
		"Filters are combined. Rotated files (FILE.1, FILE.2.gz, ...) are read as well. With --json the records come\n"
		"as they are; with --unique as a list with counts.\n"
		"\n"
		"--as-rules prints the tightest rules for what was denied or would have been, each with its count. What the\n"
		"policy of -p denies by a rule, or forbids, is not among them.\n"
		"\n"
		"Exit status: 0 there are such records; 1 there are none; 2 usage; 3 the policy is invalid; 5 a file cannot be read.",
	.examples = { "usher log -p web --denied --unique", "usher log --audit web.jsonl --denied --as-rules --since 1h", "usher log -f web.jsonl" },
	.options = options,
	.run = run,
};

/* ---- filters --------------------------------------------------------------------------------- */

static bool rule_matches(const json_t *record, const char *rule)
{
	const char *where = json_text_of(record, "rule"), *id = json_text_of(json_object_get(record, "details"), "rule_id");
	return strcmp(where, rule) == 0 || (*id && strcmp(id, rule) == 0);
}

static bool program_matches(const json_t *record, const char *program)
{
	const char *exe = json_text_of(json_object_get(record, "process"), "exe"), *slash = strrchr(exe, '/');
	return strcmp(strchr(program, '/') || !slash ? exe : slash + 1, program) == 0;
}

static bool path_matches(const json_t *record, const char *pattern)
{
	const char *path = json_text_of(json_object_get(record, "details"), "path");
	return *path == '/' && pattern_matches(pattern, path, strlen(path));
}

static bool wanted(const struct log *log, const json_t *record)
{
	const char *action = json_text_of(record, "action");
	bool denied = strcmp(action, "deny") == 0, would = strcmp(action, "would-deny") == 0;

	if ((log->denied || log->would) && !(denied && log->denied) && !(would && log->would))
		return false;
	if (*log->since && strcmp(json_text_of(record, "timestamp"), log->since) < 0)
		return false;
	return (!log->rule || rule_matches(record, log->rule)) && (!log->program || program_matches(record, log->program)) &&
	       (!log->path || path_matches(record, log->path));
}

static int take(void *ctx, json_t *record)
{
	struct log *log = ctx;
	if (!json_is_object(record) || !wanted(log, record))
		return 0;
	log->n++;
	if (log->as_rules)
		log_learn(log, record);
	else if (log->unique)
		log_count(log, record);
	else
		log_print(log, record);
	return 0;
}

/* ---- following ------------------------------------------------------------------------------- */

/* Whole lines that have come; the rest is kept. */
static void take_lines(struct log *log, struct text *text)
{
	size_t from = 0;
	for (char *end; text->len > from && (end = memchr(text->s + from, '\n', text->len - from));) {
		json_t *record = json_loadb(text->s + from, (size_t)(end - text->s) - from, 0, NULL);
		if (record)
			(void)take(log, record);
		json_decref(record);
		from = (size_t)(end - text->s) + 1;
	}
	if (from)
		memmove(text->s, text->s + from, text->len - from);
	text->len -= from;
	(void)fflush(stdout);
}

static void read_more(struct log *log, int fd, struct text *text)
{
	char buf[65536];
	ssize_t n;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		text_add(text, buf, (size_t)n);
	take_lines(log, text);
}

/* Until interrupted. */
static int follow(struct log *log)
{
	AUTO_FREE char *path = text_copy(log->file);
	char *slash = strrchr(path, '/');
	struct text text = { 0 };
	AUTO_FD fd = open(log->file, O_RDONLY | O_CLOEXEC);
	AUTO_FD watch = inotify_init1(IN_CLOEXEC);
	if (slash)
		slash[slash == path] = '\0';
	const char *dir = slash ? path : ".";
	if (fd < 0 || watch < 0 || inotify_add_watch(watch, log->file, IN_MODIFY) < 0 ||
	    inotify_add_watch(watch, dir, IN_CREATE | IN_MOVED_TO) < 0)
		return -errno;
	for (;;) {
		char events[4096];
		struct stat now, open_one;
		read_more(log, fd, &text);
		if (ferror(stdout))
			return -EPIPE;
		if (stat(log->file, &now) == 0 && fstat(fd, &open_one) == 0 && (now.st_ino != open_one.st_ino || now.st_dev != open_one.st_dev)) {
			int next = open(log->file, O_RDONLY | O_CLOEXEC);
			if (next >= 0) {
				read_more(log, fd, &text);
				(void)fd_close(fd);
				fd = next;
				(void)inotify_add_watch(watch, log->file, IN_MODIFY);
				continue;
			}
		}
		if (read(watch, events, sizeof(events)) < 0 && errno != EINTR)
			return -errno;
	}
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int read_log(struct log *log)
{
	uint64_t broken = 0;
	int error = (log->follow ? audit_scan_rotated : audit_scan)(log->file, "{", NULL, take, log, &broken);
	(void)fflush(stdout);
	cli_broken(log->cli, log->file, broken);
	if (!error && log->follow)
		error = follow(log);
	if (error) {
		cli_error(log->cli, "%s: %s", log->file, strerror(-error));
		return CLI_UNREACHABLE;
	}
	if (log->unique && !log->as_rules)
		log_print_counts(log);
	if (log->as_rules)
		return log_print_rules(log);
	return log->n ? CLI_OK : CLI_NO;
}

static int find_file(struct log *log, int argc, char **argv, char **found)
{
	struct policy *policy = NULL;
	if (!log->file && optind < argc)
		log->file = argv[optind++];
	if (optind < argc)
		return cli_usage(log->cli, &cli_verb_log, "one log at a time");
	if (log->file)
		return 0;
	if (!log->cli->policy)
		return cli_usage(log->cli, &cli_verb_log, "which log? give FILE, or -p POLICY with an audit { log } of its own");
	int status = cli_load_policy(log->cli, log->cli->policy, NULL, &policy);
	if (status)
		return status;
	const char *file = cli_audit_file(policy, NULL);
	log->file = *found = file ? text_copy(file) : NULL;
	policy_free(policy);
	return *found ? 0 : cli_usage(log->cli, &cli_verb_log, "policy %s has no audit { log }; give FILE", log->cli->policy);
}

static int option(struct log *log, int opt)
{
	int64_t ns;
	const char *why;
	switch (opt) {
	case OPT_AUDIT: log->file = optarg; break;
	case 'f': log->follow = true; break;
	case OPT_DENIED: log->denied = true; break;
	case OPT_WOULD: log->would = true; break;
	case OPT_RULE: log->rule = optarg; break;
	case OPT_PROGRAM: log->program = optarg; break;
	case OPT_UNIQUE: log->unique = true; break;
	case OPT_AS_RULES: log->as_rules = true; break;
	case OPT_PATH:
		log->path = optarg;
		if ((*optarg != '/' && strncmp(optarg, "**/", 3) != 0) || pattern_check(optarg, &why))
			return cli_usage(log->cli, &cli_verb_log, "'%s' is no pattern of paths; it begins with / or **/", optarg);
		break;
	default:
		if (!since_parse(optarg, &ns))
			return cli_usage(log->cli, &cli_verb_log, "--since is 15m, 7d, 2026-11-21 or the like, not '%s'", optarg);
		time_t seconds = ns / 1000000000;
		struct tm tm;
		gmtime_r(&seconds, &tm);
		strftime(log->since, sizeof(log->since), "%Y-%m-%dT%H:%M:%S", &tm);
	}
	return 0;
}

static int run(int argc, char **argv, struct cli *cli)
{
	struct log log = { .cli = cli };
	AUTO_FREE char *found = NULL;
	int opt, status = 0;
	while (!status && (opt = cli_next(cli, &cli_verb_log, argc, argv)) >= 0)
		status = option(&log, opt);
	if (!status && opt != CLI_END)
		return cli_stop(&cli_verb_log, opt);
	if (!status && log.follow && (log.unique || log.as_rules))
		status = cli_usage(cli, &cli_verb_log, "--follow does not end, so that nothing can be counted");
	if (!status)
		status = find_file(&log, argc, argv, &found);
	if (!status)
		status = read_log(&log);
	log_free(&log);
	return status;
}
