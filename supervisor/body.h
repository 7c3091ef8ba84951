/*
 * Serving a target that lives in other namespaces, in there.
 *
 * What the kernel says of ids and capabilities depends on the user namespace of who asks, and what lies below /proc/sys and
 * /proc/sysvipc on that and on the network and IPC namespaces. A thread cannot join a user namespace while others share its
 * process. So such a request is served in a body: a process that shares memory and descriptors with the serving thread, runs
 * in its place while it waits, as after vfork(2), and joins the target's namespaces first. Nothing has to be passed on, and
 * nothing is left of it afterwards: it keeps no namespace alive.
 */
#ifndef USHER_BODY_H
#define USHER_BODY_H

#include <pthread.h>

#include "cred.h"

struct request;

/* The CLONE_NEW* of those namespaces that matter here and in which a thread is not with us: PROC is an O_PATH descriptor of its /proc/TID,
 * PIDFD its pidfd or -1. What cannot be told is another. */
int body_namespaces(int proc, int pidfd);
/* True where SERVE for REQ must run in a body. */
bool body_wanted(const struct request *req);
/* Calls SERVE in one, with the target's credentials worn there. Its result, or -errno with req->refused_by set if the target's
 * namespaces cannot be joined. */
int body_serve(struct request *req, int (*serve)(struct request *req));
/* Runs FN in a process of its own that shares memory and descriptors, and waits for it. What FN does to its namespaces, root, cwd and
 * credentials ends with it. FN's result, or -errno. */
int body_apart(int (*fn)(void *ctx), void *ctx);
/* The same where others may kill it, as the end of its PID namespace does: it has descriptors of its own, and FN takes no lock. -ESRCH if it
 * was. */
int body_exposed(int (*fn)(void *ctx), void *ctx);
/* Any thread. Is NUMBER a body of this process? */
bool body_is(pid_t number);
/* SIGNAL for the body of THREAD, if it has one now: a thread that waits for its body has no ear for signals. */
void body_interrupt(pthread_t thread, int signal);

#endif
