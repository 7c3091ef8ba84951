/* Reading a log back: the record that an id means. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "fd.h"

/* Does LINE hold a record with an id that begins with PREFIX? The text is searched first: parsing every line
 * of a large log would take a minute. */
static bool line_has_id(const char *line, const char *prefix)
{
	char key[64];
	snprintf(key, sizeof(key), "\"id\":\"%.32s", prefix);
	if (!strstr(line, key))
		return false;
	json_t *record = json_loads(line, 0, NULL);
	const char *id = json_string_value(json_object_get(record, "id"));
	bool found = id && strncmp(id, prefix, strlen(prefix)) == 0;
	json_decref(record);
	return found;
}

int audit_find(const char *file, const char *prefix, char **json)
{
	AUTO_FREE char *line = NULL;
	AUTO_FREE char *found = NULL;
	size_t size = 0;
	int error = -ENOENT;
	FILE *log = fopen(file, "re");
	if (!log)
		return -errno;
	while (getline(&line, &size, log) >= 0) {
		if (!line_has_id(line, prefix))
			continue;
		error = found ? -EEXIST : 0;
		if (error)
			break;
		found = strdup(line);
		if (!found) {
			error = -ENOMEM;
			break;
		}
	}
	fclose(log);
	if (!error) {
		*json = found;
		found = NULL;
	}
	return error;
}
