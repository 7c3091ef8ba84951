/* What stands in for files (redirect, answer), and names that are hidden: from open, from stat and from listings. */
#include "live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void says(struct live *live, const char *script, const char *expected)
{
	live_sh(live, script);
	if (strcmp(live->out, expected))
		fail_msg("%s\nexpected:\n%s\ngot:\n%s\n%s", script, expected, live->out, live->err);
}

static void redirected_files(void **state)
{
	struct live *live = *state;
	live_file(live, "work/netrc", 0644, "secret\n");
	live_file(live, "stand-in", 0644, "nothing\n");
	live_file(live, "tree/file", 0644, "in tree\n");
	live_mkdir(live, "work/dir", 0755);
	live_symlink(live, "netrc", "work/link");
	live_policy(live, "files { default allow;\n"
			  "  redirect read $dir/work/netrc to \"$dir/stand-in\";\n"
			  "  redirect read,list $dir/work/dir to \"$dir/tree\";\n"
			  "  redirect read $dir/work/none to \"$dir/stand-in\";\n"
			  "  deny modify $dir/stand-in, $dir/tree/; }\n");
	assert_int_equal(chdir(live_path(live, "work")), 0);
	says(live, "cat netrc link none; stat -L -c %s netrc link none; ls dir; echo x 2>&- <>netrc || echo denied; test -r none && echo yes",
	     "nothing\nnothing\nnothing\n8\n8\n8\nfile\ndenied\nyes\n");
	/* Written by its name it is itself, and what is written is not read. */
	says(live, "cat netrc; echo new >netrc; cat netrc", "nothing\nnothing\n");
	char *itself = live_read(live_path(live, "work/netrc")), *other = live_read(live_path(live, "stand-in"));
	assert_string_equal(itself, "new\n");
	assert_string_equal(other, "nothing\n");
	free(itself);
	free(other);
}

/* What the program may not read by its own rights it does not get by a redirect either. */
static void redirected_with_own_rights(void **state)
{
	struct live *live = *state;
	live_file(live, "work/a", 0644, "a\n");
	live_file(live, "closed", 0600, "closed\n");
	live_policy(live, "files { default allow; redirect read $dir/work/a to \"$dir/closed\"; deny modify $dir/closed; }\n");
	if (live_root()) {
		static const char *const drop[] = { "--user", "nobody", NULL };
		memcpy(live->options, drop, sizeof(drop));
		assert_int_equal(live_runl(live, "/bin/cat", live_path(live, "work/a"), NULL), 1);
	} else {
		assert_int_equal(chmod(live_path(live, "closed"), 0), 0);
		assert_int_equal(live_runl(live, "/bin/cat", live_path(live, "work/a"), NULL), 1);
	}
	assert_string_equal(live->out, "");
	assert_non_null(strstr(live->err, "Permission denied"));
}

static void answered_files(void **state)
{
	struct live *live = *state;
	live_file(live, "cpuinfo", 0600, "processor : 0\n");
	live_file(live, "work/version", 0644, "1\n");
	live_policy(live, "files { default allow;\n"
			  "  answer read /proc/cpuinfo with file $dir/cpuinfo;\n"
			  "  answer read $dir/work/version with content \"two\\n\";\n"
			  "  answer read $dir/work/bad with errno EIO; }\n");
	assert_int_equal(chdir(live_path(live, "work")), 0);
	says(live, "cat /proc/cpuinfo version; cat version; stat -c '%s %A' version /proc/cpuinfo; cat bad 2>&1",
	     "processor : 0\ntwo\ntwo\n4 -r--r--r--\n14 -r--r--r--\ncat: bad: Input/output error\n");
	says(live, "exec 3<version; echo x 2>&- >/proc/self/fd/3 || echo denied; cat /proc/self/fd/3", "denied\ntwo\n");
}

/* An answer is no denial, and no way round one: not for what a script names, and not for what is opened to be cut. */
static void what_is_answered_is_not_allowed(void **state)
{
	struct live *live = *state;
	char script[400];
	live_file(live, "work/target", 0666, "content\n");
	live_file(live, "work/second", 0755, "#!/bin/sh\necho ran\n");
	snprintf(script, sizeof(script), "#!%s\n", live_path(live, "work/second"));
	live_file(live, "work/first", 0755, script);
	live_policy(live, "files { default allow; deny modify $dir/work/target; redirect read $dir/work/none to \"$dir/work/target\";\n"
			  "  answer exec $dir/work/second with errno ENOTTY; }\n");
	live_expect(live, "EACCES", "open", live_path(live, "work/none"), "rt", NULL);
	live_expect(live, "ok 3", "open", live_path(live, "work/none"), "r", NULL);
	live_expect(live, "ENOTDIR", "open", live_path(live, "work/none/"), "r", NULL);
	assert_int_not_equal(live_sh(live, live_path(live, "work/second")), 0);
	assert_string_equal(live->out, "");
	assert_int_not_equal(live_sh(live, live_path(live, "work/first")), 0);
	assert_string_equal(live->out, "");
}

static void answered_devices(void **state)
{
	struct live *live = *state;
	live_mkdir(live, "dev", 0777);
	live_policy(live, "files { default allow; deny EPERM mknod **; answer mknod $dir/dev/{null,sda} with device same; }\n");
	assert_int_equal(chdir(live_path(live, "dev")), 0);
	says(live, "mknod null c 1 3 2>&- && stat -c '%F %t %T' null; mknod sda c 8 0 2>&- || echo no; mknod sda b 1 3 2>&- || echo no; mknod null2 c 1 3 2>&- || echo no",
	     live_root() ? "character special file 1 3\nno\nno\nno\n" : "no\nno\nno\n");
}

static void refused_at_load(void **state)
{
	static const struct { const char *rule, *message; } cases[] = {
		{ "redirect write $dir/a to \"$dir/b\"; deny modify $dir/b;", "can only be read" },
		{ "redirect read $dir/a to \"$dir/b\";", "may write what it is redirected to" },
		{ "redirect read $dir/a to \"$dir/none\";", "No such file" },
		{ "answer read,write $dir/a with content \"x\";", "can only be read" },
		{ "answer read $dir/a with file $dir;", "is a file" },
	};
	struct live *live = *state;
	char policy[500];
	live_file(live, "a", 0644, "a");
	live_file(live, "b", 0644, "b");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(policy, sizeof(policy), "files { default allow; %s }", cases[i].rule);
		live_policy(live, policy);
		assert_int_equal(live_runl(live, "/bin/true", NULL), 125);
		if (!strstr(live->err, cases[i].message))
			fail_msg("%s: %s", cases[i].rule, live->err);
	}
}

static void hidden_names(void **state)
{
	struct live *live = *state;
	char name[40];
	live_file(live, "work/a", 0644, "a");
	live_file(live, "work/b.key", 0644, "b");
	live_file(live, "work/.env", 0644, "c");
	live_file(live, "work/shown.pem", 0644, "d");
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "work/many/%d.key", i);
		live_file(live, name, 0644, "");
	}
	live_file(live, "work/many/last", 0644, "");
	live_symlink(live, "b.key", "work/to-key");
	live_policy(live, "files { default allow; cover all; deny ENOENT all **/*.key, **/.env; deny ENOENT read **/*.pem; }");
	assert_int_equal(chdir(live_path(live, "work")), 0);
	says(live, "ls -A; ls many; stat b.key 2>&- || echo none; cat shown.pem 2>&- || echo none; cat to-key 2>&- || echo none; find . -name '*.key'",
	     "a\nmany\nshown.pem\nto-key\nlast\nnone\nnone\nnone\n");
	/* Without stat covered listings are the kernel's. */
	live_policy(live, "files { default allow; deny ENOENT read **/*.key; }");
	says(live, "ls -A", ".env\na\nb.key\nmany\nshown.pem\nto-key\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
static const struct CMUnitTest tests[] = {
	CASE(redirected_files), CASE(redirected_with_own_rights), CASE(answered_files), CASE(what_is_answered_is_not_allowed), CASE(answered_devices), CASE(refused_at_load),
	CASE(hidden_names),
};

int main(void)
{
	return cmocka_run_group_tests_name("live_substitute", tests, NULL, NULL);
}
