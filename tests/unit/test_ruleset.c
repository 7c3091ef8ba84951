/* Policies that are replaced while threads take and give them back: each is freed once, when nobody has it. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "err.h"
#include "ruleset.h"

#define THREADS 4
#define SWAPS 400

struct scene {
	struct loop *loop;
	struct rulesets rulesets;
	_Atomic bool stop;
	_Atomic unsigned wrong;
};

static struct ruleset *ruleset_of(const char *word)
{
	struct policy_env env = { 0 };
	struct policy_diags diags = { 0 };
	struct ruleset *ruleset;
	struct policy *policy;
	struct plan plan;
	char text[80];

	snprintf(text, sizeof(text), "syntax 1; files { default deny; allow read /%s; }", word);
	assert_int_equal(policy_load_text(&policy, &env, "x", text, strlen(text), &diags), 0);
	policy_diags_free(&diags);
	plan = (struct plan){ .policy = policy, .topology_fixed = true };
	assert_int_equal(ruleset_new(&ruleset, &plan, policy, NULL), 0);
	return ruleset;
}

static bool allows(const struct ruleset *ruleset, const char *path)
{
	struct policy_decision decision = policy_decide_path(ruleset->policy, OP_BIT(OP_READ), path, strlen(path));

	return policy_allows(&decision.enforced);
}

/* One of the two, and the same one at both looks. */
static void *user(void *arg)
{
	struct scene *scene = arg;

	while (!atomic_load(&scene->stop)) {
		struct ruleset *ruleset = ruleset_take(&scene->rulesets);
		bool a = allows(ruleset, "/a"), b;

		ruleset_hold(ruleset);
		ruleset_put(ruleset);
		b = allows(ruleset, "/b");
		if (a == b)
			atomic_fetch_add(&scene->wrong, 1);
		ruleset_put(ruleset);
	}
	return NULL;
}

struct end { struct loop_op op; struct loop *loop; };

static void end_turn(struct loop_op *op, int result)
{
	struct end *end = container_of(op, struct end, op);

	(void)result;
	loop_stop(end->loop);
}

/* Lets the loop do what was posted. */
static void turn(struct scene *scene)
{
	struct end end = { .op.done = end_turn, .loop = scene->loop };

	loop_post(scene->loop, &end.op);
	assert_int_equal(loop_run(scene->loop), 0);
}

static void swaps_while_used(void **state)
{
	struct scene scene = { 0 };
	pthread_t threads[THREADS];

	(void)state;
	assert_int_equal(loop_new(&scene.loop, 16), 0);
	rulesets_init(&scene.rulesets, scene.loop, ruleset_of("a"));
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, user, &scene), 0);
	for (int i = 0; i < SWAPS; i++) {
		struct ruleset *next = ruleset_of(i % 2 ? "a" : "b");

		while (rulesets_swap(&scene.rulesets, next))
			turn(&scene);
	}
	atomic_store(&scene.stop, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	while (rulesets_count(&scene.rulesets) != 1)
		turn(&scene);
	assert_int_equal(atomic_load(&scene.wrong), 0);
	rulesets_free(&scene.rulesets);
	loop_free(scene.loop);
}

static void who_has_one_keeps_it(void **state)
{
	struct scene scene = { 0 };
	struct ruleset *held[RULESETS_MAX], *more;

	(void)state;
	assert_int_equal(loop_new(&scene.loop, 16), 0);
	rulesets_init(&scene.rulesets, scene.loop, ruleset_of("a"));
	for (int i = 0; i < RULESETS_MAX; i++) {
		held[i] = ruleset_take(&scene.rulesets);
		assert_ptr_equal(held[i], rulesets_current(&scene.rulesets));
		if (i + 1 < RULESETS_MAX)
			assert_int_equal(rulesets_swap(&scene.rulesets, ruleset_of("b")), 0);
	}
	turn(&scene);
	assert_int_equal(rulesets_count(&scene.rulesets), RULESETS_MAX);
	more = ruleset_of("c");
	assert_int_equal(rulesets_swap(&scene.rulesets, more), -EBUSY);
	assert_true(allows(held[0], "/a"));
	ruleset_put(held[0]);
	while (rulesets_count(&scene.rulesets) == RULESETS_MAX)
		turn(&scene);
	assert_int_equal(rulesets_swap(&scene.rulesets, more), 0);
	for (int i = 1; i < RULESETS_MAX; i++)
		ruleset_put(held[i]);
	while (rulesets_count(&scene.rulesets) != 1)
		turn(&scene);
	assert_ptr_equal(rulesets_current(&scene.rulesets), more);
	rulesets_free(&scene.rulesets);
	loop_free(scene.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(swaps_while_used),
		cmocka_unit_test(who_has_one_keeps_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
