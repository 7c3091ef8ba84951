/* From a verdict to what happens. */
#ifndef USHER_STAGE_H
#define USHER_STAGE_H

#include "request.h"

/*
 * Sets req->reply for VERDICT, which denies: an errno; for trap also SIGSYS, queued to the very thread; for kill SIGKILL and no
 * answer. The supervisor's own credentials are needed: after cred_own().
 *
 * The SIGSYS comes by rt_tgsigqueueinfo(2), which lets nobody claim to be the kernel: si_code is SI_QUEUE, not SYS_SECCOMP,
 * and si_pid and si_uid are the supervisor's. si_errno is the errno; si_syscall and si_arch are where a handler
 * for SYS_SECCOMP looks for them (si_syscall is also si_value.sival_int).
 */
void stage_apply(struct request *req, const struct policy_verdict *verdict);

#endif
