#include "sandbox.h"

#include <errno.h>
#include <sys/resource.h>

#include "calls/abstract.h"
#include "calls/redirect.h"
#include "crew.h"
#include "err.h"
#include "fd.h"
#include "gate.h"
#include "hosts.h"
#include "park.h"
#include "substitute.h"

/* Descriptors: two for each cached target, a few for each parked call. What was forked before keeps its own limit. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void sandbox_hung_up(struct loop_op *op, int result)
{
	struct sandbox *sandbox = container_of(op, struct sandbox, hangup);

	(void)result;
	sandbox->hung_up = true;
	if (sandbox->gone)
		sandbox->gone(sandbox->ctx);
	else
		loop_stop(sandbox->loop);
}

static bool has_beneath(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].beneath)
			return true;
	return false;
}

static int own_add(struct sandbox *sandbox, const char *path, bool above)
{
	struct own_file *more = reallocarray(sandbox->own, sandbox->n_own + 1, sizeof(*more));
	struct stat st;

	if (!more)
		return -ENOMEM;
	sandbox->own = more;
	if (!stat(path, &st))
		more[sandbox->n_own++] = (struct own_file){ .dev = st.st_dev, .ino = st.st_ino, .above = above };
	return 0;
}

static int own_files(struct sandbox *sandbox)
{
	const char *path;
	int err = 0;

	for (size_t i = 0; !err && (path = policy_forbidden(sandbox->policy, i)); i++) {
		AUTO_FREE char *up = strdup(path);
		char *slash;

		err = up ? own_add(sandbox, path, false) : -ENOMEM;
		while (!err && (slash = strrchr(up, '/')) && slash > up) {
			*slash = '\0';
			err = own_add(sandbox, up, true);
		}
	}
	return err;
}

static int sandbox_make(struct sandbox *sandbox, int root)
{
	const struct plan *plan = sandbox->plan;
	int err = targets_new(&sandbox->targets, plan->kernel, plan->exec || plan->creds_vary);

	/* In a network or IPC namespace only root can be without a user namespace of its own. */
	if (!err && (plan->creds_vary || !plan->topology_fixed))
		targets_look_elsewhere(sandbox->targets);
	if (!err)
		err = resolver_new(&sandbox->resolver, !plan->topology_fixed, sandbox->guardian);
	if (!err && root > 0)
		resolver_launch_root(sandbox->resolver, fd_take(&root));
	if (root > 0)
		fd_close(root);
	if (!err && !plan->topology_fixed)
		err = own_files(sandbox);
	if (!err && !has_beneath(plan->policy) && !sandbox->footprint)
		resolver_ignore_links(sandbox->resolver);
	if (!err)
		err = parking_new(&sandbox->parking, sandbox);
	if (!err && (plan->exec || plan->creds_vary))
		err = gate_new(&sandbox->gate, sandbox);
	if (!err)
		err = hosts_start(&sandbox->hosts, plan->policy, sandbox->audit);
	if (!err && substitute_any(plan->policy))
		err = substitutes_new(&sandbox->substitutes, plan->policy);
	return err ? err : crew_start(&sandbox->crew, sandbox);
}

int sandbox_open(struct sandbox **sandbox, const struct sandbox_options *options)
{
	struct sandbox *new = calloc(1, sizeof(*new));
	int err;

	if (!new) {
		fd_close(options->listener);
		if (options->root > 0)
			fd_close(options->root);
		return -ENOMEM;
	}
	raise_limit();
	new->listener = options->listener;
	new->guardian = options->guardian;
	new->policy = options->plan->policy;
	new->plan = options->plan;
	new->loop = options->loop;
	new->audit = options->audit;
	new->footprint = options->footprint;
	new->gone = options->gone;
	new->ctx = options->ctx;
	new->hangup.done = sandbox_hung_up;
	entry_locks_init(&new->entries);
	rates_init(&new->rates, new->policy);
	err = sandbox_make(new, options->root);
	if (err) {
		sandbox_close(new);
		return err;
	}
	*sandbox = new;
	return 0;
}

int sandbox_run(struct sandbox *sandbox)
{
	return sandbox->hung_up ? 0 : loop_run(sandbox->loop);
}

void sandbox_close(struct sandbox *sandbox)
{
	bool abandoned = false;

	if (!sandbox)
		return;
	if (sandbox->crew)
		crew_stop(sandbox->crew);
	gate_free(sandbox->gate);
	hosts_stop(sandbox->hosts);
	if (sandbox->crew) {
		parking_stop(sandbox->parking);
		abandoned = !crew_free(sandbox->crew);
	}
	fd_close(sandbox->listener);
	/* A thread that is stuck in the kernel for good still looks at the rest. */
	if (abandoned)
		return;
	loop_unpost(sandbox->loop, &sandbox->hangup);
	abstract_free(sandbox);
	redirects_free(sandbox->redirects);
	parking_free(sandbox->parking);
	resolver_free(sandbox->resolver);
	substitutes_free(sandbox->substitutes);
	free(sandbox->own);
	targets_free(sandbox->targets);
	free(sandbox);
}
