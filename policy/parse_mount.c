/* Rules about mounts: what is mounted from where on what, and how. */
#include <string.h>

#include "err.h"
#include "fd.h"
#include "reading.h"

/* Those would undo what is forced on others, or be no flag that a mount has. */
#define FORCEABLE (MOUNT_BIT(MOUNT_RO) | MOUNT_BIT(MOUNT_NOSUID) | MOUNT_BIT(MOUNT_NODEV) | MOUNT_BIT(MOUNT_NOEXEC) | \
		   MOUNT_BIT(MOUNT_NOSYMFOLLOW) | MOUNT_BIT(MOUNT_NOATIME) | MOUNT_BIT(MOUNT_NODIRATIME))

bool read_mount_flags(struct reading *reading, uint32_t *flags)
{
	do {
		const struct word *flag = read_word(reading, WORD_MOUNT_FLAG, "mount flag", "ro, nosuid, nodev, noexec and so on");
		if (!flag)
			return false;
		*flags |= MOUNT_BIT(flag->value);
		text_addf(&reading->extra, " %s", flag->name);
	} while (parse_accept(reading->parser, TOKEN_COMMA));
	return true;
}

static bool read_force(struct reading *reading)
{
	const struct token token = reading->parser->lex.token;
	uint32_t flags = 0;
	if (!read_mount_flags(reading, &flags))
		return false;
	if (flags & ~FORCEABLE)
		policy_diag_help((mistake(reading, NULL), parse_error(reading->parser, &token, "only restrictions are forced")),
				 "there are ro, nosuid, nodev, noexec, nosymfollow, noatime and nodiratime");
	reading->rule.mount_force |= flags;
	return true;
}

/* The part behind NAME, with OPERATOR. */
static bool read_limit(struct reading *reading, const struct token *token, struct policy_mount_limit *limit, const char *operator)
{
	struct parser *parser = reading->parser;
	char buf[64];
	bool under = *operator == ' ';
	limit->kind = under ? LIMIT_UNDER : *operator == '<' ? LIMIT_MOST : LIMIT_EQUAL;
	if (!(under ? parse_literal_path(parser, "a path", &limit->value) : parse_word_text(parser, "a value", &limit->value)))
		return false;
	if (!limit->value) {
		reading->good = false;
	} else if (limit->kind == LIMIT_MOST && !policy_mount_number(limit->value, &limit->most)) {
		policy_diag_help((mistake(reading, NULL), parse_error(parser, token, "%s is bounded by no number above 0", token_quote(token, buf))),
				 "write it as 256M or 100k");
	}
	return true;
}

static bool read_limits(struct reading *reading)
{
	struct parser *parser = reading->parser;
	struct policy_rule *rule = &reading->rule;
	do {
		struct policy_mount_limit *limit;
		const struct token token = parser->lex.token;
		AUTO_FREE char *name = NULL;
		lex_operators(&parser->lex, true);
		bool named = parse_name(parser, "an option", &name);
		const char *op = token_is(&parser->lex.token, "<=") ? "<=" : token_is(&parser->lex.token, "=") ? "=" : NULL;
		if (named && op) {
			parser->lex.operators = false;
			lex_next(&parser->lex);
		} else {
			lex_operators(&parser->lex, false);
			op = named && parse_accept_word(parser, "under") ? " under " : NULL;
		}
		if (!named)
			return false;
		limit = mem_push(&rule->mount_limits, &rule->n_mount_limits);
		*limit = (struct policy_mount_limit){.name = text_copy(name)};
		if (op && !read_limit(reading, &token, limit, op))
			return false;
		text_addf(&reading->extra, " %s%s%s", name, op ? op : "", op && limit->value ? limit->value : "");
	} while (parse_accept(parser, TOKEN_COMMA));
	return true;
}

static bool read_how(struct reading *reading, const struct word *word, const struct token *token)
{
	char buf[64];
	if (word->value >= MOUNT_FORCE && reading->rule.action != ACTION_ALLOW)
		mistake(reading, parse_error(reading->parser, token, "%s belongs to 'allow'", token_quote(token, buf)));
	switch ((enum mount_option)word->value) {
	case MOUNT_FLAGS:
		return read_mount_flags(reading, &reading->rule.mount_flags);
	case MOUNT_FORCE:
		return read_force(reading);
	case MOUNT_OPTIONS:
		return read_limits(reading);
	case MOUNT_IMAGE:
		reading->rule.mount_image = true;
		return true;
	case MOUNT_IDMAP:
		reading->rule.mount_idmap = true;
		return true;
	}
	return true;
}

static void check_mount(struct reading *reading, const struct token *type)
{
	const struct policy_rule *rule = &reading->rule;
	struct parser *parser = reading->parser;
	bool any = strcmp(rule->mount_fstype, "any") == 0, bind = strcmp(rule->mount_fstype, "bind") == 0;
	char buf[64];
	if (rule->action != ACTION_ALLOW)
		return;
	if (!any && policy_mount_image(rule->mount_fstype) && !rule->mount_image)
		policy_diag_help((mistake(reading, NULL), parse_error(parser, type, "the kernel would parse what the program hands it as %s", token_quote(type, buf))),
				 "file systems on images and devices are attacked that way; if whoever writes them is trusted, add 'trusted-image' and 'from'");
	else if (rule->mount_image && !rule->n_from)
		policy_diag_help((mistake(reading, NULL), parse_error(parser, type, "which image is trusted?")), "add 'from PATH'");
	if (rule->mount_idmap && !bind && !any)
		mistake(reading, parse_error(parser, type, "'idmap' belongs to 'mount bind'"));
}

bool read_mount(struct reading *reading)
{
	struct parser *parser = reading->parser;
	struct policy_rule *rule = &reading->rule;
	const struct token type = parser->lex.token;
	if (!parse_name(parser, "a file system", &rule->mount_fstype))
		return false;
	text_addf(&reading->objects, "%s ", rule->mount_fstype);
	if (parse_accept_word(parser, "from")) {
		struct text text = {0};
		bool ok = parse_paths(parser, &rule->from, &rule->n_from);
		objects_patterns(&text, rule->from, rule->n_from);
		rule->mount_from = text_take(&text);
		text_addf(&reading->objects, "from %s ", rule->mount_from);
		if (!ok)
			return false;
		reading->good &= rule->n_from > 0;
	}
	if (!parse_accept_word(parser, "on"))
		return parse_unexpected(parser, "'on PATH'");
	if (!parse_paths(parser, &rule->patterns, &rule->n_patterns))
		return false;
	reading->good &= rule->n_patterns > 0;
	text_puts(&reading->objects, "on ");
	objects_patterns(&reading->objects, rule->patterns, rule->n_patterns);
	for (;;) {
		const struct token token = parser->lex.token;
		const struct word *word = token_word(&token, WORD_BIT(WORD_MOUNT_OPTION));
		if (!word)
			break;
		lex_next(&parser->lex);
		text_addf(&reading->extra, " %s", word->name);
		if (!read_how(reading, word, &token))
			return false;
	}
	check_mount(reading, &type);
	return true;
}
