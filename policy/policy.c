#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "parse.h"
#include "syscalls.h"

void setting_free(struct policy_setting *setting)
{
	struct strings words = {.v = setting->words, .n = setting->n_words};
	strings_free(&words);
	free(setting->block);
	free(setting->name);
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	if (policy->engine)
		engine_free(policy->engine);
	if (policy->syscalls)
		syscalls_free(policy->syscalls);
	for (size_t i = 0; i < policy->n_files; i++) {
		free(policy->files[i].path);
		free(policy->files[i].name);
		free(policy->files[i].text);
	}
	for (size_t i = 0; i < policy->n_missing; i++)
		free(policy->missing[i]);
	free(policy->missing);
	for (size_t i = 0; i < policy->n_rules; i++)
		rule_free(&policy->rules[i]);
	for (size_t i = 0; i < policy->n_expects; i++) {
		struct policy_expect *expect = &policy->expects[i];
		free(expect->target);
		free(expect->fstype);
		free(expect->from);
		free(expect->options);
		free(expect->resolving);
		free(expect->in);
		free(expect->as);
		free(expect->text);
	}
	for (size_t i = 0; i < policy->n_settings; i++)
		setting_free(&policy->settings[i]);
	free(policy->files);
	free(policy->rules);
	free(policy->expects);
	free(policy->settings);
	free(policy->name);
	free(policy->title);
	free(policy);
}

const struct policy_setting *policy_setting(const struct policy *policy, const char *block, const char *name)
{
	for (size_t i = 0; i < policy->n_settings; i++)
		if (strcmp(policy->settings[i].block, block) == 0 && strcmp(policy->settings[i].name, name) == 0)
			return &policy->settings[i];
	return NULL;
}

const char *policy_where(const struct policy *policy, struct policy_pos pos, char *buf, size_t size)
{
	if (pos.file >= policy->n_files)
		(void)snprintf(buf, size, "built-in");
	else
		(void)snprintf(buf, size, "%s:%u", policy->files[pos.file].name, pos.line);
	return buf;
}
