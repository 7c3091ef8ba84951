/*
 * audit, limits and rollout blocks: names with words behind them. What words a name takes is told by its
 * row in the table of words, in the notation that help prints:
 *   a|b  one of these    COUNT, PATH, ...  a value of that kind    [...]  may be left out
 *   {a X|b Y|c}  any of these, in any order, at least one
 */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "parse.h"

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

bool number_parse(const char *s, size_t len, uint64_t *value)
{
	bool negative = len && *s == '-';
	if (negative)
		s++, len--;
	int base = 10;
	if (len > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
		len -= 2;
	} else if (len > 1 && s[0] == '0') {
		base = 8;
	}
	uint64_t result = 0;
	for (size_t i = 0; i < len; i++) {
		int d = digit(s[i]);
		if (d >= base || __builtin_mul_overflow(result, (uint64_t)base, &result) ||
		    __builtin_add_overflow(result, (uint64_t)d, &result))
			return false;
	}
	if (negative && result > (uint64_t)INT64_MAX + 1)
		return false;
	*value = negative ? -result : result;
	return len > 0;
}

static size_t digits(const char *s)
{
	return strspn(s, "0123456789");
}

static bool one_of(const char *s, const char *list)
{
	return text_lists(list, s, strlen(s));
}

static bool kind_matches(const char *kind, size_t len, const char *word)
{
	static const char capabilities[] =
		"chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable "
		"net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot "
		"sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease "
		"audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read "
		"perfmon bpf checkpoint_restore";
	size_t n = digits(word);
	const char *rest = word + n;
	bool number = n > 0 && n < 16;
	if (strncmp(kind, "COUNT", len) == 0 || strncmp(kind, "SIZE", len) == 0)
		return number && (!*rest || one_of(rest, "k M G"));
	if (strncmp(kind, "DURATION", len) == 0)
		return number && one_of(rest, "ms s m h d w");
	if (strncmp(kind, "RATE", len) == 0)
		return number && *rest == '/' && one_of(rest + 1, "s m h d");
	if (strncmp(kind, "PERCENT", len) == 0)
		return number && strcmp(rest, "%") == 0 && n <= 3 && strtoul(word, NULL, 10) <= 100;
	if (strncmp(kind, "PATH", len) == 0)
		return *word == '/';
	if (strncmp(kind, "OPERATION", len) == 0)
		return policy_op_named(word, strlen(word)) >= 0;
	if (strncmp(kind, "ERRNO", len) == 0)
		return policy_errno_named(word, strlen(word)) > 0;
	if (strncmp(kind, "CAPABILITY", len) == 0)
		return one_of(word, capabilities);
	return false;
}

/* How the one of USAGE that is least obvious is written. */
static const char *kind_example(const char *usage)
{
	static const char *const examples[][2] = {
		{ "SIZE", ", a SIZE as 64k, 512M or 2G" },	{ "RATE", ", a RATE as 10/s, 6/m, 100/h or 1000/d" },
		{ "DURATION", ", a DURATION as 500ms, 30s, 10m, 12h, 7d or 2w" }, { "CAPABILITY", ", a CAPABILITY as net_admin" },
		{ "PATH", ", a PATH that begins with /" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		if (strstr(usage, examples[i][0]))
			return examples[i][1];
	return "";
}

/* One alternative without blanks: LITERAL, KIND or literal=KIND. */
static bool atom_matches(const char *atom, size_t len, const char *word)
{
	const char *equals = memchr(atom, '=', len);
	if (equals) {
		size_t n = (size_t)(equals - atom) + 1;
		return strncmp(word, atom, n) == 0 && kind_matches(equals + 1, len - n, word + n);
	}
	if (*atom >= 'A' && *atom <= 'Z')
		return kind_matches(atom, len, word);
	return strlen(word) == len && memcmp(word, atom, len) == 0;
}

/* LEN bytes of SHAPE, elements with blanks between. Takes words from *I on; false if they do not fit. */
static bool sequence_matches(const char *shape, size_t len, char *const *words, size_t n, size_t *i)
{
	const char *end = shape + len;
	for (const char *at = shape; at < end;) {
		size_t element = strcspn(at, " ");
		if (element > (size_t)(end - at))
			element = (size_t)(end - at);
		bool found = false;
		for (const char *atom = at; atom < at + element && *i < n && !found;) {
			size_t atom_len = strcspn(atom, "|");
			if (atom_len > (size_t)(at + element - atom))
				atom_len = (size_t)(at + element - atom);
			found = atom_matches(atom, atom_len, words[*i]);
			atom += atom_len + 1;
		}
		if (!found)
			return false;
		++*i;
		at += element + (at + element < end);
	}
	return true;
}

static bool any_order_matches(const char *shape, size_t len, char *const *words, size_t n, size_t *i)
{
	size_t start = *i;
	while (*i < n) {
		bool found = false;
		for (const char *at = shape; at < shape + len && !found;) {
			size_t part = strcspn(at, "|}");
			size_t next = *i;
			found = sequence_matches(at, part, words, n, &next);
			if (found)
				*i = next;
			at += part + 1;
		}
		if (!found)
			return false;
	}
	return *i > start;
}

/* The index of the word that does not fit is in *I. */
static bool shape_matches(const char *shape, char *const *words, size_t n, size_t *i)
{
	size_t fixed = strcspn(shape, "[{");
	size_t len = fixed;
	while (len && shape[len - 1] == ' ')
		len--;
	if (!sequence_matches(shape, len, words, n, i))
		return false;
	const char *rest = shape + fixed;
	if (*rest == '[' && *i == n)
		return true;
	if (*rest == '[')
		rest++;
	size_t rest_len = strcspn(rest, "]");
	if (*rest == '{')
		return any_order_matches(rest + 1, rest_len - 1, words, n, i);
	return sequence_matches(rest, rest_len, words, n, i) && *i == n;
}

static void parse_setting(struct parser *parser, int kind)
{
	const char *block = kind == WORD_AUDIT ? "audit" : kind == WORD_LIMITS ? "limits" : "rollout";
	struct loader *loader = parser->loader;
	struct lexer *lex = &parser->lex;
	const struct token name = lex->token;
	const struct word *word = token_word(&name, WORD_BIT(kind));
	char buf[64];
	if (!word) {
		struct policy_diag *diag = parse_error(parser, &name, "unknown setting %s in %s", token_quote(&name, buf), block);
		if (name.kind == TOKEN_WORD)
			policy_diag_nearest(diag, word_nearest(WORD_BIT(kind), name.at, name.len));
		parse_recover(parser);
		return;
	}
	if (word->later) {
		parse_later(parser, &name);
		parse_recover(parser);
		return;
	}
	lex_next(lex);

	struct strings words = {0};
	struct token *tokens = NULL;
	size_t n_tokens = 0;
	bool ok = true;
	while (ok && (parse_is_text(parser) || lex->token.kind == TOKEN_COMMA)) {
		const struct token token = lex->token;
		bool begins = lex->last.pos.line < token.pos.line && lex->last.kind != TOKEN_COMMA;
		if (parse_accept(parser, TOKEN_COMMA))
			continue;
		if (begins && token_word(&token, WORD_BIT(kind)))
			break;
		struct values values = {0};
		ok = parse_values(parser, &values);
		for (size_t i = 0; i < values.n; i++) {
			strings_add(&words, value_text(&values.v[i], NULL));
			*mem_push(&tokens, &n_tokens) = token;
		}
		values_free(&values);
	}
	ok = ok && parse_semicolon(parser);
	if (!ok)
		parse_recover(parser);

	size_t i = 0;
	bool fits = shape_matches(word->usage, words.v, words.n, &i);
	bool extra = strcmp(word->name, "capabilities") == 0 && words.n && (strcmp(words.v[0], "keep") == 0) != (words.n > 1);
	if (extra && words.n > 1 && strcmp(words.v[0], "keep") != 0)
		i = 1;
	if (ok && (!fits || extra)) {
		const struct token *at = i < n_tokens ? &tokens[i] : &name;
		struct policy_diag *diag = i < n_tokens
			? parse_error(parser, at, "%s does not fit here", token_quote(at, buf))
			: parse_error(parser, at, "something is missing behind %s", token_quote(at, buf));
		policy_diag_help(diag, "write: %s %s%s", word->name, word->usage, kind_example(word->usage));
		ok = false;
	}
	free(tokens);
	if (!ok) {
		strings_free(&words);
		return;
	}
	struct policy_setting setting = {.block = text_copy(block), .name = text_dup(name.at, name.len),
					 .words = words.v, .n_words = words.n, .pos = name.pos};
	if (parser->domain)
		*mem_push(&loader->domain_settings, &loader->n_domain_settings) = setting;
	else
		*mem_push(&loader->policy->settings, &loader->policy->n_settings) = setting;
}

void parse_plain(struct parser *parser, enum word_kind kind)
{
	unsigned starters = parser->starters;
	parser->starters = WORD_BIT(kind);
	parse_block(parser, parse_setting, (int)kind);
	parser->starters = starters;
}
