/* Denials that somebody is told of: a command, a socket. */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static const char *command_of(const struct live *live, const char *script)
{
	char text[500];
	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
	return live_file((struct live *)(uintptr_t)live, "tell", 0755, text);
}

static void policy(struct live *live, const char *alert)
{
	char text[1500];
	snprintf(text, sizeof(text), LIVE_BASE "files { allow all $dir/; deny EPERM read $dir/secret audit alert; deny EPERM read $dir/quiet; }"
		 "audit { alert %s; }", alert);
	live_policy(live, text);
	live_file(live, "secret", 0644, "x\n");
	live_file(live, "quiet", 0644, "x\n");
	live->options[0] = NULL;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The next record that came; NULL if there is none. */
static json_t *next(int fd)
{
	static char text[8192];
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	if (n < 0)
		return NULL;
	json_t *record = json_loadb(text, (size_t)n, 0, NULL);
	assert_non_null(record);
	return record;
}

static void a_command_gets_the_record(void **state)
{
	struct live *live = *state;
	char script[200], alert[200];
	snprintf(script, sizeof(script), "cat >%s; exit 3", live_path(live, "told"));
	snprintf(alert, sizeof(alert), "command=%s", command_of(live, script));
	policy(live, alert);
	snprintf(script, sizeof(script), "read x <%s/quiet; true", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	assert_int_equal(access(live_path(live, "told"), F_OK), -1);
	snprintf(script, sizeof(script), "read x <%s/secret; true", live->dir);
	assert_int_equal(live_sh(live, script), 0);
	char *told = live_read(live_path(live, "told")), *log = live_audit(live);
	assert_non_null(told);
	assert_says(told, "/secret\"");
	assert_says(log, told);
	assert_says(log, "the command failed");
	free(told);
	free(log);
}

/* What comes while USHER runs is taken at once: a socket of datagrams holds few, and who finds it full waits and then gives up. */
static void count_told(int fd, pid_t usher, unsigned *n, unsigned *left_out)
{
	struct pollfd fds[2] = { { .fd = fd, .events = POLLIN }, { .fd = (int)syscall(SYS_pidfd_open, usher, 0), .events = POLLIN } };
	bool ended = false;
	json_t *record;
	assert_true(fds[1].fd >= 0);
	while (!ended) {
		assert_true(poll(fds, 2, -1) > 0);
		ended = fds[1].revents;
		while ((record = next(fd))) {
			++*n;
			assert_string_equal(text_at(record, "action"), "deny");
			*left_out += (unsigned)json_integer_value(json_object_get(record, "left_out"));
			json_decref(record);
		}
	}
	close(fds[1].fd);
}

static void few_are_told_and_the_rest_is_counted(void **state)
{
	struct live *live = *state;
	struct timespec start, end;
	unsigned n = 0, left_out = 0;
	char script[300], alert[200];
	snprintf(alert, sizeof(alert), "socket=%s rate=5/s", live_path(live, "socket"));
	policy(live, alert);
	int fd = listen_at(live_path(live, "socket"));
	/* The tenth part of the time would do for one more. */
	snprintf(script, sizeof(script), "cd %s; i=0; while [ $i -lt 40 ]; do read x <secret; i=$((i+1)); done; sleep 0.3; read x <secret; true", live->dir);
	clock_gettime(CLOCK_MONOTONIC, &start);
	count_told(fd, live_start(live, (const char *const[]){ "/bin/sh", "-c", script, NULL }), &n, &left_out);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_int_equal(live_finish(live), 0);
	close(fd);
	/* Ten at once, then so many as the time gives. */
	double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	assert_true(n >= 11 && n <= 10 + 5 * seconds);
	assert_int_equal(n + left_out, 41);
	assert_int_equal(live_audited(live, "deny", "/secret"), 41);
}

/* Who is told stays who was named, though all below $dir is allowed. */
static void the_program_cannot_reach_them(void **state)
{
	struct live *live = *state;
	char script[500], alert[300];
	const char *command = command_of(live, "cat >/dev/null");
	snprintf(alert, sizeof(alert), "command=%s socket=%s", command, live_path(live, "socket"));
	policy(live, alert);
	int fd = listen_at(live_path(live, "socket"));
	assert_int_equal(chmod(live_path(live, "socket"), 0666), 0);
	assert_int_equal(live_sh(live, "true"), 0);
	live_expect(live, "EACCES", "open", command, "w", NULL);
	live_expect(live, "EACCES", "unlink", command, NULL);
	live_expect(live, "EACCES", "unlink", live_path(live, "socket"), NULL);
	live_expect(live, "EACCES", "connect", live_path(live, "socket"), NULL);
	snprintf(script, sizeof(script), "mv %s %s-away", live->dir, live->dir);
	assert_int_not_equal(live_sh(live, script), 0);
	assert_null(next(fd));
	close(fd);
}

static void a_command_that_is_not_there_ends_the_start(void **state)
{
	struct live *live = *state;
	policy(live, "command=/nowhere/tell");
	assert_int_equal(live_sh(live, "true"), 125);
	assert_says(live->err, "alert command=/nowhere/tell");
	policy(live, "rate=1/s");
	assert_int_equal(live_sh(live, "true"), 125);
	assert_says(live->err, "nobody is named");
}

static pid_t child_of(pid_t parent)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	char *text = live_read(path);
	pid_t pid = text ? atoi(text) : 0;
	free(text);
	return pid;
}

static char state_of(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	char *text = live_read(path);
	const char *end = text ? strrchr(text, ')') : NULL;
	char state = end ? end[2] : '\0';
	free(text);
	return state;
}

/* What a command leaves behind is usher's, as are the program's orphans: they are reaped, though the command still runs. */
static void orphans_do_not_wait_for_the_command(void **state)
{
	struct live *live = *state;
	char script[400], alert[200], line[40] = "";
	pid_t orphan, command;
	const char *left = live_path(live, "left"), *go = live_path(live, "go");
	snprintf(script, sizeof(script), "(sh -c 'echo $$ '$$' >%s' &); read x <%s", left, go);
	snprintf(alert, sizeof(alert), "command=%s", command_of(live, script));
	policy(live, alert);
	assert_int_equal(mkfifo(left, 0600) | mkfifo(go, 0600), 0);
	snprintf(script, sizeof(script), "read x <%s/secret; sleep 1000", live->dir);
	pid_t usher = live_start(live, (const char *const[]){ "/bin/sh", "-c", script, NULL });
	int from = open(left, O_RDONLY | O_CLOEXEC), to = open(go, O_RDWR | O_CLOEXEC);
	assert_true(from >= 0 && to >= 0 && read(from, line, sizeof(line) - 1) > 0);
	assert_int_equal(sscanf(line, "%d %d", &orphan, &command), 2);
	while (state_of(orphan) != 'Z')
		(void)sched_yield();
	pid_t guardian = child_of(usher), program = child_of(guardian);
	assert_true(program > 0);
	assert_int_equal(kill(guardian, SIGKILL), 0);
	while (kill(program, 0) == 0)
		usleep(1000);
	assert_int_equal(kill(command, 0), 0);
	assert_int_equal(write(to, "\n", 1), 1);
	assert_int_equal(live_finish(live), 125);
	close(from);
	close(to);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
static const struct CMUnitTest tests[] = {
	TEST(a_command_gets_the_record),
	TEST(few_are_told_and_the_rest_is_counted),
	TEST(the_program_cannot_reach_them),
	TEST(a_command_that_is_not_there_ends_the_start),
	TEST(orphans_do_not_wait_for_the_command),
};

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("live_alert", tests, NULL, NULL);
}
