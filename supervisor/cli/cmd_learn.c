/*
 * usher learn: a policy out of what a program does.
 *
 * The program runs with everything let through but what is forbidden, and is counted (learn_run.c), or others have recorded what it
 * did. From that comes a proposal (evidence/learn.c), which is tried before it is written (learn_write.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "escape.h"
#include "evidence/footprint.h"
#include "evidence/source.h"
#include "fd.h"
#include "json.h"
#include "cli/learn.h"

enum { OPT_UPDATE = CLI_LONG, OPT_FROM, OPT_RECORD, OPT_RUNS, OPT_REVIEW, OPT_TIGHT, OPT_BALANCED, OPT_LOOSE, OPT_USER, OPT_CHDIR, OPT_PASS_FD, OPT_UNSHARE };

static const struct cli_option options[] = {
	{ "output", 'o', "FILE", "the new policy; a file that is there is not overwritten" },
	{ "update", OPT_UPDATE, "FILE", "add to this policy; what is in it stays as it is" },
	{ "from", OPT_FROM, "FILE", "learn from a footprint, audit log, strace or ausearch --raw; may be repeated" },
	{ "record", OPT_RECORD, "FILE", "keep the footprint here" },
	{ "runs", OPT_RUNS, "N", "run the program so many times: what differs becomes a pattern" },
	{ "review", OPT_REVIEW, NULL, "show each proposed rule, and ask whether to take it" },
	{ "tight", OPT_TIGHT, NULL, "only what was seen, but for numbers and random names" },
	{ "balanced", OPT_BALANCED, NULL, "4 files of a directory become the directory; the default" },
	{ "loose", OPT_LOOSE, NULL, "2 do" },
	CLI_OPTION_SET,
	{ "user", OPT_USER, "USER[:GROUP]", "run the program as this user (root only)" },
	{ "chdir", OPT_CHDIR, "DIR", "change to this directory first" },
	{ "unshare", OPT_UNSHARE, "LIST", "as for run" },
	{ "pass-fd", OPT_PASS_FD, "N", "keep descriptor N open for the program; may be repeated" },
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_learn = {
	.name = "learn",
	.usage = "-o FILE [OPTIONS] -- PROGRAM [ARG]... | -o FILE --from FILE...",
	.summary = "run a program and propose a policy for it",
	.details =
		"Everything is let through and counted, but what base/org.policy forbids. The proposal has one rule a line, each\n"
		"with what it stands for as a comment: shipped includes first; numbers, dates, hashes and random names become\n"
		"patterns; what differs between runs becomes *; 4 files of a directory become the directory, but never /, /etc,\n"
		"/proc, a home or a directory with credentials. It is tried before it is written: it allows what was seen.\n"
		"What was looked for and is not there needs no rule. Mounts are learnt where they can be made: with --unshare mnt, or\n"
		"from the footprint of a run whose policy has mount rules.\n"
		"\n"
		"With --update rules are added to a policy, and nothing in it is changed; what it denies by a rule is not proposed.\n"
		"\n"
		"Exit status: 0 the policy is written; 1 there is nothing to add (--update) or --review was quit; 2 usage; 3 the policy to update is\n"
		"invalid; 5 the program did not run, or a file cannot be read or written.",
	.examples = { "usher learn -o ./web.policy -- nginx -g 'daemon off;'", "usher learn --runs 3 -o ./job.policy -- ./job.sh",
		      "usher learn --update ./web.policy --from web.fp --from trace.txt" },
	.options = options,
	.stops = true,
	.run = run,
};

/* Its own statuses: only run's are the program's. */
static int usage(const struct cli *cli, const char *message)
{
	(void)cli_usage(cli, &cli_verb_learn, "%s", message);
	return CLI_USAGE;
}

static int option(struct learning *learning, int opt)
{
	char *end;
	switch (opt) {
	case 'o': learning->output = optarg; break;
	case OPT_UPDATE: learning->update = learning->output = optarg; break;
	case OPT_FROM: *mem_push(&learning->from, &learning->n_from) = optarg; break;
	case OPT_RECORD: learning->record = optarg; break;
	case OPT_RUNS:
		learning->runs = (unsigned)strtoul(optarg, &end, 10);
		if (*end || learning->runs < 1 || learning->runs > 60)
			return usage(learning->cli, "--runs is a number from 1 to 60");
		break;
	case OPT_REVIEW: learning->review = true; break;
	case OPT_TIGHT: learning->mood = TREE_TIGHT; break;
	case OPT_BALANCED: learning->mood = TREE_BALANCED; break;
	case OPT_LOOSE: learning->mood = TREE_LOOSE; break;
	case OPT_USER: learning->user = optarg; break;
	case OPT_CHDIR: learning->chdir = optarg; break;
	case OPT_UNSHARE: learning->unshare = optarg; break;
	default: *mem_push(&learning->pass, &learning->n_pass) = optarg; break;
	}
	return 0;
}

static int check_options(struct learning *learning, int argc, char **argv)
{
	learning->argv = optind < argc ? argv + optind : NULL;
	if (!learning->output)
		return usage(learning->cli, "where to? -o FILE, or --update FILE");
	if (!learning->argv && !learning->n_from)
		return usage(learning->cli, "which program, or --from which FILE?");
	if (learning->argv && learning->n_from)
		return usage(learning->cli, "either a program or --from");
	if (!learning->update && access(learning->output, F_OK) == 0) {
		cli_error(learning->cli, "%s is there already; --update adds to it", learning->output);
		return CLI_USAGE;
	}
	return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_one(struct learning *learning, const char *file)
{
	struct source source = { .file = file };
	uint64_t impossible = learning->learn.impossible;
	int error = source_read(&source, learn_take, &learning->learn);
	if (error) {
		cli_error(learning->cli, "%s: %s", file, source.why ? source.why : strerror(-error));
		return CLI_UNREACHABLE;
	}
	learning->learn.network |= source.kind == SOURCE_FOOTPRINT || learning->learn.n_peers > 0;
	learning->killed += source.killed;
	learning->skipped += source.skipped;
	cli_broken(learning->cli, file, source.broken);
	if (source.lost)
		cli_warn(learning->cli, "%s: %" PRIu64 " calls are not in it, because usher was killed or the disk was full", file, source.lost);
	impossible = learning->learn.impossible - impossible;
	if (impossible)
		cli_warn(learning->cli, "%s: %" PRIu64 " of the accesses in it cannot have been, and are left out", file, impossible);
	learn_next_source(&learning->learn);
	return 0;
}

static int read_all(struct learning *learning)
{
	int status = 0;
	for (size_t i = 0; i < learning->n_from && !status; i++)
		status = read_one(learning, learning->from[i]);
	if (!status && learning->argv)
		status = read_one(learning, learning->footprint);
	if (status || learning->learn.accesses)
		return status;
	cli_error(learning->cli, "there are no accesses to learn from");
	return CLI_UNREACHABLE;
}

static int read_existing(struct learning *learning)
{
	struct text text = { 0 };
	char buf[4096];
	size_t n;
	FILE *file = fopen(learning->update, "re");
	while (file && (n = fread(buf, 1, sizeof(buf), file)) > 0)
		text_add(&text, buf, n);
	bool good = file && !ferror(file);
	if (file)
		fclose(file);
	learning->existing = text_take(&text);
	if (!good)
		cli_error(learning->cli, "cannot read %s: %s", learning->update, strerror(errno));
	return good ? 0 : CLI_UNREACHABLE;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Beside it first: a policy is there as a whole or not at all. */
static int write_output(struct learning *learning)
{
	struct stat st;
	AUTO_FREE char *beside = text_printf("%s.XXXXXX", learning->output);
	AUTO_FD fd = mkostemp(beside, O_CLOEXEC);
	bool good = fd >= 0 && write(fd, learning->text.s, learning->text.len) == (ssize_t)learning->text.len;
	if (good && learning->update && stat(learning->update, &st) == 0)
		good = fchmod(fd, st.st_mode & 07777) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0;
	else if (good)
		good = fchmod(fd, 0644) == 0;
	good = good && fsync(fd) == 0;
	good = good && (learning->update ? rename(beside, learning->output) : link(beside, learning->output)) == 0;
	int error = errno;
	if (fd >= 0 && (!good || !learning->update))
		(void)unlink(beside);
	if (good)
		return 0;
	cli_error(learning->cli, "cannot write %s: %s", learning->output, strerror(error));
	return CLI_UNREACHABLE;
}

static void print_json(const struct learning *learning, int status)
{
	const struct learn *learn = &learning->learn;
	json_t *refused = json_array();
	for (size_t i = 0; i < learn->n_refused; i++)
		json_array_append_new(refused, json_pack("{s:o, s:o}", "what", json_text(learn->refused[i].what), "by",
							 json_text(learn->refused[i].by)));
	json_print("learn", json_pack("{s:o, s:I, s:i, s:i, s:i, s:I, s:I, s:b, s:o}", "file", json_text(learning->output), "accesses",
				      (json_int_t)learn->accesses, "runs", (int)learn->run, "partial", (int)learning->partial, "rules",
				      (int)learning->counts.rules, "objects", (json_int_t)learning->counts.files, "granted",
				      (json_int_t)learning->granted, "granted_more", (int)learning->more, "not_proposed", refused),
		   status);
}

static void print_text(const struct learning *learning)
{
	const struct learn *learn = &learning->learn;
	AUTO_FREE char *file = escape_dup(learning->output, strlen(learning->output));
	printf("%s: observed %" PRIu64 " accesses, %u files need a rule, granted %s%zu existing files under %u rules\n", file, learn->accesses,
	       learning->counts.files, learning->more ? "more than " : "", learning->granted, learning->counts.rules);
	if (learn->n_refused)
		printf("%zu of them not proposed; the end of the file says why\n", learn->n_refused);
	if (learning->mood != TREE_TIGHT)
		printf("--tight grants less. ");
	printf("Next: usher check %s%s\n", strchr(file, '/') ? "" : "./", file);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int prepare(struct learning *learning)
{
	char scratch[] = "/tmp/usher-learn-XXXXXX";
	if (!learning->argv)
		return 0;
	if (!mkdtemp(scratch)) {
		cli_error(learning->cli, "cannot make a directory in /tmp: %s", strerror(errno));
		return CLI_UNREACHABLE;
	}
	learning->scratch = text_copy(scratch);
	learning->footprint = learning->record ? text_copy(learning->record) : text_printf("%s/footprint", scratch);
	return 0;
}

static int learn(struct learning *learning)
{
	int status = learning->update ? read_existing(learning) : 0;
	if (!status)
		status = prepare(learning);
	if (!status && learning->argv)
		status = learning_run(learning);
	if (!status)
		status = read_all(learning);
	if (!status)
		status = learning_propose(learning);
	if (status || learning->quit)
		return status;
	if (learning->update && !learning->counts.rules)
		status = CLI_NO;
	else
		status = write_output(learning);
	if (status <= CLI_NO && learning->cli->json)
		print_json(learning, status);
	else if (status == CLI_NO && !learning->cli->quiet)
		printf("nothing to add: the policy allows all that was seen, or denies it by a rule\n");
	else if (status == CLI_OK && !learning->cli->quiet)
		print_text(learning);
	return status;
}

static void clean_up(struct learning *learning)
{
	for (size_t i = 0; learning->scratch && !learning->record && footprint_suffix(i); i++) {
		AUTO_FREE char *file = text_printf("%s%s", learning->footprint, footprint_suffix(i));
		(void)unlink(file);
	}
	if (learning->base)
		(void)unlink(learning->base);
	if (learning->scratch)
		(void)rmdir(learning->scratch);
	learn_free(&learning->learn);
	free(text_take(&learning->text));
	free(learning->scratch);
	free(learning->footprint);
	free(learning->base);
	free(learning->existing);
	free(learning->from);
	free(learning->pass);
}

static int run(int argc, char **argv, struct cli *cli)
{
	struct learning learning = { .cli = cli, .runs = 1, .mood = TREE_BALANCED };
	int opt, status = 0;
	while (!status && (opt = cli_next(cli, &cli_verb_learn, argc, argv)) >= 0)
		status = option(&learning, opt);
	if (!status && opt != CLI_END)
		status = opt == CLI_DONE ? CLI_OK : CLI_USAGE;
	else if (!status) {
		status = check_options(&learning, argc, argv);
		if (!status)
			status = learn(&learning);
	}
	clean_up(&learning);
	return status;
}
