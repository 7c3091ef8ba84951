#include "json.h"

#include <stdio.h>
#include <string.h>

#include "escape.h"
#include "fd.h"

json_t *json_text(const char *text)
{
	json_t *string = json_string(text);
	if (string)
		return string;
	AUTO_FREE char *escaped = escape_dup(text, strlen(text));
	return json_string(escaped);
}

static json_t *json_diag(const struct policy *policy, const struct policy_diag *diag)
{
	static const char *const severities[] = { "error", "warning", "note" };
	json_t *object = json_pack("{s:s, s:s, s:i, s:i, s:o}", "severity", severities[diag->severity], "code",
				   diag->code, "line", (int)diag->pos.line, "col", (int)diag->pos.col, "message",
				   json_text(diag->message));
	if (policy && diag->pos.file < policy->n_files)
		json_object_set_new(object, "file", json_text(policy->files[diag->pos.file].path));
	if (diag->help)
		json_object_set_new(object, "help", json_text(diag->help));
	return object;
}

json_t *json_diags(const struct policy *policy, const struct policy_diags *diags)
{
	json_t *list = json_array();
	for (size_t i = 0; i < diags->n; i++)
		json_array_append_new(list, json_diag(policy, &diags->list[i]));
	return list;
}

void json_print(const char *verb, json_t *answer, int status)
{
	json_t *root = json_pack("{s:i, s:s}", "schema", 1, "verb", verb);
	json_object_update(root, answer);
	json_object_set_new(root, "status", json_integer(status));
	json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	printf("\n");
	json_decref(answer);
	json_decref(root);
}
