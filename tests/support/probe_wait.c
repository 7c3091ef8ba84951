/*
 * Scenes with opens that wait, and with signals. As in probe_scene.c each says "ok" or what did not hold; natively they all say "ok".
 * That somebody waits is seen in /proc: in its system call, asleep.
 */
#include "probe.h"
#include "probe_alarm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void enter(const char *dir)
{
	CHECK(chdir(dir) == 0);
	alarm(240);
}

static int wait_status(pid_t pid)
{
	int status;
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Until thread TID sleeps in open(2) or openat(2). */
static void until_in_open(pid_t tid)
{
	char path[64], text[256];
	for (;;) {
		snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0);
		ssize_t n = read(fd, text, sizeof(text) - 1);
		close(fd);
		CHECK(n > 0);
		text[n] = '\0';
		if (strncmp(text, "running", 7) != 0 && atol(text) == SYS_openat)
			return;
		sched_yield();
	}
}

static int fifo_open(const char *name, int flags)
{
	return (int)syscall(SYS_openat, AT_FDCWD, name, flags);
}

/* ---- one waits for the other ---------------------------------------------------------------- */

static pid_t opener(const char *name, int flags)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		int fd = fifo_open(name, flags);
		char text[6] = "";
		CHECK(fd >= 0);
		if (flags == O_RDONLY)
			CHECK(read(fd, text, 5) == 5 && strcmp(text, "hello") == 0 && read(fd, text, 1) == 0);
		else
			CHECK(write(fd, "world", 5) == 5);
		_exit(0);
	}
	return pid;
}

static void fifo_both_ways(char **arg)
{
	char text[8] = "";
	enter(arg[0]);
	for (int i = 0; i < 10; i++) {
		pid_t pid = opener("fifo", O_RDONLY);
		until_in_open(pid);
		CHECK(waitpid(pid, NULL, WNOHANG) == 0);
		int fd = fifo_open("fifo", O_WRONLY);
		CHECK(fd == 3 && write(fd, "hello", 5) == 5);
		close(fd);
		CHECK(wait_status(pid) == 0);

		pid = opener("fifo", O_WRONLY);
		until_in_open(pid);
		fd = fifo_open("to-fifo", O_RDONLY);
		CHECK(fd == 3 && read(fd, text, 5) == 5 && strcmp(text, "world") == 0);
		CHECK(read(fd, text, 1) == 0);
		close(fd);
		CHECK(wait_status(pid) == 0);
	}
	answer(0);
}

struct waiter {
	pthread_t thread;
	char name[32];
	_Atomic pid_t tid;
	_Atomic int fd;		/* -2: not yet */
};

static void *wait_in_open(void *data)
{
	struct waiter *waiter = data;
	waiter->tid = gettid();
	int fd = fifo_open(waiter->name, O_RDONLY);
	waiter->fd = fd < 0 ? -1 : fd;
	return NULL;
}

static void waiter_start(struct waiter *waiter, int number)
{
	snprintf(waiter->name, sizeof(waiter->name), "fifo-%d", number);
	CHECK(mkfifo(waiter->name, 0600) == 0);
	waiter->fd = -2;
	CHECK(pthread_create(&waiter->thread, NULL, wait_in_open, waiter) == 0);
}

static void waiter_end(struct waiter *waiter)
{
	CHECK(waiter->fd == -2);
	int fd = fifo_open(waiter->name, O_WRONLY);
	char c = 0;
	CHECK(fd >= 0);
	pthread_join(waiter->thread, NULL);
	CHECK(waiter->fd > 2 && write(fd, "x", 1) == 1 && read(waiter->fd, &c, 1) == 1 && c == 'x');
	close(fd);
	close(waiter->fd);
	CHECK(unlink(waiter->name) == 0);
}

/* MANY threads wait, each in its own FIFO; everything else goes on, ROUNDS times. */
static void others_go_on(int many, int rounds)
{
	struct waiter *waiters = calloc((size_t)many, sizeof(*waiters));
	struct stat st;
	CHECK(waiters);
	for (int i = 0; i < many; i++)
		waiter_start(&waiters[i], i);
	for (int i = 0; i < many; i++) {
		while (!waiters[i].tid)
			sched_yield();
		until_in_open(waiters[i].tid);
	}
	for (int i = 0; i < rounds; i++) {
		int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		CHECK(fd >= 0 && write(fd, "x", 1) == 1);
		close(fd);
		CHECK(mkdir("made", 0700) == 0 && rename("made", "moved") == 0 && rmdir("moved") == 0);
		CHECK(stat("f", &st) == 0);
	}
	for (int i = 0; i < many; i++)
		CHECK(waiters[i].fd == -2);
	for (int i = 0; i < many; i++)
		waiter_end(&waiters[i]);
	free(waiters);
}

static void one_waits_others_go_on(char **arg)
{
	enter(arg[0]);
	others_go_on(1, 300);
	answer(0);
}

static void a_hundred_wait_others_go_on(char **arg)
{
	enter(arg[0]);
	others_go_on(100, 300);
	answer(0);
}

/* More than usher's threads, rings and tables begin with. */
static void a_thousand_wait_others_go_on(char **arg)
{
	struct rlimit files;
	enter(arg[0]);
	CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
	files.rlim_cur = files.rlim_max;	/* after a login 1024 */
	CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
	others_go_on(1200, 20);
	answer(0);
}

/* ---- signals -------------------------------------------------------------------------------- */

/* Opens the other end when the waiter has been interrupted three times. */
static void *end_waiting(void *data)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	until_three_handled();
	int fd = fifo_open(data, O_WRONLY);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	close(fd);
	return NULL;
}

static void alarm_with_restart(char **arg)
{
	struct sigaction action = { .sa_handler = tick, .sa_flags = SA_RESTART };
	pthread_t thread;
	char c = 0;
	enter(arg[0]);
	alarm(0);
	for (int i = 0; i < 2; i++) {
		sem_init(&handled, 0, 0);
		CHECK(pthread_create(&thread, NULL, end_waiting, "fifo") == 0);
		CHECK(sigaction(SIGALRM, &action, NULL) == 0);
		every(20000);
		int fd = fifo_open("fifo", O_RDONLY);
		every(0);
		CHECK(fd >= 0 && read(fd, &c, 1) == 1 && c == 'x');
		close(fd);
		pthread_join(thread, NULL);
	}
	answer(0);
}

static void alarm_without_restart(char **arg)
{
	struct sigaction action = { .sa_handler = tick };
	enter(arg[0]);
	alarm(0);
	sem_init(&handled, 0, 0);
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		every(20000);
		CHECK(fifo_open("fifo", i % 2 ? O_RDONLY : O_WRONLY) < 0 && errno == EINTR && ticks >= 1);
		every(0);
	}
	/* Nobody is left behind in the FIFO. */
	CHECK(fifo_open("fifo", O_WRONLY | O_NONBLOCK) < 0 && errno == ENXIO);
	answer(0);
}

/* A signal for a thread beside the waiting one does not disturb it. */
static void signal_for_another_thread(char **arg)
{
	struct sigaction action = { .sa_handler = tick };
	struct waiter waiter = { .tid = 0 };
	enter(arg[0]);
	sem_init(&handled, 0, 0);
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	waiter_start(&waiter, 0);
	while (!waiter.tid)
		sched_yield();
	until_in_open(waiter.tid);
	for (int i = 0; i < 5; i++)
		CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
	CHECK(ticks == 5);
	waiter_end(&waiter);
	answer(0);
}

static void interrupt_kills_a_waiter(char **arg)
{
	enter(arg[0]);
	static const int deadly[] = { SIGINT, SIGTERM, SIGKILL };
	for (int i = 0; i < 3; i++) {
		pid_t pid = opener("fifo", O_RDONLY);
		until_in_open(pid);
		CHECK(kill(pid, deadly[i]) == 0);
		CHECK(wait_status(pid) == 128 + deadly[i]);
		/* Soon there is no reader: natively at once. */
		int fd;
		while ((fd = fifo_open("fifo", O_WRONLY | O_NONBLOCK)) >= 0)
			close(fd);
		CHECK(errno == ENXIO);
	}
	answer(0);
}

static void stopped_while_waiting(char **arg)
{
	int status;
	enter(arg[0]);
	for (int i = 0; i < 3; i++) {
		pid_t pid = opener("fifo", O_RDONLY);
		until_in_open(pid);
		CHECK(kill(pid, SIGSTOP) == 0);
		CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
		CHECK(kill(pid, SIGCONT) == 0);
		CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
		int fd = fifo_open("fifo", O_WRONLY);
		CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
		close(fd);
		CHECK(wait_status(pid) == 0);
	}
	answer(0);
}

/* ---- SIGSYS --------------------------------------------------------------------------------- */

static volatile sig_atomic_t caught, caught_call, caught_tid, caught_errno, caught_code;

static void on_sigsys(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	caught++;
	caught_call = info->si_syscall;
	caught_errno = info->si_errno;
	caught_code = info->si_code;
	caught_tid = gettid();
}

static void cmd_onsys(char **arg)	/* catch, block or ignore */
{
	struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	if (strcmp(arg[0], "ignore") == 0)
		action.sa_handler = SIG_IGN;
	if (strcmp(arg[0], "block") == 0)
		sigprocmask(SIG_BLOCK, &set, NULL);
	answer(sigaction(SIGSYS, &action, NULL));
}

static void cmd_sys(char **arg)		/* how often it came, and with what the last time */
{
	(void)arg;
	printf("ok %d %s %s %s\n", caught, caught_call == SYS_openat ? "openat" : caught_call == SYS_mkdirat ? "mkdirat" : "other",
	       caught ? strerrorname_np(caught_errno) : "none", caught_code == SI_QUEUE ? "queue" : caught_code == 1 ? "kernel" : "none");
}

/* PATH may not be opened: the signal is for the thread that tried. */
static void *trap_me(void *path)
{
	for (int i = 0; i < 20; i++) {
		int before = caught;
		CHECK(open(path, O_RDONLY) < 0);
		CHECK(caught == before + 1 && caught_tid == gettid());
	}
	return NULL;
}

static void cmd_trapthreads(char **arg)
{
	pthread_t thread;
	for (int i = 0; i < 5; i++) {
		CHECK(pthread_create(&thread, NULL, trap_me, arg[0]) == 0);
		pthread_join(thread, NULL);
		trap_me(arg[0]);
	}
	answer(caught);
}

#define SCENE(name) { #name, 1, name }
const struct command wait_commands[] = {
	SCENE(fifo_both_ways), SCENE(one_waits_others_go_on), SCENE(a_hundred_wait_others_go_on), SCENE(a_thousand_wait_others_go_on),
	SCENE(alarm_with_restart), SCENE(alarm_without_restart), SCENE(signal_for_another_thread), SCENE(interrupt_kills_a_waiter), SCENE(stopped_while_waiting),
	{ "onsys", 1, cmd_onsys }, { "sys", 0, cmd_sys }, { "trapthreads", 1, cmd_trapthreads }, { .name = NULL },
};
