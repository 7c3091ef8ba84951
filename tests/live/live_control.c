/* The control socket: who may speak, and what a policy that is changed does to a program that runs. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
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

#define OPEN_DIR "files { default deny EACCES; allow ro $dir/open; allow rx $probe; }\n"
#define MORE_OPEN "files { default deny EACCES; allow ro $dir/open, $dir/secret; allow rx $probe; }\n"

static struct talk begin(struct live *live, const char *policy)
{
	struct talk talk = { .live = live };

	live_file(live, "open", 0644, "open\n");
	live_file(live, "secret", 0644, "secret\n");
	live_policy(live, policy);
	talk_start(&talk, live);
	return talk;
}

static char *command(const struct live *live, const char *verb, const char *name)
{
	static char turns[4][4500];
	static unsigned turn;
	char *text = turns[turn++ % 4];

	snprintf(text, sizeof(turns[0]), "%s %s", verb, live_path(live, name));
	return text;
}

static json_t *ps(struct talk *talk)
{
	json_t *all, *one;

	assert_int_equal(usher(talk->live, "ps", "--json", talk->name), 0);
	all = output_json(talk->live);
	one = json_incref(json_array_get(json_object_get(all, "supervisors"), 0));
	json_decref(all);
	assert_non_null(one);
	return one;
}

/* Until there are so many: who has answered a call may not have given its policy back yet. */
static void expect_policies(struct talk *talk, int n)
{
	for (int i = 0;; i++) {
		json_t *json = ps(talk);
		int have = (int)json_integer_value(json_object_get(json, "policies"));

		json_decref(json);
		if (have == n)
			return;
		assert_true(i < 1000);
	}
}

/* ---- reload --------------------------------------------------------------------------------- */

static void reload_decides_from_then_on(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, OPEN_DIR);
	json_t *before = ps(&talk), *after;

	talk_expect(&talk, command(live, "cat", "secret"), "EACCES");
	live_policy(live, MORE_OPEN);
	talk_expect(&talk, command(live, "cat", "secret"), "EACCES");
	assert_int_equal(usher(live, "reload", talk.name), 0);
	talk_expect(&talk, command(live, "cat", "secret"), "ok secret");
	after = ps(&talk);
	assert_string_not_equal(text_at(before, "digest"), text_at(after, "digest"));
	expect_policies(&talk, 1);
	/* With another digest than was reviewed nothing happens. */
	live_policy(live, OPEN_DIR);
	assert_int_equal(usher(live, "reload", talk.name, "--expect", text_at(after, "digest")), 1);
	assert_says(live->err, "digest");
	talk_expect(&talk, command(live, "cat", "secret"), "ok secret");
	assert_int_equal(usher(live, "reload", talk.name, "--expect", text_at(before, "digest")), 0);
	talk_expect(&talk, command(live, "cat", "secret"), "EACCES");
	assert_int_equal(talk_end(&talk), 0);
	assert_int_equal(live_audited(live, "reload", NULL), 2);
	json_decref(before);
	json_decref(after);
}

static void an_error_changes_nothing(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, OPEN_DIR);

	live_policy(live, "files { default deny EACCES; alow ro $dir/secret; }\n");
	assert_int_equal(usher(live, "reload", talk.name), 3);
	assert_says(live->err, "did you mean 'allow'?");
	assert_says(live->err, "nothing was changed");
	assert_int_equal(unlink(live->policy), 0);
	assert_int_equal(usher(live, "reload", talk.name), 5);
	assert_says(live->err, "cannot read");
	talk_expect(&talk, command(live, "cat", "open"), "ok open");
	talk_expect(&talk, command(live, "cat", "secret"), "EACCES");
	assert_int_equal(talk_end(&talk), 0);
	assert_int_equal(live_audited(live, "reload", NULL), 0);
}

static void a_call_that_waits_keeps_its_policy(void **state)
{
	static const char before[] = "files { default deny EACCES; allow read $dir/fifo; allow rx $probe; }\n";
	struct live *live = *state;
	struct talk talk = { .live = live };
	json_t *json;
	int fd;

	assert_int_equal(mkfifo(live_path(live, "fifo"), 0644), 0);
	live_policy(live, before);
	talk_start(&talk, live);
	talk_say(&talk, command(live, "cat", "fifo"));
	live_policy(live, "files { default deny EACCES; allow rx $probe; }\n");
	/* Until the call waits, the old policy is needed by nobody; each reload is a look. */
	for (int i = 0;; i++) {
		struct pollfd answered = { .fd = fileno(talk.out), .events = POLLIN };
		assert_int_equal(usher(live, "reload", talk.name), 0);
		json = ps(&talk);
		if (json_integer_value(json_object_get(json, "policies")) == 2)
			break;
		/* It has not come yet; or it came after the reload. */
		json_decref(json);
		if (poll(&answered, 1, 0)) {
			talk_answer(&talk, "EACCES");
			live_policy(live, before);
			assert_int_equal(usher(live, "reload", talk.name), 0);
			talk_say(&talk, command(live, "cat", "fifo"));
			live_policy(live, "files { default deny EACCES; allow rx $probe; }\n");
		}
		assert_true(i < 1000);
	}
	json_decref(json);
	fd = open(live_path(live, "fifo"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "late\n", 5), 5);
	close(fd);
	talk_answer(&talk, "ok late");
	talk_expect(&talk, command(live, "cat", "fifo"), "EACCES");
	expect_policies(&talk, 1);
	assert_int_equal(talk_end(&talk), 0);
}

static void what_needs_a_restart_is_said(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, OPEN_DIR);
	json_t *json;

	live_policy(live, MORE_OPEN "syscalls { default allow; deny EPERM personality; }\n");
	assert_int_equal(usher(live, "reload", talk.name), 1);
	assert_says(live->err, "needs restart");
	assert_says(live->err, "personality");
	talk_expect(&talk, command(live, "cat", "secret"), "EACCES");
	assert_int_equal(usher(live, "reload", talk.name, "--force"), 2);
	assert_int_equal(usher(live, "reload", talk.name, "--force", "--reason", "a try"), 0);
	assert_says(live->err, "personality");
	talk_expect(&talk, command(live, "cat", "secret"), "ok secret");
	talk_expect(&talk, CALL(SYS_personality) " 0xffffffff", "ok");
	json = ps(&talk);
	assert_int_equal(json_array_size(json_object_get(json, "restart")), 1);
	json_decref(json);
	assert_int_equal(usher(live, "ps", talk.name), 0);
	assert_says(live->out, "restart  system call personality");
	/* And back. */
	live_policy(live, OPEN_DIR);
	assert_int_equal(usher(live, "reload", talk.name), 0);
	talk_expect(&talk, command(live, "cat", "secret"), "EACCES");
	assert_int_equal(talk_end(&talk), 0);
}

static void system_call_rules_move(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, OPEN_DIR "syscalls { default allow; deny EPERM personality stage log; deny ENOSYS sysinfo audit none; }\n");

	talk_expect(&talk, CALL(SYS_personality) " 0xffffffff", "ok");
	live_policy(live, OPEN_DIR "syscalls { default allow; deny EPERM personality; deny ENOSYS sysinfo audit none; }\n");
	assert_int_equal(usher(live, "reload", talk.name), 0);
	talk_expect(&talk, CALL(SYS_personality) " 0xffffffff", "EPERM");
	/* What BPF answers by itself stays as it is. */
	live_policy(live, OPEN_DIR "syscalls { default allow; deny EPERM personality stage kill; }\n");
	assert_int_equal(usher(live, "reload", talk.name), 0);
	assert_says(live->err, "sysinfo");
	talk_expect(&talk, CALL(SYS_sysinfo) " !out", "ENOSYS");
	talk_say(&talk, CALL(SYS_personality) " 0xffffffff");
	talk_answer(&talk, "(nothing)");
	assert_int_equal(talk_end(&talk), 137);
}

static void panic_lets_all_through_but_forbid(void **state)
{
	struct live *live = *state;
	struct talk talk = { .live = live };
	json_t *json;

	live_file(live, "never", 0644, "never\n");
	talk = begin(live, OPEN_DIR "files { forbid read $dir/never; }\n");
	talk_expect(&talk, command(live, "cat", "secret"), "EACCES");
	/* Whatever has become of the file. */
	live_policy(live, "nonsense\n");
	assert_int_equal(usher(live, "panic", talk.name, "--reason", "it burns"), 0);
	talk_expect(&talk, command(live, "cat", "secret"), "ok secret");
	talk_expect(&talk, command(live, "cat", "never"), "EACCES");
	json = ps(&talk);
	assert_string_equal(text_at(json, "panic"), "it burns");
	assert_string_equal(text_at(json, "mode"), "log");
	json_decref(json);
	/* The policy and the socket are out of reach all the same. */
	talk_expect(&talk, "open /run/usher rd", "EACCES");
	live_policy(live, OPEN_DIR);
	assert_int_equal(usher(live, "reload", talk.name), 0);
	talk_expect(&talk, command(live, "cat", "secret"), "EACCES");
	assert_int_equal(talk_end(&talk), 0);
	assert_int_equal(live_audited(live, "panic", NULL), 1);
	assert_int_equal(live_audited(live, "would-deny", "/secret"), 1);
}

/* ---- who may speak -------------------------------------------------------------------------- */

static struct sockaddr_un address_of(struct talk *talk)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.sock", talk_dir(talk), talk->name);
	return address;
}

static int connect_to(struct talk *talk)
{
	struct sockaddr_un address = address_of(talk);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)) ? fd : -errno;
}

/* What a request is answered. */
static void ask(int fd, const char *request, char answer[4096])
{
	ssize_t n = 0, got = 0;

	(void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
	while (got < 4095 && (n = read(fd, answer + got, 4095 - (size_t)got)) > 0)
		got += n;
	answer[got] = '\0';
	close(fd);
}

static void the_child_does_not_reach_it(void **state)
{
	static const char *const policies[] = {
		"files { default allow; }\nnetwork { default allow; }\n",
		"files { default allow; allow all /run/usher/, $dir.run/; }\nnetwork { default allow; allow connect unix /run/usher/**, $dir.run/**; }\n",
		"files { default deny; allow rx $probe; allow all /run/usher/, $dir.run/; }\nnetwork { default deny; allow connect unix /run/**, /tmp/**; }\n",
	};
	struct live *live = *state;

	for (size_t i = 0; i < 6; i++) {
		struct talk talk = { .live = live };
		char text[200];
		struct sockaddr_un address;

		memset(live->options, 0, sizeof(live->options));
		if (i >= 3) {
			live->options[0] = "--mode";
			live->options[1] = "log";
		}
		live_policy(live, policies[i % 3]);
		talk_start(&talk, live);
		address = address_of(&talk);
		snprintf(text, sizeof(text), "connect %s", address.sun_path);
		talk_expect(&talk, text, "EACCES");
		snprintf(text, sizeof(text), "open %s rd", talk_dir(&talk));
		talk_expect(&talk, text, "EACCES");
		snprintf(text, sizeof(text), "unlink %s", address.sun_path);
		talk_expect(&talk, text, "EACCES");
		snprintf(text, sizeof(text), "rename %s /tmp/x", talk_dir(&talk));
		talk_expect(&talk, text, "EACCES");
		assert_int_equal(usher(live, "ps", talk.name), 0);
		assert_int_equal(talk_end(&talk), 0);
	}
}

/* Whatever the new policy says of them, they are written to until the end. */
static void records_stay_out_of_reach(void **state)
{
	static char footprint[100], text[300];
	struct live *live = *state;
	struct talk talk = { .live = live };

	snprintf(footprint, sizeof(footprint), "%s/footprint", live->dir);
	live->options[0] = "--record";
	live->options[1] = footprint;
	talk = begin(live, "files { default deny EACCES; allow all $dir/; allow rx $probe; }\n");
	snprintf(text, sizeof(text), "open %s w", footprint);
	talk_expect(&talk, text, "EACCES");
	assert_int_equal(usher(live, "reload", talk.name), 0);
	talk_expect(&talk, text, "EACCES");
	assert_int_equal(usher(live, "panic", talk.name, "--reason", "test"), 0);
	talk_expect(&talk, text, "EACCES");
	snprintf(text, sizeof(text), "open %s w", live->audit);
	talk_expect(&talk, text, "EACCES");
	assert_int_equal(talk_end(&talk), 0);
}

static void who_has_a_filter_is_refused(void **state)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog filter = { .len = 1, .filter = &allow };
	struct live *live = *state;
	struct talk talk = begin(live, OPEN_DIR);
	char answer[4096];
	int status;
	pid_t pid;

	ask(connect_to(&talk), "{\"verb\":\"ps\"}\n", answer);
	assert_says(answer, "\"status\":0");
	pid = fork();
	if (!pid) {
		char said[4096];

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
			_exit(2);
		ask(connect_to(&talk), "{\"verb\":\"ps\"}\n", said);
		_exit(strstr(said, "seccomp filter") && strstr(said, "\"status\":5") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(talk_end(&talk), 0);
	assert_int_equal(live_audited(live, "control-refused", NULL), 1);
}

/* It connects and sends for its program, with its own number: there may be sockets in directories that it does not know of. */
static void a_supervisor_is_refused(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, OPEN_DIR);
	char path[40], line[64];
	int status;
	FILE *file;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/comm", talk.pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	line[strcspn(line, "\n")] = '\0';
	pid = fork();
	if (!pid) {
		char said[4096];

		if (prctl(PR_SET_NAME, line))
			_exit(2);
		ask(connect_to(&talk), "{\"verb\":\"panic\"}\n", said);
		_exit(strstr(said, "is a supervisor") && strstr(said, "\"status\":5") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	talk_expect(&talk, command(live, "cat", "secret"), "EACCES");
	assert_int_equal(talk_end(&talk), 0);
}

/* Who speaks must be who connected. */
static void a_connection_is_not_handed_on(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, OPEN_DIR);
	int fd = connect_to(&talk), status;
	char answer[4096];
	pid_t pid;

	assert_true(fd >= 0);
	pid = fork();
	if (!pid) {
		ask(fd, "{\"verb\":\"panic\"}\n", answer);
		_exit(strstr(answer, "not of who connected") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fd);
	talk_expect(&talk, command(live, "cat", "secret"), "EACCES");
	assert_int_equal(talk_end(&talk), 0);
}

static void others_do_not_speak(void **state)
{
	struct live *live = *state;
	struct talk talk;
	struct stat st;
	struct sockaddr_un address;

	if (!live_root())
		skip();
	talk = begin(live, OPEN_DIR);
	address = address_of(&talk);
	assert_int_equal(stat(address.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(talk_dir(&talk), &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	pid_t pid = fork();
	if (!pid) {
		/* With the directory out of the way: a connection made as root, used by another. */
		char answer[4096];
		int fd = connect_to(&talk), other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (setresuid(65534, 65534, 65534))
			_exit(2);
		ask(fd, "{\"verb\":\"ps\"}\n", answer);
		_exit(!strstr(answer, "\"status\":5") ? 3 : !connect(other, (struct sockaddr *)&address, sizeof(address)) || errno != EACCES ? 4 : 0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(talk_end(&talk), 0);
}

/* How long it takes until somebody is answered beside more that say nothing, or take no answer, than are served at a time. */
static double answered_beside_idle_ones(struct talk *talk)
{
	struct timespec begun, now;
	int idle[60];

	for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
		idle[i] = connect_to(talk);
		assert_true(idle[i] >= 0);
		if (i % 3 == 0)
			(void)!send(idle[i], "{\"verb\"", 7, MSG_NOSIGNAL);
	}
	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (int i = 0; i < 5; i++)
		assert_int_equal(usher(talk->live, "ps", talk->name), 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++)
		close(idle[i]);
	return (double)(now.tv_sec - begun.tv_sec) + (double)(now.tv_nsec - begun.tv_nsec) / 1e9;
}

static void hostile_clients_are_harmless(void **state)
{
	static const char *const requests[] = {
		"\n", "{}\n", "[]\n", "{\"verb\":7}\n", "{\"verb\":\"nothing\"}\n", "{\"verb\":\"ps\",\"verb\":\"ps\"}\n",
		"{\"verb\":\"reload\",\"expect\":[1],\"mode\":{}}\n", "\xff\xfe\n", "{\"verb\":\"reload\",\"expect\":\"\"}\n",
	};
	struct live *live = *state;
	struct talk talk = begin(live, OPEN_DIR);
	char answer[4096], *large = malloc(1 << 20);

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		ask(connect_to(&talk), requests[i], answer);
		assert_says(answer, "\"status\":");
	}
	/* Much without an end, and an end in the middle. */
	memset(large, '[', 1 << 20);
	large[(1 << 20) - 1] = '\0';
	ask(connect_to(&talk), large, answer);
	assert_string_equal(answer, "");
	large[60000] = '\n';
	ask(connect_to(&talk), large, answer);
	/* What is sent along is not kept, and who does not read is not waited for. */
	for (int i = 0; i < 50; i++) {
		int fd = connect_to(&talk);

		assert_true(fd >= 0);
		(void)!send(fd, "{\"verb\":\"ps\"}\n{\"verb\":\"panic\"}\n", 32, MSG_NOSIGNAL);
		close(fd);
	}
	/* They make room, and nobody waits until they are late, which is after five seconds: a busy machine is not slow each time. */
	for (int i = 0; answered_beside_idle_ones(&talk) >= 4; i++)
		assert_true(i < 5);
	talk_expect(&talk, command(live, "cat", "open"), "ok open");
	talk_expect(&talk, command(live, "cat", "secret"), "EACCES");
	free(large);
	assert_int_equal(talk_end(&talk), 0);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void a_name_belongs_to_one(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, OPEN_DIR), second;
	char name[64];
	int status;

	strcpy(name, talk.name);
	assert_int_equal(usher(live, "run", "--name", name, "-p", live->policy, "--", live_probe(), "talk"), 125);
	assert_says(live->err, "another supervisor has this name");
	assert_int_equal(usher(live, "run", "--name", "a/b", "-p", live->policy, "--", live_probe(), "talk"), 125);
	assert_int_equal(usher(live, "ps", name), 0);
	assert_int_equal(usher(live, "reload", "nobody-is-called-so"), 5);
	assert_says(live->err, name);
	/* Killed: its socket is left, and says so; the name is free. */
	assert_int_equal(kill(talk.pid, SIGKILL), 0);
	assert_int_equal(waitpid(talk.pid, &status, 0), talk.pid);
	/* Its ring lets the socket go a moment after it. */
	do
		assert_int_equal(usher(live, "ps", name), 5);
	while (strstr(live->err, "it gave no answer"));
	assert_says(live->err, "nobody serves its socket any more");
	second = (struct talk){ .live = live };
	strcpy(second.name, name);
	strcpy(second.runtime, talk.runtime);
	talk_start(&second, live);
	assert_int_equal(usher(live, "ps", name), 0);
	assert_int_equal(talk_end(&second), 0);
	fclose(talk.in);
	fclose(talk.out);
}

static void many_reloads_lose_no_call(void **state)
{
	struct live *live = *state;
	struct talk talk = begin(live, MORE_OPEN);
	char text[4500];

	snprintf(text, sizeof(text), "again 20000 cat %s", live_path(live, "secret"));
	talk_say(&talk, text);
	for (int i = 0; i < 30; i++) {
		live_policy(live, i % 2 ? MORE_OPEN : "files { default deny EACCES; allow ro $dir/; allow rx $probe; }\n");
		assert_int_equal(usher(live, "reload", "--quiet", talk.name), 0);
	}
	talk_answer(&talk, "ok 20000");
	expect_policies(&talk, 1);
	assert_int_equal(talk_end(&talk), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(reload_decides_from_then_on),
		CASE(an_error_changes_nothing),
		CASE(a_call_that_waits_keeps_its_policy),
		CASE(what_needs_a_restart_is_said),
		CASE(system_call_rules_move),
		CASE(panic_lets_all_through_but_forbid),
		CASE(the_child_does_not_reach_it),
		CASE(records_stay_out_of_reach),
		CASE(who_has_a_filter_is_refused),
		CASE(a_supervisor_is_refused),
		CASE(a_connection_is_not_handed_on),
		CASE(others_do_not_speak),
		CASE(hostile_clients_are_harmless),
		CASE(a_name_belongs_to_one),
		CASE(many_reloads_lose_no_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
