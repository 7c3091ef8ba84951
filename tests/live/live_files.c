/* Opening and looking, compared with the kernel: the same script natively and under usher must give the same answers. */
#include "compare.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Files of many kinds; the same names for every comparison. */
static void prepare(struct live *live)
{
	live_file(live, "f", 0644, "content of f\n");
	live_file(live, "empty", 0600, "");
	live_file(live, "readonly", 0444, "read only\n");
	live_file(live, "writeonly", 0222, "");
	live_file(live, "none", 0000, "none\n");
	live_file(live, "d/f", 0644, "in d\n");
	live_file(live, "d/e/g", 0640, "deep\n");
	live_mkdir(live, "closed", 0755);
	live_file(live, "closed/f", 0644, "closed\n");
	live_mkdir(live, "hollow", 0755);
	live_symlink(live, "f", "to-f");
	live_symlink(live, "d", "to-d");
	live_symlink(live, "d/f", "to-df");
	live_symlink(live, "missing", "dangling");
	live_symlink(live, "d/new", "dangling-in-d");
	live_symlink(live, "nowhere/new", "dangling-far");
	live_symlink(live, "loop", "loop");
	live_symlink(live, "loop-b", "loop-a");
	live_symlink(live, "loop-a", "loop-b");
	live_symlink(live, "to-d/../to-f", "winding");
	live_symlink(live, "f/", "slashed");
	live_symlink(live, "d/", "slashed-d");
	live_symlink(live, "..", "d/up");
	char to[200];
	snprintf(to, sizeof(to), "%s/f", live->dir);
	live_symlink(live, to, "absolute");
	for (int i = 0; i < 42; i++) {	/* chain-N follows N + 1 links */
		char name[32], next[32];
		snprintf(name, sizeof(name), "chain-%d", i);
		snprintf(next, sizeof(next), i ? "chain-%d" : "f", i - 1);
		live_symlink(live, next, name);
	}
	assert_int_equal(mkfifo(live_path(live, "fifo"), 0644), 0);
	live_file(live, "xattr", 0644, "x");
	(void)setxattr(live_path(live, "xattr"), "user.test", "value", 5, 0);
	assert_int_equal(chmod(live_path(live, "closed"), 0000), 0);
}

static void compare(struct live *live, const char *script)
{
	live_policy(live, COMPARE_ALL);
	compare_script(live, prepare, script);
}

/* Opens for every combination of NAMES and FLAGS, and then AFTER. */
static void compare_all(struct live *live, const char *after, const char *const *names, const char *const *flags)
{
	char *script = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&script, &len);
	for (; *names; names++)
		for (const char *const *flag = flags; *flag; flag++)
			fprintf(to, "openm %s %s 0640\n%s", *names, *flag, after);
	assert_int_equal(fclose(to), 0);
	assert_true(len > 0 && len < 60000);	/* what a pipe holds */
	compare(live, script);
	free(script);
}

static const char *const all_names[] = {
	"f", "./f", "d/../f", "f/", "f/.", "f/x", "d", "d/", "d/.", "d/..", "d/f", "d//f", "d/e/g", "none", "readonly", "writeonly",
	"closed", "closed/f", "closed/", "to-f", "to-f/", "to-d", "to-d/", "to-d/f", "to-df", "dangling", "dangling/", "dangling-in-d",
	"dangling-far", "loop", "loop/", "loop-a", "winding", "slashed", "slashed-d", "d/up/f", "d/up", "absolute", "missing",
	"missing/", "missing/x", "missing/..", "chain-38", "chain-39", "chain-40", ".", "..", "./", "/", "//", "\\e", NULL,
};

static void open_for_reading(void **state)
{
	compare_all(*state, "read 3\nclose 3\n", all_names,
		    (const char *const[]){ "rb", "rnb", "rdb", "rdnb", "ptb", NULL });
}

static void open_for_writing(void **state)
{
	static const char *const names[] = {
		"f", "f/", "d", "d/", "none", "readonly", "writeonly", "closed/f", "to-f", "to-f/", "to-d", "to-df", "dangling", "dangling/",
		"dangling-in-d", "dangling-far", "loop", "winding", "slashed", "absolute", "missing", "missing/", "missing/x", "chain-39",
		"chain-40", ".", "..", "/", "\\e", "d/.", "d/new", "f/x", NULL,
	};
	compare_all(*state, "fstat 3\nwrite 3 X\nclose 3\n", names,
		    (const char *const[]){ "w", "+n", "at", "wc", "wcx", "wcn", "rc", NULL });
	compare_all(*state, "fstat 3\nclose 3\n", names,
		    (const char *const[]){ "wct", "rt", "wcd", "wm", "wdm", "rdm", "wdmx", "dcx", NULL });
}

static void open_creat(void **state)
{
#ifdef __x86_64__
	compare(*state,
		"call creat @new 0666\nfstat 3\ncall creat @f 0666\ncall creat @d 0\ncall creat @dangling 07777\nfstat 5\n"
		"call creat @missing/x 0644\ncall creat @none 0\ncall open @new2 0102 017777\nfstat 6\n"
		"call open @f 0x7f000000\ncall open @f 3\ncall open @f 0x400003\ngetfl 7\nfds\n");
#else
	(void)state;
	skip();
#endif
}

static void openat2_arguments(void **state)
{
	compare(*state,
		"how cwd f 24 0 0 0 0\nhow cwd f 23 0 0 0 0\nhow cwd f 0 0 0 0 0\nhow cwd f 25 0 0 0 0\nhow cwd f 25 0 0 0 1\n"
		"how cwd f 4096 0 0 0 0\nhow cwd f 4096 0 0 0 7\nhow cwd f 4097 0 0 0 0\nhow cwd f 0x100000000 0 0 0 0\n"
		"how cwd f 24 0x40000000 0 0 0\nhow cwd f 24 0 0644 0 0\nhow cwd new 24 0101 010000 0 0\nhow cwd new 24 0101 0600 0 0\n"
		"how cwd f 24 0200101 0600 0 0\nhow cwd f 24 0x100000000 0 0 0\nhow cwd f 24 0 0 0x40 0\nhow cwd f 24 0 0 0x18 0\n"
		"how cwd . 24 020200002 0600 0 0\nhow cwd . 24 020000002 0600 0 0\nhow cwd . 24 020200000 0600 0 0\n"
		"how cwd f 24 010000003 0 0 0\nhow cwd f 24 010001000 0 0 0\n"
		"how cwd to-f 24 0 0 4 0\nhow cwd to-d/f 24 0 0 4 0\nhow cwd f 24 0 0 4 0\nhow cwd ../f 24 0 0 8 0\nhow cwd d/../f 24 0 0 8 0\n"
		"how cwd absolute 24 0 0 8 0\nhow cwd / 24 0 0 8 0\nhow cwd d/up/f 24 0 0 8 0\nhow cwd d/up/../f 24 0 0 8 0\n"
		"how cwd ../f 24 0 0 16 0\nhow cwd ../../../f 24 0 0 16 0\nhow cwd /f 24 0 0 16 0\nhow cwd absolute 24 0 0 16 0\n"
		"how cwd /proc/self/fd/0 24 0 0 2 0\nhow cwd /proc/self/exe 24 0 0 16 0\nhow cwd /proc/self/cwd/f 24 0 0 2 0\n"
		"how cwd /proc/self/status 24 0 0 1 0\nhow cwd f 24 0 0 1 0\n"
		"how cwd new3 24 0101 0600 0x20 0\nhow 99 f 24 0 0 0 0\nhow 3 f 24 0 0 0 0\n"
		"call openat2 cwd @f !bad 24\ncall openat2 cwd !bad !out 24\ncall openat2 cwd @f !null 24\n"
		"open d rd\nhow 20 f 24 0 0 8 0\nhow 20 ../f 24 0 0 8 0\nfds\n");
}

/* But for O_NOFOLLOW, which is lost where the object was pinned first. */
static void flags_stay_visible(void **state)
{
	static const char *const flags[] = { "r", "w", "+", "a", "re", "wb", "02001", "04010000", "0100000", "rd",
					     "01000000", "020000", "0400", "wct", "+cx", "010000002", NULL };
	static const char *const names[] = { "f", "d", "to-f", "fifo", "fresh", "/dev/null", "/dev/zero", "/proc/self/status", NULL };
	char *script = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&script, &len);
	for (const char *const *name = names; *name; name++)
		for (const char *const *flag = flags; *flag; flag++) {
			if (strcmp(*name, "fifo") == 0 && !strpbrk(*flag, "+b"))
				continue;
			fprintf(to, "openm %s %s 0600\ngetfl 3\nclose 3\n", *name, *flag);
		}
	assert_int_equal(fclose(to), 0);
	compare(*state, script);
	free(script);
}

static void descriptors_are_the_lowest(void **state)
{
	compare(*state,
		"open f r\nopen f re\nopen d rd\nopen f w\nfds\nclose 4\nopen f r\ngetfl 4\nclose 3\nclose 5\nopen f re\nopen to-f r\n"
		"getfl 3\ngetfl 5\ndup2 3 40\nopen f r\nclose 0\nopen f r\nfds\n");
}

static void emfile_comes_before_anything_is_made(void **state)
{
	compare(*state,
		"open f r\nnofile 4\nopen f r\nopen new wc\nopen new wcx\nopen f wt\nopen . wm\nopen f pn\n"
		"open \\e r\ncall openat cwd !bad 0\nclose 3\nopen f wt\nfstat 3\nnofile 3\nopen f r\nnofile 0\n"
		"open new wc\nmkdir made\nstat f\nnofile 10\nopen new wc\nfds\n");
}

static void memory_that_cannot_be_read(void **state)
{
	compare(*state,
		"call openat cwd !bad 0\ncall openat cwd !null 0\ncall openat cwd 1 0\ncall openat cwd 0x8000000000000000 0\n"
		"call openat cwd !edge=f 0\ncall openat cwd !noend=f 0\ncall openat cwd !edge=d/e/g 0\ncall openat cwd !edge=missing 0\n"
		"call openat cwd !edge= 0\ncall openat 99 !bad 0\ncall openat 99 !edge=f 0\ncall openat 99 @/ 0\ncall openat 99 !edge= 0\n"
		"call mkdirat cwd !bad 0755\ncall mkdirat cwd !noend=m 0755\ncall mkdirat cwd !edge=m 0755\n"
		"call renameat cwd !bad cwd @x\ncall renameat cwd @f cwd !bad\ncall renameat cwd !edge=f cwd !edge=moved\n"
		"call linkat cwd !bad cwd @x 0\ncall linkat cwd @moved cwd !bad 0\ncall symlinkat !bad cwd @x\ncall symlinkat @x cwd !bad\n"
		"call symlinkat !edge=target cwd !edge=made\ncall unlinkat cwd !bad 0\ncall unlinkat cwd !noend=moved 0\n"
		"call newfstatat cwd !bad !out 0\ncall newfstatat cwd @d !bad 0\ncall newfstatat cwd @d !short=100 0\ncall newfstatat cwd @missing !bad 0\n"
		"call statx cwd @d 0 0x7ff !bad\ncall statx cwd !bad 0 0x7ff !out\ncall readlinkat cwd @to-f !bad 10\n"
		"call readlinkat cwd @to-f !short=3 3\ncall readlinkat cwd !bad !out 10\ncall readlinkat cwd @to-f !out 0\ncall readlinkat cwd @to-f !out -1\n"
		"call faccessat cwd !bad 4\ncall truncate !bad 0\ncall chdir !bad\ncall statfs @d !bad\ncall statfs !bad !out\n"
		"call fchmodat cwd !bad 0644\ncall fchownat cwd !bad 0 0 0\ncall utimensat cwd @d !bad 0\ncall utimensat cwd !bad !null 0\n"
		"call getxattr !bad @user.test !out 100\ncall getxattr @xattr !bad !out 100\ncall getxattr @xattr @user.test !bad 100\n"
		"call setxattr @xattr @user.test !bad 5 0\ncall setxattr !bad @user.test @value 5 0\ncall execve !bad !null !null\n"
		"call mknodat cwd !bad 0100644 0\n");
}

static void long_names(void **state)
{
	compare(*state,
		"call openat cwd @<2046*./>f 0\nopen <2047*./>f r\nopen <2047*./>ff r\nopen <2048*./>f r\nopen <4095*/> rd\nopen <4096*/> rd\n"
		"call openat cwd !edge=<2047*./>f 0\nopen <255*a> wc\nopen <256*a> wc\nopen <255*a> r\nopen <256*a> r\nmkdir <255*b>\n"
		"mkdir <256*b>\nopen <255*b>/<255*c> wc\nopen <256*b>/x r\nrename <255*a> <255*z>\nrename <255*z> <256*z>\n"
		"mkdir <2046*./>nn\nmkdir <2047*./>nn\nmkdir <2047*./>n\nsymlink <4095*t> l\nsymlink <4096*t> l2\nreadlink l\nopen l r\nsymlink <4094*t> l3\n"
		"stat <4094*/>f\nstat <4095*/>f\nunlink <2047*./>f\nopen <300*d/../>f r\nopen <1000*d/../>d/f r\nchdir <4000*/>\n");
}

static void names_that_are_not_text(void **state)
{
	compare(*state,
		"open \\xff\\xfe wc\nopen \\xff\\xfe r\nmkdir \\x01\\x7f\nopen \\x01\\x7f/\\xc3 wcx\nrename \\xff\\xfe \\xf0\\x28\\x8c\nsymlink \\xfe \\xfd\n"
		"readlink \\xfd\nstat \\xf0\\x28\\x8c\nopen a\\sb wc\nopen a\\x0ab wc\nopen \\x1b[31m wc\nlink a\\sb \\x22\nstat \\x22\nunlink a\\x0ab\n");
}

static void errors_in_the_kernels_order(void **state)
{
	compare(*state,
		"call openat 99 @f 0\ncall openat 99 @f 0x20000000\ncall openat 99 @f 0200100\ncall openat 99 @ 0\ncall openat 0 @f 0\n"
		"open f r\nopenat 3 f r\nopenat 3 /dev/null r\nopenat 3 \\e r\nopenat -5 f r\nopenat -1 f r\nopenat -1 /dev/null r\n"
		"call openat 3 @x 0102 0600\ncall unlinkat 3 @x 0\ncall unlinkat cwd @d 0\ncall unlinkat cwd @d 0x200\ncall unlinkat cwd @f 0x200\n"
		"call unlinkat 99 @f 0x400\ncall unlinkat cwd !bad 0x400\ncall renameat2 cwd @missing cwd @x 99\ncall renameat2 99 @missing 98 @x 0\n"
		"call linkat cwd @missing cwd @x 0x200\ncall linkat 99 @missing cwd @x 0\ncall faccessat2 cwd @f 8 0\ncall faccessat2 cwd @f 0 1\n"
		"call newfstatat cwd @f !out 0x1\ncall newfstatat 99 @f !out 0\ncall newfstatat 99 @ !out 0x1000\ncall newfstatat 3 @ !out 0x1000\n"
		"call readlinkat cwd @f !out -5\ncall readlinkat 3 @ !out 10\ncall utimensat cwd @f !null 7\ncall utimensat 3 !null !null 0\n"
		"call fchownat cwd @f -1 -1 1\ncall fchownat 3 @ -1 -1 0x1000\ncall fchmodat2 3 @ 0600 0x1000\ncall fchmodat2 cwd @to-f 0600 0x100\n"
		"call fchmodat2 cwd @f 0600 1\ncall statx cwd @f 0x6000 0 !out\n");
}

static void looking_gives_the_same_bytes(void **state)
{
	struct live *live = *state;
	char *script = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&script, &len);
	for (const char *const *name = all_names; *name; name++)
		if (strcmp(*name, "..") != 0)	/* /tmp: others change it */
			fprintf(to, "stats %s\n", *name);
	fprintf(to, "stats fifo\nstats /dev/null\nstats /usr/bin\nstats /bin/sh\nstats /proc/1/cmdline\nstats /etc/shadow\n"
		    "stats <255*x>\nstats <256*x>\nstats <2047*./>f\nstats <2048*./>f\n");
	assert_int_equal(fclose(to), 0);
	/* In one tree: inode numbers and times must be the same. */
	live_clear(live);
	prepare(live);
	free(live_snapshot(live));	/* reads: what relatime changes, it changes now */
	live_policy(live, COMPARE_ALL);
	/* Procfs numbers an inode anew when it has forgotten it. */
	int held = open("/proc/1/cmdline", O_PATH | O_CLOEXEC);
	compare_script(live, NULL, script);
	close(held);
	free(script);
}

static void descriptors_are_looked_at_the_same(void **state)
{
	struct live *live = *state;
	live_clear(live);
	prepare(live);
	free(live_snapshot(live));	/* reads: what relatime changes, it changes now */
	live_policy(live, COMPARE_ALL);
	compare_script(live, NULL,
		"open d rd\nopen to-f r\nopen f pn\nopen to-f pn\ncall newfstatat 3 @ !out 0x1000\nout 144\ncall newfstatat 3 @f !out 0\nout 144\n"
		"call newfstatat 4 @ !out 0x1000\nout 144\ncall newfstatat 6 @ !out 0x1000\nout 144\ncall newfstatat 5 @ !out 0x1000\nout 144\n"
		"call readlinkat 6 @ !out 100\nout 16\ncall readlinkat 5 @ !out 100\ncall statx 6 @ 0x1000 0x7ff !out\nout 256\n"
		"call newfstatat 3 @../to-f !out 0x100\nout 144\ncall newfstatat 3 @/ !out 0\nout 144\ncall faccessat2 4 @ 4 0x1000\n"
		"call faccessat2 3 @f 4 0\ncall readlinkat 3 @up !out 10\nout 4\ncall statfs @to-d !null\nstat /proc/self/fd/3\nstat /proc/self/fd/5\n"
		"stat /dev/fd/4\nstats /proc/self/fd/99\nstat /proc/self/exe\nstats /proc/self/cwd/f\nstats /proc/self/root/usr\n"
		"readlink /proc/self/cwd\nreadlink /proc/self/fd/3\nreadlink /proc/self/fd/6\nreadlink /dev/fd\nopenat 5 \\e r\nopenat 3 up/f r\n");
}

/* What makes the walk's rights differ: other people's files, and other people. */
static void rights_are_the_callers(void **state)
{
	struct live *live = *state;
	if (!live_root()) {
		print_message("skipped: becoming somebody else needs root\n");
		skip();
	}
	compare(live,
		"call fchownat cwd @closed 1234 1234 0\ncall fchmodat cwd @closed 0750\ncall fchmodat cwd @. 01777\ncreds 0 1234 1234\n"
		"open closed/f r\nopen closed/new wc\nopen f w\nopen none r\nopen mine wc\nfstat 3\nunlink f\nrename f g\nmkdir dir\nstat readonly\n"
		"access f 2\naccess none 4\ncall faccessat2 cwd @none 4 0x200\ncall faccessat2 cwd @f 2 0x200\ncall faccessat2 cwd @mine 2 0x200\n"
		"chmod f 0777\nchmod mine 0600\nchown mine 0 0\ncall fchownat cwd @mine -1 1234 0\ncall utimensat cwd @f !null 0\nopen f 01000000\n"
		"link f hard\nlink mine hard\ncreds 1234 0 1234\naccess none 4\ncall faccessat2 cwd @none 4 0x200\n");
	compare(live, "call fchmodat cwd @. 01777\nfsuid 1234\nopen none r\nopen by-1234 wc\nfstat 4\nunlink readonly\nfsuid 0\nopen none r\n");
}

static void umask_and_default_acl(void **state)
{
	struct live *live = *state;
	compare(live,
		"umask 077\nopenm a wc 0666\nfstat 3\nmkdir b\numask 0\nopenm c wc 0666\nopenm e wcx 07777\nmkdir g\numask 0027\nopenm h wc 0777\n"
		"call mknodat cwd @i 0100666 0\ncall mkdirat cwd @j 07777\ncall mkdirat cwd @k 01777\nopenm . wdm 0666\nlinkfd 7 l\n");
	/* version 2; user::rwx, user:0:rwx, group::rwx, mask::rwx, other::r-x */
	static const unsigned char acl[] = {
		2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 7, 0, 0, 0, 0, 0, 4, 0, 7, 0, 255, 255, 255, 255,
		16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 5, 0, 255, 255, 255, 255,
	};
	live_clear(live);
	live_mkdir(live, "acl", 0755);
	if (setxattr(live_path(live, "acl"), "system.posix_acl_default", acl, sizeof(acl), 0) < 0) {
		print_message("skipped: no ACLs in /tmp\n");
		skip();
	}
	live_clear(live);
	live_policy(live, COMPARE_ALL);
	/* A NUL ends a word of a script: the directory is made beforehand. */
	live_mkdir(live, "acl", 0755);
	assert_int_equal(setxattr(live_path(live, "acl"), "system.posix_acl_default", acl, sizeof(acl), 0), 0);
	compare_script(live, NULL,
		"umask 077\nopenm acl/a wc 0666\nfstat 3\ncall mkdirat cwd @acl/b 0777\nstats acl/zz\nopenm acl/c wc 0600\nfstat 4\n"
		"call mknodat cwd @acl/d 0100666 0\nopen acl/d r\nfstat 5\ncall getxattr @acl/a @system.posix_acl_access !out 200\nout 44\n"
		"unlink acl/a\nunlink acl/c\nunlink acl/d\nrmdir acl/b\n");
}

static void proc_means_the_program(void **state)
{
	compare(*state,
		"open /proc/self/fd/0 r\nopen f r\nopen /dev/fd/4 r\nread 5\nopen /proc/self/fd/4 w\nopen /proc/thread-self/status r\nopen /proc/self/cwd/f r\n"
		"open /proc/self/root/etc/passwd r\nopen /proc/self/fd/99 r\nopen /dev/fd/99 r\nopen /proc/self/nothing r\nopen /proc/self/fd rd\n"
		"open /proc/self/task rd\ncat /proc/self/comm\ncat /proc/thread-self/comm\nopen /proc/self/mem r\nopen /proc/self/exe r\nopen /proc/self/exe w\n"
		"open /proc/self/fd/4 pn\nreadlink /proc/self/fd/4\nopenat 11 4 r\nopen /proc/self/cwd/d/../to-f r\nopen /dev/stdin r\nfds\n");
}

static void deleted_directories(void **state)
{
	compare(*state,
		"mkdir gone\nopen gone rd\nchdir gone\ncall unlinkat cwd @../gone 0x200\nopen x r\nopen x wc\nopen . rd\nopen .. rd\nopen ../f r\nmkdir y\n"
		"cwd\nstat .\nstat ..\nopenat 3 x wc\nopenat 3 . rd\nopenat 3 .. rd\ncall symlinkat @a cwd @b\nopen /proc/self/cwd rd\n"
		"open /proc/self/cwd/x wc\nrename ../f z\nlink ../f z\nopen f r\nchdir ..\nopen f r\n");
	compare(*state, "open f r\nunlink f\nread 3\nopen /proc/self/fd/3 r\nread 4\nopen f r\nopen to-f r\nopen to-f wc\nfstat 3\n");
}

static void temporary_files(void **state)
{
	compare(*state,
		"openm . wdm 0640\nopenm d +dm 0600\nwrite 3 hello\nfstat 3\nlinkfd 3 named\nstat named\nlinkfd 4 d/named\nopenm f wdm 0600\n"
		"openm missing wdm 0600\nopenm to-d wdm 0600\nopenm . 020200001 0600\nopenm . 020200201 0600\nlinkfd 6 never-linked\nopenm closed wdm 0600\n"
		"getfl 3\n");
}

static void devices_and_terminals(void **state)
{
	compare(*state,
		"open fifo wb\nopen fifo rb\nopen fifo wb\nopen fifo +\nwrite 4 hello\nread 5\nread 3\nread 3\nopen fifo rd\nopen fifo rcx\nopen fifo/ r\nopen fifo wct\n"
		"open /dev/full w\nwrite 7 x\nopen /dev/null w\nopen /dev/zero r\nopen /dev/urandom r\nopen /dev/tty r\nopen /dev/tty +\nopen /dev/null rd\n"
		"open /dev/null wct\nopen /dev/null/ r\nopen /dev/null rcx\nopen /dev/ptmx +\nopen /dev/pts/ptmx +\nfds\n");
}

/* See probe_scene.c. */
static void scene(struct live *live, const char *name)
{
	live_policy(live, COMPARE_ALL);
	assert_int_equal(chmod(live->dir, 0755), 0);
	compare_run(live, prepare, (const char *const[]){ live_probe(), name, live->dir, NULL });
	if (live->status)
		fail_msg("%s: %s%s", name, live->out, live->err);
}

#define SCENE(name)                                    \
	static void name(void **state)                 \
	{                                              \
		scene(*state, #name);                  \
	}

SCENE(busy_after_close)
SCENE(locks_are_handed_over)
SCENE(end_of_fifo_after_close)
SCENE(threads_look_at_their_own_proc)
SCENE(directory_changed_by_another_thread)
SCENE(threads_that_unshare)
SCENE(leader_has_gone)
SCENE(threads_open_at_once)
SCENE(leases_are_broken)
SCENE(terminal_of_a_session)

static void owners_under_user(void **state)
{
	struct live *live = *state;
	if (!live_root()) {
		print_message("skipped: --user needs root\n");
		skip();
	}
	live_share_probe(live);
	live_policy(live, "files { default deny; allow all /; cover all; }");
	prepare(live);
	assert_int_equal(chmod(live->dir, 01777), 0);
	live->options[0] = "--user";
	live->options[1] = "1234:99";
	script_expect(live,
		"open new wc\nfstat 3\nmkdir dir\ncall mknodat cwd @node 0100600 0\nsymlink x sym\ncall mknodat cwd @pipe 010600 0\nopenm . wdm 0600\n"
		"fstat 4\nlinkfd 4 tmp\nopen f w\nopen none r\nopen f 01000000\nopen closed/f r\nunlink f\nrename f mine\naccess f 2\nlink none hard\n",
		"fstat 3 => ok 100644 1234:99 0 1\nfstat 4 => ok 100600 1234:99 0 0\nopen f w => EACCES\nopen none r => EACCES\n"
		"open f 01000000 => EPERM\nopen closed/f r => EACCES\nunlink f => EPERM\nrename f mine => EPERM\naccess f 2 => EACCES\nlinkfd 4 tmp => ok\n");
	static const char *const made[] = { "new", "dir", "node", "sym", "pipe", "tmp" };
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		struct stat st;
		assert_int_equal(lstat(live_path(live, made[i]), &st), 0);
		assert_int_equal(st.st_uid, 1234);
		assert_int_equal(st.st_gid, 99);
	}
}

static void odd_names_in_the_audit_log(void **state)
{
	struct live *live = *state;
	live_policy(live, "files { default deny EACCES; allow all /; deny read $dir/odd/; }");
	live_file(live, "odd/\xff\xfe", 0644, "x");
	live_file(live, "odd/new\nline\x1b[31m", 0644, "x");
	script_expect(live, "open odd/\\xff\\xfe r\nopen odd/new\\x0aline\\x1b[31m r\n",
		      "open odd/\\xff\\xfe r => EACCES\nopen odd/new\\x0aline\\x1b[31m r => EACCES\n");
	assert_int_equal(live_audited(live, "deny", NULL), 2);	/* and it is JSON */
	assert_int_equal(live_audited(live, "deny", "/odd/new\nline\x1b[31m"), 1);
	char *log = live_audit(live), *at = strstr(log, "\"path_b64\":\""), command[4096];
	assert_non_null(at);
	assert_null(memchr(log, 0xff, strlen(log)));
	at += strlen("\"path_b64\":\"");
	*strchr(at, '"') = '\0';
	snprintf(command, sizeof(command), "test \"$(echo '%s' | base64 -d)\" = \"$(printf '%s/odd/\\377\\376')\"", at, live->dir);
	assert_int_equal(system(command), 0);
	free(log);
}

/* The comparisons are of brokered calls: each left a record. */
static void all_of_this_is_brokered(void **state)
{
	struct live *live = *state;
	live_policy(live, COMPARE_ALL "audit { level all; }");
	prepare(live);
	script_expect(live, "open f r\nopen d/f w\nstat f\nmkdir x\n", "open f r => ok 3\n");
	assert_int_equal(live_audited(live, "allow", "/f"), 3);
	assert_int_equal(live_audited(live, "allow", "/x"), 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, compare_teardown)
	const struct CMUnitTest tests[] = {
		CASE(open_for_reading),
		CASE(open_for_writing),
		CASE(open_creat),
		CASE(openat2_arguments),
		CASE(flags_stay_visible),
		CASE(descriptors_are_the_lowest),
		CASE(emfile_comes_before_anything_is_made),
		CASE(memory_that_cannot_be_read),
		CASE(long_names),
		CASE(names_that_are_not_text),
		CASE(errors_in_the_kernels_order),
		CASE(looking_gives_the_same_bytes),
		CASE(descriptors_are_looked_at_the_same),
		CASE(rights_are_the_callers),
		CASE(umask_and_default_acl),
		CASE(proc_means_the_program),
		CASE(deleted_directories),
		CASE(temporary_files),
		CASE(devices_and_terminals),
		CASE(busy_after_close),
		CASE(locks_are_handed_over),
		CASE(end_of_fifo_after_close),
		CASE(threads_look_at_their_own_proc),
		CASE(directory_changed_by_another_thread),
		CASE(threads_that_unshare),
		CASE(leader_has_gone),
		CASE(threads_open_at_once),
		CASE(leases_are_broken),
		CASE(terminal_of_a_session),
		CASE(owners_under_user),
		CASE(odd_names_in_the_audit_log),
		CASE(all_of_this_is_brokered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
