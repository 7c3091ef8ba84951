#include "denials.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "fd.h"
#include "landlock_event.h"
#include "sandbox.h"
#include "text.h"

#define WAITING_MAX 8	/* the domain's record comes next, but for what other CPUs put between */

/* ---- whose ---------------------------------------------------------------------------------- */

/* The number alone may have been another's before. */
static bool is_ours(const struct sandbox *sandbox, const struct landlock_event *maker)
{
	char exe[sizeof(maker->exe)];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n <= 0 || maker->pid != sandbox->child)
		return false;
	exe[n] = '\0';
	return strcmp(exe, maker->exe) == 0;
}

static void put_by(struct denials *denials, const struct landlock_event *event)
{
	if (!denials->waiting)
		denials->waiting = mem_zero(WAITING_MAX * sizeof(*denials->waiting));
	if (denials->n == WAITING_MAX)
		memmove(denials->waiting, denials->waiting + 1, --denials->n * sizeof(*denials->waiting));
	denials->waiting[denials->n++] = *event;
}

/* ---- what of -------------------------------------------------------------------------------- */

/* False: no rule speaks of it. */
static bool decide(const struct policy *policy, const struct landlock_event *event, uint32_t ops, struct policy_decision *decision)
{
	struct policy_peer peer = { .proto = PROTO_TCP, .port = (uint16_t)event->port, .ip = { [10] = 0xff, [11] = 0xff } };

	if (ops & OPS_FILES && event->path[0] == '/') {
		*decision = policy_decide_path(policy, ops & OPS_FILES, event->path, strlen(event->path));
		return true;
	}
	if (!(ops & OPS_NETWORK) || event->port < 0 ||
	    (*event->address && inet_pton(AF_INET, event->address, peer.ip + 12) != 1 && inet_pton(AF_INET6, event->address, peer.ip) != 1))
		return false;
	*decision = policy_decide_peer(policy, ops & OPS_NETWORK, &peer);
	return true;
}

static void told(struct sandbox *sandbox, const struct landlock_event *event)
{
	struct ruleset *rules = ruleset_take(&sandbox->rulesets);
	uint32_t ops = landlock_event_ops(event);
	enum policy_section section = ops & OPS_FILES ? SECTION_FILES : SECTION_NETWORK;
	struct policy_decision decision;
	bool known = decide(rules->policy, event, ops, &decision) && policy_denies(&decision.enforced);

	atomic_fetch_add_explicit(&sandbox->denied, 1, memory_order_relaxed);
	if (known)
		ruleset_count(rules, &decision, section);
	if (!known || (decision.enforced.audit != AUDIT_NONE && decision.enforced.audit != AUDIT_COUNT))
		audit_landlock(sandbox->audit, rules->policy, event, known ? &decision.enforced : NULL, section);
	ruleset_put(rules);
}

void denials_take(struct denials *denials, struct sandbox *sandbox, const struct landlock_event *event)
{
	size_t kept = 0;

	if (event->domain == denials->domain && !event->maker)
		told(sandbox, event);
	else if (!denials->domain && !event->maker)
		put_by(denials, event);
	if (denials->domain || !event->maker)
		return;
	if (is_ours(sandbox, event))
		denials->domain = event->domain;
	for (size_t i = 0; i < denials->n; i++) {
		if (denials->waiting[i].domain != event->domain)
			denials->waiting[kept++] = denials->waiting[i];
		else if (denials->domain)
			told(sandbox, &denials->waiting[i]);
	}
	denials->n = denials->domain ? 0 : kept;
}

void denials_free(struct denials *denials)
{
	free(denials->waiting);
	*denials = (struct denials){ 0 };
}
