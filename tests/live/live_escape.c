/*
 * Ways round: every one that is known is tried once (bypass.c), and races run against the broker for a while (attack.c). What they
 * try is listed there; here stands the policy they try to get round, and the proof that natively they do.
 */
#include "live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#define POLICY                                                                          \
	LIVE_BASE                                                                       \
	"set $tool = %s;\n"                                                             \
	"files {\n"                                                                     \
	"  allow rx $tool; allow ro /proc/; \n"                            \
	"  allow all $dir/open/; deny exec $dir/open/; allow exec $dir/open/good;\n"    \
	"  deny modify $dir/open/ro, $dir/open/readonly;\n"                             \
	"  deny ro,chmod $dir/open/dark/; deny write $dir/open/log;\n"                  \
	"}\n"                                                                           \
	"allow connect,bind,sendto unix $dir/open/**;\n"

static void copy(const char *from, const char *to)
{
	char command[9000];
	snprintf(command, sizeof command, "cp '%s' '%s' && chmod 755 '%s'", from, to, to);
	assert_int_equal(system(command), 0);
}

static int listen_at(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 64), 0);
	chmod(path, 0777);
	return fd;
}

struct scene {
	int stream, dgram, good;
};

/* OPEN and SECRET as bypass.c and attack.c want them. */
static struct scene prepare(struct live *live, const char *program)
{
	char policy[6000];
	live_mkdir(live, "open", 0777);
	live_mkdir(live, "secret", 0777);
	live_mkdir(live, "secret/dir", 0777);
	live_mkdir(live, "secret/emptydir", 0777);
	live_file(live, "open/ro", 0666, "read only\n");
	live_file(live, "open/readonly", 0666, "read only\n");
	live_mkdir(live, "open/dark", 0777);
	live_file(live, "open/dark/file", 0666, "SECRET\n");
	live_file(live, "open/log", 0666, "one line\n");
	const char *file = live_file(live, "secret/file", 0666, "SECRET\n");
	setxattr(file, "user.secret", "x", 1, 0);
	live_file(live, "secret/victim", 0666, "x");
	copy(live_tool("exit55"), live_path(live, "open/good"));
	copy(live_tool("exit66"), live_path(live, "secret/exe"));
	copy(live_tool("exit66"), live_path(live, "secret/bad"));
	struct scene scene = { .stream = listen_at(live_path(live, "secret/socket"), SOCK_STREAM),
			       .dgram = listen_at(live_path(live, "secret/dgram"), SOCK_DGRAM),
			       .good = listen_at(live_path(live, "open/socket"), SOCK_STREAM) };
	snprintf(policy, sizeof policy, POLICY, program);
	live_policy(live, policy);
	return scene;
}

static void end(struct scene scene)
{
	close(scene.stream);
	close(scene.dgram);
	close(scene.good);
}

static unsigned count(const char *text, const char *word)
{
	unsigned n = 0;
	for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
		n++;
	return n;
}

static void nothing_gets_round(void **state)
{
	struct live *live = *state;
	char open_dir[100], secret_dir[100], script[9000], pid[16], program[4096];
	snprintf(program, sizeof program, "%s", live_tool("bypass"));
	struct scene scene = prepare(live, program);
	snprintf(open_dir, sizeof open_dir, "%s", live_path(live, "open"));
	snprintf(secret_dir, sizeof secret_dir, "%s", live_path(live, "secret"));
	/* The child cannot look up the pid of usher: it is told. */
	snprintf(script, sizeof script, "while [ ! -s '%s/pid' ]; do :; done; read pid <'%s/pid'; exec '%s' '%s' '%s' $pid", open_dir, open_dir,
		 program, open_dir, secret_dir);
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	snprintf(pid, sizeof pid, "%d\n", (int)live_start(live, argv));
	live_file(live, "open/pid", 0666, pid);
	live_finish(live);
	if (live->status != 0)
		fail_msg("status %d\n%s\n%s", live->status, live->out, live->err);
	assert_non_null(strstr(live->out, " 0 escaped"));
	assert_int_equal(count(live->out, "ESCAPED"), 0);
	end(scene);
}

/* The test of the test: without usher most of them get through. */
static void natively_they_get_round(void **state)
{
	struct live *live = *state;
	char command[9000];
	struct scene scene = prepare(live, "/nonexistent");
	snprintf(command, sizeof command, "'%s' '%s' '%s' $$ >'%s' 2>&1", live_tool("bypass"), live_path(live, "open"), live_path(live, "secret"),
		 live_path(live, "out"));
	assert_int_not_equal(system(command), 0);
	char *text = live_read(live_path(live, "out"));
	assert_non_null(text);
	assert_true(count(text, "ESCAPED") > 50);
	free(text);
	end(scene);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(nothing_gets_round, live_setup, live_teardown),
	cmocka_unit_test_setup_teardown(natively_they_get_round, live_setup, live_teardown),
};

int main(void)
{
	return cmocka_run_group_tests_name("live_escape", tests, NULL, NULL);
}
