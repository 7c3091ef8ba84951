#include "control/proof.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "fd.h"
#include "text.h"

#define HOUR 3600
#define KEPT_DAYS 400
#define BUSY_MS 5000

struct proof { sqlite3 *db; };

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS run (id INTEGER PRIMARY KEY, policy TEXT, digest TEXT, started INTEGER, last INTEGER);"
	"CREATE TABLE IF NOT EXISTS calls (policy TEXT, hour INTEGER, calls INTEGER, PRIMARY KEY (policy, hour)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS seen (policy TEXT, key TEXT, first INTEGER, PRIMARY KEY (policy, key)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS rule (policy TEXT, key TEXT, hour INTEGER, used INTEGER, would INTEGER,"
	" PRIMARY KEY (policy, key, hour)) WITHOUT ROWID;";

char *proof_dir(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		return text_copy("/var/lib/usher");
	if (state && state[0] == '/')
		return text_printf("%s/usher", state);
	return home && home[0] == '/' ? text_printf("%s/.local/state/usher", home) : NULL;
}

void proof_key(const char *text, char key[PROOF_KEY])
{
	struct sha256_ctx context;
	uint8_t bytes[SHA256_DIGEST_SIZE];

	sha256_init(&context);
	sha256_update(&context, strlen(text), (const uint8_t *)text);
	sha256_digest(&context, sizeof(bytes), bytes);
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(key + 2 * i, 3, "%02x", bytes[i]);
}

static int make_dirs(char *path)
{
	for (char *at = path + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		(void)mkdir(path, 0700);
		*at = '/';
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

int proof_open(struct proof **proof, bool write)
{
	AUTO_FREE char *dir = proof_dir();
	AUTO_FREE char *file = dir ? text_printf("%s/evidence.db", dir) : NULL;
	struct proof *new;
	struct stat st;
	int err = dir ? 0 : -ENOENT;

	if (!err && write)
		err = make_dirs(dir);
	/* Nobody else may have had a hand in it. */
	if (!err && (stat(dir, &st) || st.st_uid != geteuid() || st.st_mode & 022))
		err = errno == ENOENT ? -ENOENT : -EPERM;
	if (!err && !write && access(file, R_OK))
		err = -errno;
	if (err)
		return err;
	new = mem_zero(sizeof(*new));
	if (sqlite3_open_v2(file, &new->db, SQLITE_OPEN_NOMUTEX | (write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY), NULL) ||
	    sqlite3_busy_timeout(new->db, BUSY_MS) || (write && (chmod(file, 0600) || sqlite3_exec(new->db, schema, NULL, NULL, NULL)))) {
		proof_close(new);
		return -EIO;
	}
	*proof = new;
	return 0;
}

void proof_close(struct proof *proof)
{
	if (!proof)
		return;
	(void)sqlite3_close(proof->db);
	free(proof);
}

/* FORMAT: 's' a text, 'i' a number, bound in turn. One row's columns go into OUT, N of them; none found: zeros. 0 or -EIO. */
static int query(struct proof *proof, const char *sql, const char *format, const char *const texts[], const int64_t numbers[], int64_t *out, int n)
{
	sqlite3_stmt *statement = NULL;
	int err = sqlite3_prepare_v2(proof->db, sql, -1, &statement, NULL), step;

	for (int i = 0; format[i] && !err; i++)
		err = format[i] == 's' ? sqlite3_bind_text(statement, i + 1, *texts++, -1, SQLITE_STATIC) : sqlite3_bind_int64(statement, i + 1, *numbers++);
	step = err ? err : sqlite3_step(statement);
	for (int i = 0; i < n; i++)
		out[i] = step == SQLITE_ROW ? sqlite3_column_int64(statement, i) : 0;
	(void)sqlite3_finalize(statement);
	return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -EIO;
}

int proof_start(struct proof *proof, const char *policy, const char *digest, int64_t now_s, int64_t *run)
{
	const char *texts[] = { policy, digest };
	const int64_t numbers[] = { now_s, now_s }, old[] = { now_s / HOUR - KEPT_DAYS * 24 };
	int err = query(proof, "INSERT INTO run (policy, digest, started, last) VALUES (?1, ?2, ?3, ?4)", "ssii", texts, numbers, NULL, 0);

	*run = sqlite3_last_insert_rowid(proof->db);
	if (!err)
		err = query(proof, "DELETE FROM rule WHERE hour < ?1", "i", NULL, old, NULL, 0);
	return err;
}

static int add_all(struct proof *proof, const char *policy, int64_t run, int64_t now_s, uint64_t calls, const struct proof_count *counts, size_t n)
{
	const int64_t last[] = { now_s, run }, by_hour[] = { now_s / HOUR, (int64_t)calls };
	int err = query(proof, "UPDATE run SET last = ?1 WHERE id = ?2", "ii", NULL, last, NULL, 0);

	if (!err)
		err = query(proof, "INSERT INTO calls VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET calls = calls + excluded.calls", "sii", &policy, by_hour,
			    NULL, 0);
	for (size_t i = 0; i < n && !err; i++) {
		const char *texts[] = { policy, counts[i].key };
		const int64_t numbers[] = { now_s / HOUR, (int64_t)counts[i].used, (int64_t)counts[i].would };

		err = query(proof, "INSERT OR IGNORE INTO seen VALUES (?1, ?2, ?3)", "ssi", texts, &now_s, NULL, 0);
		if (!err && (counts[i].used || counts[i].would))
			err = query(proof, "INSERT INTO rule VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET used = used + excluded.used,"
				    " would = would + excluded.would", "ssiii", texts, numbers, NULL, 0);
	}
	return err;
}

int proof_add(struct proof *proof, const char *policy, int64_t run, int64_t now_s, uint64_t calls, const struct proof_count *counts, size_t n)
{
	int err = sqlite3_exec(proof->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) ? -EIO : 0;

	if (err)
		return err;
	err = add_all(proof, policy, run, now_s, calls, counts, n);
	if (!err && sqlite3_exec(proof->db, "COMMIT", NULL, NULL, NULL))
		err = -EIO;
	if (err)
		(void)sqlite3_exec(proof->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

int proof_sum(struct proof *proof, const char *policy, const char key[PROOF_KEY], int64_t since_s, struct proof_sum *sum)
{
	const char *texts[] = { policy, key };
	int64_t from, hour, out[2];
	int err = query(proof, "SELECT first FROM seen WHERE policy = ?1 AND key = ?2", "ss", texts, NULL, out, 1);

	*sum = (struct proof_sum){ .first_s = out[0] };
	if (err || !sum->first_s)
		return err;
	from = since_s > sum->first_s ? since_s : sum->first_s;
	hour = from / HOUR;
	err = query(proof, "SELECT coalesce(sum(calls), 0) FROM calls WHERE policy = ?1 AND hour >= ?2", "si", texts, &hour, out, 1);
	sum->calls = (uint64_t)out[0];
	if (!err)
		err = query(proof, "SELECT count(*) FROM run WHERE policy = ?1 AND last >= ?2", "si", texts, &from, out, 1);
	sum->starts = (uint64_t)out[0];
	if (!err)
		err = query(proof, "SELECT coalesce(sum(used), 0), coalesce(sum(would), 0) FROM rule WHERE policy = ?1 AND key = ?2 AND hour >= ?3",
			    "ssi", texts, &hour, out, 2);
	sum->used = (uint64_t)out[0];
	sum->would = (uint64_t)out[1];
	return err;
}
