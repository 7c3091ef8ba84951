/* Programs that the policy does not let run. */
#include "bypass.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int copy_to(int to)
{
	char buffer[65536];
	/* the program that this one is: allowed to run by name, so its bytes are readable */
	int from = open("/proc/self/exe", O_RDONLY);
	if (from < 0)
		return -1;
	for (ssize_t got; (got = read(from, buffer, sizeof buffer)) > 0;)
		if (write(to, buffer, (size_t)got) != got)
			return -1;
	close(from);
	return 0;
}
static int run_fd(int fd)
{
	pid_t child = fork();
	if (child == 0) {
		char *argv[] = { "x", "--exit66", NULL }, *envp[] = { NULL };
		syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(errno);
	}
	return ran_secret(child);
}
static int c_memfd_exec(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC);
	if (fd < 0 || copy_to(fd) < 0)
		return errno;
	return run_fd(fd);
}
static int c_deleted_exec(void)
{
	int fd = open(OPEN("copy"), O_CREAT | O_RDWR | O_TRUNC, 0777);
	if (fd < 0 || copy_to(fd) < 0)
		return errno;
	close(fd);
	fd = open(OPEN("copy"), O_RDONLY | O_CLOEXEC);
	unlink(OPEN("copy"));
	return run_fd(fd);
}
static int c_written_exec(void)
{
	int fd = open(OPEN("copy2"), O_CREAT | O_RDWR | O_TRUNC, 0777);
	if (fd < 0 || copy_to(fd) < 0)
		return errno;
	close(fd);
	pid_t child = fork();
	if (child == 0) {
		char *argv[] = { "x", "--exit66", NULL }, *envp[] = { NULL };
		execve(OPEN("copy2"), argv, envp);
		_exit(errno);
	}
	return ran_secret(child);
}
static int c_memfd_name_exec(void)
{
	char p[64];
	int fd = memfd_create("x", 0);
	if (fd < 0 || copy_to(fd) < 0)
		return errno;
	snprintf(p, sizeof p, "/proc/self/fd/%d", fd);
	pid_t child = fork();
	if (child == 0) {
		char *argv[] = { "x", "--exit66", NULL }, *envp[] = { NULL };
		execve(p, argv, envp);
		_exit(errno);
	}
	return ran_secret(child);
}
static int c_execve(void) { pid_t c = fork(); if (!c) { char *av[] = { "x", NULL }; execv(SECRET("exe"), av); _exit(errno); } return ran_secret(c); }
static int c_opath_exec(void) { int fd = open(SECRET("exe"), O_PATH); return fd < 0 ? errno : run_fd(fd); }
static int c_loader_exec(void)
{
	pid_t child = fork();
	if (child == 0) {
		const char *loaders[] = { "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/usr/lib64/ld-linux-x86-64.so.2" };
		char *envp[] = { NULL };
		for (size_t i = 0; i < sizeof loaders / sizeof *loaders; i++) {
			char *argv[] = { "ld.so", (char *)OPEN("copy2"), "--exit66", NULL };
			execve(loaders[i], argv, envp);
		}
		_exit(errno);
	}
	return ran_secret(child);
}
static int c_symlink_exec(void)
{
	unlink(OPEN("le"));
	if (symlink(SECRET("exe"), OPEN("le")) < 0)
		return errno;
	pid_t child = fork();
	if (child == 0) {
		char *argv[] = { "x", NULL };
		execv(OPEN("le"), argv);
		_exit(errno);
	}
	return ran_secret(child);
}

/*
 * A thread gives root's rights up for itself and starts a program, which takes the number of the leader over; that one has never stopped
 * making calls. Only root can show it.
 */
static void *drop_and_read(void *unused)
{
	char *argv[] = { "x", "--read", (char *)OPEN("rootonly"), NULL }, *envp[] = { NULL };
	int self = open("/proc/self/exe", O_RDONLY);
	(void)unused;
	if (syscall(SYS_setgroups, 0, NULL) == 0 && syscall(SYS_setresgid, 65534, 65534, 65534) == 0 && syscall(SYS_setresuid, 65534, 65534, 65534) == 0)
		syscall(SYS_execveat, self, "", argv, envp, AT_EMPTY_PATH);
	_exit(errno);
}
static int c_thread_exec(void)
{
	int fd = open(OPEN("rootonly"), O_CREAT | O_WRONLY | O_TRUNC, 0600), error = EPERM;
	if (fd < 0 || write(fd, "SECRET", 6) != 6)
		return 0;
	close(fd);
	for (int i = 0; i < 40 && error; i++) {
		pid_t child = fork();
		if (child == 0) {
			pthread_t thread;
			if (pthread_create(&thread, NULL, drop_and_read, NULL))
				_exit(EAGAIN);
			for (;;)
				close(open(OPEN("ro"), O_RDONLY));
		}
		error = ran_secret(child);
	}
	return error;
}

const struct bypass_case exec_cases[] = {
	CASE(execve), CASE(memfd_exec), CASE(memfd_name_exec), CASE(deleted_exec), CASE(written_exec), CASE(opath_exec), CASE(loader_exec),
	CASE(symlink_exec), CASE(thread_exec),
	{ NULL, NULL, NULL },
};
