/* What differs between two policies: the witnesses, and that nothing is missed. */
#include "difference.h"
#include "lang_env.h"
#include "syscalls.h"

static struct policy *load(const char *text)
{
	static const struct policy_env env = { 0 };
	struct policy_diags diags = { 0 };
	struct policy *policy = NULL;
	int error = policy_load_text(&policy, &env, "test", text, strlen(text), &diags);
	if (error) {
		policy_diags_print(&diags, policy, stderr, false);
		fail();
	}
	policy_diags_free(&diags);
	return policy;
}

struct expected {
	enum difference_kind kind;
	bool staged;
	uint32_t ops;
	const char *witness;
};

static void check(const char *before, const char *after, const struct expected *expected, size_t n)
{
	struct policy *a = load(before), *b = load(after);
	struct differences found;
	assert_int_equal(differences_find(&found, a, b), 0);
	assert_false(found.partial);
	for (size_t i = 0; i < found.n && found.n != n; i++)
		print_error("kind %d ops %#x %s\n", (int)found.list[i].kind, found.list[i].ops, found.list[i].witness);
	assert_int_equal(found.n, n);
	for (size_t i = 0; i < n; i++) {
		bool there = false;
		for (size_t k = 0; k < n; k++) {
			const struct difference *d = &found.list[k];
			there |= d->kind == expected[i].kind && d->staged == expected[i].staged && d->ops == expected[i].ops &&
				 d->witness && strcmp(d->witness, expected[i].witness) == 0;
		}
		if (!there)
			print_error("missing: %s\n", expected[i].witness);
		assert_true(there);
	}
	differences_free(&found);
	policy_free(a);
	policy_free(b);
}
#define CHECK(before, after, ...)                                                                    \
	check("syntax 1;" before, "syntax 1;" after, (const struct expected[]){ __VA_ARGS__ },        \
	      sizeof((const struct expected[]){ __VA_ARGS__ }) / sizeof(struct expected))

static void equal_however_written(void **state)
{
	(void)state;
	check("syntax 1; files { default deny; allow read /a/{b,c}; allow write /a/b; }",
	      "syntax 1; files { default deny; allow read,write /a/b; allow read /a/c; deny read /a/d; }", NULL, 0);
	check("syntax 1; files { default deny; allow read /a/**; }",
	      "syntax 1; files { default deny; allow read /a/; allow read /a/b/; allow read /a/**/c; }", NULL, 0);
}

static void one_more_and_one_less(void **state)
{
	(void)state;
	CHECK("files { default deny; allow read /a/; allow list /x; }", "files { default deny; allow read /a/; deny read /a/**/k; }",
	      { DIFFERENCE_DENIED, false, OP_BIT(OP_READ), "/a/k" }, { DIFFERENCE_DENIED, false, OP_BIT(OP_LIST), "/x" });
	CHECK("files { default deny; allow read /a; }", "files { default deny; allow read,write /a; } allow connect unix /s;",
	      { DIFFERENCE_ALLOWED, false, OP_BIT(OP_WRITE), "/a" }, { DIFFERENCE_ALLOWED, false, OP_BIT(OP_CONNECT), "/s" });
}

static void stages_and_errnos(void **state)
{
	(void)state;
	/* Promoted: that is a denial. */
	CHECK("files { default allow; deny read /a stage log; }", "files { default allow; deny read /a; }",
	      { DIFFERENCE_DENIED, false, OP_BIT(OP_READ), "/a" });
	/* On trial: only without stages. */
	CHECK("files { default allow; }", "files { default allow; deny read /a stage log; }",
	      { DIFFERENCE_DENIED, true, OP_BIT(OP_READ), "/a" });
	CHECK("files { default allow; deny EACCES read /a; }", "files { default allow; deny ENOENT read /a; }",
	      { DIFFERENCE_OTHER, false, OP_BIT(OP_READ), "/a" });
	CHECK("files { default allow; deny read /a; }", "files { default allow; deny read /a stage kill; }",
	      { DIFFERENCE_OTHER, false, OP_BIT(OP_READ), "/a" });
}

static void own_files_do_not_count(void **state)
{
	(void)state;
	struct policy *a = load("syntax 1; files { default allow; }"), *b = load("syntax 1; files { default allow; }");
	struct differences found;
	assert_int_equal(policy_forbid(a, "/etc/usher/a", true), 0);
	assert_int_equal(differences_find(&found, a, b), 0);
	assert_int_equal(found.n, 0);
	differences_free(&found);
	policy_free(a);
	policy_free(b);
}

static void calls_with_their_arguments(void **state)
{
	(void)state;
	struct policy *a = load("syntax 1; syscalls { default allow; deny EPERM ptrace; }");
	struct policy *b = load("syntax 1; syscalls { default allow; deny EPERM ptrace where arg0 != 7; deny EPERM socket where domain in 3, 16; }");
	struct differences found;
	unsigned allowed = 0, denied = 0;
	assert_int_equal(differences_find(&found, a, b), 0);
	for (size_t i = 0; i < found.n; i++) {
		const struct difference *d = &found.list[i];
		assert_null(d->witness);
		struct policy_decision is = policy_decide_call(b, d->nr, d->args);
		assert_int_equal(policy_denies(&is.enforced), d->kind == DIFFERENCE_DENIED);
		allowed += d->kind == DIFFERENCE_ALLOWED && d->nr == syscall_by_name("ptrace", 6)->nr && d->args[0] == 7;
		denied += d->kind == DIFFERENCE_DENIED && d->nr == syscall_by_name("socket", 6)->nr;
	}
	assert_int_equal(found.n, 2);
	assert_int_equal(allowed, 1);
	assert_int_equal(denied, 1);
	differences_free(&found);
	policy_free(a);
	policy_free(b);
}

static void addresses(void **state)
{
	(void)state;
	CHECK("network { default deny; allow connect tcp 10.0.0.0/8:80-90; allow connect tcp example.org:443; }",
	      "network { default deny; allow connect tcp 10.0.0.0/9:80-90; allow bind tcp [::1]:8080; }",
	      { DIFFERENCE_DENIED, false, OP_BIT(OP_CONNECT), "10.128.0.0:80" },
	      { DIFFERENCE_DENIED, false, OP_BIT(OP_CONNECT), "example.org:443" },
	      { DIFFERENCE_ALLOWED, false, OP_BIT(OP_BIND), "[::1]:8080" });
	CHECK("network { default deny; allow connect udp *:53; allow connect unix @a*; }",
	      "network { default deny; allow connect udp *:50-53; allow connect unix @b; allow connect unix @a*; }",
	      { DIFFERENCE_ALLOWED, false, OP_BIT(OP_CONNECT) | OP_BIT(OP_SENDTO), "0.0.0.0:50" },
	      { DIFFERENCE_ALLOWED, false, OP_BIT(OP_CONNECT), "@b" });
	check("syntax 1; network { default deny; allow connect tcp 10.0.0.0/8:80; }",
	      "syntax 1; network { default deny; allow connect tcp 10.0.0.0/9:80, 10.128.0.0/9:80; }", NULL, 0);
}

/* ---- nothing is missed, and nothing made up --------------------------------------------------- */

static const char *const globs[] = { "/a", "/a/", "/a/b", "/a/*", "/**/b", "**/*.k", "/a/{b,c}/", "/b?", "/a/**/c", "/[ab]/x.k" };
static const char *const paths[] = { "/", "/a", "/b", "/bb", "/a/b", "/a/c", "/a/b/c", "/a/x.k", "/b/x.k", "/c", "/a/c/b", "/a/b/c/d",
				     "/q/b", "/x.k", "/a/b/b", "/a/b/x.k" };

static void random_policy(char *text, size_t size, unsigned *seed)
{
	static const char *const actions[] = { "allow", "deny EACCES", "deny ENOENT", "forbid" };
	static const char *const stages[] = { "", "", " stage log" };
	size_t len = (size_t)snprintf(text, size, "syntax 1; files { default %s;", rand_r(seed) % 2 ? "allow" : "deny");
	for (int i = rand_r(seed) % 6; i >= 0; i--) {
		int action = rand_r(seed) % 4;
		len += (size_t)snprintf(text + len, size - len, " %s %s %s%s;", actions[action], rand_r(seed) % 2 ? "read" : "ro",
					globs[(size_t)rand_r(seed) % ARRAY_SIZE(globs)], action == 3 ? "" : stages[rand_r(seed) % 3]);
	}
	snprintf(text + len, size - len, " }");
}

static void random_policies(void **state)
{
	(void)state;
	unsigned seed = 20261122;
	for (int round = 0; round < 400; round++) {
		char text[2][1024];
		random_policy(text[0], sizeof(text[0]), &seed);
		random_policy(text[1], sizeof(text[1]), &seed);
		struct policy *a = load(text[0]), *b = load(text[1]);
		struct differences found;
		assert_int_equal(differences_find(&found, a, b), 0);
		for (size_t i = 0; i < found.n; i++) {
			const struct difference *d = &found.list[i];
			bool staged;
			struct policy_decision was = policy_decide_path(a, OP_BIT(__builtin_ctz(d->ops)), d->witness, strlen(d->witness));
			struct policy_decision is = policy_decide_path(b, OP_BIT(__builtin_ctz(d->ops)), d->witness, strlen(d->witness));
			assert_int_equal(difference_of(&was, &is, &staged), d->kind);
			assert_int_equal(staged, d->staged);
		}
		for (size_t p = 0; p < ARRAY_SIZE(paths); p++) {
			bool staged, there = false;
			struct policy_decision was = policy_decide_path(a, OP_BIT(OP_READ), paths[p], strlen(paths[p]));
			struct policy_decision is = policy_decide_path(b, OP_BIT(OP_READ), paths[p], strlen(paths[p]));
			enum difference_kind kind = difference_of(&was, &is, &staged);
			for (size_t i = 0; i < found.n; i++)
				there |= found.list[i].kind == kind && found.list[i].staged == staged && found.list[i].ops & OP_BIT(OP_READ);
			if (kind != DIFFERENCE_NONE && !there)
				print_error("%s\n%s\n%s\n", text[0], text[1], paths[p]);
			assert_true(kind == DIFFERENCE_NONE || there);
		}
		differences_free(&found);
		policy_free(a);
		policy_free(b);
	}
}

static const uint32_t mounting = OP_BIT(OP_MOUNT);

/* At what the rules spell. */
static void mounts(void **state)
{
	(void)state;
	CHECK("mounts { default deny; allow mount tmpfs on /a options size<=1M; }", "mounts { default deny; allow mount tmpfs on /a options size<=2M; }",
	      { DIFFERENCE_ALLOWED, false, mounting, "tmpfs on /a options size=1048577" });
	CHECK("mounts { default deny; allow mount tmpfs on /a options mode=755; }", "mounts { default deny; allow mount tmpfs on /a options mode; }",
	      { DIFFERENCE_ALLOWED, false, mounting, "tmpfs on /a options mode=\x01" });
	CHECK("mounts { default deny; allow mount tmpfs on /a flags nosuid; }", "mounts { default deny; allow mount tmpfs on /a flags nosuid,ro; }",
	      { DIFFERENCE_DENIED, false, mounting, "tmpfs on /a flags nosuid" });
	CHECK("mounts { default deny; allow mount bind from /s/{a,b} on /t; }", "mounts { default deny; allow mount bind from /s/{a,b,c} on /t; }",
	      { DIFFERENCE_ALLOWED, false, mounting, "bind from /s/c on /t" });
	CHECK("mounts { default deny; allow mount any on /t/*; }", "mounts { default deny; allow mount any on /t/*; deny mount ramfs on /t/[!b-z]; }",
	      { DIFFERENCE_DENIED, false, mounting, "ramfs on /t/\x01" });
	CHECK("mounts { default deny; allow mount overlay on /o options lowerdir under /l; }", "mounts { default deny; allow mount overlay on /o options lowerdir under /l/x; }",
	      { DIFFERENCE_DENIED, false, mounting, "overlay on /o options lowerdir=/l" });
	CHECK("mounts { default deny; allow mount tmpfs on /a force nosuid; }", "mounts { default deny; allow mount tmpfs on /a; }",
	      { DIFFERENCE_OTHER, false, mounting, "tmpfs on /a" });
	CHECK("mounts { default deny; }", "mounts { default allow; }", { DIFFERENCE_ALLOWED, false, mounting, "tmpfs on /x" },
	      { DIFFERENCE_ALLOWED, false, OP_BIT(OP_UMOUNT), "/" });
	CHECK("mounts { default deny; allow umount /a/; }", "mounts { default deny; allow umount /a/; deny umount /a/**/b; }",
	      { DIFFERENCE_DENIED, false, OP_BIT(OP_UMOUNT), "/a/b" });
	CHECK("mounts { default deny; allow mount tmpfs on /a stage log; }", "mounts { default deny; allow mount tmpfs on /a; }",
	      { DIFFERENCE_ALLOWED, false, mounting, "tmpfs on /a" });
}

/* Options that two rules allow are not allowed together, but by a third. */
static void mounts_with_several_options(void **state)
{
	(void)state;
	CHECK("mounts { default deny; allow mount tmpfs on /a options uid; allow mount tmpfs on /a options gid; }",
	      "mounts { default deny; allow mount tmpfs on /a options uid, gid; }",
	      { DIFFERENCE_ALLOWED, false, mounting, "tmpfs on /a options uid,gid" });
}

static void rules_about_mounts_that_are_the_same(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"syntax 1; mounts { default deny; allow mount tmpfs on /a; }", "syntax 1; allow mount tmpfs on /a; mounts { default deny; }",
		"syntax 1; mounts { default deny; allow mount tmpfs on /{a,a}; }", "syntax 1; mounts { default deny ENOENT; allow mount tmpfs on /a; }",
	};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct policy *a = load(texts[0]), *b = load(texts[i]);
		struct differences found;
		assert_int_equal(differences_find(&found, a, b), 0);
		assert_int_equal(found.mounts, i > 1);
		assert_int_equal(found.n, i > 2 ? 2 : 0);
		differences_free(&found);
		policy_free(a);
		policy_free(b);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_however_written), cmocka_unit_test(one_more_and_one_less), cmocka_unit_test(stages_and_errnos),
		cmocka_unit_test(own_files_do_not_count), cmocka_unit_test(calls_with_their_arguments), cmocka_unit_test(addresses), cmocka_unit_test(random_policies),
		cmocka_unit_test(mounts), cmocka_unit_test(mounts_with_several_options), cmocka_unit_test(rules_about_mounts_that_are_the_same),
	};
	return cmocka_run_group_tests_name("difference", tests, NULL, NULL);
}
