#include "tally.h"

#include <stdlib.h>
#include <string.h>

/* An access as one string of bytes: this, and then its five texts. */
struct key {
	uint32_t ops, to_ops;
	int32_t proto, error;
	uint32_t verdict, tree;
	uint32_t len[5];
};

static void key_make(struct key *key, struct bytes texts[5], const struct access *a)
{
	*key = (struct key){ .ops = a->ops, .to_ops = a->to_ops, .proto = a->proto, .error = a->error,
			     .verdict = a->verdict, .tree = a->tree };
	texts[0] = a->object;
	texts[1] = a->to;
	texts[2] = a->via;
	texts[3] = a->program;
	texts[4] = a->domain;
	for (int i = 0; i < 5; i++)
		key->len[i] = (uint32_t)texts[i].len;
}

static uint64_t hash_bytes(uint64_t hash, const char *at, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	word = len;
	memcpy(&word, at, len < sizeof(word) ? len : 0);
	hash = (hash ^ word) * UINT64_C(0xbf58476d1ce4e5b9);
	return hash ^ hash >> 29;
}

void tally_free(struct tally *tally)
{
	free(tally->entries);
	free(tally->bytes);
	free(tally->table);
	*tally = (struct tally){ .seed = tally->seed };
}

static bool grow_entries(struct tally *tally)
{
	uint32_t size = tally->size ? 2 * tally->size : 256;
	struct tally_entry *entries;
	uint32_t *table;

	if (size > TALLY_ENTRIES)
		return false;
	table = calloc(2 * (size_t)size, sizeof(*table));
	entries = table ? realloc(tally->entries, size * sizeof(*entries)) : NULL;
	if (!entries) {
		free(table);
		return false;
	}
	for (uint32_t i = 0; i < tally->n; i++) {
		uint64_t at = entries[i].hash;
		while (table[at & (2 * size - 1)])
			at++;
		table[at & (2 * size - 1)] = i + 1;
	}
	free(tally->table);
	tally->table = table;
	tally->entries = entries;
	tally->size = size;
	return true;
}

static bool grow_bytes(struct tally *tally, uint32_t more)
{
	uint32_t room = tally->room ? tally->room : 16384;
	char *bytes;

	while (room - tally->used < more && room < TALLY_BYTES)
		room *= 2;
	if (room - tally->used < more)
		return false;
	bytes = realloc(tally->bytes, room);
	if (!bytes)
		return false;
	tally->bytes = bytes;
	tally->room = room;
	return true;
}

static bool key_equals(const char *at, const struct key *key, const struct bytes texts[5])
{
	if (memcmp(at, key, sizeof(*key)) != 0)
		return false;
	at += sizeof(*key);
	for (int i = 0; i < 5; at += texts[i].len, i++)
		if (texts[i].len && memcmp(at, texts[i].s, texts[i].len) != 0)
			return false;
	return true;
}

static bool tally_add(struct tally *tally, const struct key *key, const struct bytes texts[5], uint64_t hash, int64_t now_ns)
{
	uint32_t len = sizeof(*key);
	uint64_t at = hash;

	for (int i = 0; i < 5; i++)
		len += key->len[i];
	if (tally->n == tally->size && !grow_entries(tally))
		return false;
	if (tally->room - tally->used < len && !grow_bytes(tally, len))
		return false;
	tally->entries[tally->n] = (struct tally_entry){
		.hash = hash, .count = 1, .first_ns = now_ns, .last_ns = now_ns, .at = tally->used,
	};
	memcpy(tally->bytes + tally->used, key, sizeof(*key));
	tally->used += (uint32_t)sizeof(*key);
	for (int i = 0; i < 5; i++) {
		if (texts[i].len)
			memcpy(tally->bytes + tally->used, texts[i].s, texts[i].len);
		tally->used += key->len[i];
	}
	while (tally->table[at & (2 * tally->size - 1)])
		at++;
	tally->table[at & (2 * tally->size - 1)] = ++tally->n;
	tally->calls++;
	return true;
}

bool tally_count(struct tally *tally, const struct access *access, int64_t now_ns)
{
	struct bytes texts[5];
	struct key key;
	uint64_t hash;

	key_make(&key, texts, access);
	hash = hash_bytes(tally->seed, (const char *)&key, sizeof(key));
	for (int i = 0; i < 5; i++)
		hash = hash_bytes(hash, texts[i].len ? texts[i].s : "", texts[i].len);
	for (uint64_t at = hash; tally->size && tally->table[at & (2 * tally->size - 1)]; at++) {
		struct tally_entry *entry = &tally->entries[tally->table[at & (2 * tally->size - 1)] - 1];
		if (entry->hash != hash || !key_equals(tally->bytes + entry->at, &key, texts))
			continue;
		entry->count++;
		entry->last_ns = now_ns;
		tally->calls++;
		return true;
	}
	return tally_add(tally, &key, texts, hash, now_ns);
}

void tally_read(const struct tally *tally, uint32_t i, struct access *access)
{
	const struct tally_entry *entry = &tally->entries[i];
	const char *at = tally->bytes + entry->at;
	struct bytes *texts[5] = { &access->object, &access->to, &access->via, &access->program, &access->domain };
	struct key key;

	memcpy(&key, at, sizeof(key));
	at += sizeof(key);
	*access = (struct access){
		.ops = key.ops, .to_ops = key.to_ops, .proto = key.proto, .error = key.error,
		.verdict = (enum access_verdict)key.verdict, .tree = key.tree,
		.count = entry->count, .first_ns = entry->first_ns, .last_ns = entry->last_ns,
	};
	for (int k = 0; k < 5; at += key.len[k], k++)
		*texts[k] = (struct bytes){ at, key.len[k] };
}

void tally_clear(struct tally *tally)
{
	if (tally->table)
		memset(tally->table, 0, 2 * (size_t)tally->size * sizeof(*tally->table));
	tally->n = tally->used = 0;
	tally->calls = 0;
}
