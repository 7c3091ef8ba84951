/* The resolver on a real tree, held against the kernel, with this process as its own target; and against racing threads. */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <sys/mman.h>

#include "../support/tree.h"

static struct tree tree;

static int setup(void **state)
{
	(void)state;
	tree_make(&tree);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tree_free(&tree);
	return 0;
}

static struct object *resolved(const char *path, enum name_mode mode)
{
	assert_int_equal(tree_resolve(&tree, AT_FDCWD, path, mode, RESOLVE_EXACT, &tree.object), 0);
	return &tree.object;
}

static void assert_path(const struct object *object, const char *below)
{
	char want[PATH_MAX];

	(void)snprintf(want, sizeof(want), "%s%s", tree.path, below);
	assert_string_equal(object->path, want);
	assert_int_equal(object->len, strlen(want));
}

static void same_as_kernel(void **state)
{
	static const char *const paths[] = {
		"f", "f/", "f/.", "f/x", "a", "a/", "a/.", "a/..", "a/../f", ".", "..", "./", "/", "//", "/.", "/..", "la", "la/",
		"la/f", "la/../f", "lf", "lf/", "las", "las/f", "lfs", "loop", "loop/x", "dang", "dang/", "dang/x", "a/b/up",
		"a/b/up/f", "a/b/lup", "abs", "absd", "absd/f", "absd/../../f", "root", "root/etc", "root/..", "c0", "c39", "c40",
		"c41", "c39/f", "fifo", "closed", "closed/x", "d d/f", "\xff\xfe/f", "x (deleted)", "nope", "nope/f", "a//b///c",
		"self", "self/fd", "self/status", "self/exe", "self/cwd", "self/cwd/f", "self/root/etc", "self/ns/mnt", "cwd/f",
		"/proc/self", "/proc/self/", "/proc/thread-self/comm", "/proc/mounts", "/proc/net/tcp", "/proc/version", "/proc",
		"/proc/self/fd/0", "/proc/self/fd/999", "/proc/self/fd/x", "/proc/self/task", "/proc/self/../version", "fds/0",
		"/proc/self/fdinfo/0", "/proc/self/cwd/../", "/proc/sys/kernel/hostname", "/dev/null", "/dev/fd", "/dev/stdin",
		"/etc/passwd", "/etc/passwd/x", "/nope", "/usr/bin/../lib",
		/* Longer than NAME_MAX, which is not procfs's business. */
		"/proc/self/"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/y",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		for (int follow = 0; follow < 2; follow++)
			if (!tree_compare(&tree, AT_FDCWD, paths[i], follow))
				fail_msg("%s", tree.trouble);
}

static void same_as_kernel_random(void **state)
{
	static const char *const parts[] = {
		"a", "b", "c", "f", "la", "lf", "las", "up", "lup", "abs", "absd", "..", ".", "", "nope", "dang", "loop", "self",
		"cwd", "c1", "c38", "d d", "fds", "0", "root", "fd", "proc", "tmp", "task",
	};
	unsigned seed = 1;
	int dir = open("a/b", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char path[512];
		size_t len = 0;
		int n = 1 + rand_r(&seed) % 7;

		if (rand_r(&seed) % 3 == 0)
			len = (size_t)snprintf(path, sizeof(path), "%s/", tree.path);
		for (int j = 0; j < n; j++)
			len += (size_t)snprintf(path + len, sizeof(path) - len, "%s%s",
						parts[(unsigned)rand_r(&seed) % (sizeof(parts) / sizeof(parts[0]))],
						j < n - 1 || rand_r(&seed) % 8 == 0 ? "/" : "");
		if (!len)
			continue;
		if (!tree_compare(&tree, i % 2 ? dir : AT_FDCWD, path, rand_r(&seed) % 2))
			fail_msg("%s", tree.trouble);
	}
	close(dir);
}

static void creating(void **state)
{
	struct object *object = resolved("new", NAME_CREATE);

	(void)state;
	assert_int_equal(object->err, -ENOENT);
	assert_true(object->parent >= 0);
	assert_string_equal(object->last, "new");
	assert_path(object, "/new");
	/* A dangling link is created where it leads. */
	object = resolved("dang", NAME_CREATE);
	assert_int_equal(object->err, -ENOENT);
	assert_string_equal(object->last, "nope");
	assert_path(object, "/nope");
	assert_int_equal(object->n_links, 1);
	object = resolved("la/new", NAME_CREATE);
	assert_path(object, "/a/new");
	object = resolved("nope/new", NAME_CREATE);
	assert_int_equal(object->err, -ENOENT);
	assert_int_equal(object->parent, -1);
	object = resolved("f", NAME_CREATE);
	assert_int_equal(object->err, 0);
	assert_true(object->exists);
	object = resolved("new/", NAME_CREATE);
	assert_true(object->slash);
}

static void entries(void **state)
{
	struct object *object = resolved("lf", NAME_ENTRY);

	(void)state;
	assert_true(object->exists && S_ISLNK(object->st.st_mode));
	assert_path(object, "/lf");
	object = resolved("la/b", NAME_ENTRY);
	assert_path(object, "/a/b");
	assert_string_equal(object->last, "b");
	object = resolved("la/", NAME_ENTRY);
	assert_true(object->slash && S_ISLNK(object->st.st_mode));
	object = resolved("a/.", NAME_ENTRY);
	assert_string_equal(object->last, ".");
	assert_path(object, "/a");
	object = resolved("a/b/..", NAME_ENTRY);
	assert_string_equal(object->last, "..");
	assert_path(object, "/a");
	object = resolved("/", NAME_ENTRY);
	assert_string_equal(object->last, "/");
	assert_string_equal(object->path, "/");
	object = resolved("dang", NAME_ENTRY);
	assert_true(object->exists);
}

/* A denied name must not tell how far it was found: the path goes on as spelled. */
static void failures_keep_the_path(void **state)
{
	struct object *object = resolved("nope/./x//../y", NAME_FOLLOW);

	(void)state;
	assert_int_equal(object->err, -ENOENT);
	assert_path(object, "/nope/y");
	object = resolved("la/f/x/y", NAME_FOLLOW);
	assert_int_equal(object->err, -ENOTDIR);
	assert_path(object, "/a/f/x/y");
}

static void nameless(void **state)
{
	char path[40];
	int fds[2], fd;
	struct object *object;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	object = resolved(path, NAME_FOLLOW);
	assert_true(object->nameless && object->magic);
	assert_int_equal(object->held, 1);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	assert_int_equal(resolved(path, NAME_FOLLOW)->held, 2);
	fd = (int)syscall(SYS_memfd_create, "m", 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	object = resolved(path, NAME_FOLLOW);
	assert_true(object->nameless);
	assert_int_equal(object->held, 3);
	close(fd);
	tree_file("gone");
	fd = open("gone", O_RDONLY);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	object = resolved(path, NAME_FOLLOW);
	assert_false(object->nameless);
	assert_path(object, "/gone");
	assert_int_equal(link("gone", "kept"), 0);
	assert_int_equal(unlink("gone"), 0);
	object = resolved(path, NAME_FOLLOW);
	assert_true(object->nameless);
	assert_int_equal(object->held, 1);
	close(fd);
	/* A name that only looks deleted. */
	object = resolved("x (deleted)", NAME_FOLLOW);
	assert_false(object->nameless);
	close(fds[0]);
	close(fds[1]);
}

static void removed_cwd(void **state)
{
	(void)state;
	assert_int_equal(mkdir("away", 0755), 0);
	assert_int_equal(chdir("away"), 0);
	assert_int_equal(rmdir("../away"), 0);
	assert_true(resolved(".", NAME_FOLLOW)->nameless);
	assert_int_equal(tree.object.err, 0);
	assert_int_equal(resolved("x", NAME_FOLLOW)->err, -ENOENT);
	assert_path(&tree.object, "/away/x");
	assert_path(resolved("..", NAME_FOLLOW), "");
	assert_int_equal(chdir(tree.path), 0);
}

/* With getpid() as the guardian only we and our descendants are of the sandbox. */
static void processes(void **state)
{
	struct object *object = resolved("/proc/1/status", NAME_FOLLOW);

	(void)state;
	if (object->err)
		skip();
	assert_true(object->foreign);
	assert_int_equal(resolved("/proc/1/environ", NAME_FOLLOW)->err, -EACCES);
	assert_int_equal(resolved("/proc/1/cwd", NAME_FOLLOW)->err, -EACCES);
	assert_int_equal(resolved("/proc/1/root/etc/passwd", NAME_FOLLOW)->err, -EACCES);
	assert_int_equal(resolved("/proc/1/task/1/mem", NAME_FOLLOW)->err, -EACCES);
	assert_int_equal(resolved("/proc/1/task/1/comm", NAME_FOLLOW)->err, 0);
}

static void other_process(pid_t guardian, int want, int want_foreign)
{
	struct resolver *own = tree.resolver;
	char path[64];
	int hold[2];
	pid_t child;

	assert_int_equal(pipe(hold), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		char c;

		close(hold[1]);
		_exit(read(hold[0], &c, 1) != 0);
	}
	close(hold[0]);
	assert_int_equal(resolver_new(&tree.resolver, false, guardian), 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/cwd/f", child);
	assert_int_equal(resolved(path, NAME_FOLLOW)->err, want);
	assert_int_equal(tree.object.foreign, want_foreign);
	if (!want)
		assert_path(&tree.object, "/f");
	resolver_free(tree.resolver);
	tree.resolver = own;
	close(hold[1]);
}

static void members(void **state)
{
	(void)state;
	other_process(getpid(), 0, false);
	other_process(1000000000, -EACCES, false);
}

static void chrooted_child(int hold, int ready)
{
	char c = 0;

	if (chroot("a/b") || chdir("/c") || write(ready, &c, 1) != 1 || read(hold, &c, 1) < 0)
		_exit(1);
	_exit(0);
}

/* Where chroot is possible each target has its own root: ".." and absolute links stop there. Paths are those of the launch root. */
static void chrooted(void **state)
{
	struct { const char *path, *want; int err; } cases[] = {
		{ "/f", "/a/b/f", 0 }, { "/../../f", "/a/b/f", 0 }, { "../../../f", "/a/b/f", 0 }, { "/up/f", "/a/b/f", 0 },
		{ "/lup", NULL, -ENOENT }, { "f", "/a/b/c/f", 0 }, { "/etc/passwd", NULL, -ENOENT }, { "/abs", "/a/b/f", 0 },
	};
	struct resolver *own = tree.resolver;
	struct target *self = tree.target;
	int hold[2], ready[2];
	pid_t child;
	char c;

	(void)state;
	if (geteuid())
		skip();
	tree_link("/c/../../f", "a/b/abs");
	assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		close(hold[1]);
		chrooted_child(hold[0], ready[1]);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(resolver_new(&tree.resolver, true, getpid()), 0);
	assert_int_equal(target_get(tree.targets, child, &tree.target), 0);
	int root = target_root(tree.target);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct name name;

		name = (struct name){ .dirfd = AT_FDCWD, .mode = NAME_FOLLOW, .root = root, .len = strlen(cases[i].path) };
		memcpy(name.path, cases[i].path, name.len + 1);
		object_clear(&tree.object);
		assert_int_equal(resolve(tree.resolver, tree.target, &name, cases[i].path[0] == '/' ? -1 : target_cwd(tree.target),
					 RESOLVE_LEXICAL, &tree.object), 0);
		assert_false(tree.object.lexical);
		assert_int_equal(tree.object.err, cases[i].err);
		if (cases[i].want)
			assert_path(&tree.object, cases[i].want);
	}
	close(root);
	target_put(tree.targets, tree.target);
	resolver_free(tree.resolver);
	tree.resolver = own;
	tree.target = self;
	close(hold[0]);
	close(hold[1]);
	close(ready[0]);
	close(ready[1]);
}

static void links_are_told(void **state)
{
	struct object *object = resolved("a/b/lup", NAME_FOLLOW);
	char want[PATH_MAX];

	(void)state;
	assert_int_equal(object->err, 0);
	assert_int_equal(object->n_links, 2);
	(void)snprintf(want, sizeof(want), "%s/a/b/lup", tree.path);
	assert_string_equal(object->links[0], want);
	(void)snprintf(want, sizeof(want), "%s/lf", tree.path);
	assert_string_equal(object->links[1], want);
}

static void own_openat2(void **state)
{
	static const uint64_t all[] = {
		RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT,
	};
	static const char *const paths[] = {
		"f", "../f", "up", "lup", "c/../f", "..", ".", "c/f", "../b/f", "../../la/b/f", "nope", "../../abs", "../../self/fd/0",
		"../../root", "../..",
	};
	int dir = open("a/b", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (size_t j = 0; j < sizeof(paths) / sizeof(paths[0]); j++) {
			struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = all[i] };
			static struct name name;
			struct stat st;
			int kernel = -EAGAIN, err;

			/* So the kernel answers "..", if something is mounted or renamed anywhere meanwhile. */
			for (int tries = 0; tries < 20 && kernel == -EAGAIN; tries++) {
				kernel = (int)syscall(SYS_openat2, dir, paths[j], &how, sizeof(how));
				if (kernel < 0)
					kernel = -errno;
			}
			name = (struct name){ .dirfd = dir, .mode = NAME_FOLLOW, .resolve = all[i], .len = strlen(paths[j]) };
			memcpy(name.path, paths[j], name.len + 1);
			object_clear(&tree.object);
			err = resolve(tree.resolver, tree.target, &name, fcntl(dir, F_DUPFD_CLOEXEC, 3), RESOLVE_EXACT, &tree.object);
			assert_int_equal(err, 0);
			if (tree.object.err != (kernel < 0 ? kernel : 0))
				fail_msg("%s resolve %llx: kernel %d, resolver %d", paths[j], (unsigned long long)all[i], kernel,
					 tree.object.err);
			if (kernel < 0)
				continue;
			assert_int_equal(fstat(kernel, &st), 0);
			assert_int_equal(st.st_ino, tree.object.st.st_ino);
			close(kernel);
		}
	}
	close(dir);
}

/* ---- races ---- */

static _Atomic bool racing;

static void *race_link(void *arg)
{
	(void)arg;
	while (racing) {
		(void)rename("race/to_evil", "race/entry");
		(void)!symlink("evil", "race/to_evil");
		(void)rename("race/to_good", "race/entry");
		(void)!symlink("good", "race/to_good");
	}
	return NULL;
}

/* Whatever the thread does, a path is that of the pinned object. */
static void race_of_links(void **state)
{
	struct stat good, evil;
	pthread_t thread;
	unsigned seen[2] = { 0, 0 };

	(void)state;
	assert_int_equal(mkdir("race", 0755), 0);
	tree_file("race/good");
	tree_file("race/evil");
	tree_link("good", "race/to_good");
	tree_link("evil", "race/to_evil");
	tree_link("good", "race/entry");
	assert_int_equal(stat("race/good", &good), 0);
	assert_int_equal(stat("race/evil", &evil), 0);
	racing = true;
	assert_int_equal(pthread_create(&thread, NULL, race_link, NULL), 0);
	for (int i = 0; i < 20000 || ((!seen[0] || !seen[1]) && i < 2000000); i++) {
		struct object *object = resolved("race/entry", NAME_FOLLOW);

		assert_int_equal(object->err, 0);
		assert_path(object, object->st.st_ino == good.st_ino ? "/race/good" : "/race/evil");
		seen[object->st.st_ino == evil.st_ino]++;
	}
	racing = false;
	pthread_join(thread, NULL);
	assert_true(seen[0] && seen[1]);
}

static void *race_swap(void *arg)
{
	(void)arg;
	while (racing)
		(void)syscall(SYS_renameat2, AT_FDCWD, "swap/dir", AT_FDCWD, "swap/link", 2 /* RENAME_EXCHANGE */);
	return NULL;
}

static bool lexical_from(int base, const char *path, enum name_mode mode)
{
	assert_int_equal(tree_resolve(&tree, base, path, mode, RESOLVE_LEXICAL, &tree.object), 0);
	return tree.object.lexical;
}

/* A relative name is taken as it is spelled where it begins at a directory with a path, and as long as that has it. */
static void lexical_and_relative(void **state)
{
	int dir = open("a/b", O_PATH | O_CLOEXEC), file = open("f", O_PATH | O_CLOEXEC), proc = open("/proc/self", O_PATH | O_CLOEXEC);
	int root = open("/", O_PATH | O_CLOEXEC), pipes[2], moved, gone;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_true(lexical_from(AT_FDCWD, "f", NAME_FOLLOW));
	assert_path(&tree.object, "/f");
	assert_true(lexical_from(dir, "./c//.//x/", NAME_NOFOLLOW));
	assert_path(&tree.object, "/a/b/c/x");
	assert_true(lexical_from(root, "etc/passwd", NAME_FOLLOW));
	assert_string_equal(tree.object.path, "/etc/passwd");
	assert_int_equal(object_lexical_pin(tree.resolver, &tree.object, false), 0);
	assert_true(lexical_from(file, "x", NAME_FOLLOW));
	assert_int_equal(object_lexical_pin(tree.resolver, &tree.object, false), -ENOTDIR);
	assert_true(lexical_from(AT_FDCWD, "la/f", NAME_FOLLOW));
	assert_int_equal(object_lexical_pin(tree.resolver, &tree.object, false), -EINEXACT);
	assert_false(lexical_from(dir, "../f", NAME_FOLLOW));
	assert_false(lexical_from(dir, ".", NAME_FOLLOW));
	assert_false(lexical_from(root, "proc/version", NAME_FOLLOW));
	assert_false(lexical_from(proc, "status", NAME_FOLLOW));
	assert_false(lexical_from(pipes[0], "x", NAME_FOLLOW));
	assert_false(lexical_from(AT_FDCWD, "new", NAME_CREATE));
	assert_false(lexical_from(AT_FDCWD, "new", NAME_ENTRY));

	assert_int_equal(mkdir("moves", 0755), 0);
	tree_file("moves/x");
	moved = open("moves", O_PATH | O_CLOEXEC);
	assert_true(lexical_from(moved, "x", NAME_FOLLOW));
	assert_int_equal(object_open_lexical(tree.resolver, &tree.object, O_WRONLY | O_TRUNC), -EINEXACT);
	assert_int_equal(object_lexical_pin(tree.resolver, &tree.object, false), 0);
	assert_true(lexical_from(moved, "x", NAME_FOLLOW));
	assert_int_equal(rename("moves", "moved (deleted)"), 0);
	assert_int_equal(object_open_lexical(tree.resolver, &tree.object, O_RDONLY), -EINEXACT);
	assert_int_equal(rename("moved (deleted)/x", "moved (deleted)/y"), 0);
	assert_int_equal(object_open_lexical(tree.resolver, &tree.object, O_RDONLY), -EINEXACT);
	assert_int_equal(rename("moved (deleted)/y", "moved (deleted)/x"), 0);
	assert_false(lexical_from(moved, "x", NAME_FOLLOW));
	assert_path(&tree.object, "/moved (deleted)/x");
	assert_int_equal(mkdir("goes", 0755), 0);
	gone = open("goes", O_PATH | O_CLOEXEC);
	assert_int_equal(rmdir("goes"), 0);
	assert_false(lexical_from(gone, "x", NAME_FOLLOW));
	assert_int_equal(tree.object.err, -ENOENT);
	for (size_t i = 0; i < 8; i++)
		close((const int[]){ dir, file, proc, root, pipes[0], pipes[1], moved, gone }[i]);
}

/* A directory and a link to another one change places: the lexical level must never go through the link. */
static void race_of_lexical(void **state)
{
	char path[PATH_MAX];
	struct stat evil, st;
	pthread_t thread;
	unsigned opened = 0, again = 0;

	(void)state;
	assert_int_equal(mkdir("swap", 0755), 0);
	assert_int_equal(mkdir("swap/dir", 0755), 0);
	assert_int_equal(mkdir("swap/other", 0755), 0);
	tree_link("other", "swap/link");
	tree_file("swap/dir/x");
	tree_file("swap/other/x");
	assert_int_equal(stat("swap/other/x", &evil), 0);
	(void)snprintf(path, sizeof(path), "%s/swap/dir/x", tree.path);
	racing = true;
	assert_int_equal(pthread_create(&thread, NULL, race_swap, NULL), 0);
	for (int i = 0; i < 20000 || ((!opened || !again) && i < 2000000); i++) {
		int fd;

		assert_int_equal(tree_resolve(&tree, AT_FDCWD, path, NAME_FOLLOW, RESOLVE_LEXICAL, &tree.object), 0);
		assert_true(tree.object.lexical);
		assert_string_equal(tree.object.path, path);
		fd = object_open_lexical(tree.resolver, &tree.object, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			assert_int_equal(fd, -EINEXACT);
			again++;
			continue;
		}
		opened++;
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_not_equal(st.st_ino, evil.st_ino);
		close(fd);
	}
	racing = false;
	pthread_join(thread, NULL);
	assert_true(opened && again);
}

static void *race_move(void *arg)
{
	(void)arg;
	while (racing) {
		(void)rename("move/in/d", "move/out");
		(void)rename("move/out", "move/in/d");
	}
	return NULL;
}

/* A directory that moves while ".." is taken in it: RESOLVE_BENEATH is kept. */
static void race_beneath(void **state)
{
	static struct name name;
	pthread_t thread;
	unsigned inside = 0;
	int dir;

	(void)state;
	assert_int_equal(mkdir("move", 0755), 0);
	assert_int_equal(mkdir("move/in", 0755), 0);
	assert_int_equal(mkdir("move/in/d", 0755), 0);
	tree_file("move/in/x");
	tree_file("move/x");
	dir = open("move/in", O_PATH | O_DIRECTORY | O_CLOEXEC);
	name = (struct name){ .dirfd = dir, .mode = NAME_FOLLOW, .resolve = RESOLVE_BENEATH, .len = 6 };
	memcpy(name.path, "d/../x", 7);
	racing = true;
	assert_int_equal(pthread_create(&thread, NULL, race_move, NULL), 0);
	for (int i = 0; i < 20000 || (!inside && i < 2000000); i++) {
		object_clear(&tree.object);
		assert_int_equal(resolve(tree.resolver, tree.target, &name, fcntl(dir, F_DUPFD_CLOEXEC, 3), RESOLVE_EXACT,
					 &tree.object), 0);
		if (tree.object.err) {
			assert_true(tree.object.err == -ENOENT || tree.object.err == -EAGAIN || tree.object.err == -EXDEV);
			continue;
		}
		inside++;
		assert_path(&tree.object, "/move/in/x");
	}
	racing = false;
	pthread_join(thread, NULL);
	assert_true(inside > 0);
	close(dir);
}

static void *race_unlink(void *arg)
{
	(void)arg;
	while (racing) {
		tree_file("flicker");
		(void)unlink("flicker");
	}
	return NULL;
}

/* A file that comes and goes is there or not, never without a name. */
static void race_of_removal(void **state)
{
	pthread_t thread;
	unsigned there = 0, missing = 0;

	(void)state;
	racing = true;
	assert_int_equal(pthread_create(&thread, NULL, race_unlink, NULL), 0);
	for (int i = 0; i < 20000 || ((!there || !missing) && i < 2000000); i++) {
		struct object *object = resolved("./a/../flicker", NAME_FOLLOW);

		assert_false(object->nameless);
		assert_path(object, "/flicker");
		there += !object->err;
		missing += object->err == -ENOENT;
		assert_true(!object->err || object->err == -ENOENT);
	}
	racing = false;
	pthread_join(thread, NULL);
	assert_true(there && missing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_kernel), cmocka_unit_test(same_as_kernel_random), cmocka_unit_test(creating),
		cmocka_unit_test(entries), cmocka_unit_test(failures_keep_the_path), cmocka_unit_test(nameless),
		cmocka_unit_test(removed_cwd), cmocka_unit_test(processes), cmocka_unit_test(members), cmocka_unit_test(chrooted),
		cmocka_unit_test(links_are_told), cmocka_unit_test(own_openat2), cmocka_unit_test(race_of_links),
		cmocka_unit_test(lexical_and_relative), cmocka_unit_test(race_of_lexical), cmocka_unit_test(race_beneath), cmocka_unit_test(race_of_removal),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
