#include "scripted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void scripted_begin(int argc, char **argv, const struct scripted *programs)
{
	if (argc == 2)
		cmocka_set_test_filter(argv[1]);
	if (argc != 3)
		return;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);	/* a child that is forked says nothing again */
	if (chdir(argv[1]))
		_exit(99);
	for (; programs->name; programs++)
		if (!strcmp(programs->name, argv[2])) {
			programs->run();
			_exit(fflush(stdout) != 0);	/* where a leak checker could not look round any more */
		}
	_exit(98);
}

void scripted_run(struct live *live, const char *name, const char *namespaces)
{
	const char *argv[] = { live_tool(program_invocation_short_name), live->dir, name, NULL };
	live->options[0] = namespaces ? "--unshare" : NULL;
	live->options[1] = namespaces;
	live_run(live, argv);
}

/* How often the test's directory is spoken of in our own mountinfo; others mount as well meanwhile. */
static int outside(const struct live *live)
{
	char *text = live_read("/proc/self/mountinfo");
	int n = 0;
	assert_non_null(text);
	for (const char *at = text; (at = strstr(at, live->dir)); at++)
		n++;
	free(text);
	return n;
}

void scripted_expect(struct live *live, const char *policy, const char *name, const char *namespaces, const char *expected)
{
	int before = outside(live);
	live_policy(live, policy);
	scripted_run(live, name, namespaces);
	if (live->status || strcmp(live->out, expected))
		fail_msg("%s: status %d, expected:\n%s\ngot:\n%s%s", name, live->status, expected, live->out, live->err);
	assert_int_equal(outside(live), before);
}

void say(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
}

void say_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	say(path, fd);
	if (fd >= 0)
		close(fd);
}

int receive_fd(int from)
{
	char byte, space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space) };
	int fd = -1;
	if (recvmsg(from, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

void send_fd(int to, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
	*header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	(void)!sendmsg(to, &msg, 0);
}
