#include "started.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fd.h"

/*
 * What the kernel has mapped beside the program is what that names as its loader, which may be any file: as a library it must
 * be allowed to be read, or to be executed. NULL, or what is wrong.
 */
static const char *loader_wrong(const struct policy *policy, pid_t pid, dev_t dev, ino_t program, const char *exe)
{
	AUTO_FREE char *line = NULL;
	const char *wrong = NULL;
	char path[32];
	size_t size = 0;
	FILE *maps;
	ssize_t len;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (!maps)
		return "what started with it cannot be identified";
	while (!wrong && (len = getline(&line, &size, maps)) > 0) {
		struct policy_decision read, exec;
		unsigned maj, min;
		unsigned long ino = 0;
		int at = 0;

		if (line[len - 1] == '\n')
			line[--len] = '\0';
		if (sscanf(line, "%*s %*s %*s %x:%x %lu %n", &maj, &min, &ino, &at) != 3 || !ino || !at ||
		    (ino == program && makedev(maj, min) == dev) || !strcmp(line + at, exe))
			continue;
		read = policy_decide_path(policy, OP_BIT(OP_READ), line + at, (size_t)(len - at));
		exec = policy_decide_path(policy, OP_BIT(OP_EXEC), line + at, (size_t)(len - at));
		if (!policy_allows(&read.enforced) && !policy_allows(&exec.enforced))
			wrong = "it names a loader that may be neither read nor executed";
	}
	(void)fclose(maps);
	return wrong;
}

const char *started_wrong(const struct policy *policy, pid_t pid, dev_t dev, ino_t ino)
{
	char path[32], exe[PATH_MAX];
	struct stat st;
	ssize_t len;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &st))
		return "the image that started cannot be identified";
	if (st.st_dev != dev || st.st_ino != ino)
		return "another image started than the one that was judged";
	len = readlink(path, exe, sizeof(exe) - 1);
	exe[len > 0 ? len : 0] = '\0';
	return loader_wrong(policy, pid, dev, ino, exe);
}
