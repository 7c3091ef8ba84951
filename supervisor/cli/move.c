#include "move.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "fd.h"
#include "text.h"

static const enum policy_stage all_steps[] = { STAGE_LOG, STAGE_DENY, STAGE_TRAP, STAGE_KILL };

struct steps { enum policy_stage list[8]; size_t n; };

static struct steps steps_of(const struct policy *policy)
{
	const struct policy_setting *setting = policy_setting(policy, "rollout", "steps");
	struct steps steps = { .n = 0 };

	for (size_t i = 0; setting && i < setting->n_words && steps.n < ARRAY_SIZE(steps.list); i++)
		for (size_t k = 0; k < ARRAY_SIZE(all_steps); k++)
			if (strcmp(setting->words[i], policy_stage_name(all_steps[k])) == 0)
				steps.list[steps.n++] = all_steps[k];
	if (!steps.n) {
		memcpy(steps.list, all_steps, sizeof(all_steps));
		steps.n = ARRAY_SIZE(all_steps);
	}
	return steps;
}

/* Only what refuses can be at trap or kill, and forbid is never only logged. */
static bool stage_fits(enum policy_action action, enum policy_stage stage)
{
	if (action == ACTION_FORBID)
		return stage != STAGE_LOG;
	return action == ACTION_DENY || stage == STAGE_LOG || stage == STAGE_DENY;
}

static int rank(enum policy_stage stage)
{
	return stage == STAGE_LOG ? 0 : stage == STAGE_DENY ? 1 : stage == STAGE_TRAP ? 2 : 3;
}

/* The next of STEPS from FROM on, or FROM. */
static enum policy_stage stage_next(const struct steps *steps, enum policy_action action, enum policy_stage from, bool up)
{
	enum policy_stage found = from;

	for (size_t i = 0; i < steps->n; i++) {
		enum policy_stage one = steps->list[i];
		bool beyond = up ? rank(one) > rank(from) : rank(one) < rank(from);
		bool nearer = found == from || (up ? rank(one) < rank(found) : rank(one) > rank(found));

		if (beyond && nearer && stage_fits(action, one))
			found = one;
	}
	return found;
}

static bool editable(const struct policy *policy, uint32_t file)
{
	AUTO_FREE char *drop_ins = text_printf("%s.d/", policy->files[0].path);

	return file < policy->n_files && (file == 0 || !strncmp(policy->files[file].path, drop_ins, strlen(drop_ins)));
}

static bool named(const struct policy *policy, const struct policy_pos *pos, const char *id, const char *name)
{
	char where[300];

	return (id && !strcmp(id, name)) || !strcmp(policy_where(policy, *pos, where, sizeof(where)), name);
}

struct found { enum policy_action action; enum policy_stage stage; bool sealed, system_call; struct policy_pos pos; };

static bool consider(const struct steps *steps, enum move_kind kind, const struct found *found, struct move *move)
{
	enum policy_stage to = kind == MOVE_SEAL ? found->stage : stage_next(steps, found->action, found->stage, kind == MOVE_PROMOTE);

	if (kind == MOVE_SEAL ? found->sealed || !found->system_call || found->action < ACTION_DENY : to == found->stage)
		return false;
	move->from = found->stage;
	move->edit = (struct policy_edit){ .pos = found->pos, .stage = to, .seal = kind == MOVE_SEAL,
					   .unseal = kind == MOVE_DEMOTE && found->sealed };
	return true;
}

/* NAMES NULL: all. */
static const char *name_of(const struct policy *policy, const struct found *found, const char *id, const char *const *names)
{
	for (size_t i = 0; names[i]; i++)
		if (named(policy, &found->pos, id, names[i]))
			return names[i];
	return NULL;
}

static int add(const struct cli *cli, struct moves *moves, const struct steps *steps, enum move_kind kind, const struct found *found,
	       const struct policy_rule *rule, enum policy_section section, const char *const *names, unsigned *matched)
{
	const struct policy *policy = moves->policy;
	const char *name = names ? name_of(policy, found, rule ? rule->id : NULL, names) : NULL;
	struct move move = { .rule = rule, .section = section };

	if (names && !name)
		return 0;
	/* A rule that is finished is sealed; another one must be named. */
	if (!names && kind == MOVE_SEAL && stage_next(steps, found->action, found->stage, true) != found->stage)
		return 0;
	*matched += 1;
	if (!editable(policy, found->pos.file)) {
		if (names)
			cli_error(cli, "%s stands in a file that is included; only the policy's own file and its drop-ins are changed", name);
		return names ? CLI_NO : 0;
	}
	if (!consider(steps, kind, found, &move)) {
		if (names)
			cli_error(cli, kind == MOVE_SEAL ? "%s cannot be sealed: only refusals of system calls are" : "%s is at %s, and there is no further step",
				  name, policy_stage_name(found->stage));
		return names ? CLI_NO : 0;
	}
	move.key = rule ? policy_rule_key(rule) : policy_default_key(policy, section);
	*mem_push(&moves->list, &moves->n) = move;
	return 0;
}

int moves_find(const struct cli *cli, struct moves *moves, const struct policy *policy, enum move_kind kind, const char *const *names)
{
	const struct steps steps = steps_of(policy);
	unsigned matched = 0;
	int status = 0;

	*moves = (struct moves){ .policy = policy };
	for (int i = 0; i < SECTION_COUNT && !status; i++) {
		const struct policy_default *value = &policy->defaults[i];
		const struct found found = { value->action, value->stage, value->sealed, i == SECTION_SYSCALLS, value->pos };

		if (value->written && value->action == ACTION_DENY)
			status = add(cli, moves, &steps, kind, &found, NULL, (enum policy_section)i, names, &matched);
	}
	for (size_t i = 0; i < policy->n_rules && !status; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		const struct found found = { rule->action, rule->stage, rule->sealed, rule->section == SECTION_SYSCALLS, rule->pos };

		if (rule->pos.file == POLICY_BUILTIN || (!names && rule->action < ACTION_DENY && rule->stage == STAGE_DENY))
			continue;
		status = add(cli, moves, &steps, kind, &found, rule, rule->section, names, &matched);
	}
	for (size_t i = 0; names && names[i] && !status; i++)
		if (matched == 0) {
			cli_error(cli, "the policy has no rule '%s'; a rule is named by its id, or as FILE:LINE", names[i]);
			status = CLI_NO;
		}
	return status;
}

void moves_free(struct moves *moves)
{
	for (size_t i = 0; i < moves->n; i++)
		free(moves->list[i].key);
	free(moves->list);
	*moves = (struct moves){ 0 };
}

const char *move_where(const struct moves *moves, const struct move *move, char *buf, size_t size)
{
	return policy_where(moves->policy, move->edit.pos, buf, size);
}

static const struct move *move_of(const struct moves *moves, const struct policy_rule *rule, int section)
{
	for (size_t i = 0; i < moves->n; i++)
		if (rule ? moves->list[i].rule == rule : !moves->list[i].rule && (int)moves->list[i].section == section)
			return &moves->list[i];
	return NULL;
}

static bool moved(const struct move *move, enum policy_stage was, bool sealed, enum policy_stage is, bool is_sealed)
{
	if (!move)
		return was == is && sealed == is_sealed;
	return is == move->edit.stage && is_sealed == (move->edit.seal || (sealed && !move->edit.unseal));
}

bool moves_are(const struct moves *moves, const struct policy *after)
{
	const struct policy *before = moves->policy;
	bool same = before->n_rules == after->n_rules && before->cover == after->cover && before->n_settings == after->n_settings;

	for (int i = 0; i < SECTION_COUNT && same; i++) {
		const struct policy_default *a = &before->defaults[i], *b = &after->defaults[i];

		same = a->present == b->present && a->action == b->action && a->err == b->err && a->audit == b->audit &&
		       moved(move_of(moves, NULL, i), a->stage, a->sealed, b->stage, b->sealed);
	}
	for (size_t i = 0; i < before->n_rules && same; i++) {
		AUTO_FREE char *a = policy_rule_key(&before->rules[i]);
		AUTO_FREE char *b = policy_rule_key(&after->rules[i]);

		same = !strcmp(a, b) && moved(move_of(moves, &before->rules[i], 0), before->rules[i].stage, before->rules[i].sealed,
					      after->rules[i].stage, after->rules[i].sealed);
	}
	return same;
}
