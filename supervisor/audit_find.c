/* Reading a log back. The text of a line is searched first: parsing all of a large log would take a minute. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "audit_find.h"
#include "fd.h"
#include "text.h"

struct scan {
	const char *part, *other;
	audit_scan_fn *fn;
	void *ctx;
	char *line;
	size_t size;
	uint64_t broken;
};

/* The next line, without limit to its length: 1, 0 at the end, or -errno. */
static int next_line(struct scan *scan, gzFile log)
{
	size_t len = 0;
	for (;;) {
		if (scan->size - len < 2) {
			size_t size = scan->size ? 2 * scan->size : 4096;
			char *line = realloc(scan->line, size);
			if (!line)
				return -ENOMEM;
			scan->line = line;
			scan->size = size;
		}
		if (!gzgets(log, scan->line + len, (int)(scan->size - len > 1 << 20 ? 1 << 20 : scan->size - len))) {
			int error;
			(void)gzerror(log, &error);
			return error < 0 && error != Z_BUF_ERROR ? -EIO : len > 0;
		}
		len += strlen(scan->line + len);
		if (len && scan->line[len - 1] == '\n')
			return 1;
	}
}

/* As far as can be seen without reading it: nothing is torn off, and it is no other text. */
static bool looks_whole(const char *line)
{
	size_t len = strcspn(line, "\r\n");
	return !len || (line[0] == '{' && line[len - 1] == '}');
}

static int scan_one(struct scan *scan, const char *file)
{
	int error = 0, more = 0;
	AUTO_FD fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return -EISDIR;
	gzFile log = gzdopen(fd, "rb");
	if (!log)
		return -ENOMEM;
	(void)fd_take(&fd);
	while (!error && (more = next_line(scan, log)) > 0) {
		bool wanted = strstr(scan->line, scan->part) || (scan->other && strstr(scan->line, scan->other));
		json_t *record = wanted ? json_loads(scan->line, 0, NULL) : NULL;
		scan->broken += !record && (wanted || !looks_whole(scan->line));
		error = record ? scan->fn(scan->ctx, record) : 0;
		json_decref(record);
	}
	(void)gzclose(log);
	return error ? error : more;
}

/* What was rotated away, the oldest first: as far back as there is one. */
static int scan_older(struct scan *scan, const char *file, unsigned number)
{
	AUTO_FREE char *plain = text_printf("%s.%u", file, number);
	AUTO_FREE char *packed = text_printf("%s.gz", plain);
	const char *older = access(plain, F_OK) == 0 ? plain : access(packed, F_OK) == 0 ? packed : NULL;
	if (!older)
		return 0;
	int error = scan_older(scan, file, number + 1);
	return error ? error : scan_one(scan, older);
}

int audit_scan_rotated(const char *file, const char *part, const char *other, audit_scan_fn *fn, void *ctx, uint64_t *broken)
{
	struct scan scan = { .part = part, .other = other, .fn = fn, .ctx = ctx };
	int error = scan_older(&scan, file, 1);
	free(scan.line);
	if (broken)
		*broken = scan.broken;
	return error;
}

int audit_scan(const char *file, const char *part, const char *other, audit_scan_fn *fn, void *ctx, uint64_t *broken)
{
	struct scan scan = { .part = part, .other = other, .fn = fn, .ctx = ctx };
	int error = scan_older(&scan, file, 1);
	if (!error)
		error = scan_one(&scan, file);
	free(scan.line);
	if (broken)
		*broken = scan.broken;
	return error;
}

struct find {
	const char *prefix;
	json_t *found;
};

static int find_id(void *ctx, json_t *record)
{
	struct find *find = ctx;
	const char *id = json_string_value(json_object_get(record, "id"));
	if (!id || strncmp(id, find->prefix, strlen(find->prefix)) != 0)
		return 0;
	if (find->found)
		return -EEXIST;
	find->found = json_incref(record);
	return 0;
}

static int find_denial(void *ctx, json_t *record)
{
	struct find *find = ctx;
	if (!audit_is_denial(record))
		return 0;
	json_decref(find->found);
	find->found = json_incref(record);
	return 0;
}

bool audit_is_denial(const json_t *record)
{
	const char *action = json_string_value(json_object_get(record, "action"));
	return action && (strcmp(action, "deny") == 0 || strcmp(action, "would-deny") == 0);
}

int audit_find(const char *file, const char *prefix, json_t **record)
{
	struct find find = { .prefix = prefix };
	char part[64] = "deny\"";
	if (prefix)
		snprintf(part, sizeof(part), "\"id\":\"%.32s", prefix);
	int error = audit_scan(file, part, NULL, prefix ? find_id : find_denial, &find, NULL);
	if (error) {
		json_decref(find.found);
		return error;
	}
	*record = find.found;
	return find.found ? 0 : -ENODATA;
}
