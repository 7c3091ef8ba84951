#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "err.h"

#define CHUNK  128		/* slots that are mapped at a time */
#define CHUNKS (POOL_SIZE / CHUNK)

_Static_assert(POOL_SIZE % CHUNK == 0, "whole chunks");

struct pool {
	pthread_mutex_t lock;
	struct sandbox *sandbox;
	struct slot *chunks[CHUNKS];
	struct slot *free;	/* used before, the warmest first */
	size_t fresh;		/* slots from here on were never touched */
};

int pool_new(struct pool **pool, struct sandbox *sandbox)
{
	struct pool *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	pthread_mutex_init(&new->lock, NULL);
	new->sandbox = sandbox;
	*pool = new;
	return 0;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	for (size_t i = 0; i < CHUNKS && pool->chunks[i]; i++)
		(void)munmap(pool->chunks[i], CHUNK * sizeof(struct slot));
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* With the lock held: one that was never touched, or NULL. */
static struct slot *pool_fresh(struct pool *pool)
{
	const size_t size = CHUNK * sizeof(struct slot);
	struct slot **chunk = &pool->chunks[pool->fresh / CHUNK];

	if (pool->fresh == POOL_SIZE)
		return NULL;
	if (!*chunk) {
		void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (memory == MAP_FAILED)
			return NULL;
		/* A huge page would touch 80 of them for one. */
		(void)madvise(memory, size, MADV_NOHUGEPAGE);
		*chunk = memory;
	}
	return &(*chunk)[pool->fresh++ % CHUNK];
}

static void slot_init(struct slot *slot, struct sandbox *sandbox)
{
	slot->req.sandbox = sandbox;
	slot->req.names = slot->names;
	slot->req.objects = slot->objects;
	slot->req.reply.fd = -1;
	for (unsigned i = 0; i < REQUEST_NAMES; i++) {
		slot->req.bases[i] = -1;
		object_init(&slot->objects[i]);
	}
}

struct slot *pool_get(struct pool *pool)
{
	struct slot *slot;
	bool fresh;

	pthread_mutex_lock(&pool->lock);
	slot = pool->free;
	fresh = !slot;
	if (slot)
		pool->free = slot->next;
	else
		slot = pool_fresh(pool);
	pthread_mutex_unlock(&pool->lock);
	if (slot && fresh)
		slot_init(slot, pool->sandbox);
	return slot;
}

void pool_put(struct pool *pool, struct slot *slot)
{
	pthread_mutex_lock(&pool->lock);
	slot->next = pool->free;
	pool->free = slot;
	pthread_mutex_unlock(&pool->lock);
}
