/* Rules and defaults: action, what it is about, options. */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "parse_cond.h"
#include "reading.h"
#include "syscalls.h"

void rule_free(struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->n_patterns; i++) {
		free(rule->patterns[i].glob);
		free(rule->patterns[i].spelled);
	}
	for (size_t i = 0; i < rule->n_addrs; i++)
		free(rule->addrs[i].text);
	for (size_t i = 0; i < rule->n_conds; i++) {
		free(rule->conds[i].any);
		free(rule->conds[i].text);
	}
	free(rule->patterns);
	free(rule->addrs);
	free(rule->calls);
	free(rule->call_specific);
	free(rule->conds);
	for (size_t i = 0; i < rule->n_from; i++) {
		free(rule->from[i].glob);
		free(rule->from[i].spelled);
	}
	for (size_t i = 0; i < rule->n_mount_limits; i++) {
		free(rule->mount_limits[i].name);
		free(rule->mount_limits[i].value);
	}
	free(rule->mount_fstype);
	free(rule->mount_from);
	free(rule->from);
	free(rule->mount_limits);
	free(rule->id);
	free(rule->note);
	free(rule->expires);
	free(rule->target);
	free(rule->text);
	*rule = (struct policy_rule){0};
}

void rule_keep(struct parser *parser, const struct policy_rule *rule, const struct note *note)
{
	struct loader *loader = parser->loader;
	if (!parser->live) {
		struct policy_rule dropped = *rule;
		rule_free(&dropped);
		free(note->extra);
		return;
	}
	struct policy_rule *kept = mem_push(&loader->policy->rules, &loader->policy->n_rules);
	*kept = *rule;
	kept->number = (uint32_t)(loader->policy->n_rules - 1);
	*mem_push(&loader->notes, &loader->n_notes) = *note;
}

bool parse_errno(struct parser *parser, int *err, bool *written)
{
	const struct token token = parser->lex.token;
	if (token.kind != TOKEN_WORD || token.len < 3 || *token.at != 'E')
		return true;
	for (size_t i = 0; i < token.len; i++)
		if (!((token.at[i] >= 'A' && token.at[i] <= 'Z') || (token.at[i] >= '0' && token.at[i] <= '9')))
			return true;
	*written = true;
	*err = policy_errno_named(token.at, token.len);
	lex_next(&parser->lex);
	if (*err > 0)
		return true;
	char buf[64];
	policy_diag_nearest(parse_error(parser, &token, "unknown errno %s", token_quote(&token, buf)),
			    errno_nearest(token.at, token.len));
	return false;
}

/* ---- what a rule is about ------------------------------------------------------------------- */

static enum policy_section ops_section(uint32_t ops)
{
	return ops & OPS_FILES ? SECTION_FILES : ops & OPS_NETWORK ? SECTION_NETWORK : SECTION_MOUNTS;
}

static bool unknown_operation(struct reading *reading, const struct token *token)
{
	char buf[64];
	struct policy_diag *diag = parse_error(reading->parser, token, "unknown operation %s", token_quote(token, buf));
	const char *near = word_nearest(WORD_BIT(WORD_OP) | WORD_BIT(WORD_OPS), token->at, token->len);
	bool call = token->len && (*token->at == '@' || syscall_by_name(token->at, token->len));
	if (call)
		policy_diag_help(diag, "rules about system calls stand in syscalls { }");
	else if (near)
		policy_diag_nearest(diag, near);
	return mistake(reading, diag);
}

static bool read_ops(struct reading *reading)
{
	struct parser *parser = reading->parser;
	struct policy_rule *rule = &reading->rule;
	char buf[64];
	do {
		const struct token token = parser->lex.token;
		if (token.kind != TOKEN_WORD)
			return parse_unexpected(parser, "an operation");
		uint32_t ops = policy_ops_named(token.at, token.len);
		lex_next(&parser->lex);
		if (!ops) {
			unknown_operation(reading, &token);
			continue;
		}
		reading->note.named_stat |= ops == OP_BIT(OP_STAT);
		reading->note.named_all |= ops == OPS_FILES;
		if (rule->ops && ops_section(ops) != ops_section(rule->ops)) {
			mistake(reading, parse_error(parser, &token, "%s is about something else than the operations before it",
						     token_quote(&token, buf)));
			continue;
		}
		if (rule->ops & ops & OPS_MOUNTS || ((ops & OPS_MOUNTS) && rule->ops))
			mistake(reading, parse_error(parser, &token, "'mount', 'umount' and 'pivot_root' stand alone"));
		if (reading->section >= 0 && (int)ops_section(ops) != reading->section) {
			struct policy_diag *diag = parse_error(parser, &token, "%s does not belong into the %s section",
							       token_quote(&token, buf),
							       policy_section_name((enum policy_section)reading->section));
			policy_diag_help(diag, "write the rule in %s { }, or outside of sections",
					 policy_section_name(ops_section(ops)));
			mistake(reading, diag);
		}
		rule->ops |= ops;
	} while (parse_accept(parser, TOKEN_COMMA));
	if (rule->ops)
		rule->section = ops_section(rule->ops);
	return true;
}

void objects_patterns(struct text *text, const struct policy_pattern *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_addf(text, "%s%s", i ? ", " : "", patterns[i].spelled);
}

static bool read_network(struct reading *reading)
{
	struct parser *parser = reading->parser;
	const struct token token = parser->lex.token;
	const struct word *proto = read_word(reading, WORD_PROTO, "protocol", "tcp, udp, unix, icmp, netlink, vsock, packet or raw");
	if (!proto)
		return false;
	if (proto->later)
		return parse_later(parser, &token);
	reading->rule.proto = (enum policy_proto)proto->value;
	if (reading->rule.proto == PROTO_TCP && reading->rule.ops == OP_BIT(OP_SENDTO)) {
		struct policy_diag *diag = parse_error(parser, &token, "a TCP socket is connected before it sends");
		policy_diag_help(diag, "write 'connect tcp'");
		mistake(reading, diag);
	}
	const struct token first = parser->lex.token;
	if (!parse_addresses(parser, &reading->rule))
		return false;
	reading->good &= reading->rule.n_addrs + reading->rule.n_patterns > 0;
	text_addf(&reading->objects, "%s ", proto->name);
	AUTO_FREE char *source = parse_source(parser, &first);
	if (!strchr(source, '$')) {
		text_puts(&reading->objects, source);
		return true;
	}
	/* Who asks why wants to see what variables stand for. */
	const struct policy_rule *rule = &reading->rule;
	bool ports = rule->proto == PROTO_TCP || rule->proto == PROTO_UDP;
	objects_patterns(&reading->objects, rule->patterns, rule->n_patterns);
	for (size_t i = 0; i < rule->n_addrs; i++) {
		text_puts(&reading->objects, i || rule->n_patterns ? ", " : "");
		address_print(&reading->objects, &rule->addrs[i], ports);
	}
	return true;
}

static bool read_objects(struct reading *reading)
{
	struct policy_rule *rule = &reading->rule;
	if (!read_ops(reading))
		return false;
	if (!rule->ops) {
		/* Nothing is known of what should follow. */
		return false;
	}
	if (rule->section == SECTION_NETWORK)
		return read_network(reading);
	if (rule->section == SECTION_MOUNTS && (rule->action == ACTION_REDIRECT || rule->action == ACTION_ANSWER))
		mistake(reading, parse_error(reading->parser, &reading->first, "mounts are allowed or denied, and nothing else"));
	if (rule->ops == OP_BIT(OP_MOUNT))
		return read_mount(reading);
	if (!parse_paths(reading->parser, &rule->patterns, &rule->n_patterns))
		return false;
	reading->good &= rule->n_patterns > 0;
	objects_patterns(&reading->objects, rule->patterns, rule->n_patterns);
	return true;
}

/* ---- rules ---------------------------------------------------------------------------------- */

static void rule_write(struct reading *reading, const char *objects)
{
	struct policy_rule *rule = &reading->rule;
	struct text text = {0};
	text_puts(&text, policy_action_name(rule->action));
	if (reading->note.err_written)
		text_addf(&text, " %s", policy_errno_name(rule->err));
	if (rule->section != SECTION_SYSCALLS) {
		text_puts(&text, " ");
		ops_print(&text, rule->ops);
	}
	text_addf(&text, " %s%s", objects, reading->extra.s ? reading->extra.s : "");
	rule_print_options(&text, rule);
	rule->text = text_take(&text);
}

/* Calls that name paths and that nothing serves yet. As members of a group they are just refused. */
static void check_unserved(struct reading *reading, const struct call_list *calls, const struct token *first)
{
	static const char *const unserved[] = {"uselib", "swapon", "acct", "quotactl"};
	for (size_t i = 0; i < calls->n && reading->rule.action == ACTION_ALLOW; i++) {
		const struct syscall_info *call = syscall_by_nr(calls->list[i].nr);
		for (size_t j = 0; call && calls->list[i].specific && j < ARRAY_SIZE(unserved); j++)
			if (strcmp(call->name, unserved[j]) == 0)
				mistake(reading, parse_error(reading->parser, first, "'%s' is not in this version", call->name));
	}
}

static bool read_call_rule(struct reading *reading, struct call_list *calls, struct written_conds *conds)
{
	struct parser *parser = reading->parser;
	reading->rule.section = SECTION_SYSCALLS;
	const struct token first = parser->lex.token;
	size_t errors = parser->loader->diags->errors;
	bool ok = parse_calls(parser, calls) && (!parse_accept_word(parser, "where") || parse_conds(parser, conds));
	if (parser->loader->diags->errors != errors)
		reading->good = false;
	if (!ok)
		return false;
	AUTO_FREE char *source = parse_source(parser, &first);
	text_puts(&reading->objects, source);
	if (!read_options(reading))
		return false;
	check_unserved(reading, calls, &first);
	if (reading->rule.action == ACTION_REDIRECT)
		mistake(reading, parse_error(parser, &reading->first, "system calls cannot be redirected"));
	return true;
}

static bool read_action(struct reading *reading)
{
	struct parser *parser = reading->parser;
	const struct word *action = word_find(WORD_BIT(WORD_ACTION), reading->first.at, reading->first.len);
	if (action->later)
		return parse_later(parser, &reading->first);
	lex_next(&parser->lex);
	reading->rule.action = (enum policy_action)action->value;
	const struct token token = parser->lex.token;
	if (!parse_errno(parser, &reading->rule.err, &reading->note.err_written))
		reading->good = false;
	if (reading->note.err_written && reading->rule.action < ACTION_DENY) {
		char buf[64];
		mistake(reading, parse_error(parser, &token, "'%s' has no errno, so %s cannot stand here", action->name,
					     token_quote(&token, buf)));
	}
	return true;
}

void parse_rule(struct parser *parser, int section)
{
	struct reading reading = {.parser = parser, .section = section, .first = parser->lex.token, .good = true};
	reading.rule.pos = reading.first.pos;
	reading.note = (struct note){.first = true, .domain = parser->domain};
	struct call_list calls = {0};
	struct written_conds conds = {0};
	bool whole = read_action(&reading);

	if (whole && section == SECTION_SYSCALLS)
		whole = read_call_rule(&reading, &calls, &conds);
	else if (whole)
		whole = read_objects(&reading) && read_options(&reading);
	if (whole)
		check_options(&reading);
	else
		parse_recover(parser);

	AUTO_FREE char *objects = text_take(&reading.objects);
	if (whole && reading.good) {
		rule_write(&reading, objects);
		if (reading.rule.section == SECTION_NETWORK)
			reading.rule.ops = network_ops(&reading.rule);
		AUTO_FREE char *extra = text_take(&reading.extra);
		reading.note.extra = extra;
		if (section == SECTION_SYSCALLS) {
			calls_split(parser, &reading.rule, &reading.note, &calls, &conds);
			rule_free(&reading.rule);
		} else {
			reading.note.extra = text_copy(extra);
			rule_keep(parser, &reading.rule, &reading.note);
		}
	} else {
		rule_free(&reading.rule);
		free(reading.extra.s);
	}
	free(calls.list);
	written_conds_free(&conds);
}

void parse_default(struct parser *parser, enum policy_section section)
{
	struct loader *loader = parser->loader;
	struct reading reading = {.parser = parser, .section = (int)section, .first = parser->lex.last, .good = true};
	struct policy_rule *rule = &reading.rule;
	char buf[64];
	rule->section = section;
	bool whole = true;
	if (parse_accept_word(parser, "allow")) {
		rule->action = ACTION_ALLOW;
	} else if (parse_accept_word(parser, "deny")) {
		rule->action = ACTION_DENY;
		reading.good = parse_errno(parser, &rule->err, &reading.note.err_written);
	} else {
		whole = parse_unexpected(parser, "'allow' or 'deny'");
	}
	whole = whole && read_options(&reading);
	if (whole && (reading.seen & ~(1u << OPTION_STAGE | 1u << OPTION_AUDIT | 1u << OPTION_NOTE | 1u << OPTION_SEALED | 1u << OPTION_VIEW)))
		mistake(&reading, parse_error(parser, &reading.first, "%s takes the options stage, audit, note, sealed and view only",
					      token_quote(&reading.first, buf)));
	if (whole)
		check_options(&reading);
	else
		parse_recover(parser);
	if (whole && reading.good)
		*mem_push(&loader->defaults, &loader->n_defaults) = (struct written_default){
			.section = section, .err_written = reading.note.err_written, .domain = parser->domain,
			.value = {.action = rule->action, .err = rule->err, .stage = rule->stage, .audit = rule->audit,
				  .sealed = rule->sealed, .view = reading.seen & 1u << OPTION_VIEW, .pos = reading.first.pos, .written = true}};
	rule_free(rule);
	free(reading.extra.s);
}
