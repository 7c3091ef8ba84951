/* Help on the words of the language, from the table that the parser uses. (Apart: words.h does not go with
 * getopt.h.) */
#include "help_words.h"

#include <stdio.h>
#include <string.h>

#include "words.h"

static const char *const kind_titles[WORD_KIND_COUNT] = {
	[WORD_STATEMENT] = "statement",
	[WORD_SECTION] = "section",
	[WORD_ACTION] = "action",
	[WORD_OP] = "operation",
	[WORD_OPS] = "group of operations",
	[WORD_OPTION] = "option of a rule",
	[WORD_STAGE] = "stage",
	[WORD_LEVEL] = "audit level",
	[WORD_ANSWER] = "answer",
	[WORD_PROTO] = "protocol",
	[WORD_PREDICATE] = "predicate of when",
	[WORD_MOUNT_OPTION] = "part of a mount rule",
	[WORD_MOUNT_FLAG] = "mount flag",
	[WORD_NETWORKS] = "group of addresses",
	[WORD_AUDIT] = "setting of audit",
	[WORD_LIMITS] = "setting of limits",
	[WORD_ROLLOUT] = "setting of rollout",
};

static void print_word(const struct word *word)
{
	printf("  %-14s %s%s\n", word->name, word->about ? word->about : "",
	       word->later ? " (not in this version)" : "");
	if (word->usage && strcmp(word->usage, word->name) != 0)
		printf("  %-14s   %s\n", "", word->usage);
}

void help_directives(void)
{
	for (int kind = 0; kind < WORD_KIND_COUNT; kind++) {
		if (kind == WORD_MOUNT_FLAG)
			continue;
		bool first = true;
		const struct word *word;
		for (size_t i = 0; (word = word_at(i)); i++) {
			if ((int)word->kind != kind)
				continue;
			if (first)
				printf("%s%s:\n", kind ? "\n" : "", kind_titles[kind]);
			first = false;
			print_word(word);
		}
	}
}

bool help_word(const char *name)
{
	bool found = false;
	const struct word *word;
	for (size_t i = 0; (word = word_at(i)); i++) {
		if (strcmp(word->name, name) != 0)
			continue;
		printf("%s: %s\n", name, kind_titles[word->kind]);
		if (word->usage && strcmp(word->usage, name) != 0)
			printf("  %s\n", word->usage);
		printf("  %s%s\n", word->about ? word->about : "",
		       word->later ? " (not in this version)" : "");
		found = true;
	}
	return found;
}

const char *help_word_at(size_t i)
{
	const struct word *word = word_at(i);
	return word ? word->name : NULL;
}
