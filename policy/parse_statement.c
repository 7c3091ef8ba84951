/* Statements: what a file, a section and a domain are made of. */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "parse.h"

static bool parse_policy(struct parser *parser)
{
	struct loader *loader = parser->loader;
	const struct token at = parser->lex.token;
	AUTO_FREE char *name = NULL;
	AUTO_FREE char *title = NULL;
	if (!parse_name(parser, "a name", &name))
		return false;
	if (parser->lex.token.kind != TOKEN_SEMICOLON && !parse_string(parser, "a title", &title, NULL))
		return false;
	/* An include may be a whole policy of its own: its name is then not that of this one. */
	if (!loader->policy->files[at.pos.file].main || parser->domain)
		return parse_semicolon(parser);
	if (loader->name_pos.line) {
		policy_diag_other(parse_error(parser, &at, "a policy has one name"), loader->name_pos, "the first");
		return parse_semicolon(parser);
	}
	loader->name_pos = at.pos;
	free(loader->policy->name);
	loader->policy->name = text_copy(name);
	loader->policy->title = text_copy(title);
	return parse_semicolon(parser);
}

static bool parse_include(struct parser *parser, const struct token *statement)
{
	struct loader *loader = parser->loader;
	AUTO_FREE char *path = NULL;
	const struct token name = parser->lex.token;
	if (!parse_string(parser, "the name of a file", &path, NULL))
		return false;
	/* Files are found before variables are known. */
	if (memchr(name.at, '$', name.len) || memchr(name.at, '\\', name.len))
		parse_error(parser, &name, "an include is named without variables and escapes");
	if (!parse_semicolon(parser))
		return false;
	for (size_t i = 0; i < loader->n_includes; i++) {
		const struct include *include = &loader->includes[i];
		if (include->pos.file != statement->pos.file || include->pos.line != statement->pos.line ||
		    include->pos.col != statement->pos.col)
			continue;
		bool *visited = parser->domain ? loader->domains[parser->domain - 1].visited : loader->visited;
		if (!visited[include->file])
			parse_file(loader, include->file, parser->domain);
	}
	return true;
}

/* A list whose members were read before: only its form is looked at. */
static bool parse_definition(struct parser *parser, char sigil)
{
	struct lexer *lex = &parser->lex;
	lex_operators(lex, true);
	const struct token name = lex->token;
	bool named = name.kind == TOKEN_WORD && name.len > 1 && *name.at == sigil;
	if (named)
		lex_next(lex);
	bool equals = named && token_is(&lex->token, "=");
	if (!named || !equals) {
		parse_unexpected(parser, !named ? sigil == '$' ? "a variable ($name)" : "a group (@name)" : "'='");
		lex_operators(lex, false);
		return false;
	}
	lex->operators = false;	/* '=' itself is already a token */
	lex_next(lex);
	do {
		if (!parse_is_text(parser))
			return parse_unexpected(parser, "a value");
		lex_next(lex);
	} while (parse_accept(parser, TOKEN_COMMA));
	return parse_semicolon(parser);
}

static bool parse_cover(struct parser *parser, int section)
{
	struct loader *loader = parser->loader;
	uint32_t ops = 0;
	do {
		const struct token token = parser->lex.token;
		uint32_t named = token.kind == TOKEN_WORD ? policy_ops_named(token.at, token.len) : 0;
		if (token.kind != TOKEN_WORD)
			return parse_unexpected(parser, "an operation");
		char buf[64];
		if (!named)
			policy_diag_nearest(parse_error(parser, &token, "unknown operation %s", token_quote(&token, buf)),
					    word_nearest(WORD_BIT(WORD_OP) | WORD_BIT(WORD_OPS), token.at, token.len));
		else if (named & ~OPS_FILES)
			parse_error(parser, &token, "%s is not a file operation: 'cover' is about files",
				    token_quote(&token, buf));
		ops |= named;
		lex_next(&parser->lex);
	} while (parse_accept(parser, TOKEN_COMMA));
	if (section == SECTION_FILES && !parser->domain)
		loader->cover |= ops;
	return parse_semicolon(parser);
}

static void parse_rule_statement(struct parser *parser, int section)
{
	const struct token token = parser->lex.token;
	if (token_word(&token, WORD_BIT(WORD_ACTION))) {
		parse_rule(parser, section);
	} else if (parse_accept_word(parser, "when")) {
		parse_when(parser, section);
	} else {
		char buf[64];
		struct policy_diag *diag = parse_error(parser, &token, token.kind == TOKEN_SEMICOLON
						       ? "nothing stands before this %s" : "%s does not begin a rule",
						       token_quote(&token, buf));
		if (token.kind == TOKEN_WORD)
			policy_diag_nearest(diag, word_nearest(WORD_BIT(WORD_ACTION), token.at, token.len));
		parse_recover(parser);
	}
}

static void parse_section_statement(struct parser *parser, int section)
{
	const struct token token = parser->lex.token;
	if (parse_accept_word(parser, "default")) {
		parse_default(parser, (enum policy_section)section);
	} else if (token_is(&token, "cover")) {
		if (section != SECTION_FILES)
			policy_diag_help(parse_error(parser, &token, "'cover' belongs into the files section"),
					 "the other sections are always brokered as a whole");
		lex_next(&parser->lex);
		if (!parse_cover(parser, section))
			parse_recover(parser);
	} else {
		const char *near = token.kind == TOKEN_WORD && !word_find(STARTERS, token.at, token.len)
					   ? word_nearest(WORD_BIT(WORD_ACTION) | WORD_BIT(WORD_STATEMENT), token.at, token.len)
					   : NULL;
		if (near && (strcmp(near, "default") == 0 || strcmp(near, "cover") == 0)) {
			char buf[64];
			policy_diag_nearest(parse_error(parser, &token, "%s does not begin a rule",
							token_quote(&token, buf)), near);
			parse_recover(parser);
			return;
		}
		parse_rule_statement(parser, section);
	}
}

static void parse_section(struct parser *parser, const struct word *word)
{
	struct loader *loader = parser->loader;
	const struct token token = parser->lex.token;
	enum policy_section section = (enum policy_section)word->value;
	if (loader->policy->files[token.pos.file].main && !parser->domain && !loader->main_section[section]) {
		loader->main_section[section] = true;
		loader->section_pos[section] = token.pos;
	}
	lex_next(&parser->lex);
	parse_block(parser, parse_section_statement, (int)section);
}

static void parse_statement(struct parser *parser, int unused);

static void parse_domain(struct parser *parser)
{
	struct loader *loader = parser->loader;
	const struct token at = parser->lex.token;
	char *name = NULL;
	if (parser->domain || !parse_name(parser, "the name of a domain", &name)) {
		if (parser->domain)
			parse_error(parser, &at, "a domain cannot stand in a domain");
		parse_recover(parser);
		return;
	}
	for (size_t i = 0; i < loader->n_domains; i++)
		if (strcmp(loader->domains[i].name, name) == 0)
			policy_diag_other(parse_error(parser, &at, "there are two domains '%s'", name),
					  loader->domains[i].pos, "the first");
	*mem_push(&loader->domains, &loader->n_domains) =
		(struct domain){.name = name, .pos = at.pos, .visited = mem_zero(MAX_FILES * sizeof(bool))};
	loader->policy->has_domains = true;
	loader->policy->domain = at.pos;
	parser->domain = (uint32_t)loader->n_domains;
	parse_block(parser, parse_statement, -1);
	parser->domain = 0;
}

static bool parse_inherits(struct parser *parser, const struct token *statement)
{
	char *name = NULL;
	if (!parser->domain) {
		parse_error(parser, statement, "'inherits' belongs into a domain");
		return false;
	}
	const struct token at = parser->lex.token;
	if (!parse_name(parser, "the name of a domain", &name))
		return false;
	struct domain *domain = &parser->loader->domains[parser->domain - 1];
	if (domain->inherits)
		policy_diag_other(parse_error(parser, &at, "a domain inherits from one other"), domain->inherits_pos,
				  "the first");
	free(domain->inherits);
	domain->inherits = name;
	domain->inherits_pos = at.pos;
	return parse_semicolon(parser);
}

static void parse_misplaced(struct parser *parser, const struct token *token, enum statement statement)
{
	char buf[64];
	struct policy_diag *diag = parse_error(parser, token, "%s cannot stand here", token_quote(token, buf));
	if (statement == STATEMENT_SYNTAX)
		policy_diag_help(diag, "'syntax 1;' is the first statement of a file");
	else
		policy_diag_help(diag, "it belongs into a %s block",
				 statement == STATEMENT_DEFAULT ? "section's" : statement == STATEMENT_COVER ? "files" : "test");
	parse_recover(parser);
}

static void parse_unknown(struct parser *parser, const struct token *token)
{
	char buf[64];
	if (token->kind == TOKEN_CLOSE) {
		parse_error(parser, token, "there is no '{' for this '}'");
		lex_next(&parser->lex);
		return;
	}
	struct policy_diag *diag = parse_error(parser, token, token->kind == TOKEN_SEMICOLON
					       ? "nothing stands before this %s" : "%s does not begin a statement",
					       token_quote(token, buf));
	if (token->kind == TOKEN_WORD)
		policy_diag_nearest(diag, word_nearest(STARTERS, token->at, token->len));
	parse_recover(parser);
}

static void parse_statement(struct parser *parser, int unused)
{
	(void)unused;
	const struct token token = parser->lex.token;
	const struct word *word = token_word(&token, STARTERS);
	if (!word) {
		parse_unknown(parser, &token);
		return;
	}
	if (word->kind == WORD_SECTION) {
		parse_section(parser, word);
		return;
	}
	if (word->kind == WORD_ACTION) {
		parse_rule(parser, -1);
		return;
	}
	lex_next(&parser->lex);
	bool ok = true;
	switch ((enum statement)word->value) {
	case STATEMENT_POLICY:
		ok = parse_policy(parser);
		break;
	case STATEMENT_INCLUDE:
	case STATEMENT_INCLUDE_MAYBE:
		ok = parse_include(parser, &token);
		break;
	case STATEMENT_SET:
		ok = parse_definition(parser, '$');
		break;
	case STATEMENT_GROUP:
		ok = parse_definition(parser, '@');
		break;
	case STATEMENT_WHEN:
		parse_when(parser, -1);
		break;
	case STATEMENT_DOMAIN:
		parse_domain(parser);
		break;
	case STATEMENT_INHERITS:
		ok = parse_inherits(parser, &token);
		break;
	case STATEMENT_TEST:
		parse_test(parser);
		break;
	case STATEMENT_AUDIT:
		parse_plain(parser, WORD_AUDIT);
		break;
	case STATEMENT_LIMITS:
		parse_plain(parser, WORD_LIMITS);
		break;
	case STATEMENT_ROLLOUT:
		parse_plain(parser, WORD_ROLLOUT);
		break;
	case STATEMENT_SYNTAX:
	case STATEMENT_DEFAULT:
	case STATEMENT_COVER:
	case STATEMENT_EXPECT:
	case STATEMENT_NEVER:
		parse_misplaced(parser, &token, (enum statement)word->value);
		break;
	}
	if (!ok)
		parse_recover(parser);
}

/* True if the rest of the file can be read. */
static bool parse_syntax(struct parser *parser)
{
	const struct token first = parser->lex.token;
	if (!parse_accept_word(parser, "syntax")) {
		struct token at = first;
		at.len = 1;
		policy_diag_help(parse_error(parser, &at, "a policy file begins with 'syntax 1;'"),
				 "add this line before all others: syntax 1;");
		return true;
	}
	const struct token number = parser->lex.token;
	uint64_t version;
	if (number.kind != TOKEN_WORD || !number_parse(number.at, number.len, &version) || version == 0) {
		parse_unexpected(parser, "the version of the syntax (1)");
		parse_recover(parser);
		return true;
	}
	if (version != 1) {
		policy_diag_help(parse_error(parser, &number, "this file is written in syntax %llu, and this usher "
					     "reads syntax 1", (unsigned long long)version),
				 "it takes an usher that reads syntax %llu", (unsigned long long)version);
		return false;
	}
	lex_next(&parser->lex);
	if (!parse_semicolon(parser))
		parse_recover(parser);
	return true;
}

void parse_file(struct loader *loader, uint32_t file, uint32_t domain)
{
	struct parser parser = {.loader = loader, .live = true, .domain = domain};
	struct lexer *lex = &parser.lex;
	*(domain ? &loader->domains[domain - 1].visited[file] : &loader->visited[file]) = true;
	/* A file that is read again for a domain has had its characters complained about. */
	lex_begin(lex, &loader->policy->files[file], file, domain && loader->visited[file] ? NULL : loader->diags);
	if (!parse_syntax(&parser))
		return;
	while (lex->token.kind != TOKEN_END) {
		const char *before = lex->token.at;
		parse_statement(&parser, -1);
		if (lex->token.at == before)
			lex_next(lex);
	}
}
