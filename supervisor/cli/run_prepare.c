/* What is made of a policy and the options before the first fork: plan, filter, Landlock rules, limits, environment. */
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "diag.h"
#include "err.h"
#include "reads.h"
#include "run.h"

static int make_plan(struct run *run)
{
	struct policy_diags diags = { 0 };
	struct filter_row *rows = NULL;
	size_t n = 0;
	int result = plan_make(&run->plan, run->policy, &run->kernel, run->no_landlock, run->layers, &diags);
	bool refused = result == -EOPNOTSUPP;
	if (result == 0 && (run->record_file || (policy_setting(run->policy, "audit", "footprint") && cli_audit_file(run->policy, run->audit_file))))
		plan_record(&run->plan);
	else if (result == 0 && !run_fds_socket(&run->fds))
		plan_ports(&run->plan);
	if (result == 0 && run_fds_unix(&run->fds))
		reads_receive(&run->plan);
	if (result == 0)
		result = call_filter_rows(&run->plan, &rows, &n);
	if (result == 0)
		result = filter_compile(run->policy, rows, n, &run->filter, &diags);
	free(rows);
	policy_diags_sort(&diags);
	if (diags.errors || !run->cli->quiet)
		policy_diags_print(&diags, run->policy, stderr, run->cli->color_err);
	policy_diags_free(&diags);
	/* What is wrong with the limits plan_make() has said. */
	(void)limits_read(&run->limits, run->policy, &diags);
	policy_diags_free(&diags);
	if (refused)
		cli_error(run->cli, "policy '%s' asks for what cannot be enforced; nothing was started", run->cli->policy);
	else if (result < 0)
		return run_fail(run, "cannot make the filter", result);
	return result < 0 ? CLI_RUN_FAILED : 0;
}

static int make_landlock(struct run *run)
{
	bool needed = false;
	int ruleset = plan_landlock(&run->plan, &needed);
	if (needed && ruleset == -EAGAIN) {
		cli_error(run->cli, "nothing was started: what the policy lets be executed gets other interpreters (#!) while it is looked at; "
			  "start again when nobody writes there");
		return CLI_RUN_FAILED;
	}
	if (needed && ruleset < 0)
		return run_fail(run, "cannot make the Landlock rules", ruleset);
	run->landlock = needed ? ruleset : -1;
	return 0;
}

/* A directory that is open leads out of a view. */
static int check_open(const struct run *run, int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	cli_error(run->cli, "nothing was started: descriptor %d is an open directory, by which the program would come out of its view", fd);
	return CLI_RUN_FAILED;
}

static int make_view(struct run *run)
{
	struct landlock_trees trees = { 0 }, links = { 0 };
	int status = 0, result;
	if (run->plan.reads != READS_VIEW)
		return 0;
	for (int fd = 0; fd < 3 && status == 0; fd++)
		status = check_open(run, fd);
	for (size_t i = 0; i < run->fds.n && status == 0; i++)
		status = check_open(run, run->fds.list[i]);
	if (status == 0 && !run->plan.landlock && run_fds_unix(&run->fds)) {
		cli_error(run->cli, "nothing was started: the program is given a unix socket, over which directories may come, and without Landlock "
			  "nothing keeps it from what they hold");
		status = CLI_RUN_FAILED;
	}
	if (status)
		return status;
	result = reads_trees(&run->plan, &trees);
	if (result == 0)
		result = reads_links(&run->plan, &links);
	if (result == 0)
		result = view_make(&run->view, &trees, &links);
	landlock_trees_free(&trees);
	landlock_trees_free(&links);
	run->cwd = getcwd(NULL, 0);
	if (result == 0 && !run->chdir && !run->cli->quiet && !(run->cwd && view_has(&run->view, run->cwd)))
		cli_note(run->cli, "the program begins in /: where you are (%s) is not in its view", run->cwd ? run->cwd : "a directory that is gone");
	return result < 0 ? run_fail(run, "cannot make the view", result) : 0;
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
	uid_t uid = run->user.set ? run->user.uid : run->root ? 0 : 1;
	if (limits->files) {
		if (getrlimit(RLIMIT_NOFILE, &now) == 0 && limits->files > now.rlim_max && (!run->root || run->namespaces & CLONE_NEWUSER)) {
			cli_error(run->cli, "limits { files %llu; } is above the hard limit of %llu (ulimit -Hn)",
				  (unsigned long long)limits->files, (unsigned long long)now.rlim_max);
			return CLI_RUN_FAILED;
		}
		run->rlimits[n++] = (struct agent_limit){ RLIMIT_NOFILE, { limits->files, limits->files } };
	}
	if (limits->processes && uid == 0) {
		cli_error(run->cli, "limits { processes } does not hold for root; run the program as another user (--user) or take it out");
		return CLI_RUN_FAILED;
	}
	if (limits->processes)
		run->rlimits[n++] = (struct agent_limit){ RLIMIT_NPROC, { limits->processes, limits->processes } };
	if (limits->memory)
		run->rlimits[n++] = (struct agent_limit){ RLIMIT_AS, { limits->memory, limits->memory } };
	/* The kernel writes it where the program stands; only Landlock is asked, and has nothing to say in a view. */
	if ((!run->plan.landlock || run->plan.reads == READS_VIEW) && run->plan.confined & (OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE) | OP_BIT(OP_WRITE)))
		run->rlimits[n++] = (struct agent_limit){ RLIMIT_CORE, { 0, 0 } };
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

int run_prepare(struct run *run)
{
	int status = make_plan(run);
	if (status == 0)
		status = make_landlock(run);
	if (status == 0)
		status = make_view(run);
	if (status == 0)
		status = make_limits(run);
	if (status)
		return status;
	int result = make_environment(run);
	if (result < 0)
		return run_fail(run, "environment", result);
	struct agent_plan *agent = &run->agent;
	agent->program = run->argv[0];
	agent->path = getenv("PATH");
	agent->argv = run->argv;
	agent->envp = run->envp;
	agent->namespaces = run->namespaces;
	agent->view = run->view.list;
	agent->n_view = run->view.n;
	agent->cwd = run->cwd ? run->cwd : "/";
	agent->chdir = run->chdir;
	agent->set_user = run->user.set;
	agent->uid = run->user.uid;
	agent->gid = run->user.gid;
	agent->groups = run->user.groups;
	agent->n_groups = run->user.n_groups;
	agent->privileged = privileged();
	agent->capabilities = run->limits.capabilities;
	agent->new_privileges = run->plan.free && run->limits.capabilities == LIMITS_CAPABILITIES_ALL && !run->user.set;
	agent->landlock = run->landlock;
	/* What it denies is in the kernel's log, if anybody reads that. */
	agent->landlock_flags = run->kernel.landlock_abi >= 7 ? LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON : 0;
	agent->filter = (struct sock_fprog){ .len = run->filter.len, .filter = run->filter.insns };
	agent->filter_flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	agent->pass = run->fds.list;
	agent->n_pass = run->fds.n;
	agent->activation = run->fds.activation;
	return 0;
}
