/* Credentials of others, from /proc/TID/status. */
#include "cred.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"

void cred_free(struct cred *cred)
{
	free(cred->more_groups);
	cred->more_groups = NULL;
	cred->n_groups = 0;
}

static const char *status_field(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	/* Name: is first and escapes newlines: a thread cannot name itself into another line. */
	return at ? at + strlen(name) : NULL;
}

static bool status_ids(const char *status, const char *name, uint32_t ids[4])
{
	const char *at = status_field(status, name);
	char *end;

	if (!at)
		return false;
	for (int i = 0; i < 4; i++, at = end) {
		ids[i] = (uint32_t)strtoul(at, &end, 10);
		if (end == at)
			return false;
	}
	return true;
}

static int status_groups(const char *status, struct cred *cred)
{
	const char *at = status_field(status, "\nGroups:");
	size_t room = CRED_GROUPS_MAX;
	gid_t *to = cred->groups;

	if (!at)
		return -EBADMSG;
	while (*at && *at != '\n') {
		char *end;
		unsigned long gid;

		if (*at == ' ' || *at == '\t') {
			at++;
			continue;
		}
		gid = strtoul(at, &end, 10);
		if (end == at)
			return -EBADMSG;
		at = end;
		if (cred->n_groups == room) {
			gid_t *more = realloc(cred->more_groups, 2 * room * sizeof(*more));

			if (!more)
				return -ENOMEM;
			if (!cred->more_groups)
				memcpy(more, cred->groups, sizeof(cred->groups));
			cred->more_groups = to = more;
			room *= 2;
		}
		to[cred->n_groups++] = (gid_t)gid;
	}
	return 0;
}

/* The whole of status, malloc'ed: a thread may have 65,536 groups. */
static int status_read(int proc, char **text)
{
	AUTO_FD fd = openat(proc, "status", O_RDONLY | O_CLOEXEC);
	size_t size = 4096, len = 0;
	char *buf;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	buf = malloc(size);
	while (buf) {
		size_t room = size - len - 1;
		ssize_t n = read(fd, buf + len, room);
		char *more;

		if (n < 0) {
			int err = -errno;

			free(buf);
			return err;
		}
		len += (size_t)n;
		/* The kernel made all of it at the first read: a short one is the last. */
		if ((size_t)n < room) {
			buf[len] = '\0';
			*text = buf;
			return 0;
		}
		size *= 2;
		more = realloc(buf, size);
		if (!more)
			free(buf);
		buf = more;
	}
	return -ENOMEM;
}

static int status_parse(const char *status, struct cred *cred, pid_t *tgid)
{
	const char *effective = status_field(status, "\nCapEff:");
	const char *permitted = status_field(status, "\nCapPrm:");
	const char *tgid_field = status_field(status, "\nTgid:");
	uint32_t uids[4], gids[4];

	if (!status_ids(status, "\nUid:", uids) || !status_ids(status, "\nGid:", gids) || !effective ||
	    !permitted || !tgid_field)
		return -EBADMSG;
	*cred = (struct cred){
		.ruid = uids[0], .euid = uids[1], .suid = uids[2], .fsuid = uids[3],
		.rgid = gids[0], .egid = gids[1], .sgid = gids[2], .fsgid = gids[3],
		.effective = strtoull(effective, NULL, 16),
		.permitted = strtoull(permitted, NULL, 16),
	};
	if (tgid)
		*tgid = (pid_t)strtol(tgid_field, NULL, 10);
	return status_groups(status, cred);
}

int cred_read(int proc, struct cred *cred, pid_t *tgid)
{
	AUTO_FREE char *status = NULL;
	int err = status_read(proc, &status);

	if (err)
		return err;
	err = status_parse(status, cred, tgid);
	if (err)
		cred_free(cred);
	return err;
}

void cred_set_there(struct cred *cred)
{
	cred->there_effective = cred->effective;
	cred->there_permitted = cred->permitted;
	cred->effective = cred->permitted = 0;
}

bool cred_any_pid(void)
{
	static _Atomic int any;	/* 0: not yet known, 1: no, 2: yes */

	if (!atomic_load_explicit(&any, memory_order_relaxed)) {
		AUTO_FD pids = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
		AUTO_FD owner = pids < 0 ? -1 : ioctl(pids, NS_GET_USERNS);
		struct stat own, its;
		bool same = owner >= 0 && !fstat(owner, &its) && !stat("/proc/self/ns/user", &own) && own.st_ino == its.st_ino;

		atomic_store_explicit(&any, same ? 2 : 1, memory_order_relaxed);
	}
	return atomic_load_explicit(&any, memory_order_relaxed) == 2;
}
