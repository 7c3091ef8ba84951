/* From what was learnt to a policy that loads and allows it: each proposal is tried before it is written. */
#include <errno.h>
#include <fts.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "env.h"
#include "err.h"
#include "escape.h"
#include "fd.h"
#include "cli/learn.h"
#include "pattern.h"

#define MENDS_MAX 8
#define WALKED_MAX 200000

static const char *const includes[] = { "base/org.policy", "base/hardening.policy", "base/glibc.policy" };

/* ---- loading what is not written yet --------------------------------------------------------- */

struct policy *learning_load(const char *path, const char *text, size_t len, char **why)
{
	struct env env;
	struct policy_env policy_env;
	struct policy_diags diags = { 0 };
	struct policy *policy = NULL;
	env_init(&env, &policy_env);
	int error = policy_load_text(&policy, &policy_env, path, text, len, &diags);
	if (error && why) {
		size_t size;
		FILE *to = open_memstream(why, &size);
		if (to) {
			policy_diags_print(&diags, policy, to, false);
			fclose(to);
		}
	}
	policy_diags_free(&diags);
	if (!error)
		return policy;
	policy_free(policy);
	return NULL;
}

void learning_includes(const char *path, bool absolute, struct text *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(includes); i++) {
		AUTO_FREE char *statement = text_printf("syntax 1; include \"%s\";", includes[i]);
		struct policy *policy = learning_load(path, statement, strlen(statement), NULL);
		AUTO_FREE char *found = policy && policy->n_files > 1 ? realpath(policy->files[1].path, NULL) : NULL;
		if (found)
			text_addf(text, "include \"%s\";\n", absolute ? found : includes[i]);
		policy_free(policy);
	}
}

/* ---- the text -------------------------------------------------------------------------------- */

static void add_heading(const struct learning *learning, const char *comment, struct text *text)
{
	char date[16];
	time_t now = time(NULL);
	struct tm tm;
	unsigned runs = learning->learn.run;
	localtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	text_addf(text, "# %s, %s: %" PRIu64 " accesses of %u run%s%s", comment, date, learning->learn.accesses, runs, runs == 1 ? "" : "s",
		  learning->argv ? " of" : "");
	for (size_t i = 0, len = 0; learning->argv && learning->argv[i] && len < 100; len += strlen(learning->argv[i++])) {
		text_puts(text, " ");
		escape_add(text, learning->argv[i], strnlen(learning->argv[i], 100));
	}
	text_puts(text, "\n");
	if (learning->partial)
		text_addf(text, "# %u of the runs did not end with status 0\n", learning->partial);
}

static void add_refused(const struct learn *learn, struct text *text)
{
	if (learn->n_refused)
		text_puts(text, "\n# Not proposed:\n");
	for (size_t i = 0; i < learn->n_refused; i++) {
		text_puts(text, "#   ");
		escape_add(text, learn->refused[i].what, strlen(learn->refused[i].what));
		text_puts(text, "   ");
		escape_add(text, learn->refused[i].by, strlen(learn->refused[i].by));
		text_puts(text, "\n");
	}
}

/* "web" of "/etc/usher/web.policy". */
static void add_name(const char *path, struct text *text)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t len = strcspn(name, ".");
	for (size_t i = 0; i < len; i++)
		text_addf(text, "%c", strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", name[i]) ? name[i] : '-');
	if (!len)
		text_puts(text, "learnt");
}

/* FULL: with rules; otherwise what is there without them. */
static void write_new(struct learning *learning, bool full, struct text *text)
{
	struct learn *learn = &learning->learn;
	add_heading(learning, "Proposed by usher learn", text);
	text_puts(text, "syntax 1;\npolicy ");
	add_name(learning->output, text);
	text_puts(text, " \"proposed by usher learn\";\n\n");
	learning_includes(learning->output, false, text);
	text_puts(text, "\nfiles {\n\tdefault deny ENOENT;\t# what was looked for and is not there needs no rule\n\n");
	if (full)
		learning->counts = learn_rules(learn, learning->mood, false, "\t", text);
	text_puts(text, "}\n");
	if (learn->network)
		text_puts(text, "\nnetwork {\n\tdefault deny ENETUNREACH;\n\n");
	if (full)
		learning->counts.rules += learn_rules(learn, learning->mood, true, learn->network ? "\t" : "", text).rules;
	if (full)
		learning->counts.rules += learn_peer_rules(learn, learning->mood, learn->network ? "\t" : "", text);
	text_puts(text, learn->network ? "}\n" : "");
	if (full && learn->n_mounts) {
		text_puts(text, "\nmounts {\n\tdefault deny EPERM;\n\n");
		learning->counts.rules += learn_mount_rules(learn, learning->mood, "\t", text);
		text_puts(text, "}\n");
	}
	if (full && learn->calls.n) {
		text_puts(text, "\nsyscalls {\n\tdefault allow;\n\tallow ");
		for (size_t i = 0; i < learn->calls.n; i++)
			text_addf(text, "%s%s", i ? ", " : "", learn->calls.v[i]);
		text_puts(text, ";\t# it used what base/hardening.policy denies\n}\n");
	}
	text_puts(text, "\nlimits { supervisor-exit kill; }\n");
}

/* Below what is there, which stays as it is: the place of a rule means nothing. */
static void write_more(struct learning *learning, bool full, struct text *text)
{
	struct learn *learn = &learning->learn;
	struct text rules = { 0 };
	text_puts(text, learning->existing);
	if (full) {
		learning->counts = learn_rules(learn, learning->mood, false, "", &rules);
		learning->counts.rules += learn_rules(learn, learning->mood, true, "", &rules).rules;
		learning->counts.rules += learn_peer_rules(learn, learning->mood, "", &rules);
		learning->counts.rules += learn_mount_rules(learn, learning->mood, "", &rules);
	}
	if (rules.len) {
		text_puts(text, text->len && text->s[text->len - 1] != '\n' ? "\n\n" : "\n");
		add_heading(learning, "Learnt by usher learn", text);
		text_add(text, rules.s, rules.len);
	}
	free(text_take(&rules));
}

static struct policy *write_policy(struct learning *learning, bool full)
{
	char *why = NULL;
	free(text_take(&learning->text));
	learning->text = (struct text){ 0 };
	(learning->existing ? write_more : write_new)(learning, full, &learning->text);
	struct policy *policy = learning_load(learning->output, learning->text.s, learning->text.len, &why);
	if (!policy)
		cli_error(learning->cli, "%s", why ? why : "the proposal does not load");
	free(why);
	return policy;
}

/* ---- how much more it grants ----------------------------------------------------------------- */

static void count_tree(struct learning *learning, const struct policy *policy, char *dir)
{
	char *const dirs[] = { dir, NULL };
	size_t walked = 0;
	FTS *fts = fts_open(dirs, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	FTSENT *entry;
	while (fts && (entry = fts_read(fts))) {
		if (entry->fts_info == FTS_DP || entry->fts_info == FTS_DNR)
			continue;
		if (++walked > WALKED_MAX) {
			learning->more = true;
			break;
		}
		bool granted = false;
		for (uint32_t left = OPS_FILES & ~OP_BIT(OP_STAT); left && !granted; left &= left - 1) {
			struct policy_verdict verdict = policy_decide_path(policy, left & -left, entry->fts_path, entry->fts_pathlen).enforced;
			granted = policy_allows(&verdict) && verdict.rule && verdict.rule->pos.file == 0;
		}
		learning->granted += granted;
	}
	if (fts)
		(void)fts_close(fts);
}

static bool inside(const char *path, const char *dir)
{
	size_t len = strlen(dir);
	return strncmp(path, dir, len) == 0 && (!path[len] || path[len] == '/' || len == 0);
}

/* Below what the rules of this very file begin with; what lies in another such directory is counted there. */
static void count_granted(struct learning *learning, const struct policy *policy)
{
	struct strings dirs = { 0 };
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		for (size_t k = 0; rule->pos.file == 0 && rule->action == ACTION_ALLOW && rule->section == SECTION_FILES && k < rule->n_patterns; k++) {
			bool whole;
			char *prefix = NULL;
			(void)pattern_prefix(rule->patterns[k].glob, &whole, &prefix);
			if (prefix)
				strings_add(&dirs, prefix);
		}
	}
	strings_sort(&dirs);
	for (size_t i = 0; i < dirs.n; i++) {
		bool counted = false;
		for (size_t k = 0; k < dirs.n && !counted; k++)
			counted = k != i && inside(dirs.v[i], dirs.v[k]) && (k < i || strcmp(dirs.v[i], dirs.v[k]) != 0);
		if (!counted)
			count_tree(learning, policy, *dirs.v[i] ? dirs.v[i] : (char[]){ "/" });
	}
	strings_free(&dirs);
}

/* ---- what somebody takes of it --------------------------------------------------------------- */

/* The policy of what was taken; NULL: nothing is to be written. */
static struct policy *review(struct learning *learning, struct policy *policy)
{
	size_t from = learning->existing ? strlen(learning->existing) : 0;
	unsigned declined = 0;

	learning->quit = !learning_review(&learning->text, from, stdin, stderr, &declined);
	if (learning->quit)
		cli_error(learning->cli, "nothing is written");
	if (learning->quit || !declined) {
		if (learning->quit)
			policy_free(policy);
		return learning->quit ? NULL : policy;
	}
	learning->counts.rules -= declined < learning->counts.rules ? declined : learning->counts.rules;
	policy_free(policy);
	return learning_load(learning->output, learning->text.s, learning->text.len, NULL);
}

/* ---- */

int learning_propose(struct learning *learning)
{
	struct policy *policy = write_policy(learning, false);
	if (!policy)
		return CLI_POLICY;
	learn_settle(&learning->learn, policy);
	policy_free(policy);
	for (int i = 0;; i++) {
		policy = write_policy(learning, true);
		if (!policy)
			return CLI_POLICY;
		if (i == MENDS_MAX || !learn_mend(&learning->learn, policy))
			break;
		policy_free(policy);
	}
	policy = learning->review ? review(learning, policy) : policy;
	if (!policy)
		return learning->quit ? CLI_NO : CLI_POLICY;
	count_granted(learning, policy);
	learn_verify(&learning->learn, policy);
	policy_free(policy);
	/* Of an existing policy nothing is said that was said before. */
	if (learning->counts.rules || !learning->existing)
		add_refused(&learning->learn, &learning->text);
	return 0;
}
