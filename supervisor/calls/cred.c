/*
 * setuid(2) and its kin are decided by the kernel alone: nothing of their arguments was judged, so that the
 * kernel may read them again. They are only trapped because the credentials that are worn for the target
 * are cached. Raw calls change one thread, and the C library makes one in each of them, so that the thread
 * is all there is to forget. It cannot make another call before this one is done: the next one finds the
 * new credentials.
 */
#include "calls/cred.h"

#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls/numbers.h"
#include "sandbox.h"

static char outside_text[] = "a process outside of the sandbox is not changed";

static const struct policy_rule outside_rule = {
	.number = UINT32_MAX,
	.pos = { .file = POLICY_BUILTIN },
	.section = SECTION_SYSCALLS,
	.action = ACTION_DENY,
	.err = EPERM,
	.text = outside_text,
};

int cred_changed_serve(struct request *req)
{
	req->target->cred_stale = true;
	req->reply.kind = REPLY_CONTINUE;
	return 0;
}

/* ---- processes by their number -------------------------------------------------------------- */

static int process_go_on(struct request *req)
{
	req->reply.kind = REPLY_CONTINUE;
	return 0;
}

static int process_refuse(struct request *req)
{
	req->refused_by = &outside_rule;
	return -EPERM;
}

/* In a PID namespace where every process but the guardian is a descendant. */
static bool elsewhere(const struct target *target)
{
	struct stat own, other;

	return !stat("/proc/self/ns/pid", &own) && !fstatat(target->proc, "ns/pid", &other, 0) && own.st_ino != other.st_ino;
}

/* NAMED: as kill(2) names what NUMBER is of. What is below 0 is nobody's, as the kernel will find. */
static int process_judge(struct request *req, pid_t number, pid_t named)
{
	if (number < 0 || (elsewhere(req->target) && !resolver_guardian(req->sandbox->resolver, req->target, number)) ||
	    resolver_member(req->sandbox->resolver, req->target, number))
		return process_go_on(req);
	if (kill(named, 0) && errno == ESRCH)
		return -ESRCH;
	return process_refuse(req);
}

/* The caller's own: whoever led it, the supervisor may be in it, unless its session began inside. */
static int group_judge(struct request *req)
{
	pid_t session = getsid(req->target->tid);

	return session > 0 && resolver_member(req->sandbox->resolver, req->target, session) ? process_go_on(req) : process_refuse(req);
}

int process_serve(struct request *req)
{
	return process_judge(req, request_int(req, 0), request_int(req, 0));
}

int kcmp_serve(struct request *req)
{
	int err = 0;

	/* 0 is nobody here, as the kernel will find. */
	for (int i = 0; i < 2 && !err; i++)
		err = request_int(req, i) ? process_judge(req, request_int(req, i), request_int(req, i)) : process_go_on(req);
	return err;
}

int prlimit_serve(struct request *req)
{
	/* Without new limits it only asks. */
	return req->notif.data.args[2] ? process_serve(req) : process_go_on(req);
}

/*
 * A group of the sandbox is one that a process of it leads: nobody else can have founded it. The caller's own, 0, may become another
 * one at any time, by setpgid(2), but only one of its session. A user's processes are never all of the sandbox: the supervisor is one.
 */
int prio_serve(struct request *req)
{
	/* IOPRIO_WHO_PROCESS is 1, and so on. */
	int which = request_int(req, 0) - (req->notif.data.nr == SYS_ioprio_set);
	pid_t who = request_int(req, 1);

	switch (which) {
	case PRIO_PROCESS:
		return process_judge(req, who, who);
	case PRIO_PGRP:
		return who ? process_judge(req, who, -who) : group_judge(req);
	case PRIO_USER:
		return process_refuse(req);
	default:
		return process_go_on(req);
	}
}
