#include "edit.h"

#include <stdlib.h>
#include <string.h>

#include "lex.h"
#include "parse.h"
#include "text.h"

struct span { size_t from, to; };	/* bytes of the text; from == to == 0: there is none */

static int edit_order(const void *a, const void *b)
{
	const struct policy_pos *one = &((const struct policy_edit *)a)->pos, *other = &((const struct policy_edit *)b)->pos;

	if (one->file != other->file)
		return one->file < other->file ? -1 : 1;
	if (one->line != other->line)
		return one->line < other->line ? -1 : 1;
	return one->col < other->col ? -1 : one->col > other->col;
}

static struct span span_of(const struct policy_file *file, const struct token *token)
{
	size_t at = (size_t)(token->at - file->text);

	return (struct span){ at, at + token->len };
}

/* The statement at the current token: where its stage stands, where `sealed`, and where its end. */
static bool edit_find(struct lexer *lex, const struct policy_file *file, struct span *stage, struct span *sealed, size_t *end)
{
	*stage = *sealed = (struct span){ 0, 0 };
	for (;; lex_next(lex)) {
		const struct token token = lex->token;

		if (token.kind == TOKEN_END || token.kind == TOKEN_OPEN || token.kind == TOKEN_CLOSE)
			return false;
		if (token.kind == TOKEN_SEMICOLON) {
			/* Behind what was said last, not behind a comment. */
			*end = span_of(file, &lex->last).to;
			return true;
		}
		/* A name may be any word. */
		if (token.kind == TOKEN_WORD && token_is(&token, "id")) {
			lex_next(lex);
		} else if (token.kind == TOKEN_WORD && token_is(&token, "stage")) {
			lex_next(lex);
			*stage = span_of(file, &lex->token);
		} else if (token.kind == TOKEN_WORD && token_is(&token, "sealed")) {
			*sealed = span_of(file, &token);
		}
	}
}

struct change { struct span span; char text[32]; };

static void change_add(struct change *changes, size_t *n, struct span span, const char *text)
{
	changes[*n].span = span;
	(void)snprintf(changes[*n].text, sizeof(changes[*n].text), "%s", text);
	++*n;
}

static int change_order(const void *a, const void *b)
{
	const struct change *one = a, *other = b;

	return one->span.from < other->span.from ? -1 : one->span.from > other->span.from;
}

/* At most three changes an edit. */
static bool edit_changes(struct lexer *lex, const struct policy_file *file, const struct policy_edit *edit, struct change *changes, size_t *n)
{
	struct span stage, sealed, behind;
	char added[32] = "";
	size_t end;

	if (!edit_find(lex, file, &stage, &sealed, &end))
		return false;
	behind = (struct span){ end, end };
	if (stage.to)
		change_add(changes, n, stage, policy_stage_name(edit->stage));
	else
		(void)snprintf(added, sizeof(added), " stage %s", policy_stage_name(edit->stage));
	if (edit->seal && !sealed.to)
		strcat(added, " sealed");
	if (edit->unseal && sealed.to) {
		/* With one blank before it. */
		sealed.from -= sealed.from > 0 && file->text[sealed.from - 1] == ' ';
		change_add(changes, n, sealed, "");
	}
	if (*added)
		change_add(changes, n, behind, added);
	return true;
}

char *policy_edit(const struct policy *policy, uint32_t index, struct policy_edit *edits, size_t n, size_t *len)
{
	const struct policy_file *file = &policy->files[index];
	struct change *changes = mem_zero((3 * n + 1) * sizeof(*changes));
	struct text text = { 0 };
	struct lexer lex;
	size_t n_changes = 0, at = 0;
	bool good = true;

	qsort(edits, n, sizeof(*edits), edit_order);
	lex_begin(&lex, file, index, NULL);
	for (size_t i = 0; i < n && good; i++) {
		if (edits[i].pos.file != index)
			continue;
		while (lex.token.kind != TOKEN_END && (lex.token.pos.line < edits[i].pos.line ||
						       (lex.token.pos.line == edits[i].pos.line && lex.token.pos.col < edits[i].pos.col)))
			lex_next(&lex);
		good = edit_changes(&lex, file, &edits[i], changes, &n_changes);
	}
	if (n_changes)
		qsort(changes, n_changes, sizeof(*changes), change_order);
	for (size_t i = 0; i < n_changes; i++) {
		text_add(&text, file->text + at, changes[i].span.from - at);
		text_puts(&text, changes[i].text);
		at = changes[i].span.to;
	}
	text_add(&text, file->text + at, file->len - at);
	free(changes);
	*len = text.len;
	if (good)
		return text_take(&text);
	free(text_take(&text));
	return NULL;
}

/* ---- the same rule -------------------------------------------------------------------------- */

char *policy_rule_key(const struct policy_rule *rule)
{
	struct policy_rule plain = *rule;

	plain.staged = plain.sealed = false;
	return rule_canonical(&plain, NULL);
}

char *policy_default_key(const struct policy *policy, enum policy_section section)
{
	const struct policy_default *value = &policy->defaults[section];

	return text_printf("default %s %s %d", policy_section_name(section), policy_action_name(value->action), value->err);
}
