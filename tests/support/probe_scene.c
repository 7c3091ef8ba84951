/*
 * Scenes with files: several threads or processes, one directory, and answers that do not depend on time. Each says "ok" or,
 * from CHECK, what did not hold; natively they all say "ok".
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void enter(const char *dir)
{
	CHECK(chdir(dir) == 0);
	alarm(200);
}

static void copy_file(const char *from, const char *to)
{
	char block[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	CHECK(in >= 0 && out >= 0);
	for (ssize_t n; (n = read(in, block, sizeof(block))) > 0;)
		CHECK(write(out, block, (size_t)n) == n);
	close(in);
	CHECK(close(out) == 0);
}

static int wait_status(pid_t pid)
{
	int status;
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void busy_after_close(char **arg)
{
	enter(arg[0]);
	for (int i = 0; i < 30; i++) {
		copy_file("/proc/self/exe", "image");
		pid_t pid = vfork();
		if (pid == 0) {
			execl("image", "image", "umask", "0", (char *)NULL);
			_exit(errno == ETXTBSY ? 26 : 99);
		}
		CHECK(wait_status(pid) == 0);
	}
	/* While it runs, writing is refused. */
	CHECK(open("/proc/self/exe", O_WRONLY) < 0 && (errno == ETXTBSY || errno == EACCES));
	unlink("image");
	answer(0);
}

static void locks_are_handed_over(char **arg)
{
	enter(arg[0]);
	int other = open("f", O_RDWR);
	CHECK(other >= 0);
	for (int i = 0; i < 200; i++) {
		int fd = open("f", O_RDWR);
		CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
		CHECK(flock(other, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
		close(fd);
		CHECK(flock(other, LOCK_EX | LOCK_NB) == 0);
		CHECK(flock(other, LOCK_UN) == 0);
	}
	answer(0);
}

static void end_of_fifo_after_close(char **arg)
{
	char c;
	enter(arg[0]);
	for (int i = 0; i < 200; i++) {
		int in = open("fifo", O_RDONLY | O_NONBLOCK), out = open("fifo", O_WRONLY);
		CHECK(in >= 0 && out >= 0 && write(out, "x", 1) == 1);
		close(out);
		CHECK(read(in, &c, 1) == 1 && read(in, &c, 1) == 0);
		out = open("fifo", O_WRONLY | O_NONBLOCK);
		CHECK(out >= 0);
		close(in);
		CHECK(open("fifo", O_WRONLY | O_NONBLOCK) < 0 && errno == ENXIO);
		close(out);
	}
	answer(0);
}

/* ---- threads -------------------------------------------------------------------------------- */

static pthread_t start(void *(*run)(void *), void *data)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, run, data) == 0);
	return thread;
}

static void link_is(const char *path, const char *expected)
{
	char text[200] = "";
	CHECK(readlink(path, text, sizeof(text) - 1) > 0);
	CHECK(strcmp(text, expected) == 0);
}

static void first_line_is(const char *path, const char *expected)
{
	char text[200] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	text[strcspn(text, "\n")] = '\0';
	CHECK(strcmp(text, expected) == 0);
}

static void *look_at_proc(void *name)
{
	char text[100], path[100];
	CHECK(pthread_setname_np(pthread_self(), name) == 0);
	for (int i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "%d", getpid());
		link_is("/proc/self", text);
		snprintf(text, sizeof(text), "%d/task/%d", getpid(), gettid());
		link_is("/proc/thread-self", text);
		first_line_is("/proc/thread-self/comm", name);
		first_line_is("/proc/self/comm", "leader");
		snprintf(path, sizeof(path), "/proc/self/task/%d/comm", gettid());
		first_line_is(path, name);
		snprintf(path, sizeof(path), "/proc/%d/comm", getpid());
		first_line_is(path, "leader");
	}
	return NULL;
}

static void threads_look_at_their_own_proc(char **arg)
{
	enter(arg[0]);
	CHECK(pthread_setname_np(pthread_self(), "leader") == 0);
	pthread_t a = start(look_at_proc, "thread-a"), b = start(look_at_proc, "thread-b");
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	pid_t pid = fork();
	if (pid == 0) {
		look_at_proc("leader");
		_exit(0);
	}
	CHECK(wait_status(pid) == 0);
	answer(0);
}

static void put(const char *path, const char *content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
	close(fd);
}

static pthread_barrier_t barrier;

static void *change_directory(void *data)
{
	(void)data;
	for (int i = 0; i < 100; i++) {
		pthread_barrier_wait(&barrier);
		CHECK(chdir(i % 2 ? ".." : "d") == 0);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void directory_changed_by_another_thread(char **arg)
{
	enter(arg[0]);
	put("where", "top");
	put("d/where", "in d");
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_t thread = start(change_directory, NULL);
	for (int i = 0; i < 100; i++) {
		first_line_is("where", i % 2 ? "in d" : "top");
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
	}
	pthread_join(thread, NULL);
	first_line_is("where", "top");
	answer(0);
}

static _Atomic int unshared;

static void *own_directory(void *data)
{
	struct stat st;
	CHECK(unshare(CLONE_FS) == 0 && chdir(data) == 0);
	(void)umask(077);
	CHECK(dup2(open(".", O_RDONLY | O_DIRECTORY), 50) == 50);	/* still everybody's */
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 50; i++) {
		first_line_is("where", "in d");
		first_line_is("/proc/thread-self/cwd/where", "in d");
		first_line_is("/proc/self/cwd/where", "top");
	}
	put("masked", "");
	CHECK(stat("masked", &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK(unlink("masked") == 0 && unshare(CLONE_FILES) == 0);
	CHECK(dup2(open("..", O_RDONLY | O_DIRECTORY), 50) == 50);	/* ours alone */
	unshared = 1;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 50; i++) {
		int fd = openat(50, "where", O_RDONLY);
		char c = 0;
		CHECK(fd >= 0 && read(fd, &c, 1) == 1 && c == 't');
		close(fd);
		first_line_is("/proc/thread-self/fd/50/where", "top");
		first_line_is("/proc/self/fd/50/where", "in d");
	}
	return NULL;
}

static void threads_that_unshare(char **arg)
{
	struct stat st;
	enter(arg[0]);
	put("where", "top");
	put("d/where", "in d");
	(void)umask(0);
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_t thread = start(own_directory, "d");
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 50; i++)
		first_line_is("where", "top");
	CHECK(mkdir("unmasked", 0777) == 0 && stat("unmasked", &st) == 0 && (st.st_mode & 0777) == 0777);
	pthread_barrier_wait(&barrier);
	CHECK(unshared);
	for (int i = 0; i < 50; i++) {
		int fd = openat(50, "where", O_RDONLY);
		char c = 0;
		CHECK(fd >= 0 && read(fd, &c, 1) == 1 && c == 'i');
		close(fd);
	}
	pthread_join(thread, NULL);
	answer(0);
}

static pthread_t leader;

static void *survivor(void *data)
{
	char text[100];
	struct stat st;
	(void)data;
	CHECK(pthread_join(leader, NULL) == 0);
	for (;;) {	/* the leader has left pthread_join's sight before the kernel's */
		char c = 0;
		snprintf(text, sizeof(text), "/proc/self/task/%d/stat", getpid());
		int fd = open(text, O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0);
		ssize_t n = read(fd, text, sizeof(text) - 1);
		close(fd);
		CHECK(n > 0);
		text[n] = '\0';
		c = strrchr(text, ')')[2];
		if (c == 'Z')
			break;
		sched_yield();
	}
	for (int i = 0; i < 20; i++) {
		first_line_is("f", "content of f");
		first_line_is("/proc/thread-self/cwd/f", "content of f");
		CHECK(stat("d/f", &st) == 0 && st.st_size == 5);
		CHECK(mkdir("by-thread", 0755) == 0 && rmdir("by-thread") == 0);
	}
	int fd = open("d", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && openat(fd, "f", O_RDONLY) >= 0);
	answer(0);
	_exit(0);
}

static void leader_has_gone(char **arg)
{
	enter(arg[0]);
	leader = pthread_self();
	(void)start(survivor, NULL);
	pthread_exit(NULL);
}

static void *open_many(void *number)
{
	char own[50], moved[50];
	snprintf(own, sizeof(own), "own-%ld", (long)number);
	snprintf(moved, sizeof(moved), "moved-%ld", (long)number);
	for (int i = 0; i < 100; i++) {
		int fd = open(own, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		CHECK(fd >= 0 && write(fd, own, 5) == 5);
		close(fd);
		first_line_is("to-d/f", "in d");
		CHECK(rename(own, moved) == 0 && open(own, O_RDONLY) < 0 && errno == ENOENT);
		CHECK(unlink(moved) == 0);
		fd = open("shared", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);	/* all at once */
		CHECK(fd >= 0 && write(fd, "x", 1) == 1);
		close(fd);
	}
	return NULL;
}

static void threads_open_at_once(char **arg)
{
	pthread_t threads[8];
	struct stat st;
	enter(arg[0]);
	for (long i = 0; i < 8; i++)
		threads[i] = start(open_many, (void *)i);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	CHECK(stat("shared", &st) == 0 && st.st_size == 800);
	answer(0);
}

/* ---- leases, terminals ---------------------------------------------------------------------- */

static int leased = -1;
static volatile sig_atomic_t broken;

static void give_up_lease(int signal)
{
	(void)signal;
	broken = 1;
	(void)fcntl(leased, F_SETLEASE, F_UNLCK);
}

static void leases_are_broken(char **arg)
{
	enter(arg[0]);
	put("leased", "x");
	signal(SIGIO, give_up_lease);
	leased = open("leased", O_RDONLY);
	CHECK(leased >= 0);
	if (fcntl(leased, F_SETLEASE, F_RDLCK) < 0) {	/* not on every file system */
		printf("no leases here: %s\n", strerrorname_np(errno));
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(leased);
		_exit(open("leased", O_WRONLY | O_NONBLOCK) < 0 && errno == EWOULDBLOCK && open("leased", O_WRONLY) >= 0 ? 0 : 9);
	}
	CHECK(wait_status(pid) == 0 && broken);
	answer(0);
}

static void terminal_of_a_session(char **arg)
{
	char name[64], c[8] = "";
	enter(arg[0]);
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), zero = 0, number = 0;
	CHECK(master >= 0 && ioctl(master, TIOCSPTLCK, &zero) == 0);
	CHECK(ioctl(master, TIOCGPTN, &number) == 0);
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(setsid() > 0);
		CHECK(open("/dev/tty", O_RDWR) < 0 && errno == ENXIO);
		int slave = open(name, O_RDWR | O_NOCTTY);
		CHECK(slave >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0);
		close(slave);
		int tty = open("/dev/tty", O_RDWR);
		CHECK(tty >= 0 && isatty(tty) && tcgetpgrp(tty) == getpid() && write(tty, "hello", 5) == 5);
		_exit(0);
	}
	CHECK(wait_status(pid) == 0);
	CHECK(read(master, c, 5) == 5 && strcmp(c, "hello") == 0);
	answer(0);
}

#define SCENE(name) { #name, 1, name }
const struct command scene_commands[] = {
	SCENE(busy_after_close), SCENE(locks_are_handed_over), SCENE(end_of_fifo_after_close), SCENE(threads_look_at_their_own_proc),
	SCENE(directory_changed_by_another_thread), SCENE(threads_that_unshare), SCENE(leader_has_gone), SCENE(threads_open_at_once),
	SCENE(leases_are_broken), SCENE(terminal_of_a_session), { .name = NULL },
};
