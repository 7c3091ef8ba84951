/* usher why, and the records that it explains. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

/* ---- why ---- */

static void why_explains(void **state)
{
	struct live *live = *state;
	const char *git = live_file(live, "www/.git/config", 0644, "x");
	const char *page = live_file(live, "www/index.html", 0644, "x");
	live_policy(live, good);
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", page), 0);
	assert_int_equal(strncmp(live->out, "ALLOW  read ", 12), 0);
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", git), 1);
	assert_int_equal(strncmp(live->out, "DENY   read ", 12), 0);
	assert_says(live->out, "ENOENT");
	assert_says(live->out, "wins: narrower than the one below");
	assert_says(live->out, "  1  allow read ");
	assert_says(live->out, "opens 1 file\n");
	/* Resolved as a program's call would be. */
	char dots[256];
	snprintf(dots, sizeof(dots), "%s/www/../www/.git//config", live->dir);
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", dots), 1);
	assert_says(live->out, "asked as ");
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", live_path(live, "www/private/x")), 0);
	assert_says(live->out, "with every rule in force: DENY");
	assert_int_equal(usher(live, "why", "-p", live->policy, "stat", "/etc/shadow"), 0);
	assert_says(live->out, "not brokered: stat");
	assert_int_equal(usher(live, "why", "-p", live->policy, "connect", "unix", "/run/docker.sock"), 1);
	assert_int_equal(usher(live, "why", "--json", "-p", live->policy, "read", git), 1);
	json_t *json = output_json(live);
	assert_string_equal(text_at(json, "decision"), "deny");
	assert_string_equal(text_at(json, "errno"), "ENOENT");
	assert_int_equal(json_array_size(json_object_get(json, "rules")), 2);
	json_decref(json);
}

static void why_sees_links(void **state)
{
	struct live *live = *state;
	const char *other = live_file(live, "other", 0644, "x");
	live_mkdir(live, "www", 0755);
	const char *leak = live_symlink(live, "../other", "www/leak");
	live_policy(live, good);
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", other), 0);
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", leak), 1);
	assert_says(live->out, "www/leak leads out of it");
	/* And that is what run does. */
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", live_path(live, "www/absent"),
			       "resolving", other),
			 1);
	assert_says(live->out, "www/absent leads out of it");
}

static void why_suggests_with_care(void **state)
{
	struct live *live = *state;
	live_policy(live, good);
	/* A forbid has an owner, and no way round. */
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", live_path(live, "www/secret")), 1);
	assert_says(live->out, "forbid always wins");
	assert_says(live->out, "note: ask the owner");
	assert_null(strstr(live->out, "to allow it"));
	/* The policy's own file is denied whatever the policy says. */
	assert_int_equal(usher(live, "why", "-p", live->policy, "write", live->policy), 1);
	assert_null(strstr(live->out, "to allow it"));
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", "/etc/shadow"), 1);
	assert_null(strstr(live->out, "to allow it"));
	/* One file of /etc, but never /etc. */
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", "/etc/hostname"), 1);
	assert_says(live->out, "  1  allow read /etc/hostname;");
	assert_null(strstr(live->out, "/etc/;"));
	/* A directory in which another rule denies something would be widened past that rule. */
	live_file(live, "data/a", 0644, "x");
	live_file(live, "data/key", 0644, "x");
	live_policy(live, "files { default deny; deny read $dir/**/a; deny read $dir/data/?ey; }");
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", live_path(live, "data/a")), 1);
	assert_says(live->out, "/data/a;");
	assert_null(strstr(live->out, "/data/;"));
}

/* Whatever bytes the name has, the suggested line is one that usher takes. */
static void suggestions_can_be_pasted(void **state)
{
	struct live *live = *state;
	static const char *const names[] = { "a b",	   "star*",	  "q?",	      "[x]",
					     "{a,b}",	   "back\\slash", "quote\"d", "$var",
					     "semi;colon", "#hash",	  "\xff\x01" };
	char text[4096];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *path = live_file(live, names[i], 0644, "x");
		live_policy(live, "files { default deny; }");
		assert_int_equal(usher(live, "why", "-p", live->policy, "read", path), 1);
		const char *line = strstr(live->out, "  1  allow read ");
		assert_non_null(line);
		snprintf(text, sizeof(text), "files { default deny; }\n%.*s\n", (int)strcspn(line + 5, "\n"),
			 line + 5);
		live_policy(live, text);
		assert_int_equal(usher(live, "why", "-p", live->policy, "read", path), 0);
		snprintf(text, sizeof(text), "%s/%c", live->dir, names[i][0] == 'a' ? 'b' : 'a');
		assert_int_equal(usher(live, "why", "-p", live->policy, "read", text), 1);
	}
}

static void why_explains_calls(void **state)
{
	struct live *live = *state;
	live_policy(live, good);
	assert_int_equal(usher(live, "why", "-p", live->policy, "ptrace"), 1);
	assert_says(live->out, "EPERM");
	assert_says(live->out, "syscalls { allow ptrace; }");
	assert_int_equal(usher(live, "why", "-p", live->policy, "getpid"), 0);
	assert_int_equal(usher(live, "why", "-p", live->policy, "syscall", "read", "0"), 0);
	assert_int_equal(usher(live, "why", "-p", live->policy, "io_uring_setup", "8"), 1);
	assert_says(live->out, "built-in");
	assert_null(strstr(live->out, "to allow it"));
	/* As narrow as what denies, and weaker: no rule helps, and none is made up. */
	live_policy(live, "syscalls { default allow; deny EPERM ptrace; }");
	assert_int_equal(usher(live, "why", "-p", live->policy, "ptrace"), 1);
	assert_says(live->out, "to allow it, change ");
	assert_null(strstr(live->out, "tightest"));
}

static void why_refuses_nonsense(void **state)
{
	struct live *live = *state;
	live_policy(live, good);
	assert_int_equal(usher(live, "why"), 2);
	assert_int_equal(usher(live, "why", "read", "/x"), 2);
	assert_int_equal(usher(live, "why", "-p", live->policy, "raed", "/x"), 2);
	assert_says(live->err, "did you mean 'read'?");
	assert_int_equal(usher(live, "why", "-p", live->policy, "ro", "/x"), 2);
	assert_says(live->err, "group");
	assert_int_equal(usher(live, "why", "-p", live->policy, "read"), 2);
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", ""), 2);
	assert_int_equal(usher(live, "why", "-p", live->policy, "syscall", "opennat"), 2);
	assert_says(live->err, "there is no system call 'opennat'; did you mean 'openat'?");
	assert_int_equal(usher(live, "why", "-p", live->policy, "getpid", "-1"), 2);
	assert_says(live->err, "put -- before a negative number");
	assert_int_equal(usher(live, "why", "-p", live->policy, "connect", "tcp", "127.0.0.1"), 2);
	assert_says(live->err, "no single address of tcp; write 10.0.0.1:443");
	assert_int_equal(usher(live, "why", "-p", live->policy, "connect", "tpc", "127.0.0.1:80"), 2);
	assert_says(live->err, "did you mean 'tcp'?");
	assert_int_equal(usher(live, "why", "d3f9"), 2);
	assert_int_equal(usher(live, "why", "d3f9", "--audit", "/nonexistent"), 5);
	assert_int_equal(usher(live, "why", "-p", "/nonexistent/p", "read", "/x"), 5);
}

/* ---- events ---- */

static unsigned denials_so_far(const struct live *live)
{
	unsigned found = 0;
	char *log = live_audit(live);
	for (const char *at = log; at && (at = strstr(at, "\"action\":\"deny\"")); at++)
		found++;
	free(log);
	return found;
}

static void why_explains_events(void **state)
{
	struct live *live = *state;
	char id[16] = "", command[300];
	const char *git = live_file(live, "www/.git/config", 0644, "x");
	live_policy(live, LIVE_BASE "files { allow ro $dir/www/; deny ro $dir/www/**/.git/; }");
	/* The program stays until it has been recorded: where a relative name began is read then. */
	assert_int_equal(mkfifo(live_path(live, "www/recorded"), 0644), 0);
	snprintf(command, sizeof(command), "cd %s/www && exec cat .git/config .git/config .git/config recorded", live->dir);
	live_start(live, (const char *const[]){ "/bin/sh", "-c", command, NULL });
	while (denials_so_far(live) < 3)
		usleep(1000);
	close(open(live_path(live, "www/recorded"), O_WRONLY | O_CLOEXEC));
	live_finish(live);
	assert_int_equal(live_audited(live, "deny", git), 3);
	char *log = live_audit(live);
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *record = json_loads(line, 0, NULL);
		assert_non_null(record);
		if (strstr(line, "/.git/config"))
			snprintf(id, sizeof(id), "%s", text_at(record, "id"));
		json_decref(record);
	}
	free(log);
	id[8] = 0;
	/* The policy need not be named: the log knows which file it was. */
	assert_int_equal(usher(live, "why", id, "--audit", live->audit), 1);
	assert_says(live->out, "DENY   read ");
	assert_says(live->out, ", 3 times since ");
	assert_says(live->out, "asked as .git/config in ");
	assert_says(live->out, "cat ");
	assert_says(live->out, "  1  allow read ");
	assert_int_equal(usher(live, "why", "--last", "--audit", live->audit), 1);
	assert_says(live->out, "/.git/config");
	assert_int_equal(usher(live, "why", "0123456789abcdef", "--audit", live->audit), 5);
	assert_says(live->err, "there is no event");
	/* A policy that has changed since says so. */
	live_policy(live, LIVE_BASE "files { allow ro $dir/www/; }");
	assert_int_equal(usher(live, "why", id, "--audit", live->audit), 0);
	assert_says(live->out, "is asked now");
	assert_says(live->out, "it was recorded as deny");
}

/* What decided were the arguments. */
static void why_explains_events_of_calls(void **state)
{
	struct live *live = *state;
	const char *log = live_file(live, "log", 0644,
				    "{\"syscall\":\"umask\",\"action\":\"deny\",\"details\":{\"args\":[\"0x3f\",\"0x0\"]},\"id\":\"d3f9\"}");
	live_policy(live, "files { default allow; deny read $dir/x; }\nsyscalls { default allow; deny EPERM umask where arg0 == 63; }");
	assert_int_equal(usher(live, "why", "d3f", "--audit", log, "-p", live->policy), 1);
	assert_says(live->out, "DENY   umask");
	assert_says(live->out, "wins: ");
	assert_null(strstr(live->out, "it was recorded"));
	live_policy(live, "files { default allow; deny read $dir/x; }\nsyscalls { default allow; deny EPERM umask where arg0 == 62; }");
	assert_int_equal(usher(live, "why", "d3f", "--audit", log, "-p", live->policy), 0);
	assert_says(live->out, "it was recorded as deny");
}

/* Records may be anybody's. */
static void forged_records_do_no_harm(void **state)
{
	struct live *live = *state;
	static const char *const records[] = {
		"{\"action\":\"deny\"}",
		"{\"action\":\"deny\",\"details\":{\"op\":\"read\",\"path\":\"etc\"}}",
		"{\"action\":\"deny\",\"details\":{\"op\":\"read\",\"path\":5,\"args\":7},\"syscall\":[]}",
		"{\"action\":\"deny\",\"details\":{\"op\":\"read\",\"path_b64\":\"!\"},\"process\":3,\"policy\":{}}",
		"{\"action\":\"deny\",\"id\":7}\n[1]\n7\n{\"action\":\"deny\"",
	};
	live_policy(live, good);
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		const char *log = live_file(live, "log", 0644, records[i]);
		assert_int_equal(usher(live, "why", "--last", "--audit", log, "-p", live->policy), 5);
		assert_says(live->err, "not about a call");
	}
	const char *log = live_file(live, "log", 0644, records[1]);
	assert_int_equal(usher(live, "why", "--last", "--audit", log), 2);
	assert_says(live->err, "give -p POLICY");
	log = live_file(live, "log", 0644,
			"{\"timestamp\":\"\\u001b[31m\",\"policy\":\"\\u001b[31m\",\"rule\":\"\\u001b[31m\","
			"\"process\":{\"exe\":\"\\u001b[31m\"},\"action\":\"deny\",\"details\":{\"op\":\"read\",\"path\":\"/\\u001b[31m\","
			"\"spelled\":\"\\u001b[31m\",\"base\":\"/\\u001b[31m\",\"errno\":\"\\u001b[31m\"}}");
	assert_int_equal(usher(live, "why", "--last", "--audit", log, "-p", live->policy), 1);
	assert_says(live->out, "\\x1B[31m");
	assert_null(memchr(live->out, '\033', live->out_len));
	assert_int_equal(usher(live, "why", "--last", "--audit", live->dir), 5);
	assert_says(live->err, "Is a directory");
}

static void records_follow_the_rules(void **state)
{
	struct live *live = *state;
	live_file(live, "www/a", 0644, "a");
	live_file(live, "www/b", 0644, "b");
	live_file(live, "www/c", 0644, "c");
	live_policy(live, LIVE_BASE "files { allow read $dir/www/a audit all; deny EPERM read $dir/www/b; "
				    "allow read $dir/www/c; deny read $dir/www/c stage log; }");
	live_runl(live, "cat", live_path(live, "www/a"), live_path(live, "www/b"), live_path(live, "www/c"),
		  NULL);
	assert_string_equal(live->out, "ac");
	assert_int_equal(live_audited(live, "allow", "/www/a"), 1);
	assert_int_equal(live_audited(live, "deny", "/www/b"), 1);
	assert_int_equal(live_audited(live, "would-deny", "/www/c"), 1);
	assert_int_equal(live_audited(live, "start", NULL), 1);
	struct stat st;
	assert_int_equal(stat(live->audit, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* What a child could write in its own records would be worth nothing. */
static void the_log_is_out_of_reach(void **state)
{
	struct live *live = *state;
	char script[600];
	live_policy(live, "files { default allow; }");
	snprintf(script, sizeof(script), "echo x >>%s; echo x >>%s; rm -f %s %s; cat %s", live->audit,
		 live->policy, live->audit, live->policy, live->policy);
	assert_int_not_equal(live_sh(live, script), 0);
	assert_int_equal(live->out_len, 0);
	assert_int_equal(live_audited(live, "deny", live->policy), 3);
	assert_int_equal(live_audited(live, "deny", live->audit), 2);
	char *policy = live_read(live->policy);
	assert_non_null(policy);
	assert_null(strstr(policy, "\nx\n"));
	free(policy);
}

static void a_full_disk_is_told(void **state)
{
	struct live *live = *state;
	live_file(live, "www/b", 0644, "b");
	live_policy(live, LIVE_BASE "files { deny read $dir/www/b; }");
	/* Not --audit of live_run: that file is to be this one. */
	assert_int_equal(usher(live, "run", "-p", live->policy, "--audit", "/dev/full", "--", "cat",
			       live_path(live, "www/b")),
			 1);
	assert_says(live->err, "Permission denied");
	assert_says(live->err, "could not be written to /dev/full");
	assert_int_equal(usher(live, "run", "-p", live->policy, "--audit", "/nonexistent/log", "--", "true"),
			 125);
}

/* Where numbers are missing, a record says so: how many. A line that was torn is one of them. */
static json_int_t gaps_are_counted(const char *log)
{
	json_int_t last = 0, lost = 0, missing = 0;
	for (const char *line = log; *line; line += strcspn(line, "\n") + 1) {
		json_t *record = json_loadb(line, strcspn(line, "\n"), 0, NULL), *seq = json_object_get(record, "seq");
		lost += json_integer_value(json_object_get(json_object_get(record, "details"), "lost"));
		if (json_is_integer(seq)) {
			missing += json_integer_value(seq) - last - 1;
			last = json_integer_value(seq);
		}
		json_decref(record);
	}
	assert_int_equal(missing, lost);
	return lost;
}

/* How many records were lost while there was no room for them. (A page is that of log-live.) */
static json_int_t fill_disk(struct live *live)
{
	char script[1024], log[200];
	json_int_t lost;
	assert_int_equal(mount("tmpfs", live_path(live, "disk"), "tmpfs", 0, "size=64k"), 0);
	live_policy(live, "files { default allow; deny read $dir/b; }");
	snprintf(log, sizeof(log), "%s", live_path(live, "disk/log"));
	snprintf(script, sizeof(script),
		 "cd %s; head -c 53248 /dev/zero >disk/filler; i=0; while [ $i -lt 40 ]; do read x <b; i=$((i+1)); done; "
		 "until [ $(stat -c %%s disk/log) = 8192 ]; do :; done; rm disk/filler; read x <b; exit 4", live->dir);
	usher(live, "run", "-p", live->policy, "--audit", log, "--", "sh", "-c", script);
	char *text = live_read(log);
	assert_int_equal(umount2(live_path(live, "disk"), MNT_DETACH), 0);
	assert_int_equal(live->status, 4);
	assert_null(strstr(live->err, "not found"));
	assert_non_null(text);
	lost = gaps_are_counted(text);
	if (lost) {
		assert_says(live->err, "audit records could not be written to ");
		assert_says(text, "\"action\":\"gap\",\"details\":{\"message\":\"records were lost before this one\",\"lost\":");
	}
	free(text);
	return lost;
}

/* The rest of the records is lost, counted, and told; nothing is let through. */
static void a_disk_that_fills_up(void **state)
{
	struct live *live = *state;
	json_int_t lost = 0;
	if (!live_apart())
		skip();
	live_file(live, "b", 0644, "b");
	live_mkdir(live, "disk", 0777);
	/* The rest of a line that was cut off may find room again, if usher is that slow. */
	for (int i = 0; i < 5 && !lost; i++)
		lost = fill_disk(live);
	assert_true(lost > 0);
}

/* Records at the end of a policy would be its end. */
static void the_log_is_no_policy(void **state)
{
	struct live *live = *state;
	live_policy(live, "files { default allow; }");
	char *before = live_read(live->policy);
	const char *link = live_symlink(live, live->policy, "log");
	assert_int_equal(usher(live, "run", "-p", live->policy, "--audit", link, "--", "true"), 125);
	assert_says(live->err, "this is a file of the policy itself");
	char *after = live_read(live->policy);
	assert_string_equal(before, after);
	free(before);
	free(after);
	/* Messages name the log. */
	assert_int_equal(usher(live, "run", "-p", live->policy, "--audit", "/nonexistent/log", "--", "true"), 125);
	assert_says(live->err, "audit log /nonexistent/log: No such file");
	assert_int_equal(usher(live, "run", "-p", live->policy, "--audit", "", "--", "true"), 125);
	assert_says(live->err, "--audit needs");
	/* A pipe has no path. */
	assert_int_equal(usher(live, "run", "-p", live->policy, "--audit", "/dev/stderr", "--", "true"), 0);
	assert_says(live->err, "\"action\":\"stop\"");
}

static void summary_has_two_lines(void **state)
{
	struct live *live = *state;
	const char *b = live_file(live, "www/b", 0644, "b");
	live_policy(live, "files { default allow; deny read $dir/www/b; }");
	assert_int_equal(usher(live, "run", "-p", live->policy, "--summary", "--", "cat", b, b), 1);
	assert_says(live->err, "usher: 2 denials, 1 different; ");
	assert_says(live->err, "\nusher: usher why -p ");
	/* What would be denied is no denial. */
	const char *c = live_file(live, "www/c", 0644, "c");
	live_policy(live, "files { default allow; deny read $dir/www/b; deny read $dir/www/c stage log; }");
	assert_int_equal(usher(live, "run", "-p", live->policy, "--summary", "--", "cat", b, c), 1);
	assert_says(live->err, "usher: 1 denial; 1 call would be denied without stage log; in all 2 different; ");
	/* The next command is one that a shell takes. */
	live_policy(live, "set $what = nothing; files { default allow; deny read $dir/www/$what; }");
	const char *quoted = live_file(live, "www/it's b", 0644, "b");
	assert_int_equal(usher(live, "run", "-p", live->policy, "--set", "what=it's b", "--summary", "--", "cat", quoted), 1);
	const char *next = strstr(live->err, "\nusher: usher why -p ");
	assert_non_null(next);
	assert_says(next, " --set what='it'\\''s b' read ");
	char command[1024];
	snprintf(command, sizeof(command), "%s %.*s >/dev/null", live_usher(), (int)strcspn(next + 14, "\n"), next + 14);
	assert_int_equal(WEXITSTATUS(system(command)), 1);
	live_policy(live, "files { default allow; deny read $dir/www/b; }");
	/* Neither lines nor summary where nobody looks on. */
	usher(live, "run", "-p", live->policy, "--", "cat", b);
	assert_null(strstr(live->err, "usher:"));
	assert_int_equal(live->status, 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
	const struct CMUnitTest tests[] = {
		CASE(why_explains),
		CASE(why_sees_links),
		CASE(why_suggests_with_care),
		CASE(suggestions_can_be_pasted),
		CASE(why_explains_calls),
		CASE(why_refuses_nonsense),
		CASE(why_explains_events),
		CASE(why_explains_events_of_calls),
		CASE(forged_records_do_no_harm),
		CASE(records_follow_the_rules),
		CASE(the_log_is_out_of_reach),
		CASE(a_full_disk_is_told),
		CASE(a_disk_that_fills_up),
		CASE(the_log_is_no_policy),
		CASE(summary_has_two_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
