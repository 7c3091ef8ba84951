/*
 * The backstop: the supervisor makes every emulated open and hands the descriptor over,
 * so the child's own domain needs nothing but what the kernel opens for it by itself: the images that execve starts, with
 * their loaders and interpreters, and the other end of a pseudo terminal. All else that a race, a bug or an unknown call
 * might reach is closed by the kernel.
 *
 * Landlock knows trees and no exceptions, so it may only be wider than the policy, never narrower: a pattern
 * counts as the directory above its first glob character. A file that the child may replace counts as its directory,
 * since a rule holds for an inode and not for a name.
 *
 * Where exec is not restricted the kernel must be able to read everything it starts: EXECUTE and READ_FILE are then
 * not handled at all.
 */
#include "landlock.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "ports.h"
#include "pattern.h"
#include "reads.h"
#include "verdict.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#endif

#define SCRIPTS_MAX 4096	/* files looked into for their interpreters */
#define CHECKS_MAX  16

/* As of ABI 6: older kernels are given as much of it as they know. */
struct ruleset_attr { uint64_t fs, net, scoped; };

#define RUN (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE)
#define TTY (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_IOCTL_DEV)
#define OF_A_FILE (RUN | TTY | LANDLOCK_ACCESS_FS_TRUNCATE)

static const struct {
	uint64_t right;
	uint32_t ops;		/* handled when the policy confines one of them */
	int abi;
	const char *name;
} rights[] = {
	{ LANDLOCK_ACCESS_FS_EXECUTE, OP_BIT(OP_EXEC), 1, "EXECUTE" },
	{ LANDLOCK_ACCESS_FS_WRITE_FILE, OP_BIT(OP_WRITE) | OP_BIT(OP_APPEND), 1, "WRITE_FILE" },
	{ LANDLOCK_ACCESS_FS_READ_FILE, OP_BIT(OP_READ), 1, "READ_FILE" },
	{ LANDLOCK_ACCESS_FS_READ_DIR, OP_BIT(OP_LIST), 1, "READ_DIR" },
	{ LANDLOCK_ACCESS_FS_REMOVE_DIR, OP_BIT(OP_DELETE) | OP_BIT(OP_RENAME), 1, "REMOVE_DIR" },
	{ LANDLOCK_ACCESS_FS_REMOVE_FILE, OP_BIT(OP_DELETE) | OP_BIT(OP_RENAME), 1, "REMOVE_FILE" },
	{ LANDLOCK_ACCESS_FS_MAKE_CHAR, OP_BIT(OP_MKNOD) | OP_BIT(OP_CREATE), 1, "MAKE_CHAR" },
	{ LANDLOCK_ACCESS_FS_MAKE_DIR, OP_BIT(OP_CREATE), 1, "MAKE_DIR" },
	{ LANDLOCK_ACCESS_FS_MAKE_REG, OP_BIT(OP_CREATE), 1, "MAKE_REG" },
	{ LANDLOCK_ACCESS_FS_MAKE_SOCK, OP_BIT(OP_CREATE) | OP_BIT(OP_BIND), 1, "MAKE_SOCK" },
	{ LANDLOCK_ACCESS_FS_MAKE_FIFO, OP_BIT(OP_CREATE), 1, "MAKE_FIFO" },
	{ LANDLOCK_ACCESS_FS_MAKE_BLOCK, OP_BIT(OP_MKNOD) | OP_BIT(OP_CREATE), 1, "MAKE_BLOCK" },
	{ LANDLOCK_ACCESS_FS_MAKE_SYM, OP_BIT(OP_CREATE), 1, "MAKE_SYM" },
	{ LANDLOCK_ACCESS_FS_REFER, OP_BIT(OP_CREATE) | OP_BIT(OP_LINK) | OP_BIT(OP_RENAME), 2, "REFER" },
	{ LANDLOCK_ACCESS_FS_TRUNCATE, OP_BIT(OP_TRUNCATE), 3, "TRUNCATE" },
	{ LANDLOCK_ACCESS_FS_IOCTL_DEV, OP_BIT(OP_READ) | OP_BIT(OP_WRITE), 5, "IOCTL_DEV" },
};

/* Those that are anywhere else than in the trees of exec rules are found through the program's own name for them. */
static const char *const loaders[] = {
	"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1",
};

static const struct { const char *since, *lost; } versions[] = {
	[2] = { "5.19", "what moves from directory to directory without the broker is refused" },
	[3] = { "6.2", "truncation has no second layer" },
	[4] = { "6.7", "binds and connects of TCP have no second layer, and none are left to Landlock" },
	[5] = { "6.10", "ioctls of devices have no second layer" },
	[6] = { "6.12", "signals and abstract sockets are not scoped: the program can signal other processes of its user" },
	[7] = { "6.15", "what Landlock denies by itself is in no record" },
};

const char *landlock_lost(int abi, const char **since)
{
	size_t i = abi < 2 ? 2 : (size_t)abi;

	if (i >= ARRAY_SIZE(versions))
		return NULL;
	*since = versions[i].since;
	return versions[i].lost;
}

bool landlock_misses(const struct plan *plan, int abi)
{
	bool misses = abi == 6 || (abi == 4 && plan->peers_of[PROTO_TCP] & (OP_BIT(OP_BIND) | OP_BIT(OP_CONNECT)));

	for (size_t i = 0; i < ARRAY_SIZE(rights) && plan->files && !plan->native; i++)
		misses |= rights[i].abi == abi && rights[i].ops & plan->confined;
	return misses && abi > plan->kernel->landlock_abi;
}

const char *landlock_right_name(uint64_t right)
{
	for (size_t i = 0; i < ARRAY_SIZE(rights); i++)
		if (rights[i].right == right)
			return rights[i].name;
	return NULL;
}

static bool allowed(const struct plan *plan, uint32_t ops, const char *path)
{
	struct policy_decision decision = policy_decide_path(plan->policy, ops, path, strlen(path));
	return policy_allows(&decision.enforced);
}

static bool exec_by_default(const struct policy *policy)
{
	const struct policy_default *otherwise = &policy->defaults[SECTION_FILES];
	return !otherwise->present || otherwise->action == ACTION_ALLOW || otherwise->stage == STAGE_LOG;
}

static bool exec_anywhere(const struct plan *plan)
{
	const struct policy *policy = plan->policy;
	if (!plan->exec || exec_by_default(policy))
		return true;
	for (size_t i = 0; i < policy->n_rules; i++)
		for (size_t j = 0; rule_grants(&policy->rules[i], OP_BIT(OP_EXEC)) && j < policy->rules[i].n_patterns; j++) {
			bool whole;
			if (pattern_prefix(policy->rules[i].patterns[j].glob, &whole, NULL) <= 1)
				return true;
		}
	return false;
}

int landlock_rights(struct plan *plan)
{
	int abi = plan->kernel->landlock_abi;
	plan->landlock_fs = 0;
	plan->landlock_scoped = 0;
	plan->landlock_net = 0;
	if (!plan->landlock)
		return 0;
	for (size_t i = 0; plan->files && !plan->native && i < ARRAY_SIZE(rights); i++)
		if (rights[i].ops & plan->confined && rights[i].abi <= abi)
			plan->landlock_fs |= rights[i].right;
	/* The supervisor binds and connects, from outside of the domain. */
	if (abi >= 4 && plan->peers_of[PROTO_TCP] & OP_BIT(OP_BIND))
		plan->landlock_net |= LANDLOCK_ACCESS_NET_BIND_TCP;
	if (abi >= 4 && plan->peers_of[PROTO_TCP] & OP_BIT(OP_CONNECT))
		plan->landlock_net |= LANDLOCK_ACCESS_NET_CONNECT_TCP;
	if (exec_anywhere(plan))
		plan->landlock_fs &= ~RUN;
	if (abi >= 6) {
		plan->landlock_scoped = LANDLOCK_SCOPE_SIGNAL;
		if (plan->unix_paths)	/* the supervisor connects, from outside of the domain */
			plan->landlock_scoped |= LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET;
	}
	return 0;
}

int landlock_tree_add(struct landlock_trees *trees, const char *path, uint64_t access)
{
	for (size_t i = 0; i < trees->n; i++)
		if (strcmp(trees->list[i].path, path) == 0) {
			trees->list[i].access |= access;
			return 0;
		}
	struct landlock_tree *list = reallocarray(trees->list, trees->n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	trees->list = list;
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	list[trees->n++] = (struct landlock_tree){ .path = copy, .access = access };
	return 0;
}

bool landlock_tree_has(const struct landlock_tree *tree, const char *path)
{
	size_t len = tree->path[1] ? strlen(tree->path) : 0;	/* of "/" none */

	return strncmp(tree->path, path, len) == 0 && (!path[len] || path[len] == '/');
}

bool landlock_trees_have(const struct landlock_trees *trees, const char *path)
{
	for (size_t i = 0; i < trees->n; i++)
		if (landlock_tree_has(&trees->list[i], path))
			return true;
	return false;
}

static bool covered(const struct landlock_trees *trees, const char *path)
{
	for (size_t i = 0; i < trees->n; i++)
		if (landlock_tree_has(&trees->list[i], path) && (trees->list[i].access & RUN) == RUN)
			return true;
	return false;
}

/* SIZE bytes AT of a file, whose first LEN are HEAD. */
static bool read_at(int fd, const char *head, size_t len, uint64_t at, void *to, size_t size)
{
	if (size <= len && at <= len - size)
		return memcpy(to, head + at, size);
	return pread(fd, to, size, (off_t)at) == (ssize_t)size;
}

/* The loader of an ELF image or the interpreter of a script, as it is named in the file; false if there is none. */
static bool interpreter(int fd, char *name, size_t size)
{
	union {
		char text[4096];
		Elf64_Ehdr elf;
	} head;
	ssize_t n = pread(fd, &head, sizeof(head) - 1, 0);
	if (n < 4)
		return false;
	head.text[n] = '\0';
	if (head.text[0] == '#' && head.text[1] == '!') {
		const char *start = head.text + 2 + strspn(head.text + 2, " \t");
		size_t len = strcspn(start, " \t\n");
		if (!len || len >= size)
			return false;
		memcpy(name, start, len);
		name[len] = '\0';
		return true;
	}
	if ((size_t)n < sizeof(head.elf) || memcmp(head.elf.e_ident, ELFMAG, SELFMAG) != 0 ||
	    head.elf.e_ident[EI_CLASS] != ELFCLASS64 || head.elf.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	for (unsigned i = 0; i < head.elf.e_phnum; i++) {
		Elf64_Phdr program;
		if (!read_at(fd, head.text, (size_t)n, head.elf.e_phoff + i * sizeof(program), &program, sizeof(program)))
			return false;
		if (program.p_type != PT_INTERP || !program.p_filesz || program.p_filesz >= size)
			continue;
		if (!read_at(fd, head.text, (size_t)n, program.p_offset, name, program.p_filesz))
			return false;
		name[program.p_filesz] = '\0';
		return true;
	}
	return false;
}

/* What the kernel opens beside FILE when that is executed: a script's interpreter, then its loader. */
static int add_interpreters(struct landlock_trees *trees, int dir, const char *file, unsigned depth)
{
	char name[PATH_MAX], resolved[PATH_MAX];
	struct stat st;
	AUTO_FD fd = openat(dir, file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (depth > 5 || fd < 0 || !interpreter(fd, name, sizeof(name)) || strcmp(name, trees->last) == 0 || !realpath(name, resolved))
		return 0;
	strcpy(trees->last, name);
	/* Nothing else is executed. Of a directory it would be all that is in there. */
	if (covered(trees, resolved) || stat(resolved, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return 0;
	int result = landlock_tree_add(trees, resolved, RUN);
	return result < 0 ? result : add_interpreters(trees, AT_FDCWD, resolved, depth + 1);
}

static int add_scripts(struct landlock_trees *trees, const char *path, unsigned *budget)
{
	DIR *dir = opendir(path);
	int result = 0;
	if (!dir)
		return 0;
	for (const struct dirent *entry = readdir(dir); entry && *budget && result == 0; entry = readdir(dir)) {
		struct stat st;
		if (entry->d_type != DT_DIR && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
		    st.st_mode & 0111) {
			--*budget;
			result = add_interpreters(trees, dirfd(dir), entry->d_name, 0);
		}
	}
	closedir(dir);
	return result;
}

static void cut_last(char *path)
{
	char *slash = strrchr(path, '/');
	if (slash)
		slash[slash == path] = '\0';
}

/* One pattern that may be executed. PREFIX is its literal part, changed here; WHOLE: there is no other. */
static int add_exec(const struct plan *plan, struct landlock_trees *trees, char *prefix, bool whole, unsigned *budget)
{
	struct stat st;
	bool is_file = whole && stat(prefix, &st) == 0 && S_ISREG(st.st_mode);
	if (is_file) {
		int result = add_interpreters(trees, AT_FDCWD, prefix, 0);
		if (result < 0)
			return result;
		if (allowed(plan, OP_BIT(OP_CREATE), prefix))
			cut_last(prefix);
	}
	while (stat(prefix, &st) < 0 && strcmp(prefix, "/") != 0)
		cut_last(prefix);
	int result = landlock_tree_add(trees, prefix, RUN);
	return result < 0 || is_file ? result : add_scripts(trees, prefix, budget);
}

static int add_all_exec(const struct plan *plan, struct landlock_trees *trees)
{
	const struct policy *policy = plan->policy;
	unsigned budget = SCRIPTS_MAX;
	int result = 0;
	char resolved[PATH_MAX];
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		for (size_t j = 0; rule_grants(rule, OP_BIT(OP_EXEC)) && j < rule->n_patterns && result == 0; j++) {
			AUTO_FREE char *prefix = NULL;
			bool whole;
			pattern_prefix(rule->patterns[j].glob, &whole, &prefix);
			result = prefix ? add_exec(plan, trees, prefix, whole, &budget) : -ENOMEM;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(loaders) && result == 0; i++)
		if (realpath(loaders[i], resolved) && !covered(trees, resolved))
			result = landlock_tree_add(trees, resolved, RUN);
	return result;
}

int landlock_trees(const struct plan *plan, struct landlock_trees *trees)
{
	int result = 0;
	*trees = (struct landlock_trees){ 0 };
	if (plan->landlock_fs & LANDLOCK_ACCESS_FS_EXECUTE)
		result = add_all_exec(plan, trees);
	/* TIOCGPTPEER opens the peer in the kernel. */
	if (result == 0 && plan->landlock_fs & TTY && allowed(plan, OP_BIT(OP_READ) | OP_BIT(OP_WRITE), "/dev/pts/0"))
		result = landlock_tree_add(trees, "/dev/pts", TTY);
	if (result == 0 && (plan->reads == READS_TREES || (plan->reads == READS_VIEW && plan->landlock_fs & LANDLOCK_ACCESS_FS_READ_FILE)))
		result = reads_trees(plan, trees);
	for (size_t i = 0; i < trees->n; i++)
		trees->list[i].access &= plan->landlock_fs;
	if (result < 0)
		landlock_trees_free(trees);
	return result;
}

void landlock_trees_free(struct landlock_trees *trees)
{
	for (size_t i = 0; i < trees->n; i++)
		free(trees->list[i].path);
	free(trees->list);
	*trees = (struct landlock_trees){ 0 };
}

static int add_rule(int ruleset, const struct landlock_tree *tree)
{
	struct stat st;
	/* All links were followed when the policy was read: one that is there now was put there meanwhile. */
	const struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	AUTO_FD fd = (int)syscall(SYS_openat2, AT_FDCWD, tree->path, &how, sizeof(how));
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
	struct landlock_path_beneath_attr rule = {
		.allowed_access = S_ISDIR(st.st_mode) ? tree->access : tree->access & OF_A_FILE,
		.parent_fd = fd,
	};
	if (!rule.allowed_access)
		return 0;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

/* As of ABI 4; the header may be older. */
struct port_rule { uint64_t access, port; };
#define RULE_NET_PORT 2

static int add_ports(int ruleset, const struct plan *plan)
{
	for (uint32_t lo = 0, hi; ports_range(plan, &lo, &hi); lo = hi + 1)
		for (uint32_t port = lo; port <= hi; port++) {
			struct port_rule rule = { .access = LANDLOCK_ACCESS_NET_CONNECT_TCP, .port = port };

			if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) < 0)
				return -errno;
		}
	return 0;
}

/* Those that .reads was proved for. Whoever changes what interpreters files have may hold a start up, and no more. */
static int checked_trees(const struct plan *plan, struct landlock_trees *trees)
{
	int result = -EAGAIN;
	for (int i = 0; i < CHECKS_MAX && result == -EAGAIN; i++) {
		result = landlock_trees(plan, trees);
		if (result < 0)
			return result;
		result = reads_check(plan, trees);
		if (result < 0)
			landlock_trees_free(trees);
	}
	return result;
}

int plan_landlock(const struct plan *plan, bool *needed)
{
	static const size_t sizes[] = { 8, 8, 8, 8, 16, 16 };	/* of the attribute, by ABI */
	size_t abi = (size_t)plan->kernel->landlock_abi;
	struct ruleset_attr attr = { .fs = plan->landlock_fs, .net = plan->landlock_net, .scoped = plan->landlock_scoped };
	struct landlock_trees trees;

	*needed = plan->landlock && (attr.fs || attr.net || attr.scoped);
	if (!*needed)
		return -1;
	AUTO_FD ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
				       abi < ARRAY_SIZE(sizes) ? sizes[abi] : sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	int result = checked_trees(plan, &trees);
	for (size_t i = 0; i < trees.n && result == 0; i++)
		result = add_rule(ruleset, &trees.list[i]);
	landlock_trees_free(&trees);
	if (result == 0 && plan->ports)
		result = add_ports(ruleset, plan);
	return result < 0 ? result : fd_take(&ruleset);
}
