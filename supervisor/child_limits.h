/* `limits { }`: what this version enforces of it, and errors for the rest. Not "limits.h", which is libc's. */
#ifndef USHER_CHILD_LIMITS_H
#define USHER_CHILD_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "policy.h"

struct limits {
	uint64_t capabilities;	/* what a child started as root keeps */
	uint64_t files;		/* RLIMIT_NOFILE; 0: as it is */
	uint64_t processes;	/* RLIMIT_NPROC of the user; 0: as it is */
	uint64_t memory;	/* RLIMIT_AS; 0: as it is */
	bool kill_on_exit;	/* supervisor-exit kill */
};

#define LIMITS_CAPABILITIES_ALL UINT64_MAX

/* Errors go to DIAGS; how many there were. */
unsigned limits_read(struct limits *limits, const struct policy *policy, struct policy_diags *diags);
/* The number of the capability called NAME ("net_bind_service", with or without "cap_"), or -1. */
int limits_capability(const char *name);

/* limits { mounts native; }: mounts, roots and namespaces are the program's own affair. */
bool limits_native_mounts(const struct policy *policy);

#endif
