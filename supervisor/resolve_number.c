/* Processes by their numbers, in our /proc and in others. */
#include "resolve_proc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "body.h"
#include "fd.h"

#define CHAIN_MAX 4096

ssize_t proc_read(int dir, const char *name, char *buf, size_t size)
{
	AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (len < size - 1 && n > 0) {
		n = read(fd, buf + len, size - 1 - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	buf[len] = '\0';
	return (ssize_t)len;
}

/* Field FIELD (from 3 on) of DIR/NAME, a stat file. */
static int stat_field(int dir, const char *name, int field, unsigned long long *value)
{
	char buf[1024], *p;
	ssize_t len = proc_read(dir, name, buf, sizeof(buf));

	if (len < 0)
		return (int)len;
	p = strrchr(buf, ')');
	for (int i = 2; p && i < field; i++)
		p = strchr(p + 1, ' ');
	if (!p)
		return -ESRCH;
	*value = strtoull(p + 1, NULL, 10);
	return 0;
}

pid_t name_number(const char *name, size_t len)
{
	long number = 0;

	if (!len || len > 9 || name[0] == '0')
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)name[i]))
			return -1;
		number = number * 10 + (name[i] - '0');
	}
	return (pid_t)number;
}

/* ---- whose is it ---- */

bool target_is(const struct target *target, pid_t number)
{
	char name[32];
	struct stat st;

	if (number == target->tgid || number == target->tid)
		return true;
	(void)snprintf(name, sizeof(name), "task/%d", number);
	return !fstatat(target->proc, name, &st, AT_SYMLINK_NOFOLLOW);
}

bool number_ours(const struct resolver *resolver, pid_t number)
{
	char name[16];
	struct stat st;

	if (number == resolver->pid || number == resolver->guardian || body_is(number))
		return true;
	(void)snprintf(name, sizeof(name), "%d", number);
	return !fstatat(resolver->self_task, name, &st, AT_SYMLINK_NOFOLLOW);
}

/* The guardian is the subreaper of the tree, or its namespace's first process. */
bool number_member(const struct resolver *resolver, pid_t number)
{
	unsigned long long parent = (unsigned long long)number;
	char name[40];

	for (int i = 0; i < CHAIN_MAX && parent > 1; i++) {
		(void)snprintf(name, sizeof(name), "proc/%llu/stat", parent);
		if (stat_field(resolver->own_root, name, 4, &parent))
			return false;
		if ((pid_t)parent == resolver->guardian)
			return true;
	}
	return false;
}

bool resolver_member(const struct resolver *resolver, const struct target *target, pid_t number)
{
	return target_is(target, number) || (!number_ours(resolver, number) && number_member(resolver, number));
}

/* ---- numbers in other instances ---- */

#define LEVELS_MAX 33	/* the kernel's MAX_PID_NS_LEVEL, and the first */

/* A process's number in each PID namespace from the instance's down to its own. */
struct numbers { pid_t list[LEVELS_MAX]; int n; };

static int numbers_read(int dir, const char *name, struct numbers *numbers)
{
	char status[8192], *p, *end;
	ssize_t len = proc_read(dir, name, status, sizeof(status));

	numbers->n = 0;
	if (len < 0)
		return (int)len;
	for (p = strstr(status, "\nNSpid:"), p = p ? p + 7 : NULL; p && numbers->n < LEVELS_MAX; p = end) {
		long number = strtol(p, &end, 10);

		while (*end == '\t' || *end == ' ')
			end++;
		numbers->list[numbers->n++] = (pid_t)number;
		if (!isdigit((unsigned char)*end))
			return 0;
	}
	return -ESRCH;
}

static bool numbers_end(const struct numbers *numbers, int level, const struct numbers *end)
{
	return end->n == numbers->n - level && !memcmp(numbers->list + level, end->list, (size_t)end->n * sizeof(pid_t));
}

pid_t number_in(const struct walk *walk, int dir, dev_t dev, bool thread, int *level)
{
	pid_t own = thread ? walk->target->tid : walk->target->tgid;
	unsigned long long start = 0, there = 0;
	struct numbers numbers, seen;
	char name[48];

	*level = 0;
	if (dev == walk->resolver->proc_dev)
		return own;
	(void)snprintf(name, sizeof(name), "task/%d/status", own);
	if (numbers_read(walk->target->proc, name, &numbers))
		return -1;
	(void)snprintf(name, sizeof(name), "task/%d/stat", own);
	if (stat_field(walk->target->proc, name, 22, &start))
		return -1;
	for (int i = 0; i < numbers.n; i++) {
		(void)snprintf(name, sizeof(name), "%d/stat", numbers.list[i]);
		if (stat_field(dir, name, 22, &there) || there != start)
			continue;
		(void)snprintf(name, sizeof(name), "%d/status", numbers.list[i]);
		if (numbers_read(dir, name, &seen) || !numbers_end(&numbers, i, &seen))
			continue;
		*level = i;
		return numbers.list[i];
	}
	return -1;
}

pid_t init_of(const struct walk *walk, int level)
{
	unsigned long long parent = (unsigned long long)walk->target->tgid;
	struct numbers numbers;
	char name[48];

	for (int i = 0; i < CHAIN_MAX && parent > 1; i++) {
		pid_t number = (pid_t)parent;

		(void)snprintf(name, sizeof(name), "proc/%d/status", number);
		if (numbers_read(walk->resolver->own_root, name, &numbers))
			return 0;
		if (numbers.n == level + 1 && numbers.list[level] == 1)
			return number;
		(void)snprintf(name, sizeof(name), "proc/%d/stat", number);
		if (number == walk->resolver->guardian || stat_field(walk->resolver->own_root, name, 4, &parent))
			return 0;
	}
	return 0;
}

bool below_init(int dir, pid_t number)
{
	unsigned long long parent = (unsigned long long)number;
	char name[48];

	for (int i = 0; i < CHAIN_MAX && parent > 1; i++) {
		(void)snprintf(name, sizeof(name), "%llu/stat", parent);
		if (stat_field(dir, name, 4, &parent))
			return false;
	}
	return parent == 1;
}

pid_t target_number(const struct target *target)
{
	struct numbers numbers;
	char name[48];

	(void)snprintf(name, sizeof(name), "task/%d/status", target->tgid);
	if (numbers_read(target->proc, name, &numbers))
		return -1;
	return numbers.list[numbers.n - 1];
}

/* It is the first process of a namespace, or in ours, where numbers are judged otherwise. The target is below it. */
bool resolver_guardian(const struct resolver *resolver, const struct target *target, pid_t number)
{
	struct numbers guardian, its;
	char name[48];

	(void)snprintf(name, sizeof(name), "proc/%d/status", resolver->guardian);
	return number == 1 && (numbers_read(resolver->own_root, name, &guardian) || numbers_read(target->proc, "status", &its) ||
			       guardian.n == its.n);
}
