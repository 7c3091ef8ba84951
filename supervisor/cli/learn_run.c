/*
 * The program under `run --mode log --record`: everything is let through and counted but what is forbidden. usher run is another
 * process, for it closes what it does not need, and reads its own options.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "cli/learn.h"

static bool unshares_mounts(const char *list)
{
	for (; list && *list; list += strcspn(list, ",") + (list[strcspn(list, ",")] != '\0'))
		if (strcspn(list, ",") == 3 && strncmp(list, "mnt", 3) == 0)
			return true;
	return false;
}

/* What would be refused as well in the end is refused now, so that the program shows how it does without. */
static int write_base(struct learning *learning)
{
	struct text text = { 0 };
	learning->base = text_printf("%s/learn.policy", learning->scratch);
	text_puts(&text, "syntax 1;\npolicy learn;\n");
	size_t before = text.len;
	learning_includes(learning->output, true, &text);
	if (text.len == before)
		cli_warn(learning->cli, "base/org.policy is not found: nothing is forbidden while learning");
	text_puts(&text, "files { default deny ENOENT; }\nnetwork { default deny ENETUNREACH; }\n");
	/* Elsewhere every mount is refused. */
	if (unshares_mounts(learning->unshare))
		text_puts(&text, "mounts { default deny EPERM; }\n");
	FILE *file = fopen(learning->base, "we");
	bool good = file && fwrite(text.s, 1, text.len, file) == text.len;
	good = file && fclose(file) == 0 && good;
	free(text_take(&text));
	if (!good)
		cli_error(learning->cli, "cannot write %s: %s", learning->base, strerror(errno));
	return good ? 0 : CLI_UNREACHABLE;
}

static const char **run_arguments(const struct learning *learning, int *n)
{
	size_t program = 0;
	while (learning->argv[program])
		program++;
	const char **list = mem_zero((24 + 2 * learning->n_pass + 2 * learning->cli->n_vars + program) * sizeof(*list));
	*n = 0;
	list[(*n)++] = "run";
	list[(*n)++] = "--quiet";
	list[(*n)++] = "--mode";
	list[(*n)++] = "log";
	list[(*n)++] = "--policy";
	list[(*n)++] = learning->update ? learning->update : learning->base;
	list[(*n)++] = "--record";
	list[(*n)++] = learning->footprint;
	const char *const options[][2] = { { "--user", learning->user }, { "--chdir", learning->chdir }, { "--unshare", learning->unshare } };
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i][1]) {
			list[(*n)++] = options[i][0];
			list[(*n)++] = options[i][1];
		}
	for (size_t i = 0; i < learning->n_pass; i++) {
		list[(*n)++] = "--pass-fd";
		list[(*n)++] = learning->pass[i];
	}
	for (size_t i = 0; learning->update && i < learning->cli->n_vars; i++) {
		list[(*n)++] = "--set";
		list[(*n)++] = text_printf("%s=%s", learning->cli->vars[i].name, learning->cli->vars[i].value);
	}
	list[(*n)++] = "--";
	for (size_t i = 0; i < program; i++)
		list[(*n)++] = learning->argv[i];
	return list;
}

/* What is sent to us is meant for the program. What the terminal sends, it gets by itself. */
static int wait_for(pid_t child, const sigset_t *set)
{
	int status;
	for (;;) {
		siginfo_t info;
		if (waitpid(child, &status, WNOHANG) == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (sigwaitinfo(set, &info) > 0 && info.si_signo != SIGCHLD && info.si_code <= 0)
			(void)kill(child, info.si_signo);
	}
}

static int run_once(const struct learning *learning)
{
	sigset_t set, before;
	struct cli cli = { .color_err = learning->cli->color_err };
	int n;
	const char **list = run_arguments(learning, &n);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, &before);
	(void)fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		optind = 0;
		_exit(cli_verb_run.run(n, (char **)(uintptr_t)list, &cli));
	}
	int status = child < 0 ? -errno : wait_for(child, &set);
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(list);
	return status;
}

int learning_run(struct learning *learning)
{
	int status = learning->update ? 0 : write_base(learning);
	for (unsigned i = 0; i < learning->runs && !status; i++) {
		int ended = run_once(learning);
		if (ended < 0 || (ended >= CLI_RUN_FAILED && ended <= CLI_RUN_MISSING)) {
			cli_error(learning->cli, "the program did not run");
			status = CLI_UNREACHABLE;
		} else if (ended) {
			learning->partial++;
			cli_note(learning->cli, "the program ended with status %d: what it did until then is learnt", ended);
		}
	}
	return status;
}
