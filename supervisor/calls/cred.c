/*
 * setuid(2) and its kin are decided by the kernel alone: nothing of their arguments was judged, so that the
 * kernel may read them again. They are only trapped because the credentials that are worn for the target
 * are cached. Raw calls change one thread, and the C library makes one in each of them, so that the thread
 * is all there is to forget. It cannot make another call before this one is done: the next one finds the
 * new credentials.
 */
#include "calls/cred.h"

int cred_changed_serve(struct request *req)
{
	req->target->cred_stale = true;
	req->reply.kind = REPLY_CONTINUE;
	return 0;
}
