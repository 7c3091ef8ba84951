/*
 * The crew on the real path: a filtered child, the real call table and a policy. What stalls a serving thread is the child's
 * own memory: a page that a userfaultfd does not fill.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "crew.h"
#include "err.h"
#include "filtered.h"
#include "loop.h"
#include "now.h"
#include "plan.h"
#include "policy.h"
#include "probe.h"
#include "sandbox.h"

#define STALL_MS 300

#define POLICY \
	"syntax 1;\n" \
	"policy crew \"test\";\n" \
	"files {\n" \
	"	default allow;\n" \
	"	deny all %s/secret/;\n" \
	"	deny EPERM read %s/trap stage trap;\n" \
	"	deny read %s/kill stage kill;\n" \
	"	deny read %s/log stage log;\n" \
	"}\n" \
	"syscalls {\n" \
	"	default allow;\n" \
	"	deny ENOTSUP getpgid;\n" \
	"	deny ENOTSUP getsid stage log;\n" \
	"}\n"

/* Several of these may run at a time. */
static char dir[] = "/tmp/usher-crew.XXXXXX";
static char file_name[64], secret_name[64], missing_name[64], trap_name[64], kill_name[64], log_name[64], fifo_name[64];
static char other_fifo_name[64];

static struct policy *policy;
static struct kernel kernel;
static struct plan plan;

static const int calls[] = { SYS_openat, SYS_getpgid, SYS_getsid };

static void make(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	close(fd);
}

static int setup(void **state)
{
	struct policy_env env = { 0 };
	struct policy_diags diags = { 0 };
	const char *what;
	char text[2048], secret[40];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	snprintf(text, sizeof(text), POLICY, dir, dir, dir, dir);
	snprintf(secret, sizeof(secret), "%s/secret", dir);
	snprintf(secret_name, sizeof(secret_name), "%s/file", secret);
	snprintf(file_name, sizeof(file_name), "%s/file", dir);
	snprintf(missing_name, sizeof(missing_name), "%s/missing", dir);
	snprintf(trap_name, sizeof(trap_name), "%s/trap", dir);
	snprintf(kill_name, sizeof(kill_name), "%s/kill", dir);
	snprintf(log_name, sizeof(log_name), "%s/log", dir);
	snprintf(fifo_name, sizeof(fifo_name), "%s/fifo", dir);
	snprintf(other_fifo_name, sizeof(other_fifo_name), "%s/other-fifo", dir);
	assert_int_equal(probe_kernel(&kernel, &what), 0);
	if (policy_load_text(&policy, &env, "crew", text, strlen(text), &diags)) {
		policy_diags_print(&diags, policy, stderr, false);
		return -1;
	}
	assert_int_equal(plan_make(&plan, policy, &kernel, false, LAYERS_ANY, &diags), 0);
	assert_int_equal(mkdir(secret, 0755), 0);
	make(file_name);
	make(secret_name);
	make(trap_name);
	make(kill_name);
	make(log_name);
	return mkfifo(fifo_name, 0666) || mkfifo(other_fifo_name, 0666);
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	policy_free(policy);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

struct scene {
	struct filtered filtered;
	struct loop *loop;
	struct sandbox *sandbox;
};

static struct scene scene_start(int (*body)(struct filtered_page *page))
{
	struct scene scene = { .filtered = filtered_start(filtered_page(), calls, ARRAY_SIZE(calls), body) };
	struct sandbox_options options = { .plan = &plan, .guardian = getpid(), .listener = scene.filtered.listener };

	assert_true(scene.filtered.listener >= 0);
	assert_int_equal(loop_new(&scene.loop, 64), 0);
	options.loop = scene.loop;
	assert_int_equal(sandbox_open(&scene.sandbox, &options), 0);
	return scene;
}

/* Serves until the last task has gone: by itself, that is the test of POLLHUP too. */
static int scene_run(struct scene *scene)
{
	int status;

	filtered_go(&scene->filtered);
	assert_int_equal(sandbox_run(scene->sandbox), 0);
	assert_true(scene->sandbox->hung_up);
	status = filtered_status(&scene->filtered);
	sandbox_close(scene->sandbox);
	loop_free(scene->loop);
	return status;
}

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* ---- plain service ---- */

static int plain_body(struct filtered_page *page)
{
	(void)page;
	for (int i = 0; i < 500; i++) {
		if (try_open(file_name, O_RDONLY) != 0)
			return 1;
		if (try_open(secret_name, O_RDONLY) != EACCES)
			return 2;
		if (try_open(missing_name, O_RDONLY) != ENOENT)
			return 3;
		if (try_open(log_name, O_RDONLY) != 0)
			return 4;
	}
	if (try_open((const char *)8, O_RDONLY) != EFAULT)
		return 5;
	if (syscall(SYS_getpgid, 0) != -1 || errno != ENOTSUP)
		return 6;
	if (syscall(SYS_getsid, 0) < 0)
		return 7;
	return 0;
}

static void serves(void **state)
{
	struct scene scene = scene_start(plain_body);

	(void)state;
	assert_int_equal(scene_run(&scene), 0);
}

static void *thread_opens(void *arg)
{
	long *failed = arg;

	for (int i = 0; i < 300; i++) {
		*failed += try_open(file_name, O_RDONLY) != 0;
		*failed += try_open(secret_name, O_RDONLY) != EACCES;
	}
	return NULL;
}

static int threads_body(struct filtered_page *page)
{
	pthread_t threads[16];
	long failed[16] = { 0 }, all = 0;

	(void)page;
	for (unsigned i = 0; i < 16; i++)
		pthread_create(&threads[i], NULL, thread_opens, &failed[i]);
	for (unsigned i = 0; i < 16; i++) {
		pthread_join(threads[i], NULL);
		all += failed[i];
	}
	return all ? 1 : 0;
}

static void serves_many_threads(void **state)
{
	struct scene scene = scene_start(threads_body);

	(void)state;
	assert_int_equal(scene_run(&scene), 0);
}

/* The lowest number, and never 0 by mistake. */
static int numbers_body(struct filtered_page *page)
{
	struct rlimit { unsigned long cur, max; } limit = { 8, 8 };
	int fds[8], n = 0, fd, lowest = dup(0);

	(void)page;
	close(lowest);
	fd = open(file_name, O_RDONLY);
	if (fd != lowest)
		return 1;
	if (fcntl(fd, F_GETFD) != 0)
		return 2;
	close(fd);
	if (syscall(SYS_prlimit64, 0, 7, &limit, NULL))
		return 3;
	while (n < 8 && (fd = open(file_name, O_RDONLY)) >= 0)
		fds[n++] = fd;
	if (errno != EMFILE || n == 0)
		return 4;
	for (int i = 0; i < n; i++)
		close(fds[i]);
	return 0;
}

static void obeys_the_targets_limit(void **state)
{
	struct scene scene = scene_start(numbers_body);

	(void)state;
	assert_int_equal(scene_run(&scene), 0);
}

/* ---- stages ---- */

static volatile sig_atomic_t trapped, trapped_call, trapped_errno;

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	trapped += info->si_code == SI_QUEUE;
	trapped_call = info->si_value.sival_int;
	trapped_errno = info->si_errno;
}

static int trap_body(struct filtered_page *page)
{
	struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_RESTART };
	sigset_t set;

	(void)page;
	sigaction(SIGSYS, &action, NULL);
	if (try_open(trap_name, O_RDONLY) != EPERM)
		return 1;
	if (trapped != 1 || trapped_call != SYS_openat || trapped_errno != EPERM)
		return 2;
	/* Blocked, the errno is all that is seen. */
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (try_open(trap_name, O_RDONLY) != EPERM || trapped != 1)
		return 3;
	return 0;
}

static void traps(void **state)
{
	struct scene scene = scene_start(trap_body);

	(void)state;
	assert_int_equal(scene_run(&scene), 0);
}

static int kill_body(struct filtered_page *page)
{
	(void)page;
	(void)try_open(kill_name, O_RDONLY);
	return 0;
}

static void kills(void **state)
{
	struct scene scene = scene_start(kill_body);

	(void)state;
	assert_int_equal(scene_run(&scene), 128 + SIGKILL);
}

/* ---- what waits ---- */

static void on_alarm(int sig)
{
	(void)sig;
}

static int fifo_body(struct filtered_page *page)
{
	struct sigaction action = { .sa_handler = on_alarm };

	/* Nobody writes: a signal ends the wait. */
	sigaction(SIGALRM, &action, NULL);
	ualarm(50000, 0);
	if (try_open(fifo_name, O_RDONLY) != EINTR)
		return 1;
	/* With SA_RESTART it goes on until the writer comes. */
	action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	atomic_store(&page->stage, 1);
	ualarm(50000, 0);
	if (try_open(fifo_name, O_RDONLY) != 0)
		return 2;
	return try_open(fifo_name, O_RDONLY | O_NONBLOCK);
}

static void *fifo_writer(void *arg)
{
	struct filtered_page *page = arg;
	struct timespec later = { .tv_nsec = 150 * 1000000 };
	int fd;

	while (!atomic_load(&page->stage))
		sched_yield();
	nanosleep(&later, NULL);	/* longer than the alarm, whose handler ThreadSanitizer runs only later */
	fd = open(fifo_name, O_WRONLY | O_CLOEXEC);
	close(fd);
	return NULL;
}

static void fifos_are_interrupted_and_restarted(void **state)
{
	struct scene scene = scene_start(fifo_body);
	pthread_t writer;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, fifo_writer, scene.filtered.page), 0);
	assert_int_equal(scene_run(&scene), 0);
	pthread_join(writer, NULL);
}

/* Waits until all ends. */
static void *thread_waits(void *arg)
{
	(void)arg;
	(void)try_open(other_fifo_name, O_RDONLY);
	return NULL;
}

static void *thread_fifo(void *arg)
{
	(void)arg;
	(void)try_open(fifo_name, O_RDONLY);
	return NULL;
}

/* Two that park all the time and wait for each other only; in the end one who is both lets them go. */
static void *thread_reads(void *arg)
{
	struct filtered_page *page = arg;

	while (!atomic_load(&page->stage))
		(void)try_open(fifo_name, O_RDONLY);
	return NULL;
}

static void *thread_writes(void *arg)
{
	struct filtered_page *page = arg;
	uint64_t begin = now_ns();

	for (int i = 0; !atomic_load(&page->stage) && now_ns() - begin < UINT64_C(10000000000); i++) {
		(void)try_open(fifo_name, O_WRONLY);
		if (i == 300)
			kill(getpid(), SIGALRM);	/* the first thread has been parked long since */
	}
	if (!atomic_load(&page->stage))	/* and has not been interrupted */
		(void)open(other_fifo_name, O_RDWR);
	return NULL;
}

static int busy_body(struct filtered_page *page)
{
	struct sigaction action = { .sa_handler = on_alarm };
	pthread_t threads[2], thread;
	sigset_t set;
	int err;

	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 150; i++)	/* they are looked at the more seldom */
		pthread_create(&thread, NULL, thread_waits, NULL);
	pthread_create(&threads[0], NULL, thread_reads, page);
	pthread_create(&threads[1], NULL, thread_writes, page);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	err = try_open(other_fifo_name, O_RDONLY);
	atomic_store(&page->stage, 1);
	(void)open(fifo_name, O_RDWR);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	return err == EINTR ? 0 : 1;
}

static void signals_are_seen_while_others_park(void **state)
{
	struct scene scene = scene_start(busy_body);

	(void)state;
	assert_int_equal(scene_run(&scene), 0);
}

/* Forty opens wait; the process ends; nothing of it may be left in the ring. */
static int abandoned_body(struct filtered_page *page)
{
	pthread_t thread;

	for (int i = 0; i < 40; i++)
		pthread_create(&thread, NULL, thread_fifo, NULL);
	for (int i = 0; i < 100; i++)
		if (try_open(file_name, O_RDONLY))
			return 1;
	atomic_store(&page->stage, 1);
	return 0;
}

static void parked_calls_die_with_their_target(void **state)
{
	struct scene scene = scene_start(abandoned_body);

	(void)state;
	assert_int_equal(scene_run(&scene), 0);
	/* Else it would find a reader. */
	assert_int_equal(open(fifo_name, O_WRONLY | O_NONBLOCK | O_CLOEXEC), -1);
	assert_int_equal(errno, ENXIO);
}

static void closing_ends_what_is_parked(void **state)
{
	struct scene scene = scene_start(abandoned_body);
	struct timespec ms = { .tv_nsec = 1000000 };

	(void)state;
	filtered_go(&scene.filtered);
	/* The loop does not even run: what was posted stays posted. */
	while (!atomic_load(&scene.filtered.page->stage))
		nanosleep(&ms, NULL);
	sandbox_close(scene.sandbox);
	kill(scene.filtered.pid, SIGKILL);
	(void)filtered_status(&scene.filtered);
	loop_free(scene.loop);
}

/* ---- a serving thread that is stuck ---- */

/* Where the child has put its page. */
static char *stall_page;

static void *thread_stalls(void *arg)
{
	struct filtered_page *page = arg;

	atomic_store(&page->stage, 1);
	atomic_store(&page->numbers[1], try_open(stall_page, O_RDONLY));
	return NULL;
}

static int stall_body(struct filtered_page *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .range.len = 4096, .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	pthread_t threads[3];
	uint64_t most = 0, begin = now_ns();

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		return 77;
	stall_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range.range.start = (uintptr_t)stall_page;
	if (stall_page == MAP_FAILED || ioctl(uffd, UFFDIO_REGISTER, &range))
		return 78;
	atomic_store(&page->numbers[3], (long)stall_page);
	atomic_store(&page->numbers[0], uffd);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, thread_stalls, page);
	while (now_ns() - begin < STALL_MS * UINT64_C(1000000)) {
		uint64_t before = now_ns(), took;

		if (try_open(file_name, O_RDONLY))
			return 1;
		took = now_ns() - before;
		most = took > most ? took : most;
	}
	atomic_store(&page->numbers[2], (long)(most / 1000));
	atomic_store(&page->stage, 2);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	return atomic_load(&page->numbers[1]) == 0 ? 0 : 2;
}

static void *stall_ends(void *arg)
{
	struct filtered *filtered = arg;
	static char text[4096] __attribute__((aligned(4096)));
	struct uffdio_copy copy = { .src = (uintptr_t)text, .len = 4096 };
	int pidfd = (int)syscall(SYS_pidfd_open, filtered->pid, 0), uffd;

	while (atomic_load(&filtered->page->stage) != 2)
		if (poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, 1))
			return NULL;
	uffd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)atomic_load(&filtered->page->numbers[0]), 0);
	strcpy(text, file_name);
	copy.dst = (uintptr_t)atomic_load(&filtered->page->numbers[3]);
	(void)ioctl(uffd, UFFDIO_COPY, &copy);
	close(uffd);
	close(pidfd);
	return NULL;
}

static void stuck_threads_are_replaced(void **state)
{
	struct scene scene = scene_start(stall_body);
	pthread_t helper;
	long most;
	int status;

	(void)state;
	if (geteuid() != 0) {
		kill(scene.filtered.pid, SIGKILL);
		(void)scene_run(&scene);
		skip();	/* an ordinary user's userfaultfd does not stall the kernel */
	}
	assert_int_equal(pthread_create(&helper, NULL, stall_ends, &scene.filtered), 0);
	filtered_go(&scene.filtered);
	assert_int_equal(sandbox_run(scene.sandbox), 0);
	pthread_join(helper, NULL);
	most = atomic_load(&scene.filtered.page->numbers[2]);
	status = filtered_status(&scene.filtered);
	sandbox_close(scene.sandbox);
	loop_free(scene.loop);
	assert_int_equal(status, 0);
	/* Three are stuck one after the other, each for CREW_STUCK_MS; a busy machine needs some more. */
	print_message("the slowest call beside stuck ones took %ld us\n", most);
	assert_true(most < STALL_MS * 1000 / 2);
}

static int idle_body(struct filtered_page *page)
{
	int err = try_open(file_name, O_RDONLY);

	atomic_store(&page->stage, 1);
	return err ? 1 : pause();
}

/* How often the serving threads have slept. */
static unsigned long switches(void)
{
	unsigned long all = 0, n;
	char line[128], path[300];
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *task;

	assert_non_null(tasks);
	while ((task = readdir(tasks))) {
		bool ours = false;
		FILE *status;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", task->d_name);
		status = fopen(path, "re");
		while (status && fgets(line, sizeof(line), status)) {
			ours = ours || !strcmp(line, "Name:\tusher-crew\n");
			if (ours && sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1)
				all += n;
		}
		if (status)
			fclose(status);
	}
	closedir(tasks);
	return all;
}

/* Nobody wakes up while nothing happens. */
static void idle_costs_nothing(void **state)
{
	struct scene scene = scene_start(idle_body);
	struct timespec while_ = { .tv_nsec = 200 * 1000000 };
	unsigned long before, after = 0;

	(void)state;
	filtered_go(&scene.filtered);
	while (!atomic_load(&scene.filtered.page->stage))
		sched_yield();
	/* The watcher looks on for a moment. */
	for (int i = 0; i < 20; i++) {
		before = after;
		nanosleep(&while_, NULL);
		after = switches();
		if (after == before)
			break;
	}
	assert_true(after > 0);
	assert_int_equal(after, before);
	kill(scene.filtered.pid, SIGKILL);
	assert_int_equal(scene_run(&scene), 128 + SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves),
		cmocka_unit_test(serves_many_threads),
		cmocka_unit_test(obeys_the_targets_limit),
		cmocka_unit_test(traps),
		cmocka_unit_test(kills),
		cmocka_unit_test(fifos_are_interrupted_and_restarted),
		cmocka_unit_test(signals_are_seen_while_others_park),
		cmocka_unit_test(parked_calls_die_with_their_target),
		cmocka_unit_test(closing_ends_what_is_parked),
		cmocka_unit_test(stuck_threads_are_replaced),
		cmocka_unit_test(idle_costs_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
