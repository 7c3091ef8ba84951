#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "escape.h"
#include "fd.h"
#include "store_state.h"
#include "tally.h"

#define BUSY_MS	 2000
#define ROWS_MAX 2000000

static const char schema[] =
	"PRAGMA application_id = " STORE_ID_TEXT "; PRAGMA user_version = 1;"
	"CREATE TABLE IF NOT EXISTS run (id INTEGER PRIMARY KEY, started_ns INTEGER, ended_ns INTEGER, policy TEXT, digest TEXT,"
	" program TEXT, status INTEGER, lost INTEGER DEFAULT 0);"
	"CREATE TABLE IF NOT EXISTS program (id INTEGER PRIMARY KEY, path TEXT UNIQUE);"
	"CREATE TABLE IF NOT EXISTS access (object, op TEXT, proto TEXT, to_object, to_op TEXT, tree INTEGER, via, verdict TEXT,"
	" result TEXT, program INTEGER, domain TEXT, run INTEGER, count INTEGER, first_ns INTEGER, last_ns INTEGER,"
	" PRIMARY KEY (object, op, proto, to_object, to_op, tree, via, verdict, result, program, domain, run)) WITHOUT ROWID;"
	"CREATE VIEW IF NOT EXISTS footprint AS SELECT a.domain, a.op, a.proto, a.object, a.to_object, a.verdict, a.result,"
	" p.path AS program, a.run, a.count, datetime(a.first_ns / 1000000000, 'unixepoch') AS first,"
	" datetime(a.last_ns / 1000000000, 'unixepoch') AS last FROM access a LEFT JOIN program p ON p.id = a.program;";

static const char *const statements[STORE_STATEMENTS] = {
	[STORE_UPDATE] = "UPDATE access SET count = count + ?13, first_ns = min(first_ns, ?14), last_ns = max(last_ns, ?15) WHERE object = ?1"
			 " AND op = ?2 AND proto = ?3 AND to_object = ?4 AND to_op = ?5 AND tree = ?6 AND via = ?7 AND verdict = ?8"
			 " AND result = ?9 AND program = ?10 AND domain = ?11 AND run = ?12",
	[STORE_INSERT] = ("INSERT INTO access (object, op, proto, to_object, to_op, tree, via, verdict, result, program, domain, run,"
			 " count, first_ns, last_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"),
	[STORE_PROGRAM] = "SELECT id FROM program WHERE path = ?1",
	[STORE_PROGRAM_NEW] = "INSERT INTO program (path) VALUES (?1)",
};

int store_errno(int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE: return 0;
	case SQLITE_NOMEM: return -ENOMEM;
	case SQLITE_FULL: return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return -EBUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM: return -EACCES;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT: return -EINVAL;
	default: return -EIO;
	}
}

static int store_exec(struct store *store, const char *sql)
{
	return store_errno(sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

/* The first column of the first row, -1 without one. */
static int64_t store_value(struct store *store, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t value = -1;

	if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return value;
}

/* Ours, or empty. */
static int store_check(struct store *store, bool write, const char **why)
{
	int64_t id = store_value(store, "PRAGMA application_id"), version = store_value(store, "PRAGMA user_version");
	int64_t tables = store_value(store, "SELECT count(*) FROM sqlite_master");

	if (id == STORE_ID && version == 1)
		return 0;
	if (write && id == 0 && tables == 0)
		return 0;
	*why = id == STORE_ID ? "it was written by a newer usher" : "it is no footprint";
	return -EINVAL;
}

static int store_prepare(struct store *store)
{
	int err = store_exec(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");

	if (!err)
		err = store_exec(store, schema);
	for (int i = 0; i < STORE_STATEMENTS && !err; i++)
		err = store_errno(sqlite3_prepare_v3(store->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL));
	if (!err)
		store->rows = store_value(store, "SELECT count(*) FROM access");
	return err;
}

int store_open(struct store **store, const char *file, bool write, const char **why)
{
	struct store *new = calloc(1, sizeof(*new));
	int err;

	*why = NULL;
	if (!new)
		return -ENOMEM;
	/* SQLite would make it readable for all. */
	AUTO_FD fd = open(file, (write ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		err = fd < 0 ? -errno : -EINVAL;
		*why = fd < 0 ? NULL : "it is no file";
		free(new);
		return err;
	}
	err = store_errno(sqlite3_open_v2(file, &new->db, write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, NULL));
	if (!err) {
		(void)sqlite3_busy_timeout(new->db, BUSY_MS);
		(void)sqlite3_db_config(new->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		(void)sqlite3_db_config(new->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		err = store_check(new, write, why);
	}
	if (!err && write)
		err = store_prepare(new);
	if (err) {
		store_close(new);
		return err;
	}
	*store = new;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (int i = 0; i < STORE_STATEMENTS; i++)
		(void)sqlite3_finalize(store->statements[i]);
	(void)sqlite3_close(store->db);
	free(store);
}

/* ---- writing --------------------------------------------------------------------------------- */

static int bind_bytes(sqlite3_stmt *statement, int at, struct bytes bytes)
{
	const char *s = bytes.len ? bytes.s : "";
	bool text = !memchr(s, '\0', bytes.len);

	for (size_t i = 0, n; text && i < bytes.len; i += n) {
		n = utf8_sequence(s + i, bytes.len - i);
		text = n > 0;
	}
	return text ? sqlite3_bind_text(statement, at, s, (int)bytes.len, SQLITE_STATIC)
		    : sqlite3_bind_blob(statement, at, s, (int)bytes.len, SQLITE_STATIC);
}

static int store_step(sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);

	(void)sqlite3_reset(statement);
	return result == SQLITE_DONE || result == SQLITE_ROW ? 0 : store_errno(result);
}

static int program_id(struct store *store, struct bytes path, int64_t *id)
{
	sqlite3_stmt *find = store->statements[STORE_PROGRAM], *add = store->statements[STORE_PROGRAM_NEW];
	int err;

	if (bind_bytes(find, 1, path))
		return -ENOMEM;
	int result = sqlite3_step(find);
	*id = result == SQLITE_ROW ? sqlite3_column_int64(find, 0) : 0;
	(void)sqlite3_reset(find);
	if (result != SQLITE_DONE)
		return store_errno(result);
	if (bind_bytes(add, 1, path))
		return -ENOMEM;
	err = store_step(add);
	*id = sqlite3_last_insert_rowid(store->db);
	return err;
}

static int bind_access(sqlite3_stmt *statement, const struct access *a, int64_t program, int64_t run)
{
	char op[ACCESS_OPS_TEXT], to_op[ACCESS_OPS_TEXT], number[16];
	const char *error = a->error ? policy_errno_name(a->error) : "ok";
	int bad = bind_bytes(statement, 1, a->object) | bind_bytes(statement, 4, a->to) | bind_bytes(statement, 7, a->via) |
		  bind_bytes(statement, 11, a->domain);

	snprintf(number, sizeof(number), "%d", a->error);
	bad |= sqlite3_bind_text(statement, 2, access_ops_text(a->ops, op), -1, SQLITE_TRANSIENT);
	bad |= sqlite3_bind_text(statement, 3, a->proto < 0 ? "" : policy_proto_name((enum policy_proto)a->proto), -1, SQLITE_STATIC);
	bad |= sqlite3_bind_text(statement, 5, access_ops_text(a->to_ops, to_op), -1, SQLITE_TRANSIENT);
	bad |= sqlite3_bind_int(statement, 6, a->tree);
	bad |= sqlite3_bind_text(statement, 8, access_verdict_name(a->verdict), -1, SQLITE_STATIC);
	bad |= sqlite3_bind_text(statement, 9, error ? error : number, -1, SQLITE_TRANSIENT);
	bad |= sqlite3_bind_int64(statement, 10, program) | sqlite3_bind_int64(statement, 12, run);
	bad |= sqlite3_bind_int64(statement, 13, (int64_t)a->count) | sqlite3_bind_int64(statement, 14, a->first_ns) |
	       sqlite3_bind_int64(statement, 15, a->last_ns);
	return bad ? -ENOMEM : 0;
}

static int store_put(struct store *store, const struct access *a, int64_t run, int64_t *rows, uint64_t *dropped)
{
	sqlite3_stmt *update = store->statements[STORE_UPDATE], *insert = store->statements[STORE_INSERT];
	int64_t program;
	int err = program_id(store, a->program, &program);

	if (!err)
		err = bind_access(update, a, program, run);
	if (!err)
		err = store_step(update);
	if (err || sqlite3_changes(store->db))
		return err;
	if (*rows >= ROWS_MAX) {
		*dropped += a->count;
		return 0;
	}
	err = bind_access(insert, a, program, run);
	if (!err)
		err = store_step(insert);
	*rows += !err;
	return err;
}

int store_write(struct store *store, const struct tally *tally, int64_t run, uint64_t *dropped)
{
	int64_t rows = store->rows;
	int err = store_exec(store, "BEGIN IMMEDIATE");

	*dropped = 0;
	if (err)
		return err;
	for (uint32_t i = 0; i < tally->n && !err; i++) {
		struct access access;
		tally_read(tally, i, &access);
		err = store_put(store, &access, run, &rows, dropped);
	}
	if (!err)
		err = store_exec(store, "COMMIT");
	if (err)
		(void)store_exec(store, "ROLLBACK");
	else
		store->rows = rows;
	return err;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static int64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int store_begin(struct store *store, const struct policy *policy, const char *program, int64_t *run)
{
	sqlite3_stmt *statement = NULL;
	int err = store_errno(sqlite3_prepare_v2(store->db, "INSERT INTO run (started_ns, policy, digest, program) VALUES (?1, ?2, ?3, ?4)",
						 -1, &statement, NULL));
	struct bytes name = { policy->name, policy->name ? strlen(policy->name) : 0 }, path = { program, strlen(program) };

	if (!err && (sqlite3_bind_int64(statement, 1, realtime_ns()) || bind_bytes(statement, 2, name) ||
		     sqlite3_bind_text(statement, 3, policy->digest, -1, SQLITE_STATIC) || bind_bytes(statement, 4, path)))
		err = -ENOMEM;
	if (!err)
		err = store_step(statement);
	(void)sqlite3_finalize(statement);
	*run = err ? 0 : sqlite3_last_insert_rowid(store->db);
	return err;
}

static int update_run(struct store *store, const char *sql, int64_t run, int64_t first, int64_t second)
{
	sqlite3_stmt *statement = NULL;
	int err = store_errno(sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL));

	if (!err && (sqlite3_bind_int64(statement, 1, run) || sqlite3_bind_int64(statement, 2, first) || sqlite3_bind_int64(statement, 3, second)))
		err = -ENOMEM;
	if (!err)
		err = store_step(statement);
	(void)sqlite3_finalize(statement);
	return err;
}

int store_lost(struct store *store, int64_t run, uint64_t lost)
{
	return update_run(store, "UPDATE run SET lost = lost + ?2 + ?3 WHERE id = ?1", run, (int64_t)lost, 0);
}

int store_end(struct store *store, int64_t run, int status)
{
	return update_run(store, "UPDATE run SET ended_ns = ?2, status = ?3 WHERE id = ?1", run, realtime_ns(), status);
}
