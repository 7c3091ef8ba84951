/*
 * Listings leave out what stat would not find: an entry for whose path the policy answers stat with ENOENT.
 *
 * The descriptor is the target's own and shares its position, so that reading from it here goes on where the target was, and the
 * positions in the entries (d_off) stay right. When nothing is left of what was read, more is read: an empty answer would be the
 * end.
 */
#include "calls/list.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "decide.h"
#include "err.h"
#include "fd.h"
#include "sandbox.h"

#define LIST_MAX (64 * 1024)

/* The kernel's struct linux_dirent (fs/readdir.c); its type is the last byte of the record. */
struct old_entry {
	unsigned long ino, off;
	unsigned short reclen;
	char name[];
};

bool list_hides(const struct policy *policy)
{
	const struct policy_default *otherwise = &policy->defaults[SECTION_FILES];

	if (!(policy->cover & OP_BIT(OP_STAT)))
		return false;
	if (otherwise->present && otherwise->action == ACTION_DENY && otherwise->err == ENOENT)
		return true;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		if (rule->section == SECTION_FILES && rule->ops & OP_BIT(OP_STAT) && rule->action >= ACTION_DENY && rule->err == ENOENT)
			return true;
	}
	return false;
}

int list_fetch(struct request *req)
{
	req->args.list.fd = fetch_fd(req, request_int(req, 0));
	return req->args.list.fd < 0 ? req->args.list.fd : 0;
}

void list_release(struct request *req)
{
	req->args.list.fd = fd_close(req->args.list.fd);
}

/* DIR (LEN bytes, with a slash at the end) has room for a name. */
static bool entry_hidden(const struct policy *policy, char *dir, size_t len, const char *name)
{
	struct policy_decision decision;
	size_t name_len = strlen(name);

	if (!strcmp(name, ".") || !strcmp(name, "..") || len + name_len > PATH_MAX + NAME_MAX)
		return false;
	memcpy(dir + len, name, name_len + 1);
	decision = policy_decide_path(policy, OP_BIT(OP_STAT), dir, len + name_len);
	return decide_refuses(&decision.enforced) && decision.enforced.err == ENOENT;
}

/* Keeps what is not hidden of the N bytes of ENTRIES: how many are left. */
static size_t list_filter(const struct policy *policy, char *dir, size_t len, char *entries, size_t n, bool old)
{
	size_t kept = 0, size;

	for (size_t at = 0; at < n; at += size) {
		char *entry = entries + at;
		const char *name = entry + (old ? offsetof(struct old_entry, name) : offsetof(struct dirent64, d_name));
		unsigned short reclen;

		memcpy(&reclen, entry + (old ? offsetof(struct old_entry, reclen) : offsetof(struct dirent64, d_reclen)), sizeof(reclen));
		size = reclen;
		ASSERT(size && at + size <= n);
		if (entry_hidden(policy, dir, len, name))
			continue;
		memmove(entries + kept, entry, size);
		kept += size;
	}
	return kept;
}

int list_serve(struct request *req)
{
	const struct sandbox *sandbox = req->sandbox;
	size_t size = (unsigned)request_int(req, 2);
	AUTO_FREE char *entries = malloc(size < LIST_MAX ? size + 1 : LIST_MAX);
	bool old = req->notif.data.nr != SYS_getdents64;
	char dir[PATH_MAX + NAME_MAX + 2];
	ssize_t len = resolver_path(sandbox->resolver, req->target, req->args.list.fd, dir, PATH_MAX);
	long n, kept = 0;

	if (!entries)
		return -ENOMEM;
	if (len < 0)
		return (int)len;
	if (len != 1)
		dir[len++] = '/';
	do {
		n = syscall(req->notif.data.nr, req->args.list.fd, entries, size < LIST_MAX ? size : LIST_MAX);
		if (n < 0)
			return -errno;
		kept = (long)list_filter(req->rules->policy, dir, (size_t)len, entries, (size_t)n, old);
	} while (n && !kept);
	if (kept) {
		reply_out(req, req->notif.data.args[1], entries, (size_t)kept);
		entries = NULL;
	}
	return reply_value(req, kept);
}
