/*
 * What Landlock denies by itself is in the audit log where the kernel tells it: root, with the kernel's audit on. With
 * USHER_TEST_AUDIT it is turned on for a moment if it is off. Not without: the kernel does not forget it before the next boot, and
 * every system call of processes that begin from then on costs more.
 */
#include "cli.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLICY "files { default deny sealed; allow rx /usr/, /lib/, /lib64/, /bin/; allow ro $dir/t/; allow write,append /dev/null; }\n" \
	       "network { default deny sealed; allow connect tcp *:443; }\n"

/* ---- the kernel's audit --------------------------------------------------------------------- */

/* WANTED: 0, 1, or -1: it stays. What it was, or -1: not known. */
static int audit_switch(int wanted)
{
	struct { struct nlmsghdr header; union { struct audit_status status; char space[1024]; } body; } message = {
		.header = { .nlmsg_type = AUDIT_GET, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_len = NLMSG_HDRLEN },
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT), was = -1;
	struct pollfd answer = { .fd = fd, .events = POLLIN };
	if (fd < 0 || send(fd, &message, NLMSG_HDRLEN, 0) < 0)
		wanted = -1;
	while (fd >= 0 && was < 0 && poll(&answer, 1, 2000) > 0 && recv(fd, &message, sizeof(message), 0) > 0 && message.header.nlmsg_type != NLMSG_ERROR)
		if (message.header.nlmsg_type == AUDIT_GET)
			was = (int)message.body.status.enabled;
	if (was >= 0 && wanted >= 0 && wanted != was) {
		message.header = (struct nlmsghdr){ .nlmsg_type = AUDIT_SET, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
						    .nlmsg_len = NLMSG_HDRLEN + sizeof(message.body.status) };
		message.body.status = (struct audit_status){ .mask = AUDIT_STATUS_ENABLED, .enabled = (unsigned)wanted };
		if (send(fd, &message, message.header.nlmsg_len, 0) < 0 || recv(fd, &message, sizeof(message), 0) < 0)
			was = -1;
	}
	if (fd >= 0)
		close(fd);
	return was;
}

static int was = -1, lock = -1;

static int setup(void **state)
{
	/* There is one audit for all: others who try this wait. */
	lock = geteuid() == 0 ? open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (lock >= 0)
		(void)flock(lock, LOCK_EX);
	was = getenv("USHER_TEST_AUDIT") ? audit_switch(1) : -1;
	return live_setup(state);
}

static int teardown(void **state)
{
	if (was == 0)
		(void)audit_switch(0);
	if (lock >= 0)
		close(lock);
	return live_teardown(state);
}

/* Whether they can be seen here, as `check --plan` says it. */
static bool seen(struct live *live)
{
	assert_int_equal(usher(live, "check", "--plan", live->policy), 0);
	assert_says(live->out, "what it denies is ");
	return strstr(live->out, "what it denies is recorded") != NULL;
}

static void make(struct live *live)
{
	live_mkdir(live, "t", 0755);
	live_file(live, "secret", 0644, "x");
	live_file(live, "other", 0644, "x");
	live_policy(live, POLICY);
}

/* ---- */

static void landlocks_denials_are_joined(void **given)
{
	struct live *live = *given;
	char script[500];
	const char *secret = live_path(live, "secret"), *other = live_path(live, "other"), *down = live_path(live, "t/down");
	int status;
	make(live);
	if (!seen(live)) {
		assert_false(live_root() && was >= 0);
		skip();
	}
	assert_int_equal(mkfifo(down, 0600), 0);
	/* Before the other sandbox, so that the kernel's thread has time to tell. */
	snprintf(script, sizeof(script), "cat %s; (exec 3<>/dev/tcp/127.0.0.1/9); kill -0 1; ls %s; read y <%s; exit 2", secret, live->dir, down);
	(void)live_start(live, (const char *const[]){ "/bin/bash", "-c", script, NULL });
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);
		dup2(null, 1);
		dup2(null, 2);
		execl(live_usher(), "usher", "run", "-q", "-p", live->policy, "--audit", "/dev/null", "--", "/bin/cat", other, (char *)NULL);
		_exit(126);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	int fd = open(down, O_WRONLY);
	assert_true(fd >= 0 && write(fd, "\n", 1) == 1);
	close(fd);
	assert_int_equal(live_finish(live), 2);
	assert_int_equal(live_audited(live, "deny", "/secret"), 1);
	assert_int_equal(live_audited(live, "deny", "/other"), 0);
	assert_int_equal(usher(live, "log", "--denied", "--json", live->audit), 0);
	assert_says(live->out, "\"from\":\"kernel\",\"layer\":\"landlock\",\"blockers\":\"fs.read_file\",\"op\":\"read\",\"path\":\"");
	assert_says(live->out, "\"blockers\":\"fs.read_dir\",\"op\":\"list\"");
	assert_says(live->out, "\"op\":\"connect\",\"proto\":\"tcp\",\"peer\":\"127.0.0.1:9\"");
	assert_says(live->out, "\"blockers\":\"scope.signal\"");
	assert_says(live->out, ".policy:6\",\"stage\":\"deny\"");
	assert_int_equal(usher(live, "log", "--as-rules", live->audit), 0);
	assert_says(live->out, "allow connect tcp 127.0.0.1:9;");
}

/* 'audit none' is a word against records. */
static void who_wants_none_gets_none(void **given)
{
	struct live *live = *given;
	make(live);
	live_policy(live, POLICY "files { deny read $dir/secret sealed audit none; }");
	if (!seen(live))
		skip();
	assert_int_equal(live_runl(live, "/bin/cat", live_path(live, "secret"), live_path(live, "other"), NULL), 1);
	assert_int_equal(live_audited(live, "deny", "/secret"), 0);
	assert_int_equal(live_audited(live, "deny", "/other"), 1);
}

static void who_cannot_see_them_is_told(void **given)
{
	struct live *live = *given;
	make(live);
	if (live_root() && audit_switch(-1) == 1 && was == 0)
		(void)audit_switch(0);
	if (seen(live))
		skip();
	live->options[0] = "-v";
	live->options[1] = NULL;
	assert_int_equal(live_runl(live, "/bin/true", NULL), 0);
	assert_says(live->err, "what Landlock denies is in no record: ");
	assert_int_equal(live_runl(live, "/bin/cat", live_path(live, "secret"), NULL), 1);
	assert_int_equal(live_audited(live, "deny", "/secret"), 0);
	setenv("USHER_TEST_DISABLE", "landlock_6", 1);
	(void)usher(live, "check", "--plan", live->policy);
	assert_says(live->out, "what it denies is in no record: this kernel's Landlock writes no records");
	unsetenv("USHER_TEST_DISABLE");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(landlocks_denials_are_joined, setup, teardown),
		cmocka_unit_test_setup_teardown(who_wants_none_gets_none, setup, teardown),
		cmocka_unit_test_setup_teardown(who_cannot_see_them_is_told, setup, teardown),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("live_denials", tests, NULL, NULL);
}
