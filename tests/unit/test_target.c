#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "body.h"
#include "kernel.h"
#include "mounts.h"
#include "probe.h"
#include "target.h"

static struct kernel kernel;

static struct targets *new_targets(void)
{
	struct targets *targets;

	assert_int_equal(targets_new(&targets, &kernel, false), 0);
	return targets;
}

/* Waits for its end; runs BODY before, if there is one. */
static pid_t start(void (*body)(void))
{
	int fds[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (!child) {
		if (body)
			body();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)!write(fds[1], "x", 1);
		while (1)
			pause();
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	close(fds[1]);
	return child;
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* ---- memory; of this process, which is as good as any ---- */

static void strings(void **state)
{
	struct targets *targets = new_targets();
	struct target *target;
	char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), to[4096];
	static const size_t lengths[] = { 0, 1, 5, 255, 256, 257, 4000, 4094, 4095 };

	(void)state;
	assert_int_equal(target_get(targets, getpid(), &target), 0);
	assert_int_equal(mprotect(pages + 2 * 4096, 4096, PROT_NONE), 0);
	memset(pages, 'a', 2 * 4096);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		char *at = pages + 2 * 4096 - lengths[i] - 1;	/* the NUL is the last byte that may be read */

		pages[2 * 4096 - 1] = '\0';
		assert_int_equal(target_read_string(target, (uintptr_t)at, to, sizeof(to)), lengths[i]);
		assert_memory_equal(to, at, lengths[i] + 1);
		pages[2 * 4096 - 1] = 'a';
		if (lengths[i] < 4095)
			assert_int_equal(target_read_string(target, (uintptr_t)at, to, sizeof(to)), -EFAULT);
		else
			assert_int_equal(target_read_string(target, (uintptr_t)at, to, sizeof(to)), -ENAMETOOLONG);
	}
	assert_int_equal(target_read_string(target, (uintptr_t)pages, to, sizeof(to)), -ENAMETOOLONG);
	assert_int_equal(target_read_string(target, (uintptr_t)pages + 2 * 4096, to, sizeof(to)), -EFAULT);
	assert_int_equal(target_read_string(target, 0, to, sizeof(to)), -EFAULT);
	target_put(targets, target);
	targets_free(targets);
	munmap(pages, 3 * 4096);
}

static void bytes(void **state)
{
	struct targets *targets = new_targets();
	struct target *target;
	char *pages = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), to[64];

	(void)state;
	assert_int_equal(target_get(targets, getpid(), &target), 0);
	strcpy(pages + 4000, "text");
	assert_int_equal(target_read(target, (uintptr_t)pages + 4000, to, 5), 0);
	assert_string_equal(to, "text");
	assert_int_equal(target_write(target, (uintptr_t)pages + 4090, "0123456789", 10), 0);
	assert_memory_equal(pages + 4090, "0123456789", 10);
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_READ), 0);
	/* Read-only memory is not written, as natively. */
	assert_int_equal(target_write(target, (uintptr_t)pages + 4096, "x", 1), -EFAULT);
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	assert_int_equal(target_read(target, (uintptr_t)pages + 4090, to, 10), -EFAULT);
	target_put(targets, target);
	targets_free(targets);
	munmap(pages, 2 * 4096);
}

/* ---- identity ---- */

static void cached_while_alive(void **state)
{
	struct targets *targets = new_targets();
	struct target *first, *second;
	pid_t child = start(NULL);

	(void)state;
	assert_int_equal(target_get(targets, child, &first), 0);
	assert_int_equal(first->tid, child);
	assert_int_equal(first->tgid, child);
	target_put(targets, first);
	assert_int_equal(target_get(targets, child, &second), 0);
	assert_ptr_equal(first, second);
	target_put(targets, second);
	end(child);
	targets_free(targets);
}

/* What was opened for a thread never speaks of another one, and the dead are not found. */
static void the_dead_stay_dead(void **state)
{
	struct targets *targets = new_targets();
	struct target *target, *again;
	mode_t mask;
	char byte;
	pid_t child = start(NULL);

	(void)state;
	assert_int_equal(target_get(targets, child, &target), 0);
	assert_int_equal(target_umask(target, &mask), 0);
	end(child);
	assert_int_equal(target_umask(target, &mask), -ESRCH);
	assert_int_equal(target_cwd(target), -ESRCH);
	assert_int_equal(target_root(target), -ESRCH);
	assert_int_equal(target_fd(target, 0), -ESRCH);
	assert_int_equal(target_state(target->proc), 0);
	assert_int_equal(target_read(target, (uintptr_t)&byte, &byte, 1), -ESRCH);
	target_forget(targets, child);
	assert_int_equal(target_get(targets, child, &again), -ESRCH);
	target_put(targets, target);
	targets_free(targets);
}

static void the_umask_is_that_of_now(void **state)
{
	struct targets *targets = new_targets();
	struct target *target;
	mode_t mask, old = umask(0123);

	(void)state;
	assert_int_equal(target_get(targets, getpid(), &target), 0);
	assert_int_equal(target_umask(target, &mask), 0);
	assert_int_equal(mask, 0123);
	umask(0077);
	assert_int_equal(target_umask(target, &mask), 0);
	assert_int_equal(mask, 0077);
	umask(old);
	target_put(targets, target);
	targets_free(targets);
}

/* Numbers and all: where credentials cannot differ, too. The first case, since what is found out about ours is kept. */
static void an_ordinary_users_dead_are_forgotten(void **state)
{
	int status = -1;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct targets *targets = NULL;
		struct target *target;
		pid_t child;

		if (getuid() == 0 && setresuid(65534, 65534, 65534))
			_exit(2);
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		targets = new_targets();
		child = start(NULL);
		if (target_get(targets, child, &target))
			_exit(3);
		target_put(targets, target);
		end(child);
		_exit(target_get(targets, child, &target) == -ESRCH && cred_constant() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void *thread_waits(void *arg)
{
	int *fds = arg;
	pid_t tid = gettid();

	if (unshare(CLONE_FS | CLONE_FILES) || chdir("/usr"))
		abort();
	dup2(open("/etc/passwd", O_RDONLY), 200);
	dup2(open("/etc", O_RDONLY | O_DIRECTORY), 202);
	umask(0031);
	(void)!write(fds[1], &tid, sizeof(tid));
	while (1)
		pause();
	return NULL;
}

static void check_link(int fd, const char *expected)
{
	char path[64] = "", link[32];

	assert_true(fd >= 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	assert_true(readlink(link, path, sizeof(path) - 1) > 0);
	assert_string_equal(path, expected);
	close(fd);
}

/* A thread with a directory, descriptors and umask of its own, in a process whose leader has exited. */
static void threads_are_their_own(void **state)
{
	struct targets *targets = new_targets();
	struct target *target;
	int fds[2], fd;
	char byte;
	mode_t mask;
	pid_t tid, child;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (!child) {
		pthread_t thread;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pthread_create(&thread, NULL, thread_waits, fds);
		pthread_exit(NULL);
	}
	assert_int_equal(read(fds[0], &tid, sizeof(tid)), sizeof(tid));
	assert_int_not_equal(tid, child);
	assert_int_equal(target_get(targets, tid, &target), 0);
	assert_int_equal(target->tgid, child);
	check_link(target_cwd(target), "/usr");
	check_link(target_dir(target, 202), "/etc");
	assert_int_equal(target_dir(target, 203), -EBADF);
	assert_int_equal(target_dir(target, -1), -EBADF);
	assert_int_equal(target_umask(target, &mask), 0);
	assert_int_equal(mask, 0031);
	fd = target_fd(target, 200);
	if (kernel.pidfd_thread) {
		assert_true(fd >= 0);
		assert_int_equal(pread(fd, &byte, 1, 0), 1);
		assert_int_equal(byte, 'r');
		close(fd);
		assert_int_equal(target_fd(target, 201), -EBADF);
	} else {
		assert_int_equal(fd, -EACCES);	/* refused, not taken from somebody else's table */
	}
	assert_int_equal(target_fd(target, -1), -EBADF);
	assert_int_equal(target_read(target, (uintptr_t)&kernel, &mask, 1), 0);
	end(child);
	assert_int_equal(target_dir(target, 202), -ESRCH);
	target_put(targets, target);
	targets_free(targets);
	close(fds[0]);
	close(fds[1]);
}

static void changes(void)
{
	struct rlimit files = { .rlim_cur = 77, .rlim_max = 88 };

	setrlimit(RLIMIT_NOFILE, &files);
	if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
		abort();
}

static void details(void **state)
{
	struct targets *targets = new_targets();
	struct target *target;
	char self[256] = "";
	uint64_t soft;
	pid_t child = start(changes);

	(void)state;
	assert_int_equal(target_get(targets, child, &target), 0);
	assert_int_equal(target->cred.euid, geteuid() ? geteuid() : 65534);
	assert_int_equal(target_rlimit(target, RLIMIT_NOFILE, &soft), 0);
	assert_int_equal(soft, 77);
	assert_int_equal(kill(child, SIGSTOP), 0);
	assert_int_equal(waitpid(child, NULL, WUNTRACED), child);
	assert_int_equal(target_state(target->proc), 'T');
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_string_equal(target_exe(target), self);
	target_put(targets, target);
	end(child);
	targets_free(targets);
}

static void stale_credentials_are_read_again(void **state)
{
	struct targets *targets = new_targets();
	struct target *first, *second;
	pid_t child = start(NULL);

	(void)state;
	assert_int_equal(target_get(targets, child, &first), 0);
	first->cred_stale = true;
	first->cred.euid = 12345;
	target_put(targets, first);
	assert_int_equal(target_get(targets, child, &second), 0);
	assert_int_equal(second->cred.euid, geteuid());
	assert_false(second->cred_stale);
	target_put(targets, second);
	end(child);
	targets_free(targets);
}

/* A stuck call pins its target; the number may come back meanwhile. */
static void *thread_sleeps(void *unused)
{
	while (1)
		pause();
	return unused;
}

static void has_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_sleeps, NULL))
		abort();
}

static pid_t other_thread(pid_t leader)
{
	char path[32];
	DIR *dir;
	pid_t tid = -1;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", leader);
	dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != leader)
			tid = atoi(entry->d_name);
	closedir(dir);
	return tid;
}

/* The credentials of TID as they are cached are no longer true from now on. */
static void falsify(struct targets *targets, pid_t tid)
{
	struct target *target;

	assert_int_equal(target_get(targets, tid, &target), 0);
	target->cred.euid = 12345;
	target_put(targets, target);
}

static void check_euid(struct targets *targets, pid_t tid, uid_t expected)
{
	struct target *target;

	assert_int_equal(target_get(targets, tid, &target), 0);
	assert_int_equal(target->cred.euid, expected);
	target_put(targets, target);
}

/* An execve of any thread takes the leader's number over. */
static void leaders_are_forgotten_with_their_threads(void **state)
{
	struct targets *targets = new_targets();
	pid_t leader = start(has_thread), tid = other_thread(leader);

	(void)state;
	falsify(targets, leader);
	check_euid(targets, leader, 12345);
	check_euid(targets, tid, geteuid());
	target_forget(targets, tid);
	check_euid(targets, leader, geteuid());
	falsify(targets, leader);
	target_distrust(targets, leader);
	check_euid(targets, leader, geteuid());
	end(leader);
	targets_free(targets);
}

static void pinned_entries_are_replaced(void **state)
{
	struct targets *targets = new_targets();
	struct target *first, *second;
	pid_t child = start(NULL);

	(void)state;
	assert_int_equal(target_get(targets, child, &first), 0);
	assert_int_equal(target_get(targets, child, &second), 0);
	assert_ptr_not_equal(first, second);
	assert_int_equal(first->tid, child);
	target_put(targets, first);
	target_put(targets, second);
	end(child);
	targets_free(targets);
}

static void bounded(void **state)
{
	struct rlimit old, small;
	struct targets *targets;
	struct target *target;
	pid_t children[40];
	unsigned before;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	small = old;
	small.rlim_cur = 80;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	targets = new_targets();
	before = count_fds();
	for (unsigned i = 0; i < 40; i++) {
		children[i] = start(NULL);
		assert_int_equal(target_get(targets, children[i], &target), 0);
		target_put(targets, target);
	}
	assert_true(count_fds() - before <= 2 * 80 / 8);
	/* The oldest went, the newest is kept. */
	assert_int_equal(target_get(targets, children[0], &target), 0);
	target_put(targets, target);
	for (unsigned i = 0; i < 40; i++)
		end(children[i]);
	targets_free(targets);
	assert_int_equal(count_fds(), before);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static int probe(void **state)
{
	const char *what;

	(void)state;
	return probe_kernel(&kernel, &what);
}

static int probe_old(void **state)
{
	int err;

	setenv("USHER_TEST_DISABLE", "pidfd_thread,pidfd_info", 1);
	err = probe(state);
	unsetenv("USHER_TEST_DISABLE");
	assert_false(kernel.pidfd_thread);
	return err;
}

/* In a process where nobody has asked yet. */
static void namespaces_take_no_descriptor(void **state)
{
	const struct rlimit none = { 0 };
	int status, proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid_t child = fork();

	(void)state;
	if (!child)
		_exit(setrlimit(RLIMIT_NOFILE, &none) ? 99 : body_namespaces(proc, -1));
	assert_int_equal(waitpid(child, &status, 0), child);
	close(proc);
	assert_int_equal(status, 0);
}

/* One hangs in the kernel as long as the directory is held that it mounts upon. A deadlock is a SIGALRM. */
static void mounts_wait_for_none_of_each_other(void **state)
{
	struct mounts *mounts = NULL;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct mounts_mark before, between, after;

	(void)state;
	assert_int_equal(mounts_new(&mounts, root, 1), 0);
	before = mounts_mark(mounts);
	alarm(20);
	assert_int_equal(mounts_change(mounts, false), 0);
	assert_int_equal(mounts_change(mounts, false), 0);
	mounts_change_end(mounts);
	assert_int_equal(mounts_change(mounts, true), -EBUSY);	/* and not for ever */
	between = mounts_mark(mounts);
	assert_true(mounts_changed(mounts, &between));
	mounts_change_end(mounts);
	after = mounts_mark(mounts);
	assert_int_equal(mounts_change(mounts, true), 0);
	alarm(0);
	mounts_change_end(mounts);
	assert_true(mounts_changed(mounts, &before));
	assert_true(mounts_changed(mounts, &after));
	mounts_free(mounts);
	close(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(namespaces_take_no_descriptor),
		cmocka_unit_test(mounts_wait_for_none_of_each_other),
		cmocka_unit_test(an_ordinary_users_dead_are_forgotten),
		cmocka_unit_test(strings),
		cmocka_unit_test(bytes),
		cmocka_unit_test(cached_while_alive),
		cmocka_unit_test(the_dead_stay_dead),
		cmocka_unit_test(threads_are_their_own),
		cmocka_unit_test(the_umask_is_that_of_now),
		cmocka_unit_test(details),
		cmocka_unit_test(stale_credentials_are_read_again),
		cmocka_unit_test(leaders_are_forgotten_with_their_threads),
		cmocka_unit_test(pinned_entries_are_replaced),
		cmocka_unit_test(bounded),
	};
	const struct CMUnitTest old[] = {
		cmocka_unit_test(cached_while_alive),
		cmocka_unit_test(the_dead_stay_dead),
		cmocka_unit_test(threads_are_their_own),
		cmocka_unit_test(details),
	};
	int failed = cmocka_run_group_tests(tests, probe, NULL);

	return failed + cmocka_run_group_tests_name("before 6.9", old, probe_old, NULL);
}
