/* Reading footprints back: a million rows in about a second, so nothing is asked of SQLite but the rows in their own order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_state.h"

static struct bytes column_bytes(sqlite3_stmt *statement, int column)
{
	const void *at = sqlite3_column_blob(statement, column);

	return (struct bytes){ at ? at : "", at ? (size_t)sqlite3_column_bytes(statement, column) : 0 };
}

static bool same(struct bytes bytes, const char *text)
{
	return bytes.len == strlen(text) && memcmp(bytes.s, text, bytes.len) == 0;
}

/* The words of a row; most are those of the row before. */
struct words {
	char op[ACCESS_OPS_TEXT], to_op[ACCESS_OPS_TEXT];
	uint32_t ops, to_ops;
};

static uint32_t read_ops(struct bytes text, char last[ACCESS_OPS_TEXT], uint32_t *ops)
{
	if (text.len >= ACCESS_OPS_TEXT)
		return 0;
	if (strlen(last) != text.len || memcmp(last, text.s, text.len) != 0) {
		memcpy(last, text.s, text.len);
		last[text.len] = '\0';
		*ops = access_ops_parse(text.s, text.len);
	}
	return *ops;
}

static int read_errno(struct bytes text)
{
	int error;

	if (same(text, "ok"))
		return 0;
	error = policy_errno_named(text.s, text.len);
	return error > 0 ? error : atoi(text.s);
}

static int read_proto(struct bytes text)
{
	for (int proto = 0; text.len && proto < PROTO_COUNT; proto++)
		if (same(text, policy_proto_name((enum policy_proto)proto)))
			return proto;
	return -1;
}

static enum access_verdict read_verdict(struct bytes text)
{
	return same(text, "allow") ? ACCESS_ALLOW : same(text, "would-deny") ? ACCESS_WOULD_DENY : ACCESS_DENY;
}

struct program { int64_t id; char *path; };
struct programs { struct program *list; size_t n; };

static int programs_read(struct store *store, struct programs *programs)
{
	sqlite3_stmt *statement = NULL;
	int err = store_errno(sqlite3_prepare_v2(store->db, "SELECT id, path FROM program ORDER BY id", -1, &statement, NULL));

	while (!err) {
		int result = sqlite3_step(statement);
		if (result != SQLITE_ROW) {
			err = store_errno(result);
			break;
		}
		struct program *list = reallocarray(programs->list, programs->n + 1, sizeof(*list));
		struct bytes path = column_bytes(statement, 1);
		if (list)
			programs->list = list;
		char *copy = list ? strndup(path.s, path.len) : NULL;
		if (!copy) {
			err = -ENOMEM;
			break;
		}
		list[programs->n++] = (struct program){ sqlite3_column_int64(statement, 0), copy };
	}
	(void)sqlite3_finalize(statement);
	return err;
}

static struct bytes program_path(const struct programs *programs, int64_t id)
{
	size_t lo = 0, hi = programs->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (programs->list[mid].id == id)
			return (struct bytes){ programs->list[mid].path, strlen(programs->list[mid].path) };
		if (programs->list[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (struct bytes){ "", 0 };
}

static void read_row(sqlite3_stmt *row, const struct programs *programs, struct words *words, struct access *access)
{
	*access = (struct access){
		.object = column_bytes(row, 0),
		.ops = read_ops(column_bytes(row, 1), words->op, &words->ops),
		.proto = read_proto(column_bytes(row, 2)),
		.to = column_bytes(row, 3),
		.to_ops = read_ops(column_bytes(row, 4), words->to_op, &words->to_ops),
		.tree = sqlite3_column_int(row, 5),
		.via = column_bytes(row, 6),
		.verdict = read_verdict(column_bytes(row, 7)),
		.error = read_errno(column_bytes(row, 8)),
		.program = program_path(programs, sqlite3_column_int64(row, 9)),
		.domain = column_bytes(row, 10),
		.run = sqlite3_column_int64(row, 11),
		.count = (uint64_t)sqlite3_column_int64(row, 12),
		.first_ns = sqlite3_column_int64(row, 13),
		.last_ns = sqlite3_column_int64(row, 14),
	};
}

int store_read(struct store *store, int64_t since_ns, store_access_fn *fn, void *ctx)
{
	struct programs programs = { 0 };
	struct words words = { 0 };
	sqlite3_stmt *row = NULL;
	int err = programs_read(store, &programs);

	if (!err)
		err = store_errno(sqlite3_prepare_v2(store->db, "SELECT object, op, proto, to_object, to_op, tree, via, verdict, result, program,"
						     " domain, run, count, first_ns, last_ns FROM access WHERE last_ns >= ?1", -1, &row, NULL));
	if (!err)
		err = store_errno(sqlite3_bind_int64(row, 1, since_ns));
	while (!err) {
		struct access access;
		int result = sqlite3_step(row);
		if (result != SQLITE_ROW) {
			err = store_errno(result);
			break;
		}
		read_row(row, &programs, &words, &access);
		err = fn(ctx, &access);
	}
	(void)sqlite3_finalize(row);
	for (size_t i = 0; i < programs.n; i++)
		free(programs.list[i].path);
	free(programs.list);
	return err;
}

static const char *column_text(sqlite3_stmt *row, int column)
{
	const unsigned char *text = sqlite3_column_text(row, column);

	return text ? (const char *)text : "";
}

int store_runs(struct store *store, store_run_fn *fn, void *ctx)
{
	sqlite3_stmt *row = NULL;
	int err = store_errno(sqlite3_prepare_v2(store->db, "SELECT id, ended_ns, lost, program FROM run ORDER BY id", -1, &row, NULL));

	while (!err) {
		int result = sqlite3_step(row);
		if (result != SQLITE_ROW) {
			err = store_errno(result);
			break;
		}
		struct store_run run = {
			.id = sqlite3_column_int64(row, 0), .ended_ns = sqlite3_column_int64(row, 1),
			.lost = (uint64_t)sqlite3_column_int64(row, 2), .program = column_text(row, 3),
		};
		err = fn(ctx, &run);
	}
	(void)sqlite3_finalize(row);
	return err;
}
