#include "run_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fd.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define LISTEN_FDS_START 3
#define LISTEN_FDS_MAX   4096

static int put(struct run_fds *fds, int fd)
{
	int *list = reallocarray(fds->list, fds->n + 1, sizeof(*list));
	if (!list)
		return CLI_RUN_FAILED;
	fds->list = list;
	list[fds->n++] = fd;
	return 0;
}

int run_fds_add(struct run_fds *fds, const char *text, const struct cli *cli)
{
	char *end;
	errno = 0;
	long fd = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || fd > INT32_MAX) {
		cli_error(cli, "--pass-fd takes the number of a descriptor, not '%s'", text);
		return CLI_RUN_FAILED;
	}
	if (fcntl((int)fd, F_GETFD) < 0) {
		cli_error(cli, "--pass-fd %ld: there is no such open descriptor", fd);
		return CLI_RUN_FAILED;
	}
	return fd <= 2 ? 0 : put(fds, (int)fd);
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return (x > y) - (x < y);
}

static int add_activation(struct run_fds *fds)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	long n = count ? strtol(count, NULL, 10) : 0;
	if (!pid || strtol(pid, NULL, 10) != getpid() || n <= 0 || n > LISTEN_FDS_MAX)
		return 0;
	fds->activation = true;
	for (int fd = LISTEN_FDS_START; fd < LISTEN_FDS_START + n; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && put(fds, fd) != 0)
			return CLI_RUN_FAILED;
	return 0;
}

static int close_others(const struct run_fds *fds)
{
	unsigned next = 3;
	for (size_t i = 0; i <= fds->n; i++) {
		unsigned fd = i < fds->n ? (unsigned)fds->list[i] : ~0U;
		if (fd > next && syscall(SYS_close_range, next, i < fds->n ? fd - 1 : ~0U, 0) < 0)
			return CLI_RUN_FAILED;
		next = fd + 1;
	}
	return 0;
}

int run_fds_settle(struct run_fds *fds, const struct cli *cli)
{
	size_t kept = 0;
	if (add_activation(fds) != 0)
		return CLI_RUN_FAILED;
	if (fds->n)
		qsort(fds->list, fds->n, sizeof(*fds->list), compare);
	for (size_t i = 0; i < fds->n; i++)
		if (i == 0 || fds->list[i] != fds->list[i - 1])
			fds->list[kept++] = fds->list[i];
	fds->n = kept;
	if (close_others(fds) != 0) {
		cli_error(cli, "cannot close inherited descriptors: %s", strerror(errno));
		return CLI_RUN_FAILED;
	}
	/* What we open must not become the program's stdin. It is closed again by the exec, as it was. */
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) < 0) {
			cli_error(cli, "cannot open /dev/null: %s", strerror(errno));
			return CLI_RUN_FAILED;
		}
	return 0;
}

static bool is_socket(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

bool run_fds_socket(const struct run_fds *fds)
{
	bool found = is_socket(0) || is_socket(1) || is_socket(2);
	for (size_t i = 0; i < fds->n; i++)
		found |= is_socket(fds->list[i]);
	return found;
}

static bool is_unix(int fd)
{
	int domain = -1;
	socklen_t len = sizeof(domain);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

bool run_fds_unix(const struct run_fds *fds)
{
	bool found = is_unix(0) || is_unix(1) || is_unix(2);
	for (size_t i = 0; i < fds->n; i++)
		found |= is_unix(fds->list[i]);
	return found;
}

void run_fds_close(const struct run_fds *fds)
{
	AUTO_FD null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup3(null, 0, O_CLOEXEC);
		(void)dup3(null, 1, O_CLOEXEC);
	}
	for (size_t i = 0; i < fds->n; i++)
		close(fds->list[i]);
}

void run_fds_free(struct run_fds *fds)
{
	free(fds->list);
	*fds = (struct run_fds){ 0 };
}
