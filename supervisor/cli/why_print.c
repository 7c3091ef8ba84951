/* An explanation as text and as JSON. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "fd.h"
#include "json.h"
#include "style.h"
#include "syscalls.h"
#include "text.h"
#include "why.h"

bool why_denied(const struct why *why)
{
	return why->out_of || why->builtin || policy_denies(&why->decision.enforced);
}

/* As broker.c answers. */
static const char *error_of(const struct why *why)
{
	int error = why->decision.enforced.err;
	if (why->builtin)
		return why->builtin;
	if (why->out_of && !policy_denies(&why->decision.enforced))
		error = why->out_of->err > 0 ? why->out_of->err : why->policy->defaults[SECTION_FILES].err;
	return policy_errno_name(error > 0 ? error : EACCES);
}

/* ---- for people ---- */

static char *shown(const char *text)
{
	return escape_dup(text, strlen(text));
}

/* The operation or the system call. */
static char *name_of(const struct why *why)
{
	const struct syscall_info *info = syscall_by_nr(why->asked.nr);
	if (!why->asked.call)
		return text_printf("%s", policy_op_name(why->asked.op));
	return info ? text_printf("%s", info->name) : text_printf("%d", why->asked.nr);
}

static void print_head(const struct why *why)
{
	const struct cli *cli = why->cli;
	bool denied = why_denied(why), network = !why->asked.call && (OP_BIT(why->asked.op) & OPS_NETWORK);
	AUTO_FREE char *target = shown(why->asked.call ? "(...)" : why->asked.path), *what = name_of(why);
	const char *proto = why->asked.mount ? why->asked.mount->fstype : why->asked.peer ? policy_proto_name(why->asked.peer->proto) : "unix";
	bool more = network || why->asked.mount;
	AUTO_FREE char *head = text_printf("%s %s%s%s", what, more ? proto : "", why->asked.mount ? " on " : network ? " " : "", target);
	printf("%s%-6s%s %-50s", cli->color_out ? denied ? COLOR_RED : COLOR_GREEN : "",
	       denied ? "DENY" : "ALLOW", cli->color_out ? COLOR_OFF : "", head);
	const char *error = error_of(why);
	if (why->event && why->event->error)
		error = why->event->error;
	if (denied)
		printf("  %s", error);
	printf("  policy %s@%.7s  domain main\n", why->policy->name, why->policy->digest);
}

static void print_event(const struct why *why)
{
	const struct why_event *event = why->event;
	printf("       %s   %s", event->program, event->time);
	if (event->times > 1)
		printf(", %lu times since %s", event->times, event->since);
	printf("\n");
	if (event->spelled) {
		AUTO_FREE char *spelled = shown(event->spelled);
		AUTO_FREE char *base = shown(event->base ? event->base : "");
		printf("       asked as %s%s%s\n", spelled, *base ? " in " : "", base);
	}
	char now[300];
	snprintf(now, sizeof(now), "%s@%.7s", why->policy->name, why->policy->digest);
	if (event->policy && strcmp(event->policy, now) != 0)
		printf("       decided by %s then; %s is asked now\n", event->policy, now);
	if (strcmp(event->action, why_denied(why) ? "deny" : "allow") != 0 &&
	    strcmp(event->action, "would-deny") != 0)
		printf("       it was recorded as %s by %s\n", event->action, event->rule);
}

static void print_match(const struct why *why, const struct match *match)
{
	char where[300];
	AUTO_FREE char *text = shown(match->rule->text);
	bool tell = match->wins || why->cli->verbose || strncmp(match->reason, "at stage", 8) == 0 ||
		    strncmp(match->reason, "not brokered", 12) == 0;
	policy_where(why->policy, match->rule->pos, where, sizeof(where));
	bool wins = match->wins && !why->out_of && !why->builtin;
	printf("  %s %-16s %s", wins ? "->" : "  ", where, text);
	if (tell)
		printf("%*s   %s%s", strlen(text) < 40 ? 40 - (int)strlen(text) : 0, "", wins ? "wins: " : "",
		       match->reason);
	printf("\n");
	if (match->wins && match->rule->note) {
		AUTO_FREE char *note = shown(match->rule->note);
		printf("     note: %s\n", note);
	}
}

static enum policy_section section_of(const struct why *why)
{
	if (why->asked.call)
		return SECTION_SYSCALLS;
	if (why->asked.peer)
		return SECTION_NETWORK;
	if (OP_BIT(why->asked.op) & OPS_MOUNTS)
		return SECTION_MOUNTS;
	if ((OP_BIT(why->asked.op) & OPS_NETWORK) && why->policy->defaults[SECTION_NETWORK].present)
		return SECTION_NETWORK;
	return SECTION_FILES;
}

static void print_default(const struct why *why)
{
	const struct policy_default *given = &why->policy->defaults[section_of(why)];
	char where[300];
	if (why->decision.enforced.rule || why->out_of || why->builtin)
		return;
	if (!why->asked.call && (OP_BIT(why->asked.op) & OPS_FILES & ~why->policy->cover)) {
		printf("  -> not brokered: %s is left out by cover\n", policy_op_name(why->asked.op));
		return;
	}
	if (!given->present) {
		printf("  -> no rule matches, and %s has no default\n", policy_section_name(section_of(why)));
		return;
	}
	bool deny = given->action != ACTION_ALLOW;
	printf("  -> %-16s default %s%s%s%s   no %srule matches\n",
	       given->pos.line ? policy_where(why->policy, given->pos, where, sizeof(where)) : "default",
	       deny ? "deny" : "allow", deny ? " " : "", deny ? policy_errno_name(given->err) : "",
	       given->stage == STAGE_LOG ? " stage log" : "", why->n_matches ? "enforced " : "");
}

static void print_out(const struct why *why)
{
	char where[300];
	if (why->out_of) {
		AUTO_FREE char *link = shown(why->out_link);
		AUTO_FREE char *text = shown(why->out_of->text);
		printf("  -> %-16s %-40s   beneath: the symlink %s leads out of it\n",
		       policy_where(why->policy, why->out_of->pos, where, sizeof(where)), text, link);
	}
	if (why->builtin && why->event && why->event->reason)
		printf("  -> built-in         %s\n", why->event->reason);
	else if (why->builtin)
		printf("  -> built-in         usher refuses this call of itself: it would lead round the "
		       "policy\n");
}

static void print_would(const struct why *why)
{
	const struct policy_verdict *would = &why->decision.would;
	char where[300];
	if (policy_denies(would) == policy_denies(&why->decision.enforced))
		return;
	printf("       with every rule in force: %s  %s\n", policy_denies(would) ? "DENY" : "ALLOW",
	       would->rule ? policy_where(why->policy, would->rule->pos, where, sizeof(where)) : "default");
}

static void print_suggestions(const struct why *why)
{
	char where[300];
	if (why->no_suggestion)
		printf("%s\n", why->no_suggestion);
	else if (why_denied(why) && !why->n_suggestions && why->decision.enforced.rule && !why->builtin)
		printf("to allow it, change %s: no rule beside it would\n",
		       policy_where(why->policy, why->decision.enforced.rule->pos, where, sizeof(where)));
	if (!why->n_suggestions)
		return;
	printf("to allow it, one of (tightest first):\n");
	for (size_t i = 0; i < why->n_suggestions; i++) {
		const struct suggestion *suggestion = &why->suggestions[i];
		AUTO_FREE char *rule = shown(suggestion->rule);
		printf("  %zu  %s", i + 1, rule);
		if (suggestion->opens)
			printf("    opens %s%zu file%s", suggestion->more ? "more than " : "",
			       suggestion->opens, suggestion->opens == 1 ? "" : "s");
		printf("\n");
	}
}

void why_print(const struct why *why)
{
	AUTO_FREE char *spelled = why->spelled ? shown(why->spelled) : NULL;
	print_head(why);
	if (why->event)
		print_event(why);
	else if (spelled)
		printf("       asked as %s\n", spelled);
	print_out(why);
	print_default(why);
	for (size_t i = 0; i < why->n_matches; i++)
		print_match(why, &why->matches[i]);
	if (!why->n_matches && why->asked.call && why->decision.enforced.rule) {
		static char reason[] = "the narrowest that matches; of equals the strictest";
		print_match(why, &(struct match){ .rule = why->decision.enforced.rule, .wins = true, .reason = reason });
	}
	print_would(why);
	print_suggestions(why);
}

/* ---- for programs ---- */

static json_t *json_match(const struct why *why, const struct match *match)
{
	char where[300];
	return json_pack("{s:s, s:o, s:b, s:s}", "where",
			 policy_where(why->policy, match->rule->pos, where, sizeof(where)), "rule",
			 json_text(match->rule->text), "wins", (int)match->wins, "reason", match->reason);
}

void why_print_json(const struct why *why, int status)
{
	const struct policy_verdict *verdict = &why->decision.enforced;
	char where[300];
	json_t *rules = json_array(), *suggestions = json_array();
	const struct policy_rule *rule = why->out_of ? why->out_of : verdict->rule;
	for (size_t i = 0; i < why->n_matches; i++)
		json_array_append_new(rules, json_match(why, &why->matches[i]));
	for (size_t i = 0; i < why->n_suggestions; i++)
		json_array_append_new(suggestions,
				      json_pack("{s:o, s:i}", "rule", json_text(why->suggestions[i].rule),
						"opens", (int)why->suggestions[i].opens));
	AUTO_FREE char *id = text_printf("%s@%.7s", why->policy->name, why->policy->digest), *what = name_of(why);
	json_t *answer =
		json_pack("{s:o, s:s, s:s, s:o, s:s, s:o, s:o, s:s}", "policy", json_text(id), "decision",
			  why_denied(why) ? "deny" : "allow", "would",
			  policy_denies(&why->decision.would) ? "deny" : "allow", "rule",
			  json_text(why->builtin ? "built-in"
				    : rule	 ? policy_where(why->policy, rule->pos, where, sizeof(where))
						 : "default"),
			  "stage", policy_stage_name(verdict->stage), "rules", rules, "suggestions", suggestions,
			  why->asked.call ? "syscall" : "op", what);
	if (why->asked.peer)
		json_object_set_new(answer, "proto", json_string(policy_proto_name(why->asked.peer->proto)));
	if (why->asked.path)
		json_object_set_new(answer, why->asked.peer ? "peer" : "path", json_text(why->asked.path));
	if (why->spelled)
		json_object_set_new(answer, "spelled", json_text(why->spelled));
	if (why->out_of)
		json_object_set_new(answer, "leads_out", json_text(why->out_link));
	const char *error = error_of(why);
	if (why_denied(why) && error)
		json_object_set_new(answer, "errno", json_string(error));
	json_print("why", answer, status);
}
