/*
 * What all parts of the parser read with, and how it gets over a mistake: it reports what it found, goes on behind the
 * next ';' (or at the next line that begins like a statement) and so finds the mistakes of a whole file.
 */
#include "parse.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

struct policy_diag *parse_error(struct parser *parser, const struct token *token, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *message = NULL;
	ASSERT(vasprintf(&message, format, args) >= 0);
	va_end(args);
	/* A group or an include that is read for several places has its mistakes once. */
	const struct policy_diags *diags = parser->loader->diags;
	struct policy_diag *diag = NULL;
	for (size_t i = 0; i < diags->n; i++) {
		const struct policy_diag *known = &diags->list[i];
		if (known->pos.file == token->pos.file && known->pos.line == token->pos.line &&
		    known->pos.col == token->pos.col && strcmp(known->message, message) == 0) {
			free(message);
			return NULL;
		}
	}
	diag = policy_diag_add(parser->loader->diags, DIAG_ERROR, token->pos, "%s", message);
	free(message);
	return diag;
}

const struct word *token_word(const struct token *token, unsigned kinds)
{
	return token->kind == TOKEN_WORD ? word_find(kinds, token->at, token->len) : NULL;
}

bool parse_is_text(const struct parser *parser)
{
	enum token_kind kind = parser->lex.token.kind;
	return kind == TOKEN_WORD || kind == TOKEN_STRING || kind == TOKEN_RAW;
}

bool parse_ahead(const struct parser *parser, enum token_kind kind)
{
	struct lexer ahead = parser->lex;
	ahead.diags = NULL;
	lex_next(&ahead);
	return ahead.token.kind == kind;
}

static bool begins_line(const struct lexer *lex)
{
	return lex->last.pos.line < lex->token.pos.line;
}

static bool begins_statement(const struct parser *parser)
{
	const struct token *token = &parser->lex.token;
	return token_word(token, STARTERS | parser->starters) &&
	       !(token_is(token, "audit") && !parse_ahead(parser, TOKEN_OPEN));
}

/* An error just behind the last token: something is missing there. */
static bool parse_missing(struct parser *parser, const char *what)
{
	const struct lexer *lex = &parser->lex;
	struct token at = {.at = lex->last.at, .len = 1, .pos = token_end(&lex->last)};
	char buf[64];
	if (begins_line(lex) || lex->token.kind == TOKEN_END) {
		parse_error(parser, &at, "%s is missing at the end of line %u", what, at.pos.line);
		parser->resume = begins_statement(parser);
	} else {
		parse_error(parser, &at, "%s is missing before %s", what, token_quote(&lex->token, buf));
	}
	return false;
}

bool parse_unexpected(struct parser *parser, const char *what)
{
	const struct token *token = &parser->lex.token;
	char buf[64];
	if (token->kind == TOKEN_SEMICOLON || token->kind == TOKEN_CLOSE || token->kind == TOKEN_END ||
	    token->kind == TOKEN_COMMA || (begins_line(&parser->lex) && begins_statement(parser)))
		return parse_missing(parser, what);
	parse_error(parser, token, "%s is expected here, not %s", what, token_quote(token, buf));
	return false;
}

bool parse_operand(struct parser *parser, const char *what)
{
	if (parse_is_text(parser) && !(begins_line(&parser->lex) && begins_statement(parser)))
		return true;
	return parse_unexpected(parser, what);
}

bool parse_accept(struct parser *parser, enum token_kind kind)
{
	if (parser->lex.token.kind != kind || kind == TOKEN_END)
		return false;
	lex_next(&parser->lex);
	return true;
}

bool parse_accept_word(struct parser *parser, const char *word)
{
	if (!token_is(&parser->lex.token, word))
		return false;
	lex_next(&parser->lex);
	return true;
}

bool parse_semicolon(struct parser *parser)
{
	if (parse_accept(parser, TOKEN_SEMICOLON))
		return true;
	const struct token *token = &parser->lex.token;
	char buf[64];
	if (token->kind == TOKEN_CLOSE || token->kind == TOKEN_END ||
	    (begins_line(&parser->lex) && begins_statement(parser)))
		return parse_missing(parser, "';'");
	if (begins_line(&parser->lex))
		return parse_missing(parser, "',' or ';'");
	parse_error(parser, token, "',' or ';' is expected here, not %s", token_quote(token, buf));
	return false;
}

bool parse_name(struct parser *parser, const char *what, char **name)
{
	const struct token *token = &parser->lex.token;
	if (token->kind != TOKEN_WORD)
		return parse_unexpected(parser, what);
	for (size_t i = 0; i < token->len; i++) {
		char c = token->at[i];
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
			    (i && (c == '.' || c == '-'));
		if (!good || token->len > 128) {
			char buf[64];
			policy_diag_help(parse_error(parser, token, "%s cannot be %s", what, token_quote(token, buf)),
					 "a name has letters, digits and _ . -");
			return false;
		}
	}
	*name = text_dup(token->at, token->len);
	lex_next(&parser->lex);
	return true;
}

bool parse_string(struct parser *parser, const char *what, char **text, size_t *len)
{
	const struct token token = parser->lex.token;
	if (token.kind != TOKEN_STRING && token.kind != TOKEN_RAW) {
		if (token.kind != TOKEN_WORD || (begins_line(&parser->lex) && begins_statement(parser)))
			return parse_unexpected(parser, what);
		char buf[64];
		policy_diag_help(parse_error(parser, &token, "%s stands in quotes", what), "write \"%.*s\"",
				 (int)strlen(token_quote(&token, buf)) - 2, buf + 1);
		return false;
	}
	struct values values = {0};
	bool ok = parse_values(parser, &values);
	if (ok && values.n == 1)
		*text = value_text(&values.v[0], len);
	else if (ok)
		parse_error(parser, &token, "one value is wanted here, and the variable has %zu", values.n);
	ok = ok && values.n == 1;
	values_free(&values);
	return ok;
}

char *parse_source(const struct parser *parser, const struct token *first)
{
	struct text text = {0};
	const char *end = parser->lex.last.at + parser->lex.last.len;
	bool blank = false;
	for (const char *s = first->at; s < end; s++) {
		if (*s == '#' && blank)
			while (s + 1 < end && *s != '\n')
				s++;
		if (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r') {
			blank = true;
			continue;
		}
		if (blank)
			text_puts(&text, " ");
		blank = false;
		text_add(&text, s, 1);
	}
	return text_take(&text);
}

void parse_recover(struct parser *parser)
{
	struct lexer *lex = &parser->lex;
	lex_operators(lex, false);
	size_t depth = 0;
	for (bool moved = false; lex->token.kind != TOKEN_END && !parser->resume; moved = true) {
		enum token_kind kind = lex->token.kind;
		if (kind == TOKEN_CLOSE && depth == 0)
			return;
		if (moved && depth == 0 && begins_line(lex) && begins_statement(parser))
			return;
		lex_next(lex);
		if (kind == TOKEN_OPEN)
			depth++;
		if (kind == TOKEN_CLOSE)
			depth--;
		if (depth == 0 && (kind == TOKEN_SEMICOLON || kind == TOKEN_CLOSE))
			return;
	}
	parser->resume = false;
}

bool parse_later(struct parser *parser, const struct token *token)
{
	char buf[64];
	parse_error(parser, token, "%s is not in this version", token_quote(token, buf));
	return false;
}

void parse_block(struct parser *parser, void (*one)(struct parser *parser, int section), int section)
{
	struct lexer *lex = &parser->lex;
	const struct token open = lex->token;
	if (!parse_accept(parser, TOKEN_OPEN)) {
		parse_unexpected(parser, "'{'");
		parse_recover(parser);
		return;
	}
	while (lex->token.kind != TOKEN_CLOSE && lex->token.kind != TOKEN_END) {
		const char *before = lex->token.at;
		one(parser, section);
		if (lex->token.at == before && lex->token.kind != TOKEN_CLOSE)
			lex_next(lex);
	}
	if (!parse_accept(parser, TOKEN_CLOSE))
		parse_error(parser, &open, "this '{' is never closed");
}
