/* What a policy says of a recorded access: the functions that decide for run, asked again. */
#ifndef USHER_JUDGE_H
#define USHER_JUDGE_H

#include "access.h"

enum judged {
	JUDGED,
	JUDGED_NOT,	/* it hangs on what was not recorded (arguments), or is no access of this machine */
};

enum judged judge_access(const struct policy *policy, const struct access *access, struct policy_decision *decision);

enum change { CHANGE_NONE, CHANGE_DENIED, CHANGE_ALLOWED, CHANGE_WOULD_DENY };
/* What DECISION would change for the program. A denial that gives the answer it got anyway (ENOENT where nothing is) changes nothing. */
enum change judge_change(const struct access *access, const struct policy_decision *decision);

#endif
