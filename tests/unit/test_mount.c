/* Rules about mounts: what they match, which of them wins, what an option may say, and what a bind would open. */
#include "lang_env.h"
#include "words.h"

struct asked { const char *fstype, *from, *on; uint32_t flags; const char *options; };

static struct policy_decision decide(const struct policy *policy, const struct asked *asked)
{
	struct policy_mount_option options[POLICY_MOUNT_OPTIONS];
	char *text = strdup(asked->options ? asked->options : "");
	int n = policy_mount_options(asked->fstype, text, options, ARRAY_SIZE(options));
	assert_true(n >= 0);
	struct policy_decision decision = policy_decide_mount(policy, &(struct policy_mount){
		.fstype = asked->fstype, .from = asked->from, .on = asked->on, .flags = policy_mount_flags(asked->flags),
		.options = options, .n_options = (size_t)n });
	free(text);
	return decision;
}

static void check(const char *text, struct asked asked, bool allowed)
{
	struct policy *policy = lang_good(text);
	struct policy_decision decision = decide(policy, &asked);
	if (policy_allows(&decision.enforced) != allowed)
		fail_msg("%s: %s from %s on %s (%x) %s: %s", text, asked.fstype, asked.from ? asked.from : "", asked.on, asked.flags, asked.options ? asked.options : "",
			 policy_action_name(decision.enforced.action));
	policy_free(policy);
}

#define BIND(from, on) ((struct asked){ "bind", from, on, 0, NULL })
#define TMPFS(options) ((struct asked){ "tmpfs", NULL, "/t", 0, options })

static void places_types_and_sources_must_match(void **state)
{
	(void)state;
	static const char bind[] = "allow mount bind from /srv/, /etc/hosts on /b/*/x/;";
	check(bind, BIND("/srv", "/b/1/x"), true);
	check(bind, BIND("/srv/a/b", "/b/1/x/y"), true);
	check(bind, BIND("/etc/hosts", "/b/2/x"), true);
	check(bind, BIND("/etc/passwd", "/b/2/x"), false);
	check(bind, BIND("/srvx", "/b/2/x"), false);
	check(bind, BIND("/srv", "/b/1/2/x"), false);
	check(bind, BIND("/srv", "/"), false);
	check(bind, BIND(NULL, "/b/1/x"), false);
	check(bind, ((struct asked){ "move", "/srv", "/b/1/x", 0, NULL }), false);
	check("allow mount bind on /b/;", BIND("/anything", "/b"), true);
	check("mounts { default allow; }", BIND("/a", "/b"), true);
	check("mounts { default deny stage log; }", BIND("/a", "/b"), true);
	check("files { default allow; }", BIND("/a", "/b"), false);
}

static void any_is_any_but_an_image(void **state)
{
	(void)state;
	check("allow mount any on /t;", TMPFS(NULL), true);
	check("allow mount any on /t;", ((struct asked){ "ext4", "/dev/sda", "/t", 0, NULL }), false);
	check("allow mount any on /t;", ((struct asked){ "something", NULL, "/t", 0, NULL }), false);
	check("allow mount any from /dev/sda on /t trusted-image;", ((struct asked){ "ext4", "/dev/sda", "/t", 0, NULL }), true);
	check("allow mount ext4 from /dev/sda on /t trusted-image;", ((struct asked){ "ext4", "/dev/sdb", "/t", 0, NULL }), false);
	check("allow mount any on /t; deny mount any on /t;", TMPFS(NULL), false);
}

static void flags_must_be_asked_for(void **state)
{
	(void)state;
	static const char text[] = "allow mount proc on /p flags nosuid,noexec;";
	check(text, ((struct asked){ "proc", NULL, "/p", MOUNT_BIT(MOUNT_NOSUID) | MOUNT_BIT(MOUNT_NOEXEC), NULL }), true);
	check(text, ((struct asked){ "proc", NULL, "/p", MOUNT_BIT(MOUNT_NOSUID) | MOUNT_BIT(MOUNT_NOEXEC) | MOUNT_BIT(MOUNT_RO), NULL }), true);
	check(text, ((struct asked){ "proc", NULL, "/p", MOUNT_BIT(MOUNT_NOSUID), NULL }), false);
	/* And their opposites, by who does not ask. */
	static const char suid[] = "allow mount any on /p; deny mount any on /p flags suid;";
	check(suid, ((struct asked){ "proc", NULL, "/p", MOUNT_BIT(MOUNT_NOSUID), NULL }), true);
	check(suid, ((struct asked){ "proc", NULL, "/p", 0, NULL }), false);
}

static void options_are_bounded(void **state)
{
	(void)state;
	static const char text[] = "allow mount tmpfs on /t options size<=256M, mode, huge=never;";
	static const struct { const char *options; bool allowed; } rows[] = {
		{ "", true }, { "size=1M", true }, { "size=256M", true }, { "size=256m", true }, { "size=262144k,mode=755", true },
		{ "size=268435456", true }, { "size=268435457", false }, { "size=257M", false }, { "size=1G", false },
		{ "size=1M,size=1G", false }, { "size=0", false }, { "size=00", false }, { "size=0x10", false }, { "size=010", false },
		{ "size=50%", false }, { "size=-1", false }, { "size= 1", false }, { "size=1M ", false }, { "size=1MM", false },
		{ "size=18446744073709551617", false }, { "size=17179869184G", false }, { "size=", false }, { "size", false },
		{ "SIZE=1", false }, { "huge=never", true }, { "huge=always", false }, { "huge", false }, { "uid=0", false },
		{ ",,size=1k,,", true }, { "=x", true }, { "mode", true }, { "mpol=bind:0,1", false }, { "x\\,size=1M", false },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(text, TMPFS(rows[i].options), rows[i].allowed);
	check("allow mount tmpfs on /t;", TMPFS("mode=1"), false);
	check("allow mount tmpfs on /t;", TMPFS(""), true);
}

#define OVERLAY(options) ((struct asked){ "overlay", NULL, "/o", 0, options })

static void layers_lie_where_they_may(void **state)
{
	(void)state;
	static const char text[] = "allow mount overlay on /o options lowerdir under /l/, upperdir under /u/, workdir under /u/;";
	static const struct { const char *options; bool allowed; } rows[] = {
		{ "lowerdir=/l/a", true }, { "lowerdir=/l/a:/l/b,upperdir=/u/u,workdir=/u/w", true }, { "lowerdir=/l", true },
		{ "lowerdir=/lx", false }, { "lowerdir=/l/a:/etc", false }, { "lowerdir=/etc:/l/a", false }, { "lowerdir=/l/a,upperdir=/l/b", false },
		{ "lowerdir=/l/a,lowerdir=/etc", false }, { "lowerdir=l/a", false }, { "lowerdir=", true /* no layer at all: the kernel's business */ },
		/* One name with a comma or a colon in it. */
		{ "lowerdir=/l/a\\,upperdir=/etc", true }, { "lowerdir=/l/a\\:/etc", true }, { "lowerdir=/l/a\\\\:/etc", false },
		{ "lowerdir=\\/l/a", true }, { "lowerdir=/l/a,metacopy=on", false },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].options[9] || !rows[i].allowed)
			check(text, OVERLAY(rows[i].options), rows[i].allowed);
	struct policy_mount_option options[4];
	char none[] = "lowerdir=/a::/b", many[] = "a,b,c,d,e";
	assert_int_equal(policy_mount_options("overlay", none, options, 4), -EINVAL);
	assert_int_equal(policy_mount_options("tmpfs", many, options, 4), -E2BIG);
	char escaped[] = "lowerdir=/a\\:b\\,c:/d";
	assert_int_equal(policy_mount_options("overlay", escaped, options, 4), 2);
	assert_string_equal(options[0].value, "/a:b,c");
	assert_string_equal(options[1].value, "/d");
}

static void the_narrower_rule_wins(void **state)
{
	(void)state;
	const struct asked asked = { "tmpfs", NULL, "/b/x", MOUNT_BIT(MOUNT_RO), NULL };
	check("deny mount any on /b/; allow mount tmpfs on /b/;", asked, true);
	check("deny mount tmpfs on /b/; allow mount any on /b/;", asked, false);
	check("deny mount tmpfs on /b/; allow mount tmpfs on /b/x;", asked, true);
	check("deny mount tmpfs on /b/x; allow mount tmpfs on /b/;", asked, false);
	check("deny mount tmpfs on /b/x; allow mount tmpfs on /b/x;", asked, false);
	check("deny mount tmpfs on /b/x; allow mount tmpfs on /b/x flags ro;", asked, true);
	check("deny mount any on /b/x; allow mount tmpfs on /b/;", asked, false);	/* they overlap */
	check("forbid mount any on /b/; allow mount tmpfs on /b/x;", asked, false);
	check("deny mount bind from /s/ on /b/x; allow mount bind from /s/a on /b/x;", BIND("/s/a", "/b/x"), true);
	check("deny mount bind from /s/a on /b/x; allow mount bind on /b/x;", BIND("/s/a", "/b/x"), false);
	check("deny mount bind from /s/a on /b/x; allow mount bind on /b/x;", BIND("/s/b", "/b/x"), true);
	check("deny mount tmpfs on /b/x stage log; allow mount tmpfs on /b/;", asked, true);
}

static void unmounting_is_about_paths(void **state)
{
	(void)state;
	struct policy *policy = lang_good("mounts { allow umount /b/**; deny umount /b/x; allow mount tmpfs on /m; }");
	static const struct { const char *path; bool allowed; } rows[] = { { "/b/y", true }, { "/b/x", false }, { "/", false }, { "/m", false } };
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_decision d = policy_decide_path(policy, OP_BIT(OP_UMOUNT), rows[i].path, strlen(rows[i].path));
		assert_int_equal(policy_allows(&d.enforced), rows[i].allowed);
	}
	assert_true(policy_mounts_some(policy));
	policy_free(policy);
	policy = lang_good("mounts { default deny; deny mount any on /x; }");
	assert_false(policy_mounts_some(policy));
	policy_free(policy);
	/* What is allowed of files is none of it, and the other way round. */
	policy = lang_good("files { default allow; } mounts { default deny; }");
	struct policy_decision d = policy_decide_path(policy, OP_BIT(OP_UMOUNT), "/x", 2);
	assert_int_equal(d.enforced.err, EPERM);
	d = policy_decide_path(policy, OP_BIT(OP_WRITE), "/x", 2);
	assert_true(policy_allows(&d.enforced));
	policy_free(policy);
}

static void a_new_root_is_asked_for(void **state)
{
	(void)state;
	struct policy *policy = lang_good("mounts { default deny; allow mount tmpfs on /m; deny pivot_root /n; }");
	assert_false(policy_pivots(policy));
	assert_int_equal(policy_forbid(policy, "/etc/own", true), 0);
	struct policy_decision d = policy_decide_path(policy, OP_BIT(OP_READ), "/x/etc/own", 10);
	assert_true(policy_allows(&d.enforced));
	policy_free(policy);
	policy = lang_good("mounts { default deny; allow pivot_root /n; }");
	assert_true(policy_pivots(policy));
	d = policy_decide_path(policy, OP_BIT(OP_PIVOT), "/n", 2);
	assert_true(policy_allows(&d.enforced));
	d = policy_decide_path(policy, OP_BIT(OP_PIVOT), "/n/n", 4);
	assert_false(policy_allows(&d.enforced));
	/* usher's own files stay so, whatever comes before their names. */
	assert_int_equal(policy_forbid(policy, "/etc/own", true), 0);
	static const struct { const char *path; bool allowed; } rows[] = {
		{ "/etc/own", false }, { "/old/root/etc/own/x", false }, { "/old/etc/owner", true }, { "/old/own", true },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		d = policy_decide_path(policy, OP_BIT(OP_READ), rows[i].path, strlen(rows[i].path));
		assert_int_equal(policy_allows(&d.enforced), rows[i].allowed);
	}
	assert_false(policy_bind_gains(policy, OPS_FILES, true, "/", "/old", NULL));
	assert_false(policy_bind_gains(policy, OPS_FILES, true, "/old", "/", NULL));
	policy_free(policy);
}

/* Rules about mounts are no reason to look at every state that rules about files can be in. */
static void mounts_do_not_spend_the_budget(void **state)
{
	(void)state;
	struct policy *policy = lang_good("files { default allow; deny write /**/usr/, /**/a/, /**/b/, /**/e/, /**/f/; deny all /**/secret/, /**/c/, /**/d/, /**/g/; deny read /new/x; }\n"
					  "mounts { allow mount tmpfs on /tmp, /new/**, /new/dev/a*, /new/*/b/; allow pivot_root /tmp, /new; }");
	assert_true(policy_bind_gains(policy, OPS_FILES, true, "/", "/tmp", NULL));
	assert_false(policy_bind_gains(policy, OPS_FILES, true, "/tmp", "/", NULL));
	assert_true(policy_bind_gains(policy, OPS_FILES, true, "/new", "/tmp", NULL));
	policy_free(policy);
	policy = lang_good("files { default allow; deny write /**/usr/, /**/a/, /**/b/, /**/e/, /**/f/; deny all /**/secret/, /**/c/, /**/d/, /**/g/; }\n"
			   "mounts { allow mount tmpfs on /tmp, /new/**, /new/dev/a*, /new/*/b/; allow pivot_root /tmp, /new; }");
	assert_false(policy_bind_gains(policy, OPS_FILES, true, "/", "/new", NULL));
	assert_false(policy_bind_gains(policy, OPS_FILES, true, "/new", "/", NULL));
	policy_free(policy);
}

static void a_bind_opens_nothing(void **state)
{
	(void)state;
	static const char text[] = "files { default allow; deny read /s/secret; deny write /s/; deny all **/.key; deny read /b/s/secret; forbid write /f; deny write,chmod /d; }";
	static const struct { const char *from, *to; uint32_t ops; bool gains; } rows[] = {
		{ "/s", "/b/s", OP_BIT(OP_READ), false }, { "/s", "/b/s", OP_BIT(OP_WRITE), true }, { "/s", "/b/t", OP_BIT(OP_READ), true },
		{ "/s/x", "/b/t", OP_BIT(OP_READ), false }, { "/", "/b/t", OP_BIT(OP_READ), true }, { "/tmp", "/b", OPS_FILES, false },
		{ "/f", "/tmp", OP_BIT(OP_WRITE), true }, { "/d", "/b", OP_BIT(OP_WRITE), false }, { "/d", "/b", OP_BIT(OP_CHMOD), true }, { "/", "/", OPS_FILES, false },
	};
	struct policy *policy = lang_good(text);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (policy_bind_gains(policy, rows[i].ops, strcmp(rows[i].from, "/f") != 0, rows[i].from, rows[i].to, NULL) != rows[i].gains)
			fail_msg("%s on %s", rows[i].from, rows[i].to);
	policy_free(policy);
}

/* Links are found by the new names as well. */
static void a_bind_lets_no_link_out(void **state)
{
	(void)state;
	static const char text[] = "files { default allow; allow read /w/ beneath; allow read /w/in/, /l/ beneath; allow list /v/ beneath; }\n";
	static const struct { const char *from, *to; uint32_t ops; bool gains; } rows[] = {
		{ "/w", "/b", OP_BIT(OP_READ), true }, { "/b", "/w", OP_BIT(OP_READ), false }, { "/w/a", "/w/b", OP_BIT(OP_READ), false },
		{ "/", "/b", OP_BIT(OP_READ), true }, { "/w", "/b", OP_BIT(OP_WRITE), false }, { "/w", "/v", OP_BIT(OP_READ), true },
		{ "/w/in", "/w", OP_BIT(OP_READ), true }, { "/w/x", "/w/in", OP_BIT(OP_READ), false }, { "/v", "/b", OP_BIT(OP_READ) | OP_BIT(OP_LIST), true },
	};
	struct policy *policy = lang_good(text);
	const struct policy_rule *rule;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (policy_bind_gains(policy, rows[i].ops, true, rows[i].from, rows[i].to, &rule) != rows[i].gains || (rows[i].gains && !rule->beneath))
			fail_msg("%s on %s", rows[i].from, rows[i].to);
	/* What is bound is no link itself, and a rule on trial keeps nothing. */
	assert_false(policy_bind_gains(policy, OP_BIT(OP_READ), false, "/w/f", "/b/f", NULL));
	policy_free(policy);
	policy = lang_good("files { default allow; allow read /w/ beneath stage log; deny write /x; }");
	assert_false(policy_bind_gains(policy, OP_BIT(OP_READ), true, "/w", "/b", NULL));
	policy_free(policy);
}

static char *complaint(const char *text)
{
	static struct lang_world nothing;
	struct policy_env env = lang_env(&nothing);
	char *whole = NULL;
	int len = asprintf(&whole, "syntax 1; %s", text);
	char *messages = lang_complaints(&env, "t.policy", whole, (size_t)len, false);
	free(whole);
	return messages;
}

static void what_cannot_be_meant_is_said(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "allow mount ext4 on /x;", "trusted-image" },
		{ "allow mount nosuchfs on /x;", "trusted-image" },
		{ "allow mount ext4 on /x trusted-image;", "add 'from PATH'" },
		{ "allow mount tmpfs on /x idmap;", "'idmap' belongs" },
		{ "allow mount tmpfs on /x force exec;", "only restrictions are forced" },
		{ "allow mount tmpfs on /x options size<=50%;", "no number above 0" },
		{ "deny mount tmpfs on /x options size<=1M;", "belongs to 'allow'" },
		{ "deny mount tmpfs on /x force ro;", "belongs to 'allow'" },
		{ "redirect mount tmpfs on /x to /y;", "allowed or denied" },
		{ "answer umount /x with errno EPERM;", "allowed or denied" },
		{ "allow mount tmpfs from /a;", "'on PATH'" },
		{ "allow mount bind from a on /b;", "begins with" },
		{ "test { expect deny mount tmpfs /x; }", "'on PATH'" },
		{ "test { never allow mount tmpfs on /x; }", "not about mounts" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *messages = complaint(rows[i][0]);
		if (!strstr(messages, rows[i][1]))
			fail_msg("%s:\n%s", rows[i][0], messages);
		free(messages);
	}
}

static void collect(void *ctx, const struct policy_rule *rule, bool wins, const char *reason)
{
	char *to = ctx;
	(void)snprintf(to + strlen(to), 500 - strlen(to), "%s%s (%s)\n", wins ? "-> " : "", rule->text, reason);
}

static void it_is_explained(void **state)
{
	(void)state;
	char story[500] = "";
	struct policy *policy = lang_good("allow mount any on /b/; deny mount tmpfs on /b/x; allow mount bind on /b/x;");
	struct policy_mount mount = { .fstype = "tmpfs", .on = "/b/x", .flags = policy_mount_flags(0) };
	struct policy_decision d = policy_explain_mount(policy, &mount, collect, story);
	assert_true(policy_denies(&d.enforced));
	assert_string_equal(story, "-> deny mount tmpfs on /b/x (narrower than the one below)\n"
				   "allow mount any on /b/ (t.policy:1 is narrower)\n");
	policy_free(policy);
}

static void words_and_bits_agree(void **state)
{
	(void)state;
	for (int flag = 0; flag < MOUNT_FLAG_COUNT; flag++) {
		const char *name = policy_mount_flag_name((enum mount_flag)flag);
		const struct word *word = word_find(WORD_BIT(WORD_MOUNT_FLAG), name, strlen(name));
		assert_non_null(word);
		assert_int_equal(word->value, flag);
	}
	assert_int_equal(policy_mount_flags(MOUNT_BIT(MOUNT_RO)),
			 MOUNT_BIT(MOUNT_RO) | MOUNT_BIT(MOUNT_SUID) | MOUNT_BIT(MOUNT_DEV) | MOUNT_BIT(MOUNT_EXEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_types_and_sources_must_match), cmocka_unit_test(any_is_any_but_an_image),
		cmocka_unit_test(flags_must_be_asked_for), cmocka_unit_test(options_are_bounded), cmocka_unit_test(layers_lie_where_they_may),
		cmocka_unit_test(the_narrower_rule_wins), cmocka_unit_test(unmounting_is_about_paths), cmocka_unit_test(a_bind_opens_nothing), cmocka_unit_test(a_bind_lets_no_link_out),
		cmocka_unit_test(a_new_root_is_asked_for), cmocka_unit_test(mounts_do_not_spend_the_budget),
		cmocka_unit_test(what_cannot_be_meant_is_said), cmocka_unit_test(it_is_explained), cmocka_unit_test(words_and_bits_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
