/*
 * usher replay: what another policy would have decided of what was recorded.
 *
 * The rows of a footprint come in the order of their objects, so that equal accesses of several programs and runs follow each other and
 * are judged once.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "escape.h"
#include "evidence/judge.h"
#include "evidence/mounted.h"
#include "evidence/source.h"
#include "fd.h"
#include "json.h"
#include "mount_text.h"
#include "since.h"
#include "style.h"
#include "text.h"

enum { OPT_AGAINST = CLI_LONG, OPT_SINCE };

static const struct cli_option options[] = {
	{ "against", OPT_AGAINST, "POLICY", "the policy that is to decide; -p is the same" },
	{ "policy", 'p', "POLICY", "as --against" },
	{ "since", OPT_SINCE, "TIME", "only what happened since: 7d, 12h, 2026-11-21" },
	CLI_OPTION_SET,
	{ NULL, 0, NULL, NULL },
};

static int run(int argc, char **argv, struct cli *cli);

const struct cli_verb cli_verb_replay = {
	.name = "replay",
	.usage = "[OPTIONS] RECORD... --against POLICY",
	.summary = "what a policy would have decided of recorded accesses",
	.details =
		"RECORD is a footprint (run --record), an audit log, strace output, or seccomp records of ausearch --raw.\n"
		"Each access is decided again, by the rules that run enforces. What would be denied now and was not, and what\n"
		"would be allowed now and was denied, is printed with its count and the rule that decides. A denial that gives\n"
		"the program the very answer it got (ENOENT for what is not there) changes nothing. What only a rule at\n"
		"stage log would deny is listed, and does not count.\n"
		"\n"
		"Exit status: 0 nothing would change; 1 something would; 2 usage; 3 the policy is invalid; 5 a file cannot be\n"
		"read, or holds no accesses.",
	.examples = { "usher replay web.fp --against ./web-next.policy", "usher replay --json --since 7d /var/log/usher/web.jsonl --against web" },
	.options = options,
	.run = run,
};

struct changed {
	struct bytes object, to;	/* .s owned */
	char *mount;			/* NULL, or the mount in words; owned */
	uint32_t ops;
	int proto, error;
	enum access_verdict was;
	enum change change;
	struct policy_verdict verdict;
	char *program;
	bool programs;			/* more than that one */
	uint64_t calls;
};

struct replay {
	const struct cli *cli;
	struct policy *policy;
	int64_t since_ns;
	struct changed *list;
	size_t n;
	uint64_t accesses, calls, not_judged, runs, killed, lost, skipped;
	int64_t first_ns, last_ns;

	/* The access before, as far as its judgement goes. */
	struct access last;
	char *last_text;
	size_t last_size;
	struct policy_decision last_decision;
	enum judged last_judged;
	bool last_listed;
};

/* ---- judging --------------------------------------------------------------------------------- */

static bool same_bytes(struct bytes a, struct bytes b)
{
	return a.len == b.len && (!a.len || memcmp(a.s, b.s, a.len) == 0);
}

static bool same_access(const struct access *a, const struct access *b)
{
	return a->ops == b->ops && a->to_ops == b->to_ops && a->proto == b->proto && a->tree == b->tree && same_bytes(a->object, b->object) &&
	       same_bytes(a->to, b->to) && same_bytes(a->via, b->via);
}

/* A copy that outlives the row. */
static int keep(struct replay *replay, const struct access *access)
{
	size_t size = access->object.len + access->to.len + access->via.len + 1;
	if (size > replay->last_size) {
		char *text = realloc(replay->last_text, 2 * size);
		if (!text)
			return -ENOMEM;
		replay->last_text = text;
		replay->last_size = 2 * size;
	}
	replay->last = *access;
	struct bytes *parts[] = { &replay->last.object, &replay->last.to, &replay->last.via };
	char *at = replay->last_text;
	for (size_t i = 0; i < 3; i++) {
		if (parts[i]->len)
			memcpy(at, parts[i]->s, parts[i]->len);
		parts[i]->s = at;
		at += parts[i]->len;
	}
	return 0;
}

static struct bytes copy(struct bytes bytes)
{
	return (struct bytes){ text_dup(bytes.len ? bytes.s : "", bytes.len), bytes.len };
}

static char *mount_of(const struct access *access)
{
	struct mounted mounted;
	struct text text = { 0 };
	bool good = access->ops & OP_BIT(OP_MOUNT) && mounted_read(access, &mounted);
	if (good)
		mount_text(&text, &mounted.mount);
	if (access->ops & OP_BIT(OP_MOUNT))
		mounted_free(&mounted);
	return good ? text_take(&text) : NULL;
}

static void list(struct replay *replay, const struct access *a, enum change change, const struct policy_verdict *verdict)
{
	struct changed *last = replay->n ? &replay->list[replay->n - 1] : NULL;
	if (replay->last_listed && last && last->was == a->verdict && last->error == a->error) {
		last->calls += a->count;
		last->programs |= strlen(last->program) != a->program.len || memcmp(last->program, a->program.s, a->program.len) != 0;
		return;
	}
	*mem_push(&replay->list, &replay->n) = (struct changed){
		.object = copy(a->object), .to = copy(a->to), .ops = a->ops, .proto = a->proto, .error = a->error,
		.was = a->verdict, .change = change, .verdict = *verdict, .program = text_dup(a->program.len ? a->program.s : "", a->program.len),
		.calls = a->count, .mount = mount_of(a),
	};
}

static int take(void *ctx, const struct access *access)
{
	struct replay *replay = ctx;
	bool again = replay->accesses && same_access(&replay->last, access);
	if (!again) {
		int error = keep(replay, access);
		if (error)
			return error;
		replay->last_judged = judge_access(replay->policy, access, &replay->last_decision);
		replay->last_listed = false;
	}
	replay->accesses++;
	replay->calls += access->count;
	if (!replay->first_ns || access->first_ns < replay->first_ns)
		replay->first_ns = access->first_ns;
	if (access->last_ns > replay->last_ns)
		replay->last_ns = access->last_ns;
	replay->not_judged += replay->last_judged != JUDGED;
	enum change change = replay->last_judged == JUDGED ? judge_change(access, &replay->last_decision) : CHANGE_NONE;
	if (change != CHANGE_NONE)
		list(replay, access, change, change == CHANGE_WOULD_DENY ? &replay->last_decision.would : &replay->last_decision.enforced);
	replay->last_listed = change != CHANGE_NONE;
	return 0;
}

/* ---- the order of what is printed ------------------------------------------------------------- */

static int by_object(const void *left, const void *right)
{
	const struct changed *a = left, *b = right;
	size_t len = a->object.len < b->object.len ? a->object.len : b->object.len;
	int order = (int)a->change - (int)b->change;
	if (!order)
		order = memcmp(a->object.s, b->object.s, len);
	if (!order)
		order = (a->object.len > b->object.len) - (a->object.len < b->object.len);
	if (!order)
		order = (a->ops > b->ops) - (a->ops < b->ops);
	return order || !a->mount || !b->mount ? order : strcmp(a->mount, b->mount);
}

static int by_calls(const void *left, const void *right)
{
	const struct changed *a = left, *b = right;
	return a->calls != b->calls ? (a->calls < b->calls) - (a->calls > b->calls) : by_object(left, right);
}

static void changed_free(struct changed *changed)
{
	free((char *)(uintptr_t)changed->object.s);
	free((char *)(uintptr_t)changed->to.s);
	free(changed->mount);
	free(changed->program);
}

/* One of each, the most frequent first. */
static void settle(struct replay *replay)
{
	size_t n = 0;
	if (!replay->n)
		return;
	qsort(replay->list, replay->n, sizeof(*replay->list), by_object);
	for (size_t i = 1; i < replay->n; i++) {
		struct changed *kept = &replay->list[n], *next = &replay->list[i];
		if (by_object(kept, next) == 0 && same_bytes(kept->to, next->to) && kept->verdict.rule == next->verdict.rule) {
			kept->calls += next->calls;
			kept->programs |= next->programs || strcmp(kept->program, next->program) != 0;
			changed_free(next);
		} else {
			replay->list[++n] = *next;
		}
	}
	replay->n = n + 1;
	qsort(replay->list, replay->n, sizeof(*replay->list), by_calls);
}

static size_t count(const struct replay *replay, enum change change, uint64_t *calls)
{
	size_t n = 0;
	*calls = 0;
	for (size_t i = 0; i < replay->n; i++) {
		if (replay->list[i].change != change)
			continue;
		n++;
		*calls += replay->list[i].calls;
	}
	return n;
}

/* ---- printing -------------------------------------------------------------------------------- */

static const char *const headings[] = {
	[CHANGE_DENIED] = "newly DENIED", [CHANGE_ALLOWED] = "newly ALLOWED", [CHANGE_WOULD_DENY] = "would be denied without stage log",
};
static const char *const keys[] = {
	[CHANGE_DENIED] = "newly_denied", [CHANGE_ALLOWED] = "newly_allowed", [CHANGE_WOULD_DENY] = "would_deny",
};
static const char *const colors[] = {
	[CHANGE_DENIED] = COLOR_RED, [CHANGE_ALLOWED] = COLOR_YELLOW, [CHANGE_WOULD_DENY] = COLOR_BOLD,
};

static void print_one(const struct replay *replay, const struct changed *changed)
{
	const char *slash = strrchr(changed->program, '/');
	struct text text = { 0 };
	text_addf(&text, "%9" PRIu64 "  ", changed->calls);
	if (changed->ops)
		changes_add_ops(&text, changed->ops);
	else
		text_puts(&text, "syscall");
	if (changed->proto >= 0)
		text_addf(&text, " %s", policy_proto_name((enum policy_proto)changed->proto));
	text_puts(&text, " ");
	if (changed->mount)
		text_puts(&text, changed->mount);
	else
		text_add(&text, changed->object.s, changed->object.len);
	if (changed->to.len && !changed->mount) {
		text_puts(&text, " -> ");
		text_add(&text, changed->to.s, changed->to.len);
	}
	text_puts(&text, "   ");
	changes_add_verdict(&text, replay->policy, &changed->verdict);
	if (*changed->program)
		text_addf(&text, "   (%s%s)", slash ? slash + 1 : changed->program, changed->programs ? " and others" : "");
	AUTO_FREE char *shown = escape_dup(text.s, text.len);
	printf("%s\n", shown);
	free(text_take(&text));
}

static void print_change(const struct replay *replay, enum change change)
{
	uint64_t calls;
	size_t n = count(replay, change, &calls);
	bool color = replay->cli->color_out && n;
	if (!n && change == CHANGE_WOULD_DENY)
		return;
	printf("%s%s%s  %zu access%s, %" PRIu64 " call%s\n", color ? colors[change] : "", headings[change], color ? COLOR_OFF : "", n,
	       n == 1 ? "" : "es", calls, calls == 1 ? "" : "s");
	for (size_t i = 0; i < replay->n; i++)
		if (replay->list[i].change == change)
			print_one(replay, &replay->list[i]);
}

static void print_text(const struct replay *replay)
{
	char name[300];
	printf("%" PRIu64 " accesses, %" PRIu64 " calls", replay->accesses, replay->calls);
	if (replay->runs)
		printf(" of %" PRIu64 " run%s", replay->runs, replay->runs == 1 ? "" : "s");
	printf(" against %s\n", changes_name(replay->policy, name, sizeof(name)));
	print_change(replay, CHANGE_DENIED);
	print_change(replay, CHANGE_ALLOWED);
	print_change(replay, CHANGE_WOULD_DENY);
	if (replay->not_judged)
		printf("not judged, because their arguments were not recorded: %" PRIu64 "\n", replay->not_judged);
	if (replay->lost)
		printf("not in the record, because usher was killed or the disk was full: %" PRIu64 " calls\n", replay->lost);
}

static json_t *one_json(const struct replay *replay, const struct changed *changed)
{
	AUTO_FREE char *object = strndup(changed->object.s, changed->object.len);
	AUTO_FREE char *to = strndup(changed->to.s, changed->to.len);
	json_t *json = json_pack("{s:o, s:o, s:I, s:s, s:o}", "ops", changes_ops_json(changed->ops), "object", json_text(object), "calls",
				 (json_int_t)changed->calls, "was", access_verdict_name(changed->was), "now",
				 changes_verdict_json(replay->policy, &changed->verdict));
	json_object_set_new(json, "program", json_text(changed->program));
	if (changed->proto >= 0)
		json_object_set_new(json, "proto", json_string(policy_proto_name((enum policy_proto)changed->proto)));
	if (changed->mount)
		json_object_set_new(json, "mount", json_text(changed->mount));
	if (*to)
		json_object_set_new(json, changed->mount ? "from" : "to", json_text(to));
	if (changed->error && policy_errno_name(changed->error))
		json_object_set_new(json, "result", json_string(policy_errno_name(changed->error)));
	return json;
}

static void print_json(const struct replay *replay, int status)
{
	char name[300];
	json_t *answer = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "policy",
				   json_text(changes_name(replay->policy, name, sizeof(name))), "accesses", (json_int_t)replay->accesses,
				   "calls", (json_int_t)replay->calls, "runs", (json_int_t)replay->runs, "killed",
				   (json_int_t)replay->killed, "lost", (json_int_t)replay->lost, "not_judged",
				   (json_int_t)replay->not_judged);
	for (int change = CHANGE_DENIED; change <= CHANGE_WOULD_DENY; change++) {
		json_t *all = json_array();
		for (size_t i = 0; i < replay->n; i++)
			if (replay->list[i].change == (enum change)change)
				json_array_append_new(all, one_json(replay, &replay->list[i]));
		json_object_set_new(answer, keys[change], all);
	}
	json_print("replay", answer, status);
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int read_record(struct replay *replay, const char *file)
{
	struct source source = { .file = file, .since_ns = replay->since_ns };
	int error = source_read(&source, take, replay);
	if (error) {
		cli_error(replay->cli, "%s: %s", file, source.why ? source.why : strerror(-error));
		return CLI_UNREACHABLE;
	}
	replay->runs += source.runs;
	replay->killed += source.killed;
	replay->lost += source.lost;
	replay->skipped += source.skipped;
	cli_broken(replay->cli, file, source.broken);
	return 0;
}

static int replay_records(struct replay *replay, char **files)
{
	uint64_t denied, allowed;
	int status = 0;
	for (; *files && !status; files++)
		status = read_record(replay, *files);
	if (status)
		return status;
	/* Nothing recorded proves nothing. */
	if (!replay->accesses) {
		cli_error(replay->cli, "there are no accesses in the record%s", replay->since_ns ? " since then" : "");
		return CLI_UNREACHABLE;
	}
	settle(replay);
	status = count(replay, CHANGE_DENIED, &denied) + count(replay, CHANGE_ALLOWED, &allowed) ? CLI_NO : CLI_OK;
	if (replay->cli->json)
		print_json(replay, status);
	else if (!replay->cli->quiet)
		print_text(replay);
	return status;
}

static int run(int argc, char **argv, struct cli *cli)
{
	struct replay replay = { .cli = cli };
	static const struct cli_load load = { .json = "replay" };
	int opt;
	while ((opt = cli_next(cli, &cli_verb_replay, argc, argv)) >= 0) {
		if (opt == OPT_AGAINST)
			cli->policy = optarg;
		else if (!since_parse(optarg, &replay.since_ns))
			return cli_usage(cli, &cli_verb_replay, "--since is 7d, 12h, 2026-11-21 or the like, not '%s'", optarg);
	}
	if (opt != CLI_END)
		return cli_stop(&cli_verb_replay, opt);
	if (optind >= argc)
		return cli_usage(cli, &cli_verb_replay, "which record?");
	if (!cli->policy)
		return cli_usage(cli, &cli_verb_replay, "against which policy?");
	int status = cli_load_policy(cli, cli->policy, &load, &replay.policy);
	if (!status)
		status = replay_records(&replay, argv + optind);
	for (size_t i = 0; i < replay.n; i++)
		changed_free(&replay.list[i]);
	free(replay.list);
	free(replay.last_text);
	policy_free(replay.policy);
	return status;
}
