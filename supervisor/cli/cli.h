/*
 * What the verbs share: options, exit statuses, finding and loading a policy, talking to people.
 *
 * A verb is one file cmd_NAME.c that defines cli_verb_NAME. Its options are a table: getopt_long's arrays,
 * the help text and "did you mean" are all made from it. Data goes to stdout, talk to stderr.
 */
#ifndef USHER_CLI_H
#define USHER_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "policy.h"

/* Exit statuses of every verb but run; stable. */
enum cli_status {
	CLI_OK = 0,		/* yes, clean */
	CLI_NO = 1,		/* the answer is no */
	CLI_USAGE = 2,
	CLI_POLICY = 3,		/* the policy is invalid */
	CLI_KERNEL = 4,		/* the kernel or a privilege is missing */
	CLI_UNREACHABLE = 5,	/* cannot read a file or reach a supervisor */
	/* run: the program's own status, 128+N, or */
	CLI_RUN_FAILED = 125,	/* usher failed before the program started: usage and policy errors too */
	CLI_RUN_CANNOT = 126,	/* found but cannot be executed */
	CLI_RUN_MISSING = 127,	/* not found */
};

/* Global options, accepted before and after the verb (for run: before the program), and those of every policy. */
struct cli {
	bool quiet;
	unsigned verbose;
	bool json;
	bool color_out, color_err;	/* as --color, NO_COLOR, CLICOLOR_FORCE, TERM and isatty say */
	const char *policy;		/* -p */
	struct policy_var *vars;	/* --set */
	size_t n_vars;
};

struct cli_option {
	const char *name;	/* long name; NULL ends the table */
	int val;		/* a printable character is also the short option; others from CLI_LONG up */
	const char *arg;	/* its placeholder ("FILE"), NULL if it takes none */
	const char *help;
};
enum { CLI_LONG = 256, CLI_SET = 2000 };
/* In the table of a verb about one policy; cli_next() handles them. */
#define CLI_OPTION_POLICY(help) { "policy", 'p', "POLICY", help }
#define CLI_OPTION_LAYERS(opt) { "layers", (opt), "LIST", "what may decide of reading: bpf, landlock, broker; the cheapest exact" }
#define CLI_OPTION_SET { "set", CLI_SET, "NAME=VALUE", "set a variable of the policy; may be repeated" }

struct cli_verb {
	const char *name;
	const char *usage;	/* "-p POLICY [OPTIONS] -- PROGRAM [ARG]..." */
	const char *summary;	/* one line, lower case, no full stop */
	const char *details;	/* full help: paragraphs, ready to print; may be NULL */
	const char *examples[3];
	const struct cli_option *options;
	bool stops;		/* options end at the first operand (run) */
	int (*run)(int argc, char **argv, struct cli *cli);	/* argv[0] is the verb's name */
};

extern const struct cli_verb cli_verb_run, cli_verb_check, cli_verb_test, cli_verb_why, cli_verb_dump,
	cli_verb_doctor, cli_verb_help, cli_verb_diff, cli_verb_replay, cli_verb_learn, cli_verb_log;
extern const struct cli_verb cli_verb_ps, cli_verb_reload, cli_verb_panic, cli_verb_promote, cli_verb_demote, cli_verb_shadow, cli_verb_rollout;
extern const struct cli_verb *const cli_verbs[];	/* NULL-ended */

/*
 * The next option of a verb, getopt_long's way (optarg, optind are set; starts at the first call of a process):
 *	int opt;
 *	while ((opt = cli_next(cli, &cli_verb_check, argc, argv)) >= 0) switch (opt) { ... }
 *	if (opt != CLI_END) return cli_stop(&cli_verb_check, opt);
 * Global options, -p and --set are handled here and change CLI. An error has been printed when CLI_BAD is returned;
 * help when CLI_DONE.
 */
enum { CLI_END = -1, CLI_BAD = -2, CLI_DONE = -3 };
int cli_next(struct cli *cli, const struct cli_verb *verb, int argc, char **argv);
/* What the verb returns then: 0 for CLI_DONE; CLI_USAGE (run: CLI_RUN_FAILED) for CLI_BAD. */
int cli_stop(const struct cli_verb *verb, int opt);
/* The policy may also be the first operand: into CLI->policy. 0, or a status after a message. */
int cli_take_policy(struct cli *cli, const struct cli_verb *verb, int argc, char **argv);

/* "usher: MESSAGE" on stderr (red "error:" never alone); control characters of the text are escaped. */
__attribute__((format(printf, 2, 3))) void cli_error(const struct cli *cli, const char *format, ...);
__attribute__((format(printf, 2, 3))) void cli_warn(const struct cli *cli, const char *format, ...);
/* LINES of FILE, a log, were no records: warns of them, if there are any. */
void cli_broken(const struct cli *cli, const char *file, uint64_t lines);
/* Not with --quiet. */
__attribute__((format(printf, 2, 3))) void cli_note(const struct cli *cli, const char *format, ...);
/* An error about usage, with "see usher help VERB". Returns CLI_USAGE (run: CLI_RUN_FAILED). */
__attribute__((format(printf, 3, 4)))
int cli_usage(const struct cli *cli, const struct cli_verb *verb, const char *format, ...);
void cli_verb_help_print(const struct cli_verb *verb, FILE *to, bool full);

/* The name of NAMES (NULL-ended) nearest to WRONG, or NULL if none is near. */
const char *cli_nearest(const char *wrong, const char *const *names);

/* --set: "name=value" is taken apart (a copy is kept). 0, or a status after a message. */
int cli_vars_add(struct cli *cli, const struct cli_verb *verb, const char *assignment);
void cli_vars_free(struct cli *cli);

struct cli_load {
	bool mode_log;			/* --mode log */
	const char *audit_file;		/* --audit: forbidden to the child like the policy's own files */
	const char *record_file;	/* --record: the same */
	struct policy_diags *diags;	/* not NULL: diagnostics of a policy that loads are left here, unprinted */
	const char *json;		/* the verb, if its --json is to tell of errors on stdout as well */
};

/*
 * Finds, reads and compiles policy NAME with CLI->vars. A NAME with a slash is a file; any other is looked for as
 * NAME.policy in $XDG_CONFIG_HOME/usher (or ~/.config/usher), /etc/usher and the installed profiles. Messages are printed. Policy files, drop-ins, `audit { log }` and
 * LOAD->audit_file are forbidden to the child, so every verb judges what run enforces. LOAD may
 * be NULL.
 * 0 with *POLICY, else the exit status of a verb; run answers CLI_RUN_FAILED instead.
 */
int cli_load_policy(const struct cli *cli, const char *name, const struct cli_load *load, struct policy **policy);

/* The audit file: FILE (--audit) or the policy's `audit { log FILE; }`; NULL if neither. Borrowed. */
const char *cli_audit_file(const struct policy *policy, const char *file);

#endif
