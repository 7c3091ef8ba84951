/* usher ps: what runs under usher, and how far its policy has come. */
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "escape.h"
#include "fd.h"
#include "json_get.h"
#include "remote.h"
#include "text.h"

static const struct cli_option options[] = { { NULL, 0, NULL, NULL } };

static int run(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_ps = {
	.name = "ps",
	.usage = "[NAME]",
	.summary = "list the programs that run under usher, and their policies",
	.details =
		"One line a program: its name (usher run --name), the supervisor's number, the policy with its digest, the mode,\n"
		"how long it has been up, calls that were decided, denials and would-be denials, and how many rules are at which stage.\n"
		"With NAME, or -v, how loose it was launched as well: what no reload can tighten or loosen any more.\n"
		"\n"
		"Exit status: 0; 5 a supervisor cannot be reached.",
	.examples = { "usher ps", "usher ps web --json" },
	.options = options,
	.run = run,
};

static void up_text(double up, char text[32])
{
	long seconds = (long)up;

	if (seconds >= 86400)
		(void)snprintf(text, 32, "%ldd%02ldh", seconds / 86400, seconds / 3600 % 24);
	else if (seconds >= 3600)
		(void)snprintf(text, 32, "%ldh%02ldm", seconds / 3600, seconds / 60 % 60);
	else
		(void)snprintf(text, 32, "%ldm%02lds", seconds / 60, seconds % 60);
}

static void print_launched(const json_t *ps)
{
	const json_t *launched = json_object_get(ps, "launched"), *line;
	size_t handled = json_array_size(json_object_get(launched, "landlock")), i;

	printf("    program  %s\n    file     %s\n", json_text_of(ps, "program"), json_text_of(ps, "policy_file"));
	printf("    launched %s, exec %s, Landlock refuses %zu rights%s, %lld rules sealed\n",
	       json_is_true(json_object_get(launched, "free")) ? "free: only a restart can confine it"
	       : json_is_true(json_object_get(launched, "topology_fixed")) ? "with chroot, mounts and namespaces refused"
									 : "with chroot, mounts and namespaces open",
	       json_is_true(json_object_get(launched, "exec_gate")) ? "behind the gate" : "not looked at", handled,
	       json_is_true(json_object_get(launched, "connects_by_landlock")) ? " and decides about TCP connects" : "", json_number_of(launched, "sealed"));
	if (json_object_get(ps, "panic"))
		printf("    panic    every rule is at log: %s\n", json_text_of(ps, "panic"));
	json_array_foreach(json_object_get(ps, "restart"), i, line)
		printf("    restart  %s\n", json_string_value(line));
}

static void print_one(const struct cli *cli, const struct remote *remote, bool details)
{
	const json_t *ps = remote->ps, *stages = json_object_get(ps, "stages"), *shadow = json_object_get(ps, "shadow"), *expires;
	size_t i;
	AUTO_FREE char *policy = text_printf("%s@%.7s", json_text_of(ps, "policy"), json_text_of(ps, "digest"));
	char up[32];

	if (remote->error) {
		cli_warn(cli, "%s: %s", remote->name, remote->error);
		return;
	}
	up_text(json_real_value(json_object_get(ps, "up")), up);
	printf("%-20s %7lld %-24s %-8s %-8s %10lld %8lld %8lld  enforce %lld, log %lld%s\n", remote->name, json_number_of(ps, "pid"), policy,
	       json_object_get(ps, "panic") ? "panic" : json_text_of(ps, "mode"), up, json_number_of(ps, "calls"), json_number_of(ps, "denied"),
	       json_number_of(ps, "would_deny"), json_number_of(stages, "deny") + json_number_of(stages, "trap") + json_number_of(stages, "kill"),
	       json_number_of(stages, "log"),
	       shadow ? ", shadow" : "");
	if (details)
		print_launched(ps);
	json_array_foreach(json_object_get(ps, "expires"), i, expires)
		cli_warn(cli, "%s: the rule %s %s on %s", remote->name, json_text_of(expires, "rule"), json_number_of(expires, "days") < 0 ? "expired" : "expires",
			 json_text_of(expires, "on"));
}

static int print_all(const struct cli *cli, const struct remotes *remotes, const struct remote *one)
{
	json_t *list = json_array();
	int status = CLI_OK;

	for (size_t i = 0; i < remotes->n; i++) {
		const struct remote *remote = &remotes->list[i];

		if (one && remote != one)
			continue;
		if (remote->error)
			status = CLI_UNREACHABLE;
		if (cli->json)
			(void)json_array_append_new(list, remote->error ? json_pack("{s:s, s:s}", "name", remote->name, "error", remote->error)
									: json_incref(remote->ps));
	}
	if (cli->json) {
		json_t *all = json_pack("{s:i, s:s, s:O, s:i}", "schema", 1, "verb", "ps", "supervisors", list, "status", status);

		json_dumpf(all, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(all);
	} else {
		if (!cli->quiet && remotes->n)
			printf("%-20s %7s %-24s %-8s %-8s %10s %8s %8s  %s\n", "NAME", "PID", "POLICY", "MODE", "UP", "CALLS", "DENIED", "WOULD",
			       "RULES");
		for (size_t i = 0; i < remotes->n; i++)
			if (!one || &remotes->list[i] == one)
				print_one(cli, &remotes->list[i], one || cli->verbose);
	}
	json_decref(list);
	return status;
}

static int run(int argc, char **argv, struct cli *cli)
{
	struct remotes remotes = { 0 };
	const struct remote *one = NULL;
	int opt = cli_next(cli, &cli_verb_ps, argc, argv), status;

	if (opt != CLI_END)
		return cli_stop(&cli_verb_ps, opt);
	if (argc - optind > 1)
		return cli_usage(cli, &cli_verb_ps, "'%s' is one operand too many", argv[optind + 1]);
	status = remotes_find(cli, &remotes);
	if (!status && optind < argc)
		one = remotes_pick(cli, &remotes, argv[optind], &status);
	if (one || (!status && optind == argc))
		status = print_all(cli, &remotes, one);
	remotes_free(&remotes);
	return status;
}
