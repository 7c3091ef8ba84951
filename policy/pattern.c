/* What lints and the parser ask about one pattern. The sets of two are compared in compare.c. */
#include "pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "automaton.h"
#include "err.h"

#define PATTERN_STATES_MAX ((size_t)1 << 20)

size_t pattern_check(const char *glob, const char **why)
{
	struct code_list codes = { 0 };
	struct code_error error = { .at = 0, .why = "out of memory" };
	int err = code_add(&codes, glob, 0, &error);
	code_list_free(&codes);
	if (err == 0)
		return 0;
	if (why)
		*why = error.why;
	return error.at + 1;
}

size_t pattern_prefix(const char *glob, bool *whole, char **prefix)
{
	size_t len = strlen(glob), end = 0, i = 0, n = 0, n_end = 0;
	char *text = prefix ? malloc(len + 1) : NULL;

	/* A component counts once the slash after it, or the end of the glob, is seen. */
	for (; i < len && !strchr("*?[{", glob[i]); i++) {
		if (glob[i] == '\\' && i + 1 < len)
			i++;
		if (glob[i] == '/' && i > 0) {
			end = glob[i - 1] == '\\' ? i - 1 : i;
			n_end = n;
		}
		if (text)
			text[n] = glob[i];
		n++;
	}
	bool slash = len > 0 && glob[len - 1] == '/';
	if (i == len && !slash) {
		end = len;
		n_end = n;
	}
	if (whole)
		*whole = i == len;
	if (prefix) {
		if (text)
			text[n_end] = '\0';
		*prefix = text;
	}
	return end;
}

bool pattern_matches(const char *glob, const char *path, size_t len)
{
	struct code_list codes = { 0 };
	struct automaton automaton = { 0 };
	struct automaton_rules rules = { 0 };
	bool matches = false;

	if (len == 1 && path[0] == '/')
		len = 0;
	if (code_add(&codes, glob, 0, NULL) == 0) {
		code_sort(codes.list, codes.n);
		automaton_state s = automaton_init(&automaton, codes.list, codes.n, codes.sets, PATTERN_STATES_MAX);
		if (s == 0)
			s = automaton.start;
		for (size_t i = 0; i < len && s > 0; i++) {
			s = automaton_step(&automaton, (uint32_t)s, (uint8_t)path[i]);
			if (s == -ENOBUFS)
				s = automaton_flush(&automaton);
		}
		matches = s > 0 && automaton_rules(&automaton, (uint32_t)s, &rules) == 0 && rules.n;
	}
	free(rules.list);
	automaton_free(&automaton);
	code_list_free(&codes);
	return matches;
}
