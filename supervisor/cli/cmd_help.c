/* usher help TOPIC: from the tables of verbs, words and calls, and a few texts. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "call.h"
#include "cli.h"
#include "err.h"
#include "fd.h"
#include "help_words.h"
#include "style.h"
#include "syscalls.h"
#include "topics.h"

const struct cli_verb *const cli_verbs[] = {
	&cli_verb_run,	&cli_verb_check,  &cli_verb_test, &cli_verb_why,
	&cli_verb_log, &cli_verb_learn, &cli_verb_replay, &cli_verb_diff,
	&cli_verb_ps, &cli_verb_reload, &cli_verb_promote, &cli_verb_demote, &cli_verb_panic, &cli_verb_shadow, &cli_verb_rollout,
	&cli_verb_dump, &cli_verb_doctor, &cli_verb_help, NULL,
};

static int run(int argc, char **argv, struct cli *cli);

static const struct cli_option options[] = { { NULL, 0, NULL, NULL } };

const struct cli_verb cli_verb_help = {
	.name = "help",
	.usage = "[TOPIC]",
	.summary = "explain a verb, a word of the policy language, a system call, or a warning",
	.details = "Without TOPIC the topics are listed. Exit status: 0; 2 there is no such topic.",
	.examples = { "usher help precedence", "usher help beneath", "usher help W012" },
	.options = options,
	.run = run,
};

void cli_help_print(FILE *to, bool full)
{
	fprintf(to, "usage: usher [OPTIONS] VERB [ARGUMENTS]\n"
		    "Starts programs under a policy that decides about each path and socket they touch.\n\n");
	for (size_t i = 0; cli_verbs[i]; i++)
		fprintf(to, "  %-8s %s\n", cli_verbs[i]->name, cli_verbs[i]->summary);
	fprintf(to, "\nExamples:\n  usher run -p web -- nginx -g 'daemon off;'\n  usher why -p web read "
		    "/etc/shadow\n");
	if (full) {
		fprintf(to, "\nGlobal options, before or after the verb:\n");
		cli_global_options_print(to);
	}
	fprintf(to, "\nusher help TOPIC says more; usher help lists the topics.\n");
}

/* ---- lists ---- */

static const char *when_text(const struct call *call)
{
	switch (call->when) {
	case CALL_FILES:
		return "brokered while some path rule denies";
	case CALL_STAT:
		return "brokered where cover has stat";
	case CALL_MODIFY_FD:
		return "brokered while one of its operations is denied somewhere";
	case CALL_UNIX:
		return "brokered: unix paths and addresses";
	case CALL_REACH:
		return "brokered: unix paths and addresses, unless Landlock decides alone";
	case CALL_PEERS:
		return "by domain, type and protocol, while rules speak of addresses";
	case CALL_REDIRECTS:
		return "brokered while connects are redirected: tells what was asked for";
	case CALL_LISTEN:
		return "brokered while rules restrict what TCP sockets are bound to";
	case CALL_ACCEPT:
		return "the same, unless Landlock decides about connects alone";
	case CALL_PAIR:
		return "connected streams only, where Landlock decides about connects alone";
	case CALL_EXEC:
		return "gated: what starts is compared with what was decided";
	case CALL_CRED:
		return "noticed under root: credentials are read again";
	case CALL_PROCESS:
		return "kept to processes of the sandbox";
	case CALL_APPEND:
		return "refused on what may only be appended to";
	case CALL_MOUNT:
		return call->mounts ? "made where limits { mount-api brokered; } says so; ENOSYS otherwise while path rules deny"
				    : "made where mount rules allow it; refused while path rules deny";
	case CALL_REFUSED:
		return call->topology ? "refused while path rules deny: it changes what paths mean"
		     : call->free_ok ? "refused but where nothing is denied"
				      : "refused";
	case CALL_NEVER:
	default:
		return "not brokered";
	}
}

static void print_calls(void)
{
	for (size_t nr = 0; nr < call_table_size; nr++) {
		const struct call *call = &call_table[nr];
		if (!call->name)
			continue;
		printf("  %-22s %s\n", call->name, when_text(call));
		if (call->may_continue)
			printf("  %-22s   the kernel may go on: %s\n", "", call->may_continue);
	}
	printf("\nOther calls are as the syscalls section says; usher dump POLICY --emulate CALL shows what "
	       "the filter does.\n");
}

static void print_warnings(void)
{
	for (size_t i = 0; warnings[i].name; i++)
		printf("  %s  %s\n", warnings[i].name, warnings[i].about);
	printf("\n`# usher: allow W012 REASON` on the line, or the one before, silences one.\n");
}

static void print_groups(void)
{
	const char *about, *name;
	for (size_t i = 0; (name = syscall_group_name(i, &about)); i++)
		printf("  %-20s %s\n", name, about ? about : "");
}

static const struct {
	const char *name, *about;
	void (*print)(void);
} lists[] = {
	{ "directives", "every word of the policy language", help_directives },
	{ "calls", "the system calls that are brokered", print_calls },
	{ "groups", "groups of system calls", print_groups },
	{ "warnings", "what usher check warns of", print_warnings },
};

static void print_topics(void)
{
	printf("Topics:\n");
	for (size_t i = 0; topics[i].name; i++)
		printf("  %-12s %s\n", topics[i].name, topics[i].about);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		printf("  %-12s %s\n", lists[i].name, lists[i].about);
	printf("and every verb, every word of the policy language, every system call, every group "
	       "(@file-system),\n"
	       "and every warning (W012). The man page usher.policy(5) has the language as a whole.\n");
}

/* ---- one thing ---- */

static bool help_call(const char *name)
{
	const struct syscall_info *info = syscall_by_name(name, strlen(name));
	if (!info)
		return false;
	printf("%s: system call %d(", name, info->nr);
	for (size_t i = 0; i < 6 && info->params[i].name; i++)
		printf("%s%s", i ? ", " : "", info->params[i].name);
	const struct call *call = call_by_nr(info->nr);
	printf(")\n  %s\n",
	       call ? when_text(call) : "not brokered: only the syscalls section decides about it");
	if (call && call->may_continue)
		printf("  the kernel may go on: %s\n", call->may_continue);
	const char *group;
	bool first = true;
	for (size_t i = 0; (group = syscall_group_name(i, NULL)); i++) {
		size_t n;
		AUTO_FREE int *members = syscall_group(group, strlen(group), &n);
		for (size_t k = 0; members && k < n; k++) {
			if (members[k] != info->nr)
				continue;
			printf("%s%s", first ? "  in " : ", ", group);
			first = false;
		}
	}
	printf("%s", first ? "" : "\n");
	return true;
}

static bool help_group(const char *name)
{
	size_t n;
	AUTO_FREE int *members = syscall_group(name, strlen(name), &n);
	if (!members)
		return false;
	printf("%s: %zu system calls\n", name, n);
	for (size_t i = 0, column = 0; i < n; i++) {
		const struct syscall_info *info = syscall_by_nr(members[i]);
		if (!info)
			continue;
		size_t width = strlen(info->name) + 2;
		if (column + width > 98) {
			printf("\n");
			column = 0;
		}
		printf("%s%s", column ? ", " : "  ", info->name);
		column += width;
	}
	printf("\n");
	return true;
}

static bool help_topic(const char *name)
{
	for (size_t i = 0; cli_verbs[i]; i++) {
		if (strcmp(cli_verbs[i]->name, name) == 0) {
			cli_verb_help_print(cli_verbs[i], stdout, true);
			return true;
		}
	}
	for (size_t i = 0; topics[i].name; i++) {
		if (strcmp(topics[i].name, name) == 0) {
			printf("%s", topics[i].text);
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (strcmp(lists[i].name, name) == 0) {
			lists[i].print();
			return true;
		}
	}
	for (size_t i = 0; warnings[i].name; i++) {
		if (strcasecmp(warnings[i].name, name) == 0) {
			printf("%s: %s\n%s\n`# usher: allow %s REASON` on the line, or the one before, "
			       "silences it.\n",
			       warnings[i].name, warnings[i].about, warnings[i].text, warnings[i].name);
			return true;
		}
	}
	bool word = help_word(name);
	bool call = *name == '@' ? help_group(name) : help_call(name);
	return word || call;
}

/* "exit statuses" and "W-codes" are asked for by other names too. */
static const char *topic_alias(const char *name)
{
	static const char *const aliases[][2] = {
		{ "statuses", "exit" },	   { "status", "exit" },
		{ "exit-status", "exit" }, { "exit-statuses", "exit" },
		{ "stage", "stages" },	   { "lints", "warnings" },
		{ "lint", "warnings" },	   { "codes", "warnings" },
		{ "words", "directives" }, { "operations", "directives" },
		{ "records", "audit" },	   { "syscall", "calls" },
		{ "topics", "" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
		if (strcmp(aliases[i][0], name) == 0)
			return aliases[i][1];
	}
	return name;
}

static int unknown(const struct cli *cli, const char *name)
{
	const char *names[512] = { NULL };
	size_t n = 0;
	const char *word;
	for (size_t i = 0; cli_verbs[i]; i++)
		names[n++] = cli_verbs[i]->name;
	for (size_t i = 0; topics[i].name; i++)
		names[n++] = topics[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		names[n++] = lists[i].name;
	for (size_t i = 0; (word = syscall_group_name(i, NULL)) && n + 1 < ARRAY_SIZE(names); i++)
		names[n++] = word;
	for (size_t i = 0; (word = help_word_at(i)) && n + 1 < ARRAY_SIZE(names); i++)
		names[n++] = word;
	const char *nearest = cli_nearest(name, names);
	if (!nearest)
		nearest = syscall_nearest(name, strlen(name));
	if (nearest)
		cli_error(cli, "there is no help on '%s'; did you mean '%s'?", name, nearest);
	else
		cli_error(cli, "there is no help on '%s'; usher help lists the topics", name);
	return CLI_USAGE;
}

static int run(int argc, char **argv, struct cli *cli)
{
	int opt;
	while ((opt = cli_next(cli, &cli_verb_help, argc, argv)) >= 0)
		;
	if (opt != CLI_END)
		return cli_stop(&cli_verb_help, opt);
	if (argc - optind > 1)
		return cli_usage(cli, &cli_verb_help, "one topic at a time");
	const char *name = optind < argc ? topic_alias(argv[optind]) : "";
	if (!*name) {
		cli_help_print(stdout, true);
		printf("\n");
		print_topics();
		return CLI_OK;
	}
	return help_topic(name) ? CLI_OK : unknown(cli, argv[optind]);
}
