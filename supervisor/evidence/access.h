/* One access as evidence knows it: what is equal in all of this, times and counts aside, is one access that happened often. */
#ifndef USHER_ACCESS_H
#define USHER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

enum access_verdict { ACCESS_ALLOW, ACCESS_WOULD_DENY, ACCESS_DENY };

/* Bytes, not NUL-ended. */
struct bytes { const char *s; size_t len; };

struct access {
	struct bytes object;	/* the resolved path, an address, or a system call's name */
	struct bytes to;	/* rename and link: the new name; mounts: where from */
	struct bytes via;	/* symlinks met on the way, each with a NUL at its end; mounts: mounted.h */
	struct bytes program, domain;
	uint32_t ops, to_ops;	/* 0: nothing but the system call was judged */
	int proto;		/* enum policy_proto of a socket, else -1; files and unix paths: -1 */
	int error;		/* positive errno that the program got, or 0 */
	enum access_verdict verdict;
	bool tree;		/* rename of a directory */

	int64_t run;		/* number of the run; readers only */
	uint64_t count;
	int64_t first_ns, last_ns;	/* CLOCK_REALTIME */
};

const char *access_verdict_name(enum access_verdict verdict);
/* -1 if there is none of that name. */
int access_verdict_named(const char *name);
/* "read,write" into BUF; and back, 0 if a word is none. */
#define ACCESS_OPS_TEXT 192
const char *access_ops_text(uint32_t ops, char buf[ACCESS_OPS_TEXT]);
uint32_t access_ops_parse(const char *text, size_t len);

#endif
