/*
 * Mounts. What was mounted on one place from one source is one rule: it wants the restrictions that were asked for each time, and allows
 * the options that were given; what counts something is bounded by the most there was. File systems that are made of what somebody
 * wrote are proposed to nobody: who trusts that says so.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/mounted.h"
#include "fd.h"
#include "learn.h"
#include "mount_text.h"
#include "shape.h"

#define RESTRICTIONS (MOUNT_BIT(MOUNT_RO) | MOUNT_BIT(MOUNT_NOSUID) | MOUNT_BIT(MOUNT_NODEV) | MOUNT_BIT(MOUNT_NOEXEC) | MOUNT_BIT(MOUNT_NOSYMFOLLOW))
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+:@%-"

/* ---- what is seen --------------------------------------------------------------------------- */

static struct bytes copy(struct bytes bytes)
{
	return (struct bytes){ text_dup(bytes.len ? bytes.s : "", bytes.len), bytes.len };
}

static bool same(struct bytes a, struct bytes b)
{
	return a.len == b.len && (!a.len || memcmp(a.s, b.s, a.len) == 0);
}

void learn_see_mount(struct learn *learn, const struct access *access, uint64_t run)
{
	for (size_t i = 0; i < learn->n_mounts; i++) {
		struct learn_mount *mount = &learn->mounts[i];
		const struct access *seen = &mount->access;
		if (seen->ops == access->ops && seen->error == access->error && same(seen->object, access->object) && same(seen->to, access->to) &&
		    same(seen->via, access->via)) {
			mount->access.count += access->count;
			mount->runs |= run;
			return;
		}
	}
	struct learn_mount *mount = mem_push(&learn->mounts, &learn->n_mounts);
	*mount = (struct learn_mount){ .access = *access, .runs = run };
	mount->access.object = copy(access->object);
	mount->access.to = copy(access->to);
	mount->access.via = copy(access->via);
}

bool learn_mount_possible(const struct access *access)
{
	struct mounted mounted;
	bool possible = access->ops == OP_BIT(OP_UMOUNT) || mounted_read(access, &mounted);

	if (access->ops != OP_BIT(OP_UMOUNT))
		mounted_free(&mounted);
	return possible;
}

void learn_mount_free(struct learn_mount *mount)
{
	free((char *)(uintptr_t)mount->access.object.s);
	free((char *)(uintptr_t)mount->access.to.s);
	free((char *)(uintptr_t)mount->access.via.s);
}

char *learn_mount_text(const struct learn_mount *mount)
{
	struct text text = { 0 };
	struct mounted mounted;

	if (mount->access.ops == OP_BIT(OP_UMOUNT))
		return text_printf("umount %s", mount->access.object.s);
	text_puts(&text, "mount ");
	if (mounted_read(&mount->access, &mounted))
		mount_text(&text, &mounted.mount);
	mounted_free(&mounted);
	return text_take(&text);
}

static bool is_plain(const char *text)
{
	return *text && text[strspn(text, PLAIN)] == '\0';
}

const char *learn_mount_objection(const struct learn_mount *mount)
{
	const char *why = NULL;
	struct mounted mounted;

	if (mount->access.ops == OP_BIT(OP_UMOUNT))
		return NULL;
	if (!mounted_read(&mount->access, &mounted))
		why = "it cannot have been";
	else if (policy_mount_image(mounted.mount.fstype))
		why = "the kernel parses what somebody wrote: if it is to be trusted, add a rule with trusted-image";
	for (size_t i = 0; !why && i < mounted.mount.n_options; i++)
		if (!is_plain(mounted.mount.options[i].name) || (mounted.mount.options[i].value && !is_plain(mounted.mount.options[i].value)))
			why = "it has an option that is not proposed: write the rule yourself";
	mounted_free(&mounted);
	return why;
}

/* ---- rules ---------------------------------------------------------------------------------- */

struct limit { char *name, *value; uint64_t most; enum { IS_SET, IS_VALUE, IS_NUMBER, IS_PATH } kind; };

struct mount_rule {
	char *head;		/* up to the place */
	uint32_t flags;
	struct limit *limits;
	size_t n_limits;
	uint64_t calls, runs;
};

/* Names that the program makes up will be others next time. */
static char *place_glob(const char *path, enum tree_mood mood)
{
	struct text glob = { 0 };

	for (const char *at = path; *at; ) {
		size_t len = strcspn(at + 1, "/");
		text_puts(&glob, "/");
		if (mood == TREE_TIGHT)
			shape_literal(&glob, at + 1, len);
		else
			(void)shape_add(&glob, at + 1, len, SHAPE_MADE);
		at += 1 + len;
	}
	return text_take(&glob);
}

static bool counts(const char *name)
{
	return !strcmp(name, "size") || !strncmp(name, "nr_", 3);
}

static void add_limit(struct mount_rule *rule, const char *fstype, const struct policy_mount_option *option)
{
	bool layer = !strcmp(fstype, "overlay") && option->value && option->value[0] == '/';
	struct limit limit = { .kind = layer ? IS_PATH : option->value ? IS_VALUE : IS_SET };

	if (option->value && !layer && counts(option->name) && policy_mount_number(option->value, &limit.most))
		limit.kind = IS_NUMBER;
	for (size_t i = 0; i < rule->n_limits; i++) {
		struct limit *known = &rule->limits[i];
		if (strcmp(known->name, option->name) != 0 || known->kind != limit.kind)
			continue;
		if (limit.kind == IS_NUMBER && limit.most > known->most) {
			free(known->value);
			known->value = text_copy(option->value);
			known->most = limit.most;
		}
		if (limit.kind == IS_NUMBER || limit.kind == IS_SET || !strcmp(known->value, option->value))
			return;
	}
	limit.name = text_copy(option->name);
	limit.value = text_copy(option->value);
	*mem_push(&rule->limits, &rule->n_limits) = limit;
}

/* "mount tmpfs on /a" */
static char *head_of(const struct learn_mount *seen, const struct policy_mount *mount, enum tree_mood mood)
{
	AUTO_FREE char *on = place_glob(seen->access.object.s, mood);
	struct text head = { 0 }, from = { 0 };

	text_puts(&head, seen->access.ops == OP_BIT(OP_UMOUNT) ? "umount " : "mount ");
	if (mount)
		text_addf(&head, "%s ", mount->fstype);
	if (mount && mount->from) {
		shape_literal(&from, mount->from, strlen(mount->from));
		text_puts(&head, "from ");
		shape_word(&head, from.s);
		text_puts(&head, " ");
	}
	text_puts(&head, mount ? "on " : "");
	shape_word(&head, *on ? on : "/");
	free(text_take(&from));
	return text_take(&head);
}

static void add_mount(struct mount_rule **rules, size_t *n, const struct learn_mount *seen, enum tree_mood mood)
{
	struct mounted mounted;
	bool mount = mounted_read(&seen->access, &mounted);
	char *head = head_of(seen, mount ? &mounted.mount : NULL, mood);
	size_t k = 0;

	while (k < *n && strcmp((*rules)[k].head, head) != 0)
		k++;
	if (k == *n)
		*mem_push(rules, n) = (struct mount_rule){ .head = head, .flags = mount ? mounted.mount.flags & RESTRICTIONS : 0 };
	else
		free(head);
	struct mount_rule *rule = &(*rules)[k];
	rule->flags &= mount ? mounted.mount.flags : 0;
	rule->calls += seen->access.count;
	rule->runs |= seen->runs;
	for (size_t i = 0; mount && i < mounted.mount.n_options; i++)
		add_limit(rule, mounted.mount.fstype, &mounted.mount.options[i]);
	mounted_free(&mounted);
}

static void write_rule(struct text *text, const struct mount_rule *rule, const char *indent)
{
	static const char *const operators[] = { [IS_SET] = "", [IS_VALUE] = "=", [IS_NUMBER] = "<=", [IS_PATH] = " under " };
	unsigned runs = (unsigned)__builtin_popcountll(rule->runs);

	text_addf(text, "%sallow %s", indent, rule->head);
	if (rule->flags) {
		text_puts(text, " flags ");
		mount_text_flags(text, rule->flags);
	}
	for (size_t i = 0; i < rule->n_limits; i++)
		text_addf(text, "%s%s%s%s", i ? ", " : " options ", rule->limits[i].name, operators[rule->limits[i].kind],
			  rule->limits[i].value ? rule->limits[i].value : "");
	text_addf(text, ";   # %" PRIu64 " call%s", rule->calls, rule->calls == 1 ? "" : "s");
	if (runs > 1)
		text_addf(text, ", %u runs", runs);
	text_puts(text, "\n");
}

unsigned learn_mount_rules(const struct learn *learn, enum tree_mood mood, const char *indent, struct text *text)
{
	struct mount_rule *rules = NULL;
	size_t n = 0;

	for (size_t i = 0; i < learn->n_mounts; i++)
		add_mount(&rules, &n, &learn->mounts[i], mood);
	for (size_t i = 0; i < n; i++) {
		write_rule(text, &rules[i], indent);
		for (size_t k = 0; k < rules[i].n_limits; k++) {
			free(rules[i].limits[k].name);
			free(rules[i].limits[k].value);
		}
		free(rules[i].limits);
		free(rules[i].head);
	}
	free(rules);
	return (unsigned)n;
}
