/*
 * The one path, and the only place that answers.
 *
 * Order. The syscalls section is decided first, on registers alone. Then everything that is read of the target is
 * read: its arguments, and what relative names start from. ID_VALID after the last read proves that all of it
 * is of the thread which waits for us, and comes before the first side effect. Names are resolved, judged
 * and served with the target's credentials worn.
 *
 * A name is first taken as it is spelled, where the call can do with that. What is decided of a name is only right
 * if no symlink is in it: serve finds that out (-EINEXACT) when it was allowed, broker_certain() when it was denied.
 *
 * When nothing but a rule on the system call had it notified (call == NULL) and it is allowed, the kernel goes on: the
 * decision was about registers, which nobody can change meanwhile, and without that rule the filter would have let it pass.
 */
#include "broker.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>

#include "audit.h"
#include "body.h"
#include "call.h"
#include "calls/redirect.h"
#include "decide.h"
#include "err.h"
#include "evidence/describe.h"
#include "evidence/footprint.h"
#include "fd.h"
#include "listener.h"
#include "park.h"
#include "record.h"
#include "reply.h"
#include "request_names.h"
#include "sandbox.h"
#include "stage.h"
#include "substitute.h"

/* What the steps return beside 0 and -errno, which is the answer. */
enum { BROKER_GONE = 1, BROKER_DENIED, BROKER_EXACT };

static const struct policy_rule refused_rule = BUILTIN_RULE(SECTION_SYSCALLS, 0, "usher refuses this call while paths are decided");

/* ---- reading -------------------------------------------------------------------------------- */

static void fetch_undo(struct request *req)
{
	if (req->fetched && req->call->release)
		req->call->release(req);
	req->fetched = false;
	req->n_peers = 0;
	memset(&req->args, 0, sizeof(req->args));
	for (unsigned i = 0; i < req->n_names; i++)
		req->bases[i] = fd_close(req->bases[i]);
	req->n_names = 0;
}

static int broker_target(struct request *req)
{
	return target_get(req->sandbox->targets, (pid_t)req->notif.pid, &req->target);
}

/* The cached thread has died and its number was given away: everything again with who has it now. */
static int broker_refresh(struct request *req)
{
	fetch_undo(req);
	target_forget(req->sandbox->targets, req->target->tid);
	target_put(req->sandbox->targets, req->target);
	req->target = NULL;
	return broker_target(req);
}

static int broker_fetch_once(struct request *req)
{
	int err = 0;

	if (req->call->fetch) {
		req->fetched = true;
		err = req->call->fetch(req);
	}
	return err ? err : request_bases(req);
}

static int broker_fetch(struct request *req)
{
	int err = broker_fetch_once(req);

	if (err == -ESRCH) {
		err = broker_refresh(req);
		if (!err)
			err = broker_fetch_once(req);
	}
	if (listener_valid(req->sandbox->listener, req->notif.id))
		return BROKER_GONE;
	return err == -ESRCH ? -EACCES : err;
}

/* ---- resolving ------------------------------------------------------------------------------ */

static int broker_judge(struct request *req)
{
	int err = 0;

	for (unsigned i = 0; i < req->n_names && !req->call->judge; i++)
		req->ops[i] = req->call->ops;
	if (req->call->judge)
		err = req->call->judge(req);
	for (unsigned i = 0; i < req->n_names; i++)
		if (req->objects[i].err && !req->objects[i].len && !req->objects[i].nameless)
			req->ops[i] = 0;	/* was not looked up */
	return err;
}

/* As a file and as a directory: then it does not matter which it is. The record may tell (audit.c). */
static bool refused_alike(struct request *req, const struct object *object)
{
	struct policy_decision file = decide_object(req, object, OP_BIT(OP_READ));
	struct policy_decision dir = decide_object(req, object, OP_BIT(OP_LIST));

	if (!policy_denies(&file.enforced) || !policy_denies(&dir.enforced) || file.enforced.rule != dir.enforced.rule ||
	    file.enforced.err != dir.enforced.err)
		return false;
	req->decision.enforced = file.enforced;
	return true;
}

/* The object that decided is lexical and was denied: is there no symlink in its name? */
static bool broker_certain(struct request *req, const struct policy_decision *call)
{
	const uint32_t either = OP_BIT(OP_READ) | OP_BIT(OP_LIST);
	struct object *object = &req->objects[req->decided];
	enum name_mode mode = req->names[req->decided].mode;
	uint32_t ops = req->ops[req->decided];
	/* Not knowing what is there, open asked for all that it might need. */
	bool guessed = (ops & either) == either || ops & OP_BIT(OP_TRUNCATE) || mode == NAME_CREATE;
	int err;

	if (!object->lexical)
		return true;
	if (!guessed || (ops == either && refused_alike(req, object)))
		return object_lexical_exists(req->sandbox->resolver, object, mode == NAME_NOFOLLOW || mode == NAME_ENTRY) != -EINEXACT;
	err = object_lexical_pin(req->sandbox->resolver, object, mode == NAME_NOFOLLOW || mode == NAME_ENTRY);
	if (err && (err != -ENOENT || mode == NAME_CREATE))
		return false;
	object->lexical = false;
	object->exists = !err;
	if (broker_judge(req))
		return true;
	decide_objects(req, call);
	object->lexical = true;	/* resolved again if it was allowed after all */
	return decide_refuses(&req->decision.enforced);
}

/* mkdir, mknod, symlink: the kernel says so before it asks for any right, and mkdir -p relies on it. Not of a hidden name. */
static bool already_there(const struct request *req)
{
	const uint32_t makes = OP_BIT(OP_CREATE) | OP_BIT(OP_MKNOD);
	const struct object *object = &req->objects[0];
	struct policy_decision seen;

	if (req->call->ops & ~makes || req->n_names != 1 || !object->exists)
		return false;
	seen = decide_object(req, object, OP_BIT(OP_STAT));
	return !decide_refuses(&seen.enforced);
}

static int broker_act(struct request *req, enum resolve_level level, bool again, const struct policy_decision *call)
{
	int err = request_resolve(req, level, again), judged;

	if (err)
		return err;
	judged = broker_judge(req);
	if (judged == -EINEXACT && request_lexical(req))
		return BROKER_EXACT;
	decide_objects(req, call);
	if (decide_refuses(&req->decision.enforced)) {
		if (!broker_certain(req, call))
			return BROKER_EXACT;
		if (!policy_denies(&req->decision.enforced))
			return req->n_peers ? redirect(req) : substitute(req);
		if (!already_there(req))
			return BROKER_DENIED;
		req->decision = *call;
		return -EEXIST;
	}
	err = req->rules->substitutes ? substitute_stat(req) : 0;
	if (!err)
		err = request_resolve_error(req);
	if (!err)
		err = judged;
	if (!err)
		err = req->call->serve(req);
	if (err && decide_refuses(&req->decision.enforced))
		return BROKER_DENIED;
	return err == -EINEXACT ? BROKER_EXACT : err;
}

/* With the target's credentials worn: resolve, decide, serve. */
static int broker_worn(struct request *req)
{
	const struct policy_decision call = req->decision;
	int err;

	req->moves = entry_moved(req->sandbox);
	err = broker_act(req, req->call->lexical_ok ? RESOLVE_LEXICAL : RESOLVE_EXACT, false, &call);
	if (err == BROKER_EXACT)
		err = broker_act(req, RESOLVE_EXACT, true, &call);
	cred_own(req->worker);
	ASSERT(err != BROKER_EXACT);
	return err;
}

static int broker_serve(struct request *req)
{
	int err;

	if (body_wanted(req))
		return body_serve(req, broker_worn);
	err = cred_wear(req->worker, &req->target->cred, req->real_ids);
	return err ? err : broker_worn(req);
}

/* ---- ending --------------------------------------------------------------------------------- */

/* Which rule would have refused what was let through, where the type was not known when that was asked. */
static void broker_would(struct request *req)
{
	if (policy_denies(&req->decision.would) && !policy_denies(&req->decision.enforced) && !req->recorded)
		decide_would(req);
}

static void broker_record(struct request *req)
{
	struct sandbox *sandbox = req->sandbox;

	atomic_fetch_add_explicit(&sandbox->calls, 1, memory_order_relaxed);
	broker_would(req);
	if (policy_denies(&req->decision.enforced))
		atomic_fetch_add_explicit(&sandbox->denied, 1, memory_order_relaxed);
	else if (policy_denies(&req->decision.would))
		atomic_fetch_add_explicit(&sandbox->would_deny, 1, memory_order_relaxed);
	/* A record of a relative name reads where it started from. */
	if (decide_refuses(&req->decision.would) && req->n_names && req->names[req->decided].path[0] != '/')
		(void)cred_power();
	if (sandbox->audit && !req->recorded)
		audit_record(sandbox->audit, req);
	if (sandbox->footprint && !req->recorded)
		footprint_note(sandbox->footprint, req);
	if (!req->recorded) {
		ruleset_count(req->rules, &req->decision, record_section(req, policy_denies(&req->decision.enforced) ? &req->decision.enforced
															  : &req->decision.would));
		shadow_note(&sandbox->shadow, req);
	}
	req->recorded = true;
}

/* ERR is what serve or a step before it returned. True when all is over. */
static bool broker_end(struct request *req, int err)
{
	if (err < 0 && req->refused_by) {
		req->decision.enforced = req->decision.would = decide_verdict(req->refused_by, -err, decide_first_op(req->n_peers ? req->peer_ops : req->ops[0]));
		err = BROKER_DENIED;
	}
	if (err == BROKER_GONE) {
		request_end(req);
		return true;
	}
	if (err)
		reply_forget_outs(req);
	/* Known now: once it has its answer, or is killed, it may be gone or be another program. */
	if (req->target && audit_wants(req->sandbox->audit, req))
		(void)target_exe(req->target);
	if (err == BROKER_DENIED) {
		stage_apply(req, &req->decision.enforced);
	} else if (err) {
		req->reply.kind = REPLY_DENY;
		req->reply.error = err == -EINTR && *req->interrupted ? -512 /* -ERESTARTSYS */ : err;
	}
	if (!err && req->reply.kind == REPLY_PARKED) {
		park_submit(req);
		return false;
	}
	if (req->sandbox->footprint || audit_counts(req->sandbox->audit)) {
		broker_would(req);
		describe_look(req);
	}
	reply_ready(req);
	broker_record(req);
	reply_send(req);
	request_end(req);
	return true;
}

/* ---- the path ------------------------------------------------------------------------------- */

static int broker_refuse(struct request *req)
{
	struct policy_verdict verdict = decide_verdict(&refused_rule, req->call->refuse ? req->call->refuse : EPERM, OP_STAT);

	req->decision.enforced = req->decision.would = verdict;
	return BROKER_DENIED;
}

/* What paths mean would change, while rules speak of them. */
static bool broker_topology(const struct request *req)
{
	/* All that may be joined are other names for what there is; but which namespace is in memory that may change. */
	if (req->rules->plan.mounts)
		return req->notif.data.nr == SYS_setns && (!req->notif.data.args[1] || req->notif.data.args[1] & CLONE_NEWNS);
	return req->rules->plan.topology_fixed &&
	       (req->notif.data.nr != SYS_unshare || req->notif.data.args[0] & (CLONE_NEWUSER | CLONE_NEWNS));
}

static int broker_decide_call(struct request *req)
{
	uint64_t args[6];

	for (int i = 0; i < 6; i++)
		args[i] = req->notif.data.args[i];
	req->decision = policy_decide_call(req->rules->policy, req->notif.data.nr, args);
	return decide_refuses(&req->decision.enforced) ? BROKER_DENIED : 0;
}

/* A target for the record and for signals; without one the call is refused all the same. */
static int broker_denied(struct request *req)
{
	(void)broker_target(req);
	return listener_valid(req->sandbox->listener, req->notif.id) ? BROKER_GONE : BROKER_DENIED;
}

static int broker_steps(struct request *req)
{
	int err = broker_decide_call(req);

	if (err == BROKER_DENIED)
		return broker_denied(req);
	if (!req->call) {
		if (decide_refuses(&req->decision.would))
			(void)broker_target(req);
		req->reply.kind = REPLY_CONTINUE;
		return 0;
	}
	if ((req->call->when == CALL_REFUSED && (!req->call->serve || broker_topology(req))) ||
	    (req->call->when == CALL_MOUNT && !req->sandbox->mounts)) {
		err = broker_refuse(req);
		return broker_denied(req);
	}
	err = broker_target(req);
	/* Not there and still waiting: procfs hides it. */
	if (err)
		return listener_valid(req->sandbox->listener, req->notif.id) ? BROKER_GONE : err == -ESRCH ? -EACCES : err;
	err = broker_fetch(req);
	if (!err)
		err = broker_serve(req);
	return err < 0 && req->call->failed ? req->call->failed(req, err) : err;
}

bool broker_handle(struct request *req)
{
	request_begin(req);
	req->rules = ruleset_take(&req->sandbox->rulesets);
	req->call = call_trapping(&req->rules->plan, &req->notif.data);
	/* A receiver that cannot see the sender's number cannot read it either. */
	if (req->notif.pid == 0)
		return broker_end(req, -EPERM);
	return broker_end(req, broker_steps(req));
}

static int broker_resume(struct request *req, int result)
{
	const struct park *park = req->park;
	int err;

	if (!park) {
		if (!result)
			req->reply.kind = REPLY_NONE;
		return result;
	}
	if (park->end == PARK_GONE)
		return BROKER_GONE;
	if (park->partial > 0 && park->end != PARK_DONE)
		return reply_value(req, park->partial);
	if (park->end == PARK_INTERRUPTED)
		return park->interrupted;
	if (park->end == PARK_TIMEOUT)
		return park->on_timeout;
	err = cred_wear(req->worker, &req->target->cred, req->real_ids);
	if (err && (park->op == PARK_OPEN || park->op == PARK_ACCEPT) && result >= 0)
		fd_close(result);
	if (!err)
		err = park->done(req, result);
	cred_own(req->worker);
	return err;
}

bool broker_finish(struct request *req, int result)
{
	req->reply.kind = REPLY_DENY;
	req->reply.error = 0;
	return broker_end(req, broker_resume(req, result));
}
