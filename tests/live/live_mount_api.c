/* Mounts by descriptors: fsopen, open_tree and their kin. Each case runs this binary again as the program. */
#include "scripted.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
/* <sys/mount.h> and <linux/mount.h> do not go together. */
int umount2(const char *target, int flags);
int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
#define MNT_DETACH 2
#define PRIVATE (1 << 18)
#define SHARED (1 << 20)

/* ---- for the programs ----------------------------------------------------------------------- */

static int fs_open(const char *type)
{
	return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static int set(int fd, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fd, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0);
}

static int command(int fd, unsigned what)
{
	return (int)syscall(SYS_fsconfig, fd, what, NULL, NULL, 0);
}

static int fs_mount(int fd, unsigned attr)
{
	return (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attr);
}

static int setattr(int dir, const char *path, unsigned flags, uint64_t set_, uint64_t clear, uint64_t propagation)
{
	struct mount_attr attr = { .attr_set = set_, .attr_clr = clear, .propagation = propagation };
	return (int)syscall(SYS_mount_setattr, dir, path, flags, &attr, sizeof(attr));
}

static int tree(const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, path, flags | OPEN_TREE_CLOEXEC);
}

static int attach(int fd, const char *to)
{
	return (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH);
}

static void say_flags(const char *name)
{
	char line[8192], place[4096], flags[200], said[200] = "not mounted", here[4096];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	(void)!getcwd(here, sizeof(here));
	strcat(strcat(here, "/"), name);
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*u %*u %*s %*s %4095s %199s", place, flags) == 2 && !strcmp(place, here))
			strcpy(said, flags);
	if (file)
		fclose(file);
	printf("%s: %s\n", name, said);
}

static void say_size(const char *path)
{
	struct statvfs fs;
	printf("size %d\n", statvfs(path, &fs) ? -1 : (int)(fs.f_blocks * fs.f_frsize >> 10));
}

static void context(void)
{
	char byte;
	int fs, fd;

	say("flags", syscall(SYS_fsopen, "tmpfs", 8));
	say("no name", syscall(SYS_fsopen, NULL, 0));
	say("fsopen", fs = fs_open("tmpfs"));
	say("cloexec", fcntl(fs, F_GETFD) == FD_CLOEXEC ? 0 : -1);
	say("read", read(fs, &byte, 1));
	say("not open", set(999, "size", "512k"));
	say("negative", set(-1, "size", "512k"));
	say("another", set(0, "size", "512k"));
	say("command", syscall(SYS_fsconfig, fs, 99, NULL, NULL, 0));
	say("no value", syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", NULL, 0));
	say("a number", syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NULL, 1));
	say("bad pointer", syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, 8, NULL, 0));
	say("source", set(fs, "source", "none"));
	say("source", set(fs, "source", "none"));
	say("size", set(fs, "size", "512k"));
	say("too soon", fs_mount(fs, 0));
	say("no pick", command(fs, FSCONFIG_CMD_RECONFIGURE));
	say("create", command(fs, FSCONFIG_CMD_CREATE));
	say("create", command(fs, FSCONFIG_CMD_CREATE));
	say("too late", set(fs, "mode", "700"));
	say("attr", fs_mount(fs, 0x400));
	say("attach", attach(fs, "at"));
	say("fsmount", fd = fs_mount(fs, MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME));
	say("fsmount", fs_mount(fs, 0));
	say("setattr", setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_NOSUID, 0, 0));
	say("setattr", setattr(fs, "", AT_EMPTY_PATH, MOUNT_ATTR_NOSUID, 0, 0));
	say("shared", setattr(fd, "", AT_EMPTY_PATH, 0, 0, SHARED));
	say("below", openat(fd, "x", O_RDONLY | O_CREAT, 0600));
	say("missing", attach(fd, "missing"));
	say("elsewhere", attach(fd, "from"));
	say("move_mount", attach(fd, "at"));
	say_flags("at");
	say_size("at");
	say("setattr", setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0));
	say_open("at/x", O_WRONLY | O_CREAT);
	say("setattr", setattr(AT_FDCWD, "at", 0, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME, 0));
	say_open("at/x", O_WRONLY | O_CREAT);
	say("private", setattr(AT_FDCWD, "at", AT_RECURSIVE, 0, 0, PRIVATE));
	say("shared", setattr(AT_FDCWD, "at", 0, 0, 0, SHARED));
	say("both", setattr(AT_FDCWD, "at", 0, MOUNT_ATTR_RDONLY, 0, PRIVATE));
	say("small", syscall(SYS_mount_setattr, AT_FDCWD, "at", 0, &byte, 8));
	say("no mount", setattr(AT_FDCWD, "from", 0, MOUNT_ATTR_RDONLY, 0, 0));
	say("again", attach(fd, "else"));
	say_flags("else");
	say("busy", umount2("else", 0));
	close(fd);
	close(fs);
	say("umount", umount2("else", 0));
	fs = fs_open("tmpfs");
	say("large", set(fs, "size", "2M"));
	say("create", command(fs, FSCONFIG_CMD_CREATE));
	say("large", attach(fs_mount(fs, 0), "at"));
	fs = fs_open("tmpfs");
	for (fd = 0; set(fs, "mode", "00000000000000000000000000000000000000000000000000000000700") == 0; fd++)
		;
	printf("%d of them\n", fd);
	say("flag", set(fs, "ro", NULL));
	say("another", set(fs, "x", NULL));
	fs = fs_open("ramfs");
	command(fs, FSCONFIG_CMD_CREATE);
	say("type", attach(fs_mount(fs, 0), "at"));
	fs = fs_open("tmpfs");
	say("commas", set(fs, "mode", "700,size=2M"));
	command(fs, FSCONFIG_CMD_CREATE);
	say("commas", attach(fs_mount(fs, 0), "at"));
	fs = fs_open("tmpfs");
	say("ro", set(fs, "ro", NULL));
	command(fs, FSCONFIG_CMD_CREATE);
	fd = fs_mount(fs, 0);
	say("ro", attach(fd, "at"));
	say_open("at/x", O_WRONLY | O_CREAT);
	close(fd);
	say("umount", umount2("at", 0));
	fs = fs_open("tmpfs");
	command(fs, FSCONFIG_CMD_CREATE);
	fd = fs_mount(fs, MOUNT_ATTR_NOSUID);
	say("executable", attach(fd, "to"));
	say("setattr", setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_NOEXEC, 0, 0));
	say("not executable", attach(fd, "to"));
	say("executable", setattr(fd, "", AT_EMPTY_PATH, 0, MOUNT_ATTR_NOEXEC, 0));
}

static void trees(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC };
	int fd, fs;

	say("flags", tree("from", 2));
	say("recursive", tree("from", AT_RECURSIVE));
	say("missing", tree("missing", OPEN_TREE_CLONE));
	say("open_tree", fd = tree("from", OPEN_TREE_CLONE));
	say("not yet", openat(fd, "f", O_RDONLY));
	say("setattr", setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0));
	say("not there", attach(fd, "at"));
	say("file", attach(fd, "file"));
	say("move_mount", attach(fd, "to"));
	say_flags("to");
	say_open("to/f", O_RDONLY);
	say_open("to/f", O_WRONLY);
	say("setattr", setattr(fd, "", AT_EMPTY_PATH, 0, MOUNT_ATTR_RDONLY, 0));
	say_open("to/f", O_WRONLY);
	close(fd);
	say("umount", umount2("to", 0));
	say("open_tree_attr", fd = (int)syscall(SYS_open_tree_attr, AT_FDCWD, "from", OPEN_TREE_CLONE | AT_RECURSIVE, &attr, sizeof(attr)));
	say("move_mount", attach(fd, "to"));
	say_flags("to");
	close(fd);
	say("place", fd = tree("to", 0));
	say("setattr", setattr(fd, "", AT_EMPTY_PATH, 0, MOUNT_ATTR_NOEXEC, 0));
	say_flags("to");
	say("from a place", fs = (int)syscall(SYS_open_tree, fd, "dir", OPEN_TREE_CLONE));
	close(fs);
	say("move", attach(fd, "else"));
	say_open("else/f", O_RDONLY);
	say("move by name", syscall(SYS_move_mount, AT_FDCWD, "else", fd, "dir", 0));
	close(fd);
	say("umount", umount2("else", 0));
	fd = tree("secret", OPEN_TREE_CLONE);
	say("a secret", attach(fd, "to"));
	close(fd);
	say("a file", attach(fd = tree("from/f", OPEN_TREE_CLONE), "file"));
	say_open("file", O_RDONLY);
	close(fd);
	say("umount", umount2("file", 0));
	say("idmap", setattr(AT_FDCWD, "from", 0, MOUNT_ATTR_IDMAP, 0, 0));

	say("tmpfs", mount("none", "at", "tmpfs", 0, "size=256k"));
	say("no mount", syscall(SYS_fspick, AT_FDCWD, "from", 0));
	say("flags", syscall(SYS_fspick, AT_FDCWD, "at", 0x100));
	say("fspick", fs = (int)syscall(SYS_fspick, AT_FDCWD, "at", FSPICK_CLOEXEC));
	say("size", set(fs, "size", "768k"));
	say("create", command(fs, FSCONFIG_CMD_CREATE));
	say("fsmount", fs_mount(fs, 0));
	say("reconfigure", command(fs, FSCONFIG_CMD_RECONFIGURE));
	say_size("at");
	say("size", set(fs, "size", "2M"));
	say("reconfigure", command(fs, FSCONFIG_CMD_RECONFIGURE));
	say_size("at");
	close(fs);
	fs = (int)syscall(SYS_fspick, AT_FDCWD, "at", 0);
	say("ro", set(fs, "ro", NULL));
	say("reconfigure", command(fs, FSCONFIG_CMD_RECONFIGURE));
	say_open("at/x", O_WRONLY | O_CREAT);
	close(fs);
	say("umount", umount2("at", 0));
}

static void layers(void)
{
	int fs = fs_open("overlay");

	say("lower", set(fs, "lowerdir", "lo\\:w,er:from"));
	say("userxattr", set(fs, "userxattr", NULL));
	say("create", command(fs, FSCONFIG_CMD_CREATE));
	say("overlay", attach(fs_mount(fs, 0), "at"));
	say_open("at/l", O_RDONLY);
	say_open("at/f", O_RDONLY);
	fs = fs_open("overlay");
	say("lower", set(fs, "lowerdir", "from,lowerdir=secret:from"));
	set(fs, "userxattr", NULL);
	command(fs, FSCONFIG_CMD_CREATE);
	say("no such", attach(fs_mount(fs, 0), "at"));
	fs = fs_open("overlay");
	say("lower", set(fs, "lowerdir", "secret:from"));
	set(fs, "userxattr", NULL);
	command(fs, FSCONFIG_CMD_CREATE);
	say("a secret", attach(fs_mount(fs, 0), "at"));
	fs = fs_open("overlay");
	set(fs, "lowerdir+", "secret");
	set(fs, "lowerdir+", "from");
	set(fs, "userxattr", NULL);
	command(fs, FSCONFIG_CMD_CREATE);
	say("added", attach(fs_mount(fs, 0), "at"));
	fs = fs_open("overlay");
	say("by descriptor", syscall(SYS_fsconfig, fs, FSCONFIG_SET_FD, "lowerdir+", NULL, 0));
	say("by path", syscall(SYS_fsconfig, fs, FSCONFIG_SET_PATH, "lowerdir+", "secret", AT_FDCWD));
}

static void bounded(void)
{
	int fds[200], n = 0, pair[2];

	while (n < 200 && (fds[n] = fs_open("tmpfs")) >= 0)
		n++;
	say("one more", fs_open("tmpfs"));
	printf("%d\n", n);
	close(fds[0]);
	say("instead", fds[0] = fs_open("tmpfs"));
	say("one more", fs_open("tmpfs"));
	while (n)
		close(fds[--n]);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			for (int k = 0; k < 60; k++)
				n += fs_open("tmpfs") >= 0;
			_exit(n == 60 ? 0 : 1);
		}
		int status;
		waitpid(pid, &status, 0);
		if (status)
			say("a child", -1);
	}
	say("then", fs_open("tmpfs"));
	/* What looks like one is none. */
	(void)!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
	say("a socket", set(pair[0], "size", "1k"));
	say("a file", attach((int)syscall(SYS_memfd_create, "x", 0), "at"));
	/* A duplicate is the same, in another process as well. */
	int fs = fs_open("tmpfs"), other = dup(fs);
	say("size", set(fs, "size", "64k"));
	close(fs);
	pid_t pid = fork();
	if (pid == 0) {
		say("create", command(other, FSCONFIG_CMD_CREATE));
		say("attach", attach(fs_mount(other, 0), "at"));
		say_size("at");
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	say("once", fs_mount(other, 0));
	say("umount", umount2("at", 0));
	/* Nothing is kept alive by being sent through itself. */
	say("write", send(other, "x", 1, MSG_NOSIGNAL));
}

static _Atomic int flip;

static void *flip_number(void *ctx)
{
	const int *fds = ctx;
	for (int i = 0; !atomic_load(&flip); i++)
		dup2(fds[i % 2], fds[2]);
	return NULL;
}

static void *flip_attr(void *ctx)
{
	for (int i = 0; !atomic_load(&flip); i++)
		(void)setattr(*(const int *)ctx, "", AT_EMPTY_PATH, i % 2 ? MOUNT_ATTR_NOEXEC : 0, i % 2 ? 0 : MOUNT_ATTR_NOEXEC, 0);
	return NULL;
}

static void *attach_too(void *ctx)
{
	atomic_fetch_add(&flip, 1);
	while (atomic_load(&flip) < 2)
		;
	(void)attach(*(const int *)ctx, "at");
	return NULL;
}

static void *flip_target(void *ctx)
{
	for (; !atomic_load(&flip);)
		(void)renameat2(AT_FDCWD, "good", AT_FDCWD, "link", RENAME_EXCHANGE);
	return ctx;
}

static int made(const char *type)
{
	int fs = fs_open(type), fd;
	(void)command(fs, FSCONFIG_CMD_CREATE);
	fd = fs_mount(fs, 0);
	close(fs);
	return fd;
}

/* Numbers, flags and names that change while a call is on its way: nothing is made that no rule allows. */
static void raced(void)
{
	pthread_t thread;
	int n = 0, wrong = 0;

	for (int i = 0; i < 150; i++) {
		int fds[3] = { made("tmpfs"), made("ramfs"), 100 };
		dup2(fds[0], 100);
		atomic_store(&flip, 0);
		pthread_create(&thread, NULL, flip_number, fds);
		n += !attach(100, "at");
		atomic_store(&flip, 1);
		pthread_join(thread, NULL);
		for (int k = 0; k < 3; k++)
			close(fds[k]);
		struct statvfs fs;
		wrong += !statvfs("at", &fs) && fs.f_blocks == 0;
		while (!umount2("at", MNT_DETACH))
			;
	}
	printf("numbers: %s, %d wrong\n", n ? "made" : "never", wrong);
	n = wrong = 0;
	for (int i = 0; i < 150; i++) {
		int fd = tree("from", OPEN_TREE_CLONE);
		(void)setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_NOEXEC, 0, 0);
		atomic_store(&flip, 0);
		pthread_create(&thread, NULL, flip_attr, &fd);
		n += !attach(fd, "noexec");
		atomic_store(&flip, 1);
		pthread_join(thread, NULL);
		close(fd);
		struct statvfs fs;
		wrong += !access("noexec/f", F_OK) && !statvfs("noexec", &fs) && !(fs.f_flag & ST_NOEXEC);
		while (!umount2("noexec", MNT_DETACH))
			;
	}
	printf("flags: %s, %d wrong\n", n ? "made" : "never", wrong);
	n = wrong = 0;
	for (int i = 0; i < 150; i++) {
		int fd = made("tmpfs"), times = 0;
		atomic_store(&flip, 0);
		pthread_create(&thread, NULL, attach_too, &fd);
		(void)attach_too(&fd);
		pthread_join(thread, NULL);
		close(fd);
		while (!umount2("at", MNT_DETACH))
			times++;
		n += times;
		wrong += times != 1;
	}
	printf("twice: %s, %d wrong\n", n ? "made" : "never", wrong);
	n = wrong = 0;
	atomic_store(&flip, 0);
	pthread_create(&thread, NULL, flip_target, NULL);
	for (int i = 0; i < 150; i++) {
		int fd = made("tmpfs");
		n += !attach(fd, "good/x");
		close(fd);
		struct statvfs fs;
		wrong += !statvfs("bad/x", &fs) && fs.f_blocks == 256;
		while (!umount2("good/x", MNT_DETACH))
			;
	}
	atomic_store(&flip, 1);
	pthread_join(thread, NULL);
	printf("names: %s, %d wrong\n", n ? "made" : "never", wrong);
}

static void none(void)
{
	say("fsopen", fs_open("tmpfs"));
	say("open_tree", tree("from", OPEN_TREE_CLONE));
	say("fspick", syscall(SYS_fspick, AT_FDCWD, "/", 0));
	say("setattr", setattr(AT_FDCWD, "/", 0, 1, 0, 0));
}

static const struct scripted programs[] = {
	{ "context", context }, { "trees", trees }, { "layers", layers }, { "bounded", bounded }, { "raced", raced }, { "none", none },
	{ 0 },
};

/* ---- the cases ------------------------------------------------------------------------------ */

static void expect(struct live *live, const char *policy, const char *name, const char *expected)
{
	static const char *const dirs[] = { "at", "to", "else", "noexec", "good/x", "bad/x", "from/dir", "secret" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		live_mkdir(live, dirs[i], 0777);
	live_file(live, "from/f", 0666, "f");
	live_file(live, "secret/s", 0644, "secret");
	live_file(live, "file", 0644, "file");
	live_file(live, "lo:w,er/l", 0644, "l");
	live_symlink(live, "bad", "link");
	scripted_expect(live, policy, name, live_own_space(), expected);
}

#define RULES(mounts) "files { default allow; deny all $dir/secret/; } mounts { default deny EPERM;\n" mounts "}\nlimits { mount-api brokered; capabilities all; }\n"

static void file_systems(void **state)
{
	expect(*state, RULES("allow mount tmpfs on $dir/at, $dir/missing, $dir/else force nodev options size<=1M, mode; allow mount move from $dir/at on $dir/else; allow mount tmpfs on $dir/to flags noexec;"), "context",
	       "flags: EINVAL\nno name: EFAULT\nfsopen: ok\ncloexec: ok\nread: EAGAIN\nnot open: EBADF\nnegative: EINVAL\nanother: EINVAL\n"
	       "command: EOPNOTSUPP\nno value: EINVAL\na number: EINVAL\nbad pointer: EFAULT\nsource: ok\nsource: EINVAL\nsize: ok\n"
	       "too soon: EINVAL\nno pick: EBUSY\ncreate: ok\ncreate: EBUSY\ntoo late: EBUSY\nattr: EINVAL\nattach: EINVAL\nfsmount: ok\n"
	       "fsmount: EBUSY\nsetattr: ok\nsetattr: EINVAL\nshared: EPERM\nbelow: ENOTDIR\nmissing: ENOENT\nelsewhere: EPERM\nmove_mount: ok\n"
	       "at: rw,nosuid,nodev,noexec,noatime\nsize 512\nsetattr: ok\nat/x: EROFS\nsetattr: ok\nat/x: ok\nprivate: ok\nshared: EPERM\n"
	       "both: EOPNOTSUPP\nsmall: EINVAL\nno mount: EPERM\nagain: ok\nelse: rw,nosuid,nodev,noexec,relatime\nbusy: EBUSY\numount: ok\n"
	       "large: ok\ncreate: ok\nlarge: EPERM\n63 of them\nflag: ok\nanother: ENOSPC\ntype: EPERM\ncommas: ok\ncommas: EINVAL\nro: ok\nro: ok\nat/x: EROFS\numount: ok\n"
	       "executable: EPERM\nsetattr: ok\nnot executable: ok\nexecutable: EPERM\n");
}

static void trees_and_places(void **state)
{
	expect(*state, RULES("allow mount tmpfs on $dir/at options size<=1M; allow mount bind from $dir/from/, $dir/secret/ on $dir/to, $dir/else, $dir/file; allow mount move from $dir/to on $dir/else;"), "trees",
	       live_root() ?
	       "flags: EINVAL\nrecursive: EINVAL\nmissing: ENOENT\nopen_tree: ok\nnot yet: ENOTDIR\nsetattr: ok\nnot there: EPERM\nfile: ENOTDIR\nmove_mount: ok\n"
	       "to: ro,nosuid,nodev,relatime\nto/f: ok\nto/f: EROFS\nsetattr: ok\nto/f: ok\numount: ok\nopen_tree_attr: ok\nmove_mount: ok\n"
	       "to: ro,nosuid,nodev,noexec,relatime\nplace: ok\nsetattr: ok\nto: ro,nosuid,nodev,relatime\nfrom a place: ok\nmove: ok\nelse/f: ok\n"
	       "move by name: EPERM\numount: ok\na secret: EPERM\na file: ok\nfile: ok\numount: ok\nidmap: EPERM\ntmpfs: ok\nno mount: EINVAL\nflags: EINVAL\nfspick: ok\nsize: ok\n"
	       "create: EBUSY\nfsmount: EBUSY\nreconfigure: ok\nsize 768\nsize: ok\nreconfigure: EPERM\nsize 768\nro: ok\nreconfigure: ok\nat/x: EROFS\numount: ok\n" :
	       "flags: EINVAL\nrecursive: EINVAL\nmissing: ENOENT\nopen_tree: ok\nnot yet: ENOTDIR\nsetattr: ok\nnot there: EPERM\nfile: ENOTDIR\nmove_mount: ok\n"
	       "to: ro,nosuid,relatime\nto/f: ok\nto/f: EROFS\nsetattr: ok\nto/f: ok\numount: ok\nopen_tree_attr: ok\nmove_mount: ok\n"
	       "to: ro,noexec,relatime\nplace: ok\nsetattr: ok\nto: ro,relatime\nfrom a place: ok\nmove: ok\nelse/f: ok\n"
	       "move by name: EPERM\numount: ok\na secret: EPERM\na file: ok\nfile: ok\numount: ok\nidmap: EPERM\ntmpfs: ok\nno mount: EINVAL\nflags: EINVAL\nfspick: ok\nsize: ok\n"
	       "create: EBUSY\nfsmount: EBUSY\nreconfigure: ok\nsize 768\nsize: ok\nreconfigure: EPERM\nsize 768\nro: ok\nreconfigure: ok\nat/x: EROFS\numount: ok\n");
}

static void overlays(void **state)
{
	expect(*state, RULES("allow mount overlay on $dir/at options lowerdir, userxattr;"), "layers",
	       "lower: ok\nuserxattr: ok\ncreate: ok\noverlay: ok\nat/l: ok\nat/f: ok\nlower: ok\nno such: ENOENT\nlower: ok\na secret: EPERM\n"
	       "added: EPERM\nby descriptor: EOPNOTSUPP\nby path: EOPNOTSUPP\n");
}

static void as_many_as_there_may_be(void **state)
{
	expect(*state, RULES("allow mount tmpfs on $dir/at options size<=1M;"), "bounded",
	       "one more: EMFILE\n64\ninstead: ok\none more: EMFILE\nthen: ok\na socket: EINVAL\na file: EPERM\nsize: ok\ncreate: ok\nattach: ok\nsize 64\n"
	       "once: EBUSY\numount: ok\nwrite: EPIPE\n");
}

static void what_changes_meanwhile(void **state)
{
	expect(*state, RULES("allow mount tmpfs on $dir/at, $dir/good/x options size<=1M; allow mount bind from $dir/from/ on $dir/noexec flags noexec;"), "raced",
	       "numbers: made, 0 wrong\nflags: made, 0 wrong\ntwice: made, 0 wrong\nnames: made, 0 wrong\n");
}

static void only_if_asked_for(void **state)
{
	expect(*state, "files { default allow; } mounts { default allow; }", "none", "fsopen: ENOSYS\nopen_tree: ENOSYS\nfspick: ENOSYS\nsetattr: ENOSYS\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(file_systems, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(trees_and_places, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(overlays, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(as_many_as_there_may_be, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(what_changes_meanwhile, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(only_if_asked_for, live_setup, live_teardown),
	};

	scripted_begin(argc, argv, programs);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
