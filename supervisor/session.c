#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"

#define ORPHANS_MAX 1024
#define CONTINUE_NS UINT64_C(30000000)
#define GIVE_UP_NS  UINT64_C(2000000000)

/* Faults of our own stay ours; so do SIGPIPE and SIGXFSZ. */
static const int not_passed[] = { SIGCHLD, SIGPIPE, SIGXFSZ, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };

void session_block(sigset_t *mask, bool *chld)
{
	sigset_t all;
	struct sigaction was;
	sigfillset(&all);
	ASSERT(pthread_sigmask(SIG_SETMASK, &all, mask) == 0);
	/* Ignored SIGCHLD would reap children for us, and lose their status. */
	ASSERT(sigaction(SIGCHLD, NULL, &was) == 0);
	*chld = was.sa_handler == SIG_IGN;
	ASSERT(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

static bool child_stopped(const struct session *session)
{
	const struct wire_page *page = session->launch->page;
	return atomic_load(&page->stopped) > atomic_load(&page->continued);
}

static void signal_pidfd(int pidfd, const struct signalfd_siginfo *info)
{
	siginfo_t queued;
	memset(&queued, 0, sizeof(queued));
	queued.si_signo = (int)info->ssi_signo;
	queued.si_code = SI_QUEUE;
	queued.si_pid = (pid_t)info->ssi_pid;
	queued.si_uid = info->ssi_uid;
	queued.si_ptr = (void *)(uintptr_t)info->ssi_ptr;
	bool value = info->ssi_code == SI_QUEUE;
	(void)syscall(SYS_pidfd_send_signal, pidfd, (int)info->ssi_signo, value ? &queued : NULL, 0);
}

/* The child has ended and daemons go on: theirs is what is sent to us. */
static void signal_orphans(const struct session *session, const struct signalfd_siginfo *info)
{
	static pid_t orphans[ORPHANS_MAX];
	size_t n = kin_children(session->launch->guardian, orphans, ORPHANS_MAX);
	for (size_t i = 0; i < n; i++) {
		AUTO_FD pidfd = (int)syscall(SYS_pidfd_open, orphans[i], 0);
		if (pidfd >= 0)
			signal_pidfd(pidfd, info);
	}
}

static bool passed_on(const struct signalfd_siginfo *info)
{
	if (info->ssi_signo == SIGCONT || info->ssi_pid == (uint32_t)getpid())
		return false;
	/* From the kernel, that is the terminal: the child has got it too. But a hang-up goes to the session's leader alone. */
	return info->ssi_code <= 0 || (info->ssi_signo == SIGHUP && getsid(0) == getpid());
}

/*
 * SIGCONT comes from a shell for the whole group, and the child has got it, or from kill(2) for us alone. The child is
 * continued if it has not been a moment later, and only out of the stop that was meant: it may be in the next one by then.
 */
static void continue_late(struct loop_op *op, int result)
{
	struct session *session = container_of(op, struct session, continue_op);
	const struct wire_page *page = session->launch->page;
	if (!session->over && result != -ECANCELED && child_stopped(session) && atomic_load(&page->stopped) == session->stops_continued)
		(void)syscall(SYS_pidfd_send_signal, session->launch->child, SIGCONT, NULL, 0);
}

static void continued(struct session *session, const struct signalfd_siginfo *info)
{
	bool guardian = info->ssi_pid == (uint32_t)session->launch->guardian;
	if (guardian || !child_stopped(session) || session->continue_op.pending)
		return;
	session->stops_continued = atomic_load(&session->launch->page->stopped);
	(void)loop_timer(session->loop, &session->continue_op, CONTINUE_NS);
}

/* Would SIGNO end the program? Then whoever sent it meant usher. */
static bool child_minds(const struct session *session, int signo)
{
	static const char *const keys[] = { "\nSigCgt:", "\nSigIgn:", "\nSigBlk:" };
	char path[40], text[4096];
	(void)snprintf(path, sizeof(path), "/proc/%d/status", atomic_load(&session->launch->page->child));
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *at = strstr(text, keys[i]);
		if (at && strtoull(at + strlen(keys[i]), NULL, 16) >> (signo - 1) & 1)
			return true;
	}
	return false;
}

static void signals_come(struct loop_op *op, int result)
{
	struct session *session = container_of(op, struct session, signal_op);
	struct signalfd_siginfo info;
	if (session->over || result < 0)
		return;
	while (read(session->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCONT)
			continued(session, &info);
		if (!passed_on(&info))
			continue;
		if (info.ssi_signo == SIGUSR1 && session->reopen && session->reopen(session->reopen_ctx) && !child_minds(session, SIGUSR1))
			continue;
		if (atomic_load(&session->launch->page->exited))
			signal_orphans(session, &info);
		else
			signal_pidfd(session->launch->child, &info);
	}
	(void)loop_poll(session->loop, &session->signal_op, session->signals, POLLIN);
}

/*
 * A shell that is the child makes a group of its own and takes the terminal. When it suspends itself, the outer shell
 * gives the terminal to our group later, since that is the job it knows: we hand it on.
 */
struct handover { int tty; pid_t group; };

static struct handover handover_prepare(const struct session *session)
{
	struct handover handover = { .tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC) };
	handover.group = getpgid(atomic_load(&session->launch->page->child));
	if (handover.tty >= 0 && (handover.group == getpgrp() || tcgetpgrp(handover.tty) != handover.group))
		handover.tty = fd_close(handover.tty);
	return handover;
}

static void handover_do(struct handover *handover)
{
	if (handover->tty < 0)
		return;
	if (tcgetpgrp(handover->tty) == getpgrp() && tcsetpgrp(handover->tty, handover->group) == 0)
		(void)killpg(handover->group, SIGCONT);
	handover->tty = fd_close(handover->tty);
}

/* What the guardian told may be over: who stopped now would not be continued, and the shell would see a job stopped that runs. */
static bool still_stopped(const struct session *session)
{
	char path[40], text[128];
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", atomic_load(&session->launch->page->child));
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
	const char *end = strrchr(text, ')');
	return end && end[1] == ' ' && (end[2] == 'T' || end[2] == 't');
}

/* All threads stop here, by the same signal as the child (shells tell people which), until somebody continues us. */
static void stop_too(struct session *session)
{
	int stops = atomic_load(&session->launch->page->stopped);
	int number = atomic_load(&session->launch->page->stop_signal);
	static const struct timespec now = { 0 };
	sigset_t set, before;
	if (stops == session->stops_seen || !child_stopped(session))
		return;
	session->stops_seen = stops;
	struct handover handover = handover_prepare(session);
	sigemptyset(&set);
	sigaddset(&set, number);
	(void)sigtimedwait(&set, NULL, &now);	/* the terminal's own: it must not stop us a second time */
	if (still_stopped(session)) {
		pthread_sigmask(SIG_UNBLOCK, &set, &before);
		(void)kill(getpid(), number);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	handover_do(&handover);
}

/* The guardian ends when the last of the tree has; the broker notices a moment later, unless it hangs. */
static void end_if_over(struct session *session)
{
	if (session->guardian_gone && session->filter_gone)
		loop_stop(session->loop);
}

void session_gone(void *ctx)
{
	struct session *session = ctx;
	session->filter_gone = true;
	end_if_over(session);
}

static void give_up(struct loop_op *op, int result)
{
	struct session *session = container_of(op, struct session, give_up_op);
	(void)result;
	if (!session->over)
		loop_stop(session->loop);
}

static void guardian_gone(struct session *session)
{
	launch_reap(session->launch);
	session->guardian_gone = true;
	(void)loop_timer(session->loop, &session->give_up_op, GIVE_UP_NS);
	end_if_over(session);
}

static void news_come(struct loop_op *op, int result)
{
	struct session *session = container_of(op, struct session, news_op);
	char bytes[64];
	if (session->over || result < 0)
		return;
	ssize_t n = recv(session->launch->alive, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		guardian_gone(session);
		return;
	}
	stop_too(session);
	(void)loop_poll(session->loop, &session->news_op, session->launch->alive, POLLIN);
}

int session_start(struct session *session, struct loop *loop, struct launch *launch)
{
	sigset_t set;
	*session = (struct session){ .loop = loop, .launch = launch, .signals = -1 };
	sigfillset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(not_passed); i++)
		sigdelset(&set, not_passed[i]);
	session->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (session->signals < 0)
		return -errno;
	session->signal_op.done = signals_come;
	session->news_op.done = news_come;
	session->continue_op.done = continue_late;
	session->give_up_op.done = give_up;
	int result = loop_poll(loop, &session->signal_op, session->signals, POLLIN);
	return result < 0 ? result : loop_poll(loop, &session->news_op, launch->alive, POLLIN);
}

void session_end(struct session *session)
{
	session->over = true;
	session->signals = fd_close(session->signals);
}
