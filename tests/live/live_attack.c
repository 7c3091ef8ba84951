/*
 * Races against the broker, for USHER_ATTACK_MS (default 800) a mode. See attack.c for what is raced. Not one may succeed; what SECRET
 * holds is compared from outside afterwards, and natively every race that can be won at once is.
 */
#include "live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define POLICY                                                                          \
	LIVE_BASE                                                                       \
	"set $tool = %s;\n"                                                             \
	"files {\n"                                                                     \
	"  allow rx $tool; \n"                                             \
	"  allow all $dir/open/; deny exec $dir/open/; allow exec $dir/open/good; allow exec $dir/open/script;\n" \
	"  deny modify $dir/open/readonly;\n"                                           \
	"  deny delete $dir/open/kept*/keep;\n"                                         \
	"  deny read $dir/open/into*/secret;\n"                                         \
	"  deny create $dir/open/kept*/made;\n"                                         \
	"}\n"                                                                           \
	"allow connect,bind,sendto unix $dir/open/**;\n"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Greets everyone who connects. */
struct server {
	int fd;
	const char *greeting;
	_Atomic unsigned served;
	pthread_t thread;
};

static void *serve(void *pointer)
{
	struct server *server = pointer;
	for (;;) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return NULL;
		server->served++;
		if (send(fd, server->greeting, strlen(server->greeting), MSG_NOSIGNAL) < 0)
			perror("greeting");
		close(fd);
	}
}

static void server_start(struct server *server, const char *path, const char *greeting)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strcpy(address.sun_path, path);
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	server->greeting = greeting;
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(server->fd, 256), 0);
	chmod(path, 0777);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

/* What there is to be read, changed and removed. */
static void prepare_secret(struct live *live)
{
	char command[9000];
	snprintf(command, sizeof command, "cd '%s' && rm -rf new* made bound dangling stolen moved", live_path(live, "secret"));
	assert_int_equal(system(command), 0);
	live_file(live, "secret/file", 0666, "SECRET\n");
	live_file(live, "secret/file2", 0666, "SECRET\n");
	live_file(live, "secret/file3", 0666, "SECRET\n");
	chmod(live_path(live, "secret/file"), 0644);
	(void)mkdir(live_path(live, "secret/emptydir"), 0777);
	(void)setxattr(live_path(live, "secret/file"), "user.secret", "SECRET", 6, 0);
}

static void prepare(struct live *live)
{
	char policy[6000], command[9000];
	live_mkdir(live, "open", 0777);
	live_mkdir(live, "secret", 0777);
	live_file(live, "open/readonly", 0666, "read only\n");
	prepare_secret(live);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "secret/bad" : "open/good";
		snprintf(command, sizeof command, "cp '%s' '%s'", live_tool(i ? "exit66" : "exit55"), live_path(live, name));
		assert_int_equal(system(command), 0);
		assert_int_equal(chmod(live_path(live, name), 0755), 0);
	}
	snprintf(command, sizeof command, "#!%s\n", live_path(live, "open/link"));
	live_file(live, "open/script", 0755, command);
	chmod(live_path(live, "open/script"), 0755);
	snprintf(policy, sizeof policy, POLICY, live_tool("attack"));
	live_policy(live, policy);
}

/* Names, modes, sizes, last changes and contents of SECRET and what it holds, as text. */
static char *inventory(struct live *live)
{
	char command[900];
	snprintf(command, sizeof command, "cd '%s' && stat -c '%%n %%a %%s %%h %%i %%z' -- . * >'%s' && cat file* >>'%s'",
		 live_path(live, "secret"), live_path(live, "inventory"), live_path(live, "inventory"));
	assert_int_equal(system(command), 0);
	return live_read(live_path(live, "inventory"));
}

static void not_one_race_is_won(void **state)
{
	struct live *live = *state;
	const char *ms = getenv("USHER_ATTACK_MS");
	struct server good = { 0 }, bad = { 0 };
	prepare(live);
	server_start(&good, live_path(live, "open/socket"), "open\n");
	server_start(&bad, live_path(live, "secret/socket"), "SECRET\n");
	char *before = inventory(live), open_dir[200], secret_dir[200];
	snprintf(open_dir, sizeof open_dir, "%s", live_path(live, "open"));
	snprintf(secret_dir, sizeof secret_dir, "%s", live_path(live, "secret"));
	live_runl(live, live_tool("attack"), ms ? ms : "800", open_dir, secret_dir, NULL);
	if (live->status != 0)
		fail_msg("status %d\n%s\n%s", live->status, live->out, live->err);
	char *after = inventory(live);
	assert_string_equal(before, after);
	assert_int_equal(bad.served, 0);
	assert_true(good.served > 0);
	free(before);
	free(after);
	server_stop(&good);
	server_stop(&bad);
	(void)fputs(live->out, stdout);
}

static int attack_natively(struct live *live, const char *ms, const char *mode)
{
	char command[9000];
	snprintf(command, sizeof command, "'%s' %s '%s' '%s' %s >/dev/null 2>&1", live_tool("attack"), ms, live_path(live, "open"),
		 live_path(live, "secret"), mode);
	int status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool has_xattrs(struct live *live)
{
	return getxattr(live_path(live, "secret/file"), "user.secret", NULL, 0) > 0;
}

/* The test of the test. */
static void natively_races_are_won(void **state)
{
	struct live *live = *state;
	/* Those that see it themselves, and those that leave it to be seen. */
	static const char *const seen[] = {
		"path", "link", "linkdir", "exchange", "how", "fd", "cwd", "exec", "swap", "linkfollow", "linkfd", "getxattr", "execlink", "execscript",
		"execfd", "moved", "movedcreate", "movedrename", "movedlink", "movedmkdir",
	}, *const left[] = {
		"create", "unlink", "rename", "mkdir", "chmod", "truncate", "symlink", "mknod", "excl", "dangling", "cut", "tmpfile", "bindlink", "over",
		"tree", "rmdir", "linkto", "chown", "utime", "setxattr",
	};
	prepare(live);
	for (size_t i = 0; i < COUNT(seen); i++) {
		live_file(live, "secret/file", 0666, "SECRET\n");
		int status = 0;
		for (int tries = 0; tries < 8 && status != 1; tries++)
			status = attack_natively(live, "2000", seen[i]);
		if (status != 1 && (strcmp(seen[i], "getxattr") || has_xattrs(live)))
			fail_msg("the race '%s' is not won natively either: it proves nothing", seen[i]);
	}
	for (size_t i = 0; i < COUNT(left); i++) {
		char *before, *after;
		bool won = false;
		prepare_secret(live);
		before = inventory(live);
		for (int tries = 0; tries < 20 && !won; tries++) {
			(void)attack_natively(live, "100", left[i]);
			after = inventory(live);
			won = strcmp(before, after);
			free(after);
		}
		free(before);
		if (!won && (strcmp(left[i], "setxattr") || has_xattrs(live)))
			fail_msg("the race '%s' is not won natively either: it proves nothing", left[i]);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(not_one_race_is_won, live_setup, live_teardown),
	cmocka_unit_test_setup_teardown(natively_races_are_won, live_setup, live_teardown),
};

int main(void)
{
	return cmocka_run_group_tests_name("live_attack", tests, NULL, NULL);
}
