/*
 * One thread looks all names up with getaddrinfo(3), so that what the machine is configured to ask (files, DNS, mDNS, ...) is asked. That
 * may take as long as it likes: only what came of it is handed over, under a lock. Whoever stops it does not wait for an answer; the
 * thread then finds that nobody wants it any more, and frees what is left.
 *
 * A name is looked up again when the name servers say that their answer is over (ttl.h), and after the time that `every` says at the
 * latest; not more often than once a second.
 *
 * An address that is not in the newest answer any more stays for the time that `keep` says. So names with many addresses, a few of which
 * are given at a time, are known better with every answer, and a failing name server closes nothing at once.
 */
#include "hosts.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit.h"
#include "err.h"
#include "now.h"
#include "ttl.h"

#define SECOND  UINT64_C(1000000000)
#define EVERY_S 30
#define KEEP_S  600
#define FIRST_S 5
#define ADDRESSES_MAX 1024	/* of one name */

struct known {
	uint8_t ip[16];
	uint64_t seen_ns;
};

struct host {
	char *name;
	struct known *list;
	size_t n;
	uint64_t due_ns, period_ns;	/* the next look, and how long behind the last one that is */
	bool failed;		/* it was said that it cannot be looked up */
};

struct hosts {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const struct policy *policy;	/* NULL: nobody wants to know any more */
	struct audit *audit;
	bool answered;		/* every name was tried once */
	uint64_t every_ns, keep_ns;
	size_t n;
	struct host list[];
};

static void hosts_free(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->n; i++) {
		free(hosts->list[i].name);
		free(hosts->list[i].list);
	}
	(void)pthread_mutex_destroy(&hosts->lock);
	(void)pthread_cond_destroy(&hosts->changed);
	free(hosts);
}

/* ---- one name ------------------------------------------------------------------------------- */

static bool ip_of(const struct sockaddr *at, uint8_t ip[16])
{
	if (at->sa_family == AF_INET6) {
		memcpy(ip, &((const struct sockaddr_in6 *)at)->sin6_addr, 16);
		return true;
	}
	memset(ip, 0, 10);
	memset(ip + 10, 0xff, 2);
	memcpy(ip + 12, &((const struct sockaddr_in *)at)->sin_addr, 4);
	return at->sa_family == AF_INET;
}

static void host_see(struct host *host, const uint8_t ip[16], uint64_t now)
{
	struct known *list;
	size_t i = 0;

	while (i < host->n && memcmp(host->list[i].ip, ip, 16) != 0)
		i++;
	if (i == host->n) {
		list = host->n < ADDRESSES_MAX ? reallocarray(host->list, host->n + 1, sizeof(*list)) : NULL;
		if (!list)
			return;
		host->list = list;
		memcpy(list[host->n++].ip, ip, 16);
	}
	host->list[i].seen_ns = now;
}

static void host_forget(struct host *host, uint64_t now, uint64_t keep_ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < host->n; i++)
		if (now - host->list[i].seen_ns <= keep_ns)
			host->list[kept++] = host->list[i];
	host->n = kept;
}

static uint64_t host_period(const struct host *host, uint64_t every_ns)
{
	uint64_t ns = ttl_of(host->name) * SECOND;

	if (ns < SECOND)
		ns = SECOND;
	return ns < every_ns ? ns : every_ns;
}

/* 0, or the error of getaddrinfo(3). */
static int host_look(struct host *host, uint64_t every_ns, uint64_t keep_ns)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	int err = getaddrinfo(host->name, NULL, &hints, &found);
	uint64_t now = now_ns();
	uint8_t ip[16];

	for (const struct addrinfo *at = err ? NULL : found; at; at = at->ai_next)
		if (ip_of(at->ai_addr, ip))
			host_see(host, ip, now);
	if (!err)
		freeaddrinfo(found);
	host->period_ns = err ? every_ns : host_period(host, every_ns);
	host->due_ns = now + host->period_ns;
	/* An answer holds at least until the next one. */
	host_forget(host, now, keep_ns > 2 * host->period_ns ? keep_ns : 2 * host->period_ns);
	return err;
}

/* With the lock held. */
static void host_tell(struct hosts *hosts, size_t i, int err)
{
	struct host *host = &hosts->list[i];
	uint8_t (*ips)[16] = calloc(host->n + 1, sizeof(*ips));
	char text[POLICY_NAME_MAX + 120];

	for (size_t k = 0; ips && k < host->n; k++)
		memcpy(ips[k], host->list[k].ip, sizeof(ips[k]));
	if (ips)
		(void)policy_host_is(hosts->policy, i, (const uint8_t(*)[16])ips, host->n);
	free(ips);
	if (err && !host->failed && hosts->audit) {
		(void)snprintf(text, sizeof(text), "cannot look up %s: %s", host->name, gai_strerror(err));
		audit_event(hosts->audit, "error", text);
	}
	host->failed = err;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static struct timespec time_of(uint64_t at)
{
	return (struct timespec){ .tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000) };
}

static void *hosts_main(void *arg)
{
	struct hosts *hosts = arg;

	(void)pthread_mutex_lock(&hosts->lock);
	while (hosts->policy) {
		uint64_t next = UINT64_MAX;

		for (size_t i = 0; i < hosts->n && hosts->policy; i++) {
			struct host *host = &hosts->list[i];

			if (host->due_ns <= now_ns()) {
				int err;

				(void)pthread_mutex_unlock(&hosts->lock);
				err = host_look(host, hosts->every_ns, hosts->keep_ns);
				(void)pthread_mutex_lock(&hosts->lock);
				if (hosts->policy)
					host_tell(hosts, i, err);
			}
			if (host->due_ns < next)
				next = host->due_ns;
		}
		hosts->answered = true;
		(void)pthread_cond_broadcast(&hosts->changed);
		struct timespec until = time_of(next);
		while (hosts->policy && pthread_cond_timedwait(&hosts->changed, &hosts->lock, &until) == 0)
			;
	}
	(void)pthread_mutex_unlock(&hosts->lock);
	hosts_free(hosts);
	return NULL;
}

static uint64_t duration_ns(const char *text)
{
	static const struct { const char *unit; uint64_t ns; } units[] = {
		{ "ms", 1000000 }, { "s", 1000000000 }, { "m", UINT64_C(60000000000) }, { "h", UINT64_C(3600000000000) },
		{ "d", UINT64_C(86400000000000) }, { "w", UINT64_C(604800000000000) },
	};
	char *end;
	uint64_t n = strtoull(text, &end, 10), ns;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(end, units[i].unit) == 0)
			return __builtin_mul_overflow(n, units[i].ns, &ns) || ns > UINT64_MAX / 4 ? UINT64_MAX / 4 : ns;
	return 0;
}

static void read_times(struct hosts *hosts)
{
	const struct policy_setting *setting = policy_setting(hosts->policy, "limits", "resolve");

	hosts->every_ns = EVERY_S * SECOND;
	hosts->keep_ns = KEEP_S * SECOND;
	/* every DURATION [keep DURATION], as the parser has seen to */
	if (setting && setting->n_words >= 2)
		hosts->every_ns = duration_ns(setting->words[1]);
	if (setting && setting->n_words >= 4)
		hosts->keep_ns = duration_ns(setting->words[3]);
	if (hosts->every_ns < SECOND)
		hosts->every_ns = SECOND;
}

static int hosts_begin(struct hosts *hosts)
{
	pthread_condattr_t attr;
	pthread_attr_t detached;
	struct timespec until = time_of(now_ns() + FIRST_S * SECOND);
	pthread_t thread;
	int err;

	(void)pthread_mutex_init(&hosts->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&hosts->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	for (size_t i = 0; i < hosts->n; i++) {
		hosts->list[i].name = strdup(policy_host(hosts->policy, i));
		if (!hosts->list[i].name)
			return -ENOMEM;
	}
	read_times(hosts);
	(void)pthread_attr_init(&detached);
	(void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &detached, hosts_main, hosts);
	(void)pthread_attr_destroy(&detached);
	if (err)
		return -err;
	(void)pthread_mutex_lock(&hosts->lock);
	while (!hosts->answered && pthread_cond_timedwait(&hosts->changed, &hosts->lock, &until) == 0)
		;
	(void)pthread_mutex_unlock(&hosts->lock);
	return 0;
}

int hosts_start(struct hosts **hosts, const struct policy *policy, struct audit *audit)
{
	size_t n = policy_hosts(policy);
	struct hosts *new;
	int err;

	*hosts = NULL;
	if (!n)
		return 0;
	new = calloc(1, sizeof(*new) + n * sizeof(new->list[0]));
	if (!new)
		return -ENOMEM;
	new->policy = policy;
	new->audit = audit;
	new->n = n;
	err = hosts_begin(new);
	if (err) {
		hosts_free(new);
		return err;
	}
	*hosts = new;
	return 0;
}

void hosts_stop(struct hosts *hosts)
{
	if (!hosts)
		return;
	(void)pthread_mutex_lock(&hosts->lock);
	hosts->policy = NULL;
	(void)pthread_cond_broadcast(&hosts->changed);
	(void)pthread_mutex_unlock(&hosts->lock);
}
