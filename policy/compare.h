/* Inclusion between unions of codes. */
#ifndef USHER_COMPARE_H
#define USHER_COMPARE_H

#include "code.h"

enum compare_answer { COMPARE_NO, COMPARE_YES, COMPARE_UNKNOWN };

/* Codes of one set each, in any order; SETS belong to both. */
struct compare_side { const struct code *const *codes; size_t n; };

/* Does every path that A matches match B? UNKNOWN when the budget or memory ended the proof. */
enum compare_answer compare_included(struct compare_side a, struct compare_side b, const struct code_set *sets);
/* Does some path match both? */
enum compare_answer compare_meet(struct compare_side a, struct compare_side b, const struct code_set *sets);

#endif
