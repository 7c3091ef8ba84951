/* A policy with its plan, filter rows and filter, as `run` would install it here. */
#ifndef USHER_COMPILED_H
#define USHER_COMPILED_H

#include <linux/audit.h>

#include "cli.h"
#include "filter.h"
#include "plan.h"

#ifdef __x86_64__
#define COMPILED_ARCH AUDIT_ARCH_X86_64
#else
#define COMPILED_ARCH AUDIT_ARCH_AARCH64
#endif

/* A system call by NAME or number, with N arguments as numbers or constants. 0, or a status after a message. */
int compiled_call(const struct cli *cli, const struct cli_verb *verb, const char *name, char *const *words, int n, int *nr,
		  uint64_t args[6]);

struct compiled {
	struct kernel kernel;
	const char *lacks; /* what the kernel lacks that usher requires, NULL: nothing */
	struct plan plan;
	int plan_error; /* -EOPNOTSUPP: `run` would refuse; the filter is made all the same */
	struct filter_row *rows;
	size_t n_rows;
	struct filter filter;
};

/* 0 or -errno of filter_compile(); what is wrong is in DIAGS. Free in any case. */
int compiled_make(struct compiled *compiled, const struct policy *policy, enum layers layers, struct policy_diags *diags);
/* --layers LIST. 0, or a status after a message. */
int compiled_layers(enum layers *layers, const char *list, const struct cli *cli, const struct cli_verb *verb);
/* What usher refuses of itself, whatever POLICY says of the call: the errno's name, "SIGSYS", or NULL. */
const char *compiled_refusal(const struct policy *policy, int nr, const uint64_t args[6]);
void compiled_free(struct compiled *compiled);

#endif
