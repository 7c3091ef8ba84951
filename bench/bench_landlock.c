/* Landlock alone: bench_landlock DIR... -- PROGRAM [ARG]... may do everything at and below each DIR, and nothing elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RIGHTS ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)	/* those of the first version */

int main(int argc, char **argv)
{
	struct landlock_ruleset_attr handled = { .handled_access_fs = RIGHTS };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled.handled_access_fs), 0), i = 1;

	for (; i < argc && strcmp(argv[i], "--"); i++) {
		struct landlock_path_beneath_attr below = { .allowed_access = RIGHTS, .parent_fd = open(argv[i], O_PATH | O_CLOEXEC) };
		if (below.parent_fd < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &below, 0)) {
			perror(argv[i]);
			return 1;
		}
		close(below.parent_fd);
	}
	if (i + 1 >= argc || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, ruleset, 0)) {
		fprintf(stderr, "bench_landlock: %s\n", i + 1 >= argc ? "DIR... -- PROGRAM" : strerror(errno));
		return 1;
	}
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 1;
}
