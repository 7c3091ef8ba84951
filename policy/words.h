/*
 * Every word of the policy language, in one table: the parser looks words up here, "did you mean" chooses
 * from here, and help and completion print it.
 */
#ifndef USHER_WORDS_H
#define USHER_WORDS_H

#include "policy.h"

enum word_kind {
	WORD_STATEMENT, WORD_SECTION, WORD_ACTION, WORD_OP, WORD_OPS, WORD_OPTION, WORD_STAGE, WORD_LEVEL,
	WORD_ANSWER, WORD_PROTO, WORD_PREDICATE, WORD_MOUNT_OPTION, WORD_MOUNT_FLAG, WORD_NETWORKS,
	WORD_AUDIT, WORD_LIMITS, WORD_ROLLOUT,
	WORD_KIND_COUNT
};
#define WORD_BIT(kind) (1u << (kind))

enum statement {
	STATEMENT_SYNTAX, STATEMENT_POLICY, STATEMENT_INCLUDE, STATEMENT_INCLUDE_MAYBE, STATEMENT_SET,
	STATEMENT_GROUP, STATEMENT_WHEN, STATEMENT_DOMAIN, STATEMENT_TEST, STATEMENT_AUDIT, STATEMENT_LIMITS,
	STATEMENT_ROLLOUT, STATEMENT_DEFAULT, STATEMENT_COVER, STATEMENT_INHERITS, STATEMENT_EXPECT,
	STATEMENT_NEVER
};
enum option {
	OPTION_STAGE, OPTION_AUDIT, OPTION_ID, OPTION_NOTE, OPTION_EXPIRES, OPTION_OWNER, OPTION_BENEATH,
	OPTION_TO, OPTION_WITH, OPTION_DOMAIN, OPTION_SEALED, OPTION_VIEW, OPTION_CREDENTIALS
};
enum predicate { PREDICATE_CAP, PREDICATE_ARCH, PREDICATE_USER, PREDICATE_KERNEL, PREDICATE_EXISTS, PREDICATE_ENV };
enum mount_option { MOUNT_FLAGS, MOUNT_FORCE, MOUNT_OPTIONS, MOUNT_IMAGE, MOUNT_IDMAP };

struct word {
	const char *name;
	enum word_kind kind;
	uint32_t value;		/* of the enum that belongs to the kind; operations: the set of bits */
	bool later;		/* known, and refused by this version */
	const char *usage;	/* settings: the shape of the values, which the parser follows (parse_plain.c) */
	const char *about;
};

/* One of KINDS (a set of WORD_BIT()s), or NULL. */
const struct word *word_find(unsigned kinds, const char *name, size_t len);
/* The word of KINDS that NAME was probably meant to be, or NULL. */
const char *word_nearest(unsigned kinds, const char *name, size_t len);
/* The I-th word of the table, NULL past the last. */
const struct word *word_at(size_t i);
/* The errno that NAME was probably meant to be, or NULL. */
const char *errno_nearest(const char *name, size_t len);

#endif
