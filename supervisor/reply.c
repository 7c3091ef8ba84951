#include "reply.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "cred.h"
#include "err.h"
#include "fd.h"
#include "listener.h"
#include "sandbox.h"

static int reply_write(struct request *req)
{
	int err = 0;

	for (unsigned i = 0; i < REPLY_OUTS && req->reply.out[i].data && !err; i++)
		err = target_write(req->target, req->reply.out[i].addr, req->reply.out[i].data, req->reply.out[i].len);
	return err;
}

static void reply_sigpipe(const struct request *req)
{
	const struct target *target = req->target;

	if (syscall(SYS_tgkill, target->tgid, target->tid, SIGPIPE) && errno == EPERM && cred_power())
		(void)syscall(SYS_tgkill, target->tgid, target->tid, SIGPIPE);
}

static void reply_fails(struct reply *reply, int err)
{
	reply->kind = REPLY_DENY;
	reply->error = err;
	reply->fd = fd_close(reply->fd);
}

/* Our copy is closed before the target runs: it would keep locks, pipes and running images busy. */
static void reply_install(struct request *req)
{
	struct reply *reply = &req->reply;
	int number = listener_addfd(req->sandbox->listener, req->notif.id, reply->fd, reply->cloexec);

	reply->fd = fd_close(reply->fd);
	if (number >= 0)
		(void)reply_value(req, number);
	else if (number == -ENOENT)
		reply->kind = REPLY_NONE;
	else
		reply_fails(reply, number);
}

/* ENOENT from the listener, everywhere: the target is gone, nobody waits for the answer. */
void reply_ready(struct request *req)
{
	struct reply *reply = &req->reply;
	int err;

	/* What is reached by its number must still be who called: resolving may have taken long. */
	if (reply->out[0].data && listener_valid(req->sandbox->listener, req->notif.id))
		return;
	err = reply_write(req);
	if (err)
		reply_fails(reply, err);
	/* Without a signal these leak to the program. */
	if (reply->kind == REPLY_DENY && reply->error <= -512 && reply->error >= -516 && !req->parked && !*req->interrupted)
		reply->error = -EINTR;
	if (reply->kind == REPLY_FD)
		reply_install(req);
}

void reply_send(struct request *req)
{
	const struct reply *reply = &req->reply;
	int listener = req->sandbox->listener;

	/* What is pinned or held is busy, and its blocks are in use: the program might see that. And while this thread goes on working the
	 * program that it wakes is moved to another CPU. */
	request_release(req);
	if (reply->sigpipe && !listener_valid(listener, req->notif.id))
		reply_sigpipe(req);
	switch (reply->kind) {
	case REPLY_DENY:
		(void)listener_send(listener, req->notif.id, 0, reply->error < 0 ? reply->error : -EACCES);
		break;
	case REPLY_VALUE:
		(void)listener_send(listener, req->notif.id, reply->value, 0);
		break;
	case REPLY_CONTINUE:
		ASSERT(!req->call || req->call->may_continue);
		(void)listener_continue(listener, req->notif.id);
		break;
	case REPLY_FD:		/* gone before it could be installed */
	case REPLY_PARKED:
	case REPLY_NONE:
		break;
	}
}
