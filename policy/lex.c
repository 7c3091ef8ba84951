#include "lex.h"

#include <string.h>

#include "diag.h"
#include "escape.h"

static struct policy_pos lex_pos(const struct lexer *lex, size_t offset)
{
	return (struct policy_pos){.file = lex->file, .line = lex->line,
				   .col = (uint32_t)(offset - lex->line_start) + 1};
}

/* A mistake is reported once, however often the parser goes back to the token. */
static struct policy_diag *lex_error(struct lexer *lex, size_t offset, const char *message)
{
	if (!lex->diags || offset < lex->reported)
		return NULL;
	lex->reported = offset + 1;
	return policy_diag_add(lex->diags, DIAG_ERROR, lex_pos(lex, offset), "%s", message);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_operator(char c)
{
	return c == '=' || c == '!' || c == '<' || c == '>' || c == '&';
}

/* Bytes that no text has, wherever they stand: reported, and else taken as they are. */
static size_t lex_character(struct lexer *lex, size_t offset)
{
	unsigned char c = (unsigned char)lex->text[offset];
	if (c == 0x7f || (c < 0x20 && !is_space((char)c))) {
		struct policy_diag *diag = lex_error(lex, offset, "control characters cannot stand in a policy");
		if (diag)
			policy_diag_help(diag, c == 1 ? "write it as \\x%02x in double quotes; what is shown so may be a NUL, which no path has" : "write it as \\x%02x in double quotes", c);
		return 1;
	}
	size_t len = utf8_sequence(lex->text + offset, lex->len - offset);
	if (len)
		return len;
	struct policy_diag *diag = lex_error(lex, offset, "this is not UTF-8");
	if (diag)
		policy_diag_help(diag, "write the byte as \\x%02x in double quotes", c);
	return 1;
}

static void lex_blank(struct lexer *lex)
{
	while (lex->offset < lex->len) {
		char c = lex->text[lex->offset];
		if (c == '\n') {
			lex->offset++;
			lex->line++;
			lex->line_start = (uint32_t)lex->offset;
		} else if (is_space(c)) {
			lex->offset++;
		} else if (c == '#') {
			while (lex->offset < lex->len && lex->text[lex->offset] != '\n')
				lex->offset += lex_character(lex, lex->offset);
		} else {
			return;
		}
	}
}

static void lex_string(struct lexer *lex, size_t start, char quote)
{
	size_t at = start + 1;
	while (at < lex->len && lex->text[at] != '\n' && lex->text[at] != quote) {
		if (quote == '"' && lex->text[at] == '\\' && at + 1 < lex->len && lex->text[at + 1] != '\n')
			at++;
		at += lex_character(lex, at);
	}
	if (at < lex->len && lex->text[at] == quote) {
		at++;
	} else {
		lex->token.bad = true;
		struct policy_diag *diag = lex_error(lex, start, "this quote is never closed");
		if (diag)
			policy_diag_help(diag, "a text ends on the line where it begins");
	}
	lex->offset = at;
	lex->token.kind = quote == '"' ? TOKEN_STRING : TOKEN_RAW;
}

/* The end of [...] that begins at AT, or 0 if it does not end in this word. */
static size_t lex_bracket(const struct lexer *lex, size_t at)
{
	size_t end = at + 1;
	if (end < lex->len && (lex->text[end] == '!' || lex->text[end] == '^'))
		end++;
	if (end < lex->len && lex->text[end] == ']')
		end++;
	for (; end < lex->len; end++) {
		char c = lex->text[end];
		if (c == ']')
			return end + 1;
		if (is_space(c) || c == ';')
			return 0;
	}
	return 0;
}

/* The end of {...} that begins at AT and holds no blank, or 0. */
static size_t lex_brace(const struct lexer *lex, size_t at)
{
	size_t depth = 0;
	for (; at < lex->len; at++) {
		char c = lex->text[at];
		if (c == '\\' && at + 1 < lex->len && lex->text[at + 1] != '\n')
			at++;
		else if (c == '{')
			depth++;
		else if (c == '}' && --depth == 0)
			return at + 1;
		else if (is_space(c) || c == ';')
			return 0;
	}
	return 0;
}

static void lex_word(struct lexer *lex, size_t start)
{
	size_t at = start;
	lex->token.kind = TOKEN_WORD;
	while (at < lex->len) {
		char c = lex->text[at];
		if (is_space(c) || c == ';' || c == ',' || c == '}')
			break;
		if (lex->operators && is_operator(c))
			break;
		if (c == '\\' && at + 1 < lex->len && lex->text[at + 1] != '\n') {
			at++;
			at += lex_character(lex, at);
		} else if (c == '"' || c == '\'') {
			struct policy_diag *diag = lex_error(lex, at, "a quote cannot stand inside a word");
			if (diag)
				policy_diag_help(diag, "quote the whole word, or write \\%c", c);
			lex->token.bad = true;
			at++;
		} else if (c == '[') {
			size_t end = lex_bracket(lex, at);
			at = end ? end : at + 1;
		} else if (c == '{') {
			size_t end = lex_brace(lex, at);
			if (!end) {
				struct policy_diag *diag = lex_error(lex, at, "this '{' stands inside a word and "
								     "is not closed there");
				bool block = at + 1 == lex->len || is_space(lex->text[at + 1]);
				if (diag)
					policy_diag_help(diag, block ? "put a space before '{' to open a block"
								     : "alternation looks like *.{key,pem}, without spaces");
				if (block)
					break;
				lex->token.bad = true;
				end = at;
				while (end < lex->len && !is_space(lex->text[end]) && lex->text[end] != ';')
					end++;
			}
			at = end;
		} else {
			at += lex_character(lex, at);
		}
	}
	lex->offset = at;
}

static void lex_operator(struct lexer *lex, size_t start)
{
	bool two = start + 1 < lex->len && lex->text[start + 1] == '=' && lex->text[start] != '&';
	lex->token.kind = TOKEN_OPERATOR;
	lex->offset = start + (two ? 2 : 1);
}

static void lex_token(struct lexer *lex)
{
	lex_blank(lex);
	size_t start = lex->offset;
	lex->token = (struct token){.at = lex->text + start, .pos = lex_pos(lex, start)};
	if (start >= lex->len)
		return;

	char c = lex->text[start];
	char before = start ? lex->text[start - 1] : '\n';
	if (c == ';' || c == ',' || c == '}') {
		lex->token.kind = c == ';' ? TOKEN_SEMICOLON : c == ',' ? TOKEN_COMMA : TOKEN_CLOSE;
		lex->offset++;
	} else if (c == '{' && (is_space(before) || before == ';' || before == '{' || before == '}' ||
				!lex_brace(lex, start))) {
		lex->token.kind = TOKEN_OPEN;
		lex->offset++;
	} else if (c == '"' || c == '\'') {
		lex_string(lex, start, c);
	} else if (lex->operators && is_operator(c)) {
		lex_operator(lex, start);
	} else {
		lex_word(lex, start);
	}
	lex->token.len = lex->offset - start;
}

/* What editors of other systems put in front. Of UTF-16 nothing else is worth a complaint. */
static void lex_mark(struct lexer *lex)
{
	struct policy_diag *diag = NULL;
	if (lex->len >= 3 && memcmp(lex->text, "\xef\xbb\xbf", 3) == 0) {
		diag = lex_error(lex, 0, "a byte order mark cannot stand in a policy");
		lex->offset = 3;
	} else if (lex->len >= 2 && (memcmp(lex->text, "\xff\xfe", 2) == 0 || memcmp(lex->text, "\xfe\xff", 2) == 0)) {
		diag = lex_error(lex, 0, "this is UTF-16");
		lex->len = 0;
	}
	if (diag)
		policy_diag_help(diag, "save the file as UTF-8, without a byte order mark");
}

void lex_begin(struct lexer *lex, const struct policy_file *file, uint32_t index, struct policy_diags *diags)
{
	*lex = (struct lexer){.text = file->text, .len = file->len, .file = index, .line = 1, .diags = diags};
	lex_mark(lex);
	lex_token(lex);
	lex->last = lex->token;
}

void lex_goto(struct lexer *lex, const struct token *at)
{
	lex->offset = (size_t)(at->at - lex->text);
	lex->line = at->pos.line;
	lex->line_start = (uint32_t)(lex->offset - (at->pos.col - 1));
	lex_token(lex);
}

void lex_next(struct lexer *lex)
{
	lex->last = lex->token;
	lex_token(lex);
}

void lex_operators(struct lexer *lex, bool on)
{
	if (lex->operators == on)
		return;
	lex->operators = on;
	struct token again = lex->token;
	lex_goto(lex, &again);
}

bool token_is(const struct token *token, const char *word)
{
	return (token->kind == TOKEN_WORD || token->kind == TOKEN_OPERATOR) && strlen(word) == token->len &&
	       memcmp(token->at, word, token->len) == 0;
}

const char *token_quote(const struct token *token, char buf[64])
{
	if (token->kind == TOKEN_END)
		return strcpy(buf, "the end of the file");
	size_t n = 0, len = token->len;
	buf[n++] = '\'';
	for (size_t i = 0; i < len; i++) {
		if (n > 50 && ((unsigned char)token->at[i] & 0xc0) != 0x80) {
			memcpy(buf + n, "...", 3);
			n += 3;
			break;
		}
		if (n == 58)
			break;
		buf[n++] = token->at[i];
	}
	buf[n++] = '\'';
	buf[n] = '\0';
	return buf;
}

struct policy_pos token_end(const struct token *token)
{
	struct policy_pos pos = token->pos;
	pos.col += (uint32_t)token->len;
	return pos;
}
