/* The launch: what the child is when it becomes the program, and what becomes of the tree when somebody dies. */
#include "live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ALL "files { default deny; allow all /; }\n"

/* ---- what the child is ---------------------------------------------------------------------- */

static void a_policy_that_traps_every_call_launches(void **state)
{
	struct live *live = *state;
	live_policy(live, "syscalls { default deny EPERM stage log; }");
	live_expect(live, "ok 0 1 2", "fds", NULL);
	assert_true(live_audited(live, "would-deny", NULL) > 3);
	assert_int_equal(live_sh(live, "echo a | cat | cat"), 0);
	assert_string_equal(live->out, "a\n");
}

static void a_policy_that_denies_every_call_fails_to_exec(void **state)
{
	struct live *live = *state;
	live_policy(live, "syscalls { default deny EPERM; }");
	assert_int_equal(live_runl(live, live_probe(), "pid", NULL), 126);
	assert_non_null(strstr(live->err, "is execve"));
	live_policy(live, "syscalls { default deny EPERM stage kill; }");
	assert_int_equal(live_runl(live, live_probe(), "pid", NULL), 128 + SIGKILL);
}

static void capabilities_are_limited(void **state)
{
	struct live *live = *state;
	live_policy(live, ALL);
	if (!live_root()) {
		live_expect(live, "ok\t0000000000000000", "status", "CapEff", NULL);
		live_expect(live, "ok\t0000000000000000", "status", "CapPrm", NULL);
		return;
	}
	static const char *const sets[] = { "CapBnd", "CapPrm", "CapEff" };
	for (size_t i = 0; i < 3; i++)
		live_expect(live, "ok\t00000000000005fb", "status", sets[i], NULL);
	live_expect(live, "ok\t0000000000000000", "status", "CapInh", NULL);
	live_expect(live, "ok\t0000000000000000", "status", "CapAmb", NULL);
	live_policy(live, ALL "limits { capabilities keep chown, setuid; }");
	for (size_t i = 0; i < 3; i++)
		live_expect(live, "ok\t0000000000000081", "status", sets[i], NULL);
}

static void nothing_new_can_be_gained(void **state)
{
	struct live *live = *state;
	live_policy(live, ALL);
	live_expect(live, "ok\t1", "status", "NoNewPrivs", NULL);
	live_expect(live, "ok\t2", "status", "Seccomp", NULL);
}

static void limits_are_set(void **state)
{
	struct live *live = *state;
	char soft[32];
	struct rlimit limit;
	live_policy(live, ALL "limits { files 77; memory 1G; }");
	live_expect(live, "ok 77", "rlimit", "7", NULL);
	live_expect(live, "ok 1073741824", "rlimit", "9", NULL);
	/* The supervisor's own are higher; the program has what usher was started with. */
	live_policy(live, ALL);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	snprintf(soft, sizeof(soft), "ok %lu", (unsigned long)limit.rlim_cur);
	live_expect(live, soft, "rlimit", "7", NULL);

	if (live_root())
		live_share_probe(live);
	live_policy(live, ALL "limits { processes 5000; }");
	if (live_root()) {
		assert_int_equal(live_runl(live, live_probe(), "rlimit", "6", NULL), 125);
		assert_non_null(strstr(live->err, "--user"));
		live->options[0] = "--user";
		live->options[1] = "nobody";
	}
	live_expect(live, "ok 5000", "rlimit", "6", NULL);
}

static void signals_are_as_they_were(void **state)
{
	struct live *live = *state;
	sigset_t set;
	const char *fifo = live_path(live, "fifo");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	live_policy(live, ALL);
	live_expect(live, "ok\t0000000000000000", "status", "SigBlk", NULL);
	live_expect(live, "ok\t0000000000000000", "status", "SigIgn", NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);	/* then waitpid() of live_finish() would find nobody: it ends after that is over */
	live_start(live, (const char *const[]){ live_probe(), "status", "SigBlk", ",", "status", "SigIgn", ",", "open", fifo, "r", NULL });
	signal(SIGCHLD, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	int end = open(fifo, O_WRONLY | O_CLOEXEC);
	assert_true(end >= 0);
	close(end);
	assert_int_equal(live_finish(live), 0);
	assert_string_equal(live->out, "ok\t0000000000000800\nok\t0000000000010001\nok 3\n");
}

static void descriptors_are_closed_unless_passed(void **state)
{
	struct live *live = *state;
	live_policy(live, ALL);
	int a = open("/etc/passwd", O_RDONLY), b = open("/etc/group", O_RDONLY);	/* not close-on-exec */
	char number[16], expected[32];
	assert_true(b >= 0);
	live_expect(live, "ok 0 1 2", "fds", NULL);
	snprintf(number, sizeof(number), "%d", b);
	snprintf(expected, sizeof(expected), "ok 0 1 2 %d", b);
	live->options[0] = "--pass-fd";
	live->options[1] = number;
	live_expect(live, expected, "fds", NULL);
	close(a);
	close(b);
	assert_int_equal(live_runl(live, live_probe(), "fds", NULL), 125);
	assert_non_null(strstr(live->err, "no such open descriptor"));
	live->options[1] = "two";
	assert_int_equal(live_runl(live, live_probe(), "fds", NULL), 125);
}

static void socket_activation_is_passed_on(void **state)
{
	struct live *live = *state;
	char script[600];
	live_policy(live, ALL);
	snprintf(script, sizeof(script),
		 "export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a:b NOTIFY_SOCKET=/run/n; exec 3</etc/passwd 4</etc/group;"
		 "exec '%s' run -p '%s' -- '%s' fds , env LISTEN_PID , pid , env LISTEN_FDNAMES , env NOTIFY_SOCKET",
		 live_usher(), live->policy, live_probe());
	FILE *from = popen(script, "re");
	char lines[5][64];
	assert_non_null(from);
	for (int i = 0; i < 5; i++)
		assert_non_null(fgets(lines[i], sizeof(lines[i]), from));
	assert_int_equal(pclose(from), 0);
	assert_string_equal(lines[0], "ok 0 1 2 3 4\n");
	assert_string_equal(lines[1], lines[2]);
	assert_string_equal(lines[3], "ok a:b\n");
	assert_string_equal(lines[4], "ok /run/n\n");

	/* Meant for somebody else: neither passed nor rewritten. */
	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "1", 1);
	assert_int_equal(live_runl(live, live_probe(), "fds", ",", "env", "LISTEN_PID", NULL), 0);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	assert_string_equal(live->out, "ok 0 1 2\nok 1\n");
}

static void another_user(void **state)
{
	struct live *live = *state;
	live->options[0] = "--user";
	if (!live_root()) {
		char us[32], uid[24];
		snprintf(us, sizeof(us), "%u:%u", geteuid(), getegid());
		snprintf(uid, sizeof(uid), "ok %u", geteuid());
		live->options[1] = us;
		live_policy(live, ALL);
		live_expect(live, uid, "getuid", NULL);	/* what we are anyway */
		live->options[1] = "root";
		assert_int_equal(live_runl(live, live_probe(), "getuid", NULL), 125);
		assert_non_null(strstr(live->err, "only root"));
		return;
	}
	live_share_probe(live);
	live_policy(live, ALL);
	live->options[1] = "nobody";
	live_expect(live, "ok 65534", "getuid", NULL);
	live_expect(live, "ok\t0000000000000000", "status", "CapEff", NULL);
	live_expect(live, "ok\t65534 ", "status", "Groups", NULL);
	live_expect(live, "ok nobody", "env", "USER", NULL);
	/* The supervisor acts with the child's credentials, not with its own. */
	live_file(live, "secret", 0600, "x");
	live_expect(live, "EACCES", "open", live_path(live, "secret"), "r", NULL);
	live_expect(live, "EACCES", "open", live_path(live, "new"), "wc", NULL);
	live->options[1] = "1234";
	assert_int_equal(live_runl(live, live_probe(), "getuid", NULL), 125);
	live->options[1] = "1234:99";
	live_expect(live, "ok 1234", "getuid", NULL);
	live_expect(live, "ok\t99 ", "status", "Groups", NULL);
	live->options[1] = "nosuchuser";
	assert_int_equal(live_runl(live, live_probe(), "getuid", NULL), 125);
	assert_non_null(strstr(live->err, "no user 'nosuchuser'"));
}

/* ---- who can be reached --------------------------------------------------------------------- */

static void nobody_outside_can_be_signalled(void **state)
{
	struct live *live = *state;
	char pid[16];
	live_policy(live, ALL);
	snprintf(pid, sizeof(pid), "%d", getpid());
	live_expect(live, "EPERM", "kill", pid, "0", NULL);
	live_expect(live, "EPERM", "kill", "0", "9", NULL);	/* the parent: the guardian */
	assert_int_equal(live_sh(live, "kill -0 $$ && sleep 5 & kill $!; wait $!; test $? = 143"), 0);
}

static void landlock_stands_behind(void **state)
{
	struct live *live = *state;
	/* An open that the broker never sees. */
	live_policy(live, LIVE_BASE "files { allow read,write /dev/ptmx, /dev/pts/ptmx; }");
	live_expect(live, "EACCES", "ptpeer", NULL);
	live->options[0] = "--no-landlock";
	live_expect(live, "ok", "ptpeer", NULL);
	live->options[0] = NULL;
	live_policy(live, LIVE_BASE "files { allow read,write /dev/ptmx, /dev/pts/; }");
	live_expect(live, "ok", "ptpeer", NULL);

	live_policy(live, LIVE_BASE);
	live->options[0] = "--no-landlock";
	assert_int_equal(live_runl(live, live_probe(), "pid", NULL), 0);
	assert_non_null(strstr(live->err, "nothing stands behind"));
	live->options[1] = "--quiet";
	assert_int_equal(live_runl(live, live_probe(), "pid", NULL), 0);
	assert_string_equal(live->err, "");
	setenv("USHER_TEST_DISABLE", "landlock", 1);
	assert_int_equal(live_runl(live, live_probe(), "pid", NULL), 0);
	live->options[0] = NULL;
	assert_int_equal(live_runl(live, live_probe(), "pid", NULL), 125);
	assert_non_null(strstr(live->err, "no Landlock"));
	setenv("USHER_TEST_DISABLE", "wait_killable", 1);
	assert_int_equal(live_runl(live, live_probe(), "pid", NULL), 125);
	assert_non_null(strstr(live->err, "WAIT_KILLABLE_RECV"));
	unsetenv("USHER_TEST_DISABLE");
}

/* It is not the kernel that lacks something. */
static void what_stands_in_the_way_is_named(void **state)
{
	struct live *live = *state;
	char script[600];
	const char *other = live_file(live, "other.policy", 0644, "syntax 1;\npolicy other;\nfiles { default allow; }\n");
	live_policy(live, "files { default allow; }");
	assert_int_equal(live_runl(live, live_usher(), "run", "-p", other, "--", "true", NULL), 125);
	assert_non_null(strstr(live->err, "another supervisor watches this process already"));
	if (!live_root())
		return;
	snprintf(script, sizeof(script), "unshare -m sh -c 'umount -l /proc && exec %s run -p %s -- true' 2>&1 | grep -q '/proc: it is not mounted'", live_usher(), other);
	assert_int_equal(system(script), 0);
}

/* ---- the end -------------------------------------------------------------------------------- */

static pid_t parent_of(pid_t pid)
{
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	FILE *from = fopen(path, "re");
	if (!from)
		return -1;
	size_t n = fread(text, 1, sizeof(text) - 1, from);
	fclose(from);
	text[n] = '\0';
	const char *end = strrchr(text, ')');
	return end && end[2] != 'Z' ? atoi(end + 4) : -1;
}

static pid_t only_child(pid_t parent)
{
	pid_t found = -1;
	DIR *dir = opendir("/proc");
	assert_non_null(dir);
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		if (atoi(entry->d_name) > 0 && parent_of(atoi(entry->d_name)) == parent)
			found = atoi(entry->d_name);
	closedir(dir);
	return found;
}

/*
 * Every process of the tree holds the write end of a pipe (descriptor 9): at EOF all of them are dead.
 * The script has a child, a grandchild, one that daemonised and one with another session, and says when they are there.
 */
static const char family[] = "sleep 300 & (sleep 300; true) & (setsid sh -c 'sleep 300; true' &) ; (setsid sleep 300 &);"
			     "echo >&9; while :; do sleep 300; done";

static pid_t start_family(struct live *live, int *ends)
{
	int fds[2];
	char byte;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(dup2(fds[1], 9), 9);
	close(fds[1]);
	live->options[0] = "--pass-fd";
	live->options[1] = "9";
	pid_t usher = live_start(live, (const char *const[]){ "/bin/sh", "-c", family, NULL });
	close(9);
	assert_int_equal(read(fds[0], &byte, 1), 1);
	*ends = fds[0];
	return usher;
}

static void all_are_gone(int ends)
{
	char byte;
	alarm(120);	/* instead of hanging */
	assert_int_equal(read(ends, &byte, 1), 0);
	alarm(0);
	close(ends);
}

static void killing_the_supervisor_kills_the_tree(void **state)
{
	struct live *live = *state;
	int ends;
	live_policy(live, ALL);
	pid_t usher = start_family(live, &ends);
	assert_int_equal(kill(usher, SIGKILL), 0);
	all_are_gone(ends);
	assert_int_equal(live_finish(live), 128 + SIGKILL);
}

static void namespaces_die_with_the_supervisor(void **state)
{
	struct live *live = *state;
	int ends;
	live_policy(live, ALL);
	live->options[2] = "--unshare";
	live->options[3] = "user,pid";
	pid_t usher = start_family(live, &ends);
	assert_int_equal(kill(usher, SIGKILL), 0);
	all_are_gone(ends);
	assert_int_equal(live_finish(live), 128 + SIGKILL);
	usher = start_family(live, &ends);
	assert_int_equal(kill(only_child(usher), SIGKILL), 0);
	all_are_gone(ends);
	if (live_finish(live) != 125 || !strstr(live->err, "guardian"))
		fail_msg("status %d: %s", live->status, live->err);
}

static void killing_the_guardian_kills_the_tree(void **state)
{
	struct live *live = *state;
	int ends;
	live_policy(live, ALL);
	pid_t usher = start_family(live, &ends);
	pid_t guardian = only_child(usher);
	assert_true(guardian > 0);
	assert_int_equal(kill(guardian, SIGKILL), 0);
	all_are_gone(ends);
	if (live_finish(live) != 125 || !strstr(live->err, "guardian"))
		fail_msg("status %d: %s", live->status, live->err);
}

static void supervisor_exit_keep_leaves_the_tree(void **state)
{
	struct live *live = *state;
	int ends;
	char byte;
	live_policy(live, ALL "limits { supervisor-exit keep; }");
	int line[2];
	assert_int_equal(pipe2(line, O_CLOEXEC), 0);
	assert_int_equal(dup2(line[1], 9), 9);
	close(line[1]);
	live->options[0] = "--pass-fd";
	live->options[1] = "9";
	/* It goes on, and what is brokered fails: closed, never open. */
	pid_t usher = live_start(live, (const char *const[]){ "/bin/sh", "-c",
		"sleep 300 & trap 'kill $!; read x </etc/passwd && echo open >&9 || echo closed >&9; exit' USR1; echo $$ >&9; while :; do wait; done",
		NULL });
	close(9);
	ends = line[0];
	char text[32] = "";
	siginfo_t info;
	assert_true(read(ends, text, sizeof(text) - 1) > 0);
	pid_t child = atoi(text);
	assert_int_equal(kill(usher, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)usher, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(kill(child, SIGUSR1), 0);
	memset(text, 0, sizeof(text));
	assert_true(read(ends, text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "closed\n");
	assert_int_equal(read(ends, &byte, 1), 0);
	close(ends);
	assert_int_equal(live_finish(live), 128 + SIGKILL);
}

static void usher_stays_until_the_last_has_gone(void **state)
{
	struct live *live = *state;
	int ends;
	live_policy(live, ALL);
	pid_t usher = start_family(live, &ends);
	siginfo_t info = { 0 };
	struct timespec moment = { .tv_nsec = 20000000 };
	/* The first ends the child alone; the next ones go to what it leaves behind, generation by generation. */
	for (int i = 0; i < 500 && info.si_pid != usher; i++) {
		assert_int_equal(kill(usher, SIGTERM), 0);
		nanosleep(&moment, NULL);
		assert_int_equal(waitid(P_PID, (id_t)usher, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	}
	all_are_gone(ends);
	assert_int_equal(live_finish(live), 128 + SIGTERM);

	/* A daemon: its parent's status, and not before the daemon has ended. */
	struct timespec start, end;
	live->options[0] = NULL;
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(live_sh(live, "setsid sleep 0.5 >/dev/null 2>&1 & exit 5"), 5);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true((end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000 >= 490);
}

static void the_end_of_a_pipe_is_seen(void **state)
{
	struct live *live = *state;
	live_policy(live, ALL);
	/* The program closes its output and goes on: neither usher nor the guardian keeps it open. */
	int ends[2], out[2];
	char byte;
	assert_int_equal(pipe2(ends, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		dup2(ends[0], 0);
		execl(live_usher(), "usher", "run", "-p", live->policy, "--", "/bin/sh", "-c", "exec >&- 2>&-; read x; exit 6", NULL);
		_exit(99);
	}
	close(out[1]);
	close(ends[0]);
	alarm(120);
	assert_int_equal(read(out[0], &byte, 1), 0);	/* while the program waits for us */
	alarm(0);
	assert_int_equal(write(ends[1], "x\n", 2), 2);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 6);
	close(out[0]);
	close(ends[1]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_policy_that_traps_every_call_launches),
		CASE(a_policy_that_denies_every_call_fails_to_exec),
		CASE(capabilities_are_limited),
		CASE(nothing_new_can_be_gained),
		CASE(limits_are_set),
		CASE(signals_are_as_they_were),
		CASE(descriptors_are_closed_unless_passed),
		CASE(socket_activation_is_passed_on),
		CASE(another_user),
		CASE(nobody_outside_can_be_signalled),
		CASE(landlock_stands_behind),
		CASE(what_stands_in_the_way_is_named),
		CASE(killing_the_supervisor_kills_the_tree),
		CASE(killing_the_guardian_kills_the_tree),
		CASE(namespaces_die_with_the_supervisor),
		CASE(supervisor_exit_keep_leaves_the_tree),
		CASE(usher_stays_until_the_last_has_gone),
		CASE(the_end_of_a_pipe_is_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
