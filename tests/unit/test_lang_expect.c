/* The four samples of the language's specification, and how expectations are judged. */
#include "expect.h"
#include "lang_env.h"

static int disk_read(void *ctx, const char *path, char **text, size_t *len)
{
	(void)ctx;
	FILE *file = fopen(path, "rb");
	if (!file)
		return -errno;
	*text = calloc(1, 1 << 16);
	*len = fread(*text, 1, (1 << 16) - 1, file);
	fclose(file);
	return 0;
}

struct tally { int pass, fail, skipped, at_log; };

static void count(void *ctx, const struct expect_result *result)
{
	struct tally *tally = ctx;
	tally->pass += result->outcome == EXPECT_PASS;
	tally->fail += result->outcome == EXPECT_FAIL;
	tally->skipped += result->outcome == EXPECT_NOT_JUDGED;
	tally->at_log += result->at_log;
	if (result->outcome == EXPECT_FAIL)
		print_error("failed: %s (%s)\n", result->expect->text, policy_action_name(result->verdict.action));
}

static void test_samples(void **state)
{
	(void)state;
	static const struct {
		const char *name, *called;
		struct tally tally;
	} samples[] = {
		{"web", "web", {.pass = 17, .at_log = 1}},
		{"db", "postgres", {.pass = 8}},
		{"agent", "agent", {.pass = 13}},
		{"mounts", "builder", {.pass = 5}},
	};
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		const struct policy_env env = {.read = disk_read};
		char path[1024];
		(void)snprintf(path, sizeof(path), SOURCE_DIR "/tests/unit/data/%s.policy", samples[i].name);
		struct policy *policy = NULL;
		struct policy_diags diags = {0};
		int err = policy_load(&policy, &env, path, &diags);
		if (err) {
			policy_diags_print(&diags, policy, stderr, false);
			fail_msg("%s: %d", path, err);
		}
		assert_string_equal(policy->name, samples[i].called);
		struct tally tally = {0};
		assert_int_equal(policy_test_run(policy, &env, count, &tally), 0);
		assert_int_equal(tally.pass, samples[i].tally.pass);
		assert_int_equal(tally.skipped, samples[i].tally.skipped);
		assert_int_equal(tally.at_log, samples[i].tally.at_log);
		policy_diags_free(&diags);
		policy_free(policy);
	}
}

static void test_shipped_base(void **state)
{
	(void)state;
	static const char *const names[] = {"glibc", "org"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct policy_env env = {.read = disk_read};
		char path[1024];
		(void)snprintf(path, sizeof(path), SOURCE_DIR "/profiles/base/%s.policy", names[i]);
		struct policy *policy = NULL;
		struct policy_diags diags = {0};
		int err = policy_load(&policy, &env, path, &diags);
		if (err) {
			policy_diags_print(&diags, policy, stderr, false);
			fail_msg("%s: %d", path, err);
		}
		/* Nothing that this version does not enforce. */
		for (size_t j = 0; j < policy->n_rules; j++)
			assert_true(policy->rules[j].section == SECTION_FILES ||
				    (policy->rules[j].section == SECTION_NETWORK && policy->rules[j].n_addrs == 0));
		policy_diags_free(&diags);
		policy_free(policy);
	}
}

struct last { struct expect_result result; int n; };

static void keep(void *ctx, const struct expect_result *result)
{
	struct last *last = ctx;
	last->result = *result;
	last->n++;
}

static struct expect_result judge(struct lang_world *world, const char *text)
{
	const struct policy_env env = lang_env(world);
	struct policy *policy = lang_good_env(&env, text);
	static struct last last;
	memset(&last, 0, sizeof(last));
	policy_test_run(policy, &env, keep, &last);
	assert_int_equal(last.n, 1);
	policy_free(policy);
	return last.result;
}

static void test_outcomes(void **state)
{
	(void)state;
	static struct lang_world world = {.links = {{"/bin", "/usr/bin"}}};
#define FILES "files { default deny; allow read /a; allow ro /t/ beneath; deny read /t/x stage log; allow exec /bin/; } "
#define NETWORK "network { default deny; allow connect tcp 10.0.0.0/8:*, api.example.com:443; deny connect tcp 10.1.2.0/30:25;\n" \
	"  deny connect tcp [::1]:443 stage log; allow connect tcp [::1]:443 id broad; forbid connect tcp @metadata;\n" \
	"  allow connect unix @x*; allow sendto udp *:53; allow connect netlink NETLINK_ROUTE; } "
	static const struct {
		const char *text;
		enum expect_outcome outcome;
		bool at_log;
	} rows[] = {
		{FILES "test { expect allow read /a; }", EXPECT_PASS, false},
		{FILES "test { expect deny read /a; }", EXPECT_FAIL, false},
		{FILES "test { expect deny write /a; }", EXPECT_PASS, false},
		{FILES "test { expect redirect read /a; }", EXPECT_FAIL, false},
		{FILES "test { expect deny read /t/x; }", EXPECT_PASS, true},
		{FILES "test { expect deny read /t/leak resolving /a; }", EXPECT_PASS, false},
		{FILES "test { expect allow read /t/leak resolving /t/y; }", EXPECT_PASS, false},
		{FILES "test { expect allow exec /bin/sh; }", EXPECT_PASS, false},
		{FILES "test { expect allow exec /usr/bin/sh; }", EXPECT_PASS, false},
		{FILES "test { never allow write /**; }", EXPECT_PASS, false},
		{FILES "test { never allow read /t/**; }", EXPECT_FAIL, false},
		/* Only a network section has something to say about them. */
		{FILES "test { expect deny connect tcp 1.2.3.4:80; }", EXPECT_FAIL, false},
		{FILES "test { expect deny connect unix @x; }", EXPECT_FAIL, false},
		{NETWORK "test { expect allow connect tcp 10.1.2.3:443; }", EXPECT_PASS, false},
		{NETWORK "test { expect deny connect tcp 10.1.2.3:25; }", EXPECT_PASS, false},
		{NETWORK "test { expect allow connect tcp 10.1.2.4:25; }", EXPECT_PASS, false},
		{NETWORK "test { expect deny connect tcp 11.1.2.3:443; }", EXPECT_PASS, false},
		{NETWORK "test { expect allow connect tcp api.example.com:443; }", EXPECT_PASS, false},
		{NETWORK "test { expect deny connect tcp api.example.com:80; }", EXPECT_PASS, false},
		{NETWORK "test { expect deny connect tcp [::1]:443; }", EXPECT_PASS, true},
		{NETWORK "test { expect allow connect unix @x/y; }", EXPECT_PASS, false},
		{NETWORK "test { expect deny connect unix @y; }", EXPECT_PASS, false},
		{NETWORK "test { expect allow sendto udp 1.1.1.1:53; }", EXPECT_PASS, false},
		{NETWORK "test { expect allow connect udp 1.1.1.1:53; }", EXPECT_PASS, false},
		{NETWORK "test { expect allow connect netlink NETLINK_ROUTE; }", EXPECT_PASS, false},
		{NETWORK "test { expect deny bind netlink NETLINK_AUDIT; }", EXPECT_PASS, false},
		{NETWORK "test { expect deny connect raw *; }", EXPECT_PASS, false},
		{NETWORK "test { expect deny connect tcp 10.0.0.0/8:1; }", EXPECT_FAIL, false},
		{NETWORK "test { never allow connect tcp 10.0.0.0/8:25; }", EXPECT_FAIL, false},
		{NETWORK "test { never allow connect tcp 10.1.2.0/30:25; }", EXPECT_PASS, false},
		{NETWORK "test { never allow connect tcp 11.0.0.0/8:*; }", EXPECT_FAIL, false},	/* api.example.com might be there */
		{NETWORK "test { never allow connect tcp 11.0.0.0/8:1-442; }", EXPECT_PASS, false},
		{"network { allow connect tcp 10.0.0.0/8:1-9; deny connect tcp 10.0.0.0/9:*; } test { never allow connect tcp 10.0.0.0/8:*; }", EXPECT_FAIL, false},
		{"network { allow connect tcp 10.0.0.0/8:1-9; deny connect tcp *:1-8; } test { never allow connect tcp 10.0.0.0/8:*; }", EXPECT_FAIL, false},
		{NETWORK "test { never allow connect tcp @metadata; }", EXPECT_PASS, false},
		{FILES "test { expect deny connect unix /run/x; }", EXPECT_PASS, false},
		{FILES "test { expect deny mount tmpfs on /x; }", EXPECT_PASS, false},
		{"mounts { allow mount tmpfs on /x/ options size<=1M; } test { expect allow mount tmpfs on /x/y options 'size=4k'; }", EXPECT_PASS, false},
		{"mounts { allow mount tmpfs on /x/ options size<=1M; } test { expect allow mount tmpfs on /x/y options 'size=2M'; }", EXPECT_FAIL, false},
		{"mounts { default deny stage log; } test { expect deny umount /x; }", EXPECT_PASS, true},
		{FILES "test { expect allow read /a in main; }", EXPECT_PASS, false},
		{FILES "test { expect allow read /a as nobody; }", EXPECT_NOT_JUDGED, false},
		{FILES "domain d { } test { expect allow read /a in d; }", EXPECT_NOT_JUDGED, false},
		{"files { default deny stage log; } test { expect deny read /a; }", EXPECT_PASS, true},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct expect_result result = judge(&world, rows[i].text);
		if (result.outcome != rows[i].outcome || result.at_log != rows[i].at_log)
			fail_msg("%s: outcome %d, at log %d", rows[i].text, result.outcome, result.at_log);
		if (rows[i].outcome == EXPECT_NOT_JUDGED)
			assert_non_null(strstr(result.reason, "not judged by this version"));
		if (result.expect && rows[i].outcome == EXPECT_FAIL && strstr(rows[i].text, "never"))
			assert_non_null(strpbrk(result.witness, "/1"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_shipped_base),
		cmocka_unit_test(test_outcomes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
