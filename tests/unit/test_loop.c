#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "loop.h"

struct wait {
	struct loop_op op;
	struct loop *loop;
	int result;
	unsigned calls;
};

static void stop_when_done(struct loop_op *op, int result)
{
	struct wait *wait = container_of(op, struct wait, op);

	wait->result = result;
	wait->calls++;
	loop_stop(wait->loop);
}

static struct loop *new_loop(void)
{
	struct loop *loop;

	assert_int_equal(loop_new(&loop, 8), 0);
	return loop;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void timer_fires(void **state)
{
	struct loop *loop = new_loop();
	struct wait wait = { .op.done = stop_when_done, .loop = loop };
	uint64_t before = now_ns();

	(void)state;
	loop_timer(loop, &wait.op, 20000000);
	assert_true(wait.op.pending);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(wait.result, -ETIME);
	assert_false(wait.op.pending);
	assert_true(now_ns() - before >= 20000000);
	loop_free(loop);
}

static void cancel_ends_a_poll(void **state)
{
	struct loop *loop = new_loop();
	struct wait wait = { .op.done = stop_when_done, .loop = loop };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	loop_poll(loop, &wait.op, fds[0], POLLIN);
	loop_cancel(loop, &wait.op);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(wait.result, -ECANCELED);
	assert_int_equal(wait.calls, 1);
	loop_cancel(loop, &wait.op);	/* over already: nothing */
	loop_free(loop);
	close(fds[0]);
	close(fds[1]);
}

static void poll_tells_readiness(void **state)
{
	struct loop *loop = new_loop();
	struct wait wait = { .op.done = stop_when_done, .loop = loop };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	loop_poll(loop, &wait.op, fds[0], POLLIN);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(wait.result, POLLIN);
	loop_free(loop);
	close(fds[0]);
	close(fds[1]);
}

static void write_appends(void **state)
{
	struct loop *loop = new_loop();
	struct wait wait = { .op.done = stop_when_done, .loop = loop };
	char name[] = "/tmp/usher-loop.XXXXXX", text[16] = "";
	int fd = mkstemp(name);

	(void)state;
	assert_int_equal(unlink(name), 0);
	for (int i = 0; i < 2; i++) {
		loop_write(loop, &wait.op, fd, i ? "two" : "one", 3);
		assert_int_equal(loop_run(loop), 0);
		assert_int_equal(wait.result, 3);
	}
	assert_int_equal(pread(fd, text, sizeof(text), 0), 6);
	assert_string_equal(text, "onetwo");
	close(fd);
	loop_free(loop);
}

static void stop_before_run_counts(void **state)
{
	struct loop *loop = new_loop();

	(void)state;
	loop_stop(loop);
	assert_int_equal(loop_run(loop), 0);
	loop_free(loop);
}

/* More operations than the ring has entries. */
static unsigned n_timers;

static void count_timer(struct loop_op *op, int result)
{
	struct wait *wait = container_of(op, struct wait, op);

	assert_int_equal(result, -ETIME);
	wait->calls++;
	if (--n_timers == 0)
		loop_stop(wait->loop);
}

static void many_operations(void **state)
{
	struct loop *loop = new_loop();
	struct wait *waits = calloc(500, sizeof(*waits));

	(void)state;
	n_timers = 500;
	for (unsigned i = 0; i < 500; i++) {
		waits[i] = (struct wait){ .op.done = count_timer, .loop = loop };
		loop_timer(loop, &waits[i].op, 1000000 + i * 1000);
	}
	assert_int_equal(loop_run(loop), 0);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(waits[i].calls, 1);
	free(waits);
	loop_free(loop);
}

#define THREADS 4
#define POSTS   5000

struct poster {
	struct loop *loop;
	struct wait *waits;
};

static unsigned n_posted;

static void count_post(struct loop_op *op, int result)
{
	struct wait *wait = container_of(op, struct wait, op);

	assert_int_equal(result, 0);
	wait->calls++;
	if (++n_posted == THREADS * POSTS)
		loop_stop(wait->loop);
}

static void *post_all(void *arg)
{
	struct poster *poster = arg;

	for (unsigned i = 0; i < POSTS; i++)
		loop_post(poster->loop, &poster->waits[i].op);
	return NULL;
}

static void posts_arrive_once(void **state)
{
	struct loop *loop = new_loop();
	struct wait *waits = calloc(THREADS * POSTS, sizeof(*waits));
	struct poster posters[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS * POSTS; i++)
		waits[i] = (struct wait){ .op.done = count_post, .loop = loop };
	for (unsigned i = 0; i < THREADS; i++) {
		posters[i] = (struct poster){ loop, waits + i * POSTS };
		assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
	}
	assert_int_equal(loop_run(loop), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < THREADS * POSTS; i++)
		assert_int_equal(waits[i].calls, 1);
	free(waits);
	loop_free(loop);
}

static void personality_is_the_threads(void **state)
{
	struct loop *loop = new_loop();
	int personality = loop_personality(loop);

	(void)state;
	assert_true(personality > 0);
	loop_forget_personality(loop, personality);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timer_fires),
		cmocka_unit_test(cancel_ends_a_poll),
		cmocka_unit_test(poll_tells_readiness),
		cmocka_unit_test(write_appends),
		cmocka_unit_test(stop_before_run_counts),
		cmocka_unit_test(many_operations),
		cmocka_unit_test(posts_arrive_once),
		cmocka_unit_test(personality_is_the_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
