/*
 * The call table: what the broker knows about a system call. The filter, the dispatch, `usher help calls`
 * and the tests are made from it, so that nothing can be trapped that nothing serves.
 */
#ifndef USHER_CALL_H
#define USHER_CALL_H

#include "filter.h"
#include "request.h"

/* When a row is trapped at all. */
enum call_when {
	CALL_NEVER,
	CALL_FILES,	/* while some file operation is restricted: every call that names a path */
	CALL_STAT,	/* cover has stat: stat, access, readlink, statfs families */
	CALL_HIDE,	/* getdents: while names are hidden */
	CALL_MODIFY_FD,	/* chmod, chown, xattr, utime... through a descriptor; while one of .ops is restricted */
	CALL_UNIX,	/* bind: policies with files or network sections */
	CALL_REACH,	/* connect, sends with an address: the same, unless Landlock decides alone (ports.h) */
	CALL_PEERS,	/* socket: while rules speak of addresses */
	CALL_REDIRECTS,	/* getpeername: while connects are redirected */
	CALL_LISTEN,	/* listen: while rules restrict what TCP sockets are bound to */
	CALL_ACCEPT,	/* the same of accept, unless no socket can have come from elsewhere (ports.h) */
	CALL_PAIR,	/* socketpair: where it must not give a socket that can be connected elsewhere (ports.h) */
	CALL_EXEC,	/* execve, execveat */
	CALL_CRED,	/* set*id, setgroups, capset: only to forget cached credentials; when they may differ */
	CALL_PROCESS,	/* a process by its number, for what Landlock does not keep inside */
	CALL_APPEND,	/* ftruncate, fallocate, F_SETFL: while something may be appended to but not written */
	CALL_MOUNT,	/* mount, umount: made where rules speak of mounts, refused while what paths mean is fixed */
	CALL_REFUSED,	/* refused, with a record: see .topology, .free_ok and .named_ok */
};

struct plan;
struct filter_rows;

struct call {
	const char *name;
	enum call_when when;
	uint32_t ops;		/* CALL_MODIFY_FD and for the plan: operations it can be about */
	/* Copies arguments. 0, or -errno that is the answer (before any decision). */
	int (*fetch)(struct request *req);
	/* After resolve: sets req->ops[i]. NULL: .ops for every object. 0 or -errno as the answer if allowed. */
	int (*judge)(struct request *req);
	/* The decision on all of it, where it is not one on each object. NULL: it is. */
	struct policy_decision (*decide)(struct request *req);
	/* Acts on the copy and the pins; the target's credentials are worn. 0 with req->reply set, or -errno as the answer.
	 * -EINEXACT from a request with lexical objects: resolve exactly and come again. */
	int (*serve)(struct request *req);
	/* What the call answers instead of -errno ERR: what the kernel says first. NULL: ERR. The credentials are the supervisor's. */
	int (*failed)(struct request *req, int err);
	/* Frees what fetch put into req->args. NULL: nothing. Called once, when the request is over, if fetch was called at all. */
	void (*release)(struct request *req);
	bool lexical_ok;	/* serve understands objects that are only lexical */
	const char *may_continue;	/* the reason why this row may let the kernel go on; NULL: it never may */
	const struct filter_test *tests;	/* trap only if these hold (a union: one filter row each) */
	size_t n_tests;
	/* Or: adds the row's filter rows, and says whether they trap a call. NULL: all, or as .tests say. */
	int (*rows)(const struct plan *plan, struct filter_rows *rows);
	bool (*trapped)(const struct plan *plan, const uint64_t *args);
	int refuse;		/* CALL_REFUSED: positive errno */
	bool topology;		/* CALL_REFUSED: only while plan.topology_fixed; else served if there is .serve */
	bool mounts;		/* the same while mounts are made for the program, too; CALL_MOUNT: only if by the calls for descriptors as well */
	bool free_ok;		/* CALL_REFUSED: not while plan.free, since it gets round nothing then */
	bool named_ok;		/* CALL_REFUSED: not when a syscalls rule allows the call by its own name */
};

extern const struct call call_table[];	/* by number of this architecture */
extern const size_t call_table_size;

/* The row that serves NR, or NULL. */
const struct call *call_by_nr(int nr);
/* The row on whose account PLAN has DATA trapped. NULL: it is not, so that a rule on the system call is the only reason. */
const struct call *call_trapping(const struct plan *plan, const struct seccomp_data *data);

/*
 * The filter rows for POLICY: the table's, as far as the policy needs them, and the hardening of
 * what harden.c says. *ROWS malloc'ed. 0 or -ENOMEM.
 */
int call_filter_rows(const struct plan *plan, struct filter_row **rows, size_t *n);

#endif
