#include "sandbox.h"

#include <errno.h>
#include <sys/resource.h>

#include "audit.h"
#include "calls/abstract.h"
#include "calls/redirect.h"
#include "crew.h"
#include "err.h"
#include "fd.h"
#include "gate.h"
#include "mounts.h"
#include "placeholders.h"
#include "park.h"

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

static int sandbox_make(struct sandbox *sandbox, int root)
{
	const struct plan *plan = sandbox->launched;
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
	if (!err && plan->mounts)
		err = mounts_new(&sandbox->mounts, resolver_root(sandbox->resolver), sandbox->child);
	if (!err && plan->mount_api)
		err = placeholders_new(&sandbox->placeholders);
	if (!err)
		resolver_mounts(sandbox->resolver, sandbox->mounts);
	if (!err)
		resolver_links(sandbox->resolver, rulesets_current(&sandbox->rulesets)->beneath || sandbox->footprint || audit_counts(sandbox->audit));
	if (!err)
		err = parking_new(&sandbox->parking, sandbox);
	if (!err && (plan->exec || plan->creds_vary))
		err = gate_new(&sandbox->gate, sandbox);
	return err ? err : crew_start(&sandbox->crew, sandbox);
}

int sandbox_open(struct sandbox **sandbox, const struct sandbox_options *options)
{
	struct sandbox *new = calloc(1, sizeof(*new));
	struct ruleset *first = NULL;
	int err = new ? ruleset_new(&first, options->plan, NULL, options->audit) : -ENOMEM;

	if (err) {
		fd_close(options->listener);
		if (options->root > 0)
			fd_close(options->root);
		free(new);
		return err;
	}
	raise_limit();
	new->listener = options->listener;
	new->guardian = options->guardian;
	new->child = options->child;
	new->launched = options->plan;
	new->loop = options->loop;
	rulesets_init(&new->rulesets, new->loop, first);
	shadow_init(&new->shadow);
	new->audit = options->audit;
	new->footprint = options->footprint;
	new->gone = options->gone;
	new->ctx = options->ctx;
	new->hangup.done = sandbox_hung_up;
	entry_locks_init(&new->entries);
	err = sandbox_make(new, options->root);
	if (err) {
		sandbox_close(new);
		return err;
	}
	*sandbox = new;
	return 0;
}

int sandbox_swap(struct sandbox *sandbox, struct ruleset *next)
{
	/* Never back: whoever has the old one still does not ask for them. */
	if (next->beneath)
		resolver_links(sandbox->resolver, true);
	return rulesets_swap(&sandbox->rulesets, next);
}

int sandbox_shadow(struct sandbox *sandbox, struct ruleset *next)
{
	if (next && next->beneath)
		resolver_links(sandbox->resolver, true);
	return shadow_set(&sandbox->shadow, sandbox->loop, next);
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
	rulesets_stop(&sandbox->rulesets);
	if (sandbox->shadow.used)
		rulesets_stop(&sandbox->shadow.rulesets);
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
	mounts_free(sandbox->mounts);
	placeholders_free(sandbox->placeholders);
	rulesets_free(&sandbox->rulesets);
	shadow_free(&sandbox->shadow);
	targets_free(sandbox->targets);
	denials_free(&sandbox->denials);
	free(sandbox);
}
