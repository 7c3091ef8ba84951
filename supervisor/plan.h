/* What a policy needs of each layer: computed once at start, printed by `check --plan`. */
#ifndef USHER_PLAN_H
#define USHER_PLAN_H

#include <stdbool.h>
#include <stdio.h>

#include "probe.h"
#include "policy.h"

/* Which layers may decide about opens that only read, and LAYERS_BROKER about TCP ports as well. */
enum layers {
	LAYERS_ANY,		/* the cheapest that is exact */
	LAYERS_BROKER,
	LAYERS_KERNEL,		/* no broker: files as they are at launch are exact enough; else the policy is refused */
};
enum reads {
	READS_BROKERED,
	READS_FREE,	/* nothing is denied */
	READS_TREES,	/* Landlock keeps them apart */
	READS_VIEW,	/* what is denied is not there, for stat either (view.h) */
};

struct plan {
	const struct policy *policy;
	const struct kernel *kernel;
	uint32_t restricted;	/* operations not simply allowed, in any decision */
	uint32_t recorded;	/* operations that are brokered only because somebody wants to know of them */
	uint32_t confined;	/* the same without usher's own files, which are always denied */
	bool files;		/* file paths are brokered */
	bool stat;		/* and so is stat */
	bool unix_paths;	/* connect, bind, sends */
	uint32_t peers_of[PROTO_COUNT];	/* operations on addresses (unix: abstract names) that are not simply allowed, in any decision */
	bool peers;		/* of any protocol but unix */
	bool peers_ruled;	/* the same on account of the policy, and not of what is recorded */
	uint32_t exact;		/* what the kernel does by itself on unix sockets (calls/exact.h) */
	bool redirects;		/* connects lead elsewhere */
	uint64_t landlock_net;	/* handled rights about TCP ports: all of them are refused */
	bool ports;		/* but for the ports that TCP sockets may connect to: neither that is trapped, nor sends and accepts (ports.h) */
	bool peers_told;	/* everything is recorded: so are peers of whom no rule speaks */
	bool peers_enforced;	/* and not only at stage log */
	bool exec;		/* execve is gated */
	bool topology_fixed;	/* chroot, namespaces, setns, mounts refused: they change what paths mean. With .mounts or otherwise own files go by identity */
	bool mounts;		/* some are made for the program: then it may have namespaces and a root of its own, but all mounts are brokered */
	bool mount_api;		/* limits { mount-api brokered; }: by the calls for descriptors as well */
	bool idmaps;		/* some bind is to show owners as the program's user namespace calls them */
	bool native;		/* limits { mounts native; }: they are its own affair, and no right on files is Landlock's: one would forbid them all */
	bool free;		/* nothing is denied, and no system call spoken of: what could only get round a denial is let be */
	bool creds_vary;	/* set*id is trapped: the supervisor is privileged */
	bool landlock;		/* false only with --no-landlock */
	uint64_t landlock_fs;	/* handled access rights, 0: none */
	uint64_t landlock_scoped;
	enum layers layers;
	enum reads reads;	/* of opens that only read */
	uint8_t reads_digest[32];	/* READS_TREES: of the trees for which that was proved */
	const struct policy_rule *reads_rule;	/* on account of which there is none; NULL: on no rule's */
	char reads_why[512];	/* there is none */
	char reads_help[512];	/* what would change that; empty: nothing is known */
};

/* 0, or -EOPNOTSUPP: something in the policy cannot be enforced (by this version or on this kernel): each is an error in DIAGS. */
int plan_make(struct plan *plan, const struct policy *policy, const struct kernel *kernel, bool no_landlock,
	      enum layers layers, struct policy_diags *diags);
/* Everything that the policy covers is brokered, whether it is restricted or not: for --record. After plan_make(). */
void plan_record(struct plan *plan);
/* What Landlock can decide about TCP ports by itself it does, and is asked alone: for who starts the program, after plan_make(). */
void plan_ports(struct plan *plan);
/* A Landlock ruleset for the child as the plan says: an owned descriptor, -1 with *NEEDED false if none is needed, or -errno. */
int plan_landlock(const struct plan *plan, bool *needed);
/* May the stage of RULE move without a restart? Not if the filter or Landlock answers by itself. */
bool plan_moves(const struct plan *plan, const struct policy_rule *rule);
struct cost_use;
struct plan_shown {
	const struct cost_use *use;	/* what was recorded of a program; may be NULL */
	const char *unseen;		/* landlock_unseen() */
};
void plan_print(const struct plan *plan, const struct plan_shown *shown, FILE *to, bool json);

#endif
