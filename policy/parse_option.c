/* The options behind a rule or a default. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "reading.h"

bool mistake(struct reading *reading, struct policy_diag *diag)
{
	(void)diag;
	reading->good = false;
	return false;
}

/* A word of KIND, or NULL with the error: "unknown WHAT 'x'". */
const struct word *read_word(struct reading *reading, enum word_kind kind, const char *what, const char *list)
{
	struct parser *parser = reading->parser;
	const struct token token = parser->lex.token;
	if (token.kind != TOKEN_WORD) {
		parse_unexpected(parser, list);
		return NULL;
	}
	const struct word *word = word_find(WORD_BIT(kind), token.at, token.len);
	if (word) {
		lex_next(&parser->lex);
		return word;
	}
	char buf[64];
	const char *near = word_nearest(WORD_BIT(kind), token.at, token.len);
	struct policy_diag *diag = parse_error(parser, &token, "unknown %s %s", what, token_quote(&token, buf));
	if (near)
		policy_diag_nearest(diag, near);
	else
		policy_diag_help(diag, "there is %s", list);
	return NULL;
}

static bool date_good(const char *s, size_t len)
{
	static const unsigned days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (len != 10 || s[4] != '-' || s[7] != '-')
		return false;
	unsigned parts[3] = {0};
	for (size_t i = 0; i < len; i++) {
		if (i == 4 || i == 7)
			continue;
		if (s[i] < '0' || s[i] > '9')
			return false;
		unsigned *part = &parts[i < 4 ? 0 : i < 7 ? 1 : 2];
		*part = *part * 10 + (unsigned)(s[i] - '0');
	}
	bool leap = (parts[0] % 4 == 0 && parts[0] % 100 != 0) || parts[0] % 400 == 0;
	return parts[1] >= 1 && parts[1] <= 12 && parts[2] >= 1 && parts[2] <= days[parts[1] - 1] &&
	       (leap || parts[1] != 2 || parts[2] <= 28);
}

static bool read_expires(struct reading *reading)
{
	struct parser *parser = reading->parser;
	const struct token token = parser->lex.token;
	if (token.kind != TOKEN_WORD)
		return parse_unexpected(parser, "a date (YYYY-MM-DD)");
	lex_next(&parser->lex);
	char buf[64];
	if (!date_good(token.at, token.len)) {
		struct policy_diag *diag = parse_error(parser, &token, "%s is no date", token_quote(&token, buf));
		policy_diag_help(diag, "dates are written 2026-12-31");
		return !mistake(reading, diag);
	}
	reading->rule.expires = text_dup(token.at, token.len);
	return true;
}

static bool read_target(struct reading *reading)
{
	struct parser *parser = reading->parser;
	struct policy_rule *rule = &reading->rule;
	bool ok = rule->section == SECTION_NETWORK ? parse_address_target(parser, rule->proto, &rule->target)
						   : parse_literal_path(parser, "a target", &rule->target);
	if (rule->target)
		rule->target_len = strlen(rule->target);
	else
		reading->good = false;
	return ok;
}

static bool read_return(struct reading *reading)
{
	struct parser *parser = reading->parser;
	const struct token token = parser->lex.token;
	uint64_t value;
	if (token.kind != TOKEN_WORD || !number_parse(token.at, token.len, &value))
		return parse_unexpected(parser, "a number");
	reading->rule.answer_value = (int64_t)value;
	lex_next(&parser->lex);
	return true;
}

static bool read_device(struct reading *reading)
{
	struct parser *parser = reading->parser;
	const struct token token = parser->lex.token;
	if (token.kind != TOKEN_WORD)
		return parse_unexpected(parser, "'same' or MAJOR:MINOR");
	const char *colon = memchr(token.at, ':', token.len);
	uint64_t major = 0, minor = 0;
	bool good = token_is(&token, "same");
	if (colon)
		good = number_parse(token.at, (size_t)(colon - token.at), &major) && major <= 0xfff &&
		       number_parse(colon + 1, token.len - (size_t)(colon - token.at) - 1, &minor) && minor <= 0xfffff;
	lex_next(&parser->lex);
	char buf[64];
	if (!good)
		return !mistake(reading, parse_error(parser, &token, "%s is no device: 'same' or MAJOR:MINOR",
						     token_quote(&token, buf)));
	reading->rule.target = text_dup(token.at, token.len);
	reading->rule.target_len = token.len;
	if (reading->rule.ops != OP_BIT(OP_MKNOD))
		return !mistake(reading, parse_error(parser, &token, "'device' answers mknod only"));
	return true;
}

static bool read_answer(struct reading *reading)
{
	struct parser *parser = reading->parser;
	struct policy_rule *rule = &reading->rule;
	const struct token token = parser->lex.token;
	const struct word *word = read_word(reading, WORD_ANSWER, "answer", "file, content, errno, return, device or hosts");
	if (!word)
		return false;
	rule->answer = (enum policy_answer)word->value;
	if (rule->section != SECTION_FILES && (rule->answer == ANSWER_FILE || rule->answer == ANSWER_CONTENT || rule->answer == ANSWER_HOSTS)) {
		char buf[64];
		mistake(reading, parse_error(parser, &token, "%s answers the reading of files only",
					     token_quote(&token, buf)));
	}
	bool ok = true, written = false;
	int err = 0;
	switch (rule->answer) {
	case ANSWER_FILE:
		ok = parse_literal_path(parser, "the path of a file", &rule->target);
		if (rule->target)
			rule->target_len = strlen(rule->target);
		else
			reading->good = false;
		return ok;
	case ANSWER_CONTENT:
		return parse_string(parser, "a text", &rule->target, &rule->target_len);
	case ANSWER_ERRNO:
		if (!parse_errno(parser, &err, &written))
			reading->good = false;
		rule->answer_value = err;
		return written || parse_unexpected(parser, "an errno");
	case ANSWER_RETURN:
		return read_return(reading);
	case ANSWER_DEVICE:
		return read_device(reading);
	case ANSWER_HOSTS:
	case ANSWER_NONE:
		break;
	}
	return ok;
}

static bool read_domain(struct reading *reading, const struct token *token)
{
	struct parser *parser = reading->parser;
	AUTO_FREE char *name = NULL;
	if (reading->rule.action != ACTION_ALLOW || reading->rule.ops != OP_BIT(OP_EXEC))
		mistake(reading, parse_error(parser, token, "'->' follows 'allow exec' only"));
	if (!parse_name(parser, "the name of a domain", &name))
		return false;
	text_addf(&reading->extra, " -> %s", name);
	if (parser->live) {
		parser->loader->policy->has_domains = true;
		parser->loader->policy->domain = token->pos;
	}
	return true;
}

static bool read_beneath(struct reading *reading, const struct token *token)
{
	if (reading->rule.section == SECTION_FILES && reading->rule.action == ACTION_ALLOW) {
		reading->rule.beneath = true;
		return true;
	}
	struct policy_diag *diag = parse_error(reading->parser, token, "'beneath' belongs to 'allow' rules about files");
	policy_diag_help(diag, "it says that no symlink may lead out of what the rule allows");
	return !mistake(reading, diag);
}

static bool read_sealed(struct reading *reading, const struct token *token)
{
	const struct policy_rule *rule = &reading->rule;
	bool ports = rule->section == SECTION_NETWORK && rule->action >= ACTION_DENY &&
		     (!rule->ops || (rule->proto == PROTO_TCP && rule->ops & OP_BIT(OP_CONNECT)));
	bool reads = rule->section == SECTION_FILES && rule->action >= ACTION_DENY &&
		     (!rule->ops || rule->ops & (OP_BIT(OP_STAT) | OP_BIT(OP_READ) | OP_BIT(OP_LIST)));
	reading->rule.sealed = true;
	if (rule->section == SECTION_SYSCALLS || ports || reads)
		return true;
	struct policy_diag *diag = parse_error(reading->parser, token, "'sealed' belongs to rules about system calls, and to what denies TCP ports or reading");
	policy_diag_help(diag, "only those can be left to the kernel");
	return !mistake(reading, diag);
}

/* What is not there is not there for any call, and nobody is told who asked for it. */
static bool read_view(struct reading *reading, const struct token *token)
{
	struct policy_rule *rule = &reading->rule;
	bool fits = rule->section == SECTION_FILES && rule->action == ACTION_DENY && !rule->ops;
	rule->sealed = true;
	if (fits && rule->err == ENOENT)
		return true;
	struct policy_diag *diag = parse_error(reading->parser, token, fits ? "what is left out of a view is not there, and that is ENOENT" :
									      "'view' belongs to the default of files that denies");
	policy_diag_help(diag, "default deny ENOENT view;");
	return !mistake(reading, diag);
}

static bool read_credentials(struct reading *reading, const struct token *token)
{
	const struct policy_rule *rule = &reading->rule;
	if (!parse_accept_word(reading->parser, "exact"))
		return parse_unexpected(reading->parser, "'exact'");
	reading->rule.exact = true;
	if (rule->section == SECTION_NETWORK && rule->proto == PROTO_UNIX && rule->action == ACTION_ALLOW &&
	    rule->ops & (OP_BIT(OP_CONNECT) | OP_BIT(OP_SENDTO)) && !(rule->ops & OP_BIT(OP_BIND)))
		return true;
	struct policy_diag *diag = parse_error(reading->parser, token, "'credentials' belongs to 'allow connect unix' and 'allow sendto unix'");
	policy_diag_help(diag, "for example: allow connect,sendto unix /**, @* credentials exact;");
	return !mistake(reading, diag);
}

static bool read_option(struct reading *reading, const struct word *word, const struct token *token)
{
	struct parser *parser = reading->parser;
	struct policy_rule *rule = &reading->rule;
	const struct word *value = NULL;
	switch ((enum option)word->value) {
	case OPTION_STAGE:
		reading->stage_token = parser->lex.token;
		value = read_word(reading, WORD_STAGE, "stage", "log, deny, trap or kill");
		if (value)
			rule->stage = (enum policy_stage)value->value;
		rule->staged = value;
		return value;
	case OPTION_AUDIT:
		value = read_word(reading, WORD_LEVEL, "audit level", "none, count, deny, all or alert");
		if (value)
			rule->audit = (enum policy_audit)value->value;
		return value;
	case OPTION_ID:
		return parse_name(parser, "an id", &rule->id);
	case OPTION_NOTE:
		return parse_string(parser, "a note", &rule->note, NULL);
	case OPTION_EXPIRES:
		return read_expires(reading);
	case OPTION_BENEATH:
		return read_beneath(reading, token);
	case OPTION_SEALED:
		return read_sealed(reading, token);
	case OPTION_VIEW:
		return read_view(reading, token);
	case OPTION_CREDENTIALS:
		return read_credentials(reading, token);
	case OPTION_TO:
		if (rule->action != ACTION_REDIRECT)
			mistake(reading, parse_error(parser, token, "'to' belongs to 'redirect'"));
		return read_target(reading);
	case OPTION_WITH:
		if (rule->action != ACTION_ANSWER)
			mistake(reading, parse_error(parser, token, "'with' belongs to 'answer'"));
		return read_answer(reading);
	case OPTION_DOMAIN:
		return read_domain(reading, token);
	case OPTION_OWNER:
		break;
	}
	return parse_later(parser, token);
}

bool read_options(struct reading *reading)
{
	struct parser *parser = reading->parser;
	char buf[64];
	for (;;) {
		const struct token token = parser->lex.token;
		const struct word *word = token_word(&token, WORD_BIT(WORD_OPTION));
		bool block = word && word->value == OPTION_AUDIT && parse_ahead(parser, TOKEN_OPEN);
		if (!word || block) {
			bool begins = parser->lex.last.pos.line < token.pos.line;
			if (token.kind != TOKEN_WORD || begins || path_begins(parser))
				return parse_semicolon(parser);
			policy_diag_nearest(parse_error(parser, &token, "unknown option %s", token_quote(&token, buf)),
					    word_nearest(WORD_BIT(WORD_OPTION), token.at, token.len));
			return false;
		}
		if (word->later)
			return parse_later(parser, &token);
		if (reading->seen & (1u << word->value)) {
			parse_error(parser, &token, "%s is said twice", token_quote(&token, buf));
			return false;
		}
		reading->seen |= 1u << word->value;
		lex_next(&parser->lex);
		if (!read_option(reading, word, &token))
			return false;
	}
}

void check_options(struct reading *reading)
{
	struct parser *parser = reading->parser;
	const struct policy_rule *rule = &reading->rule;
	const char *action = policy_action_name(rule->action);
	if (rule->staged && rule->action == ACTION_FORBID && rule->stage == STAGE_LOG) {
		struct policy_diag *diag = parse_error(parser, &reading->stage_token, "'forbid' is never only logged");
		policy_diag_help(diag, "use 'deny' for a rule on trial");
		mistake(reading, diag);
	}
	if (rule->staged && rule->action < ACTION_DENY && rule->stage > STAGE_LOG)
		mistake(reading, parse_error(parser, &reading->stage_token, "'%s' refuses nothing, so it can be at stage "
					     "log or deny only", action));
	if (rule->action == ACTION_REDIRECT && rule->section != SECTION_SYSCALLS && !(reading->seen & (1u << OPTION_TO)))
		mistake(reading, parse_error(parser, &reading->first, "'redirect' needs 'to TARGET'"));
	if (rule->action == ACTION_ANSWER && !(reading->seen & (1u << OPTION_WITH)))
		mistake(reading, parse_error(parser, &reading->first, "'answer' needs 'with ...'"));
}
