/* expect and never statements. */
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "reading.h"

static bool read_verdict(struct parser *parser, struct policy_expect *expect)
{
	const struct token token = parser->lex.token;
	const struct word *word = token_word(&token, WORD_BIT(WORD_ACTION));
	if (word && !word->later && word->value != ACTION_FORBID) {
		expect->action = (enum policy_action)word->value;
		lex_next(&parser->lex);
		return true;
	}
	if (token.kind != TOKEN_WORD)
		return parse_unexpected(parser, "a verdict");
	char buf[64];
	struct policy_diag *diag = parse_error(parser, &token, "unknown verdict %s", token_quote(&token, buf));
	if (word)
		policy_diag_help(diag, "there is allow, deny, redirect and answer");
	else
		policy_diag_nearest(diag, word_nearest(WORD_BIT(WORD_ACTION), token.at, token.len));
	return false;
}

static bool read_op(struct parser *parser, struct policy_expect *expect)
{
	const struct token token = parser->lex.token;
	if (token.kind != TOKEN_WORD)
		return parse_unexpected(parser, "an operation");
	int op = policy_op_named(token.at, token.len);
	if (op < 0) {
		char buf[64];
		bool group = policy_ops_named(token.at, token.len);
		struct policy_diag *diag = parse_error(parser, &token, group ? "%s is several operations; one is expected"
						       : "unknown operation %s", token_quote(&token, buf));
		if (!group)
			policy_diag_nearest(diag, word_nearest(WORD_BIT(WORD_OP), token.at, token.len));
		return false;
	}
	expect->op = (uint32_t)op;
	lex_next(&parser->lex);
	return true;
}

static bool read_proto(struct parser *parser, struct policy_expect *expect)
{
	const struct token token = parser->lex.token;
	if (!(OP_BIT(expect->op) & OPS_NETWORK))
		return true;
	if (token.kind != TOKEN_WORD)
		return parse_unexpected(parser, "a protocol");
	const struct word *word = word_find(WORD_BIT(WORD_PROTO), token.at, token.len);
	char buf[64];
	if (!word) {
		policy_diag_nearest(parse_error(parser, &token, "unknown protocol %s", token_quote(&token, buf)),
				    word_nearest(WORD_BIT(WORD_PROTO), token.at, token.len));
		return false;
	}
	if (word->later)
		return parse_later(parser, &token);
	expect->proto = (int)word->value;
	lex_next(&parser->lex);
	return true;
}

static bool read_target(struct parser *parser, struct policy_expect *expect)
{
	const struct token token = parser->lex.token;
	bool path = expect->proto < 0 || (expect->proto == PROTO_UNIX && !(token.kind == TOKEN_WORD && *token.at == '@'));
	if (path && expect->never) {
		struct policy_pattern *patterns = NULL;
		size_t n = 0;
		bool ok = parse_paths(parser, &patterns, &n);
		if (ok && n > 1)
			parse_error(parser, &token, "'never' takes one pattern");
		if (ok && n == 1)
			expect->target = text_copy(patterns[0].glob);
		struct policy_rule holder = {.patterns = patterns, .n_patterns = n};
		rule_free(&holder);
		return ok;
	}
	if (path)
		return parse_literal_path(parser, "a path", &expect->target);
	if (!parse_word_text(parser, "an address", &expect->target))
		return false;
	char buf[64];
	bool group = expect->never && word_find(WORD_BIT(WORD_NETWORKS), expect->target, strlen(expect->target));
	if (expect->proto != PROTO_UNIX && !group && !address_check(expect->target, (enum policy_proto)expect->proto)) {
		parse_error(parser, &token, "%s is no address", token_quote(&token, buf));
		free(expect->target);
		expect->target = NULL;
	}
	return true;
}

static bool read_flags(struct parser *parser, struct policy_expect *expect)
{
	struct reading reading = {.parser = parser, .good = true};
	bool ok = read_mount_flags(&reading, &expect->flags);
	free(text_take(&reading.extra));
	return ok;
}

/* TYPE [from PATH] on PATH [flags LIST] [options TEXT] */
static bool read_mounted(struct parser *parser, struct policy_expect *expect)
{
	const struct token token = parser->lex.token;
	if (expect->never) {
		parse_error(parser, &token, "'never' is not about mounts");
		return false;
	}
	if (!parse_name(parser, "a file system", &expect->fstype))
		return false;
	if (parse_accept_word(parser, "from") && !parse_literal_path(parser, "a path", &expect->from))
		return false;
	if (!parse_accept_word(parser, "on"))
		return parse_unexpected(parser, "'on PATH'");
	if (!parse_literal_path(parser, "a path", &expect->target))
		return false;
	if (parse_accept_word(parser, "flags") && !read_flags(parser, expect))
		return false;
	return !parse_accept_word(parser, "options") || parse_word_text(parser, "options", &expect->options);
}

static bool read_expect(struct parser *parser, struct policy_expect *expect)
{
	if (expect->never) {
		if (!parse_accept_word(parser, "allow"))
			return parse_unexpected(parser, "'allow'");
	} else if (!read_verdict(parser, expect)) {
		return false;
	}
	if (!read_op(parser, expect))
		return false;
	if (expect->op == OP_MOUNT)
		return read_mounted(parser, expect);
	if (!read_proto(parser, expect) || !read_target(parser, expect))
		return false;
	if (expect->never)
		return true;
	if (parse_accept_word(parser, "resolving") && !parse_literal_path(parser, "a path", &expect->resolving))
		return false;
	if (parse_accept_word(parser, "in") && !parse_name(parser, "the name of a domain", &expect->in))
		return false;
	return !parse_accept_word(parser, "as") || parse_name(parser, "a user", &expect->as);
}

static void parse_expect(struct parser *parser, int unused)
{
	(void)unused;
	const struct token first = parser->lex.token;
	struct policy_expect expect = {.pos = first.pos, .proto = -1, .never = token_is(&first, "never")};
	char buf[64];
	if (!expect.never && !token_is(&first, "expect")) {
		policy_diag_help(parse_error(parser, &first, "%s does not begin an expectation", token_quote(&first, buf)),
				 "write: expect VERDICT OPERATION TARGET; or: never allow OPERATION PATTERN;");
		parse_recover(parser);
		return;
	}
	lex_next(&parser->lex);
	bool ok = read_expect(parser, &expect);
	if (ok)
		expect.text = parse_source(parser, &first);
	if (!(ok && parse_semicolon(parser)))
		parse_recover(parser);
	if (ok && expect.target && !parser->domain) {
		struct policy *policy = parser->loader->policy;
		*mem_push(&policy->expects, &policy->n_expects) = expect;
		return;
	}
	free(expect.target);
	free(expect.fstype);
	free(expect.from);
	free(expect.options);
	free(expect.resolving);
	free(expect.in);
	free(expect.as);
	free(expect.text);
}

void parse_test(struct parser *parser)
{
	parse_block(parser, parse_expect, -1);
}
