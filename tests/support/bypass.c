/*
 * Runs inside the sandbox and tries each known way round a system call broker, once.
 *
 *   bypass OPEN SECRET SUPERVISOR OUTSIDER [CASE | calls]
 *
 * OPEN is a directory that the policy gives wholly, SECRET one that it denies wholly although the file modes allow everything;
 * SECRET has: file ("SECRET", user.secret), exe (exits 66), socket and dgram (listening), dir/, emptydir/, victim. OPEN has ro (readable by
 * policy, not writable; also OPEN/good, an allowed program that exits 55), dark/ where everything is allowed but to read and chmod (dark/file:
 * "SECRET"), and log, which may be appended to but not written. SUPERVISOR is the pid of usher. OUTSIDER is a process that waits, in a
 * group of its own; it listens at the abstract name of OUTSIDER's number and owns the message queue "outsider-NUMBER". A descriptor of
 * SECRET was left open where usher was started. One line for each case: its name and how it was refused, or ESCAPED.
 * Exit 1 if anything escaped. `calls`: only those of bypass_call.c. Run natively, nearly everything escapes: that is the test of this test.
 *
 *   bypass --own		sets priorities and limits of its own processes, which must work
 */
#include "bypass.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

const char *open_dir, *secret_dir;
pid_t supervisor, outsider;

const char *in(const char *dir, const char *name)
{
	static char buffers[8][512];
	static unsigned turn;
	char *buffer = buffers[turn++ % 8];
	snprintf(buffer, 512, "%s/%s", dir, name);
	return buffer;
}

int refused(long result)
{
	return result < 0 ? errno : 0;
}

int refused_fd(int fd)
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

int in_child(int (*fn)(void))
{
	pid_t child = fork();
	int status;
	if (child == 0)
		_exit(fn());
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return errno;
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

int ran_secret(pid_t child)
{
	int status;
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return errno;
	if (WIFSIGNALED(status))
		return 1000 + WTERMSIG(status);
	return WEXITSTATUS(status) == 66 ? 0 : WEXITSTATUS(status) ? WEXITSTATUS(status) : EACCES;
}

static const char *wanted;
static unsigned tried, escaped;

static void tell(const char *name, const char *on, int error)
{
	char full[80];
	snprintf(full, sizeof full, "%s%s%s", name, *on ? " " : "", on);
	tried++;
	escaped += error == 0;
	printf("%-28s %s\n", full, error == 0 ? "ESCAPED" : error > 1000 ? strsignal(error - 1000) : strerror(error));
	fflush(stdout);
}

static void try_cases(const struct bypass_case *cases)
{
	for (; cases->name; cases++) {
		if (wanted && strcmp(wanted, cases->name))
			continue;
		errno = 0;
		if (cases->run) {
			tell(cases->name, "", cases->run());
			continue;
		}
		tell(cases->name, "supervisor", cases->on(supervisor));
		tell(cases->name, "guardian", cases->on(getppid()));
		tell(cases->name, "outsider", cases->on(outsider));
	}
}

static void try_calls(void)
{
	for (const struct bypass_call *call = bypass_calls; call->name; call++) {
		const void *const *args = call->args;
		if (wanted && strcmp(wanted, call->name) && strcmp(wanted, "calls"))
			continue;
		errno = 0;
		long result = syscall(call->nr, args[0], args[1], args[2], args[3], args[4], args[5]);
		tell(call->name, "call", result == -1 && errno == call->answer ? errno : 0);
	}
}

/*
 * --late OPEN ADDRESS: a child asks for an attribute by a slow name, to have it written to ADDRESS. Its number stands in OPEN/asked
 * before, and when it was killed OPEN/reaped is there. This goes on until it is killed, too.
 */
static int late(const char *address)
{
	static const char value[] = "LATE";
	void *to = (void *)(uintptr_t)strtoull(address, NULL, 16);
	close(open(OPEN("attributed"), O_CREAT | O_WRONLY, 0666));
	if (setxattr(OPEN("attributed"), "user.late", value, sizeof value, 0) < 0 || slow_link("attributed") < 0)
		return 1;
	pid_t child = fork();
	if (child == 0) {
		char pid[16];
		int len = snprintf(pid, sizeof pid, "%d\n", (int)getpid()), fd = open(OPEN("asked"), O_CREAT | O_WRONLY, 0666);
		if (write(fd, pid, (size_t)len) == len)
			(void)!getxattr(OPEN("slow0"), "user.late", to, 64);
		_exit(1);
	}
	waitpid(child, NULL, 0);
	close(open(OPEN("reaped"), O_CREAT | O_WRONLY, 0666));
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--exit66"))
		return 66;
	if (argc == 2 && !strcmp(argv[1], "--own"))
		return own_processes();
	if (argc == 3 && !strcmp(argv[1], "--read"))
		return refused_fd(open(argv[2], O_RDONLY)) ? 0 : 66;
	if (argc == 4 && !strcmp(argv[1], "--late")) {
		open_dir = argv[2];
		return late(argv[3]);
	}
	if (argc < 5) {
		fprintf(stderr, "usage: bypass OPEN SECRET SUPERVISOR OUTSIDER [CASE | calls]\n");
		return 2;
	}
	open_dir = argv[1];
	secret_dir = argv[2];
	supervisor = (pid_t)atoi(argv[3]);
	outsider = (pid_t)atoi(argv[4]);
	wanted = argc > 5 ? argv[5] : NULL;
	signal(SIGPIPE, SIG_IGN);
	try_calls();
	try_cases(names_cases);
	try_cases(exec_cases);
	try_cases(call_cases);
	try_cases(socket_cases);
	try_cases(process_cases);
	try_cases(space_cases);	/* last: natively chroot succeeds, and then nothing has a name any more */
	printf("%u cases, %u escaped\n", tried, escaped);
	return escaped ? 1 : 0;
}
