/*
 * usher run: options, policy, plan, filter, then the tree.
 *
 * What can be found wrong is found before the first fork. After it the child waits, filtered, until somebody serves its
 * listener; if that fails it is told to end, and nothing of the program has run.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.h"
#include "call.h"
#include "child_limits.h"
#include "cli.h"
#include "err.h"
#include "fd.h"
#include "filter.h"
#include "launch.h"
#include "loop.h"
#include "plan.h"
#include "run_fds.h"
#include "run_user.h"
#include "sandbox.h"
#include "session.h"

enum {
	OPT_MODE = CLI_LONG, OPT_AUDIT, OPT_SET, OPT_USER, OPT_CHDIR, OPT_PASS_FD, OPT_SUMMARY, OPT_NO_LANDLOCK,
};

static const struct cli_option options[] = {
	{ "policy", 'p', "POLICY", "the policy: a name, or a file if it has a '/'" },
	{ "mode", OPT_MODE, "MODE", "enforce, or log: all but forbid is only logged" },
	{ "audit", OPT_AUDIT, "FILE", "where records go; overrides audit { log }" },
	{ "set", OPT_SET, "NAME=VALUE", "set a variable of the policy; may be repeated" },
	{ "user", OPT_USER, "USER[:GROUP]", "run the program as this user (root only)" },
	{ "chdir", OPT_CHDIR, "DIR", "change to this directory first" },
	{ "pass-fd", OPT_PASS_FD, "N", "keep descriptor N open for the program; may be repeated" },
	{ "summary", OPT_SUMMARY, NULL, "end with two lines about denials, also without a terminal" },
	{ "no-landlock", OPT_NO_LANDLOCK, NULL, "do without the second layer" },
	{ NULL, 0, NULL, NULL },
};

const struct cli_verb cli_verb_run = {
	.name = "run",
	.usage = "-p POLICY [OPTIONS] -- PROGRAM [ARG]...",
	.summary = "start a program under a policy",
	.details =
		"The program, and all that it starts, is confined for as long as it lives; usher stays until the last of\n"
		"them has ended. Signals sent to usher reach the program, the terminal and job control work as without it.\n"
		"Descriptors other than 0, 1, 2, those of --pass-fd and of socket activation are closed. With --user,\n"
		"HOME, USER and LOGNAME are that user's. On a terminal each denial is one line on stderr.\n"
		"\n"
		"Exit status: the program's own; 128+N if signal N killed it; 125 if usher failed before the program\n"
		"started (a wrong option, an invalid policy, something that cannot be enforced here); 126 if the program\n"
		"cannot be executed; 127 if it was not found.",
	.examples = { "usher run -p web -- nginx -g 'daemon off;'", "usher run -p ./my.policy --mode log --audit my.jsonl -- make" },
	.options = options,
	.stops = true,
	.run = cmd_run,
};

struct run {
	struct cli cli;
	const char *policy_name, *audit_file, *chdir;
	bool mode_log, summary, no_landlock;
	struct cli_vars vars;
	struct run_user user;
	struct run_fds fds;
	char **argv;

	struct policy *policy;
	struct kernel kernel;
	struct plan plan;
	struct limits limits;
	struct filter filter;
	int landlock;
	struct agent_limit rlimits[3];
	char **envp;		/* owned; entries borrowed but for those in .own */
	char *own[4];
	struct agent_plan agent;

	struct launch launch;
	struct loop *loop;
	struct audit *audit;
	struct sandbox *sandbox;
	struct session session;
};

/* ---- options -------------------------------------------------------------------------------- */

static int option(struct run *run, int opt)
{
	switch (opt) {
	case 'p':
		run->policy_name = optarg;
		return 0;
	case OPT_MODE:
		if (strcmp(optarg, "log") != 0 && strcmp(optarg, "enforce") != 0)
			return cli_usage(&run->cli, &cli_verb_run, "--mode is enforce or log, not '%s'", optarg);
		run->mode_log = strcmp(optarg, "log") == 0;
		return 0;
	case OPT_AUDIT:
		run->audit_file = optarg;
		return 0;
	case OPT_SET:
		return cli_vars_add(&run->cli, &cli_verb_run, &run->vars, optarg) ? CLI_RUN_FAILED : 0;
	case OPT_USER:
		return run_user_parse(&run->user, optarg, &run->cli);
	case OPT_CHDIR:
		run->chdir = optarg;
		return 0;
	case OPT_PASS_FD:
		return run_fds_add(&run->fds, optarg, &run->cli);
	case OPT_SUMMARY:
		run->summary = true;
		return 0;
	case OPT_NO_LANDLOCK:
		run->no_landlock = true;
		return 0;
	default:
		return CLI_RUN_FAILED;
	}
}

static int read_options(struct run *run, int argc, char **argv, bool *done)
{
	int opt;
	while ((opt = cli_next(&run->cli, &cli_verb_run, argc, argv)) >= 0) {
		int status = option(run, opt);
		if (status)
			return status;
	}
	*done = opt == CLI_DONE;
	if (opt != CLI_END)
		return cli_stop(&cli_verb_run, opt);
	if (!run->policy_name)
		return cli_usage(&run->cli, &cli_verb_run, "which policy? -p NAME or -p ./FILE");
	if (optind >= argc)
		return cli_usage(&run->cli, &cli_verb_run, "which program?");
	run->argv = argv + optind;
	return 0;
}

/* ---- what is prepared before the forks ------------------------------------------------------ */

static int fail(const struct run *run, const char *what, int error)
{
	cli_error(&run->cli, "%s: %s", what, strerror(-error));
	return CLI_RUN_FAILED;
}

static int load(struct run *run)
{
	const char *lacks = NULL;
	struct cli_load how = { .vars = &run->vars, .mode_log = run->mode_log, .audit_file = run->audit_file };
	if (cli_load_policy(&run->cli, run->policy_name, &how, &run->policy) != 0)
		return CLI_RUN_FAILED;
	if (probe_kernel(&run->kernel, &lacks) < 0) {
		cli_error(&run->cli, "this kernel lacks %s", lacks ? lacks : "what usher needs");
		return CLI_RUN_FAILED;
	}
	return 0;
}

static int make_plan(struct run *run)
{
	struct policy_diags diags = { 0 };
	struct filter_row *rows = NULL;
	size_t n = 0;
	int result = plan_make(&run->plan, run->policy, &run->kernel, run->no_landlock, &diags);
	bool refused = result == -EOPNOTSUPP;
	if (result == 0)
		result = call_filter_rows(&run->plan, &rows, &n);
	if (result == 0)
		result = filter_compile(run->policy, rows, n, &run->filter, &diags);
	free(rows);
	(void)limits_read(&run->limits, run->policy, &diags);
	if (diags.errors || !run->cli.quiet)
		policy_diags_print(&diags, run->policy, stderr, run->cli.color_err);
	policy_diags_free(&diags);
	if (refused)
		cli_error(&run->cli, "policy '%s' asks for what cannot be enforced; nothing was started", run->policy_name);
	else if (result < 0)
		return fail(run, "cannot make the filter", result);
	return result < 0 ? CLI_RUN_FAILED : 0;
}

static int make_landlock(struct run *run)
{
	bool needed = false;
	int ruleset = plan_landlock(&run->plan, &needed);
	if (needed && ruleset < 0)
		return fail(run, "cannot make the Landlock rules", ruleset);
	run->landlock = needed ? ruleset : -1;
	return 0;
}

static bool privileged(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	return geteuid() == 0 || (syscall(SYS_capget, &header, data) == 0 && (data[0].permitted || data[1].permitted));
}

static int make_limits(struct run *run)
{
	size_t n = 0;
	struct rlimit now;
	const struct limits *limits = &run->limits;
	uid_t uid = run->user.set ? run->user.uid : geteuid();
	if (limits->files) {
		if (getrlimit(RLIMIT_NOFILE, &now) == 0 && limits->files > now.rlim_max && geteuid() != 0) {
			cli_error(&run->cli, "limits { files %llu; } is above the hard limit of %llu (ulimit -Hn)",
				  (unsigned long long)limits->files, (unsigned long long)now.rlim_max);
			return CLI_RUN_FAILED;
		}
		run->rlimits[n++] = (struct agent_limit){ RLIMIT_NOFILE, { limits->files, limits->files } };
	}
	if (limits->processes && uid == 0) {
		cli_error(&run->cli, "limits { processes } does not hold for root; run the program as another user (--user) or take it out");
		return CLI_RUN_FAILED;
	}
	if (limits->processes)
		run->rlimits[n++] = (struct agent_limit){ RLIMIT_NPROC, { limits->processes, limits->processes } };
	if (limits->memory)
		run->rlimits[n++] = (struct agent_limit){ RLIMIT_AS, { limits->memory, limits->memory } };
	run->agent.limits = run->rlimits;
	run->agent.n_limits = n;
	return 0;
}

static int own_variable(struct run *run, size_t *n, const char *name, const char *value)
{
	size_t len = strlen(name), slot = 0;
	while (run->own[slot])
		slot++;
	ASSERT(slot < ARRAY_SIZE(run->own));
	if (asprintf(&run->own[slot], "%s=%s", name, value) < 0) {
		run->own[slot] = NULL;
		return -ENOMEM;
	}
	for (size_t i = 0; i < *n; i++)
		if (strncmp(run->envp[i], name, len) == 0 && run->envp[i][len] == '=') {
			run->envp[i] = run->own[slot];
			return 0;
		}
	run->envp[(*n)++] = run->own[slot];
	return 0;
}

static int make_environment(struct run *run)
{
	size_t n = 0;
	int result = 0;
	while (environ[n])
		n++;
	run->envp = calloc(n + 1 + ARRAY_SIZE(run->own), sizeof(*run->envp));
	if (!run->envp)
		return -ENOMEM;
	memcpy(run->envp, environ, n * sizeof(*run->envp));
	if (run->fds.activation) {
		result = own_variable(run, &n, "LISTEN_PID", "00000000000");	/* room for any number */
		run->agent.listen_pid = result == 0 ? strchr(run->own[0], '=') + 1 : NULL;
	}
	if (result == 0 && run->user.set && run->user.name) {
		result = own_variable(run, &n, "HOME", run->user.home);
		if (result == 0)
			result = own_variable(run, &n, "USER", run->user.name);
		if (result == 0)
			result = own_variable(run, &n, "LOGNAME", run->user.name);
	}
	return result;
}

static int prepare(struct run *run)
{
	int status = make_plan(run);
	if (status == 0)
		status = make_landlock(run);
	if (status == 0)
		status = make_limits(run);
	if (status)
		return status;
	int result = make_environment(run);
	if (result < 0)
		return fail(run, "environment", result);
	struct agent_plan *agent = &run->agent;
	agent->program = run->argv[0];
	agent->path = getenv("PATH");
	agent->argv = run->argv;
	agent->envp = run->envp;
	agent->chdir = run->chdir;
	agent->set_user = run->user.set;
	agent->uid = run->user.uid;
	agent->gid = run->user.gid;
	agent->groups = run->user.groups;
	agent->n_groups = run->user.n_groups;
	agent->privileged = privileged();
	agent->capabilities = run->limits.capabilities;
	agent->landlock = run->landlock;
	agent->filter = (struct sock_fprog){ .len = run->filter.len, .filter = run->filter.insns };
	agent->filter_flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	agent->pass = run->fds.list;
	agent->n_pass = run->fds.n;
	agent->activation = run->fds.activation;
	return 0;
}

/* ---- the tree ------------------------------------------------------------------------------- */

/* Does the policy deny exec of the program, as far as we can tell from outside? */
static bool exec_denied(const struct run *run)
{
	char found[PATH_MAX], resolved[PATH_MAX];
	if (agent_lookup(run->argv[0], run->agent.path, found, sizeof(found)) < 0 || !realpath(found, resolved))
		return false;
	struct policy_decision decision = policy_decide_path(run->policy, OP_BIT(OP_EXEC), resolved, strlen(resolved));
	return policy_denies(&decision.enforced);
}

static void exec_failed(const struct run *run, int error, bool found)
{
	const char *name = run->argv[0];
	if (!found && error == ENOENT)
		cli_error(&run->cli, "%s: %s", name, strchr(name, '/') ? "no such file" : "not found in PATH");
	else if (found && exec_denied(run))
		cli_error(&run->cli, "%s: the policy denies exec of it (%s)", name, strerror(error));
	else if (found && error == ENOENT)
		cli_error(&run->cli, "%s: it is there, but its interpreter or loader is missing or denied", name);
	else if (found && (error == EACCES || error == EPERM))
		cli_error(&run->cli, "%s: cannot be executed: %s (is execve, its interpreter or its loader denied? is it traced?)",
			  name, strerror(error));
	else
		cli_error(&run->cli, "%s: cannot be executed: %s", name, strerror(error));
}

/* How far the child came, when it did not become the program. */
static int child_failed(const struct run *run)
{
	const struct wire_page *page = run->launch.page;
	int error = atomic_load(&page->error);
	const char *reason = strerror(error);
	bool found = atomic_load(&page->listener) >= 0;
	switch (atomic_load(&page->failed_stage)) {
	case WIRE_LIMITS:
		cli_error(&run->cli, "cannot set the limits: %s", reason);
		break;
	case WIRE_PRIVILEGES:
		cli_error(&run->cli, "cannot give up privileges: %s", reason);
		break;
	case WIRE_CHDIR:
		cli_error(&run->cli, "--chdir %s: %s", run->chdir, reason);
		break;
	case WIRE_LANDLOCK:
		cli_error(&run->cli, "Landlock: %s", reason);
		break;
	case WIRE_FILTER:
		cli_error(&run->cli, error == EBUSY ? "another supervisor watches this process already: usher cannot run under it (%s)" :
						      "the kernel does not take the filter: %s", reason);
		break;
	case WIRE_EXEC:
		exec_failed(run, error, found);
		return error == ENOENT && !found ? CLI_RUN_MISSING : CLI_RUN_CANNOT;
	default:
		cli_error(&run->cli, "cannot start a process: %s", reason);
	}
	return CLI_RUN_FAILED;
}

static int launch_failed(const struct run *run, int error)
{
	const struct wire_page *page = run->launch.page;
	if (page && atomic_load(&page->stage) == WIRE_FAILED)
		return child_failed(run);
	if (page && atomic_load(&page->exited) && WIFSIGNALED(atomic_load(&page->status)))
		return 128 + WTERMSIG(atomic_load(&page->status));
	return fail(run, "cannot start a process", error);
}

static int exit_status(const struct run *run)
{
	const struct wire_page *page = run->launch.page;
	int status = atomic_load(&page->status);
	if (!atomic_load(&page->exited)) {
		cli_error(&run->cli, "the guardian process was killed; so was the program");
		return CLI_RUN_FAILED;
	}
	if (atomic_load(&page->stage) == WIRE_FAILED)
		return child_failed(run);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int open_audit(struct run *run)
{
	const struct policy_setting *level = policy_setting(run->policy, "audit", "level");
	const char *file = cli_audit_file(run->policy, run->audit_file);
	bool terminal = isatty(STDERR_FILENO) && !run->cli.quiet;
	struct audit_options how = {
		.file = file,
		.all = level && level->n_words && strcmp(level->words[0], "all") == 0,
		.terminal = terminal || (!run->cli.quiet && (run->cli.verbose || run->cli.json)),
		.json = run->cli.json,
		.summary = run->summary || terminal,
		.uid = getuid(),
		.vars = run->vars.list,
		.n_vars = run->vars.n,
	};
	int result = loop_new(&run->loop, 256);
	if (result < 0)
		return fail(run, "io_uring", result);
	result = audit_new(&run->audit, run->loop, run->policy, &how);
	return result < 0 ? fail(run, file ? file : "audit", result) : 0;
}

static int serve(struct run *run)
{
	struct sandbox_options how = {
		.listener = fd_take(&run->launch.listener),
		.guardian = run->launch.guardian,
		.plan = &run->plan,
		.loop = run->loop,
		.audit = run->audit,
		.gone = session_gone,
		.ctx = &run->session,
	};
	int result = sandbox_open(&run->sandbox, &how);
	if (result == 0)
		result = session_start(&run->session, run->loop, &run->launch);
	if (result < 0)
		return fail(run, "cannot serve", result);
	run_fds_close(&run->fds);
	audit_event(run->audit, "start", run->argv[0]);
	launch_go(&run->launch);
	result = sandbox_run(run->sandbox);
	return result < 0 ? fail(run, "io_uring", result) : 0;
}

static int start(struct run *run)
{
	session_block(&run->agent.mask, &run->agent.sigchld_ignored);
	int result = launch_start(&run->launch, &run->agent, run->limits.kill_on_exit);
	int status = result < 0 ? launch_failed(run, result) : open_audit(run);
	if (status == 0)
		status = serve(run);
	bool served = status == 0;
	launch_end(&run->launch);
	if (served)
		status = exit_status(run);
	sandbox_close(run->sandbox);
	session_end(&run->session);
	if (run->audit) {
		char text[32];
		(void)snprintf(text, sizeof(text), "status %d", status);
		audit_event(run->audit, "stop", text);
	}
	audit_free(run->audit);
	loop_free(run->loop);
	return status;
}

static void run_free(struct run *run)
{
	cli_vars_free(&run->vars);
	run_user_free(&run->user);
	run_fds_free(&run->fds);
	filter_free(&run->filter);
	run->landlock = fd_close(run->landlock);
	free(run->envp);
	for (size_t i = 0; i < ARRAY_SIZE(run->own); i++)
		free(run->own[i]);
	policy_free(run->policy);
}

int cmd_run(int argc, char **argv, const struct cli *cli)
{
	struct run run = { .cli = *cli, .landlock = -1, .session = { .signals = -1 } };
	bool done = false;
	int status = read_options(&run, argc, argv, &done);
	if (status == 0 && !done)
		status = run_fds_settle(&run.fds, &run.cli);
	if (status == 0 && !done)
		status = load(&run);
	if (status == 0 && !done)
		status = prepare(&run);
	if (status == 0 && !done)
		status = start(&run);
	run_free(&run);
	return status;
}
