/*
 * Ways round: every one that is known is tried once (bypass.c), and races run against the broker for a while (attack.c). What they
 * try is listed there; here stands the policy they try to get round, and the proof that natively they do.
 */
#include "live.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifdef __x86_64__
#define NO_TIME "deny EXDEV time; "
#else
#define NO_TIME ""
#endif

#define POLICY                                                                          \
	LIVE_BASE                                                                       \
	"files {\n"                                                                     \
	"  allow rx $tool; allow ro /proc/; \n"                            \
	"  allow all $dir/open/; deny exec $dir/open/; allow exec $dir/open/good;\n"    \
	"  deny modify $dir/open/ro, $dir/open/readonly;\n"                             \
	"  deny ro,chmod $dir/open/dark/; deny write $dir/open/log;\n"                  \
	"}\n"                                                                           \
	"allow connect,bind,sendto unix $dir/open/**;\n"                              \
	"syscalls { default allow; " NO_TIME "deny EXDEV socket where domain == AF_VSOCK; }\n"

/* The same as far as reading can be left to Landlock: trees, with nothing denied in them and what denies the rest sealed. */
#define SEALED                                                                          \
	"files {\n"                                                                     \
	"  default deny EACCES sealed;\n"                                               \
	"  allow rx /usr/, /lib/, /lib64/, /bin/, /sbin/, /etc/, /dev/, $dir/tools/;\n" \
	"  allow ro $dir/open; allow all $dir/open/*/; deny exec $dir/open/*/; allow exec $dir/open/good;\n" \
	"  allow write,append,create $dir/open;\n"                                       \
	"  deny modify $dir/open/ro, $dir/open/readonly;\n"                             \
	"  deny chmod $dir/open/dark/; deny write $dir/open/log;\n"                     \
	"}\n"                                                                           \
	"allow connect,bind,sendto unix $dir/open/**;\n"                                \
	"syscalls { default allow; " NO_TIME "deny EXDEV socket where domain == AF_VSOCK; }\n"

static void copy(const char *from, const char *to)
{
	char command[9000];
	snprintf(command, sizeof command, "cp '%s' '%s' && chmod 755 '%s'", from, to, to);
	assert_int_equal(system(command), 0);
}

static int listen_as(const struct sockaddr_un *address, socklen_t len, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)address, len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static int listen_at(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strcpy(address.sun_path, path);
	int fd = listen_as(&address, sizeof(address), type);
	chmod(path, 0777);
	return fd;
}

static int listen_abstract(pid_t outsider, const char *kind, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int n = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "outsider-%d-%s", (int)outsider, kind);
	return listen_as(&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n), type);
}

struct scene {
	int fds[8];
	size_t n;
	pid_t outsider;
	char queue[32];
};

/* Somebody else of the same user, in a group of his own, who has SECRET open as descriptor 50. */
static pid_t start_outsider(const char *secret)
{
	int ready[2];
	char byte;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open(secret, O_RDONLY | O_DIRECTORY);
		if (setpgid(0, 0) == 0 && dup2(fd, 50) == 50 && write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* OPEN and SECRET as bypass.c and attack.c want them. */
static struct scene prepare(struct live *live, const char *rules, const char *program, const char *more)
{
	char policy[6000];
	live_mkdir(live, "open", 0777);
	live_mkdir(live, "secret", 0777);
	live_mkdir(live, "secret/dir", 0777);
	live_mkdir(live, "secret/emptydir", 0777);
	live_file(live, "open/ro", 0666, "read only\n");
	live_file(live, "open/readonly", 0666, "read only\n");
	live_mkdir(live, "open/dark", 0777);
	live_file(live, "open/dark/file", 0666, "SECRET\n");
	live_file(live, "open/log", 0666, "one line\n");
	const char *file = live_file(live, "secret/file", 0666, "SECRET\n");
	setxattr(file, "user.secret", "x", 1, 0);
	live_file(live, "secret/victim", 0666, "x");
	copy(live_tool("exit55"), live_path(live, "open/good"));
	copy(live_tool("exit66"), live_path(live, "secret/exe"));
	copy(live_tool("exit66"), live_path(live, "secret/bad"));
	struct scene scene = { .outsider = start_outsider(live_path(live, "secret")) };
	scene.fds[scene.n++] = listen_at(live_path(live, "secret/socket"), SOCK_STREAM);
	scene.fds[scene.n++] = listen_at(live_path(live, "secret/dgram"), SOCK_DGRAM);
	scene.fds[scene.n++] = listen_at(live_path(live, "open/socket"), SOCK_STREAM);
	scene.fds[scene.n++] = listen_abstract(scene.outsider, "stream", SOCK_STREAM);
	scene.fds[scene.n++] = listen_abstract(scene.outsider, "dgram", SOCK_DGRAM);
	/* Left open for usher to inherit. */
	scene.fds[scene.n++] = open(live_path(live, "secret"), O_RDONLY | O_DIRECTORY);
	snprintf(scene.queue, sizeof(scene.queue), "outsider-%d", (int)scene.outsider);
	scene.fds[scene.n++] = (int)syscall(SYS_mq_open, scene.queue, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666, NULL);
	if (scene.fds[scene.n - 1] >= 0)	/* else this kernel has no message queues */
		assert_int_equal(syscall(SYS_mq_timedsend, scene.fds[scene.n - 1], "x", 1, 0, NULL), 0);
	snprintf(policy, sizeof policy, "set $tool = %s;\n%s%s", program, rules, more);
	live_policy(live, policy);
	return scene;
}

/* Whether the outsider still lives. */
static bool end(struct scene scene)
{
	bool lives = waitpid(scene.outsider, NULL, WNOHANG) == 0;
	if (lives) {
		kill(scene.outsider, SIGKILL);
		waitpid(scene.outsider, NULL, 0);
	}
	for (size_t i = 0; i < scene.n; i++)
		close(scene.fds[i]);
	(void)syscall(SYS_mq_unlink, scene.queue);
	return lives;
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;
	for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
		n++;
	return n;
}

/* bypass under usher, with WHICH or all of its cases; what it said is in live->out. */
static void run_bypass(struct live *live, const char *rules, const char *program, const char *more, const char *which)
{
	char open_dir[100], secret_dir[100], script[9000], pid[16];
	struct scene scene = prepare(live, rules, program, more);
	snprintf(open_dir, sizeof open_dir, "%s", live_path(live, "open"));
	snprintf(secret_dir, sizeof secret_dir, "%s", live_path(live, "secret"));
	/* The child cannot look up the pid of usher: it is told. */
	snprintf(script, sizeof script, "while [ ! -s '%s/pid' ]; do :; done; read pid <'%s/pid'; exec '%s' '%s' '%s' $pid %d %s", open_dir, open_dir,
		 program, open_dir, secret_dir, (int)scene.outsider, which);
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	snprintf(pid, sizeof pid, "%d\n", (int)live_start(live, argv));
	live_file(live, "open/pid", 0666, pid);
	live_finish(live);
	assert_true(end(scene));
	char *copy = strdup(live->out), *rest = copy;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
		if (strstr(line, "ESCAPED"))
			print_error("%s\n", line);
	free(copy);
	if (live->status != 0)
		fail_msg("status %d\n%s", live->status, live->err);
	assert_non_null(strstr(live->out, " 0 escaped"));
	assert_int_equal(count(live->out, "ESCAPED"), 0);
}

static void nothing_gets_round(void **state)
{
	run_bypass(*state, POLICY, live_tool("bypass"), "", "");
}

/* Not for want of capabilities: usher's answers are the same to who has all of them. */
static void no_capability_helps(void **state)
{
	run_bypass(*state, POLICY, live_tool("bypass"), "limits { capabilities all; }\n", "calls");
}

/* Where the filter lets reading pass: trees, so that dark/ may be read here. */
static void reading_left_to_landlock(void **state)
{
	struct live *live = *state;
	char program[100];
	live_mkdir(live, "tools", 0755);
	snprintf(program, sizeof program, "%s", live_path(live, "tools/bypass"));
	copy(live_tool("bypass"), program);
	run_bypass(live, SEALED, program, "", "");
	live_usher_run(live, (const char *const[]){ "check", "--plan", live->policy, NULL });
	if (!strstr(live->out, "not brokered: opens that only read, which Landlock decides"))
		fail_msg("%s", live->out);
}

/* A call was denied, by its record. */
static bool recorded(const char *audit, const char *name)
{
	bool found = false;
	char *copy = strdup(audit), *rest = copy;
	for (char *line = strsep(&rest, "\n"); line && !found; line = strsep(&rest, "\n")) {
		const char *call = NULL, *action = NULL;
		json_t *record = json_loads(line, 0, NULL);
		found = record && json_unpack(record, "{s:s, s:s}", "syscall", &call, "action", &action) == 0 && !strcmp(call, name) && !strcmp(action, "deny");
		json_decref(record);
	}
	free(copy);
	return found;
}

/* Each call that the table says is refused was tried, and refused by usher: there is a record of it. */
static void each_refused_call_is_tried(void **state)
{
	struct live *live = *state;
	unsigned refused = 0;
	char name[64], line[300];
	run_bypass(live, POLICY, live_tool("bypass"), "", "calls");
	char *tried = strdup(live->out), *audit = live_audit(live), *rest;
	live_usher_run(live, (const char *const[]){ "help", "calls", NULL });
	rest = live->out;
	for (char *at = strsep(&rest, "\n"); at; at = strsep(&rest, "\n")) {
		if (sscanf(at, " %63s refused%c", name, line) < 1 || !strstr(at, " refused") || strstr(at, "appended"))
			continue;
		refused++;
		snprintf(line, sizeof(line), "\n%s call ", name);
		if (strncmp(tried, line + 1, strlen(line + 1)) && !strstr(tried, line))
			fail_msg("%s is refused, and bypass_call.c does not try it", name);
		if (!recorded(audit, name))
			fail_msg("%s was refused, but not by usher: there is no record", name);
	}
	assert_true(refused > 30);
	free(tried);
	free(audit);
}

/* Landlock would say no as well; usher does. */
static void comparing_with_others_is_refused(void **state)
{
	struct live *live = *state;
	run_bypass(live, POLICY, live_tool("bypass"), "", "kcmp");
	char *audit = live_audit(live);
	assert_true(recorded(audit, "kcmp"));
	free(audit);
}

static void its_own_processes_may_be_changed(void **state)
{
	struct live *live = *state;
	char policy[6000];
	snprintf(policy, sizeof(policy), "set $tool = %s;\n" POLICY, live_tool("bypass"));
	live_policy(live, policy);
	live_mkdir(live, "open", 0777);
	live_runl(live, live_tool("bypass"), "--own", NULL);
	if (live->status)
		fail_msg("%s%s", live->out, live->err);
	assert_string_equal(live->out, "0 wrong\n");
	assert_int_equal(live_audited(live, "deny", NULL), 0);
}

/* What the kernel refuses by itself: what nobody has, and what is only a race if the broker runs it. */
static bool native_answer(const char *line)
{
	static const char *const refused[] = { "uselib ", "x32 ", "number_600 ", "number_minus ", "listener_inherited ", "rename_moved ", "thread_exec ", "proc_init_root " };
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (!strncmp(line, refused[i], strlen(refused[i])))
			return true;
	/* An older kernel has not all calls, a smaller machine not all files. */
	return strstr(line, "Function not implemented") || strstr(line, "No such file or directory");
}

/* From CAP_SYS_MODULE to CAP_SYS_NICE. */
static bool all_powerful(void)
{
	unsigned long long caps = 0;
	char *text = live_read("/proc/self/status"), *line = text ? strstr(text, "CapEff:") : NULL;
	bool all = line && sscanf(line, "CapEff: %llx", &caps) == 1 && (caps & 0xff0000) == 0xff0000;
	free(text);
	return all;
}

/* The test of the test: without usher all of them get through, as far as the user's rights go. */
static void natively_they_get_round(void **state)
{
	struct live *live = *state;
	char command[9000];
	struct scene scene = prepare(live, POLICY, "/nonexistent", "");
	snprintf(command, sizeof command, "'%s' '%s' '%s' $$ %d >'%s' 2>&1", live_tool("bypass"), live_path(live, "open"), live_path(live, "secret"),
		 (int)scene.outsider, live_path(live, "out"));
	pid_t pid = fork();
	if (pid == 0)	/* a group of its own: its priority changes */
		_exit(setpgid(0, 0) ? 2 : WEXITSTATUS(system(command)));
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	char *text = live_read(live_path(live, "out")), *rest = text;
	assert_non_null(text);
	assert_true(count(text, "ESCAPED") > 200);
	for (char *line = strsep(&rest, "\n"); line && all_powerful(); line = strsep(&rest, "\n"))
		if (*line && !strstr(line, "ESCAPED") && !strstr(line, " escaped") && !strstr(line, " is open") && !native_answer(line))
			fail_msg("natively refused, so that it proves nothing: %s", line);
	free(text);
	assert_false(end(scene));	/* it died of SIGIO */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(nothing_gets_round, live_setup, live_teardown),
	cmocka_unit_test_setup_teardown(reading_left_to_landlock, live_setup, live_teardown),
	cmocka_unit_test_setup_teardown(no_capability_helps, live_setup, live_teardown),
	cmocka_unit_test_setup_teardown(each_refused_call_is_tried, live_setup, live_teardown),
	cmocka_unit_test_setup_teardown(comparing_with_others_is_refused, live_setup, live_teardown),
	cmocka_unit_test_setup_teardown(its_own_processes_may_be_changed, live_setup, live_teardown),
	cmocka_unit_test_setup_teardown(natively_they_get_round, live_setup, live_teardown),
};

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("live_escape", tests, NULL, NULL);
}
