/*
 * System calls by name, number, parameter and group, and the rules of a syscalls section.
 * Names and numbers are those of Linux 6.18 for the architecture this was compiled for, whatever the
 * headers at hand know. Groups follow systemd.exec(5) SystemCallFilter=.
 */
#ifndef USHER_SYSCALLS_H
#define USHER_SYSCALLS_H

#include "policy.h"

struct syscall_param {
	const char *name;	/* "flags"; NULL past the last */
	uint8_t bits;		/* 32 for int, unsigned, mode_t...: the kernel ignores the high half; else 64 */
};
struct syscall_info {
	int nr;
	const char *name;
	struct syscall_param params[6];
};

/* The highest number this table knows (469 on Linux 6.18). */
int syscall_max(void);
/* NULL if there is none. */
const struct syscall_info *syscall_by_nr(int nr);
const struct syscall_info *syscall_by_name(const char *name, size_t len);
/* The call whose name is nearest to NAME, for "did you mean"; NULL if none is near. */
const char *syscall_nearest(const char *name, size_t len);

/* Members of group NAME ("@file-system", with the @), resolved to numbers: sorted, without doubles, calls
 * that this architecture lacks left out. *N is 0 and NULL is returned if there is no such group. Free it. */
int *syscall_group(const char *name, size_t len, size_t *n);
/* The I-th group's name, NULL past the last, and a sentence about it. */
const char *syscall_group_name(size_t i, const char **about);

/* A named constant (O_*, AF_*, SOCK_*, PROT_*, CLONE_*, S_IF*, MAP_*, ...). */
bool syscall_constant(const char *name, size_t len, uint64_t *value);

/* Compiles the syscalls rules of POLICY into policy->syscalls. Conditions too complex are errors in DIAGS. */
int syscalls_compile(struct policy *policy, struct policy_diags *diags);
void syscalls_free(struct policy_syscalls *syscalls);

#endif
