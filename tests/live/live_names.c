/* Calls that change directories and attributes: allowed, they are the kernel's; denied, they have the policy's errno and no effect. */
#include "compare.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static void prepare(struct live *live)
{
	live_file(live, "f", 0644, "content of f\n");
	live_file(live, "g", 0644, "g\n");
	live_file(live, "d/f", 0644, "in d\n");
	live_file(live, "d/e/g", 0640, "deep\n");
	live_mkdir(live, "empty", 0755);
	live_mkdir(live, "empty2", 0755);
	live_file(live, "locked/f", 0644, "locked\n");
	live_symlink(live, "f", "to-f");
	live_symlink(live, "d", "to-d");
	live_symlink(live, "missing", "dangling");
	live_symlink(live, "missing-d/x", "dangling-far");
	live_symlink(live, "loop", "loop");
	assert_int_equal(mkfifo(live_path(live, "fifo"), 0644), 0);
	assert_int_equal(chmod(live_path(live, "locked"), 0555), 0);
}

/* Nothing outside the tree: attributes are changed too, by root. */
static const char *const names[] = {
	"f", "f/", "f/x", "d", "d/", "d/.", "d/..", "d/f", "empty", "empty/", "empty/.", "locked/f", "locked/new", "to-f", "to-f/", "to-d",
	"to-d/", "to-d/f", "dangling", "dangling/", "dangling-far", "loop", "loop/x", "missing", "missing/", "missing/x", "fifo", ".",
	"\\e", "<256*a>", NULL,
};

static void compare(struct live *live, const char *script)
{
	live_policy(live, COMPARE_ALL);
	compare_script(live, prepare, script);
}

/* BEFORE name AFTER for each name, undone by nobody: the order is part of the comparison. */
static void compare_each(struct live *live, const char *before, const char *after)
{
	char *script = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&script, &len);
	for (const char *const *name = names; *name; name++)
		fprintf(to, "%s %s %s\n", before, *name, after);
	assert_int_equal(fclose(to), 0);
	compare(live, script);
	free(script);
}

static void mkdir_is_the_kernels(void **state)
{
	compare_each(*state, "mkdir", "");
	compare(*state, "mkdir ..\nmkdir /\nmkdir //\numask 0\ncall mkdirat cwd @a 07777\ncall mkdirat cwd @b 0\nmkdir b/x\ncall mkdirat 99 @c 0755\ncall mkdirat 99 @/tmp 0755\n"
			"open d rd\ncall mkdirat 3 @n 0700\ncall mkdirat 3 @n 0700\ncall mkdirat 3 @../up 0700\nopen f r\ncall mkdirat 4 @n 0700\n");
}

static void rmdir_and_unlink_are_the_kernels(void **state)
{
	compare_each(*state, "rmdir", "");
	compare_each(*state, "unlink", "");
	compare(*state, "rmdir ..\nrmdir /\nunlink ..\nunlink /\nopen d rd\ncall unlinkat 3 @f 0\ncall unlinkat 3 @e 0\ncall unlinkat 3 @e 0x200\ncall unlinkat 3 @e/g 0\ncall unlinkat 3 @e 0x200\n"
			"call unlinkat 3 @. 0x200\ncall unlinkat 3 @.. 0x200\nrmdir d\nopenat 3 x wc\n");
}

static void mknod_is_the_kernels(void **state)
{
	compare_each(*state, "mknod", "0100644 0");
	compare(*state,
		"mknod a 0 0\nmknod b 010640 0\nmknod c 0140600 0\nmknod dd 040755 0\nmknod e 0120777 0\nmknod h 0170000 0\nmknod i 020600 0x103\n"
		"mknod j 060600 0x700\numask 0\nmknod k 0107777 0\nmknod l 0644 0x103\ncall mknodat 99 @m 0644 0\ncall mknodat cwd @n 020600 0xffffffffffff\n"
		"mknod f 020600 0x103\nmknod f 040000 0\n");
}

static void symlink_is_the_kernels(void **state)
{
	compare_each(*state, "symlink target", "");
	compare(*state, "symlink \\e x\nsymlink <4095*a> y\nsymlink <4096*a> z\nsymlink /absolute/ w\nreadlink w\nsymlink f \\e\ncall symlinkat @a 99 @b\n"
			"open d rd\ncall symlinkat @../f 3 @link\nstat d/link\n");
}

/* Each name to each of some: what is moved is put back by moving it again. */
static void rename_is_the_kernels(void **state)
{
	static const char *const others[] = { "f", "new", "new/", "d", "d/", "empty", "empty/", "d/e/x", "locked/new", "locked/f", "to-f", "to-d",
					      "to-d/new", "dangling", "dangling/", "missing/x", ".", "d/..", "/", "fifo", NULL };
	struct live *live = *state;
	char *script = NULL;
	size_t len = 0;
	for (int half = 0; half < 2; half++) {
		FILE *to = open_memstream(&script, &len);
		for (const char *const *name = names; *name; name++)
			for (const char *const *other = others; *other; other++)
				/* Names that cannot be are refused before either is looked up. */
				if ((strlen(*name) + strlen(*other)) % 2 == (size_t)half && !strchr("\\<", **name))
					fprintf(to, "rename %s %s\nrename %s %s\n", *name, *other, *other, *name);
		assert_int_equal(fclose(to), 0);
		compare(live, script);
		free(script);
		script = NULL;
	}
	compare(live,
		"call renameat2 cwd @f cwd @g 1\ncall renameat2 cwd @f cwd @new 1\ncall renameat2 cwd @new cwd @g 2\ncall renameat2 cwd @new cwd @missing 2\n"
		"call renameat2 cwd @new cwd @d 2\ncall renameat2 cwd @d cwd @empty 2\ncall renameat2 cwd @new cwd @g 3\ncall renameat2 cwd @g cwd @white 4\n"
		"call renameat2 cwd @d cwd @d/e/under 0\ncall renameat2 cwd @missing cwd @d 1\ncall renameat2 cwd @. cwd @x 1\ncall renameat2 cwd @g cwd @. 1\n"
		"call renameat2 cwd @d cwd @d/e 2\ncall renameat2 99 @f cwd @x 0\ncall renameat2 cwd @g 99 @x 0\ncall renameat2 cwd @g cwd @g 8\n"
		"link g hard\nrename g hard\nstat g\nrename empty empty2\nrename empty2 d\nrename g empty2\nrename d g\n");
}

static void link_is_the_kernels(void **state)
{
	compare_each(*state, "link f", "");
	compare_each(*state, "link", "linked");
	compare(*state,
		"call linkat cwd @to-f cwd @a 0\ncall linkat cwd @to-f cwd @b 0x400\ncall linkat cwd @dangling cwd @c 0x400\ncall linkat cwd @dangling cwd @e 0\n"
		"open f r\ncall linkat 3 @ cwd @h 0x1000\nlinkfd 3 i\ncall linkat 3 @ cwd @h 0\ncall linkat cwd @ cwd @h 0x1000\ncall linkat cwd @fifo cwd @fifo2 0\n"
		"unlink f\nlink a \\e\nlink \\e a\nstat h\nstat i\nopen d rd\ncall linkat 4 @f 4 @f2 0\nlinkfd 4 dir\n");
}

static void attributes_are_the_kernels(void **state)
{
	compare_each(*state, "chmod", "0705");
	compare_each(*state, "utime", "");
	compare_each(*state, "truncate", "5");
	compare_each(*state, "chown", "-1 -1");
	compare(*state,
		"chmod f 07777\nchmod f 0\nopen f r\nopen g r\nfchmod 3 0600\nfchmod 4 04755\nfchmod 99 0600\ncall fchmodat cwd @to-f 0640\ncall fchmodat2 cwd @to-f 0640 0x100\n"
		"truncate g -1\ntruncate d 0\ntruncate fifo 0\ntruncate g 100000\nopen g w\ncall ftruncate 5 7\ncall ftruncate 4 7\ncall fallocate 5 0 0 100\n"
		"chmod g 06777\nchown g -1 -1\ncall fchownat cwd @to-f -1 -1 0x100\ncall fchown 4 -1 -1\nopen g pn\nfchmod 6 0600\ncall fchmodat cwd @/proc/self/fd/6 0611\n");
}

static void owners_are_the_kernels(void **state)
{
	struct live *live = *state;
	const char *script = "chown f 1 2\nchown g 1234 -1\nchown d -1 99\ncall fchownat cwd @to-f 5 5 0x100\ncall fchownat cwd @to-f 6 6 0\nopen f r\n"
			     "call fchown 3 7 7\ncall fchownat 3 @ 8 8 0x1000\nchmod g 06777\nchown g 0 0\nchown missing 0 0\n";
	compare(live, script);
}

static void xattrs_are_the_kernels(void **state)
{
	compare(*state,
		"setxattr f user.test value\ncall getxattr @f @user.test !out 100\nout 5\ncall getxattr @f @user.test !out 3\ncall getxattr @f @user.test !null 0\n"
		"call setxattr @f @user.test @other 5 1\ncall setxattr @f @user.new @other 5 2\ncall setxattr @f @user.new @other 5 1\ncall setxattr @f @user.new @other 5 3\n"
		"setxattr to-f user.test link\ncall lsetxattr @to-f @user.test @x 1 0\ncall lgetxattr @to-f @user.test !out 10\ncall setxattr @missing @user.test @x 1 0\n"
		"setxattr d user.test dir\nsetxattr fifo user.test fifo\nsetxattr f nonsense value\nsetxattr f security.test x\nsetxattr f trusted.test x\nsetxattr f user. x\n"
		"setxattr f user.<250*a> x\nsetxattr f user.<251*a> x\nsetxattr f \\e x\ncall setxattr @f @user.big @<3000*b> 3000 0\ncall setxattr @f @user.big @x 65537 0\n"
		"call listxattr @f !null 0\ncall listxattr @missing !null 0\ncall llistxattr @to-f !null 0\nopen f r\ncall fgetxattr 3 @user.test !out 100\nout 4\n"
		"call fsetxattr 3 @user.test @fd 2 0\ncall fremovexattr 3 @user.new\ncall flistxattr 3 !null 0\ncall removexattr @f @user.big\ncall removexattr @f @user.big\n"
		"call lremovexattr @to-f @user.test\ncall removexattr @to-f @user.test\ncall setxattr @f @user.empty !null 0 0\ncall getxattr @f @user.empty !out 5\n");
}

/* ---- denied --------------------------------------------------------------------------------- */

/* Every call that would change something below closed/: CALL, and the operation that is denied. */
static const struct {
	const char *op, *script;
} changes[] = {
	{ "create", "mkdir closed/new" }, { "create", "openm closed/new wc 0644" }, { "create", "openm closed/new rcx 0644" },
	{ "create", "mknod closed/new 0100644 0" }, { "create", "mknod closed/new 010644 0" }, { "create", "symlink x closed/new" },
	{ "create", "link open/f closed/new" }, { "create", "rename open/f closed/new" }, { "create", "openm closed wdm 0600" },
	{ "create", "call mkdirat cwd @to-closed/new 0755" }, { "create", "openm dangling wc 0644" },
	{ "create", "call renameat2 cwd @open/f cwd @closed/f 2" }, { "delete", "unlink closed/f" }, { "delete", "rmdir closed/empty" },
	{ "delete", "rename open/f closed/f" }, { "rename", "rename closed/f open/new" }, { "rename", "rename closed/f closed/g" },
	{ "rename", "call renameat2 cwd @closed/f cwd @open/f 2" }, { "link", "link closed/f open/new" }, { "write", "open closed/f w" },
	{ "write", "open to-closed-f +" }, { "append", "open closed/f a" }, { "truncate", "open closed/f rt" }, { "truncate", "open closed/f wt" },
	{ "truncate", "truncate closed/f 1" }, { "chmod", "chmod closed/f 0600" }, { "chmod", "call fchmodat2 cwd @closed/f 0600 0" },
	{ "chmod", "chmod closed 0700" }, { "chown", "chown closed/f -1 -1" }, { "chown", "call fchownat cwd @closed/f -1 -1 0x100" }, { "utime", "utime closed/f" },
	{ "xattr", "setxattr closed/f user.test x" }, { "xattr", "call removexattr @closed/f @user.test" },
	{ "xattr", "call setxattr @to-closed-f @user.test @x 1 0" }, { "read", "open closed/f r" }, { "read", "open closed/f +" },
	{ "read", "call getxattr @closed/f @user.test !out 10" }, { "list", "open closed rd" }, { "list", "open closed r" },
	{ "exec", "exec closed/program" }, { "chmod", "open closed/f r\nfchmod 3 0600" }, { "chown", "open closed/f r\ncall fchown 3 -1 -1" },
	{ "xattr", "open closed/f r\ncall fsetxattr 3 @user.test @x 1 0" }, { "utime", "open closed/f r\ncall utimensat 3 !null !null 0" },
	{ "mknod", "mknod closed/new 020600 0x103" }, { "stat", "stat closed/f" }, { "stat", "lstat closed/f" }, { "stat", "access closed/f 0" },
	{ "stat", "call readlinkat cwd @closed/link !out 10" }, { "stat", "call statfs @closed/f !out" }, { "stat", "call statx cwd @closed/f 0 0 !out" },
	{ "stat", "call listxattr @closed/f !null 0" }, { "read", "call inotify_init1 0\ncall inotify_add_watch 3 @closed/f 2" },
};

static void prepare_closed(struct live *live)
{
	live_file(live, "open/f", 0644, "open\n");
	live_file(live, "closed/f", 0644, "closed\n");
	live_mkdir(live, "closed/empty", 0755);
	live_symlink(live, "f", "closed/link");
	live_symlink(live, "closed", "to-closed");
	live_symlink(live, "closed/f", "to-closed-f");
	live_symlink(live, "closed/made", "dangling");
	live_file(live, "closed/program", 0755, "#!/bin/sh\nexit 0\n");
	(void)setxattr(live_path(live, "closed/f"), "user.test", "x", 1, 0);
}

/* The last answer of SCRIPT. */
static const char *last_answer(struct live *live, const char *script)
{
	live->input = script;
	assert_int_equal(chdir(live->dir), 0);
	live_run(live, (const char *const[]){ live_probe(), "script", NULL });
	assert_int_equal(chdir("/"), 0);
	live->input = NULL;
	char *at = NULL;
	for (char *next = live->out; (next = strstr(next, " => ")); next += 4)
		at = next + 4;
	if (!at)
		fail_msg("no answer: %s\n%s", live->out, live->err);
	at[strcspn(at, "\n")] = '\0';
	return at;
}

static void denied_calls_have_no_effect(void **state)
{
	struct live *live = *state;
	prepare_closed(live);
	char *before = live_snapshot(live);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char policy[400];
		snprintf(policy, sizeof(policy), "files { default deny ENXIO; allow all /; cover all; deny %s $dir/closed/; }\n", changes[i].op);
		live_policy(live, policy);
		const char *answer = last_answer(live, changes[i].script);
		bool exec = strcmp(changes[i].op, "exec") == 0;	/* the probe says 126 for any errno but ENOENT */
		if (strcmp(answer, exec ? "ok 126" : "ENXIO") != 0)
			fail_msg("deny %s: %s => %s\n%s", changes[i].op, changes[i].script, answer, live->err);
		assert_true(live_audited(live, "deny", NULL) >= 1);
		char *after = live_snapshot(live);
		if (strcmp(before, after) != 0)
			fail_msg("deny %s: %s has changed the tree\n%s\n%s", changes[i].op, changes[i].script, before, after);
		free(after);
	}
	free(before);
}

/* The same calls when only the others are denied: the denial above was for that operation alone. */
static void other_rules_do_not_deny_them(void **state)
{
	struct live *live = *state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		if (strcmp(changes[i].op, "mknod") == 0 && !live_root())
			continue;
		live_clear(live);
		prepare_closed(live);
		live_policy(live, COMPARE_ALL);
		const char *answer = last_answer(live, changes[i].script);
		if (strncmp(answer, "ok", 2) != 0)
			fail_msg("%s => %s\n%s", changes[i].script, answer, live->err);
	}
}

/* ---- no move gains rights ------------------------------------------------------------------- */

static void prepare_trees(struct live *live)
{
	live_file(live, "rw/f", 0644, "f\n");
	live_file(live, "rw/d/f", 0644, "f\n");
	live_file(live, "ro/f", 0644, "f\n");
	live_file(live, "secret/f", 0644, "f\n");
	live_file(live, "rw/.git/config", 0644, "f\n");
	live_mkdir(live, "rw/empty", 0755);
	live_mkdir(live, "keep", 0755);
	live_mkdir(live, "keep/d", 0755);
	live_file(live, "keep/d/f", 0644, "f\n");
}

static void moving_gains_no_rights(void **state)
{
	struct live *live = *state;
	prepare_trees(live);
	live_policy(live,
		"files { default deny EACCES; allow all /;\n"
		"  deny read $dir/secret/; deny write $dir/ro/; deny read $dir/**/.git/; allow rename,link,stat $dir/secret/;\n"
		"  deny delete $dir/keep/*/**; }\n");
	/* Unreadable would become readable; unwritable writable. */
	script_expect(live, "rename secret/f rw/new\nlink secret/f rw/new\nrename secret secret2\nrename ro/f rw/new\nlink ro/f rw/new\nrename ro rw/ro\n",
		      "rename secret/f rw/new => EXDEV\nlink secret/f rw/new => EXDEV\nrename secret secret2 => EXDEV\nrename ro/f rw/new => EXDEV\n"
		      "link ro/f rw/new => EXDEV\nrename ro rw/ro => EXDEV\n");
	assert_true(live_audited(live, "deny", NULL) >= 6);
	/* A .git below it is as closed there as here. Where something below may not be deleted, the whole may not leave. */
	script_expect(live, "rename rw/d rw/d2\nrename rw/d2 rw/d\nrename keep/d keep2\nrename rw/f secret/into\nlink rw/d/f rw/d/hard\n",
		      "rename rw/d rw/d2 => ok\nrename rw/d2 rw/d => ok\nrename keep/d keep2 => EXDEV\nrename rw/f secret/into => ok\n"
		      "link rw/d/f rw/d/hard => ok\n");
	/* Into what is stricter, if all that is asked for is allowed. */
	script_expect(live, "rename secret/into ro/into\nrename rw/d/hard ro/into\ncat ro/into\nlink rw/d/f ro/hard\n", "rename secret/into ro/into => EXDEV\nrename rw/d/hard ro/into => ok\ncat ro/into => ok f\nlink rw/d/f ro/hard => ok\n");
	/* An exchange is two moves. */
	script_expect(live, "call renameat2 cwd @rw/d/f cwd @ro/f 2\ncall renameat2 cwd @ro/f cwd @rw/d/f 2\nrename ro/f ro/f2\n",
		      "call renameat2 cwd @rw/d/f cwd @ro/f 2 => EXDEV\ncall renameat2 cwd @ro/f cwd @rw/d/f 2 => EXDEV\nrename ro/f ro/f2 => ok\n");
	/* mv copies then: and cannot, what it may not read. */
	char script[300];
	snprintf(script, sizeof(script), "cd %s && mv ro/f2 rw/copied && cat rw/copied && ! mv secret/f rw/x 2>/dev/null", live->dir);
	live_policy(live, "files { default deny EACCES; allow all /; deny write $dir/ro/; deny read $dir/secret/; allow rename,link,stat $dir/secret/; }");
	assert_int_equal(live_sh(live, script), 0);
	assert_string_equal(live->out, "f\n");
	assert_int_equal(access(live_path(live, "secret/f"), F_OK), 0);
}

/* A directory by any way that could be swapped in while it is moved. */
static void moving_below_a_pattern(void **state)
{
	struct live *live = *state;
	prepare_trees(live);
	live_policy(live, "files { default deny EACCES; allow all /; deny read **/x/secret; }\n");
	live_mkdir(live, "x", 0755);
	live_file(live, "x/secret", 0644, "s\n");
	live_mkdir(live, "y", 0755);
	live_file(live, "y/secret", 0644, "s\n");
	script_expect(live, "rename x z\nrename x/secret x/other\nlink x/secret other\nrename y x2\nrename y w\nrename f2 g\nrename rw/d x/d\nrename x x\n",
		      "rename x z => EXDEV\nrename x/secret x/other => EXDEV\nlink x/secret other => EXDEV\nrename y x2 => ok\nrename y w => ENOENT\n"
		      "rename f2 g => ENOENT\nrename rw/d x/d => ok\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, compare_teardown)
	const struct CMUnitTest tests[] = {
		CASE(mkdir_is_the_kernels),
		CASE(rmdir_and_unlink_are_the_kernels),
		CASE(mknod_is_the_kernels),
		CASE(symlink_is_the_kernels),
		CASE(rename_is_the_kernels),
		CASE(link_is_the_kernels),
		CASE(attributes_are_the_kernels),
		CASE(owners_are_the_kernels),
		CASE(xattrs_are_the_kernels),
		CASE(denied_calls_have_no_effect),
		CASE(other_rules_do_not_deny_them),
		CASE(moving_gains_no_rights),
		CASE(moving_below_a_pattern),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
