/*
 * alike NAME: does what NAME says in the cwd and prints the answers, of which none depends on time, numbers of processes or inodes.
 * So natively and under usher it must print the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPAWNS 30

extern char **environ;
static char self[4096];

static void say(const char *what, long result)
{
	if (result < 0)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %ld\n", what, result);
}

static bool put(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return done;
}

static void pause_ms(long ms)
{
	(void)poll(NULL, 0, (int)ms);
}

static int ended(pid_t pid)
{
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* ---- errors and their order ---- */

/* The number for the descriptor is taken before the name is looked up. */
static void limit(void)
{
	struct rlimit limit;
	struct stat st;
	int fds[8], n = 0;
	put("a", "x", 0644);
	symlink("loop", "loop");
	mkfifo("fifo", 0666);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 8;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (n < 8 && (fds[n] = open("a", O_RDONLY)) >= 0)
		n++;
	say("full", open("a", O_RDONLY));
	say("create", open("new", O_CREAT | O_WRONLY, 0644));
	say("made", access("new", F_OK));
	say("missing", open("missing", O_RDONLY));
	say("loop", open("loop", O_RDONLY));
	say("dirfd", openat(99, "a", O_RDONLY));
	say("not one", openat(fds[0], "a", O_RDONLY));
	say("fifo", open("fifo", O_RDONLY));
	say("null", open("/dev/null", O_RDONLY));
	say("truncate", open("a", O_WRONLY | O_TRUNC));
	say("stat", stat("a", &st));
	printf("size %ld\n", (long)st.st_size);
	say("fault", open((const char *)1, O_RDONLY));
	say("empty", open("", O_RDONLY));
	say("flags", (int)syscall(SYS_openat, AT_FDCWD, "a", O_TMPFILE & ~O_DIRECTORY));
	close(fds[1]);
	say("room", open("a", O_RDONLY) == fds[1]);
}

static void second(void)
{
	char name[300];
	int wrong = open("/dev/null", O_RDONLY);
	const char *bad = (const char *)1;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	put("f", "x", 0644);
	say("missing, fault", link("missing", bad));
	say("fault", link("f", bad));
	say("missing, dirfd", linkat(AT_FDCWD, "missing", wrong, "x", 0));
	say("dirfd", linkat(AT_FDCWD, "f", wrong, "x", 0));
	say("dirfd", linkat(AT_FDCWD, "f", 99, "x", 0));
	say("no way, empty", rename("f/x", ""));
	say("empty", rename("f", ""));
	say("missing, empty", rename("missing", ""));
	say("no way, dirfd", renameat(AT_FDCWD, "f/x", wrong, "x"));
	say("long", unlink(name));
	say("missing, long", rename("missing", name));
	say("dot, long", rename(".", name));
	say("dots, what nobody may rename", rename("/etc/ssl/..", "x"));
	say("long, dot", rename(name, "."));
	say("long, other mount", rename(name, "/proc/x"));
	say("exchange, other mount", renameat2(AT_FDCWD, "f", AT_FDCWD, "/proc/x", RENAME_EXCHANGE));
}

static void watch(void)
{
	int group = inotify_init1(IN_NONBLOCK), fd = open("/dev/null", O_RDONLY), path = open(".", O_PATH);
	char events[4096];
	ssize_t n;
	say("not one", inotify_add_watch(fd, "missing", IN_OPEN));
	say("closed", inotify_add_watch(99, "missing", IN_OPEN));
	say("path", inotify_add_watch(path, "missing", IN_OPEN));
	say("mask", inotify_add_watch(99, (const char *)1, 0));
	say("both", inotify_add_watch(group, "missing", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE));
	say("missing", inotify_add_watch(group, "missing", IN_OPEN));
	put("f", "x", 0644);
	put("g", "x", 0644);
	say("directory", inotify_add_watch(group, ".", IN_ALL_EVENTS));
	say("file", inotify_add_watch(group, "f", IN_ALL_EVENTS));
	say("other", inotify_add_watch(group, "g", IN_ALL_EVENTS));
	say("unlink", unlink("f"));
	put("h", "x", 0644);
	say("rename", rename("h", "g"));
	while ((n = read(group, events, sizeof(events))) > 0)
		for (ssize_t at = 0; at < n;) {
			struct inotify_event *event = (void *)(events + at);
			printf("%d %x %s\n", event->wd, event->mask, event->len ? event->name : "");
			at += (ssize_t)(sizeof(*event) + event->len);
		}
}

static void mark(void)
{
	int group = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_NONBLOCK, O_RDONLY), dir = open(".", O_RDONLY), path = open(".", O_PATH), file;
	put("f", "x", 0644);
	file = open("f", O_PATH);
	symlink("f", "l");
	say("file", fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
	say("directory", fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, AT_FDCWD, "f"));
	say("link", fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_DONT_FOLLOW, FAN_OPEN, AT_FDCWD, "l"));
	say("dirfd", fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, dir, NULL));
	say("path", fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, path, NULL));
	say("path of a file", fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, file, NULL));
	say("cwd", fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, NULL));
	say("closed", fanotify_mark(99, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "missing"));
	say("not one", fanotify_mark(dir, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "missing"));
	say("no mask", fanotify_mark(group, FAN_MARK_ADD, 0, AT_FDCWD, "missing"));
	say("missing", fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "missing"));
	say("fault", fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, (const char *)1));
	say("remove", fanotify_mark(group, FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "l"));
	say("flush", fanotify_mark(group, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL));
}

/* What has no name, where nothing is denied. */
static void nameless(void)
{
	char name[50];
	int ends[2], fd, memory = memfd_create("memory", MFD_CLOEXEC), in = open(self, O_RDONLY | O_CLOEXEC);
	if (pipe(ends) < 0)
		return;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[0]);
	say("write a pipe", open(name, O_WRONLY) < 0 ? -1 : 0);
	fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	link("f", "g");
	unlink("f");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	say("write", open(name, O_WRONLY) < 0 ? -1 : 0);
	say("a name again", linkat(AT_FDCWD, name, AT_FDCWD, "f", AT_SYMLINK_FOLLOW));
	while (sendfile(memory, in, NULL, 1 << 20) > 0)
		;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", memory);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	close(memory);
	pid_t pid = fork();
	if (pid == 0) {
		syscall(SYS_execveat, fd, "", (char *[]){ (char[]){ "alike" }, (char[]){ "seven" }, NULL }, environ, AT_EMPTY_PATH);
		_exit(1);
	}
	printf("executed %x\n", (unsigned)ended(pid));
}

/* ---- threads and processes ---- */

static void *sleeps(void *gate)
{
	pthread_mutex_lock(gate);
	return NULL;
}

/* As servers do it: begun as root, then somebody else for ever. */
static void become(void)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	pthread_t thread;
	char name[20] = "";
	pthread_mutex_lock(&gate);
	if (pthread_create(&thread, NULL, sleeps, &gate))
		return;
	put("secret", "x", 0600);
	if (geteuid() == 0)
		printf("%d %d %d\n", (int)syscall(SYS_setgroups, 0, NULL), setresgid(1234, 1234, 1234), setresuid(1234, 1234, 1234));
	say("secret", open("secret", O_RDWR) < 0 && geteuid() == 1234 ? -1 : 0);
	say("name of another", pthread_setname_np(thread, "other"));
	say("name", pthread_setname_np(pthread_self(), "own"));
	pthread_getname_np(thread, name, sizeof(name));
	printf("%s\n", name);
	say("descriptors", open("/proc/self/fd", O_RDONLY | O_DIRECTORY) < 0 ? -1 : 0);
	say("status", open("/proc/self/status", O_RDONLY) < 0 ? -1 : 0);
	say("thread", open("/proc/thread-self/comm", O_RDWR) < 0 ? -1 : 0);
	say("process", open("/proc/self/comm", O_RDWR) < 0 ? -1 : 0);
	say("score", open("/proc/self/oom_score_adj", O_RDWR) < 0 ? -1 : 0);
	pthread_mutex_unlock(&gate);
	pthread_join(thread, NULL);
}

static void *after_leader(void *leader)
{
	char link[50], text[100];
	snprintf(link, sizeof(link), "/proc/self/task/%d/stat", (int)getpid());
	do {	/* "... (name) Z" */
		int fd = open(link, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof(text) - 1);
		text[n > 0 ? n : 0] = '\0';
		close(fd);
	} while (!strstr(text, ") Z"));
	(void)leader;
	say("make", open("f", O_CREAT | O_RDWR, 0644));
	say("dirfd", openat(open(".", O_RDONLY | O_DIRECTORY), "f", O_RDONLY));
	say("mkdir", mkdir("d", 0755));
	say("rename", rename("f", "d/g"));
	say("chdir", chdir("d"));
	umask(077);
	say("make", open("h", O_CREAT | O_RDWR, 0666));
	say("read", open("../d/g", O_RDONLY));
	execv(self, (char *[]){ (char[]){ "alike" }, (char[]){ "seven" }, NULL });
	say("exec", -1);
	exit(1);
}

static void leaderless(void)
{
	pthread_t thread;
	setvbuf(stdout, NULL, _IONBF, 0);
	if (pthread_create(&thread, NULL, after_leader, NULL) == 0)
		pthread_exit(NULL);
}

static void *own_directory(void *number)
{
	char name[20];
	long wrong = 0, n = (long)number;
	snprintf(name, sizeof(name), "d%ld", n);
	if (unshare(CLONE_FS | CLONE_FILES) < 0 || mkdir(name, 0755) < 0 || chdir(name) < 0)
		return (void *)1000L;
	umask((mode_t)n);
	for (int i = 0; i < 200; i++) {
		struct stat st;
		int fd = open("f", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0777);
		wrong += fd != 3 || fstat(fd, &st) < 0 || (st.st_mode & 0777) != (0777 & ~(mode_t)n);
		wrong += rename("f", "g") < 0 || link("g", "h") < 0 || unlink("g") < 0 || unlink("h") < 0 || close(fd) < 0;
	}
	return (void *)wrong;
}

/* Each with its own cwd, mask and descriptors. */
static void apart(void)
{
	pthread_t threads[8];
	void *wrong;
	for (long i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, own_directory, (void *)i))
			exit(1);
	for (long i = 0; i < 8; i++) {
		pthread_join(threads[i], &wrong);
		printf("%ld wrong\n", (long)wrong);
	}
}

static bool seven(pid_t pid)
{
	return ended(pid) == 7 << 8;
}

static void *spawns(void *wrong)
{
	for (int i = 0; i < SPAWNS; i++) {
		pid_t pid;
		char *const argv[] = { (char[]){ "alike" }, (char[]){ "seven" }, NULL };
		if (posix_spawn(&pid, self, NULL, NULL, argv, environ) || !seven(pid))
			++*(int *)wrong;
		pid = vfork();
		if (pid == 0) {
			execv(self, argv);
			_exit(1);
		}
		if (!seven(pid))
			++*(int *)wrong;
	}
	return NULL;
}

static void storm(void)
{
	pthread_t threads[4];
	int wrong[4] = { 0 };
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, spawns, &wrong[i]))
			exit(1);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		printf("%d wrong\n", wrong[i]);
	}
	printf("next %d\n", dup(0));
}

/* ---- terminals ---- */

static void opens_fifo(void)
{
	int fd = open("fifo", O_RDONLY);
	_exit(fd >= 0 ? 33 : 34);
}

/* On a terminal of its own: a job that waits for a FIFO is stopped by Ctrl-Z and goes on. */
static void shell(void)
{
	int status = 0;
	signal(SIGTTOU, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	say("terminal", open("/dev/tty", O_RDWR) < 0 ? -1 : 0);
	mkfifo("fifo", 0666);
	pid_t job = fork();
	if (job == 0) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_DFL);
		opens_fifo();
	}
	setpgid(job, job);
	tcsetpgrp(0, job);
	printf("READY\n");
	waitpid(job, &status, WUNTRACED);
	tcsetpgrp(0, getpgrp());
	printf("stopped %x\n", (unsigned)status);
	tcsetpgrp(0, job);
	kill(-job, SIGCONT);
	int fd = open("fifo", O_WRONLY);
	printf("ended %x %d\n", (unsigned)ended(job), fd >= 0);
}

static void terminal(void)
{
	char text[2000] = "";
	size_t len = 0;
	bool stopped = false;
	int master;
	fflush(stdout);
	pid_t pid = forkpty(&master, NULL, NULL, NULL);
	if (pid == 0) {
		shell();
		exit(0);
	}
	for (ssize_t n; len < sizeof(text) - 1 && (n = read(master, text + len, sizeof(text) - 1 - len)) > 0;) {
		text[len += (size_t)n] = '\0';
		if (!stopped && strstr(text, "READY")) {
			stopped = true;
			pause_ms(100);	/* till the job waits; before or after, it is stopped */
			(void)!write(master, "\032", 1);
		}
	}
	printf("%s%x\n", text, (unsigned)ended(pid));
}

/* ---- */

/* What is open for reading says O_APPEND and does not mean it. */
static void only_reads(void)
{
	mkdir("d", 0755);
	int fd = open("d", O_RDONLY | O_DIRECTORY);
	rmdir("d");
	say("set", fcntl(fd, F_SETFL, O_APPEND));
	say("clear", fcntl(fd, F_SETFL, 0));
	struct open_how how = { .flags = O_RDONLY | O_CREAT, .mode = 0600, .resolve = RESOLVE_IN_ROOT };
	say("create", syscall(SYS_openat2, fd, "..", &how, sizeof(how)));
	say("write", openat(fd, ".", O_WRONLY));
}

/* The supervisor's descriptor 0 must not be closed, again and again, so that a child's directory is. */
static void refused_length(void)
{
	int fd = open("f", O_CREAT | O_RDWR | O_APPEND, 0644), go[2], done[2], status;
	char c;
	if (pipe(go) < 0 || pipe(done) < 0)
		return;
	say("length", (int)syscall(SYS_ftruncate, fd, -1L));
	pid_t pid = fork();
	if (pid == 0) {
		say("child", open("f", O_RDONLY) < 0 ? -1 : 0);
		fflush(stdout);
		(void)!write(done[1], "", 1);
		(void)!read(go[0], &c, 1);
		say("child again", open("f", O_RDONLY) < 0 ? -1 : 0);
		exit(0);
	}
	(void)!read(done[0], &c, 1);
	say("length", (int)syscall(SYS_ftruncate, fd, -1L));
	(void)!write(go[1], "", 1);
	status = ended(pid);
	printf("%x\n", (unsigned)status);
}

static const struct {
	const char *name;
	void (*run)(void);
} deeds[] = {
	{ "limit", limit }, { "second", second }, { "watch", watch }, { "mark", mark }, { "nameless", nameless }, { "become", become },
	{ "leaderless", leaderless }, { "apart", apart }, { "storm", storm }, { "terminal", terminal }, { "refused", refused_length },
	{ "reads", only_reads },
};

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	if (argc == 2 && strcmp(argv[1], "seven") == 0)
		return 7;
	alarm(200);
	for (size_t i = 0; argc == 2 && i < sizeof(deeds) / sizeof(deeds[0]); i++)
		if (strcmp(argv[1], deeds[i].name) == 0) {
			deeds[i].run();
			return 0;
		}
	return 2;
}
