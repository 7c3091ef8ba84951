/*
 * A tree of files with every kind of link, and the resolver held against the kernel on it: with this process as its own
 * target both must mean the same object, or fail alike.
 */
#ifndef USHER_TESTS_TREE_H
#define USHER_TESTS_TREE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "resolve.h"
#include "target.h"

struct tree {
	char path[64];
	struct kernel kernel;
	struct resolver *resolver;
	struct targets *targets;
	struct target *target;
	struct object object, again;
	char trouble[2 * PATH_MAX];	/* what tree_compare() found */
};

static inline void tree_file(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0)
		abort();
	close(fd);
}

static inline void tree_link(const char *text, const char *name)
{
	if (symlink(text, name))
		abort();
}

/* Makes it and goes there. */
static inline void tree_make(struct tree *tree)
{
	static const char *const dirs[] = { "a", "a/b", "a/b/c", "closed", "d d", "\xff\xfe" };
	static const char *const files[] = { "f", "a/f", "a/b/f", "a/b/c/f", "d d/f", "\xff\xfe/f", "x (deleted)" };
	char text[160], name[160];

	(void)snprintf(tree->path, sizeof(tree->path), "/tmp/usher-tree-XXXXXX");
	if (!mkdtemp(tree->path) || chdir(tree->path))
		abort();
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (mkdir(dirs[i], 0755))
			abort();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		tree_file(files[i]);
	if (mkfifo("fifo", 0600))
		abort();
	tree_link("a", "la");
	tree_link("a/b/../f", "lf");
	tree_link("a/", "las");
	tree_link("f/", "lfs");
	tree_link("loop", "loop");
	tree_link("nope", "dang");
	tree_link("../..", "a/b/up");
	tree_link("../../lf", "a/b/lup");
	tree_link("/", "root");
	tree_link("/proc/self", "self");
	tree_link("/proc/self/cwd/a", "cwd");
	tree_link("/dev/fd", "fds");
	(void)snprintf(text, sizeof(text), "%s/a/f", tree->path);
	tree_link(text, "abs");
	(void)snprintf(text, sizeof(text), "%s/la/b//./c/", tree->path);
	tree_link(text, "absd");
	for (int i = 0; i < 42; i++) {
		(void)snprintf(text, sizeof(text), i ? "c%d" : "a", i - 1);
		(void)snprintf(name, sizeof(name), "c%d", i);
		tree_link(text, name);
	}
	if (chmod("closed", 0))
		abort();
	tree->kernel = (struct kernel){ .pidfd_thread = false, .wait_killable = true };
	if (resolver_new(&tree->resolver, false, getpid()) || targets_new(&tree->targets, &tree->kernel, false) ||
	    target_get(tree->targets, (pid_t)gettid(), &tree->target))
		abort();
	object_init(&tree->object);
	object_init(&tree->again);
}

static inline void tree_free(struct tree *tree)
{
	char command[100];

	object_clear(&tree->object);
	object_clear(&tree->again);
	target_put(tree->targets, tree->target);
	targets_free(tree->targets);
	resolver_free(tree->resolver);
	(void)snprintf(command, sizeof(command), "rm -rf %s", tree->path);
	if (chdir("/") || chmod(tree->path, 0755) || system(command))
		abort();
}

/* One name from descriptor BASE (or AT_FDCWD). */
static inline int tree_resolve(struct tree *tree, int base, const char *path, enum name_mode mode,
			       enum resolve_level level, struct object *object)
{
	static struct name name;
	int from = -1;

	name = (struct name){ .dirfd = base, .mode = mode, .len = strlen(path) };
	if (name.len >= sizeof(name.path))
		return -ENAMETOOLONG;
	memcpy(name.path, path, name.len + 1);
	if (path[0] != '/')
		from = base == AT_FDCWD ? open(".", O_PATH | O_CLOEXEC) : fcntl(base, F_DUPFD_CLOEXEC, 3);
	object_clear(object);
	return resolve(tree->resolver, tree->target, &name, from, level, object);
}

/* "/proc/PID" of this process, as the policy sees it. */
static inline void tree_path_of(int fd, char *path, size_t size)
{
	char link[40], own[32];
	ssize_t len;
	size_t own_len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, size - 1);
	path[len > 0 ? len : 0] = '\0';
	/* Procfs forgets names of /proc/net as it likes. */
	if (!strncmp(path, "/proc/", 6) && strstr(path, " (deleted)"))
		*strstr(path, " (deleted)") = '\0';
	own_len = (size_t)snprintf(own, sizeof(own), "/proc/%d", getpid());
	if (!strncmp(path, own, own_len) && (path[own_len] == '/' || !path[own_len])) {
		memmove(path + 10, path + own_len, strlen(path + own_len) + 1);
		memcpy(path, "/proc/self", 10);
	}
}

/* True if the resolver means the same as the kernel by PATH. Otherwise .trouble says what differs. */
static inline bool tree_compare(struct tree *tree, int base, const char *path, bool follow)
{
	enum name_mode mode = follow ? NAME_FOLLOW : NAME_NOFOLLOW;
	struct object *object = &tree->object;
	char want[PATH_MAX] = "";
	struct stat st;
	int err, kernel, lexical;
	bool same = true;

	/* A walk that the kernel has to begin anew, because something is mounted meanwhile, goes on counting its links. */
	for (int tries = 0; tries == 0 || (tries < 20 && kernel == -ELOOP); tries++) {
		kernel = openat(base, path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
		if (kernel < 0)
			kernel = -errno;
	}
	err = tree_resolve(tree, base, path, mode, RESOLVE_EXACT, object);
	if (!err)
		err = object->err;
	if (kernel >= 0) {
		if (fstat(kernel, &st))
			abort();
		tree_path_of(kernel, want, sizeof(want));
	}
	if (kernel < 0 || err) {
		same = (kernel < 0 ? kernel : 0) == err;
	} else {
		/* A namespace has no path of its own: it is judged by that of its link. */
		same = object->st.st_dev == st.st_dev && object->st.st_ino == st.st_ino &&
		       object->len == strlen(object->path) &&
		       (!strcmp(want, object->path) || (want[0] != '/' && strstr(object->path, "/ns/")));
	}
	(void)snprintf(tree->trouble, sizeof(tree->trouble), "%.400s: kernel %d %.500s, resolver %d %.500s", path, kernel,
		       want, err, object->path);
	/* What the lexical level answers must be the same object, or no answer. */
	if (same && *path) {
		if (tree_resolve(tree, base, path, mode, RESOLVE_LEXICAL, &tree->again))
			abort();
		lexical = tree->again.lexical ? object_lexical_pin(tree->resolver, &tree->again, !follow) : -EINEXACT;
		if (lexical == 0)
			same = kernel >= 0 && tree->again.st.st_ino == st.st_ino && tree->again.st.st_dev == st.st_dev &&
			       !strcmp(tree->again.path, want);
		else if (lexical != -EINEXACT)
			same = kernel == lexical;
		if (!same)
			(void)snprintf(tree->trouble, sizeof(tree->trouble), "%.400s: kernel %d %.500s, lexical %d %.500s", path,
				       kernel, want, lexical, tree->again.path);
	}
	if (kernel >= 0)
		close(kernel);
	return same;
}

#endif
