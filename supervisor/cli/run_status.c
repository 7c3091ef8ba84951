/* How a run ended: the program's own status, or why there is none. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "run.h"
#include "sandbox.h"

int run_fail(const struct run *run, const char *what, int error)
{
	cli_error(run->cli, "%s: %s", what, strerror(-error));
	return CLI_RUN_FAILED;
}

/* Does the policy deny exec of the program, as far as we can tell from outside? WHERE it does. */
static bool exec_denied(const struct run *run, char *where, size_t size)
{
	char found[PATH_MAX], resolved[PATH_MAX];
	if (agent_lookup(run->argv[0], run->agent.path, found, sizeof(found)) < 0 || !realpath(found, resolved))
		return false;
	struct policy_decision decision = policy_decide_path(run->policy, OP_BIT(OP_EXEC), resolved, strlen(resolved));
	const struct policy_rule *rule = decision.enforced.rule;
	struct policy_pos pos = rule ? rule->pos : run->policy->defaults[SECTION_FILES].pos;
	if (rule || pos.line)
		(void)policy_where(run->policy, pos, where, size);
	else
		(void)snprintf(where, size, "the default");
	return policy_denies(&decision.enforced);
}

static void exec_failed(const struct run *run, int error, bool found)
{
	const char *name = run->argv[0];
	char where[300];
	if (!found && error == ENOENT)
		cli_error(run->cli, "'%s': %s%s", name, strchr(name, '/') ? "no such file" : "not found in PATH",
			  run->plan.reads == READS_VIEW ? " (in the view: only what the policy lets be read is there)" : "");
	else if (!found && error == EACCES)
		cli_error(run->cli, "%s: cannot be executed: %s (not a file, or without permission to execute it)", name,
			  strerror(error));
	else if (found && error == ENOEXEC)
		cli_error(run->cli, "%s: cannot be executed: %s (neither a program for this machine nor a script that begins with #!)",
			  name, strerror(error));
	else if (found && exec_denied(run, where, sizeof(where)))
		cli_error(run->cli, "%s: the policy denies exec of it (%s), at %s", name, strerror(error), where);
	else if (found && error == ENOENT)
		cli_error(run->cli, "%s: it is there, but its interpreter or loader is missing or denied", name);
	else if (found && (error == EACCES || error == EPERM))
		cli_error(run->cli, "%s: cannot be executed: %s (is execve, its interpreter or its loader denied? is it traced?)",
			  name, strerror(error));
	else
		cli_error(run->cli, "%s: cannot be executed: %s", name, strerror(error));
}

/* How far the child came, when it did not become the program. */
static int child_failed(const struct run *run)
{
	const struct wire_page *page = run->launch.page;
	int error = atomic_load(&page->error);
	const char *reason = strerror(error);
	bool found = atomic_load(&page->listener) >= 0;
	switch (atomic_load(&page->failed_stage)) {
	case WIRE_NETWORK:
		cli_error(run->cli, "--unshare net: cannot set the loopback interface up: %s", reason);
		break;
	case WIRE_MOUNTS:
		cli_error(run->cli, "--unshare: cannot make a mount namespace: %s", reason);
		break;
	case WIRE_PROC:
		cli_error(run->cli, "--unshare pid: cannot mount /proc for it: %s%s", reason,
			  error == EPERM ? " (in a container parts of /proc may be covered, then the kernel refuses a new one)" : "");
		break;
	case WIRE_VIEW:
		cli_error(run->cli, "cannot make the view (what may be read, in a mount namespace): %s", reason);
		break;
	case WIRE_LIMITS:
		cli_error(run->cli, "cannot set the limits: %s", reason);
		break;
	case WIRE_PRIVILEGES:
		cli_error(run->cli, "cannot give up privileges: %s", reason);
		break;
	case WIRE_CHDIR:
		cli_error(run->cli, "--chdir %s: %s%s", run->chdir, reason,
			  run->plan.reads == READS_VIEW ? " (in the view: only what the policy lets be read is there)" : "");
		break;
	case WIRE_LANDLOCK:
		cli_error(run->cli, "Landlock: %s", reason);
		break;
	case WIRE_FILTER:
		cli_error(run->cli, error == EBUSY ? "another supervisor watches this process already: usher cannot run under it (%s)" :
						      "the kernel does not take the filter: %s", reason);
		break;
	case WIRE_EXEC:
		exec_failed(run, error, found);
		return error == ENOENT && !found ? CLI_RUN_MISSING : CLI_RUN_CANNOT;
	default:
		cli_error(run->cli, "cannot start a process: %s", reason);
	}
	return CLI_RUN_FAILED;
}

int run_launch_failed(const struct run *run, int error)
{
	const struct wire_page *page = run->launch.page;
	if (page && atomic_load(&page->stage) == WIRE_FAILED)
		return child_failed(run);
	if (page && atomic_load(&page->exited) && WIFSIGNALED(atomic_load(&page->status)))
		return 128 + WTERMSIG(atomic_load(&page->status));
	return run_fail(run, "cannot start a process", error);
}

int run_ended(const struct run *run)
{
	const struct wire_page *page = run->launch.page;
	int status = atomic_load(&page->status);
	if (!atomic_load(&page->exited)) {
		cli_error(run->cli, "the guardian process was killed; so was the program");
		return CLI_RUN_FAILED;
	}
	if (atomic_load(&page->stage) == WIRE_FAILED)
		return child_failed(run);
	const char *unstarted = atomic_load(&run->sandbox->unstarted);
	if (unstarted && WIFSIGNALED(status))
		cli_error(run->cli, "%s: killed before it ran: %s (is 'include \"base/glibc.policy\";' missing?)", run->argv[0], unstarted);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
