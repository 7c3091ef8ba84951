/*
 * A policy: what its text says (rules), and what it decides (verdicts).
 *
 * Everything in policy/ is pure: it opens no descriptor, writes no log and has no global state.
 * Files are read and links are resolved through the callbacks of struct policy_env. All functions
 * may be called from several threads at once on one policy.
 */
#ifndef USHER_POLICY_H
#define USHER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- words ---------------------------------------------------------------------------------- */

enum policy_section { SECTION_FILES, SECTION_NETWORK, SECTION_MOUNTS, SECTION_SYSCALLS, SECTION_COUNT };

/* Operations on objects. A set of them is a uint32_t of OP_BIT()s. */
enum policy_op {
	OP_STAT, OP_LIST, OP_READ, OP_WRITE, OP_APPEND, OP_TRUNCATE, OP_CREATE, OP_DELETE,
	OP_RENAME, OP_LINK, OP_EXEC, OP_CHMOD, OP_CHOWN, OP_UTIME, OP_XATTR, OP_MKNOD,
	OP_CONNECT, OP_BIND, OP_SENDTO,
	OP_MOUNT, OP_UMOUNT, OP_PIVOT,
	OP_COUNT
};
#define OP_BIT(op)   (UINT32_C(1) << (op))
#define OPS_FILES    (OP_BIT(OP_CONNECT) - 1)
#define OPS_NETWORK  (OP_BIT(OP_CONNECT) | OP_BIT(OP_BIND) | OP_BIT(OP_SENDTO))
#define OPS_MOUNTS   (OP_BIT(OP_MOUNT) | OP_BIT(OP_UMOUNT) | OP_BIT(OP_PIVOT))
#define OPS_MODIFY   (OPS_FILES & ~(OP_BIT(OP_STAT) | OP_BIT(OP_LIST) | OP_BIT(OP_READ) | OP_BIT(OP_EXEC)))

const char *policy_op_name(enum policy_op op);
/* The operation called NAME (LEN bytes), or -1. Groups (ro, rw, all, ...) are policy_ops_named(). */
int policy_op_named(const char *name, size_t len);
/* The set that an operation or a group stands for, 0 if there is none of that name. */
uint32_t policy_ops_named(const char *name, size_t len);

/* Ascending strictness: of rules that tie, the greatest wins. */
enum policy_action { ACTION_ALLOW, ACTION_REDIRECT, ACTION_ANSWER, ACTION_ASK, ACTION_DENY, ACTION_FORBID };
enum policy_stage { STAGE_DENY, STAGE_LOG, STAGE_TRAP, STAGE_KILL };
enum policy_audit { AUDIT_DENY, AUDIT_NONE, AUDIT_COUNT, AUDIT_ALL, AUDIT_ALERT };

const char *policy_action_name(enum policy_action action);
const char *policy_stage_name(enum policy_stage stage);
const char *policy_section_name(enum policy_section section);
/* "ENOENT" for 2; NULL for a number without a name. And back: a positive errno, or -1. */
const char *policy_errno_name(int err);
int policy_errno_named(const char *name, size_t len);

/* ---- where things stand --------------------------------------------------------------------- */

struct policy_pos {
	uint32_t file;		/* index into policy.files; POLICY_BUILTIN for what usher itself asks */
	uint32_t line, col;	/* 1-based; col counts bytes */
};
#define POLICY_BUILTIN UINT32_MAX

struct policy_file {
	char *path;		/* as it was opened */
	char *name;		/* for messages and records: the last component, escaped */
	char *text;		/* the whole file, for carets */
	size_t len;
	bool main;		/* named by the user, not an include */
};

/* ---- rules ---------------------------------------------------------------------------------- */

/* A path pattern after variables, quotes and escapes: bytes, glob syntax with \ before a literal
 * special byte. Begins with "/" or "**" "/". */
struct policy_pattern {
	char *glob;		/* as matched: literal prefix resolved */
	char *spelled;		/* as written, variables expanded */
	struct policy_pos pos;
};

/* One condition on one argument: a union of masked equalities (cubes): it holds if
 * (arg & mask) == value for at least one of them. Ranges, !=, in and not in become such unions. */
struct policy_mask { uint64_t mask, value; };
struct policy_cond {
	uint8_t arg;		/* 0..5 */
	struct policy_mask *any;
	size_t n_any;
	char *text;
};

/* An address of a network rule. Unix pathnames are in rule.patterns instead. */
enum policy_proto { PROTO_TCP, PROTO_UDP, PROTO_UNIX, PROTO_ICMP, PROTO_VSOCK, PROTO_NETLINK, PROTO_PACKET, PROTO_RAW, PROTO_COUNT };
const char *policy_proto_name(enum policy_proto proto);
/* Allowed or denied as a whole: the address is '*'. */
static inline bool policy_proto_whole(enum policy_proto proto)
{
	return proto == PROTO_VSOCK || proto == PROTO_PACKET || proto == PROTO_RAW;
}

struct policy_addr {
	enum { ADDR_CIDR, ADDR_HOST, ADDR_GROUP, ADDR_ANY, ADDR_ABSTRACT } kind;
	char *text;		/* the host name, group, pattern of abstract names, or netlink family */
	uint8_t ip[16];		/* IPv4 is mapped into ::ffff:0:0/96 */
	uint8_t prefix;		/* bits of the 128 */
	uint16_t port_lo, port_hi;	/* netlink: the number of the family */
	struct policy_pos pos;
};

/* Flags of mounts, as rules name them. What a mount does not ask for it asks for the opposite of. */
enum mount_flag {
	MOUNT_RO, MOUNT_NOSUID, MOUNT_NODEV, MOUNT_NOEXEC, MOUNT_RW, MOUNT_SUID, MOUNT_DEV, MOUNT_EXEC, MOUNT_NOSYMFOLLOW,
	MOUNT_NOATIME, MOUNT_NODIRATIME, MOUNT_RELATIME, MOUNT_STRICTATIME, MOUNT_SYNC, MOUNT_DIRSYNC, MOUNT_LAZYTIME, MOUNT_REC,
	MOUNT_FLAG_COUNT
};
#define MOUNT_BIT(flag) (UINT32_C(1) << (flag))
/* The word for FLAG. */
const char *policy_mount_flag_name(enum mount_flag flag);

/* An option that a mount may have. */
struct policy_mount_limit {
	enum { LIMIT_NONE, LIMIT_MOST, LIMIT_EQUAL, LIMIT_UNDER } kind;
	char *name, *value;	/* value: NULL for LIMIT_NONE */
	uint64_t most;
};

enum policy_answer { ANSWER_NONE, ANSWER_FILE, ANSWER_CONTENT, ANSWER_ERRNO, ANSWER_RETURN, ANSWER_DEVICE, ANSWER_HOSTS };

struct policy_rule {
	uint32_t number;	/* index in policy.rules */
	struct policy_pos pos;
	enum policy_section section;
	enum policy_action action;
	enum policy_stage stage;
	enum policy_audit audit;
	int err;		/* positive errno of a deny, also of one that names none */
	uint32_t ops;		/* files, network, mounts */
	bool staged;		/* the stage was written down */
	bool beneath;
	bool exact;		/* unix: the kernel acts, so that peers see who it was (calls/exact.h of the supervisor) */
	bool sealed;		/* left to the kernel where it can answer by itself, so that its stage cannot move */
	struct policy_pattern *patterns;
	size_t n_patterns;

	enum policy_proto proto;	/* network */
	struct policy_addr *addrs;
	size_t n_addrs;

	int *calls;		/* syscalls: native numbers, sorted */
	size_t n_calls;
	uint8_t *call_specific;	/* per call: 1 if it was named itself, 0 if through a group */
	struct policy_cond *conds;	/* all must hold */
	size_t n_conds;

	char *mount_fstype, *mount_from;	/* mounts; where from as it is printed */
	struct policy_pattern *from;
	size_t n_from;
	uint32_t mount_flags, mount_force;	/* MOUNT_BIT()s: must be asked for, are added */
	struct policy_mount_limit *mount_limits;
	size_t n_mount_limits;
	bool mount_image, mount_idmap;	/* trusted-image, idmap */

	char *id, *note, *expires;	/* NULL if absent; expires is YYYY-MM-DD */
	char *target;		/* redirect: to; answer: file, content or device text */
	size_t target_len;
	enum policy_answer answer;
	int64_t answer_value;	/* errno or return value */
	char *text;		/* one line, as `why` prints it */
};

struct policy_default {
	bool present;		/* the section denies or allows by itself */
	enum policy_action action;	/* ACTION_ALLOW or ACTION_DENY */
	int err;
	enum policy_stage stage;
	enum policy_audit audit;
	bool sealed;
	bool view;		/* files: what may not be read need not be there at all; then .sealed and ENOENT */
	struct policy_pos pos;
	bool written;		/* there was a default statement */
};

/* expect and never statements */
struct policy_expect {
	struct policy_pos pos;
	bool never;
	enum policy_action action;
	uint32_t op;		/* enum policy_op */
	int proto;		/* enum policy_proto, -1 for none */
	char *target;		/* path, pattern (never) or address; mount: on what */
	char *fstype, *from, *options;	/* mount */
	uint32_t flags;
	char *resolving;	/* NULL if absent */
	char *in, *as;
	char *text;
};

/* One name { values } pair of audit, limits and rollout. */
struct policy_setting {
	char *block;		/* "audit", "limits", "rollout" */
	char *name;
	char **words;
	size_t n_words;
	struct policy_pos pos;
};

struct policy_engine;		/* engine.c: the automaton and its tables */
struct policy_syscalls;		/* syscalls.c: rules by number */

struct policy {
	char *name, *title;
	char digest[65];	/* hex SHA-256 of the canonical form */
	struct policy_file *files;
	size_t n_files;
	char **missing;		/* where includes were looked for and are not: who makes such a file speaks in the policy */
	size_t n_missing;
	struct policy_rule *rules;
	size_t n_rules;
	struct policy_default defaults[SECTION_COUNT];
	uint32_t cover;		/* file operations that are brokered at all */
	struct policy_expect *expects;
	size_t n_expects;
	struct policy_setting *settings;
	size_t n_settings;
	bool has_domains;
	struct policy_pos domain;	/* one of them, or of the rules that enter one */
	struct policy_engine *engine;
	struct policy_syscalls *syscalls;
};

/* ---- messages ------------------------------------------------------------------------------- */

enum policy_severity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };

struct policy_diag {
	enum policy_severity severity;
	char code[8];		/* "W012", or empty */
	struct policy_pos pos;
	char *message;
	char *help;		/* NULL if there is none */
	struct policy_pos other;	/* the second place when two clash; line 0 if there is none */
	char *other_message;
};

struct policy_diags {
	struct policy_diag *list;
	size_t n, errors;	/* at most 20 errors are kept, .errors counts them all */
};

__attribute__((format(printf, 4, 5)))
struct policy_diag *policy_diag_add(struct policy_diags *diags, enum policy_severity severity,
				    struct policy_pos pos, const char *format, ...);
/* An error with HELP, which may be NULL. */
__attribute__((format(printf, 4, 5)))
void policy_diag_refuse(struct policy_diags *diags, struct policy_pos pos, const char *help, const char *format, ...);
/* file:line:col: error: ... with the line, a caret and the help. COLOR: use ANSI colours. */
void policy_diags_print(const struct policy_diags *diags, const struct policy *policy, FILE *to, bool color);
void policy_diags_free(struct policy_diags *diags);

/* ---- loading -------------------------------------------------------------------------------- */

struct policy_var { const char *name, *value; };	/* --set name=value: value is one word or a,b,c */

/* The world a policy is loaded in. Callbacks return 0 or -errno. */
struct policy_env {
	void *ctx;
	/* The whole of PATH into malloc'ed *TEXT. */
	int (*read)(void *ctx, const char *path, char **text, size_t *len);
	/* Names in directory PATH that end in .policy, sorted; *NAMES and each name malloc'ed. */
	int (*list)(void *ctx, const char *path, char ***names, size_t *n);
	/* PATH (absolute, literal) with all symlinks resolved, malloc'ed; what does not exist is kept
	 * as it is below the deepest directory that does. */
	int (*resolve)(void *ctx, const char *path, char **resolved);
	/* Is this predicate of a when block true? WHAT is "cap", "arch", "user", "kernel"; OP is ">=" or
	 * "<" for kernel. 1, 0 or -errno. */
	int (*predicate)(void *ctx, const char *what, const char *op, const char *value);
	/* Is there something at PATH (a link counts)? 1, 0 or -errno. NULL: the lint about it is left out. */
	int (*exists)(void *ctx, const char *path);
	const char *const *include_dirs;	/* after the directory of the including file; NULL-ended */
	const struct policy_var *vars;
	size_t n_vars;
	bool mode_log;		/* --mode log: everything but forbid at stage log */
	const char *const *own_paths;	/* trees forbidden whatever the policy says; NULL-ended,
					 * NULL if none. May be extended after loading: policy_forbid() */
};

/*
 * Loads the policy file PATH, with its includes and the drop-ins in PATH.d/, and compiles it.
 * *POLICY is always set: with errors it is the policy as far as it was read, good for policy_diags_print()
 * and policy_free() only. 0, or -EINVAL (errors in DIAGS), or another -errno of reading PATH itself.
 */
int policy_load(struct policy **policy, const struct policy_env *env, const char *path, struct policy_diags *diags);
/* The same for text in memory, named NAME in messages. */
int policy_load_text(struct policy **policy, const struct policy_env *env, const char *name,
		     const char *text, size_t len, struct policy_diags *diags);
void policy_free(struct policy *policy);

/* Lints that need no running program. ENV may be NULL. */
void policy_lint(const struct policy *policy, const struct policy_env *env, struct policy_diags *diags);
/* Does RULE expire within 14 days (UTC), or has it? *LEFT: the days, 0 on its last, negative when that is over. */
bool policy_expires_soon(const struct policy_rule *rule, int *left);

/* The first setting NAME in BLOCK, or NULL. */
const struct policy_setting *policy_setting(const struct policy *policy, const char *block, const char *name);
/* "web.policy:22" into BUF; "built-in" for POLICY_BUILTIN. */
const char *policy_where(const struct policy *policy, struct policy_pos pos, char *buf, size_t size);

/* ---- deciding ------------------------------------------------------------------------------- */

struct policy_verdict {
	enum policy_action action;
	int err;			/* positive errno when denied */
	enum policy_stage stage;
	enum policy_audit audit;
	bool sealed;			/* as of the rule or default */
	enum policy_op op;		/* the operation that decided (files) */
	const struct policy_rule *rule;	/* NULL: the section's default, or no rule at all */
};

/* enforced = decide(rules without those at stage log); would = decide(all rules). */
struct policy_decision { struct policy_verdict enforced, would; };

/* A redirect or an answer is no denial, and no allowance either. */
static inline bool policy_allows(const struct policy_verdict *v)
{
	return v->action == ACTION_ALLOW;
}

static inline bool policy_denies(const struct policy_verdict *v)
{
	return v->action >= ACTION_DENY;
}

/* The other end, or one's own. Unix pathnames are paths and none of these. */
#define POLICY_NAME_MAX 255
struct policy_peer {
	enum policy_proto proto;
	uint8_t ip[16];		/* IPv4 is mapped into ::ffff:0:0/96 */
	uint16_t port;		/* 0 where the protocol has none; netlink: the family */
	const char *name;	/* unix: the abstract name, without the NUL in front. Others: NULL, or a host name whose
				 * address is not known, which only rules about that name or about every address match */
	size_t len;
};

/*
 * The decision on all of OPS for the resolved PATH (LEN bytes, absolute, without . .. // or a slash
 * at the end unless it is "/"): the strictest over the operations. Operations that are not covered
 * are allowed. Network operations here mean unix pathnames. The cost is that of LEN.
 */
struct policy_decision policy_decide_path(const struct policy *policy, uint32_t ops, const char *path, size_t len);

/* The same for PEER. Without a network section an address is allowed. */
struct policy_decision policy_decide_peer(const struct policy *policy, uint32_t ops, const struct policy_peer *peer);
/* The operations about PROTO (unix: abstract names) that are not simply allowed, for every peer and every record. */
uint32_t policy_restricted_peers(const struct policy *policy, enum policy_proto proto, bool would);

/* A mount that somebody asks for. Types beside those of file systems are "bind", "move", and "remount" of what usher has not mounted. */
struct policy_mount_option { const char *name, *value; };	/* value: NULL for a flag; a path is resolved */
struct policy_mount {
	const char *fstype;
	const char *from;	/* resolved: of bind and move, and of an image; else NULL */
	const char *on;		/* resolved */
	uint32_t flags;		/* MOUNT_BIT()s, with opposites: policy_mount_flags() */
	const struct policy_mount_option *options;
	size_t n_options;
};
/* FLAGS and the opposite of what is not in them. */
uint32_t policy_mount_flags(uint32_t flags);
struct policy_decision policy_decide_mount(const struct policy *policy, const struct policy_mount *mount);
/* A file system of that type is made of what somebody else wrote: the kernel parses it. Any type that is not known. */
bool policy_mount_image(const char *fstype);
/* Splits TEXT, which is changed, as the kernel splits the data of mount(2) for FSTYPE; each layer of an overlay is an option by itself.
 * How many there are, -EINVAL, or -E2BIG: more than MAX. */
int policy_mount_options(const char *fstype, char *text, struct policy_mount_option *options, size_t max);
#define POLICY_MOUNT_OPTIONS 256
/* The value of an option that counts something, as the kernel reads it. False: none that rules can bound. */
bool policy_mount_number(const char *value, uint64_t *number);
/* Is there a rule that allows mounts (or unmounting), whatever they are, or does the section's default? */
bool policy_mounts_some(const struct policy *policy);
/* May it call pivot_root(2)? Then all names may get or lose something in front. */
bool policy_pivots(const struct policy *policy);

/* The host names of rules, and what the I-th of them stands for now: nothing until it is said. 0 or -ENOMEM. Any thread, at any time. */
size_t policy_hosts(const struct policy *policy);
const char *policy_host(const struct policy *policy, size_t i);
int policy_host_is(const struct policy *policy, size_t i, const uint8_t (*ips)[16], size_t n);
/* What the I-th stands for: at most MAX of IPS are filled in, how many is returned. */
size_t policy_host_addresses(const struct policy *policy, size_t i, uint8_t (*ips)[16], size_t max);
/* A name that stands for IP, or NULL. */
const char *policy_host_of(const struct policy *policy, const uint8_t ip[16]);

/* "10.0.0.1:80", "[::1]:80", "name:80", "@name", "NETLINK_ROUTE" of a peer of PROTO. The name is borrowed from TEXT, or in NAME
 * (POLICY_NAME_MAX + 1 bytes). 0, or -EINVAL: no single peer. */
int policy_peer_parse(const char *text, enum policy_proto proto, struct policy_peer *peer, char *name);
/* And back; escaped. TEXT has room for POLICY_PEER_TEXT bytes. */
#define POLICY_PEER_TEXT (4 * POLICY_NAME_MAX + 16)
const char *policy_peer_text(const struct policy_peer *peer, char *text);

/* Some rule with beneath and one of OPS matches LINK, a symlink met on the way, but not
 * PATH, what was reached. *RULE is that rule. */
bool policy_leads_out(const struct policy *policy, uint32_t ops, const char *link, size_t link_len,
		      const char *path, size_t len, const struct policy_rule **rule);

/* Would moving (RENAME) or linking FROM to TO open anything? TREE: FROM is a directory.
 * *RULE is one rule that says so, or NULL. True also when the proof ran out of budget. */
bool policy_gains(const struct policy *policy, bool rename, bool tree, const char *from, size_t from_len,
		  const char *to, size_t to_len, const struct policy_rule **rule);
/* The same of what would be reached by TO as well, for these OPS: a file, or (TREE) a directory, that is mounted there. */
bool policy_bind_gains(const struct policy *policy, uint32_t ops, bool tree, const char *from, const char *to, const struct policy_rule **rule);

/* Might one of OPS be denied on something below PATH? *RULE is one rule that does, or NULL. True also when the proof ran out of
 * budget. */
bool policy_denies_below(const struct policy *policy, uint32_t ops, const char *path, size_t len, const struct policy_rule **rule);

/* The operations that some rule or default does not simply allow everywhere, in the enforced decision
 * or (WOULD) in the one with every rule. */
uint32_t policy_restricted(const struct policy *policy, bool would);
/* The same on account of the policy itself, without what policy_forbid() added. */
uint32_t policy_confines(const struct policy *policy, bool would);
/* Of those, in either decision, the ones that are not only recorded. */
uint32_t policy_withholds(const struct policy *policy);
/* The I-th path of policy_forbid(), or NULL. */
const char *policy_forbidden(const struct policy *policy, size_t i);

/* Calls FN for each rule that matches PATH for one of OPS, the winner first, with the reason why it won
 * or lost in words ("narrower than the two below"). For why. */
typedef void policy_explain_fn(void *ctx, const struct policy_rule *rule, bool wins, const char *reason);
struct policy_decision policy_explain(const struct policy *policy, uint32_t op_bit, const char *path, size_t len,
				      policy_explain_fn *fn, void *ctx);

struct policy_decision policy_explain_mount(const struct policy *policy, const struct policy_mount *mount, policy_explain_fn *fn, void *ctx);
struct policy_decision policy_explain_peer(const struct policy *policy, uint32_t op_bit, const struct policy_peer *peer,
					   policy_explain_fn *fn, void *ctx);

/* Is there any peer in TEXT, an address of a rule, that the rules (stages aside) allow for OP? 1 with the peer as text in WITNESS
 * (POLICY_PEER_TEXT bytes), 0, -EINVAL: TEXT is none, or -E2BIG. For never. */
int policy_some_peer_allowed(const struct policy *policy, enum policy_op op, enum policy_proto proto, const char *text, char *witness);

/* Is there any path that the rules (stages aside) allow for OP and that GLOB matches? 1, 0, or -E2BIG
 * when the budget ended the search. WITNESS (PATH_MAX bytes) gets one such path. For never. */
int policy_some_allowed(const struct policy *policy, enum policy_op op, const char *glob, char *witness);

/* Nothing at or below PATH (resolved) may be touched, stages and mode log aside. READ_TOO:
 * reading as well. Call before the first decision. 0 or -ENOMEM. */
int policy_forbid(struct policy *policy, const char *path, bool read_too);

/* The decision of the syscalls section. Without such a section: allow. */
struct policy_decision policy_decide_call(const struct policy *policy, int nr, const uint64_t args[6]);

#endif
