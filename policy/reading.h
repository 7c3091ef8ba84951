/* One rule or default while it is read: parse_rule.c begins it, parse_option.c reads its options. */
#ifndef USHER_READING_H
#define USHER_READING_H

#include "parse.h"

/* A statement being read. Mistakes that do not stop the parser clear GOOD, and the rule is then dropped. */
struct reading {
	struct parser *parser;
	int section;
	struct policy_rule rule;
	struct note note;
	struct token first;
	struct token stage_token;
	unsigned seen;		/* bits of enum option */
	struct text objects, extra;
	bool good;
};

/* After the error DIAG: the rule is dropped at its end. False. */
bool mistake(struct reading *reading, struct policy_diag *diag);
/* A word of KIND, or NULL with the error: "unknown WHAT 'x'", "there is LIST". */
const struct word *read_word(struct reading *reading, enum word_kind kind, const char *what, const char *list);
/* parse_mount.c: what stands behind 'mount'. */
bool read_mount(struct reading *reading);
/* FLAG, FLAG, ... as MOUNT_BIT()s; their words are added to EXTRA. */
bool read_mount_flags(struct reading *reading, uint32_t *flags);
/* As they were spelled. */
void objects_patterns(struct text *text, const struct policy_pattern *patterns, size_t n);
/* To the ';', which is taken. */
bool read_options(struct reading *reading);
/* What can only be told when all options are known. */
void check_options(struct reading *reading);

#endif
