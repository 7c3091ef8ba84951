/* What a resolver knows of the machine, and the life of objects. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "resolve_walk.h"

/* ---- the resolver ---- */

static bool sysctl_on(const char *path)
{
	char c = '0';
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &c, 1) == 1 && c != '0';
}

static bool mounts_have(const char *option)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	AUTO_FREE char *line = NULL;
	bool found = false;
	size_t size = 0;

	while (file && !found && getline(&line, &size, file) > 0)
		found = strstr(line, option);
	if (file)
		(void)fclose(file);
	return found;
}

int resolver_new(struct resolver **resolver, bool other_roots, pid_t guardian)
{
	struct resolver *new = calloc(1, sizeof(*new));
	struct statfs fs;
	struct stat st;

	if (!new)
		return -ENOMEM;
	new->other_roots = other_roots;
	new->pid = getpid();
	new->guardian = guardian;
	new->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	new->own_root = fcntl(new->root, F_DUPFD_CLOEXEC, 3);
	new->self_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	new->self_task = open("/proc/self/task", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (new->own_root < 0 || new->self_fd < 0 || new->self_task < 0 || fstatfs(new->self_fd, &fs) ||
	    fstat(new->self_fd, &st)) {
		int err = -errno;
		resolver_free(new);
		return err;
	}
	if (fs.f_type != PROC_SUPER_MAGIC) {
		resolver_free(new);
		return -ENOENT;
	}
	new->proc_dev = st.st_dev;
	new->protected_symlinks = sysctl_on("/proc/sys/fs/protected_symlinks");
	new->nosymfollow = mounts_have("nosymfollow");
	*resolver = new;
	return 0;
}

void resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	fd_close(resolver->root);
	fd_close(resolver->own_root);
	fd_close(resolver->self_fd);
	fd_close(resolver->self_task);
	free(resolver);
}

void resolver_links(struct resolver *resolver, bool wanted)
{
	atomic_store(&resolver->no_links, !wanted);
}

void resolver_forget(struct resolver *resolver)
{
	atomic_fetch_add(&resolver->generation, 1);
}

void resolver_mounts(struct resolver *resolver, struct mounts *mounts)
{
	resolver->mounts = mounts;
	/* Any that is made may have that. */
	resolver->nosymfollow |= mounts != NULL;
}

bool resolver_other_roots(const struct resolver *resolver)
{
	return resolver->other_roots;
}

void resolver_launch_root(struct resolver *resolver, int root)
{
	fd_close(resolver->root);
	resolver->root = root;
	resolver->other_procs = true;
}

bool resolver_other_procs(const struct resolver *resolver)
{
	return resolver->other_roots || resolver->other_procs;
}

int resolver_root(const struct resolver *resolver)
{
	return resolver->root;
}

static _Thread_local int own_fds = -1;

void resolver_own_fds(int fd)
{
	own_fds = fd;
}

int resolver_self_fd(const struct resolver *resolver)
{
	return own_fds >= 0 ? own_fds : resolver->self_fd;
}

ssize_t resolve_path_of(const struct resolver *resolver, int fd, char *path, size_t size)
{
	char number[16];
	ssize_t len;

	(void)snprintf(number, sizeof(number), "%d", fd);
	len = readlinkat(resolver_self_fd(resolver), number, path, size - 1);
	if (len < 0)
		return -errno;
	path[len] = '\0';
	return len;
}

/* The kernel tells paths of a page at most. */
ssize_t resolve_path_above(const struct resolver *resolver, int dir, char *path, size_t size)
{
	AUTO_FD at = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	ssize_t len = -ENAMETOOLONG;

	while (at >= 0 && len == -ENAMETOOLONG) {
		int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd_close(at);
		at = up;
		len = at < 0 ? -ENAMETOOLONG : resolve_path_of(resolver, at, path, size);
	}
	return len;
}

ssize_t resolver_path(struct resolver *resolver, const struct target *target, int fd, char path[PATH_MAX], size_t size)
{
	ssize_t len = resolve_path_of(resolver, fd, path, size);

	return len < 0 ? len : (ssize_t)proc_rename(resolver, target, fd, path, (size_t)len);
}

/* Procfs has an anonymous device number. Those that were once seen on another file system are remembered. */
bool resolve_dev_plain(struct resolver *resolver, dev_t dev)
{
	if (major(dev))
		return true;
	for (int i = 0; i < RESOLVE_DEVS; i++)
		if (atomic_load_explicit(&resolver->plain_devs[i], memory_order_relaxed) == dev)
			return true;
	return false;
}

bool resolve_on_proc(struct resolver *resolver, int fd, const struct stat *st)
{
	struct statfs fs;

	if (resolve_dev_plain(resolver, st->st_dev))
		return false;
	if (st->st_dev == resolver->proc_dev)
		return true;
	/* Procfs always has an answer, but for who may not ask. A FUSE file system may have none, or a signal may end the wait for it. */
	if (fstatfs(fd, &fs))
		return errno == EACCES || errno == EPERM;
	if (fs.f_type == PROC_SUPER_MAGIC)
		return true;
	for (int i = 0; i < RESOLVE_DEVS; i++) {
		uint64_t none = 0;
		if (atomic_compare_exchange_strong(&resolver->plain_devs[i], &none, st->st_dev))
			break;
	}
	return false;
}

/* ---- objects ---- */

void object_init(struct object *object)
{
	object->pin = -1;
	object->self_fd = -1;
	object->parent = -1;
	object->from = -1;
	object->from_len = 0;
	object->n_links = 0;
	object->err = 0;
	object->exists = object->lexical = object->nameless = object->below = object->slash = object->magic = object->foreign = false;
	object->held = 0;
	object->len = 0;
	object->path[0] = '\0';
	object->last[0] = '\0';
}

void object_unpin(struct object *object)
{
	object->pin = fd_close(object->pin);
	object->parent = fd_close(object->parent);
}

void object_clear(struct object *object)
{
	object_unpin(object);
	fd_close(object->from);
	for (unsigned i = 0; i < object->n_links; i++)
		free(object->links[i]);
	object_init(object);
}

const char *object_proc_path(int fd, char *buf, size_t size)
{
	(void)snprintf(buf, size, "/proc/self/fd/%d", fd);
	return buf;
}

int object_reopen(const struct object *object, int flags)
{
	char path[32];
	int fd;

	ASSERT(object->pin >= 0);
	flags = (flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_CLOEXEC | O_NOCTTY;
	if (object->self_fd < 0) {
		fd = open(object_proc_path(object->pin, path, sizeof(path)), flags);
	} else {
		(void)snprintf(path, sizeof(path), "%d", object->pin);
		fd = openat(object->self_fd, path, flags);
	}
	return fd < 0 ? -errno : fd;
}
