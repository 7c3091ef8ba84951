/*
 * What can only be told when every file has been read: defaults, the errno of a bare deny,
 * names that cannot be hidden, names that clash, links in the literal prefixes of patterns, --mode log.
 *
 * Choices where the language's text leaves one:
 *   - A section's default is honoured wherever it is written, but only if the main file has a block for
 *     that section; otherwise it has no effect, and check says so (W018).
 *   - A rule outside of sections does not make a section present.
 *   - cover statements add up.
 *   - Of two values for a setting, a drop-in's beats the main file's and that beats an include's; two of
 *     the same rank that differ are an error.
 *   - A pattern that names a link means what the link leads to, and the link itself as well: to forbid
 *     deleting a name is to forbid deleting that name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "parse.h"
#include "pattern.h"

static int bare_errno(enum policy_section section)
{
	return section == SECTION_FILES || section == SECTION_NETWORK ? EACCES : EPERM;
}

static bool same_default(const struct policy_default *a, const struct policy_default *b)
{
	return a->action == b->action && (a->action == ACTION_ALLOW || a->err == b->err) && a->stage == b->stage &&
	       a->audit == b->audit && a->sealed == b->sealed && a->view == b->view;
}

static void settle_defaults(struct loader *loader)
{
	struct policy *policy = loader->policy;
	for (size_t i = 0; i < loader->n_defaults; i++) {
		struct written_default *written = &loader->defaults[i];
		enum policy_section section = written->section;
		struct policy_default *settled = &policy->defaults[section];
		if (written->value.action == ACTION_DENY && !written->err_written)
			written->value.err = bare_errno(section);
		if (written->domain)
			continue;
		if (settled->written && !same_default(settled, &written->value)) {
			struct policy_diag *diag = policy_diag_add(loader->diags, DIAG_ERROR, written->value.pos,
								   "the %s section has two different defaults",
								   policy_section_name(section));
			policy_diag_other(diag, settled->pos, "the other one");
		} else if (!settled->written) {
			*settled = written->value;
		}
	}
	for (int section = 0; section < SECTION_COUNT; section++) {
		struct policy_default *settled = &policy->defaults[section];
		settled->present = loader->main_section[section];
		if (!settled->written && settled->present)
			*settled = (struct policy_default){.present = true, .action = ACTION_DENY,
							   .err = bare_errno((enum policy_section)section),
							   .pos = loader->section_pos[section]};
	}
	policy->cover = loader->cover ? loader->cover : OPS_FILES & ~OP_BIT(OP_STAT);
}

static void settle_errnos(struct loader *loader)
{
	struct policy *policy = loader->policy;
	for (size_t i = 0; i < policy->n_rules; i++) {
		struct policy_rule *rule = &policy->rules[i];
		if (rule->action < ACTION_DENY || loader->notes[i].err_written)
			continue;
		const struct policy_default *fallback = &policy->defaults[rule->section];
		bool inherits = fallback->present && fallback->action == ACTION_DENY;
		rule->err = inherits ? fallback->err : bare_errno(rule->section);
	}
}

/* What cannot be hidden must not look as if it were. */
static void check_hiding(struct loader *loader)
{
	const struct policy *policy = loader->policy;
	if (policy->cover & OP_BIT(OP_STAT))
		return;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		const struct note *note = &loader->notes[i];
		bool hides = note->named_all && rule->err == ENOENT;
		if (rule->section != SECTION_FILES || rule->action < ACTION_DENY || note->domain ||
		    !(note->named_stat || hides))
			continue;
		struct policy_diag *diag = policy_diag_add(loader->diags, DIAG_ERROR, rule->pos, note->named_stat
			? "this denies 'stat', which the policy does not cover"
			: "this hides names with ENOENT, but 'stat', which the policy does not cover, still shows them");
		policy_diag_help(diag, note->named_stat ? "add 'cover all;' to files { }"
			: "add 'cover all;' to files { }, or answer with another errno: %s EACCES all ...",
			policy_action_name(rule->action));
	}
}

struct named { const char *id; uint32_t domain; size_t rule; };

static int compare_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	if (x->domain != y->domain)
		return x->domain < y->domain ? -1 : 1;
	int order = strcmp(x->id, y->id);
	return order ? order : x->rule < y->rule ? -1 : 1;
}

static void check_ids(struct loader *loader)
{
	const struct policy *policy = loader->policy;
	struct named *list = NULL;
	size_t n = 0;
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].id && loader->notes[i].first)
			*mem_push(&list, &n) = (struct named){policy->rules[i].id, loader->notes[i].domain, i};
	if (n)
		qsort(list, n, sizeof(*list), compare_named);
	for (size_t i = 1; i < n; i++) {
		if (list[i].domain != list[i - 1].domain || strcmp(list[i].id, list[i - 1].id) != 0)
			continue;
		const struct policy_rule *rule = &policy->rules[list[i].rule];
		policy_diag_other(policy_diag_add(loader->diags, DIAG_ERROR, rule->pos, "there are two rules with the id '%s'", rule->id),
				  policy->rules[list[i - 1].rule].pos, "the other one");
	}
	free(list);
}

static bool domain_known(const struct loader *loader, const char *name)
{
	for (size_t i = 0; i < loader->n_domains; i++)
		if (strcmp(loader->domains[i].name, name) == 0)
			return true;
	return strcmp(name, "main") == 0;
}

static void check_domains(struct loader *loader)
{
	const struct policy *policy = loader->policy;
	for (size_t i = 0; i < loader->n_domains; i++) {
		const struct domain *domain = &loader->domains[i];
		if (domain->inherits && !domain_known(loader, domain->inherits))
			policy_diag_add(loader->diags, DIAG_ERROR, domain->inherits_pos, "there is no domain '%s'", domain->inherits);
	}
	for (size_t i = 0; i < policy->n_expects; i++) {
		const struct policy_expect *expect = &policy->expects[i];
		if (expect->in && !domain_known(loader, expect->in))
			policy_diag_add(loader->diags, DIAG_ERROR, expect->pos, "there is no domain '%s'", expect->in);
	}
}

/* ---- settings ------------------------------------------------------------------------------- */

static int setting_rank(const struct loader *loader, const struct policy_setting *setting)
{
	return loader->dropin[setting->pos.file] ? 2 : loader->policy->files[setting->pos.file].main ? 1 : 0;
}

static bool same_setting(const struct policy_setting *a, const struct policy_setting *b)
{
	return strcmp(a->block, b->block) == 0 && strcmp(a->name, b->name) == 0 &&
	       (strcmp(a->name, "rate") != 0 || strcmp(a->words[0], b->words[0]) == 0);
}

static bool same_words(const struct policy_setting *a, const struct policy_setting *b)
{
	bool same = a->n_words == b->n_words;
	for (size_t i = 0; same && i < a->n_words; i++)
		same = strcmp(a->words[i], b->words[i]) == 0;
	return same;
}

static void settle_settings(struct loader *loader)
{
	struct policy *policy = loader->policy;
	struct policy_setting *list = policy->settings;
	size_t kept = 0;
	for (size_t i = 0; i < policy->n_settings; i++) {
		struct policy_setting setting = list[i];
		size_t j = 0;
		while (j < kept && !same_setting(&list[j], &setting))
			j++;
		if (j == kept) {
			list[kept++] = setting;
			continue;
		}
		int rank = setting_rank(loader, &setting), known = setting_rank(loader, &list[j]);
		if (rank == known && !same_words(&list[j], &setting))
			policy_diag_other(policy_diag_add(loader->diags, DIAG_ERROR, setting.pos, "'%s' is set twice, differently",
							  setting.name),
					  list[j].pos, "the other one");
		if (rank > known) {
			struct policy_setting beaten = list[j];
			list[j] = setting;
			setting = beaten;
		}
		setting_free(&setting);
	}
	policy->n_settings = kept;
}

/* ---- domains: into the digest and out of the rules ------------------------------------------- */

static void settle_domains(struct loader *loader)
{
	struct policy *policy = loader->policy;
	size_t kept = 0;
	for (size_t i = 0; i < policy->n_rules; i++) {
		struct note *note = &loader->notes[i];
		struct policy_rule *rule = &policy->rules[i];
		if (note->domain) {
			AUTO_FREE char *line = rule_canonical(rule, note);
			strings_add(&loader->domain_lines,
				    text_printf("domain %s %s", loader->domains[note->domain - 1].name, line));
			rule_free(rule);
			free(note->extra);
			continue;
		}
		if (kept != i) {
			policy->rules[kept] = *rule;
			loader->notes[kept] = *note;
		}
		policy->rules[kept].number = (uint32_t)kept;
		kept++;
	}
	policy->n_rules = kept;
	loader->n_notes = kept;
}

/* ---- literal prefixes ----------------------------------------------------------------------- */

enum { CACHE_SIZE = 1024 };
struct resolved { char *prefix, *to; };

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* What the links on this machine make of PREFIX, malloc'ed; NULL if they leave it alone. /proc/self is
 * the calling process in a pattern, not this one. */
static char *resolve_prefix(const struct policy_env *env, const char *prefix)
{
	static const char *const personal[] = {"/proc/self", "/proc/thread-self", "/dev/stdin", "/dev/stdout", "/dev/stderr"};
	for (size_t i = 0; i < ARRAY_SIZE(personal); i++)
		if (below(prefix, personal[i]))
			return NULL;
	char *to = NULL;
	if (env->resolve(env->ctx, prefix, &to) || !to)
		return NULL;
	size_t digits = strncmp(to, "/proc/", 6) == 0 ? strspn(to + 6, "0123456789") : 0;
	if (digits && !below(prefix, "/proc") && (to[6 + digits] == '/' || !to[6 + digits])) {
		char *self = text_printf("/proc/self%s", to + 6 + digits);
		free(to);
		to = self;
	}
	if (*to != '/' || strcmp(to, prefix) == 0) {
		free(to);
		return NULL;
	}
	return to;
}

static const char *resolve_cached(const struct policy_env *env, struct resolved *cache, const char *prefix)
{
	uint32_t hash = 2166136261u;
	for (const char *s = prefix; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 16777619u;
	struct resolved *slot = &cache[hash % CACHE_SIZE];
	if (!slot->prefix || strcmp(slot->prefix, prefix) != 0) {
		free(slot->prefix);
		free(slot->to);
		*slot = (struct resolved){.prefix = text_copy(prefix), .to = resolve_prefix(env, prefix)};
	}
	return slot->to;
}

static char *glob_joined(const char *literal, const char *rest)
{
	struct text text = {0};
	for (const char *s = literal; *s; s++) {
		if (glob_special(*s))
			text_puts(&text, "\\");
		text_add(&text, s, 1);
	}
	if (text.len == 1 && *rest == '/')
		text.len = 0;
	text_puts(&text, rest);
	return text_take(&text);
}

static void resolve_pattern(const struct policy_env *env, struct resolved *cache, struct policy_pattern **patterns, size_t *n,
			    size_t index)
{
	struct policy_pattern *pattern = &(*patterns)[index];
	bool whole = false;
	AUTO_FREE char *prefix = NULL;
	size_t len = pattern_prefix(pattern->glob, &whole, &prefix);
	if (!len || !prefix || !*prefix)
		return;
	const char *to = resolve_cached(env, cache, prefix);
	if (!to)
		return;
	AUTO_FREE char *own = NULL;
	const char *slash = strrchr(prefix, '/');
	if (whole && slash && slash[1]) {
		AUTO_FREE char *parent = text_dup(prefix, (size_t)(slash - prefix));
		const char *parent_to = *parent ? resolve_cached(env, cache, parent) : NULL;
		AUTO_FREE char *path = text_printf("%s%s", parent_to ? strcmp(parent_to, "/") ? parent_to : "" : parent, slash);
		to = resolve_cached(env, cache, prefix);	/* the cache may have lost it */
		if (to && strcmp(path, to) != 0)
			own = glob_joined(path, "");
	}
	char *glob = glob_joined(to ? to : prefix, pattern->glob + len);
	free(pattern->glob);
	pattern->glob = glob;
	if (own) {
		struct policy_pattern link = {.glob = text_copy(own), .pos = pattern->pos,
					      .spelled = text_copy(pattern->spelled)};
		*mem_push(patterns, n) = link;
	}
}

static void settle_prefixes(struct loader *loader)
{
	struct policy *policy = loader->policy;
	if (!loader->env->resolve)
		return;
	AUTO_FREE struct resolved *cache = mem_zero(CACHE_SIZE * sizeof(*cache));
	for (size_t i = 0; i < policy->n_rules; i++) {
		struct policy_rule *rule = &policy->rules[i];
		size_t n = rule->n_patterns, n_from = rule->n_from;
		for (size_t j = 0; j < n; j++)
			resolve_pattern(loader->env, cache, &rule->patterns, &rule->n_patterns, j);
		for (size_t j = 0; j < n_from; j++)
			resolve_pattern(loader->env, cache, &rule->from, &rule->n_from, j);
	}
	for (size_t i = 0; i < CACHE_SIZE; i++) {
		free(cache[i].prefix);
		free(cache[i].to);
	}
}

static void settle_mode_log(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].action != ACTION_FORBID) {
			policy->rules[i].stage = STAGE_LOG;
			policy->rules[i].sealed = false;	/* counted, and to be enforced without a restart */
		}
	for (int section = 0; section < SECTION_COUNT; section++)
		if (policy->defaults[section].present) {
			policy->defaults[section].stage = STAGE_LOG;
			policy->defaults[section].sealed = policy->defaults[section].view = false;
		}
}

void settle(struct loader *loader)
{
	settle_defaults(loader);
	settle_errnos(loader);
	check_hiding(loader);
	check_ids(loader);
	check_domains(loader);
	settle_settings(loader);
	settle_domains(loader);
	policy_digest(loader);
	if (loader->env->mode_log)
		settle_mode_log(loader->policy);
	settle_prefixes(loader);
}
