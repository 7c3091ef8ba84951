#include "mountinfo.h"

#include <fcntl.h>
#include <string.h>

#include "fd.h"

FILE *mountinfo_open(int dir, const char *name)
{
	AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "re");

	if (file)
		(void)fd_take(&fd);
	return file;
}

unsigned mountinfo_count(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned n = 0;
	int c;

	while (file && (c = getc(file)) != EOF)
		n += c == '\n';
	if (file)
		(void)fclose(file);
	return n;
}

void mountinfo_unescape(char *path)
{
	static const char octal[] = "01234567";
	char *to = path;

	for (const char *from = path; *from; to++) {
		if (*from == '\\' && strspn(from + 1, octal) >= 3) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}
