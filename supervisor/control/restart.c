#include "restart.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/landlock.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "err.h"
#include "fd.h"
#include "landlock.h"
#include "ports.h"
#include "reads.h"
#include "syscalls.h"
#include "text.h"
#include "verdict.h"

#define NAMES_MAX 12

__attribute__((format(printf, 3, 4))) static void say(struct restart *restart, bool refused, const char *format, ...)
{
	va_list list;

	restart->refused |= refused;
	if (restart->n == RESTART_MAX)
		return;
	va_start(list, format);
	if (vasprintf(&restart->lines[restart->n], format, list) >= 0)
		restart->n++;
	va_end(list);
}

/* ---- the filter ----------------------------------------------------------------------------- */

struct names {
	struct text text;
	unsigned n;
};

struct differences { struct names looser, stricter; };

static void differs(void *ctx, int nr, enum filter_differ how)
{
	struct differences *all = ctx;
	struct names *names = how == FILTER_LOOSER ? &all->looser : &all->stricter;

	if (names->n++ < NAMES_MAX)
		text_addf(&names->text, "%s%s", names->n > 1 ? ", " : "", syscall_by_nr(nr)->name);
}

static void say_names(struct restart *restart, bool refused, struct names *names, const char *what)
{
	if (names->n > NAMES_MAX)
		text_addf(&names->text, " and %u more", names->n - NAMES_MAX);
	if (names->n)
		say(restart, refused, "%s %s: %s", names->n == 1 ? "system call" : "system calls", names->text.s, what);
	free(text_take(&names->text));
}

static int compare_filters(struct restart *restart, const struct plan *launched, const struct plan *next)
{
	struct filter_row *rows[2] = { NULL, NULL };
	struct filter_source sources[2] = { { .policy = launched->policy }, { .policy = next->policy } };
	struct differences all = { 0 };
	int err = call_filter_rows(launched, &rows[0], &sources[0].n_rows);

	if (!err)
		err = call_filter_rows(next, &rows[1], &sources[1].n_rows);
	sources[0].rows = rows[0];
	sources[1].rows = rows[1];
	if (!err)
		err = filter_differ(&sources[0], &sources[1], differs, &all);
	say_names(restart, true, &all.looser, "the filter of the running program lets pass, or refuses more mildly, what the policy refuses or brokers");
	say_names(restart, false, &all.stricter, "the filter of the running program goes on refusing what the policy allows");
	free(rows[0]);
	free(rows[1]);
	return err;
}

/* ---- Landlock ------------------------------------------------------------------------------- */

static bool tree_has(const struct landlock_trees *trees, const struct landlock_tree *tree)
{
	for (size_t i = 0; i < trees->n; i++)
		if (landlock_tree_has(&trees->list[i], tree->path) && !(tree->access & ~trees->list[i].access))
			return true;
	return false;
}

/* The next rule from the I-th on that allows exec, or NULL. */
static const struct policy_rule *next_exec(const struct policy *policy, size_t *i)
{
	while (*i < policy->n_rules && !rule_grants(&policy->rules[*i], OP_BIT(OP_EXEC)))
		++*i;
	return *i < policy->n_rules ? &policy->rules[(*i)++] : NULL;
}

/* Looking for what scripts need goes through directories: not for a policy that says the same of exec. */
static bool same_exec(const struct policy *a, const struct policy *b)
{
	const struct policy_rule *one, *other;
	size_t i = 0, j = 0;

	do {
		one = next_exec(a, &i);
		other = next_exec(b, &j);
		if (!one || !other)
			return !one && !other;
		if (one->n_patterns != other->n_patterns)
			return false;
		for (size_t k = 0; k < one->n_patterns; k++)
			if (strcmp(one->patterns[k].glob, other->patterns[k].glob) != 0)
				return false;
	} while (one);
	return true;
}

static int compare_trees(struct restart *restart, const struct plan *launched, const struct plan *next)
{
	struct landlock_trees was = { 0 }, now = { 0 };
	struct names missing = { 0 };
	int err = landlock_trees(launched, &was);

	if (!err)
		err = landlock_trees(next, &now);
	for (size_t i = 0; !err && i < now.n; i++) {
		struct landlock_tree *tree = &now.list[i];

		tree->access &= launched->landlock_fs;
		if (!(tree->access & LANDLOCK_ACCESS_FS_EXECUTE) || tree_has(&was, tree))
			continue;
		if (missing.n++ < NAMES_MAX)
			text_addf(&missing.text, "%s%s", missing.n > 1 ? ", " : "", tree->path);
	}
	if (missing.n)
		say(restart, false, "exec of %s: Landlock, as it was at launch, goes on refusing it", missing.text.s);
	free(text_take(&missing.text));
	landlock_trees_free(&was);
	landlock_trees_free(&now);
	return err;
}

static int compare_landlock(struct restart *restart, const struct plan *launched, const struct plan *next)
{
	struct text text = { 0 };
	uint64_t lacks = next->landlock_fs & ~launched->landlock_fs;

	for (int bit = 0; bit < 64; bit++)
		if (lacks >> bit & 1 && landlock_right_name(UINT64_C(1) << bit))
			text_addf(&text, "%s%s", text.len ? ", " : "", landlock_right_name(UINT64_C(1) << bit));
	if (next->landlock_net & ~launched->landlock_net)
		text_addf(&text, "%sTCP ports", text.len ? ", " : "");
	if (text.len)
		say(restart, false, "Landlock, the second layer, does not refuse %s: the program was launched looser", text.s);
	free(text_take(&text));
	if (!(launched->landlock_fs & LANDLOCK_ACCESS_FS_EXECUTE) || same_exec(launched->policy, next->policy))
		return 0;
	return compare_trees(restart, launched, next);
}

/* What was left to the kernel at launch is decided as it was then, and of the rest every call comes. */
static void compare_reads(struct restart *restart, const struct plan *launched, struct plan *next)
{
	if (launched->reads && !reads_same(launched, next))
		say(restart, true, "opens that only read were left to the kernel at launch, by the rules of then%s%s",
		    next->reads ? "" : "; now they need the broker: ", next->reads ? "" : next->reads_why);
	if (launched->reads == READS_VIEW && next->landlock_fs & ~launched->landlock_fs & LANDLOCK_ACCESS_FS_READ_FILE)
		say(restart, true, "the program was launched without unix sockets, and nothing keeps it from what a directory that comes over one holds");
	next->reads = launched->reads;
}

/* What Landlock decides by itself stays as it was. */
static void compare_ports(struct restart *restart, const struct plan *launched, const struct plan *next)
{
	bool looser = false, stricter = false;

	for (uint32_t port = 0; port <= UINT16_MAX; port++) {
		bool was = ports_allow(launched, (uint16_t)port), now = ports_allow(next, (uint16_t)port);

		looser |= was && !now;
		stricter |= now && !was;
	}
	if (looser)
		say(restart, true, "Landlock, as it was at launch, lets TCP sockets connect to ports that the policy denies");
	if (stricter)
		say(restart, false, "Landlock, as it was at launch, goes on refusing TCP ports that the policy allows");
}

/* ---- limits --------------------------------------------------------------------------------- */

static void compare_limit(struct restart *restart, const char *name, uint64_t was, uint64_t now)
{
	if (was != now)
		say(restart, now && (!was || now < was), "limits { %s } was set at launch", name);
}

static void compare_limits(struct restart *restart, const struct policy *was, const struct policy *now)
{
	struct policy_diags diags = { 0 };
	struct limits a, b;

	(void)limits_read(&a, was, &diags);
	(void)limits_read(&b, now, &diags);
	policy_diags_free(&diags);
	if (a.capabilities != b.capabilities)
		say(restart, (a.capabilities & ~b.capabilities) != 0, "limits { capabilities } was set at launch");
	compare_limit(restart, "files", a.files, b.files);
	compare_limit(restart, "processes", a.processes, b.processes);
	compare_limit(restart, "memory", a.memory, b.memory);
	if (a.kill_on_exit != b.kill_on_exit)
		say(restart, b.kill_on_exit, "limits { supervisor-exit } was set at launch");
}

static bool same_words(const struct policy_setting *a, const struct policy_setting *b)
{
	bool same = a && b && a->n_words == b->n_words;

	for (size_t i = 0; same && i < a->n_words; i++)
		same = !strcmp(a->words[i], b->words[i]);
	return same || (!a && !b);
}

/* Where records go was opened at launch. */
static void compare_audit(struct restart *restart, const struct policy *was, const struct policy *now)
{
	static const char *const names[] = { "log", "level", "rotate", "fsync", "alert", "footprint" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!same_words(policy_setting(was, "audit", names[i]), policy_setting(now, "audit", names[i])))
			say(restart, false, "audit { %s } is as at launch", names[i]);
}

/* ---- all together --------------------------------------------------------------------------- */

int restart_find(struct restart *restart, const struct plan *launched, struct plan *next)
{
	int err;

	*restart = (struct restart){ 0 };
	if (launched->recorded)
		plan_record(next);
	if (next->topology_fixed && !launched->topology_fixed && !launched->mounts)
		say(restart, true, "the program may have changed what paths mean to it (chroot, mounts, namespaces): that was open");
	/* Its own files are forbidden by the ends of their names where the root may have been exchanged. */
	if (policy_pivots(next->policy) != policy_pivots(launched->policy))
		say(restart, true, "the root is exchanged (pivot_root) where the policy said so at launch, or never");
	if (next->mounts && !launched->mounts)
		say(restart, false, "mounts are not made for a program that was launched without mount rules");
	if (launched->mounts)
		next->topology_fixed = false;
	next->mounts = launched->mounts;
	/* In NEXT as the kernel has it: what was trapped is trapped, what paths meant they mean. */
	next->topology_fixed |= launched->topology_fixed;
	next->files |= launched->files;
	next->stat |= launched->stat;
	next->unix_paths |= launched->unix_paths;
	next->exec |= launched->exec;
	next->free &= launched->free;
	compare_reads(restart, launched, next);
	if (launched->ports)
		plan_ports(next);
	err = compare_filters(restart, launched, next);
	if (launched->ports && next->ports)
		compare_ports(restart, launched, next);
	next->ports = launched->ports;
	if (!err)
		err = compare_landlock(restart, launched, next);
	compare_limits(restart, launched->policy, next->policy);
	compare_audit(restart, launched->policy, next->policy);
	next->landlock_fs = launched->landlock_fs;
	next->landlock_net = launched->landlock_net;
	next->landlock_scoped = launched->landlock_scoped;
	return err;
}

void restart_unseen(struct restart *restart, const struct plan *launched)
{
	if (launched->reads)
		say(restart, false, "opens that only read are not seen: they were left to the kernel at launch (--layers broker would see them)");
	if (launched->ports)
		say(restart, false, "connects are not seen: they were left to Landlock at launch (--layers broker would see them)");
}

void restart_free(struct restart *restart)
{
	for (size_t i = 0; i < restart->n; i++)
		free(restart->lines[i]);
	*restart = (struct restart){ 0 };
}
