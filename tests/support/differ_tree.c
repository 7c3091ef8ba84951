/* The tree: how it begins, and what is left of it in the end. */
#include "differ.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TREE_TIME 100000000	/* of everything, in the beginning */

/* Version 2; user::rwx, user:1234:rwx, group::r-x, mask::rwx, other::r-x. */
static const unsigned char acl[] = {
	2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 7, 0, 0xd2, 4, 0, 0, 4, 0, 5, 0, 255, 255, 255, 255,
	16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 5, 0, 255, 255, 255, 255,
};

static const struct {
	const char *name;
	mode_t mode;
} dirs[] = {
	{ "d", 0755 }, { "d/e", 0750 }, { "d/e/k", 0755 }, { "closed", 0755 }, { "sticky", 01777 }, { "setgid", 02775 }, { "acl", 0755 },
	{ "hollow", 0755 }, { "\xff\xfe", 0755 }, { "noread", 0711 }, { "dead", 0755 },
}, files[] = {
	{ "f", 0644 }, { "g", 0600 }, { "ro", 0444 }, { "none", 0000 }, { "suid", 04755 }, { "sgid", 02755 }, { "d/f", 0644 }, { "d/g", 0640 },
	{ "d/e/f", 0644 }, { "closed/f", 0644 }, { "sticky/f", 0644 }, { "setgid/f", 0664 }, { "acl/f", 0644 }, { "\xff\xfe/\xc3", 0644 },
	{ "noread/f", 0666 }, { "d/a b\n", 0644 }, { "gone", 0644 },
};

static const struct {
	const char *to, *name;
} links[] = {
	{ "f", "l.f" }, { "d", "l.d" }, { "nothing", "l.dang" }, { "d/new", "l.far" }, { "nowhere/new", "l.none" }, { "l.loop", "l.loop" },
	{ "l.b", "l.a" }, { "l.a", "l.b" }, { "l.d/../l.f", "l.wind" }, { "f/", "l.fslash" }, { "d/", "l.dslash" }, { "..", "d/up" },
	{ ".", "l.self" }, { "../f", "d/l.f" }, { "/proc/self/cwd", "l.cwd" }, { "/proc/self/fd", "l.fd" }, { "/", "l.root" },
	{ "closed/f", "l.closed" }, { "d/e", "sticky/l.e" }, { "fifo", "l.fifo" }, { "../../d/e", "d/e/l.e" },
};

static void make_file(int dir, const char *name, mode_t mode, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char text[100];
	memset(text, 'a' + (int)size % 26, sizeof(text));
	if (fd < 0 || write(fd, text, size) != (ssize_t)size || fchmod(fd, mode) < 0)
		die(name);
	close(fd);
}

/* A program that may be executed: ourselves, see helper_main(). */
static void make_program(int dir)
{
	int in = open(self_path, O_RDONLY | O_CLOEXEC), out = openat(dir, "x", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (in < 0 || out < 0)
		die("x");
	while (sendfile(out, in, NULL, 1 << 20) > 0)
		;
	close(in);
	close(out);
	out = openat(dir, "script", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (out < 0 || dprintf(out, "#! x helper\n") < 0 || fchmodat(dir, "x", 0755, 0) < 0)
		die("script");
	close(out);
}

static void make_deep(int root)
{
	char name[256];
	int dir = dup(root);
	memset(name, 'D', LONG_NAME);
	name[LONG_NAME] = '\0';
	for (int i = 0; i < DEEP_LEVELS; i++) {
		int next = mkdirat(dir, name, 0755) < 0 ? -1 : openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (next < 0)
			die("deep");
		close(dir);
		dir = next;
	}
	make_file(dir, "f", 0644, 50);
	close(dir);
	memset(name, 'n', 255);
	name[255] = '\0';
	make_file(root, name, 0644, 51);
}

static void make_odd(int root, const char *path)
{
	char text[PATH_MAX];
	for (int i = 0; i < 42; i++) {	/* cN follows N + 1 links */
		char name[8], next[8];
		snprintf(name, sizeof(name), "c%d", i);
		snprintf(next, sizeof(next), "c%d", i - 1);
		if (symlinkat(i ? next : "f", root, name) < 0)
			die(name);
	}
	snprintf(text, sizeof(text), "%s/f", path);
	if (symlinkat(text, root, "l.abs") < 0)
		die("l.abs");
	snprintf(text, sizeof(text), "%s/d", path);
	if (symlinkat(text, root, "l.absd") < 0)
		die("l.absd");
	if (linkat(root, "d/f", root, "hard", 0) < 0 || mkfifoat(root, "fifo", 0666) < 0 || mknodat(root, "sock", S_IFSOCK | 0666, 0) < 0)
		die("hard links, pipes, sockets");
	if (geteuid())
		return;
	if (mknodat(root, "null", S_IFCHR | 0666, makedev(1, 3)) < 0 || mknodat(root, "block", S_IFBLK | 0660, makedev(0, 0)) < 0 ||
	    fchownat(root, "g", 1234, 99, 0) < 0 || fchownat(root, "sticky/f", 1234, 1234, 0) < 0 || fchownat(root, "setgid", 0, 99, 0) < 0 ||
	    fchownat(root, "d/e", 1234, 0, 0) < 0)
		die("owners");
}

static void make_old(int dir, const char *name)
{
	const struct timespec times[2] = { { .tv_sec = TREE_TIME }, { .tv_sec = TREE_TIME + 1 } };
	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		die(name);
}

void tree_build(const char *path, bool alone)
{
	char name[300];
	int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		die(path);
	for (size_t i = 0; i < COUNT(dirs); i++)
		if (mkdirat(root, dirs[i].name, 0755) < 0)
			die(dirs[i].name);
	for (size_t i = 0; i < COUNT(files); i++)
		make_file(root, files[i].name, files[i].mode, 10 + i);
	for (size_t i = 0; i < COUNT(links); i++)
		if (symlinkat(links[i].to, root, links[i].name) < 0)
			die(links[i].name);
	/* To each its own: the process' cwd is everybody's. */
	if (alone && (unlinkat(root, "l.cwd", 0) < 0 || symlinkat("/proc/thread-self/cwd", root, "l.cwd") < 0))
		die("l.cwd");
	make_program(root);
	make_deep(root);
	make_odd(root, path);
	snprintf(name, sizeof(name), "/proc/self/fd/%d/f", root);
	(void)setxattr(name, "user.test", "value", 5, 0);
	(void)setxattr(name, "trusted.test", "trust", 5, 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d/acl", root);
	(void)setxattr(name, "system.posix_acl_default", acl, sizeof(acl), 0);
	for (size_t i = 0; i < COUNT(files); i++)
		make_old(root, files[i].name);
	for (size_t i = 0; i < COUNT(links); i++)
		make_old(root, links[i].name);
	for (size_t i = COUNT(dirs); i-- > 0;) {
		if (fchmodat(root, dirs[i].name, dirs[i].mode, 0) < 0)
			die(dirs[i].name);
		make_old(root, dirs[i].name);
	}
	if (fchmodat(root, "closed", 0, 0) < 0)
		die("closed");
	close(root);
}

/* ---- in the end ---- */

/* Which links were followed. Not where an open came to EMFILE: usher had looked its name up. */
void tree_links(const char *path)
{
	struct dirent **entries;
	struct stat st;
	int n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char name[PATH_MAX + 300];
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		free(entries[i]);
		if (lstat(name, &st) < 0 || !S_ISLNK(st.st_mode))
			continue;
		put_text(stdout, name + strlen(path), strlen(name + strlen(path)));
		see_time(stdout, "atime", st.st_atim.tv_sec, (uint32_t)st.st_atim.tv_nsec);
		printf("\n");
	}
	if (n >= 0)
		free(entries);
}

uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static void list_xattrs(const char *path)
{
	char names[1024], value[1024], *sorted[32];
	ssize_t len = llistxattr(path, names, sizeof(names)), n;
	size_t count = 0;
	for (char *name = names; len > 0 && name < names + len && count < COUNT(sorted); name += strlen(name) + 1) {
		size_t at = count++;
		for (; at && strcmp(sorted[at - 1], name) > 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = name;
	}
	for (size_t i = 0; i < count; i++) {
		n = lgetxattr(path, sorted[i], value, sizeof(value));
		printf(" %s=", sorted[i]);
		put_text(stdout, value, n > 0 ? (size_t)n : 0);
	}
}

static void list_content(const char *path, const struct stat *st)
{
	char text[PATH_MAX];
	ssize_t n;
	if (S_ISLNK(st->st_mode)) {
		n = readlink(path, text, sizeof(text));
		printf(" -> ");
		put_text(stdout, text, n > 0 ? (size_t)n : 0);
	} else if (S_ISREG(st->st_mode)) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 && chmod(path, 0600) == 0)
			fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, text, sizeof(text));
		printf(" content %zd %llx", n, (unsigned long long)hash_bytes(0, text, n > 0 ? (size_t)n : 0));
		close(fd);
	}
}

static void list_dir(int dir, const char *prefix);

static void list_entry(int dir, const char *prefix, const char *name)
{
	char path[400], *below = NULL;
	struct stat st;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	printf("%s/", prefix);
	put_text(stdout, name, strlen(name));
	printf(" %o %u:%u links %lu", st.st_mode, st.st_uid, st.st_gid, (unsigned long)st.st_nlink);
	if (!S_ISDIR(st.st_mode))
		printf(" size %ld rdev %lx", (long)st.st_size, (unsigned long)st.st_rdev);
	if (!S_ISLNK(st.st_mode))	/* see tree_links() */
		see_time(stdout, "atime", st.st_atim.tv_sec, (uint32_t)st.st_atim.tv_nsec);
	see_time(stdout, "mtime", st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	list_xattrs(path);
	list_content(path, &st);
	printf("\n");
	if (!S_ISDIR(st.st_mode))
		return;
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if ((fd < 0 || faccessat(fd, ".", X_OK, 0) < 0) && fchmodat(dir, name, 0700, 0) == 0) {
		close(fd);
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0 || asprintf(&below, "%s/%.20s", prefix, name) < 0)
		return;
	list_dir(fd, below);
	free(below);
}

/* Closes DIR. */
static void list_dir(int dir, const char *prefix)
{
	struct dirent **entries;
	int n = scandirat(dir, ".", &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (strcmp(entries[i]->d_name, ".") != 0 && strcmp(entries[i]->d_name, "..") != 0)
			list_entry(dir, prefix, entries[i]->d_name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	close(dir);
}

void tree_list(const char *path)
{
	list_dir(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "");
}

/* Closes DIR. */
void tree_clear(int dir)
{
	(void)fchmod(dir, 0700);
	DIR *stream = fdopendir(dir);
	struct dirent *entry;
	while (stream && (entry = readdir(stream))) {
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		int below = unlinkat(dir, name, 0) < 0 ? openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
		if (below < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
			below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below >= 0)
			tree_clear(below);
		(void)unlinkat(dir, name, AT_REMOVEDIR);
	}
	if (stream)
		closedir(stream);
}
