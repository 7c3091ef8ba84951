/* Seccomp records of the kernel's audit, as `ausearch --raw` or audit.log has them: type=SECCOMP or type=1326. They name a system call
 * and no more. */
#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fd.h"
#include "source.h"
#include "syscalls.h"

#ifdef __x86_64__
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#else
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

/* " KEY=" in LINE: what follows. */
static const char *field(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? at + strlen(key) : NULL;
}

static int take_line(struct source *source, const char *line, source_fn *fn, void *ctx)
{
	const char *when = field(line, "msg=audit("), *arch = field(line, " arch="), *nr = field(line, " syscall="), *exe = field(line, " exe=\"");
	const struct syscall_info *info;
	struct access access = { .proto = -1, .verdict = ACCESS_WOULD_DENY, .count = 1, .domain = { "main", 4 } };

	if ((strncmp(line, "type=SECCOMP", 12) != 0 && strncmp(line, "type=1326", 9) != 0) || !when || !arch || !nr ||
	    strtoul(arch, NULL, 16) != NATIVE_ARCH || !(info = syscall_by_nr(atoi(nr)))) {
		source->skipped++;
		return 0;
	}
	access.first_ns = access.last_ns = (int64_t)(strtod(when, NULL) * 1000) * 1000000;
	if (access.last_ns < source->since_ns)
		return 0;
	access.object = (struct bytes){ info->name, strlen(info->name) };
	if (exe)
		access.program = (struct bytes){ exe, strcspn(exe, "\"\n") };
	return fn(ctx, &access);
}

int source_read_ausearch(struct source *source, source_fn *fn, void *ctx)
{
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	int err = 0;
	FILE *file = fopen(source->file, "re");

	if (!file)
		return -errno;
	while (!err && getline(&line, &size, file) >= 0)
		err = take_line(source, line, fn, ctx);
	fclose(file);
	return err;
}
