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

static void reply_error(struct request *req, int err)
{
	req->reply.kind = REPLY_DENY;
	req->reply.error = err;
	(void)listener_send(req->sandbox->listener, req->notif.id, 0, err);
}

/* Our copy is closed before the target runs: it would keep locks, pipes and running images busy. */
static void reply_install(struct request *req)
{
	int number = listener_addfd(req->sandbox->listener, req->notif.id, req->reply.fd, req->reply.cloexec);

	req->reply.fd = fd_close(req->reply.fd);
	if (number == -ENOENT)
		return;
	if (number < 0) {
		reply_error(req, number);
		return;
	}
	req->reply.value = number;
	(void)listener_send(req->sandbox->listener, req->notif.id, number, 0);
}

/* ENOENT from the listener, everywhere: the target is gone, nobody waits for the answer. */
void reply_send(struct request *req)
{
	struct reply *reply = &req->reply;
	int err;

	/* What is reached by its number must still be who called: resolving may have taken long. */
	if ((reply->sigpipe || reply->out[0].data) && listener_valid(req->sandbox->listener, req->notif.id))
		return;
	err = reply_write(req);
	if (err) {
		reply_error(req, err);
		return;
	}
	/* What is pinned or held is busy, and its blocks are in use: the program might see that. And while this thread goes on working the
	 * program that it wakes is moved to another CPU. */
	request_release(req);
	if (reply->sigpipe)
		reply_sigpipe(req);
	switch (reply->kind) {
	case REPLY_DENY:
		/* Without a signal these leak to the program. */
		if (reply->error <= -512 && reply->error >= -516 && !req->parked && !*req->interrupted)
			reply->error = -EINTR;
		reply_error(req, reply->error < 0 ? reply->error : -EACCES);
		break;
	case REPLY_VALUE:
		(void)listener_send(req->sandbox->listener, req->notif.id, reply->value, 0);
		break;
	case REPLY_FD:
		reply_install(req);
		break;
	case REPLY_CONTINUE:
		ASSERT(!req->call || req->call->may_continue);
		(void)listener_continue(req->sandbox->listener, req->notif.id);
		break;
	case REPLY_PARKED:
	case REPLY_NONE:
		break;
	}
}
