#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

/* ---- matching ------------------------------------------------------------------------------- */

static bool set_has(const char **set, unsigned char byte)
{
	const char *p = *set + 1;
	bool inverted = *p == '!', has = false;
	if (inverted)
		p++;
	for (bool first = true; first || *p != ']'; first = false) {
		if (*p == '\\')
			p++;
		unsigned char lo = (unsigned char)*p++, hi = lo;
		if (*p == '-' && p[1] != ']') {
			p++;
			if (*p == '\\')
				p++;
			hi = (unsigned char)*p++;
		}
		has |= lo <= byte && byte <= hi;
	}
	*set = p + 1;
	return has != inverted && byte != '/';
}

/* One component: GLOB up to its '/' or end, PATH as well. */
static bool component_matches(const char *glob, const char *path)
{
	bool glob_done = !*glob || *glob == '/', path_done = !*path || *path == '/';
	if (glob_done)
		return path_done;
	if (*glob == '*')
		return component_matches(glob + 1, path) || (!path_done && component_matches(glob, path + 1));
	if (path_done)
		return false;
	if (*glob == '?')
		return component_matches(glob + 1, path + 1);
	if (*glob == '[')
		return set_has(&glob, (unsigned char)*path) && component_matches(glob, path + 1);
	if (*glob == '\\')
		glob++;
	return *glob == *path && component_matches(glob + 1, path + 1);
}

static const char *next_component(const char *p, bool glob)
{
	while (*p && *p != '/')
		p += glob && *p == '\\' ? 2 : 1;
	while (*p == '/')
		p++;
	return p;
}

/* Components of GLOB against components of PATH; both stand at one or at the end. */
static bool components_match(const char *glob, const char *path)
{
	if (!*glob)
		return !*path;
	if (strncmp(glob, "**", 2) == 0 && (glob[2] == '/' || !glob[2])) {
		const char *rest = next_component(glob, true);
		for (;; path = next_component(path, false)) {
			/* "dir/" and "dir/ **" and "** /" all end in any number of components */
			if (!*rest || components_match(rest, path))
				return true;
			if (!*path)
				return false;
		}
	}
	if (!*path || !component_matches(glob, path))
		return false;
	const char *after = next_component(glob, true);
	if (!*after && after[-1] == '/')
		return true;
	return components_match(after, next_component(path, false));
}

static bool plain_matches(const char *glob, const char *path)
{
	while (*glob == '/')
		glob++;
	if (!*glob)
		return true;	/* "/": everything */
	return components_match(glob, path + 1);
}

bool model_matches(const char *glob, const char *path)
{
	const char *open = glob;
	while (*open && *open != '{') {
		if (*open == '[') {
			set_has(&open, 0);
			continue;
		}
		open += *open == '\\' ? 2 : 1;
	}
	if (!*open)
		return plain_matches(glob, path);

	const char *close = open, *parts[32];
	int depth = 0, n = 0;
	parts[n++] = open + 1;
	for (;; close++) {
		if (*close == '\\')
			close++;
		else if (*close == '{')
			depth++;
		else if (*close == ',' && depth == 1)
			parts[n++] = close + 1;
		else if (*close == '}' && --depth == 0)
			break;
	}
	parts[n] = close + 1;
	for (int i = 0; i < n; i++) {
		char expanded[512];
		ASSERT(strlen(glob) < sizeof(expanded));
		(void)snprintf(expanded, sizeof(expanded), "%.*s%.*s%s", (int)(open - glob), glob,
			       (int)(parts[i + 1] - 1 - parts[i]), parts[i], close + 1);
		if (model_matches(expanded, path))
			return true;
	}
	return false;
}

/* ---- the universe --------------------------------------------------------------------------- */

char (*model_paths)[16];
size_t model_n_paths;

static void universe_add(const char *path)
{
	if ((model_n_paths & (model_n_paths - 1)) == 0) {
		model_paths = realloc(model_paths, 2 * (model_n_paths + 1) * sizeof(*model_paths));
		ASSERT(model_paths);
	}
	ASSERT(strlen(path) < sizeof(*model_paths));
	strcpy(model_paths[model_n_paths++], path);
}

static void universe_grow(char *path, size_t len, size_t name, int levels, size_t longest)
{
	static const char alphabet[] = { 'a', '\303', 'z' };
	if (name > 0 && levels == 0) {
		path[len] = '\0';
		universe_add(path);
	}
	if (name > 0 && levels > 0) {
		path[len] = '/';
		universe_grow(path, len + 1, 0, levels - 1, longest);
	}
	if (name == longest)
		return;
	for (size_t i = 0; i < sizeof(alphabet); i++) {
		path[len] = alphabet[i];
		universe_grow(path, len + 1, name + 1, levels, longest);
	}
}

void model_universe(bool deep)
{
	char path[16] = "/";
	free(model_paths);
	model_paths = NULL;
	model_n_paths = 0;
	universe_add("/");
	universe_grow(path, 1, 0, 0, 3);
	universe_grow(path, 1, 0, 1, 3);
	universe_grow(path, 1, 0, 2, 2);
	universe_grow(path, 1, 0, 3, deep ? 2 : 1);
}

/* ---- the contest ---------------------------------------------------------------------------- */

void model_init(struct model *model, const struct policy *policy)
{
	if (!model_paths)
		model_universe(false);
	*model = (struct model){ .policy = policy, .matches = calloc(policy->n_rules + 1, sizeof(bool *)) };
	ASSERT(model->matches);
	for (size_t r = 0; r < policy->n_rules; r++) {
		const struct policy_rule *rule = &policy->rules[r];
		model->matches[r] = calloc(model_n_paths, sizeof(bool));
		ASSERT(model->matches[r]);
		for (size_t p = 0; p < model_n_paths; p++)
			for (size_t i = 0; i < rule->n_patterns; i++)
				model->matches[r][p] |= model_matches(rule->patterns[i].glob, model_paths[p]);
	}
}

void model_free(struct model *model)
{
	for (size_t r = 0; r < model->policy->n_rules; r++)
		free(model->matches[r]);
	free(model->matches);
}

static bool included(const struct model *model, size_t a, size_t b)
{
	for (size_t p = 0; p < model_n_paths; p++)
		if (model->matches[a][p] && !model->matches[b][p])
			return false;
	return true;
}

static int count_ops(uint32_t ops)
{
	int n = 0;
	for (int i = 0; i < 32; i++)
		n += (ops >> i & 1) != 0;
	return n;
}

bool model_narrower(const struct model *model, size_t a, size_t b)
{
	if (!included(model, a, b))
		return false;
	return !included(model, b, a) || count_ops(model->policy->rules[a].ops) < count_ops(model->policy->rules[b].ops);
}

static bool takes_part(const struct policy_rule *rule, enum policy_op op, bool would)
{
	return rule->ops & OP_BIT(op) && (would || rule->action == ACTION_FORBID || rule->stage != STAGE_LOG);
}

static int stage_order(enum policy_stage stage)
{
	return stage == STAGE_LOG ? 0 : stage == STAGE_DENY ? 1 : stage == STAGE_TRAP ? 2 : 3;
}

/* Is A's answer to be preferred to B's, both left in the contest? */
static bool preferred(const struct policy_rule *a, const struct policy_rule *b)
{
	if (a->action != b->action)
		return a->action > b->action;
	if (a->stage != b->stage)
		return stage_order(a->stage) > stage_order(b->stage);
	if (a->err != b->err)
		return a->err == ENOENT || (b->err != ENOENT && a->err < b->err);
	return false;
}

struct policy_verdict model_decide(const struct model *model, enum policy_op op, size_t path, bool would)
{
	const struct policy *policy = model->policy;
	const struct policy_rule *best = NULL;
	bool socket = OP_BIT(op) & OPS_NETWORK;

	if (!socket && !(policy->cover & OP_BIT(op)))
		return (struct policy_verdict){ .action = ACTION_ALLOW, .op = op };
	for (size_t r = 0; r < policy->n_rules; r++) {
		const struct policy_rule *rule = &policy->rules[r];
		bool dropped = false;
		if (!takes_part(rule, op, would) || !model->matches[r][path])
			continue;
		for (size_t o = 0; o < policy->n_rules && rule->action != ACTION_FORBID; o++)
			dropped |= o != r && takes_part(&policy->rules[o], op, would) && model->matches[o][path] &&
				   model_narrower(model, o, r);
		if (!dropped && (!best || preferred(rule, best)))
			best = rule;
	}
	if (best)
		return (struct policy_verdict){
			.action = best->action, .err = best->action >= ACTION_DENY ? best->err : 0,
			.stage = best->action == ACTION_FORBID && best->stage == STAGE_LOG ? STAGE_DENY : best->stage,
			.op = op, .rule = best,
		};
	const struct policy_default *def = &policy->defaults[SECTION_FILES];
	if (socket && policy->defaults[SECTION_NETWORK].present)
		def = &policy->defaults[SECTION_NETWORK];
	if (!def->present || (def->stage == STAGE_LOG && !would))
		return (struct policy_verdict){ .action = ACTION_ALLOW, .op = op };
	return (struct policy_verdict){
		.action = def->action, .err = def->action == ACTION_DENY ? def->err : 0, .stage = def->stage, .op = op,
	};
}
