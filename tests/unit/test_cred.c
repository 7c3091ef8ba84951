/* Each case runs on a thread of its own, as a serving thread does, where cmocka's assertions have nowhere to go: ASSERT. Those that
 * change identity need root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cred.h"
#include "err.h"

#define CAP(n) (UINT64_C(1) << (n))

static const struct cred nobody = {
	.ruid = 65534, .euid = 65534, .suid = 65534, .fsuid = 65534,
	.rgid = 65534, .egid = 65534, .sgid = 65534, .fsgid = 65534,
	.n_groups = 2, .groups = { 100, 65534 },
};

static struct cred self(void)
{
	struct cred cred;
	int proc = open("/proc/thread-self", O_PATH | O_CLOEXEC);

	ASSERT(cred_read(proc, &cred, NULL) == 0);
	close(proc);
	return cred;
}

static void check_worn(const struct cred *want)
{
	struct cred have = self();

	ASSERT(have.fsuid == want->fsuid);
	ASSERT(have.fsgid == want->fsgid);
	ASSERT(have.euid == want->euid);
	ASSERT(have.egid == want->egid);
	ASSERT(have.effective == want->effective);
	ASSERT(have.n_groups == want->n_groups);
	ASSERT(!memcmp(have.more_groups ? have.more_groups : have.groups,
		       want->more_groups ? want->more_groups : want->groups,
		       want->n_groups * sizeof(gid_t)));
	cred_free(&have);
}

struct job {
	void (*run)(struct cred_worker *worker);
	bool started;
};

static void *job_main(void *arg)
{
	struct job *job = arg;
	struct cred_worker *worker;

	job->started = cred_worker_start(&worker) == 0;
	if (job->started) {
		job->run(worker);
		cred_worker_stop(worker);
	}
	return NULL;
}

static void on_thread(void (*run)(struct cred_worker *worker))
{
	struct job job = { .run = run };
	pthread_t thread;
	struct cred before = self();

	/* What fails there, a signal too, would otherwise end in a silent exit(-1). */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	assert_int_equal(pthread_create(&thread, NULL, job_main, &job), 0);
	pthread_join(thread, NULL);
	unsetenv("CMOCKA_TEST_ABORT");
	assert_true(job.started);
	check_worn(&before);	/* this thread is what it was */
	cred_free(&before);
}

static void reads_own(void **state)
{
	struct cred have = self();
	gid_t groups[1024];
	int proc = open("/proc/self", O_PATH | O_CLOEXEC), n = getgroups(1024, groups);
	pid_t tgid;

	(void)state;
	assert_int_equal(have.ruid, getuid());
	assert_int_equal(have.euid, geteuid());
	assert_int_equal(have.rgid, getgid());
	assert_int_equal(have.n_groups, n);
	cred_free(&have);
	assert_int_equal(cred_read(proc, &have, &tgid), 0);
	assert_int_equal(tgid, getpid());
	cred_free(&have);
	close(proc);
}

static void reads_nothing_of_the_dead(void **state)
{
	struct cred cred;
	char path[32];
	pid_t child = fork();
	int proc;

	(void)state;
	if (!child)
		_exit(pause());
	snprintf(path, sizeof(path), "/proc/%d", child);
	proc = open(path, O_PATH | O_CLOEXEC);
	assert_true(proc >= 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(cred_read(proc, &cred, NULL), -ESRCH);
	close(proc);
}

static int may_read_shadow(void)
{
	int fd = open("/etc/shadow", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void nobody_run(struct cred_worker *worker)
{
	char name[] = "/tmp/usher-cred.XXXXXX", path[64];
	struct stat st;
	int fd;

	for (int i = 0; i < 3; i++) {
		ASSERT(cred_wear(worker, &nobody, false) == 0);
		check_worn(&nobody);
		ASSERT(may_read_shadow() == -EACCES);
		ASSERT(!cred_power());	/* it acts for the target */
		ASSERT(may_read_shadow() == -EACCES);
		cred_own(worker);
		ASSERT(cred_power() == true);
		ASSERT(may_read_shadow() == 0);
		ASSERT(!cred_power());	/* up already */
	}
	ASSERT(cred_wear(worker, &nobody, false) == 0);
	ASSERT(mkdtemp(name));
	snprintf(path, sizeof(path), "%s/file", name);
	umask(0);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	ASSERT(fstat(fd, &st) == 0);
	ASSERT(st.st_uid == 65534);
	ASSERT(st.st_gid == 65534);
	close(fd);
	unlink(path);
	rmdir(name);
	cred_own(worker);
}

static void wears_another_user(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	on_thread(nobody_run);
}

static void caps_run(struct cred_worker *worker)
{
	struct cred root = self(), less = root;

	less.effective = CAP(CAP_CHOWN) | CAP(CAP_SETUID);
	ASSERT(cred_wear(worker, &less, false) == 0);
	check_worn(&less);
	less.effective = 0;
	ASSERT(cred_wear(worker, &less, false) == 0);
	check_worn(&less);
	ASSERT(cred_wear(worker, &nobody, false) == 0);
	check_worn(&nobody);
	ASSERT(cred_wear(worker, &root, false) == 0);
	check_worn(&root);
	/* What we do not have cannot be worn: refused, and nothing of the target is left on. */
	less.effective = ~UINT64_C(0);
	ASSERT(cred_wear(worker, &less, false) == -EPERM);
	cred_free(&root);
}

static void wears_capabilities(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	on_thread(caps_run);
}

static void odd_run(struct cred_worker *worker)
{
	struct cred odd = nobody, real = nobody;

	odd.fsuid = 1;		/* an NFS server of old */
	odd.fsgid = 2;
	odd.effective = CAP(CAP_DAC_OVERRIDE);
	ASSERT(cred_wear(worker, &odd, false) == 0);
	check_worn(&odd);

	/* A setuid program asks access(2): effectively root, really nobody. */
	odd = nobody;
	odd.euid = odd.fsuid = 0;
	odd.effective = odd.permitted = CAP(CAP_DAC_OVERRIDE);
	ASSERT(cred_wear(worker, &odd, true) == 0);
	check_worn(&real);

	/* And the other way round. */
	odd = nobody;
	odd.ruid = odd.rgid = 0;
	odd.permitted = CAP(CAP_DAC_OVERRIDE);
	real = odd;
	real.euid = real.fsuid = 0;
	real.egid = real.fsgid = 0;
	real.effective = odd.permitted;
	ASSERT(cred_wear(worker, &odd, true) == 0);
	check_worn(&real);
}

static void wears_filesystem_and_real_ids(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	on_thread(odd_run);
}

static void groups_run(struct cred_worker *worker)
{
	struct cred many = nobody;

	many.n_groups = 300;
	many.more_groups = calloc(many.n_groups, sizeof(gid_t));
	for (unsigned i = 0; i < many.n_groups; i++)
		many.more_groups[i] = 1000 + i;
	for (int i = 0; i < 2; i++) {
		ASSERT(cred_wear(worker, &many, false) == 0);
		check_worn(&many);
		ASSERT(cred_wear(worker, &nobody, false) == 0);
		check_worn(&nobody);
	}
	cred_free(&many);
}

static void wears_many_groups(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	on_thread(groups_run);
}

static void umask_run(struct cred_worker *worker)
{
	(void)worker;
	umask(0777);
}

static void umask_is_the_threads(void **state)
{
	mode_t old = umask(022);

	(void)state;
	on_thread(umask_run);
	assert_int_equal(umask(old), 022);
}

/* An ordinary user's targets cannot differ from it. */
static void constant_for_an_ordinary_user(void **state)
{
	pid_t child;
	int status;

	(void)state;
	if (geteuid() != 0) {
		assert_true(cred_constant());
		return;
	}
	assert_false(cred_constant());
	/* The answer is remembered, so that another process must give it: this program again, as nobody. */
	child = fork();
	if (!child) {
		if (setgid(65534) || setuid(65534))
			_exit(9);
		execl("/proc/self/exe", "test_cred", "--constant", NULL);
		_exit(8);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_own),
		cmocka_unit_test(reads_nothing_of_the_dead),
		cmocka_unit_test(umask_is_the_threads),
		cmocka_unit_test(wears_another_user),
		cmocka_unit_test(wears_capabilities),
		cmocka_unit_test(wears_filesystem_and_real_ids),
		cmocka_unit_test(wears_many_groups),
		cmocka_unit_test(constant_for_an_ordinary_user),
	};

	if (argc > 1 && !strcmp(argv[1], "--constant"))
		return cred_constant() ? 0 : 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
