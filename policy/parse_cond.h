/* The conditions of a rule about system calls, from "where" on. */
#ifndef USHER_PARSE_COND_H
#define USHER_PARSE_COND_H

#include "parse.h"

enum cond_op { COND_EQ, COND_NE, COND_LT, COND_LE, COND_GT, COND_GE, COND_MASKED, COND_IN, COND_NOT_IN };

struct written_cond {
	struct token arg;
	enum cond_op op;
	uint64_t mask;
	uint64_t *values;
	size_t n_values;
	struct token value_token;
	char *text;
};
struct written_conds {
	struct written_cond *list;
	size_t n;
};

/* After "where". */
bool parse_conds(struct parser *parser, struct written_conds *conds);
void written_conds_free(struct written_conds *conds);
/* WRITTEN on a parameter of BITS. False with the error. */
bool cond_build(struct parser *parser, const struct written_cond *written, uint8_t bits, struct policy_cond *cond);

#endif
