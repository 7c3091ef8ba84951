/*
 * Landlock alone: bench_landlock [--allow-all-filter] [--truncate] [+]DIR... -- PROGRAM [ARG]... may read and execute at and below each
 * DIR, do everything below those with a plus, and nothing elsewhere. With the first option there is a seccomp filter besides, of one line,
 * that allows everything: what the kernel charges for having one.
 *
 * The rights are those that usher handles for the same rules: all but the one to truncate. With the second option that one, too: then each
 * open also asks whether the descriptor may be truncated, and where a rule does not say so, the kernel looks on up to the root.
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

#include "kernel.h"

#define READS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

static int allow_all(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = 1, .filter = &allow };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

/* All of the kernel's file rights. */
static __u64 rights(bool truncate)
{
	static const int bits[] = { 0, 13, 14, 15, 15, 16 };	/* by version */
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	__u64 all = version < 1 ? 0 : (1ULL << bits[version > 5 ? 5 : version]) - 1;

	return truncate ? all : all & ~(__u64)LANDLOCK_ACCESS_FS_TRUNCATE;
}

int main(int argc, char **argv)
{
	bool filter = argc > 1 && !strcmp(argv[1], "--allow-all-filter"), truncate = argc > 1 + filter && !strcmp(argv[1 + filter], "--truncate");
	struct landlock_ruleset_attr handled = { .handled_access_fs = rights(truncate) };
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled.handled_access_fs), 0), i;

	for (i = 1 + filter + truncate; i < argc && strcmp(argv[i], "--"); i++) {
		bool all = argv[i][0] == '+';
		struct landlock_path_beneath_attr below = {
			.allowed_access = all ? handled.handled_access_fs : READS, .parent_fd = open(argv[i] + all, O_PATH | O_CLOEXEC),
		};
		if (below.parent_fd < 0 || syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &below, 0)) {
			perror(argv[i]);
			return 1;
		}
		close(below.parent_fd);
	}
	if (i + 1 >= argc || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, ruleset, 0) || (filter && allow_all())) {
		fprintf(stderr, "bench_landlock: %s\n", i + 1 >= argc ? "[--allow-all-filter] [--truncate] [+]DIR... -- PROGRAM" : strerror(errno));
		return 1;
	}
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 1;
}
