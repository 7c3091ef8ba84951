#include "words.h"

#include <errno.h>
#include <string.h>

#include "err.h"
#include "text.h"

#define RO     (OP_BIT(OP_STAT) | OP_BIT(OP_LIST) | OP_BIT(OP_READ))
#define RX     (RO | OP_BIT(OP_EXEC))
#define RW     (RO | OP_BIT(OP_WRITE) | OP_BIT(OP_APPEND) | OP_BIT(OP_TRUNCATE) | OP_BIT(OP_CREATE) | \
		OP_BIT(OP_DELETE) | OP_BIT(OP_RENAME) | OP_BIT(OP_LINK))
#define ATTR   (OP_BIT(OP_CHMOD) | OP_BIT(OP_CHOWN) | OP_BIT(OP_UTIME) | OP_BIT(OP_XATTR))

#define STATEMENT(n, v, u, a)  {.name = n, .kind = WORD_STATEMENT, .value = STATEMENT_##v, .usage = u, .about = a}
#define SECTION(n, v, a)       {.name = n, .kind = WORD_SECTION, .value = SECTION_##v, .about = a}
#define ACTION(n, v, a)        {.name = n, .kind = WORD_ACTION, .value = ACTION_##v, .about = a}
#define OP(n, v, a)            {.name = n, .kind = WORD_OP, .value = OP_BIT(OP_##v), .about = a}
#define OPS(n, v, a)           {.name = n, .kind = WORD_OPS, .value = v, .about = a}
#define OPTION(n, v, u, a)     {.name = n, .kind = WORD_OPTION, .value = OPTION_##v, .usage = u, .about = a}
#define STAGE(n, v, a)         {.name = n, .kind = WORD_STAGE, .value = STAGE_##v, .about = a}
#define LEVEL(n, v, a)         {.name = n, .kind = WORD_LEVEL, .value = AUDIT_##v, .about = a}
#define ANSWER(n, v, u, a)     {.name = n, .kind = WORD_ANSWER, .value = ANSWER_##v, .usage = u, .about = a}
#define PROTO(n, v, a)         {.name = n, .kind = WORD_PROTO, .value = PROTO_##v, .about = a}
#define PREDICATE(n, v, u, a)  {.name = n, .kind = WORD_PREDICATE, .value = PREDICATE_##v, .usage = u, .about = a}
#define MOUNT(n, v, u, a)      {.name = n, .kind = WORD_MOUNT_OPTION, .value = MOUNT_##v, .usage = u, .about = a}
#define FLAG(n, v)             {.name = n, .kind = WORD_MOUNT_FLAG, .value = MOUNT_##v, .about = "as in mount(8)"}
#define NETWORKS(n, a)         {.name = n, .kind = WORD_NETWORKS, .about = a}
#define SETTING(k, n, u, a)    {.name = n, .kind = WORD_##k, .usage = u, .about = a}
#define LATER                  .later = true

static const struct word words[] = {
	STATEMENT("syntax", SYNTAX, "syntax 1;", "the version of the language; the first statement of every file"),
	STATEMENT("policy", POLICY, "policy NAME [\"TITLE\"];", "the name in records and messages"),
	STATEMENT("include", INCLUDE, "include \"FILE\";", "another file, from this one's directory or the system's"),
	STATEMENT("include?", INCLUDE_MAYBE, "include? \"FILE\";", "the same, if it is there"),
	STATEMENT("set", SET, "set $NAME = VALUE, ...;", "a variable"),
	STATEMENT("group", GROUP, "group @NAME = MEMBER, ...;", "a name for system calls or addresses"),
	STATEMENT("when", WHEN, "when PREDICATE { RULES }", "rules for some machines only"),
	STATEMENT("domain", DOMAIN, "domain NAME { ... }", "rules for a program that is entered by exec"),
	STATEMENT("test", TEST, "test { EXPECTATIONS }", "what usher test judges"),
	STATEMENT("audit", AUDIT, "audit { SETTINGS }", "what is recorded, and where"),
	STATEMENT("limits", LIMITS, "limits { SETTINGS }", "bounds"),
	STATEMENT("rollout", ROLLOUT, "rollout { SETTINGS }", "when a stage may be left"),
	STATEMENT("default", DEFAULT, "default allow | deny [ERRNO];", "where no rule of a section matches"),
	STATEMENT("cover", COVER, "cover OPERATIONS;", "the file operations that are brokered at all"),
	STATEMENT("inherits", INHERITS, "inherits NAME;", "a domain that begins with another's rules"),
	STATEMENT("expect", EXPECT, "expect VERDICT OPERATION TARGET;", "what the policy must decide"),
	STATEMENT("never", NEVER, "never allow OPERATION PATTERN;", "what it must not allow anywhere"),

	SECTION("files", FILES, "paths"),
	SECTION("network", NETWORK, "addresses"),
	SECTION("mounts", MOUNTS, "mounts"),
	SECTION("syscalls", SYSCALLS, "system calls"),

	ACTION("allow", ALLOW, "let it be done"),
	ACTION("deny", DENY, "refuse with an errno"),
	ACTION("forbid", FORBID, "refuse, whatever any other rule says"),
	ACTION("redirect", REDIRECT, "do it to another object"),
	ACTION("answer", ANSWER, "give a made-up answer"),
	{.name = "ask", .kind = WORD_ACTION, .value = ACTION_ASK, LATER, .about = "ask a person"},

	OP("stat", STAT, "stat family, access, readlink, statfs"),
	OP("list", LIST, "opening a directory"),
	OP("read", READ, "opening for reading, getxattr"),
	OP("write", WRITE, "opening for writing without O_APPEND"),
	OP("append", APPEND, "opening with O_APPEND"),
	OP("truncate", TRUNCATE, "truncate, O_TRUNC"),
	OP("create", CREATE, "new files, directories, links; the target of link and rename"),
	OP("delete", DELETE, "unlink, rmdir"),
	OP("rename", RENAME, "the source of rename"),
	OP("link", LINK, "the source of link"),
	OP("exec", EXEC, "execve, execveat"),
	OP("chmod", CHMOD, "chmod"),
	OP("chown", CHOWN, "chown"),
	OP("utime", UTIME, "file times"),
	OP("xattr", XATTR, "setting extended attributes"),
	OP("mknod", MKNOD, "device nodes"),
	OP("connect", CONNECT, "connect"),
	OP("bind", BIND, "bind"),
	OP("sendto", SENDTO, "sendto, sendmsg with an address"),
	OP("mount", MOUNT, "mount"),
	OP("umount", UMOUNT, "umount"),
	OP("pivot_root", PIVOT, "pivot_root: the new root"),

	OPS("all", OPS_FILES, "every file operation"),
	OPS("modify", OPS_MODIFY, "everything that changes a file or a directory"),
	OPS("rw", RW, "ro, write, append, truncate, create, delete, rename, link"),
	OPS("rx", RX, "ro, exec"),
	OPS("ro", RO, "stat, list, read"),
	OPS("attr", ATTR, "chmod, chown, utime, xattr"),

	OPTION("stage", STAGE, "stage log | deny | trap | kill", "how far it is enforced"),
	OPTION("audit", AUDIT, "audit none | count | deny | all | alert", "what is recorded of it"),
	OPTION("id", ID, "id NAME", "a name for messages and promote"),
	OPTION("note", NOTE, "note \"TEXT\"", "a text for why"),
	OPTION("expires", EXPIRES, "expires YYYY-MM-DD", "check complains after that day"),
	{.name = "owner", .kind = WORD_OPTION, .value = OPTION_OWNER, LATER, .about = "only files of one's own"},
	OPTION("beneath", BENEATH, "beneath", "no symlink may lead out of this rule's tree"),
	OPTION("sealed", SEALED, "sealed", "the kernel answers by itself: no cost, no records, and no stage moves while the program runs"),
	OPTION("view", VIEW, "view", "with default deny ENOENT: what may not be read is not there, by a mount namespace, and reading costs nothing"),
	OPTION("credentials", CREDENTIALS, "credentials exact", "servers are told the program's own pid, where nothing else could be reached instead"),
	OPTION("to", TO, "to TARGET", "where a redirect leads"),
	OPTION("with", WITH, "with file | content | errno | return | device", "what an answer says"),
	OPTION("->", DOMAIN, "-> NAME", "the domain that an exec enters"),

	STAGE("log", LOG, "decided and recorded, not enforced"),
	STAGE("deny", DENY, "refused with an errno"),
	STAGE("trap", TRAP, "SIGSYS"),
	STAGE("kill", KILL, "SIGKILL"),

	LEVEL("none", NONE, "nothing"),
	LEVEL("count", COUNT, "a counter"),
	LEVEL("deny", DENY, "denials"),
	LEVEL("all", ALL, "everything"),
	LEVEL("alert", ALERT, "denials, marked"),

	ANSWER("file", FILE, "with file PATH", "the content of a file"),
	ANSWER("content", CONTENT, "with content \"TEXT\"", "a text"),
	ANSWER("errno", ERRNO, "with errno ERRNO", "an error"),
	ANSWER("return", RETURN, "with return INT", "a number"),
	ANSWER("hosts", HOSTS, "with hosts", "the file, and what the host names of rules stand for"),
	ANSWER("device", DEVICE, "with device same | MAJOR:MINOR", "the node that mknod makes"),

	PROTO("tcp", TCP, "TCP"),
	PROTO("udp", UDP, "UDP"),
	PROTO("unix", UNIX, "unix sockets, by path or abstract name"),
	PROTO("icmp", ICMP, "ping sockets"),
	PROTO("vsock", VSOCK, "sockets between virtual machines and their host"),
	PROTO("netlink", NETLINK, "netlink sockets, by family"),
	PROTO("packet", PACKET, "packet sockets: everything on the wire"),
	PROTO("raw", RAW, "raw IP sockets"),

	PREDICATE("cap", CAP, "cap CAP_NAME", "the program has a capability"),
	PREDICATE("arch", ARCH, "arch NAME, ...", "the machine is one of these"),
	PREDICATE("user", USER, "user NAME", "the program runs as this user"),
	PREDICATE("kernel", KERNEL, "kernel >= VERSION", "the kernel's version"),
	{.name = "exists", .kind = WORD_PREDICATE, .value = PREDICATE_EXISTS, LATER, .about = "a path exists"},
	{.name = "env", .kind = WORD_PREDICATE, .value = PREDICATE_ENV, LATER, .about = "a variable is set"},

	MOUNT("flags", FLAGS, "flags FLAG, ...", "flags that must be asked for"),
	MOUNT("force", FORCE, "force FLAG, ...", "flags that are added"),
	MOUNT("options", OPTIONS, "options NAME [<= VALUE | = VALUE | under PATH], ...", "options that it may have; bounds that are not given are added"),
	MOUNT("trusted-image", IMAGE, "trusted-image", "the kernel may parse an image or device that somebody wrote"),
	MOUNT("idmap", IDMAP, "idmap", "a bind shows owners as they are called in the program's user namespace"),

	FLAG("ro", RO), FLAG("rw", RW), FLAG("nosuid", NOSUID), FLAG("suid", SUID), FLAG("nodev", NODEV), FLAG("dev", DEV),
	FLAG("noexec", NOEXEC), FLAG("exec", EXEC), FLAG("sync", SYNC), FLAG("dirsync", DIRSYNC), FLAG("noatime", NOATIME),
	FLAG("nodiratime", NODIRATIME), FLAG("relatime", RELATIME), FLAG("strictatime", STRICTATIME), FLAG("lazytime", LAZYTIME),
	FLAG("nosymfollow", NOSYMFOLLOW), FLAG("rbind", REC),

	NETWORKS("@loopback", "127.0.0.0/8, ::1"),
	NETWORKS("@link-local", "169.254.0.0/16, fe80::/10"),
	NETWORKS("@private", "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7"),
	NETWORKS("@multicast", "224.0.0.0/4, ff00::/8"),
	NETWORKS("@metadata", "the metadata services of clouds"),

	SETTING(AUDIT, "log", "PATH", "the file of JSON lines"),
	SETTING(AUDIT, "rotate", "{size=SIZE|keep=COUNT|compress}", "when a new file begins"),
	SETTING(AUDIT, "level", "deny|all|none", "what is recorded where a rule does not say"),
	SETTING(AUDIT, "alert", "{command=PATH|socket=PATH|syslog|rate=RATE}", "who is told of denials with 'audit alert'"),
	SETTING(AUDIT, "footprint", "every DURATION", "unique accesses with counts"),
	SETTING(AUDIT, "metrics", "PATH", "counters for Prometheus"),
	SETTING(AUDIT, "fsync", "always|never|DURATION", "how soon records are on the disk"),

	SETTING(LIMITS, "files", "COUNT", "open files of a process"),
	SETTING(LIMITS, "processes", "COUNT", "processes of the user"),
	SETTING(LIMITS, "memory", "SIZE", "address space of a process"),
	SETTING(LIMITS, "mounts", "COUNT|native", "mounts that are made for the program in a mount namespace; native: they are its own affair"),
	SETTING(LIMITS, "mount-api", "brokered", "fsopen, move_mount, mount_setattr and their kin are made as mount is; without it they answer ENOSYS"),
	SETTING(LIMITS, "rate", "OPERATION RATE [burst COUNT]", "operations in a time"),
	SETTING(LIMITS, "decision-time", "DURATION [else deny ERRNO]", "how long a decision may take"),
	SETTING(LIMITS, "supervisor-exit", "kill|keep", "what becomes of the program if usher dies"),
	SETTING(LIMITS, "capabilities", "all|none|keep [{CAPABILITY}]", "what a child of root keeps"),
	SETTING(LIMITS, "resolve", "every DURATION [keep DURATION]", "how often host names are looked up"),

	SETTING(ROLLOUT, "gate", "{would-deny COUNT|over DURATION|calls COUNT|starts COUNT|coverage PERCENT}",
		"what must be seen before the next stage"),
	SETTING(ROLLOUT, "steps", "{log|deny|trap|kill}", "the stages to go through"),
	{.name = "merge", .kind = WORD_ROLLOUT, LATER, .about = "evidence of several machines"},
	{.name = "canary", .kind = WORD_ROLLOUT, LATER, .about = "a share of the machines first"},
};

const struct word *word_at(size_t i)
{
	return i < ARRAY_SIZE(words) ? &words[i] : NULL;
}

const struct word *word_find(unsigned kinds, const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const struct word *word = &words[i];
		if ((kinds & WORD_BIT(word->kind)) && len && word->name[0] == name[0] &&
		    strlen(word->name) == len && memcmp(word->name, name, len) == 0)
			return word;
	}
	return NULL;
}

const char *word_nearest(unsigned kinds, const char *name, size_t len)
{
	struct nearest nearest = {.name = name, .len = len};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (kinds & WORD_BIT(words[i].kind) && !words[i].later)
			nearest_try(&nearest, words[i].name);
	return nearest.found;
}

static const char *word_name(enum word_kind kind, uint32_t value)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].kind == kind && words[i].value == value)
			return words[i].name;
	return NULL;
}

const char *policy_op_name(enum policy_op op)
{
	return word_name(WORD_OP, OP_BIT(op));
}

int policy_op_named(const char *name, size_t len)
{
	const struct word *word = word_find(WORD_BIT(WORD_OP), name, len);
	return word ? __builtin_ctz(word->value) : -1;
}

uint32_t policy_ops_named(const char *name, size_t len)
{
	const struct word *word = word_find(WORD_BIT(WORD_OP) | WORD_BIT(WORD_OPS), name, len);
	return word ? word->value : 0;
}

const char *policy_proto_name(enum policy_proto proto)
{
	return word_name(WORD_PROTO, proto);
}

const char *policy_action_name(enum policy_action action)
{
	return word_name(WORD_ACTION, action);
}

const char *policy_stage_name(enum policy_stage stage)
{
	return word_name(WORD_STAGE, stage);
}

const char *policy_section_name(enum policy_section section)
{
	return word_name(WORD_SECTION, section);
}

enum { ERRNO_MAX = 133 };

const char *policy_errno_name(int err)
{
	if (err == EOPNOTSUPP)		/* ENOTSUP for the C library, whose number it shares */
		return "EOPNOTSUPP";
	return err > 0 && err <= ERRNO_MAX ? strerrorname_np(err) : NULL;
}

int policy_errno_named(const char *name, size_t len)
{
	static const struct { const char *name; int err; } aliases[] = {
		{"EWOULDBLOCK", EWOULDBLOCK}, {"ENOTSUP", EOPNOTSUPP}, {"EDEADLOCK", EDEADLOCK},
	};
	for (int err = 1; err <= ERRNO_MAX; err++) {
		const char *known = policy_errno_name(err);
		if (known && strlen(known) == len && memcmp(known, name, len) == 0)
			return err;
	}
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strlen(aliases[i].name) == len && memcmp(aliases[i].name, name, len) == 0)
			return aliases[i].err;
	return -1;
}

const char *errno_nearest(const char *name, size_t len)
{
	struct nearest nearest = {.name = name, .len = len};
	for (int err = 1; err <= ERRNO_MAX; err++) {
		const char *known = policy_errno_name(err);
		if (known)
			nearest_try(&nearest, known);
	}
	return nearest.found;
}
