/* What is decided of the objects of a call, and how it is said. */
#ifndef USHER_DECIDE_H
#define USHER_DECIDE_H

#include "request.h"

/* A rule of usher's own: initialiser of a static struct policy_rule. ERR: positive errno, 0 where the call says it. */
#define BUILTIN_RULE(rule_section, error, words)                                                    \
	{                                                                                           \
		.number = UINT32_MAX, .pos = { .file = POLICY_BUILTIN }, .section = (rule_section), \
		.action = ACTION_DENY, .err = (error), .text = (char[]){ words },                   \
	}

/* Anything but a plain allow: what this version does not serve was refused at load. */
static inline bool decide_refuses(const struct policy_verdict *verdict)
{
	return !policy_allows(verdict);
}

/* A denial with ERR (positive) by RULE (or NULL) about OP. */
struct policy_verdict decide_verdict(const struct policy_rule *rule, int err, enum policy_op op);
/* The first of OPS, for the record. */
enum policy_op decide_first_op(uint32_t ops);
/* OPS on OBJECT: its path, the links on the way, and what has no path or is another process's. */
struct policy_decision decide_object(const struct request *req, const struct object *object, uint32_t ops);
/* req->ops on req->objects into req->decision and .decided: the first object that is denied decides; what CALL, the syscalls section,
 * only would deny is kept if no object says more. */
void decide_objects(struct request *req, const struct policy_decision *call);
/* A name that was taken as it is spelled was asked for reading and listing at once; what is there tells which was meant, and is in req->ops
 * afterwards. OPS gets what was asked. False: it was no guess. */
bool decide_settle(struct request *req, uint32_t ops[REQUEST_NAMES]);
/* REQ was allowed, and would not have been: by the rule about what was meant. Nothing of what is enforced changes. */
void decide_would(struct request *req);
/* OPS on OBJECT once more, by a serve that found it changed. 0, or -errno with the denial in req->decision. */
int decide_again(struct request *req, const struct object *object, uint32_t ops);

#endif
