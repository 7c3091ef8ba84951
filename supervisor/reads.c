/*
 * Reads that no call goes to the broker for.
 *
 * An open that only reads says so in its flags, which the filter sees. Where the kernel decides about it exactly as the policy does,
 * the filter lets it pass: because nothing is denied, or because what is allowed is a set of directory trees, which are Landlock's
 * to keep apart.
 *
 * What Landlock denies leaves no record, so that a policy must say that it can do without: `sealed`.
 *
 * Exactly means: the trees that the child's domain will have, read as a policy, decide the same for every path that
 * there can be (difference.h: proved on the automata), with the errno that Landlock gives, EACCES. What is no tree is none
 * of Landlock's: a file is replaced by another one of the same name, and processes come and go in /proc. Nor is a tree that is not there
 * yet, or that the program itself may move away; one that somebody else moves stays what it was, by its new name (docs/security.md).
 *
 * Or because what is denied is not there: a view (view.h), of the same trees, for whoever asks for one (`default deny ENOENT view`). There
 * stat(2) need not be asked about either, and what a rule allows besides reading must be in one of them.
 */
#include "reads.h"

#include <errno.h>
#include <linux/landlock.h>
#include <nettle/sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "difference.h"
#include "err.h"
#include "escape.h"
#include "fd.h"
#include "landlock.h"
#include "mountinfo.h"
#include "reads_trees.h"
#include "substitute.h"
#include "text.h"
#include "verdict.h"
#include "view.h"

#define OPS READS_OPS
#define TREES_MAX 1024

__attribute__((format(printf, 3, 4))) static void brokered(struct plan *plan, const struct policy_rule *rule, const char *format, ...)
{
	va_list list;

	plan->reads = READS_BROKERED;
	plan->reads_rule = rule && rule->pos.file != POLICY_BUILTIN ? rule : NULL;
	plan->reads_help[0] = '\0';
	va_start(list, format);
	(void)vsnprintf(plan->reads_why, sizeof(plan->reads_why), format, list);
	va_end(list);
}

/* What would take away what brokered() was told last. */
__attribute__((format(printf, 2, 3))) static void advise(struct plan *plan, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)vsnprintf(plan->reads_help, sizeof(plan->reads_help), format, list);
	va_end(list);
}

static void obstructed(struct plan *plan, const struct policy_rule *rule, const struct reads_obstacle *obstacle)
{
	brokered(plan, rule, "%s", obstacle->why);
	advise(plan, "%s", obstacle->help);
}

struct unfit_search {
	struct plan *plan;
	const struct landlock_trees *trees;
};

/* One that no tree contains. */
static int find_unfit(const struct granted *granted, void *ctx)
{
	const struct unfit_search *find = ctx;

	if (!granted->unfit)
		return 0;
	if (landlock_trees_have(find->trees, granted->path))
		return 0;
	brokered(find->plan, granted->rule, "%s: %s", granted->glob, granted->unfit->why);
	advise(find->plan, "%s", granted->unfit->help ? granted->unfit->help : "");
	return 1;
}

static void say_denied(struct plan *plan, const struct policy_rule *rule, const char *path)
{
	AUTO_FREE char *text = rule && rule->text ? escape_dup(rule->text, strlen(rule->text)) : NULL;

	brokered(plan, rule, "%s is denied, in a tree that may be read or executed", path);
	if (text)
		advise(plan, "this '%.200s' inside an allowed tree sends every open that only reads to the broker: keep what it denies in a "
		       "directory outside of the tree, or allow the directories beside it one by one", text);
	else
		advise(plan, "what may be executed must be readable: allow read there, too, or name the programs one by one");
}

static void say_difference(struct plan *plan, const struct difference *first)
{
	const struct policy_rule *rule = first->before.rule;	/* those of the other policy go with it */
	AUTO_FREE char *path = escape_dup(first->witness, strlen(first->witness));
	bool view = plan->reads == READS_VIEW;

	if (first->staged) {
		brokered(plan, rule, "%s: it is at stage log", path);
	} else if (rule && rule->pos.file == POLICY_BUILTIN) {
		brokered(plan, NULL, "%s is usher's own, in a tree that may be read", path);
	} else if (view && first->kind == DIFFERENCE_OTHER) {
		brokered(plan, rule, "%s: what is left out of a view is ENOENT, and nothing else", path);
		advise(plan, "let it deny with ENOENT, or take it out: the default does");
	} else if (first->kind == DIFFERENCE_OTHER) {
		brokered(plan, rule, "%s: Landlock refuses with EACCES and does nothing else", path);
		advise(plan, "let it deny with EACCES; or with ENOENT, and by a view (default deny ENOENT view)");
	} else if (view && first->kind == DIFFERENCE_ALLOWED) {
		brokered(plan, rule, "%s: what is in a view can be read, listed and asked about (stat) alike, and this may not", path);
		advise(plan, "allow ro of whole directory trees, and keep what is denied outside of them");
	} else if (first->kind == DIFFERENCE_DENIED) {
		brokered(plan, rule, "%s: no part of a directory tree", path);
		advise(plan, "allow whole directory trees");
	} else {
		say_denied(plan, first->before.rule, path);
	}
}

/* Where procfs is mounted in one of TREES, malloc'ed: what is there counts as in /proc, whatever its name. "/" has /proc itself. */
static char *procfs_in(const struct landlock_trees *trees)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	AUTO_FREE char *line = NULL;
	char *found = file ? NULL : strdup("/proc/self/mountinfo cannot be read");
	char path[4 * PATH_MAX];
	size_t size = 0;

	while (file && !found && getline(&line, &size, file) > 0) {
		if (!strstr(line, " - proc ") || sscanf(line, "%*u %*u %*s %*s %16383s", path) != 1)
			continue;
		mountinfo_unescape(path);
		for (size_t i = 0; i < trees->n && !found; i++)
			if (trees->list[i].path[1] && landlock_tree_has(&trees->list[i], path))
				found = strdup(path);
	}
	if (file)
		(void)fclose(file);
	return found;
}

#define READ_RIGHTS ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))

/* What is read in files decides of some, so that others can change them, and their order says nothing. */
static void trees_digest(const struct landlock_trees *trees, uint8_t digest[SHA256_DIGEST_SIZE])
{
	struct strings lines = { 0 };
	struct sha256_ctx context;

	for (size_t i = 0; i < trees->n; i++)
		if (trees->list[i].access & READ_RIGHTS)
			strings_add(&lines, text_printf("%llx %s", (unsigned long long)(trees->list[i].access & READ_RIGHTS), trees->list[i].path));
	strings_sort(&lines);
	sha256_init(&context);
	for (size_t i = 0; i < lines.n; i++)
		sha256_update(&context, strlen(lines.v[i]) + 1, (const uint8_t *)lines.v[i]);
	sha256_digest(&context, SHA256_DIGEST_SIZE, digest);
	strings_free(&lines);
}

int reads_check(const struct plan *plan, const struct landlock_trees *trees)
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	if (plan->reads != READS_TREES)
		return 0;
	trees_digest(trees, digest);
	return memcmp(digest, plan->reads_digest, sizeof(digest)) == 0 ? 0 : -EAGAIN;
}

/* What Landlock would do, compared with the policy. */
static int compare(struct plan *plan, uint32_t ops)
{
	struct difference first = { 0 };
	struct policy *domain = NULL;
	struct landlock_trees trees = { 0 };
	int result = plan->reads == READS_VIEW ? reads_trees(plan, &trees) : landlock_trees(plan, &trees);
	AUTO_FREE char *procfs = result ? NULL : procfs_in(&trees);

	if (!result)
		trees_digest(&trees, plan->reads_digest);
	if (procfs)
		brokered(plan, NULL, "%s: procfs is mounted there, in a tree that may be read or executed", procfs);
	else if (!result && trees.n > TREES_MAX)
		brokered(plan, NULL, "more than %d directory trees", TREES_MAX);
	else if (!result)
		result = reads_policy(plan, &trees, ops, &domain);
	if (domain && !result)
		result = differences_first(&first, plan->policy, domain, ops);
	if (result == 1)
		say_difference(plan, &first);
	else if (result == -E2BIG)
		brokered(plan, NULL, "too much to be proved");
	policy_free(domain);
	free(first.witness);
	landlock_trees_free(&trees);
	return result == 1 || result == -E2BIG ? 0 : result;
}

/* One that is not there in a view, and allowed for something else than being read. */
static int find_outside(const struct granted *granted, void *ctx)
{
	const struct unfit_search *find = ctx;
	AUTO_FREE char *path = escape_dup(granted->path, strlen(granted->path));

	if (landlock_trees_have(find->trees, granted->path) || granted->link || (!(granted->rule->ops & ~READS_VIEW_OPS) && view_leads(find->trees, granted->path)))
		return 0;
	brokered(find->plan, granted->rule, "%s: in none of the directory trees that may be read, and so not there", granted->glob);
	advise(find->plan, "allow the directory to be read, too (allow ro %s/;)", path);
	return 1;
}

/* BY: READS_TREES or READS_VIEW. */
static int decide_trees(struct plan *plan, enum reads by, uint32_t ops)
{
	struct landlock_trees trees = { 0 };
	struct unfit_search find = { .plan = plan, .trees = &trees };
	int result;

	plan->reads = by;
	result = reads_trees(plan, &trees);
	if (!result)
		result = reads_each_granted(plan, OPS, find_unfit, &find);
	if (!result && by == READS_VIEW)
		result = reads_each_granted(plan, plan->restricted, find_outside, &find);
	landlock_trees_free(&trees);
	if (result)
		return result < 0 ? result : 0;
	return compare(plan, ops);
}

static bool level_all(const struct policy *policy)
{
	const struct policy_setting *level = policy_setting(policy, "audit", "level");

	return level && level->n_words == 1 && !strcmp(level->words[0], "all");
}

/* Of a denial. What Landlock denies is in no record. */
static bool recorded(enum policy_audit audit, bool sealed)
{
	return audit == AUDIT_ALERT || (!sealed && audit != AUDIT_NONE);
}

static const struct reads_obstacle beneath = {
	"beneath: Landlock knows nothing of links",
	"take 'beneath' out: where a link leads is judged all the same, as the path that it is",
}, told = {
	"what it allows is recorded", "take its 'audit' out",
}, untold = {
	"its denials are recorded; 'sealed' gives that up", "seal it ('sealed')",
}, by_default = {
	"denials are recorded; 'default deny sealed' gives that up", "write 'default deny sealed' in files",
};

/* A rule that wants more than Landlock can do: why, and *RULE. */
static const struct reads_obstacle *special(const struct plan *plan, const struct policy_rule **rule)
{
	const struct policy *policy = plan->policy;
	const uint32_t ops = policy->defaults[SECTION_FILES].view ? READS_VIEW_OPS : OPS;
	bool denies = plan->confined & ops && plan->layers != LAYERS_KERNEL;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *one = *rule = &policy->rules[i];
		bool allows = one->action == ACTION_ALLOW;

		if (one->section != SECTION_FILES || !(one->ops & ops))
			continue;
		if (one->beneath)
			return &beneath;
		if (allows && audits_allowed(one->audit))
			return &told;
		if (!allows && denies && recorded(one->audit, one->sealed))
			return &untold;
	}
	*rule = NULL;
	return denies && recorded(policy->defaults[SECTION_FILES].audit, policy->defaults[SECTION_FILES].sealed) ? &by_default : NULL;
}

/* A rule that names usher's own files lets them be read. */
static void say_own(struct plan *plan)
{
	struct text text = { 0 };
	const char *path;

	for (size_t i = 0; (path = policy_forbidden(plan->policy, i)) != NULL; i++) {
		struct policy_decision decision = policy_decide_path(plan->policy, OPS, path, strlen(path));
		if (policy_allows(&decision.enforced))
			continue;
		text_puts(&text, text.len ? ", " : "");
		escape_add(&text, path, strlen(path));
	}
	brokered(plan, NULL, "usher's own files are not to be read, unless a rule names them: allow ro %s;", text.s);
	free(text_take(&text));
}

/* The program's own opens are of its domain, and what is open for reading may be asked for anything. */
static void leave_all(struct plan *plan)
{
	plan->reads = READS_FREE;
	plan->landlock_fs &= ~(uint64_t)LANDLOCK_ACCESS_FS_IOCTL_DEV;
}

/* May somebody else hand descriptors in, over a unix socket? By a directory among them the program would come out of its view. */
static bool receives(const struct plan *plan)
{
	const struct policy_default *otherwise = &plan->policy->defaults[SECTION_NETWORK];

	if (!otherwise->present || otherwise->action == ACTION_ALLOW || otherwise->stage == STAGE_LOG)
		return true;
	for (size_t i = 0; i < plan->policy->n_rules; i++) {
		const struct policy_rule *rule = &plan->policy->rules[i];

		if (rule_grants(rule, OPS_NETWORK) && (rule->n_patterns || rule->proto == PROTO_UNIX))
			return true;
	}
	return false;
}

void reads_receive(struct plan *plan)
{
	if (plan->reads == READS_VIEW && plan->landlock)
		plan->landlock_fs |= LANDLOCK_ACCESS_FS_READ_FILE;	/* directories on the way are listed */
}

/*
 * There is no domain for files then: what could be reached behind the broker's back is not there, and each open would pay for it. But
 * what lies in a directory that is handed in must not be read. A Landlock without scopes has no other use than that, and must have one
 * to keep others from being traced.
 */
static int decide_view(struct plan *plan)
{
	const char *lacks = view_lacks();
	int err = 0;

	if (lacks)
		brokered(plan, NULL, "%s", lacks);
	else if (plan->mounts || plan->native)
		brokered(plan, NULL, "mounts are made for the program, and its view stays as it is");
	else if (OPS_FILES & ~plan->policy->cover & ~OP_BIT(OP_STAT))
		obstructed(plan, NULL, &(struct reads_obstacle){ "what is not covered may be done everywhere, and in a view not everything is there", "cover all;" });
	else if (substitute_any(plan->policy))
		brokered(plan, NULL, "only the broker redirects and answers");
	else if (receives(plan) && !plan->landlock)
		obstructed(plan, NULL, &(struct reads_obstacle){ "a directory may come over a unix socket, and without Landlock nothing keeps the program from what it holds",
								 "deny unix sockets (network { default deny; }), or leave --no-landlock out" });
	else
		err = decide_trees(plan, READS_VIEW, plan->restricted & READS_VIEW_OPS);
	if (plan->reads != READS_VIEW)
		return err;
	plan->stat = false;
	plan->landlock_fs &= plan->landlock_scoped ? 0 : ~(READ_RIGHTS | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_IOCTL_DEV);
	if (receives(plan))
		reads_receive(plan);
	return err;
}

int reads_decide(struct plan *plan)
{
	uint32_t ops = plan->restricted & OPS;
	const struct policy_rule *rule;
	const struct reads_obstacle *why = special(plan, &rule);
	int err = 0;

	plan->reads = READS_BROKERED;
	if (plan->layers == LAYERS_BROKER || !plan->files)
		brokered(plan, NULL, "%s", "");
	else if (level_all(plan->policy))
		obstructed(plan, NULL, &(struct reads_obstacle){ "every access is recorded (audit { level all; })", "leave 'level all' out" });
	else if (audits_allowed(plan->policy->defaults[SECTION_FILES].audit))
		obstructed(plan, NULL, &(struct reads_obstacle){ "every access is recorded (the default's audit)", "take the default's 'audit' out" });
	else if (why)
		obstructed(plan, rule, why);
	else if (plan->policy->defaults[SECTION_FILES].view)
		err = decide_view(plan);
	else if (plan->stat)
		obstructed(plan, NULL, &(struct reads_obstacle){ "stat is covered, and Landlock tells what is there", "leave stat out of 'cover', or hide by a view (default deny ENOENT view)" });
	else if (!ops)
		leave_all(plan);
	else if (plan->mounts || plan->native)
		brokered(plan, NULL, "mounts are made for the program, and Landlock follows them otherwise than rules do");
	else if (ops & ~plan->confined)
		say_own(plan);
	else if (!plan->landlock)
		brokered(plan, NULL, "Landlock is not used");
	else if (reads_access(ops) & ~plan->landlock_fs)
		obstructed(plan, NULL, &(struct reads_obstacle){ "what may be executed is not limited, and must be read for that",
								 "allow exec of directory trees (allow rx /usr/;) and not of everything" });
	else
		err = decide_trees(plan, READS_TREES, ops);
	/*
	 * Each open of the program's own would also be asked whether the file may be truncated later, for which the kernel looks in every
	 * directory up to the root, in vain. What can truncate, it must ask the broker for.
	 */
	if (plan->reads != READS_BROKERED)
		plan->landlock_fs &= ~(uint64_t)LANDLOCK_ACCESS_FS_TRUNCATE;
	return err;
}

bool reads_same(const struct plan *a, const struct plan *b)
{
	struct landlock_trees of_a = { 0 }, of_b = { 0 };
	bool same = a->reads == b->reads && !reads_trees(a, &of_a) && !reads_trees(b, &of_b) && of_a.n == of_b.n;

	for (size_t i = 0; same && i < of_a.n; i++)
		same = !strcmp(of_a.list[i].path, of_b.list[i].path) && of_a.list[i].access == of_b.list[i].access;
	landlock_trees_free(&of_a);
	landlock_trees_free(&of_b);
	return same;
}
