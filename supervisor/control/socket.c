#include "control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/proof.h"
#include "err.h"
#include "fd.h"
#include "text.h"

#define SYSTEM_DIR "/run/usher"
#define BACKLOG 16

static char *user_dir(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	return runtime && runtime[0] == '/' ? text_printf("%s/usher", runtime) : NULL;
}

char *control_dir(void)
{
	return geteuid() == 0 ? text_copy(SYSTEM_DIR) : user_dir();
}

void control_dir_make(void)
{
	AUTO_FREE char *dir = control_dir();
	AUTO_FREE char *other = user_dir();

	if (dir)
		(void)mkdir(dir, 0700);
	if (other)
		(void)mkdir(other, 0700);
}

char *control_forbidden(size_t i)
{
	char *dir;

	switch (i) {
	case 0:
		return text_copy(SYSTEM_DIR);
	case 1:
		dir = user_dir();
		break;
	case 2:
		dir = proof_dir();
		break;
	default:
		return NULL;
	}
	return dir ? dir : text_copy("");
}

bool control_name_good(const char *name)
{
	size_t len = strlen(name);

	return len && len <= CONTROL_NAME_MAX && *name != '.' && *name != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* Ours, and nobody else's to write in. */
static int dir_open(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	AUTO_FD dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st))
		return -errno;
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return -EPERM;
	return fd_take(&dir);
}

/* The lock of a name is the file that has that name now, not one that was removed meanwhile. */
static int lock_take(const char *path)
{
	for (int i = 0; i < 100; i++) {
		struct stat mine, named;
		AUTO_FD lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);

		if (lock < 0)
			return -errno;
		if (flock(lock, LOCK_EX | LOCK_NB))
			return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
		if (!fstat(lock, &mine) && !lstat(path, &named) && mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
			return fd_take(&lock);
	}
	return -EAGAIN;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	/* Of somebody who had the name before and could not take it away. */
	if (unlink(path) && errno != ENOENT)
		return -errno;
	/* The mode of a socket is that of its file at bind. */
	if (fchmod(fd, 0600) || bind(fd, (const struct sockaddr *)&address, sizeof(address)) || chmod(path, 0600) ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) || listen(fd, BACKLOG))
		return -errno;
	return fd_take(&fd);
}

static int socket_take(struct control_socket *control, const char **what)
{
	*what = "another supervisor has this name";
	control->lock = lock_take(control->lock_path);
	if (control->lock == -EADDRINUSE)
		return control->lock;
	*what = "its lock";
	if (control->lock < 0)
		return control->lock;
	*what = "its socket";
	control->listener = listen_at(control->path);
	return control->listener < 0 ? control->listener : 0;
}

int control_socket_open(struct control_socket *control, const char *name, const char **what)
{
	AUTO_FREE char *dir = control_dir();
	int err;

	/* Root in a user namespace of its own is not root there. */
	AUTO_FD at = dir ? dir_open(dir) : -ENOENT;
	if (at < 0 && geteuid() == 0) {
		free(dir);
		dir = user_dir();
	}
	*control = (struct control_socket){ .listener = -1, .lock = -1 };
	*what = "there is no XDG_RUNTIME_DIR";
	if (!dir)
		return -ENOENT;
	*what = "its directory is missing, or others may write there";
	AUTO_FD fd = dir_open(dir);
	if (fd < 0)
		return fd;
	control->path = text_printf("%s/%s.sock", dir, name);
	control->lock_path = text_printf("%s/%s.lock", dir, name);
	err = socket_take(control, what);
	if (err)
		control_socket_close(control);
	return err;
}

bool control_socket_sweep(const char *path)
{
	AUTO_FREE char *lock_path = text_printf("%.*s.lock", (int)(strlen(path) - strlen(".sock")), path);
	AUTO_FD lock = lock_take(lock_path);

	if (lock < 0)
		return false;
	(void)unlink(path);
	(void)unlink(lock_path);
	return true;
}

void control_socket_close(struct control_socket *control)
{
	if (control->lock >= 0) {
		(void)unlink(control->path);
		(void)unlink(control->lock_path);
	}
	control->listener = fd_close(control->listener);
	control->lock = fd_close(control->lock);
	free(control->path);
	free(control->lock_path);
	control->path = control->lock_path = NULL;
}
