#include "rate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decide.h"
#include "now.h"
#include "sandbox.h"

static const struct policy_rule rate_rule = BUILTIN_RULE(SECTION_NETWORK, EAGAIN, "more of these in a time than limits { rate } allows");

unsigned rate_check(const struct policy_setting *setting, struct policy_diags *diags)
{
	int op = policy_op_named(setting->words[0], strlen(setting->words[0]));

	if (op >= 0 && OP_BIT(op) & OPS_NETWORK)
		return 0;
	policy_diag_refuse(diags, setting->pos, "there are rates of connect, bind and sendto",
			   "this version does not enforce the limit 'rate' for '%s'", setting->words[0]);
	return 1;
}

/* OPERATION COUNT/UNIT [burst COUNT] */
static void rate_read(struct rate *rate, const struct policy_setting *setting)
{
	char *unit;
	double count = (double)strtoull(setting->words[1], &unit, 10);
	double seconds = strcmp(unit, "/s") == 0 ? 1 : strcmp(unit, "/m") == 0 ? 60 : strcmp(unit, "/h") == 0 ? 3600 : 86400;

	rate->burst = setting->n_words >= 4 ? (double)strtoull(setting->words[3], NULL, 10) : count;
	if (rate->burst < 1)
		rate->burst = 1;
	rate->tokens = rate->burst;
	rate->per_ns = count / seconds / 1e9;
	if (rate->per_ns <= 0)	/* none at all, but for the burst */
		rate->per_ns = 1e-30;
	rate->at_ns = now_ns();
}

void rates_init(struct rates *rates, const struct policy *policy)
{
	for (size_t i = 0; i < sizeof(rates->of) / sizeof(rates->of[0]); i++)
		(void)pthread_mutex_init(&rates->of[i].lock, NULL);
	for (size_t i = 0; i < policy->n_settings; i++) {
		const struct policy_setting *setting = &policy->settings[i];
		int op = strcmp(setting->block, "limits") == 0 && strcmp(setting->name, "rate") == 0
				 ? policy_op_named(setting->words[0], strlen(setting->words[0])) : -1;
		if (op >= OP_CONNECT && op <= OP_SENDTO)
			rate_read(&rates->of[op - OP_CONNECT], setting);
	}
}

int rate_take(struct request *req, enum policy_op op)
{
	struct rate *rate = &req->rules->rates.of[op - OP_CONNECT];
	bool taken;
	uint64_t now;

	if (rate->per_ns <= 0)
		return 0;
	(void)pthread_mutex_lock(&rate->lock);
	now = now_ns();
	rate->tokens += (double)(now - rate->at_ns) * rate->per_ns;
	rate->at_ns = now;
	if (rate->tokens > rate->burst)
		rate->tokens = rate->burst;
	taken = rate->tokens >= 1;
	if (taken)
		rate->tokens -= 1;
	(void)pthread_mutex_unlock(&rate->lock);
	if (taken)
		return 0;
	req->refused_by = &rate_rule;
	return -EAGAIN;
}
