/*
 * The path engine written the slow, obvious way: a backtracking matcher, and the words of
 * which rule wins, over a universe of paths small enough to list. Tests include model.c.
 */
#ifndef USHER_MODEL_H
#define USHER_MODEL_H

#include "policy.h"

bool model_matches(const char *glob, const char *path);

/* All paths over an alphabet of three bytes (one of them 0xc3) up to a shape that tells the patterns of
 * the tests apart: "/", names up to 3 bytes in one or two levels, up to 2 in three, 1 in four; DEEP: up to
 * 2 bytes in four levels. */
extern char (*model_paths)[16];
extern size_t model_n_paths;
void model_universe(bool deep);

struct model {
	const struct policy *policy;
	bool **matches;		/* [rule][path] */
};

void model_init(struct model *model, const struct policy *policy);
void model_free(struct model *model);
/* Over the universe: is A narrower than B? */
bool model_narrower(const struct model *model, size_t a, size_t b);
/* The verdict for model_paths[PATH]. .rule is one that says so; others may say the same. */
struct policy_verdict model_decide(const struct model *model, enum policy_op op, size_t path, bool would);

#endif
