/*
 * usher run: options, policy, plan, filter, then the tree.
 *
 * What can be found wrong is found before the first fork. After it the child waits, filtered, until somebody serves its
 * listener; if that fails it is told to end, and nothing of the program has run.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "alert.h"
#include "audit.h"
#include "compiled.h"
#include "control/control.h"
#include "control/peer.h"
#include "control/socket.h"
#include "err.h"
#include "evidence/footprint.h"
#include "fd.h"
#include "joined.h"
#include "landlock_event.h"
#include "loop.h"
#include "probe.h"
#include "run.h"
#include "sandbox.h"

#define JOIN_MS 50	/* the kernel's records come a moment after the fact */

enum {
	OPT_MODE = CLI_LONG, OPT_AUDIT, OPT_RECORD, OPT_USER, OPT_CHDIR, OPT_PASS_FD, OPT_SUMMARY, OPT_NO_LANDLOCK, OPT_UNSHARE, OPT_MAP_SUBIDS, OPT_NAME,
	OPT_LAYERS
};

static const struct cli_option options[] = {
	CLI_OPTION_POLICY("the policy: a name, or a file if it has a '/'"),
	{ "mode", OPT_MODE, "MODE", "enforce, or log: all but forbid is only logged" },
	{ "audit", OPT_AUDIT, "FILE", "where records go; overrides audit { log }" },
	{ "record", OPT_RECORD, "FILE", "count every access in this footprint, for replay and learn" },
	CLI_OPTION_SET,
	{ "user", OPT_USER, "USER[:GROUP]", "run the program as this user (root only)" },
	{ "unshare", OPT_UNSHARE, "LIST", "namespaces of its own: user, mnt, pid, net, ipc, uts, cgroup" },
	{ "map-subids", OPT_MAP_SUBIDS, NULL, "with --unshare user: the ids of /etc/subuid and /etc/subgid as well" },
	{ "chdir", OPT_CHDIR, "DIR", "change to this directory first" },
	{ "pass-fd", OPT_PASS_FD, "N", "keep descriptor N open for the program; may be repeated" },
	{ "name", OPT_NAME, "NAME", "how usher ps and the other verbs call it; POLICY.PID otherwise" },
	{ "summary", OPT_SUMMARY, NULL, "end with two lines about denials, also without a terminal" },
	CLI_OPTION_LAYERS(OPT_LAYERS),
	{ "no-landlock", OPT_NO_LANDLOCK, NULL, "do without the second layer" },
	{ NULL, 0, NULL, NULL },
};

static int cmd_run(int argc, char **argv, struct cli *cli);

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

/* ---- options -------------------------------------------------------------------------------- */

static int option(struct run *run, int opt)
{
	switch (opt) {
	case OPT_MODE:
		if (strcmp(optarg, "log") != 0 && strcmp(optarg, "enforce") != 0)
			return cli_usage(run->cli, &cli_verb_run, "--mode is enforce or log, not '%s'", optarg);
		run->mode_log = strcmp(optarg, "log") == 0;
		return 0;
	case OPT_AUDIT:
		run->audit_file = optarg;
		return *optarg ? 0 : cli_usage(run->cli, &cli_verb_run, "--audit needs the name of a file");
	case OPT_RECORD:
		run->record_file = optarg;
		return *optarg ? 0 : cli_usage(run->cli, &cli_verb_run, "--record needs the name of a file");
	case OPT_USER:
		return run_user_parse(&run->user, optarg, run->cli);
	case OPT_UNSHARE:
		return run_unshare_parse(&run->namespaces, optarg, run->cli);
	case OPT_MAP_SUBIDS:
		run->map_subids = true;
		return 0;
	case OPT_CHDIR:
		run->chdir = optarg;
		return *optarg ? 0 : cli_usage(run->cli, &cli_verb_run, "--chdir needs the name of a directory");
	case OPT_PASS_FD:
		return run_fds_add(&run->fds, optarg, run->cli);
	case OPT_NAME:
		run->name = optarg;
		return control_name_good(optarg) ? 0 : cli_usage(run->cli, &cli_verb_run, "--name takes letters, digits, '.', '_' and '-', not '%s'", optarg);
	case OPT_SUMMARY:
		run->summary = true;
		return 0;
	case OPT_LAYERS:
		return compiled_layers(&run->layers, optarg, run->cli, &cli_verb_run);
	default:
		run->no_landlock = true;
		return 0;
	}
}

/* 0 with *DONE where only help was asked for. */
static int read_options(struct run *run, struct cli *cli, int argc, char **argv, bool *done)
{
	int opt;
	while ((opt = cli_next(cli, &cli_verb_run, argc, argv)) >= 0) {
		int status = option(run, opt);
		if (status)
			return status;
	}
	*done = opt == CLI_DONE;
	if (opt != CLI_END)
		return cli_stop(&cli_verb_run, opt);
	if (!cli->policy)
		return cli_usage(cli, &cli_verb_run, "which policy? -p NAME or -p ./FILE");
	if (optind >= argc)
		return cli_usage(cli, &cli_verb_run, "which program?");
	run->argv = argv + optind;
	return 0;
}

static int load(struct run *run)
{
	const char *lacks = NULL;
	const struct cli_load how = { .mode_log = run->mode_log, .audit_file = run->audit_file,
					.record_file = run->record_file };
	if (cli_load_policy(run->cli, run->cli->policy, &how, &run->policy) != 0)
		return CLI_RUN_FAILED;
	if (probe_kernel(&run->kernel, &lacks) < 0) {
		cli_error(run->cli, "this kernel lacks %s", lacks ? lacks : "what usher needs");
		return CLI_RUN_FAILED;
	}
	return 0;
}

/* ---- the tree ------------------------------------------------------------------------------- */

static int open_audit(struct run *run)
{
	const struct policy_setting *level = policy_setting(run->policy, "audit", "level");
	const char *file = cli_audit_file(run->policy, run->audit_file);
	bool terminal = isatty(STDERR_FILENO) && !run->cli->quiet;
	struct audit_options how = {
		.file = file,
		.all = level && level->n_words && strcmp(level->words[0], "all") == 0,
		.terminal = terminal || (!run->cli->quiet && (run->cli->verbose || run->cli->json)),
		.json = run->cli->json,
		.summary = run->summary,
		.reads_unseen = run->plan.reads == READS_TREES || run->plan.reads == READS_VIEW,
		.vars = run->cli->vars,
		.n_vars = run->cli->n_vars,
	};
	const char *command = alert_file(run->policy, 0);
	if (command && access(command, X_OK)) {
		cli_error(run->cli, "audit { alert command=%s }: %s", command, strerror(errno));
		return CLI_RUN_FAILED;
	}
	int result = loop_new(&run->loop, 256);
	if (result < 0)
		return run_fail(run, "io_uring", result);
	result = audit_new(&run->audit, run->loop, run->policy, &how);
	if (result < 0)
		cli_error(run->cli, "audit log %s: %s", file ? file : "", strerror(-result));
	return result < 0 ? CLI_RUN_FAILED : 0;
}

/* A second usher on this file, or something else in its place, is found before the program runs. */
static int open_record(struct run *run)
{
	struct footprint_start start = { .file = run->record_file, .program = run->argv[0], .policy = run->policy };
	if (!run->record_file)
		return 0;
	int result = footprint_open(&run->footprint, &start);
	if (result < 0) {
		cli_error(run->cli, "record %s: %s", run->record_file,
			  start.why ? start.why : result == -EBUSY ? "another usher records into it" : strerror(-result));
		return CLI_RUN_FAILED;
	}
	if (start.lost)
		cli_note(run->cli, "the last usher that recorded into %s was killed: %" PRIu64 " calls had not been written",
			 run->record_file, start.lost);
	return 0;
}

static void close_record(struct run *run, int status)
{
	uint64_t lost = footprint_close(run->footprint, status);
	if (lost)
		cli_warn(run->cli, "%" PRIu64 " calls could not be written to %s", lost, run->record_file);
}

/* 0 where it is ours. */
static int program_root(const struct run *run)
{
	char path[40];
	if (!(run->namespaces & (CLONE_NEWNS | CLONE_NEWPID)) && !run->view.n)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/root", atomic_load(&run->launch.page->child));
	int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -errno : root;
}

/* Without a socket there are no verbs for the program, which is wrong only if a name was given to use them by. */
static int open_control(struct run *run)
{
	const char *what = NULL;
	const struct control_options how = {
		.name = run->name,
		.program = run->argv[0],
		.sandbox = run->sandbox,
		.loop = run->loop,
		.audit = run->audit,
		.audit_file = run->audit_file,
		.audit_open = cli_audit_file(run->policy, run->audit_file),
		.record_file = run->record_file,
		.vars = run->cli->vars,
		.n_vars = run->cli->n_vars,
		.mode_log = run->mode_log,
		.no_landlock = run->no_landlock,
		.layers = run->layers,
	};
	int result = control_open(&run->control, &how, &what);
	if (result < 0 && run->name) {
		cli_error(run->cli, "--name %s: %s (%s)", run->name, what, strerror(-result));
		return result;
	}
	if (result < 0 && run->cli->verbose)
		cli_note(run->cli, "no control socket: %s (%s)", what, strerror(-result));
	return 0;
}

/* What the filter does by itself is in the kernel's log alone, where that cannot be read. */
static void open_kernel_log(struct run *run)
{
	int result = kernel_log_open(&run->kernel_log, run->loop, &joined_to, run->sandbox);
	bool decides = run->plan.reads == READS_TREES || run->plan.ports;
	const char *unseen = decides ? landlock_unseen(run->kernel.landlock_abi) : NULL;
	run->landlock_seen = decides && !unseen;
	if (unseen && run->cli->verbose)
		cli_note(run->cli, "what Landlock denies is in no record: %s", unseen);
	if (result < 0 && joined_wanted(&run->filter) && !run->cli->quiet)
		cli_note(run->cli, "of calls that never reach usher (write, mmap, ...) what rules at stage log would deny is in the kernel's log alone, "
				   "which cannot be read here (%s)", strerror(-result));
}

static bool reopen_audit(void *audit)
{
	return audit_reopen(audit);
}

/* It is not, below the mount that somebody's chroot(2) left us in: paths would not be what the policy calls them. */
static bool is_root(int fd)
{
	char link[32], path[2];
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return readlink(link, path, sizeof(path)) == 1 && path[0] == '/';
}

static int serve(struct run *run)
{
	int root = program_root(run);
	if (root < 0)
		return run_fail(run, "cannot reach the program's mount namespace", root);
	if (root > 0 && !is_root(root)) {
		fd_close(root);
		cli_error(run->cli, "nothing was started: usher is in a chroot(2) itself, where it cannot give a program a mount namespace");
		return CLI_RUN_FAILED;
	}
	struct sandbox_options how = {
		.listener = fd_take(&run->launch.listener),
		.root = root,
		.guardian = run->launch.guardian,
		.child = atomic_load(&run->launch.page->child),
		.plan = &run->plan,
		.loop = run->loop,
		.audit = run->audit,
		.footprint = run->footprint,
		.gone = session_gone,
		.ctx = &run->session,
	};
	control_dir_make();
	int result = sandbox_open(&run->sandbox, &how);
	if (result == 0 && open_control(run))
		return CLI_RUN_FAILED;
	if (result == 0)
		result = session_start(&run->session, run->loop, &run->launch);
	if (result < 0)
		return run_fail(run, "cannot serve", result);
	if (audit_has_file(run->audit)) {
		run->session.reopen = reopen_audit;
		run->session.reopen_ctx = run->audit;
	}
	open_kernel_log(run);
	run_fds_close(&run->fds);
	audit_event(run->audit, "start", run->argv[0]);
	launch_go(&run->launch);
	result = sandbox_run(run->sandbox);
	return result < 0 ? run_fail(run, "io_uring", result) : 0;
}

static int start(struct run *run)
{
	session_block(&run->agent.mask, &run->agent.sigchld_ignored);
	(void)prctl(PR_SET_NAME, PEER_SUPERVISOR);
	int result = launch_start(&run->launch, &run->agent, run->limits.kill_on_exit);
	int status = result < 0 ? run_launch_failed(run, result) : open_audit(run);
	if (status == 0)
		status = open_record(run);
	if (status == 0)
		status = serve(run);
	bool served = status == 0;
	launch_end(&run->launch);
	if (served)
		status = run_ended(run);
	control_close(run->control);
	kernel_log_close(run->kernel_log, joined_wanted(&run->filter) || run->landlock_seen ? JOIN_MS : 0);
	sandbox_close(run->sandbox);
	close_record(run, status);
	session_end(&run->session);
	if (run->audit) {
		char text[32];
		(void)snprintf(text, sizeof(text), "status %d", status);
		audit_event(run->audit, "stop", text);
	}
	audit_free(run->audit);
	loop_free(run->loop);
	control_free(run->control);
	return status;
}

static void run_free(struct run *run)
{
	run_user_free(&run->user);
	run_fds_free(&run->fds);
	filter_free(&run->filter);
	view_free(&run->view);
	free(run->cwd);
	run->landlock = fd_close(run->landlock);
	free(run->envp);
	for (size_t i = 0; i < ARRAY_SIZE(run->own); i++)
		free(run->own[i]);
	policy_free(run->policy);
}

static int cmd_run(int argc, char **argv, struct cli *cli)
{
	struct run run = { .cli = cli, .landlock = -1, .root = geteuid() == 0, .session = { .signals = -1 } };
	bool done = false;
	int status = read_options(&run, cli, argc, argv, &done);
	if (status == 0 && !done)
		status = run_fds_settle(&run.fds, cli);
	if (status == 0 && !done)
		status = load(&run);
	if (status == 0 && !done)
		status = run_unshare(&run);
	if (status == 0 && !done)
		status = run_prepare(&run);
	if (status == 0 && !done)
		status = start(&run);
	run_free(&run);
	return status;
}
