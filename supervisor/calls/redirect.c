/*
 * Sockets are known again by their cookie, which no other socket of this machine ever gets. Only so many are remembered (REDIRECTS_MAX); of
 * older ones getpeername(2) tells where they really lead.
 */
#include "calls/redirect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "calls/numbers.h"
#include "calls/socket.h"
#include "calls/unix.h"
#include "sandbox.h"

#define REDIRECTS_MAX 65536
#define BUCKETS 4096

struct redirected {
	struct redirected *next;
	uint64_t cookie;
	struct sockaddr_storage asked;
	socklen_t len;
};

struct redirects {
	pthread_mutex_t lock;
	struct redirected *buckets[BUCKETS];
	struct redirected *ring;	/* REDIRECTS_MAX of them, used again in turn; .cookie 0: free */
	size_t next;
};

/* ---- at load -------------------------------------------------------------------------------- */

static bool target_of(const struct policy_rule *rule, struct policy_peer *target)
{
	char name[POLICY_NAME_MAX + 1];

	return !policy_peer_parse(rule->target, rule->proto, target, name) && !target->name;
}

void redirect_check(const struct policy_rule *rule, struct policy_diags *diags)
{
	struct policy_peer target;

	if (rule->action == ACTION_ANSWER) {
		if (rule->answer != ANSWER_ERRNO)
			policy_diag_refuse(diags, rule->pos, "write 'with errno ECONNREFUSED', for example",
					   "only an errno answers a call about an address");
		return;
	}
	if ((rule->proto != PROTO_TCP && rule->proto != PROTO_UDP) || rule->ops & OP_BIT(OP_BIND) || rule->n_patterns)
		policy_diag_refuse(diags, rule->pos, "write 'redirect connect tcp ...'",
				   "only connects of TCP and UDP sockets are redirected by this version");
	else if (!target_of(rule, &target))
		policy_diag_refuse(diags, rule->pos, "write an address and a port",
				   "the target of a redirect is an address, not a name");
}

bool redirect_any(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].section == SECTION_NETWORK && policy->rules[i].action == ACTION_REDIRECT)
			return true;
	return false;
}

/* ---- who was redirected --------------------------------------------------------------------- */

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) ? 0 : cookie;
}

static struct redirects *redirects_of(struct sandbox *sandbox, bool make)
{
	struct redirects *redirects = atomic_load(&sandbox->redirects), *new;

	if (redirects || !make)
		return redirects;
	new = calloc(1, sizeof(*new));
	if (new)
		new->ring = calloc(REDIRECTS_MAX, sizeof(*new->ring));
	if (!new || !new->ring) {
		free(new);
		return NULL;
	}
	(void)pthread_mutex_init(&new->lock, NULL);
	if (atomic_compare_exchange_strong(&sandbox->redirects, &redirects, new))
		return new;
	redirects_free(new);
	return redirects;
}

static struct redirected **place_of(struct redirects *redirects, uint64_t cookie)
{
	struct redirected **at = &redirects->buckets[cookie % BUCKETS];

	while (*at && (*at)->cookie != cookie)
		at = &(*at)->next;
	return at;
}

static void drop(struct redirects *redirects, uint64_t cookie)
{
	struct redirected **at = place_of(redirects, cookie), *entry = *at;

	if (!entry)
		return;
	*at = entry->next;
	entry->cookie = 0;
}

static void remember(struct sandbox *sandbox, uint64_t cookie, const struct address *asked)
{
	struct redirects *redirects = redirects_of(sandbox, true);
	struct redirected *entry;

	if (!redirects || !cookie)
		return;
	(void)pthread_mutex_lock(&redirects->lock);
	drop(redirects, cookie);
	entry = &redirects->ring[redirects->next++ % REDIRECTS_MAX];
	if (entry->cookie)
		drop(redirects, entry->cookie);
	*entry = (struct redirected){ .cookie = cookie, .asked = asked->any, .len = asked->len, .next = redirects->buckets[cookie % BUCKETS] };
	redirects->buckets[cookie % BUCKETS] = entry;
	(void)pthread_mutex_unlock(&redirects->lock);
}

void redirect_forget(struct sandbox *sandbox, int fd)
{
	struct redirects *redirects = redirects_of(sandbox, false);

	if (!redirects)
		return;
	(void)pthread_mutex_lock(&redirects->lock);
	drop(redirects, cookie_of(fd));
	(void)pthread_mutex_unlock(&redirects->lock);
}

void redirects_free(struct redirects *redirects)
{
	if (!redirects)
		return;
	(void)pthread_mutex_destroy(&redirects->lock);
	free(redirects->ring);
	free(redirects);
}

/* ---- in its place --------------------------------------------------------------------------- */

/* TARGET as an address of a socket of DOMAIN. 0, or -EAFNOSUPPORT. */
static int address_for(int domain, const struct policy_peer *target, struct address *address)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct sockaddr_in *in = (struct sockaddr_in *)&address->any;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address->any;

	memset(&address->any, 0, sizeof(address->any));
	if (domain == AF_INET6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(target->port);
		memcpy(&in6->sin6_addr, target->ip, 16);
		address->len = sizeof(*in6);
		return 0;
	}
	if (memcmp(target->ip, mapped, sizeof(mapped)) != 0)
		return -EAFNOSUPPORT;
	in->sin_family = AF_INET;
	in->sin_port = htons(target->port);
	memcpy(&in->sin_addr, target->ip + 12, 4);
	address->len = sizeof(*in);
	return 0;
}

/* What getpeername(2) would have told: of the family of the socket, whatever the address was given as. */
static void asked_for(int domain, const struct policy_peer *peer, struct address *asked)
{
	uint32_t scope = asked->any.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&asked->any)->sin6_scope_id : 0;

	(void)address_for(domain, peer, asked);
	if (domain == AF_INET6)
		((struct sockaddr_in6 *)&asked->any)->sin6_scope_id = scope;
}

int redirect(struct request *req)
{
	const struct policy_rule *rule = req->decision.enforced.rule;
	struct socket_call *call = socket_call(req);
	struct address asked = call->addr;
	struct policy_peer target;
	int err;

	if (rule->action == ACTION_ANSWER && rule->answer == ANSWER_ERRNO)
		return -(int)rule->answer_value;
	if (rule->action != ACTION_REDIRECT || req->call->serve != connect_serve || !target_of(rule, &target))
		return -EACCES;
	asked_for(call->domain, &req->peers[req->decided_peer], &asked);
	err = address_for(call->domain, &target, &call->addr);
	if (err)
		return err;
	call->redirected = true;
	remember(req->sandbox, cookie_of(call->fd), &asked);
	return connect_serve(req);
}

/* ---- getpeername ---------------------------------------------------------------------------- */

int getpeername_fetch(struct request *req)
{
	struct socket_call *call;
	int err = socket_fetch(req), len = 0;

	if (err)
		return err;
	call = socket_call(req);
	/* The kernel looks for a peer first: an error of the length is for later. */
	call->room = fetch_bytes(req, req->notif.data.args[2], &len, sizeof(len)) ? -EFAULT : len < 0 ? -EINVAL : len;
	return 0;
}

/* What the program asked CALL's socket for stands in the place of where it leads. */
static void tell_asked(struct request *req, const struct socket_call *call, struct address *to)
{
	struct redirects *redirects = redirects_of(req->sandbox, false);
	const struct redirected *known;

	if (!redirects)
		return;
	(void)pthread_mutex_lock(&redirects->lock);
	known = *place_of(redirects, cookie_of(call->fd));
	if (known) {
		to->any = known->asked;
		to->len = known->len;
	}
	(void)pthread_mutex_unlock(&redirects->lock);
}

/* ROOM bytes of TO go to AT, and LEN to LEN_AT. */
static int tell(struct request *req, const struct address *to, size_t room, uint64_t at, socklen_t told, uint64_t len_at)
{
	void *bytes = malloc(room + 1), *len = malloc(sizeof(told));

	if (!bytes || !len) {
		free(bytes);
		free(len);
		return -ENOMEM;
	}
	memcpy(bytes, &to->any, room);
	memcpy(len, &told, sizeof(told));
	if (room)
		reply_out(req, at, bytes, room);
	else
		free(bytes);
	reply_out(req, len_at, len, sizeof(told));
	return reply_value(req, 0);
}

int getpeername_serve(struct request *req)
{
	struct socket_call *call = socket_call(req);
	struct address *to = &call->addr;

	to->len = sizeof(to->any);
	if (getpeername(call->fd, (struct sockaddr *)&to->any, &to->len))
		return -errno;
	if (call->room < 0)
		return call->room;
	tell_asked(req, call, to);
	return tell(req, to, (size_t)call->room < to->len ? (size_t)call->room : to->len, req->notif.data.args[1], to->len,
		    req->notif.data.args[2]);
}

/* ---- the same by another name ---- */

static const struct filter_row peername_row = {
	.nr = SYS_getsockopt, .step = FILTER_BROKER, .kind = FILTER_NOTIFY, .n_tests = 2,
	.tests = { { .arg = 1, .mask = UINT32_MAX, .value = SOL_SOCKET }, { .arg = 2, .mask = UINT32_MAX, .value = SO_PEERNAME } },
};

int peername_rows(const struct plan *plan, struct filter_rows *rows)
{
	(void)plan;
	return filter_rows_add(rows, &peername_row);
}

bool peername_trapped(const struct plan *plan, const uint64_t *args)
{
	(void)plan;
	return (uint32_t)args[1] == SOL_SOCKET && (uint32_t)args[2] == SO_PEERNAME;
}

int peername_fetch(struct request *req)
{
	int err = socket_fetch(req), len;

	if (!err)
		err = fetch_bytes(req, req->notif.data.args[4], &len, sizeof(len));
	if (!err && len < 0)
		err = -EINVAL;
	if (!err)
		socket_call(req)->room = len;
	return err;
}

/* As many bytes as are asked for, of which there must not be more than the address has. */
int peername_serve(struct request *req)
{
	struct socket_call *call = socket_call(req);
	struct address *to = &call->addr;

	to->len = (size_t)call->room < sizeof(to->any) ? (socklen_t)call->room : sizeof(to->any);
	if (getsockopt(call->fd, SOL_SOCKET, SO_PEERNAME, &to->any, &to->len))
		return -errno;
	socklen_t len = to->len;
	tell_asked(req, call, to);
	return tell(req, to, len, req->notif.data.args[3], len, req->notif.data.args[4]);
}
