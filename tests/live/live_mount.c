/*
 * Mounts that usher makes for the program. Each case runs this binary again as the program: under root in a mount namespace of its own, under
 * nobody in a user namespace as well. What a program says is compared with what it must say; that nothing of it was done to the machine
 * is seen from outside.
 */
#include "scripted.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define FILES "files { default allow; deny all $dir/from/secret/; deny write $dir/fixed/; deny read $dir/at/s; }\n"
#define MOUNTS(rules) FILES "mounts { default deny EPERM;\n" rules "}\n"

/* ---- for the programs; they stand in the test's directory ----------------------------------- */

static void touch(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		say(path, -1);
	close(fd);
}

static void show(const char *what, const char *path)
{
	char text[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	printf("%s: %s\n", what, n < 0 ? strerrorname_np(errno) : text);
}

/* How many mounts there are at or below NAME, as their lines in mountinfo tell; the first one's flags. */
static int mounted(const char *name, char flags[200])
{
	char line[8192], place[4096], these[200], here[4096];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	int n = 0;
	if (!getcwd(here, sizeof(here)))
		return -1;
	strcat(strcat(here, "/"), name);
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*u %*u %*s %*s %4095s %199s", place, these) == 2 && !strncmp(place, here, strlen(here)) && !n++ && flags)
			strcpy(flags, these);
	if (file)
		fclose(file);
	return n;
}

static void say_flags(const char *name)
{
	char flags[200] = "not mounted";
	(void)mounted(name, flags);
	printf("%s: %s\n", name, flags);
}

/* ---- what may be done, may be done ---------------------------------------------------------- */

static void forms(void)
{
	struct statvfs fs;
	say("tmpfs", mount("none", "at", "tmpfs", MS_NOEXEC, NULL));
	say_flags("at");
	printf("size %d\n", statvfs("at", &fs) ? -1 : (int)(fs.f_blocks * fs.f_frsize >> 10));
	touch("at/f", "in tmpfs");
	show("read", "at/f");
	say("remount", mount(NULL, "at", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	say("write", open("at/g", O_WRONLY | O_CREAT, 0644));
	say_flags("at");
	say("remount rw", mount(NULL, "at", NULL, MS_REMOUNT | MS_BIND, NULL));
	say_flags("at");
	say("remount size", mount(NULL, "at", NULL, MS_REMOUNT, "size=512k"));
	printf("size %d\n", statvfs("at", &fs) ? -1 : (int)(fs.f_blocks * fs.f_frsize >> 10));
	say("remount large", mount(NULL, "at", NULL, MS_REMOUNT, "size=512M"));
	say("link", symlink("f", "at/link"));
	show("link", "at/link");
	say("no links", mount(NULL, "at", NULL, MS_REMOUNT | MS_BIND | 256, NULL));
	show("link", "at/link");
	say("links", mount(NULL, "at", NULL, MS_REMOUNT | MS_BIND, NULL));
	say("private", mount(NULL, "at", NULL, MS_PRIVATE | MS_REC, NULL));
	say("slave", mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL));
	say("shared", mount(NULL, "at", NULL, MS_SHARED, NULL));
	say("no mount", mount(NULL, "from", NULL, MS_PRIVATE, NULL));
	say("bind", mount("at", "to", NULL, MS_BIND, NULL));
	show("read", "to/f");
	say("move", mount("to", "else", NULL, MS_MOVE, NULL));
	show("read", "else/f");
	show("moved", "to/f");
	say("move no mount", mount("from", "else", NULL, MS_MOVE, NULL));
	say("rbind", mount("from", "to", NULL, MS_BIND | MS_REC, NULL));
	show("read", "to/f");
	say("bind file", mount("from/f", "to/g", NULL, MS_BIND, NULL));
	show("read", "to/g");
	say("file on directory", mount("from/f", "to", NULL, MS_BIND, NULL));
	say("missing", mount("none", "at/missing", "tmpfs", 0, NULL));
	say("missing source", mount("missing", "to", NULL, MS_BIND, NULL));
	say("no type", mount("none", "at", NULL, 0, NULL));
	say("option", mount("none", "at", "tmpfs", 0, "nosuchoption"));
	say("bad pointer", mount("none", "at", "tmpfs", 0, (void *)8));
	say("long type", syscall(SYS_mount, "none", "at", "x", 0, NULL));
	say("flags", umount2("at", 64));
	say("expire", umount2("at", MNT_EXPIRE | MNT_DETACH));
	say("not mounted", umount2("from", 0));
	int fd = open("else/f", O_RDONLY);
	say("busy", umount2("else", 0));
	close(fd);
	say("umount", umount2("else", 0));
	say("detach", umount2("to", MNT_DETACH));
	say("symlink", symlink("at", "way"));
	say("nofollow", umount2("way", UMOUNT_NOFOLLOW));
	say("umount", umount2("way", 0));
	printf("left %d\n", mounted("", NULL));
}

static void overlay(void)
{
	char options[500];
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=upper,workdir=work,userxattr", "low\\:er:from/dir");
	say("overlay", mount("none", "at", "overlay", 0, options));
	show("lower", "at/l");
	touch("at/n", "new");
	show("upper", "upper/n");
	say("umount", umount("at"));
	say("elsewhere", mount("none", "at", "overlay", 0, "lowerdir=fixed:from/dir,userxattr"));
	say("a secret", mount("none", "at", "overlay", 0, "lowerdir=from:from/dir,userxattr"));
	say("redirected", mount("none", "at", "overlay", 0, "lowerdir=link,userxattr"));
	say("not said", mount("none", "at", "overlay", 0, "lowerdir=from/dir,metacopy=on"));
}

static void newer(void)
{
	say("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
	say("open_tree", syscall(SYS_open_tree, AT_FDCWD, "from", 1));
	say("move_mount", syscall(SYS_move_mount, AT_FDCWD, "from", AT_FDCWD, "to", 0));
	say("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, NULL, 0));
	say("pivot_root", syscall(SYS_pivot_root, ".", "."));
	int ns = open("/proc/self/ns/mnt", O_RDONLY);
	say("ns", ns);
	say("setns", setns(ns, CLONE_NEWNS));
	say("setns any", setns(ns, 0));
}

/* ---- what may not --------------------------------------------------------------------------- */

static void refused(void)
{
	say("elsewhere", mount("none", "from", "tmpfs", 0, NULL));
	say("another type", mount("none", "at", "ramfs", 0, NULL));
	say("too large", mount("none", "at", "tmpfs", 0, "size=2M"));
	say("unbounded", mount("none", "at", "tmpfs", 0, "size=0"));
	say("two", mount("none", "at", "tmpfs", 0, "size=1k,size=1G"));
	say("escaped", mount("none", "at", "tmpfs", 0, "size=1k\\,size=1G"));
	say("octal", mount("none", "at", "tmpfs", 0, "size=1k\\054size=1G"));
	say("not said", mount("none", "at", "tmpfs", 0, "size=1k,uid=0"));
	say("a tree with a secret", mount("from", "at", NULL, MS_BIND, NULL));
	say("the secret", mount("from/secret", "at", NULL, MS_BIND, NULL));
	say("the root", mount("/", "at", NULL, MS_BIND | MS_REC, NULL));
	say("through a link", mount("link", "at", NULL, MS_BIND, NULL));
	say("to write", mount("fixed", "at", NULL, MS_BIND, NULL));
	say("to read", mount("fixed/f", "at-file", NULL, MS_BIND, NULL));
	show("read", "at-file");
	say("write", open("at-file", O_WRONLY));
	say("remount", mount(NULL, "at-file", NULL, MS_REMOUNT | MS_BIND, NULL));
	say("write", open("at-file", O_WRONLY));
	say("proc", mount("none", "/proc", "tmpfs", 0, NULL));
	say("in proc", mount("from/f", "/proc/self/status", NULL, MS_BIND, NULL));
	say("inherited", umount2("/proc", MNT_DETACH));
	say("root", umount2("/", MNT_DETACH));
	char here[64], own[80];
	snprintf(own, sizeof(own), "%s.policy", getcwd(here, sizeof(here)));
	say("the policy", mount("at-file", own, NULL, MS_BIND, NULL));
	say("over it", mount("none", "/tmp", "tmpfs", 0, NULL));
	say("what leads to it", mount("/tmp", "at", NULL, MS_BIND, NULL));
	say("remount root", mount(NULL, "/", NULL, MS_REMOUNT, "ro"));
	printf("left %d\n", mounted("", NULL));
}

/* Names are of what is there. */
static void detached(void)
{
	int at, file;
	char path[64];
	say("tmpfs", mount("none", "at", "tmpfs", 0, NULL));
	touch("at/t", "secret");
	mkdir("at/d", 0755);
	say("rename", rename("at/t", "at/s"));
	say("read", open("at/s", O_RDONLY));
	at = open("at", O_RDONLY | O_DIRECTORY);
	file = open("at/s", O_PATH);
	say("chdir", chdir("at/d"));
	say("detach", umount2("../../at", MNT_DETACH));
	say("by the cwd", open("../s", O_RDONLY));
	say("by a descriptor", openat(at, "s", O_RDONLY));
	snprintf(path, sizeof(path), "/proc/self/fd/%d/s", at);
	say("by a magic link", open(path, O_RDONLY));
	say("by proc", open("/proc/self/cwd/../s", O_RDONLY));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	say("itself", open(path, O_RDONLY));
	say("rename", renameat(at, "s", at, "u"));
	say("link", linkat(at, "s", at, "u", 0));
	say("chroot", chroot("."));
	say("root", open("/../s", O_RDONLY));
	say("root", open("/s", O_RDONLY));
}

/* The same when the namespace has ended. */
static void ended(void)
{
	int pair[2], fd;
	(void)!socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	pid_t pid = fork();
	if (pid == 0) {
		say("unshare", unshare(CLONE_NEWNS));
		say("tmpfs", mount("none", "at", "tmpfs", 0, NULL));
		touch("at/t", "secret");
		say("rename", rename("at/t", "at/s"));
		say("read", open("at/s", O_RDONLY));
		send_fd(pair[1], open("at", O_RDONLY | O_DIRECTORY));
		(void)!read(pair[1], &fd, 1);
		_exit(0);
	}
	fd = receive_fd(pair[0]);
	say("while it lasts", openat(fd, "s", O_RDONLY));
	(void)!write(pair[0], "x", 1);
	waitpid(pid, NULL, 0);
	say("after its end", openat(fd, "s", O_RDONLY));
	say("other names", openat(fd, "nothing", O_RDONLY));
}

/* ---- what has two names --------------------------------------------------------------------- */

/* What is forced on the first place holds at the second. */
static void bound_on(void)
{
	say("bind", mount("fixed/f", "at-file", NULL, MS_BIND, NULL));
	say("on", mount("at-file", "from/g", NULL, MS_BIND, NULL));
	say("write", open("from/g", O_WRONLY));
	say("remount", mount(NULL, "from/g", NULL, MS_REMOUNT | MS_BIND, NULL));
	say("write", open("from/g", O_WRONLY));
	say_flags("from/g");
	say("bind", mount("from/dir", "at", NULL, MS_BIND, NULL));
	say("overlay", mount("none", "to", "overlay", 0, "lowerdir=at:good,userxattr"));
	say_flags("to");
}

/* "out" leads to where rules allow what they do not allow by a link. */
static void linked(void)
{
	say("there", open("fixed/f", O_RDONLY | O_CLOEXEC));
	say("link", open("from/out", O_RDONLY | O_CLOEXEC));
	say("bind", mount("from", "at", NULL, MS_BIND, NULL));
	say("link", open("at/out", O_RDONLY | O_CLOEXEC));
	say("read-only", mount("from", "to", NULL, MS_BIND, NULL));
	say("link", open("to/out", O_RDONLY | O_CLOEXEC));
	say("layer", mount("none", "to", "overlay", 0, "lowerdir=from:good,userxattr"));
	say("bind within", mount("from/dir", "from/within", NULL, MS_BIND, NULL));
	say("tmpfs", mount("none", "from/dir", "tmpfs", 0, NULL));
	say("link", symlink("../fixed/f", "from/dir/out"));
	say("move", mount("from/dir", "else", NULL, MS_MOVE, NULL));
	say("link", open("else/out", O_RDONLY | O_CLOEXEC));
}

static void renamed(void)
{
	say("bind", mount("from/dir", "to", NULL, MS_BIND, NULL));
	say("to a secret place", rename("from/dir", "from/secret/dir"));
	say("from it", rename("from/secret/hidden", "from/dir/hidden"));
	say("same rules", rename("from/dir", "from/other"));
	umount2("to", 0);
	say("stricter", mount("from", "at", NULL, MS_BIND, NULL));
	say("to read", mount("from", "else", NULL, MS_BIND, NULL));
	say("tmpfs", mount("none", "to", "tmpfs", 0, NULL));
	say("move", mount("to", "at", NULL, MS_MOVE, NULL));
	say("overlay", mount("none", "at", "overlay", 0, "lowerdir=good,upperdir=upper,workdir=work,userxattr"));
}

/* There is one mqueue file system for an IPC namespace. */
static void shared_super(void)
{
	char line[8192], options[200] = "?";
	say("mqueue", mount("none", "at", "mqueue", 0, NULL));
	say("remount", mount("none", "at", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	say_flags("at");
	FILE *file = fopen("/proc/self/mountinfo", "re");
	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, " - mqueue none "))
			sscanf(strstr(line, " - "), " - mqueue none %199s", options);
	if (file)
		fclose(file);
	printf("itself %s\n", options);
}

static void cgroups(void)
{
	say("cgroup2", mount("none", "at", "cgroup2", 0, NULL));
}

static void cgroups_within(void)
{
	say("unshare", unshare(CLONE_NEWCGROUP));
	cgroups();
}

static void covered(void)
{
	say("bind", mount("a b", "at", NULL, MS_BIND, NULL));
	say("overlay", mount("none", "at", "overlay", 0, "lowerdir=a b:good,userxattr"));
	show("below", "at/sub/below");
	say("all of it", mount("a b", "at", NULL, MS_BIND | MS_REC, NULL));
	show("below", "at/sub/below");
}

/* Names in extended attributes, and paths in options that nobody has judged. */
static void layers(void)
{
	say("mkdir", mkdir("upper/x", 0755));
	if (geteuid() == 0)
		(void)!setxattr("upper/x", "trusted.overlay.redirect", "/secret", 7, 0);
	say("overlay", mount("none", "at", "overlay", 0, "lowerdir=from,upperdir=upper,workdir=work"));
	show("hidden", "at/x/hidden");
	say("umount", umount("at"));
	say("redirect", mount("none", "at", "overlay", 0, "lowerdir=from,upperdir=upper,workdir=work,redirect_dir=on"));
	say("add", mount("none", "to", "overlay", 0, "lowerdir+=from,lowerdir+=good"));
	say("data", mount("none", "to", "overlay", 0, "lowerdir=good,datadir+=from"));
}

/* ---- races ---------------------------------------------------------------------------------- */

static _Atomic bool over;
static const char *flip_a, *flip_b, *flip_link;
static char flip_text[64];

static void *flip_links(void *unused)
{
	(void)unused;
	for (int i = 0; !over; i++) {
		(void)unlink("new-link");
		(void)!symlink(i % 2 ? flip_a : flip_b, "new-link");
		(void)rename("new-link", flip_link);
	}
	return NULL;
}

static void *flip_options(void *unused)
{
	(void)unused;
	while (!over) {
		memcpy(flip_text, "size=0000016k", 14);
		atomic_signal_fence(memory_order_seq_cst);	/* or the compiler leaves these out */
		memcpy(flip_text, "size=16k", 9);
		atomic_signal_fence(memory_order_seq_cst);
		memcpy(flip_text, "size=900M", 10);
	}
	return NULL;
}

/* The symlink on the way to the target, and that to the source, change all the time. */
static void swapped(void)
{
	pthread_t thread;
	int made = 0, wrong = 0;
	flip_link = "way";
	flip_a = "good";
	flip_b = "bad";
	(void)!symlink("good", "way");
	pthread_create(&thread, NULL, flip_links, NULL);
	for (int i = 0; i < 400; i++) {
		if (mount("none", "way/x", "tmpfs", 0, NULL) == 0)
			made++;
		if (mounted("bad", NULL))
			wrong++;
		(void)umount2("good/x", MNT_DETACH);
	}
	over = true;
	pthread_join(thread, NULL);
	printf("target: %s, %d wrong\n", made ? "made" : "never made", wrong);
	over = false;
	made = wrong = 0;
	flip_link = "source";
	flip_a = "from/dir";
	flip_b = "from/secret";
	(void)!symlink("from/dir", "source");
	pthread_create(&thread, NULL, flip_links, NULL);
	for (int i = 0; i < 400; i++) {
		if (mount("source", "to", NULL, MS_BIND, NULL))
			continue;
		made++;
		wrong += access("to/hidden", F_OK) == 0;
		(void)umount2("to", MNT_DETACH);
	}
	over = true;
	pthread_join(thread, NULL);
	printf("source: %s, %d wrong\n", made ? "made" : "never made", wrong);
	over = false;
	made = wrong = 0;
	pthread_create(&thread, NULL, flip_options, NULL);
	for (int i = 0; i < 400; i++) {
		struct statvfs fs;
		if (mount("none", "at", "tmpfs", 0, flip_text))
			continue;
		made++;
		wrong += statvfs("at", &fs) || fs.f_blocks * fs.f_frsize > 1 << 20;
		(void)umount2("at", MNT_DETACH);
	}
	over = true;
	pthread_join(thread, NULL);
	printf("options: %s, %d wrong\n", made ? "made" : "never made", wrong);
}

/* Each is killed somewhere on its way. */
static void killed(void)
{
	int left = 0;
	for (int i = 0; i < 300; i++) {
		pid_t pid = fork();
		if (pid == 0)
			for (;;) {
				mount("none", "at", "tmpfs", 0, NULL);
				mount("from/dir", "to", NULL, MS_BIND, NULL);
				umount2("at", MNT_DETACH);
				umount2("to", MNT_DETACH);
			}
		struct timespec wait = { .tv_nsec = 1000L * (i * 7 % 1500) };
		nanosleep(&wait, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		left += mounted("", NULL);
		while (umount2("at", MNT_DETACH) == 0)
			;
		while (umount2("to", MNT_DETACH) == 0)
			;
	}
	/* What usher was about to do for the last of them may come after its end. */
	while (mounted("", NULL) && left <= 600)
		left += umount2("at", MNT_DETACH) && umount2("to", MNT_DETACH);
	printf("%s\n", left <= 600 ? "few" : "many");
	say("still there", mount("none", "at", "tmpfs", 0, NULL));
}

static void up_to_the_limit(void)
{
	for (int i = 0; i < 8; i++)
		if (mount("none", "at", "tmpfs", 0, NULL)) {
			say("limit", -1);
			printf("at %d\n", i);
			break;
		}
}

/* What was mounted at launch goes: a mount point was removed where it is none. */
static void fewer(void)
{
	close(open("ready", O_WRONLY | O_CLOEXEC));
	close(open("go", O_RDONLY | O_CLOEXEC));
	say("gone", access("gone", F_OK));
	up_to_the_limit();
}

static void many(void)
{
	struct timespec from, to;
	int failed = 0;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < 500; i++)
		failed += mount("none", "at", "tmpfs", 0, NULL) || umount2("at", 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("failed %d\n", failed);
	fprintf(stderr, "%.0f mounts/s\n", 500 / ((double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9));
	up_to_the_limit();
	umount2("at", 0);
	say("again", mount("none", "at", "tmpfs", 0, NULL));
	say("and no more", mount("none", "at", "tmpfs", 0, NULL));
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		say(path, -1);
	close(fd);
}

static void enter(int namespaces)
{
	char map[64];
	unsigned uid = geteuid(), gid = getegid();
	say("unshare", unshare(namespaces));
	if (!(namespaces & CLONE_NEWUSER))
		return;
	put("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "0 %u 1", uid);
	put("/proc/self/uid_map", map);
	(void)snprintf(map, sizeof(map), "0 %u 1", gid);
	put("/proc/self/gid_map", map);
}

/* ---- places --------------------------------------------------------------------------------- */

static void unshared(void)
{
	say("before", mount("none", "at", "tmpfs", 0, NULL));
	enter(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS);
	say("tmpfs", mount("none", "at", "tmpfs", 0, NULL));
	touch("at/f", "inside");
	show("read", "at/f");
	show("denied", "from/secret/hidden");
	say("bind", mount("from/dir", "to", NULL, MS_BIND, NULL));
	say("umount", umount2("at", 0));
}

/* The test has made "spread" a mount that is shared. */
static void spreading(void)
{
	say("unshare", unshare(CLONE_NEWNS));
	say("shared", mount("none", "spread/at", "tmpfs", 0, NULL));
	say("take away", umount2("spread/over", 0));
	say("private", mount(NULL, "spread", NULL, MS_PRIVATE, NULL));
	say("then", mount("none", "spread/at", "tmpfs", 0, NULL));
	say("take away", umount2("spread/over", 0));
}

static void processes(void)
{
	char text[64];
	say("unshare", unshare(CLONE_NEWPID));
	if (fork() == 0) {
		say("proc", mount("proc", "at", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
		ssize_t n = readlink("at/self", text, sizeof(text) - 1);
		printf("self %.*s of %d\n", n > 0 ? (int)n : 0, text, (int)getpid());
		say("parent", access("at/2", F_OK));
		say("loosened", mount("proc", "to", "proc", MS_NOSUID, NULL));
		_exit(0);
	}
	wait(NULL);
}

static void nodes(void)
{
	struct stat st;
	int fd;
	mkdir("dev", 0755);
	say("null", mknod("dev/null", S_IFCHR | 0666, makedev(1, 3)));
	say("stat", stat("dev/null", &st));
	printf("%d\n", st.st_rdev == makedev(1, 3) && S_ISCHR(st.st_mode));
	fd = open("dev/null", O_RDWR);
	say("open", fd);
	say("write", write(fd, "x", 1));
	printf("read %zd\n", read(fd, &st, 1));
	say("again", mknod("dev/null", S_IFCHR | 0666, makedev(1, 3)));
	say("full", mknod("dev/full", S_IFCHR | 0666, makedev(1, 7)));
	say("mode", chmod("dev/full", 0666));
	say("another", chmod("dev/full", 0662));
	say("owner", chown("dev/full", geteuid(), getegid()));
	say("kmsg", mknod("dev/zero", S_IFCHR | 0666, makedev(1, 11)));
	say("disk", mknod("dev/zero", S_IFBLK | 0666, makedev(8, 0)));
	say("elsewhere", mknod("null", S_IFCHR | 0666, makedev(1, 3)));
}

/* Its first user owns the files of the machine's. */
static void mapped(void)
{
	int made[2], ready[2];
	struct stat st;
	char path[64], byte;
	(void)!pipe(made);
	(void)!pipe(ready);
	pid_t pid = fork();
	if (pid == 0) {
		say("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS));
		(void)!write(made[1], "x", 1);
		(void)!read(ready[0], &byte, 1);
		say("stat", stat("from/dir", &st));
		printf("%d\n", (int)st.st_uid);
		say("bind", mount("from/dir", "to", NULL, MS_BIND, NULL));
		say("stat", stat("to", &st));
		printf("%d\n", (int)st.st_uid);
		_exit(0);
	}
	(void)!read(made[0], &byte, 1);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	put(path, "0 100000 1000");
	snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
	put(path, "0 100000 1000");
	(void)!write(ready[1], "y", 1);
	waitpid(pid, NULL, 0);
}

static bool waits_in(pid_t pid, int call)
{
	char path[64], text[64] = "";
	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		say(path, -1);
	close(fd);
	return n < 0 || (text[0] >= '0' && text[0] <= '9' && atoi(text) == call);
}

/* What "fuse" is asked nobody answers; "asked" tells of the first that hangs, and the second waits behind that. */
static void hanging(void)
{
	struct timespec from, to;
	int late = 0;
	char byte;
	int asked = open("asked", O_RDONLY | O_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0) {
		mount("fuse/dir", "to", NULL, MS_BIND, NULL);
		_exit(0);
	}
	if (read(asked, &byte, 1) != 1)
		say("asked", -1);
	pid_t other = fork();
	if (other == 0) {
		mount("none", "fuse/dir", "tmpfs", 0, NULL);
		_exit(0);
	}
	while (!waits_in(other, SYS_mount))
		sched_yield();
	for (int i = 0; i < 100; i++) {
		clock_gettime(CLOCK_MONOTONIC, &from);
		close(open("from/f", O_RDONLY));
		if (i % 10 == 0 && (mount("none", "at", "tmpfs", 0, NULL) || umount("at")))
			say("mount", -1);
		clock_gettime(CLOCK_MONOTONIC, &to);
		long us = (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
		late += us > 500000;
	}
	/* Now and then this machine may have something else to do; whoever waited behind them, would always. */
	printf("%s, %s\n", late < 5 ? "prompt" : "late", waitpid(pid, NULL, WNOHANG) == 0 && waitpid(other, NULL, WNOHANG) == 0 ? "hanging" : "not hanging");
	kill(pid, SIGKILL);
	kill(other, SIGKILL);
}

static const struct scripted programs[] = {
	{ "forms", forms }, { "overlay", overlay }, { "newer", newer }, { "refused", refused }, { "detached", detached }, { "ended", ended },
	{ "bound_on", bound_on }, { "linked", linked }, { "renamed", renamed }, { "shared_super", shared_super }, { "covered", covered }, { "cgroups", cgroups }, { "cgroups_within", cgroups_within }, { "layers", layers },
	{ "swapped", swapped }, { "killed", killed }, { "many", many }, { "fewer", fewer }, { "unshared", unshared }, { "spreading", spreading },
	{ "processes", processes }, { "nodes", nodes }, { "hanging", hanging }, { "mapped", mapped },
	{ 0 },
};

/* ---- the cases ------------------------------------------------------------------------------ */

static void scene(struct live *live)
{
	static const char *const dirs[] = { "at", "to", "else", "upper", "work", "good/x", "bad/x", "from/dir", "from/secret" };
	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		live_mkdir(live, dirs[i], 0777);
	live_file(live, "from/f", 0644, "f");
	live_file(live, "from/g", 0644, "g");
	live_file(live, "from/secret/hidden", 0644, "hidden");
	live_file(live, "fixed/f", 0666, "fixed");
	live_file(live, "at-file", 0666, "at");
	live_file(live, "low:er/l", 0644, "lower");
	live_symlink(live, "from/secret", "link");
}

static void every_form(void **state)
{
	scene(*state);
	scripted_expect(*state,
	       "mounts { default deny EPERM;\n"
	       "allow mount tmpfs on $dir/at force nosuid,nodev options size<=1M, nr_inodes<=100, nosuchoption;\n"
	       "allow mount bind from $dir/from/, $dir/at/, $dir/missing on $dir/to/ force nosuid,nodev;\n"
	       "allow mount tmpfs on $dir/at/missing; allow mount move from $dir/to, $dir/from on $dir/else; }\n",
	       "forms", live_own_space(), "tmpfs: ok\nat: rw,nosuid,nodev,noexec,relatime\nsize 1024\nread: in tmpfs\nremount: ok\nwrite: EROFS\n"
	       "at: ro,nosuid,nodev,relatime\nremount rw: ok\nat: rw,nosuid,nodev,relatime\nremount size: ok\nsize 512\n"
	       "remount large: EPERM\nlink: ok\nlink: in tmpfs\nno links: ok\nlink: ELOOP\nlinks: ok\nprivate: ok\nslave: ok\nshared: EPERM\nno mount: EINVAL\nbind: ok\nread: in tmpfs\n"
	       "move: ok\nread: in tmpfs\nmoved: ENOENT\nmove no mount: EINVAL\nrbind: ok\nread: f\nbind file: ok\n"
	       "read: f\nfile on directory: ENOTDIR\nmissing: ENOENT\nmissing source: ENOENT\nno type: EINVAL\n"
	       "option: EINVAL\nbad pointer: EFAULT\nlong type: EPERM\nflags: EINVAL\nexpire: EINVAL\n"
	       "not mounted: EPERM\nbusy: EBUSY\numount: ok\ndetach: ok\nsymlink: ok\nnofollow: EPERM\numount: ok\n"
	       "left 0\n");
}

static void overlays(void **state)
{
	scene(*state);
	scripted_expect(*state, FILES "files { deny read $dir/upper/s; } mounts { default deny; allow mount overlay on $dir/at options lowerdir under $dir/low:er, lowerdir under $dir/from, "
		       "upperdir under $dir/upper, workdir under $dir/work, userxattr; }",
	       "overlay", live_own_space(), "overlay: ok\nlower: lower\nupper: new\numount: ok\nelsewhere: EPERM\na secret: EPERM\nredirected: EPERM\n"
	       "not said: EPERM\n");
}

static void the_newer_calls(void **state)
{
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount tmpfs on $dir/at;"), "newer", live_own_space(), "fsopen: ENOSYS\nopen_tree: ENOSYS\nmove_mount: ENOSYS\nmount_setattr: ENOSYS\npivot_root: EPERM\nns: ok\n"
	       "setns: EPERM\nsetns any: EPERM\n");
}

static void what_is_refused(void **state)
{
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount tmpfs on $dir/at options size<=1M; allow mount bind on $dir/at; allow mount bind on $dir/at-file force ro;\n"
			      "allow mount tmpfs on /proc; allow mount bind on /proc/**; allow mount bind on /tmp/*;"),
	       "refused", live_own_space(), "elsewhere: EPERM\nanother type: EPERM\ntoo large: EPERM\nunbounded: EPERM\ntwo: EPERM\nescaped: EPERM\n"
	       "octal: EPERM\nnot said: EPERM\na tree with a secret: EPERM\nthe secret: EPERM\nthe root: EPERM\n"
	       "through a link: EPERM\nto write: EPERM\nto read: ok\nread: fixed\nwrite: EROFS\nremount: ok\n"
	       "write: EROFS\nproc: EPERM\nin proc: EPERM\ninherited: EPERM\nroot: EPERM\nthe policy: EPERM\n"
	       "over it: EPERM\nwhat leads to it: EPERM\nremount root: EPERM\nleft 1\n");
}

static void names_below_what_was_taken_away(void **state)
{
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount tmpfs on $dir/at;") "limits { capabilities all; }", "detached", live_own_space(), "tmpfs: ok\nrename: ok\nread: EACCES\nchdir: ok\ndetach: ok\nby the cwd: EACCES\nby a descriptor: EACCES\n"
	       "by a magic link: EACCES\nby proc: EACCES\nitself: EACCES\nrename: EACCES\nlink: EACCES\nchroot: ok\n"
	       "root: EACCES\nroot: EACCES\n");
}

static void names_in_a_namespace_that_has_ended(void **state)
{
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount tmpfs on $dir/at;") "limits { capabilities all; }", "ended", live_own_space(), "unshare: ok\ntmpfs: ok\nrename: ok\nread: EACCES\nwhile it lasts: EACCES\nafter its end: EACCES\n"
	       "other names: EACCES\n");
}

static void what_is_bound_on(void **state)
{
	scene(*state);
	scripted_expect(*state, "files { default allow; deny write $dir/fixed/; }\n"
		       "mounts { default deny EPERM; allow mount bind from $dir/fixed/ on $dir/at-file force ro; allow mount bind from $dir/at-file on $dir/from/g;"
		       "allow mount bind from $dir/from/dir on $dir/at force noexec; allow mount overlay on $dir/to options lowerdir, userxattr; }",
	       "bound_on", live_own_space(), live_root() ? "bind: ok\non: ok\nwrite: EROFS\nremount: ok\nwrite: EROFS\nfrom/g: ro,nosuid,nodev,relatime\n"
	       "bind: ok\noverlay: ok\nto: rw,nosuid,nodev,noexec,relatime\n"
	       : "bind: ok\non: ok\nwrite: EROFS\nremount: ok\nwrite: EROFS\nfrom/g: ro,relatime\n"
	       "bind: ok\noverlay: ok\nto: rw,noexec,relatime\n");
}

static void links_that_lead_out(void **state)
{
	scene(*state);
	live_symlink(*state, "../fixed/f", "from/out");
	live_mkdir(*state, "from/within", 0777);
	scripted_expect(*state, "files { default allow; allow all $dir/from/ beneath; }\n"
		       "mounts { default deny EPERM; allow mount bind from $dir/from/ on $dir/at, $dir/from/; allow mount move from $dir/from/ on $dir/else;\n"
		       "allow mount bind from $dir/from on $dir/to force ro;"
		       "allow mount overlay on $dir/to options lowerdir, userxattr force ro; allow mount tmpfs on $dir/from/dir; }",
	       "linked", live_own_space(), "there: ok\nlink: EACCES\nbind: EPERM\nlink: ENOENT\nread-only: EPERM\nlink: ENOENT\nlayer: EPERM\nbind within: ok\n"
	       "tmpfs: ok\nlink: ok\nmove: EPERM\nlink: ENOENT\n");
}

static void what_is_renamed(void **state)
{
	scene(*state);
	scripted_expect(*state, "files { default allow; deny read $dir/from/secret/, $dir/at/, $dir/else/; }\n"
		       "mounts { default deny EPERM; allow mount bind on $dir/to, $dir/at; allow mount bind on $dir/else force ro; allow mount tmpfs on $dir/to;\n"
		       "allow mount move on $dir/at; allow mount overlay on $dir/at options lowerdir, upperdir, workdir, userxattr; }\n",
	       "renamed", live_own_space(), "bind: ok\nto a secret place: EXDEV\nfrom it: EXDEV\nsame rules: ok\nstricter: EPERM\nto read: ok\ntmpfs: ok\n"
	       "move: EPERM\noverlay: EPERM\n");
}

static void file_systems_of_the_machine(void **state)
{
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount mqueue on $dir/at;"), "shared_super", live_root() ? "mnt,ipc" : "user,mnt,ipc",
	       live_root() ? "mqueue: ok\nremount: ok\nat: ro,nosuid,nodev,relatime\nitself rw\n" : "mqueue: ok\nremount: ok\nat: ro,relatime\nitself rw\n");
}

static void options_of_the_machine(void **state)
{
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount cgroup2 on $dir/at;"), "cgroups", live_own_space(), "cgroup2: EPERM\n");
	scripted_expect(*state, MOUNTS("allow mount cgroup2 on $dir/at;"), "cgroups", live_root() ? "mnt,cgroup" : "user,mnt,cgroup", "cgroup2: ok\n");
}

/* Where the machine has cgroup2, which depends on its layout. */
static bool place_of_cgroup2(char place[4096])
{
	char line[8192];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	bool found = false;
	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, " - cgroup2 ") && sscanf(line, "%*u %*u %*s / %4095s", place) == 1;
	if (file)
		fclose(file);
	return found;
}

static void expect_cgroup2(struct live *live, const char *denied, const char *denied_there, const char *said)
{
	char policy[12000];
	snprintf(policy, sizeof(policy), "files { default allow; deny read %s; %s%s%s }\n"
		 "mounts { default deny EPERM; allow mount cgroup2 on $dir/at; } limits { capabilities all; }",
		 denied, denied_there ? "deny read $dir/at" : "", denied_there ? denied_there : "", denied_there ? ";" : "");
	if (strstr(said, "unshare"))
		scripted_expect(live, policy, "cgroups_within", "mnt", said);
	else
		scripted_expect(live, policy, "cgroups", live_root() ? "mnt,cgroup" : "user,mnt,cgroup", said);
}

/* Before and after, the test is in the cgroup where it was. */
static void expect_below(struct live *live, const char *place)
{
	char own[4200], procs[4300], from[4300], denied[4300], any[4300], pid[16];
	snprintf(own, sizeof(own), "%s/usher-test-%d", place, getpid());
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", own);
	snprintf(denied, sizeof(denied), "%s/hidden", own);
	snprintf(any, sizeof(any), "%s/*/hidden", place);
	snprintf(from, sizeof(from), "%s/cgroup.procs", place);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (mkdir(own, 0755))
		return;
	put(procs, pid);
	expect_cgroup2(live, denied, NULL, "cgroup2: EPERM\n");
	expect_cgroup2(live, any, "/*/hidden", "cgroup2: EPERM\n");
	expect_cgroup2(live, any, "/{*/,}hidden", "cgroup2: ok\n");
	expect_cgroup2(live, denied, denied + strlen(place), "unshare: ok\ncgroup2: EPERM\n");
	expect_cgroup2(live, any, "/{*/,}hidden", "unshare: ok\ncgroup2: ok\n");
	put(from, pid);
	/* What has been killed ends a moment later. */
	while (rmdir(own) && errno == EBUSY)
		usleep(1000);
	assert_int_equal(access(own, F_OK), -1);
}

static void names_of_cgroups(void **state)
{
	char place[4096], denied[4200];
	const char *usual = "/sys/fs/cgroup";
	if (!place_of_cgroup2(place))
		skip();
	scene(*state);
	snprintf(denied, sizeof(denied), "%s/hidden", place);
	expect_cgroup2(*state, denied, NULL, "cgroup2: EPERM\n");
	expect_cgroup2(*state, denied, "/hidden", "cgroup2: ok\n");
	expect_cgroup2(*state, "/sys/fs/cgroup-not/hidden", NULL, "cgroup2: ok\n");
	/* In a hybrid layout it is not the whole of what is there. */
	if (!strncmp(place, usual, strlen(usual)) && place[strlen(usual)]) {
		snprintf(denied, sizeof(denied), "%s/hidden", place);
		expect_cgroup2(*state, denied, strcat(place + strlen(usual), "/hidden"), "cgroup2: EPERM\n");
		place[strlen(place) - strlen("/hidden")] = '\0';
	}
	char *own = live_read("/proc/self/cgroup");
	if (live_root() && own && strstr(own, "0::/\n"))
		expect_below(*state, place);
	free(own);
}

static void what_lies_below(void **state)
{
	struct live *live = *state;
	scene(live);
	live_file(live, "a b/sub/below", 0644, "below");
	/* Root of a container is as good: the kernel lets it take away what it has mounted. */
	enter(live_root() ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("none", live_path(live, "a b/sub"), "tmpfs", 0, NULL), 0);
	scripted_expect(live, "files { default allow; deny read $dir/secret; }\n"
		     "mounts { default deny EPERM; allow mount bind on $dir/at; allow mount overlay on $dir/at options lowerdir, userxattr; }", "covered", "mnt",
	       "bind: EINVAL\noverlay: EINVAL\nbelow: ENOENT\nall of it: ok\nbelow: ENOENT\n");
	assert_int_equal(umount2(live_path(live, "a b/sub"), 0), 0);
}

static void names_in_layers(void **state)
{
	scene(*state);
	scripted_expect(*state, "files { default allow; deny all $dir/from/secret/, $dir/at/secret/, $dir/upper/secret/, $dir/work/secret/; }\n"
		       "mounts { default allow; } limits { capabilities all; }\n",
	       "layers", live_own_space(), live_root() ? "mkdir: ok\noverlay: ok\nhidden: EPERM\numount: ok\nredirect: EPERM\nadd: EPERM\ndata: EPERM\n"
	       : "mkdir: ok\noverlay: ok\nhidden: ENOENT\numount: ok\nredirect: EPERM\nadd: EPERM\ndata: EPERM\n");
}

static void swapped_meanwhile(void **state)
{
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount tmpfs on $dir/good/x; allow mount bind from $dir/from/ on $dir/to; allow mount tmpfs on $dir/at options size<=1M;"),
	       "swapped", live_own_space(), "target: made, 0 wrong\nsource: made, 0 wrong\noptions: made, 0 wrong\n");
}

static void killed_meanwhile(void **state)
{
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount tmpfs on $dir/at; allow mount bind from $dir/from/ on $dir/to;"), "killed", live_own_space(),
	       "few\nstill there: ok\n");
}

static void many_of_them(void **state)
{
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount tmpfs on $dir/at;") "limits { mounts 5; }", "many", live_own_space(), "failed 0\nlimit: ENOSPC\nat 5\nagain: ok\nand no more: ENOSPC\n");
}

static void *removes(void *live)
{
	close(open(live_path(live, "ready"), O_RDONLY | O_CLOEXEC));
	if (umount2(live_path(live, "gone"), 0) == 0)
		(void)rmdir(live_path(live, "gone"));
	close(open(live_path(live, "go"), O_WRONLY | O_CLOEXEC));
	return NULL;
}

static void fewer_than_at_launch(void **state)
{
	struct live *live = *state;
	pthread_t thread;
	scene(live);
	if (!live_root())
		skip();
	assert_int_equal(mount("none", live_mkdir(live, "gone", 0755), "tmpfs", 0, NULL), 0);
	assert_int_equal(mkfifo(live_path(live, "ready"), 0600), 0);
	assert_int_equal(mkfifo(live_path(live, "go"), 0600), 0);
	assert_int_equal(pthread_create(&thread, NULL, removes, live), 0);
	live_policy(live, MOUNTS("allow mount tmpfs on $dir/at;") "limits { mounts 5; }");
	scripted_run(live, "fewer", live_own_space());
	assert_string_equal(live->out, "gone: ENOENT\nlimit: ENOSPC\nat 5\n");
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void in_namespaces_of_its_own_making(void **state)
{
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount tmpfs on $dir/at; allow mount bind from $dir/from/ on $dir/to;") "limits { capabilities all; }", "unshared",
	       NULL, "before: EPERM\nunshare: ok\ntmpfs: ok\nread: inside\ndenied: EACCES\nbind: ok\numount: ok\n");
}

static void processes_of_their_namespace(void **state)
{
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount proc on $dir/at, $dir/to flags nosuid,nodev,noexec;") "limits { capabilities all; }", "processes",
	       live_root() ? "mnt" : "user,mnt,pid", "unshare: ok\nproc: ok\nself 1 of 1\nparent: ENOENT\nloosened: EPERM\n");
}

static void expect_nodes(struct live *live, const char *namespaces, const char *changed)
{
	char expected[400];
	snprintf(expected, sizeof(expected), "null: ok\nstat: ok\n1\nopen: ok\nwrite: ok\nread 0\nagain: EEXIST\nfull: ok\nmode: ok\nanother: %s\nowner: %s\n"
		 "kmsg: EPERM\ndisk: EPERM\nelsewhere: EPERM\n", changed, changed);
	scripted_expect(live, FILES "files { answer mknod $dir/dev/{null,zero,full,random,urandom,tty} with device same; }\n"
		     "mounts { default deny; allow umount $dir/dev/*; }", "nodes", namespaces, expected);
}

/* Root makes them where that is possible. Elsewhere they are the machine's, of which nothing is changed, by whomever. */
static void six_nodes(void **state)
{
	scene(*state);
	if (live_root()) {
		expect_nodes(*state, "mnt", "ok");
		assert_int_equal(unlink(live_path(*state, "dev/null")), 0);
		assert_int_equal(unlink(live_path(*state, "dev/full")), 0);
	}
	expect_nodes(*state, "user,mnt", "EROFS");
}

static void owners_of_its_own(void **state)
{
	if (!live_root())
		skip();
	scene(*state);
	scripted_expect(*state, MOUNTS("allow mount bind from $dir/from/ on $dir/to idmap;") "limits { capabilities all; }", "mapped", NULL,
	       "unshare: ok\nstat: ok\n65534\nbind: ok\nstat: ok\n0\n");
}

/* The file system's server takes nothing any more, and says by the FIFO ASKED when there is something. */
static pid_t serve_nothing(const char *at, const char *asked)
{
	char options[120];
	struct { struct fuse_out_header header; struct fuse_init_out init; } out = {
		.header.len = sizeof(out), .init = { .major = 7, .minor = 31, .max_write = 65536 } };
	static union { struct fuse_in_header header; char bytes[135168]; } in;
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
	if (mount("test", at, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		if (read(fd, &in, sizeof(in)) > 0) {
			out.header.unique = in.header.unique;
			(void)!write(fd, &out, sizeof(out));
		}
		struct pollfd next = { .fd = fd, .events = POLLIN };
		int to = open(asked, O_WRONLY | O_CLOEXEC);
		if (poll(&next, 1, -1) == 1)
			(void)!write(to, "x", 1);
		for (;;)
			pause();
	}
	close(fd);
	return pid;
}

static void one_that_hangs(void **state)
{
	struct live *live = *state;
	scene(live);
	const char *at = live_mkdir(live, "fuse", 0777), *asked = live_path(live, "asked");
	assert_int_equal(mkfifo(asked, 0600), 0);
	pid_t server = live_apart() ? serve_nothing(at, asked) : -1;
	if (server < 0)
		skip();
	/* Where a pattern begins is looked up when the policy is read. */
	live_policy(live, MOUNTS("allow mount tmpfs on $dir/at, $dir/f*/**; allow mount bind on $dir/to;"));
	/* A search for leaks would wait for threads that nothing can stop. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	scripted_run(live, "hanging", "mnt");
	unsetenv("ASAN_OPTIONS");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	umount2(at, MNT_DETACH);
	if (live->status || strcmp(live->out, "prompt, hanging\n"))
		fail_msg("%d %s%s", live->status, live->out, live->err);
}

/* In a namespace of the test's own, where a mount is shared with the program's copy of it. */
static void nothing_spreads(void **state)
{
	struct live *live = *state;
	scene(live);
	live_mkdir(live, "spread", 0755);
	if (!live_root())
		skip();
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("none", live_path(live, "spread"), "tmpfs", 0, NULL), 0);
	live_mkdir(live, "spread/at", 0755);
	live_mkdir(live, "spread/over", 0755);
	assert_int_equal(mount("none", live_path(live, "spread/over"), "tmpfs", 0, NULL), 0);
	assert_int_equal(mount(NULL, live_path(live, "spread"), NULL, MS_SHARED | MS_REC, NULL), 0);
	scripted_expect(live, MOUNTS("allow mount tmpfs on $dir/spread/at; allow umount $dir/spread/over;") "limits { capabilities all; }", "spreading", NULL,
	       "unshare: ok\nshared: EPERM\ntake away: EPERM\nprivate: ok\nthen: ok\ntake away: ok\n");
	assert_int_equal(umount2(live_path(live, "spread/over"), 0), 0);
	assert_int_equal(umount2(live_path(live, "spread"), 0), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_form, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(overlays, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(the_newer_calls, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(what_is_refused, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(names_below_what_was_taken_away, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(names_in_a_namespace_that_has_ended, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(what_is_bound_on, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(links_that_lead_out, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(what_is_renamed, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(file_systems_of_the_machine, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(options_of_the_machine, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(names_of_cgroups, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(names_in_layers, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(swapped_meanwhile, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(killed_meanwhile, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(many_of_them, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(fewer_than_at_launch, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(in_namespaces_of_its_own_making, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(processes_of_their_namespace, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(six_nodes, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(owners_of_its_own, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(one_that_hangs, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(nothing_spreads, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(what_lies_below, live_setup, live_teardown),	/* it stays in a user namespace */
	};
	scripted_begin(argc, argv, programs);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
