/*
 * Runs inside the sandbox and tries each known way round a system call broker, once.
 *
 *   bypass OPEN SECRET SUPERVISOR [CASE]
 *
 * OPEN is a directory that the policy gives wholly, SECRET one that it denies wholly although the file modes allow everything;
 * SECRET has: file ("SECRET"), exe (exits 66), socket and dgram (listening), dir/. OPEN has ro (readable by policy, not writable; also OPEN/good,
 * an allowed program that exits 55), dark/ where everything is allowed but to read and chmod (dark/file: "SECRET"), and log, which may be
 * appended to but not written. SUPERVISOR is the pid of usher. One line for each case: its name and how it was refused, or ESCAPED.
 * Exit 1 if anything escaped. Run natively, nearly everything escapes: that is the test of this test.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <linux/filter.h>
#include <unistd.h>

#define HIGH (UINT64_C(0x5a5a5a5a) << 32)

static const char *open_dir, *secret_dir;
static pid_t supervisor;

static const char *in(const char *dir, const char *name)
{
	static char buffers[8][512];
	static unsigned turn;
	char *buffer = buffers[turn++ % 8];
	snprintf(buffer, 512, "%s/%s", dir, name);
	return buffer;
}
#define SECRET(name) in(secret_dir, name)
#define OPEN(name) in(open_dir, name)

/* 0: what should be refused has worked; else the errno. For a descriptor: whether the secret can be read through it. */
static int refused(long result)
{
	return result < 0 ? errno : 0;
}
static int refused_fd(int fd)
{
	char text[8] = "";
	if (fd < 0)
		return errno;
	ssize_t got = read(fd, text, sizeof text - 1);
	int error = errno;
	close(fd);
	if (got < 0)
		return error;
	return strncmp(text, "SECRET", 6) ? ENODATA : 0;
}
static int in_child(int (*fn)(void))
{
	pid_t child = fork();
	int status;
	if (child == 0)
		_exit(fn());
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return errno;
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}
/* Runs a program; refused unless it is the forbidden one that ran. */
static int ran_secret(pid_t child)
{
	int status;
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return errno;
	if (WIFSIGNALED(status))
		return 1000 + WTERMSIG(status);
	return WEXITSTATUS(status) == 66 ? 0 : WEXITSTATUS(status) ? WEXITSTATUS(status) : EACCES;
}
static struct sockaddr_un unix_address(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	return address;
}

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
static int c_proc_parent_root(void) { char p[600]; snprintf(p, sizeof p, "/proc/%d/root%s", (int)getppid(), SECRET("file")); return refused_fd(open(p, O_RDONLY)); }
static int c_proc_init_root(void) { char p[600]; snprintf(p, sizeof p, "/proc/1/root%s", SECRET("file")); return refused_fd(open(p, O_RDONLY)); }
static int c_proc_supervisor_root(void) { char p[600]; snprintf(p, sizeof p, "/proc/%d/root%s", (int)supervisor, SECRET("file")); return refused_fd(open(p, O_RDONLY)); }
static int c_proc_supervisor_cwd(void) { char p[600]; snprintf(p, sizeof p, "/proc/%d/cwd%s", (int)supervisor, SECRET("file")); return refused_fd(open(p, O_RDONLY)); }
static int c_proc_supervisor_mem(void) { char p[600]; snprintf(p, sizeof p, "/proc/%d/mem", (int)supervisor); return refused(open(p, O_RDWR)); }
static int c_proc_supervisor_environ(void) { char p[600]; snprintf(p, sizeof p, "/proc/%d/environ", (int)supervisor); return refused(open(p, O_RDONLY)); }
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
	int fd = open(OPEN("ro"), O_PATH);
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
/* While the new name is looked up, which takes long, the old one's directory is moved into the dark and another file put there. */
static int c_rename_moved(void)
{
	char text[4000] = "", name[32];
	for (size_t n = 0; n < 3950; n += 5)
		memcpy(text + n, "w/../", 6);
	(void)mkdir(OPEN("w"), 0777);
	(void)mkdir(OPEN("q"), 0777);
	for (int i = 0; i < 36; i++) {
		snprintf(name, sizeof name, "slow%d", i);
		unlink(OPEN(name));
		snprintf(text + 3950, 40, i < 35 ? "slow%d" : "q", i + 1);
		if (symlink(text, OPEN(name)) < 0)
			return errno;
	}
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
static int c_truncate(void) { return refused(truncate(SECRET("file"), 3)); }
static int c_unlink(void) { return refused(unlink(SECRET("victim"))); }
static int c_unlinkat(void) { return refused(unlinkat(AT_FDCWD, SECRET("victim"), 0)); }
static int c_rmdir(void) { return refused(rmdir(SECRET("emptydir"))); }
static int c_mkdir(void) { return refused(mkdir(SECRET("newdir"), 0777)); }
static int c_mkdirat(void) { return refused(mkdirat(AT_FDCWD, SECRET("newdir"), 0777)); }
static int c_mknod(void) { return refused(mknod(SECRET("newnod"), S_IFIFO | 0666, 0)); }
static int c_mknodat(void) { return refused(mknodat(AT_FDCWD, SECRET("newnod"), S_IFREG | 0666, 0)); }
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
static int c_removexattr(void) { return refused(removexattr(SECRET("file"), "user.secret")); }
static int c_inotify(void) { int fd = inotify_init1(0); return fd < 0 ? errno : refused(inotify_add_watch(fd, secret_dir, IN_ALL_EVENTS)); }
static int c_chroot(void) { return refused(chroot(secret_dir)); }
static int c_execve(void) { pid_t c = fork(); if (!c) { char *av[] = { "x", NULL }; execv(SECRET("exe"), av); _exit(errno); } return ran_secret(c); }
#ifdef SYS_open
static int c_sys_open(void) { return refused_fd((int)syscall(SYS_open, SECRET("file"), O_RDONLY, 0)); }
static int c_sys_creat(void) { return refused(syscall(SYS_creat, SECRET("new"), 0666)); }
static int c_sys_unlink(void) { return refused(syscall(SYS_unlink, SECRET("victim"))); }
static int c_sys_rename(void) { return refused(syscall(SYS_rename, SECRET("file"), OPEN("sr"))); }
static int c_sys_utime(void) { return refused(syscall(SYS_utime, SECRET("file"), NULL)); }
static int c_sys_utimes(void) { return refused(syscall(SYS_utimes, SECRET("file"), NULL)); }
static int c_sys_futimesat(void) { return refused(syscall(SYS_futimesat, AT_FDCWD, SECRET("file"), NULL)); }
static int c_sys_chmod(void) { return refused(syscall(SYS_chmod, SECRET("file"), 0666)); }
#endif

/* ---- execution ---- */
static int copy_to(int to)
{
	char buffer[65536];
	/* the program that this one is: allowed to run by name, so its bytes are readable */
	int from = open("/proc/self/exe", O_RDONLY);
	if (from < 0)
		return -1;
	for (ssize_t got; (got = read(from, buffer, sizeof buffer)) > 0;)
		if (write(to, buffer, (size_t)got) != got)
			return -1;
	close(from);
	return 0;
}
static int run_fd(int fd)
{
	pid_t child = fork();
	if (child == 0) {
		char *argv[] = { "x", "--exit66", NULL }, *envp[] = { NULL };
		syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(errno);
	}
	return ran_secret(child);
}
static int c_memfd_exec(void)
{
	int fd = memfd_create("x", MFD_CLOEXEC);
	if (fd < 0 || copy_to(fd) < 0)
		return errno;
	return run_fd(fd);
}
static int c_deleted_exec(void)
{
	int fd = open(OPEN("copy"), O_CREAT | O_RDWR | O_TRUNC, 0777);
	if (fd < 0 || copy_to(fd) < 0)
		return errno;
	close(fd);
	fd = open(OPEN("copy"), O_RDONLY | O_CLOEXEC);
	unlink(OPEN("copy"));
	return run_fd(fd);
}
static int c_written_exec(void)
{
	int fd = open(OPEN("copy2"), O_CREAT | O_RDWR | O_TRUNC, 0777);
	if (fd < 0 || copy_to(fd) < 0)
		return errno;
	close(fd);
	pid_t child = fork();
	if (child == 0) {
		char *argv[] = { "x", "--exit66", NULL }, *envp[] = { NULL };
		execve(OPEN("copy2"), argv, envp);
		_exit(errno);
	}
	return ran_secret(child);
}
static int c_opath_exec(void) { int fd = open(SECRET("exe"), O_PATH); return fd < 0 ? errno : run_fd(fd); }
static int c_loader_exec(void)
{
	pid_t child = fork();
	if (child == 0) {
		const char *loaders[] = { "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/usr/lib64/ld-linux-x86-64.so.2" };
		char *envp[] = { NULL };
		for (size_t i = 0; i < sizeof loaders / sizeof *loaders; i++) {
			char *argv[] = { "ld.so", (char *)OPEN("copy2"), "--exit66", NULL };
			execve(loaders[i], argv, envp);
		}
		_exit(errno);
	}
	return ran_secret(child);
}
static int c_symlink_exec(void)
{
	unlink(OPEN("le"));
	if (symlink(SECRET("exe"), OPEN("le")) < 0)
		return errno;
	pid_t child = fork();
	if (child == 0) {
		char *argv[] = { "x", NULL };
		execv(OPEN("le"), argv);
		_exit(errno);
	}
	return ran_secret(child);
}

/* ---- numbers and abis ---- */
#ifdef __x86_64__
static int int80(void)
{
	/* i386: open("…", O_RDONLY) is 5; the path must be below 4 GiB */
	char *low = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	int result;
	strcpy(low, SECRET("file"));
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(5), "b"(low), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
	errno = -result;
	return refused_fd(result < 0 ? -1 : result);
}
static int c_int80(void) { return in_child(int80); }
static int c_x32(void) { return refused_fd((int)syscall(0x40000000 | SYS_openat, AT_FDCWD, SECRET("file"), O_RDONLY, 0)); }
#endif
static int c_number_600(void) { return refused(syscall(600, 0, 0, 0)); }
static int c_number_minus(void) { return refused(syscall(-1, 0, 0, 0)); }
static int c_io_uring(void) { char params[120] = { 0 }; return refused(syscall(425, 4, params)); }
static int c_io_uring_enter(void) { int r = refused(syscall(426, 0, 0, 0, 0, NULL, 0)); return r == EBADF || r == EOPNOTSUPP ? 0 : r; }
static int c_clone3(void) { int r = refused(syscall(435, NULL, 0)); return r == EINVAL || r == EFAULT ? 0 : r; }
static int listener(uint64_t high)
{
	struct sock_filter code[] = { { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW } };
	struct sock_fprog program = { 1, code };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return refused(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, high | SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}
static int new_listener(void) { return listener(0); }
static int new_listener_high(void) { return listener(HIGH); }
static int c_new_listener(void) { return in_child(new_listener); }
static int c_new_listener_high(void) { return in_child(new_listener_high); }
static int c_userfaultfd(void) { return refused(syscall(SYS_userfaultfd, O_CLOEXEC)); }
static int c_dev_userfaultfd(void) { return refused(open("/dev/userfaultfd", O_RDWR)); }
static int c_handle(void)
{
	struct { struct file_handle h; char bytes[128]; } handle = { .h.handle_bytes = 128 };
	int id, root = open("/", O_PATH);
	if (name_to_handle_at(AT_FDCWD, SECRET("file"), &handle.h, &id, 0) < 0)
		return errno;
	root = open(open_dir, O_RDONLY | O_DIRECTORY);
	return refused_fd(open_by_handle_at(root, &handle.h, O_RDONLY));
}
static int c_open_by_handle(void) { struct file_handle h = { .handle_bytes = 0 }; int r = refused(open_by_handle_at(AT_FDCWD, &h, O_RDONLY)); return r == EINVAL || r == EBADF || r == ESTALE ? 0 : r; }
static int c_tiocsti(void) { int fd = open("/dev/tty", O_RDWR); if (fd < 0) fd = 0; int r = refused(ioctl(fd, TIOCSTI, "x")); return r; }
static int c_tiocsti_high(void) { int r = refused(syscall(SYS_ioctl, 0, HIGH | TIOCSTI, "x")); return r; }
static int c_bpf(void) { char attribute[128] = { 0 }; int r = refused(syscall(SYS_bpf, 0, attribute, sizeof attribute)); return r == EINVAL ? 0 : r; }
static int c_perf(void) { char attribute[128] = { 0 }; int r = refused(syscall(SYS_perf_event_open, attribute, 0, -1, -1, 0)); return r == EINVAL || r == ENOENT || r == E2BIG ? 0 : r; }
static int c_keyctl(void) { int r = refused(syscall(SYS_keyctl, 0, -3, 0)); return r; }
static int c_kexec(void) { int r = refused(syscall(SYS_kexec_load, 0, 0, NULL, 0)); return r; }
static int c_swapon(void) { int r = refused(syscall(SYS_swapon, SECRET("file"), 0)); return r == EINVAL ? 0 : r; }
static int c_acct(void) { int r = refused(syscall(SYS_acct, SECRET("file"))); return r; }

/* ---- namespaces and mounts ---- */
static int ns_user(void) { return refused(unshare(CLONE_NEWUSER)); }
static int ns_user_mnt(void) { return refused(unshare(CLONE_NEWUSER | CLONE_NEWNS)); }
static int ns_mnt_high(void) { return refused(syscall(SYS_unshare, HIGH | CLONE_NEWNS)); }
static int c_unshare_user(void) { return in_child(ns_user); }
static int c_unshare_user_mnt(void) { return in_child(ns_user_mnt); }
static int c_unshare_mnt_high(void) { return in_child(ns_mnt_high); }
static int c_clone_user(void)
{
	long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(0);
	if (child < 0)
		return errno;
	waitpid((pid_t)child, NULL, 0);
	return 0;
}
static int c_setns(void) { int fd = open("/proc/self/ns/mnt", O_RDONLY); return refused(setns(fd, CLONE_NEWNS)); }
static int c_mount_bind(void) { mkdir(OPEN("m"), 0777); int r = refused(mount(secret_dir, OPEN("m"), NULL, MS_BIND, NULL)); if (!r) umount(OPEN("m")); return r; }
static int c_mount_tmpfs(void) { mkdir(OPEN("m"), 0777); int r = refused(mount("x", OPEN("m"), "tmpfs", 0, NULL)); if (!r) umount(OPEN("m")); return r; }
static int c_open_tree(void) { return refused(syscall(428, AT_FDCWD, secret_dir, 1)); }
static int c_fsopen(void) { return refused(syscall(430, "tmpfs", 0)); }
static int c_pivot_root(void) { int r = refused(syscall(SYS_pivot_root, OPEN("m"), OPEN("m"))); return r == EINVAL ? 0 : r; }

/* ---- the supervisor and its neighbours ---- */
static int c_kill_supervisor(void) { return refused(kill(supervisor, 0)); }
static int c_kill_parent(void) { return refused(kill(getppid(), 0)); }
static int limit(pid_t pid)
{
	struct rlimit old;
	return refused(prlimit(pid, RLIMIT_NOFILE, NULL, &old) < 0 ? -1 : prlimit(pid, RLIMIT_NOFILE, &old, NULL));
}
static int c_limit_supervisor(void) { return limit(supervisor); }
static int c_limit_parent(void) { return limit(getppid()); }
static int c_ptrace_supervisor(void) { return refused(ptrace(PTRACE_SEIZE, supervisor, 0, 0)); }
static int c_ptrace_parent(void) { return refused(ptrace(PTRACE_SEIZE, getppid(), 0, 0)); }
static int c_vm_readv(void) { char b[8]; struct iovec l = { b, 8 }, r = { (void *)0x400000, 8 }; int e = refused(process_vm_readv(supervisor, &l, 1, &r, 1, 0)); return e == EFAULT ? 0 : e; }
static int steal(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), last = EBADF;
	if (fd < 0)
		return errno;
	for (int i = 0; i < 64; i++) {
		if (syscall(SYS_pidfd_getfd, fd, i, 0) >= 0)
			return 0;
		if (errno != EBADF)
			last = errno;
	}
	return last;
}
static int c_getfd_supervisor(void) { return steal(supervisor); }
static int c_getfd_parent(void) { return steal(getppid()); }
static int c_listener_inherited(void)
{
	for (int i = 0; i < 256; i++) {
		char p[64], t[64] = "";
		snprintf(p, sizeof p, "/proc/self/fd/%d", i);
		if (readlink(p, t, sizeof t - 1) > 0 && strstr(t, "seccomp"))
			return 0;
	}
	return ENOENT;
}
static int c_process_madvise(void) { int fd = (int)syscall(SYS_pidfd_open, supervisor, 0); if (fd < 0) return errno; struct iovec v = { (void *)0x1000, 4096 }; return refused(syscall(440, fd, &v, 1, 21, 0)); }

/* ---- sockets ---- */
static int c_connect(void) { struct sockaddr_un a = unix_address(SECRET("socket")); return refused(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a)); }
static int c_connect_family_high(void)
{
	struct sockaddr_un a = unix_address(SECRET("socket"));
	return refused(syscall(SYS_connect, HIGH | (unsigned)socket(AF_UNIX, SOCK_STREAM, 0), &a, HIGH | sizeof a));
}
static int c_connect_relative(void)
{
	int back = open(".", O_PATH);
	struct sockaddr_un a = unix_address("socket");
	if (chdir(secret_dir) < 0)
		return errno;
	int r = refused(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a));
	if (fchdir(back) < 0)
		perror("back");
	return r;
}
static int c_connect_symlink(void) { unlink(OPEN("ls")); if (symlink(SECRET("socket"), OPEN("ls")) < 0) return errno; struct sockaddr_un a = unix_address(OPEN("ls")); return refused(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a)); }
static int c_connect_proc_fd(void)
{
	char p[64];
	int fd = open(SECRET("socket"), O_PATH);
	if (fd < 0)
		return errno;
	snprintf(p, sizeof p, "/proc/self/fd/%d", fd);
	struct sockaddr_un a = unix_address(p);
	return refused(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a));
}
static int c_sendto(void) { struct sockaddr_un a = unix_address(SECRET("dgram")); return refused(sendto(socket(AF_UNIX, SOCK_DGRAM, 0), "x", 1, 0, (void *)&a, sizeof a)); }
static int send_message(bool many)
{
	struct sockaddr_un a = unix_address(SECRET("dgram"));
	struct iovec v = { "x", 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &a, .msg_namelen = sizeof a, .msg_iov = &v, .msg_iovlen = 1 } };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	return refused(many ? sendmmsg(fd, &m, 1, 0) : sendmsg(fd, &m.msg_hdr, 0));
}
static int c_sendmsg(void) { return send_message(false); }
static int c_sendmmsg(void) { return send_message(true); }
static int c_bind(void) { struct sockaddr_un a = unix_address(SECRET("bound")); return refused(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a)); }
static int c_fastopen(void)
{
	int r = refused(sendto(socket(AF_INET, SOCK_STREAM, 0), "x", 1, MSG_FASTOPEN, NULL, 0));
	return r == EOPNOTSUPP || r == EPERM || r == EACCES ? r : 0;
}

#define CASE(x) { #x, c_##x }
static const struct {
	const char *name;
	int (*run)(void);
} cases[] = {
	CASE(open), CASE(openat_high), CASE(openat2), CASE(dots), CASE(relative), CASE(symlink), CASE(symlink_dir), CASE(proc_root),
	CASE(proc_thread_root), CASE(proc_parent_root), CASE(proc_init_root), CASE(proc_supervisor_root), CASE(proc_supervisor_cwd),
	CASE(proc_supervisor_mem), CASE(proc_supervisor_environ), CASE(hardlink), CASE(linkat_opath), CASE(linkat_proc), CASE(rename_out),
	CASE(rename_dir_out), CASE(exchange), CASE(rename_in), CASE(opath_reopen), CASE(opath_devfd), CASE(opath_dir), CASE(opath_dot),
	CASE(opath_fchdir), CASE(ro_reopen), CASE(ro_truncate), CASE(ro_fd_chmod), CASE(ro_fd_chown), CASE(ro_fd_xattr), CASE(ro_fd_utime),
	CASE(ro_fd_flags), CASE(ro_chmod_empty), CASE(ro_chown_empty), CASE(ro_setxattrat), CASE(ro_file_setattr),
	CASE(lost_link), CASE(lost_chmod), CASE(lost_fchmod), CASE(append_map), CASE(rename_moved), CASE(truncate),
	CASE(unlink), CASE(unlinkat), CASE(rmdir), CASE(mkdir), CASE(mkdirat), CASE(mknod), CASE(mknodat), CASE(symlink_in), CASE(link_in),
	CASE(create), CASE(creat), CASE(tmpfile), CASE(list), CASE(chmod), CASE(fchmodat), CASE(fchmodat2), CASE(chown), CASE(lchown),
	CASE(fchownat), CASE(utimensat), CASE(setxattr), CASE(lsetxattr), CASE(getxattr), CASE(removexattr), CASE(inotify),
	CASE(execve),
#ifdef SYS_open
	CASE(sys_open), CASE(sys_creat), CASE(sys_unlink), CASE(sys_rename), CASE(sys_utime), CASE(sys_utimes), CASE(sys_futimesat),
	CASE(sys_chmod),
#endif
	CASE(memfd_exec), CASE(deleted_exec), CASE(written_exec), CASE(opath_exec), CASE(loader_exec), CASE(symlink_exec),
#ifdef __x86_64__
	CASE(int80), CASE(x32),
#endif
	CASE(number_600), CASE(number_minus), CASE(io_uring), CASE(io_uring_enter), CASE(clone3), CASE(new_listener),
	CASE(new_listener_high), CASE(userfaultfd), CASE(dev_userfaultfd), CASE(handle), CASE(open_by_handle), CASE(tiocsti),
	CASE(tiocsti_high), CASE(bpf), CASE(perf), CASE(keyctl), CASE(kexec), CASE(swapon), CASE(acct), CASE(unshare_user),
	CASE(unshare_user_mnt), CASE(unshare_mnt_high), CASE(clone_user), CASE(setns), CASE(mount_bind), CASE(mount_tmpfs), CASE(open_tree),
	CASE(fsopen), CASE(pivot_root), CASE(kill_supervisor), CASE(kill_parent), CASE(limit_supervisor), CASE(limit_parent), CASE(ptrace_supervisor), CASE(ptrace_parent),
	CASE(vm_readv), CASE(getfd_supervisor), CASE(getfd_parent), CASE(listener_inherited), CASE(process_madvise), CASE(connect),
	CASE(connect_family_high), CASE(connect_relative), CASE(connect_symlink), CASE(connect_proc_fd), CASE(sendto), CASE(sendmsg),
	CASE(sendmmsg), CASE(bind), CASE(fastopen),
	/* last: natively it succeeds and then nothing has a name any more */
	CASE(chroot),
};

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--exit66"))
		return 66;
	if (argc < 4) {
		fprintf(stderr, "usage: bypass OPEN SECRET SUPERVISOR [CASE]\n");
		return 2;
	}
	open_dir = argv[1];
	secret_dir = argv[2];
	supervisor = (pid_t)atoi(argv[3]);
	signal(SIGPIPE, SIG_IGN);
	unsigned escaped = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (argc > 4 && strcmp(argv[4], cases[i].name))
			continue;
		errno = 0;
		int error = cases[i].run();
		if (error == 0)
			escaped++;
		printf("%-22s %s\n", cases[i].name, error == 0 ? "ESCAPED" : error > 1000 ? strsignal(error - 1000) : strerror(error));
		fflush(stdout);
	}
	printf("%zu cases, %u escaped\n", sizeof cases / sizeof *cases, escaped);
	return escaped ? 1 : 0;
}
