/*
 * Inside the front-end. Loading goes through these steps:
 *   1. scan.c    reads the main file, its drop-ins and what they include. Each file is scanned for set,
 *                group and include statements only: their order must not matter, so all variables and
 *                groups are known before the first rule is read.
 *   2. parse*.c  reads every statement into policy->rules and so on, with a struct note beside each rule
 *                for what only the front-end wants to know.
 *   3. settle.c  what depends on the whole: defaults, inherited errnos, clashes, resolved prefixes.
 *   4. digest.c, then the engines of others.
 * A rule in a domain block is read like any other, counts for the digest, and is then dropped.
 */
#ifndef USHER_PARSE_H
#define USHER_PARSE_H

#include "diag.h"
#include "lex.h"
#include "text.h"
#include "words.h"

/* Bounds of what a text may become; beyond them it is an error, never a hang. */
enum {
	MAX_FILE_SIZE = 64 << 20,
	MAX_FILES = 1000,
	MAX_INCLUDE_DEPTH = 10,
	MAX_DEFINITIONS = 1000,		/* variables, groups */
	MAX_NESTING = 50,		/* of variables or groups in each other */
	MAX_WORD = 64 << 10,
	MAX_EXPANSION = 1024,		/* values of one word */
	MAX_WORDS = 2000000,		/* values of all words */
	MAX_BYTES = 256 << 20,		/* of them */
	MAX_PATH = 4095,
	MAX_CUBES = 1024,		/* masked equalities of one condition */
	MAX_LIST = 4096,		/* numbers of one condition */
};

/* A value of a word: bytes in glob syntax, where \ stands before a literal special byte. In single quotes
 * the bytes are as written, and as a text (not a pattern) they are taken literally. */
struct value {
	char *glob;
	bool raw;
};
struct values {
	struct value *v;
	size_t n;
};

/* What a rule needs until it is settled. */
struct note {
	bool err_written, named_stat, named_all;
	bool first;		/* of the rules that one statement became */
	uint32_t domain;	/* 0, or its index + 1 */
	char *extra;		/* the canonical form of what struct policy_rule has no place for, or NULL */
};

struct written_default {
	enum policy_section section;
	struct policy_default value;
	bool err_written;
	uint32_t domain;
};

/* A set or group statement. */
struct definition {
	char *name;		/* with the @ of a group */
	struct token list;	/* where its list begins */
	struct policy_pos pos;
	enum { DEFINITION_NEW, DEFINITION_BUSY, DEFINITION_DONE } state;
	struct values values;	/* of a variable */
	bool used;		/* of --set: some file speaks of it */
};
struct definitions {
	struct definition *list;
	size_t n;
};

struct include {
	struct policy_pos pos;
	uint32_t file;
};

struct domain {
	char *name;
	struct policy_pos pos;
	struct policy_pos inherits_pos;
	char *inherits;
	bool *visited;		/* files that were read into it */
};

struct loader {
	struct policy *policy;
	const struct policy_env *env;
	struct policy_diags *diags;
	struct definitions variables, groups;
	struct include *includes;
	size_t n_includes;
	struct note *notes;		/* one per rule */
	size_t n_notes;
	struct written_default *defaults;
	size_t n_defaults;
	struct domain *domains;
	size_t n_domains;
	bool *visited;			/* files that were read outside of domains */
	bool main_section[SECTION_COUNT];	/* the main file has a block for it */
	struct policy_pos section_pos[SECTION_COUNT];
	uint32_t cover;
	struct policy_pos name_pos;
	struct strings domain_lines;	/* of the canonical form */
	struct policy_setting *domain_settings;
	size_t n_domain_settings;
	size_t n_words, n_bytes;
	bool exhausted;
	unsigned variable_depth;
	bool *dropin;			/* by file */
	struct scanned { bool done; unsigned height; } *scanned;	/* by file: includes below it */
};

struct parser {
	struct loader *loader;
	struct lexer lex;
	uint32_t domain;
	bool live;			/* false inside a when block that does not hold */
	unsigned starters;		/* kinds of words that begin a statement here, besides the usual */
	bool resume;			/* the current token begins a statement: nothing is skipped */
};

/* scan.c */
/* Adds a file with its TEXT, which belongs to the policy then: its index. */
uint32_t file_add(struct loader *loader, const char *path, char *text, size_t len, bool main);
/* The file at PATH, read where it is not there yet: its index, or -errno. */
int64_t file_open(struct loader *loader, const char *path);
/* DIR and NAME as one path, without "//" and "./". */
char *path_join(const char *dir, size_t dir_len, const char *name);
/* FILE and what it includes, unless it was scanned before. */
void scan_file(struct loader *loader, uint32_t file);

/* parse_statement.c */
#define STARTERS (WORD_BIT(WORD_STATEMENT) | WORD_BIT(WORD_SECTION) | WORD_BIT(WORD_ACTION))
void parse_file(struct loader *loader, uint32_t file, uint32_t domain);

/* parse.c */
/* An error at TOKEN, which is not taken. */
__attribute__((format(printf, 3, 4)))
struct policy_diag *parse_error(struct parser *parser, const struct token *token, const char *format, ...);
/* The current token is not WHAT was expected: that, or a ';' missing before it. False. */
bool parse_unexpected(struct parser *parser, const char *what);
/* The word of KINDS that TOKEN is, or NULL. */
const struct word *token_word(const struct token *token, unsigned kinds);
bool parse_is_text(const struct parser *parser);
/* A word or a string is the current token, and not the next statement: or false with the error. */
bool parse_operand(struct parser *parser, const char *what);
/* Does the token behind the current one have this KIND? */
bool parse_ahead(const struct parser *parser, enum token_kind kind);
/* The text from FIRST to the last token taken, on one line, without comments. */
char *parse_source(const struct parser *parser, const struct token *first);
/* { ... } with ONE for each statement in it. SECTION (or a kind of words) is handed on. */
void parse_block(struct parser *parser, void (*one)(struct parser *parser, int section), int section);
bool parse_accept(struct parser *parser, enum token_kind kind);
bool parse_accept_word(struct parser *parser, const char *word);
/* ';', or false with the error. */
bool parse_semicolon(struct parser *parser);
/* A bare name: letters, digits and _ . - */
bool parse_name(struct parser *parser, const char *what, char **name);
/* "..." or '...' as a text. */
bool parse_string(struct parser *parser, const char *what, char **text, size_t *len);
/* After a mistake: to behind the ';' of this statement, or to the end of its block. */
void parse_recover(struct parser *parser);
bool parse_later(struct parser *parser, const struct token *token);

/* parse_when.c */
void parse_when(struct parser *parser, int section);

/* parse_value.c */
/* All values of the current word or string, which is taken; false if a mistake was reported. */
bool parse_values(struct parser *parser, struct values *values);
void values_free(struct values *values);
/* VALUE as a text, malloc'ed; *LEN may be NULL. */
char *value_text(const struct value *value, size_t *len);
/* One value that is a text. */
bool parse_word_text(struct parser *parser, const char *what, char **text);
/* The values of VARIABLE, worked out once. NULL if they are wrong or go round in a circle. */
const struct values *variable_values(struct loader *loader, struct definition *variable);
/* Calls EACH with the values of GROUP's members, read where it is defined; an error at TOKEN if it contains itself
 * or is nested too deep. DEPTH: of the groups around it. */
typedef void member_fn(struct parser *parser, const struct token *token, const struct value *value, void *ctx,
		       unsigned depth);
void group_members(struct parser *parser, const struct token *token, struct definition *group, member_fn *each,
		   void *ctx, unsigned depth);
/* The same for a list in a statement, at depth 0. False if it is not to be read on. */
bool parse_list(struct parser *parser, const char *what, member_fn *each, void *ctx);
struct definition *definition_find(struct definitions *definitions, const char *name, size_t len);
const char *definition_nearest(const struct definitions *definitions, const char *name, size_t len);
/* Bytes that are special in a pattern. */
bool glob_special(char c);

/* parse_plain.c */
bool number_parse(const char *s, size_t len, uint64_t *value);	/* decimal, 0x, 0-octal; negative ones wrap */
void parse_plain(struct parser *parser, enum word_kind kind);	/* a block of settings */

/* parse_path.c */
/* A list of path patterns is added to *PATTERNS. */
bool parse_paths(struct parser *parser, struct policy_pattern **patterns, size_t *n);
bool parse_literal_path(struct parser *parser, const char *what, char **path);
/* "//" says nothing that "/" does not; it comes from variables that end in a slash. */
void collapse_slashes(char *s);
bool path_begins(const struct parser *parser);
/* Adds one value as a pattern. Reports at TOKEN. */
void path_add(struct parser *parser, const struct token *token, const struct value *value,
	      struct policy_pattern **patterns, size_t *n);

/* parse_net.c */
bool parse_addresses(struct parser *parser, struct policy_rule *rule);
/* A target of redirect. */
bool parse_address_target(struct parser *parser, enum policy_proto proto, char **target);
bool address_check(const char *text, enum policy_proto proto);
/* TEXT as one, whose .text is malloc'ed, also after a mistake (false). Not for unix, nor for groups. */
bool address_of(const char *text, enum policy_proto proto, struct policy_addr *addr);
/* The operations that RULE, about PROTO, speaks of. */
uint32_t network_ops(const struct policy_rule *rule);

/* parse_call.c */
struct call_list {
	struct called { int nr; bool specific; } *list;
	size_t n;
};
bool parse_calls(struct parser *parser, struct call_list *calls);
/* Keeps RULE once for each way that the parameters of the calls lie. */
struct written_conds;		/* parse_cond.h */
void calls_split(struct parser *parser, const struct policy_rule *rule, const struct note *note,
		 const struct call_list *calls, const struct written_conds *conds);

/* parse_rule.c */
void parse_rule(struct parser *parser, int section);
void parse_default(struct parser *parser, enum policy_section section);
void rule_keep(struct parser *parser, const struct policy_rule *rule, const struct note *note);
void rule_free(struct policy_rule *rule);
/* deny's optional errno. */
bool parse_errno(struct parser *parser, int *err, bool *written);

/* policy.c */
void setting_free(struct policy_setting *setting);

/* parse_test.c */
void parse_test(struct parser *parser);

/* settle.c */
void settle(struct loader *loader);

/* digest.c, print.c */
void policy_digest(struct loader *loader);
void rule_print_options(struct text *text, const struct policy_rule *rule);
char *rule_canonical(const struct policy_rule *rule, const struct note *note);
void ops_print(struct text *text, uint32_t ops);
/* As it would be written; PORTS: of a protocol that has them. */
void address_print(struct text *text, const struct policy_addr *addr, bool ports);

#endif
