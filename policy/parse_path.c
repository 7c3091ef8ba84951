/* Path patterns of rules, and the literal paths of targets. */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "parse.h"
#include "pattern.h"

bool path_begins(const struct parser *parser)
{
	const struct token *token = &parser->lex.token;
	size_t skip = token->kind == TOKEN_WORD ? 0 : 1;
	return parse_is_text(parser) && token->len > skip && (token->at[skip] == '/' || token->at[skip] == '*' ||
							      token->at[skip] == '$');
}

void collapse_slashes(char *s)
{
	char *to = s;
	for (const char *from = s; *from; from++)
		if (*from != '/' || to == s || to[-1] != '/')
			*to++ = *from;
	*to = '\0';
}

static bool has_dots(const char *s)
{
	for (const char *at = s; (at = strchr(at, '/')); at++) {
		size_t n = strcspn(at + 1, "/");
		if ((n == 1 && at[1] == '.') || (n == 2 && at[1] == '.' && at[2] == '.'))
			return true;
	}
	return false;
}

static bool path_check(struct parser *parser, const struct token *token, const char *glob)
{
	char buf[64];
	if (strncmp(glob, "/", 1) != 0 && strncmp(glob, "**/", 3) != 0) {
		struct policy_diag *diag = parse_error(parser, token, "a path begins with '/' or '**/', not like %s",
						       token_quote(token, buf));
		if (policy_ops_named(glob, strlen(glob)))
			policy_diag_help(diag, "operations are separated by commas");
		else if (*glob == '~')
			policy_diag_help(diag, "write the directory's whole path");
		else if (*glob && strcspn(glob, "*?[{") < strlen(glob))
			policy_diag_help(diag, "did you mean '**/%.100s'?", glob);
		else if (*glob)
			policy_diag_help(diag, "did you mean '/%.100s'?", glob);
		return false;
	}
	if (strlen(glob) > MAX_PATH) {
		parse_error(parser, token, "this path is longer than %d bytes, so there can be none of that name", MAX_PATH);
		return false;
	}
	if (has_dots(glob)) {
		policy_diag_help(parse_error(parser, token, "'.' and '..' match nothing: patterns speak of resolved paths"),
				 "write the path that is meant");
		return false;
	}
	const char *why = "";
	size_t wrong = pattern_check(glob, &why);
	if (wrong) {
		struct token part = *token;
		/* Where the word is its own pattern, the mistake has a place in the text. */
		if (token->kind == TOKEN_WORD && strlen(glob) == token->len && memcmp(glob, token->at, token->len) == 0 &&
		    wrong <= token->len) {
			part.at += wrong - 1;
			part.pos.col += (uint32_t)(wrong - 1);
			part.len = 1;
		}
		parse_error(parser, &part, "bad pattern: %s", why);
		return false;
	}
	return true;
}

void path_add(struct parser *parser, const struct token *token, const struct value *value,
	      struct policy_pattern **patterns, size_t *n)
{
	char *glob = text_copy(strcmp(value->glob, "**") == 0 ? "/**" : value->glob);
	collapse_slashes(glob);
	if (!path_check(parser, token, glob)) {
		free(glob);
		return;
	}
	*mem_push(patterns, n) = (struct policy_pattern){
		.glob = glob, .spelled = text_copy(value->glob), .pos = token->pos};
}

struct paths { struct policy_pattern **patterns; size_t *n; };

static void paths_add(struct parser *parser, const struct token *token, const struct value *value, void *ctx,
		      unsigned depth)
{
	struct paths *paths = ctx;
	(void)depth;
	path_add(parser, token, value, paths->patterns, paths->n);
}

bool parse_paths(struct parser *parser, struct policy_pattern **patterns, size_t *n)
{
	return parse_list(parser, "a path", paths_add, &(struct paths){patterns, n});
}

bool parse_literal_path(struct parser *parser, const char *what, char **path)
{
	if (!parse_operand(parser, what))
		return false;
	const struct token token = parser->lex.token;
	struct values values = {0};
	bool ok = parse_values(parser, &values);
	if (ok && values.n != 1) {
		parse_error(parser, &token, "one value is wanted here, and the variable has %zu", values.n);
		ok = false;
	}
	const char *glob = ok ? values.v[0].glob : "";
	if (ok && !values.v[0].raw)
		for (const char *s = glob; *s && ok; s++) {
			if (*s == '\\' && s[1])
				s++;
			else if (*s == '*' || *s == '?' || *s == '[' || *s == '{')
				ok = false;
		}
	if (!ok && values.n == 1)
		parse_error(parser, &token, "%s is one path, not a pattern", what);
	if (ok) {
		*path = value_text(&values.v[0], NULL);
		collapse_slashes(*path);
		if (**path != '/' || has_dots(*path) || strlen(*path) > MAX_PATH) {
			char buf[64];
			policy_diag_help(parse_error(parser, &token, "%s cannot be %s", what, token_quote(&token, buf)),
					 "write the whole path, without '.' and '..'");
			free(*path);
			*path = NULL;
		}
	}
	values_free(&values);
	return true;
}
