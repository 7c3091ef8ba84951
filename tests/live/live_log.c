/* The audit log grows up: it rotates, is opened again, says what a kill lost, and is read by usher log. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

static bool there(const char *file, const char *ending)
{
	char name[200];
	struct stat st;
	snprintf(name, sizeof(name), "%s%s", file, ending);
	return stat(name, &st) == 0;
}

static void forget(const char *file)
{
	char name[200];
	(void)unlink(file);
	snprintf(name, sizeof(name), "%s.old", file);
	(void)unlink(name);
	for (int i = 1; i <= 60; i++) {
		snprintf(name, sizeof(name), "%s.%d", file, i);
		(void)unlink(name);
		snprintf(name, sizeof(name), "%s.%d.gz", file, i);
		(void)unlink(name);
	}
}

/* So many lines, all of them records. */
static unsigned records(const char *text)
{
	unsigned n = 0;
	while (*text) {
		const char *end = strchr(text, '\n');
		assert_non_null(end);
		json_t *record = json_loadb(text, (size_t)(end - text), 0, NULL);
		assert_non_null(record);
		json_decref(record);
		text = end + 1;
		n++;
	}
	return n;
}

static void it_rotates(void **state)
{
	struct live *live = *state;
	char script[600];
	live->options[0] = NULL;
	live_file(live, "a", 0644, "x\n");
	live_policy(live, LIVE_BASE "files { allow all /tmp/; deny EPERM read $dir/no; } audit { level all; rotate size=20k keep=2; }");
	/* More than two files can hold: what is kept is the last of it. */
	snprintf(script, sizeof(script), "cd %s; i=0; while [ $i -lt 300 ]; do read x <a; i=$((i+1)); done; read x <no; cat %s.1; echo >>%s.2; rm -f %s.1; true", live->dir,
		 live->audit, live->audit, live->audit);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(live_sh(live, script), 0);
		assert_string_equal(live->out, "");
	}
	assert_true(there(live->audit, "") && there(live->audit, ".1") && there(live->audit, ".2"));
	assert_false(there(live->audit, ".3"));
	char name[100];
	for (int i = 1; i <= 2; i++) {
		snprintf(name, sizeof(name), "%s.%d", live->audit, i);
		char *text = live_read(name);
		assert_true(strlen(text) >= 20 * 1024);
		assert_true(records(text) > 20);
		free(text);
	}
	/* Reading begins with the oldest. */
	assert_int_equal(usher(live, "log", "--json", live->audit), 0);
	const char *first = live->out;
	char *oldest = live_read(name);
	assert_int_equal(strncmp(first, oldest, 60), 0);
	free(oldest);
	forget(live->audit);
}

static void it_is_packed(void **state)
{
	struct live *live = *state;
	char script[400], name[100];
	live->options[0] = NULL;
	live_file(live, "a", 0644, "x\n");
	live_policy(live, LIVE_BASE "files { allow all $dir/; } audit { level all; rotate size=10k keep=50 compress; fsync always; }");
	snprintf(script, sizeof(script), "cd %s; i=0; while [ $i -lt 200 ]; do read x <a; i=$((i+1)); done", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	assert_true(there(live->audit, ".1.gz"));
	assert_false(there(live->audit, ".1"));
	assert_false(there(live->audit, ".gz-new"));
	snprintf(name, sizeof(name), "%s.1.gz", live->audit);
	struct stat st;
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(usher(live, "log", "--json", "--path", "**/a", live->audit), 0);
	assert_int_equal(records(live->out), 200);
	forget(live->audit);
}

/* The number of FILE's lines with TEXT. */
static unsigned lines_with(const char *file, const char *text)
{
	char *all = live_read(file);
	unsigned n = 0;
	for (const char *at = all; at && (at = strstr(at, text)); at++)
		n++;
	free(all);
	return n;
}

static void usr1_opens_it_again(void **state)
{
	struct live *live = *state;
	char script[400], old[100], byte;
	const char *up = live_path(live, "up"), *down = live_path(live, "down");
	live->options[0] = NULL;
	live_file(live, "a", 0644, "x\n");
	assert_int_equal(mkfifo(up, 0600) | mkfifo(down, 0600), 0);
	live_policy(live, LIVE_BASE "files { allow all $dir/; } audit { level all; }");
	/* sh does not mind the signal, so that it would end by it. */
	snprintf(script, sizeof(script), "cd %s; read x <a; echo >up; read y <down; mkdir made; echo >up; read y <down", live->dir);
	pid_t usher_pid = live_start(live, (const char *const[]){ "/bin/sh", "-c", script, NULL });
	int fd = open(up, O_RDONLY);
	assert_true(fd >= 0 && read(fd, &byte, 1) == 1);
	close(fd);
	snprintf(old, sizeof(old), "%s.old", live->audit);
	assert_int_equal(rename(live->audit, old), 0);
	int watch = inotify_init1(IN_CLOEXEC);
	assert_true(inotify_add_watch(watch, "/tmp", IN_CREATE) >= 0);
	kill(usher_pid, SIGUSR1);
	char events[4096];
	while (!there(live->audit, ""))
		assert_true(read(watch, events, sizeof(events)) > 0);
	close(watch);
	for (int i = 0; i < 2; i++) {
		fd = open(down, O_WRONLY);
		assert_true(fd >= 0 && write(fd, "\n", 1) == 1);
		close(fd);
		if (i == 0) {
			fd = open(up, O_RDONLY);
			assert_true(fd >= 0 && read(fd, &byte, 1) == 1);
			close(fd);
		}
	}
	assert_int_equal(live_finish(live), 0);
	assert_int_equal(lines_with(old, "/made\""), 0);
	assert_true(lines_with(live->audit, "/made\"") > 0);
	assert_true(lines_with(old, "/a\"") > 0);
	forget(live->audit);

	/* One that does, gets it as well. */
	snprintf(script, sizeof(script), "trap 'echo got >%s' USR1; echo >%s; read y <%s; read y <%s; true", live_path(live, "got"), up, down, down);
	usher_pid = live_start(live, (const char *const[]){ "/bin/sh", "-c", script, NULL });
	fd = open(up, O_RDONLY);
	assert_true(fd >= 0 && read(fd, &byte, 1) == 1);
	close(fd);
	watch = inotify_init1(IN_CLOEXEC);
	assert_true(inotify_add_watch(watch, live->dir, IN_CREATE) >= 0);
	kill(usher_pid, SIGUSR1);
	while (!there(live_path(live, "got"), "")) {
		fd = open(down, O_WRONLY);
		close(fd);
		assert_true(read(watch, events, sizeof(events)) > 0);
	}
	close(watch);
	kill(usher_pid, SIGTERM);
	(void)live_finish(live);
	forget(live->audit);
}

/* The page that outlives a kill says how much was counted and not written. */
static void the_next_one_says_what_a_kill_lost(void **state)
{
	struct live *live = *state;
	char name[100];
	const uint64_t page[3] = { 12, 9, 0 };
	live->options[0] = NULL;
	live_policy(live, LIVE_BASE "files { allow all $dir/; }");
	snprintf(name, sizeof(name), "%s-live", live->audit);
	FILE *file = fopen(name, "w");
	assert_int_equal(fwrite(page, sizeof(page), 1, file), 1);
	fclose(file);
	assert_int_equal(live_sh(live, "true"), 0);
	assert_int_equal(lines_with(live->audit, "\"action\":\"gap\""), 1);
	assert_int_equal(lines_with(live->audit, "\"lost\":3"), 1);
	assert_false(there(name, ""));
	/* Once: live_run() begins a new log. */
	assert_int_equal(live_sh(live, "true"), 0);
	assert_int_equal(lines_with(live->audit, "\"action\":\"gap\""), 0);
	forget(live->audit);
}

/* What is killed may be gone when the record is made: that it was known is seen to before. */
static void whoever_is_gone_is_named(void **state)
{
	struct live *live = *state;
	char script[300], shell[PATH_MAX];
	live->options[0] = NULL;
	assert_non_null(realpath("/bin/sh", shell));
	live_file(live, "secret", 0644, "x\n");
	live_policy(live, LIVE_BASE "files { deny EPERM read $dir/secret; }");
	snprintf(script, sizeof(script), "exec 2>&-; i=0; while [ $i -lt 500 ]; do (read x <%s/secret); i=$((i+1)); done; true", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	assert_int_equal(live_audited(live, "deny", "/secret"), 500);
	assert_int_equal(usher(live, "log", "--denied", "--program", shell, "--json", live->audit), 0);
	assert_int_equal(records(live->out), 500);
	forget(live->audit);
}

/* What the rules allow may fail when the program is given it, which comes last. */
static void what_fails_at_last_failed(void **state)
{
	struct live *live = *state;
	char path[120];
	live->options[0] = NULL;
	snprintf(path, sizeof(path), "@%s", live_file(live, "a", 0644, "x\n"));
	live_policy(live, LIVE_BASE "files { cover all; allow all $dir/; } audit { level all; }");
	live_expect(live, "EFAULT", "call", "newfstatat", "cwd", path, "!bad", "0", ",", "nofile", "3", ",", "open", path + 1, "r", NULL);
	char *log = live_audit(live);
	assert_says(log, "/a\",\"errno\":\"EFAULT\"");
	assert_says(log, "/a\",\"errno\":\"EMFILE\"");
	free(log);
	forget(live->audit);
}

/* How often "/NAME" was counted. */
static unsigned counted(struct live *live, const char *name)
{
	char pattern[60];
	unsigned n = 0;
	snprintf(pattern, sizeof(pattern), "**/%s", name);
	(void)usher(live, "log", "--json", "--path", pattern, live->audit);
	for (const char *at = live->out; *at; at = strchr(at, '\n') + 1) {
		json_t *record = json_loadb(at, (size_t)(strchr(at, '\n') - at), 0, NULL), *details = json_object_get(record, "details");
		if (strcmp(text_at(record, "action"), "footprint") == 0)
			n += (unsigned)json_integer_value(json_object_get(details, "count"));
		json_decref(record);
	}
	return n;
}

/* Each call is in one record: in its own, or counted in another. */
static void what_leaves_no_record_is_counted(void **state)
{
	struct live *live = *state;
	char script[400], byte;
	const char *up = live_path(live, "up");
	live->options[0] = NULL;
	live_file(live, "a", 0644, "x\n");
	live_file(live, "no", 0644, "x\n");
	live_symlink(live, "a", "link");
	live_policy(live, LIVE_BASE "files { allow all $dir/; deny EPERM read $dir/no; } audit { footprint every 100ms; }");
	snprintf(script, sizeof(script), "cd %s; for i in 1 2 3 4 5; do read x <a; read x <no; read x <link; sleep 0.05; done; true", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	assert_int_equal(counted(live, "a"), 10);
	assert_int_equal(counted(live, "no"), 0);
	assert_int_equal(live_audited(live, "deny", "/no"), 5);
	assert_int_equal(usher(live, "log", "--unique", "--path", "**/a", live->audit), 0);
	assert_says(live->out, "footprint read ");
	/* The links that were met are in it, or replay could not tell. */
	live_policy(live, LIVE_BASE "files { allow all $dir/; deny EPERM read $dir/no; allow ro $dir/ beneath; }");
	assert_int_equal(usher(live, "replay", live->audit, "--against", live->policy), 0);
	live_policy(live, LIVE_BASE "files { allow all $dir/; deny EPERM read $dir/no, $dir/a; }");
	assert_int_equal(usher(live, "replay", live->audit, "--against", live->policy), 1);
	assert_says(live->out, "newly DENIED  1 access, ");
	assert_int_equal(usher(live, "learn", "--from", live->audit, "-o", live_path(live, "learnt.policy")), 0);
	forget(live->audit);

	/* What a kill leaves uncounted is said. */
	assert_int_equal(mkfifo(up, 0600), 0);
	live_policy(live, LIVE_BASE "files { allow all $dir/; } audit { footprint every 1h; } limits { supervisor-exit kill; }");
	snprintf(script, sizeof(script), "cd %s; for i in 1 2 3 4 5; do read x <a; done; echo >up; sleep 100", live->dir);
	pid_t usher_pid = live_start(live, (const char *const[]){ "/bin/sh", "-c", script, NULL });
	int fd = open(up, O_RDONLY);
	assert_true(fd >= 0 && read(fd, &byte, 1) == 1);
	close(fd);
	kill(usher_pid, SIGKILL);
	assert_int_equal(live_finish(live), 137);
	assert_int_equal(counted(live, "a"), 0);
	assert_int_equal(usher(live, "run", "-q", "-p", live->policy, "--audit", live->audit, "--", "/bin/sh", "-c", "true"), 0);
	char *log = live_read(live->audit);
	const char *gap = strstr(log, "\"action\":\"gap\"");
	assert_non_null(gap);
	assert_true(atoi(strstr(gap, "\"lost\":") + 7) >= 5);
	free(log);
	forget(live->audit);
}

/* What the filter does by itself the kernel tells: who may read that gets it with the rest, others are told that they do not. */
static void the_kernels_records_are_joined(void **state)
{
	struct live *live = *state;
	live->options[0] = NULL;
	live_policy(live, LIVE_BASE "files { allow all $dir/; } syscalls { default allow; deny EPERM getpid stage log; deny EPERM sync stage kill sealed; }");
	char sync_number[20], script[400], byte;
	const char *up = live_path(live, "up"), *down = live_path(live, "down");
	snprintf(sync_number, sizeof(sync_number), "%d", SYS_sync);
	assert_int_equal(mkfifo(up, 0600) | mkfifo(down, 0600), 0);
	snprintf(script, sizeof(script), "%s pid; echo >%s; read y <%s; true", live_probe(), up, down);
	(void)live_start(live, (const char *const[]){ "/bin/sh", "-c", script, NULL });
	int fd = open(up, O_RDONLY);
	assert_true(fd >= 0 && read(fd, &byte, 1) == 1);
	close(fd);
	/* Another program's are not ours. */
	pid_t other = fork();
	if (other == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		execl(live_usher(), "usher", "run", "-q", "-p", live->policy, "--audit", "/dev/null", "--", live_probe(), "pid", (char *)NULL);
		_exit(126);
	}
	int status;
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	fd = open(down, O_WRONLY);
	assert_true(fd >= 0 && write(fd, "\n", 1) == 1);
	close(fd);
	assert_int_equal(live_finish(live), 0);
	if (strstr(live->err, "kernel's log alone")) {
		assert_int_equal(live_audited(live, "would-deny", NULL), 0);
		if (live_root())
			skip();
		return;
	}
	assert_true(live_root());
	assert_int_equal(usher(live, "log", "--would", "--json", live->audit), 0);
	assert_null(strstr(live->out, "\"rule\":null"));
	assert_says(live->out, "\"syscall\":\"getpid\"");
	assert_int_equal(usher(live, "log", "--would", "--program", "probe", "--json", live->audit), 0);
	assert_int_equal(records(live->out), 1);
	assert_int_equal(live_runl(live, live_probe(), "call", sync_number, NULL), 159);
	assert_int_equal(usher(live, "log", "--denied", "--json", live->audit), 0);
	assert_int_equal(records(live->out), 1);
	assert_says(live->out, "\"syscall\":\"sync\"");
	forget(live->audit);
}

static void log_filters_and_counts(void **state)
{
	struct live *live = *state;
	char script[600];
	live->options[0] = NULL;
	live_file(live, "a", 0644, "x\n");
	live_policy(live, LIVE_BASE "files { allow all $dir/; deny EPERM read $dir/secret*; deny ENOENT read $dir/trial stage log; } audit { level all; }");
	snprintf(script, sizeof(script), "cd %s; for f in secret1 secret1 secret2 trial a; do cat $f; done; read x <secret1; true", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	assert_int_equal(usher(live, "log", live->audit), 0);
	assert_says(live->out, "  start  /bin/sh");
	assert_says(live->out, "  ALLOW  read ");
	assert_int_equal(usher(live, "log", "--denied", live->audit), 0);
	assert_null(strstr(live->out, "ALLOW"));
	assert_null(strstr(live->out, "/trial"));
	assert_says(live->out, "/secret1   EPERM   cat ");
	assert_int_equal(usher(live, "log", "--would", "--json", live->audit), 0);
	assert_int_equal(records(live->out), 1);
	assert_says(live->out, "/trial\"");
	assert_int_equal(usher(live, "log", "--denied", "--program", "cat", "--path", "**/secret*", "--json", live->audit), 0);
	assert_int_equal(records(live->out), 3);
	assert_int_equal(usher(live, "log", "--path", "**/secret2", "--json", live->audit), 0);
	assert_int_equal(records(live->out), 1);
	assert_int_equal(usher(live, "log", "--rule", "nowhere.policy:1", live->audit), 1);
	assert_int_equal(usher(live, "log", "--since", "2030-01-01", live->audit), 1);
	assert_int_equal(usher(live, "log", "--since", "1h", "--denied", "--unique", "--path", "**/secret*", live->audit), 0);
	assert_says(live->out, "       3  DENY   read ");
	assert_true(strstr(live->out, "/secret1 ") < strstr(live->out, "/secret2 "));
	assert_int_equal(usher(live, "log", "--denied", "--unique", "--path", "**/secret*", "--json", live->audit), 0);
	json_t *json = output_json(live);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(json, "events"), 0), "count")), 3);
	json_decref(json);

	assert_int_equal(usher(live, "log", "--as-rules", "--path", "/tmp/**", live->audit), 0);
	assert_says(live->out, "/secret1;");
	assert_says(live->out, "# 1 file, 3 calls");
	assert_says(live->out, "/trial;");
	/* A policy that denies by a rule is not asked to allow it. */
	assert_int_equal(usher(live, "log", "--as-rules", "--path", "**/secret*", "-p", live->policy, "--audit", live->audit), 1);
	assert_says(live->out, "# not read ");

	assert_int_equal(usher(live, "log"), 2);
	assert_int_equal(usher(live, "log", "--path", "secret", live->audit), 2);
	assert_int_equal(usher(live, "log", "-f", "--unique", live->audit), 2);
	assert_int_equal(usher(live, "log", live_path(live, "none")), 5);
	forget(live->audit);
}

static void log_follows(void **state)
{
	struct live *live = *state;
	char log[100], moved[120];
	snprintf(log, sizeof(log), "%s", live_file(live, "log", 0644, "{\"timestamp\":\"2026-11-22T08:00:00.000000Z\",\"action\":\"one\",\"details\":{\"message\":\"m\"}}\n"));
	int out[2];
	assert_int_equal(pipe(out), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		execl(live_usher(), "usher", "log", "--json", "-f", log, (char *)NULL);
		_exit(126);
	}
	close(out[1]);
	FILE *lines = fdopen(out[0], "r");
	char line[400];
	assert_non_null(fgets(line, sizeof(line), lines));
	assert_says(line, "\"one\"");
	FILE *file = fopen(log, "a");
	fputs("{\"timestamp\":\"2026-11-22T08:00:01.000000Z\",\"action\":\"two\"}\n", file);
	fclose(file);
	assert_non_null(fgets(line, sizeof(line), lines));
	assert_says(line, "\"two\"");
	snprintf(moved, sizeof(moved), "%s.1", log);
	assert_int_equal(rename(log, moved), 0);
	file = fopen(log, "w");
	fputs("{\"timestamp\":\"2026-11-22T08:00:02.000000Z\",\"action\":\"three\"}\n", file);
	fclose(file);
	assert_non_null(fgets(line, sizeof(line), lines));
	assert_says(line, "\"three\"");
	kill(pid, SIGTERM);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fclose(lines);
}

/* What is torn or no record at all is left out, and that is said: by who reads evidence, too. */
static void damage_is_told(void **state)
{
	struct live *live = *state;
	live->options[0] = NULL;
	const char *no = live_file(live, "no", 0644, "x\n");
	live_policy(live, LIVE_BASE "files { deny EPERM read $dir/no; }");
	assert_int_equal(live_runl(live, "cat", no, NULL), 1);
	char *text = live_audit(live);
	char *whole = NULL, *mixed = NULL;
	assert_true(asprintf(&whole, "%s\n", text) > 0);
	assert_true(asprintf(&mixed, "{torn\nno record\n%s[]\n%.20s", text, text) > 0);
	const char *file = live_file(live, "whole.jsonl", 0644, whole);
	assert_int_equal(usher(live, "log", "--denied", file), 0);
	assert_null(strstr(live->err, "left out"));
	file = live_file(live, "mixed.jsonl", 0644, mixed);
	assert_int_equal(usher(live, "log", "--denied", file), 0);
	assert_says(live->out, "DENY   read ");
	assert_says(live->err, "mixed.jsonl: 4 lines are left out: no records of usher");
	(void)usher(live, "replay", file, "--against", live->policy);
	assert_says(live->err, "mixed.jsonl: 4 lines are left out");
	(void)usher(live, "learn", "-o", live_path(live, "learnt.policy"), "--from", file);
	assert_says(live->err, "mixed.jsonl: 4 lines are left out");
	file = live_file(live, "footprint", 0644, "SQLite format 3");
	assert_int_equal(usher(live, "log", file), 1);
	assert_says(live->err, "1 line is left out: no record of usher");
	free(text);
	free(whole);
	free(mixed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
static const struct CMUnitTest tests[] = {
	TEST(it_rotates),
	TEST(it_is_packed),
	TEST(usr1_opens_it_again),
	TEST(the_next_one_says_what_a_kill_lost),
	TEST(whoever_is_gone_is_named),
	TEST(what_fails_at_last_failed),
	TEST(what_leaves_no_record_is_counted),
	TEST(the_kernels_records_are_joined),
	TEST(log_filters_and_counts),
	TEST(log_follows),
	TEST(damage_is_told),
};

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("live_log", tests, NULL, NULL);
}
