/* Rules as text: the line that why prints, and the canonical form that the digest is made of. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "parse.h"
#include "syscalls.h"

/* The fewest words for a set: groups first, the largest before the others. */
void ops_print(struct text *text, uint32_t ops)
{
	const char *separator = "";
	for (int kind = WORD_OPS; kind >= WORD_OP; kind--) {
		const struct word *word;
		for (size_t i = 0; (word = word_at(i)); i++) {
			if (word->kind != (enum word_kind)kind || (word->value & ~ops) || !(word->value & ops))
				continue;
			/* A group that leaves less than it says would hide what is really granted. */
			text_addf(text, "%s%s", separator, word->name);
			separator = ",";
			ops &= ~word->value;
		}
	}
}

static void print_quoted(struct text *text, const char *s, size_t len)
{
	text_puts(text, "\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c == '"' || c == '\\' || c == '$')
			text_addf(text, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			text_addf(text, "\\x%02x", c);
		else
			text_add(text, s + i, 1);
	}
	text_puts(text, "\"");
}

static void print_answer(struct text *text, const struct policy_rule *rule)
{
	static const char *const names[] = {[ANSWER_FILE] = "file", [ANSWER_CONTENT] = "content", [ANSWER_ERRNO] = "errno",
					    [ANSWER_RETURN] = "return", [ANSWER_DEVICE] = "device", [ANSWER_HOSTS] = "hosts"};
	text_addf(text, " with %s%s", names[rule->answer], rule->answer == ANSWER_HOSTS ? "" : " ");
	if (rule->answer == ANSWER_CONTENT)
		print_quoted(text, rule->target, rule->target_len);
	else if (rule->answer == ANSWER_ERRNO)
		text_puts(text, policy_errno_name((int)rule->answer_value));
	else if (rule->answer == ANSWER_RETURN)
		text_addf(text, "%lld", (long long)rule->answer_value);
	else if (rule->target)
		text_add(text, rule->target, rule->target_len);
}

void rule_print_options(struct text *text, const struct policy_rule *rule)
{
	if (rule->beneath)
		text_puts(text, " beneath");
	if (rule->action == ACTION_REDIRECT)
		text_addf(text, " to %s", rule->target);
	if (rule->answer != ANSWER_NONE)
		print_answer(text, rule);
	if (rule->staged)
		text_addf(text, " stage %s", policy_stage_name(rule->stage));
	if (rule->exact)
		text_puts(text, " credentials exact");
	if (rule->sealed)
		text_puts(text, " sealed");
}

static void canonical_list(struct text *text, struct strings *list)
{
	strings_sort(list);
	for (size_t i = 0; i < list->n; i++) {
		text_puts(text, " ");
		print_quoted(text, list->v[i], strlen(list->v[i]));
	}
	strings_free(list);
}

void address_print(struct text *text, const struct policy_addr *addr, bool ports)
{
	char ip[INET6_ADDRSTRLEN] = "";
	bool four = addr->prefix >= 96 && memcmp(addr->ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0;
	unsigned bits = four ? 32 : 128, prefix = four ? addr->prefix - 96u : addr->prefix;
	switch (addr->kind) {
	case ADDR_CIDR:
		inet_ntop(four ? AF_INET : AF_INET6, four ? addr->ip + 12 : addr->ip, ip, sizeof(ip));
		text_addf(text, four ? "%s" : "[%s", ip);
		if (prefix < bits)
			text_addf(text, "/%u", prefix);
		text_puts(text, four ? "" : "]");
		break;
	case ADDR_ANY:
		text_puts(text, "*");
		break;
	case ADDR_ABSTRACT:
		text_addf(text, "@%s", addr->text);
		return;
	case ADDR_GROUP:
	case ADDR_HOST:
		text_puts(text, addr->text);
	}
	if (!ports || (addr->port_lo == 0 && addr->port_hi == UINT16_MAX && addr->kind != ADDR_ANY))
		return;
	if (addr->port_lo == 0 && addr->port_hi == UINT16_MAX)
		text_puts(text, ":*");
	else if (addr->port_lo == addr->port_hi)
		text_addf(text, ":%u", addr->port_lo);
	else
		text_addf(text, ":%u-%u", addr->port_lo, addr->port_hi);
}

static char *address_canonical(const struct policy_addr *addr)
{
	char ip[INET6_ADDRSTRLEN] = "";
	if (addr->kind == ADDR_CIDR)
		inet_ntop(AF_INET6, addr->ip, ip, sizeof(ip));
	return text_printf("%d %s%s/%u:%u-%u", (int)addr->kind, addr->text ? addr->text : "", ip, addr->prefix,
			   addr->port_lo, addr->port_hi);
}

static int compare_masks(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct policy_mask));
}

static char *cond_canonical(const struct policy_cond *cond)
{
	struct text text = {0};
	AUTO_FREE struct policy_mask *sorted = mem_zero((cond->n_any + 1) * sizeof(*sorted));
	memcpy(sorted, cond->any, cond->n_any * sizeof(*sorted));
	qsort(sorted, cond->n_any, sizeof(*sorted), compare_masks);
	text_addf(&text, "%u", cond->arg);
	for (size_t i = 0; i < cond->n_any; i++)
		text_addf(&text, " %llx:%llx", (unsigned long long)sorted[i].mask, (unsigned long long)sorted[i].value);
	return text_take(&text);
}

/* Everything that a rule says, with the lists in an order of their own. Paths are as spelled: what links
 * a machine happens to have does not change what was reviewed. */
char *rule_canonical(const struct policy_rule *rule, const struct note *note)
{
	struct text text = {0};
	struct strings list = {0};
	text_addf(&text, "%s %s", policy_section_name(rule->section), policy_action_name(rule->action));
	if (rule->action >= ACTION_DENY)
		text_addf(&text, " %d", rule->err);
	text_puts(&text, " ");
	if (rule->section != SECTION_SYSCALLS)
		ops_print(&text, rule->ops);
	if (rule->section == SECTION_NETWORK)
		text_addf(&text, " %s", policy_proto_name(rule->proto));
	if (rule->mount_fstype)
		text_addf(&text, " %s from %s on", rule->mount_fstype, rule->mount_from ? rule->mount_from : "any");
	for (size_t i = 0; i < rule->n_patterns; i++)
		strings_add(&list, text_copy(rule->patterns[i].spelled));
	canonical_list(&text, &list);
	for (size_t i = 0; i < rule->n_addrs; i++)
		strings_add(&list, address_canonical(&rule->addrs[i]));
	canonical_list(&text, &list);
	for (size_t i = 0; i < rule->n_calls; i++) {
		const struct syscall_info *call = syscall_by_nr(rule->calls[i]);
		strings_add(&list, text_printf("%s%s", call ? call->name : "?", rule->call_specific[i] ? "" : " of a group"));
	}
	canonical_list(&text, &list);
	for (size_t i = 0; i < rule->n_conds; i++)
		strings_add(&list, cond_canonical(&rule->conds[i]));
	canonical_list(&text, &list);

	if (note && note->extra)
		text_puts(&text, note->extra);
	rule_print_options(&text, rule);
	text_addf(&text, " audit %d", (int)rule->audit);
	const char *const labels[][2] = {{"id", rule->id}, {"note", rule->note}, {"expires", rule->expires}};
	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		if (labels[i][1]) {
			text_addf(&text, " %s ", labels[i][0]);
			print_quoted(&text, labels[i][1], strlen(labels[i][1]));
		}
	return text_take(&text);
}
