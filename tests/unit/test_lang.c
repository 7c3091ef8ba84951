/* What the front-end makes of good texts: each production of the grammar, what defaults and stages mean, includes, limits. */
#include <fcntl.h>
#include <sys/socket.h>

#include "lang_env.h"
#include "syscalls.h"

static const struct policy_rule *only(const struct policy *policy)
{
	assert_int_equal(policy->n_rules, 1);
	return &policy->rules[0];
}

/* ---- one rule, as why prints it -------------------------------------------------------------- */

static void test_rules(void **state)
{
	(void)state;
	static const struct { const char *text, *printed; } rows[] = {
		{"allow read /a;", "allow read /a"},
		{"allow ro /srv/ beneath;", "allow ro /srv/ beneath"},
		{"deny ENOENT read,write /a, /b;", "deny ENOENT read,write /a, /b"},
		{"allow rx,list /a;", "allow rx /a"},
		{"allow stat,list,read,chmod,chown,utime,xattr /a;", "allow ro,attr /a"},
		{"forbid exec /tmp/ stage kill audit alert note \"x\";", "forbid exec /tmp/ stage kill"},
		{"deny all **;", "deny all **"},
		{"allow read **/x;", "allow read **/x"},
		{"set $r = /a, /b; allow read $r/{x,y};", "allow read /a/{x,y}, /b/{x,y}"},
		{"set $r = /a; set $s = ${r}b; allow read $s;", "allow read /ab"},
		{"allow read \"/with space\", '/raw$x';", "allow read /with space, /raw$x"},
		{"allow read /a\\ b;", "allow read /a b"},
		{"allow read /a$$b;", "allow read /a$b"},
		{"redirect read /a to /b;", "redirect read /a to /b"},
		{"answer read /a with content \"x\\n\";", "answer read /a with content \"x\\x0a\""},
		{"answer read /a with file /b;", "answer read /a with file /b"},
		{"answer read /a with errno EPERM;", "answer read /a with errno EPERM"},
		{"answer mknod /a with device 1:3;", "answer mknod /a with device 1:3"},
		{"allow exec /bin/x -> dom; domain dom { }", "allow exec /bin/x -> dom"},
		{"allow connect tcp 10.0.0.0/8:80-90;", "allow connect tcp 10.0.0.0/8:80-90"},
		{"deny connect tcp *:25;", "deny connect tcp *:25"},
		{"allow bind tcp [::1]:5432;", "allow bind tcp [::1]:5432"},
		{"allow connect,sendto udp @loopback;", "allow connect,sendto udp @loopback"},
		{"allow connect unix /run/x, @abs-*;", "allow connect unix /run/x, @abs-*"},
		{"allow connect icmp *;", "allow connect icmp *"},
		{"set $a = 10.0.0.0/8:1-2, [fd00::1]:443, *:80, *:*, a.example:5, 1.2.3.4, [::/0]; allow connect tcp $a;",
		 "allow connect tcp 10.0.0.0/8:1-2, [fd00::1]:443, *:80, *:*, a.example:5, 1.2.3.4, [::/0]"},
		{"set $a = /run/x, @y*; allow connect unix $a;", "allow connect unix /run/x, @y*"},
		{"set $a = NETLINK_ROUTE; allow connect netlink $a;", "allow connect netlink NETLINK_ROUTE"},
		{"allow bind netlink NETLINK_ROUTE;", "allow bind netlink NETLINK_ROUTE"},
		{"redirect connect tcp *:80 to 127.0.0.1:3128;", "redirect connect tcp *:80 to 127.0.0.1:3128"},
		{"allow mount tmpfs on /a force nosuid,nodev options size<=256M, mode, x=1;",
		 "allow mount tmpfs on /a force nosuid nodev options size<=256M mode x=1"},
		{"allow mount bind from /b/ on /a flags ro;", "allow mount bind from /b/ on /a flags ro"},
		{"allow mount overlay on /a options lowerdir under /l/;", "allow mount overlay on /a options lowerdir under /l/"},
		{"allow umount /a/**;", "allow umount /a/**"},
		{"allow pivot_root /a, /b;", "allow pivot_root /a, /b"},
		{"syscalls { deny EPERM openat,\n  close stage trap; }", "deny EPERM openat, close stage trap"},
		{"syscalls { allow socket where domain in AF_UNIX, AF_INET and type & 0xf == 1; }",
		 "allow socket where domain in AF_UNIX, AF_INET and type & 0xf == 1"},
		{"syscalls { answer getuid with return 0; }", "answer getuid with return 0"},
		{"allow read /a expires 2030-01-31 id some.name;", "allow read /a"},
		{"allow read /a; # a comment\n", "allow read /a"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *policy = lang_good(rows[i].text);
		if (strcmp(only(policy)->text, rows[i].printed) != 0)
			fail_msg("%s\nwanted: %s\n   got: %s", rows[i].text, rows[i].printed, policy->rules[0].text);
		policy_free(policy);
	}
}

static void test_fields(void **state)
{
	(void)state;
	struct policy *policy = lang_good("\ndeny ENOENT read /a, /b/ stage trap audit alert id x note \"why\" expires 2030-01-31;");
	const struct policy_rule *rule = only(policy);
	assert_int_equal(rule->pos.line, 2);
	assert_int_equal(rule->pos.col, 1);
	assert_int_equal(rule->action, ACTION_DENY);
	assert_int_equal(rule->err, ENOENT);
	assert_int_equal(rule->ops, OP_BIT(OP_READ));
	assert_int_equal(rule->n_patterns, 2);
	assert_string_equal(rule->patterns[1].glob, "/b/");
	assert_int_equal(rule->patterns[1].pos.col, 22);
	assert_int_equal(rule->stage, STAGE_TRAP);
	assert_true(rule->staged);
	assert_int_equal(rule->audit, AUDIT_ALERT);
	assert_string_equal(rule->id, "x");
	assert_string_equal(rule->note, "why");
	assert_string_equal(rule->expires, "2030-01-31");
	char buf[32];
	assert_string_equal(policy_where(policy, rule->pos, buf, sizeof(buf)), "t.policy:2");
	assert_string_equal(policy_where(policy, (struct policy_pos){.file = POLICY_BUILTIN}, buf, sizeof(buf)), "built-in");
	policy_free(policy);
}

static void test_addresses(void **state)
{
	(void)state;
	struct policy *policy = lang_good("group @g = 10.0.0.0/8:5, @private; group @h = @g, example.org;"
					  "allow connect tcp @h, [fd00::/8]:1-2, *:7, 1.2.3.4;");
	const struct policy_rule *rule = only(policy);
	assert_int_equal(rule->n_addrs, 6);
	assert_int_equal(rule->addrs[0].kind, ADDR_CIDR);
	assert_int_equal(rule->addrs[0].prefix, 104);
	assert_int_equal(rule->addrs[0].ip[11], 0xff);
	assert_int_equal(rule->addrs[0].ip[12], 10);
	assert_int_equal(rule->addrs[0].port_lo, 5);
	assert_int_equal(rule->addrs[0].port_hi, 5);
	assert_int_equal(rule->addrs[1].kind, ADDR_GROUP);
	assert_string_equal(rule->addrs[1].text, "@private");
	assert_int_equal(rule->addrs[2].kind, ADDR_HOST);
	assert_string_equal(rule->addrs[2].text, "example.org");
	assert_int_equal(rule->addrs[3].prefix, 8);
	assert_int_equal(rule->addrs[3].ip[0], 0xfd);
	assert_int_equal(rule->addrs[3].port_hi, 2);
	assert_int_equal(rule->addrs[4].kind, ADDR_ANY);
	assert_int_equal(rule->addrs[4].port_lo, 7);
	assert_int_equal(rule->addrs[5].port_lo, 0);
	assert_int_equal(rule->addrs[5].port_hi, 65535);
	policy_free(policy);
}

/* ---- conditions ------------------------------------------------------------------------------ */

static bool cond_holds(const struct policy_cond *cond, uint64_t value)
{
	for (size_t i = 0; i < cond->n_any; i++)
		if ((value & cond->any[i].mask) == cond->any[i].value)
			return true;
	return false;
}

/* The masks against the comparison itself, on the numbers around every edge. */
static void test_conditions(void **state)
{
	(void)state;
	static const struct { const char *cond; uint64_t yes[4], no[4]; } rows[] = {
		{"fd == 5", {5, 5 | 1ull << 32}, {4, 6, 0}},
		{"fd != 5", {4, 6, 0, 0xffffffff}, {5, 5 | 7ull << 32}},
		{"fd < 6", {0, 5, 4, 5 | 1ull << 40}, {6, 7, 0xffffffff}},
		{"fd <= 6", {0, 6}, {7, 8, 0xffffffff}},
		{"fd > 6", {7, 8, 0xffffffff}, {6, 0, 5}},
		{"fd >= 6", {6, 7, 0xffffffff}, {5, 0}},
		{"fd >= 0", {0, 1, 0xffffffff}, {0}},
		{"fd & 6 == 2", {2, 3, 0xfa}, {6, 4, 0}},
		{"fd in 1, 2, 0x10", {1, 2, 16}, {0, 3, 17}},
		{"fd not in 0, 1, 5, 0xffffffff", {2, 4, 6, 0xfffffffe}, {0, 1, 5, 0xffffffff}},
		{"fd == -1", {0xffffffff, UINT64_MAX}, {0, 1}},
		{"fd<6", {0, 5}, {6}},
		{"count > 0xffffffff", {1ull << 32, UINT64_MAX}, {0xffffffff, 0}},
		{"count != 7", {0, 8, 7 | 1ull << 63}, {7}},
		{"arg2 == 1", {1}, {0, 1 | 1ull << 32}},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[200];
		(void)snprintf(text, sizeof(text), "syscalls { allow read where %s; }", rows[i].cond);
		struct policy *policy = lang_good(text);
		const struct policy_rule *rule = only(policy);
		assert_int_equal(rule->n_conds, 1);
		assert_string_equal(rule->conds[0].text, rows[i].cond);
		bool always = strcmp(rows[i].cond, "fd >= 0") == 0;
		for (size_t j = 0; j < 4; j++) {
			/* A zero behind the first is padding. */
			if ((!j || rows[i].yes[j]) && !cond_holds(&rule->conds[0], rows[i].yes[j]))
				fail_msg("%s: not true of %llx", rows[i].cond, (unsigned long long)rows[i].yes[j]);
			if (!always && (!j || rows[i].no[j]) && cond_holds(&rule->conds[0], rows[i].no[j]))
				fail_msg("%s: true of %llx", rows[i].cond, (unsigned long long)rows[i].no[j]);
		}
		policy_free(policy);
	}
}

/* Every range with edges in 0..40, on every number there. */
static void test_ranges(void **state)
{
	(void)state;
	static const char *const ops[] = {"<", "<=", ">", ">=", "!=", "=="};
	for (size_t o = 0; o < ARRAY_SIZE(ops); o++)
		for (unsigned edge = 1; edge < 40; edge++) {
			char text[100];
			(void)snprintf(text, sizeof(text), "syscalls { allow read where fd %s %u; }", ops[o], edge);
			struct policy *policy = lang_good(text);
			for (unsigned v = 0; v < 80; v++) {
				const bool is[] = {v < edge, v <= edge, v > edge, v >= edge, v != edge, v == edge};
				assert_int_equal(cond_holds(&only(policy)->conds[0], v), is[o]);
			}
			policy_free(policy);
		}
}

static int nr(const char *name)
{
	return syscall_by_name(name, strlen(name))->nr;
}

static void test_calls(void **state)
{
	(void)state;
	static struct lang_world world;
	const struct policy_env env = lang_env(&world);
	lang_bad(&env, "syscalls { allow read, swapon; }", "1:28: error: 'swapon' is not in this version");
	policy_free(lang_good("syscalls { deny swapon; allow @swap; }"));

	/* Names of other architectures are known, and name nothing here. */
	struct policy *foreign = lang_good("syscalls { allow read, mmap2; allow socketcall; }");
	assert_int_equal(only(foreign)->n_calls, 1);
	policy_free(foreign);
	lang_bad(&env, "syscalls { allow mmap; allow map2; }", "unknown system call 'map2'");
	struct policy *policy = lang_good("group @mine = openat, @other; group @other = close;"
					  "syscalls { deny EPERM @mine, read, openat; }");
	const struct policy_rule *rule = only(policy);
	assert_int_equal(rule->n_calls, 3);
	for (size_t i = 0; i < rule->n_calls; i++) {
		assert_true(!i || rule->calls[i - 1] < rule->calls[i]);
		assert_int_equal(rule->call_specific[i], rule->calls[i] != nr("close"));
	}
	policy_free(policy);

	/* mode is the second parameter of mknod's successor and the third of mknodat: one rule for each. */
	policy = lang_good("syscalls { deny EPERM fchmod, mknodat where mode & S_IFMT == S_IFBLK id one; }");
	assert_int_equal(policy->n_rules, 2);
	for (size_t i = 0; i < 2; i++) {
		rule = &policy->rules[i];
		assert_int_equal(rule->n_calls, 1);
		assert_int_equal(rule->conds[0].arg, rule->calls[0] == nr("fchmod") ? 1 : 2);
		assert_string_equal(rule->id, "one");
		assert_int_equal(rule->number, i);
	}
	policy_free(policy);
}

/* ---- meanings -------------------------------------------------------------------------------- */

static void test_defaults(void **state)
{
	(void)state;
	struct policy *policy = lang_good("files { } network { default allow; } syscalls { } allow umount /x;");
	assert_true(policy->defaults[SECTION_FILES].present);
	assert_false(policy->defaults[SECTION_FILES].written);
	assert_int_equal(policy->defaults[SECTION_FILES].action, ACTION_DENY);
	assert_int_equal(policy->defaults[SECTION_FILES].err, EACCES);
	assert_int_equal(policy->defaults[SECTION_NETWORK].action, ACTION_ALLOW);
	assert_int_equal(policy->defaults[SECTION_SYSCALLS].err, EPERM);
	assert_false(policy->defaults[SECTION_MOUNTS].present);
	assert_int_equal(policy->cover, OPS_FILES & ~OP_BIT(OP_STAT));
	policy_free(policy);

	/* An include never switches a default on; where the main file has the section, its default holds. */
	static struct lang_world world = {.files = {{"i.policy", "syntax 1; files { default deny ENOENT; } network { default deny; }"}}};
	const struct policy_env env = lang_env(&world);
	policy = lang_good_env(&env, "include \"i.policy\"; files { }");
	assert_int_equal(policy->defaults[SECTION_FILES].err, ENOENT);
	assert_false(policy->defaults[SECTION_NETWORK].present);
	policy_free(policy);
	lang_bad(&env, "include \"i.policy\"; files { default deny EPERM; }", "the files section has two different defaults");
}

static void test_errnos(void **state)
{
	(void)state;
	static const struct { const char *text; int err; } rows[] = {
		{"files { default deny ENOENT; deny read /a; }", ENOENT},
		{"files { default deny ENOENT; deny EPERM read /a; }", EPERM},
		{"files { default allow; deny read /a; }", EACCES},
		{"files { deny read /a; }", EACCES},
		{"deny read /a;", EACCES},
		{"forbid read /a;", EACCES},
		{"deny connect tcp *:1;", EACCES},
		{"network { default deny ENETUNREACH; deny connect tcp *:1; }", ENETUNREACH},
		{"syscalls { deny read; default allow; }", EPERM},
		{"syscalls { default deny ENOSYS; deny read; }", ENOSYS},
		{"mounts { deny umount /a; }", EPERM},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *policy = lang_good(rows[i].text);
		if (only(policy)->err != rows[i].err)
			fail_msg("%s: %s", rows[i].text, policy_errno_name(policy->rules[0].err));
		policy_free(policy);
	}
}

static void test_mode_log(void **state)
{
	(void)state;
	static struct lang_world world;
	struct policy_env env = lang_env(&world);
	const char *text = "files { default deny; deny read /a stage kill; forbid read /b; allow read /c; }";
	struct policy *enforced = lang_good_env(&env, text);
	env.mode_log = true;
	struct policy *logged = lang_good_env(&env, text);
	assert_int_equal(logged->defaults[SECTION_FILES].stage, STAGE_LOG);
	assert_int_equal(logged->rules[0].stage, STAGE_LOG);
	assert_int_equal(logged->rules[1].stage, STAGE_DENY);
	assert_int_equal(logged->rules[2].stage, STAGE_LOG);
	assert_string_equal(enforced->digest, logged->digest);
	policy_free(enforced);
	policy_free(logged);
}

static void test_links(void **state)
{
	(void)state;
	static struct lang_world world = {.links = {{"/bin", "/usr/bin"}, {"/srv/now", "/srv/v2"}, {"/usr/bin/sh", "/usr/bin/dash"},
						    {"/bin/sh", "/usr/bin/dash"}, {"/dev/fd", "/proc/77/fd"},
						    {"/odd", "/a*b"}, {"/proc/self", "/proc/77"}}};
	const struct policy_env env = lang_env(&world);
	static const struct { const char *text, *globs[3]; } rows[] = {
		{"/bin/{a,b}", {"/usr/bin/{a,b}"}},
		{"/bin/x*", {"/usr/bin/x*"}},
		{"/bin/", {"/usr/bin/", "/bin"}},
		{"/bin/sh", {"/usr/bin/dash", "/usr/bin/sh"}},
		{"/srv/now/", {"/srv/v2/", "/srv/now"}},
		{"/srv/now/*.html", {"/srv/v2/*.html"}},
		{"/srv/nowhere/", {"/srv/nowhere/"}},
		{"/dev/fd/*", {"/proc/self/fd/*"}},
		{"/proc/self/maps", {"/proc/self/maps"}},
		{"/odd/*", {"/a\\*b/*"}},
		{"**/bin/", {"**/bin/"}},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[100];
		(void)snprintf(text, sizeof(text), "allow read %s;", rows[i].text);
		struct policy *policy = lang_good_env(&env, text);
		const struct policy_rule *rule = only(policy);
		for (size_t j = 0; j < 3; j++) {
			const char *glob = j < rule->n_patterns ? rule->patterns[j].glob : NULL;
			const char *wanted = rows[i].globs[j];
			if (!glob != !wanted || (glob && strcmp(glob, wanted) != 0))
				fail_msg("%s: %s instead of %s", rows[i].text, glob ? glob : "nothing", wanted ? wanted : "nothing");
			if (glob)
				assert_string_equal(rule->patterns[j].spelled, rows[i].text);
		}
		policy_free(policy);
	}
}

static void test_when(void **state)
{
	(void)state;
	static struct lang_world world = {.holds = "kernel >= 5.19"};
	const struct policy_env env = lang_env(&world);
	static const struct { const char *when; size_t rules; } rows[] = {
		{"kernel >= 5.19", 1}, {"kernel>=5.19", 1}, {"kernel >= 6.0", 0}, {"kernel < 5.19", 0},
		{"not arch x86_64", 1}, {"arch x86_64, aarch64", 0}, {"cap CAP_CHOWN", 0}, {"not cap CAP_CHOWN and kernel >= 5.19", 1},
		{"user bob and kernel >= 5.19", 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[200];
		(void)snprintf(text, sizeof(text), "when %s { allow read /a; } files { when %s { allow ro /b; } }", rows[i].when,
			       rows[i].when);
		struct policy *policy = lang_good_env(&env, text);
		if (policy->n_rules != 2 * rows[i].rules)
			fail_msg("%s: %zu rules", rows[i].when, policy->n_rules);
		policy_free(policy);
	}
}

/* ---- digests --------------------------------------------------------------------------------- */

static void digest(const char *text, char out[65])
{
	struct policy *policy = lang_good(text);
	assert_int_equal(strlen(policy->digest), 64);
	strcpy(out, policy->digest);
	policy_free(policy);
}

static void test_digest(void **state)
{
	(void)state;
	static const struct { const char *a, *b; bool same; } rows[] = {
		{"allow read /a; deny read /b;", "deny read /b; allow read /a;", true},
		{"allow read /a, /b;", "allow read /b, /a;", true},
		{"allow read,write /a;", "allow write,read /a;", true},
		{"allow stat,list,read /a;", "allow ro /a;", true},
		{"set $x = /a; allow read $x;", "allow read /a; # comment\n", true},
		{"files { allow read /a; default deny; }", "files { default deny; } files { allow read /a; }", true},
		{"allow read /a;", "allow read /a; allow read /a;", true},
		{"allow read /a; test { expect allow read /a; }", "allow read /a;", true},
		{"limits { files 3; } audit { level all; }", "audit { level all; } limits { files 3; }", true},
		{"domain a { allow read /a; } domain b { }", "domain b { } domain a { allow read /a; }", true},
		{"syscalls { allow read, write where fd in 1, 2; }", "syscalls { allow write, read where fd in 2, 1; }", true},
		{"allow connect tcp 1.2.3.4:5, 1.2.3.5:6;", "allow connect tcp 1.2.3.5:6, 1.2.3.4:5;", true},
		{"allow read /a;", "allow read /b;", false},
		{"allow read /a;", "allow write /a;", false},
		{"allow read /a;", "deny read /a;", false},
		{"deny EPERM read /a;", "deny read /a;", false},
		{"deny read /a;", "deny read /a stage log;", false},
		{"deny read /a;", "deny read /a audit alert;", false},
		{"allow read /a;", "allow read /a beneath;", false},
		{"allow read /a;", "allow read /a id x;", false},
		{"files { default deny; }", "files { default deny ENOENT; }", false},
		{"files { default deny; }", "", false},
		{"files { cover all; }", "files { }", false},
		{"limits { files 3; }", "limits { files 4; }", false},
		{"domain a { allow read /a; }", "domain a { allow read /b; }", false},
		{"allow mount tmpfs on /a flags ro;", "allow mount tmpfs on /a flags nosuid;", false},
		{"allow connect tcp 1.2.3.4:5;", "allow connect tcp 1.2.3.4:6;", false},
		{"allow connect tcp 1.2.3.4:5;", "allow connect udp 1.2.3.4:5;", false},
		{"syscalls { allow read where fd == 1; }", "syscalls { allow read where fd == 2; }", false},
		{"redirect read /a to /b;", "redirect read /a to /c;", false},
		{"policy one;", "policy two;", false},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char a[65], b[65];
		digest(rows[i].a, a);
		digest(rows[i].b, b);
		if ((strcmp(a, b) == 0) != rows[i].same)
			fail_msg("%s  |  %s: digests %s", rows[i].a, rows[i].b, rows[i].same ? "differ" : "do not differ");
	}
}

/* Where a rule stands, in which file, does not count. */
static void test_digest_files(void **state)
{
	(void)state;
	static struct lang_world worlds[] = {
		{.files = {{"a.policy", "syntax 1; allow read /a; include \"b.policy\";"}, {"b.policy", "syntax 1; deny read /b;"}}},
		{.files = {{"a.policy", "syntax 1; deny read /b;"}, {"b.policy", "syntax 1; allow read /a;"}}},
	};
	char digests[2][65];
	for (size_t i = 0; i < 2; i++) {
		const struct policy_env env = lang_env(&worlds[i]);
		struct policy *policy = lang_good_env(&env, i ? "include \"b.policy\"; include \"a.policy\";" : "include \"a.policy\";");
		assert_int_equal(policy->n_rules, 2);
		strcpy(digests[i], policy->digest);
		policy_free(policy);
	}
	assert_string_equal(digests[0], digests[1]);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void test_includes(void **state)
{
	(void)state;
	static struct lang_world world = {.files = {
		{"/p/web.policy", "syntax 1; include \"base/x.policy\"; include \"far.policy\"; include? \"no.policy\"; files { allow read $v; }"},
		{"/p/base/x.policy", "syntax 1; allow read /x; include \"y.policy\"; set $v = /v;"},
		{"/p/base/y.policy", "syntax 1; allow read /y;"},
		{"/usr/share/usher/far.policy", "syntax 1; policy other; allow read /far; include \"/p/base/y.policy\";"},
		{"/p/web.policy.d/10.policy", "syntax 1; deny read $v; limits { files 7; }"},
		{"/p/web.policy.d/20.policy", "syntax 1; files { allow read /twenty; }"},
	}};
	const struct policy_env env = lang_env(&world);
	struct policy *policy = NULL;
	struct policy_diags diags = {0};
	int err = policy_load(&policy, &env, "/p/web.policy", &diags);
	policy_diags_print(&diags, policy, stderr, false);
	assert_int_equal(err, 0);
	assert_int_equal(policy->n_files, 6);
	assert_int_equal(policy->n_rules, 6);
	assert_string_equal(policy->name, "web");
	assert_string_equal(policy->files[0].name, "web.policy");
	assert_true(policy->files[0].main);
	for (size_t i = 1; i < policy->n_files; i++)
		assert_false(policy->files[i].main);
	assert_string_equal(policy_setting(policy, "limits", "files")->words[0], "7");
	assert_null(policy_setting(policy, "limits", "processes"));
	policy_free(policy);
	assert_int_equal(policy_load(&policy, &env, "/p/none.policy", &diags), -ENOENT);
	policy_free(policy);
	policy_diags_free(&diags);
}

static void test_circles(void **state)
{
	(void)state;
	static struct lang_world world = {.files = {
		{"a.policy", "syntax 1; include \"b.policy\";"}, {"b.policy", "syntax 1; include \"a.policy\";"},
		{"n1.policy", "syntax 1; include \"n2.policy\";"}, {"n2.policy", "syntax 1; include \"n3.policy\";"},
		{"n3.policy", "syntax 1; include \"n4.policy\";"}, {"n4.policy", "syntax 1; include \"n5.policy\";"},
		{"n5.policy", "syntax 1; include \"n6.policy\";"}, {"n6.policy", "syntax 1; include \"n7.policy\";"},
		{"n7.policy", "syntax 1; include \"n8.policy\";"}, {"n8.policy", "syntax 1; include \"n9.policy\";"},
		{"n9.policy", "syntax 1; include \"n10.policy\";"}, {"n10.policy", "syntax 1; include \"n11.policy\";"},
		{"n11.policy", "syntax 1;"},
	}};
	const struct policy_env env = lang_env(&world);
	lang_bad(&env, "include \"a.policy\";", "includes go round in a circle: a.policy -> b.policy -> a.policy");
	lang_bad(&env, "include \"n1.policy\";", "n10.policy:1:19: error: includes are nested more than 10 deep");
	lang_bad(&env, "include \"n2.policy\"; include \"n1.policy\";", "includes are nested more than 10 deep");
	struct policy *policy = lang_good_env(&env, "include \"n2.policy\";");
	assert_int_equal(policy->n_files, 11);
	policy_free(policy);
}

static void test_set(void **state)
{
	(void)state;
	static struct lang_world world;
	struct policy_env env = lang_env(&world);
	static const struct policy_var vars[] = {{"root", "/one,/two"}};
	env.vars = vars;
	env.n_vars = 1;
	struct policy *policy = lang_good_env(&env, "set $root = /srv; allow read $root/x;");
	assert_string_equal(only(policy)->text, "allow read /one/x, /two/x");
	policy_free(policy);
	static const struct policy_var bad[] = {{"ro-ot", "x"}};
	env.vars = bad;
	lang_bad(&env, "allow read /a;", "usher: error: --set ro-ot=x: this is no name of a variable");
}

static void test_settings(void **state)
{
	(void)state;
	static struct lang_world world = {.files = {{"i.policy", "syntax 1; limits { files 1; processes 2; }"}}};
	const struct policy_env env = lang_env(&world);
	struct policy *policy = lang_good_env(&env, "include \"i.policy\"; set $d = /var/log; limits { files 9; rate connect 50/s burst 100;"
		"rate bind 1/m; decision-time 250ms else deny EAGAIN; supervisor-exit kill; capabilities keep chown, kill; }"
		"audit { log $d/x.jsonl; rotate size=100M keep=10 compress; level deny; footprint every 60s; }"
		"rollout { gate would-deny 0 over 7d calls 1M starts 3 coverage 80%; steps log, deny, kill; }");
	assert_string_equal(policy_setting(policy, "limits", "files")->words[0], "9");
	assert_string_equal(policy_setting(policy, "limits", "processes")->words[0], "2");
	assert_string_equal(policy_setting(policy, "audit", "log")->words[0], "/var/log/x.jsonl");
	const struct policy_setting *keep = policy_setting(policy, "limits", "capabilities");
	assert_int_equal(keep->n_words, 3);
	assert_string_equal(keep->words[2], "kill");
	assert_int_equal(policy_setting(policy, "rollout", "steps")->n_words, 3);
	policy_free(policy);
}

static void test_domains(void **state)
{
	(void)state;
	struct policy *policy = lang_good("policy x \"A title\"; domain d { inherits main; files { default deny; allow read /a id i; } "
					  "limits { files 3; } test { expect allow read /a; } } allow exec /b -> d id i;");
	assert_true(policy->has_domains);
	assert_int_equal(policy->n_rules, 1);
	assert_int_equal(policy->n_settings, 0);
	assert_int_equal(policy->n_expects, 0);
	assert_false(policy->defaults[SECTION_FILES].present);
	assert_string_equal(policy->title, "A title");
	policy_free(policy);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static void test_bounds(void **state)
{
	(void)state;
	static struct lang_world world;
	const struct policy_env env = lang_env(&world);
	lang_bad(&env, "set $a = 1,2,3,4,5,6,7,8; set $b = $a$a$a$a; allow read /$b;",
		 "the variables in this word multiply to more than 1024 values");
	lang_bad(&env, "allow read /{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b};", "bad pattern");
	lang_bad(&env, "group @a = @a, @a; syscalls { allow @a; }", "contains itself");

	struct { const char *before, *each, *after; int n; const char *message; } rows[] = {
		{"allow read /", "x", ";", 5000, "this path is longer than 4095 bytes"},
		{"", "set $v%d = 1; ", "", 1001, "more than 1000 variables"},
		{"set $v0 = /a; ", "set $v%d = $v%d; ", "", 60, "variables are nested more than 50 deep"},
		{"syscalls { allow read where fd not in 0", ", %d", "; }", 900, "this condition is too complex for a filter"},
		{"", "when arch x86_64 { ", "", 10000, "'when' does not begin a rule"},
		{"", "domain d%d { ", "", 10000, "a domain cannot stand in a domain"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *to = open_memstream(&text, &len);
		fputs(rows[i].before, to);
		for (int j = 0; j < rows[i].n; j++) {
			if (strchr(rows[i].each, '%') == NULL)
				fputs(rows[i].each, to);
			else if (strstr(rows[i].each, "= $v"))
				fprintf(to, "set $v%d = $v%d; ", j + 1, j + 2 <= rows[i].n ? j + 2 : 0);
			else if (strstr(rows[i].each, "set"))
				fprintf(to, "set $v%d = 1; ", j);
			else if (strstr(rows[i].each, "domain"))
				fprintf(to, "domain d%d { ", j);
			else
				fprintf(to, ", %d", (j + 1) * 12345);
		}
		fputs(rows[i].after, to);
		fclose(to);
		lang_bad(&env, text, rows[i].message);
		free(text);
	}
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(policy_errno_name(2), "ENOENT");
	assert_string_equal(policy_errno_name(EOPNOTSUPP), "EOPNOTSUPP");
	assert_null(policy_errno_name(0));
	assert_null(policy_errno_name(4000));
	assert_int_equal(policy_errno_named("EWOULDBLOCK", 11), EAGAIN);
	assert_int_equal(policy_errno_named("ENOENTX", 7), -1);
	assert_int_equal(policy_op_named("read", 4), OP_READ);
	assert_int_equal(policy_op_named("ro", 2), -1);
	assert_int_equal(policy_ops_named("all", 3), OPS_FILES);
	assert_int_equal(policy_ops_named("rx", 2), OP_BIT(OP_STAT) | OP_BIT(OP_LIST) | OP_BIT(OP_READ) | OP_BIT(OP_EXEC));
	for (int op = 0; op < OP_COUNT; op++) {
		const char *name = policy_op_name((enum policy_op)op);
		assert_non_null(name);
		assert_int_equal(policy_op_named(name, strlen(name)), op);
	}
	assert_string_equal(policy_stage_name(STAGE_LOG), "log");
	assert_string_equal(policy_action_name(ACTION_FORBID), "forbid");
	assert_string_equal(policy_section_name(SECTION_MOUNTS), "mounts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules), cmocka_unit_test(test_fields), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_conditions), cmocka_unit_test(test_ranges), cmocka_unit_test(test_calls),
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_errnos), cmocka_unit_test(test_mode_log),
		cmocka_unit_test(test_links), cmocka_unit_test(test_when), cmocka_unit_test(test_digest),
		cmocka_unit_test(test_digest_files), cmocka_unit_test(test_includes), cmocka_unit_test(test_circles),
		cmocka_unit_test(test_set), cmocka_unit_test(test_settings), cmocka_unit_test(test_domains),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
