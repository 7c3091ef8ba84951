/*
 * From accesses to a policy that allows them, and as little more as makes the next run work. What a policy
 * allows already, or denies by a rule, is not proposed.
 */
#ifndef USHER_LEARN_H
#define USHER_LEARN_H

#include "access.h"
#include "text.h"
#include "tree.h"

struct learn_object {
	char *path;
	size_t len;
	uint32_t ops;		/* done, or tried with another end than that nothing was there */
	uint32_t tried;		/* with that end */
	uint32_t needed;	/* of those, what the policy denies by default */
	uint32_t extra, below;	/* so that moves gain nothing */
	uint64_t calls, runs;
	bool made;
};

struct learn_pair { char *from, *to; bool rename, tree; };

struct learn_peer {
	char *text;
	enum policy_proto proto;
	uint32_t ops;
	uint64_t calls, runs;
};

struct learn_mount {
	struct access access;	/* its strings end with a NUL and are owned */
	uint64_t runs;
};

struct learn_refused { char *what; char *by; };

struct learn {
	struct learn_object *objects;	/* sorted after learn_settle() */
	size_t n_objects;
	struct learn_pair *pairs;
	size_t n_pairs;
	struct learn_peer *peers;
	size_t n_peers;
	struct learn_mount *mounts;
	size_t n_mounts;
	bool network;			/* the source would have told of addresses */
	struct strings calls;		/* system calls that rules would refuse */
	struct learn_refused *refused;	/* what is not proposed */
	size_t n_refused;
	uint64_t accesses, impossible;	/* .impossible: left out, for no program can have done it */
	unsigned run, n_runs;		/* run: the number of the next one that is read */
	uint64_t n_probes;		/* lookups of what was not there, left out */
};

/* For source_read(); CTX is the struct learn. */
int learn_take(void *ctx, const struct access *access);
/* A source is over: its runs are others than those to come. */
void learn_next_source(struct learn *learn);
/* Sorts, and drops what POLICY allows or denies by a rule. */
void learn_settle(struct learn *learn, const struct policy *policy);
/* The moves that POLICY, which has the proposal in it, would refuse get what they lack. How many there were. */
size_t learn_mend(struct learn *learn, const struct policy *policy);
/* What POLICY still denies of it: a sentence for each into REFUSED. */
void learn_verify(struct learn *learn, const struct policy *policy);
void learn_free(struct learn *learn);

struct learn_counts { unsigned rules, files; };
/* The rules about files, or (SOCKETS) about unix sockets with a path, one a line, each with INDENT in front and what it stands for behind. */
struct learn_counts learn_rules(const struct learn *learn, enum tree_mood mood, bool sockets, const char *indent, struct text *text);
/* learn_peers.c: those about addresses. How many. */
unsigned learn_peer_rules(const struct learn *learn, enum tree_mood mood, const char *indent, struct text *text);
/* learn_mounts.c: those about mounts. How many. */
unsigned learn_mount_rules(const struct learn *learn, enum tree_mood mood, const char *indent, struct text *text);
/* Of learn.c. */
void learn_see_mount(struct learn *learn, const struct access *access, uint64_t run);
bool learn_mount_possible(const struct access *access);
/* Why no rule is proposed for it, or NULL. */
const char *learn_mount_objection(const struct learn_mount *mount);
/* "mount tmpfs on /a", malloc'ed. */
char *learn_mount_text(const struct learn_mount *mount);
void learn_mount_free(struct learn_mount *mount);

#endif
