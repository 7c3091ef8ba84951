/* The command line as people and scripts meet it: every verb, every exit status, and the sentences that are
 * promised. usher why is in live_why.c. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"

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
	assert_int_equal(usher(live, "top"), 2);
	assert_says(live->err, "there are: run check test why log learn replay diff ps reload promote demote panic shadow rollout dump doctor help\n");
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
	static const char *const verbs[] = { "run", "check", "test", "why", "log", "learn", "replay", "diff", "ps", "reload", "promote", "demote",
		"panic", "shadow", "rollout", "dump", "doctor", "help" };
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
	static const char *const verbs[] = { "run", "check", "test", "why", "log", "learn", "replay", "diff", "ps", "reload", "promote", "demote",
		"panic", "shadow", "rollout", "dump", "doctor", "help" };
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		char file[4200], option[80];
		snprintf(file, sizeof(file), "%s/usher-%s.1.scd", live_beside("man", SOURCE_DIR "/docs/man"), verbs[i]);
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
	assert_int_equal(usher(live, "help", "@file-sistem"), 2);
	assert_says(live->err, "did you mean '@file-system'?");
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

/* What could not be written must not look like an answer. */
static void lost_output_is_an_error(void **state)
{
	struct live *live = *state;
	static const char *const words[] = { "--version", "--help", "help", "check POLICY",
					     "dump POLICY", "dump --raw POLICY", "why -p POLICY read /nowhere" };
	char script[1024];
	live_policy(live, good);
	setenv("USHER", live_usher(), 1);
	setenv("POLICY", live->policy, 1);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(script, sizeof(script), "set -- $(echo '%s' | sed \"s|POLICY|$POLICY|\"); \"$USHER\" \"$@\" 2>/dev/null", words[i]);
		size_t len = strlen(script);
		strcpy(script + len, " >/dev/full");
		assert_int_equal(WEXITSTATUS(system(script)), 5);
		strcpy(script + len, " >&-");
		assert_int_equal(WEXITSTATUS(system(script)), 5);
		strcpy(script + len, " <&- >/dev/null");
		assert_int_equal(WEXITSTATUS(system(script)), i == 6);
	}
}

/* RLIMIT_FSIZE is an error that is told, here and to the program, and no signal that ends usher. */
static void size_limits_are_errors(void **state)
{
	struct live *live = *state;
	struct rlimit was, none = { 0 };
	live_policy(live, LIVE_BASE "files { allow all $dir/; }");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none.rlim_max = was.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	int checked = usher(live, "check", live->policy);
	bool said = strstr(live->err, "File too large");
	int ran = live_runl(live, "true", NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(checked, 4);
	assert_true(said);
	assert_int_equal(ran, 125);
	assert_says(live->err, "File too large");
	none.rlim_cur = 20000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	char script[200];
	snprintf(script, sizeof(script), "exec head -c 30000 /dev/zero >%s/big", live->dir);
	ran = live_sh(live, script);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(ran, 128 + SIGXFSZ);
}

/* Neither a policy's name nor what is asked about may paint the terminal. */
static void nothing_paints_the_terminal(void **state)
{
	struct live *live = *state;
	char text[1024], line[64];
	snprintf(text, sizeof(text), "syntax 1; files { default deny; deny read %s/x; deny read /y stage log; }\n"
		 "test { expect allow read %s/x; }", live->dir, live->dir);
	const char *policy = live_file(live, "p\033[31m\x9b\xff.policy", 0644, text);
	const char *x = live_file(live, "x", 0644, "x");
	const char *const argv[][8] = {
		{ "check", policy }, { "check", "--plan", policy }, { "test", policy }, { "why", "-p", policy, "read", x },
		{ "why", "-p", policy, "r\033[31m" }, { "run", "-v", "-p", policy, "--", "\033[31m" }, { "\033[31m" },
		{ "dump", policy, "--emulate", "\033[31m" }, { "check", "./\033[31m" }, { "help", "\033[31m" }, { "check", "-\033" },
		{ "check", "--set", "x=\033[31m", policy }, { "run", "-p", policy, "--audit", "/\033[31m/x", "--", "true" },
	};
	for (size_t i = 0; i < sizeof(argv) / sizeof(argv[0]); i++) {
		live_usher_run(live, argv[i]);
		assert_null(memchr(live->out, '\033', live->out_len));
		assert_null(memchr(live->err, '\033', live->err_len));
		assert_null(memchr(live->out, '\x9b', live->out_len));
		assert_null(memchr(live->err, '\x9b', live->err_len));
	}
	/* The caret stands below what it means, however wide what comes before has become. */
	live_file(live, "wide.policy", 0644, "syntax 1;\nfiles { deny read \"\x9b\xc2\x9b\", xyz; }\n");
	assert_int_equal(usher(live, "check", live_path(live, "wide.policy")), 3);
	assert_says(live->err, "\\x9B\\xC2\\x9B");
	snprintf(line, sizeof(line), "\n      | %*s^\n", (int)strlen("files { deny read \"\\x9B\\xC2\\x9B\", "), "");
	assert_says(live->err, line);
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
	/* Programs are told as well. */
	static const char *const verbs[] = { "check", "test", "dump", "why" };
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		assert_int_equal(usher(live, verbs[i], "--json", "-p", "here", i == 3 ? "getpid" : NULL), 5);
		json_t *json = output_json(live);
		assert_string_equal(text_at(json, "verb"), verbs[i]);
		assert_says(text_at(json_array_get(json_object_get(json, "diagnostics"), 0), "message"), "there is no policy 'here'");
		json_decref(json);
	}
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
	assert_says(live->out, "\nexpected cost, times the same call without usher");
	assert_int_equal(usher(live, "check", "-q", live->policy), 0);
	assert_int_equal(live->out_len, 0);
	assert_int_equal(live->err_len, 0);
	live_policy(live, "files { default deny; cover all; }");
	assert_int_equal(usher(live, "check", live->policy), 0);
	assert_null(strstr(live->out, "not brokered"));
	assert_int_equal(usher(live, "check"), 2);
	assert_int_equal(usher(live, "check", live->policy, "more"), 2);
}

/* What a program did is what its policy costs. */
static void check_weighs_the_cost(void **state)
{
	struct live *live = *state;
	const char *footprint = live_path(live, "f.fp");
	live_policy(live, "files { default deny; allow rx /usr/, /lib/, /lib64/, /bin/, /etc/; allow all $dir/; }");
	assert_int_equal(usher(live, "run", "--record", footprint, "-p", live->policy, "--", "/bin/true"), 0);
	assert_int_equal(usher(live, "check", "--plan", "--footprint", footprint, "-p", live->policy), 0);
	assert_says(live->out, "broker             opens that only read: ");
	assert_says(live->out, "broker, exec gate  execve: 1 recorded\n");
	assert_says(live->out, " on average, of what was recorded and measured\n");
	assert_int_equal(usher(live, "check", "--json", "--plan", "--footprint", footprint, "-p", live->policy), 0);
	json_t *json = output_json(live), *cost = json_object_get(json_object_get(json, "plan"), "cost");
	assert_true(json_real_value(json_object_get(cost, "weighted")) > 1);
	json_decref(json);
	assert_int_equal(usher(live, "check", "--plan", "--footprint", "/nonexistent", "-p", live->policy), 5);
	assert_int_equal(usher(live, "check", "--footprint", footprint, "-p", live->policy), 2);
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
	assert_int_equal(usher(live, "check", "--strict", "-q", live->policy), 1);
	assert_says(live->err, "W003");
	/* What the kernel's layers lack is said where it stands. */
	live_policy(live, "files { default deny;\n redirect read /a to /b;\n allow write /etc/; }");
	assert_int_equal(usher(live, "check", live->policy), 4);
	assert_true(strstr(live->err, "'redirect'") < strstr(live->err, "W003"));
	/* What this version cannot enforce is valid, and is not run. */
	live_policy(live, "network { default deny; redirect connect tcp *:80 to a.example:80; }");
	assert_int_equal(usher(live, "check", live->policy), 4);
	assert_int_equal(usher(live, "run", "-p", live->policy, "--", "true"), 125);
	assert_says(live->err, "not a name");
}

static void variables_are_set(void **state)
{
	struct live *live = *state;
	live_policy(live, "set $root = /nowhere; files { default deny; allow read $root/x; } test { expect "
			  "allow read /srv/x; }");
	assert_int_equal(usher(live, "test", live->policy), 1);
	assert_int_equal(usher(live, "test", "--set", "root=/srv", live->policy), 0);
	assert_int_equal(live->err_len, 0);
	/* A slip is not swallowed. */
	assert_int_equal(usher(live, "test", "--set", "rot=/srv", live->policy), 1);
	assert_says(live->err, "warning: --set rot: the policy has no variable '$rot'");
	live_policy(live, "files { default deny; allow read $root/x; }");
	assert_int_equal(usher(live, "check", live->policy), 3);
	assert_int_equal(usher(live, "check", "--strict", "--set", "root=/usr", live->policy), 1);
	assert_null(strstr(live->err, "no variable"));
}

/* ---- test ---- */

static void test_judges_expectations(void **state)
{
	struct live *live = *state;
	live_policy(live, good);
	assert_int_equal(usher(live, "test", live->policy), 0);
	assert_says(live->out, "4 of 4 hold");
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
	assert_int_equal(usher(live, "dump", live->policy, "--emulate", "openat", "-100"), 2);
	assert_says(live->err, "put -- before a negative number");
	assert_int_equal(usher(live, "dump", live->policy, "--emulate", "openat", "--", "-100"), 0);
	assert_says(live->out, "openat(0xffffffffffffff9c,");
	assert_int_equal(usher(live, "dump", live->policy, "--emulate", "99999999999"), 2);
	assert_int_equal(usher(live, "dump", "--raw", "--json", live->policy), 2);
	assert_int_equal(usher(live, "dump", "--raw", live->policy, "--emulate", "getpid"), 2);
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
	assert_says(live->out, "BAD   wait-killable ");
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
		CASE(lost_output_is_an_error),
		CASE(size_limits_are_errors),
		CASE(nothing_paints_the_terminal),
		CASE(policies_are_found_by_name),
		CASE(check_says_what_there_is),
		CASE(check_weighs_the_cost),
		CASE(check_tells_programs),
		CASE(check_finds_mistakes),
		CASE(variables_are_set),
		CASE(test_judges_expectations),
		CASE(test_judges_separate_files),
		CASE(dump_shows_and_emulates),
		CASE(doctor_tries_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
