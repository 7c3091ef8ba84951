/*
 * Raw calls of the probe, and answers to the last byte.
 *
 *	call NAME [ARG...]	ARG: a number; @TEXT: a pointer to TEXT; !bad: a page that may not be read; !null: 0;
 *				!edge=TEXT: TEXT whose NUL is the last byte before a bad page; !noend=TEXT: without the NUL;
 *				!out: 4096 bytes, shown by `out`; !short=N: the last N bytes before a bad page
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <grp.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#define PAGE 4096

static unsigned char out[PAGE];

static const struct {
	const char *name;
	long nr;
} names[] = {
#define CALL(name) { #name, SYS_##name }
	CALL(openat), CALL(openat2), CALL(mkdirat), CALL(mknodat), CALL(unlinkat), CALL(renameat), CALL(renameat2), CALL(linkat),
	CALL(symlinkat), CALL(readlinkat), CALL(fchmodat), CALL(fchmodat2), CALL(fchownat), CALL(utimensat), CALL(faccessat),
	CALL(faccessat2), CALL(newfstatat), CALL(statx), CALL(truncate), CALL(ftruncate), CALL(fchmod), CALL(fchown),
	CALL(setxattr), CALL(lsetxattr), CALL(fsetxattr), CALL(getxattr), CALL(lgetxattr), CALL(fgetxattr), CALL(listxattr),
	CALL(llistxattr), CALL(flistxattr), CALL(removexattr), CALL(lremovexattr), CALL(fremovexattr), CALL(statfs), CALL(chdir),
	CALL(fchdir), CALL(execve), CALL(execveat), CALL(fcntl), CALL(fallocate), CALL(name_to_handle_at), CALL(flock), CALL(dup3),
	CALL(inotify_init1), CALL(inotify_add_watch), CALL(lseek), CALL(pwritev2), CALL(ioctl),
	CALL(chroot), CALL(mount), CALL(unshare), CALL(bind), CALL(socket), CALL(socketpair), CALL(getpeername), CALL(accept), CALL(connect),
#ifdef __x86_64__
	CALL(open), CALL(creat), CALL(stat), CALL(lstat), CALL(access), CALL(readlink), CALL(mkdir), CALL(rmdir), CALL(mknod),
	CALL(unlink), CALL(rename), CALL(link), CALL(symlink), CALL(chmod), CALL(chown), CALL(lchown), CALL(utime), CALL(utimes),
	CALL(futimesat),
#endif
};

static char *two_pages(void)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(pages != MAP_FAILED && mprotect(pages + PAGE, PAGE, PROT_NONE) == 0);
	return pages;
}

static long argument(const char *text)
{
	const char *value = strchr(text, '=');
	if (*text == '@')
		return (long)(text + 1);
	if (*text != '!')
		return number(text);
	if (strcmp(text, "!null") == 0)
		return 0;
	if (strcmp(text, "!out") == 0)
		return (long)out;
	char *end = two_pages() + PAGE;
	if (strcmp(text, "!bad") == 0)
		return (long)end;
	CHECK(value && *value);
	if (strncmp(text, "!short=", 7) == 0)
		return (long)(end - number(value + 1));
	size_t len = strlen(value + 1) + (strncmp(text, "!edge=", 6) == 0);
	CHECK(len <= PAGE);
	return (long)memcpy(end - len, value + 1, len);
}

static long call_number(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].nr;
	CHECK(*name >= '0' && *name <= '9');
	return number(name);
}

static void cmd_call(char **arg)
{
	long args[6] = { 0 }, nr = call_number(arg[0]);
	for (int i = 0; i < 6 && arg[i + 1]; i++)
		args[i] = argument(arg[i + 1]);
	answer(syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]));
}

static void show(const void *from, size_t len)
{
	const unsigned char *bytes = from;
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
}

static void cmd_out(char **arg)		/* N: the first bytes of !out; refilled */
{
	printf("ok ");
	show(out, (size_t)number(arg[0]));
	printf("\n");
	memset(out, 0xaa, sizeof(out));
}

static void cmd_openm(char **arg)	/* PATH FLAGS MODE, through openat(2) */
{
	answer(syscall(SYS_openat, AT_FDCWD, arg[0], open_flags(arg[1]), number(arg[2])));
}

static void cmd_how(char **arg)		/* DIRFD PATH SIZE FLAGS MODE RESOLVE TAIL: TAIL is in the byte after the structure */
{
	unsigned char bytes[2 * PAGE] = { 0 };
	struct open_how how = { .flags = strtoull(arg[3], NULL, 0), .mode = strtoull(arg[4], NULL, 0), .resolve = strtoull(arg[5], NULL, 0) };
	memcpy(bytes, &how, sizeof(how));
	bytes[sizeof(how)] = (unsigned char)number(arg[6]);
	answer(syscall(SYS_openat2, number(arg[0]), arg[1], bytes, number(arg[2])));
}

static void cmd_getfl(char **arg)	/* FD */
{
	int fd = (int)number(arg[0]), flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		answer(-1);
	else
		printf("ok %o %d\n", (unsigned)flags, fcntl(fd, F_GETFD));
}

static void cmd_fstat(char **arg)	/* FD */
{
	struct stat st;
	if (fstat((int)number(arg[0]), &st) < 0)
		answer(-1);
	else
		printf("ok %o %u:%u %ld %lu\n", st.st_mode, st.st_uid, st.st_gid, (long)st.st_size, (unsigned long)st.st_nlink);
}

static void cmd_nofile(char **arg)	/* N: the soft limit */
{
	struct rlimit limit;
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = (rlim_t)number(arg[0]);
	answer(setrlimit(RLIMIT_NOFILE, &limit));
}

static void cmd_fsize(char **arg)	/* N: the limit, with SIGXFSZ ignored */
{
	struct rlimit limit = { (rlim_t)number(arg[0]), (rlim_t)number(arg[0]) };
	answer(setrlimit(RLIMIT_FSIZE, &limit));
}

static void cmd_dup2(char **arg)
{
	answer(dup2((int)number(arg[0]), (int)number(arg[1])));
}

static void cmd_creds(char **arg)	/* RUID EUID GID: without more groups */
{
	gid_t gid = (gid_t)number(arg[2]);
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0)
		answer(-1);
	else
		answer(setresuid((uid_t)number(arg[0]), (uid_t)number(arg[1]), 0));
}

static void cmd_fsuid(char **arg)
{
	(void)setfsuid((uid_t)number(arg[0]));
	answer(setfsuid((uid_t)-1));
}

static void cmd_content(char **arg)	/* PATH CONTENT, made anew */
{
	int fd = open(arg[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		answer(-1);
		return;
	}
	answer(write(fd, arg[1], strlen(arg[1])));
	close(fd);
}

static void cmd_linkfd(char **arg)	/* FD PATH: gives an O_TMPFILE file a name */
{
	char from[32];
	snprintf(from, sizeof(from), "/proc/self/fd/%d", (int)number(arg[0]));
	answer(linkat(AT_FDCWD, from, AT_FDCWD, arg[1], AT_SYMLINK_FOLLOW));
}

/* ---- all that the stat family says of a name ------------------------------------------------ */

static void show_result(const char *what, long result, const void *bytes, size_t len)
{
	printf(" %s:", what);
	if (result < 0) {
		printf("%s", strerrorname_np(errno));
		return;
	}
	printf("%ld:", result);
	show(bytes, len);
}

static void show_statfs(const char *path)
{
	struct statfs fs;
	memset(&fs, 0xaa, sizeof(fs));
	long result = syscall(SYS_statfs, path, &fs);
	/* Others write to it meanwhile. */
	fs.f_bfree = fs.f_bavail = fs.f_ffree = 0;
	show_result("statfs", result, &fs, sizeof(fs));
}

static void show_links(const char *path)
{
	static const size_t sizes[] = { 0, 1, 3, 64, 4096 };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(out, 0xaa, sizeof(out));
		long result = syscall(SYS_readlinkat, AT_FDCWD, path, out, sizes[i]);
		show_result("readlink", result, out, 80);
	}
}

static void show_statx(const char *path)
{
	static const struct {
		unsigned flags, mask;
	} forms[] = { { 0, STATX_BASIC_STATS }, { 0, 0 }, { 0, STATX_ALL | STATX_MNT_ID | STATX_DIOALIGN },
		      { AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME }, { AT_NO_AUTOMOUNT, STATX_MODE },
		      { AT_EMPTY_PATH, STATX_SIZE }, { AT_STATX_FORCE_SYNC, STATX_INO }, { AT_STATX_SYNC_TYPE, STATX_INO },
		      { 0x80000000, STATX_INO }, { 0, 0x80000000 } };
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		memset(out, 0xaa, sizeof(out));
		long result = syscall(SYS_statx, AT_FDCWD, path, forms[i].flags, forms[i].mask, out);
		show_result("statx", result, out, 300);
	}
}

static void cmd_stats(char **arg)	/* PATH */
{
	static const int flags[] = { 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_NO_AUTOMOUNT, 0x80000 };
	const char *path = arg[0];
	printf("ok");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		memset(out, 0xaa, sizeof(out));
		long result = syscall(SYS_newfstatat, AT_FDCWD, path, out, flags[i]);
		show_result("fstatat", result, out, 160);
	}
#ifdef __x86_64__
	memset(out, 0xaa, sizeof(out));
	long result = syscall(SYS_stat, path, out);
	show_result("stat", result, out, 160);
	memset(out, 0xaa, sizeof(out));
	result = syscall(SYS_lstat, path, out);
	show_result("lstat", result, out, 160);
#endif
	show_statx(path);
	show_links(path);
	for (int mode = 0; mode < 9; mode++) {
		show_result("access", access(path, mode), "", 0);
		show_result("eaccess", syscall(SYS_faccessat2, AT_FDCWD, path, mode, AT_EACCESS), "", 0);
		show_result("laccess", syscall(SYS_faccessat2, AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW), "", 0);
	}
	show_statfs(path);
	printf("\n");
	fflush(stdout);
}

const struct command call_commands[] = {
	{ "call", -1, cmd_call }, { "out", 1, cmd_out }, { "openm", 3, cmd_openm }, { "how", 7, cmd_how }, { "getfl", 1, cmd_getfl },
	{ "fstat", 1, cmd_fstat }, { "nofile", 1, cmd_nofile }, { "fsize", 1, cmd_fsize }, { "dup2", 2, cmd_dup2 },
	{ "creds", 3, cmd_creds }, { "fsuid", 1, cmd_fsuid }, { "content", 2, cmd_content }, { "linkfd", 2, cmd_linkfd },
	{ "stats", 1, cmd_stats }, { .name = NULL },
};
