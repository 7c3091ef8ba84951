/*
 * One thread seizes, waits and detaches. Other threads hand it a struct pass and wait until the target is
 * seized.
 *
 * It sleeps on a condition while nothing is seized, and in waitpid(2) while something is. A signal
 * interrupts waitpid when a pass comes; one that arrives just before the call would be lost, so a timer
 * repeats it for as long as anything is seized. The same timer ends what came to nothing: an execve that
 * failed raises no event. Its thread is asked to stop (PTRACE_INTERRUPT) after a while, when it is not
 * asleep, and is then let go; until then its signals and stops are passed on.
 *
 * A request to stop does not disturb an execve that still runs: it is taken at the return to user mode, and
 * the exec event comes before that. Should the kernel restart the call for it, a new notification comes and
 * the target is seized again.
 */
#include "gate.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "audit.h"
#include "err.h"
#include "fd.h"
#include "now.h"
#include "sandbox.h"
#include "started.h"

#define GATE_SIGNAL (SIGRTMIN + 5)
#define TICK_NS 2000000
#define GRACE_NS UINT64_C(60000000)
#define ASLEEP_NS UINT64_C(3000000000)
#define BUCKETS 256

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* Seized, and not yet let go. */
struct passing {
	struct passing *next;
	pid_t tid;
	dev_t dev;
	ino_t ino;
	struct ruleset *rules;		/* that let it pass; held */
	uint64_t passed_ns, asked_ns;	/* when it passed; and when it was asked to stop last, if it was */
	bool killed;
};

struct pass {
	struct pass *next;
	pid_t tid;
	dev_t dev;
	ino_t ino;
	struct ruleset *rules;
	int result;
	bool done;
};

struct gate {
	struct sandbox *sandbox;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	/* under lock */
	struct pass *first, **last;
	bool waiting;		/* in waitpid, or about to be */
	bool stop;
	bool started;
	/* the thread's own */
	struct passing *buckets[BUCKETS];
	size_t n;
	timer_t timer;
	bool ticking;
	bool ran;		/* something has passed */
	int timer_err;
};

static struct passing **gate_find(struct gate *gate, pid_t tid)
{
	struct passing **at = &gate->buckets[(unsigned)tid % BUCKETS];

	while (*at && (*at)->tid != tid)
		at = &(*at)->next;
	return at;
}

static void gate_drop(struct gate *gate, pid_t tid)
{
	struct passing **at = gate_find(gate, tid), *old = *at;

	if (!old)
		return;
	*at = old->next;
	ruleset_put(old->rules);
	free(old);
	gate->n--;
}

static int gate_seize(struct gate *gate, const struct pass *pass)
{
	struct passing **at = gate_find(gate, pass->tid), *passing = *at;

	if (!passing) {
		passing = calloc(1, sizeof(*passing));
		if (!passing)
			return -ENOMEM;
		if (ptrace(PTRACE_SEIZE, pass->tid, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) {
			int err = -errno;
			free(passing);
			return err;
		}
		passing->tid = pass->tid;
		*at = passing;
		gate->n++;
	} else {
		ruleset_put(passing->rules);
	}
	passing->rules = pass->rules;
	ruleset_hold(passing->rules);
	passing->dev = pass->dev;
	passing->ino = pass->ino;
	passing->passed_ns = passing->asked_ns = now_ns();
	return 0;
}

static void gate_kill(struct gate *gate, pid_t pid, struct passing *passing, const char *why)
{
	char text[160];

	(void)kill(pid, SIGKILL);
	passing->killed = true;
	if (!gate->ran)
		atomic_store(&gate->sandbox->unstarted, why);
	if (!gate->sandbox->audit)
		return;
	(void)snprintf(text, sizeof(text), "process %d was killed at execve: %s", (int)pid, why);
	audit_event(gate->sandbox->audit, "kill", text);
}

/* PID has a new image and has not run any of it. */
static void gate_compare(struct gate *gate, pid_t pid)
{
	struct passing **at, *passing;
	unsigned long former = (unsigned long)pid;
	const char *wrong;

	/* An execve of another thread took the leader's number over; what was known of the leader went with
	 * it. */
	(void)ptrace(PTRACE_GETEVENTMSG, pid, NULL, &former);
	if ((pid_t)former != pid)
		gate_drop(gate, pid);
	at = gate_find(gate, (pid_t)former);
	passing = *at;
	if (!passing) {
		(void)kill(pid, SIGKILL);
		return;
	}
	*at = passing->next;
	passing->tid = pid;
	at = gate_find(gate, pid);
	passing->next = *at;
	*at = passing;

	wrong = started_wrong(passing->rules->policy, pid, passing->dev, passing->ino);
	if (wrong) {
		gate_kill(gate, pid, passing, wrong);
		return;
	}
	gate->ran = true;
	/* It has other credentials than the leader had whose number it may have taken over. */
	target_forget(gate->sandbox->targets, pid);
	if (!ptrace(PTRACE_DETACH, pid, NULL, NULL))
		gate_drop(gate, pid);
}

static void gate_event(struct gate *gate, pid_t pid, int status)
{
	int sig, event;

	if (!WIFSTOPPED(status)) {
		gate_drop(gate, pid);
		return;
	}
	sig = WSTOPSIG(status);
	event = status >> 16;
	if (event == PTRACE_EVENT_EXEC) {
		gate_compare(gate, pid);
	} else if (event == PTRACE_EVENT_STOP && sig == SIGTRAP) {
		/* What we asked for, or the end of a group stop: the execve has come to nothing. */
		if (!ptrace(PTRACE_DETACH, pid, NULL, NULL))
			gate_drop(gate, pid);
	} else if (event == PTRACE_EVENT_STOP) {
		(void)ptrace(PTRACE_LISTEN, pid, NULL, NULL);
	} else {
		(void)ptrace(PTRACE_CONT, pid, NULL, (long)(event ? 0 : sig));
	}
}

/* In a system call that waits for something: a request to stop may show as an EINTR there. */
static bool gate_asleep(pid_t tid)
{
	char path[32];
	AUTO_FD proc = -1;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)tid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc >= 0 && target_state(proc) == 'S';
}

static void gate_grace(struct gate *gate)
{
	uint64_t now = now_ns();

	for (size_t i = 0; i < BUCKETS; i++)
		for (struct passing *p = gate->buckets[i]; p; p = p->next) {
			if (p->killed || now - p->asked_ns < GRACE_NS)
				continue;
			if (now - p->passed_ns < ASLEEP_NS && gate_asleep(p->tid))
				continue;
			p->asked_ns = now;
			(void)ptrace(PTRACE_INTERRUPT, p->tid, NULL, NULL);
		}
}

static void gate_tick(struct gate *gate, bool on)
{
	struct itimerspec when = { 0 };

	if (gate->ticking == on)
		return;
	if (on)
		when.it_value.tv_nsec = when.it_interval.tv_nsec = TICK_NS;
	ASSERT(!timer_settime(gate->timer, 0, &when, NULL));
	gate->ticking = on;
}

static void gate_wait(struct gate *gate)
{
	int status;
	pid_t pid = waitpid(-1, &status, __WALL | __WNOTHREAD);

	while (pid > 0) {
		gate_event(gate, pid, status);
		pid = waitpid(-1, &status, __WALL | __WNOTHREAD | WNOHANG);
	}
	if (pid < 0 && errno == ECHILD)
		for (size_t i = 0; i < BUCKETS; i++)
			while (gate->buckets[i])
				gate_drop(gate, gate->buckets[i]->tid);
	gate_grace(gate);
}

static void gate_ignore(int sig)
{
	(void)sig;
}

static int gate_prepare(struct gate *gate)
{
	struct sigaction action = { .sa_handler = gate_ignore };	/* no SA_RESTART: it must interrupt */
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = GATE_SIGNAL };
	sigset_t set;

	event.sigev_notify_thread_id = gettid();
	(void)sigemptyset(&action.sa_mask);
	(void)sigfillset(&set);
	(void)sigdelset(&set, GATE_SIGNAL);
	if (sigaction(GATE_SIGNAL, &action, NULL) || timer_create(CLOCK_MONOTONIC, &event, &gate->timer))
		return -errno;
	return -pthread_sigmask(SIG_SETMASK, &set, NULL);
}

static void *gate_main(void *arg)
{
	struct gate *gate = arg;
	int err = gate_prepare(gate);

	(void)pthread_mutex_lock(&gate->lock);
	gate->timer_err = err;
	gate->started = true;
	(void)pthread_cond_broadcast(&gate->done);
	while (!gate->stop && !err) {
		struct pass *pass = gate->first;
		if (pass) {
			gate->first = pass->next;
			if (!gate->first)
				gate->last = &gate->first;
			(void)pthread_mutex_unlock(&gate->lock);
			pass->result = gate_seize(gate, pass);
			(void)pthread_mutex_lock(&gate->lock);
			pass->done = true;
			(void)pthread_cond_broadcast(&gate->done);
		} else if (!gate->n) {
			gate_tick(gate, false);
			(void)pthread_cond_wait(&gate->work, &gate->lock);
		} else {
			gate_tick(gate, true);
			gate->waiting = true;
			(void)pthread_mutex_unlock(&gate->lock);
			gate_wait(gate);
			(void)pthread_mutex_lock(&gate->lock);
			gate->waiting = false;
		}
	}
	for (struct pass *pass = gate->first; pass; pass = pass->next) {
		pass->result = -ESRCH;
		pass->done = true;
	}
	(void)pthread_cond_broadcast(&gate->done);
	(void)pthread_mutex_unlock(&gate->lock);
	if (!err)
		(void)timer_delete(gate->timer);
	return NULL;
}

int gate_new(struct gate **gate, struct sandbox *sandbox)
{
	struct gate *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	new->sandbox = sandbox;
	new->last = &new->first;
	(void)pthread_mutex_init(&new->lock, NULL);
	(void)pthread_cond_init(&new->work, NULL);
	(void)pthread_cond_init(&new->done, NULL);
	err = -pthread_create(&new->thread, NULL, gate_main, new);
	if (err) {
		free(new);
		return err;
	}
	(void)pthread_mutex_lock(&new->lock);
	while (!new->started)
		(void)pthread_cond_wait(&new->done, &new->lock);
	err = new->timer_err;
	(void)pthread_mutex_unlock(&new->lock);
	if (err) {
		gate_free(new);
		return err;
	}
	*gate = new;
	return 0;
}

static void gate_wake(struct gate *gate)
{
	(void)pthread_cond_signal(&gate->work);
	if (gate->waiting)
		(void)pthread_kill(gate->thread, GATE_SIGNAL);
}

void gate_free(struct gate *gate)
{
	if (!gate)
		return;
	(void)pthread_mutex_lock(&gate->lock);
	gate->stop = true;
	gate_wake(gate);
	(void)pthread_mutex_unlock(&gate->lock);
	(void)pthread_join(gate->thread, NULL);
	for (size_t i = 0; i < BUCKETS; i++)
		while (gate->buckets[i])
			gate_drop(gate, gate->buckets[i]->tid);
	(void)pthread_mutex_destroy(&gate->lock);
	(void)pthread_cond_destroy(&gate->work);
	(void)pthread_cond_destroy(&gate->done);
	free(gate);
}

bool gate_wanted(const struct request *req)
{
	return req->sandbox->gate && req->rules->plan.exec;
}

bool gate_strict(const struct request *req)
{
	return req->sandbox->gate && req->rules->strict_exec;
}

int gate_pass(struct gate *gate, const struct request *req, dev_t expected_dev, ino_t expected_ino)
{
	struct pass pass = { .tid = (pid_t)req->notif.pid, .dev = expected_dev, .ino = expected_ino, .rules = req->rules, .result = -ESRCH };

	(void)pthread_mutex_lock(&gate->lock);
	if (gate->stop)
		pass.done = true;
	else {
		*gate->last = &pass;
		gate->last = &pass.next;
		gate_wake(gate);
	}
	while (!pass.done)
		(void)pthread_cond_wait(&gate->done, &gate->lock);
	(void)pthread_mutex_unlock(&gate->lock);
	return pass.result;
}
