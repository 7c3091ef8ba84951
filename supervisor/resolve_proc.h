/* What the parts that know procfs share: resolve_number.c (whose number is it), resolve_owner.c (whose entry is it, and may it be
 * seen), resolve_proc.c (links, and what a process may do to itself). */
#ifndef USHER_RESOLVE_PROC_H
#define USHER_RESOLVE_PROC_H

#include "resolve_walk.h"

#define PROC_ROOT_INO 1

ssize_t proc_read(int dir, const char *name, char *buf, size_t size);
/* A whole name that is a number, or -1. */
pid_t name_number(const char *name, size_t len);

/* As we count: the target's process or a thread of it; usher's own; a process of the sandbox, which the guardian is above. */
bool target_is(const struct target *target, pid_t number);
bool number_ours(const struct resolver *resolver, pid_t number);
bool number_member(const struct resolver *resolver, pid_t number);

/* The target's number, or its thread's, in the instance whose root is DIR, and how many PID namespaces below ours that one
 * is. -1: it does not see the target. */
pid_t number_in(const struct walk *walk, int dir, dev_t dev, bool thread, int *level);
/* The first process of the PID namespace LEVEL below ours, if it is the target or one of its ancestors in the sandbox. Else 0. */
pid_t init_of(const struct walk *walk, int level);
/* Is NUMBER, in the instance whose root is DIR, a descendant of that namespace's first process? */
bool below_init(int dir, pid_t number);

/* Whose directory DIR is, and its PATH. 0 or -errno. */
int relation_of_dir(const struct walk *walk, int dir, char path[PATH_MAX], enum proc_relation *relation);

#endif
