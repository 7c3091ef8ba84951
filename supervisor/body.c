/*
 * A body has the target's ids, which its thread had put on before, and the target's capabilities in the target's user
 * namespace: at most what the target can do itself. The memory it shares is the supervisor's, so nobody in there may get at it:
 *
 * - It is not dumpable, and belongs to the supervisor's user namespace: ptrace, /proc/PID/mem and their kin want CAP_SYS_PTRACE
 *   there, not in the namespace that was joined. The kernel may make it dumpable when credentials change (fs.suid_dumpable is
 *   1), so that is said again.
 * - A signal could end it between any two instructions, with locks held. Landlock keeps those of the sandbox away (Linux 6.12). If it
 *   happens nevertheless the supervisor ends as well: everything is refused then, and the tree is killed.
 *
 * The waiting thread lends its thread-local memory: errno, the heap's caches, cred_thread. Locks know it by that too.
 */
#include "body.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"
#include "cred_worker.h"
#include "decide.h"
#include "err.h"
#include "fd.h"
#include "pidfd.h"
#include "sandbox.h"

#define STACK_SIZE (1024 * 1024)
#define GUARD_SIZE (64 * 1024)

static const struct { const char *name; int flag; unsigned long get; } kinds[] = {
	{ "ns/user", CLONE_NEWUSER, PIDFD_GET_USER_NAMESPACE }, { "ns/net", CLONE_NEWNET, PIDFD_GET_NET_NAMESPACE },
	{ "ns/ipc", CLONE_NEWIPC, PIDFD_GET_IPC_NAMESPACE }, { "ns/cgroup", CLONE_NEWCGROUP, PIDFD_GET_CGROUP_NAMESPACE },
};

static const struct policy_rule elsewhere_rule =
	BUILTIN_RULE(SECTION_FILES, EACCES, "the caller's user, network or IPC namespace cannot be joined to serve it there");

#define BODY_UNBORN INT_MIN

struct body {
	struct request *req;
	int (*serve)(struct request *req);
	struct cred_worker worker;
	int (*fn)(void *ctx);	/* of body_apart() */
	void *ctx;
	int result;
	bool done;
	/* for others, under bodies_lock */
	pthread_t thread;	/* that waits for it */
	pid_t pid;		/* BODY_UNBORN before it is there; a zombie's once it has ended */
	struct body *next, **at;
};

/* ---- which ---------------------------------------------------------------------------------- */

static struct stat own[ARRAY_SIZE(kinds)];	/* zero: a kernel without that kind */

/* They stay open: what stands for a namespace in the kernel is then there already when it is asked for. */
static void own_read(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char path[32];
		int fd;

		(void)snprintf(path, sizeof(path), "/proc/self/%s", kinds[i].name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		/* Without a descriptor to spare it is told all the same. */
		ASSERT(!(fd >= 0 ? fstat(fd, &own[i]) : stat(path, &own[i])) || errno == ENOENT);
	}
}

/* By the pidfd if that can be: names make entries in /proc, which costs more. */
static int its_read(int proc, int pidfd, size_t kind, struct stat *its)
{
	AUTO_FD fd = pidfd < 0 ? -1 : ioctl(pidfd, kinds[kind].get, 0);

	return fd >= 0 ? fstat(fd, its) : fstatat(proc, kinds[kind].name, its, 0);
}

int body_namespaces(int proc, int pidfd)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int differ = 0;

	pthread_once(&once, own_read);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct stat its;

		if (!own[i].st_ino)
			continue;
		/* What a worn identity may not see the supervisor may. */
		if ((its_read(proc, pidfd, i, &its) && !(cred_power() && !its_read(proc, pidfd, i, &its))) ||
		    own[i].st_ino != its.st_ino || own[i].st_dev != its.st_dev)
			differ |= kinds[i].flag;
	}
	return differ;
}

bool body_wanted(const struct request *req)
{
	switch (req->call->when) {
	case CALL_FILES:
	case CALL_STAT:
	case CALL_HIDE:
	case CALL_MODIFY_FD:
	case CALL_APPEND:
		return req->target->elsewhere;
	case CALL_MOUNT:
		return true;	/* joins a mount namespace, too */
	case CALL_EXEC:
		return req->target->elsewhere & CLONE_NEWUSER;
	default:
		/* Sockets carry our number and ids, and the network namespace of who made them. */
		return false;
	}
}

/* ---- the list of them ----------------------------------------------------------------------- */

static pthread_mutex_t bodies_lock = PTHREAD_MUTEX_INITIALIZER;
static struct body *bodies;

static void body_enlist(struct body *body)
{
	pthread_mutex_lock(&bodies_lock);
	body->next = bodies;
	body->at = &bodies;
	if (body->next)
		body->next->at = &body->next;
	bodies = body;
	pthread_mutex_unlock(&bodies_lock);
}

static void body_delist(const struct body *body)
{
	pthread_mutex_lock(&bodies_lock);
	*body->at = body->next;
	if (body->next)
		body->next->at = body->at;
	pthread_mutex_unlock(&bodies_lock);
}

bool body_is(pid_t number)
{
	const struct body *body;

	pthread_mutex_lock(&bodies_lock);
	for (body = bodies; body && body->pid != number; body = body->next)
		;
	pthread_mutex_unlock(&bodies_lock);
	return body;
}

void body_interrupt(pthread_t thread, int signal)
{
	pthread_mutex_lock(&bodies_lock);
	for (const struct body *body = bodies; body; body = body->next)
		if (pthread_equal(body->thread, thread) && body->pid != BODY_UNBORN)
			(void)kill(body->pid, signal);
	pthread_mutex_unlock(&bodies_lock);
}

/* ---- in the body ---------------------------------------------------------------------------- */

/* Owners are mapped by who has power over the file system, which nobody has in another user namespace. */
static bool stays_outside(const struct request *req)
{
	uint64_t effective, permitted;

	return req->call->when == CALL_MOUNT && req->rules->plan.idmaps && !cap_get(&effective, &permitted) &&
	       permitted >> CAP_SYS_ADMIN & 1;
}

static int body_dress(struct body *body)
{
	const struct request *req = body->req;
	const struct cred *cred = &req->target->cred;
	struct cred_worker *worker = &body->worker;
	int namespaces = req->target->elsewhere;
	int err;

	if (namespaces & CLONE_NEWUSER && stays_outside(req))
		namespaces = 0;
	if (namespaces && setns(req->target->pidfd, namespaces))
		return -errno;
	err = cap_get(&worker->worn.effective, &worker->own.permitted);
	if (err)
		return err;
	/* As access(2) itself: without the capabilities, unless the real id is root's there. */
	if (namespaces & CLONE_NEWUSER)
		worker->effective = !req->real_ids ? cred->there_effective : geteuid() == 0 ? cred->there_permitted : 0;
	if (worker->effective & ~worker->own.permitted)
		return -EPERM;
	if (prctl(PR_SET_DUMPABLE, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL))
		return -errno;
	return cred_wear(worker, cred, req->real_ids);
}

static int body_main(void *arg)
{
	struct body *body = arg;
	struct request *req = body->req;
	struct cred_worker *worker = req->worker;
	int self, err;

	cred_thread = req->worker = &body->worker;
	err = body_dress(body);
	self = err ? -1 : open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!err && self < 0)
		err = -errno;
	if (err) {
		req->refused_by = &elsewhere_rule;
	} else {
		resolver_own_fds(self);
		err = body->serve(req);
		resolver_own_fds(-1);
		for (unsigned i = 0; i < req->n_names; i++)
			req->objects[i].self_fd = -1;
	}
	fd_close(self);
	cred_thread = req->worker = worker;
	body->result = err;
	body->done = true;
	return 0;
}

/* ---- on the thread -------------------------------------------------------------------------- */

#ifdef __SANITIZE_ADDRESS__
void __asan_unpoison_memory_region(void const volatile *memory, size_t size);
#else
#define __asan_unpoison_memory_region(memory, size) ((void)0)
#endif

static void *stack_new(void)
{
	char *memory = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	/* The kernel may give again what was the stack of a body that was killed: what it was in the middle of is still marked. */
	__asan_unpoison_memory_region(memory, STACK_SIZE);
	if (mprotect(memory, GUARD_SIZE, PROT_NONE)) {
		(void)munmap(memory, STACK_SIZE);
		return NULL;
	}
	return memory;
}

static int body_stack(struct cred_worker *worker)
{
	if (!worker->stack)
		worker->stack = stack_new();
	return worker->stack ? 0 : -ENOMEM;
}

void body_free(struct cred_worker *worker)
{
	if (worker->stack)
		(void)munmap(worker->stack, STACK_SIZE);
	worker->stack = NULL;
}

/* The same function by another name, which ThreadSanitizer leaves alone: it takes clone(2) for a fork. */
int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);

static int body_run(struct body *body, int (*main)(void *), char *stack, int shared)
{
	/* The number by which we know it: it may be in another PID namespace. */
	int pid, err;

	/* Here, for it may be killed with the lock held. */
	body->pid = BODY_UNBORN;
	body_enlist(body);
	pid = __clone(main, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | shared, body, &body->pid);
	err = errno;
	body_delist(body);
	if (pid < 0)
		return -err;
	ASSERT(body->done || !shared);
	/* Whoever waits for all children may have had it first. */
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	return body->done ? body->result : -ESRCH;
}

int body_serve(struct request *req, int (*serve)(struct request *req))
{
	struct cred_worker *worker = req->worker;
	struct body body = { .req = req, .serve = serve, .thread = pthread_self() };
	int err = req->target->pidfd < 0 ? -EACCES : cred_wear(worker, &req->target->cred, req->real_ids);

	if (!err)
		err = body_stack(worker);
	if (!err && !cred_constant()) {
		body.worker.effective = worker->worn.effective;
		err = cred_raise(worker);
	}
	if (err) {
		req->refused_by = &elsewhere_rule;
		return err;
	}
	body.worker.elsewhere = true;
	body.worker.known = true;
	err = body_run(&body, body_main, worker->stack, CLONE_FILES);
	cred_own(worker);
	return err;
}

static int apart_main(void *arg)
{
	struct body *body = arg;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	body->result = body->fn(body->ctx);
	body->done = true;
	return 0;
}

static int apart(int (*fn)(void *ctx), void *ctx, int shared)
{
	struct body body = { .fn = fn, .ctx = ctx, .thread = pthread_self() };
	char *stack = stack_new();
	int err;

	if (!stack)
		return -ENOMEM;
	err = body_run(&body, apart_main, stack, shared);
	(void)munmap(stack, STACK_SIZE);
	return err;
}

int body_apart(int (*fn)(void *ctx), void *ctx)
{
	return apart(fn, ctx, CLONE_FILES);
}

int body_exposed(int (*fn)(void *ctx), void *ctx)
{
	return apart(fn, ctx, 0);
}
