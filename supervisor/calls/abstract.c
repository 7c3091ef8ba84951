#include "calls/abstract.h"

#include <errno.h>
#include <linux/unix_diag.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "calls/diag.h"
#include "plan.h"
#include "sandbox.h"

#define BUCKETS 256
#define NAMES_MAX 65536
#define NAME_AT offsetof(struct sockaddr_un, sun_path)

struct bound {
	struct bound *next;
	struct diag_socket socket;
	uint64_t network;	/* its cookie: each network namespace has names of its own */
	size_t len;
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

struct abstract {
	pthread_mutex_t lock;
	size_t n;
	struct bound *buckets[BUCKETS];
};

static unsigned name_bucket(const char *name, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	return hash % BUCKETS;
}

static struct bound *abstract_find(struct abstract *abstract, const char *name, size_t len, uint64_t network)
{
	struct bound *bound = abstract->buckets[name_bucket(name, len)];

	while (bound && (bound->len != len || bound->network != network || memcmp(bound->name, name, len)))
		bound = bound->next;
	return bound;
}

/* Made at the first name that is bound. */
static struct abstract *abstract_make(struct sandbox *sandbox)
{
	struct abstract *abstract = atomic_load(&sandbox->abstract), *new;

	if (abstract)
		return abstract;
	new = calloc(1, sizeof(*new));
	if (!new)
		return NULL;
	(void)pthread_mutex_init(&new->lock, NULL);
	if (atomic_compare_exchange_strong(&sandbox->abstract, &abstract, new))
		return new;
	(void)pthread_mutex_destroy(&new->lock);
	free(new);
	return abstract;
}

static void abstract_note(struct abstract *abstract, const struct bound *what)
{
	unsigned bucket = name_bucket(what->name, what->len);
	struct bound *bound;

	(void)pthread_mutex_lock(&abstract->lock);
	bound = abstract_find(abstract, what->name, what->len, what->network);
	if (bound) {
		bound->socket = what->socket;
	} else if (abstract->n < NAMES_MAX && (bound = malloc(sizeof(*bound))) != NULL) {
		*bound = *what;
		bound->next = abstract->buckets[bucket];
		abstract->buckets[bucket] = bound;
		abstract->n++;
	}
	(void)pthread_mutex_unlock(&abstract->lock);
}

void abstract_bound(struct sandbox *sandbox, int fd)
{
	struct sockaddr_un un;
	struct bound bound = { 0 };
	socklen_t len = sizeof(un);
	struct abstract *abstract;

	if (getsockname(fd, (struct sockaddr *)&un, &len) || len <= NAME_AT || len > sizeof(un) || un.sun_path[0])
		return;
	if (diag_socket(fd, &bound.socket) || diag_network(fd, &bound.network))
		return;
	abstract = abstract_make(sandbox);
	if (!abstract)
		return;
	bound.len = len - NAME_AT;
	memcpy(bound.name, un.sun_path, bound.len);
	abstract_note(abstract, &bound);
}

/* Does the socket that bound the name still have it? It may be closed, and somebody else have taken the
 * name. In another network namespace than ours it is not found: then it does not. */
static bool abstract_holds(const struct bound *bound)
{
	char name[sizeof(bound->name)];
	ssize_t len = diag_unix(&bound->socket, UDIAG_SHOW_NAME, UNIX_DIAG_NAME, name, sizeof(name));

	return len >= 0 && (size_t)len == bound->len && !memcmp(name, bound->name, bound->len);
}

static char outside_text[] = "an abstract socket name that nothing under usher has bound";

static const struct policy_rule outside_rule = {
	.number = UINT32_MAX,
	.pos = { .file = POLICY_BUILTIN },
	.section = SECTION_NETWORK,
	.action = ACTION_DENY,
	.err = EPERM,
	.text = outside_text,
};

bool abstract_inside(struct sandbox *sandbox, int fd, const struct address *address)
{
	struct abstract *abstract = atomic_load(&sandbox->abstract);
	struct bound copy = { 0 }, *bound = NULL;
	uint64_t network;

	/* Without Landlock nothing scopes abstract names natively either. */
	if (address->len <= NAME_AT || address->un.sun_family != AF_UNIX || address->un.sun_path[0] || !sandbox->launched->landlock)
		return true;
	if (!abstract || address->len > sizeof(address->un) || diag_network(fd, &network))
		return false;
	(void)pthread_mutex_lock(&abstract->lock);
	bound = abstract_find(abstract, address->un.sun_path, address->len - NAME_AT, network);
	if (bound)
		copy = *bound;
	(void)pthread_mutex_unlock(&abstract->lock);
	return bound && abstract_holds(&copy);
}

int abstract_reach(struct request *req, const struct address *address)
{
	const struct policy_verdict *verdict = &req->decision.enforced;

	/* A rule by name may mean one outside. */
	if (req->n_peers && verdict->rule && policy_allows(verdict))
		return 0;
	if (socket_call(req)->domain != AF_UNIX || abstract_inside(req->sandbox, socket_call(req)->fd, address))
		return 0;
	req->refused_by = &outside_rule;
	return -EPERM;
}

void abstract_free(struct sandbox *sandbox)
{
	struct abstract *abstract = atomic_exchange(&sandbox->abstract, NULL);

	if (!abstract)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct bound *bound = abstract->buckets[i], *next; bound; bound = next) {
			next = bound->next;
			free(bound);
		}
	(void)pthread_mutex_destroy(&abstract->lock);
	free(abstract);
}
