#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"

static int judge(const char *file)
{
	struct stat st;
	if (stat(file, &st) < 0)
		return errno == ENOTDIR ? -ENOENT : -errno;
	if (!S_ISREG(st.st_mode) || faccessat(AT_FDCWD, file, X_OK, AT_EACCESS) < 0)
		return -EACCES;
	return 0;
}

int agent_lookup(const char *name, const char *path, char *found, size_t size)
{
	size_t len = strlen(name);
	if (!len)
		return -ENOENT;
	if (len >= size)
		return -ENAMETOOLONG;
	if (strchr(name, '/')) {
		memcpy(found, name, len + 1);
		return judge(found);
	}
	int result = -ENOENT;
	for (const char *dir = path ? path : "/bin:/usr/bin";; dir++) {
		const char *end = strchrnul(dir, ':');
		size_t n = (size_t)(end - dir);
		if (n + len + 3 <= size) {
			if (!n) {	/* an empty element is the current directory */
				found[n++] = '.';
			} else {
				memcpy(found, dir, n);
			}
			found[n++] = '/';
			memcpy(found + n, name, len + 1);
			int verdict = judge(found);
			if (verdict == 0)
				return 0;
			if (verdict == -EACCES && access(found, F_OK) == 0)	/* else it is a directory we may not look into */
				result = -EACCES;
		}
		if (!*end)
			return result;
		dir = end;
	}
}
