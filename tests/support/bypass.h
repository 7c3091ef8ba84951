/* What the parts of bypass.c share: who is attacked, and what counts as refused. */
#ifndef USHER_BYPASS_H
#define USHER_BYPASS_H

#include <stdint.h>
#include <sys/types.h>

#define HIGH (UINT64_C(0x5a5a5a5a) << 32)	/* the half of an int argument that the kernel ignores */

/* 0: it worked, and must not have; else how it was refused: an errno, or 1000 and a signal. */
struct bypass_case {
	const char *name;
	int (*run)(void);
	int (*on)(pid_t pid);	/* or this, on the supervisor, its guardian and an outsider */
};
#define CASE(x) { #x, c_##x, NULL }
#define CASE_ON(x) { #x, NULL, c_##x }

/* Each ends with a case without a name. */
extern const struct bypass_case names_cases[], exec_cases[], call_cases[], process_cases[], space_cases[], socket_cases[];
/* A call that must be answered by usher, with one errno that the kernel would not have answered; see bypass_call.c. */
struct bypass_call {
	const char *name;
	long nr;
	int answer;
	const void *args[6];
};
extern const struct bypass_call bypass_calls[];

extern const char *open_dir, *secret_dir;
extern pid_t supervisor, outsider;

/* "DIR/NAME", in one of 8 turns of static memory. */
const char *in(const char *dir, const char *name);
#define SECRET(name) in(secret_dir, name)
#define OPEN(name) in(open_dir, name)

/* 0: what should be refused has worked; else the errno. */
int refused(long result);
/* For a descriptor, which is closed: whether the secret can be read through it. */
int refused_fd(int fd);
int in_child(int (*fn)(void));
/* CHILD runs a program; refused unless it is the forbidden one, which exits 66. */
int ran_secret(pid_t child);
/* What a program may do to its own processes; 0 or 1. */
int own_processes(void);
/* OPEN/slow0 is a symlink that leads to OPEN/NAME by a way that takes long. -1 and errno if it cannot be made. */
int slow_link(const char *name);

#endif
