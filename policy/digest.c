/*
 * The digest of a policy: SHA-256 of its canonical form, one sorted line for each thing that it says after
 * includes, variables and when blocks. So the order of lines and files does not count, nor do comments,
 * expectations and --mode log; anything that could change a decision or a record does.
 */
#include <nettle/sha2.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "parse.h"

static char *default_canonical(const char *prefix, enum policy_section section, const struct policy_default *value)
{
	return text_printf("%sdefault %s %s %d %s audit %d%s%s", prefix, policy_section_name(section),
			   policy_action_name(value->action), value->err, policy_stage_name(value->stage),
			   (int)value->audit, value->sealed ? " sealed" : "", value->view ? " view" : "");
}

static void add_defaults(struct loader *loader, struct strings *lines)
{
	const struct policy *policy = loader->policy;
	for (int section = 0; section < SECTION_COUNT; section++)
		if (policy->defaults[section].present)
			strings_add(lines, default_canonical("", (enum policy_section)section, &policy->defaults[section]));
	for (size_t i = 0; i < loader->n_defaults; i++) {
		const struct written_default *written = &loader->defaults[i];
		if (!written->domain)
			continue;
		AUTO_FREE char *prefix = text_printf("domain %s ", loader->domains[written->domain - 1].name);
		strings_add(lines, default_canonical(prefix, written->section, &written->value));
	}
	for (size_t i = 0; i < loader->n_domains; i++)
		strings_add(lines, text_printf("domain %s inherits %s", loader->domains[i].name,
					       loader->domains[i].inherits ? loader->domains[i].inherits : "nothing"));
}

static char *setting_canonical(const struct policy_setting *setting)
{
	struct text text = {0};
	text_addf(&text, "setting %s %s", setting->block, setting->name);
	for (size_t i = 0; i < setting->n_words; i++)
		text_addf(&text, " %zu:%s", strlen(setting->words[i]), setting->words[i]);
	return text_take(&text);
}

void policy_digest(struct loader *loader)
{
	struct policy *policy = loader->policy;
	struct strings lines = {0};
	strings_add(&lines, text_printf("usher policy 1 %s", policy->name));
	strings_add(&lines, text_printf("cover %x", policy->cover));
	add_defaults(loader, &lines);
	for (size_t i = 0; i < policy->n_settings; i++)
		strings_add(&lines, setting_canonical(&policy->settings[i]));
	for (size_t i = 0; i < policy->n_rules; i++)
		strings_add(&lines, rule_canonical(&policy->rules[i], &loader->notes[i]));
	for (size_t i = 0; i < loader->domain_lines.n; i++)
		strings_add(&lines, text_copy(loader->domain_lines.v[i]));
	strings_sort(&lines);

	struct sha256_ctx context;
	uint8_t bytes[SHA256_DIGEST_SIZE];
	sha256_init(&context);
	for (size_t i = 0; i < lines.n; i++) {
		if (i && strcmp(lines.v[i - 1], lines.v[i]) == 0)
			continue;	/* saying a thing twice says nothing more */
		sha256_update(&context, strlen(lines.v[i]) + 1, (const uint8_t *)lines.v[i]);
	}
	sha256_digest(&context, sizeof(bytes), bytes);
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(policy->digest + 2 * i, 3, "%02x", bytes[i]);
	strings_free(&lines);
}
