/* Reading a log back. The text of a line is searched first: parsing all of a large log would take a minute. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit_find.h"
#include "fd.h"

int audit_scan(const char *file, const char *part, const char *other, audit_scan_fn *fn, void *ctx)
{
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	int error = 0;
	FILE *log = fopen(file, "re");
	if (!log)
		return -errno;
	while (!error && getline(&line, &size, log) >= 0) {
		bool wanted = strstr(line, part) || (other && strstr(line, other));
		json_t *record = wanted ? json_loads(line, 0, NULL) : NULL;
		error = record ? fn(ctx, record) : 0;
		json_decref(record);
	}
	if (!error && !feof(log))
		error = -errno;
	fclose(log);
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
	int error = audit_scan(file, part, NULL, prefix ? find_id : find_denial, &find);
	if (error) {
		json_decref(find.found);
		return error;
	}
	*record = find.found;
	return find.found ? 0 : -ENODATA;
}
