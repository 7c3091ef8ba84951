#include "started.h"

#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
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

/* An overlay's numbers are what extended attributes say that the owner of its upper layer may write: two files can have the same. */
static bool overlay_wrong(const struct policy *policy, const char *path, const char *exe, size_t len)
{
	static const char deleted[] = " (deleted)";
	const size_t mark = sizeof(deleted) - 1;
	struct policy_decision decision;
	struct statfs fs;

	if (!statfs(path, &fs) && fs.f_type != OVERLAYFS_SUPER_MAGIC)
		return false;
	if (len > mark && !memcmp(exe + len - mark, deleted, mark))
		len -= mark;
	decision = policy_decide_path(policy, OP_BIT(OP_EXEC), exe, len);
	return !policy_allows(&decision.enforced);
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
	if (overlay_wrong(policy, path, exe, strlen(exe)))
		return "another image started than the one that was judged";
	return loader_wrong(policy, pid, dev, ino, exe);
}
