/*
 * Scenes with opens that break a lease: they wait, for /proc/sys/fs/lease-break-time, in a call that only a thread can wait in. As
 * in probe_wait.c each says "ok" or what did not hold. That somebody waits is told by the lease's signal.
 */
#include "probe.h"
#include "probe_alarm.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 100
#define SIGNAL_BREAK SIGRTMIN

struct lease {
	pthread_t thread;
	char name[32];
	int held;
	_Atomic int fd;	/* -2: not yet */
};

static void enter(const char *dir)
{
	sigset_t set;
	CHECK(chdir(dir) == 0);
	alarm(240);
	sigemptyset(&set);
	sigaddset(&set, SIGNAL_BREAK);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

static void lease_take(struct lease *lease, int number)
{
	snprintf(lease->name, sizeof(lease->name), "leased-%d", number);
	lease->fd = -2;
	lease->held = open(lease->name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(lease->held >= 0 && fcntl(lease->held, F_SETSIG, SIGNAL_BREAK) == 0);
	CHECK(fcntl(lease->held, F_SETLEASE, F_WRLCK) == 0);
}

static void lease_give_up(struct lease *lease)
{
	CHECK(fcntl(lease->held, F_SETLEASE, F_UNLCK) == 0);
}

static void lease_forget(struct lease *lease)
{
	close(lease->held);
	CHECK(unlink(lease->name) == 0);
}

static void until_broken(void)
{
	const struct timespec limit = { .tv_sec = 20 };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGNAL_BREAK);
	CHECK(sigtimedwait(&set, NULL, &limit) == SIGNAL_BREAK);
}

static void *break_lease(void *data)
{
	struct lease *lease = data;
	int fd = open(lease->name, O_RDONLY | O_CLOEXEC);
	lease->fd = fd < 0 ? -1 : fd;
	return NULL;
}

/* ---- others go on --------------------------------------------------------------------------- */

static void lease_breakers_delay_nobody(char **arg)
{
	struct lease *leases = calloc(MANY, sizeof(*leases));
	struct stat st;
	enter(arg[0]);
	CHECK(leases);
	for (int i = 0; i < MANY; i++)
		lease_take(&leases[i], i);
	for (int i = 0; i < MANY; i++)
		CHECK(pthread_create(&leases[i].thread, NULL, break_lease, &leases[i]) == 0);
	for (int i = 0; i < MANY; i++)
		until_broken();
	for (int i = 0; i < 100; i++) {
		int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		CHECK(fd >= 0 && write(fd, "x", 1) == 1);
		close(fd);
		CHECK(mkdir("made", 0700) == 0 && rename("made", "moved") == 0 && rmdir("moved") == 0);
		CHECK(stat("f", &st) == 0);
	}
	for (int i = 0; i < MANY; i++)
		CHECK(leases[i].fd == -2);
	for (int i = 0; i < MANY; i++)
		lease_give_up(&leases[i]);
	for (int i = 0; i < MANY; i++) {
		pthread_join(leases[i].thread, NULL);
		CHECK(leases[i].fd > 2);
		close(leases[i].fd);
		lease_forget(&leases[i]);
	}
	free(leases);
	answer(0);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void *give_up_when_handled(void *data)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	until_broken();
	until_three_handled();
	lease_give_up(data);
	return NULL;
}

static void lease_alarm_with_restart(char **arg)
{
	struct lease lease;
	enter(arg[0]);
	on_alarm(SA_RESTART);
	for (int i = 0; i < 3; i++) {
		lease_take(&lease, i);
		CHECK(pthread_create(&lease.thread, NULL, give_up_when_handled, &lease) == 0);
		every(20000);
		int fd = open(lease.name, O_RDWR | O_CLOEXEC);
		every(0);
		CHECK(fd == lease.held + 1);
		close(fd);
		pthread_join(lease.thread, NULL);
		lease_forget(&lease);
	}
	answer(0);
}

static void lease_alarm_without_restart(char **arg)
{
	struct lease lease;
	enter(arg[0]);
	on_alarm(0);
	lease_take(&lease, 0);
	for (int i = 0; i < 5; i++) {
		every(20000);
		CHECK((i % 2 ? truncate(lease.name, 10) : open(lease.name, O_RDONLY | O_TRUNC)) < 0 && errno == EINTR && ticks >= 1);
		every(0);
	}
	until_broken();
	lease_give_up(&lease);
	lease_forget(&lease);
	answer(0);
}

static void lease_breaker_is_killed_or_stopped(char **arg)
{
	struct lease lease;
	int status;
	enter(arg[0]);
	for (int i = 0; i < 4; i++) {
		lease_take(&lease, i);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			CHECK(open(lease.name, O_RDONLY) >= 0);
			_exit(0);
		}
		until_broken();
		CHECK(kill(pid, i % 2 ? SIGKILL : SIGSTOP) == 0);
		CHECK(waitpid(pid, &status, WUNTRACED) == pid && (i % 2 ? WIFSIGNALED(status) : WIFSTOPPED(status)));
		lease_give_up(&lease);
		if (i % 2 == 0)
			CHECK(kill(pid, SIGCONT) == 0 && waitpid(pid, &status, 0) == pid && status == 0);
		lease_forget(&lease);
	}
	answer(0);
}

#define SCENE(name) { #name, 1, name }
const struct command lease_commands[] = {
	SCENE(lease_breakers_delay_nobody), SCENE(lease_alarm_with_restart), SCENE(lease_alarm_without_restart),
	SCENE(lease_breaker_is_killed_or_stopped), { .name = NULL },
};
