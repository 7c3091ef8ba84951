/*
 * usher diff: what another policy would change.
 *
 * Nothing is sampled where paths are concerned: policy/difference.c proves on the automata of both. What is printed is one
 * line for each pair of rules, with one path to show.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "difference.h"
#include "escape.h"
#include "fd.h"
#include "json.h"
#include "style.h"
#include "syscalls.h"
#include "text.h"

static const struct cli_option options[] = {
	CLI_OPTION_SET,
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_diff = {
	.name = "diff",
	.usage = "[OPTIONS] POLICY POLICY",
	.summary = "what changes between two policies: newly denied, newly allowed, with a path for each",
	.details =
		"Compares what the policies decide, not how they are written: for every path and socket that there is or\n"
		"could be, and for every system call. Each change is shown once, with the rule that decides before and after\n"
		"and the shortest path for which that is so. `at stage log` marks what is not enforced in either, but would\n"
		"be decided differently without stages. usher's own files are left out, and so are limits and audit settings.\n"
		"\n"
		"Exit status: 0 they decide the same; 1 they do not, or the proof ran out of its budget; 2 usage; 3 a policy\n"
		"is invalid; 5 a file cannot be read.",
	.examples = { "usher diff web ./web-next.policy", "usher diff --json ./old.policy ./new.policy" },
	.options = options,
	.run = run,
};

struct diff {
	const struct cli *cli;
	struct policy *before, *after;
	struct differences found;
};

static const char *const headings[] = {
	[DIFFERENCE_DENIED] = "newly DENIED", [DIFFERENCE_ALLOWED] = "newly ALLOWED", [DIFFERENCE_OTHER] = "otherwise CHANGED",
};
static const char *const keys[] = {
	[DIFFERENCE_DENIED] = "newly_denied", [DIFFERENCE_ALLOWED] = "newly_allowed", [DIFFERENCE_OTHER] = "changed",
};

/* ---- what it is about ---- */

static void add_target(struct text *text, const struct difference *d)
{
	if (d->witness) {
		changes_add_ops(text, d->ops);
		text_puts(text, d->ops & OPS_NETWORK && !(d->ops & OPS_FILES) ? " unix " : " ");
		text_puts(text, d->witness);
		return;
	}
	const struct syscall_info *info = syscall_by_nr(d->nr);
	unsigned n = 6;
	text_puts(text, info ? info->name : "?");
	while (n && !d->args[n - 1])
		n--;
	for (unsigned i = 0; i < n; i++)
		text_addf(text, "%s0x%" PRIx64, i ? ", " : "(", d->args[i]);
	text_puts(text, n ? ")" : "");
}

/* ---- for people ---- */

static size_t count(const struct diff *diff, enum difference_kind kind)
{
	size_t n = 0;
	for (size_t i = 0; i < diff->found.n; i++)
		n += diff->found.list[i].kind == kind;
	return n;
}

static void print_one(const struct diff *diff, const struct difference *d)
{
	struct text text = { 0 };
	text_puts(&text, "  ");
	add_target(&text, d);
	text_puts(&text, d->staged ? "   (at stage log)" : "");
	AUTO_FREE char *target = escape_dup(text.s, text.len);
	text.len = 0;
	changes_add_verdict(&text, diff->before, &d->before);
	AUTO_FREE char *was = escape_dup(text.s, text.len);
	text.len = 0;
	changes_add_verdict(&text, diff->after, &d->after);
	AUTO_FREE char *is = escape_dup(text.s, text.len);
	printf("%s\n      was %s\n      now %s\n", target, was, is);
	free(text_take(&text));
}

static void print_kind(const struct diff *diff, enum difference_kind kind)
{
	static const char *const colors[] = {
		[DIFFERENCE_DENIED] = COLOR_RED, [DIFFERENCE_ALLOWED] = COLOR_YELLOW, [DIFFERENCE_OTHER] = COLOR_BOLD,
	};
	size_t n = count(diff, kind);
	bool color = diff->cli->color_out && n;
	if (!n && kind == DIFFERENCE_OTHER)
		return;
	printf("%s%s%s  %zu\n", color ? colors[kind] : "", headings[kind], color ? COLOR_OFF : "", n);
	for (size_t i = 0; i < diff->found.n; i++)
		if (diff->found.list[i].kind == kind)
			print_one(diff, &diff->found.list[i]);
}

static void print_text(const struct diff *diff)
{
	char before[300], after[300];
	printf("%s -> %s\n", changes_name(diff->before, before, sizeof(before)), changes_name(diff->after, after, sizeof(after)));
	for (int kind = DIFFERENCE_DENIED; kind <= DIFFERENCE_OTHER; kind++)
		print_kind(diff, (enum difference_kind)kind);
	if (diff->found.partial)
		printf("The search ended at its limit: there may be more.\n");
}

/* ---- JSON ---- */

static json_t *one_json(const struct diff *diff, const struct difference *d)
{
	json_t *object = json_pack("{s:b, s:o, s:o}", "staged", (int)d->staged, "before", changes_verdict_json(diff->before, &d->before),
				   "after", changes_verdict_json(diff->after, &d->after));
	if (d->witness) {
		json_object_set_new(object, "ops", changes_ops_json(d->ops));
		json_object_set_new(object, "witness", json_text(d->witness));
		return object;
	}
	const struct syscall_info *info = syscall_by_nr(d->nr);
	json_t *args = json_array();
	for (int i = 0; i < 6; i++) {
		char number[24];
		snprintf(number, sizeof(number), "0x%" PRIx64, d->args[i]);
		json_array_append_new(args, json_string(number));
	}
	json_object_set_new(object, "syscall", json_string(info ? info->name : "?"));
	json_object_set_new(object, "args", args);
	return object;
}

static void print_json(const struct diff *diff, int status)
{
	char before[300], after[300];
	json_t *answer = json_pack("{s:o, s:o, s:b}", "before", json_text(changes_name(diff->before, before, sizeof(before))), "after",
				   json_text(changes_name(diff->after, after, sizeof(after))), "partial", (int)diff->found.partial);
	for (int kind = DIFFERENCE_DENIED; kind <= DIFFERENCE_OTHER; kind++) {
		json_t *list = json_array();
		for (size_t i = 0; i < diff->found.n; i++)
			if (diff->found.list[i].kind == (enum difference_kind)kind)
				json_array_append_new(list, one_json(diff, &diff->found.list[i]));
		json_object_set_new(answer, keys[kind], list);
	}
	json_print("diff", answer, status);
}

/* ---- the verb ---- */

static int compare(struct diff *diff)
{
	int error = differences_find(&diff->found, diff->before, diff->after);
	if (error) {
		cli_error(diff->cli, "cannot compare: %s", strerror(-error));
		return CLI_UNREACHABLE;
	}
	int status = diff->found.n || diff->found.partial ? CLI_NO : CLI_OK;
	if (diff->cli->json)
		print_json(diff, status);
	else if (!diff->cli->quiet)
		print_text(diff);
	return status;
}

static int run(int argc, char **argv, struct cli *cli)
{
	struct diff diff = { .cli = cli };
	static const struct cli_load load = { .json = "diff" };
	int opt;
	while ((opt = cli_next(cli, &cli_verb_diff, argc, argv)) >= 0)
		;
	if (opt != CLI_END)
		return cli_stop(&cli_verb_diff, opt);
	if (argc - optind != 2)
		return cli_usage(cli, &cli_verb_diff, "which two policies?");
	int status = cli_load_policy(cli, argv[optind], &load, &diff.before);
	if (!status)
		status = cli_load_policy(cli, argv[optind + 1], &load, &diff.after);
	if (!status)
		status = compare(&diff);
	differences_free(&diff.found);
	policy_free(diff.before);
	policy_free(diff.after);
	return status;
}
