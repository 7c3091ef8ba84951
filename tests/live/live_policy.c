/* What rules do to a real program: precedence, links that lead out, stages, usher's own files, appending. */
#include "compare.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void prepare(struct live *live)
{
	live_file(live, "www/index", 0644, "index\n");
	live_file(live, "www/a/b/page", 0644, "page\n");
	live_file(live, "www/.git/config", 0644, "git\n");
	live_file(live, "www/a/.git/config", 0644, "git\n");
	live_file(live, "www/a/key.pem", 0644, "key\n");
	live_file(live, "www/private/x", 0644, "x\n");
	live_file(live, "www/private/open/y", 0644, "y\n");
	live_file(live, "secret", 0644, "secret\n");
	live_symlink(live, "../secret", "www/leak");
	live_symlink(live, "..", "www/up");
	live_symlink(live, "a/b/page", "www/inside");
	live_symlink(live, "../www/index", "www/out-and-in");
	live_symlink(live, "leak", "www/a-leak");
	live_symlink(live, "www", "to-www");
	live_symlink(live, live_path(live, "secret"), "www/absolute-leak");
	live_symlink(live, live_path(live, "www/index"), "www/absolute");
	live_symlink(live, "private", "www/to-private");
}

static void narrower_wins_then_stricter(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_policy(live, LIVE_BASE
		    "files { allow ro $dir/www/; deny ENOENT ro $dir/www/**/.git/, **/*.{key,pem}; deny ENOTTY ro $dir/www/private/;\n"
		    "  allow ro $dir/www/private/open/; }\n");
	script_expect(live,
		"open www/index r\nopen www/a/b/page r\nopen www/.git/config r\nopen www/a/.git/config r\nopen www/a/key.pem r\nopen www/a/key.pem w\n"
		"open www/private/x r\nopen www/private rd\nopen www/private/open/y r\nopen www/private/open/none r\nopen www/to-private/x r\n"
		"open www/to-private/open/y r\nopen www/a/../private/x r\nopen www/private/open/../x r\nopen secret r\nopen www/none r\nopen www/private/none r\n"
		"open none/none r\nopen www/.git rd\nopen www/index w\n",
		"open www/index r => ok 3\nopen www/a/b/page r => ok 4\nopen www/.git/config r => ENOENT\nopen www/a/.git/config r => ENOENT\n"
		"open www/a/key.pem r => ENOENT\nopen www/a/key.pem w => EACCES\nopen www/private/x r => ENOTTY\nopen www/private rd => ENOTTY\n"
		"open www/private/open/y r => ok 5\nopen www/private/open/none r => ENOENT\nopen www/to-private/x r => ENOTTY\n"
		"open www/to-private/open/y r => ok 6\nopen www/a/../private/x r => ENOTTY\nopen www/private/open/../x r => ENOTTY\nopen secret r => EACCES\n"
		"open www/none r => ENOENT\nopen www/private/none r => ENOTTY\nopen none/none r => EACCES\nopen www/.git rd => ENOENT\nopen www/index w => EACCES\n");
	assert_int_equal(live_audited(live, "deny", "/www/.git/config"), 1);
	/* A denied name says nothing of what lies there: as missing ones do. */
	assert_int_equal(live_audited(live, "deny", "/www/private/none"), 1);
}

/* The kernel looks before it asks who may make something: mkdir -p relies on that. */
static void what_is_there_cannot_be_made(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_policy(live, LIVE_BASE "files { allow ro $dir/www/; }");
	script_expect(live,
		"mkdir www\nmkdir www/a/../a/\nmkdir to-www\nmkdir www/leak/\nsymlink x secret\ncall mknodat cwd @www/index 0100600 0\nmkdir /tmp\nmkdir www/new\n"
		"symlink x www/new\nmkdir none\n",
		"mkdir www => EEXIST\nmkdir www/a/../a/ => EEXIST\nmkdir to-www => EEXIST\nmkdir www/leak/ => EEXIST\nsymlink x secret => EEXIST\n"
		"call mknodat cwd @www/index 0100600 0 => EEXIST\nmkdir /tmp => EEXIST\nmkdir www/new => EACCES\nsymlink x www/new => EACCES\nmkdir none => EACCES\n");
	assert_int_equal(live_audited(live, "deny", NULL), 3);
	/* Not of a name that stat hides. */
	live_policy(live, LIVE_BASE "files { cover all; allow ro $dir/www/; deny all $dir/www/private/; }");
	script_expect(live, "mkdir www\nmkdir www/private\nmkdir secret\n", "mkdir www => EEXIST\nmkdir www/private => EACCES\nmkdir secret => EACCES\n");
}

/* open(2) does not say whether it means a file or a directory; the record does. */
static void records_say_what_it_was(void **state)
{
	struct live *live = *state;
	prepare(live);
	char script[400];
	live_policy(live, LIVE_BASE);
	snprintf(script, sizeof(script), "cd '%s'; cat \"$PWD/www/a\" \"$PWD/www/index\" \"$PWD/www/none\" 2>&1 | grep -c denied", live->dir);
	live_sh(live, script);
	assert_string_equal(live->out, "3\n");
	char *log = live_audit(live);
	assert_non_null(strstr(log, "\"op\":\"list\""));
	const char *list = strstr(log, "\"op\":\"list\"");
	assert_null(strstr(list + 1, "\"op\":\"list\""));
	free(log);
}

static void links_may_not_lead_out(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_policy(live, LIVE_BASE "files { allow ro $dir/www/ beneath; allow ro $dir/secret; }");
	static const char *const spelled[] = { "www/leak", "www/a-leak", "www/up/secret", "www/absolute-leak", "to-www/leak", "www/a/../leak", "./www//leak" };
	char script[4096] = "", expected[4096] = "";
	for (size_t i = 0; i < sizeof(spelled) / sizeof(spelled[0]); i++) {
		sprintf(script + strlen(script), "open %s r\nopen %s/%s r\n", spelled[i], live->dir, spelled[i]);
		sprintf(expected + strlen(expected), "open %s r => EACCES\nopen %s/%s r => EACCES\n", spelled[i], live->dir, spelled[i]);
	}
	script_expect(live, script, expected);
	assert_int_equal(live_audited(live, "deny", NULL), 2 * sizeof(spelled) / sizeof(spelled[0]));
	script_expect(live,
		"open secret r\nopen www/inside r\nopen www/absolute r\nopen www/../secret r\nchdir www\nopen leak r\nopen inside r\nopen up/secret r\nopen ../secret r\n"
		"open /proc/self/cwd/leak r\n",
		"open secret r => ok 3\nopen www/inside r => ok 4\nopen www/absolute r => ok 5\nopen www/../secret r => ok 6\nopen leak r => EACCES\n"
		"open inside r => ok 7\nopen up/secret r => EACCES\nopen ../secret r => ok 8\nopen /proc/self/cwd/leak r => EACCES\n");
}

static void forbid_wins_over_everything(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_policy(live, "files { default allow; forbid EXDEV read,write $dir/www/; allow all $dir/www/index, $dir/www/a/; }");
	static const char script[] = "open www/index r\nopen www/a/b/page w\nopen www/inside r\nopen secret r\nstat www/index\n";
	static const char expected[] = "open www/index r => EXDEV\nopen www/a/b/page w => EXDEV\nopen www/inside r => EXDEV\nopen secret r => ok 3\nstat www/index => ok 6\n";
	script_expect(live, script, expected);
	live->options[0] = "--mode";
	live->options[1] = "log";
	script_expect(live, script, expected);
	assert_int_equal(live_audited(live, "deny", "/www/index"), 1);
}

static void stage_log_lets_go_and_counts(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_policy(live, "files { default deny EACCES; allow all /; deny read $dir/secret stage log; deny ENXIO delete $dir/www/ stage log; }");
	script_expect(live, "open secret r\nopen www/leak r\nunlink www/a/key.pem\nopen www/index r\n",
		      "open secret r => ok 3\nopen www/leak r => ok 4\nunlink www/a/key.pem => ok\nopen www/index r => ok 5\n");
	assert_int_equal(live_audited(live, "would-deny", "/secret"), 2);
	assert_int_equal(live_audited(live, "would-deny", "/key.pem"), 1);
	assert_int_equal(live_audited(live, "would-deny", NULL), 3);
	assert_int_equal(live_audited(live, "deny", NULL), 0);
	/* The familiar complain mode. */
	live_policy(live, "files { default deny EACCES stage log; allow ro /usr/, /etc/, /proc/; }");
	script_expect(live, "open secret r\nopen secret w\n", "open secret r => ok 3\nopen secret w => ok 4\n");
	assert_int_equal(live_audited(live, "would-deny", "/secret"), 2);
}

static void mode_log_enforces_nothing_else(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_policy(live, "files { default deny EACCES; deny read $dir/secret stage kill; deny write $dir/www/index stage trap; }");
	live->options[0] = "--mode";
	live->options[1] = "log";
	script_expect(live, "open secret r\nopen www/index w\nmkdir new\nsys\n", "open secret r => ok 3\nopen www/index w => ok 4\nmkdir new => ok\n");
	assert_int_equal(live_audited(live, "would-deny", "/secret"), 1);
	assert_int_equal(live_audited(live, "would-deny", "/www/index"), 1);
	assert_int_equal(live_audited(live, "would-deny", "/new"), 1);
	assert_int_equal(live_audited(live, "deny", NULL), 0);
}

static void stage_trap_is_a_signal_to_the_thread(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_policy(live, "files { default deny EACCES; allow all /; deny ENOTTY read $dir/secret stage trap; deny EXDEV create $dir/www/ stage trap; }");
	script_expect(live, "onsys catch\nopen secret r\nsys\nopen www/index r\nsys\ncall mkdirat cwd @www/new 0755\nsys\ntrapthreads secret\n",
		      "open secret r => ENOTTY\nsys => ok 1 openat ENOTTY queue\nopen www/index r => ok 3\ncall mkdirat cwd @www/new 0755 => EXDEV\n"
		      "sys => ok 2 mkdirat EXDEV queue\ntrapthreads secret => ok 202\n");
	assert_int_equal(access(live_path(live, "www/new"), F_OK), -1);
	/* Who blocks or ignores it just sees the errno. */
	script_expect(live, "onsys ignore\nopen secret r\nopen secret r\nsys\n", "open secret r => ENOTTY\nsys => ok 0 other none none\n");
	script_expect(live, "onsys block\nopen secret r\nsys\n", "open secret r => ENOTTY\nsys => ok 0 other none none\n");
	/* And by default it is deadly. */
	live_runl(live, live_probe(), "open", live_path(live, "secret"), "r", NULL);
	assert_int_equal(live->status, 128 + SIGSYS);
	assert_int_equal(live_audited(live, "trap", "/secret") + live_audited(live, "deny", "/secret"), 1);
}

static void stage_trap_in_the_filter_is_the_kernels(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_policy(live, "syscalls { default allow; deny EPERM mkdirat stage trap; }\nfiles { default deny EACCES; allow all /; }");
	script_expect(live, "onsys catch\ncall mkdirat cwd @www/new 0755\n", "onsys catch => ok\n");
	assert_int_equal(access(live_path(live, "www/new"), F_OK), -1);
	live_runl(live, live_probe(), "call", "mkdirat", "cwd", "@/tmp/never", "0755", NULL);
	assert_int_equal(live->status, 128 + SIGSYS);
}

static void stage_kill_is_final(void **state)
{
	struct live *live = *state;
	char script[300];
	prepare(live);
	live_policy(live, "files { default deny EACCES; allow all /; deny write $dir/secret stage kill; deny create $dir/www/ stage kill; }");
	live_runl(live, live_probe(), "open", live_path(live, "secret"), "r", ",", "open", live_path(live, "secret"), "wt", ",", "mkdir",
		  live_path(live, "after"), NULL);
	assert_int_equal(live->status, 128 + SIGKILL);
	assert_string_equal(live->out, "ok 3\n");
	assert_int_equal(access(live_path(live, "after"), F_OK), -1);
	char *content = live_read(live_path(live, "secret"));
	assert_string_equal(content, "secret\n");
	free(content);
	assert_int_equal(live_audited(live, "kill", "/secret") + live_audited(live, "deny", "/secret"), 1);
	/* Only that process: its parent goes on. */
	snprintf(script, sizeof(script), "%s mkdir %s/www/new; echo $?", live_probe(), live->dir);
	assert_int_equal(live_sh(live, script), 0);
	assert_string_equal(live->out, "137\n");
	assert_int_equal(access(live_path(live, "www/new"), F_OK), -1);
}

static void own_files_are_forbidden(void **state)
{
	struct live *live = *state;
	char script[2000], expected[2000] = "", policy[300];
	prepare(live);
	snprintf(policy, sizeof(policy), "files { default allow; allow all %s, %s; deny write $dir/never; }", live->policy, live->audit);
	live_policy(live, policy);
	char *text = live_read(live->policy);
	live_symlink(live, live->audit, "to-audit");
	live_symlink(live, live->policy, "to-policy");
	snprintf(script, sizeof(script),
		 "open to-audit w\nopen to-audit +\nopen to-audit a\nopen to-policy w\nopen to-policy wct\nunlink %s\nrename %s x\nrename www/index %s\nlink %s hard\nchmod %s 0666\n"
		 "truncate to-audit 0\nutime to-policy\nsetxattr to-policy user.x y\nopen /proc/self/root%s w\n",
		 live->audit, live->audit, live->audit, live->audit, live->policy, live->audit);
	for (char *line = script, *end; (end = strchr(line, '\n')); line = end + 1)
		sprintf(expected + strlen(expected), "%.*s => EACCES\n", (int)(end - line), line);
	script_expect(live, script, expected);
	assert_true(live_audited(live, "deny", NULL) >= 13);
	char *after = live_read(live->policy);
	assert_string_equal(text, after);
	free(text);
	free(after);
}

static void appending_is_all_that_is_allowed(void **state)
{
	struct live *live = *state;
	live_file(live, "log", 0644, "first\n");
	live_file(live, "plain", 0644, "plain\n");
	live_policy(live, LIVE_BASE "files { allow read,append,create,stat $dir/log, $dir/new; allow ro,rw $dir/plain; }");
	script_expect(live,
		"open log a\nwrite 3 second\\x0a\nopen log w\nopen log +\nopen log at\nopen log wt\ncall ftruncate 3 0\ncall fallocate 3 0 0 100\ncall fcntl 3 4 0\n"
		"call fcntl 3 4 02000\ncall fcntl 3 4 06000\ntruncate log 0\ncall pwritev2 3 !null 0 0 0 0x20\ncall ioctl 3 0xc028660f !null\ncall ioctl 3 0xc020f509 !null\nopenm log 02002 0\nopenm new wcx 0600\nopenm new 02101 0600\n"
		"open plain w\ncall ftruncate 5 1\nopen plain a\ncall fcntl 6 4 0\ncall fallocate 6 0 0 10\ncall lseek 3 0 0\nwrite 3 third\\x0a\n",
		"open log a => ok 3\nwrite 3 second\\x0a => ok 7\nopen log w => EACCES\nopen log + => EACCES\nopen log at => EACCES\nopen log wt => EACCES\n"
		"call ftruncate 3 0 => EACCES\ncall fallocate 3 0 0 100 => EACCES\ncall fcntl 3 4 0 => EACCES\ncall fcntl 3 4 02000 => ok\ncall fcntl 3 4 06000 => ok\n"
		"truncate log 0 => EACCES\ncall pwritev2 3 !null 0 0 0 0x20 => EOPNOTSUPP\ncall ioctl 3 0xc028660f !null => EOPNOTSUPP\ncall ioctl 3 0xc020f509 !null => EOPNOTSUPP\nopenm log 02002 0 => EACCES\nopenm new wcx 0600 => EACCES\nopenm new 02101 0600 => ok 4\n"
		"open plain w => ok 5\ncall ftruncate 5 1 => ok\nopen plain a => ok 6\ncall fcntl 6 4 0 => ok\ncall fallocate 6 0 0 10 => ok\nwrite 3 third\\x0a => ok 6\n");
	char *log = live_read(live_path(live, "log"));
	assert_string_equal(log, "first\nsecond\nthird\n");
	free(log);
}

/* Objects without a path give what is held, and topology stays. */
static void nameless_objects_give_what_is_held(void **state)
{
	struct live *live = *state;
	live_file(live, "gone", 0644, "gone\n");
	live_policy(live, LIVE_BASE "files { allow read,stat,delete $dir/gone; }");
	script_expect(live, "open gone r\nopen /proc/self/fd/3 r\nopen /proc/self/fd/3 w\nunlink gone\nopen /proc/self/fd/3 r\nopen /proc/self/fd/3 w\nopen /proc/self/fd/3 +\n",
		      "open gone r => ok 3\nopen /proc/self/fd/3 r => ok 4\nopen /proc/self/fd/3 w => EACCES\nunlink gone => ok\nopen /proc/self/fd/3 r => ok 5\n"
		      "open /proc/self/fd/3 + => EACCES\n");
	live_policy(live, COMPARE_ALL);
	script_expect(live, "call chroot @/tmp\ncall mount @x @/tmp !null 4096 !null\ncall unshare 0x10000000\ncall unshare 0x20000\ncall unshare 0x200\n",
		      "call chroot @/tmp => EPERM\ncall mount @x @/tmp !null 4096 !null => EPERM\ncall unshare 0x10000000 => EPERM\ncall unshare 0x20000 => EPERM\n"
		      "call unshare 0x200 => ok\n");
}

/* Who may not know that it is there is told so by every call. */
static void hidden_from_the_looks(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_policy(live, "files { default deny EACCES; allow all /; cover all; deny ENOENT all $dir/www/private/; }");
	script_expect(live,
		"stat www/private/x\nlstat www/private\naccess www/private/x 4\nreadlink www/private\nstat www/to-private\nlstat www/to-private\nunlink www/private/x\n"
		"rename www/private/x y\nopen www/private rd\nstat www/index\nmkdir www/private/new\n",
		"stat www/private/x => ENOENT\nlstat www/private => ENOENT\naccess www/private/x 4 => ENOENT\nreadlink www/private => ENOENT\nstat www/to-private => ENOENT\n"
		"lstat www/to-private => ok\nunlink www/private/x => ENOENT\nrename www/private/x y => ENOENT\nopen www/private rd => ENOENT\nstat www/index => ok 6\n"
		"mkdir www/private/new => ENOENT\n");
}

/* Among them calls that may not be notified if they go on. */
static void refused_calls_are_recorded(void **state)
{
	struct live *live = *state;
	char script[100], expected[200];
	live_policy(live, "syscalls { default allow; deny EPERM umask; deny ENOTSUP close where fd == 77; deny EPERM getpid stage log; }");
	snprintf(script, sizeof(script), "call %d 0\ncall %d 77\ncall %d 78\ncall %d\n", SYS_umask, SYS_close, SYS_close, SYS_getpid);
	snprintf(expected, sizeof(expected), "call %d 0 => EPERM\ncall %d 77 => EOPNOTSUPP\ncall %d 78 => EBADF\ncall %d => ok", SYS_umask,
		 SYS_close, SYS_close, SYS_getpid);
	script_expect(live, script, expected);
	assert_int_equal(live_audited(live, "deny", NULL), 2);
}

/* The rule about the call, or that about the second name, though the other one does not care. */
static void who_wants_to_hear_is_told(void **state)
{
	struct live *live = *state;
	live_file(live, "a", 0644, "");
	live_policy(live, "files { default allow; deny read $dir/x; allow create,rename $dir/b audit all; }"
			  "syscalls { default allow; allow openat audit all; }");
	script_expect(live, "open a r\nrename a b\nrename b c\n", "open a r => ok 3\nrename a b => ok\nrename b c => ok\n");
	assert_int_equal(live_audited(live, "allow", "/a"), 1);
	assert_int_equal(live_audited(live, "allow", "/b"), 2);
	assert_int_equal(live_audited(live, "allow", "/c"), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, compare_teardown)
	const struct CMUnitTest tests[] = {
		CASE(narrower_wins_then_stricter),
		CASE(what_is_there_cannot_be_made),
		CASE(records_say_what_it_was),
		CASE(links_may_not_lead_out),
		CASE(forbid_wins_over_everything),
		CASE(stage_log_lets_go_and_counts),
		CASE(mode_log_enforces_nothing_else),
		CASE(stage_trap_is_a_signal_to_the_thread),
		CASE(stage_trap_in_the_filter_is_the_kernels),
		CASE(stage_kill_is_final),
		CASE(own_files_are_forbidden),
		CASE(appending_is_all_that_is_allowed),
		CASE(nameless_objects_give_what_is_held),
		CASE(hidden_from_the_looks),
		CASE(refused_calls_are_recorded),
		CASE(who_wants_to_hear_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
