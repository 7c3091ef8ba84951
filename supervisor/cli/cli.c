/* Options, messages and help: the parts of the command line that every verb has. */
#include "cli.h"

#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "escape.h"
#include "fd.h"
#include "style.h"
#include "text.h"

#define OPTIONS_MAX 48

enum { OPT_JSON = CLI_LONG + 1000, OPT_COLOR, OPT_HELP, OPT_VERSION };

static const struct cli_option global_options[] = {
	{ "quiet", 'q', NULL, "errors only" },
	{ "verbose", 'v', NULL, "more; may be repeated" },
	{ "json", OPT_JSON, NULL, "data as JSON, one schema per verb" },
	{ "color", OPT_COLOR, "WHEN", "auto, always or never" },
	{ "help", OPT_HELP, NULL, "this text; -h is shorter" },
	{ "version", OPT_VERSION, NULL, "print the version" },
	{ NULL, 0, NULL, NULL },
};

/* ---- messages ---- */

__attribute__((format(printf, 4, 0)))
static void say(const struct cli *cli, const char *kind, const char *color, const char *format, va_list ap)
{
	AUTO_FREE char *text = NULL;
	if (vasprintf(&text, format, ap) < 0)
		return;
	AUTO_FREE char *shown = escape_dup(text, strlen(text));
	fprintf(stderr, "usher: %s%s%s%s\n", cli->color_err ? color : "", kind,
		cli->color_err ? COLOR_OFF : "", shown);
}

void cli_error(const struct cli *cli, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	say(cli, "error: ", COLOR_RED, format, ap);
	va_end(ap);
}

void cli_warn(const struct cli *cli, const char *format, ...)
{
	va_list ap;
	if (cli->quiet)
		return;
	va_start(ap, format);
	say(cli, "warning: ", COLOR_YELLOW, format, ap);
	va_end(ap);
}

void cli_broken(const struct cli *cli, const char *file, uint64_t lines)
{
	if (lines)
		cli_warn(cli, "%s: %" PRIu64 " line%s %s left out: no record%s of usher", file, lines, lines == 1 ? "" : "s",
			 lines == 1 ? "is" : "are", lines == 1 ? "" : "s");
}

void cli_note(const struct cli *cli, const char *format, ...)
{
	va_list ap;
	if (cli->quiet)
		return;
	va_start(ap, format);
	say(cli, "", "", format, ap);
	va_end(ap);
}

static int usage_status(const struct cli_verb *verb)
{
	return verb && verb->stops ? CLI_RUN_FAILED : CLI_USAGE;
}

int cli_usage(const struct cli *cli, const struct cli_verb *verb, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	say(cli, "error: ", COLOR_RED, format, ap);
	va_end(ap);
	if (verb)
		fprintf(stderr, "usage: usher %s %s\n       see usher help %s\n", verb->name, verb->usage,
			verb->name);
	else
		fprintf(stderr, "       see usher help\n");
	return usage_status(verb);
}

int cli_stop(const struct cli_verb *verb, int opt)
{
	return opt == CLI_DONE ? CLI_OK : usage_status(verb);
}

const char *cli_nearest(const char *wrong, const char *const *names)
{
	size_t len = strlen(wrong);
	unsigned limit = text_tolerance(len), nearest = limit + 1;
	const char *found = NULL;
	for (; *names; names++) {
		unsigned distance = text_distance(wrong, len, *names, strlen(*names), limit);
		/* A beginning that is typed in full counts as one slip: "--aud" for "--audit". */
		if (len >= 3 && strncmp(*names, wrong, len) == 0)
			distance = 1;
		if (distance < nearest) {
			nearest = distance;
			found = *names;
		}
	}
	return found;
}

/* ---- options ---- */

static bool option_short(int val)
{
	return val > ' ' && val < 0x7f;
}

/* getopt_long's arrays out of the verb's table and the global one. */
struct tables {
	struct option longs[OPTIONS_MAX];
	char shorts[2 * OPTIONS_MAX + 4];
	size_t n;
	char *end;
};

static void tables_add(struct tables *tables, const struct cli_option *option)
{
	for (; option && option->name; option++) {
		ASSERT(tables->n + 1 < OPTIONS_MAX);
		tables->longs[tables->n++] = (struct option){
			.name = option->name,
			.has_arg = option->arg ? required_argument : no_argument,
			.val = option->val,
		};
		if (option_short(option->val)) {
			*tables->end++ = (char)option->val;
			if (option->arg)
				*tables->end++ = ':';
		}
	}
	*tables->end = 0;
}

static void tables_fill(struct tables *tables, const struct cli_verb *verb)
{
	memset(tables, 0, sizeof(*tables));
	tables->end = tables->shorts;
	if (!verb || verb->stops)
		*tables->end++ = '+';
	*tables->end++ = ':';
	*tables->end++ = 'h';
	if (verb)
		tables_add(tables, verb->options);
	tables_add(tables, global_options);
}

static bool color_wanted(const char *when, int fd)
{
	if (strcmp(when, "always") == 0)
		return true;
	if (strcmp(when, "never") == 0)
		return false;
	const char *no = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE"), *term = getenv("TERM");
	if (no && *no)
		return false;
	if (force && *force && strcmp(force, "0") != 0)
		return true;
	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

void cli_colors(struct cli *cli, const char *when)
{
	cli->color_out = color_wanted(when, STDOUT_FILENO);
	cli->color_err = color_wanted(when, STDERR_FILENO);
}

static int option_unknown(const struct cli *cli, const struct cli_verb *verb, const struct tables *tables,
			  char **argv)
{
	const char *wrong = argv[optind - 1];
	if (isdigit(optopt))
		return (void)cli_usage(cli, verb, "unknown option '-%c'; put -- before a negative number", optopt), CLI_BAD;
	if (optopt != 0 || strncmp(wrong, "--", 2) != 0)
		return (void)cli_usage(cli, verb, "unknown option '-%c'", optopt), CLI_BAD;
	char name[64];
	size_t len = strcspn(wrong + 2, "=");
	snprintf(name, sizeof(name), "%.*s", (int)(len < 60 ? len : 60), wrong + 2);
	const char *names[OPTIONS_MAX] = { NULL };
	size_t beginnings = 0;
	for (size_t i = 0; i < tables->n; i++) {
		names[i] = tables->longs[i].name;
		beginnings += strncmp(names[i], name, len) == 0;
	}
	const char *nearest = cli_nearest(name, names);
	if (beginnings > 1)
		(void)cli_usage(cli, verb, "option '--%s' could be more than one; write it out", name);
	else if (nearest)
		(void)cli_usage(cli, verb, "unknown option '--%s'; did you mean '--%s'?", name, nearest);
	else
		(void)cli_usage(cli, verb, "unknown option '--%s'", name);
	return CLI_BAD;
}

int cli_next(struct cli *cli, const struct cli_verb *verb, int argc, char **argv)
{
	struct tables tables;
	tables_fill(&tables, verb);
	opterr = 0;
	for (;;) {
		optopt = 0;
		int opt = getopt_long(argc, argv, tables.shorts, tables.longs, NULL);
		switch (opt) {
		case 'q':
			cli->quiet = true;
			continue;
		case 'v':
			cli->verbose++;
			continue;
		case OPT_JSON:
			cli->json = true;
			continue;
		case OPT_COLOR:
			if (strcmp(optarg, "auto") && strcmp(optarg, "always") && strcmp(optarg, "never"))
				return (void)cli_usage(cli, verb,
						       "--color is auto, always or never, not '%s'", optarg),
				       CLI_BAD;
			cli_colors(cli, optarg);
			continue;
		case 'h':
		case OPT_HELP:
			if (verb)
				cli_verb_help_print(verb, stdout, opt == OPT_HELP);
			else
				cli_help_print(stdout, opt == OPT_HELP);
			return CLI_DONE;
		case OPT_VERSION:
			printf("usher %s\n", USHER_VERSION);
			return CLI_DONE;
		case 'p':
			cli->policy = optarg;
			continue;
		case CLI_SET:
			if (cli_vars_add(cli, verb, optarg) != 0)
				return CLI_BAD;
			continue;
		case '?':
			if (optopt >= CLI_LONG || (optopt != 0 && strncmp(argv[optind - 1], "--", 2) == 0))
				return (void)cli_usage(cli, verb, "option '%.*s' takes no value",
						       (int)strcspn(argv[optind - 1], "="), argv[optind - 1]),
				       CLI_BAD;
			return option_unknown(cli, verb, &tables, argv);
		case ':':
			return (void)cli_usage(cli, verb, "option '%s' needs a value", argv[optind - 1]),
			       CLI_BAD;
		case -1:
			return CLI_END;
		default:
			return opt;
		}
	}
}

/* ---- help of one verb ---- */

static void cli_options_print(const struct cli_option *option, FILE *to)
{
	for (; option && option->name; option++) {
		char left[64], head[8] = "    ";
		if (option_short(option->val))
			snprintf(head, sizeof(head), "-%c, ", option->val);
		snprintf(left, sizeof(left), "%s--%s%s%s", head, option->name, option->arg ? " " : "",
			 option->arg ? option->arg : "");
		fprintf(to, "  %-28s %s\n", left, option->help);
	}
}

void cli_global_options_print(FILE *to)
{
	cli_options_print(global_options, to);
}

void cli_verb_help_print(const struct cli_verb *verb, FILE *to, bool full)
{
	fprintf(to, "usage: usher %s %s\n%s\n", verb->name, verb->usage, verb->summary);
	if (full && verb->details)
		fprintf(to, "\n%s\n", verb->details);
	if (verb->options && verb->options->name) {
		fprintf(to, "\nOptions:\n");
		cli_options_print(verb->options, to);
	}
	if (full) {
		fprintf(to, "\nGlobal options:\n");
		cli_options_print(global_options, to);
	}
	if (verb->examples[0])
		fprintf(to, "\nExamples:\n");
	for (size_t i = 0; i < ARRAY_SIZE(verb->examples) && verb->examples[i] && (full || i < 2); i++)
		fprintf(to, "  %s\n", verb->examples[i]);
	if (!full)
		fprintf(to, "\nusher help %s says more.\n", verb->name);
}

/* ---- the policy ---- */

int cli_take_policy(struct cli *cli, const struct cli_verb *verb, int argc, char **argv)
{
	if (!cli->policy && optind < argc)
		cli->policy = argv[optind++];
	return cli->policy ? 0 : cli_usage(cli, verb, "which policy?");
}

int cli_vars_add(struct cli *cli, const struct cli_verb *verb, const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	if (!equals || equals == assignment)
		return cli_usage(cli, verb, "--set needs NAME=VALUE, not '%s'", assignment);
	for (const char *c = assignment; c < equals; c++) {
		if (!isalnum((unsigned char)*c) && *c != '_')
			return cli_usage(cli, verb, "--set: '%.*s' is not a name of a variable",
					 (int)(equals - assignment), assignment);
	}
	struct policy_var *list = reallocarray(cli->vars, cli->n_vars + 1, sizeof(*list));
	ASSERT(list);
	cli->vars = list;
	list[cli->n_vars++] = (struct policy_var){ .name = text_dup(assignment, (size_t)(equals - assignment)),
						   .value = text_dup(equals + 1, strlen(equals + 1)) };
	return 0;
}

void cli_vars_free(struct cli *cli)
{
	for (size_t i = 0; i < cli->n_vars; i++) {
		free((char *)(uintptr_t)cli->vars[i].name);
		free((char *)(uintptr_t)cli->vars[i].value);
	}
	free(cli->vars);
}
