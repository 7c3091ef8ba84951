/*
 * A policy that confines no path, and brokers every call about one all the same: namespaces, mounts and chroot are the program's
 * own affair, and it cannot tell. The cases run this binary again as the program.
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL "files { default allow; cover all; } limits { capabilities all; }"

static void say(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
}

/* ---- the programs --------------------------------------------------------------------------- */

/* After unshare(2) the capabilities are those of the new user namespace, without an exec in between. */
static int capabilities(const char *dir)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/closed", dir);
	say("before", open(path, O_RDONLY));
	if (unshare(CLONE_NEWUSER))
		return 2;
	say("read", open(path, O_RDONLY));
	say("chmod", chmod(path, 0644));
	snprintf(path, sizeof(path), "%s/device", dir);
	say("mknod", mknod(path, S_IFCHR | 0666, 0x103));
	return 0;
}

/* A name that is longer from the root than any path can be. */
static int deep(const char *dir)
{
	char name[251];
	int fd;
	memset(name, 'd', 250);
	name[250] = '\0';
	if (chdir(dir))
		return 2;
	for (int i = 0; i < 17; i++)
		if (mkdir(name, 0755) || chdir(name))
			return 3;
	say("create", fd = open("f", O_CREAT | O_WRONLY, 0600));
	say("open", open("./f", O_RDONLY));
	say("chmod", chmod("f", 0640));
	say("truncate", truncate("f", 3));
	say("rename", rename("f", "g"));
	say("link", link("g", "h"));
	say("symlink", symlink("h", "s"));
	say("through", open("s", O_RDONLY));
	say("mkdir", mkdir("x", 0700));
	say("up", open("x/../../", O_RDONLY | O_DIRECTORY));
	say("rmdir", rmdir("x"));
	snprintf(name, sizeof(name), "%s/out", dir);
	say("out", rename("g", name));
	say("key", open("a.key", O_CREAT | O_WRONLY, 0600));
	return 0;
}

/* Its last link and its last descriptor are gone: the event is there at once. */
static int deleted(const char *dir)
{
	char path[200], events[4096];
	int late = 0, queue = inotify_init1(IN_NONBLOCK);
	snprintf(path, sizeof(path), "%s/watched", dir);
	for (int i = 0; i < 200; i++) {
		int fd = open(path, O_CREAT | O_WRONLY, 0600);
		if (fd < 0 || inotify_add_watch(queue, path, IN_DELETE_SELF) < 0)
			return 2;
		close(fd);
		(void)chmod(path, 0644);
		(void)unlink(path);
		late += read(queue, events, sizeof(events)) <= 0;
		while (read(queue, events, sizeof(events)) > 0)
			;
	}
	printf("late: %d\n", late);
	return 0;
}

static int handle(const char *dir)
{
	struct { unsigned bytes; int type; } head = { 0, 0 };
	int mount = -1;
	say("handle", syscall(SYS_name_to_handle_at, AT_FDCWD, dir, &head, &mount, 0));
	printf("%d %d\n", head.bytes > 0, mount >= 0);
	return 0;
}

/* Refused where something could be got round by it. */
static int refused(const char *dir)
{
	struct { struct file_handle head; char bytes[128]; } handle = { .head.handle_bytes = 128 };
	uint32_t clock[32] = { 1, sizeof(clock) };
	int mount, group, fd = open(dir, O_RDONLY | O_DIRECTORY);
	pid_t child = fork();
	if (child == 0)
		for (;;)
			pause();
	say("handle", name_to_handle_at(AT_FDCWD, dir, &handle.head, &mount, 0));
	say("open", open_by_handle_at(fd, &handle.head, O_RDONLY | O_DIRECTORY));
	say("kcmp", syscall(SYS_kcmp, getpid(), child, 0 /* KCMP_FILE */, fd, fd));
	say("kcmp nobody", syscall(SYS_kcmp, 0, child, 0, fd, fd));
	say("perf", syscall(SYS_perf_event_open, clock, 0, -1, -1, 0));
	say("keyctl", syscall(SYS_keyctl, -1));
	say("add_key", syscall(SYS_add_key, NULL, NULL, NULL, 0, 0));
	say("bpf", syscall(SYS_bpf, -1, clock, sizeof(clock)));
	say("mq_open", syscall(SYS_mq_open, "free", O_RDWR, 0, NULL));
	say("listmount", syscall(458, NULL, NULL, 0, 0));
	say("fanotify_init", group = fanotify_init(0, O_RDONLY));
	say("fanotify_mark", group < 0 ? -1 : fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, dir));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

static int deleted_image(const char *dir)
{
	static char *const argv[] = { "true", NULL }, *const none[] = { NULL };
	char path[200], command[300];
	snprintf(path, sizeof(path), "%s/image", dir);
	snprintf(command, sizeof(command), "cp /bin/true '%s'", path);
	if (system(command))
		return 2;
	int fd = open(path, O_PATH);
	say("unlink", unlink(path));
	fflush(stdout);
	execveat(fd, "", argv, none, AT_EMPTY_PATH);
	say("exec", -1);
	return 0;
}

/* And these always. */
static int refused_always(const char *dir)
{
	say("kcmp", syscall(SYS_kcmp, getpid(), getppid(), 0, 0, 0));
	say("acct", syscall(SYS_acct, dir));
	say("quotactl", syscall(SYS_quotactl, -1, dir, 0, NULL));
	say("io_uring", syscall(425, 4, NULL));
	say("userfaultfd", syscall(SYS_userfaultfd, -1));
	return 0;
}

static const struct { const char *name; int (*run)(const char *dir); } programs[] = {
	{ "capabilities", capabilities }, { "deep", deep }, { "deleted", deleted }, { "handle", handle },
	{ "refused", refused }, { "refused_always", refused_always }, { "deleted_image", deleted_image },
};

/* ---- the cases ------------------------------------------------------------------------------ */

static void runs(struct live *live, const char *program, const char *expected)
{
	live_runl(live, "/proc/self/fd/9", program, live_path(live, "work"), NULL);
	if (live->status || strcmp(live->out, expected))
		fail_msg("%s: status %d, expected:\n%s\ngot:\n%s%s", program, live->status, expected, live->out, live->err);
}

static void prepare(struct live *live, const char *policy)
{
	static char self[4096];
	static const char *const pass[] = { "--pass-fd", "9", NULL };
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(n > 0);
	self[n] = '\0';
	live_mkdir(live, "work", 0777);
	live_policy(live, policy);
	int fd = open(self, O_RDONLY);
	assert_true(fd >= 0 && dup2(fd, 9) == 9);
	close(fd);
	memcpy(live->options, pass, sizeof(pass));
}

static void capabilities_of_a_new_namespace(void **state)
{
	struct live *live = *state;
	prepare(live, ALL);
	live_file(live, "work/closed", 0600, "x");
	if (live_root())
		assert_int_equal(chown(live_path(live, "work/closed"), 1000, 1000), 0);
	runs(live, "capabilities", live_root() ? "before: ok\nread: EACCES\nchmod: EPERM\nmknod: EPERM\n"
					       : "before: ok\nread: ok\nchmod: ok\nmknod: EPERM\n");
}

static void deeper_than_a_path(void **state)
{
	struct live *live = *state;
	prepare(live, ALL);
	runs(live, "deep", "create: ok\nopen: ok\nchmod: ok\ntruncate: ok\nrename: ok\nlink: ok\nsymlink: ok\nthrough: ok\nmkdir: ok\n"
			   "up: ok\nrmdir: ok\nout: ok\nkey: ok\n");
}

/* Where it cannot be told whether a rule is meant, it is. */
static void deeper_where_something_is_denied(void **state)
{
	struct live *live = *state;
	prepare(live, "files { default allow; deny create **/*.key; }");
	runs(live, "deep", "create: ENAMETOOLONG\nopen: ENOENT\nchmod: ENOENT\ntruncate: ENOENT\nrename: ENAMETOOLONG\nlink: ENOENT\n"
			   "symlink: ENAMETOOLONG\nthrough: ENOENT\nmkdir: ENAMETOOLONG\nup: ENOENT\nrmdir: ENOENT\nout: ENOENT\n"
			   "key: ENAMETOOLONG\n");
}

static void nothing_is_held_after_the_answer(void **state)
{
	struct live *live = *state;
	prepare(live, ALL);
	runs(live, "deleted", "late: 0\n");
}

static void errors_that_write(void **state)
{
	struct live *live = *state;
	prepare(live, ALL);
	runs(live, "handle", "handle: EOVERFLOW\n1 1\n");
}

/* The answers are the kernel's. */
static void what_gets_round_nothing_is_let_be(void **state)
{
	struct live *live = *state;
	char command[200], natively[1000];
	prepare(live, ALL);
	snprintf(command, sizeof(command), "/proc/self/fd/9 refused '%s'", live_path(live, "work"));
	FILE *from = popen(command, "r");
	assert_non_null(from);
	natively[fread(natively, 1, sizeof(natively) - 1, from)] = '\0';
	assert_int_equal(pclose(from), 0);
	runs(live, "refused", natively);
	runs(live, "refused_always", "kcmp: EPERM\nacct: EPERM\nquotactl: EPERM\nio_uring: ENOSYS\nuserfaultfd: EPERM\n");
}

static void what_has_no_name_is_executed(void **state)
{
	struct live *live = *state;
	prepare(live, ALL);
	runs(live, "deleted_image", "unlink: ok\n");
}

/* One denial, and they are refused again. */
static void what_gets_round_is_refused(void **state)
{
	struct live *live = *state;
	prepare(live, "files { default allow; deny read /nowhere; } limits { capabilities all; }");
	char expected[300];
	snprintf(expected, sizeof(expected), "%sfanotify_init: %s\nfanotify_mark: EPERM\n",
		 "handle: ok\nopen: EPERM\nkcmp: ok\nkcmp nobody: ESRCH\nperf: EPERM\nkeyctl: EPERM\nadd_key: EPERM\n"
			      "bpf: EPERM\nmq_open: EACCES\nlistmount: ENOSYS\n", live_root() ? "ok" : "EPERM");
	runs(live, "refused", expected);
}

/* Left unset only where the kernel does not need it, and nothing is given up. */
static void new_privileges(void **state)
{
	static const struct { const char *text, *root; } cases[] = {
		{ ALL, "ok\t0" },
		{ "files { default allow; cover all; }", "ok\t1" },
		{ "files { default allow; deny read /nowhere; } limits { capabilities all; }", "ok\t1" },
	};
	struct live *live = *state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		live_policy(live, cases[i].text);
		live_expect(live, live_root() ? cases[i].root : "ok\t1", "status", "NoNewPrivs", NULL);
	}
	if (!live_root())
		return;
	live_policy(live, ALL);
	live_sh(live, "cp /usr/bin/id id && chown 1000 id && chmod 4755 id && setpriv --reuid 2000 --clear-groups ./id -u");
	assert_string_equal(live->out, "1000\n");
}

static void namespaces_are_free(void **state)
{
	struct live *live = *state;
	char script[1000];
	live_file(live, "work/file", 0644, "here\n");
	live_policy(live, ALL);
	snprintf(script, sizeof(script),
		 "unshare %s sh -c 'mount --bind \"%s\" /mnt && cat /mnt/file && mount -t tmpfs none /mnt && echo new >/mnt/f && cat /mnt/f && "
		 "umount /mnt && ls /mnt'; %s /usr/sbin/chroot \"%s\" /none 2>&1 | grep -c No.such",
		 live_root() ? "-m" : "-Urm", live_path(live, "work"), live_root() ? "" : "unshare -Ur", live_path(live, "work"));
	live_sh(live, script);
	if (strcmp(live->out, "here\nnew\nfile\n1\n"))
		fail_msg("%s\n%s", live->out, live->err);
}

/* What is only recorded keeps nobody from where paths mean something else. (Landlock, which stands behind the broker, allows no mounts.) */
static void records_alone_hold_nothing_up(void **state)
{
	static const struct { const char *text, *expected; } cases[] = {
		{ "files { default allow; cover all; } network { default allow audit all; } limits { capabilities all; }", "1\nok\n" },
		{ "files { default allow audit all; cover all; } limits { capabilities all; }", "1\nok\n" },
		{ "files { default allow; cover all; } network { default allow; deny connect tcp 192.0.2.1:1; } limits { capabilities all; }", "0\n" },
	};
	struct live *live = *state;
	char script[1000];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		live_policy(live, cases[i].text);
		snprintf(script, sizeof(script), "%s /usr/sbin/chroot \"%s\" /none 2>&1 | grep -c No.such; unshare -U echo ok 2>&-; true",
			 live_root() ? "" : "unshare -Ur", live_path(live, "work"));
		live_sh(live, script);
		if (strcmp(live->out, cases[i].expected))
			fail_msg("%s:\n%s\n%s", cases[i].text, live->out, live->err);
	}
}

/* Usher's own files are denied by any name. (--rbind: others mount below /tmp, and what hides below a mount may not be bound alone.) */
static void own_files_by_another_name(void **state)
{
	struct live *live = *state;
	char script[1000], *policy;
	live_policy(live, ALL);
	policy = live_read(live->policy);
	snprintf(script, sizeof(script),
		 "unshare %s sh -c 'mount --rbind /tmp /mnt && cd /mnt && name=$(basename \"%s\") && ls $name >/dev/null && "
		 "{ echo x >>$name; rm -f $name; mv $name y; ln $name z; chmod 777 $name; } 2>&-; ls $name | wc -l'",
		 live_root() ? "-m" : "-Urm", live->policy);
	live_sh(live, script);
	assert_string_equal(live->out, "1\n");
	char *after = live_read(live->policy);
	assert_string_equal(policy, after);
	free(policy);
	free(after);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
static const struct CMUnitTest tests[] = {
	CASE(capabilities_of_a_new_namespace), CASE(deeper_than_a_path), CASE(deeper_where_something_is_denied),
	CASE(what_gets_round_nothing_is_let_be), CASE(what_gets_round_is_refused), CASE(what_has_no_name_is_executed), CASE(new_privileges),
	CASE(nothing_is_held_after_the_answer), CASE(errors_that_write), CASE(namespaces_are_free), CASE(records_alone_hold_nothing_up),
	CASE(own_files_by_another_name),
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof(programs) / sizeof(programs[0]); i++)
		if (!strcmp(argv[1], programs[i].name))
			return programs[i].run(argv[2]);
	return cmocka_run_group_tests_name("live_free", tests, NULL, NULL);
}
