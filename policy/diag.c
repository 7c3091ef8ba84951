/*
 * Messages of the front-end, of the engine and of the lints. The list always holds one zeroed element
 * behind its last: a message beyond the limits is written there, so that callers may go on to add help
 * to what policy_diag_add() gave them without asking whether it is kept.
 */
#include "diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "escape.h"
#include "fd.h"

enum { KEPT_ERRORS = 20, KEPT_OTHERS = 1000, WINDOW = 160 };

static void diag_clear(struct policy_diag *diag)
{
	free(diag->message);
	free(diag->help);
	free(diag->other_message);
	*diag = (struct policy_diag){0};
}

__attribute__((format(printf, 1, 0))) static char *format_text(const char *format, va_list args)
{
	char *s = NULL;
	ASSERT(vasprintf(&s, format, args) >= 0);
	return s;
}

__attribute__((format(printf, 4, 0)))
static struct policy_diag *add(struct policy_diags *diags, enum policy_severity severity, struct policy_pos pos, const char *format, va_list args)
{
	size_t errors = diags->errors < KEPT_ERRORS ? diags->errors : KEPT_ERRORS;
	bool keep = severity == DIAG_ERROR ? errors < KEPT_ERRORS : diags->n - errors < KEPT_OTHERS;

	if (!diags->list)
		diags->list = mem_zero(sizeof(*diags->list));
	if (severity == DIAG_ERROR)
		diags->errors++;
	struct policy_diag *diag = &diags->list[diags->n];
	diag_clear(diag);
	if (keep) {
		struct policy_diag *moved = realloc(diags->list, (diags->n + 2) * sizeof(*moved));
		ASSERT(moved);
		diags->list = moved;
		diag = &moved[diags->n++];
		moved[diags->n] = (struct policy_diag){0};
	}
	*diag = (struct policy_diag){.severity = severity, .pos = pos, .message = format_text(format, args)};
	return diag;
}

struct policy_diag *policy_diag_add(struct policy_diags *diags, enum policy_severity severity,
				    struct policy_pos pos, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct policy_diag *diag = add(diags, severity, pos, format, args);
	va_end(args);
	return diag;
}

void policy_diag_refuse(struct policy_diags *diags, struct policy_pos pos, const char *help, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	struct policy_diag *diag = add(diags, DIAG_ERROR, pos, format, args);
	va_end(args);
	if (help)
		policy_diag_help(diag, "%s", help);
}

void policy_diag_help(struct policy_diag *diag, const char *format, ...)
{
	if (!diag)
		return;
	va_list args;
	va_start(args, format);
	free(diag->help);
	diag->help = format_text(format, args);
	va_end(args);
}

void policy_diag_nearest(struct policy_diag *diag, const char *near)
{
	if (near)
		policy_diag_help(diag, "did you mean '%s'?", near);
}

void policy_diag_other(struct policy_diag *diag, struct policy_pos other, const char *format, ...)
{
	if (!diag)
		return;
	va_list args;
	va_start(args, format);
	free(diag->other_message);
	diag->other = other;
	diag->other_message = format_text(format, args);
	va_end(args);
}

void policy_diag_code(struct policy_diag *diag, const char *code)
{
	if (!diag)
		return;
	(void)snprintf(diag->code, sizeof(diag->code), "%s", code);
}

static int compare_u32(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_diags(const struct policy_diag *a, const struct policy_diag *b)
{
	int order = compare_u32(a->pos.file, b->pos.file);
	if (!order)
		order = compare_u32(a->pos.line, b->pos.line);
	if (!order)
		order = compare_u32(a->pos.col, b->pos.col);
	return order;
}

void policy_diags_sort(struct policy_diags *diags)
{
	/* Stable, and nearly sorted already. */
	for (size_t i = 1; i < diags->n; i++) {
		struct policy_diag diag = diags->list[i];
		size_t j = i;
		for (; j && compare_diags(&diags->list[j - 1], &diag) > 0; j--)
			diags->list[j] = diags->list[j - 1];
		diags->list[j] = diag;
	}
}

/* A text of a policy must not paint the terminal. */
static void safe_add(struct text *text, const char *s, size_t len)
{
	while (len) {
		size_t n = 0;
		while (n < len && s[n] != '\t')
			n++;
		escape_add(text, s, n);
		if (n < len) {
			text_puts(text, " ");
			n++;
		}
		s += n;
		len -= n;
	}
}

static void print_safe(FILE *to, const char *s, size_t len)
{
	struct text text = {0};
	safe_add(&text, s, len);
	AUTO_FREE char *shown = text_take(&text);
	fputs(shown, to);
}

static bool policy_line(const struct policy_file *file, uint32_t line, const char **text, size_t *len)
{
	const char *at = file->text, *end = file->text ? file->text + file->len : NULL;
	for (; at && line > 1; line--) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	if (!at || line == 0)
		return false;
	const char *stop = memchr(at, '\n', (size_t)(end - at));
	*text = at;
	*len = (size_t)((stop ? stop : end) - at);
	if (*len && at[*len - 1] == '\r')
		--*len;
	return true;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static void print_line(const struct policy *policy, struct policy_pos pos, FILE *to)
{
	const char *line;
	size_t len;
	if (!policy || pos.file >= policy->n_files || !policy_line(&policy->files[pos.file], pos.line, &line, &len))
		return;

	size_t col = pos.col ? pos.col - 1 : 0, start = 0;
	if (col > len)
		col = len;
	if (col > WINDOW / 2 && len > WINDOW)
		start = col - WINDOW / 2;
	while (start < col && is_continuation(line[start]))
		start++;
	size_t end = len - start > WINDOW ? start + WINDOW : len;
	while (end < len && is_continuation(line[end]))
		end++;

	fprintf(to, "%5u | %s", pos.line, start ? "..." : "");
	print_safe(to, line + start, end - start);
	fprintf(to, "%s\n      | %s", end < len ? "..." : "", start ? "   " : "");
	struct text before = {0};
	safe_add(&before, line + start, col - start);
	for (size_t i = 0; i < before.len; i++)
		if (!is_continuation(before.s[i]))
			fputc(' ', to);
	free(before.s);
	fputs("^\n", to);
}

static void print_place(const struct policy *policy, struct policy_pos pos, FILE *to)
{
	if (pos.file == POLICY_BUILTIN || !policy || pos.file >= policy->n_files) {
		fputs("usher: ", to);
		return;
	}
	fprintf(to, "%s:%u:%u: ", policy->files[pos.file].name, pos.line, pos.col);
}

static void print_diag(const struct policy_diag *diag, const struct policy *policy, FILE *to, bool color)
{
	static const char *const words[] = {[DIAG_ERROR] = "error", [DIAG_WARNING] = "warning", [DIAG_NOTE] = "note"};
	static const char *const colors[] = {[DIAG_ERROR] = "\033[1;31m", [DIAG_WARNING] = "\033[1;35m",
					     [DIAG_NOTE] = "\033[1;36m"};

	print_place(policy, diag->pos, to);
	fprintf(to, "%s%s:%s ", color ? colors[diag->severity] : "", words[diag->severity], color ? "\033[0m" : "");
	print_safe(to, diag->message, strlen(diag->message));
	if (*diag->code)
		fprintf(to, " [%s]", diag->code);
	fputc('\n', to);
	print_line(policy, diag->pos, to);
	if (diag->other_message) {
		print_place(policy, diag->other, to);
		fputs("note: ", to);
		print_safe(to, diag->other_message, strlen(diag->other_message));
		fputc('\n', to);
		print_line(policy, diag->other, to);
	}
	if (diag->help) {
		fputs("      = help: ", to);
		print_safe(to, diag->help, strlen(diag->help));
		fputc('\n', to);
	}
}

void policy_diags_print(const struct policy_diags *diags, const struct policy *policy, FILE *to, bool color)
{
	for (size_t i = 0; i < diags->n; i++)
		print_diag(&diags->list[i], policy, to, color);
	if (diags->errors > KEPT_ERRORS)
		fprintf(to, "usher: %zu more errors are not shown\n", diags->errors - KEPT_ERRORS);
}

void policy_diags_free(struct policy_diags *diags)
{
	for (size_t i = 0; diags->list && i <= diags->n; i++)
		diag_clear(&diags->list[i]);
	free(diags->list);
	*diags = (struct policy_diags){0};
}
