#include "control/observe.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "control/proof.h"
#include "edit.h"
#include "err.h"
#include "fd.h"
#include "sandbox.h"
#include "text.h"

#define EVERY_S 30

struct counts { struct proof_count *list; size_t n; };

struct observe {
	struct sandbox *sandbox;
	char *policy;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under lock */
	bool stop, works;
	struct loop_op *done;
	struct counts left;		/* of policies that were replaced */
	/* the thread's own */
	struct proof *proof;
	int64_t run;
	uint64_t calls;			/* written so far */
	struct counts lost;		/* what could not be written yet */
};

static void counts_add(struct counts *counts, const char *text, struct hit *hit)
{
	struct proof_count count = { .used = atomic_exchange(&hit->used, 0), .would = atomic_exchange(&hit->would, 0) };

	proof_key(text, count.key);
	for (size_t i = 0; i < counts->n; i++) {
		if (strcmp(counts->list[i].key, count.key) != 0)
			continue;
		counts->list[i].used += count.used;
		counts->list[i].would += count.would;
		return;
	}
	*mem_push(&counts->list, &counts->n) = count;
}

static void counts_of(struct counts *counts, struct ruleset *ruleset)
{
	const struct policy *policy = ruleset->policy;

	for (size_t i = 0; i < policy->n_rules; i++) {
		AUTO_FREE char *text = policy_rule_key(&policy->rules[i]);

		if (policy->rules[i].pos.file != POLICY_BUILTIN)
			counts_add(counts, text, &ruleset->hits[i]);
	}
	for (int i = 0; i < SECTION_COUNT; i++) {
		AUTO_FREE char *text = policy_default_key(policy, (enum policy_section)i);

		if (policy->defaults[i].present)
			counts_add(counts, text, &ruleset->hits[policy->n_rules + (size_t)i]);
	}
}

static void counts_join(struct counts *to, struct counts *from)
{
	for (size_t i = 0; i < from->n; i++) {
		size_t k = 0;

		while (k < to->n && strcmp(to->list[k].key, from->list[i].key) != 0)
			k++;
		if (k == to->n) {
			*mem_push(&to->list, &to->n) = from->list[i];
			continue;
		}
		to->list[k].used += from->list[i].used;
		to->list[k].would += from->list[i].would;
	}
	free(from->list);
	*from = (struct counts){ 0 };
}

static bool observe_write(struct observe *observe)
{
	struct ruleset *ruleset = ruleset_take(&observe->sandbox->rulesets);
	uint64_t calls = atomic_load(&observe->sandbox->calls);
	int64_t now = time(NULL);
	bool good;

	counts_of(&observe->lost, ruleset);
	good = observe->proof || proof_open(&observe->proof, true) == 0;
	if (good && !observe->run)
		good = proof_start(observe->proof, observe->policy, ruleset->policy->digest, now, &observe->run) == 0;
	good = good && proof_add(observe->proof, observe->policy, observe->run, now, calls - observe->calls, observe->lost.list, observe->lost.n) == 0;
	ruleset_put(ruleset);
	if (!good)
		return false;
	observe->calls = calls;
	free(observe->lost.list);
	observe->lost = (struct counts){ 0 };
	return true;
}

static void *observe_main(void *arg)
{
	struct observe *observe = arg;
	bool last = false;

	(void)prctl(PR_SET_NAME, "usher-observe");
	while (!last) {
		struct timespec until;
		struct loop_op *done;
		bool good;

		pthread_mutex_lock(&observe->lock);
		last = observe->stop;
		done = observe->done;
		observe->done = NULL;
		counts_join(&observe->lost, &observe->left);
		pthread_mutex_unlock(&observe->lock);
		good = observe_write(observe);
		pthread_mutex_lock(&observe->lock);
		observe->works = good;
		if (done)
			loop_post(observe->sandbox->loop, done);	/* who is told asks whether it works */
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += EVERY_S;
		if (!observe->stop && !observe->done)
			(void)pthread_cond_timedwait(&observe->changed, &observe->lock, &until);
		pthread_mutex_unlock(&observe->lock);
	}
	proof_close(observe->proof);
	free(observe->lost.list);
	return NULL;
}

struct observe *observe_start(struct sandbox *sandbox, const char *policy)
{
	struct observe *observe = mem_zero(sizeof(*observe));

	observe->sandbox = sandbox;
	observe->policy = text_copy(policy);
	(void)pthread_mutex_init(&observe->lock, NULL);
	(void)pthread_cond_init(&observe->changed, NULL);
	if (pthread_create(&observe->thread, NULL, observe_main, observe) == 0)
		return observe;
	free(observe->policy);
	free(observe);
	return NULL;
}

void observe_retired(void *ctx, struct ruleset *ruleset)
{
	struct observe *observe = ctx;

	pthread_mutex_lock(&observe->lock);
	counts_of(&observe->left, ruleset);
	pthread_mutex_unlock(&observe->lock);
}

void observe_flush(struct observe *observe, struct loop_op *done)
{
	pthread_mutex_lock(&observe->lock);
	observe->done = done;
	pthread_cond_signal(&observe->changed);
	pthread_mutex_unlock(&observe->lock);
}

bool observe_works(struct observe *observe)
{
	pthread_mutex_lock(&observe->lock);
	bool works = observe->works;
	pthread_mutex_unlock(&observe->lock);
	return works;
}

void observe_stop(struct observe *observe)
{
	if (!observe)
		return;
	pthread_mutex_lock(&observe->lock);
	observe->stop = true;
	pthread_cond_signal(&observe->changed);
	pthread_mutex_unlock(&observe->lock);
	(void)pthread_join(observe->thread, NULL);
	free(observe->left.list);
	free(observe->policy);
	free(observe);
}
