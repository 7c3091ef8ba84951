#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/rules.h"

#define READ OP_BIT(OP_READ)
#define WRITE OP_BIT(OP_WRITE)
#define RO (OP_BIT(OP_STAT) | OP_BIT(OP_LIST) | READ)

static struct policy_verdict enforced(const struct policy *policy, uint32_t ops, const char *path)
{
	return policy_decide_path(policy, ops, path, strlen(path)).enforced;
}

static struct policy_verdict would(const struct policy *policy, uint32_t ops, const char *path)
{
	return policy_decide_path(policy, ops, path, strlen(path)).would;
}

#define assert_decides(policy, ops, path, what) \
	assert_int_equal(enforced(policy, ops, path).action, what)

static void files_default(struct policy *policy, enum policy_action action)
{
	policy->defaults[SECTION_FILES] = (struct policy_default){ .present = true, .action = action, .err = ENOENT };
}

/* Rules keep their addresses only once all have been added. */
static void compile(struct policy *policy)
{
	assert_int_equal(engine_compile(policy, NULL), 0);
}

static void a_narrower_rule_beats_a_broader_one(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	files_default(&policy, ACTION_DENY);
	rules_add(&policy, ACTION_ALLOW, RO, "/srv/www/", NULL);
	rules_add(&policy, ACTION_DENY, RO, "/srv/www/private/", NULL);
	rules_add(&policy, ACTION_DENY, RO, "**/.env", NULL);
	rules_add(&policy, ACTION_ALLOW, READ, "/srv/www/demo/.env", NULL);
	compile(&policy);
	assert_decides(&policy, READ, "/srv/www/index.html", ACTION_ALLOW);
	assert_decides(&policy, READ, "/srv/www", ACTION_ALLOW);
	assert_decides(&policy, READ, "/srv", ACTION_DENY);
	assert_decides(&policy, READ, "/srv/www/private/x", ACTION_DENY);
	assert_decides(&policy, READ, "/srv/www/.env", ACTION_DENY);
	assert_decides(&policy, READ, "/srv/www/demo/.env", ACTION_ALLOW);
	assert_decides(&policy, OP_BIT(OP_STAT), "/srv/www/demo/.env", ACTION_DENY);
	struct policy_verdict v = enforced(&policy, READ, "/etc/passwd");
	assert_int_equal(v.err, ENOENT);
	assert_null(v.rule);
	v = enforced(&policy, READ, "/srv/www/.env");
	assert_ptr_equal(v.rule, &policy.rules[2]);
	assert_int_equal(v.err, EACCES);
	assert_decides(&policy, READ, "/", ACTION_DENY);
	rules_end(&policy);
}

static void fewer_operations_are_narrower_on_the_same_paths(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	rules_add(&policy, ACTION_DENY, RO, "/a/", NULL);
	rules_add(&policy, ACTION_ALLOW, READ, "/a/**", NULL);
	rules_add(&policy, ACTION_DENY, RO, "/b", NULL);
	rules_add(&policy, ACTION_ALLOW, RO, "/b", NULL);
	/* But a narrower path counts first, however many operations. */
	rules_add(&policy, ACTION_ALLOW, OPS_FILES, "/c/x", NULL);
	rules_add(&policy, ACTION_DENY, READ, "/c/", NULL);
	compile(&policy);
	assert_decides(&policy, READ, "/a/x", ACTION_ALLOW);
	assert_decides(&policy, OP_BIT(OP_LIST), "/a/x", ACTION_DENY);
	assert_decides(&policy, READ, "/b", ACTION_DENY);
	assert_decides(&policy, READ, "/c/x", ACTION_ALLOW);
	rules_end(&policy);
}

static void a_rule_is_the_union_of_its_patterns(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	/* [0] is not part of /a/, though one of its patterns is. */
	rules_add(&policy, ACTION_ALLOW, READ, "/a/x", "/b", NULL);
	rules_add(&policy, ACTION_DENY, READ, "/a/", NULL);
	/* /c/ is part of the union, of no single pattern. */
	rules_add(&policy, ACTION_ALLOW, READ, "/c/", NULL);
	rules_add(&policy, ACTION_DENY, READ, "/c", "/c/*/", "/d", NULL);
	compile(&policy);
	assert_decides(&policy, READ, "/a/x", ACTION_DENY);
	assert_decides(&policy, READ, "/b", ACTION_ALLOW);
	assert_decides(&policy, READ, "/c/y/z", ACTION_ALLOW);
	rules_end(&policy);
}

static void forbid_always_wins(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	rules_add(&policy, ACTION_ALLOW, READ, "/a/b/c", NULL);
	rules_add(&policy, ACTION_FORBID, READ, "/a/", NULL)->stage = STAGE_LOG;
	compile(&policy);
	struct policy_verdict v = enforced(&policy, READ, "/a/b/c");
	assert_int_equal(v.action, ACTION_FORBID);
	assert_int_equal(v.stage, STAGE_DENY);
	rules_end(&policy);
}

static void the_drop_is_relative_to_all_that_match(void **state)
{
	/* allow[0] is narrower than deny[1]; deny[1] narrower than allow[2]; [0] drops [1], [1] drops [2]. */
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	rules_add(&policy, ACTION_ALLOW, READ, "/a/b/c", NULL);
	rules_add(&policy, ACTION_DENY, READ, "/a/b/", NULL);
	rules_add(&policy, ACTION_REDIRECT, READ, "/a/", NULL);
	compile(&policy);
	assert_decides(&policy, READ, "/a/b/c", ACTION_ALLOW);
	assert_decides(&policy, READ, "/a/b/d", ACTION_DENY);
	assert_decides(&policy, READ, "/a/d", ACTION_REDIRECT);
	rules_end(&policy);
}

static void rules_at_stage_log_are_left_out_of_what_is_enforced(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	files_default(&policy, ACTION_DENY);
	policy.defaults[SECTION_FILES].stage = STAGE_LOG;
	rules_add(&policy, ACTION_DENY, READ, "/a/", NULL);
	rules_add(&policy, ACTION_ALLOW, READ, "/a/b", NULL)->stage = STAGE_LOG;
	rules_add(&policy, ACTION_DENY, READ, "/c", NULL)->stage = STAGE_LOG;
	compile(&policy);
	assert_decides(&policy, READ, "/a/b", ACTION_DENY);
	assert_int_equal(would(&policy, READ, "/a/b").action, ACTION_ALLOW);
	assert_decides(&policy, READ, "/c", ACTION_ALLOW);
	assert_int_equal(would(&policy, READ, "/c").action, ACTION_DENY);
	assert_int_equal(would(&policy, READ, "/c").stage, STAGE_LOG);
	assert_decides(&policy, READ, "/elsewhere", ACTION_ALLOW);
	assert_int_equal(would(&policy, READ, "/elsewhere").action, ACTION_DENY);
	assert_int_equal(would(&policy, READ, "/elsewhere").err, ENOENT);
	assert_int_equal(policy_restricted(&policy, false), READ);
	assert_int_equal(policy_restricted(&policy, true), OPS_FILES | OPS_NETWORK);
	rules_end(&policy);
}

static void the_first_operation_that_fails_is_named(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	rules_add(&policy, ACTION_DENY, WRITE | OP_BIT(OP_CREATE), "/a", NULL);
	rules_add(&policy, ACTION_DENY, OP_BIT(OP_TRUNCATE), "/a", NULL)->stage = STAGE_KILL;
	rules_add(&policy, ACTION_ALLOW, WRITE, "/b", NULL)->audit = AUDIT_ALL;
	compile(&policy);
	assert_int_equal(enforced(&policy, READ | WRITE | OP_BIT(OP_CREATE), "/a").op, OP_WRITE);
	assert_int_equal(enforced(&policy, READ | OP_BIT(OP_CREATE), "/a").op, OP_CREATE);
	assert_int_equal(enforced(&policy, READ, "/a").op, OP_READ);
	assert_int_equal(enforced(&policy, READ | WRITE | OP_BIT(OP_TRUNCATE), "/a").stage, STAGE_KILL);
	assert_int_equal(enforced(&policy, READ | WRITE, "/b").audit, AUDIT_ALL);
	rules_end(&policy);
}

static void what_is_not_covered_is_allowed(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	files_default(&policy, ACTION_DENY);
	policy.cover = OPS_FILES & ~OP_BIT(OP_STAT);
	rules_add(&policy, ACTION_DENY, OPS_FILES, "/a", NULL);
	compile(&policy);
	assert_decides(&policy, OP_BIT(OP_STAT), "/a", ACTION_ALLOW);
	assert_decides(&policy, OP_BIT(OP_STAT), "/b", ACTION_ALLOW);
	assert_decides(&policy, OP_BIT(OP_LIST), "/b", ACTION_DENY);
	assert_int_equal(policy_restricted(&policy, false), (OPS_FILES & ~OP_BIT(OP_STAT)) | OPS_NETWORK);
	rules_end(&policy);
}

static void sockets_fall_to_network_or_else_to_files(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	rules_add(&policy, ACTION_ALLOW, OP_BIT(OP_CONNECT), "/run/app/*.sock", NULL);
	rules_add(&policy, ACTION_ALLOW, OPS_FILES, "/", NULL);
	compile(&policy);
	assert_decides(&policy, OP_BIT(OP_CONNECT), "/run/x", ACTION_ALLOW);
	files_default(&policy, ACTION_DENY);
	assert_decides(&policy, OP_BIT(OP_CONNECT), "/run/x", ACTION_DENY);
	assert_decides(&policy, OP_BIT(OP_CONNECT), "/run/app/1.sock", ACTION_ALLOW);
	policy.defaults[SECTION_NETWORK] = (struct policy_default){ .present = true, .action = ACTION_ALLOW };
	assert_decides(&policy, OP_BIT(OP_CONNECT), "/run/x", ACTION_ALLOW);
	policy.defaults[SECTION_NETWORK] = (struct policy_default){ .present = true, .action = ACTION_DENY, .err = EPERM };
	policy.defaults[SECTION_FILES] = (struct policy_default){ .present = true, .action = ACTION_ALLOW };
	assert_int_equal(enforced(&policy, OP_BIT(OP_BIND), "/run/app/1.sock").err, EPERM);
	rules_end(&policy);
}

static void a_policy_without_rules_allows(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	compile(&policy);
	assert_decides(&policy, OPS_FILES | OPS_NETWORK, "/etc/passwd", ACTION_ALLOW);
	assert_int_equal(policy_restricted(&policy, true), 0);
	assert_false(policy_gains(&policy, true, true, "/a", 2, "/b", 2, NULL));
	rules_end(&policy);
}

static void own_files_are_forbidden(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	policy.cover = READ;
	rules_add(&policy, ACTION_ALLOW, OPS_FILES, "/", NULL);
	rules_add(&policy, ACTION_ALLOW, READ, "/etc/usher/web.policy", NULL);
	compile(&policy);
	assert_decides(&policy, WRITE, "/var/log/us*her/log", ACTION_ALLOW);
	assert_int_equal(policy_forbid(&policy, "/var/log/us*her", true), 0);
	assert_int_equal(policy_forbid(&policy, "/etc/usher", false), 0);
	assert_decides(&policy, WRITE, "/var/log/us*her/log", ACTION_FORBID);
	assert_decides(&policy, READ, "/var/log/us*her", ACTION_FORBID);
	assert_decides(&policy, OP_BIT(OP_CONNECT), "/var/log/us*her/sock", ACTION_FORBID);
	assert_decides(&policy, OP_BIT(OP_STAT), "/var/log/us*her", ACTION_ALLOW);
	assert_decides(&policy, READ, "/var/log/us*her2", ACTION_ALLOW);
	assert_decides(&policy, READ, "/var/log/usXher", ACTION_ALLOW);
	assert_decides(&policy, READ, "/etc/usher/web.policy", ACTION_ALLOW);
	struct policy_verdict v = enforced(&policy, READ | WRITE, "/etc/usher/web.policy");
	assert_int_equal(v.action, ACTION_FORBID);
	assert_int_equal(v.err, EACCES);
	assert_int_equal(v.op, OP_WRITE);
	assert_int_equal(v.rule->pos.file, POLICY_BUILTIN);
	assert_string_equal(v.rule->text, "forbid modify /etc/usher   (usher's own file)");
	assert_int_equal(policy_restricted(&policy, false), (OPS_FILES & ~OP_BIT(OP_STAT)) | OPS_NETWORK);
	/* A directory above can not be moved away with them. */
	const struct policy_rule *rule = NULL;
	assert_true(policy_gains(&policy, true, true, "/var", 4, "/old", 4, &rule));
	assert_int_equal(rule->pos.file, POLICY_BUILTIN);
	rules_end(&policy);
}

static void beneath_is_about_links_that_lead_out(void **state)
{
	struct policy policy;
	const struct policy_rule *rule;
	(void)state;
	rules_begin(&policy);
	rules_add(&policy, ACTION_ALLOW, READ, "/srv/www/", NULL)->beneath = true;
	rules_add(&policy, ACTION_ALLOW, RO, "/", NULL);
	rules_add(&policy, ACTION_ALLOW, READ, "/srv/", NULL)->beneath = true;
	policy.rules[2].stage = STAGE_LOG;
	compile(&policy);
	assert_true(policy_leads_out(&policy, READ, "/srv/www/leak", 13, "/etc/passwd", 11, &rule));
	assert_ptr_equal(rule, &policy.rules[0]);
	assert_true(policy_leads_out(&policy, READ, "/srv/x", 6, "/etc/passwd", 11, &rule));
	assert_ptr_equal(rule, &policy.rules[2]);
	assert_false(policy_leads_out(&policy, READ, "/srv/www/ok", 11, "/srv/www/a/b", 12, &rule));
	assert_null(rule);
	assert_false(policy_leads_out(&policy, READ, "/tmp/ok", 7, "/etc/passwd", 11, &rule));
	assert_false(policy_leads_out(&policy, OP_BIT(OP_LIST), "/srv/www/leak", 13, "/etc/passwd", 11, &rule));
	assert_int_equal(policy_restricted(&policy, false), READ);
	rules_end(&policy);
}

static bool gains(const struct policy *policy, bool rename, bool tree, const char *from, const char *to)
{
	bool first = policy_gains(policy, rename, tree, from, strlen(from), to, strlen(to), NULL);
	/* Remembered or not, the answer is the same. */
	assert_int_equal(policy_gains(policy, rename, tree, from, strlen(from), to, strlen(to), NULL), first);
	return first;
}

static void moving_never_opens_anything(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	rules_add(&policy, ACTION_DENY, READ, "/secret/", "**/.git/", NULL);
	rules_add(&policy, ACTION_DENY, OP_BIT(OP_DELETE), "/srv/keep/", NULL);
	rules_add(&policy, ACTION_DENY, OP_BIT(OP_CREATE), "/srv/old/x/frozen/", NULL);
	rules_add(&policy, ACTION_DENY, OP_BIT(OP_EXEC), "/tmp/", NULL);
	rules_add(&policy, ACTION_DENY, OP_BIT(OP_CONNECT), "/run/docker.sock", NULL);
	rules_add(&policy, ACTION_DENY, OP_BIT(OP_EXEC), "/w/up/*/x", NULL);
	compile(&policy);
	assert_true(gains(&policy, false, false, "/secret/a", "/pub/a"));
	assert_true(gains(&policy, true, false, "/secret/a", "/pub/a"));
	assert_false(gains(&policy, true, false, "/secret/a", "/secret/b"));
	assert_false(gains(&policy, true, false, "/pub/a", "/secret/a"));
	assert_true(gains(&policy, true, false, "/tmp/a", "/usr/bin/a"));
	assert_true(gains(&policy, false, false, "/run/docker.sock", "/home/x"));
	/* Trees: what is below counts, and deleting is not denied at /srv itself. */
	assert_false(gains(&policy, true, false, "/srv", "/srv2"));
	assert_true(gains(&policy, true, true, "/srv", "/srv2"));
	assert_false(gains(&policy, false, true, "/srv/a", "/srv/b"));
	assert_false(gains(&policy, true, true, "/srv/a", "/srv/b"));
	assert_true(gains(&policy, true, true, "/a/b", "/srv/old"));
	assert_false(gains(&policy, true, true, "/a/b", "/srv/new"));
	assert_true(gains(&policy, true, true, "/x/.git", "/x/git"));
	assert_true(gains(&policy, true, true, "/tmp/d", "/home/d"));
	assert_false(gains(&policy, true, true, "/home/d", "/tmp/d"));
	assert_true(gains(&policy, true, true, "/w/up", "/w/down"));
	assert_false(gains(&policy, true, true, "/w/down", "/w/up"));
	const struct policy_rule *rule;
	assert_true(policy_gains(&policy, true, true, "/srv", 4, "/old", 4, &rule));
	assert_ptr_equal(rule, &policy.rules[1]);
	rules_end(&policy);
}

static void a_hidden_tree_has_no_end_to_its_proof(void **state)
{
	/* Over budget: the careful answer. */
	struct policy policy;
	char glob[128] = "/a/**/*x";
	(void)state;
	for (int i = 0; i < 20; i++)
		strcat(glob, "?");
	rules_begin(&policy);
	rules_add(&policy, ACTION_DENY, READ, glob, NULL);
	rules_add(&policy, ACTION_ALLOW, READ, "/never/matched", NULL);
	compile(&policy);
	assert_false(gains(&policy, true, false, "/a/b", "/b"));
	assert_true(gains(&policy, true, true, "/a/b", "/b"));
	char witness[4096];
	assert_int_equal(policy_some_allowed(&policy, OP_READ, glob, witness), -E2BIG);
	rules_end(&policy);
}

static void never_finds_a_path(void **state)
{
	struct policy policy;
	char witness[4096];
	(void)state;
	rules_begin(&policy);
	files_default(&policy, ACTION_DENY);
	rules_add(&policy, ACTION_ALLOW, RO, "/srv/", NULL);
	rules_add(&policy, ACTION_DENY, RO, "**/*.key", NULL);
	rules_add(&policy, ACTION_ALLOW, READ, "/srv/demo/*.key", NULL)->stage = STAGE_LOG;
	compile(&policy);
	assert_int_equal(policy_some_allowed(&policy, OP_READ, "/srv/www/**/*.key", witness), 0);
	assert_int_equal(policy_some_allowed(&policy, OP_WRITE, "/", witness), 0);
	assert_int_equal(policy_some_allowed(&policy, OP_READ, "**/*.key", witness), 1);
	assert_int_equal(strncmp(witness, "/srv/demo/", 10), 0);
	assert_int_equal(would(&policy, READ, witness).action, ACTION_ALLOW);
	assert_int_equal(policy_some_allowed(&policy, OP_READ, "/", witness), 1);
	assert_string_equal(witness, "/srv");
	assert_int_equal(policy_some_allowed(&policy, OP_READ, "/etc/", witness), 0);
	rules_end(&policy);
}

struct heard {
	const struct policy_rule *rules[8];
	char reasons[8][200];
	bool wins[8];
	size_t n;
};

static void hear(void *ctx, const struct policy_rule *rule, bool wins, const char *reason)
{
	struct heard *heard = ctx;
	assert_true(heard->n < 8);
	heard->rules[heard->n] = rule;
	heard->wins[heard->n] = wins;
	(void)snprintf(heard->reasons[heard->n++], sizeof(heard->reasons[0]), "%s", reason);
}

static void why_tells_who_won(void **state)
{
	struct policy policy;
	struct heard heard = { 0 };
	(void)state;
	rules_begin(&policy);
	rules_add(&policy, ACTION_ALLOW, RO, "/etc/nginx/", NULL);
	rules_add(&policy, ACTION_DENY, RO, "**/*.{bak,key,pem}", NULL);
	rules_add(&policy, ACTION_ALLOW, READ, "/etc/nginx/ssl/*.{key,pem}", NULL);
	rules_add(&policy, ACTION_DENY, READ, "/etc/nginx/ssl/x.key", NULL)->stage = STAGE_LOG;
	compile(&policy);
	policy_explain(&policy, READ, "/etc/nginx/ssl/site.key", 23, hear, &heard);
	assert_int_equal(heard.n, 3);
	assert_ptr_equal(heard.rules[0], &policy.rules[2]);
	assert_true(heard.wins[0] && !heard.wins[1] && !heard.wins[2]);
	assert_string_equal(heard.reasons[0], "narrower than the two below");
	assert_non_null(strstr(heard.reasons[1], "is narrower"));

	heard.n = 0;
	struct policy_decision d = policy_explain(&policy, READ, "/etc/nginx/a.bak", 16, hear, &heard);
	assert_int_equal(d.enforced.action, ACTION_DENY);
	assert_int_equal(heard.n, 2);
	assert_ptr_equal(heard.rules[0], &policy.rules[1]);
	assert_non_null(strstr(heard.reasons[0], "overlaps "));
	assert_non_null(strstr(heard.reasons[0], ", neither is narrower, the stricter wins"));
	assert_non_null(strstr(heard.reasons[1], "is stricter"));

	heard.n = 0;
	d = policy_explain(&policy, READ, "/etc/nginx/ssl/x.key", 20, hear, &heard);
	assert_int_equal(d.enforced.action, ACTION_ALLOW);
	assert_int_equal(d.would.action, ACTION_DENY);
	assert_int_equal(heard.n, 4);
	assert_string_equal(heard.reasons[0], "narrower than the two below");
	assert_string_equal(heard.reasons[2], "at stage log: would win");
	assert_ptr_equal(heard.rules[2], &policy.rules[3]);

	heard.n = 0;
	policy_explain(&policy, READ, "/etc/nginx/x", 12, hear, &heard);
	assert_int_equal(heard.n, 1);
	assert_string_equal(heard.reasons[0], "the only rule that matches");
	heard.n = 0;
	policy_explain(&policy, WRITE, "/etc/nginx/x", 12, hear, &heard);
	assert_int_equal(heard.n, 0);
	rules_end(&policy);
}

static void redirects_that_tie_are_an_error(void **state)
{
	static const struct { const char *a, *b, *third; enum policy_action action; bool same, error; } rows[] = {
		{ "/a/*b", "/a/c*", NULL, ACTION_ALLOW, false, true },
		{ "/a/*b", "/a/c*", NULL, ACTION_ALLOW, true, false },
		{ "/a/b/", "/a/", NULL, ACTION_ALLOW, false, false },
		{ "/a/", "/a/**", NULL, ACTION_ALLOW, false, true },
		{ "/a/x", "/b/x", NULL, ACTION_ALLOW, false, false },
		{ "**/x/", "/b/", NULL, ACTION_ALLOW, false, true },
		/* settled by a narrower rule, or by a stricter one, wherever both match */
		{ "/a/*b", "/a/c*", "/a/c*b", ACTION_ALLOW, false, false },
		{ "/a/*b", "/a/c*", "/*/{c*b,q}", ACTION_DENY, false, false },
		{ "/a/*b", "/a/c*", "/*/{c*d,q}", ACTION_DENY, false, true },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy policy;
		struct policy_diags diags = { 0 };
		rules_begin(&policy);
		rules_add(&policy, ACTION_REDIRECT, READ, rows[i].a, NULL)->target = strdup("/target");
		rules_add(&policy, ACTION_REDIRECT, READ, rows[i].b, NULL)->target =
			strdup(rows[i].same ? "/target" : "/other");
		if (rows[i].third)
			rules_add(&policy, rows[i].action, READ, rows[i].third, NULL);
		int err = engine_compile(&policy, &diags);
		if (err != (rows[i].error ? -EINVAL : 0) || diags.errors != (size_t)rows[i].error)
			fail_msg("%s and %s: %d, %zu errors", rows[i].a, rows[i].b, err, diags.errors);
		if (rows[i].error) {
			assert_int_equal(diags.list[0].pos.line, 2);
			assert_int_equal(diags.list[0].other.line, 1);
		}
		policy_diags_free(&diags);
		rules_end(&policy);
	}
}

static void a_bad_pattern_is_an_error_with_its_place(void **state)
{
	struct policy policy;
	struct policy_diags diags = { 0 };
	(void)state;
	rules_begin(&policy);
	rules_add(&policy, ACTION_DENY, READ, "/a/[b", NULL)->patterns[0].pos.line = 7;
	assert_int_equal(engine_compile(&policy, &diags), -EINVAL);
	assert_int_equal(diags.errors, 1);
	assert_int_equal(diags.list[0].pos.line, 7);
	policy_diags_free(&diags);
	rules_end(&policy);
}

static void abstract_sockets_count_in_the_comparison(void **state)
{
	struct policy policy;
	(void)state;
	rules_begin(&policy);
	/* [0] would be narrower by its paths alone. */
	struct policy_rule *rule = rules_add(&policy, ACTION_ALLOW, OP_BIT(OP_CONNECT), "/run/x", NULL);
	rule->addrs = calloc(1, sizeof(*rule->addrs));
	rule->n_addrs = 1;
	rule->addrs[0].kind = ADDR_ABSTRACT;
	rule->addrs[0].text = (char *)(uintptr_t)"name";
	rules_add(&policy, ACTION_DENY, OP_BIT(OP_CONNECT), "/run/", NULL);
	compile(&policy);
	assert_decides(&policy, OP_BIT(OP_CONNECT), "/run/x", ACTION_DENY);
	policy.rules[0].n_addrs = 0;
	compile(&policy);
	assert_decides(&policy, OP_BIT(OP_CONNECT), "/run/x", ACTION_ALLOW);
	rules_end(&policy);
}

static void many_globs_stay_within_the_limit(void **state)
{
	enum { RULES = 20000 };
	struct policy policy;
	char text[128];
	(void)state;
	rules_begin(&policy);
	files_default(&policy, ACTION_DENY);
	for (int i = 0; i < RULES; i++) {
		int k = i / 5, end = i % 7;
		switch (i % 5) {
		case 0: (void)snprintf(text, sizeof(text), "**/x%d/**/y%d", k, end); break;
		case 1: (void)snprintf(text, sizeof(text), "/srv/%d*/%d", k, end); break;
		case 2: (void)snprintf(text, sizeof(text), "**/*%d*.%d", k, end); break;
		case 3: (void)snprintf(text, sizeof(text), "/data/%d/%d/", k, end); break;
		case 4: (void)snprintf(text, sizeof(text), "/**/[a-m]%d/?%d*", k, end); break;
		}
		rules_add(&policy, i % 3 ? ACTION_ALLOW : ACTION_DENY, READ, text, NULL);
	}
	compile(&policy);
	size_t before = engine_memory(policy.engine), limit = (size_t)1 << 20;
	struct policy_decision first[200];
	for (int round = 0; round < 2; round++) {
		engine_set_limit(policy.engine, round ? limit : (size_t)64 << 20);
		for (int i = 0; i < 200; i++) {
			(void)snprintf(text, sizeof(text), "/srv/x%d/b%d/c%d/y1/m%d.%d", i, i * 7, i, i * 3, i % 7);
			struct policy_decision d = policy_decide_path(&policy, READ, text, strlen(text));
			if (!round)
				first[i] = d;
			assert_ptr_equal(d.enforced.rule, first[i].enforced.rule);
			assert_int_equal(d.enforced.action, first[i].enforced.action);
		}
	}
	assert_true(engine_memory(policy.engine) < before + limit + limit / 2);
	rules_end(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_narrower_rule_beats_a_broader_one),
		cmocka_unit_test(fewer_operations_are_narrower_on_the_same_paths),
		cmocka_unit_test(a_rule_is_the_union_of_its_patterns),
		cmocka_unit_test(forbid_always_wins),
		cmocka_unit_test(the_drop_is_relative_to_all_that_match),
		cmocka_unit_test(rules_at_stage_log_are_left_out_of_what_is_enforced),
		cmocka_unit_test(the_first_operation_that_fails_is_named),
		cmocka_unit_test(what_is_not_covered_is_allowed),
		cmocka_unit_test(sockets_fall_to_network_or_else_to_files),
		cmocka_unit_test(a_policy_without_rules_allows),
		cmocka_unit_test(own_files_are_forbidden),
		cmocka_unit_test(beneath_is_about_links_that_lead_out),
		cmocka_unit_test(moving_never_opens_anything),
		cmocka_unit_test(a_hidden_tree_has_no_end_to_its_proof),
		cmocka_unit_test(never_finds_a_path),
		cmocka_unit_test(why_tells_who_won),
		cmocka_unit_test(redirects_that_tie_are_an_error),
		cmocka_unit_test(a_bad_pattern_is_an_error_with_its_place),
		cmocka_unit_test(abstract_sockets_count_in_the_comparison),
		cmocka_unit_test(many_globs_stay_within_the_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
