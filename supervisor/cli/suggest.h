/* Rules that would allow what was denied, tightest first. */
#ifndef USHER_SUGGEST_H
#define USHER_SUGGEST_H

#include "policy.h"

struct suggestion {
	char *rule;   /* one line for a policy file */
	size_t opens; /* files there are now that it would open beside the one asked about */
	bool more;    /* .opens is only how far was counted */
};

#define SUGGESTIONS_MAX 3

struct asked {
	enum policy_op op;
	bool call; /* a system call instead */
	int nr;
	uint64_t args[6];
	const char *path;	/* of a peer: its address, as text of the language */
	const struct policy_peer *peer;	/* NULL: a path */
	const struct policy_mount *mount;	/* NULL: no mount */
};

/* Each suggestion was tried: POLICY's file, with that one rule more, allows what was ASKED. None is made
 * against a forbid, for what usher itself forbids, or for credentials. *WHY says why there are none, if there
 * is a reason to tell. */
size_t suggest(const struct policy *policy, const struct policy_env *env, const struct asked *asked,
	       const struct policy_verdict *verdict, struct suggestion list[SUGGESTIONS_MAX],
	       const char **why);
/* why_mount.c: the rule that allows MOUNT and little else. */
struct text;
void why_mount_rule(const struct policy_mount *mount, struct text *rule);
void suggestions_free(struct suggestion *list, size_t n);

#endif
