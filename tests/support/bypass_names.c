/* Names: every spelling, every call that takes one, and what becomes of descriptors and of names that were lost. */
#include "bypass.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- names ---- */
static int c_open(void) { return refused_fd(open(SECRET("file"), O_RDONLY)); }
static int c_openat_high(void) { return refused_fd((int)syscall(SYS_openat, HIGH | 0xffffff9c, SECRET("file"), HIGH | O_RDONLY, 0)); }
static int c_openat2(void)
{
	struct open_how how = { .flags = O_RDONLY };
	return refused_fd((int)syscall(SYS_openat2, AT_FDCWD, SECRET("file"), &how, sizeof how));
}
static int c_dots(void) { char p[600]; snprintf(p, sizeof p, "%s/..//./%s", open_dir, strrchr(SECRET("file"), '/') - strlen(strrchr(secret_dir, '/')) + 1); return refused_fd(open(p, O_RDONLY)); }
static int c_relative(void)
{
	int cwd = open(".", O_RDONLY | O_DIRECTORY);
	if (chdir(secret_dir) < 0)
		return errno;
	int result = refused_fd(open("file", O_RDONLY));
	if (fchdir(cwd) < 0 && chdir(open_dir) < 0)
		perror("back");
	return result;
}
static int c_symlink(void) { unlink(OPEN("l")); if (symlink(SECRET("file"), OPEN("l")) < 0) return errno; return refused_fd(open(OPEN("l"), O_RDONLY)); }
static int c_symlink_dir(void) { unlink(OPEN("ld")); if (symlink(secret_dir, OPEN("ld")) < 0) return errno; return refused_fd(open(OPEN("ld/file"), O_RDONLY)); }
static int c_proc_root(void) { char p[600]; snprintf(p, sizeof p, "/proc/self/root%s", SECRET("file")); return refused_fd(open(p, O_RDONLY)); }
static int c_proc_thread_root(void) { char p[600]; snprintf(p, sizeof p, "/proc/thread-self/root%s", SECRET("file")); return refused_fd(open(p, O_RDONLY)); }
static int c_proc_init_root(void) { char p[600]; snprintf(p, sizeof p, "/proc/1/root%s", SECRET("file")); return refused_fd(open(p, O_RDONLY)); }
static int c_hardlink(void) { unlink(OPEN("h")); if (link(SECRET("file"), OPEN("h")) < 0) return errno; return refused_fd(open(OPEN("h"), O_RDONLY)); }
static int c_linkat_opath(void)
{
	int fd = open(SECRET("file"), O_PATH);
	if (fd < 0)
		return errno;
	unlink(OPEN("h2"));
	if (linkat(fd, "", AT_FDCWD, OPEN("h2"), AT_EMPTY_PATH) < 0)
		return errno;
	return refused_fd(open(OPEN("h2"), O_RDONLY));
}
static int c_linkat_proc(void)
{
	char p[64];
	int fd = open(SECRET("file"), O_PATH);
	if (fd < 0)
		return errno;
	snprintf(p, sizeof p, "/proc/self/fd/%d", fd);
	unlink(OPEN("h3"));
	if (linkat(AT_FDCWD, p, AT_FDCWD, OPEN("h3"), AT_SYMLINK_FOLLOW) < 0)
		return errno;
	return refused_fd(open(OPEN("h3"), O_RDONLY));
}
static int c_rename_out(void) { if (rename(SECRET("file"), OPEN("r")) < 0) return errno; int r = refused_fd(open(OPEN("r"), O_RDONLY)); rename(OPEN("r"), SECRET("file")); return r; }
static int c_rename_dir_out(void) { if (rename(SECRET("dir"), OPEN("rd")) < 0) return errno; rename(OPEN("rd"), SECRET("dir")); return 0; }
static int c_exchange(void) { mkdir(OPEN("x"), 0777); int r = refused(syscall(SYS_renameat2, AT_FDCWD, SECRET("dir"), AT_FDCWD, OPEN("x"), 2)); if (!r) syscall(SYS_renameat2, AT_FDCWD, SECRET("dir"), AT_FDCWD, OPEN("x"), 2); return r; }
static int c_rename_in(void) { int fd = open(OPEN("in"), O_CREAT | O_WRONLY, 0666); close(fd); return refused(rename(OPEN("in"), SECRET("planted"))); }
static int c_opath_reopen(void)
{
	char p[64];
	int fd = open(SECRET("file"), O_PATH);
	if (fd < 0)
		return errno;
	snprintf(p, sizeof p, "/proc/self/fd/%d", fd);
	return refused_fd(open(p, O_RDONLY));
}
static int c_opath_devfd(void)
{
	char p[64];
	int fd = open(SECRET("file"), O_PATH);
	if (fd < 0)
		return errno;
	snprintf(p, sizeof p, "/dev/fd/%d", fd);
	return refused_fd(open(p, O_RDONLY));
}
static int c_opath_dir(void) { int fd = open(secret_dir, O_PATH | O_DIRECTORY); if (fd < 0) return errno; return refused_fd(openat(fd, "file", O_RDONLY)); }
static int c_opath_dot(void) { int fd = open(secret_dir, O_PATH | O_DIRECTORY); if (fd < 0) return errno; return refused(openat(fd, ".", O_RDONLY | O_DIRECTORY)); }
static int c_opath_fchdir(void)
{
	int back = open(".", O_PATH), fd = open(secret_dir, O_PATH | O_DIRECTORY);
	if (fd < 0 || fchdir(fd) < 0)
		return errno;
	int result = refused_fd(open("file", O_RDONLY));
	if (fchdir(back) < 0)
		perror("back");
	return result;
}
static int c_ro_reopen(void)
{
	char p[64];
	int fd = open(OPEN("ro"), O_RDONLY);
	if (fd < 0)
		return errno;
	snprintf(p, sizeof p, "/proc/self/fd/%d", fd);
	return refused(open(p, O_RDWR));
}
static int c_ro_truncate(void) { return refused(open(OPEN("ro"), O_RDONLY | O_TRUNC)); }
static int c_ro_fd_chmod(void) { int fd = open(OPEN("ro"), O_RDONLY); return fd < 0 ? errno : refused(fchmod(fd, 0600)); }
static int c_ro_fd_chown(void) { int fd = open(OPEN("ro"), O_RDONLY); return fd < 0 ? errno : refused(fchown(fd, getuid(), getgid())); }
static int c_ro_fd_xattr(void) { int fd = open(OPEN("ro"), O_RDONLY); return fd < 0 ? errno : refused(fsetxattr(fd, "user.x", "1", 1, 0)); }
static int c_ro_fd_utime(void) { int fd = open(OPEN("ro"), O_RDONLY); return fd < 0 ? errno : refused(futimens(fd, NULL)); }
static int c_ro_fd_flags(void) { int fd = open(OPEN("ro"), O_RDONLY), flags = FS_NOATIME_FL; return fd < 0 ? errno : refused(ioctl(fd, FS_IOC_SETFLAGS, &flags)); }
static int c_ro_chmod_empty(void) { int fd = open(OPEN("ro"), O_PATH); return fd < 0 ? errno : refused(syscall(452, fd, "", 0600, AT_EMPTY_PATH)); }
static int c_ro_chown_empty(void) { int fd = open(OPEN("ro"), O_PATH); return fd < 0 ? errno : refused(fchownat(fd, "", getuid(), getgid(), AT_EMPTY_PATH)); }
static int c_ro_setxattrat(void)
{
	struct { uint64_t value; uint32_t size, flags; } arguments = { (uint64_t)(uintptr_t) "1", 1, 0 };
	int fd = open(OPEN("ro"), O_RDONLY);
	return fd < 0 ? errno : refused(syscall(463, fd, "", AT_EMPTY_PATH, "user.y", &arguments, sizeof arguments));
}
static int c_ro_file_setattr(void)
{
	uint64_t attribute[8] = { 0 };
	return refused(syscall(469, AT_FDCWD, OPEN("ro"), attribute, 24, 0));
}

/* ---- names that were lost or moved ---- */
/* dark/file under another name, that name removed again: it has no path then, but still a name. */
static int lost_link(int flags)
{
	unlink(OPEN("dark/second"));
	if (link(OPEN("dark/file"), OPEN("dark/second")) < 0)
		return -1;
	int fd = open(OPEN("dark/second"), flags), error = errno;
	unlink(OPEN("dark/second"));
	errno = error;
	return fd;
}
static int c_lost_link(void)
{
	char p[64];
	int fd = lost_link(O_WRONLY);
	snprintf(p, sizeof p, "/proc/self/fd/%d", fd);
	unlink(OPEN("found"));
	if (fd < 0 || linkat(AT_FDCWD, p, AT_FDCWD, OPEN("found"), AT_SYMLINK_FOLLOW) < 0)
		return errno;
	return refused_fd(open(OPEN("found"), O_RDONLY));
}
static int c_lost_chmod(void) { int fd = lost_link(O_PATH); return fd < 0 ? errno : refused(syscall(452, fd, "", 0666, AT_EMPTY_PATH)); }
static int c_lost_fchmod(void) { int fd = lost_link(O_WRONLY); return fd < 0 ? errno : refused(fchmod(fd, 0666)); }
static int c_append_map(void)
{
	int fd = open(OPEN("log"), O_RDWR | O_APPEND);
	return fd < 0 ? errno : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : 0;
}
int slow_link(const char *to)
{
	char text[4000] = "", name[32];
	for (size_t n = 0; n < 3900; n += 5)
		memcpy(text + n, "w/../", 6);
	(void)mkdir(OPEN("w"), 0777);
	for (int i = 0; i < 36; i++) {
		snprintf(name, sizeof name, "slow%d", i);
		unlink(OPEN(name));
		if (i < 35)
			snprintf(text + 3900, 90, "slow%d", i + 1);
		else
			snprintf(text + 3900, 90, "%s", to);
		if (symlink(text, OPEN(name)) < 0)
			return -1;
	}
	return 0;
}
/* While the new name is looked up, which takes long, the old one's directory is moved into the dark and another file put there. */
static int c_rename_moved(void)
{
	(void)mkdir(OPEN("q"), 0777);
	if (slow_link("q") < 0)
		return errno;
	(void)mkdir(OPEN("moving"), 0777);
	close(open(OPEN("moving/x"), O_CREAT | O_WRONLY, 0666));
	pid_t child = fork();
	if (child == 0) {
		usleep(20000);
		if (rename(OPEN("moving"), OPEN("dark/moving")) == 0 && unlink(OPEN("dark/moving/x")) == 0)
			_exit(link(OPEN("dark/file"), OPEN("dark/moving/x")) ? errno : 0);
		_exit(errno);
	}
	unlink(OPEN("q/got"));
	int result = rename(OPEN("moving/x"), OPEN("slow0/got")) ? errno : 0;
	waitpid(child, NULL, 0);
	return result ? result : refused_fd(open(OPEN("q/got"), O_RDONLY));
}

/* ---- every call that names a path, on the secret ---- */
/* Where it works, the next one must find what it needs. */
static int again(long result)
{
	int error = refused(result);
	if (!error)
		close(open(SECRET("victim"), O_CREAT | O_WRONLY, 0666));
	return error;
}
static int gone(long result, const char *name)
{
	int error = refused(result);
	if (!error)
		remove(SECRET(name));
	return error;
}
static int c_truncate(void) { return refused(truncate(SECRET("victim"), 0)); }
static int c_unlink(void) { return again(unlink(SECRET("victim"))); }
static int c_unlinkat(void) { return again(unlinkat(AT_FDCWD, SECRET("victim"), 0)); }
static int c_rmdir(void) { return refused(rmdir(SECRET("emptydir"))); }
static int c_mkdir(void) { return gone(mkdir(SECRET("newdir"), 0777), "newdir"); }
static int c_mkdirat(void) { return gone(mkdirat(AT_FDCWD, SECRET("newdir"), 0777), "newdir"); }
static int c_mknod(void) { return gone(mknod(SECRET("newnod"), S_IFIFO | 0666, 0), "newnod"); }
static int c_mknodat(void) { return gone(mknodat(AT_FDCWD, SECRET("newnod"), S_IFREG | 0666, 0), "newnod"); }
static int c_symlink_in(void) { return refused(symlink("/x", SECRET("newlink"))); }
static int c_link_in(void) { return refused(link(OPEN("ro"), SECRET("newhard"))); }
static int c_create(void) { return refused(open(SECRET("new"), O_CREAT | O_WRONLY, 0666)); }
static int c_creat(void) { return refused(creat(SECRET("new"), 0666)); }
static int c_tmpfile(void) { return refused(open(secret_dir, O_TMPFILE | O_RDWR, 0666)); }
static int c_list(void) { return refused(open(secret_dir, O_RDONLY | O_DIRECTORY)); }
static int c_chmod(void) { return refused(chmod(SECRET("file"), 0666)); }
static int c_fchmodat(void) { return refused(syscall(SYS_fchmodat, AT_FDCWD, SECRET("file"), 0666)); }
static int c_fchmodat2(void) { return refused(syscall(452, AT_FDCWD, SECRET("file"), 0666, 0)); }
static int c_chown(void) { return refused(chown(SECRET("file"), (uid_t)-1, (gid_t)-1)); }
static int c_lchown(void) { return refused(lchown(SECRET("file"), (uid_t)-1, (gid_t)-1)); }
static int c_fchownat(void) { return refused(fchownat(AT_FDCWD, SECRET("file"), (uid_t)-1, (gid_t)-1, 0)); }
static int c_utimensat(void) { return refused(utimensat(AT_FDCWD, SECRET("file"), NULL, 0)); }
static int c_setxattr(void) { return refused(setxattr(SECRET("file"), "user.a", "1", 1, 0)); }
static int c_lsetxattr(void) { return refused(lsetxattr(SECRET("file"), "user.a", "1", 1, 0)); }
static int c_getxattr(void) { char v[8]; int r = refused(getxattr(SECRET("file"), "user.secret", v, sizeof v)); return r; }
static int c_removexattr(void) { int r = refused(removexattr(SECRET("file"), "user.secret")); if (!r) setxattr(SECRET("file"), "user.secret", "x", 1, 0); return r; }
static int c_inotify(void) { int fd = inotify_init1(0); return fd < 0 ? errno : refused(inotify_add_watch(fd, secret_dir, IN_ALL_EVENTS)); }
static int c_getxattrat(void)
{
	struct { uint64_t value; uint32_t size, flags; } arguments = { .size = 0 };
	return refused(syscall(464, AT_FDCWD, SECRET("file"), 0, "user.secret", &arguments, sizeof arguments));
}
static int c_removexattrat(void) { int r = refused(syscall(466, AT_FDCWD, SECRET("file"), 0, "user.secret")); if (!r) setxattr(SECRET("file"), "user.secret", "x", 1, 0); return r; }
static int c_setxattrat(void)
{
	struct { uint64_t value; uint32_t size, flags; } arguments = { (uint64_t)(uintptr_t) "1", 1, 0 };
	return refused(syscall(463, AT_FDCWD, SECRET("file"), 0, "user.a", &arguments, sizeof arguments));
}
static int c_file_setattr(void) { uint64_t attribute[8] = { 0 }; return refused(syscall(469, AT_FDCWD, SECRET("file"), attribute, 24, 0)); }
#ifdef SYS_open
static int c_sys_open(void) { return refused_fd((int)syscall(SYS_open, SECRET("file"), O_RDONLY, 0)); }
static int c_sys_creat(void) { return refused(syscall(SYS_creat, SECRET("new"), 0666)); }
static int c_sys_unlink(void) { return again(syscall(SYS_unlink, SECRET("victim"))); }
static int c_sys_rename(void) { int r = refused(syscall(SYS_rename, SECRET("file"), OPEN("sr"))); if (!r) rename(OPEN("sr"), SECRET("file")); return r; }
static int c_sys_utime(void) { return refused(syscall(SYS_utime, SECRET("file"), NULL)); }
static int c_sys_utimes(void) { return refused(syscall(SYS_utimes, SECRET("file"), NULL)); }
static int c_sys_futimesat(void) { return refused(syscall(SYS_futimesat, AT_FDCWD, SECRET("file"), NULL)); }
static int c_sys_chmod(void) { return refused(syscall(SYS_chmod, SECRET("file"), 0666)); }
#endif

/* ---- what is held, and no more ---- */
static int reopened(int fd, int flags)
{
	char p[64];
	if (fd < 0)
		return errno;
	snprintf(p, sizeof p, "/proc/self/fd/%d", fd);
	return refused(open(p, flags));
}
static int c_pipe_reopen(void) { int p[2]; return pipe(p) < 0 ? errno : reopened(p[0], O_WRONLY); }
static int c_deleted_reopen(void)
{
	close(open(OPEN("deleted"), O_CREAT | O_WRONLY, 0666));
	int fd = open(OPEN("deleted"), O_RDONLY);
	unlink(OPEN("deleted"));
	return reopened(fd, O_RDWR);
}
/* usher was started with it. */
static int c_inherited_fd(void)
{
	for (int fd = 3; fd < 256; fd++)
		if (refused_fd(openat(fd, "file", O_RDONLY)) == 0)
			return 0;
	return EBADF;
}
/* For appending, which works. */
static int append_fd(void)
{
	int fd = open(OPEN("log"), O_WRONLY | O_APPEND);
	if (fd < 0 || write(fd, "x", 1) != 1)
		abort();
	return fd;
}
static int c_append_truncate(void) { return refused(ftruncate(append_fd(), 0)); }
static int c_append_punch(void) { return refused(fallocate(append_fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4)); }
static int c_append_flag(void) { int fd = append_fd(); return refused(fcntl(fd, F_SETFL, 0)) ? errno : fcntl(fd, F_GETFL) & O_APPEND ? EPERM : 0; }
static int c_append_reopen(void) { return reopened(append_fd(), O_WRONLY); }

/* ---- the machine's files ---- */
struct file {
	const char *path;
	int flags;
};
static int c_machine_files(void)
{
	static const struct file files[] = {
		{ "/proc/sys/kernel/core_pattern", O_WRONLY }, { "/proc/sys/kernel/modprobe", O_WRONLY }, { "/proc/sys/fs/binfmt_misc/register", O_WRONLY },
		{ "/proc/sysrq-trigger", O_WRONLY }, { "/proc/sys/vm/drop_caches", O_WRONLY }, { "/sys/fs/cgroup/cgroup.procs", O_WRONLY },
		{ "/sys/fs/cgroup/release_agent", O_WRONLY }, { "/sys/power/state", O_WRONLY }, { "/proc/kcore", O_RDONLY }, { "/dev/mem", O_RDONLY },
		{ "/dev/kmsg", O_WRONLY }, { "/dev/fuse", O_RDWR }, { "/dev/userfaultfd", O_RDWR }, { "/dev/vhost-net", O_RDWR }, { "/dev/kvm", O_RDWR },
		{ "/dev/ptmx", O_RDWR }, { "/dev/mqueue", O_RDONLY },
	};
	int error = ENOENT;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		int fd = open(files[i].path, files[i].flags | O_NOCTTY | O_NONBLOCK);
		if (fd >= 0) {
			printf("%s is open\n", files[i].path);
			close(fd);
			return 0;
		}
		if (errno != ENOENT)
			error = errno;
	}
	return error;
}

const struct bypass_case names_cases[] = {
	CASE(open), CASE(openat_high), CASE(openat2), CASE(dots), CASE(relative), CASE(symlink), CASE(symlink_dir), CASE(proc_root),
	CASE(proc_thread_root), CASE(proc_init_root),
	CASE(hardlink), CASE(linkat_opath), CASE(linkat_proc), CASE(rename_out),
	CASE(rename_dir_out), CASE(exchange), CASE(rename_in), CASE(opath_reopen), CASE(opath_devfd), CASE(opath_dir), CASE(opath_dot),
	CASE(opath_fchdir), CASE(ro_reopen), CASE(ro_truncate), CASE(ro_fd_chmod), CASE(ro_fd_chown), CASE(ro_fd_xattr), CASE(ro_fd_utime),
	CASE(ro_fd_flags), CASE(ro_chmod_empty), CASE(ro_chown_empty), CASE(ro_setxattrat), CASE(ro_file_setattr),
	CASE(lost_link), CASE(lost_chmod), CASE(lost_fchmod), CASE(append_map), CASE(rename_moved), CASE(truncate),
	CASE(unlink), CASE(unlinkat), CASE(rmdir), CASE(mkdir), CASE(mkdirat), CASE(mknod), CASE(mknodat), CASE(symlink_in), CASE(link_in),
	CASE(create), CASE(creat), CASE(tmpfile), CASE(list), CASE(chmod), CASE(fchmodat), CASE(fchmodat2), CASE(chown), CASE(lchown),
	CASE(fchownat), CASE(utimensat), CASE(setxattr), CASE(lsetxattr), CASE(getxattr), CASE(removexattr), CASE(inotify),
	CASE(setxattrat), CASE(getxattrat), CASE(removexattrat), CASE(file_setattr), CASE(pipe_reopen), CASE(deleted_reopen), CASE(inherited_fd),
	CASE(append_truncate), CASE(append_punch), CASE(append_flag), CASE(append_reopen), CASE(machine_files),
#ifdef SYS_open
	CASE(sys_open), CASE(sys_creat), CASE(sys_unlink), CASE(sys_rename), CASE(sys_utime), CASE(sys_utimes), CASE(sys_futimesat),
	CASE(sys_chmod),
#endif
	{ NULL, NULL, NULL },
};
