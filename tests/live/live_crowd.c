/*
 * Many threads in one tree (crowd.c), natively and under usher; and what the supervisor holds before and after so many calls: no
 * descriptor more, and no memory that grows with them. LONG=1: 64 threads for a minute, and a million calls.
 *
 * And 64 threads that connect, a thousand times a second (callers.c): all of them are answered. LONG=1: for a minute, and in time.
 */
#include "live.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL "files { default allow; cover all; }"

static bool is_long(void)
{
	const char *value = getenv("LONG");
	return value && !strcmp(value, "1");
}

static void many(struct live *live, const char *policy)
{
	const char *seconds = is_long() ? "60" : "3", *work = live_mkdir(live, "work", 0777);
	char command[300];
	snprintf(command, sizeof(command), "'%s' '%s' 64 1000 1 >/dev/null", live_tool("crowd"), work);
	assert_int_equal(system(command), 0);
	live_policy(live, policy);
	live_runl(live, live_tool("crowd"), work, "64", "1000", seconds, NULL);
	if (live->status)
		fail_msg("status %d\n%s%s", live->status, live->out, live->err);
	assert_int_equal(rmdir(work), 0);
}

static void many_threads(void **state)
{
	many(*state, ALL);
}

/* Names are held in their places then. */
static void many_threads_where_something_is_denied(void **state)
{
	many(*state, "files { default allow; cover all; deny all /nowhere/at/all; }");
}

static unsigned descriptors(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static long anonymous_kilobytes(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	char *text = live_read(path), *at = text ? strstr(text, "RssAnon:") : NULL;
	assert_non_null(at);
	long kilobytes = strtol(at + 8, NULL, 10);
	free(text);
	return kilobytes;
}

/* The program is there, and stays until go_on(). */
static void met(struct live *live)
{
	int fd = open(live_path(live, "work/met"), O_RDONLY);
	assert_true(fd >= 0);
	close(fd);
}

static void go_on(struct live *live)
{
	int fd = open(live_path(live, "work/go"), O_WRONLY);
	assert_true(fd >= 0);
	close(fd);
}

/* What USHER, if it can be looked at, holds more than before. */
static void holds_no_more(pid_t usher, unsigned *before, long *memory)
{
	unsigned now = descriptors(usher);
	long kilobytes = anonymous_kilobytes(usher), more = kilobytes - *memory;
	if (*before) {
		print_message("%u descriptors, then %u; %ld kB, then %+ld kB\n", *before, now, *memory, more);
		assert_in_range(now, 0, *before + 8);	/* a thread that came late */
#ifndef __SANITIZE_ADDRESS__	/* which keeps what is freed */
		/* 10 bytes a call would be one megabyte, or ten. */
		assert_true(more < 1000);
#endif
	}
	*before = now;
	*memory = kilobytes;
}

static void nothing_is_left_behind(void **state)
{
	struct live *live = *state;
	if (!live_root())	/* the supervisor is out of reach then, of this test as well */
		skip();
	const char *argv[] = { live_tool("crowd"), live_mkdir(live, "work", 0777), "8", is_long() ? "1000000" : "100000", "0", NULL };
	assert_int_equal(mkfifo(live_path(live, "work/met"), 0666), 0);
	assert_int_equal(mkfifo(live_path(live, "work/go"), 0666), 0);
	live_policy(live, ALL);
	pid_t usher = live_start(live, argv);
	met(live);
	unsigned before = 0;
	long memory = 0;
	holds_no_more(usher, &before, &memory);
	go_on(live);
	met(live);
	holds_no_more(usher, &before, &memory);
	go_on(live);
	if (live_finish(live))
		fail_msg("status %d\n%s%s", live->status, live->out, live->err);
}

static void *accept_all(void *server)
{
	for (int fd; (fd = accept(*(int *)server, NULL, NULL)) >= 0;)
		close(fd);
	return NULL;
}

static void a_thousand_connects_a_second(void **state)
{
	struct live *live = *state;
	unsigned port, before = 0;
	int server = live_serve(&port);
	char text[200];
	long memory = 0;
	pthread_t thread;
	assert_int_equal(listen(server, 4096), 0);
	assert_int_equal(pthread_create(&thread, NULL, accept_all, &server), 0);
	snprintf(text, sizeof(text), "files { default allow; } network { default deny; allow connect tcp 127.0.0.1:%u; }", port);
	live_policy(live, text);
	snprintf(text, sizeof(text), "%u", port);
	const char *argv[] = { live_tool("callers"), live_mkdir(live, "work", 0777), text, "64", "1000", is_long() ? "60" : "3", NULL };
	assert_int_equal(mkfifo(live_path(live, "work/met"), 0666), 0);
	assert_int_equal(mkfifo(live_path(live, "work/go"), 0666), 0);
	pid_t usher = live_start(live, argv);
	for (int i = 0; i < 2; i++) {
		met(live);
		if (live_root())
			holds_no_more(usher, &before, &memory);
		go_on(live);
	}
	if (live_finish(live))
		fail_msg("status %d\n%s%s", live->status, live->out, live->err);
	print_message("%s", live->out);
	unsigned long made = 0;
	long late = 0;
	assert_int_equal(sscanf(live->out, "%lu connects, 0 wrong, %ld us late", &made, &late), 2);
	assert_in_range(made, is_long() ? 60000 : 3000, 100000);
	if (is_long())
		assert_true(late < 1000000);
	shutdown(server, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(server);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, live_setup, live_teardown)
static const struct CMUnitTest tests[] = {
	CASE(many_threads), CASE(many_threads_where_something_is_denied), CASE(nothing_is_left_behind),
	CASE(a_thousand_connects_a_second),
};

int main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("live_crowd", tests, NULL, NULL);
}
