/* Siblings become directories, and the rules that are left. */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "tree_state.h"

#define OPS_READ  (OP_BIT(OP_READ) | OP_BIT(OP_LIST) | OP_BIT(OP_STAT))
#define OPS_WRITE (OP_BIT(OP_WRITE) | OP_BIT(OP_APPEND) | OP_BIT(OP_TRUNCATE) | OP_BIT(OP_CREATE) | OP_BIT(OP_DELETE) | \
		   OP_BIT(OP_RENAME) | OP_BIT(OP_LINK))
#define OPS_ATTR  (OP_BIT(OP_CHMOD) | OP_BIT(OP_CHOWN) | OP_BIT(OP_UTIME) | OP_BIT(OP_XATTR))

/* ---- what is never meant as a whole ---------------------------------------------------------- */

bool tree_protected(const char *dir)
{
	static const char *const whole[] = {
		"", "/", "/etc", "/proc", "/sys", "/dev", "/boot", "/root", "/home", "/usr", "/var", "/run", "/tmp", "/opt", "/srv", "/bin",
		"/sbin", "/lib", "/lib64", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/share", "/usr/local", "/usr/local/bin", "/usr/local/lib",
		"/var/lib", "/var/log", "/var/cache", "/var/run", "/var/tmp", "/var/spool", "/dev/shm", "/mnt", "/media",
	};
	static const char *const trees[] = { "/proc/", "/sys/", "/dev/", "/boot/" };

	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		if (strcmp(dir, whole[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		if (strncmp(dir, trees[i], strlen(trees[i])) == 0)
			return true;
	/* A home as a whole. */
	return strncmp(dir, "/home/", 6) == 0 && !strchr(dir + 6, '/');
}

bool tree_credential(const char *path)
{
	static const char *const inside[] = { "/.ssh/", "/.gnupg/", "/.aws/", "/.azure/", "/.kube/", "/.docker/", "/.password-store/" };
	static const char *const begins[] = { "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssl/private" };
	static const char *const ends[] = { "/.netrc", "/.pgpass", "/.git-credentials", "/.npmrc", "/.pypirc", "/.ssh", "/.gnupg", "/.aws", "/.azure",
					    "/.kube", "/.docker", "/.password-store", "/docker.sock" };
	size_t len = strlen(path);

	for (size_t i = 0; i < ARRAY_SIZE(inside); i++)
		if (strstr(path, inside[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(begins); i++)
		if (strncmp(path, begins[i], strlen(begins[i])) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t n = strlen(ends[i]);
		if (len >= n && strcmp(path + len - n, ends[i]) == 0)
			return true;
	}
	return false;
}

/* ---- folding --------------------------------------------------------------------------------- */

static uint32_t ops_within(const struct node *node)
{
	uint32_t ops = node->ops | node->below;

	for (size_t i = 0; i < node->n; i++)
		ops |= ops_within(node->children[i]);
	return ops;
}

static unsigned siblings(const struct node *node, uint32_t ops)
{
	unsigned n = 0;

	for (size_t i = 0; i < node->n; i++)
		if ((node->children[i]->ops | node->children[i]->below) & ops)
			n += node->children[i]->width;
	return n;
}

static bool holds_credentials(const struct node *node, const char *path)
{
	if (tree_credential(path))
		return true;
	for (size_t i = 0; i < node->n; i++) {
		AUTO_FREE char *below = text_printf("%s/%s", path, node->children[i]->name);
		if (holds_credentials(node->children[i], below))
			return true;
	}
	return false;
}

/* OPS of all that is below NODE are its own now. */
static void take_over(struct node *into, struct node *node, uint32_t ops)
{
	for (size_t i = 0; i < node->n; i++) {
		struct node *child = node->children[i];
		if (child->ops & ops) {
			stats_add(&into->inside, &child->stats);
			into->shapes++;
			if (!(child->ops & ~ops))
				child->stats = (struct stats){ 0 };
		}
		if (child->below & ops) {
			stats_add(&into->inside, &child->inside);
			into->shapes += child->shapes;
		}
		child->ops &= ~ops;
		child->below &= ~ops;
		take_over(into, child, ops);
	}
}

static const char *example_within(const struct node *node)
{
	for (size_t i = 0; i < node->n; i++) {
		const char *found = node->children[i]->example ? node->children[i]->example : example_within(node->children[i]);
		if (found)
			return found;
	}
	return NULL;
}

static uint32_t foldable(const struct node *node, enum tree_mood mood)
{
	const unsigned enough = mood == TREE_LOOSE ? SIBLINGS / 2 : SIBLINGS;
	uint32_t within = 0, ops = 0;
	bool owns = node->made_dir && node->n;

	for (size_t i = 0; i < node->n; i++)
		within |= ops_within(node->children[i]);

	if (owns || siblings(node, OPS_READ) >= enough)
		ops |= within & OPS_READ;
	if (owns || siblings(node, OPS_WRITE) >= enough || siblings(node, OP_BIT(OP_CREATE)) >= SIBLINGS / 2)
		ops |= within & OPS_WRITE;
	if (owns || ops & OPS_WRITE || siblings(node, OPS_ATTR) >= enough)
		ops |= within & OPS_ATTR;
	/* Where it writes, nothing is to be executed. */
	if (siblings(node, OP_BIT(OP_EXEC)) >= enough && !((within | node->ops) & OPS_WRITE))
		ops |= OP_BIT(OP_EXEC);
	/* Who makes and removes there will do more of that. */
	if (ops & OP_BIT(OP_CREATE) && ops & (OP_BIT(OP_DELETE) | OP_BIT(OP_RENAME)))
		ops |= OPS_WRITE | (OPS_READ & ~OP_BIT(OP_STAT));
	if (ops & OP_BIT(OP_READ))
		ops |= OP_BIT(OP_LIST);
	return ops;
}

static void fold(struct node *node, const char *path, enum tree_mood mood)
{
	uint32_t ops;

	for (size_t i = 0; i < node->n; i++) {
		AUTO_FREE char *below = text_printf("%s/%s", path, node->children[i]->name);
		fold(node->children[i], below, mood);
	}
	if (tree_protected(path) || holds_credentials(node, path))
		return;
	ops = foldable(node, mood);
	if (!ops)
		return;
	take_over(node, node, ops);
	node->below |= ops;
	if (!node->example) {
		const char *example = example_within(node);
		node->example = example ? text_copy(example) : NULL;
	}
}

void tree_generalise(struct node *tree, enum tree_mood mood, unsigned n_runs)
{
	tree_shape(tree, "", n_runs);
	if (mood != TREE_TIGHT)
		fold(tree, "", mood);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void emit(const struct node *node, const char *path, uint32_t covered, tree_rule_fn *fn, void *ctx)
{
	uint32_t below = node->below & ~covered, ops = node->ops & ~covered & ~below;

	if (below) {
		AUTO_FREE char *glob = text_printf("%s/", path);
		const char *example = example_within(node);
		const struct tree_rule rule = {
			.glob = glob, .ops = below, .files = node->inside.files + node->stats.files, .shapes = node->shapes,
			.calls = node->inside.calls + node->stats.calls, .runs = node->inside.runs | node->stats.runs,
			.example = example ? example : node->example,
		};
		fn(ctx, &rule);
	}
	if (ops) {
		const struct tree_rule rule = {
			.glob = *path ? path : "/", .ops = ops, .files = node->stats.files, .shapes = node->width, .calls = node->stats.calls,
			.runs = node->stats.runs, .example = node->pattern || node->stats.files > 1 ? node->example : NULL,
		};
		fn(ctx, &rule);
	}
	for (size_t i = 0; i < node->n; i++) {
		AUTO_FREE char *child = text_printf("%s/%s", path, node->children[i]->name);
		emit(node->children[i], child, covered | node->below, fn, ctx);
	}
}

void tree_rules(const struct node *tree, tree_rule_fn *fn, void *ctx)
{
	emit(tree, "", 0, fn, ctx);
}
