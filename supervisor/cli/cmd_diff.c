/*
 * usher diff: what another policy would change.
 *
 * Nothing is sampled where paths are concerned: policy/difference.c proves on the automata of both. What is printed is one
 * line for each pair of rules, with one path to show. Mounts are sampled (policy/difference_mounts.c), and that is said.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "difference.h"
#include "escape.h"
#include "evidence/mounted.h"
#include "evidence/source.h"
#include "fd.h"
#include "json.h"
#include "mount_text.h"
#include "style.h"
#include "syscalls.h"
#include "text.h"

enum { OPT_FOOTPRINT = CLI_LONG };

static const struct cli_option options[] = {
	{ "footprint", OPT_FOOTPRINT, "FILE", "say how often what was recorded there meets each change" },
	CLI_OPTION_SET,
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_diff = {
	.name = "diff",
	.usage = "[OPTIONS] POLICY POLICY",
	.summary = "what changes between two policies: newly denied, newly allowed, with a path for each",
	.details =
		"Compares what the policies decide, not how they are written: for every path and socket that there is or\n"
		"could be, and for every system call. Each change is shown once, with the rule that decides before and after\n"
		"and the shortest path for which that is so. `at stage log` marks what is not enforced in either, but would\n"
		"be decided differently without stages. With --footprint the changes that recorded accesses meet come first, with\n"
		"their number and the most frequent of them instead of the shortest path. usher's own files are left out, and so are limits and audit settings.\n"
		"Rules about mount are compared at mounts that the rules spell and that were recorded (--footprint): where they are not\n"
		"the same, that is said, and no difference is no proof.\n"
		"\n"
		"Exit status: 0 they decide the same; 1 they do not, or that is not proved; 2 usage; 3 a policy\n"
		"is invalid; 5 a file cannot be read.",
	.examples = { "usher diff web ./web-next.policy", "usher diff --footprint web.fp ./old.policy ./new.policy" },
	.options = options,
	.run = run,
};

/* How much of what was recorded meets a change. */
struct weight {
	uint64_t accesses, calls, most;
	char *example;
};

struct diff {
	const struct cli *cli;
	struct policy *before, *after;
	struct differences found;
	const char *footprint;
	struct weight *weights;		/* of each of .found; NULL: no footprint */
	size_t *order;			/* in which they are shown */
};

static const char *const headings[] = {
	[DIFFERENCE_DENIED] = "newly DENIED", [DIFFERENCE_ALLOWED] = "newly ALLOWED", [DIFFERENCE_OTHER] = "otherwise CHANGED",
};
static const char *const keys[] = {
	[DIFFERENCE_DENIED] = "newly_denied", [DIFFERENCE_ALLOWED] = "newly_allowed", [DIFFERENCE_OTHER] = "changed",
};

/* ---- what it is about ---- */

static void add_target(struct text *text, const struct difference *d, const struct weight *weight)
{
	if (d->witness) {
		changes_add_ops(text, d->ops);
		if (d->peer)
			text_addf(text, " %s ", policy_proto_name(d->proto));
		else
			text_puts(text, d->ops & OPS_NETWORK && !(d->ops & OPS_FILES) ? " unix " : " ");
		text_puts(text, weight && weight->example ? weight->example : d->witness);
		return;
	}
	const struct syscall_info *info = syscall_by_nr(d->nr);
	unsigned n = 6;
	text_puts(text, info ? info->name : "?");
	while (n && !d->args[n - 1])
		n--;
	for (unsigned i = 0; i < n; i++)
		text_addf(text, "%s0x%" PRIx64, i ? ", " : "(", d->args[i]);
	text_puts(text, n ? ")" : "");
}

/* ---- for people ---- */

static size_t count(const struct diff *diff, enum difference_kind kind)
{
	size_t n = 0;
	for (size_t i = 0; i < diff->found.n; i++)
		n += diff->found.list[i].kind == kind;
	return n;
}

static void print_one(const struct diff *diff, size_t i)
{
	const struct difference *d = &diff->found.list[i];
	const struct weight *weight = diff->weights ? &diff->weights[i] : NULL;
	struct text text = { 0 };
	text_puts(&text, "  ");
	add_target(&text, d, weight);
	text_puts(&text, d->staged ? "   (at stage log)" : "");
	if (weight && weight->accesses)
		text_addf(&text, "   %" PRIu64 " access%s, %" PRIu64 " call%s", weight->accesses, weight->accesses == 1 ? "" : "es", weight->calls,
			  weight->calls == 1 ? "" : "s");
	AUTO_FREE char *target = escape_dup(text.s, text.len);
	text.len = 0;
	changes_add_verdict(&text, diff->before, &d->before);
	AUTO_FREE char *was = escape_dup(text.s, text.len);
	text.len = 0;
	changes_add_verdict(&text, diff->after, &d->after);
	AUTO_FREE char *is = escape_dup(text.s, text.len);
	printf("%s\n      was %s\n      now %s\n", target, was, is);
	free(text_take(&text));
}

static void print_kind(const struct diff *diff, enum difference_kind kind)
{
	static const char *const colors[] = {
		[DIFFERENCE_DENIED] = COLOR_RED, [DIFFERENCE_ALLOWED] = COLOR_YELLOW, [DIFFERENCE_OTHER] = COLOR_BOLD,
	};
	size_t n = count(diff, kind);
	bool color = diff->cli->color_out && n;
	if (!n && kind == DIFFERENCE_OTHER)
		return;
	printf("%s%s%s  %zu\n", color ? colors[kind] : "", headings[kind], color ? COLOR_OFF : "", n);
	for (size_t i = 0; i < diff->found.n; i++)
		if (diff->found.list[diff->order[i]].kind == kind)
			print_one(diff, diff->order[i]);
}

static void print_text(const struct diff *diff)
{
	char before[300], after[300];
	printf("%s -> %s\n", changes_name(diff->before, before, sizeof(before)), changes_name(diff->after, after, sizeof(after)));
	for (int kind = DIFFERENCE_DENIED; kind <= DIFFERENCE_OTHER; kind++)
		print_kind(diff, (enum difference_kind)kind);
	if (diff->found.partial)
		printf("The search ended at its limit: there may be more.\n");
	if (diff->found.mounts)
		printf("Rules about mount differ, and were compared at what they spell%s only: there may be more.\n",
		       diff->footprint ? " and what was recorded" : "");
}

/* ---- JSON ---- */

static json_t *one_json(const struct diff *diff, size_t i)
{
	const struct difference *d = &diff->found.list[i];
	json_t *object = json_pack("{s:b, s:o, s:o}", "staged", (int)d->staged, "before", changes_verdict_json(diff->before, &d->before),
				   "after", changes_verdict_json(diff->after, &d->after));
	if (diff->weights) {
		json_object_set_new(object, "accesses", json_integer((json_int_t)diff->weights[i].accesses));
		json_object_set_new(object, "calls", json_integer((json_int_t)diff->weights[i].calls));
		if (diff->weights[i].example)
			json_object_set_new(object, "example", json_text(diff->weights[i].example));
	}
	if (d->witness) {
		json_object_set_new(object, "ops", changes_ops_json(d->ops));
		json_object_set_new(object, "witness", json_text(d->witness));
		if (d->peer)
			json_object_set_new(object, "proto", json_string(policy_proto_name(d->proto)));
		return object;
	}
	const struct syscall_info *info = syscall_by_nr(d->nr);
	json_t *args = json_array();
	for (int k = 0; k < 6; k++) {
		char number[24];
		snprintf(number, sizeof(number), "0x%" PRIx64, d->args[k]);
		json_array_append_new(args, json_string(number));
	}
	json_object_set_new(object, "syscall", json_string(info ? info->name : "?"));
	json_object_set_new(object, "args", args);
	return object;
}

static void print_json(const struct diff *diff, int status)
{
	char before[300], after[300];
	json_t *answer = json_pack("{s:o, s:o, s:b, s:b}", "before", json_text(changes_name(diff->before, before, sizeof(before))), "after",
				   json_text(changes_name(diff->after, after, sizeof(after))), "partial", (int)diff->found.partial, "mounts_sampled",
				   (int)diff->found.mounts);
	for (int kind = DIFFERENCE_DENIED; kind <= DIFFERENCE_OTHER; kind++) {
		json_t *list = json_array();
		for (size_t i = 0; i < diff->found.n; i++)
			if (diff->found.list[diff->order[i]].kind == (enum difference_kind)kind)
				json_array_append_new(list, one_json(diff, diff->order[i]));
		json_object_set_new(answer, keys[kind], list);
	}
	json_print("diff", answer, status);
}

/* ---- the footprint ---- */

static struct weight *weight_of(struct diff *diff, uint32_t ops, const struct policy_decision *before, const struct policy_decision *after)
{
	bool staged;
	enum difference_kind kind = difference_of(before, after, &staged);
	const struct policy_verdict *was = staged ? &before->would : &before->enforced, *is = staged ? &after->would : &after->enforced;
	for (size_t i = 0; kind != DIFFERENCE_NONE && i < diff->found.n; i++) {
		const struct difference *d = &diff->found.list[i];
		if (!d->peer && !(d->ops & OP_BIT(OP_MOUNT)) == !(ops & OP_BIT(OP_MOUNT)) && d->kind == kind && d->staged == staged && d->before.rule == was->rule && d->after.rule == is->rule &&
		    policy_denies(&d->before) == policy_denies(was) && policy_denies(&d->after) == policy_denies(is))
			return &diff->weights[i];
	}
	return NULL;
}

static void weight_add(struct weight *weight, const struct access *access, const char *example, size_t len)
{
	weight->accesses++;
	weight->calls += access->count;
	if (access->count <= weight->most)
		return;
	free(weight->example);
	weight->example = text_dup(example, len);
	weight->most = access->count;
}

static int weigh_mount(struct diff *diff, const struct policy_mount *mount, const struct access *access)
{
	struct policy_decision before = policy_decide_mount(diff->before, mount), after = policy_decide_mount(diff->after, mount);
	struct weight *weight = weight_of(diff, OP_BIT(OP_MOUNT), &before, &after);
	struct text text = { 0 };
	mount_text(&text, mount);
	if (weight)
		weight_add(weight, access, text.s, text.len);
	free(text_take(&text));
	return 0;
}

/* What was mounted is compared as well. */
static int take_mount(void *ctx, const struct access *access)
{
	struct diff *diff = ctx;
	struct mounted mounted;
	int error = 0;
	if (!(access->ops & OP_BIT(OP_MOUNT)))
		return 0;
	if (mounted_read(access, &mounted))
		error = diff->weights ? weigh_mount(diff, &mounted.mount, access)
				      : differences_mount(&diff->found, diff->before, diff->after, &mounted.mount);
	mounted_free(&mounted);
	return error;
}

/* Each operation by itself: the rules that decide may be others. */
static int weigh(void *ctx, const struct access *access)
{
	struct diff *diff = ctx;
	struct weight *last = NULL;
	if (access->ops & OP_BIT(OP_MOUNT))
		return take_mount(ctx, access);
	/* That is allowed where no rule speaks of it, whatever the default. */
	if (access->ops & OP_BIT(OP_UMOUNT) && access->via.len)
		return 0;
	for (uint32_t left = access->proto < 0 ? access->ops : 0; left; left &= left - 1) {
		uint32_t op = left & -left;
		struct policy_decision before = policy_decide_path(diff->before, op, access->object.s, access->object.len);
		struct policy_decision after = policy_decide_path(diff->after, op, access->object.s, access->object.len);
		struct weight *weight = weight_of(diff, op, &before, &after);
		if (!weight || weight == last)
			continue;
		last = weight;
		weight_add(weight, access, access->object.s, access->object.len);
	}
	return 0;
}

static int by_weight(const void *left, const void *right, void *ctx)
{
	const struct diff *diff = ctx;
	size_t a = *(const size_t *)left, b = *(const size_t *)right;
	uint64_t of_a = diff->weights[a].calls, of_b = diff->weights[b].calls;
	return of_a != of_b ? (of_a < of_b) - (of_a > of_b) : (a > b) - (a < b);
}

static int read_footprint(struct diff *diff, source_fn *fn)
{
	struct source source = { .file = diff->footprint };
	int error = diff->footprint ? source_read(&source, fn, diff) : 0;
	if (error)
		cli_error(diff->cli, "%s: %s", diff->footprint, source.why ? source.why : strerror(-error));
	return error ? CLI_UNREACHABLE : 0;
}

static int put_in_order(struct diff *diff)
{
	int status = read_footprint(diff, take_mount);
	if (status)
		return status;
	diff->order = mem_zero((diff->found.n + 1) * sizeof(*diff->order));
	for (size_t i = 0; i < diff->found.n; i++)
		diff->order[i] = i;
	if (!diff->footprint)
		return 0;
	diff->weights = mem_zero((diff->found.n + 1) * sizeof(*diff->weights));
	status = read_footprint(diff, weigh);
	if (status)
		return status;
	qsort_r(diff->order, diff->found.n, sizeof(*diff->order), by_weight, diff);
	return 0;
}

/* ---- the verb ---- */

static int compare(struct diff *diff)
{
	int error = differences_find(&diff->found, diff->before, diff->after);
	if (error) {
		cli_error(diff->cli, "cannot compare: %s", strerror(-error));
		return CLI_UNREACHABLE;
	}
	int status = put_in_order(diff);
	if (status)
		return status;
	status = diff->found.n || diff->found.partial || diff->found.mounts ? CLI_NO : CLI_OK;
	if (diff->cli->json)
		print_json(diff, status);
	else if (!diff->cli->quiet)
		print_text(diff);
	return status;
}

static int run(int argc, char **argv, struct cli *cli)
{
	struct diff diff = { .cli = cli };
	static const struct cli_load load = { .json = "diff" };
	int opt;
	while ((opt = cli_next(cli, &cli_verb_diff, argc, argv)) >= 0)
		diff.footprint = optarg;
	if (opt != CLI_END)
		return cli_stop(&cli_verb_diff, opt);
	if (argc - optind != 2)
		return cli_usage(cli, &cli_verb_diff, "which two policies?");
	int status = cli_load_policy(cli, argv[optind], &load, &diff.before);
	if (!status)
		status = cli_load_policy(cli, argv[optind + 1], &load, &diff.after);
	if (!status)
		status = compare(&diff);
	for (size_t i = 0; diff.weights && i < diff.found.n; i++)
		free(diff.weights[i].example);
	free(diff.weights);
	free(diff.order);
	differences_free(&diff.found);
	policy_free(diff.before);
	policy_free(diff.after);
	return status;
}
