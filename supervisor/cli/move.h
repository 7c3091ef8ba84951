/* Moving stages: which rules, from where to where, and what the files say afterwards. */
#ifndef USHER_MOVE_H
#define USHER_MOVE_H

#include "cli.h"
#include "edit.h"

struct move {
	const struct policy_rule *rule;		/* NULL: the default of .section */
	enum policy_section section;
	enum policy_stage from;
	struct policy_edit edit;
	char *key;				/* of the evidence */
	bool gate_missed;			/* its gate is not passed */
};

struct moves {
	const struct policy *policy;
	struct move *list;
	size_t n;
};

enum move_kind { MOVE_PROMOTE, MOVE_DEMOTE, MOVE_SEAL };

/* The rules of POLICY that NAMES (ids, or web.policy:22; NULL-ended) say, or all that can be moved. 0 or a status after a message. */
int moves_find(const struct cli *cli, struct moves *moves, const struct policy *policy, enum move_kind kind, const char *const *names);
void moves_free(struct moves *moves);
/* "web.policy:22" */
const char *move_where(const struct moves *moves, const struct move *move, char *buf, size_t size);

/* Does AFTER say what the policy says, but for the moves? */
bool moves_are(const struct moves *moves, const struct policy *after);

#endif
