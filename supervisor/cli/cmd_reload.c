/* usher reload and usher panic: another policy for a program that runs. */
#include <getopt.h>
#include <string.h>

#include "remote.h"

enum { OPT_EXPECT = CLI_LONG, OPT_MODE, OPT_FORCE, OPT_REASON };

static const struct cli_option reload_options[] = {
	{ "expect", OPT_EXPECT, "DIGEST", "only if the policy now has this digest (usher check says it)" },
	{ "mode", OPT_MODE, "MODE", "enforce, or log: all but forbid is only logged from now on" },
	{ "force", OPT_FORCE, NULL, "take what can be taken, although the program stays less confined; needs --reason" },
	{ "reason", OPT_REASON, "TEXT", "why, for the audit log" },
	{ NULL, 0, NULL, NULL },
};

static const struct cli_option panic_options[] = {
	{ "reason", OPT_REASON, "TEXT", "why, for the audit log" },
	{ NULL, 0, NULL, NULL },
};

static int run_reload(int argc, char **argv, struct cli *cli);
static int run_panic(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_reload = {
	.name = "reload",
	.usage = "[OPTIONS] [NAME]",
	.summary = "read the files of a running program's policy again",
	.details =
		"Each call is decided by the old policy or by the new one. A policy with an error changes nothing. What the kernel\n"
		"holds since launch (filter, Landlock, limits, what paths mean) cannot change: where the program would be less confined\n"
		"than the new policy says, nothing is changed; where it stays more confined, that is said: `needs restart`.\n"
		"NAME is that of usher ps, a supervisor's number, or the name or file of a policy.\n"
		"\n"
		"Exit status: 0; 1 needs restart, or another digest; 2 usage; 3 the policy is invalid; 4 it cannot be enforced here; 5 the\n"
		"supervisor cannot be reached, or a file not be read.",
	.examples = { "usher reload web", "usher reload web --expect sha256:77ab10e4..." },
	.options = reload_options,
	.run = run_reload,
};

const struct cli_verb cli_verb_panic = {
	.name = "panic",
	.usage = "[--reason TEXT] [NAME]",
	.summary = "put every rule of a running program's policy back to log, now",
	.details =
		"All but forbid is let through and only recorded from now on. The policy's files are neither read nor changed: a restart\n"
		"enforces them again, and so does usher reload. What the kernel holds by itself stays, and is said.\n"
		"\n"
		"Exit status: 0; 2 usage; 5 the supervisor cannot be reached.",
	.examples = { "usher panic web --reason 'deploy breaks'" },
	.options = panic_options,
	.run = run_panic,
};

static const char *digest_of(const char *word)
{
	return strncmp(word, "sha256:", 7) == 0 ? word + 7 : word;
}

static int ask(struct cli *cli, const struct cli_verb *verb, int argc, char **argv, json_t *request)
{
	struct remotes remotes = { 0 };
	const struct remote *one = NULL;
	json_t *answer = NULL;
	int status;

	if (argc - optind > 1) {
		json_decref(request);
		return cli_usage(cli, verb, "'%s' is one operand too many", argv[optind + 1]);
	}
	status = remotes_find(cli, &remotes);
	if (!status)
		one = remotes_pick(cli, &remotes, argv[optind], &status);
	if (!one) {
		json_decref(request);
	} else {
		status = remote_do(cli, one, request, &answer);
		if (!status && !cli->json && !cli->quiet)
			printf("%s: policy %.12s decides now%s\n", one->name, json_string_value(json_object_get(answer, "digest")),
			       verb == &cli_verb_panic ? ", every rule at log; usher reload ends that" : "");
	}
	json_decref(answer);
	remotes_free(&remotes);
	return status;
}

static int run_reload(int argc, char **argv, struct cli *cli)
{
	json_t *request = json_pack("{s:s}", "verb", "reload");
	bool force = false, reason = false;
	int opt;

	while ((opt = cli_next(cli, &cli_verb_reload, argc, argv)) >= 0) {
		if (opt == OPT_MODE && strcmp(optarg, "log") != 0 && strcmp(optarg, "enforce") != 0) {
			json_decref(request);
			return cli_usage(cli, &cli_verb_reload, "--mode is enforce or log, not '%s'", optarg);
		}
		if (opt == OPT_FORCE)
			(void)json_object_set_new(request, "force", json_true());
		else if (opt == OPT_EXPECT)
			(void)json_object_set_new(request, "expect", json_string(digest_of(optarg)));
		else
			(void)json_object_set_new(request, opt == OPT_MODE ? "mode" : "reason", json_string(optarg));
		force |= opt == OPT_FORCE;
		reason |= opt == OPT_REASON;
	}
	if (opt == CLI_END && (!force || reason))
		return ask(cli, &cli_verb_reload, argc, argv, request);
	json_decref(request);
	return opt != CLI_END ? cli_stop(&cli_verb_reload, opt) : cli_usage(cli, &cli_verb_reload, "--force needs --reason");
}

static int run_panic(int argc, char **argv, struct cli *cli)
{
	json_t *request = json_pack("{s:s}", "verb", "panic");
	int opt;

	while ((opt = cli_next(cli, &cli_verb_panic, argc, argv)) >= 0)
		if (opt == OPT_REASON)
			(void)json_object_set_new(request, "reason", json_string(optarg));
	if (opt == CLI_END)
		return ask(cli, &cli_verb_panic, argc, argv, request);
	json_decref(request);
	return cli_stop(&cli_verb_panic, opt);
}
