/* Messages: the parts of a struct policy_diag that come after its first sentence. DIAG may be NULL. */
#ifndef USHER_DIAG_H
#define USHER_DIAG_H

#include "policy.h"

__attribute__((format(printf, 2, 3))) void policy_diag_help(struct policy_diag *diag, const char *format, ...);
/* "did you mean 'NEAR'?"; nothing if NEAR is NULL. */
void policy_diag_nearest(struct policy_diag *diag, const char *near);
__attribute__((format(printf, 3, 4))) void policy_diag_other(struct policy_diag *diag, struct policy_pos other,
							    const char *format, ...);
void policy_diag_code(struct policy_diag *diag, const char *code);
/* By file, line and column; of one place, in the order they were found. */
void policy_diags_sort(struct policy_diags *diags);

#endif
