/*
 * Does a policy of 100,000 rules decide as fast as one of ten, and how long does it take to compile?
 *
 * Both policies hold the ten rules of a web root; the large one has prefixes and globs besides, in the same
 * trees. Three workloads, the same paths for both policies, interleaved, first repetition dropped, medians:
 *
 *   site    24 paths of one site, as a busy server opens them
 *   spread  4,096 paths over the whole tree: more than the caches of the processor hold
 *   new     spread again after everything was forgotten: what the first look at a path costs
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine.h"
#include "err.h"
#include "policy.h"

#define FEW 10
#define MANY 100000
#define REPETITIONS 15

enum workload { SITE, SPREAD, NEW, WORKLOADS };
static const char *const workload_names[] = { [SITE] = "site", [SPREAD] = "spread", [NEW] = "new" };

struct side {
	size_t n_rules;
	struct policy policy;
	double compile_ms, ns[WORKLOADS][REPETITIONS];
	size_t memory_compiled, memory_after;
};

struct paths { char (*list)[128]; size_t n; };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);	/* nothing here waits */
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void rule_text(size_t i, char *glob, size_t size)
{
	static const char *const web[FEW] = {
		"/srv/www/", "**/.git/", "**/.ht*", "**/*.{bak,swp,key,pem,env}", "/srv/www/private/",
		"/etc/nginx/", "/var/log/nginx/*.log", "/usr/lib/", "/etc/ssl/", "/srv/www/site0/**/*.php",
	};
	size_t k = i / 8;
	if (i < FEW) {
		(void)snprintf(glob, size, "%s", web[i]);
		return;
	}
	switch (i % 8) {
	case 0: case 1: case 2:
		(void)snprintf(glob, size, "/srv/www/site%zu/part%zu/", k, i % 8); break;
	case 3: (void)snprintf(glob, size, "/srv/www/site%zu/*.conf", k); break;
	case 4: (void)snprintf(glob, size, "/srv/www/site%zu/**/*.tmp", k); break;
	case 5: (void)snprintf(glob, size, "**/secret%zu/", k); break;
	case 6: (void)snprintf(glob, size, "/home/user%zu/.[a-z]*/", k); break;
	case 7: (void)snprintf(glob, size, "/srv/www/**/dump%zu-*.sql", k); break;
	}
}

static void policy_fill(struct side *side)
{
	struct policy *policy = &side->policy;
	*policy = (struct policy){ .cover = OPS_FILES, .n_rules = side->n_rules };
	policy->defaults[SECTION_FILES] = (struct policy_default){ .present = true, .action = ACTION_DENY, .err = 2 };
	policy->rules = calloc(side->n_rules, sizeof(*policy->rules));
	ASSERT(policy->rules);
	for (size_t i = 0; i < side->n_rules; i++) {
		char glob[128];
		struct policy_rule *rule = &policy->rules[i];
		rule_text(i, glob, sizeof(glob));
		*rule = (struct policy_rule){
			.number = (uint32_t)i, .section = SECTION_FILES, .action = strncmp(glob, "**", 2) ? ACTION_ALLOW : ACTION_DENY,
			.err = 13, .ops = OP_BIT(OP_STAT) | OP_BIT(OP_LIST) | OP_BIT(OP_READ),
			.patterns = calloc(1, sizeof(*rule->patterns)), .n_patterns = 1,
		};
		ASSERT(rule->patterns);
		rule->patterns->glob = strdup(glob);
	}
}

static struct paths paths_make(enum workload workload)
{
	static const char *const names[] = {
		"index.html", "css/main.css", "img/logo.png", "js/app.min.js", ".git/config", "a/b/c/page.html", "x.tmp", "site.conf",
	};
	struct paths paths = { .n = workload == SITE ? 24 : 4096 };
	paths.list = calloc(paths.n, sizeof(*paths.list));
	ASSERT(paths.list);
	for (size_t i = 0; i < paths.n; i++)
		(void)snprintf(paths.list[i], sizeof(paths.list[i]), "/srv/www/site%zu/part%zu/%s",
			       workload == SITE ? 7 : i * 2654435761 % 12500, i % 3, names[i % 8]);
	return paths;
}

static double run(const struct policy *policy, const struct paths *paths, size_t decisions)
{
	size_t lens[4096];
	unsigned denied = 0;
	for (size_t i = 0; i < paths->n; i++)
		lens[i] = strlen(paths->list[i]);
	double start = now();
	for (size_t i = 0, p = 0; i < decisions; i++, p = p + 1 == paths->n ? 0 : p + 1) {
		struct policy_decision decision = policy_decide_path(policy, OP_BIT(OP_READ), paths->list[p], lens[p]);
		denied += policy_denies(&decision.enforced);
	}
	double ns = (now() - start) / (double)decisions;
	ASSERT(denied > 0 && denied < decisions);
	return ns;
}

static void measure(struct side *sides, const struct paths *paths)
{
	for (int r = 0; r < REPETITIONS; r++) {
		for (int w = 0; w < WORKLOADS; w++) {
			for (int s = 0; s < 2; s++) {
				struct policy_engine *engine = sides[s].policy.engine;
				if (w == NEW)
					engine_set_limit(engine, (size_t)64 << 20);
				sides[s].ns[w][r] = run(&sides[s].policy, &paths[w], w == NEW ? paths[w].n : 200000);
			}
		}
	}
}

static int double_order(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return a < b ? -1 : a > b;
}

/* The first repetition is dropped. */
static double median(const double *values)
{
	double sorted[REPETITIONS - 1];
	memcpy(sorted, values + 1, sizeof(sorted));
	qsort(sorted, REPETITIONS - 1, sizeof(*sorted), double_order);
	return sorted[(REPETITIONS - 1) / 2];
}

static void print_table(const struct side *sides)
{
	printf("%-26s %12s %12s %8s\n", "", "10 rules", "100,000", "ratio");
	printf("%-26s %12.2f %12.2f\n", "compile, ms", sides[0].compile_ms, sides[1].compile_ms);
	for (int w = 0; w < WORKLOADS; w++) {
		double few = median(sides[0].ns[w]), many = median(sides[1].ns[w]);
		printf("decision (%s), ns %*s %12.1f %12.1f %8.2f\n", workload_names[w], 6 - (int)strlen(workload_names[w]), "",
		       few, many, many / few);
	}
	printf("%-26s %12.1f %12.1f\n", "memory compiled, KiB", (double)sides[0].memory_compiled / 1024,
	       (double)sides[1].memory_compiled / 1024);
	printf("%-26s %12.1f %12.1f\n", "memory after, KiB", (double)sides[0].memory_after / 1024,
	       (double)sides[1].memory_after / 1024);
}

static void print_json(const struct side *sides)
{
	printf("{\"bench\":\"rules\",\"schema\":1,\"sides\":[");
	for (int s = 0; s < 2; s++) {
		printf("%s{\"rules\":%zu,\"compile_ms\":%.3f,\"memory_compiled\":%zu,\"memory_after\":%zu", s ? "," : "",
		       sides[s].n_rules, sides[s].compile_ms, sides[s].memory_compiled, sides[s].memory_after);
		for (int w = 0; w < WORKLOADS; w++)
			printf(",\"%s_ns\":%.2f", workload_names[w], median(sides[s].ns[w]));
		printf("}");
	}
	printf("]}\n");
}

int main(int argc, char **argv)
{
	struct side sides[2] = { { .n_rules = FEW }, { .n_rules = MANY } };
	struct paths paths[WORKLOADS];

	for (int w = 0; w < WORKLOADS; w++)
		paths[w] = paths_make((enum workload)w);
	for (int s = 0; s < 2; s++) {
		struct policy_diags diags = { 0 };
		policy_fill(&sides[s]);
		double start = now();
		ASSERT(engine_compile(&sides[s].policy, &diags) == 0);
		sides[s].compile_ms = (now() - start) / 1e6;
		sides[s].memory_compiled = engine_memory(sides[s].policy.engine);
	}
	measure(sides, paths);
	for (int s = 0; s < 2; s++)
		sides[s].memory_after = engine_memory(sides[s].policy.engine);
	if (argc > 1 && strcmp(argv[1], "--json") == 0)
		print_json(sides);
	else
		print_table(sides);
	for (int s = 0; s < 2; s++) {
		engine_free(sides[s].policy.engine);
		for (size_t i = 0; i < sides[s].policy.n_rules; i++) {
			free(sides[s].policy.rules[i].patterns->glob);
			free(sides[s].policy.rules[i].patterns);
		}
		free(sides[s].policy.rules);
	}
	for (int w = 0; w < WORKLOADS; w++)
		free(paths[w].list);
	return 0;
}
