#include "calls/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fd.h"
#include "sandbox.h"

#define PTS_MAJOR 136	/* to 143: 256 terminals each */

/* tty_nr of /proc/PID/stat: the kernel's new_encode_dev(). */
static dev_t tty_dev(unsigned number)
{
	return makedev((number >> 8) & 0xfff, (number & 0xff) | ((number >> 12) & 0xfff00));
}

/* Our own controlling terminal, 0 if there is none. */
static unsigned own_tty(void)
{
	char buf[1024];
	const char *p;
	ssize_t len;
	int number = 0;
	AUTO_FD fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	len = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (len <= 0)
		return 0;
	buf[len] = '\0';
	p = strrchr(buf, ')');
	return p && sscanf(p + 1, " %*c %*d %*d %*d %d", &number) == 1 ? (unsigned)number : 0;
}

/* The device's node, "dev/pts/3" or by its name in sysfs. */
static int tty_node(dev_t dev, char *path, size_t size)
{
	char link[64], text[256], *name;
	ssize_t len;

	if (major(dev) >= PTS_MAJOR && major(dev) < PTS_MAJOR + 8) {
		(void)snprintf(path, size, "dev/pts/%u", (major(dev) - PTS_MAJOR) * 256 + minor(dev));
		return 0;
	}
	(void)snprintf(link, sizeof(link), "/sys/dev/char/%u:%u", major(dev), minor(dev));
	len = readlink(link, text, sizeof(text) - 1);
	if (len <= 0)
		return -ENXIO;
	text[len] = '\0';
	name = strrchr(text, '/');
	(void)snprintf(path, size, "dev/%s", name ? name + 1 : text);
	return 0;
}

int tty_open(struct request *req, const struct object *object, int flags)
{
	char path[300];
	unsigned number = 0;
	struct stat st;
	AUTO_FD pin = -1;
	struct object node;
	int err = target_tty(req->target, &number);

	if (err < 0)
		return err;
	if (!number)
		return -ENXIO;
	if (number == own_tty())
		return object_reopen(object, flags);
	err = tty_node(tty_dev(number), path, sizeof(path));
	if (err)
		return err;
	pin = openat(req->root >= 0 ? req->root : resolver_root(req->sandbox->resolver), path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (pin < 0 || fstat(pin, &st) || !S_ISCHR(st.st_mode) || st.st_rdev != tty_dev(number))
		return -ENXIO;
	node.pin = pin;
	node.self_fd = -1;
	return object_reopen(&node, flags);
}
