#include "run_subids.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RANGES_MAX 32
#define NUMBER 16

struct map {
	char text[3 * (RANGES_MAX + 1) + 1][NUMBER];
	size_t n;
};

static void map_add(struct map *map, unsigned inside, unsigned outside, unsigned count)
{
	(void)snprintf(map->text[map->n++], NUMBER, "%u", inside);
	(void)snprintf(map->text[map->n++], NUMBER, "%u", outside);
	(void)snprintf(map->text[map->n++], NUMBER, "%u", count);
}

/* NAME:FIRST:COUNT, where the name may be the number. */
static int read_ranges(struct map *map, const char *file, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);
	unsigned next = 1, first, count;
	char line[512], number[NUMBER];
	FILE *from = fopen(file, "re");

	if (!from)
		return errno == ENOENT ? -ESRCH : -errno;
	(void)snprintf(number, sizeof(number), "%u", uid);
	while (map->n < 3 * RANGES_MAX && fgets(line, sizeof(line), from)) {
		char *colon = strchr(line, ':');
		if (!colon || sscanf(colon, ":%u:%u", &first, &count) != 2 || !count || count > UINT32_MAX - next)
			continue;
		*colon = '\0';
		if (strcmp(line, number) != 0 && (!user || strcmp(line, user->pw_name) != 0))
			continue;
		map_add(map, next, first, count);
		next += count;
	}
	(void)fclose(from);
	return next > 1 ? 0 : -ESRCH;
}

static int run_tool(const char *tool, pid_t pid, const struct map *map)
{
	char number[NUMBER];
	const char *argv[3 * (RANGES_MAX + 1) + 3] = { tool, number };
	int status;
	pid_t child;

	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	for (size_t i = 0; i < map->n; i++)
		argv[2 + i] = map->text[i];
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		(void)execvp(tool, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	/* SIGCHLD may be ignored. */
	if (waitpid(child, &status, 0) < 0)
		return -errno;
	return status == 0 ? 0 : WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : -EPERM;
}

static int map_kind(const char *tool, const char *file, pid_t pid, uid_t user, unsigned id)
{
	struct map map = { .n = 0 };
	int err;

	map_add(&map, 0, id, 1);
	err = read_ranges(&map, file, user);
	return err ? err : run_tool(tool, pid, &map);
}

int subids_map(pid_t pid, uid_t uid, gid_t gid)
{
	int err = map_kind("newuidmap", "/etc/subuid", pid, uid, uid);

	return err ? err : map_kind("newgidmap", "/etc/subgid", pid, uid, gid);
}
