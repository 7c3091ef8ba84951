/*
 * From a word of the text to its values: escapes are undone and variables multiply out, so that
 * "$root/{a,b}" with two roots is two values. (Braces stay: they are part of the pattern.)
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "parse.h"

bool glob_special(char c)
{
	return c == '*' || c == '?' || c == '[' || c == ']' || c == '{' || c == '}' || c == ',' || c == '\\';
}

void values_free(struct values *values)
{
	for (size_t i = 0; i < values->n; i++)
		free(values->v[i].glob);
	free(values->v);
	*values = (struct values){0};
}

char *value_text(const struct value *value, size_t *len)
{
	struct text text = {0};
	for (const char *s = value->glob; *s; s++) {
		if (*s == '\\' && s[1] && !value->raw)
			s++;
		text_add(&text, s, 1);
	}
	if (len)
		*len = text.len;
	return text_take(&text);
}

struct definition *definition_find(struct definitions *definitions, const char *name, size_t len)
{
	for (size_t i = 0; i < definitions->n; i++) {
		struct definition *definition = &definitions->list[i];
		if (strlen(definition->name) == len && memcmp(definition->name, name, len) == 0)
			return definition;
	}
	return NULL;
}

const char *definition_nearest(const struct definitions *definitions, const char *name, size_t len)
{
	struct nearest nearest = {.name = name, .len = len};
	for (size_t i = 0; i < definitions->n; i++)
		nearest_try(&nearest, definitions->list[i].name);
	return nearest.found;
}

/* A word being put together: every value so far, each growing. */
struct building {
	struct text *v;
	size_t n;
};

static void building_free(struct building *building)
{
	for (size_t i = 0; i < building->n; i++)
		free(building->v[i].s);
	free(building->v);
}

static void building_add(struct building *building, const char *s, size_t len)
{
	for (size_t i = 0; i < building->n; i++)
		text_add(&building->v[i], s, len);
}

static bool building_exhausted(struct parser *parser, const struct token *token, size_t words, size_t bytes)
{
	struct loader *loader = parser->loader;
	loader->n_words += words;
	loader->n_bytes += bytes;
	if (loader->exhausted)
		return true;
	if (loader->n_words <= MAX_WORDS && loader->n_bytes <= MAX_BYTES)
		return false;
	loader->exhausted = true;
	parse_error(parser, token, "this policy becomes too large: more than %d words, or %d MB of them", MAX_WORDS,
		    MAX_BYTES >> 20);
	return true;
}

static bool building_multiply(struct parser *parser, struct building *building, const struct token *token,
			      const struct values *values)
{
	size_t n = building->n * values->n, bytes = 0;
	if (n > MAX_EXPANSION) {
		struct policy_diag *diag = parse_error(parser, token, "the variables in this word multiply to more "
						       "than %d values", MAX_EXPANSION);
		policy_diag_help(diag, "write a pattern instead of a list");
		return false;
	}
	for (size_t i = 0; i < building->n; i++)
		for (size_t j = 0; j < values->n; j++)
			bytes += building->v[i].len + strlen(values->v[j].glob);
	if (building_exhausted(parser, token, n, bytes))
		return false;

	struct building product = {0};
	for (size_t i = 0; i < building->n; i++)
		for (size_t j = 0; j < values->n; j++) {
			struct text *text = mem_push(&product.v, &product.n);
			text_add(text, building->v[i].s ? building->v[i].s : "", building->v[i].len);
			text_puts(text, values->v[j].glob);
		}
	building_free(building);
	*building = product;
	return true;
}

static bool is_name(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static struct token token_part(const struct token *token, const char *at, size_t len)
{
	struct token part = *token;
	part.kind = TOKEN_WORD;
	part.at = at;
	part.len = len;
	part.pos.col += (uint32_t)(at - token->at);
	return part;
}

/* $ at AT. Returns where to go on, NULL after a mistake. */
static const char *expand_variable(struct parser *parser, struct building *building, const struct token *token,
				   const char *at, const char *end)
{
	if (at + 1 < end && at[1] == '$') {
		building_add(building, "$", 1);
		return at + 2;
	}
	bool braced = at + 1 < end && at[1] == '{';
	const char *name = at + (braced ? 2 : 1), *stop = name;
	while (stop < end && is_name(*stop, stop == name))
		stop++;
	const char *next = braced && stop < end && *stop == '}' ? stop + 1 : stop;
	if (stop == name || (braced && next == stop)) {
		struct token part = token_part(token, at, 1);
		policy_diag_help(parse_error(parser, &part, "'$' begins a variable, and no name follows"),
				 "'$$' is a dollar sign");
		return NULL;
	}
	struct token part = token_part(token, at, (size_t)(next - at));
	size_t len = (size_t)(stop - name);
	struct definition *variable = definition_find(&parser->loader->variables, name, len);
	if (!variable) {
		struct policy_diag *diag = parse_error(parser, &part, "unknown variable '$%.*s'", (int)len, name);
		const char *near = definition_nearest(&parser->loader->variables, name, len);
		if (near)
			policy_diag_help(diag, "did you mean '$%s'?", near);
		return NULL;
	}
	variable->used = true;
	if (variable->state == DEFINITION_BUSY) {
		policy_diag_other(parse_error(parser, &part, "'$%s' is defined by itself", variable->name),
				  variable->pos, "defined here");
		return NULL;
	}
	const struct values *values = variable_values(parser->loader, variable);
	return values && building_multiply(parser, building, &part, values) ? next : NULL;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void building_literal(struct building *building, char c)
{
	if (glob_special(c))
		building_add(building, "\\", 1);
	building_add(building, &c, 1);
}

/* \ at AT. */
static const char *expand_escape(struct parser *parser, struct building *building, const struct token *token,
				 const char *at, const char *end)
{
	char c = at + 1 < end ? at[1] : '\0';
	if (token->kind == TOKEN_WORD) {
		building_literal(building, c ? c : '\\');
		return at + (c ? 2 : 1);
	}
	switch (c) {
	case 'n':
		building_add(building, "\n", 1);
		return at + 2;
	case 't':
		building_add(building, "\t", 1);
		return at + 2;
	case 'x': {
		int high = at + 2 < end ? hex_digit(at[2]) : -1, low = at + 3 < end ? hex_digit(at[3]) : -1;
		if (high < 0 || low < 0 || high + low == 0) {
			struct token part = token_part(token, at, 2);
			parse_error(parser, &part, high < 0 || low < 0 ? "\\x takes two hexadecimal digits"
								       : "a NUL byte cannot stand in a text");
			return NULL;
		}
		building_literal(building, (char)(high * 16 + low));
		return at + 4;
	}
	default:
		if (c == '"' || c == '$' || glob_special(c)) {
			building_literal(building, c);
			return at + 2;
		}
		struct token part = token_part(token, at, c ? 2 : 1);
		policy_diag_help(parse_error(parser, &part, "unknown escape in a text"),
				 "there are \\n \\t \\\" \\\\ and \\xHH; single quotes take everything as it is");
		return NULL;
	}
}

static bool expand(struct parser *parser, const struct token *token, struct building *building)
{
	const char *at = token->at, *end = token->at + token->len;
	if (token->kind != TOKEN_WORD) {
		at++;
		if (end > at && end[-1] == *token->at)
			end--;
	}
	if (token->kind == TOKEN_RAW) {
		building_add(building, at, (size_t)(end - at));
		return true;
	}
	const char *plain = at;
	while (at && at < end) {
		if (*at != '$' && *at != '\\') {
			at++;
			continue;
		}
		building_add(building, plain, (size_t)(at - plain));
		at = *at == '$' ? expand_variable(parser, building, token, at, end)
				: expand_escape(parser, building, token, at, end);
		plain = at;
	}
	if (!at)
		return false;
	building_add(building, plain, (size_t)(at - plain));
	return true;
}

bool parse_values(struct parser *parser, struct values *values)
{
	struct token token = parser->lex.token;
	ASSERT(parse_is_text(parser));
	lex_next(&parser->lex);
	if (token.bad)
		return false;
	if (token.len > MAX_WORD) {
		parse_error(parser, &token, "this word is longer than %d bytes", MAX_WORD);
		return false;
	}
	if (building_exhausted(parser, &token, 1, token.len))
		return false;

	struct building building = {0};
	mem_push(&building.v, &building.n);
	bool ok = expand(parser, &token, &building);
	for (size_t i = 0; ok && i < building.n; i++)
		*mem_push(&values->v, &values->n) =
			(struct value){.glob = text_take(&building.v[i]), .raw = token.kind == TOKEN_RAW};
	building_free(&building);
	return ok;
}

bool parse_word_text(struct parser *parser, const char *what, char **text)
{
	if (!parse_operand(parser, what))
		return false;
	struct token token = parser->lex.token;
	struct values values = {0};
	bool ok = parse_values(parser, &values);
	if (ok && values.n != 1) {
		parse_error(parser, &token, "one value is wanted here, and the variable has %zu", values.n);
		ok = false;
	}
	if (ok)
		*text = value_text(&values.v[0], NULL);
	values_free(&values);
	return ok;
}

const struct values *variable_values(struct loader *loader, struct definition *variable)
{
	if (variable->state == DEFINITION_DONE)
		return variable->values.n ? &variable->values : NULL;
	if (variable->state == DEFINITION_BUSY)
		return NULL;

	struct parser parser = {.loader = loader, .live = true};
	uint32_t file = variable->pos.file;
	lex_begin(&parser.lex, &loader->policy->files[file], file, NULL);
	lex_goto(&parser.lex, &variable->list);
	if (loader->variable_depth == MAX_NESTING) {
		parse_error(&parser, &variable->list, "variables are nested more than %d deep", MAX_NESTING);
		variable->state = DEFINITION_DONE;
		return NULL;
	}
	loader->variable_depth++;
	variable->state = DEFINITION_BUSY;
	bool ok = true;
	do {
		if (!parse_is_text(&parser))
			break;	/* the parser proper complains */
		ok = parse_values(&parser, &variable->values) && ok;
		if (variable->values.n > MAX_EXPANSION) {
			parse_error(&parser, &variable->list, "'$%s' has more than %d values", variable->name,
				    MAX_EXPANSION);
			ok = false;
		}
	} while (ok && parse_accept(&parser, TOKEN_COMMA));
	if (!ok)
		values_free(&variable->values);
	variable->state = DEFINITION_DONE;
	loader->variable_depth--;
	return variable->values.n ? &variable->values : NULL;
}

static void list_member(struct parser *parser, member_fn *each, void *ctx, unsigned depth)
{
	const struct token token = parser->lex.token;
	struct values values = {0};
	if (parse_values(parser, &values))
		for (size_t i = 0; i < values.n; i++)
			each(parser, &token, &values.v[i], ctx, depth);
	values_free(&values);
}

bool parse_list(struct parser *parser, const char *what, member_fn *each, void *ctx)
{
	do {
		if (!parse_operand(parser, what))
			return false;
		list_member(parser, each, ctx, 0);
	} while (parse_accept(parser, TOKEN_COMMA));
	return true;
}

void group_members(struct parser *parser, const struct token *token, struct definition *group, member_fn *each,
		   void *ctx, unsigned depth)
{
	struct loader *loader = parser->loader;
	if (group->state == DEFINITION_BUSY || depth == MAX_NESTING) {
		policy_diag_other(parse_error(parser, token, "group '%s' contains itself, or is nested too deep", group->name),
				  group->pos, "defined here");
		return;
	}
	group->state = DEFINITION_BUSY;
	struct parser inner = {.loader = loader, .live = true};
	uint32_t file = group->pos.file;
	lex_begin(&inner.lex, &loader->policy->files[file], file, NULL);
	lex_goto(&inner.lex, &group->list);
	do {
		if (!parse_is_text(&inner))
			break;
		list_member(&inner, each, ctx, depth + 1);
	} while (parse_accept(&inner, TOKEN_COMMA));
	group->state = DEFINITION_NEW;
}
