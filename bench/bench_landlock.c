/*
 * Landlock alone: bench_landlock [--allow-all-filter] DIR... -- PROGRAM [ARG]... may do everything at and below each DIR, and nothing
 * elsewhere. With the option there is a seccomp filter besides, of one line, that allows everything: what the kernel charges for having one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RIGHTS ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)	/* those of the first version */

static int allow_all(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = 1, .filter = &allow };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

int main(int argc, char **argv)
{
	struct landlock_ruleset_attr handled = { .handled_access_fs = RIGHTS };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled.handled_access_fs), 0), i = 1;
	bool filter = argc > 1 && !strcmp(argv[1], "--allow-all-filter");

	for (i += filter; i < argc && strcmp(argv[i], "--"); i++) {
		struct landlock_path_beneath_attr below = { .allowed_access = RIGHTS, .parent_fd = open(argv[i], O_PATH | O_CLOEXEC) };
		if (below.parent_fd < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &below, 0)) {
			perror(argv[i]);
			return 1;
		}
		close(below.parent_fd);
	}
	if (i + 1 >= argc || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, ruleset, 0) || (filter && allow_all())) {
		fprintf(stderr, "bench_landlock: %s\n", i + 1 >= argc ? "[--allow-all-filter] DIR... -- PROGRAM" : strerror(errno));
		return 1;
	}
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 1;
}
