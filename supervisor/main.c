/* usher VERB ...: global options, then one verb. */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/style.h"
#include "err.h"

static int verb_unknown(const struct cli *cli, const char *name)
{
	const char *names[32] = { NULL };
	for (size_t i = 0; cli_verbs[i] && i + 1 < ARRAY_SIZE(names); i++)
		names[i] = cli_verbs[i]->name;
	const char *nearest = cli_nearest(name, names);
	if (nearest)
		cli_error(cli, "unknown verb '%s'; did you mean '%s'?", name, nearest);
	else
		cli_error(cli, "unknown verb '%s'", name);
	fprintf(stderr, "       there are:");
	for (size_t i = 0; names[i]; i++)
		fprintf(stderr, " %s", names[i]);
	fprintf(stderr, "\n");
	return CLI_USAGE;
}

static int usher(int argc, char **argv, struct cli *cli)
{
	int opt = cli_next(cli, NULL, argc, argv);
	if (opt != CLI_END)
		return cli_stop(NULL, opt);
	if (optind >= argc) {
		cli_help_print(stderr, false);
		return CLI_USAGE;
	}
	char **rest = argv + optind;
	int n = argc - optind;
	/* 0 makes getopt start over with another argv and read the shorts' "+" again. */
	optind = 0;
	for (size_t i = 0; cli_verbs[i]; i++) {
		if (strcmp(cli_verbs[i]->name, rest[0]) == 0)
			return cli_verbs[i]->run(n, rest, cli);
	}
	return verb_unknown(cli, rest[0]);
}

static void handled(int signal)
{
	(void)signal;
}

/* What goes beyond RLIMIT_FSIZE is then an error of write(2) that can be told. A handler, which no program inherits. */
static void handle_size_limit(void)
{
	struct sigaction action = { .sa_handler = handled, .sa_flags = SA_RESTART }, was;

	if (!sigaction(SIGXFSZ, NULL, &was) && was.sa_handler == SIG_DFL)
		(void)sigaction(SIGXFSZ, &action, NULL);
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	handle_size_limit();
	(void)setlocale(LC_CTYPE, "");
	cli_colors(&cli, "auto");
	int status = usher(argc, argv, &cli);
	cli_vars_free(&cli);
	/* A full disk under `usher check >file` must not look like an answer. */
	bool failed = ferror(stdout);
	if ((fflush(stdout) != 0 || failed) && status <= CLI_NO) {
		cli_error(&cli, "cannot write: %s", failed ? "standard output took only a part" : strerror(errno));
		status = CLI_UNREACHABLE;
	}
	return status;
}
