#include "changes.h"

#include <stdio.h>
#include <stdlib.h>

#include "json.h"

const char *changes_name(const struct policy *policy, char *buf, size_t size)
{
	snprintf(buf, size, "%s@%.7s", policy->name ? policy->name : "", policy->digest);
	return buf;
}

void changes_add_ops(struct text *text, uint32_t ops)
{
	bool first = true;
	for (int op = 0; op < OP_COUNT; op++) {
		if (!(ops & OP_BIT(op)))
			continue;
		text_addf(text, "%s%s", first ? "" : ",", policy_op_name((enum policy_op)op));
		first = false;
	}
}

json_t *changes_ops_json(uint32_t ops)
{
	json_t *list = json_array();
	for (int op = 0; op < OP_COUNT; op++)
		if (ops & OP_BIT(op))
			json_array_append_new(list, json_string(policy_op_name((enum policy_op)op)));
	return list;
}

/* What stands where no rule does. */
static const char *default_text(const struct policy_verdict *verdict)
{
	return policy_denies(verdict) ? "default" : "by default, or not covered";
}

void changes_add_verdict(struct text *text, const struct policy *policy, const struct policy_verdict *verdict)
{
	char where[300];
	const char *errno_name = policy_denies(verdict) ? policy_errno_name(verdict->err) : NULL;
	text_puts(text, policy_action_name(verdict->action));
	if (errno_name)
		text_addf(text, " %s", errno_name);
	if (verdict->stage != STAGE_DENY)
		text_addf(text, " stage %s", policy_stage_name(verdict->stage));
	if (verdict->rule)
		text_addf(text, "   %s   %s", policy_where(policy, verdict->rule->pos, where, sizeof(where)), verdict->rule->text);
	else
		text_addf(text, "   %s", default_text(verdict));
}

json_t *changes_verdict_json(const struct policy *policy, const struct policy_verdict *verdict)
{
	char where[300];
	json_t *object = json_pack("{s:s, s:s}", "action", policy_action_name(verdict->action), "stage", policy_stage_name(verdict->stage));
	if (policy_denies(verdict) && policy_errno_name(verdict->err))
		json_object_set_new(object, "errno", json_string(policy_errno_name(verdict->err)));
	json_object_set_new(object, "where", verdict->rule ? json_text(policy_where(policy, verdict->rule->pos, where, sizeof(where)))
							   : json_string("default"));
	if (verdict->rule)
		json_object_set_new(object, "rule", json_text(verdict->rule->text));
	return object;
}
