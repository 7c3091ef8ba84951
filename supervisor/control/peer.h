/*
 * Who may speak to a supervisor: its own user and root, from outside of every sandbox.
 *
 * A process in any usher sandbox has usher's filter, and so has all that it starts: a filter cannot be taken off (seccomp(2)). So
 * whoever has more filters than the supervisor itself has is refused, whatever its uid: the supervisor is outside of all sandboxes,
 * since usher does not start under usher. That refuses more than it must, for instance a service with SystemCallFilter=, and never too
 * little among those that share the supervisor's surroundings. A supervisor in a container that has filters of its own has those as
 * well; who has no number in its pid namespace is refused.
 *
 * Two are looked at: who connected (SO_PEERCRED, with SO_PEERPIDFD where there is one, Linux 6.5) and who sent the request
 * (SCM_CREDENTIALS). They must be the same, so that a connection that was handed on is of no use.
 *
 * A supervisor connects and sends for its program, under its own number and without filters. The directories of control sockets that
 * it knows of are closed to the program, but there may be others (another XDG_RUNTIME_DIR, a mount). So supervisors bear a name by
 * which they are known, and have nothing to say.
 */
#ifndef USHER_CONTROL_PEER_H
#define USHER_CONTROL_PEER_H

#include <sys/socket.h>

/* The name (PR_SET_NAME) of a supervisor's first thread. */
#define PEER_SUPERVISOR "usher-run"

/* NULL if SENDER, on the connection FD, may speak; else why not. */
const char *peer_refused(int fd, const struct ucred *sender);

#endif
