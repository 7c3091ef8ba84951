#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "err.h"

struct pool {
	pthread_mutex_t lock;
	struct sandbox *sandbox;
	struct slot *slots;
	struct slot *free;	/* used before, the warmest first */
	size_t fresh;		/* slots from here on were never touched */
};

int pool_new(struct pool **pool, struct sandbox *sandbox)
{
	struct pool *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->slots = mmap(NULL, POOL_SIZE * sizeof(struct slot), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (new->slots == MAP_FAILED) {
		free(new);
		return -ENOMEM;
	}
	/* A huge page would touch 80 of them for one. */
	(void)madvise(new->slots, POOL_SIZE * sizeof(struct slot), MADV_NOHUGEPAGE);
	pthread_mutex_init(&new->lock, NULL);
	new->sandbox = sandbox;
	*pool = new;
	return 0;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	(void)munmap(pool->slots, POOL_SIZE * sizeof(struct slot));
	pthread_mutex_destroy(&pool->lock);
	free(pool);
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
	bool fresh = false;

	pthread_mutex_lock(&pool->lock);
	slot = pool->free;
	if (slot) {
		pool->free = slot->next;
	} else if (pool->fresh < POOL_SIZE) {
		slot = &pool->slots[pool->fresh++];
		fresh = true;
	}
	pthread_mutex_unlock(&pool->lock);
	if (fresh)
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
