/* Stages are changed in a text, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edit.h"
#include "err.h"

static struct policy *load(const char *text)
{
	struct policy_env env = { 0 };
	struct policy_diags diags = { 0 };
	struct policy *policy;

	assert_int_equal(policy_load_text(&policy, &env, "t.policy", text, strlen(text), &diags), 0);
	policy_diags_free(&diags);
	return policy;
}

/* Every rule and written default of BEFORE goes to STAGE. */
static void edited(const char *before, enum policy_stage stage, bool seal, bool unseal, const char *after)
{
	struct policy *policy = load(before), *again;
	struct policy_edit edits[32];
	size_t n = 0, len;
	char *text;

	for (size_t i = 0; i < policy->n_rules; i++)
		edits[n++] = (struct policy_edit){ .pos = policy->rules[i].pos, .stage = stage, .seal = seal, .unseal = unseal };
	for (int i = 0; i < SECTION_COUNT; i++)
		if (policy->defaults[i].written)
			edits[n++] = (struct policy_edit){ .pos = policy->defaults[i].pos, .stage = stage, .seal = seal, .unseal = unseal };
	text = policy_edit(policy, 0, edits, n, &len);
	assert_non_null(text);
	assert_string_equal(text, after);
	assert_int_equal(len, strlen(after));
	again = load(text);
	assert_int_equal(again->n_rules, policy->n_rules);
	for (size_t i = 0; i < again->n_rules; i++) {
		char *one = policy_rule_key(&policy->rules[i]), *other = policy_rule_key(&again->rules[i]);

		assert_int_equal(again->rules[i].stage, stage);
		assert_string_equal(one, other);
		free(one);
		free(other);
	}
	free(text);
	policy_free(policy);
	policy_free(again);
}

static void stages(void **state)
{
	(void)state;
	edited("syntax 1;\nfiles {\n\tdefault deny ENOENT;  # all; else\n\tdeny read /a/ stage log   audit deny;\n}\n", STAGE_DENY, false, false,
	       "syntax 1;\nfiles {\n\tdefault deny ENOENT stage deny;  # all; else\n\tdeny read /a/ stage deny   audit deny;\n}\n");
	edited("syntax 1; files { deny read /stage, '/x stage log' id stage # stage\n stage\nlog; deny write \"/;\"; }", STAGE_KILL, false, false,
	       "syntax 1; files { deny read /stage, '/x stage log' id stage # stage\n stage\nkill; deny write \"/;\" stage kill; }");
	edited("syntax 1; files { deny read /a # why\n ; }", STAGE_TRAP, false, false, "syntax 1; files { deny read /a stage trap # why\n ; }");
	edited("syntax 1; set $s = /a, /b;\nfiles { deny read $s; } network { default deny; deny connect tcp 10.0.0.0/8:25 note \"stage log;\"; }",
	       STAGE_LOG, false, false,
	       "syntax 1; set $s = /a, /b;\nfiles { deny read $s stage log; } network { default deny stage log; deny connect tcp 10.0.0.0/8:25 note "
	       "\"stage log;\" stage log; }");
}

static void seals(void **state)
{
	(void)state;
	edited("syntax 1; syscalls { default deny; deny EPERM acct where arg0 & 3 == 1 stage deny; }", STAGE_KILL, true, false,
	       "syntax 1; syscalls { default deny stage kill sealed; deny EPERM acct where arg0 & 3 == 1 stage kill sealed; }");
	edited("syntax 1; syscalls { deny acct sealed stage kill; }", STAGE_DENY, false, true, "syntax 1; syscalls { deny acct stage deny; }");
	edited("syntax 1; syscalls { deny acct stage kill sealed; }", STAGE_LOG, false, true, "syntax 1; syscalls { deny acct stage log; }");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages),
		cmocka_unit_test(seals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
