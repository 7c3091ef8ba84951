/*
 * The words of a policy text. What a byte means depends on where it stands: a
 * path may hold < = and &, which are operators in a condition. So the parser says which it wants, and a
 * token is only made when it is asked for.
 */
#ifndef USHER_LEX_H
#define USHER_LEX_H

#include "policy.h"

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,	/* unquoted */
	TOKEN_STRING,	/* "..." */
	TOKEN_RAW,	/* '...' */
	TOKEN_OPERATOR,	/* == != < <= > >= & = ; only where lex_operators() was asked for */
	TOKEN_COMMA, TOKEN_SEMICOLON, TOKEN_OPEN, TOKEN_CLOSE
};

struct token {
	enum token_kind kind;
	const char *at;		/* into the text, quotes included */
	size_t len;
	struct policy_pos pos;
	bool bad;		/* not closed, for example: the lexer has complained */
};

struct lexer {
	const char *text;
	size_t len;
	size_t offset;			/* past the current token */
	uint32_t line, line_start;	/* of offset */
	uint32_t file;
	bool operators;
	struct token token;		/* the current one */
	struct token last;		/* the one before it */
	struct policy_diags *diags;	/* NULL: quiet */
	size_t reported;		/* mistakes before this offset have been reported */
};

/* The first token of TEXT is the current one afterwards. */
void lex_begin(struct lexer *lex, const struct policy_file *file, uint32_t index, struct policy_diags *diags);
/* Continues at AT, a token of this or another lexer on the same text. */
void lex_goto(struct lexer *lex, const struct token *at);
void lex_next(struct lexer *lex);
/* From the current token on, words do (or do not) end at operators. */
void lex_operators(struct lexer *lex, bool on);

bool token_is(const struct token *token, const char *word);
/* For a message: the token, short and on one line. BUF is returned. */
const char *token_quote(const struct token *token, char buf[64]);
/* The place just behind TOKEN. */
struct policy_pos token_end(const struct token *token);

#endif
