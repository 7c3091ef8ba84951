/* What the verbs print under --json. */
#ifndef USHER_CLI_JSON_H
#define USHER_CLI_JSON_H

#include <jansson.h>

#include "policy.h"

/* TEXT as a JSON string, which holds UTF-8 only: other bytes are escaped. */
json_t *json_text(const char *text);
json_t *json_diags(const struct policy *policy, const struct policy_diags *diags);
/* Prints { "schema", "verb", what is in ANSWER, "status" }. ANSWER is taken over. */
void json_print(const char *verb, json_t *answer, int status);

#endif
