/* Starting programs: as the kernel does what is allowed, and not at all what is not. */
#include "compare.h"

#include <elf.h>
#include <link.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* A rule about exec, so that it is brokered and gated. */
#define EXEC "files { default deny EACCES; allow all /; deny exec $dir/denied/; }\nlimits { capabilities all; }\n"

static void prepare(struct live *live)
{
	char command[9000];
	snprintf(command, sizeof(command), "cp %s %s/program && chmod 755 %s/program", live_probe(), live->dir, live->dir);
	assert_int_equal(system(command), 0);
	live_file(live, "script", 0755, "#!/bin/sh\nexit 7\n");
	live_file(live, "args", 0755, "#!program  echoed  args \nx\n");
	live_file(live, "plain", 0644, "#!/bin/sh\nexit 7\n");
	live_file(live, "text", 0755, "exit 7\n");
	live_file(live, "empty", 0755, "");
	live_file(live, "binary", 0755, "\177ELF\001\002 what is this\n");
	live_file(live, "no-interpreter", 0755, "#!/no/such/interpreter\n");
	live_file(live, "bare", 0755, "#!\n");
	live_file(live, "blank", 0755, "#!   \n");
	live_file(live, "by-directory", 0755, "#!/tmp\n");
	live_file(live, "by-plain", 0755, "#!/etc/passwd\n");
	live_file(live, "by-relative", 0755, "#!script\n");
	live_file(live, "by-itself", 0755, "#!by-itself\n");
	live_file(live, "no-newline", 0755, "#!/bin/sh");
	char text[400];
	for (int i = 0; i < 7; i++) {	/* nested-N has N more before the shell */
		char name[32];
		snprintf(name, sizeof(name), "nested-%d", i);
		if (i)
			snprintf(text, sizeof(text), "#!%s/nested-%d\nexit 8\n", live->dir, i - 1);
		else
			snprintf(text, sizeof(text), "#!/bin/sh\nexit 8\n");
		live_file(live, name, 0755, text);
	}
	memset(text, 'a', 300);
	memcpy(text, "#!/bin/", 7);
	text[300] = '\n';
	text[301] = '\0';
	live_file(live, "long-line", 0755, text);
	live_symlink(live, "script", "to-script");
	live_symlink(live, "program", "to-program");
	live_symlink(live, "loop", "loop");
	live_symlink(live, "missing", "dangling");
	live_mkdir(live, "directory", 0755);
	live_file(live, "closed/program", 0755, "#!/bin/sh\n");
	/* What its user may run but not read is refused: its interpreter is not known. Root reads it. */
	live_file(live, "unreadable", live_root() ? 0311 : 0711, "#!/bin/sh\nexit 7\n");
	assert_int_equal(mkfifo(live_path(live, "fifo"), 0755), 0);
	assert_int_equal(chmod(live_path(live, "closed"), 0), 0);
}

static void compare(struct live *live, const char *script)
{
	live_policy(live, EXEC);
	compare_script(live, prepare, script);
}

static void images_and_errors(void **state)
{
	static const char *const names[] = {
		"program", "script", "args", "plain", "text", "empty", "binary", "no-interpreter", "bare", "blank", "by-directory", "by-plain",
		"by-relative", "by-itself", "no-newline", "nested-0", "nested-1", "nested-3", "nested-4", "nested-5", "nested-6", "long-line",
		"to-script", "to-program", "loop", "dangling", "directory", "directory/", "closed/program", "unreadable", "fifo", "missing",
		"missing/x", "script/", "script/x", "\\e", "<256*a>", "<4096*/>", "/bin/true", "/proc/self/exe", "/dev/null", NULL,
	};
	char *script = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&script, &len);
	for (const char *const *name = names; *name; name++)
		fprintf(to, "run %s exit 21\n", *name);
	fprintf(to, "runwritten program\nrunwritten script\nrun ./program exit 3\nrun directory/../program exit 4\nrun to-program stat script\nrun program nonsense\n"
		    "call execve !bad !null !null\ncall execve @missing !bad !null\ncall execve @text !null !null\ncall execve @program !bad !null\n"
		    "call execve @script !null !bad\ncall execve !noend=program !null !null\n");
	assert_int_equal(fclose(to), 0);
	compare(*state, script);
	free(script);
}

static void where_nothing_may_be_executed(void **state)
{
	struct live *live = *state;
	char text[200];
	live_mkdir(live, "noexec", 0755);
	if (!live_root() || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("noexec", live_path(live, "noexec"), "tmpfs", MS_NOEXEC, NULL) < 0) {
		print_message("skipped: mounting needs root\n");
		skip();
	}
	live_file(live, "noexec/script", 0755, "#!/bin/sh\nexit 7\n");
	live_file(live, "noexec/text", 0755, "exit 7\n");
	snprintf(text, sizeof(text), "#!%s/noexec/text\n", live->dir);
	live_file(live, "by-noexec", 0755, text);
	live_policy(live, EXEC);
	compare_script(live, NULL, "run noexec/script\nrun noexec/text\nrun by-noexec\n");
	assert_int_equal(umount2(live_path(live, "noexec"), MNT_DETACH), 0);
}

static void by_descriptor(void **state)
{
	compare(*state,
		"open . rd\nopen program r\nopen script r\nopen program pn\nopen to-program pn\nrunat 3 program 0\nrunat 3 script 0\nrunat 3 missing 0\nrunat 4 \\e 0x1000\n"
		"runat 5 \\e 0x1000\nrunat 6 \\e 0x1000\nrunat 7 \\e 0x1000\nrunat 4 \\e 0\nrunat 4 program 0\nrunat 99 program 0\nrunat 99 \\e 0x1000\nrunat 3 \\e 0x1000\n"
		"runat 3 to-program 0x100\nrunat 3 to-program 0\nrunat cwd program 0x1\nrunat 99 /bin/true 0\nrunat 4 x 0x1000\nrun /proc/self/fd/4 exit 5\nrun /dev/fd/4 exit 5\n");
}

static void answers(struct live *live, const char *script)
{
	live_policy(live, EXEC);
	script_expect(live, script, "=> ok");
	assert_null(strstr(live->out, "FAILED"));
}

static void from_any_thread(void **state)
{
	answers(*state, "exec_from_thread\n");
}

static void spawned_a_thousand_times_at_once(void **state)
{
	answers(*state, "spawn_storm 8 125\n");
}

static void vforked_by_many(void **state)
{
	answers(*state, "vfork_storm 6 40\n");
}

static void memory_and_deleted_files_are_refused(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_policy(live, EXEC);
	script_expect(live, "runmemory program\nopen program r\nunlink program\nrunat 3 \\e 0x1000\nrun /proc/self/fd/3 exit 1\n",
		      "runmemory program => EACCES\nrunat 3 \\e 0x1000 => EACCES\nrun /proc/self/fd/3 exit 1 => EACCES\n");
	assert_int_equal(live_audited(live, "deny", NULL), 3);
}

static void interpreters_are_images(void **state)
{
	struct live *live = *state;
	prepare(live);
	live_file(live, "denied/interpreter", 0755, "#!/bin/sh\nexit 9\n");
	char text[200];
	snprintf(text, sizeof(text), "#!%s/denied/interpreter\n", live->dir);
	live_file(live, "by-denied", 0755, text);
	live_file(live, "denied/script", 0755, "#!/bin/sh\nexit 9\n");
	live_symlink(live, "denied/script", "to-denied");
	live_policy(live, EXEC);
	script_expect(live, "run script\nrun by-denied\nrun denied/script\nrun to-denied\nrun denied/missing\nrun program exit 6\n",
		      "run script => ok 7\nrun by-denied => EACCES\nrun denied/script => EACCES\nrun to-denied => EACCES\nrun denied/missing => EACCES\n"
		      "run program exit 6 => ok 6\n");
	assert_int_equal(live_audited(live, "deny", "/denied/interpreter"), 1);
	/* Only what is named: the script, but not the shell that it needs; then both. */
	live_policy(live, LIVE_BASE "files { default deny EACCES; deny exec /bin/, /usr/bin/; allow rx $dir/; }");
	script_expect(live, "run script\nrun /bin/true\nrun program exit 6\n", "run script => EACCES\nrun /bin/true => EACCES\nrun program exit 6 => ok 6\n");
	live_policy(live, LIVE_BASE "files { default deny EACCES; deny exec $dir/text; allow rx $dir/; }");
	script_expect(live, "run script\nrun /bin/true\nrun text\n", "run script => ok 7\nrun /bin/true => ok 0\nrun text => EACCES\n");
	/* A script's text is read by its interpreter: reading is another operation. */
	live_policy(live, LIVE_BASE "files { allow exec $dir/script; }");
	script_expect(live, "run script\nopen script r\n", "run script => ok 2\nopen script r => EACCES\n");
}

static void the_loader_must_be_named(void **state)
{
	static const char *const loaders[] = { "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1" };
	struct live *live = *state;
	const char *loader = access(loaders[0], X_OK) == 0 ? loaders[0] : loaders[1];
	char script[200], expected[200], policy[4400];
	if (access(loader, X_OK) < 0) {
		print_message("skipped: no glibc loader here\n");
		skip();
	}
	live_policy(live, EXEC);
	snprintf(script, sizeof(script), "run %s /bin/true\n", loader);
	snprintf(expected, sizeof(expected), "run %s /bin/true => EACCES\n", loader);
	script_expect(live, script, expected);
	char real[4096];
	assert_non_null(realpath(loader, real));
	snprintf(policy, sizeof(policy), EXEC "files { allow exec %s; }", real);
	live_policy(live, policy);
	snprintf(expected, sizeof(expected), "run %s /bin/true => ok 0\n", loader);
	script_expect(live, script, expected);
}

/* /bin/true as "program", with "denied/loader" as its loader, which is the real one under another name. */
static void make_loaded(struct live *live, const char *loader)
{
	char command[9000];
	live_mkdir(live, "denied", 0755);
	snprintf(command, sizeof(command), "cp -L %s %s/denied/loader && chmod 755 %s/denied/loader", loader, live->dir, live->dir);
	assert_int_equal(system(command), 0);
	FILE *from = fopen("/bin/true", "re"), *to = fopen(live_path(live, "program"), "we");
	assert_true(from && to);
	static char image[1 << 20];
	size_t size = fread(image, 1, sizeof(image), from);
	const ElfW(Ehdr) *elf = (const void *)image;
	const ElfW(Phdr) *part = (const void *)(image + elf->e_phoff);
	bool named = false;
	for (int i = 0; i < elf->e_phnum; i++)
		if (part[i].p_type == PT_INTERP) {
			assert_true(part[i].p_filesz > sizeof("denied/loader"));
			memset(image + part[i].p_offset, 0, part[i].p_filesz);
			strcpy(image + part[i].p_offset, "denied/loader");
			named = true;
		}
	assert_true(named);
	assert_int_equal(fwrite(image, 1, size, to), size);
	fclose(from);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(chmod(live_path(live, "program"), 0755), 0);
}

/* The kernel loads whatever a program names as its loader: what may be neither read nor executed does not get to run. */
static void loaders_are_judged(void **state)
{
	struct live *live = *state;
	char real[4096];
	if (!realpath("/lib64/ld-linux-x86-64.so.2", real) && !realpath("/lib/ld-linux-aarch64.so.1", real)) {
		print_message("skipped: no glibc loader here\n");
		skip();
	}
	make_loaded(live, real);
	live_policy(live, EXEC);	/* it may be read: a library */
	script_expect(live, "run program\n", "run program => ok 0\n");
	live_policy(live, EXEC "files { deny read $dir/denied/; }");
	script_expect(live, "run program\nrun /bin/true\n", "run program => signal 9\nrun /bin/true => ok 0\n");
	char *audit = live_audit(live);
	assert_non_null(strstr(audit, "loader that may be neither read nor executed"));
	free(audit);
}

static void stages_of_exec(void **state)
{
	struct live *live = *state;
	live_file(live, "script", 0755, "#!/bin/sh\nexit 7\n");
	live_policy(live, "files { default deny EACCES; allow all /; deny exec $dir/script stage log; }");
	script_expect(live, "run script\n", "run script => ok 7\n");
	assert_int_equal(live_audited(live, "would-deny", "/script"), 1);
	live_policy(live, "files { default deny EACCES; allow all /; deny exec $dir/script stage kill; }");
	script_expect(live, "run script\n", "run script => signal 9\n");
	live_policy(live, "files { default deny EACCES; allow all /; deny ENOENT exec $dir/script stage trap; }");
	script_expect(live, "run script\n", "run script => signal 31\n");
	script_expect(live, "onsys ignore\nrun script\n", "run script => ENOENT\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, compare_teardown)
	const struct CMUnitTest tests[] = {
		CASE(images_and_errors),
		CASE(where_nothing_may_be_executed),
		CASE(by_descriptor),
		CASE(from_any_thread),
		CASE(spawned_a_thousand_times_at_once),
		CASE(vforked_by_many),
		CASE(memory_and_deleted_files_are_refused),
		CASE(interpreters_are_images),
		CASE(the_loader_must_be_named),
		CASE(loaders_are_judged),
		CASE(stages_of_exec),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
