/* What send.c (acting) and send_fetch.c (copying) share. */
#ifndef USHER_CALLS_SEND_H
#define USHER_CALLS_SEND_H

#include "calls/socket.h"

#define SEND_MAX      (1u << 20)	/* bytes that one call copies */
#define SEND_CONTROL  (64u << 10)	/* bytes of ancillary data of one message */
#define SEND_MESSAGES 64		/* of one sendmmsg */
#define SEND_FDS      253		/* SCM_MAX_FD */

/* Receivers are told who sent. */
bool send_carries_creds(const struct socket_call *call);

#endif
