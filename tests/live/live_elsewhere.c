/*
 * Programs in user, network and IPC namespaces of their own: each says the same natively and under a policy that brokers everything and
 * allows it. The cases run this binary again as the program, once as it is and once under usher.
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <dirent.h>
#include <unistd.h>

#define ALL "files { default allow; cover all; } limits { capabilities all; }"

/* ---- for the programs ----------------------------------------------------------------------- */

static const char *error(long result)
{
	return result < 0 ? strerrorname_np(errno) : "ok";
}

static void say(const char *what, long result)
{
	printf("%s: %s\n", what, error(result));
}

static long put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	long n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int err = errno;
	if (fd >= 0)
		close(fd);
	errno = err;
	return n;
}

static void show(const char *path, const char *line)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0) {
		say(path, -1);
		return;
	}
	close(fd);
	text[n] = '\0';
	const char *from = line ? strstr(text, line) : text;
	printf("%s: %.*s\n", path, from ? (int)strcspn(from, "\n") : 0, from ? from : "");
}

static int count(const char *path)
{
	int n = 0;
	FILE *file = fopen(path, "re");
	for (int c; file && (c = getc(file)) != EOF;)
		n += c == '\n';
	if (file)
		fclose(file);
	return n;
}

static bool is_root;

/* The program's own user is root in there. */
static void enter(int namespaces)
{
	char map[64];
	unsigned uid = geteuid(), gid = getegid();
	say("unshare", unshare(namespaces));
	if (!(namespaces & CLONE_NEWUSER))
		return;
	say("setgroups", put("/proc/self/setgroups", "deny"));
	snprintf(map, sizeof(map), "0 %u 1", uid);
	say("uid_map", put("/proc/self/uid_map", map));
	snprintf(map, sizeof(map), "0 %u 1", gid);
	say("gid_map", put("/proc/self/gid_map", map));
}

static void keep_caps(unsigned keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = keep, .permitted = ~0U }, { .permitted = 0 } };
	say("capset", syscall(SYS_capset, &header, data));
}

/* ---- the programs --------------------------------------------------------------------------- */

#define TAG "/proc/sys/net/ipv4/conf/lo/tag"

static void network(void)
{
	enter(is_root ? CLONE_NEWNET : CLONE_NEWNET | CLONE_NEWUSER);
	say("write", put(TAG, "5"));
	show(TAG, NULL);
	show("/proc/sys/user/max_net_namespaces", NULL);
	DIR *dir = opendir("/proc/sys/net/ipv4/conf");
	for (const struct dirent *entry; dir && (entry = readdir(dir));)
		printf("%s\n", entry->d_name);
	if (dir)
		closedir(dir);
	say("none", open("/proc/sys/net/ipv4/conf/none", O_RDONLY));
}

static void queues(void)
{
	enter(is_root ? CLONE_NEWIPC : CLONE_NEWIPC | CLONE_NEWUSER);
	say("msgget", msgget(IPC_PRIVATE, 0600));
	printf("queues: %d\n", count("/proc/sysvipc/msg"));
	say("write", put("/proc/sys/kernel/msgmni", "77"));
	show("/proc/sys/kernel/msgmni", NULL);
}

static void owner(const char *path)
{
	struct stat st;
	struct statx stx;
	long result = lstat(path, &st);
	printf("%s: %s", path, error(result));
	if (!result)
		printf(" %o %u %u", st.st_mode, st.st_uid, st.st_gid);
	result = statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &stx);
	printf(", %s", error(result));
	if (!result)
		printf(" %u %u", stx.stx_uid, stx.stx_gid);
	putchar('\n');
}

/* version 2, then entries of tag, permissions and id: owner, user ID, group, mask, others. */
static long set_acl(const char *path, unsigned id)
{
	struct { unsigned version; struct { unsigned short tag, perm; unsigned id; } entries[5]; } acl = {
		2, { { 1, 6, ~0U }, { 2, 4, id }, { 4, 4, ~0U }, { 16, 4, ~0U }, { 32, 0, ~0U } },
	};
	return setxattr(path, "system.posix_acl_access", &acl, sizeof(acl), 0);
}

static void get_acl(const char *path)
{
	unsigned acl[16] = { 0 };
	ssize_t n = getxattr(path, "system.posix_acl_access", acl, sizeof(acl));
	printf("acl: %s %u\n", error(n), n > 20 ? acl[4] : 0);
}

static void files(void)
{
	owner("f");
	owner("/etc/passwd");
	owner("closed");
	say("read closed", open("closed", O_RDONLY));
	say("chmod closed", chmod("closed", 0644));
	say("create", open("new", O_CREAT | O_WRONLY, 0640));
	owner("new");
	say("mkdir", mkdir("dir", 0700));
	owner("dir");
	say("chown 0", chown("new", 0, 0));
	say("chown 5", chown("new", 5, 5));
	say("fifo", mknod("fifo", S_IFIFO | 0600, 0));
	say("device", mknod("device", S_IFCHR | 0600, 0x103));
	say("symlink", symlink("new", "link"));
	say("lchown", lchown("link", 0, (gid_t)-1));
	say("access", access("closed", R_OK));
	say("access as worn", faccessat(AT_FDCWD, "none", R_OK, AT_EACCESS));
	say("user.a", setxattr("new", "user.a", "1", 1, 0));
	say("trusted.a", setxattr("new", "trusted.a", "1", 1, 0));
	say("capability", setxattr("new", "security.capability", "\1\0\0\2\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0));
	printf("%zd\n", getxattr("new", "security.capability", NULL, 0));
	say("acl 0", set_acl("new", 0));
	get_acl("new");
	say("acl 5", set_acl("new", 5));
	say("read none", open("none", O_RDONLY));
	say("write none", open("none", O_WRONLY | O_TRUNC));
}

static void ids(void)
{
	enter(CLONE_NEWUSER);
	show("/proc/self/status", "Uid:");
	show("/proc/self/status", "CapEff:");
	show("/proc/self/uid_map", NULL);
	show("/proc/self/setgroups", NULL);
	files();
	/* Without an exec between: what was read of the thread is stale. */
	keep_caps(0);
	say("read none", open("none", O_RDONLY));
	say("access none", access("none", R_OK));
	keep_caps(1 << CAP_DAC_OVERRIDE);
	say("read none", open("none", O_RDONLY));
}

static void not_mapped(void)
{
	say("unshare", unshare(CLONE_NEWUSER));
	owner("f");
	say("read closed", open("closed", O_RDONLY));
	say("create", open("new", O_CREAT | O_WRONLY, 0640));
	say("mkdir", mkdir("dir", 0700));
	say("chown", chown("f", 0, 0));
	say("rename", rename("f", "g"));
	show("/proc/self/uid_map", NULL);
}

/* Several ids, given by the parent: only root can. */
static void several(void)
{
	int to[2], from[2], status;
	char byte, path[64];
	if (pipe(to) || pipe(from))
		return;
	fflush(stdout);
	pid_t child = fork();
	if (child) {
		(void)!read(from[0], &byte, 1);
		snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)child);
		say("uid_map", put(path, "0 1000 10\n10 0 1\n"));
		snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)child);
		say("gid_map", put(path, "0 1000 10\n10 0 1\n"));
		fflush(stdout);
		(void)!write(to[1], "", 1);
		waitpid(child, &status, 0);
		return;
	}
	say("unshare", unshare(CLONE_NEWUSER));
	(void)!write(from[1], "", 1);
	(void)!read(to[0], &byte, 1);
	say("setgid", setresgid(0, 0, 0));
	say("setuid", setresuid(0, 0, 0));
	owner("closed");
	owner("f");
	say("read closed", open("closed", O_RDONLY));
	say("create", open("dir1/new", O_CREAT | O_WRONLY, 0640));
	say("chown 10", chown("closed", 10, 10));
	owner("closed");
	say("chown 3", chown("closed", 3, 3));
	say("chown 11", chown("closed", 11, 3));
	owner("closed");
	say("acl 3", set_acl("closed", 3));
	get_acl("closed");
	say("setuid", setresuid(3, 3, 3));
	say("create", open("dir1/new3", O_CREAT | O_WRONLY, 0640));
	owner("dir1/new3");
	say("read f", open("f", O_RDONLY));
	say("read none", open("none", O_RDONLY));
	exit(fflush(stdout));
}

/* Waits in the ring, with credentials that were registered in there. */
static void fifo(void)
{
	char byte;
	int status;
	enter(CLONE_NEWUSER);
	say("fifo", mkfifo("fifo", 0600));
	fflush(stdout);
	if (fork() == 0) {
		int fd = open("fifo", O_WRONLY);
		_exit(fd < 0 || write(fd, "x", 1) != 1);
	}
	int fd = open("fifo", O_RDONLY);
	say("open", fd);
	printf("%zd\n", read(fd, &byte, 1));
	wait(&status);
	printf("%d\n", status);
}

static void alarmed(int signal)
{
	(void)signal;
}

/* Stuck in the kernel, until a signal comes. */
static void lease(void)
{
	struct sigaction action = { .sa_handler = alarmed };
	struct itimerval soon = { .it_value.tv_usec = 50000 };
	sigset_t set;
	int status;
	enter(CLONE_NEWUSER);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = open("f", O_RDWR);
	say("lease", fcntl(fd, F_SETLEASE, F_WRLCK));
	fflush(stdout);
	if (fork() == 0) {
		sigaction(SIGALRM, &action, NULL);
		setitimer(ITIMER_REAL, &soon, NULL);
		say("open", open("f", O_RDWR));
		_exit(fflush(stdout));
	}
	wait(&status);
	say("unlock", fcntl(fd, F_SETLEASE, F_UNLCK));
}

/* Deeper and deeper, each by a program of its own. */
static void nested(void)
{
	for (int i = 0; i < 3; i++) {
		enter(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC);
		owner("f");
		say("write", put(TAG, "3"));
		show(TAG, NULL);
	}
	fflush(stdout);
	execl("/bin/sh", "sh", "-c", "echo $(id -u) $(stat -c %u f) $(cat " TAG "); : >made; stat -c %u made", (char *)NULL);
}

static const struct { const char *name; void (*run)(void); } programs[] = {
	{ "network", network }, { "queues", queues }, { "ids", ids }, { "not_mapped", not_mapped }, { "several", several },
	{ "fifo", fifo }, { "lease", lease }, { "nested", nested },
};

static int program(const char *name, const char *dir)
{
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	is_root = geteuid() == 0;
	if (chdir(dir))
		return 2;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (!strcmp(name, programs[i].name)) {
			programs[i].run();
			return fflush(stdout) != 0;
		}
	return 3;
}

/* ---- the cases ------------------------------------------------------------------------------ */

static void prepare(struct live *live, const char *dir)
{
	char name[64];
	live_mkdir(live, dir, 0777);
	snprintf(name, sizeof(name), "%s/closed", dir);
	live_file(live, name, 0600, "x");
	if (live_root())
		assert_int_equal(chown(live_path(live, name), 1000, 1000), 0);
	snprintf(name, sizeof(name), "%s/f", dir);
	live_file(live, name, 0600, "x");
	snprintf(name, sizeof(name), "%s/none", dir);
	live_file(live, name, 0, "x");
	snprintf(name, sizeof(name), "%s/dir1", dir);
	live_mkdir(live, name, 0777);
}

static char *natively(struct live *live, const char *self, const char *name)
{
	char command[8192], *text = calloc(1, 65536);
	prepare(live, "native");
	snprintf(command, sizeof(command), "'%s' %s '%s' 2>&1", self, name, live_path(live, "native"));
	FILE *file = popen(command, "re");
	assert_true(file && text);
	(void)!fread(text, 1, 65535, file);
	assert_int_equal(pclose(file), 0);
	return text;
}

/* The program says the same under POLICY as natively, and SOMEWHERE therein EXPECTED. */
static void compare(struct live *live, const char *policy, const char *name, const char *expected)
{
	static char self[4096];
	static const char *const pass[] = { "--pass-fd", "9", NULL };
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(n > 0);
	self[n] = '\0';
	char *native = natively(live, self, name);
	if (strstr(native, "unshare: E")) {	/* here nobody may have such namespaces */
		free(native);
		skip();
	}
	prepare(live, "work");
	live_policy(live, policy);
	int fd = open(self, O_RDONLY);
	assert_true(fd >= 0 && dup2(fd, 9) == 9);
	close(fd);
	memcpy(live->options, pass, sizeof(pass));
	live_runl(live, "/proc/self/fd/9", name, live_path(live, "work"), NULL);
	if (live->status || strcmp(live->out, native) || !strstr(live->out, expected))
		fail_msg("%s: status %d, natively:\n%s\nunder usher:\n%s%s", name, live->status, native, live->out, live->err);
	free(native);
}

static void outside_stays(struct live *live, const char *policy, const char *name, const char *path, const char *expected)
{
	char *before = live_read(path), *after;
	compare(live, policy, name, expected);
	after = live_read(path);
	assert_non_null(before);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void network_of_its_own(void **state)
{
	outside_stays(*state, ALL, "network", TAG, TAG ": 5\n");
}

static void queues_of_its_own(void **state)
{
	outside_stays(*state, ALL, "queues", "/proc/sys/kernel/msgmni", "queues: 2\n");
}

/* Only user and mount namespaces are refused where rules deny paths. */
#define CONFINED "files { default allow; deny all $dir/none; } limits { capabilities all; }"

static void network_where_paths_are_denied(void **state)
{
	if (!live_root())
		skip();
	outside_stays(*state, CONFINED, "network", TAG, TAG ": 5\n");
}

static void queues_where_paths_are_denied(void **state)
{
	if (!live_root())
		skip();
	outside_stays(*state, CONFINED, "queues", "/proc/sys/kernel/msgmni", "queues: 2\n");
}

static void ids_of_its_own(void **state)
{
	compare(*state, ALL, "ids", "f: ok 100600 0 0, ok 0 0\n");
}

static void ids_without_a_map(void **state)
{
	compare(*state, ALL, "not_mapped", "f: ok 100600 65534 65534, ok 65534 65534\n");
}

static void several_ids(void **state)
{
	if (!live_root())
		skip();
	compare(*state, ALL, "several", "dir1/new3: ok 100640 3 0, ok 3 0\n");
}

static void calls_that_wait(void **state)
{
	compare(*state, ALL, "fifo", "open: ok\n1\n0\n");
}

static void calls_that_are_stuck(void **state)
{
	compare(*state, ALL, "lease", "open: EINTR\n");
}

static void deeper(void **state)
{
	compare(*state, ALL, "nested", "0 0 3\n0\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
static const struct CMUnitTest tests[] = {
	CASE(network_of_its_own), CASE(queues_of_its_own), CASE(network_where_paths_are_denied),
	CASE(queues_where_paths_are_denied), CASE(ids_of_its_own), CASE(ids_without_a_map),
	CASE(several_ids), CASE(calls_that_wait), CASE(calls_that_are_stuck), CASE(deeper),
};

int main(int argc, char **argv)
{
	if (argc == 3)
		return program(argv[1], argv[2]);
	return cmocka_run_group_tests_name("live_elsewhere", tests, NULL, NULL);
}
