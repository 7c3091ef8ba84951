/* when blocks: rules for machines of which something is true. */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "parse.h"

static bool predicate_value_good(uint32_t predicate, const char *value)
{
	size_t len = strlen(value);
	if (predicate == PREDICATE_KERNEL)
		return len && strspn(value, "0123456789.") == len && value[0] != '.' && value[len - 1] != '.';
	if (predicate == PREDICATE_CAP)
		return strncmp(value, "CAP_", 4) == 0 && strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == len;
	if (predicate == PREDICATE_ARCH)
		return text_lists("x86_64 aarch64 riscv64 s390x ppc64le loongarch64 arm x86 x32", value, len);
	return len > 0;
}

static bool parse_predicate(struct parser *parser, bool *holds)
{
	struct loader *loader = parser->loader;
	lex_operators(&parser->lex, true);	/* kernel>=5.19 is three words */
	bool negated = parse_accept_word(parser, "not");
	const struct token token = parser->lex.token;
	const struct word *word = token_word(&token, WORD_BIT(WORD_PREDICATE));
	if (!word) {
		char buf[64];
		if (token.kind != TOKEN_WORD)
			return parse_unexpected(parser, "a predicate");
		policy_diag_nearest(parse_error(parser, &token, "unknown predicate %s", token_quote(&token, buf)),
				    word_nearest(WORD_BIT(WORD_PREDICATE), token.at, token.len));
		return false;
	}
	if (word->later)
		return parse_later(parser, &token);
	lex_next(&parser->lex);

	const char *op = "";
	if (word->value == PREDICATE_KERNEL) {
		op = token_is(&parser->lex.token, ">=") ? ">=" : token_is(&parser->lex.token, "<") ? "<" : NULL;
		if (!op || negated) {
			parse_unexpected(parser, "'>=' or '<'");
			return false;
		}
		parser->lex.operators = false;	/* '>=' itself is already a token */
		lex_next(&parser->lex);
	}
	lex_operators(&parser->lex, false);
	bool any = false;
	do {
		const struct token at = parser->lex.token;
		AUTO_FREE char *value = NULL;
		if (!parse_word_text(parser, "a value", &value))
			return false;
		if (!predicate_value_good(word->value, value)) {
			char buf[64];
			parse_error(parser, &at, "%s is no %s", token_quote(&at, buf),
				    word->value == PREDICATE_CAP    ? "capability (CAP_NAME)"
				    : word->value == PREDICATE_ARCH ? "architecture that is known"
				    : word->value == PREDICATE_USER ? "user"
								    : "version");
			return false;
		}
		int is = loader->env->predicate ? loader->env->predicate(loader->env->ctx, word->name, op, value) : -1;
		if (is < 0) {
			parse_error(parser, &at, "it cannot be told whether %s %s%s%s holds", word->name, op,
				    *op ? " " : "", value);
			return false;
		}
		any |= is > 0;
	} while (word->value == PREDICATE_ARCH && parse_accept(parser, TOKEN_COMMA));
	*holds &= any != negated;
	return true;
}

/* Only rules: a when block in a when block would say nothing that 'and' does not. */
static void parse_when_statement(struct parser *parser, int section)
{
	const struct token token = parser->lex.token;
	if (token_word(&token, WORD_BIT(WORD_ACTION))) {
		parse_rule(parser, section);
		return;
	}
	char buf[64];
	struct policy_diag *diag = parse_error(parser, &token, "%s does not begin a rule", token_quote(&token, buf));
	if (token_is(&token, "when"))
		policy_diag_help(diag, "join the predicates of one 'when' with 'and'");
	else if (token.kind == TOKEN_WORD)
		policy_diag_nearest(diag, word_nearest(WORD_BIT(WORD_ACTION), token.at, token.len));
	parse_recover(parser);
}

void parse_when(struct parser *parser, int section)
{
	bool holds = true;
	do {
		if (!parse_predicate(parser, &holds)) {
			parse_recover(parser);
			return;
		}
	} while (parse_accept_word(parser, "and"));
	bool live = parser->live;
	parser->live = live && holds;
	parse_block(parser, parse_when_statement, section);
	parser->live = live;
}
