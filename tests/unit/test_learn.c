/* From accesses to rules: shapes of names, siblings, runs, what is protected, and moves that must not gain. */
#include <errno.h>
#include <unistd.h>

#include "evidence/learn.h"
#include "evidence/shape.h"
#include "lang_env.h"

static void shape_is(const char *name, enum shape_kind kind, const char *expected)
{
	struct text text = { 0 };
	bool any = shape_add(&text, name, strlen(name), kind);
	if (strcmp(text.s, expected) != 0)
		print_error("%s: %s, not %s\n", name, text.s, expected);
	assert_string_equal(text.s, expected);
	assert_int_equal(any, strcmp(name, expected) != 0);
	free(text_take(&text));
}

static void volatile_names(void **state)
{
	(void)state;
	shape_is("index.html", SHAPE_STRONG, "index.html");
	shape_is("libssl.so.1.1", SHAPE_STRONG, "libssl.so.1.1");
	shape_is("python3.11", SHAPE_MADE, "python3.11");
	shape_is("temp-12345.rdb", SHAPE_STRONG, "temp-[0-9]*.rdb");
	shape_is("16384_fsm", SHAPE_STRONG, "[0-9]*_fsm");
	shape_is("log-2026-11-22.txt", SHAPE_STRONG, "log-[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].txt");
	shape_is("750edc07d6415dcc07ae0351e9397b0222b7ba", SHAPE_STRONG, "[0-9a-f]*");
	shape_is("pack-d40ea24d57fb2518c7e9557263e6b7fa4dcb6eb9.idx", SHAPE_STRONG, "pack-[0-9a-f]*.idx");
	shape_is("123e4567-e89b-12d3-a456-426614174000", SHAPE_STRONG, "[0-9a-fA-F]*-*-*-*-*");
	shape_is("x86_64-linux-gnu", SHAPE_STRONG, "x86_64-linux-gnu");
	shape_is("tmpab_cdefg", SHAPE_STRONG, "tmpab_cdefg");
	shape_is("tmpab_cdefg", SHAPE_MADE, "tmp*");
	shape_is("f12", SHAPE_STRONG, "f12");
	shape_is("f12", SHAPE_WEAK, "f[0-9]*");
}

static void words_are_read_back(void **state)
{
	(void)state;
	static const char *const names[] = { "/a b", "/*", "/x;y", "/#", "/a,b{c}", "/q\"$v\\", "/\xff\n", "/[0]?" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct text text = { 0 }, glob = { 0 };
		text_puts(&text, "files { default deny; allow read ");
		shape_literal(&glob, names[i], strlen(names[i]));
		shape_word(&text, glob.s);
		text_puts(&text, "; }");
		struct policy *policy = lang_good(text.s);
		struct policy_verdict verdict = policy_decide_path(policy, OP_BIT(OP_READ), names[i], strlen(names[i])).enforced;
		if (!policy_allows(&verdict))
			print_error("%s\n", text.s);
		assert_true(policy_allows(&verdict));
		assert_int_equal(policy->rules[0].n_patterns, 1);
		policy_free(policy);
		free(text_take(&text));
		free(text_take(&glob));
	}
}

struct seen { const char *path; uint32_t ops; int error; int run; const char *to; uint32_t to_ops; };
#define READ   OP_BIT(OP_READ)
#define CREATE OP_BIT(OP_CREATE)
#define WRITES (OP_BIT(OP_WRITE) | CREATE)

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){ text, text ? strlen(text) : 0 };
}

/* The rules for SEEN, which ends without a path, beside what BASE says already. */
static char *rules_for(const struct seen *seen, enum tree_mood mood, const char *base, size_t *refused)
{
	struct learn learn = { 0 };
	struct text text = { 0 };
	for (; seen->path; seen++) {
		struct access access = { .object = bytes_of(seen->path), .to = bytes_of(seen->to), .ops = seen->ops, .to_ops = seen->to_ops,
					 .proto = -1, .error = seen->error, .run = seen->run ? seen->run : 1, .count = 1 };
		assert_int_equal(learn_take(&learn, &access), 0);
	}
	learn_next_source(&learn);
	struct policy *policy = lang_good(base);
	learn_settle(&learn, policy);
	policy_free(policy);
	for (int i = 0; i < 5; i++) {
		free(text_take(&text));
		text = (struct text){ 0 };
		text_addf(&text, "%s files { ", base);
		learn_rules(&learn, mood, false, "", &text);
		text_puts(&text, "}");
		policy = lang_good(text.s);
		if (!learn_mend(&learn, policy))
			break;
		policy_free(policy);
	}
	learn_verify(&learn, policy);
	policy_free(policy);
	if (refused)
		*refused = learn.n_refused;
	learn_free(&learn);
	return text_take(&text);
}

#define BASE "files { default deny ENOENT; }"

/* Each of EXPECTED is a rule, and there are N in all. */
static void expect_rules(const struct seen *seen, enum tree_mood mood, const char *const *expected, size_t n)
{
	char *text = rules_for(seen, mood, BASE, NULL);
	size_t rules = 0;
	for (const char *at = text; (at = strstr(at, "allow ")); at++)
		rules++;
	bool good = rules == n;
	for (size_t i = 0; i < n; i++) {
		/* The columns are nobody's business. */
		char *copy = strdup(text), *to = copy;
		for (const char *at = text; *at; at++)
			if (*at != ' ' || at[1] != ' ')
				*to++ = *at;
		*to = '\0';
		good &= strstr(copy, expected[i]) != NULL;
		if (!strstr(copy, expected[i]))
			print_error("missing: %s\n", expected[i]);
		free(copy);
	}
	if (!good)
		print_error("%s\n", text);
	assert_true(good);
	free(text);
}
#define EXPECT(seen, mood, ...) \
	expect_rules(seen, mood, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void siblings_become_their_directory(void **state)
{
	(void)state;
	static const struct seen four[] = { { .path = "/srv/w/a", .ops = READ }, { .path = "/srv/w/b", .ops = READ }, { .path = "/srv/w/c", .ops = READ }, { .path = "/srv/w/d", .ops = READ }, { .path = NULL } };
	EXPECT(four, TREE_BALANCED, "allow ro /srv/w/; # 4 files, 4 shapes, 4 calls; e.g. /srv/w/a");
	EXPECT(four, TREE_TIGHT, "allow read /srv/w/a;", "allow read /srv/w/b;", "allow read /srv/w/c;", "allow read /srv/w/d;");
	EXPECT(four + 1, TREE_BALANCED, "allow read /srv/w/b;", "allow read /srv/w/c;", "allow read /srv/w/d;");
	EXPECT(four + 2, TREE_LOOSE, "allow ro /srv/w/;");
	/* Reading four says nothing of writing a fifth. */
	static const struct seen written[] = { { .path = "/srv/w/a", .ops = READ }, { .path = "/srv/w/b", .ops = READ }, { .path = "/srv/w/c", .ops = READ }, { .path = "/srv/w/d", .ops = READ },
					       { .path = "/srv/w/e", .ops = WRITES }, { .path = NULL } };
	EXPECT(written, TREE_BALANCED, "allow ro /srv/w/;", "allow write,create /srv/w/e;");
}

static void what_is_never_meant_as_a_whole(void **state)
{
	(void)state;
	static const struct seen etc[] = { { .path = "/etc/a", .ops = READ }, { .path = "/etc/b", .ops = READ }, { .path = "/etc/c", .ops = READ }, { .path = "/etc/d", .ops = READ }, { .path = "/etc/e", .ops = READ }, { .path = NULL } };
	EXPECT(etc, TREE_LOOSE, "allow read /etc/a;", "allow read /etc/b;", "allow read /etc/c;", "allow read /etc/d;", "allow read /etc/e;");
	static const struct seen keys[] = { { .path = "/home/u/.ssh/a", .ops = READ }, { .path = "/home/u/.ssh/b", .ops = READ }, { .path = "/home/u/.ssh/c", .ops = READ },
					    { .path = "/home/u/.ssh/d", .ops = READ }, { .path = NULL } };
	EXPECT(keys, TREE_BALANCED, "/home/u/.ssh/a;", "/home/u/.ssh/b;", "/home/u/.ssh/c;", "/home/u/.ssh/d;");
	static const struct seen proc[] = { { .path = "/proc/17/stat", .ops = READ }, { .path = "/proc/18/stat", .ops = READ }, { .path = "/proc/4/stat", .ops = READ }, { .path = "/proc/5/stat", .ops = READ }, { .path = NULL } };
	EXPECT(proc, TREE_BALANCED, "allow read /proc/[0-9]*/stat;");
	static const struct seen homes[] = { { .path = "/home/a/x", .ops = READ }, { .path = "/home/b/x", .ops = READ }, { .path = "/home/c/x", .ops = READ }, { .path = "/home/d/x", .ops = READ }, { .path = NULL } };
	EXPECT(homes, TREE_BALANCED, "/home/a/x;", "/home/b/x;", "/home/c/x;", "/home/d/x;");
}

static void runs_that_differ(void **state)
{
	(void)state;
	static const struct seen runs[] = { { .path = "/srv/job/in-red.txt", .ops = READ, .error = 0, .run = 1 }, { .path = "/srv/job/in-blue.txt", .ops = READ, .error = 0, .run = 2 }, { .path = "/srv/conf", .ops = READ, .error = 0, .run = 1 },
					    { .path = "/srv/conf", .ops = READ, .error = 0, .run = 2 }, { .path = NULL } };
	EXPECT(runs, TREE_TIGHT, "allow read /srv/job/in-*.txt; # 2 files, 2 shapes, 2 calls, 2 runs; e.g.", "allow read /srv/conf; # 1 file, 2 calls, 2 runs");
	static const struct seen one[] = { { .path = "/srv/job/in-red.txt", .ops = READ, .error = 0, .run = 1 }, { .path = "/srv/job/in-blue.txt", .ops = READ, .error = 0, .run = 1 }, { .path = NULL } };
	EXPECT(one, TREE_TIGHT, "/srv/job/in-red.txt;", "/srv/job/in-blue.txt;");
}

static void what_is_not_there_needs_no_rule(void **state)
{
	(void)state;
	static const struct seen probes[] = { { .path = "/opt/x/none", .ops = READ, .error = ENOENT }, { .path = "/opt/x/there", .ops = READ }, { .path = NULL } };
	EXPECT(probes, TREE_TIGHT, "allow read /opt/x/there;");
	/* But where the program writes, it may be there next time. */
	static const struct seen own[] = { { .path = "/srv/d/dump", .ops = READ, .error = ENOENT }, { .path = "/srv/d/new", .ops = WRITES }, { .path = NULL } };
	EXPECT(own, TREE_TIGHT, "allow read /srv/d/dump;", "allow write,create /srv/d/new;");
	static const struct seen there[] = { { .path = "/srv/d/lock", .ops = WRITES, .error = EEXIST }, { .path = NULL } };
	EXPECT(there, TREE_TIGHT, "allow write,create /srv/d/lock;");
}

static void own_directories(void **state)
{
	(void)state;
	static const struct seen made[] = { { .path = "/srv/d/sub", .ops = CREATE }, { .path = "/srv/d/sub/x", .ops = WRITES }, { .path = "/srv/d/sub/x", .ops = OP_BIT(OP_DELETE) }, { .path = NULL } };
	EXPECT(made, TREE_BALANCED, "allow rw /srv/d/sub/;");
}

/* What may be done to the new name must be allowed to the old one. */
static void moves_gain_nothing(void **state)
{
	(void)state;
	size_t refused = 1;
	static const struct seen moves[] = { { .path = "/srv/d/f.new", .ops = WRITES }, { .path = "/srv/d/f.new", .ops = OP_BIT(OP_RENAME), .error = 0, .run = 1, .to = "/srv/d/f", .to_ops = CREATE },
					     { .path = "/srv/d/f", .ops = READ }, { .path = NULL } };
	char *text = rules_for(moves, TREE_TIGHT, BASE, &refused);
	assert_int_equal(refused, 0);
	assert_non_null(strstr(text, "allow read,write,create,rename /srv/d/f.new;"));
	free(text);
}

static void what_a_rule_denies_is_not_proposed(void **state)
{
	(void)state;
	size_t refused = 0;
	static const struct seen seen[] = { { .path = "/srv/a", .ops = READ }, { .path = "/srv/key", .ops = READ }, { .path = "/srv/known", .ops = READ }, { .path = NULL } };
	char *text = rules_for(seen, TREE_TIGHT, "files { default deny ENOENT; deny read **/key; allow read /srv/known; }", &refused);
	assert_int_equal(refused, 1);
	assert_non_null(strstr(text, "/srv/a;"));
	assert_null(strstr(text, "/srv/key;"));
	assert_null(strstr(strstr(text, "} files {"), "/srv/known"));
	free(text);
}

/* Footprints may come from anywhere. */
static void what_is_read_is_not_trusted(void **state)
{
	static const char *const names[] = { "reboot;\n}\nfiles { allow all /; }\nsyscalls { allow swapon", "swapon" };
	static const struct { const char *object; int proto; uint32_t ops; const char *to; } impossible[] = {
		{ "/srv/a", -1, OP_BIT(OP_RENAME), "b" }, { "srv", -1, READ, NULL }, { "/srv//a", -1, READ, NULL }, { "/srv/../a", -1, READ, NULL },
		{ "/srv/", -1, READ, NULL }, { "/srv/.", -1, READ, NULL }, { "/srv", -1, OP_BIT(OP_MOUNT), NULL }, { "", -1, READ, NULL },
		{ "10.0.0.1:99999", PROTO_TCP, OP_BIT(OP_CONNECT), NULL }, { "*:80; } files { allow all /", PROTO_TCP, OP_BIT(OP_CONNECT), NULL },
		{ "10.0.0.1:80", PROTO_TCP, READ, NULL }, { "10.0.0.1:80", PROTO_TCP, OP_BIT(OP_SENDTO), NULL }, { "@", PROTO_UNIX, OP_BIT(OP_BIND), NULL },
	};
	struct learn learn = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct access access = { .object = bytes_of(names[i]), .proto = -1, .run = 1, .count = 1 };
		assert_int_equal(learn_take(&learn, &access), 0);
	}
	assert_int_equal(learn.calls.n, 1);
	assert_string_equal(learn.calls.v[0], "swapon");
	learn_free(&learn);
	learn = (struct learn){ 0 };
	for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
		struct access access = { .object = bytes_of(impossible[i].object), .proto = impossible[i].proto, .ops = impossible[i].ops,
					 .to = bytes_of(impossible[i].to), .to_ops = CREATE, .run = 1, .count = 1 };
		assert_int_equal(learn_take(&learn, &access), 0);
		assert_int_equal(learn.impossible, i + 1);
	}
	assert_int_equal(learn.accesses, 0);
	learn_free(&learn);
}

/* Nor are mounts, whatever they say; file systems on images least of all. */
static void mounts_are_not_trusted(void **state)
{
	static const struct { const char *how; size_t len; size_t possible, proposed; } mounts[] = {
		{ "tmpfs\0\0\0", 8, 1, 1 }, { "tmpfs\0\0size=1k,mode=7\0", 22, 1, 1 }, { "tmpfs\0ro;\0\0", 11, 0, 0 }, { "tmpfs\0\0", 7, 0, 0 },
		{ "\0\0\0", 3, 0, 0 }, { "tmpfs\0\0\0x", 9, 0, 0 }, { "tmpfs\0\0a=1;}allow all /;\0", 25, 1, 0 }, { "tmpfs\0\0a;=1\0", 12, 1, 0 },
		{ "any\0\0\0", 6, 1, 0 }, { "ext4\0\0\0", 7, 1, 0 }, { "tmpfs on /;}allow all /;#\0\0\0", 28, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		struct learn learn = { 0 };
		struct text text = { 0 };
		struct policy *policy = lang_good("files { default deny; }");
		struct access access = { .object = bytes_of("/a b;"), .to = bytes_of(""), .via = { mounts[i].how, mounts[i].len }, .proto = -1, .ops = OP_BIT(OP_MOUNT),
					 .run = 1, .count = 1 };
		assert_int_equal(learn_take(&learn, &access), 0);
		assert_int_equal(learn.accesses, mounts[i].possible);
		learn_settle(&learn, policy);
		assert_int_equal(learn_mount_rules(&learn, TREE_TIGHT, "", &text), mounts[i].proposed);
		assert_int_equal(learn.n_refused, mounts[i].possible - mounts[i].proposed);
		if (mounts[i].proposed)
			assert_non_null(strstr(text.s, "allow mount tmpfs on \"/a b;\""));
		policy_free(policy);
		char *rules = text_take(&text);
		policy = lang_good(rules);
		free(rules);
		learn_verify(&learn, policy);
		assert_int_equal(learn.n_refused, mounts[i].possible - mounts[i].proposed);
		policy_free(policy);
		learn_free(&learn);
	}
}

/* One rule for a place: what all asked for, and the most of what any had. */
static void mounts_of_one_place(void **state)
{
	static const struct { const char *how; size_t len; } mounts[] = {
		{ "tmpfs\0nosuid,nodev\0size=1k\0", 27 }, { "tmpfs\0nosuid,ro\0size=3k,mode=7\0", 31 }, { "tmpfs\0nosuid\0size=2k,mode=5\0", 28 },
	};
	struct policy *policy = lang_good("files { default deny; }");
	struct learn learn = { 0 };
	struct text text = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		struct access access = { .object = bytes_of("/t/12345"), .to = bytes_of(""), .via = { mounts[i].how, mounts[i].len }, .proto = -1, .ops = OP_BIT(OP_MOUNT),
					 .run = 1, .count = 2 };
		assert_int_equal(learn_take(&learn, &access), 0);
	}
	learn_settle(&learn, policy);
	assert_int_equal(learn_mount_rules(&learn, TREE_BALANCED, "", &text), 1);
	assert_string_equal(text.s, "allow mount tmpfs on /t/[0-9]* flags nosuid options size<=3k, mode=7, mode=5;   # 6 calls\n");
	free(text_take(&text));
	policy_free(policy);
	learn_free(&learn);
}

/* Whatever bytes it has, a name is allowed by the rule for it. */
static void abstract_names(void **state)
{
	static const struct bytes names[] = { { "plain", 5 }, { "a\0b", 3 }, { "back\\x41slash", 12 }, { "sp ace\"q$*{,}", 13 }, { "\xff\xfe", 2 },
					      { "tab\tnl\n", 7 }, { "x/../y", 6 }, { "u\xc3\xa9", 3 }, { "\\n", 2 }, { "one\1two", 7 } };
	struct learn learn = { 0 };
	struct text text = { 0 };
	char shown[POLICY_PEER_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct policy_peer peer = { .proto = PROTO_UNIX, .name = names[i].s, .len = names[i].len };
		struct access access = { .object = bytes_of(policy_peer_text(&peer, shown)), .proto = PROTO_UNIX, .ops = OP_BIT(OP_CONNECT), .run = 1, .count = 1 };
		assert_int_equal(learn_take(&learn, &access), 0);
	}
	learn_next_source(&learn);
	struct policy *policy = lang_good("network { default deny; }");
	learn_settle(&learn, policy);
	policy_free(policy);
	assert_int_equal(learn.n_refused, 1);
	text_puts(&text, "network { default deny;\n");
	assert_int_equal(learn_peer_rules(&learn, TREE_TIGHT, "", &text), sizeof(names) / sizeof(names[0]) - 1);
	text_puts(&text, "}");
	policy = lang_good(text.s);
	for (size_t i = 0; i + 1 < sizeof(names) / sizeof(names[0]); i++) {
		struct policy_peer peer = { .proto = PROTO_UNIX, .name = names[i].s, .len = names[i].len };
		struct policy_verdict verdict = policy_decide_peer(policy, OP_BIT(OP_CONNECT), &peer).enforced;
		assert_true(policy_allows(&verdict));
	}
	policy_free(policy);
	free(text_take(&text));
	learn_free(&learn);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(volatile_names), cmocka_unit_test(words_are_read_back), cmocka_unit_test(siblings_become_their_directory),
		cmocka_unit_test(what_is_never_meant_as_a_whole), cmocka_unit_test(runs_that_differ),
		cmocka_unit_test(what_is_not_there_needs_no_rule), cmocka_unit_test(own_directories), cmocka_unit_test(moves_gain_nothing),
		cmocka_unit_test(what_a_rule_denies_is_not_proposed), cmocka_unit_test(what_is_read_is_not_trusted), cmocka_unit_test(mounts_are_not_trusted), cmocka_unit_test(mounts_of_one_place), cmocka_unit_test(abstract_names),
	};
	return cmocka_run_group_tests_name("learn", tests, NULL, NULL);
}
