/* Changing stages in the text of a policy file: every other byte stays. */
#ifndef USHER_EDIT_H
#define USHER_EDIT_H

#include "policy.h"

struct policy_edit {
	struct policy_pos pos;		/* of the rule or default */
	enum policy_stage stage;
	bool seal;			/* add `sealed` */
	bool unseal;			/* take it out */
};

/* The text of file FILE of POLICY with EDITS, those of other files left out: malloc'ed, *LEN bytes. NULL: a place holds no statement
 * that ends in a semicolon. EDITS are sorted. */
char *policy_edit(const struct policy *policy, uint32_t file, struct policy_edit *edits, size_t n, size_t *len);

/* What a rule says but for its stage: the same for as long as it means the same. malloc'ed. */
char *policy_rule_key(const struct policy_rule *rule);
/* Of SECTION's default. */
char *policy_default_key(const struct policy *policy, enum policy_section section);

#endif
