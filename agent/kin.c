/*
 * Descendants, from /proc. Used where children come and go by the thousand, so nothing here trusts one look: a number is only
 * signalled through a pidfd that was opened before its parent was read again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"

#define KIN_MAX    16384	/* of one look; more are met in the next */
#define ROUNDS_MAX 1000

struct kin { pid_t pid, ppid; bool ours; };
struct dirent64_raw {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static pid_t parent_of(pid_t pid)
{
	char path[40], text[512];
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *end = strrchr(text, ')');	/* the name before it may hold anything */
	return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : -1;
}

typedef bool kin_visit_fn(void *ctx, pid_t pid);	/* false: stop */

static void each_process(kin_visit_fn *visit, void *ctx)
{
	_Alignas(struct dirent64_raw) static char buffer[32768];
	bool more = true;
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return;
	while (more) {
		long n = syscall(SYS_getdents64, proc, buffer, sizeof(buffer));
		if (n <= 0)
			break;
		for (long at = 0; at < n && more;) {
			const struct dirent64_raw *entry = (const void *)(buffer + at);
			at += entry->reclen;
			if (entry->name[0] >= '1' && entry->name[0] <= '9')
				more = visit(ctx, (pid_t)strtol(entry->name, NULL, 10));
		}
	}
	close(proc);
}

struct kin_children_ctx { pid_t parent, *list; size_t n, max; };

static bool visit_child(void *arg, pid_t pid)
{
	struct kin_children_ctx *ctx = arg;
	if (ctx->n < ctx->max && parent_of(pid) == ctx->parent)
		ctx->list[ctx->n++] = pid;
	return ctx->n < ctx->max;
}

size_t kin_children(pid_t parent, pid_t *list, size_t max)
{
	struct kin_children_ctx ctx = { .parent = parent, .list = list, .max = max };
	each_process(visit_child, &ctx);
	return ctx.n;
}

int kin_descends(pid_t pid, pid_t root)
{
	while (pid > 1 && pid != root)
		pid = parent_of(pid);
	return pid == root ? 1 : pid < 0 ? -1 : 0;
}

struct kin_table { struct kin *list; size_t n; };

static bool visit_all(void *arg, pid_t pid)
{
	struct kin_table *table = arg;
	pid_t parent = parent_of(pid);
	if (parent > 0)
		table->list[table->n++] = (struct kin){ .pid = pid, .ppid = parent };
	return table->n < KIN_MAX;
}

/* /proc lists numbers in ascending order. */
static struct kin *find(const struct kin_table *table, pid_t pid)
{
	size_t low = 0, high = table->n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (table->list[middle].pid == pid)
			return &table->list[middle];
		if (table->list[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void look(struct kin_table *table, pid_t root)
{
	bool changed = true;
	table->n = 0;
	each_process(visit_all, table);
	while (changed) {
		changed = false;
		for (size_t i = 0; i < table->n; i++) {
			struct kin *kin = &table->list[i];
			const struct kin *parent = kin->ours ? NULL : find(table, kin->ppid);
			if (!kin->ours && (kin->ppid == root || (parent && parent->ours)))
				kin->ours = changed = true;
		}
	}
}

static bool send(const struct kin *kin, pid_t root, int signal)
{
	int pidfd = (int)syscall(SYS_pidfd_open, kin->pid, 0);
	if (pidfd < 0)
		return false;
	/* Its parent may have died meanwhile: it is then ours by adoption. */
	pid_t parent = parent_of(kin->pid);
	bool sent = (parent == kin->ppid || parent == root) &&
		    syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0;
	close(pidfd);
	return sent;
}

/*
 * Who forks faster than we kill must be stopped first: what is stopped does not fork, and still counts against limits.
 * When a look finds nobody new, all are stopped, or stuck where they cannot fork either.
 */
bool kin_kill(pid_t root, bool (*spared)(pid_t))
{
	static struct kin lists[2][KIN_MAX];
	struct kin_table now = { .list = lists[0] }, before = { .list = lists[1] };
	static const struct rlimit no_more = { 0, 0 };
	bool fresh = true, any = false;
	for (unsigned round = 0; fresh && round < ROUNDS_MAX; round++) {
		fresh = false;
		look(&now, root);
		for (size_t i = 0; i < now.n; i++) {
			const struct kin *kin = &now.list[i], *known = find(&before, kin->pid);
			if (!kin->ours || (known && known->ours) || (spared && spared(kin->pid)))
				continue;
			fresh = any = true;
			if (send(kin, root, SIGSTOP))	/* root's processes are exempt from this limit */
				(void)prlimit(kin->pid, RLIMIT_NPROC, &no_more, NULL);
		}
		struct kin_table swap = now;
		now = before;
		before = swap;
	}
	for (size_t i = 0; i < before.n; i++)
		if (before.list[i].ours && !(spared && spared(before.list[i].pid)))
			(void)send(&before.list[i], root, SIGKILL);
	return any;
}
