/* Starting programs: how execve(2) fails, from which thread, and very often at once. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char self[4096];
static char *no_environment[] = { NULL };

static void know_self(void)
{
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	CHECK(len > 0);
	self[len] = '\0';
}

/* How the child of fork() in TRY_EXEC ended: its errno if it started nothing, else its status. */
static void answer_run(int (*try_exec)(char **arg), char **arg)
{
	int report[2], err = 0, status;
	CHECK(pipe2(report, O_CLOEXEC) == 0);
	fflush(stdout);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		try_exec(arg);
		err = errno;
		_exit(write(report[1], &err, sizeof(err)) == sizeof(err) ? 98 : 99);
	}
	close(report[1]);
	ssize_t n = read(report[0], &err, sizeof(err));
	close(report[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	if (n == sizeof(err))
		printf("%s\n", strerrorname_np(err));
	else if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		printf("ok %d\n", WEXITSTATUS(status));
	fflush(stdout);
}

static int try_execve(char **arg)
{
	return execve(arg[0], arg, no_environment);
}

static void cmd_run(char **arg)		/* PATH ARG... */
{
	answer_run(try_execve, arg);
}

static int try_execveat(char **arg)
{
	char *argv[] = { "program", "exit", "21", NULL };
	return (int)syscall(SYS_execveat, number(arg[0]), arg[1], argv, no_environment, number(arg[2]));
}

static void cmd_runat(char **arg)	/* DIRFD PATH FLAGS */
{
	answer_run(try_execveat, arg);
}

static int try_memory(char **arg)
{
	char *argv[] = { "program", "exit", "21", NULL };
	int fd = memfd_create("program", MFD_CLOEXEC), in = open(arg[0], O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || in < 0 || fstat(in, &st) < 0 || sendfile(fd, in, NULL, (size_t)st.st_size) != st.st_size)
		return -1;
	return (int)syscall(SYS_execveat, fd, "", argv, no_environment, AT_EMPTY_PATH);
}

static void cmd_runmemory(char **arg)	/* PATH: its content in a memfd */
{
	answer_run(try_memory, arg);
}

static int try_written(char **arg)
{
	char *argv[] = { "program", "exit", "21", NULL };
	return open(arg[0], O_WRONLY) < 0 ? -1 : execve(arg[0], argv, no_environment);
}

static void cmd_runwritten(char **arg)	/* PATH: while it is open for writing */
{
	answer_run(try_written, arg);
}

static void cmd_exit(char **arg)
{
	exit((int)number(arg[0]));
}

static void cmd_ispid(char **arg)	/* this process and no other; and this is its leader */
{
	exit(getpid() == number(arg[0]) && gettid() == getpid() ? 22 : 23);
}

static void *exec_in_thread(void *path)
{
	char pid[16];
	snprintf(pid, sizeof(pid), "%d", getpid());
	char *argv[] = { "probe", "ispid", pid, NULL };
	execve(path, argv, no_environment);
	_exit(97);
}

static int status_of(pid_t pid)
{
	int status;
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void cmd_exec_from_thread(char **arg)
{
	(void)arg;
	know_self();
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			pthread_t threads[3];
			for (int k = 0; k < 3; k++)	/* one of them wins */
				pthread_create(&threads[k], NULL, exec_in_thread, self);
			pthread_join(threads[0], NULL);
			_exit(96);
		}
		CHECK(status_of(pid) == 22);
	}
	answer(0);
}

static int each;

static void *spawn_many(void *number_of)
{
	char status[12];
	int expected = 30 + (int)(long)number_of;
	snprintf(status, sizeof(status), "%d", expected);
	char *argv[] = { "probe", "exit", status, NULL };
	for (int i = 0; i < each; i++) {
		pid_t pid;
		CHECK(posix_spawn(&pid, self, NULL, NULL, argv, no_environment) == 0);
		CHECK(status_of(pid) == expected);
		CHECK(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, no_environment) == ENOENT);
	}
	return NULL;
}

static void cmd_spawn_storm(char **arg)	/* THREADS EACH */
{
	pthread_t threads[64];
	long many = number(arg[0]);
	know_self();
	each = (int)number(arg[1]);
	CHECK(many <= 64);
	for (long i = 0; i < many; i++)
		CHECK(pthread_create(&threads[i], NULL, spawn_many, (void *)i) == 0);
	for (long i = 0; i < many; i++)
		pthread_join(threads[i], NULL);
	answer(0);
}

static void cmd_vfork_storm(char **arg)	/* PROCESSES EACH */
{
	long many = number(arg[0]);
	know_self();
	each = (int)number(arg[1]);
	for (long i = 0; i < many; i++) {
		if (fork())
			continue;
		for (int k = 0; k < each; k++) {
			pid_t pid = vfork();
			if (pid == 0) {
				execl(self, "probe", "exit", "24", (char *)NULL);
				_exit(25);
			}
			CHECK(status_of(pid) == 24);
		}
		_exit(0);
	}
	for (long i = 0; i < many; i++) {
		int status;
		CHECK(wait(&status) > 0 && status == 0);
	}
	answer(0);
}

const struct command exec_commands[] = {
	{ "run", -1, cmd_run }, { "runat", 3, cmd_runat }, { "runmemory", 1, cmd_runmemory }, { "runwritten", 1, cmd_runwritten },
	{ "exit", 1, cmd_exit }, { "ispid", 1, cmd_ispid }, { "exec_from_thread", 0, cmd_exec_from_thread },
	{ "spawn_storm", 2, cmd_spawn_storm }, { "vfork_storm", 2, cmd_vfork_storm }, { .name = NULL },
};
