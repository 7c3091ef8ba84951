/*
 * probe: makes system calls as it is told, one line of answer each.
 *
 *	probe COMMAND ARG... [ , COMMAND ARG... ]...
 *
 * The answer is "ok", "ok VALUE" or the name of the error ("EACCES"). Commands share one process: descriptors that open
 * makes are numbered from 3 as usual and can be named by later commands. Numbers may be decimal, 0x or 0-octal. Flags of
 * open: r w a + (O_RDWR) c (O_CREAT) x (O_EXCL) t (O_TRUNC) d (O_DIRECTORY) n (O_NOFOLLOW) p (O_PATH) b (O_NONBLOCK) m (O_TMPFILE).
 * A number stands for itself. A raw call: probe call NUMBER-OR-NAME [ARG...] where @TEXT is a pointer to TEXT; more in probe_call.c.
 *
 * `probe script` reads commands from its input, one a line, and prefixes each answer with the line (probe_script.c).
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

void answer(long result)
{
	int err = errno;
	if (result < 0) {
		const char *name = strerrorname_np(err);
		if (name)
			printf("%s\n", name);
		else
			printf("errno %d\n", err);
	} else if (result > 0) {
		printf("ok %ld\n", result);
	} else {
		printf("ok\n");
	}
	fflush(stdout);
}

void answer_text(const char *text, ssize_t len)
{
	if (len < 0) {
		answer(len);
		return;
	}
	printf("ok %.*s\n", (int)len, text);
	fflush(stdout);
}

long number(const char *text)
{
	return strcmp(text, "cwd") == 0 ? AT_FDCWD : (long)strtoull(text, NULL, 0);
}

int open_flags(const char *text)
{
	static const struct {
		char letter;
		int flag;
	} letters[] = { { 'r', O_RDONLY }, { 'w', O_WRONLY }, { 'a', O_WRONLY | O_APPEND }, { '+', O_RDWR },
			{ 'c', O_CREAT }, { 'x', O_EXCL }, { 't', O_TRUNC }, { 'd', O_DIRECTORY }, { 'n', O_NOFOLLOW },
			{ 'p', O_PATH }, { 'b', O_NONBLOCK }, { 'm', O_TMPFILE }, { 'e', O_CLOEXEC } };
	int flags = 0;
	if (*text >= '0' && *text <= '9')
		return (int)number(text);
	for (; *text; text++)
		for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
			if (letters[i].letter == *text)
				flags |= letters[i].flag;
	return flags;
}

static void cmd_open(char **arg)
{
	answer(open(arg[0], open_flags(arg[1]), 0644));
}

static void cmd_openat(char **arg)	/* DIRFD PATH FLAGS */
{
	answer(openat((int)number(arg[0]), arg[1], open_flags(arg[2]), 0644));
}

static void cmd_openat2(char **arg)	/* DIRFD PATH FLAGS RESOLVE */
{
	struct open_how how = { .flags = (unsigned)open_flags(arg[2]), .resolve = (unsigned long)number(arg[3]) };
	how.mode = how.flags & O_CREAT ? 0644 : 0;
	answer(syscall(SYS_openat2, number(arg[0]), arg[1], &how, sizeof(how)));
}

static void cmd_cat(char **arg)		/* PATH: its first line */
{
	char text[4096];
	int fd = open(arg[0], O_RDONLY);
	if (fd < 0) {
		answer(-1);
		return;
	}
	ssize_t n = read(fd, text, sizeof(text));
	close(fd);
	char *end = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
	answer_text(text, end ? end - text : n);
}

static void cmd_write(char **arg)	/* FD TEXT */
{
	answer(write((int)number(arg[0]), arg[1], strlen(arg[1])));
}

static void cmd_read(char **arg)	/* FD */
{
	char text[4096];
	answer_text(text, read((int)number(arg[0]), text, sizeof(text)));
}

static void cmd_close(char **arg)
{
	answer(close((int)number(arg[0])));
}

static void cmd_stat(char **arg)
{
	struct stat st;
	int result = stat(arg[0], &st);
	answer(result < 0 ? -1 : (long)st.st_size);
}

static void cmd_lstat(char **arg)
{
	struct stat st;
	answer(lstat(arg[0], &st));
}

static void cmd_access(char **arg)	/* PATH MODE */
{
	answer(access(arg[0], (int)number(arg[1])));
}

static void cmd_readlink(char **arg)
{
	char text[4096];
	answer_text(text, readlink(arg[0], text, sizeof(text)));
}

static void cmd_mkdir(char **arg)
{
	answer(mkdir(arg[0], 0755));
}

static void cmd_rmdir(char **arg)
{
	answer(rmdir(arg[0]));
}

static void cmd_unlink(char **arg)
{
	answer(unlink(arg[0]));
}

static void cmd_rename(char **arg)
{
	answer(rename(arg[0], arg[1]));
}

static void cmd_link(char **arg)
{
	answer(link(arg[0], arg[1]));
}

static void cmd_symlink(char **arg)
{
	answer(symlink(arg[0], arg[1]));
}

static void cmd_mknod(char **arg)	/* PATH MODE DEV */
{
	answer(mknod(arg[0], (mode_t)number(arg[1]), (dev_t)number(arg[2])));
}

static void cmd_chmod(char **arg)
{
	answer(chmod(arg[0], (mode_t)number(arg[1])));
}

static void cmd_fchmod(char **arg)
{
	answer(fchmod((int)number(arg[0]), (mode_t)number(arg[1])));
}

static void cmd_chown(char **arg)	/* PATH UID GID */
{
	answer(chown(arg[0], (uid_t)number(arg[1]), (gid_t)number(arg[2])));
}

static void cmd_truncate(char **arg)
{
	answer(truncate(arg[0], (off_t)number(arg[1])));
}

static void cmd_utime(char **arg)
{
	answer(utimensat(AT_FDCWD, arg[0], NULL, 0));
}

static void cmd_setxattr(char **arg)	/* PATH NAME VALUE */
{
	answer(setxattr(arg[0], arg[1], arg[2], strlen(arg[2]), 0));
}

static void cmd_chdir(char **arg)
{
	answer(chdir(arg[0]));
}

static void cmd_umask(char **arg)
{
	umask((mode_t)number(arg[0]));
	answer(0);
}

static int unix_address(const char *path, struct sockaddr_un *address, socklen_t *len)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	size_t n = strlen(path);
	if (n >= sizeof(address->sun_path))
		return -1;
	memcpy(address->sun_path, path, n);
	if (*path == '@')
		address->sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*path != '@'));
	return 0;
}

static void cmd_connect(char **arg)	/* unix: PATH or @NAME */
{
	struct sockaddr_un address;
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	answer(fd < 0 || unix_address(arg[0], &address, &len) ? -1 : connect(fd, (struct sockaddr *)&address, len));
	close(fd);
}

static void cmd_bind(char **arg)	/* the socket stays open */
{
	struct sockaddr_un address;
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	answer(fd < 0 || unix_address(arg[0], &address, &len) ? -1 : bind(fd, (struct sockaddr *)&address, len));
}

static void cmd_exec(char **arg)	/* PROGRAM: in a child; its status */
{
	pid_t pid = fork();
	if (pid == 0) {
		char *argv[] = { arg[0], NULL };
		execv(arg[0], argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	int status = 0;
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		answer(-1);
	else if (WIFSIGNALED(status))
		printf("signal %d\n", WTERMSIG(status));
	else
		answer(WEXITSTATUS(status));
}

static void cmd_kill(char **arg)	/* PID SIGNAL; PID 0 is the parent */
{
	pid_t pid = (pid_t)number(arg[0]);
	answer(kill(pid ? pid : getppid(), (int)number(arg[1])));
}

static void cmd_rlimit(char **arg)	/* RESOURCE: the soft limit */
{
	struct rlimit limit;
	answer(getrlimit((__rlimit_resource_t)number(arg[0]), &limit) < 0 ? -1 : (long)limit.rlim_cur);
}

static void cmd_capbset(char **arg)	/* CAP: 1 if it is in the bounding set */
{
	answer(prctl(PR_CAPBSET_READ, number(arg[0])));
}

static void cmd_status(char **arg)	/* FIELD of /proc/self/status */
{
	char line[512];
	size_t len = strlen(arg[0]);
	FILE *file = fopen("/proc/self/status", "re");
	if (!file) {
		answer(-1);
		return;
	}
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, arg[0], len) == 0 && line[len] == ':')
			printf("ok%s", strpbrk(line, "\t "));
	fclose(file);
	fflush(stdout);
}

static void cmd_fds(char **arg)		/* the numbers of open descriptors below 64 */
{
	(void)arg;
	printf("ok");
	for (int fd = 0; fd < 64; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf(" %d", fd);
	printf("\n");
	fflush(stdout);
}

static void cmd_env(char **arg)
{
	const char *value = getenv(arg[0]);
	answer_text(value ? value : "(none)", (ssize_t)strlen(value ? value : "(none)"));
}

static void cmd_pid(char **arg)
{
	(void)arg;
	answer(getpid());
}

static void cmd_getuid(char **arg)
{
	(void)arg;
	answer(getuid());
}

static void cmd_cwd(char **arg)
{
	char text[4096];
	(void)arg;
	if (getcwd(text, sizeof(text)))
		answer_text(text, (ssize_t)strlen(text));
	else
		answer(-1);
}

static void cmd_ptpeer(char **arg)	/* the kernel opens the terminal's other end by itself */
{
	(void)arg;
	int unlocked = 0, fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	answer(fd < 0 || ioctl(fd, TIOCSPTLCK, &unlocked) < 0 || ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY) < 0 ? -1 : 0);
}

static void cmd_pause(char **arg)	/* until a signal */
{
	(void)arg;
	answer(pause());
}

static void cmd_script(char **arg)
{
	(void)arg;
	exit(run_script());
}

static void cmd_talk(char **arg)
{
	(void)arg;
	exit(run_talk());
}

static const struct command commands[] = {
	{ "open", 2, cmd_open }, { "openat", 3, cmd_openat }, { "openat2", 4, cmd_openat2 }, { "cat", 1, cmd_cat },
	{ "write", 2, cmd_write }, { "read", 1, cmd_read }, { "close", 1, cmd_close }, { "stat", 1, cmd_stat },
	{ "lstat", 1, cmd_lstat }, { "access", 2, cmd_access }, { "readlink", 1, cmd_readlink },
	{ "mkdir", 1, cmd_mkdir }, { "rmdir", 1, cmd_rmdir }, { "unlink", 1, cmd_unlink }, { "rename", 2, cmd_rename },
	{ "link", 2, cmd_link }, { "symlink", 2, cmd_symlink }, { "mknod", 3, cmd_mknod }, { "chmod", 2, cmd_chmod },
	{ "fchmod", 2, cmd_fchmod }, { "chown", 3, cmd_chown }, { "truncate", 2, cmd_truncate },
	{ "utime", 1, cmd_utime }, { "setxattr", 3, cmd_setxattr }, { "chdir", 1, cmd_chdir }, { "umask", 1, cmd_umask },
	{ "connect", 1, cmd_connect }, { "bind", 1, cmd_bind }, { "exec", 1, cmd_exec }, { "kill", 2, cmd_kill },
	{ "rlimit", 1, cmd_rlimit }, { "capbset", 1, cmd_capbset }, { "status", 1, cmd_status }, { "fds", 0, cmd_fds },
	{ "env", 1, cmd_env }, { "pid", 0, cmd_pid }, { "getuid", 0, cmd_getuid }, { "cwd", 0, cmd_cwd },
	{ "pause", 0, cmd_pause }, { "ptpeer", 0, cmd_ptpeer }, { "script", 0, cmd_script }, { "talk", 0, cmd_talk }, { "again", 3, cmd_again }, { .name = NULL },
};

int run_command(char **argv, int argc)
{
	const struct command *const tables[] = { commands, call_commands, exec_commands, socket_commands, net_commands, scene_commands,
						      wait_commands, lease_commands };
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct command *row = tables[i]; row->name; row++)
			if (strcmp(row->name, argv[0]) == 0 && (row->args < 0 || row->args == argc - 1)) {
				row->run(argv + 1);
				return 0;
			}
	fprintf(stderr, "probe: what is '%s' with %d arguments?\n", argv[0], argc - 1);
	return 2;
}

int main(int argc, char **argv)
{
	int status = argc < 2 ? 2 : 0;
	for (int i = 1; i < argc && status == 0;) {
		int end = i;
		while (end < argc && strcmp(argv[end], ",") != 0)
			end++;
		if (end < argc)
			argv[end] = NULL;
		status = end > i ? run_command(argv + i, end - i) : 2;
		i = end + 1;
	}
	return status;
}
