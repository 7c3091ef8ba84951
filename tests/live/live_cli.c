/* The command line as people and scripts meet it: every verb, every exit status, and the sentences that are
 * promised. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live.h"

#define usher(live, ...) live_usher_run((live), (const char *const[]){ __VA_ARGS__, NULL })

static const char good[] = "files {\n"
			   "	default deny ENOENT;\n"
			   "	allow ro $dir/www/ beneath;\n"
			   "	deny ro $dir/www/**/.git/;\n"
			   "	deny ro $dir/www/private/ stage log;\n"
			   "	forbid read $dir/www/secret note \"ask the owner\";\n"
			   "	allow read $dir/other;\n"
			   "}\n"
			   "syscalls { default allow; deny EPERM @debug; }\n"
			   "test {\n"
			   "	expect allow read $dir/www/index.html;\n"
			   "	expect deny read $dir/www/.git/config;\n"
			   "	expect deny read $dir/www/private/x;\n"
			   "	never allow write $dir/www/**;\n"
			   "}\n";

#define assert_says(text, part)                                                                              \
	do {                                                                                                 \
		if (!strstr((text), (part))) {                                                               \
			print_error("'%s' is not in:\n%s\n", (part), (text));                                \
			fail();                                                                              \
		}                                                                                            \
	} while (0)

static json_t *output_json(const struct live *live)
{
	json_error_t error;
	json_t *json = json_loads(live->out, 0, &error);
	if (!json) {
		print_error("%s in:\n%s\n", error.text, live->out);
		fail();
	}
	assert_int_equal(json_integer_value(json_object_get(json, "schema")), 1);
	return json;
}

static const char *text_at(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));
	return text ? text : "(none)";
}

/* ---- usher itself ---- */

static void verbs_and_options(void **state)
{
	struct live *live = *state;
	assert_int_equal(usher(live, "--version"), 0);
	assert_int_equal(strncmp(live->out, "usher ", 6), 0);
	assert_int_equal(usher(live, "--help"), 0);
	assert_says(live->out, "usher run -p web");
	assert_int_equal(live_usher_run(live, (const char *const[]){ NULL }), 2);
	assert_says(live->err, "usage: usher");
	assert_int_equal(usher(live, "chek"), 2);
	assert_says(live->err, "did you mean 'check'?");
	/* Of verbs that come later nothing is promised. */
	assert_int_equal(usher(live, "learn"), 2);
	assert_says(live->err, "there are: run check test why dump doctor help\n");
	assert_int_equal(usher(live, "check", "--strickt", "web"), 2);
	assert_says(live->err, "did you mean '--strict'?");
	assert_int_equal(usher(live, "check", "-x", "web"), 2);
	assert_says(live->err, "unknown option '-x'");
	assert_int_equal(usher(live, "check", "--set"), 2);
	assert_says(live->err, "'--set' needs a value");
	assert_int_equal(usher(live, "check", "--json=yes", "web"), 2);
	assert_says(live->err, "takes no value");
	assert_int_equal(usher(live, "--color=green", "check", "web"), 2);
	assert_says(live->err, "auto, always or never");
	assert_int_equal(usher(live, "check", "--set", "1", "web"), 2);
	/* A mistake of run must not look like a status of the program. */
	assert_int_equal(usher(live, "run", "--nonsense"), 125);
	assert_int_equal(usher(live, "run", "--", "true"), 125);
}

static void every_verb_has_help(void **state)
{
	struct live *live = *state;
	static const char *const verbs[] = { "run", "check", "test", "why", "dump", "doctor", "help" };
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		assert_int_equal(usher(live, verbs[i], "--help"), 0);
		assert_says(live->out, "Global options:");
		assert_says(live->out, "xit status");
		assert_int_equal(usher(live, verbs[i], "-h"), 0);
		assert_null(strstr(live->out, "Global options:"));
		assert_says(live->out, "Examples:");
		assert_int_equal(usher(live, "help", verbs[i]), 0);
		assert_says(live->out, "usage: usher ");
	}
}

/* The manual pages are written by hand; that they leave nothing out is not left to the hand. */
static void manual_pages_name_every_option(void **state)
{
	struct live *live = *state;
	static const char *const verbs[] = { "run", "check", "test", "why", "dump", "doctor", "help" };
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		char file[300], option[80];
		snprintf(file, sizeof(file), SOURCE_DIR "/docs/man/usher-%s.1.scd", verbs[i]);
		char *page = live_read(file);
		assert_non_null(page);
		assert_int_equal(usher(live, verbs[i], "--help"), 0);
		unsigned options = 0;
		for (const char *at = live->out; (at = strstr(at, "--")); at += strlen("--")) {
			size_t len = strspn(at + 2, "abcdefghijklmnopqrstuvwxyz-");
			if (!len)
				continue;
			snprintf(option, sizeof(option), "--%.*s*", (int)len, at + 2);
			assert_says(page, option);
			options++;
		}
		assert_true(options >= 6);
		free(page);
	}
}

static void help_knows_its_topics(void **state)
{
	struct live *live = *state;
	static const char *const topics[][2] = {
		{ "precedence", "The order of lines, files and includes never matters." },
		{ "stages", "stage kill" },
		{ "exit", "125" },
		{ "audit", "timestamp" },
		{ "policies", "XDG_CONFIG_HOME" },
		{ "directives", "beneath" },
		{ "calls", "openat" },
		{ "warnings", "W012" },
		{ "W012", "io_uring" },
		{ "w012", "io_uring" },
		{ "groups", "@file-system" },
		{ "beneath", "option of a rule" },
		{ "openat", "system call" },
		{ "@reboot", "reboot" },
	};
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		assert_int_equal(usher(live, "help", topics[i][0]), 0);
		assert_says(live->out, topics[i][1]);
	}
	assert_int_equal(usher(live, "help", "precedense"), 2);
	assert_says(live->err, "did you mean 'precedence'?");
	assert_int_equal(usher(live, "help", "zzzzzzzz"), 2);
	assert_int_equal(usher(live, "help"), 0);
	assert_says(live->out, "Topics:");
}

static void colour_only_where_it_is_wanted(void **state)
{
	struct live *live = *state;
	live_policy(live, good);
	assert_int_equal(usher(live, "check", live->policy), 0);
	assert_null(strchr(live->out, '\033'));
	assert_int_equal(usher(live, "--color=always", "check", live->policy), 0);
	assert_non_null(strchr(live->out, '\033'));
	setenv("CLICOLOR_FORCE", "1", 1);
	assert_int_equal(usher(live, "check", live->policy), 0);
	assert_non_null(strchr(live->out, '\033'));
	setenv("NO_COLOR", "1", 1);
	assert_int_equal(usher(live, "check", live->policy), 0);
	assert_null(strchr(live->out, '\033'));
	unsetenv("CLICOLOR_FORCE");
	unsetenv("NO_COLOR");
}

/* ---- which policy ---- */

static void policies_are_found_by_name(void **state)
{
	struct live *live = *state;
	char here[4096];
	live_policy(live, good);
	live_file(live, "config/usher/mine.policy", 0644,
		  "syntax 1;\npolicy mine;\nfiles { default deny; }\n");
	live_file(live, "here.policy", 0644, "syntax 1;\npolicy here;\n");
	setenv("XDG_CONFIG_HOME", live_path(live, "config"), 1);
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(live->dir), 0);
	assert_int_equal(usher(live, "check", "mine"), 0);
	assert_says(live->out, "mine@");
	/* The current directory is never searched. */
	assert_int_equal(usher(live, "check", "here"), 5);
	assert_says(live->err, "./here.policy");
	assert_int_equal(usher(live, "check", "here.policy"), 5);
	assert_int_equal(usher(live, "check", "./here.policy"), 0);
	assert_int_equal(usher(live, "run", "-p", "here", "--", "true"), 125);
	assert_int_equal(usher(live, "check", "./absent.policy"), 5);
	assert_says(live->err, "absent.policy: No such file");
	assert_int_equal(usher(live, "check", ""), 5);
	assert_int_equal(usher(live, "check", ".hidden"), 5);
	assert_int_equal(chdir(here), 0);
	unsetenv("XDG_CONFIG_HOME");
}

/* ---- check ---- */

static void check_says_what_there_is(void **state)
{
	struct live *live = *state;
	live_policy(live, good);
	assert_int_equal(usher(live, "check", live->policy), 0);
	assert_says(live->out, "digest    sha256:");
	assert_says(live->out, "\nnot brokered: stat\n");
	assert_says(live->out, "(1 only logs), default deny ENOENT");
	assert_says(live->out, "\nonly logs: ");
	assert_says(live->out, "agrees with the policy in");
	assert_int_equal(usher(live, "check", "--plan", "-p", live->policy), 0);
	assert_says(live->out, "Landlock");
	assert_int_equal(usher(live, "check", "-q", live->policy), 0);
	assert_int_equal(live->out_len, 0);
	assert_int_equal(live->err_len, 0);
	live_policy(live, "files { default deny; cover all; }");
	assert_int_equal(usher(live, "check", live->policy), 0);
	assert_null(strstr(live->out, "not brokered"));
	assert_int_equal(usher(live, "check"), 2);
	assert_int_equal(usher(live, "check", live->policy, "more"), 2);
}

static void check_tells_programs(void **state)
{
	struct live *live = *state;
	live_policy(live, good);
	assert_int_equal(usher(live, "check", "--json", "--plan", live->policy), 0);
	json_t *json = output_json(live);
	assert_string_equal(text_at(json, "policy"), "live");
	assert_int_equal(strlen(text_at(json, "digest")), 64);
	assert_string_equal(json_string_value(json_array_get(json_object_get(json, "not_brokered"), 0)),
			    "stat");
	assert_true(json_is_true(json_object_get(json_object_get(json, "filter"), "agrees")));
	assert_true(json_is_object(json_object_get(json, "plan")));
	json_decref(json);
	live_policy(live, "files { defualt deny; }");
	assert_int_equal(usher(live, "check", "--json", live->policy), 3);
	json = output_json(live);
	assert_int_equal(json_integer_value(json_object_get(json, "status")), 3);
	json_t *diag = json_array_get(json_object_get(json, "diagnostics"), 0);
	assert_string_equal(text_at(diag, "severity"), "error");
	assert_true(json_integer_value(json_object_get(diag, "line")) > 0);
	json_decref(json);
}

static void check_finds_mistakes(void **state)
{
	struct live *live = *state;
	live_policy(live, "files { default deny; allow red $dir/; }");
	assert_int_equal(usher(live, "check", live->policy), 3);
	assert_says(live->err, "error: ");
	assert_says(live->err, "did you mean 'read'?");
	assert_says(live->err, "^");
	assert_int_equal(usher(live, "run", "-p", live->policy, "--", "true"), 125);
	assert_int_equal(usher(live, "test", live->policy), 3);
	assert_int_equal(usher(live, "why", "-p", live->policy, "read", "/"), 3);
	assert_int_equal(usher(live, "dump", live->policy), 3);
	/* Warnings are an answer only under --strict. */
	live_policy(live, "files { default deny; allow write /etc/; }");
	assert_int_equal(usher(live, "check", live->policy), 0);
	assert_says(live->err, "W003");
	assert_int_equal(usher(live, "check", "--strict", live->policy), 1);
	/* What this version cannot enforce is valid, and is not run. */
	live_policy(live, "network { default deny; allow connect tcp 127.0.0.1:80; }");
	assert_int_equal(usher(live, "check", live->policy), 4);
	assert_int_equal(usher(live, "run", "-p", live->policy, "--", "true"), 125);
	assert_says(live->err, "not enforced by this version");
}

static void variables_are_set(void **state)
{
	struct live *live = *state;
	live_policy(live, "set $root = /nowhere; files { default deny; allow read $root/x; } test { expect "
			  "allow read /srv/x; }");
	assert_int_equal(usher(live, "test", live->policy), 1);
	assert_int_equal(usher(live, "test", "--set", "root=/srv", live->policy), 0);
}

/* ---- test ---- */

static void test_judges_expectations(void **state)
{
	struct live *live = *state;
	live_policy(live, good);
	assert_int_equal(usher(live, "test", live->policy), 0);
	assert_says(live->out, "4 of 4 hold");
	/* Ruling 18. */
	assert_says(live->out, "private/x   (hangs on what is at stage log)");
	assert_int_equal(usher(live, "test", "--json", live->policy), 0);
	json_t *json = output_json(live);
	assert_int_equal(json_integer_value(json_object_get(json, "passed")), 4);
	assert_int_equal(json_array_size(json_object_get(json, "results")), 4);
	json_decref(json);
	live_policy(live, "files { default deny; allow rw $dir/a/; } test { never allow write $dir/**; "
			  "expect deny read $dir/a/x; }");
	assert_int_equal(usher(live, "test", live->policy), 1);
	assert_says(live->out, "FAIL");
	assert_says(live->out, "it is allowed for /");
	assert_says(live->out, "it is allowed by usher-live-");
}

static void test_judges_separate_files(void **state)
{
	struct live *live = *state;
	char text[512];
	live_policy(live, good);
	snprintf(text, sizeof(text), "syntax 1;\ntest { expect deny read %s/www/.git/x; }\n", live->dir);
	const char *right = live_file(live, "right.test", 0644, text);
	snprintf(text, sizeof(text), "syntax 1;\ntest { expect allow read %s/www/.git/x; }\n", live->dir);
	const char *wrong = live_file(live, "wrong.test", 0644, text);
	const char *rules = live_file(live, "rules.test", 0644,
				      "syntax 1;\nfiles { allow read /; }\ntest { expect allow read /; }\n");
	assert_int_equal(usher(live, "test", live->policy, right), 0);
	assert_says(live->out, "1 of 1 hold");
	assert_int_equal(usher(live, "test", live->policy, right, wrong), 1);
	assert_says(live->out, "wrong.test:2");
	/* What tests a policy does not change it. */
	assert_int_equal(usher(live, "test", live->policy, rules), 3);
	assert_says(live->err, "holds rules");
	assert_int_equal(usher(live, "test", live->policy, "/nonexistent"), 5);
}

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
	/* Ruling 10: the policy's own file. */
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
	assert_int_equal(usher(live, "why", "-p", live->policy, "connect", "tcp", "127.0.0.1:80"), 2);
	assert_int_equal(usher(live, "why", "d3f9"), 2);
	assert_int_equal(usher(live, "why", "d3f9", "--audit", "/nonexistent"), 5);
	assert_int_equal(usher(live, "why", "-p", "/nonexistent/p", "read", "/x"), 5);
}

/* ---- events ---- */

static void why_explains_events(void **state)
{
	struct live *live = *state;
	char id[16] = "", command[300];
	const char *git = live_file(live, "www/.git/config", 0644, "x");
	live_policy(live, LIVE_BASE "files { allow ro $dir/www/; deny ro $dir/www/**/.git/; }");
	snprintf(command, sizeof(command), "cd %s/www && for i in 1 2 3; do cat .git/config; done",
		 live->dir);
	live_sh(live, command);
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

/* Ruling 10: what a child could write in its own records would be worth nothing. */
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

static void summary_has_two_lines(void **state)
{
	struct live *live = *state;
	const char *b = live_file(live, "www/b", 0644, "b");
	live_policy(live, "files { default allow; deny read $dir/www/b; }");
	assert_int_equal(usher(live, "run", "-p", live->policy, "--summary", "--", "cat", b, b), 1);
	assert_says(live->err, "usher: 2 denials, 1 different; ");
	assert_says(live->err, "\nusher: usher why -p ");
	/* Neither lines nor summary where nobody looks on. */
	usher(live, "run", "-p", live->policy, "--", "cat", b);
	assert_null(strstr(live->err, "usher:"));
	assert_int_equal(live->status, 1);
}

/* ---- dump and doctor ---- */

static void dump_shows_and_emulates(void **state)
{
	struct live *live = *state;
	live_policy(live, good);
	assert_int_equal(usher(live, "dump", live->policy), 0);
	assert_true(live->out_len > 1000);
	assert_int_equal(usher(live, "dump", "--raw", live->policy), 0);
	assert_true(live->out_len > 0 && live->out_len % 8 == 0);
	assert_int_equal(usher(live, "dump", live->policy, "--emulate", "getpid"), 0);
	assert_says(live->out, "  allow ");
	assert_int_equal(usher(live, "dump", live->policy, "--emulate", "openat", "AT_FDCWD"), 0);
	assert_says(live->out, "  notify: the supervisor decides");
	assert_int_equal(usher(live, "dump", live->policy, "--emulate", "io_uring_setup"), 1);
	assert_says(live->out, "  errno ENOSYS");
	assert_int_equal(usher(live, "dump", "--json", live->policy, "--emulate", "10000"), 1);
	json_t *json = output_json(live);
	assert_string_equal(text_at(json, "action"), "errno");
	assert_string_equal(text_at(json, "errno"), "ENOSYS");
	json_decref(json);
	assert_int_equal(usher(live, "dump", live->policy, "--emulate", "opennat"), 2);
	assert_says(live->err, "did you mean 'openat'?");
	assert_int_equal(usher(live, "dump", live->policy, "--emulate", "openat", "nonsense"), 2);
}

static void doctor_tries_it(void **state)
{
	struct live *live = *state;
	assert_int_equal(usher(live, "doctor", "--json"), 0);
	json_t *json = output_json(live), *findings = json_object_get(json, "findings");
	const json_t *last = json_array_get(findings, json_array_size(findings) - 1);
	assert_string_equal(text_at(last, "name"), "self-test");
	assert_string_equal(text_at(last, "state"), "ok");
	json_decref(json);
	/* A kernel without what is required. */
	setenv("USHER_TEST_DISABLE", "wait_killable", 1);
	assert_int_equal(usher(live, "doctor"), 4);
	assert_says(live->out, "BAD");
	live_policy(live, good);
	assert_int_equal(usher(live, "check", live->policy), 4);
	unsetenv("USHER_TEST_DISABLE");
	assert_int_equal(usher(live, "doctor", "more"), 2);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
	const struct CMUnitTest tests[] = {
		CASE(verbs_and_options),
		CASE(every_verb_has_help),
		CASE(manual_pages_name_every_option),
		CASE(help_knows_its_topics),
		CASE(colour_only_where_it_is_wanted),
		CASE(policies_are_found_by_name),
		CASE(check_says_what_there_is),
		CASE(check_tells_programs),
		CASE(check_finds_mistakes),
		CASE(variables_are_set),
		CASE(test_judges_expectations),
		CASE(test_judges_separate_files),
		CASE(why_explains),
		CASE(why_sees_links),
		CASE(why_suggests_with_care),
		CASE(suggestions_can_be_pasted),
		CASE(why_explains_calls),
		CASE(why_refuses_nonsense),
		CASE(why_explains_events),
		CASE(records_follow_the_rules),
		CASE(the_log_is_out_of_reach),
		CASE(a_full_disk_is_told),
		CASE(summary_has_two_lines),
		CASE(dump_shows_and_emulates),
		CASE(doctor_tries_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
