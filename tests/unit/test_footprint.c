/* Accesses are counted, bounded, written and read back as they were. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "evidence/ledger.h"
#include "evidence/store.h"
#include "evidence/tally.h"

#define BYTES(text) { (text), sizeof(text) - 1 }

static const struct access opened = {
	.object = BYTES("/etc/passwd"), .program = BYTES("/bin/cat"), .domain = BYTES("main"),
	.ops = OP_BIT(OP_READ), .proto = -1, .verdict = ACCESS_ALLOW,
};
static const struct access renamed = {
	.object = BYTES("/a/\xff"), .to = BYTES("/b"), .via = BYTES("/l\0/m\0"), .program = BYTES("/bin/mv"), .domain = BYTES("main"),
	.ops = OP_BIT(OP_RENAME), .to_ops = OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE), .proto = -1, .verdict = ACCESS_WOULD_DENY, .error = EXDEV,
	.tree = true,
};
static const struct access connected = {
	.object = BYTES("10.0.0.1:80"), .program = BYTES("/bin/cat"), .domain = BYTES("main"),
	.ops = OP_BIT(OP_CONNECT), .proto = PROTO_TCP, .verdict = ACCESS_DENY, .error = 1234,
};

static void same_bytes(struct bytes a, struct bytes b)
{
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.s, b.s, a.len);
}

static void same_access(const struct access *a, const struct access *b)
{
	same_bytes(a->object, b->object);
	same_bytes(a->to, b->to);
	same_bytes(a->via, b->via);
	same_bytes(a->program, b->program);
	same_bytes(a->domain, b->domain);
	assert_int_equal(a->ops, b->ops);
	assert_int_equal(a->to_ops, b->to_ops);
	assert_int_equal(a->proto, b->proto);
	assert_int_equal(a->error, b->error);
	assert_int_equal(a->verdict, b->verdict);
	assert_int_equal(a->tree, b->tree);
}

static void equal_accesses_are_counted(void **state)
{
	(void)state;
	struct tally tally = { .seed = 1 };
	struct access access, other = opened;
	assert_true(tally_count(&tally, &opened, 10));
	assert_true(tally_count(&tally, &renamed, 11));
	assert_true(tally_count(&tally, &opened, 12));
	other.error = ENOENT;
	assert_true(tally_count(&tally, &other, 13));
	other.error = 0;
	other.program = (struct bytes)BYTES("/bin/cau");
	assert_true(tally_count(&tally, &other, 14));
	assert_int_equal(tally.n, 4);
	assert_int_equal(tally.calls, 5);
	tally_read(&tally, 0, &access);
	same_access(&access, &opened);
	assert_int_equal(access.count, 2);
	assert_int_equal(access.first_ns, 10);
	assert_int_equal(access.last_ns, 12);
	tally_read(&tally, 1, &access);
	same_access(&access, &renamed);
	tally_clear(&tally);
	assert_int_equal(tally.n + tally.calls, 0);
	assert_true(tally_count(&tally, &opened, 20));
	assert_int_equal(tally.n, 1);
	tally_free(&tally);
}

static void memory_is_bounded(void **state)
{
	(void)state;
	struct tally tally = { .seed = 1 };
	struct access access = opened;
	char path[400];
	unsigned n = 0;
	for (;; n++) {
		access.object = (struct bytes){ path, (size_t)snprintf(path, sizeof(path), "/tmp/%u", n) };
		if (!tally_count(&tally, &access, 1))
			break;
	}
	assert_int_equal(n, TALLY_ENTRIES);
	/* What is known already is still counted. */
	access.object = (struct bytes){ path, (size_t)snprintf(path, sizeof(path), "/tmp/%u", 77U) };
	assert_true(tally_count(&tally, &access, 2));
	tally_clear(&tally);
	for (n = 0;; n++) {
		memset(path, 'x', sizeof(path));
		snprintf(path, 20, "/%u", n);
		access.object = (struct bytes){ path, sizeof(path) };
		if (!tally_count(&tally, &access, 1))
			break;
	}
	assert_true(n < TALLY_ENTRIES && n > TALLY_BYTES / 600);
	assert_true(tally.room <= TALLY_BYTES);
	tally_free(&tally);
}

struct reading { unsigned n; const struct access *expected[3]; uint64_t count; };

static int check_access(void *ctx, const struct access *access)
{
	struct reading *reading = ctx;
	for (unsigned i = 0; i < 3; i++)
		if (reading->expected[i] && reading->expected[i]->ops == access->ops)
			same_access(reading->expected[i], access);
	if (access->ops == OP_BIT(OP_READ))
		assert_int_equal(access->first_ns, 10);
	reading->count += access->count;
	reading->n++;
	return 0;
}

static int check_run(void *ctx, const struct store_run *run)
{
	unsigned *runs = ctx;
	assert_string_equal(run->program, "prog");
	assert_int_equal(run->lost, run->id == 1 ? 7 : 0);
	assert_int_equal(run->ended_ns != 0, run->id == 2);
	*runs += 1;
	return 0;
}

static void written_and_read_back(void **state)
{
	(void)state;
	char dir[] = "/tmp/usher-footprint-XXXXXX", file[64];
	const char *why;
	struct store *store = NULL;
	struct tally tally = { .seed = 3 };
	struct policy policy = { .name = (char[]){ "web" }, .digest = "abc" };
	struct stat st;
	int64_t run;
	uint64_t dropped;
	unsigned runs = 0;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/f", dir);
	assert_int_equal(store_open(&store, file, false, &why), -ENOENT);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(store_open(&store, file, true, &why), 0);
		assert_int_equal(store_begin(store, &policy, "prog", &run), 0);
		assert_int_equal(run, round + 1);
		for (int i = 0; i < 3; i++) {
			tally_clear(&tally);
			assert_true(tally_count(&tally, &opened, 10 + i) && tally_count(&tally, &renamed, 20) && tally_count(&tally, &connected, 30));
			assert_int_equal(store_write(store, &tally, run, &dropped), 0);
			assert_int_equal(dropped, 0);
		}
		if (round == 0)
			assert_int_equal(store_lost(store, run, 7), 0);
		else
			assert_int_equal(store_end(store, run, 0), 0);
		store_close(store);
	}
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(store_open(&store, file, false, &why), 0);
	struct reading reading = { .expected = { &opened, &renamed, &connected } };
	assert_int_equal(store_read(store, 0, check_access, &reading), 0);
	assert_int_equal(reading.n, 6);
	assert_int_equal(reading.count, 18);
	reading = (struct reading){ 0 };
	assert_int_equal(store_read(store, 25, check_access, &reading), 0);
	assert_int_equal(reading.n, 2);
	assert_int_equal(store_runs(store, check_run, &runs), 0);
	assert_int_equal(runs, 2);
	store_close(store);
	tally_free(&tally);
	unlink(file);

	/* Something else is left alone. */
	FILE *other = fopen(file, "w");
	assert_non_null(other);
	fputs("mine\n", other);
	fclose(other);
	assert_int_equal(store_open(&store, file, true, &why), -EINVAL);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, 5);
	unlink(file);
	rmdir(dir);
}

static void what_a_kill_loses_is_known(void **state)
{
	(void)state;
	char file[] = "/tmp/usher-ledger-XXXXXX";
	struct ledger ledger, second;
	uint64_t lost;
	int64_t run;
	close(mkstemp(file));
	assert_int_equal(ledger_open(&ledger, file, &lost, &run), 0);
	assert_int_equal(lost, 0);
	assert_int_equal(ledger_open(&second, file, &lost, &run), -EBUSY);
	ledger.page->run = 5;
	ledger.page->counted = 12;
	ledger.page->written = 9;
	ledger_close(&ledger, false);
	assert_int_equal(ledger_open(&ledger, file, &lost, &run), 0);
	assert_int_equal(lost, 3);
	assert_int_equal(run, 5);
	ledger_close(&ledger, true);
	assert_int_equal(access(file, F_OK), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_accesses_are_counted), cmocka_unit_test(memory_is_bounded), cmocka_unit_test(written_and_read_back),
		cmocka_unit_test(what_a_kill_loses_is_known),
	};
	return cmocka_run_group_tests_name("footprint", tests, NULL, NULL);
}
