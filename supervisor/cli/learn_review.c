/* learn --review: each proposed rule with its evidence, one question a rule. What is declined stays in the file, as a comment. */
#include <stdio.h>
#include <string.h>

#include "cli/learn.h"
#include "escape.h"
#include "fd.h"

static bool is_rule(const char *line)
{
	return strncmp(line + strspn(line, "\t "), "allow ", 6) == 0;
}

/* 'y', 'n', 'a' or 'q'. */
static char ask(const char *line, size_t len, unsigned i, unsigned n, FILE *in, FILE *out)
{
	AUTO_FREE char *shown = escape_dup(line, len);
	AUTO_FREE char *answer = NULL;
	size_t size = 0;

	(void)fprintf(out, "%s\n", shown);
	for (;;) {
		(void)fprintf(out, "  %u of %u: take it? [y]es, [n]o, [a]ll that are left, [q]uit: ", i, n);
		(void)fflush(out);
		if (getline(&answer, &size, in) < 0)
			return 'q';
		if (*answer && strchr("ynaq", *answer) && (!answer[1] || answer[1] == '\n'))
			return *answer;
	}
}

static unsigned count_rules(const char *text)
{
	unsigned n = 0;

	for (; *text; text += strcspn(text, "\n") + (text[strcspn(text, "\n")] != '\0'))
		n += is_rule(text);
	return n;
}

bool learning_review(struct text *text, size_t from, FILE *in, FILE *out, unsigned *declined)
{
	struct text kept = { 0 };
	unsigned i = 0, n = count_rules(text->s + from);
	char answer = 'y';

	text_add(&kept, text->s, from);
	for (const char *line = text->s + from; *line && answer != 'q';) {
		size_t len = strcspn(line, "\n"), indent = strspn(line, "\t ");
		if (is_rule(line) && answer != 'a')
			answer = ask(line + indent, len - indent, ++i, n, in, out);
		if (is_rule(line) && answer == 'n') {
			text_add(&kept, line, indent);
			text_puts(&kept, "# not taken: ");
			line += indent;
			len -= indent;
			++*declined;
		}
		text_add(&kept, line, len + (line[len] != '\0'));
		line += len + (line[len] != '\0');
	}
	free(text_take(text));
	*text = kept;
	return answer != 'q';
}
