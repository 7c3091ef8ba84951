/* Which layer decides about a rule, and why it is not a cheaper one. */
#include "plan_place.h"

#include <linux/landlock.h>
#include <string.h>

#include "kernel.h"
#include "ports.h"

#define READS (OP_BIT(OP_READ) | OP_BIT(OP_LIST))

static bool net_right(const struct plan *plan, const struct policy_rule *rule)
{
	uint64_t rights = (rule->ops & OP_BIT(OP_CONNECT) ? LANDLOCK_ACCESS_NET_CONNECT_TCP : 0) |
			  (rule->ops & OP_BIT(OP_BIND) ? LANDLOCK_ACCESS_NET_BIND_TCP : 0);
	return rule->section == SECTION_NETWORK && rule->proto == PROTO_TCP && (plan->landlock_net & rights) == rights;
}

/* RULE is about what is not trapped, or also about that. */
static bool offloaded(const struct plan *plan, const struct policy_rule *rule)
{
	return plan->ports && rule->section == SECTION_NETWORK && rule->n_addrs &&
	       (rule->proto == PROTO_TCP ? rule->ops & OP_BIT(OP_CONNECT) : rule->ops & (OP_BIT(OP_CONNECT) | OP_BIT(OP_SENDTO)));
}

bool plan_moves(const struct plan *plan, const struct policy_rule *rule)
{
	if (offloaded(plan, rule) || (plan->reads && rule->section == SECTION_FILES && !(rule->ops & ~(READS | OP_BIT(OP_STAT)))))
		return false;
	return rule->section != SECTION_SYSCALLS || (rule->action == ACTION_ALLOW && rule->stage != STAGE_LOG) ||
	       (!rule->sealed && rule->audit != AUDIT_NONE && rule->audit != AUDIT_COUNT);
}


static struct plan_place place(const char *layer, const char *why)
{
	return (struct plan_place){ .layer = layer, .why = why };
}

static struct plan_place of_call(const struct plan *plan, const struct policy_rule *rule)
{
	if (rule->action == ACTION_ALLOW && rule->stage != STAGE_LOG)
		return place("filter", "numbers, which the filter compares by itself");
	if (plan_moves(plan, rule))
		return place("filter, broker", "what it denies is recorded and its stage can move; 'sealed' gives that up and leaves it to the filter");
	return place("filter", rule->sealed ? "sealed: the filter answers by itself" : "nobody is to be told of what it denies, so that the filter answers by itself");
}

static struct plan_place of_socket(const struct plan *plan, const struct policy_rule *rule)
{
	bool tcp = rule->proto == PROTO_TCP, bind = rule->ops & OP_BIT(OP_BIND);
	struct plan_place result;

	if (offloaded(plan, rule) && tcp)
		return bind ? place("Landlock, broker", "Landlock decides about ports to connect to; binds are made by the broker")
			    : place("Landlock", "ports of TCP, and denials are sealed: Landlock decides as the policy does");
	if (offloaded(plan, rule))
		return bind ? place("filter, broker", "everything may be reached by such sockets; binds are made by the broker")
			    : place("filter", "everything may be reached by such sockets, so that making one is all there is to decide");
	if (rule->exact && plan->exact & rule->ops)
		return place("broker, kernel", "credentials exact: the kernel makes the connection once the broker has agreed");
	if (!tcp)
		return place("broker", "addresses are in memory, where the filter cannot look, and Landlock knows ports of TCP alone");
	result = place(net_right(plan, rule) ? "broker, Landlock" : "broker", ports_rule_obstacle(plan, rule));
	if (!result.why && !plan->ports && rule->ops & OP_BIT(OP_CONNECT))
		result.why = ports_obstacle(plan, &result.because);
	result.alone = result.why != NULL;
	if (!result.why)
		result.why = "binds are made by the broker";
	return result;
}

static bool exec_behind(const struct plan *plan)
{
	return (plan->landlock_fs & LANDLOCK_ACCESS_FS_EXECUTE) != 0;
}

static struct plan_place of_file(const struct plan *plan, const struct policy_rule *rule)
{
	static const char reads[] = "directory trees that may be read, which Landlock keeps apart as the policy does";
	static const char seen[] = "what may not be read is not there, in a mount namespace";
	const uint32_t asked = plan->restricted | plan->recorded;
	bool view = plan->reads == READS_VIEW;
	const uint32_t free = view ? READS | OP_BIT(OP_STAT) : READS;
	bool left = plan->reads && rule->ops & free;

	if (rule->action == ACTION_REDIRECT || rule->action == ACTION_ANSWER)
		return place("broker", "only the broker redirects and answers");
	if (!(rule->ops & asked) || (left && !(rule->ops & ~free & asked)))
		return left && view ? place("view", seen) : left && plan->reads == READS_TREES ? place("Landlock", reads) :
		       place("kernel", "nothing of that is denied anywhere");
	if (rule->ops & OP_BIT(OP_EXEC) && plan->exec)
		return left && view    ? place("broker, exec gate, view", "what can be read is there; what starts is compared with what was judged")
		       : left	       ? place("broker, exec gate, Landlock", "reading is Landlock's; what starts is compared with what was judged")
		       : exec_behind(plan) ? place("broker, exec gate, Landlock", "what starts is compared with what was judged; Landlock stands behind")
					   : place("broker, exec gate", "what starts is compared with what was judged");
	if (left)
		return view			 ? place("broker, view", "what can be read is there; changes are judged one by one")
		       : plan->reads == READS_FREE ? place("broker, kernel", "only changes are judged: of reading nothing is denied")
						 : place("broker, Landlock", "reading is Landlock's; changes are judged one by one");
	if (!(rule->ops & READS & asked))
		return place("broker", "never Landlock's: only reading is ever left to it");
	if (!*plan->reads_why)
		return place("broker", "--layers broker");
	return (struct plan_place){ .layer = "broker", .why = plan->reads_why, .because = plan->reads_rule };
}

struct plan_place plan_place(const struct plan *plan, const struct policy_rule *rule)
{
	switch (rule->section) {
	case SECTION_SYSCALLS:
		return of_call(plan, rule);
	case SECTION_NETWORK:
		return of_socket(plan, rule);
	case SECTION_FILES:
		return of_file(plan, rule);
	default:
		return place("broker", "mounts are made for the program");
	}
}
