/* A policy file is replaced by what was made of it, or left as it is. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/rewrite.h"

static char dir[] = "/tmp/usher-rewrite-XXXXXX";
static char path[64], other[64];

static void put(const char *file, const char *text)
{
	FILE *to = fopen(file, "w");

	assert_non_null(to);
	fputs(text, to);
	assert_int_equal(fclose(to), 0);
}

static void holds(const char *expected)
{
	char text[64] = "";
	FILE *from = fopen(path, "r");

	assert_non_null(from);
	assert_true(fread(text, 1, sizeof(text) - 1, from) > 0);
	fclose(from);
	assert_string_equal(text, expected);
}

static unsigned files(void)
{
	char command[100];
	unsigned n = 0;
	FILE *from;

	snprintf(command, sizeof(command), "ls -A %s | wc -l", dir);
	from = popen(command, "r");
	assert_int_equal(fscanf(from, "%u", &n), 1);
	pclose(from);
	return n;
}

static struct rewrite begin(struct policy_file *was)
{
	*was = (struct policy_file){ .path = path, .text = (char *)(uintptr_t)"old\n", .len = 4 };
	put(path, "old\n");
	return (struct rewrite){ .was = was, .text = strdup("new\n"), .len = 4 };
}

static void done_and_undone(void **state)
{
	struct policy_file was;
	struct rewrite rewrite = begin(&was);
	struct stat st;

	(void)state;
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(rewrite_do(&rewrite), 0);
	holds("new\n");
	assert_int_equal(rewrite_undo(&rewrite), 0);
	holds("old\n");
	rewrite_end(&rewrite);
	assert_int_equal(files(), 1);
	rewrite = begin(&was);
	assert_int_equal(rewrite_do(&rewrite), 0);
	rewrite_end(&rewrite);
	holds("new\n");
	assert_int_equal(files(), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

/* Longer, shorter, other, gone, a directory: whatever it is now, it is not what was read. */
static void another_is_left_alone(void **state)
{
	static const char *const texts[] = { "old\nmore\n", "old", "odd\n", "" };
	struct policy_file was;
	struct rewrite rewrite;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct stat before, after;

		rewrite = begin(&was);
		put(path, texts[i]);
		assert_int_equal(stat(path, &before), 0);
		assert_int_equal(rewrite_do(&rewrite), -ESTALE);
		rewrite_end(&rewrite);
		assert_int_equal(stat(path, &after), 0);
		assert_int_equal(before.st_ino, after.st_ino);
		assert_int_equal(before.st_size, after.st_size);
		assert_int_equal(files(), 1);
	}
	rewrite = begin(&was);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rewrite_do(&rewrite), -ENOENT);
	rewrite_end(&rewrite);
	assert_int_equal(files(), 0);
}

/* A link stays one; what it leads to is replaced. */
static void through_a_link(void **state)
{
	struct policy_file was;
	struct rewrite rewrite = begin(&was);
	struct stat st;

	(void)state;
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(rewrite_do(&rewrite), 0);
	rewrite_end(&rewrite);
	holds("new\n");
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	unlink(other);
	unlink(path);
}

struct writer { pthread_mutex_t between; unsigned version; _Atomic bool over; };

/* Replaces the file as an editor does, again and again. */
static void *writer_run(void *arg)
{
	struct writer *writer = arg;
	char text[20];

	while (!writer->over) {
		pthread_mutex_lock(&writer->between);
		for (int i = 0; i < 20; i++) {
			snprintf(text, sizeof(text), "%u\n", ++writer->version);
			put(other, text);
			assert_int_equal(rename(other, path), 0);
		}
		pthread_mutex_unlock(&writer->between);
		usleep(1);
	}
	return NULL;
}

/* Whoever replaces the file meanwhile has the last word. */
static void a_replacement_is_not_lost(void **state)
{
	struct writer writer = { .between = PTHREAD_MUTEX_INITIALIZER, .version = 0 };
	unsigned done = 0, stale = 0;
	pthread_t thread;

	(void)state;
	put(path, "0\n");
	assert_int_equal(pthread_create(&thread, NULL, writer_run, &writer), 0);
	for (int i = 0; i < 5000 && (i < 300 || !done || !stale); i++) {
		char was[20] = "", now[20] = "";
		struct policy_file file = { .path = path, .text = was };
		struct rewrite rewrite = { .was = &file };
		FILE *from = fopen(path, "r");
		assert_non_null(from);
		file.len = fread(was, 1, sizeof(was) - 1, from);
		fclose(from);
		rewrite.text = malloc(30);
		rewrite.len = (size_t)snprintf(rewrite.text, 30, "%d.%s", (int)atoi(strchr(was, '.') ? strchr(was, '.') + 1 : was) % 7, strchr(was, '.') ? strchr(was, '.') + 1 : was);
		int err = rewrite_do(&rewrite);
		assert_true(err == 0 || err == -ESTALE);
		done += err == 0;
		stale += err != 0;
		rewrite_end(&rewrite);
		pthread_mutex_lock(&writer.between);
		from = fopen(path, "r");
		assert_non_null(from);
		assert_true(fread(now, 1, sizeof(now) - 1, from) > 0);
		fclose(from);
		const char *version = strchr(now, '.') ? strchr(now, '.') + 1 : now;
		assert_int_equal(atoi(version), writer.version);
		pthread_mutex_unlock(&writer.between);
	}
	writer.over = true;
	pthread_join(thread, NULL);
	assert_true(done > 0 && stale > 0);
	assert_int_equal(files(), 1);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/x.policy", dir);
	snprintf(other, sizeof(other), "%s/y.policy", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(done_and_undone),
		cmocka_unit_test(another_is_left_alone),
		cmocka_unit_test(through_a_link),
		cmocka_unit_test(a_replacement_is_not_lost),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
