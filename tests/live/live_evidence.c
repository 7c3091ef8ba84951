/* What is learnt of a program, and what is made of it: diff, record, replay, learn. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"

/* ---- diff ---- */

static void diff_says_what_changes(void **state)
{
	struct live *live = *state;
	const char *one = policy_file(live, "one.policy", "files { default deny ENOENT; allow ro $dir/www/; allow read $dir/other; }\n");
	const char *same = policy_file(live, "same.policy", "files { default deny ENOENT; allow read $dir/other; allow ro $dir/www/**; }\n");
	const char *two = policy_file(live, "two.policy", "files { default deny ENOENT; allow ro $dir/www/; deny ro $dir/www/**/.git/; "
							   "allow read,write $dir/more; }\n");
	assert_int_equal(usher(live, "diff", one, same), 0);
	assert_int_equal(usher(live, "diff", one, two), 1);
	assert_says(live->out, "newly DENIED  2\n");
	assert_says(live->out, "/www/.git\n");
	assert_says(live->out, "/other\n");
	assert_says(live->out, "newly ALLOWED  1\n");
	assert_says(live->out, "read,write ");
	assert_says(live->out, "now deny ENOENT   two.policy:4");
	assert_int_equal(usher(live, "diff", "-q", one, two), 1);
	assert_string_equal(live->out, "");

	assert_int_equal(usher(live, "diff", "--json", one, two), 1);
	json_t *json = output_json(live);
	assert_int_equal(json_array_size(json_object_get(json, "newly_denied")), 2);
	const json_t *allowed = json_array_get(json_object_get(json, "newly_allowed"), 0);
	assert_string_equal(text_at(allowed, "witness"), live_path(live, "more"));
	assert_string_equal(text_at(json_object_get(allowed, "before"), "errno"), "ENOENT");
	assert_int_equal(json_array_size(json_object_get(allowed, "ops")), 2);
	json_decref(json);

	assert_int_equal(usher(live, "diff", one), 2);
	assert_int_equal(usher(live, "diff", one, live_path(live, "none.policy")), 5);
	assert_int_equal(usher(live, "diff", one, live_file(live, "bad.policy", 0644, "syntax 1; nonsense;")), 3);
}

/* ---- record ---- */

static const char *footprint_of(const struct live *live)
{
	static char file[100];
	snprintf(file, sizeof(file), "%s.fp", live->dir);
	return file;
}

static void forget_footprint(const struct live *live)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-live", "-journal" };
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char file[120];
		snprintf(file, sizeof(file), "%s%s", footprint_of(live), suffixes[i]);
		(void)unlink(file);
	}
}

/* The first number that SQL yields, -1 without a row; $dir is the directory. */
__attribute__((format(printf, 2, 3))) static long long number(const struct live *live, const char *format, ...)
{
	char sql[1024];
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	long long value = -1;
	va_list list;
	va_start(list, format);
	vsnprintf(sql, sizeof(sql), format, list);
	va_end(list);
	assert_int_equal(sqlite3_open_v2(footprint_of(live), &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		print_error("%s: %s\n", sql, sqlite3_errmsg(db));
	if (sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

static void record_into(struct live *live)
{
	live->options[0] = "--record";
	live->options[1] = footprint_of(live);
	live->options[2] = NULL;
}

#define ALLOW_ALL "files { default allow; }"

static void record_counts_accesses(void **state)
{
	struct live *live = *state;
	const char *dir = live->dir;
	forget_footprint(live);
	record_into(live);
	/* Nothing is restricted here: it is brokered to be counted. */
	live_policy(live, ALLOW_ALL);
	live_file(live, "in", 0644, "x\n");
	live_symlink(live, "in", "link");
	assert_int_equal(live_sh(live, "cd $(dirname $0) 2>/dev/null; true"), 0);
	char script[1024];
	snprintf(script, sizeof(script), "cd %s; cat in link; ls . >/dev/null; echo 1 >new; echo 2 >>new; mv new newer; chmod 600 newer; "
		 "mkdir d; mv d e; rmdir e; ln newer other; cat none; rm newer", dir);
	assert_int_equal(live_sh(live, script), 0);
	assert_int_equal(number(live, "SELECT count(*) FROM run WHERE ended_ns > started_ns AND lost = 0 AND policy = 'live'"), 2);
	assert_int_equal(number(live, "SELECT sum(count) FROM footprint WHERE object = '%s/in' AND op = 'read' AND result = 'ok'", dir), 2);
	assert_int_equal(number(live, "SELECT count(*) FROM access WHERE object = '%s/in' AND via <> ''", dir), 1);
	assert_int_equal(number(live, "SELECT count FROM footprint WHERE object = '%s' AND op = 'list'", dir), 1);
	assert_int_equal(number(live, "SELECT count FROM footprint WHERE object = '%s/new' AND op = 'write,create'", dir), 1);
	assert_int_equal(number(live, "SELECT count FROM footprint WHERE object = '%s/new' AND op = 'append'", dir), 1);
	assert_int_equal(number(live, "SELECT count FROM footprint WHERE object = '%s/new' AND op = 'rename' AND to_object = '%s/newer'", dir, dir), 1);
	assert_int_equal(number(live, "SELECT tree FROM access WHERE object = '%s/new' AND op = 'rename'", dir), 0);
	assert_int_equal(number(live, "SELECT tree FROM access WHERE object = '%s/d' AND op = 'rename'", dir), 1);
	assert_int_equal(number(live, "SELECT count FROM footprint WHERE object = '%s/newer' AND op = 'chmod'", dir), 1);
	assert_int_equal(number(live, "SELECT count FROM footprint WHERE object = '%s/newer' AND op = 'link' AND to_object = '%s/other'", dir, dir), 1);
	assert_int_equal(number(live, "SELECT count FROM footprint WHERE object = '%s/none' AND result = 'ENOENT' AND program LIKE '%%/cat'", dir), 1);
	assert_int_equal(number(live, "SELECT count FROM footprint WHERE object = '%s/newer' AND op = 'delete'", dir), 1);
	assert_int_equal(number(live, "SELECT count(*) FROM footprint WHERE op = 'exec' AND object LIKE '%%/cat' AND verdict = 'allow' AND result = 'ok'"), 1);
	assert_int_equal(number(live, "SELECT count(*) FROM access WHERE last_ns < first_ns OR first_ns = 0"), 0);
	/* What is refused, and what would be. */
	live_policy(live, LIVE_BASE "files { deny EPERM write $dir/; allow ro $dir/ stage log; deny read $dir/in stage log; }");
	snprintf(script, sizeof(script), "cd %s; cat in; echo 1 >out; cat /etc/passwd /etc/passwd /etc/passwd >/dev/null; ls /usr /usr >/dev/null; true", dir);
	assert_int_equal(live_sh(live, script), 0);
	/* Opened by their names alone, they were asked for as files and as directories. */
	assert_int_equal(number(live, "SELECT count(*) FROM access WHERE op LIKE '%%list%%' AND op <> 'list'"), 0);
	assert_int_equal(number(live, "SELECT count FROM footprint WHERE object = '%s/in' AND run = 3 AND verdict = 'deny' AND result = 'EACCES'", dir), 1);
	assert_int_equal(number(live, "SELECT count FROM footprint WHERE object = '%s/out' AND run = 3 AND verdict = 'deny'", dir), 1);
	forget_footprint(live);
}

static void record_is_out_of_reach(void **state)
{
	struct live *live = *state;
	char script[600];
	forget_footprint(live);
	record_into(live);
	live_policy(live, ALLOW_ALL);
	snprintf(script, sizeof(script), "cd %s; cat %s; mv %s x; rm -f %s-wal; echo >>%s-live; true", live->dir, footprint_of(live),
		 footprint_of(live), footprint_of(live), footprint_of(live));
	assert_int_equal(live_sh(live, script), 0);
	assert_string_equal(live->out, "");
	unsigned denied = 0;
	for (const char *at = live->err; (at = strstr(at, "ermission denied")); at++)
		denied++;
	assert_int_equal(denied, 4);
	assert_int_equal(number(live, "SELECT count(*) FROM footprint WHERE verdict = 'deny'"), 4);
	forget_footprint(live);
}

/* From here on until it is closed nobody writes to the footprint. */
static sqlite3 *hold(const struct live *live)
{
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open_v2(footprint_of(live), &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 60000);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void record_survives_a_kill(void **state)
{
	struct live *live = *state;
	char script[400], ready;
	const char *fifo = live_path(live, "fifo");
	forget_footprint(live);
	record_into(live);
	live_policy(live, ALLOW_ALL);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	/* Some of it is written before the rest happens, and from then on nothing: or all of it might be, a moment before the kill. */
	snprintf(script, sizeof(script), "echo x >%s; for i in 1 2 3 4 5 6 7 8; do cat /etc/passwd >/dev/null; done; echo x >%s; exec sleep 100", fifo, fifo);
	pid_t usher_pid = live_start(live, (const char *const[]){ "/bin/sh", "-c", script, NULL });
	while (access(footprint_of(live), F_OK) || number(live, "SELECT count(*) FROM sqlite_master WHERE name = 'access'") <= 0 ||
	       number(live, "SELECT count(*) FROM access") <= 0)
		usleep(1000);
	sqlite3 *held = hold(live);
	int fd = open(fifo, O_RDONLY);
	assert_true(fd >= 0 && read(fd, &ready, 1) == 1);
	close(fd);
	fd = open(fifo, O_RDONLY);
	assert_true(fd >= 0 && read(fd, &ready, 1) == 1);
	close(fd);
	kill(usher_pid, SIGKILL);
	assert_int_equal(live_finish(live), 137);
	sqlite3_close(held);
	assert_int_equal(number(live, "SELECT count(*) FROM run WHERE ended_ns IS NULL"), 1);
	long long written = number(live, "SELECT sum(count) FROM access");
	assert_true(written > 0);
	live_sh(live, "true");
	assert_int_equal(live->status, 0);
	assert_says(live->err, "was killed: ");
	long long lost = number(live, "SELECT lost FROM run WHERE id = 1");
	assert_true(lost > 0);
	assert_int_equal(atoll(strstr(live->err, "was killed: ") + strlen("was killed: ")), lost);
	/* Once. */
	live_sh(live, "true");
	assert_string_equal(live->err, "");
	forget_footprint(live);
}

static void record_refuses_what_it_cannot_have(void **state)
{
	struct live *live = *state;
	char ready;
	const char *fifo = live_path(live, "fifo");
	forget_footprint(live);
	record_into(live);
	live_policy(live, ALLOW_ALL);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	char script[200];
	snprintf(script, sizeof(script), "echo x >%s; read line", fifo);
	struct live first = *live;
	int input[2];
	assert_int_equal(pipe(input), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(input[0], 0);
		close(input[1]);
		execl(live_usher(), "usher", "run", "-p", live->policy, "--record", footprint_of(live), "--", "/bin/sh", "-c", script, (char *)NULL);
		_exit(126);
	}
	int fd = open(fifo, O_RDONLY);
	assert_true(fd >= 0 && read(fd, &ready, 1) == 1);
	close(fd);
	assert_int_equal(live_sh(&first, "true"), 125);
	assert_says(first.err, "another usher records into it");
	close(input[1]);
	close(input[0]);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	forget_footprint(live);
	FILE *other = fopen(footprint_of(live), "w");
	fputs("mine\n", other);
	fclose(other);
	assert_int_equal(live_sh(&first, "true"), 125);
	assert_says(first.err, "it is no footprint");
	char *content = live_read(footprint_of(live));
	assert_string_equal(content, "mine\n");
	free(content);
	live->out = first.out, live->err = first.err;
	forget_footprint(live);
}

static void a_full_disk_stops_nothing(void **state)
{
	struct live *live = *state;
	char file[120], script[300];
	const char *disk = live_mkdir(live, "disk", 0755);
	if (!live_root() || mount("none", disk, "tmpfs", 0, "size=128k"))
		skip();
	snprintf(file, sizeof(file), "%s/fp", disk);
	live->options[0] = "--record";
	live->options[1] = file;
	live->options[2] = NULL;
	live_policy(live, ALLOW_ALL);
	snprintf(script, sizeof(script), "cd %s; for i in 1 2 3 4 5 6 7 8 9; do for k in 1 2 3 4 5 6 7 8 9; do for l in 1 2 3 4 5 6 7 8 9; do "
		 "echo >$i-$k-$l-01234567890123456789012345678901234567890123456789; done; done; done; rm -f ?-*; echo done", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	assert_string_equal(live->out, "done\n");
	assert_says(live->err, "could not be written to");
	assert_int_equal(umount2(disk, MNT_DETACH), 0);
}

/* ---- replay ---- */

static void replay_says_what_would_change(void **state)
{
	struct live *live = *state;
	char script[400];
	forget_footprint(live);
	record_into(live);
	live_file(live, "in", 0644, "x\n");
	live_file(live, "secret", 0644, "x\n");
	live_mkdir(live, "up", 0755);
	live_mkdir(live, "down", 0755);
	live_symlink(live, "../secret", "up/leak");
	live_policy(live, LIVE_BASE "files { allow all $dir/; deny EPERM read $dir/secret; allow read $dir/secret stage log; }");
	snprintf(script, sizeof(script), "cd %s; cat in in none; cat secret; cat up/leak; echo >down/x; mv down/x up/y; true", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	/* The policy that decided changes nothing, nor does one that says the same. */
	assert_int_equal(usher(live, "replay", footprint_of(live), "--against", live->policy), 0);
	assert_says(live->out, "newly DENIED  0 accesses, 0 calls");

	live_policy(live, LIVE_BASE "files { allow all $dir/; deny ENOENT read $dir/in, $dir/none; allow read $dir/secret; deny list $dir/up/ stage log; }");
	assert_int_equal(usher(live, "replay", footprint_of(live), "--against", live->policy), 1);
	assert_says(live->out, "newly DENIED  1 access, 2 calls");
	assert_says(live->out, "        2  read ");
	assert_says(live->out, "/in   deny ENOENT   ");
	assert_says(live->out, "newly ALLOWED  1 access, 2 calls");

	assert_int_equal(usher(live, "replay", "--json", footprint_of(live), "--against", live->policy), 1);
	json_t *json = output_json(live);
	const json_t *denied = json_array_get(json_object_get(json, "newly_denied"), 0);
	assert_string_equal(text_at(denied, "object"), live_path(live, "in"));
	assert_string_equal(text_at(denied, "was"), "allow");
	assert_string_equal(text_at(json_object_get(denied, "now"), "errno"), "ENOENT");
	json_decref(json);

	/* Links on the way, and a move that would gain. */
	live_policy(live, LIVE_BASE "files { allow all $dir/; deny EPERM read $dir/secret; deny write $dir/down/x; allow all $dir/down/, $dir/up/; }");
	assert_int_equal(usher(live, "replay", footprint_of(live), "--against", live->policy), 1);
	assert_says(live->out, "write,create ");
	assert_says(live->out, "/up/y   deny EXDEV");
	live_policy(live, LIVE_BASE "files { allow all $dir/; allow ro $dir/up/ beneath; allow read $dir/secret; }");
	assert_int_equal(usher(live, "replay", "--json", footprint_of(live), "--against", live->policy), 1);
	json = output_json(live);
	assert_int_equal(json_array_size(json_object_get(json, "newly_allowed")), 1);
	/* By its own name; through the link that leads out it stays denied. */
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(json, "newly_allowed"), 0), "calls")), 1);
	assert_int_equal(json_array_size(json_object_get(json, "newly_denied")), 0);
	json_decref(json);

	assert_int_equal(usher(live, "replay", "--since", "2030-01-01", footprint_of(live), "--against", live->policy), 5);
	assert_says(live->err, "no accesses");
	assert_int_equal(usher(live, "replay", "--since", "1h", footprint_of(live), "--against", live->policy), 1);
	assert_int_equal(usher(live, "replay", "--since", "soon", footprint_of(live), "--against", live->policy), 2);
	assert_int_equal(usher(live, "replay", footprint_of(live)), 2);
	assert_int_equal(usher(live, "replay", "--against", live->policy), 2);
	assert_int_equal(usher(live, "replay", live_path(live, "in"), "--against", live->policy), 5);
	assert_int_equal(usher(live, "replay", live_path(live, "nothing"), "--against", live->policy), 5);
	forget_footprint(live);

	/* A link that leads out is answered as the section's default says. */
	record_into(live);
	live_policy(live, "files { default deny ENOENT; allow all /; }");
	assert_int_equal(live_runl(live, "cat", live_path(live, "up/leak"), NULL), 0);
	live_policy(live, "files { default deny ENOENT; allow all /; allow ro $dir/up/ beneath; }");
	assert_int_equal(usher(live, "replay", footprint_of(live), "--against", live->policy), 1);
	assert_says(live->out, "/secret   deny ENOENT   ");
	forget_footprint(live);
}

/* An audit log at level all says the same as a footprint. */
static void replay_reads_logs(void **state)
{
	struct live *live = *state;
	char script[400];
	live->options[0] = NULL;
	live_file(live, "in", 0644, "x\n");
	live_policy(live, LIVE_BASE "files { allow all $dir/; deny EPERM delete $dir/in; } audit { level all; }");
	snprintf(script, sizeof(script), "cd %s; cat in none; echo >new; mv new newer; rm in; true", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	assert_int_equal(usher(live, "replay", live->audit, "--against", live->policy), 0);
	live_policy(live, LIVE_BASE "files { allow all $dir/; deny create $dir/new*; }");
	assert_int_equal(usher(live, "replay", "--json", live->audit, "--against", live->policy), 1);
	json_t *json = output_json(live);
	assert_int_equal(json_array_size(json_object_get(json, "newly_denied")), 2);
	assert_int_equal(json_array_size(json_object_get(json, "newly_allowed")), 1);
	json_decref(json);
}

static void diff_is_weighted(void **state)
{
	struct live *live = *state;
	char script[400];
	forget_footprint(live);
	record_into(live);
	live_file(live, "a", 0644, "x\n");
	live_file(live, "b", 0644, "x\n");
	live_policy(live, ALLOW_ALL);
	snprintf(script, sizeof(script), "cd %s; cat b b b a", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	const char *one = policy_file(live, "one.policy", "files { default deny; allow read $dir/a; allow read $dir/b; allow read /x; }\n");
	const char *two = policy_file(live, "two.policy", "files { default deny; allow read $dir/b stage log; deny read $dir/[a-f]; }\n");
	assert_int_equal(usher(live, "diff", "--footprint", footprint_of(live), one, two), 1);
	const char *b = strstr(live->out, "/b   1 access, 3 calls"), *a = strstr(live->out, "/a   1 access, 1 call");
	assert_true(b && a && b < a && strstr(a, "/x\n"));
	assert_int_equal(usher(live, "diff", "--footprint", live_path(live, "none"), one, two), 5);
	forget_footprint(live);
}

/* ---- learn ---- */

static void learn_adds_to_a_policy(void **state)
{
	struct live *live = *state;
	char rules[1024];
	live_file(live, "a", 0644, "x\n");
	live_file(live, "b", 0644, "x\n");
	live_file(live, "secret", 0644, "x\n");
	snprintf(rules, sizeof(rules), LIVE_BASE "# mine\nfiles { allow read %s/a; # this too\n deny read %s/secret; forbid read %s/never; }\n", live->dir, live->dir, live->dir);
	live_file(live, "never", 0644, "x\n");
	char *dollar;
	while ((dollar = strstr(rules, "$probe"))) {
		memcpy(dollar, "/nopro", 6);
	}
	const char *policy = policy_file(live, "mine.policy", rules);
	char *before = live_read(policy);
	assert_int_equal(usher(live, "learn", "--update", policy, "--", "/bin/cat", live_path(live, "a"), live_path(live, "b"), live_path(live, "secret")), 0);
	assert_says(live->out, "x\nx\nx\n");
	char *after = live_read(policy);
	assert_int_equal(strncmp(after, before, strlen(before)), 0);
	const char *added = after + strlen(before);
	assert_says(added, "/b;");
	assert_null(strstr(added, "/a;"));
	assert_says(added, "# Not proposed:\n#   read ");
	assert_says(added, "/secret   mine.policy:");
	free(before);
	free(after);
	/* Twice adds nothing. */
	before = live_read(policy);
	assert_int_equal(usher(live, "learn", "--update", policy, "--", "/bin/cat", live_path(live, "a"), live_path(live, "b")), 1);
	after = live_read(policy);
	assert_string_equal(before, after);
	free(before);
	free(after);
	/* What is forbidden is forbidden while learning. */
	(void)usher(live, "learn", "--json", "--update", policy, "--", "/bin/cat", live_path(live, "never"));
	assert_says(live->err, "ermission denied");
	assert_null(strstr(live->out, "x\n"));
}

static void learn_reads_what_others_recorded(void **state)
{
	struct live *live = *state;
	char text[2048];
	const char *dir = live->dir;
	live_file(live, "real/a", 0644, "x\n");
	live_symlink(live, "real", "link");
	snprintf(text, sizeof(text),
		 "101 openat(AT_FDCWD, \"%s/link/a\", O_RDONLY|O_CLOEXEC) = 3\n"
		 "[pid   102] 12:00:00.123 openat(AT_FDCWD</nowhere>, \"rel\\303\\244tive\", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 4</nowhere/rel>\n"
		 "101 openat(AT_FDCWD, \"%s/cut\", O_RDWR <unfinished ...>\n"
		 "102 openat(AT_FDCWD, \"%s/other/none\", O_RDONLY) = -1 ENOENT (No such file or directory)\n"
		 "101 <... openat resumed>) = 5\n"
		 "102 rename(\"%s/x\", \"%s/y\") = 0\n"
		 "102 connect(3, {sa_family=AF_INET, sin_port=htons(5432), sin_addr=inet_addr(\"10.0.0.7\")}, 16) = 0\n"
		 "102 connect(3, {sa_family=AF_UNIX, sun_path=\"%s/sock\"}, 110) = 0\n"
		 "102 openat(AT_FDCWD, \"relative\", O_RDONLY) = 3\n"
		 "102 exit_group(0) = ?\n",
		 dir, dir, dir, dir, dir, dir);
	const char *trace = live_file(live, "trace", 0644, text), *policy = live_path(live, "new.policy");
	assert_int_equal(usher(live, "learn", "--tight", "-o", policy, "--from", trace), 0);
	char *learnt = live_read(policy);
	assert_says(learnt, "/real/a;");
	assert_says(learnt, "\"/nowhere/rel\\xC3\\xA4tive\";");
	assert_says(learnt, "allow read,write       ");
	assert_says(learnt, "/cut;");
	assert_says(learnt, "/y;");
	assert_says(learnt, "allow connect tcp 10.0.0.7:5432;");
	assert_says(learnt, "allow connect unix     ");
	assert_null(strstr(learnt, "/none"));
	free(learnt);
	assert_int_equal(usher(live, "replay", trace, "--against", policy), 0);
	/* It is not overwritten. */
	assert_int_equal(usher(live, "learn", "-o", policy, "--from", trace), 2);

	static const char raw[] = "type=SECCOMP msg=audit(1363815123.123:456): auid=1 uid=1 gid=1 ses=1 pid=9 comm=\"x\" exe=\"/bin/x\" sig=31 "
#ifdef __x86_64__
				  "arch=c000003e syscall=165 compat=0 ip=0x7 code=0x7ffc0000\n"
#else
				  "arch=c00000b7 syscall=40 compat=0 ip=0x7 code=0x7ffc0000\n"
#endif
				  "type=SYSCALL msg=audit(1363815123.123:457): arch=c000003e syscall=2\n";
	const char *kernel = live_file(live, "raw", 0644, raw), *calls = live_path(live, "calls.policy");
	assert_int_equal(usher(live, "learn", "-o", calls, "--from", kernel), 0);
	learnt = live_read(calls);
	assert_says(learnt, "allow mount;");
	free(learnt);
	assert_int_equal(usher(live, "learn", "-o", live_path(live, "x.policy"), "--from", live_file(live, "junk", 0644, "nothing of that kind\n")), 5);
	assert_int_equal(usher(live, "learn", "-o", live_path(live, "x.policy"), "--", "/no/such/program"), 5);
	assert_int_equal(usher(live, "learn", "--", "true"), 2);
	assert_int_equal(usher(live, "learn", "-o", "x.policy"), 2);
	assert_int_equal(access(live_path(live, "x.policy"), F_OK), -1);
}

/* Each rule is asked about; what is declined stays as a comment. */
static void learn_asks_about_each_rule(void **state)
{
	struct live *live = *state;
	const char *trace = live_file(live, "trace", 0644, "1 openat(AT_FDCWD, \"/srv/one\", O_RDONLY) = 3\n1 openat(AT_FDCWD, \"/srv/two\", O_RDONLY) = 3\n"
							     "1 openat(AT_FDCWD, \"/srv/three\", O_RDONLY) = 3\n");
	const char *policy = live_path(live, "learnt.policy");
	live->input = "y\nq\n";
	assert_int_equal(usher(live, "learn", "--review", "--tight", "-o", policy, "--from", trace), 1);
	assert_says(live->err, "1 of 3: take it?");
	assert_says(live->err, "nothing is written");
	assert_int_equal(access(policy, F_OK), -1);
	live->input = "n\nwhat\na\n";
	assert_int_equal(usher(live, "learn", "--review", "--tight", "-o", policy, "--from", trace), 0);
	assert_says(live->out, "under 2 rules");
	char *text = live_read(policy);
	assert_says(text, "\t# not taken: allow read ");
	assert_true(strstr(text, "\tallow read ") && strstr(text, "/srv/two;"));
	free(text);
	live->input = NULL;
}

static void learn_runs_more_than_once(void **state)
{
	struct live *live = *state;
	char script[400];
	const char *policy = live_path(live, "runs.policy");
	snprintf(script, sizeof(script), "echo x >%s/out.$$.txt; exit 3", live->dir);
	assert_int_equal(usher(live, "learn", "--json", "--runs", "2", "-o", policy, "--", "/bin/sh", "-c", script), 0);
	json_t *json = output_json(live);
	assert_int_equal(json_integer_value(json_object_get(json, "runs")), 2);
	assert_int_equal(json_integer_value(json_object_get(json, "partial")), 2);
	json_decref(json);
	char *learnt = live_read(policy);
	assert_says(learnt, "/out.");
	assert_says(learnt, "2 calls, 2 runs; e.g. ");
	assert_says(learnt, "# 2 of the runs did not end with status 0");
	free(learnt);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
static const struct CMUnitTest tests[] = { 
	TEST(diff_says_what_changes),
	TEST(record_counts_accesses),
	TEST(record_is_out_of_reach),
	TEST(record_survives_a_kill),
	TEST(record_refuses_what_it_cannot_have),
	TEST(a_full_disk_stops_nothing),
	TEST(replay_says_what_would_change),
	TEST(replay_reads_logs),
	TEST(diff_is_weighted),
	TEST(learn_adds_to_a_policy),
	TEST(learn_reads_what_others_recorded),
	TEST(learn_asks_about_each_rule),
	TEST(learn_runs_more_than_once),
};

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("live_evidence", tests, NULL, NULL);
}
