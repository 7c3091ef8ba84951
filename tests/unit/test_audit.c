/* Records: their form, what is recorded and shown, and what becomes of them when they cannot be written. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit.h"
#include "audit_find.h"
#include "err.h"
#include "escape.h"
#include "loop.h"
#include "record.h"
#include "sandbox.h"
#include "sink.h"

static const char policy_text[] = "syntax 1;\n"
				  "policy web;\n"
				  "files {\n"
				  "	default deny ENOENT;\n"
				  "	allow ro /srv/;\n"
				  "	deny ro /srv/**/.git/;\n"
				  "	deny read /srv/trial stage log;\n"
				  "	deny read /srv/quiet audit none;\n"
				  "	allow read /srv/loud audit all;\n"
				  "	deny read /srv/killed stage kill audit alert;\n"
				  "}\n";

struct fixture {
	struct policy *policy;
	struct sandbox sandbox;
	struct ruleset rules;
	struct target target;
	struct name names[2];
	struct object objects[2];
	struct request req;
	char file[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct policy_env env = { 0 };
	struct policy_diags diags = { 0 };
	assert_int_equal(
		policy_load_text(&f->policy, &env, "web.policy", policy_text, strlen(policy_text), &diags),
		0);
	policy_diags_free(&diags);
	f->rules.policy = f->policy;
	/* The program of the records is this one. */
	f->target = (struct target){ .tid = 4712,
				     .tgid = 4711,
				     .proc = open("/proc/self", O_PATH | O_CLOEXEC),
				     .pidfd = -1,
				     .cred.euid = 33 };
	f->req = (struct request){ .sandbox = &f->sandbox,
				   .rules = &f->rules,
				   .target = &f->target,
				   .names = f->names,
				   .objects = f->objects,
				   .notif = { .pid = 4712, .data.nr = SYS_openat } };
	strcpy(f->file, "/tmp/usher-audit-XXXXXX");
	int fd = mkstemp(f->file);
	assert_true(fd >= 0);
	close(fd);
	assert_string_not_equal(target_exe(&f->target), "");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	unlink(f->file);
	close(f->target.proc);
	policy_free(f->policy);
	free(f);
	return 0;
}

/* F->req becomes a call for reading PATH (LEN bytes) that was spelled SPELLED and has been decided. */
static void ask(struct fixture *f, const char *path, size_t len, const char *spelled)
{
	memcpy(f->objects[0].path, path, len);
	f->objects[0].path[len] = 0;
	f->objects[0].len = len;
	f->names[0] = (struct name){ .dirfd = AT_FDCWD, .len = strlen(spelled) };
	strcpy(f->names[0].path, spelled);
	f->req.n_names = 1;
	f->req.ops[0] = OP_BIT(OP_READ);
	f->req.decision = policy_decide_path(f->policy, OP_BIT(OP_READ), path, len);
	bool denied = policy_denies(&f->req.decision.enforced);
	f->req.reply = (struct reply){ .kind = denied ? REPLY_DENY : REPLY_FD,
				       .error = denied ? -f->req.decision.enforced.err : 0 };
}

static void ask_plain(struct fixture *f, const char *path)
{
	ask(f, path, strlen(path), path);
}

static json_t *record_json(struct fixture *f, struct text *text)
{
	struct record record = { .seq = 7,
				 .id = "d3f900001111",
				 .realtime_ns = INT64_C(1795297529123456789),
				 .policy = f->policy };
	text->len = 0;
	record_request(text, &record, &f->req);
	json_t *json = json_loads(text->s, 0, NULL);
	assert_non_null(json);
	return json;
}

static const char *at(const json_t *json, const char *object, const char *key)
{
	const char *text =
		json_string_value(json_object_get(object ? json_object_get(json, object) : json, key));
	return text ? text : "(none)";
}

/* ---- form ---- */

static void record_has_the_keys_in_order(void **state)
{
	struct fixture *f = *state;
	struct text text = { 0 };
	ask(f, "/srv/www/.git/config", 20, "../.git/config");
	json_t *json = record_json(f, &text);
	assert_string_equal(at(json, NULL, "timestamp"), "2026-11-21T21:45:29.123456Z");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "process"), "pid")), 4711);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "process"), "tid")), 4712);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "process"), "uid")), 33);
	char exe[PATH_MAX] = "";
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_string_equal(at(json, "process", "exe"), exe);
	assert_string_equal(at(json, NULL, "syscall"), "openat");
	assert_string_equal(at(json, NULL, "action"), "deny");
	assert_string_equal(at(json, "details", "op"), "read");
	assert_string_equal(at(json, "details", "path"), "/srv/www/.git/config");
	assert_string_equal(at(json, "details", "spelled"), "../.git/config");
	char *cwd = getcwd(NULL, 0);
	assert_string_equal(at(json, "details", "base"), cwd);
	free(cwd);
	assert_string_equal(at(json, "details", "errno"), "ENOENT");
	assert_string_equal(at(json, NULL, "rule"), "web.policy:6");
	assert_string_equal(at(json, NULL, "stage"), "deny");
	assert_true(json_is_true(json_object_get(json, "enforced")));
	const char *const order[] = { "timestamp", "process", "syscall", "action",   "details", "id",
				      "policy",	   "rule",    "stage",	 "enforced", "us",	"seq" };
	size_t i = 0;
	const char *key;
	json_t *value;
	json_object_foreach(json, key, value) assert_string_equal(key, order[i++]);
	assert_int_equal(i, ARRAY_SIZE(order));
	/* One line: a newline at the end and nowhere else. */
	assert_ptr_equal(strchr(text.s, '\n'), text.s + text.len - 1);
	json_decref(json);
	free(text_take(&text));
}

static void default_and_stages_are_told(void **state)
{
	struct fixture *f = *state;
	struct text text = { 0 };
	ask_plain(f, "/etc/passwd");
	json_t *json = record_json(f, &text);
	assert_string_equal(at(json, NULL, "rule"), "web.policy:4");
	json_decref(json);
	ask_plain(f, "/srv/trial");
	json = record_json(f, &text);
	assert_string_equal(at(json, NULL, "action"), "would-deny");
	assert_string_equal(at(json, NULL, "stage"), "log");
	assert_true(json_is_false(json_object_get(json, "enforced")));
	json_decref(json);
	ask_plain(f, "/srv/killed");
	json = record_json(f, &text);
	assert_string_equal(at(json, "details", "signal"), "SIGKILL");
	assert_true(json_is_true(json_object_get(json_object_get(json, "details"), "alert")));
	json_decref(json);
	ask_plain(f, "/srv/index.html");
	json = record_json(f, &text);
	assert_string_equal(at(json, NULL, "action"), "allow");
	json_decref(json);
	free(text_take(&text));
}

/* Any bytes make valid JSON, and can be had back. */
static void strange_paths_are_exact_in_base64(void **state)
{
	struct fixture *f = *state;
	struct text text = { 0 };
	static const char strange[] = "/etc/\xff\x01\"\\\n\xc3\xa4";
	ask(f, strange, strlen(strange), strange);
	json_t *json = record_json(f, &text);
	assert_string_equal(at(json, "details", "path"), "/etc/\\xFF\x01\"\\\n\xc3\xa4");
	assert_string_equal(at(json, "details", "path_b64"), "L2V0Yy//ASJcCsOk");
	json_decref(json);
	static const char plain[] = "/etc/\xc3\xa4";
	ask(f, plain, strlen(plain), plain);
	json = record_json(f, &text);
	assert_string_equal(at(json, "details", "path"), plain);
	assert_null(json_object_get(json_object_get(json, "details"), "path_b64"));
	json_decref(json);
	for (int byte = 1; byte < 256; byte++) {
		char path[] = { '/', (char)byte, 'x', 0 };
		ask(f, path, 3, path);
		json_decref(record_json(f, &text));
	}
	free(text_take(&text));
}

static void lines_do_not_paint(void **state)
{
	struct fixture *f = *state;
	struct text text = { 0 };
	static const char path[] = "/etc/\x1b[31m\n\xc2\x9b\xe2\x80\xae\xff";
	ask(f, path, strlen(path), path);
	record_line(&text, &f->req, RECORD_DENY, "d3f900001111");
	assert_string_equal(text.s, "denied read /etc/\\x1B[31m\\n\\xC2\\x9B\\xE2\\x80\\xAE\\xFF (test_audit "
				    "4711)  web.policy:4  why d3f90000");
	free(text_take(&text));
}

/* ---- what is recorded ---- */

static size_t count_lines(const char *file, const char *needle)
{
	char line[65536];
	size_t n = 0;
	FILE *stream = fopen(file, "re");
	assert_non_null(stream);
	while (fgets(line, sizeof(line), stream)) {
		json_t *json = json_loads(line, 0, NULL);
		n += json && strstr(line, needle);
		json_decref(json);
	}
	fclose(stream);
	return n;
}

static void ask_all(struct fixture *f, struct audit *audit)
{
	static const char *const paths[] = { "/srv/index.html", "/srv/.git/x", "/srv/trial",
					     "/srv/quiet",	"/srv/loud",   "/etc/passwd" };
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		ask_plain(f, paths[i]);
		audit_record(audit, &f->req);
	}
}

static void level_deny_records_denials(void **state)
{
	struct fixture *f = *state;
	struct audit *audit;
	const struct audit_options options = { .file = f->file };
	assert_int_equal(audit_new(&audit, NULL, f->policy, &options), 0);
	ask_all(f, audit);
	audit_free(audit);
	assert_int_equal(count_lines(f->file, "\"action\":\"deny\""), 2);
	assert_int_equal(count_lines(f->file, "\"action\":\"would-deny\""), 1);
	assert_int_equal(count_lines(f->file, "\"action\":\"allow\""), 1);
	assert_int_equal(count_lines(f->file, "/srv/loud"), 1);
	assert_int_equal(count_lines(f->file, "/srv/quiet"), 0);
}

static void level_all_records_all_but_none(void **state)
{
	struct fixture *f = *state;
	struct audit *audit;
	const struct audit_options options = { .file = f->file, .all = true };
	assert_int_equal(audit_new(&audit, NULL, f->policy, &options), 0);
	ask_all(f, audit);
	audit_free(audit);
	assert_int_equal(count_lines(f->file, "\"seq\""), 5);
	assert_int_equal(count_lines(f->file, "/srv/quiet"), 0);
}

static void file_is_private_and_appended_to(void **state)
{
	struct fixture *f = *state;
	struct audit *audit;
	struct stat st;
	const struct audit_options options = { .file = f->file };
	unlink(f->file);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(audit_new(&audit, NULL, f->policy, &options), 0);
		audit_event(audit, "start", "nginx");
		audit_free(audit);
	}
	assert_int_equal(stat(f->file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(count_lines(f->file, "\"action\":\"start\""), 2);
}

static void unusable_file_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct audit *audit;
	struct audit_options options = { .file = "/nonexistent/log" };
	assert_int_equal(audit_new(&audit, NULL, f->policy, &options), -ENOENT);
	options.file = "/";
	assert_int_equal(audit_new(&audit, NULL, f->policy, &options), -EISDIR);
	/* A FIFO that nobody reads is an error at once, and no hang. */
	unlink(f->file);
	assert_int_equal(mkfifo(f->file, 0600), 0);
	options.file = f->file;
	assert_int_equal(audit_new(&audit, NULL, f->policy, &options), -ENXIO);
}

/* A run that was killed in the middle of a write costs one line, not two. */
static void torn_line_is_ended(void **state)
{
	struct fixture *f = *state;
	struct audit *audit;
	const struct audit_options options = { .file = f->file };
	FILE *stream = fopen(f->file, "we");
	fputs("{\"timestamp\":\"2026", stream);
	fclose(stream);
	assert_int_equal(audit_new(&audit, NULL, f->policy, &options), 0);
	audit_event(audit, "start", NULL);
	audit_free(audit);
	assert_int_equal(count_lines(f->file, "\"start\""), 1);
}

/* ---- ids ---- */

static void ids_are_found_by_their_beginning(void **state)
{
	struct fixture *f = *state;
	struct audit *audit;
	enum { N = 3000 };
	char(*ids)[16] = calloc(N, sizeof(*ids)), line[4096];
	json_t *found;
	const struct audit_options options = { .file = f->file };
	assert_int_equal(audit_new(&audit, NULL, f->policy, &options), 0);
	for (int i = 0; i < N; i++) {
		ask_plain(f, "/etc/passwd");
		audit_record(audit, &f->req);
	}
	audit_free(audit);
	FILE *stream = fopen(f->file, "re");
	for (int i = 0; i < N; i++) {
		assert_non_null(fgets(line, sizeof(line), stream));
		json_t *record = json_loads(line, 0, NULL);
		snprintf(ids[i], sizeof(ids[i]), "%s", json_string_value(json_object_get(record, "id")));
		assert_int_equal(strlen(ids[i]), 12);
		json_decref(record);
	}
	fclose(stream);
	qsort(ids, N, sizeof(*ids), (int (*)(const void *, const void *))strcmp);
	for (int i = 1; i < N; i++)
		assert_int_not_equal(strncmp(ids[i - 1], ids[i], 8), 0);
	ids[5][8] = 0;
	assert_int_equal(audit_find(f->file, ids[5], &found), 0);
	assert_int_equal(strncmp(at(found, NULL, "id"), ids[5], 8), 0);
	json_decref(found);
	/* Of 3,000 ids two begin with the same digit. */
	ids[5][1] = 0;
	assert_int_equal(audit_find(f->file, ids[5], &found), -EEXIST);
	assert_int_equal(audit_find(f->file, "zzzz", &found), -ENODATA);
	assert_int_equal(audit_find("/nonexistent", "00", &found), -ENOENT);
	assert_int_equal(audit_find("/tmp", "00", &found), -EISDIR);
	/* The last of the denials. */
	assert_int_equal(audit_find(f->file, NULL, &found), 0);
	assert_int_equal(json_integer_value(json_object_get(found, "seq")), N);
	json_decref(found);
	free(ids);
}

/* ---- the ring ---- */

static void *run_loop(void *loop)
{
	(void)loop_run(loop);
	return NULL;
}

struct writer {
	struct audit *audit;
	struct fixture *f;
	pthread_barrier_t *start;
};

static void *write_many(void *arg)
{
	struct writer *writer = arg;
	struct request req = writer->f->req;
	struct target target = *req.target; /* a thread has one call at a time */
	req.target = &target;
	pthread_barrier_wait(writer->start);
	for (int i = 0; i < 2000; i++)
		audit_record(writer->audit, &req);
	return NULL;
}

static void threads_write_through_the_ring(void **state)
{
	struct fixture *f = *state;
	struct audit *audit;
	struct loop *loop;
	pthread_t threads[4], runner;
	pthread_barrier_t start;
	const struct audit_options options = { .file = f->file };
	ask_plain(f, "/etc/passwd");
	assert_int_equal(loop_new(&loop, 64), 0);
	assert_int_equal(audit_new(&audit, loop, f->policy, &options), 0);
	pthread_barrier_init(&start, NULL, 4);
	pthread_create(&runner, NULL, run_loop, loop);
	struct writer writer = { .audit = audit, .f = f, .start = &start };
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, write_many, &writer);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	loop_stop(loop);
	pthread_join(runner, NULL);
	/* What the loop had not written when it was stopped is written now. */
	audit_free(audit);
	loop_free(loop);
	pthread_barrier_destroy(&start);
	assert_int_equal(count_lines(f->file, "\"action\":\"deny\""), 8000);
}

/* ---- loss ---- */

static size_t count_gap(void *ctx, unsigned long lost, char *buf, size_t size)
{
	unsigned long *told = ctx;
	*told += lost;
	return (size_t)snprintf(buf, size, "gap %lu\n", lost);
}

static void full_disk_is_counted(void **state)
{
	struct sink *sink;
	unsigned long told = 0;
	(void)state;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	assert_int_equal(sink_new(&sink, NULL, full, true, 4096, count_gap, &told), 0);
	for (int i = 0; i < 10; i++)
		assert_true(sink_put(sink, "line\n", 5));
	assert_int_equal(sink_lost(sink), 10);
	assert_int_equal(sink_free(sink), 10);
}

static void full_disk_is_counted_by_the_ring(void **state)
{
	struct sink *sink;
	struct loop *loop;
	unsigned long told = 0;
	(void)state;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_int_equal(loop_new(&loop, 8), 0);
	assert_int_equal(sink_new(&sink, loop, full, true, 4096, count_gap, &told), 0);
	for (int i = 0; i < 10; i++)
		sink_put(sink, "line\n", 5);
	assert_int_equal(sink_free(sink), 10);
	loop_free(loop);
}

struct opened { struct loop *loop; int fd; };

static int open_next(void *ctx, bool full)
{
	struct opened *opened = ctx;
	assert_false(full);
	loop_stop(opened->loop);
	return dup(opened->fd);
}

static void assert_holds(int fd, const char *expected)
{
	char got[64] = "";
	assert_true(pread(fd, got, sizeof(got) - 1, 0) >= 0);
	assert_string_equal(got, expected);
}

/* Also what its thread has not come to yet. */
static void lines_before_a_reopen_are_in_the_old_file(void **state)
{
	struct sink *sink;
	struct opened opened;
	int old = memfd_create("old", MFD_CLOEXEC);
	(void)state;
	opened.fd = memfd_create("new", MFD_CLOEXEC);
	assert_int_equal(loop_new(&opened.loop, 8), 0);
	assert_int_equal(sink_new(&sink, opened.loop, dup(old), true, 4096, NULL, NULL), 0);
	sink_rotates(sink, 0, 0, open_next, &opened);
	sink_put(sink, "one\n", 4);
	sink_reopen(sink);
	assert_int_equal(loop_run(opened.loop), 0);
	sink_put(sink, "two\n", 4);
	assert_int_equal(sink_free(sink), 0);
	assert_holds(old, "one\n");
	assert_holds(opened.fd, "two\n");
	close(old);
	close(opened.fd);
	loop_free(opened.loop);
}

/* The disk has room again: the gap comes first, and says how many. */
static void gap_is_reported_once(void **state)
{
	struct sink *sink;
	unsigned long told = 0;
	char got[64];
	int ends[2];
	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_int_equal(sink_new(&sink, NULL, fd, true, 4096, count_gap, &told), 0);
	sink_put(sink, "one\n", 4);
	sink_put(sink, "two\n", 4);
	assert_int_equal(dup2(ends[1], fd), fd);
	sink_put(sink, "three\n", 6);
	sink_put(sink, "four\n", 5);
	ssize_t n = read(ends[0], got, sizeof(got) - 1);
	assert_true(n > 0);
	got[n] = 0;
	assert_string_equal(got, "gap 2\nthree\nfour\n");
	assert_int_equal(sink_free(sink), 2);
	close(ends[1]);
	close(ends[0]);
}

/* A disk that fills up within a line: the line is lost, counted, and ended before the next one. */
static void torn_write_is_ended(void **state)
{
	struct fixture *f = *state;
	struct sink *sink;
	unsigned long told = 0;
	char dir[] = "/tmp/usher-small-XXXXXX", file[64], line[3000], content[8192];
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	if (mount("tmpfs", dir, "tmpfs", 0, "size=8k") < 0) {
		rmdir(dir);
		skip();
	}
	(void)f;
	snprintf(file, sizeof(file), "%s/log", dir);
	int fd = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_int_equal(sink_new(&sink, NULL, fd, false, 65536, count_gap, &told), 0);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 4; i++)
		sink_put(sink, line, sizeof(line));
	assert_int_equal(sink_lost(sink), 2);
	/* Room again, behind what is there. */
	assert_int_equal(mount("tmpfs", dir, "tmpfs", MS_REMOUNT, "size=64k"), 0);
	sink_put(sink, "after\n", 6);
	assert_int_equal(sink_free(sink), 2);
	off_t size = lseek(fd, 0, SEEK_END);
	assert_int_equal(pread(fd, content, 14, size - 13), 13);
	content[13] = 0;
	assert_string_equal(content, "\ngap 2\nafter\n");
	close(fd);
	umount(dir);
	rmdir(dir);
}

/* Nobody reads: the queue fills, what does not fit is lost, and nobody waits for longer than the closing
 * time. */
static void slow_reader_costs_records_not_time(void **state)
{
	struct sink *sink;
	struct loop *loop;
	unsigned long told = 0;
	char line[1024];
	int ends[2];
	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(loop_new(&loop, 8), 0);
	assert_int_equal(sink_new(&sink, loop, ends[1], true, 8 * sizeof(line), count_gap, &told), 0);
	for (int i = 0; i < 1000; i++)
		sink_put(sink, line, sizeof(line));
	assert_int_equal(sink_lost(sink), 992);
	close(ends[0]);
	/* The reader has gone: EPIPE, and the rest is lost as well. */
	assert_int_equal(sink_free(sink), 1000);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(record_has_the_keys_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(default_and_stages_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(strange_paths_are_exact_in_base64, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_do_not_paint, setup, teardown),
		cmocka_unit_test_setup_teardown(level_deny_records_denials, setup, teardown),
		cmocka_unit_test_setup_teardown(level_all_records_all_but_none, setup, teardown),
		cmocka_unit_test_setup_teardown(file_is_private_and_appended_to, setup, teardown),
		cmocka_unit_test_setup_teardown(unusable_file_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(torn_line_is_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(ids_are_found_by_their_beginning, setup, teardown),
		cmocka_unit_test_setup_teardown(threads_write_through_the_ring, setup, teardown),
		cmocka_unit_test(full_disk_is_counted),
		cmocka_unit_test(full_disk_is_counted_by_the_ring),
		cmocka_unit_test(lines_before_a_reopen_are_in_the_old_file),
		cmocka_unit_test(gap_is_reported_once),
		cmocka_unit_test_setup_teardown(torn_write_is_ended, setup, teardown),
		cmocka_unit_test(slow_reader_costs_records_not_time),
	};
	/* As the supervisor does: a log that cannot be written is an error, not a death. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
