/* usher shadow: a candidate decides beside the policy of a program that runs. */
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "json_get.h"
#include "remote.h"

static const struct cli_option options[] = { { NULL, 0, NULL, NULL } };

static int run(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_shadow = {
	.name = "shadow",
	.usage = "set NAME FILE | status [NAME] | diff [NAME] | clear [NAME]",
	.summary = "let a candidate decide beside the policy of a running program",
	.details =
		"set: both policies decide each call from now on, and only the one that is enforced has any effect. diff: what the\n"
		"candidate would have denied or allowed that the other does not, how often, and by which rule on each side; and which of its\n"
		"rules no call has needed yet. What the running program's filter lets pass is not compared, which set says.\n"
		"NAME is as of usher reload.\n"
		"\n"
		"Exit status: 0; diff: 1 if anything differs; 1 there is no shadow; 2 usage; 3 the candidate is invalid; 5 a supervisor cannot be\n"
		"reached, or a file not be read.",
	.examples = { "usher shadow set web ./web-next.policy", "usher shadow diff web" },
	.options = options,
	.run = run,
};

static void print_changes(const json_t *shadow, const char *change, const char *title, long long calls)
{
	const json_t *entry;
	size_t i, n = 0;

	json_array_foreach(json_object_get(shadow, "changes"), i, entry)
		n += !strcmp(json_text_of(entry, "change"), change);
	printf("  newly %-8s %4zu accesses  %lld calls\n", title, n, calls);
	json_array_foreach(json_object_get(shadow, "changes"), i, entry)
		if (!strcmp(json_text_of(entry, "change"), change))
			printf("    %-48s %8lld  now %s\n    %-48s %8s  was %s\n", json_text_of(entry, "access"), json_number_of(entry, "count"), json_text_of(entry, "now"), "",
			       "", json_text_of(entry, "was"));
}

static void print_shadow(const json_t *answer, bool diff)
{
	const json_t *shadow = json_object_get(answer, "shadow"), *where;
	size_t i;

	printf("%.7s enforced, %s@%.7s shadow: %lld calls, %lld newly denied, %lld newly allowed\n", json_text_of(answer, "enforced"),
	       json_text_of(shadow, "policy"), json_text_of(shadow, "digest"), json_number_of(shadow, "calls"), json_number_of(shadow, "denied"), json_number_of(shadow, "allowed"));
	if (diff) {
		print_changes(shadow, "denied", "DENIED", json_number_of(shadow, "denied"));
		print_changes(shadow, "allowed", "ALLOWED", json_number_of(shadow, "allowed"));
		if (json_number_of(shadow, "not_listed"))
			printf("  and %lld calls of more different accesses than are kept\n", json_number_of(shadow, "not_listed"));
	}
	printf("  rules of the candidate exercised: %lld of %lld", json_number_of(shadow, "rules_used"), json_number_of(shadow, "rules"));
	json_array_foreach(json_object_get(shadow, "unused"), i, where)
		if (i < 8)
			printf("%s%s", i ? ", " : "   not yet: ", json_string_value(where));
	printf("%s\n", json_array_size(json_object_get(shadow, "unused")) > 8 ? " ..." : "");
}

static int ask(struct cli *cli, const char *what, const char *who, const char *file)
{
	struct remotes remotes = { 0 };
	const struct remote *one = NULL;
	json_t *request, *answer = NULL;
	int status = remotes_find(cli, &remotes);

	if (!status)
		one = remotes_pick(cli, &remotes, who, &status);
	if (one) {
		request = json_pack("{s:s, s:s, s:s*}", "verb", "shadow", "what", what, "path", file);
		status = remote_do(cli, one, request, &answer);
		if (answer && !cli->json && !cli->quiet && !json_object_get(answer, "error")) {
			if (!strcmp(what, "set"))
				printf("%s: %.12s decides beside it from now on; usher shadow diff %s\n", one->name, json_text_of(answer, "digest"), one->name);
			else if (strcmp(what, "clear") != 0)
				print_shadow(answer, !strcmp(what, "diff"));
		}
	}
	json_decref(answer);
	remotes_free(&remotes);
	return status;
}

static int run(int argc, char **argv, struct cli *cli)
{
	static const char *const known[] = { "set", "status", "diff", "clear", NULL };
	char path[PATH_MAX];
	int opt = cli_next(cli, &cli_verb_shadow, argc, argv), n;
	const char *what;

	if (opt != CLI_END)
		return cli_stop(&cli_verb_shadow, opt);
	n = argc - optind;
	what = argv[optind];
	for (size_t i = 0; what && known[i]; i++) {
		bool set = i == 0;

		if (strcmp(known[i], what) != 0)
			continue;
		if (set ? n != 3 : n > 2)
			break;
		if (set && !realpath(argv[optind + 2], path)) {
			cli_error(cli, "%s cannot be found; a candidate is named by its file", argv[optind + 2]);
			return CLI_UNREACHABLE;
		}
		return ask(cli, what, n > 1 ? argv[optind + 1] : NULL, set ? path : NULL);
	}
	return cli_usage(cli, &cli_verb_shadow, "set NAME FILE, status [NAME], diff [NAME] or clear [NAME]");
}
