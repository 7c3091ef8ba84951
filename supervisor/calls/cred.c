/*
 * setuid(2) and its kin are decided by the kernel alone: nothing of their arguments was judged, so that the
 * kernel may read them again. They are only trapped because the credentials that are worn for the target
 * are cached. Raw calls change one thread, and the C library makes one in each of them, so that the thread
 * is all there is to forget. It cannot make another call before this one is done: the next one finds the
 * new credentials.
 */
#include "calls/cred.h"

#include <errno.h>

#include "sandbox.h"

static char limits_text[] = "the limits of a process outside of the sandbox";

static const struct policy_rule limits_rule = {
	.number = UINT32_MAX,
	.pos = { .file = POLICY_BUILTIN },
	.section = SECTION_SYSCALLS,
	.action = ACTION_DENY,
	.err = EPERM,
	.text = limits_text,
};

int cred_changed_serve(struct request *req)
{
	req->target->cred_stale = true;
	req->reply.kind = REPLY_CONTINUE;
	return 0;
}

int prlimit_serve(struct request *req)
{
	/* Without new limits it only asks. */
	if (!req->notif.data.args[2] || resolver_member(req->sandbox->resolver, req->target, request_int(req, 0))) {
		req->reply.kind = REPLY_CONTINUE;
		return 0;
	}
	req->refused_by = &limits_rule;
	return -EPERM;
}
