/*
 * What a supervisor costs at least: PROGRAM under the smallest loop (floor.h).
 *
 *   bench_floor [--deny | --stat | --unlink | --connect | --allow-all] [--no-sync] -- PROGRAM [ARGUMENT...]
 *
 * --deny: names with /secret/ in them are pinned and refused. --stat: newfstatat is served as well. --unlink: unlink is. --connect: only
 * connect is. --allow-all: nothing is trapped, there is only a filter that says so.
 */
#include <poll.h>

#include "floor.h"

static int program(void *arg)
{
	char **argv = arg;

	execvp(argv[0], argv);
	perror(argv[0]);
	return 127;
}

int main(int argc, char **argv)
{
	enum floor_mode mode = FLOOR_OPEN;
	struct floor_launch launch;
	struct pollfd wait = { .events = POLLIN };
	bool sync = true;
	int i = 1, root;

	(void)argc;
	for (; argv[i] && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "--deny"))
			mode = FLOOR_DENY;
		else if (!strcmp(argv[i], "--stat"))
			mode = FLOOR_STAT;
		else if (!strcmp(argv[i], "--unlink"))
			mode = FLOOR_UNLINK;
		else if (!strcmp(argv[i], "--connect"))
			mode = FLOOR_CONNECT;
		else if (!strcmp(argv[i], "--allow-all"))
			mode = FLOOR_ALLOW_ALL;
		else if (!strcmp(argv[i], "--no-sync"))
			sync = false;
		else
			break;
	}
	if (!argv[i] || strcmp(argv[i], "--") || !argv[i + 1]) {
		fprintf(stderr, "usage: bench_floor [--deny | --stat | --unlink | --connect | --allow-all] [--no-sync] -- PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	root = floor_root();
	launch = floor_start(mode, program, argv + i + 1);
	signal(SIGINT, SIG_IGN);	/* the child's, and not to be inherited */
	if (mode == FLOOR_ALLOW_ALL)
		return floor_status(launch.child);
	floor_sync(launch.listener, sync);
	wait.fd = launch.listener;
	while (poll(&wait, 1, -1) >= 0 && !(wait.revents & POLLHUP))
		if (wait.revents & POLLIN)
			floor_serve(launch.listener, root, mode);
	return floor_status(launch.child);
}
