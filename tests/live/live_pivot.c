/* A new root, as bubblewrap and runc make it. Each case runs this binary again as the program. */
#include "cli.h"
#include "scripted.h"
#include "talk.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- for the programs ----------------------------------------------------------------------- */

static int pivot(const char *to, const char *old)
{
	return (int)syscall(SYS_pivot_root, to, old);
}

/* As bubblewrap does it: the old root below the new one, then another one over the old. */
static void twice(void)
{
	char here[4096], there[8192];
	int old;

	(void)!getcwd(here, sizeof(here));
	say("no mount", pivot("from", "from"));
	say("tmpfs", mount("none", "at", "tmpfs", 0, NULL));
	say("tmpfs", mount("none", "to", "tmpfs", 0, NULL));
	say_open("to/x", O_WRONLY | O_CREAT);
	mkdir("at/old", 0755);
	mkdir("at/new", 0755);
	close(open("at/made", O_CREAT | O_WRONLY, 0600));
	say("outside", pivot("at", "to"));
	say("nowhere", pivot("at", "at/missing"));
	say("bad pointer", syscall(SYS_pivot_root, 8, "at"));
	say("not allowed", pivot("to", "to"));
	say("root", pivot("/", "/"));
	say("pivot_root", pivot("at", "at/old"));
	/* Who stands elsewhere stays there. */
	say_open("from/f", O_RDONLY);
	say_open("from/secret/f", O_RDONLY);
	say_open("to/x", O_RDONLY);
	(void)!chdir("/");
	say_open("made", O_RDONLY);
	say_open("/../made", O_RDONLY);
	(void)snprintf(there, sizeof(there), "old%s/from", here);
	say("bind", mount(there, "new", NULL, MS_BIND | MS_REC, NULL));
	say_open("new/f", O_RDONLY);
	say_open("new/secret/f", O_RDONLY);
	say_open("new/secret/g", O_WRONLY | O_CREAT);
	say("not named", mount("none", "old", "tmpfs", 0, NULL));
	say("private", mount(NULL, "old", NULL, MS_PRIVATE | MS_REC, NULL));
	say("away", umount2("old", MNT_DETACH));
	old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)!chdir("new");
	say("pivot_root", pivot(".", "."));
	say_open("/f", O_RDONLY);
	say_open("/secret/f", O_RDONLY);
	say("the root", umount2("/", MNT_DETACH | UMOUNT_NOFOLLOW));
	(void)!fchdir(old);
	say("busy", umount2(".", 0));
	say("away", umount2(".", MNT_DETACH));
	say_open("made", O_RDONLY);
	say("again", umount2(".", MNT_DETACH));
	(void)!chdir("/");
	say_open("f", O_RDONLY);
	say_open("secret/f", O_RDONLY);
	if (fork() == 0) {
		say("unshare", unshare(CLONE_NEWNS));
		say_open("/f", O_RDONLY);
		say_open("/secret/f", O_RDONLY);
		_exit(0);
	}
	wait(NULL);
}

static void once(void)
{
	say("tmpfs", mount("none", "at", "tmpfs", 0, NULL));
	mkdir("at/old", 0755);
	say("pivot_root", pivot("at", "at/old"));
	say_open("from/f", O_RDONLY);
	say_open("from/secret/f", O_RDONLY);
}

/* In a root of its own, which is not that of the namespace. */
static void rooted(void)
{
	say("tmpfs", mount("none", "at", "tmpfs", 0, NULL));
	say("chroot", chroot("at"));
	(void)!chdir("/");
	mkdir("in", 0755);
	say("tmpfs", mount("none", "in", "tmpfs", 0, NULL));
	say("pivot_root", pivot("in", "in"));
}

/* usher's own files, by their new names. */
static void own(void)
{
	char here[4096], policy[8192];

	(void)!getcwd(here, sizeof(here));
	say("tmpfs", mount("none", "at", "tmpfs", 0, NULL));
	mkdir("at/old", 0755);
	say("pivot_root", pivot("at", "at/old"));
	(void)snprintf(policy, sizeof(policy), "/old%s.policy", here);
	say("read", open(policy, O_RDONLY));
	say("write", open(policy, O_WRONLY));
	(void)snprintf(policy, sizeof(policy), "/old%s.missing", here);
	say("make", open(policy, O_WRONLY | O_CREAT, 0600));
	(void)snprintf(policy, sizeof(policy), "/old%s.else", here);
	say("make another", open(policy, O_WRONLY | O_CREAT, 0600));
	unlink(policy);
}

static const struct scripted programs[] = {
	{ "twice", twice }, { "once", once }, { "rooted", rooted }, { "own", own },
	{ 0 },
};

/* ---- the cases ------------------------------------------------------------------------------ */

static void scene(struct live *live)
{
	live_mkdir(live, "at", 0777);
	live_mkdir(live, "to", 0777);
	live_file(live, "from/f", 0644, "f");
	live_file(live, "from/secret/f", 0644, "secret");
}

#define RULES(files) "files { default allow; " files " } mounts { default deny EPERM;\n" \
	"allow mount tmpfs on $dir/at, $dir/to, /in; allow mount bind from /old$dir/from on /new; allow pivot_root $dir/at, $dir/from, /new, /in; }\n" \
	"limits { capabilities all; }\n"

static void a_root_and_another(void **state)
{
	scene(*state);
	scripted_expect(*state, RULES("deny all /**/secret/;"), "twice", live_own_space(),
	       "no mount: EINVAL\ntmpfs: ok\ntmpfs: ok\nto/x: ok\noutside: EINVAL\nnowhere: ENOENT\nbad pointer: EFAULT\nnot allowed: EPERM\nroot: EPERM\npivot_root: ok\n"
	       "from/f: ok\nfrom/secret/f: EACCES\nto/x: ok\nmade: ok\n/../made: ok\nbind: ok\nnew/f: ok\nnew/secret/f: EACCES\nnew/secret/g: EACCES\n"
	       "not named: EPERM\nprivate: ok\naway: ok\npivot_root: ok\n/f: ok\n/secret/f: EACCES\nthe root: EPERM\nbusy: EPERM\naway: ok\n"
	       "made: EACCES\nagain: EPERM\nf: ok\nsecret/f: EACCES\nunshare: ok\n/f: ok\n/secret/f: EACCES\n");
}

/* Rules that say something else of the new names; in either direction. */
static void rules_that_would_lie(void **state)
{
	/* The last four are noticed in one direction of one of the two moves only. */
	static const struct { const char *policy; bool secret; } rows[] = {
		{ RULES("deny all $dir/from/secret/;"), true }, { RULES("deny write /old/;"), false }, { RULES("deny write $dir/at/;"), false },
		{ RULES("deny read /made;"), false }, { RULES("deny all /**/secret/; allow read $dir/from/secret/f;"), false },
		{ RULES("deny exec $dir/to/;"), false }, { RULES("allow read $dir/to/x beneath;"), false },
		{ RULES("deny read /**/at/x;"), false }, { RULES("deny read /**/x; allow read /**/at/x;"), false },
		{ RULES("deny read /**/x; allow read /**/old/x;"), false }, { RULES("deny read /**/old/x;"), false },
	};

	scene(*state);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		scripted_expect(*state, rows[i].policy, "once", live_own_space(), rows[i].secret ? "tmpfs: ok\npivot_root: EPERM\nfrom/f: ok\nfrom/secret/f: EACCES\n"
								  : "tmpfs: ok\npivot_root: EPERM\nfrom/f: ok\nfrom/secret/f: ok\n");
		assert_int_equal(live_audited(*state, "deny", "/at"), 1);
	}
}

static void no_rule_no_root(void **state)
{
	scene(*state);
	scripted_expect(*state, "files { default allow; } mounts { default deny EPERM; allow mount tmpfs on $dir/at; } limits { capabilities all; }", "once", live_own_space(),
	       "tmpfs: ok\npivot_root: EPERM\nfrom/f: ok\nfrom/secret/f: ok\n");
}

static void no_default_root(void **state)
{
	scene(*state);
	scripted_expect(*state, "files { default allow; } mounts { default allow; } limits { capabilities all; }", "once", live_own_space(),
	       "tmpfs: ok\npivot_root: EPERM\nfrom/f: ok\nfrom/secret/f: ok\n");
}

static void a_root_of_its_own(void **state)
{
	scene(*state);
	scripted_expect(*state, "files { default allow; } mounts { default allow; allow pivot_root /; } limits { capabilities all; }", "rooted", live_own_space(), "tmpfs: ok\nchroot: ok\ntmpfs: ok\npivot_root: EPERM\n");
}

static void own_files_move_along(void **state)
{
	char policy[1000];

	(void)snprintf(policy, sizeof(policy), "include? \"%s.missing\";\n" RULES("deny all /**/secret/;"), strrchr(((struct live *)*state)->dir, '/') + 1);
	scene(*state);
	scripted_expect(*state, policy, "own", live_own_space(), "tmpfs: ok\npivot_root: ok\nread: EACCES\nwrite: EACCES\nmake: EACCES\nmake another: ok\n");
}

/* Neither gained nor lost on the way: own files are forbidden by other names where it may be. */
static void no_reload_changes_that(void **state)
{
	struct live *live = *state;
	struct talk talk = { .live = live };
	static const char *const policies[] = { RULES("deny all /**/secret/;"), "files { default allow; deny all /**/secret/; } mounts { default deny EPERM;\n"
		"allow mount tmpfs on $dir/at, $dir/to; }\nlimits { capabilities all; }\n" };

	scene(live);
	for (int i = 0; i < 2; i++) {
		live_policy(live, policies[i]);
		live->options[0] = "--unshare";
		live->options[1] = live_own_space();
		live->options[2] = NULL;
		talk_start(&talk, live);
		live_policy(live, policies[!i]);
		assert_int_equal(usher(live, "reload", talk.name), 1);
		assert_says(live->err, "pivot_root");
		live_policy(live, policies[i]);
		assert_int_equal(usher(live, "reload", talk.name), 0);
		live->options[0] = NULL;
		assert_int_equal(talk_end(&talk), 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_root_and_another, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(rules_that_would_lie, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(no_rule_no_root, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(no_default_root, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(a_root_of_its_own, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(own_files_move_along, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(no_reload_changes_that, live_setup, live_teardown),
	};

	scripted_begin(argc, argv, programs);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
