/*
 * Conditions on the arguments of system calls. A condition is kept as a union of masked equalities, the one
 * thing that the kernel's filter can test on a whole argument: a set of numbers is cut into ranges, and a
 * range into aligned blocks, each of which is "the bits above are these". Parameters of 32 bits are compared
 * in 32 bits, because the kernel ignores what the register holds above them.
 */
#include "parse_cond.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "syscalls.h"

/* ---- conditions as written ------------------------------------------------------------------ */

void written_conds_free(struct written_conds *conds)
{
	for (size_t i = 0; i < conds->n; i++) {
		free(conds->list[i].values);
		free(conds->list[i].text);
	}
	free(conds->list);
	*conds = (struct written_conds){0};
}

static bool parse_constants(struct parser *parser, struct written_cond *cond)
{
	if (!parse_operand(parser, "a number or a constant"))
		return false;
	const struct token token = parser->lex.token;
	struct values values = {0};
	bool ok = parse_values(parser, &values);
	for (size_t i = 0; i < values.n && ok; i++) {
		const char *name = values.v[i].glob;
		uint64_t value = 0;
		if (!number_parse(name, strlen(name), &value) && !syscall_constant(name, strlen(name), &value)) {
			policy_diag_help(parse_error(parser, &token, "unknown constant '%.60s'", name),
					 "numbers are decimal, 0x or 0-octal");
			ok = false;
		} else if (cond->n_values == MAX_LIST) {
			parse_error(parser, &token, "more than %d numbers in one condition", MAX_LIST);
			ok = false;
		} else {
			*mem_push(&cond->values, &cond->n_values) = value;
		}
	}
	values_free(&values);
	return ok;
}

static bool parse_one_constant(struct parser *parser, struct written_cond *cond)
{
	const struct token token = parser->lex.token;
	size_t before = cond->n_values;
	if (!parse_constants(parser, cond))
		return false;
	if (cond->n_values == before + 1)
		return true;
	policy_diag_help(parse_error(parser, &token, "one number is compared, and there are several"), "use 'in'");
	return false;
}

static bool parse_operator(struct parser *parser, struct written_cond *cond)
{
	static const struct { const char *name; enum cond_op op; } operators[] = {
		{"==", COND_EQ}, {"!=", COND_NE}, {"<", COND_LT}, {"<=", COND_LE}, {">", COND_GT}, {">=", COND_GE},
		{"&", COND_MASKED}, {"in", COND_IN}, {"not", COND_NOT_IN},
	};
	const struct token token = parser->lex.token;
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		if (!token_is(&token, operators[i].name))
			continue;
		cond->op = operators[i].op;
		lex_next(&parser->lex);
		return cond->op != COND_NOT_IN || parse_accept_word(parser, "in") || parse_unexpected(parser, "'in'");
	}
	if (token_is(&token, "=")) {
		policy_diag_help(parse_error(parser, &token, "a condition compares with '=='"), "write '=='");
		return false;
	}
	return parse_unexpected(parser, "a comparison (== != < <= > >= & in)");
}

static bool parse_cond(struct parser *parser, struct written_cond *cond)
{
	cond->arg = parser->lex.token;
	if (cond->arg.kind != TOKEN_WORD)
		return parse_unexpected(parser, "an argument");
	lex_next(&parser->lex);
	if (!parse_operator(parser, cond))
		return false;
	cond->value_token = parser->lex.token;
	if (cond->op == COND_IN || cond->op == COND_NOT_IN) {
		do {
			if (!parse_constants(parser, cond))
				return false;
		} while (parse_accept(parser, TOKEN_COMMA));
		return true;
	}
	if (!parse_one_constant(parser, cond))
		return false;
	if (cond->op != COND_MASKED)
		return true;
	cond->mask = cond->values[--cond->n_values];
	if (!parse_accept_word(parser, "=="))
		return parse_unexpected(parser, "'=='");
	return parse_one_constant(parser, cond);
}

bool parse_conds(struct parser *parser, struct written_conds *conds)
{
	lex_operators(&parser->lex, true);
	bool ok;
	do {
		const struct token first = parser->lex.token;
		struct written_cond *cond = mem_push(&conds->list, &conds->n);
		ok = parse_cond(parser, cond);
		cond->text = parse_source(parser, &first);
		if (ok && conds->n > 16) {
			parse_error(parser, &first, "more than 16 conditions");
			ok = false;
		}
	} while (ok && parse_accept_word(parser, "and"));
	lex_operators(&parser->lex, false);
	return ok;
}

/* ---- from conditions to masks --------------------------------------------------------------- */

static uint64_t width_mask(uint8_t bits)
{
	return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

/* VALUE as a parameter of BITS sees it: -100 is 0xffffff9c in 32 bits. */
static bool value_fits(uint64_t *value, uint8_t bits)
{
	uint64_t mask = width_mask(bits);
	bool negative = bits < 64 && (*value | (mask >> 1)) == UINT64_MAX;
	if (*value > mask && !negative)
		return false;
	*value &= mask;
	return true;
}

static void cube_add(struct policy_cond *cond, uint64_t mask, uint64_t value)
{
	*mem_push(&cond->any, &cond->n_any) = (struct policy_mask){.mask = mask, .value = value};
}

/* LO to HI, both included, as aligned blocks. */
static void range_add(struct policy_cond *cond, uint64_t lo, uint64_t hi, uint64_t width)
{
	while (cond->n_any <= MAX_CUBES) {
		uint64_t block = 0;	/* its size less one */
		while (block != width && (lo & (block * 2 + 1)) == 0 && (block * 2 + 1) <= hi - lo)
			block = block * 2 + 1;
		cube_add(cond, width & ~block, lo);
		if (hi - lo == block)
			return;
		lo += block + 1;
	}
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void complement_add(struct policy_cond *cond, const uint64_t *values, size_t n, uint64_t width)
{
	AUTO_FREE uint64_t *sorted = mem_zero(n * sizeof(*sorted));
	memcpy(sorted, values, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_u64);
	uint64_t next = 0;
	for (size_t i = 0; i < n; i++) {
		if (sorted[i] > next)
			range_add(cond, next, sorted[i] - 1, width);
		if (sorted[i] == width)
			return;
		next = sorted[i] + 1;
	}
	range_add(cond, next, width, width);
}

bool cond_build(struct parser *parser, const struct written_cond *written, uint8_t bits, struct policy_cond *cond)
{
	uint64_t width = width_mask(bits), mask = written->mask;
	AUTO_FREE uint64_t *values = mem_zero(written->n_values * sizeof(*values));
	bool fits = written->op != COND_MASKED || value_fits(&mask, bits);
	for (size_t i = 0; i < written->n_values; i++) {
		values[i] = written->values[i];
		fits &= value_fits(&values[i], bits);
	}
	if (!fits) {
		parse_error(parser, &written->value_token, "the number does not fit into %u bits", bits);
		return false;
	}
	uint64_t value = values[0];
	switch (written->op) {
	case COND_EQ:
	case COND_IN:
		for (size_t i = 0; i < written->n_values && cond->n_any <= MAX_CUBES; i++)
			cube_add(cond, width, values[i]);
		break;
	case COND_MASKED:
		if (!(value & ~mask))
			cube_add(cond, mask, value);
		break;
	case COND_NE:
	case COND_NOT_IN:
		complement_add(cond, values, written->n_values, width);
		break;
	case COND_LT:
		if (value)
			range_add(cond, 0, value - 1, width);
		break;
	case COND_LE:
		range_add(cond, 0, value, width);
		break;
	case COND_GT:
		if (value != width)
			range_add(cond, value + 1, width, width);
		break;
	case COND_GE:
		range_add(cond, value, width, width);
		break;
	}
	if (cond->n_any == 0)
		parse_error(parser, &written->arg, "this condition can never be true");
	else if (cond->n_any > MAX_CUBES)
		parse_error(parser, &written->arg, "this condition is too complex for a filter");
	return cond->n_any && cond->n_any <= MAX_CUBES;
}
