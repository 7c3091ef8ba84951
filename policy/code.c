/*
 * From a glob to its codes. Three steps: bytes to tokens, tokens to one sequence for each way through
 * the braces, each sequence to normal form, component by component.
 *
 * The ways through the braces are counted like an odometer: a pass takes the first alternative of each
 * brace that it has no choice recorded for, and the next pass advances the last choice that can be
 * advanced. Nothing is copied, and nested braces need no recursion.
 */
#include "code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

#define GLOB_MAX 65535

enum token_kind { TOKEN_BYTE, TOKEN_SLASH, TOKEN_ANY, TOKEN_STAR, TOKEN_SET, TOKEN_OPEN, TOKEN_COMMA, TOKEN_CLOSE };

struct token {
	uint8_t kind, byte;
	uint16_t at;		/* offset in the glob */
	uint32_t set;
	uint32_t next, close;	/* OPEN, COMMA: the next COMMA or CLOSE of this brace, and its CLOSE */
};

struct choice { uint32_t open, taken, of; };

struct parser {
	struct code_list *codes;
	uint32_t rule;
	struct code_error *error;
	const char *glob;
	size_t len;
	struct token *tokens;
	uint32_t n;
	struct choice *choices;
	uint32_t n_choices;
	const struct token **component;	/* the tokens of the component at hand */
	uint32_t n_component;
	uint8_t *out;
	uint32_t n_out;
	uint32_t last_deep;		/* n_out after the last DEEP */
};

static int parser_fail(struct parser *p, size_t at, const char *why)
{
	if (p->error)
		*p->error = (struct code_error){ .at = at, .why = why };
	return -EINVAL;
}

/* ---- tokens --------------------------------------------------------------------------------- */

/* The set that begins at glob[*at]: *at is left behind its ']'. */
static int parse_set(struct parser *p, size_t *at, struct token *token)
{
	const uint8_t *glob = (const uint8_t *)p->glob;
	size_t i = *at + 1;
	struct code_set set = { { 0 } };
	bool inverted = glob[i] == '!';

	if (glob[i] == '^')
		return parser_fail(p, i, "write [!...] for the complement of a set, [\\^...] for a set with ^");
	i += inverted;
	for (bool first = true;; first = false) {
		unsigned range[2];
		if (glob[i] == ']' && !first)
			break;
		if (glob[i] == '[' && (glob[i + 1] == ':' || glob[i + 1] == '.' || glob[i + 1] == '='))
			return parser_fail(p, i, "named character classes are not supported");
		for (int end = 0; end < 2; end++) {
			size_t byte_at = i;
			if (glob[i] == '\\')
				i++;
			if (i >= p->len)
				return parser_fail(p, *at, "'[' has no matching ']'");
			if (glob[i] == '/')
				return parser_fail(p, byte_at, "a set never matches '/'");
			range[end] = glob[i++];
			if (end == 0) {
				range[1] = range[0];
				if (glob[i] != '-' || glob[i + 1] == ']')
					break;
				i++;
			} else if (range[1] < range[0]) {
				return parser_fail(p, byte_at, "the range ends before it begins");
			}
		}
		for (unsigned b = range[0]; b <= range[1]; b++)
			set.bits[b >> 6] |= UINT64_C(1) << (b & 63);
	}
	if (inverted)
		for (int w = 0; w < 4; w++)
			set.bits[w] = ~set.bits[w];
	set.bits[0] &= ~(UINT64_C(1) << '/' | UINT64_C(1));

	int members = 0;
	for (int w = 0; w < 4; w++)
		members += __builtin_popcountll(set.bits[w]);
	token->at = (uint16_t)*at;
	*at = i + 1;
	if (members == 0)
		return parser_fail(p, token->at, "the set is empty");
	if (members == 254) {
		token->kind = TOKEN_ANY;
		return 0;
	}
	if (members == 1) {
		unsigned w = 0;
		while (!set.bits[w])
			w++;
		token->kind = TOKEN_BYTE;
		token->byte = (uint8_t)(64 * w + (unsigned)__builtin_ctzll(set.bits[w]));
		return 0;
	}
	token->kind = TOKEN_SET;
	return code_list_set(p->codes, &set, &token->set);
}

static int parse_tokens(struct parser *p)
{
	uint32_t open = UINT32_MAX;	/* the innermost open brace; its .close holds the one around it */
	uint32_t last = UINT32_MAX;	/* the last OPEN or COMMA of that brace */

	for (size_t i = 0; i < p->len;) {
		struct token *token = &p->tokens[p->n];
		*token = (struct token){ .kind = TOKEN_BYTE, .byte = (uint8_t)p->glob[i], .at = (uint16_t)i };
		switch (p->glob[i]) {
		case '/': token->kind = TOKEN_SLASH; break;
		case '?': token->kind = TOKEN_ANY; break;
		case '*': token->kind = TOKEN_STAR; break;
		case '\\':
			if (++i == p->len)
				return parser_fail(p, i - 1, "nothing follows the backslash");
			token->byte = (uint8_t)p->glob[i];
			if (token->byte == '/')
				token->kind = TOKEN_SLASH;
			break;
		case '[': {
			int err = parse_set(p, &i, token);
			if (err < 0)
				return err;
			p->n++;
			continue;
		}
		case '{':
			token->kind = TOKEN_OPEN;
			token->close = open;
			token->set = last;
			open = last = p->n;
			break;
		case ',':
			if (open == UINT32_MAX)
				break;
			token->kind = TOKEN_COMMA;
			p->tokens[last].next = p->n;
			last = p->n;
			break;
		case '}': {
			if (open == UINT32_MAX)
				return parser_fail(p, i, "'}' without '{'");
			token->kind = TOKEN_CLOSE;
			p->tokens[last].next = p->n;
			uint32_t outer = p->tokens[open].close, outer_last = p->tokens[open].set;
			for (uint32_t t = open; t != p->n; t = p->tokens[t].next)
				p->tokens[t].close = p->n;
			open = outer;
			last = outer_last;
			break;
		}
		}
		p->n++;
		i++;
	}
	if (open != UINT32_MAX)
		return parser_fail(p, p->tokens[open].at, "'{' has no matching '}'");
	return 0;
}

/* ---- one way through the braces ------------------------------------------------------------- */

static void out_byte(struct parser *p, unsigned byte)
{
	p->out[p->n_out++] = (uint8_t)byte;
}

static void out_deep(struct parser *p)
{
	if (p->n_out && p->last_deep == p->n_out)
		return;
	out_byte(p, 0);
	out_byte(p, CODE_DEEP);
	p->last_deep = p->n_out;
}

static int end_component(struct parser *p)
{
	const struct token **c = p->component;
	uint32_t n = p->n_component;

	p->n_component = 0;
	if (n == 0)
		return 0;
	if (n == 2 && c[0]->kind == TOKEN_STAR && c[1]->kind == TOKEN_STAR) {
		out_deep(p);
		return 0;
	}
	if (c[0]->kind == TOKEN_BYTE && c[0]->byte == '.' &&
	    (n == 1 || (n == 2 && c[1]->kind == TOKEN_BYTE && c[1]->byte == '.')))
		return parser_fail(p, c[0]->at, "'.' and '..' never match: paths are resolved first");

	out_byte(p, '/');
	for (uint32_t i = 0; i < n;) {
		bool star = false;
		for (; i < n && (c[i]->kind == TOKEN_ANY || c[i]->kind == TOKEN_STAR); i++) {
			if (c[i]->kind == TOKEN_ANY) {
				out_byte(p, 0);
				out_byte(p, CODE_ANY);
				continue;
			}
			if (i > 0 && c[i - 1]->kind == TOKEN_STAR)
				return parser_fail(p, c[i - 1]->at, "'**' stands for whole components: write it between slashes");
			star = true;
		}
		if (star) {
			out_byte(p, 0);
			out_byte(p, CODE_STAR);
		}
		if (i == n)
			break;
		if (c[i]->kind == TOKEN_SET) {
			out_byte(p, 0);
			out_byte(p, CODE_SET);
			out_byte(p, 128 | (c[i]->set >> 14 & 127));
			out_byte(p, 128 | (c[i]->set >> 7 & 127));
			out_byte(p, 128 | (c[i]->set & 127));
		} else {
			out_byte(p, c[i]->byte);
		}
		i++;
	}
	return 0;
}

static struct choice *choose(struct parser *p, uint32_t nth, uint32_t open)
{
	struct choice *choice = &p->choices[nth];
	if (nth < p->n_choices)
		return choice;
	*choice = (struct choice){ .open = open, .of = 1 };
	for (uint32_t t = p->tokens[open].next; p->tokens[t].kind == TOKEN_COMMA; t = p->tokens[t].next)
		choice->of++;
	p->n_choices++;
	return choice;
}

static int parse_alternative(struct parser *p)
{
	uint32_t nth = 0;
	bool rooted = false, slash = false;
	int err = 0;

	p->n_component = p->n_out = p->last_deep = 0;
	for (uint32_t t = 0; t < p->n && err == 0; t++) {
		const struct token *token = &p->tokens[t];
		if (token->kind == TOKEN_OPEN) {
			const struct choice *choice = choose(p, nth++, t);
			for (uint32_t skip = choice->taken; skip > 0; skip--)
				t = p->tokens[t].next;
			continue;
		}
		if (token->kind == TOKEN_COMMA) {
			t = token->close;
			continue;
		}
		if (token->kind == TOKEN_CLOSE)
			continue;
		slash = token->kind == TOKEN_SLASH;
		if (!slash) {
			p->component[p->n_component++] = token;
			continue;
		}
		if (!rooted && p->n_component &&
		    (p->n_component != 2 || p->component[0]->kind != TOKEN_STAR || p->component[1]->kind != TOKEN_STAR))
			break;
		rooted = true;
		err = end_component(p);
	}
	if (err < 0)
		return err;
	if (!rooted)
		return parser_fail(p, 0, "a path pattern begins with '/' or '**/'");
	err = end_component(p);
	if (err < 0)
		return err;
	if (slash)
		out_deep(p);
	return code_list_put(p->codes, p->out, p->n_out, p->rule);
}

static int parse_alternatives(struct parser *p)
{
	for (unsigned made = 0;; made++) {
		if (made == CODE_MAX_ALTERNATIVES)
			return parser_fail(p, p->choices[0].open < p->n ? p->tokens[p->choices[0].open].at : 0,
					   "the braces expand to more than 1024 patterns");
		int err = parse_alternative(p);
		if (err < 0)
			return err;
		while (p->n_choices && p->choices[p->n_choices - 1].taken + 1 == p->choices[p->n_choices - 1].of)
			p->n_choices--;
		if (p->n_choices == 0)
			return 0;
		p->choices[p->n_choices - 1].taken++;
	}
}

int code_add(struct code_list *codes, const char *glob, uint32_t rule, struct code_error *error)
{
	struct parser p = {
		.codes = codes, .rule = rule, .error = error, .glob = glob, .len = strlen(glob),
	};
	/* On the stack for what people write; a token becomes at most 5 bytes, and one "/" or DEEP is added. */
	struct {
		struct token tokens[128];
		struct choice choices[128];
		const struct token *component[128];
		uint8_t out[5 * 128 + 8];
	} small, *room = &small;
	void *large = NULL;
	int err;

	if (p.len == 0)
		return parser_fail(&p, 0, "the pattern is empty");
	if (p.len > GLOB_MAX)
		return parser_fail(&p, GLOB_MAX, "the pattern is too long");
	p.tokens = room->tokens;
	p.choices = room->choices;
	p.component = room->component;
	p.out = room->out;
	if (p.len > ARRAY_SIZE(small.tokens)) {
		size_t each = sizeof(struct token) + sizeof(struct choice) + sizeof(struct token *) + 5;
		large = malloc(p.len * each + 8);
		if (!large)
			return -ENOMEM;
		p.component = large;
		p.tokens = (void *)(p.component + p.len);
		p.choices = (void *)(p.tokens + p.len);
		p.out = (void *)(p.choices + p.len);
	}
	size_t n = codes->n;
	err = parse_tokens(&p);
	if (err == 0)
		err = parse_alternatives(&p);
	if (err < 0)
		codes->n = n;
	free(large);
	return err;
}
