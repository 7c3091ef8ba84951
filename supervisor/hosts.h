/*
 * Host names of rules: looked up by the supervisor, again and again, with what was answered lately kept for a while
 * (`limits { resolve every 30s keep 10m; }`).
 */
#ifndef USHER_HOSTS_H
#define USHER_HOSTS_H

#include "policy.h"

struct audit;
struct hosts;

/* Starts looking up, and waits for the first answers, for a few seconds at most. *HOSTS is NULL where no rule names a host. A name that
 * cannot be looked up is said in AUDIT (may be NULL). 0 or -errno. */
int hosts_start(struct hosts **hosts, const struct policy *policy, struct audit *audit);
/* POLICY and AUDIT are not used any more afterwards. HOSTS may be NULL. */
void hosts_stop(struct hosts *hosts);

#endif
