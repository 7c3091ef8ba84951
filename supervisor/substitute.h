/* What redirect and answer rules put in the place of files. */
#ifndef USHER_SUBSTITUTE_H
#define USHER_SUBSTITUTE_H

#include "policy.h"
#include "request.h"

struct substitutes;

/* RULE is a redirect or an answer about files that cannot be served: an error in DIAGS. */
void substitute_check(const struct policy *policy, const struct policy_rule *rule, struct policy_diags *diags);
/* Some file is replaced: stat has to be asked about it too. */
bool substitute_any(const struct policy *policy);

/* Pins or makes what the rules of POLICY name. 0 or -errno. */
int substitutes_new(struct substitutes **substitutes, const struct policy *policy);
void substitutes_free(struct substitutes *substitutes);

/*
 * Object req->decided is one that the enforced decision redirects or answers, and certainly so. 0: go on and serve, it has become
 * what stands for it, to be read only; otherwise -errno as the answer. With the target's credentials worn.
 */
int substitute(struct request *req);
/* The same for a call that only asks about object 0, if reading it were redirected or answered by something to read. */
int substitute_stat(struct request *req);

#endif
