/*
 * What runs in the child between fork and exec, and the guardian that stands above it. libc only.
 * Everything is prepared by the supervisor before the fork; after it only async-signal-safe calls are made.
 */
#ifndef USHER_AGENT_H
#define USHER_AGENT_H

#include <linux/filter.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "wire.h"

/*
 * One thing in the root directory that the program is given, behind the directory that it is in. The text of a link, and owner
 * and mode of a directory on the way, are those of the real one.
 */
enum agent_place_kind { PLACE_WAY, PLACE_LINK, PLACE_TREE, PLACE_FILE };
struct agent_place {
	enum agent_place_kind kind;
	const char *path;		/* absolute; "/" is the first */
	const char *to;			/* PLACE_LINK */
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

struct agent_limit { int resource; struct rlimit value; };

struct agent_plan {
	struct wire_page *page;
	const char *program;		/* as it was named: agent_lookup() finds it in .path, with the child's credentials */
	const char *path;		/* PATH; NULL: the system's default */
	char *const *argv, *const *envp;
	int namespaces;			/* CLONE_NEW*: which are the tree's own (namespaces.c) */
	const struct agent_place *view;	/* all that there is for the program (namespaces.c) */
	size_t n_view;			/* 0: everything */
	const char *chdir;		/* NULL: stay */
	const char *cwd;		/* with a view: where we are, by its name; what is not in the view becomes "/" */
	bool set_user;			/* --user */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
	bool privileged;		/* started as root: capabilities are limited to .capabilities */
	uint64_t capabilities;
	bool new_privileges;		/* set-user-ID programs work: no_new_privs is left unset where the kernel does not need it */
	const struct agent_limit *limits;
	size_t n_limits;
	int landlock;			/* ruleset descriptor, -1: none */
	unsigned landlock_flags;
	struct sock_fprog filter;
	unsigned long filter_flags;	/* NEW_LISTENER | WAIT_KILLABLE_RECV */
	const int *pass;		/* descriptors that survive beside 0, 1, 2; sorted */
	size_t n_pass;
	bool activation;		/* LISTEN_FDS: rewrite LISTEN_PID in envp (room was made: listen_pid points into it) */
	char *listen_pid;
	sigset_t mask;			/* the signal mask usher was started with */
	bool sigchld_ignored;		/* and whether SIGCHLD was ignored then */
};

/* In the child: never returns. On failure .stage, .error of the page are set and the child exits 125. */
_Noreturn void agent_run(const struct agent_plan *plan);

/*
 * The file that NAME stands for when PATH is searched as execvp(3) does: NAME itself if it has a slash. 0, -ENOENT
 * (nowhere), -EACCES (found, but it is no file that may be executed), -ENAMETOOLONG.
 */
int agent_lookup(const char *name, const char *path, char *found, size_t size);

/*
 * In the guardian, a fork of the supervisor: becomes subreaper, forks the child (agent_run), reaps until no descendant is left, then
 * exits 0. ALIVE: one end of a socket pair whose other end only the supervisor has: at EOF the supervisor is dead, and every
 * descendant is killed until none remains (KILL_ON_EXIT), including those that daemonised. A byte is sent on it for
 * each change of the page once the child runs. Never returns.
 * In a PID namespace of the tree's own it is the first process: numbers in there mean nothing to the supervisor, which has to find
 * the child by itself.
 */
_Noreturn void guardian_run(const struct agent_plan *plan, int alive, bool kill_on_exit);

/* For supervisor and guardian: out of reach of the tree's user (undumpable) and of the OOM killer, as far as that is permitted. */
void guardian_shield(void);

/* The living children of PARENT: at most MAX numbers into LIST. Reads /proc. */
size_t kin_children(pid_t parent, pid_t *list, size_t max);
/* 1: PID has ROOT among its ancestors; 0: it has not; -1: one on the way has died. */
int kin_descends(pid_t pid, pid_t root);
/* Stops and then kills every descendant of ROOT that /proc shows, but for those that are SPARED (NULL: nobody); to be called again until
 * none is left. One thread at a time. False: there was nobody. */
bool kin_kill(pid_t root, bool (*spared)(pid_t));

#endif
