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
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
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
	_exit(fflush(stdout));
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
	struct itimerval soon = { { 0, 50000 }, { 0, 50000 } };	/* again, for the first may come before the call */
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

static void look(const char *dir, pid_t number, const char *name)
{
	char path[300], text[4096];
	snprintf(path, sizeof(path), "%s/%d/%s", dir, (int)number, name);
	int fd = open(path, O_RDONLY);
	printf("%s: %s", name, error(fd));
	if (fd >= 0)
		printf(" %s", read(fd, text, sizeof(text)) > 0 ? "text" : "nothing");
	ssize_t n = readlink(path, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	printf(" %s\n", n > 0 ? strcmp(name, "cwd") ? strrchr(text, '/') : "link" : error(n));
	if (fd >= 0)
		close(fd);
}

/* What procfs in DIR shows of process NUMBER. */
static void look_at(const char *dir, pid_t number)
{
	static const char *const names[] = { "comm", "stat", "environ", "exe", "cwd", "fd/0", "maps", "mem", "task", "net/dev", "io" };
	char path[300];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		look(dir, number, names[i]);
	snprintf(path, sizeof(path), "%s/%d/oom_score_adj", dir, (int)number);
	say("adjust", put(path, "500"));
	show(path, NULL);
}

/* A procfs of a PID namespace of its own, and one within that. */
static void procfs(void)
{
	int status;
	enter(is_root ? CLONE_NEWNS | CLONE_NEWPID : CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID);
	fflush(stdout);
	if (fork()) {
		wait(&status);
		return;
	}
	say("private", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	say("mount", mount("proc", "dir1", "proc", 0, NULL));
	char text[32];
	ssize_t n = readlink("dir1/self", text, sizeof(text));
	printf("self: %.*s\n", (int)n, text);
	n = readlink("dir1/thread-self", text, sizeof(text));
	printf("thread-self: %.*s\n", (int)n, text);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0)
		_exit(pause());
	printf("%d %d\n", (int)getpid(), (int)child);
	look_at("dir1", getpid());
	look_at("dir1", child);
	say("nobody", open("dir1/99/comm", O_RDONLY));
	kill(child, SIGKILL);
	wait(&status);
	/* As seen from above. */
	say("unshare", unshare(CLONE_NEWPID));
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(pause());
	look_at("dir1", child);
	kill(child, SIGKILL);
	wait(&status);
	_exit(fflush(stdout));
}

/* Named sockets, with and without saying who sends. */
static void datagrams(void)
{
	struct sockaddr_un to = { AF_UNIX, "sock" };
	struct ucred self = { getpid(), getuid(), getgid() };
	char control[CMSG_SPACE(sizeof(self))] = "", byte = 'x';
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &part, .msg_iovlen = 1 };
	int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
	say("bind", bind(server, (struct sockaddr *)&to, sizeof(to)));
	say("send", sendmsg(client, &message, 0));
	message.msg_control = control;
	message.msg_controllen = sizeof(control);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_CREDENTIALS;
	header->cmsg_len = CMSG_LEN(sizeof(self));
	memcpy(CMSG_DATA(header), &self, sizeof(self));
	say("as itself", sendmsg(client, &message, 0));
	for (int i = 0; i < 2; i++)
		say("receive", recv(server, &byte, 1, MSG_DONTWAIT));
}

static const struct { const char *name; void (*run)(void); } programs[] = {
	{ "network", network }, { "queues", queues }, { "ids", ids }, { "not_mapped", not_mapped }, { "several", several },
	{ "fifo", fifo }, { "lease", lease }, { "nested", nested }, { "procfs", procfs }, { "datagrams", datagrams },
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
			_exit(fflush(stdout) != 0);	/* no leak checker, which has no /proc in some of these */
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

static const char *own_namespaces;	/* of usher run --unshare */

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
	live->options[2] = own_namespaces ? "--unshare" : NULL;
	live->options[3] = own_namespaces;
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

static void a_procfs_of_its_own(void **state)
{
	compare(*state, ALL, "procfs", "environ: ok text EINVAL\n");
}

/* Another mount of our own procfs shows the supervisor no more than /proc does: not at all; and of others what all may see. */
static void our_procfs_again(void **state)
{
	struct live *live = *state;
	char script[600];
	live_policy(live, ALL);
	live_mkdir(live, "proc", 0755);
	snprintf(script, sizeof(script),
		 "export P=$PPID; unshare %s sh -c 'mount -t proc proc \"%s\" && cd \"%s\" && for i in $P 1; do cat $i/comm >/dev/null; cat $i/environ; done; "
		 "cat self/comm self/environ | wc -l' 2>&1 | sed \"s/$P/guardian/\"",
		 live_root() ? "-m" : "-Urm", live_path(live, "proc"), live_path(live, "proc"));
	live_sh(live, script);
	if (!live_root())	/* the kernel wants a PID namespace of one's own */
		assert_non_null(strstr(live->out, "mount"));
	else if (strcmp(live->out, "cat: guardian/comm: No such file or directory\ncat: guardian/environ: No such file or directory\n"
				   "cat: 1/environ: Permission denied\n1\n"))
		fail_msg("%s\n%s", live->out, live->err);
}

/* Bound over the caller's own entry, others stay what they are. */
static void procfs_bound_to_itself(void **state)
{
	struct live *live = *state;
	char script[1500];
	if (!live_root())
		skip();	/* who may not look at others outside may not do so by this either */
	live_policy(live, ALL);
	snprintf(script, sizeof(script),
		 "unshare -m sh -c 'o=%d; me=/proc/$$; try() { cat $1 >/dev/null 2>&1 && echo read || echo no; (exec 3<>$1) 2>/dev/null && echo open || echo no; }; "
		 "mount --bind /proc/$o $me && try $me/environ && try $me/mem && umount $me;"
		 "mount --bind /proc/$o/environ $me/environ && try $me/environ && umount $me/environ;"
		 "mount --bind /proc/$o /proc/sys && try /proc/sys/environ && umount /proc/sys;"
		 "mount --bind /proc/$o/task/$o $me/task/$$ && try $me/task/$$/environ && umount $me/task/$$;"
		 "mount --rbind /proc /mnt && try /mnt/$o/environ; cat /mnt/self/comm; head -1 /dev/stdin </proc/self/status'", (int)getpid());
	live_sh(live, script);
	if (strcmp(live->out, "no\nno\nno\nno\nno\nno\nno\nno\nno\nno\nno\nno\ncat\nName:\tsh\n"))
		fail_msg("%s\n%s", live->out, live->err);
}

/* ---- usher run --unshare -------------------------------------------------------------------- */

static void unshared(struct live *live, const char *policy, const char *namespaces, const char *script, const char *expected)
{
	live_policy(live, policy);
	live->options[0] = "--unshare";
	live->options[1] = namespaces;
	live_sh(live, script);
	if (live->status || strcmp(live->out, expected))
		fail_msg("%s: status %d, expected:\n%s\ngot:\n%s%s", namespaces, live->status, expected, live->out, live->err);
}

static void run_in_all_of_them(void **state)
{
	static const char *const kinds[] = { "user", "mnt", "pid", "net", "ipc", "uts", "cgroup" };
	struct live *live = *state;
	char script[2000] = "", name[64], link[64];
	for (size_t i = 0; i < 7; i++) {
		snprintf(name, sizeof(name), "/proc/self/ns/%s", kinds[i]);
		ssize_t n = readlink(name, link, sizeof(link) - 1);
		assert_true(n > 0);
		link[n] = '\0';
		snprintf(script + strlen(script), sizeof(script) - strlen(script), "[ $(readlink %s) = '%s' ] && echo %s; ", name, link, kinds[i]);
	}
	strcat(script, "echo $$ $PPID $(id -u) $(readlink /proc/self | grep -c ^[0-9]*$) $(cat /proc/self/comm) $(cat /proc/1/comm); "
		       "echo 7 >" TAG " && cat " TAG "; ls /proc/sys/net/ipv4/conf; grep -c 127.0.0.1 /proc/net/fib_trie; "
		       "hostname inside && cat /proc/sys/kernel/hostname");
	char *before = live_read(TAG), *after;
	unshared(live, ALL, "user,mnt,pid,net,ipc,uts,cgroup", script, "2 1 0 1 cat usher-guardian\n7\nall\ndefault\nlo\n2\ninside\n");
	after = live_read(TAG);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void run_and_own_nothing(void **state)
{
	struct live *live = *state;
	live_mkdir(live, "work", 0777);
	char script[600];
	snprintf(script, sizeof(script), "cd '%s'; : >f; stat -c '%%u %%g' f; chown 0:0 f && echo ok; chown 5 f 2>/dev/null && echo five; "
		 "mknod d c 1 3 2>/dev/null || echo no device; unshare -n sh -c 'echo 3 >" TAG "; cat " TAG "'; unshare -U stat -c %%u f",
		 live_path(live, "work"));
	unshared(live, ALL, "user", script, live_root() ? "0 0\nok\nfive\nno device\n3\n65534\n" : "0 0\nok\nno device\n3\n65534\n");
}

/* Rules hold in there, and /proc/self is who calls. */
static void rules_hold_inside(void **state)
{
	struct live *live = *state;
	char policy[2000], script[600];
	live_file(live, "work/denied", 0644, "no\n");
	live_file(live, "work/f", 0644, "yes\n");
	snprintf(policy, sizeof(policy), LIVE_BASE "files { allow read,list $dir/work/; deny all $dir/work/denied; }");
	snprintf(script, sizeof(script),
		 "cat '%s' '%s'; cat /proc/self/comm /proc/thread-self/comm; sleep 10 & cat /proc/$!/comm /proc/1/comm "
		 "/proc/$$/comm /proc/version; mount -t tmpfs none /mnt; unshare -m true; kill $!",
		 live_path(live, "work/f"), live_path(live, "work/denied"));
	unshared(live, policy, live_root() ? "mnt,pid" : "user,pid", script, "yes\ncat\ncat\n");
	assert_int_equal(live_audited(live, "deny", "/work/denied"), 1);
	assert_int_equal(live_audited(live, "deny", "/proc/version"), 1);
	assert_int_equal(live_audited(live, "deny", "/proc/1/comm"), 1);
}

/* Others of the sandbox, but not the guardian. */
static void processes_of_the_sandbox(void **state)
{
	unshared(*state, ALL, "user,pid",
		 "sh -c 'echo; kill -STOP $$' | { read x; for i in 1 3; do cat /proc/$i/comm; cat /proc/$i/environ >/dev/null && echo environ; "
		 "ls /proc/$i/fd >/dev/null && echo fd; echo 500 >/proc/$i/oom_score_adj && echo adjusted; done; renice 5 -p 1; prlimit -n5:5 -p 1; "
		 "kill -9 3; } 2>/dev/null; exit 0", "usher-guardian\nsh\nenviron\nfd\nadjusted\n");
}

static void sockets_inside(void **state)
{
	own_namespaces = "user,pid,net";
	compare(*state, ALL, "datagrams", "as itself: ok\nreceive: ok\nreceive: ok\n");
	own_namespaces = NULL;
}

static void what_cannot_be(void **state)
{
	static const struct { const char *list, *says; } cases[] = {
		{ "time", "there is no namespace 'time'" }, { "", "there is no namespace ''" }, { "user,", "there is no namespace ''" },
		{ "pid", "add user to the list" }, { "user", "do not go together" },
	};
	struct live *live = *state;
	live_policy(live, ALL);
	live->options[0] = "--unshare";
	for (size_t i = 0; i < 5; i++) {
		if (i == (live_root() ? 3 : 4))
			continue;
		live->options[1] = cases[i].list;
		live->options[2] = i == 4 ? "--user" : NULL;
		live->options[3] = i == 4 ? "1000:1000" : NULL;
		live_sh(live, "echo started");
		if (live->status != 125 || live->out_len || !strstr(live->err, cases[i].says))
			fail_msg("%s: status %d: %s%s", cases[i].list, live->status, live->out, live->err);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
static const struct CMUnitTest tests[] = {
	CASE(network_of_its_own), CASE(queues_of_its_own), CASE(network_where_paths_are_denied),
	CASE(queues_where_paths_are_denied), CASE(ids_of_its_own), CASE(ids_without_a_map),
	CASE(several_ids), CASE(calls_that_wait), CASE(calls_that_are_stuck), CASE(deeper), CASE(a_procfs_of_its_own), CASE(our_procfs_again), CASE(procfs_bound_to_itself),
	CASE(run_in_all_of_them), CASE(run_and_own_nothing), CASE(rules_hold_inside), CASE(processes_of_the_sandbox), CASE(sockets_inside), CASE(what_cannot_be),
};

int main(int argc, char **argv)
{
	if (argc == 3)
		return program(argv[1], argv[2]);
	return cmocka_run_group_tests_name("live_elsewhere", tests, NULL, NULL);
}
