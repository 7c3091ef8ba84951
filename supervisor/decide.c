#include "decide.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "call.h"
#include "calls/peer.h"
#include "ruleset.h"

static const struct policy_rule nameless_rule =
	BUILTIN_RULE(SECTION_FILES, EACCES, "an object without a path is opened again with the access already held at most");
static const struct policy_rule own_rule = BUILTIN_RULE(SECTION_FILES, EACCES, "usher's own file, by another name");
static const struct policy_rule foreign_rule =
	BUILTIN_RULE(SECTION_FILES, EACCES, "nothing of a process outside the sandbox may be changed through /proc");

struct policy_verdict decide_verdict(const struct policy_rule *rule, int err, enum policy_op op)
{
	return (struct policy_verdict){
		.action = ACTION_DENY, .err = err, .stage = STAGE_DENY, .audit = rule ? rule->audit : AUDIT_DENY, .op = op, .rule = rule,
	};
}

/* It lost the name by which it was reached and has others, of which rules may speak. */
static bool named_elsewhere(const struct object *object)
{
	return object->path[0] == '/' && object->st.st_nlink && !S_ISDIR(object->st.st_mode);
}

/* An object without a path is what it is to those who hold it, and no more. */
static bool nameless_allows(const struct object *object, uint32_t ops)
{
	static const uint32_t free_ops = OP_BIT(OP_STAT) | OP_BIT(OP_CHMOD) | OP_BIT(OP_CHOWN) | OP_BIT(OP_UTIME) | OP_BIT(OP_XATTR);
	static const uint32_t read_ops = OP_BIT(OP_READ) | OP_BIT(OP_LIST);
	static const uint32_t write_ops = OP_BIT(OP_WRITE) | OP_BIT(OP_APPEND) | OP_BIT(OP_TRUNCATE) | OP_BIT(OP_LINK);

	if ((ops & read_ops) && !(object->held & 1))
		return false;
	if (named_elsewhere(object))
		return !(ops & ~(OP_BIT(OP_STAT) | read_ops));
	if ((ops & write_ops) && !(object->held & 2))
		return false;
	return !(ops & ~(free_ops | read_ops | write_ops));
}

enum policy_op decide_first_op(uint32_t ops)
{
	return ops ? (enum policy_op)__builtin_ctz(ops) : OP_STAT;
}

static void decide_links(const struct policy *policy, const struct object *object, uint32_t ops, struct policy_decision *decision)
{
	for (unsigned i = 0; i < object->n_links; i++) {
		const char *link = object->links[i];
		const struct policy_rule *rule = NULL;
		struct policy_verdict verdict;
		int err;

		if (!policy_leads_out(policy, ops, link, strlen(link), object->path, object->len, &rule) || !rule)
			continue;
		err = rule->err > 0 ? rule->err : policy->defaults[SECTION_FILES].err;
		verdict = decide_verdict(rule, err > 0 ? err : EACCES, decide_first_op(ops & rule->ops));
		if (!decide_refuses(&decision->would))
			decision->would = verdict;
		if (rule->stage != STAGE_LOG && !decide_refuses(&decision->enforced)) {
			verdict.stage = rule->stage;
			decision->enforced = verdict;
		}
	}
}

/* Usher's own files, where the target may give paths another meaning: by what they are, not by their names. */
static bool own_file(const struct ruleset *rules, const struct object *object, uint32_t ops)
{
	struct stat dir = { 0 };

	if (object->parent >= 0 && fstat(object->parent, &dir))
		return true;
	for (size_t i = 0; i < rules->n_own; i++) {
		const struct own_file *own = &rules->own[i];
		bool itself = object->exists && object->st.st_ino == own->ino && object->st.st_dev == own->dev;
		bool inside = object->parent >= 0 && dir.st_ino == own->ino && dir.st_dev == own->dev;
		if (own->above ? itself && (ops & OP_BIT(OP_RENAME)) : itself || inside)
			return true;
	}
	return false;
}

/* It has no path that could be told; whatever it were, would it be allowed? */
static void decide_below(const struct policy *policy, const struct object *object, uint32_t ops, struct policy_decision *decision)
{
	const struct policy_rule *rule;

	if (policy_denies_below(policy, ops, object->path, object->len, &rule))
		decision->enforced = decision->would = decide_verdict(rule, ENAMETOOLONG, decide_first_op(ops));
}

struct policy_decision decide_object(const struct request *req, const struct object *object, uint32_t ops)
{
	const struct ruleset *rules = req->rules;
	struct policy_decision decision = { 0 };
	uint32_t restricted = ops & rules->plan.restricted;

	if (!ops)
		return decision;
	if (object->nameless) {
		/* Where the policy confines nothing of that, it does not matter which names it had. */
		if (!nameless_allows(object, restricted) &&
		    (policy_confines(rules->policy, true) & restricted || own_file(rules, object, ops)))
			decision.enforced = decision.would = decide_verdict(&nameless_rule, EACCES, decide_first_op(restricted));
		return decision;
	}
	if (object->below)
		decide_below(rules->policy, object, ops, &decision);
	else
		decision = policy_decide_path(rules->policy, ops, object->path, object->len);
	if (object->n_links)
		decide_links(rules->policy, object, ops, &decision);
	if (rules->n_own && (ops & (OPS_MODIFY | OPS_NETWORK)) && !decide_refuses(&decision.enforced) && own_file(rules, object, ops))
		decision.enforced = decision.would = decide_verdict(&own_rule, EACCES, decide_first_op(ops & (OPS_MODIFY | OPS_NETWORK)));
	if (object->foreign && (ops & OPS_MODIFY) && !decide_refuses(&decision.enforced))
		decision.enforced = decision.would = decide_verdict(&foreign_rule, EACCES, decide_first_op(ops & OPS_MODIFY));
	return decision;
}

static void decide_peers(struct request *req)
{
	for (unsigned i = 0; i < req->n_peers && !decide_refuses(&req->decision.enforced); i++) {
		struct policy_decision decision = peer_decide(&req->rules->plan, req->peer_ops, &req->peers[i]);

		if (decide_refuses(&decision.enforced)) {
			req->decision = decision;
			req->decided_peer = i;
		} else if (!decide_refuses(&req->decision.would)) {
			req->decision = decision;
			req->decided_peer = i;
		}
	}
}

/* What is allowed is recorded as soon as one of the rules that allow it wants that. */
static void decide_heard(struct request *req, const struct policy_verdict *by, unsigned i)
{
	enum policy_op op = req->decision.enforced.op;

	if (by->audit != AUDIT_ALL || req->decision.enforced.audit == AUDIT_ALL || decide_refuses(by) ||
	    decide_refuses(&req->decision.enforced))
		return;
	req->decision.enforced = *by;
	if (by->op == OP_STAT)
		req->decision.enforced.op = op;		/* of a rule about the call */
	if (!decide_refuses(&req->decision.would))
		req->decided = i;
}

/* The first object that is denied decides; what the syscalls section only would deny is kept if no object says more. */
void decide_objects(struct request *req, const struct policy_decision *call)
{
	req->decision = *call;
	req->decided = 0;
	if (req->call && req->call->decide) {
		struct policy_decision decision = req->call->decide(req);

		if (decide_refuses(&req->decision.would) && !decide_refuses(&decision.enforced))
			decision.would = req->decision.would;
		req->decision = decision;
		return;
	}
	for (unsigned i = 0; i < req->n_names; i++) {
		struct policy_decision decision = decide_object(req, &req->objects[i], req->ops[i]);

		if (i == 0 && !decide_refuses(&req->decision.would)) {
			req->decision = decision;
		} else if (decide_refuses(&decision.enforced)) {
			req->decision = decision;
			req->decided = i;
		} else if (!decide_refuses(&req->decision.would) && decide_refuses(&decision.would)) {
			req->decision.would = decision.would;
			req->decided = i;
		}
		if (decide_refuses(&req->decision.enforced))
			return;
		decide_heard(req, i ? &decision.enforced : &call->enforced, i);
	}
	decide_peers(req);
}

int decide_again(struct request *req, const struct object *object, uint32_t ops)
{
	struct policy_decision decision = decide_object(req, object, ops);

	if (!decide_refuses(&decision.enforced))
		return 0;
	req->decision = decision;
	return decision.enforced.err > 0 ? -decision.enforced.err : -EACCES;
}

bool decide_settle(struct request *req, uint32_t ops[REQUEST_NAMES])
{
	const uint32_t either = OP_BIT(OP_READ) | OP_BIT(OP_LIST);
	bool guessed = false;

	for (unsigned i = 0; i < req->n_names; i++) {
		const struct object *object = &req->objects[i];
		struct statx st;

		ops[i] = req->ops[i];
		if ((ops[i] & either) != either || !object->lexical || object->path[0] != '/')
			continue;
		guessed = true;
		req->ops[i] &= ~(statx(AT_FDCWD, object->path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) == 0 &&
						 S_ISDIR(st.stx_mode) ? OP_BIT(OP_READ) : OP_BIT(OP_LIST));
	}
	return guessed;
}

void decide_would(struct request *req)
{
	const struct policy_verdict enforced = req->decision.enforced;
	const unsigned decided = req->decided, decided_peer = req->decided_peer;
	struct policy_decision call;
	uint32_t ops[REQUEST_NAMES];
	uint64_t args[6];

	if (!decide_settle(req, ops))
		return;
	for (int i = 0; i < 6; i++)
		args[i] = req->notif.data.args[i];
	call = policy_decide_call(req->rules->policy, req->notif.data.nr, args);
	decide_objects(req, &call);
	req->decision.enforced = enforced;
	if (decide_refuses(&req->decision.would))
		return;
	req->decided = decided;
	req->decided_peer = decided_peer;
}
