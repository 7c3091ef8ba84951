#include "stage.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "listener.h"
#include "sandbox.h"

static int stage_trap(const struct request *req, int err)
{
	siginfo_t info;

	/* By number: whose it is now must be known. */
	if (listener_valid(req->sandbox->listener, req->notif.id))
		return -ESRCH;
	memset(&info, 0, sizeof(info));
	info.si_signo = SIGSYS;
	info.si_errno = err;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	/* These two overlay si_value and nothing else. */
	info.si_syscall = req->notif.data.nr;
	info.si_arch = req->notif.data.arch;
	return syscall(SYS_rt_tgsigqueueinfo, req->target->tgid, req->target->tid, SIGSYS, &info) ? -errno : 0;
}

static int stage_kill(const struct request *req)
{
	int pidfd = req->target->pidfd;

	if (pidfd >= 0)
		return syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) ? -errno : 0;
	/* Before 6.9 threads have no pidfd. The numbers are the caller's as long as it waits for us. */
	return syscall(SYS_tgkill, req->target->tgid, req->target->tid, SIGKILL) ? -errno : 0;
}

static int stage_signal(const struct request *req, enum policy_stage stage, int err)
{
	return stage == STAGE_KILL ? stage_kill(req) : stage_trap(req, err);
}

void stage_apply(struct request *req, const struct policy_verdict *verdict)
{
	int err = 0;

	req->reply.kind = REPLY_DENY;
	req->reply.error = verdict->err > 0 ? -verdict->err : -EACCES;
	if (verdict->stage != STAGE_TRAP && verdict->stage != STAGE_KILL)
		return;
	if (req->target)
		err = stage_signal(req, verdict->stage, -req->reply.error);
	if (err == -EPERM && cred_power())
		err = stage_signal(req, verdict->stage, -req->reply.error);
	/* Without a signal the call is refused all the same. */
	if (verdict->stage == STAGE_KILL && req->target && !err)
		req->reply.kind = REPLY_NONE;
}
