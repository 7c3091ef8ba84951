/* How diff and replay tell what a policy decides. */
#ifndef USHER_CLI_CHANGES_H
#define USHER_CLI_CHANGES_H

#include <jansson.h>

#include "cli.h"
#include "text.h"

/* "web@3f2a91c" */
const char *changes_name(const struct policy *policy, char *buf, size_t size);
/* "read,list" */
void changes_add_ops(struct text *text, uint32_t ops);
json_t *changes_ops_json(uint32_t ops);
/* "deny ENOENT  web.policy:22  deny ro **" "/.git/", "allow  default" */
void changes_add_verdict(struct text *text, const struct policy *policy, const struct policy_verdict *verdict);
json_t *changes_verdict_json(const struct policy *policy, const struct policy_verdict *verdict);

#endif
