/* Gates: what a policy asks for before a stage may be left, and whether the evidence has it. No evidence is "unknown", never "clean". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/proof.h"
#include "edit.h"
#include "fd.h"
#include "text.h"

/* "1M" of calls is a million of them. */
static uint64_t count_of(const char *word)
{
	char *end;
	uint64_t n = strtoull(word, &end, 10);

	return *end == 'k' ? n * 1000 : *end == 'M' ? n * 1000000 : *end == 'G' ? n * 1000000000 : n;
}

static int64_t seconds_of(const char *word)
{
	char *end;
	int64_t n = strtoll(word, &end, 10);

	return *end == 'w' ? n * 604800 : *end == 'd' ? n * 86400 : *end == 'h' ? n * 3600 : !strncmp(end, "ms", 2) ? n / 1000 : *end == 'm' ? n * 60 : n;
}

struct gate_setting gate_of(const struct policy *policy)
{
	const struct policy_setting *setting = policy_setting(policy, "rollout", "gate");
	struct gate_setting gate = { .any = setting != NULL };

	for (size_t i = 0; setting && i + 1 < setting->n_words; i++) {
		const char *name = setting->words[i], *value = setting->words[i + 1];

		if (!strcmp(name, "would-deny")) {
			gate.has_would = true;
			gate.would = count_of(value);
		} else if (!strcmp(name, "over")) {
			gate.over_s = seconds_of(value);
		} else if (!strcmp(name, "calls")) {
			gate.has_calls = true;
			gate.calls = count_of(value);
		} else if (!strcmp(name, "starts")) {
			gate.has_starts = true;
			gate.starts = count_of(value);
		} else if (!strcmp(name, "coverage")) {
			gate.has_coverage = true;
			gate.coverage = (unsigned)count_of(value);
		}
	}
	return gate;
}

unsigned gate_coverage(struct proof *proof, const struct policy *policy, const char *path, int64_t since_s)
{
	size_t used = 0, n = 0;

	for (size_t i = 0; proof && i < policy->n_rules; i++) {
		AUTO_FREE char *text = policy_rule_key(&policy->rules[i]);
		char key[PROOF_KEY];
		struct proof_sum sum;

		if (policy->rules[i].pos.file == POLICY_BUILTIN)
			continue;
		proof_key(text, key);
		n++;
		used += proof_sum(proof, path, key, since_s, &sum) == 0 && (sum.used || sum.would);
	}
	return n ? (unsigned)(used * 100 / n) : 0;
}

static void lacks(struct gate_state *state, const char *what, uint64_t have, uint64_t want, const char *unit)
{
	size_t len = strlen(state->missing);

	(void)snprintf(state->missing + len, sizeof(state->missing) - len, "%s%s %llu%s of %llu%s", len ? ", " : "", what, (unsigned long long)have, unit,
		       (unsigned long long)want, unit);
}

void gate_judge(const struct gate_setting *gate, struct proof *proof, const char *policy, const char key[PROOF_KEY], unsigned coverage, int64_t now_s,
		struct gate_state *state)
{
	int64_t since = gate->over_s ? now_s - gate->over_s : 0;

	*state = (struct gate_state){ .coverage = coverage };
	if (!gate->any) {
		state->passed = true;
		return;
	}
	if (!proof || proof_sum(proof, policy, key, since, &state->sum) || !state->sum.first_s || !state->sum.calls) {
		state->unknown = true;
		(void)snprintf(state->missing, sizeof(state->missing), "unknown: there is no evidence about the rule");
		return;
	}
	if (gate->has_would && state->sum.would > gate->would)
		(void)snprintf(state->missing, sizeof(state->missing), "it would have denied %llu calls, %llu are allowed", (unsigned long long)state->sum.would,
			       (unsigned long long)gate->would);
	if (gate->over_s && state->sum.first_s > since)
		lacks(state, "watched", (uint64_t)(now_s - state->sum.first_s) / 3600, (uint64_t)gate->over_s / 3600, "h");
	if (gate->has_calls && state->sum.calls < gate->calls)
		lacks(state, "calls", state->sum.calls, gate->calls, "");
	if (gate->has_starts && state->sum.starts < gate->starts)
		lacks(state, "starts", state->sum.starts, gate->starts, "");
	if (gate->has_coverage && coverage < gate->coverage)
		lacks(state, "coverage", coverage, gate->coverage, "%");
	state->passed = !*state->missing;
}
