/*
 * The evidence for the gates of a roll-out: what each rule did and would have done, by the hour, and how much the
 * policy was used at all. One SQLite file for all supervisors of a user; it survives them.
 *
 * A rule is known by what it says, its stage aside: what is changed is another rule, of which nothing is known.
 */
#ifndef USHER_PROOF_H
#define USHER_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy.h"

#define PROOF_KEY 65

/* The directory of the file (root: /var/lib/usher; else $XDG_STATE_HOME/usher), malloc'ed, or NULL. */
char *proof_dir(void);
/* KEY of a text of policy_rule_key() or policy_default_key(). */
void proof_key(const char *text, char key[PROOF_KEY]);

struct proof;
/* WRITE: made if it is not there. 0, -ENOENT or another -errno. */
int proof_open(struct proof **proof, bool write);
void proof_close(struct proof *proof);

struct proof_count { char key[PROOF_KEY]; uint64_t used, would; };

/* A program started under POLICY, the path of its file. *RUN is its number. 0 or -errno. */
int proof_start(struct proof *proof, const char *policy, const char *digest, int64_t now_s, int64_t *run);
/* What was counted since the last time, in one transaction; each key is known of from now on at the latest. */
int proof_add(struct proof *proof, const char *policy, int64_t run, int64_t now_s, uint64_t calls, const struct proof_count *counts, size_t n);

struct proof_sum {
	int64_t first_s;		/* the rule is watched since then; 0: nothing is known of it */
	uint64_t calls, starts;		/* of the policy, while it was */
	uint64_t used, would;
};
/* Since SINCE_S. 0 or -errno. */
int proof_sum(struct proof *proof, const char *policy, const char key[PROOF_KEY], int64_t since_s, struct proof_sum *sum);

/* ---- gates ---------------------------------------------------------------------------------- */

struct gate_setting {
	bool any;			/* the policy has one */
	bool has_would, has_calls, has_starts, has_coverage;
	int64_t over_s;			/* 0: since ever */
	uint64_t would, calls, starts;
	unsigned coverage;		/* percent of the policy's rules that were used */
};

struct gate_setting gate_of(const struct policy *policy);

struct gate_state {
	struct proof_sum sum;
	unsigned coverage;
	bool unknown, passed;
	char missing[256];		/* in words; empty if it is passed */
};

/* PROOF NULL: there is no evidence at all. COVERAGE: gate_coverage(). */
void gate_judge(const struct gate_setting *gate, struct proof *proof, const char *policy, const char key[PROOF_KEY], unsigned coverage, int64_t now_s,
		struct gate_state *state);
/* Percent of the rules of POLICY that were used since SINCE_S. */
unsigned gate_coverage(struct proof *proof, const struct policy *policy, const char *path, int64_t since_s);

#endif
