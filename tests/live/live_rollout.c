/* From log to kill on a program that is never restarted: promote, demote, gates, shadows. */
#include "cli.h"

#include <limits.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "talk.h"

#define QUOTE(x) #x
#define TEXT(x)  QUOTE(x)
#define CALL(nr) "call " TEXT(nr)

#define RULES                                                   \
	"files {\n"                                             \
	"\tdefault deny EACCES;\t# the default\n"               \
	"\tallow ro $dir/; allow rx $probe;\n"                  \
	"\tdeny read $dir/secret id secret stage log;  # trial\n" \
	"\tdeny read $dir/other id other stage log;\n"          \
	"}\n"                                                   \
	"syscalls { default allow; deny EPERM personality id pers stage log; deny ENOSYS sysinfo id quiet audit none; }\n"

static struct talk begin(struct live *live, const char *policy)
{
	struct talk talk = { .live = live };

	live_file(live, "open", 0644, "open\n");
	live_file(live, "secret", 0644, "secret\n");
	live_file(live, "other", 0644, "other\n");
	live_policy(live, policy);
	talk_start(&talk, live);
	return talk;
}

static char *cat(const struct live *live, const char *name)
{
	static char turns[4][4500];
	static unsigned turn;
	char *text = turns[turn++ % 4];

	snprintf(text, sizeof(turns[0]), "cat %s", live_path(live, name));
	return text;
}

static void expect_file(const struct live *live, const char *part, bool there)
{
	char *text = live_read(live->policy);

	assert_non_null(text);
	if (!strstr(text, part) == there)
		fail_msg("'%s' is %s:\n%s", part, there ? "not in" : "in", text);
	free(text);
}

static void stages_are_moved_in_the_file(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, RULES);
	struct stat before, after;

	assert_int_equal(chmod(live->policy, 0640), 0);
	assert_int_equal(stat(live->policy, &before), 0);
	talk_expect(&talk, cat(live, "secret"), "ok secret");
	assert_int_equal(usher(live, "promote", talk.name, "--rule", "secret"), 0);
	talk_expect(&talk, cat(live, "secret"), "EACCES");
	talk_expect(&talk, cat(live, "other"), "ok other");
	expect_file(live, "deny read $dir/secret id secret stage deny;  # trial\n", true);
	expect_file(live, "default deny EACCES;\t# the default\n", true);
	assert_int_equal(stat(live->policy, &after), 0);
	assert_int_equal(before.st_mode, after.st_mode);
	assert_int_equal(usher(live, "promote", "-p", live->policy, "--rule", "pers", "--rule", "secret"), 0);
	talk_expect(&talk, CALL(SYS_personality) " 0xffffffff", "EPERM");
	expect_file(live, "id secret stage trap;", true);
	assert_int_equal(usher(live, "demote", talk.name, "--rule", "pers"), 0);
	talk_expect(&talk, CALL(SYS_personality) " 0xffffffff", "ok");
	/* What cannot be moved. */
	assert_int_equal(usher(live, "demote", talk.name, "--rule", "pers"), 1);
	assert_says(live->err, "no further step");
	assert_int_equal(usher(live, "promote", talk.name, "--rule", "nothing"), 1);
	assert_int_equal(usher(live, "promote", talk.name), 2);
	assert_int_equal(usher(live, "promote", talk.name, "--all", "--expect", "sha256:77ab"), 1);
	assert_says(live->err, "digest");
	/* To the end. */
	assert_int_equal(usher(live, "promote", talk.name, "--rule", "secret"), 0);
	talk_say(&talk, cat(live, "secret"));
	talk_answer(&talk, "(nothing)");
	assert_int_equal(talk_end(&talk), 137);
	assert_int_equal(live_audited(live, "reload", NULL), 4);
}

static void what_is_in_the_filter_needs_a_restart(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, RULES);

	assert_int_equal(usher(live, "promote", talk.name, "--rule", "quiet", "--rule", "other"), 1);
	assert_says(live->err, "needs restart");
	assert_says(live->err, "sysinfo");
	expect_file(live, "id other stage log;", true);
	expect_file(live, "id quiet audit none;", true);
	talk_expect(&talk, cat(live, "other"), "ok other");
	/* For the next start. */
	assert_int_equal(usher(live, "promote", talk.name, "--rule", "pers", "--seal"), 0);
	expect_file(live, "id pers stage log sealed;", true);
	assert_int_equal(talk_end(&talk), 0);
	live_policy(live, "files { default allow; }\nsyscalls { default allow; deny EPERM personality stage trap id pers; }\n");
	assert_int_equal(usher(live, "promote", live->policy, "--rule", "pers", "--seal"), 0);
	assert_int_equal(live_runl(live, live_probe(), "call", TEXT(SYS_personality), "0xffffffff", NULL), 128 + SIGSYS);
}

/* A file that is not any more what was read is left alone, whatever it has become. */
static void a_file_that_changes_is_left_alone(void **state)
{
	struct live *live = *state;
	char temporary[120], command[4500];

	live_policy(live, RULES);
	/* A drop-in that is changed through the policy's back: it is read through a link that another file is put behind. */
	snprintf(temporary, sizeof(temporary), "%s.d", live->policy);
	assert_int_equal(mkdir(temporary, 0755), 0);
	snprintf(command, sizeof(command), "printf 'syntax 1;\\nfiles { deny read /x id x stage log; }\\n' >%s/a.policy; chmod 444 %s/a.policy", temporary,
		 temporary);
	assert_int_equal(system(command), 0);
	assert_int_equal(usher(live, "promote", live->policy, "--rule", "x", "--rule", "other"), 0);
	expect_file(live, "id other stage deny;", true);
	if (!live_root()) {
		/* Nothing of two, where one cannot be written. */
		assert_int_equal(chmod(temporary, 0555), 0);
		assert_int_equal(usher(live, "promote", live->policy, "--rule", "x", "--rule", "other"), 5);
		expect_file(live, "id other stage deny;", true);
		assert_int_equal(chmod(temporary, 0755), 0);
	}
	snprintf(command, sizeof(command), "ls -A %s | wc -l | grep -qx 1; n=$?; rm -r %s; exit $n", temporary, temporary);
	assert_int_equal(system(command), 0);
}

/* Says that it runs POLICY, and replaces it when it is asked for its evidence: promote has read the file by then and not written yet. */
static pid_t replacing_supervisor(const char *at, const char *policy, const char *other)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool over = false;
	pid_t pid;

	assert_true(strlen(at) < sizeof(address.sun_path));
	memcpy(address.sun_path, at, strlen(at));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16), 0);
	pid = fork();
	while (pid == 0 && !over) {
		char request[4096] = "", answer[PATH_MAX + 100];
		int client = accept(fd, NULL, NULL);
		if (client < 0 || read(client, request, sizeof(request) - 1) < 0)
			_exit(1);
		over = strstr(request, "flush") != NULL;
		if (over && rename(other, policy))
			_exit(2);
		snprintf(answer, sizeof(answer), "{\"schema\":1,\"status\":0,\"pid\":1,\"policy\":\"live\",\"policy_file\":\"%s\"}\n", policy);
		(void)!write(client, answer, strlen(answer));
		close(client);
	}
	if (pid == 0)
		_exit(0);
	close(fd);
	return pid;
}

static void a_file_replaced_meanwhile_stays(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, RULES);
	char at[150], other[120], policy[PATH_MAX], command[PATH_MAX + 200];
	int status;

	assert_non_null(realpath(live->policy, policy));
	snprintf(at, sizeof(at), "%s/%s-fake.sock", talk_dir(&talk), talk.name);
	snprintf(other, sizeof(other), "%s.other", live->policy);
	snprintf(command, sizeof(command), "{ cat %s; echo '# edited'; } >%s", policy, other);
	assert_int_equal(system(command), 0);
	pid_t pid = replacing_supervisor(at, policy, other);
	assert_int_equal(usher(live, "promote", live->policy, "--rule", "secret"), 1);
	assert_says(live->err, "somebody has changed or replaced the file meanwhile");
	assert_says(live->err, "nothing was changed");
	expect_file(live, "# edited", true);
	expect_file(live, "id secret stage log;", true);
	talk_expect(&talk, cat(live, "secret"), "ok secret");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	unlink(at);
	/* As it is now it can be promoted. */
	assert_int_equal(usher(live, "promote", live->policy, "--rule", "secret"), 0);
	expect_file(live, "# edited", true);
	talk_expect(&talk, cat(live, "secret"), "EACCES");
	assert_int_equal(talk_end(&talk), 0);
}

/* A supervisor that is stopped (its shell's job control) does not keep the others from being found. */
static void who_does_not_answer_is_left_out(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, RULES);
	struct timespec begun, now;

	assert_int_equal(kill(talk.pid, SIGSTOP), 0);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	assert_int_equal(usher(live, "ps", talk.name), 5);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_says(live->err, "it gave no answer");
	assert_true(now.tv_sec - begun.tv_sec < 60);
	assert_int_equal(kill(talk.pid, SIGCONT), 0);
	talk_expect(&talk, cat(live, "open"), "ok open");
	assert_int_equal(usher(live, "ps", talk.name), 0);
	assert_int_equal(talk_end(&talk), 0);
}

static void what_expires_is_said(void **state)
{
	struct live *live = *state;
	char text[900], soon[16], later[16], expiry[40];
	time_t now = time(NULL), in_ten = now + 10 * 86400, in_twenty = now + 20 * 86400;

	strftime(soon, sizeof(soon), "%Y-%m-%d", gmtime(&in_ten));
	strftime(later, sizeof(later), "%Y-%m-%d", gmtime(&in_twenty));
	snprintf(text, sizeof(text), "files { default deny EACCES; allow ro $dir/; allow rx $probe;\n deny read $dir/a id a stage log expires %s;\n"
		 "deny read $dir/b stage log expires 2020-01-31;\n deny read $dir/c stage log expires %s;\n }\n", soon, later);
	snprintf(expiry, sizeof(expiry), "expires on %s", soon);
	struct talk talk = begin(live, text);
	const char *const what[] = { "ps", "rollout" };
	for (int i = 0; i < 2; i++) {
		if (i == 0)
			assert_int_equal(usher(live, what[i], talk.name), 0);
		else
			assert_int_equal(usher(live, what[i], "status", live->policy, "--rule", "a"), 0);
		assert_says(live->err, "expired on 2020-01-31");
		assert_says(live->err, expiry);
		assert_null(strstr(live->err, later));
	}
	assert_int_equal(usher(live, "ps", "--json", talk.name), 0);
	json_t *json = output_json(live), *expires = json_object_get(json_array_get(json_object_get(json, "supervisors"), 0), "expires");
	assert_int_equal(json_array_size(expires), 2);
	/* One less if a day ends just now. */
	assert_in_range(json_integer_value(json_object_get(json_array_get(expires, 0), "days")), in_ten / 86400 - time(NULL) / 86400, 10);
	json_decref(json);
	assert_int_equal(talk_end(&talk), 0);
}

static void gates_want_evidence(void **state)
{
	struct live *live = *state;
	struct talk talk;
	json_t *json;

	live_policy(live, RULES "rollout { gate would-deny 0 calls 4 starts 1; steps log, deny; }\n");
	assert_int_equal(usher(live, "rollout", "status", live->policy, "--json"), 1);
	json = output_json(live);
	assert_string_equal(text_at(json_array_get(json_object_get(json, "rules"), 0), "gate"), "unknown");
	json_decref(json);
	assert_int_equal(usher(live, "promote", live->policy, "--rule", "secret"), 1);
	assert_says(live->err, "unknown");
	talk = begin(live, RULES "rollout { gate would-deny 0 calls 4 starts 1; steps log, deny; }\n");
	for (int i = 0; i < 3; i++)
		talk_expect(&talk, cat(live, "secret"), "ok secret");
	for (int i = 0; i < 3; i++)
		talk_expect(&talk, cat(live, "open"), "ok open");
	assert_int_equal(usher(live, "rollout", "status", talk.name, "--rule", "secret"), 1);
	assert_says(live->out, "it would have denied 3 calls");
	assert_int_equal(usher(live, "rollout", "wait", talk.name, "--rule", "other", "--timeout", "20"), 0);
	assert_int_equal(usher(live, "rollout", "wait", talk.name, "--timeout", "0"), 1);
	assert_int_equal(usher(live, "promote", talk.name, "--all"), 1);
	assert_says(live->err, "it would have denied 3 calls");
	assert_says(live->err, "nothing was changed");
	expect_file(live, "id other stage log;", true);
	assert_int_equal(usher(live, "promote", talk.name, "--rule", "other"), 0);
	assert_int_equal(usher(live, "promote", talk.name, "--rule", "secret", "--force"), 2);
	assert_int_equal(usher(live, "promote", talk.name, "--rule", "secret", "--force", "--reason", "we know it"), 0);
	talk_expect(&talk, cat(live, "secret"), "EACCES");
	/* No one in there has a say in it. */
	talk_expect(&talk, live_root() ? "open /var/lib/usher rd" : "open /nonexistent rd", "EACCES");
	assert_int_equal(talk_end(&talk), 0);
	char *audit = live_audit(live);
	assert_says(audit, "log->deny (gate not passed): we know it");
	free(audit);
	/* It survives the program, and a changed rule is another. */
	assert_int_equal(usher(live, "demote", live->policy, "--rule", "secret"), 0);
	assert_int_equal(usher(live, "rollout", "status", live->policy, "--rule", "secret"), 1);
	assert_says(live->out, "it would have denied 3 calls");
	live_policy(live, RULES "files { deny read $dir/new id new stage log; }\nrollout { gate would-deny 0 calls 4 starts 1; steps log, deny; }\n");
	assert_int_equal(usher(live, "rollout", "status", live->policy, "--rule", "new"), 1);
	assert_says(live->out, "unknown");
}

static void a_shadow_decides_and_does_nothing(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, RULES);
	char next[100], text[200];
	json_t *json, *shadow, *change;

	assert_int_equal(usher(live, "shadow", "diff", talk.name), 1);
	snprintf(next, sizeof(next), "%s.next", live->policy);
	snprintf(text, sizeof(text), "%s", live->policy);
	/* The candidate is written where the policy was, and taken elsewhere. */
	live_policy(live, "files { default deny EACCES; allow ro $dir/other; allow ro $dir/denied; allow rx $probe; }\n"
		    "syscalls { default allow; deny EPERM personality; }\n");
	assert_int_equal(rename(live->policy, next), 0);
	live_policy(live, RULES);
	live_file(live, "denied", 0600, "denied\n");
	assert_int_equal(usher(live, "shadow", "set", talk.name, next), 0);
	for (int i = 0; i < 3; i++)
		talk_expect(&talk, cat(live, "secret"), "ok secret");
	talk_expect(&talk, cat(live, "other"), "ok other");
	talk_expect(&talk, CALL(SYS_personality) " 0xffffffff", "ok");
	assert_int_equal(usher(live, "shadow", "diff", talk.name, "--json"), 1);
	json = output_json(live);
	shadow = json_object_get(json, "shadow");
	assert_int_equal(json_integer_value(json_object_get(shadow, "denied")), 4);
	assert_int_equal(json_integer_value(json_object_get(shadow, "allowed")), 0);
	change = json_array_get(json_object_get(shadow, "changes"), 0);
	assert_int_equal(json_integer_value(json_object_get(change, "count")), 3);
	assert_says(text_at(change, "access"), "read ");
	assert_says(text_at(change, "access"), "/secret");
	assert_says(text_at(change, "was"), "allow ro");
	json_decref(json);
	/* Reading what usher has closed stays denied under both. */
	assert_int_equal(usher(live, "shadow", "clear", talk.name), 0);
	assert_int_equal(usher(live, "shadow", "status", talk.name), 1);
	talk_expect(&talk, cat(live, "secret"), "ok secret");
	/* An error in it is said, and the one that decides is none the worse. */
	snprintf(text, sizeof(text), "echo nonsense >%s", next);
	assert_int_equal(system(text), 0);
	assert_int_equal(usher(live, "shadow", "set", talk.name, next), 3);
	talk_expect(&talk, cat(live, "secret"), "ok secret");
	unlink(next);
	assert_int_equal(talk_end(&talk), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(stages_are_moved_in_the_file),
		CASE(what_is_in_the_filter_needs_a_restart),
		CASE(a_file_that_changes_is_left_alone),
		CASE(a_file_replaced_meanwhile_stays),
		CASE(who_does_not_answer_is_left_out),
		CASE(what_expires_is_said),
		CASE(gates_want_evidence),
		CASE(a_shadow_decides_and_does_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
