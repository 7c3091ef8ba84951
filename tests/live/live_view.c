/*
 * `default deny ENOENT view`: the program has a root directory in which only that is there which it may read.
 */
#include "cli.h"
#include "compare.h"
#include "talk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define VIEW "files { default deny ENOENT view; cover all; allow rx /usr/, $dir/bin/; allow ro $dir/www/; allow ro,write /dev/null; "

static const char *prober(struct live *live)
{
	live_mkdir(live, "bin", 0755);
	assert_int_equal(live_native(live, (const char *const[]){ "/bin/cp", live_probe(), live_path(live, "bin/probe"), NULL }), 0);
	return live_path(live, "bin/probe");
}

/* A tree, what is beside it, and links. */
static void scene(struct live *live)
{
	(void)prober(live);
	live_file(live, "www/page", 0644, "page\n");
	live_file(live, "www/in/page", 0644, "inner\n");
	live_file(live, "secret", 0644, "secret\n");
	live_file(live, "else/file", 0644, "secret\n");
	live_symlink(live, live_path(live, "secret"), "www/leak");
	live_symlink(live, "www", "web");
	live_symlink(live, "else", "otherwise");
}

static bool has_view(struct live *live)
{
	if (usher(live, "check", "--plan", "--json", live->policy))
		fail_msg("check: %s", live->err);
	return strstr(live->out, "\"layer\": \"view\"") != NULL;
}

/* Of SCRIPT under the view; by the broker if LAYERS says so. */
static void answers(struct live *live, const char *layers, const char *script, const char *expected)
{
	live->options[0] = layers ? "--layers" : NULL;
	live->options[1] = layers;
	live->options[2] = NULL;
	live->input = script;
	int status = live_run(live, (const char *const[]){ live_path(live, "bin/probe"), "script", NULL });
	live->input = NULL;
	live->options[0] = NULL;
	size_t same = 0;
	while (live->out[same] && live->out[same] == expected[same])
		same++;
	while (same && live->out[same - 1] != '\n')
		same--;
	if (status || strcmp(live->out, expected) != 0)
		fail_msg("%d: %.200s\nexpected\n%.200s%s", status, live->out + same, expected + same, live->err);
}

struct words { char script[4096], expected[8192]; };

/* NAME below the test's directory, or as it is. */
static void ask(const struct live *live, struct words *words, const char *command, const char *name, const char *more, const char *answer)
{
	char line[400];
	(void)snprintf(line, sizeof(line), "%s %s%s%s", command, *name == '/' || *name == '.' ? name : live_path(live, name), *more ? " " : "", more);
	(void)snprintf(words->script + strlen(words->script), sizeof(words->script) - strlen(words->script), "%s\n", line);
	(void)snprintf(words->expected + strlen(words->expected), sizeof(words->expected) - strlen(words->expected), "%s => %s\n", line, answer);
}

/* The same by the view and by the broker. */
static void it_decides_as_the_broker(void **given)
{
	struct live *live = *given;
	struct words words = { 0 };
	char moved[100];
	scene(live);
	snprintf(moved, sizeof(moved), "%s/www/in/moved", live->dir);
	live_policy(live, VIEW "allow rw,attr $dir/www/in/*/; }");
	assert_int_equal(has_view(live), live_root());
	const struct { const char *command, *name, *more, *answer; } rows[] = {
		{ "open", "www/page", "r", "ok 3" }, { "open", "www/in/page", "r", "ok 4" }, { "open", "web/page", "r", "ok 5" },
		{ "open", "secret", "r", "ENOENT" }, { "open", "else/file", "r", "ENOENT" }, { "open", "www/leak", "r", "ENOENT" },
		{ "open", "otherwise/file", "r", "ENOENT" }, { "open", "www/../secret", "r", "ENOENT" }, { "open", "/etc/passwd", "r", "ENOENT" },
		{ "open", "/proc/self/status", "r", "ENOENT" }, { "stat", "secret", "", "ENOENT" },
		{ "stat", "www/leak", "", "ENOENT" }, { "stat", "/proc", "", "ENOENT" },
		/* What changes something the broker makes. */
		{ "open", "www/page", "w", "ENOENT" }, { "open", "www/page", "+", "ENOENT" }, { "open", "www/page", "rt", "ENOENT" },
		{ "open", "www/new", "wc", "ENOENT" }, { "open", "new", "wc", "ENOENT" }, { "open", "secret", "w", "ENOENT" },
		{ "open", "www/in/new", "wc", "ok 6" }, { "open", "www/in/page", "+", "ok 7" }, { "open", "/dev/null", "+", "ok 8" },
		{ "mkdir", "www/in/dir", "", "ok" }, { "mkdir", "/dir", "", "ENOENT" }, { "mkdir", "www/dir", "", "ENOENT" },
		{ "unlink", "www/in/new", "", "ok" }, { "unlink", "www/page", "", "ENOENT" }, { "unlink", "secret", "", "ENOENT" },
		{ "rename", "www/in/dir", moved, "ok" }, { "rmdir", moved, "", "ok" },
		{ "exec", "else/file", "", "ok 127" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ask(live, &words, rows[i].command, rows[i].name, rows[i].more, rows[i].answer);
	answers(live, NULL, words.script, words.expected);
	answers(live, "broker", words.script, words.expected);
}

/* Directories on the way are there, with nothing else in them but links that lead into a tree; and nobody changes them. */
static void the_way_is_there(void **given)
{
	struct live *live = *given;
	char up[64], script[600];
	if (!live_root())
		skip();
	scene(live);
	live_policy(live, VIEW "allow all $dir/www/*/; }");
	assert_true(has_view(live));
	snprintf(up, sizeof(up), "%s", live->dir);
	*strrchr(up, '/') = '\0';
	snprintf(script, sizeof(script), "set -e; cd %s; ls -A; pwd; ls -A ..; ls -A / | tr '\\n' ' '; cat web/page; test -d /usr/bin -a /bin -ef /usr/bin; "
		 "! touch x 2>/dev/null; ! rmdir bin 2>/dev/null; ! mv web www/web 2>/dev/null; ! ln web /w 2>/dev/null; stat -c %%a:%%u / %s .", live->dir, up);
	if (live_sh(live, script))
		fail_msg("%s%s", live->out, live->err);
	char expected[600], ways[300] = "";
	struct stat root, above, own;
	assert_int_equal(stat("/", &root) | stat(up, &above) | stat(live->dir, &own), 0);
	/* The merged directories of Debian, as far as they are here. */
	static const char *const names[] = { "bin", "dev", "lib", "lib32", "lib64", "libx32", "sbin", "tmp", "usr" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[20];
		struct stat st;
		snprintf(path, sizeof(path), "/%s", names[i]);
		if (lstat(path, &st) == 0)
			snprintf(ways + strlen(ways), sizeof(ways) - strlen(ways), "%s ", names[i]);
	}
	snprintf(expected, sizeof(expected), "bin\nweb\nwww\n%s\n%s\n%spage\n%o:%u\n%o:%u\n%o:%u\n", live->dir, strrchr(live->dir, '/') + 1, ways,
		 root.st_mode & 07777, root.st_uid, above.st_mode & 07777, above.st_uid, own.st_mode & 07777, own.st_uid);
	assert_string_equal(live->out, expected);
}

static unsigned long brokered(const struct live *live)
{
	const char *end = strstr(live->err, " brokered call");
	assert_non_null(end);
	while (end > live->err && end[-1] >= '0' && end[-1] <= '9')
		end--;
	return strtoul(end, NULL, 10);
}

/* Reading, stat and getxattr reach no supervisor, and there is nothing of them to be recorded. */
static void reading_is_free(void **given)
{
	struct live *live = *given;
	char one[400], ten[800];
	unsigned long few;
	if (!live_root())
		skip();
	scene(live);
	live_policy(live, VIEW "}");
	live->options[0] = "--summary";
	const char *page = live_path(live, "www/page");
	snprintf(one, sizeof(one), "for i in 1; do /usr/bin/cat %s; test -r %s; test ! -e /etc/passwd; done", page, page);
	snprintf(ten, sizeof(ten), "for i in 1; do /usr/bin/cat %s %s %s %s; for k in 1 2 3 4 5 6 7 8; do test -r %s; test ! -e /etc/passwd; done; done", page, page, page, page, page);
	assert_int_equal(live_sh(live, one), 0);
	few = brokered(live);
	assert_int_equal(live_sh(live, ten), 0);
	assert_string_equal(live->out, "page\npage\npage\npage\n");
	assert_int_equal(brokered(live), few);
	assert_int_equal(live_audited(live, "deny", NULL), 0);
}

/* Who wants to know, or another layer, gets the broker. */
static void others_have_none(void **given)
{
	struct live *live = *given;
	if (!live_root())
		skip();
	scene(live);
	static const char *const policies[] = {
		VIEW "} audit { level all; }", VIEW "allow ro $dir/else/ beneath; }", VIEW "allow ro $dir/else/ audit all; }", VIEW "deny read $dir/www/in/ sealed; }",
		VIEW "allow ro /proc/self/**; }", VIEW "allow ro $dir/nowhere/; }", VIEW "allow create $dir/else/x; }", VIEW "deny read $dir/www/ stage log; }",
	};
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		live_policy(live, policies[i]);
		if (has_view(live))
			fail_msg("%s\n%s", policies[i], live->out);
	}
	live_policy(live, VIEW "}");
	assert_true(has_view(live));
	const char *const layers[] = { "--layers", "broker", NULL }, *const record[] = { "--record", live_path(live, "record.db"), NULL };
	memcpy(live->options, layers, sizeof(layers));
	assert_int_equal(live_runl(live, live_path(live, "bin/probe"), "lstat", "/usr", ",", "stat", live->dir, NULL), 0);
	assert_says(live->out, "ENOENT");
	memcpy(live->options, record, sizeof(record));
	assert_int_equal(live_runl(live, live_path(live, "bin/probe"), "stat", live->dir, NULL), 0);
	assert_says(live->out, "ENOENT");
	live->options[0] = NULL;
	assert_int_equal(live_runl(live, live_path(live, "bin/probe"), "lstat", live->dir, NULL), 0);
	assert_says(live->out, "ok");
}

/* The kernel would make one where the program stands, and asks nobody. */
static void no_core_files(void **given)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct live *live = *given;
	if (!live_root())
		skip();
	scene(live);
	live_policy(live, VIEW "}");
	assert_int_equal(setrlimit(RLIMIT_CORE, &all), 0);
	assert_int_equal(live_sh(live, "ulimit -c; ulimit -Hc"), 0);
	assert_string_equal(live->out, "0\n0\n");
}

/* Where it begins: in the same directory if that is there. No directory is handed in. */
static void where_it_begins(void **given)
{
	struct live *live = *given;
	if (!live_root())
		skip();
	scene(live);
	live_policy(live, VIEW "}");
	const char *probe = live_path(live, "bin/probe");
	assert_int_equal(chdir(live_path(live, "www/in")), 0);
	assert_int_equal(live_runl(live, probe, "cat", "page", ",", "cwd", NULL), 0);
	assert_says(live->out, "inner");
	assert_int_equal(chdir(live_path(live, "else")), 0);
	assert_int_equal(live_runl(live, probe, "cat", "file", ",", "cwd", NULL), 0);
	assert_string_equal(live->out, "ENOENT\nok /\n");
	live->options[0] = "--chdir";
	live->options[1] = live_path(live, "www");
	live->options[2] = NULL;
	assert_int_equal(live_runl(live, probe, "cat", "page", NULL), 0);
	live->options[1] = live_path(live, "else");
	assert_int_equal(live_runl(live, probe, "pid", NULL), 125);
	int dir = open(live_path(live, "else"), O_RDONLY | O_DIRECTORY);
	char number[12];
	snprintf(number, sizeof(number), "%d", dir);
	live->options[0] = "--pass-fd";
	live->options[1] = number;
	assert_int_equal(live_runl(live, probe, "pid", NULL), 125);
	assert_says(live->err, "is an open directory");
	assert_int_equal(close(dir), 0);
	assert_int_equal(chdir("/"), 0);
}

/* A directory of somebody else's, over a socket that is given or may be used, leads out of the view. */
static void what_is_handed_in(void **given)
{
	struct live *live = *given;
	int pair[2], dir;
	if (!live_root())
		skip();
	scene(live);
	live_policy(live, VIEW "} network { default deny; }");
	assert_true(has_view(live));
	assert_null(strstr(live->out, "READ_FILE"));
	live_policy(live, VIEW "} network { default deny; allow connect unix $dir/www/*; }");
	assert_true(has_view(live));
	assert_non_null(strstr(live->out, "READ_FILE"));
	live_policy(live, VIEW "} network { default deny; }");
	dir = open(live_path(live, "else"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec part = { (char[]){ "x" }, 1 };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(&control.header), &dir, sizeof(dir));
	assert_int_equal(sendmsg(pair[0], &msg, 0), 1);
	int passed = fcntl(pair[1], F_DUPFD, 20);
	assert_int_equal(passed, 20);
	live->options[0] = "--pass-fd";
	live->options[1] = "20";
	assert_int_equal(live_runl(live, live_path(live, "bin/probe"), "urecv", "20", ",", "openat", "3", "file", "r", ",", "openat", "3", "file", "+", ",", "cat",
				   live_path(live, "www/page"), NULL), 0);
	assert_says(live->out, "descriptor 3");
	assert_says(live->out, "\nEACCES\nENOENT\nok page\n");
	close(passed);
	close(pair[0]);
	close(pair[1]);
	close(dir);
}

/* What is not covered can be done to anything, which must be there. */
static void what_is_not_covered(void **given)
{
	struct live *live = *given;
	if (!live_root())
		skip();
	scene(live);
	live_policy(live, "files { cover read, list, stat; default deny ENOENT view; }");
	assert_false(has_view(live));
	assert_int_equal(live_runl(live, live_probe(), "cat", live_path(live, "secret"), ",", "chmod", live_path(live, "secret"), "0600", NULL), 0);
	assert_string_equal(live->out, "ENOENT\nok\n");
}

/* Where a rule about stat alone wants more than a view can do. */
static void rules_about_stat(void **given)
{
	static const char *const more[] = { "deny ENOENT stat $dir/else/ audit alert; }", "allow stat $dir/www/ audit all; }", "allow stat $dir/www/ beneath; }" };
	struct live *live = *given;
	char text[400];
	if (!live_root())
		skip();
	scene(live);
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		snprintf(text, sizeof(text), VIEW "%s", more[i]);
		live_policy(live, text);
		assert_false(has_view(live));
	}
	live_policy(live, VIEW "deny ENOENT stat $dir/else/ sealed; }");
	assert_true(has_view(live));
}

/* A link that a rule names, one in a directory on the way, and one to a directory on the way. */
static void links(void **given)
{
	static const char *const paths[] = { "other/named", "web/page", "w/to-way/x/f" };
	struct live *live = *given;
	if (!live_root())
		skip();
	scene(live);
	live_file(live, "way/x/f", 0644, "page\n");
	live_file(live, "w/y/f", 0644, "page\n");
	live_mkdir(live, "other", 0755);
	live_symlink(live, live_path(live, "www/page"), "other/named");
	live_symlink(live, "../way", "w/to-way");
	live_policy(live, VIEW "allow ro $dir/other/named, $dir/way/x/, $dir/w/y/; }");
	assert_true(has_view(live));
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_int_equal(live_runl(live, live_path(live, "bin/probe"), "cat", live_path(live, paths[i]), NULL), 0);
		assert_says(live->out, "ok page");
	}
}

/* Beside a file that is a mount the kernel finds no terminals. */
static void terminals(void **given)
{
	struct live *live = *given;
	if (!live_root() || access("/dev/ptmx", F_OK) < 0)
		skip();
	scene(live);
	live_policy(live, VIEW "allow ro,write /dev/ptmx; allow ro /dev/pts/; }");
	assert_false(has_view(live));
	assert_int_equal(live_runl(live, live_path(live, "bin/probe"), "open", "/dev/ptmx", "+", NULL), 0);
	assert_says(live->out, "ok");
}

/* What is mounted in a tree is there; on the host nothing is left, and nothing was seen. */
static void mounts(void **given)
{
	struct live *live = *given;
	if (!live_apart())
		skip();
	scene(live);
	live_policy(live, VIEW "allow rw $dir/www/*/; }");
	live_mkdir(live, "www/mount", 0755);
	assert_int_equal(mount("tmpfs", live_path(live, "www/mount"), "tmpfs", 0, NULL), 0);
	live_file(live, "www/mount/file", 0644, "mounted\n");
	char *before = live_read("/proc/self/mounts");
	char script[300];
	snprintf(script, sizeof(script), "cat %s; echo new >%s", live_path(live, "www/mount/file"), live_path(live, "www/mount/new"));
	assert_int_equal(live_sh(live, script), 0);
	assert_string_equal(live->out, "mounted\n");
	assert_int_equal(access(live_path(live, "www/mount/new"), F_OK), 0);
	char *after = live_read("/proc/self/mounts");
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_int_equal(umount2(live_path(live, "www/mount"), MNT_DETACH), 0);
}

/* The probe lies in the build. */
static void talking(struct live *live, const char *more)
{
	char text[700];
	snprintf(text, sizeof(text), VIEW "allow rx \"%.*s/\"; %s }", (int)(strrchr(live_probe(), '/') - live_probe()), live_probe(), more);
	live_policy(live, text);
}

/* What there is stays as it was at launch. */
static void it_needs_a_restart(void **given)
{
	struct live *live = *given;
	struct talk talk = { .live = live };
	char command[100];
	if (!live_root())
		skip();
	scene(live);
	talking(live, "");
	assert_true(has_view(live));
	talk_start(&talk, live);
	snprintf(command, sizeof(command), "cat %s", live_path(live, "www/page"));
	talk_expect(&talk, command, "ok page");
	talking(live, "allow ro $dir/else/;");
	assert_int_equal(usher(live, "reload", talk.name), 1);
	assert_says(live->err, "needs restart");
	live_policy(live, "files { default deny ENOENT; cover all; allow rx /usr/, $dir/bin/, $probe; }");
	assert_int_equal(usher(live, "reload", talk.name), 1);
	assert_says(live->err, "needs restart");
	talk_expect(&talk, command, "ok page");
	snprintf(command, sizeof(command), "open %s w", live_path(live, "www/page"));
	talk_expect(&talk, command, "ENOENT");
	talking(live, "allow write $dir/www/*;");
	if (usher(live, "reload", talk.name))
		fail_msg("%s", live->err);
	talk_expect(&talk, command, "ok 3");
	assert_int_equal(talk_end(&talk), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_decides_as_the_broker, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(the_way_is_there, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(reading_is_free, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(others_have_none, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(no_core_files, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(where_it_begins, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(what_is_handed_in, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_covered, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(rules_about_stat, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(links, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(terminals, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(mounts, live_setup, live_teardown),
		cmocka_unit_test_setup_teardown(it_needs_a_restart, live_setup, live_teardown),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("live_view", tests, NULL, NULL);
}
