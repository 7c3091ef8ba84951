/* What a policy needs of each layer, what is refused, and limits { }. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <linux/landlock.h>

#include "lang_env.h"

#include "child_limits.h"
#include "cost.h"
#include "cred.h"
#include "evidence/access.h"
#include "fd.h"
#include "kernel.h"
#include "landlock.h"
#include "plan.h"
#include "view.h"

#define CAP(n) (UINT64_C(1) << (n))

static const struct kernel modern = { .major = 6, .minor = 12, .wait_killable = true, .landlock_abi = 7 };

struct made {
	struct policy *policy;
	struct plan plan;
	int result;
	char *messages;
};

static struct made make(const char *text, const struct kernel *kernel, bool no_landlock)
{
	struct made made = { .policy = lang_good(text) };
	struct policy_diags diags = { 0 };
	made.result = plan_make(&made.plan, made.policy, kernel, no_landlock, LAYERS_ANY, &diags);
	made.messages = lang_messages(&diags, made.policy);
	policy_diags_free(&diags);
	return made;
}

static void drop(struct made *made)
{
	policy_free(made->policy);
	free(made->messages);
}

static void refused(const char *text, const char *message, const char *help)
{
	struct made made = make(text, &modern, false);
	if (made.result != -EOPNOTSUPP || !strstr(made.messages, message) || (help && !strstr(made.messages, help)))
		fail_msg("%s: %d\n%s", text, made.result, made.messages);
	drop(&made);
}

static void noted(const char *text, const char *message)
{
	struct made made = make(text, &modern, false);
	if (made.result != 0 || !strstr(made.messages, message))
		fail_msg("%s: %d\n%s", text, made.result, made.messages);
	drop(&made);
}

static void what_cannot_be_enforced_is_refused(void **state)
{
	(void)state;
	refused("network { redirect connect tcp *:80 to a.example:80; }", "t.policy:1:", "not a name");
	refused("network { redirect bind tcp *:80 to 127.0.0.1:80; }", "only connects", NULL);
	refused("network { redirect connect unix /a to /b; }", "'redirect' rules are not served", NULL);
	refused("network { answer connect tcp *:80 with return 5; }", "only an errno", NULL);
	refused("syscalls { default allow; answer getpid with return 5; }", "'answer' rules are not served", NULL);
	refused("redirect read /a to /nonexistent;", "/nonexistent: No such file", NULL);
	refused("domain d { files { allow read /x; } } files { allow exec /y -> d; }", "domains are not enforced", NULL);
	refused("files { allow read /x; }\ndomain d { files { allow read /x; } }", "t.policy:2:8: error: domains", NULL);
	refused("limits { decision-time 250ms else deny EAGAIN; }", "'decision-time'", "are enforced");
	refused("limits { rate read 5/s; }", "'rate' for 'read'", "connect, bind and sendto");
	refused("limits { mounts 0; }", "takes one number", NULL);
	refused("limits { files 0; }", "takes one number", NULL);
	refused("audit { level none; }", "level is 'deny' or 'all'", NULL);
}

static void all_of_it_is_named_at_once(void **state)
{
	(void)state;
	struct made made = make("limits { decision-time 1s; } network { default allow; redirect connect tcp *:80 to a.example:3128; answer connect tcp *:25 with return 5; }",
				&modern, false);
	assert_int_equal(made.result, -EOPNOTSUPP);
	assert_non_null(strstr(made.messages, "decision-time"));
	assert_non_null(strstr(made.messages, "not a name"));
	assert_non_null(strstr(made.messages, "only an errno"));
	drop(&made);
}

static void what_concerns_other_verbs_is_noted(void **state)
{
	(void)state;
	noted("audit { metrics /run/x; }", "'metrics' has no effect");
	struct made made = make("files { allow read /; } audit { level all; log /var/log/x; rotate size=100M; fsync 1s; } limits { files 100; supervisor-exit kill; }",
				&modern, false);
	assert_int_equal(made.result, 0);
	assert_string_equal(made.messages, "");
	drop(&made);
}

static void mounts_are_made_or_native(void **state)
{
	struct made made = make("files { default deny; } mounts { default deny; allow mount tmpfs on /mnt; }", &modern, false);

	(void)state;
	assert_int_equal(made.result, 0);
	assert_true(made.plan.mounts && !made.plan.topology_fixed && made.plan.landlock_fs);
	drop(&made);
	made = make("files { default deny; } limits { mounts native; }", &modern, false);
	assert_int_equal(made.result, 0);
	assert_true(!made.plan.mounts && !made.plan.topology_fixed && !made.plan.landlock_fs && made.plan.landlock_scoped);
	assert_non_null(strstr(made.messages, "may change what paths mean"));
	drop(&made);
	refused("allow mount tmpfs on /mnt; limits { mounts native; }", "native mounts are not asked about", NULL);
	refused("mounts { default deny; } limits { mounts native; }", "native mounts are not asked about", NULL);
}

static void layers_follow_the_rules(void **state)
{
	(void)state;
	struct made made = make("syscalls { default allow; deny EPERM ptrace; }", &modern, false);
	assert_int_equal(made.result, 0);
	assert_false(made.plan.files || made.plan.stat || made.plan.exec || made.plan.unix_paths || made.plan.topology_fixed);
	assert_true(made.plan.landlock);
	assert_int_equal(made.plan.landlock_fs, 0);
	assert_int_equal(made.plan.landlock_scoped, LANDLOCK_SCOPE_SIGNAL);
	assert_int_equal(made.plan.creds_vary, !cred_constant());
	drop(&made);

	made = make("files { default allow; deny read /secret; }", &modern, false);
	assert_true(made.plan.files && made.plan.unix_paths && made.plan.topology_fixed);
	assert_false(made.plan.stat || made.plan.exec);
	/* exec anywhere needs reading anywhere */
	assert_false(made.plan.landlock_fs & (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE));
	drop(&made);

	made = make("files { default deny; cover all; allow rx /usr/; }", &modern, false);
	assert_true(made.plan.files && made.plan.stat && made.plan.exec);
	assert_int_equal(made.plan.landlock_fs, (UINT64_C(1) << 16) - 1);
	assert_int_equal(made.plan.landlock_scoped, LANDLOCK_SCOPE_SIGNAL | LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET);
	drop(&made);

	made = make("files { default deny stage log; }", &modern, false);
	assert_true(made.plan.files && made.plan.exec);	/* judged, and counted */
	assert_false(made.plan.landlock_fs & LANDLOCK_ACCESS_FS_EXECUTE);	/* but not enforced */
	drop(&made);

	made = make("mounts { default deny; }", &modern, false);
	assert_true(made.plan.topology_fixed);
	assert_false(made.plan.files);
	drop(&made);

	made = make("files { default allow; } network { default allow; deny connect unix /run/docker.sock; }", &modern, false);
	assert_int_equal(made.result, 0);
	assert_true(made.plan.unix_paths && made.plan.topology_fixed);
	drop(&made);
}

/* What the broker does for the program, Landlock refuses it; and nothing else. */
static void landlock_refuses_the_calls_about_ports(void **state)
{
	(void)state;
	static const struct { const char *text; uint64_t net; bool peers, enforced, redirects; } rows[] = {
		{ "files { default deny; }", 0, false, false, false },
		{ "network { default allow; }", 0, false, false, false },
		{ "network { default allow; deny connect unix @x; }", 0, false, false, false },
		{ "network { default allow; deny sendto udp *:1; }", 0, true, true, false },
		{ "network { default allow; deny connect tcp *:1; }", LANDLOCK_ACCESS_NET_CONNECT_TCP, true, true, false },
		{ "network { default allow; deny bind tcp *:1; }", LANDLOCK_ACCESS_NET_BIND_TCP, true, true, false },
		{ "network { default deny stage log; }", LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP, true, false, false },
		{ "network { default deny; redirect connect tcp *:80 to 127.0.0.1:1; }", LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP,
		  true, true, true },
	};
	static const struct kernel old = { .major = 6, .minor = 1, .wait_killable = true, .landlock_abi = 3 };
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct made made = make(rows[i].text, &modern, false);
		assert_int_equal(made.result, 0);
		assert_int_equal(made.plan.landlock_net, rows[i].net);
		assert_int_equal(made.plan.peers, rows[i].peers);
		assert_int_equal(made.plan.peers_enforced, rows[i].enforced);
		assert_int_equal(made.plan.redirects, rows[i].redirects);
		drop(&made);
		made = make(rows[i].text, &old, false);
		assert_int_equal(made.plan.landlock_net, 0);
		drop(&made);
	}
}

/* What Landlock decides alone is asked of nobody; where it could not say the same the broker is. */
static void ports_are_landlocks_where_that_is_exact(void **state)
{
	(void)state;
#define SEALED "network { default deny sealed; allow bind tcp *:80; "
	static const struct { const char *text; bool ports; } rows[] = {
		{ SEALED "}", true },
		{ SEALED "allow connect tcp *:443; }", true },
		{ SEALED "allow connect tcp *:1-4096; }", true },
		{ SEALED "allow connect tcp *:1-4097; }", false },
		{ SEALED "allow connect tcp *:1-9; deny connect tcp *:3 sealed; forbid connect tcp *:4 audit none; }", true },
		{ SEALED "allow connect tcp *:1-9; deny connect tcp *:3; }", false },
		{ SEALED "allow connect tcp *:1-9; deny connect tcp *:3 sealed stage kill; }", false },
		{ SEALED "allow connect tcp *:443; allow connect udp *:*; allow connect icmp *; allow connect netlink NETLINK_ROUTE; }", true },
		{ SEALED "allow connect tcp *:443; allow connect udp *:*; deny connect udp *:1; }", false },
		{ SEALED "allow connect tcp *:443; allow bind udp *:*; }", false },
		{ SEALED "allow connect tcp *:443; allow connect raw *; }", false },
		{ SEALED "allow connect tcp *:443; deny connect unix /run/docker.sock; }", true },
		{ SEALED "allow connect tcp *:443; deny connect unix /run/docker.sock stage kill; }", false },
		{ SEALED "allow connect tcp *:443; allow bind unix /run/x; }", false },
		{ SEALED "allow connect tcp *:443; allow connect unix @x; }", false },
		{ SEALED "allow connect tcp *:443 stage log; }", false },
		{ SEALED "allow connect tcp [::]:443; }", false },
		{ "network { default deny; allow connect tcp *:443; }", false },
		{ "network { default deny sealed stage log; allow connect tcp *:443; }", false },
		{ "network { default deny ENETUNREACH sealed; allow connect tcp *:443; }", false },
		{ "network { default allow; deny connect tcp *:25 sealed; }", false },
		{ "files { default deny; allow all /; } " SEALED "allow connect tcp *:443; }", true },
	};
	static const struct kernel old = { .major = 6, .minor = 1, .wait_killable = true, .landlock_abi = 3 };
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct made made = make(rows[i].text, &modern, false);
		assert_int_equal(made.result, 0);
		assert_false(made.plan.ports);	/* unless it is asked for */
		plan_ports(&made.plan);
		if (made.plan.ports != rows[i].ports)
			fail_msg("%s", rows[i].text);
		for (size_t k = 0; k < made.policy->n_rules; k++)
			assert_int_equal(plan_moves(&made.plan, &made.policy->rules[k]),
					 !(rows[i].ports && made.policy->rules[k].section == SECTION_NETWORK && made.policy->rules[k].n_addrs &&
					   made.policy->rules[k].ops & OP_BIT(OP_CONNECT)));
		plan_record(&made.plan);
		assert_false(made.plan.ports);
		plan_ports(&made.plan);
		assert_false(made.plan.ports);
		drop(&made);
		made = make(rows[i].text, &old, false);
		plan_ports(&made.plan);
		assert_false(made.plan.ports);
		drop(&made);
		made = make(rows[i].text, &modern, true);
		plan_ports(&made.plan);
		assert_false(made.plan.ports);
		drop(&made);
	}
}

/* Where the kernel acts by itself it may be led to anything that connects: so nothing of that may be denied. */
static void credentials_are_exact_where_all_is_allowed(void **state)
{
#define EXACT "allow connect,sendto unix /**, @* credentials exact; "
	static const struct kernel old = { .major = 6, .minor = 7, .wait_killable = true, .landlock_abi = 5 };
	static const char addresses[] = "restrict other addresses", all[] = "not every path and every abstract name is allowed";
	static const struct { const char *text, *message; } rows[] = {
		{ "files { default deny; } network { default allow; " EXACT "}", NULL },
		{ "network { default allow; allow connect unix /run/x credentials exact; }", NULL },
		{ "files { default allow; } allow connect unix /run/x credentials exact;", NULL },
		{ "files { default deny; } allow connect unix /run/x credentials exact;", all },
		{ "files { default deny; } " EXACT, NULL },
		{ "files { default deny; } allow connect unix / credentials exact;", NULL },
		{ "files { default deny; } allow connect unix /usr/, /run/ credentials exact;", all },
		{ "network { default allow; deny connect unix /run/docker.sock; " EXACT "}", all },
		{ "network { default allow; deny sendto unix /run/docker.sock; " EXACT "}", all },
		{ "network { default allow; deny sendto unix /run/docker.sock; allow connect unix /run/x credentials exact; }", NULL },
		{ "network { default allow; forbid connect unix @x; " EXACT "}", all },
		{ "network { default allow; answer connect unix @x with errno EPERM; " EXACT "}", all },
		{ "network { default allow; deny connect unix /run/docker.sock stage log; " EXACT "}", NULL },
		{ "network { default allow; deny connect tcp *:25; " EXACT "}", addresses },
		{ "network { default allow; deny sendto udp *:53; " EXACT "}", addresses },
		{ "network { default allow; deny connect tcp *:25 stage log; " EXACT "}", NULL },
		{ "network { default deny; " EXACT "}", addresses },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct made made = make(rows[i].text, &modern, false);
		if (rows[i].message ? made.result != -EOPNOTSUPP || !strstr(made.messages, rows[i].message) : made.result || !made.plan.exact)
			fail_msg("%s: %d, %x\n%s", rows[i].text, made.result, made.plan.exact, made.messages);
		drop(&made);
	}
	struct made made = make("network { default allow; " EXACT "}", &old, false);
	assert_int_equal(made.result, -EOPNOTSUPP);
	assert_non_null(strstr(made.messages, "does not keep abstract names inside"));
	drop(&made);
	made = make("network { default allow; " EXACT "}", &old, true);
	assert_int_equal(made.result, 0);
	drop(&made);
}

static void free_is_where_nothing_is_denied(void **state)
{
	static const struct { const char *text; bool free; } cases[] = {
		{ "files { default allow; cover all; } limits { capabilities all; }", true },
		{ "files { default allow; } network { default allow; }", true },
		{ "files { default allow; deny read /secret; }", false },
		{ "files { default allow; deny read /secret stage log; }", false },
		{ "files { default deny; allow all /; }", false },
		{ "files { default allow; } network { default allow; deny connect unix /run/docker.sock; }", false },
		{ "files { default allow; allow read /etc/shadow audit all; }", false },
		{ "mounts { default deny; }", false },
		{ "syscalls { default allow; }", false },
		{ "files { default allow; } syscalls { default allow; deny EPERM ptrace; }", false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct made made = make(cases[i].text, &modern, false);
		if (made.result || made.plan.free != cases[i].free)
			fail_msg("%s: %d, %d\n%s", cases[i].text, made.result, made.plan.free, made.messages);
		drop(&made);
	}
}

static const struct landlock_tree *tree(const struct landlock_trees *trees, const char *path)
{
	for (size_t i = 0; i < trees->n; i++)
		if (strcmp(trees->list[i].path, path) == 0)
			return &trees->list[i];
	return NULL;
}

static void write_file(const char *path, const char *text)
{
	FILE *to = fopen(path, "we");
	assert_non_null(to);
	fputs(text, to);
	fclose(to);
	assert_int_equal(chmod(path, 0755), 0);
}

/* Links were resolved when the policy was read. Who puts one in a path afterwards would choose what Landlock opens. */
static void landlock_follows_no_links(void **state)
{
	(void)state;
	char dir[] = "/tmp/usher-plan-XXXXXX", text[300], path[100];
	bool needed;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(symlink("/usr", path), 0);
	(void)snprintf(text, sizeof(text), "files { default deny; allow exec %s/link/bin/; }", dir);
	struct made made = make(text, &modern, false);
	assert_int_equal(made.result, 0);
	int ruleset = plan_landlock(&made.plan, &needed);
	unlink(path);
	rmdir(dir);
	drop(&made);
	if (ruleset == -ENOSYS || ruleset == -EOPNOTSUPP)
		skip();
	assert_int_equal(ruleset, -ELOOP);
}

static void landlock_is_never_narrower_than_exec_rules(void **state)
{
	(void)state;
	char dir[] = "/tmp/usher-plan-XXXXXX", text[2000], path[300];
	struct landlock_trees trees;
	assert_non_null(mkdtemp(dir));
	char *real = realpath("/bin/sh", NULL);
	(void)snprintf(path, sizeof(path), "%s/scripts", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/scripts/run.sh", dir);
	write_file(path, "#! /bin/sh -e\n");
	(void)snprintf(path, sizeof(path), "%s/scripts/opens.sh", dir);
	write_file(path, "#!/\n");
	(void)snprintf(path, sizeof(path), "%s/scripts/reads.sh", dir);
	write_file(path, "#!/etc/passwd\n");
	(void)snprintf(path, sizeof(path), "%s/image", dir);
	write_file(path, "#!/bin/sh\n");
	(void)snprintf(path, sizeof(path), "%s/made", dir);
	write_file(path, "x");
	(void)snprintf(text, sizeof(text),
		       "files { default deny; allow exec %s/scripts/*.sh, %s/image, %s/made, %s/not/yet; allow create %s/made;"
		       "allow exec /opt/no-{a,b}/**; allow exec /usr/bin/env stage log; }", dir, dir, dir, dir, dir);
	struct made made = make(text, &modern, false);
	assert_int_equal(made.result, 0);
	assert_int_equal(landlock_trees(&made.plan, &trees), 0);
	const uint64_t run = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;
	(void)snprintf(path, sizeof(path), "%s/scripts", dir);
	const struct landlock_tree *scripts = tree(&trees, path);
	assert_non_null(scripts);
	assert_int_equal(scripts ? scripts->access : 0, run);
	assert_non_null(tree(&trees, real));		/* the scripts' interpreter */
	(void)snprintf(path, sizeof(path), "%s/image", dir);
	assert_non_null(tree(&trees, path));
	assert_non_null(tree(&trees, dir));		/* what may be replaced, and what is not there yet */
	assert_non_null(tree(&trees, "/opt"));
	assert_null(tree(&trees, "/"));			/* no interpreter, whatever is named */
	assert_null(tree(&trees, "/etc/passwd"));
	assert_null(tree(&trees, "/usr/bin/env"));	/* at log: not enforced, so not granted */
	landlock_trees_free(&trees);
	drop(&made);

	(void)snprintf(path, sizeof(path), "rm -r %s", dir);
	assert_int_equal(system(path), 0);
	free(real);
}

static void exec_everywhere_handles_neither(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"files { default deny; allow exec /; }", "files { default deny; allow exec **/bin/*; }",
		"files { default deny; cover read, write; }", "files { default allow; deny exec /tmp/; }",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct made made = make(texts[i], &modern, false);
		assert_false(made.plan.landlock_fs & (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE));
		drop(&made);
	}
}

/* Reads were left to Landlock for other trees than those that it would be given now. */
static void interpreters_change_between_proof_and_use(void **state)
{
	(void)state;
	char dir[] = "/tmp/usher-plan-XXXXXX", text[300], path[100], other[100], line[110];
	bool needed;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/script", dir);
	write_file(path, "#!/bin/sh\n");
	(void)snprintf(text, sizeof(text), "files { default deny sealed; allow rx /usr/; allow rx %s/; allow rw %s/*/; }", dir, dir);
	struct made made = make(text, &modern, false);
	int before = plan_landlock(&made.plan, &needed);
	(void)snprintf(other, sizeof(other), "%s-other", dir);
	write_file(other, "");
	(void)snprintf(line, sizeof(line), "#!%s\n", other);
	write_file(path, line);
	int after = plan_landlock(&made.plan, &needed);
	enum reads reads = made.plan.reads;
	unlink(path);
	unlink(other);
	rmdir(dir);
	drop(&made);
	fd_close(before);
	fd_close(after);
	if (before < 0 || reads != READS_TREES)
		skip();
	assert_int_equal(after, -EAGAIN);
}

static void kernels_without_landlock(void **state)
{
	(void)state;
	const char *text = "files { default deny; }";
	struct kernel kernel = modern;
	kernel.landlock_abi = 0;
	struct made made = make(text, &kernel, false);
	assert_int_equal(made.result, -EOPNOTSUPP);
	assert_non_null(strstr(made.messages, "--no-landlock"));
	drop(&made);

	made = make(text, &kernel, true);
	assert_int_equal(made.result, 0);
	assert_non_null(strstr(made.messages, "nothing stands behind"));
	assert_int_equal(made.plan.landlock_fs, 0);
	assert_int_equal(made.plan.landlock_scoped, 0);
	bool needed = true;
	assert_int_equal(plan_landlock(&made.plan, &needed), -1);
	assert_false(needed);
	drop(&made);

	kernel.landlock_abi = 3;
	made = make(text, &kernel, false);
	assert_int_equal(made.result, 0);
	assert_int_equal(made.plan.landlock_fs, (UINT64_C(1) << 15) - 1);
	assert_int_equal(made.plan.landlock_scoped, 0);
	assert_non_null(strstr(made.messages, "signals and abstract sockets are not scoped"));
	drop(&made);
}

static void limits_are_read(void **state)
{
	(void)state;
	struct limits limits;
	struct policy_diags diags = { 0 };
	struct policy *policy = lang_good("limits { files 4096; processes 2k; memory 3G; supervisor-exit keep; capabilities keep chown, setuid; }");
	assert_int_equal(limits_read(&limits, policy, &diags), 0);
	assert_int_equal(limits.files, 4096);
	assert_int_equal(limits.processes, 2048);
	assert_int_equal(limits.memory, UINT64_C(3) << 30);
	assert_false(limits.kill_on_exit);
	assert_int_equal(limits.capabilities, CAP(0) | CAP(7));
	policy_free(policy);

	policy = lang_good("limits { capabilities all; }");
	assert_int_equal(limits_read(&limits, policy, &diags), 0);
	assert_true(limits.capabilities == LIMITS_CAPABILITIES_ALL);
	assert_true(limits.kill_on_exit);
	policy_free(policy);

	policy = lang_good("limits { capabilities none; }");
	assert_int_equal(limits_read(&limits, policy, &diags), 0);
	assert_int_equal(limits.capabilities, 0);
	policy_free(policy);

	policy = lang_good("files { allow read /; }");
	assert_int_equal(limits_read(&limits, policy, &diags), 0);
	assert_int_equal(limits.capabilities, CAP(0) | CAP(1) | CAP(3) | CAP(4) | CAP(5) | CAP(6) | CAP(7) | CAP(8) | CAP(10));
	assert_int_equal(limits.files | limits.processes, 0);
	policy_free(policy);
	policy_diags_free(&diags);
	assert_int_equal(limits_capability("checkpoint_restore"), 40);
	assert_int_equal(limits_capability("sys_admin"), 21);
}

static char *printed(const struct made *made, const struct cost_use *use, bool json)
{
	static char *text;	/* where gcc believes that it outlives the call */
	static size_t len;
	FILE *to = open_memstream(&text, &len);
	plan_print(&made->plan, &(struct plan_shown){ .use = use, .unseen = "nobody looks" }, to, json);
	fclose(to);
	return text;
}

static void the_plan_is_printed(void **state)
{
	(void)state;
	struct made made = make("files { default deny; allow rx /usr/; } syscalls { default allow; deny EPERM ptrace; deny EPERM bpf audit none; }",
				&modern, false);
	char *text = printed(&made, NULL, false);
	assert_non_null(strstr(text, "not brokered: stat"));
	assert_non_null(strstr(text, "what it denies is in no record: nobody looks\n"));
	assert_non_null(strstr(text, "but for EXECUTE READ_FILE: /usr"));
	assert_non_null(strstr(text, "\nbroker, exec gate, Landlock: what starts is compared"));
	free(text);

	text = printed(&made, NULL, true);
	json_t *root = json_loads(text, 0, NULL);
	assert_non_null(root);
	assert_true(json_is_true(json_object_get(json_object_get(root, "broker"), "exec_gate")));
	const json_t *rules = json_object_get(root, "rules");
	assert_int_equal(json_array_size(rules), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(rules, 1), "layer")), "filter, broker");
	assert_string_equal(json_string_value(json_object_get(json_array_get(rules, 2), "layer")), "filter");
	assert_non_null(strstr(json_string_value(json_object_get(json_array_get(rules, 2), "why")), "nobody is to be told"));
	json_decref(root);
	free(text);
	drop(&made);
}

/* Rules of one layer for one reason stand together, below that reason. */
static void rules_are_grouped(void **state)
{
	(void)state;
	struct made made = make("files { default deny sealed; allow rx /usr/; allow ro /etc/; allow read /usr/share/; allow delete /srv/; }", &modern, false);
	char *text = printed(&made, NULL, false);
	const char *trees = strstr(text, "\nLandlock: directory trees that may be read"), *end = trees ? strstr(trees + 1, "\n\n") : NULL;
	assert_true(trees && end);
	assert_true(strstr(trees, "allow ro /etc/") < end && strstr(trees, "allow read /usr/share/") < end);
	assert_non_null(strstr(text, "\nbroker: never Landlock's: only reading is ever left to it\n"));
	assert_null(strstr(end, "Landlock: directory trees"));
	free(text);
	drop(&made);
}

/* What is in the way of Landlock, and what would take it away. */
static void what_would_be_cheaper_is_said(void **state)
{
#define DENY "files { default deny sealed; allow rx /usr/; "
#define VIEW "files { default deny ENOENT view; allow rx /usr/; "
	static const struct { const char *text, *why, *advice; } rows[] = {
		{ DENY "allow ro /etc/; }", "which Landlock decides as the policy does", NULL },
		{ "files { default deny ENOENT sealed; allow rx /usr/; }", "Landlock refuses with EACCES", "by a view (default deny ENOENT view)" },
		{ DENY "allow ro /etc/; deny all **/.git/ sealed; }", "in a tree that may be read",
		  "t.policy:1: this 'deny all **/.git/ sealed' inside an allowed tree sends every open that only reads to the broker" },
		{ DENY "allow ro /etc/; deny read /etc/x; }", "its denials are recorded", "t.policy:1: seal it ('sealed'), and Landlock could" },
		{ "files { default deny; allow rx /usr/; }", "denials are recorded", "write 'default deny sealed' in files, and Landlock" },
		{ DENY "allow ro /etc/ beneath; }", "beneath: Landlock knows nothing of links", "take 'beneath' out" },
		{ DENY "allow ro /etc/ audit all; }", "what it allows is recorded", "take its 'audit' out" },
		{ DENY "allow ro /etc/*.conf; }", "a pattern, and no directory tree", "name directory trees" },
		{ DENY "allow ro /etc/passwd; }", "files are replaced by others of their name", "allow the directory that it is in" },
		{ DENY "allow rw /etc/; }", "the program may move or delete the directory itself", "allow rw DIR/*/" },
		{ DENY "allow ro /proc/; }", "in procfs", NULL },
		{ DENY "allow ro /etc/; deny ENOENT read /srv/ sealed; }", "Landlock refuses with EACCES", "let it deny with EACCES" },
		{ DENY "cover all; }", "stat is covered", "leave stat out of 'cover'" },
		{ DENY "} audit { level all; }", "every access is recorded", "leave 'level all' out" },
		{ "files { default deny sealed; allow exec /; allow ro /etc/; }", "what may be executed is not limited", "allow exec of directory trees" },
		{ VIEW "cover all; }", "opens that only read, and stat: what may not be read is not there", NULL },
		{ VIEW "allow ro /etc/; deny read **/.git/ sealed; }", "what is in a view can be read, listed and asked about", "and what may not be read could be left out of a view" },
		{ VIEW "deny EACCES read /etc/ sealed; }", "what is left out of a view is ENOENT", "let it deny with ENOENT" },
		{ VIEW "allow read /etc/; }", "/etc: what is in a view can be read, listed and asked about", "allow ro of whole directory trees" },
		{ VIEW "allow ro /etc/passwd; }", "files are replaced by others of their name", "allow the directory that it is in" },
		{ VIEW "allow ro /dev/null; }", "what may not be read is not there", NULL },
		{ VIEW "allow ro /proc/; }", "in procfs", NULL },
		{ VIEW "allow create /etc/x; }", "/etc/x: in none of the directory trees that may be read", "allow ro" },
		{ VIEW "} allow connect unix /run/x;", "/run/x: in none of the directory trees", "allow ro" },
		{ VIEW "allow stat /etc; }", "not brokered: opens that only read, and stat", NULL },
		{ VIEW "} mounts { allow mount tmpfs on /usr/share/; }", "its view stays as it is", NULL },
		{ "network { default deny; allow connect tcp *:443; }", "not by Landlock alone: denials are recorded", "write 'default deny sealed' in network" },
		{ "network { default deny sealed; allow connect tcp *:443; }", "decides connects of TCP sockets", NULL },
		{ "network { default deny sealed; allow connect tcp localhost:443; }", "it speaks of addresses", NULL },
		{ "network { default deny; allow connect udp *:53; }", "addresses are in memory", "write 'default deny sealed' in network" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (view_lacks() && strncmp(rows[i].text, VIEW, sizeof(VIEW) - 1) == 0)
			continue;
		struct made made = make(rows[i].text, &modern, false);
		plan_ports(&made.plan);
		char *text = printed(&made, NULL, false);
		const char *advice = strstr(text, "\nfor a cheaper layer");
		if (!strstr(text, rows[i].why) || (rows[i].advice ? !advice || !strstr(advice, rows[i].advice) : advice != NULL))
			fail_msg("%s:\n%s", rows[i].text, text);
		free(text);
		text = printed(&made, NULL, true);
		json_t *root = json_loads(text, 0, NULL);
		assert_int_equal(json_array_size(json_object_get(root, "advice")), rows[i].advice != NULL);
		json_decref(root);
		free(text);
		drop(&made);
	}
}

static void the_cost_is_told(void **state)
{
	static const struct access accesses[] = {
		{ .ops = OP_BIT(OP_READ), .proto = -1, .count = 80 }, { .ops = OP_BIT(OP_LIST), .proto = -1, .count = 10 },
		{ .ops = OP_BIT(OP_READ) | OP_BIT(OP_WRITE), .proto = -1, .count = 10 }, { .ops = OP_BIT(OP_STAT), .proto = -1, .count = 1 },
		{ .ops = OP_BIT(OP_CONNECT), .proto = PROTO_TCP, .count = 2 }, { .ops = OP_BIT(OP_CONNECT), .proto = -1, .count = 3 },
		{ .ops = OP_BIT(OP_EXEC), .proto = -1, .count = 4 }, { .count = 5, .proto = -1 },
	};
	static const uint64_t expected[COST_KINDS] = { 90, 10, 1, 4, 2, 3, 5 };
	struct cost_use use = { 0 }, reads = { .calls = { [COST_READ] = 7 } }, none = { 0 };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++)
		cost_count(&use, &accesses[i]);
	assert_memory_equal(use.calls, expected, sizeof(expected));
	struct made by_landlock = make(DENY "allow ro /etc/; }", &modern, false), brokered = make("files { default deny; allow ro /etc/; }", &modern, false);
	struct cost cheap = cost_of(&by_landlock.plan, COST_READ), dear = cost_of(&brokered.plan, COST_READ);
	assert_string_equal(cheap.layer, "Landlock");
	assert_string_equal(dear.layer, "broker");
	assert_true(cheap.ratio >= 1 && cheap.ratio < dear.ratio);
	assert_true(cost_mean(&by_landlock.plan, &reads) == cheap.ratio);
	assert_true(cost_mean(&brokered.plan, &none) == 0);
	double mean = cost_mean(&by_landlock.plan, &use);
	assert_true(mean > cheap.ratio && mean < cost_mean(&brokered.plan, &use));
	assert_string_equal(cost_of(&brokered.plan, COST_STAT).layer, "filter");
	char *text = printed(&by_landlock, &use, false);
	assert_non_null(strstr(text, "Landlock           opens that only read: 90 recorded\n"));
	assert_non_null(strstr(text, "x on average, of what was recorded"));
	free(text);
	text = printed(&by_landlock, &use, true);
	json_t *root = json_loads(text, 0, NULL), *cost = json_object_get(root, "cost");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(cost, "calls"), 0), "recorded")), 90);
	assert_true(json_real_value(json_object_get(cost, "weighted")) > 1);
	json_decref(root);
	free(text);
	drop(&by_landlock);
	drop(&brokered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(landlock_refuses_the_calls_about_ports),
		cmocka_unit_test(what_cannot_be_enforced_is_refused),
		cmocka_unit_test(all_of_it_is_named_at_once),
		cmocka_unit_test(what_concerns_other_verbs_is_noted),
		cmocka_unit_test(mounts_are_made_or_native),
		cmocka_unit_test(layers_follow_the_rules),
		cmocka_unit_test(credentials_are_exact_where_all_is_allowed),
		cmocka_unit_test(ports_are_landlocks_where_that_is_exact),
		cmocka_unit_test(free_is_where_nothing_is_denied),
		cmocka_unit_test(landlock_follows_no_links),
		cmocka_unit_test(landlock_is_never_narrower_than_exec_rules),
		cmocka_unit_test(exec_everywhere_handles_neither),
		cmocka_unit_test(interpreters_change_between_proof_and_use),
		cmocka_unit_test(kernels_without_landlock),
		cmocka_unit_test(limits_are_read),
		cmocka_unit_test(the_plan_is_printed),
		cmocka_unit_test(rules_are_grouped),
		cmocka_unit_test(what_would_be_cheaper_is_said),
		cmocka_unit_test(the_cost_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
