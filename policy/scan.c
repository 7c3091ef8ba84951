/*
 * Files and what is told before anything is parsed: every file is read once, however often it is included,
 * and scanned for variables, groups and further includes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "escape.h"
#include "fd.h"
#include "parse.h"

struct chain {
	const struct chain *up;
	uint32_t file;
	unsigned depth;
};

static void scan(struct loader *loader, const struct chain *chain);

uint32_t file_add(struct loader *loader, const char *path, char *text, size_t len, bool main)
{
	struct policy *policy = loader->policy;
	struct policy_file *file = mem_push(&policy->files, &policy->n_files);
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	/* No NUL gets past here, so that words may be handed around as strings. The lexer refuses both. */
	for (char *nul = text; (nul = memchr(nul, '\0', len - (size_t)(nul - text)));)
		*nul = '\1';
	*file = (struct policy_file){.path = text_copy(path), .name = escape_dup(name, strlen(name)),
				     .text = text, .len = len, .main = main};
	return (uint32_t)(policy->n_files - 1);
}

char *path_join(const char *dir, size_t dir_len, const char *name)
{
	struct text text = {0};
	AUTO_FREE char *whole = text_printf("%.*s%s%s", (int)dir_len, dir, dir_len && dir[dir_len - 1] != '/' ? "/" : "", name);
	for (const char *at = whole; *at;) {
		size_t n = strcspn(at, "/");
		bool dot = n == 1 && *at == '.' && at[1] == '/';
		if (!dot && (n || at == whole))
			text_add(&text, at, n + (at[n] == '/'));
		at += n + (at[n] == '/');
	}
	return text_take(&text);
}

int64_t file_open(struct loader *loader, const char *path)
{
	const struct policy *policy = loader->policy;
	for (size_t i = 0; i < policy->n_files; i++)
		if (strcmp(policy->files[i].path, path) == 0)
			return (int64_t)i;
	if (policy->n_files >= MAX_FILES)
		return -EMFILE;
	char *text = NULL;
	size_t len = 0;
	int err = loader->env->read ? loader->env->read(loader->env->ctx, path, &text, &len) : -ENOENT;
	if (err)
		return err;
	if (len > MAX_FILE_SIZE) {
		free(text);
		return -EFBIG;
	}
	return (int64_t)file_add(loader, path, text, len, false);
}

static int64_t include_open(struct loader *loader, const char *path)
{
	struct policy *policy = loader->policy;
	int64_t file = file_open(loader, path);
	if (file != -ENOENT)
		return file;
	for (size_t i = 0; i < policy->n_missing; i++)
		if (strcmp(policy->missing[i], path) == 0)
			return file;
	*mem_push(&policy->missing, &policy->n_missing) = text_copy(path);
	return file;
}

static int64_t include_find(struct loader *loader, uint32_t from, const char *name, struct text *looked)
{
	if (*name == '/')
		return include_open(loader, name);
	const char *path = loader->policy->files[from].path;
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *near = path_join(path, slash ? (size_t)(slash - path) + 1 : 0, name);
	int64_t file = include_open(loader, near);
	text_addf(looked, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	const char *const *dirs = loader->env->include_dirs;
	for (size_t i = 0; file == -ENOENT && dirs && dirs[i]; i++) {
		AUTO_FREE char *far = path_join(dirs[i], strlen(dirs[i]), name);
		file = include_open(loader, far);
		text_addf(looked, ", %s", dirs[i]);
	}
	return file;
}

static void report_circle(struct loader *loader, const struct token *token, const struct chain *chain, uint32_t file)
{
	struct strings names = {0};
	const struct policy_file *files = loader->policy->files;
	strings_add(&names, files[file].name);
	for (const struct chain *link = chain; link; link = link->up) {
		strings_add(&names, files[link->file].name);
		if (link->file == file)
			break;
	}
	struct text text = {0};
	for (size_t i = names.n; i-- > 0;)
		text_addf(&text, "%s%s", files[file].name == names.v[i] && i + 1 == names.n ? "" : " -> ", names.v[i]);
	policy_diag_add(loader->diags, DIAG_ERROR, token->pos, "includes go round in a circle: %s", text.s);
	free(text.s);
	free(names.v);
}

/* TOKEN is the name in an include statement at POS. */
static void scan_include(struct loader *loader, const struct chain *chain, struct policy_pos pos, const struct token *token,
			 bool maybe)
{
	if (token->len < 3 || memchr(token->at, '$', token->len) || memchr(token->at, '\\', token->len))
		return;	/* the parser complains */
	AUTO_FREE char *name = text_dup(token->at + 1, token->len - 2);
	struct text looked = {0};
	int64_t found = include_find(loader, chain->file, name, &looked);
	AUTO_FREE char *places = text_take(&looked);
	if (found == -ENOENT && maybe)
		return;
	if (found < 0) {
		struct policy_diag *diag = policy_diag_add(loader->diags, DIAG_ERROR, token->pos,
							   "cannot read '%s': %s", name, strerror((int)-found));
		if (found == -ENOENT && *name != '/')
			policy_diag_help(diag, "looked in %s", places);
		return;
	}
	for (const struct chain *link = chain; link; link = link->up)
		if (link->file == found) {
			report_circle(loader, token, chain, (uint32_t)found);
			return;
		}
	/* A file that was met before is not scanned again: two includes in each would double the work at every
	 * level. How deep its own includes go is known. */
	struct scanned *scanned = &loader->scanned[found];
	if (chain->depth + 1 + scanned->height > MAX_INCLUDE_DEPTH) {
		policy_diag_add(loader->diags, DIAG_ERROR, token->pos, "includes are nested more than %d deep", MAX_INCLUDE_DEPTH);
		return;
	}
	*mem_push(&loader->includes, &loader->n_includes) = (struct include){.pos = pos, .file = (uint32_t)found};
	if (!scanned->done) {
		struct chain next = {.up = chain, .file = (uint32_t)found, .depth = chain->depth + 1};
		scan(loader, &next);
	}
	struct scanned *own = &loader->scanned[chain->file];
	if (own->height <= scanned->height)
		own->height = scanned->height + 1;
}

static void scan_definition(struct loader *loader, struct lexer *lex, char sigil)
{
	lex_operators(lex, true);
	const struct token name = lex->token;
	struct definitions *definitions = sigil == '$' ? &loader->variables : &loader->groups;
	bool good = name.kind == TOKEN_WORD && name.len > 1 && *name.at == sigil;
	if (good) {
		lex_next(lex);
		good = token_is(&lex->token, "=");
	}
	if (!good) {
		lex_operators(lex, false);
		return;
	}
	lex->operators = false;
	lex_next(lex);
	size_t skip = sigil == '$' ? 1 : 0;
	const struct token list = lex->token;
	do {
		if (lex->token.kind != TOKEN_WORD && lex->token.kind != TOKEN_STRING && lex->token.kind != TOKEN_RAW)
			break;
		lex_next(lex);
		if (lex->token.kind != TOKEN_COMMA)
			break;
		lex_next(lex);
	} while (lex->token.kind != TOKEN_END);

	struct definition *known = definition_find(definitions, name.at + skip, name.len - skip);
	if (known && known->pos.file == POLICY_BUILTIN) {
		known->used = true;	/* --set wins */
		return;
	}
	if (known && known->pos.line == name.pos.line && known->pos.col == name.pos.col && known->pos.file == name.pos.file)
		return;
	if (definitions->n >= MAX_DEFINITIONS) {
		policy_diag_add(loader->diags, DIAG_ERROR, name.pos, "more than %d %s", MAX_DEFINITIONS,
				sigil == '$' ? "variables" : "groups");
		return;
	}
	*mem_push(&definitions->list, &definitions->n) = (struct definition){
		.name = text_dup(name.at + skip, name.len - skip), .list = list, .pos = name.pos};
}

static bool scan_stops(const struct lexer *lex)
{
	return lex->last.pos.line < lex->token.pos.line &&
	       (token_is(&lex->token, "set") || token_is(&lex->token, "group") || token_is(&lex->token, "include") ||
		token_is(&lex->token, "include?"));
}

static void scan_skip(struct lexer *lex)
{
	for (size_t depth = 0; lex->token.kind != TOKEN_END;) {
		enum token_kind kind = lex->token.kind;
		if (kind == TOKEN_CLOSE && depth == 0)
			return;
		lex_next(lex);
		if (kind == TOKEN_OPEN)
			depth++;
		if (kind == TOKEN_CLOSE)
			depth--;
		if (depth == 0 && (kind == TOKEN_SEMICOLON || kind == TOKEN_CLOSE || scan_stops(lex)))
			return;
	}
}

static void scan(struct loader *loader, const struct chain *chain)
{
	struct lexer lexer, *lex = &lexer;
	loader->scanned[chain->file].done = true;
	lex_begin(lex, &loader->policy->files[chain->file], chain->file, NULL);
	while (lex->token.kind != TOKEN_END) {
		const struct token token = lex->token;
		if (token_is(&token, "set") || token_is(&token, "group")) {
			lex_next(lex);
			scan_definition(loader, lex, token.len == 3 ? '$' : '@');
			if (lex->token.kind == TOKEN_SEMICOLON)
				lex_next(lex);
		} else if (token_is(&token, "include") || token_is(&token, "include?")) {
			lex_next(lex);
			if (lex->token.kind == TOKEN_STRING || lex->token.kind == TOKEN_RAW) {
				scan_include(loader, chain, token.pos, &lex->token, token.len == 8);
				lex_next(lex);
			}
			if (lex->token.kind == TOKEN_SEMICOLON)
				lex_next(lex);
		} else if (token_is(&token, "domain")) {
			/* What stands in a domain is a statement like others. */
			lex_next(lex);
			lex_next(lex);
			if (lex->token.kind == TOKEN_OPEN)
				lex_next(lex);
		} else if (token.kind == TOKEN_CLOSE) {
			lex_next(lex);
		} else {
			scan_skip(lex);
		}
	}
}

void scan_file(struct loader *loader, uint32_t file)
{
	struct chain chain = {.file = file};
	if (!loader->scanned[file].done)
		scan(loader, &chain);
}
